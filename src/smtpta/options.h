/*
 * options.h - what the command line of smtp(8) says, as one struct.
 *
 * prog fills it once; a const pointer travels down.
 */
#ifndef SMTPTA_OPTIONS_H
#define SMTPTA_OPTIONS_H

#include "agent/title.h"
#include "base/err.h"
#include "base/str.h"
#include "net/dns.h"
#include "net/local.h"

struct tlsconf;

/* Seconds; RFC 5321 4.5.3.2 gives the minima that matter. */
struct smtpta_timeouts {
	unsigned conn; /* TCP connect to one address */
	unsigned tcpw; /* one blocked write */
	unsigned cmd;  /* greeting and replies to EHLO, MAIL, RCPT, RSET */
	unsigned data; /* 354 */
	unsigned dot;  /* the reply to the end of data */
	unsigned tls;  /* the TLS handshake, all of it */
};

struct smtpta_options {
	const char *program;
	struct slice channel;	 /* -c */
	struct slice forced;	 /* -F: destination of everything; or empty */
	struct slice helo_name;	 /* -h; or empty */
	const char *log_file;	 /* -l; or NULL */
	uint16_t port;		 /* -p */
	unsigned debug;		 /* -d, repeatable */
	unsigned verbose;	 /* -v, repeatable */
	unsigned send_buffer;	 /* -w: bytes of SO_SNDBUF; 0: the system's */
	struct local_end local;	 /* -L, else BINDADDR: our end */
	struct slice sources;	 /* -O source=: a pool of such; or empty */
	bool one_per_connection; /* -1 */
	bool seven_bit;		 /* -7: 8BITMIME is as good as not offered */
	bool has_seven;		 /* a -7 was seen, whatever came after it */
	bool eight_bit;		 /* -8: 8-bit passes whatever is offered */
	bool no_esmtp;		/* -77: HELO only; LMTP has LHLO all the same */
	bool connect_test;	/* -D */
	bool takes_guests;	/* -e: recipients of other hosts too */
	bool esmtp_if_greeted;	/* -E */
	bool keep_headers;	/* -H: no encoded-words for 8-bit headers */
	bool is_lmtp;		/* -M */
	bool no_pipelining;	/* -P */
	bool reserved_port;	/* -r: from a local port below 1024 */
	title_show *show_title; /* -s: whom to give titles; or NULL */
	bool no_mx;		/* -x */
	bool allow_local;	/* -X; counts only with -x */
	bool v6_first;		/* -6: among hosts of equal preference */
	bool check_wks;		/* -W */
	/* Names and addresses that are this host too, with commas between. */
	struct slice self_addresses; /* SELFADDRESSES */
	struct dns_options dns;	     /* whom to ask for names, and how */
	bool has_dns_mode;	     /* -O dns= was there */
	unsigned dns_timeout; /* -O dns-timeout=: seconds for a destination */
	/* A number below n (at least 1) by chance; NULL: none is wanted. */
	size_t (*choose)(void *context, size_t n);
	void *choose_context;
	const char *tls_file;		 /* -S; or NULL */
	const struct tlsconf *tls;	 /* as it was read; NULL: no -S */
	struct slice tls_trouble;	 /* why it could not be; else empty */
	const char *auth_file;		 /* -A; or NULL */
	const char *stsfetch;		 /* the path of that program; or NULL */
	bool ignore_ezmlm;		 /* -O ignore-ezmlm */
	const char *attempts;		 /* -O attempts=: a file, "-" or NULL */
	bool hold_unknown;		 /* -O unknown-outcome=hold */
	bool fails_unconvertible;	 /* -O unconvertible=fail */
	struct slice charset;		 /* DEFCHARSET; or empty */
	bool expand_tabs;		 /* of headers, unless RFC822TABS */
	bool has_for_clause;		 /* unless NORECEIVEDFORCLAUSE */
	unsigned idle;			 /* -O idle=: seconds until QUIT */
	unsigned reuse;			 /* -O reuse=: seconds of a session */
	const char *syslog_path;	 /* -O syslog=: where syslogd listens */
	bool sync_always;		 /* -O sync=always */
	unsigned window;		 /* -O window=: messages */
	uint64_t window_bytes;		 /* -O window=,BYTES */
	struct smtpta_timeouts timeouts; /* -T */
	/* Seconds that no option changes; tests do. */
	unsigned probe_after;  /* a session at rest so long is probed (RSET) */
	unsigned signal_grace; /* for the answers to ends, behind a signal */
};

/* The defaults of every option. */
struct smtpta_options smtpta_options_default(void);

/*
 * Reads one -T value, "NAME=INTERVAL" or a bare interval for `cmd`. -1, with
 * err filled, for an unknown name, a malformed interval or a value below the
 * minimum (conn, tcpw, data and dot 10 s, cmd 5 s).
 */
MUST_USE int smtpta_options_timeout(struct smtpta_options *o,
				    struct slice value, struct err *err);

/*
 * Takes one -7 or -8. The last of them counts, but for this: two -7 are -77,
 * which forbids ESMTP, and a -8 behind them does not allow it again.
 */
void smtpta_options_bits(struct smtpta_options *o, char letter);

/* Reads one -w value: bytes. -1, with err filled, if it is no such number. */
MUST_USE int smtpta_options_send_buffer(struct smtpta_options *o,
					struct slice value, struct err *err);

/*
 * Reads one -L value (net/local.h), borrowed for as long as *o lives. -1, with
 * err filled, if it has none of the forms.
 */
MUST_USE int smtpta_options_local(struct smtpta_options *o, struct slice value,
				  struct err *err);

/*
 * The same for BINDADDR, which counts if there was no -L and it is not empty.
 */
MUST_USE int smtpta_options_bindaddr(struct smtpta_options *o,
				     struct slice value, struct err *err);

/*
 * Read DNSMODE, DNSSERVERS and DNSANCHOR, which count if there was no -O for
 * the same, and MAILVAR and SELFADDRESSES. The values are borrowed, and a NUL
 * is behind each; an empty one is as good as none. -1, with err filled, if one
 * is not as it must be.
 */
MUST_USE int smtpta_options_dns_mode(struct smtpta_options *o,
				     struct slice value, struct err *err);
MUST_USE int smtpta_options_dns_servers(struct smtpta_options *o,
					struct slice value, struct err *err);
MUST_USE int smtpta_options_dns_anchor(struct smtpta_options *o,
				       struct slice value, struct err *err);
MUST_USE int smtpta_options_mailvar(struct smtpta_options *o,
				    struct slice value, struct err *err);
MUST_USE int smtpta_options_self(struct smtpta_options *o, struct slice value,
				 struct err *err);

/*
 * Read DEFCHARSET, RFC822TABS (TABs stay unless it is empty or 0) and
 * NORECEIVEDFORCLAUSE, of which only counts that it is there. Never -1: what
 * is no name of a character set is logged and left out.
 */
MUST_USE int smtpta_options_charset(struct smtpta_options *o,
				    struct slice value, struct err *err);
MUST_USE int smtpta_options_tabs(struct smtpta_options *o, struct slice value,
				 struct err *err);
MUST_USE int smtpta_options_no_for_clause(struct smtpta_options *o,
					  struct slice value, struct err *err);

/*
 * Reads a word of SELFADDRESSES: an address, plain or in brackets. False if it
 * is none, and so a name.
 */
MUST_USE bool smtpta_options_address(struct slice word, struct net_addr *ret);

/*
 * Reads one -O value, "KEY=VALUE" or "KEY"; it must be followed by a NUL and
 * live as long as *o. -1, with err naming the key, for an unknown key or a
 * value it does not have.
 */
MUST_USE int smtpta_options_own(struct smtpta_options *o, struct slice value,
				struct err *err);

/*
 * Checks what options say together: -M must not speak to port 25 unless -F
 * names a UNIX socket, whose path must be possible. -1 with err filled.
 */
MUST_USE int smtpta_options_check(const struct smtpta_options *o,
				  struct err *err);

/* The path in "UNIX:/path"; empty if `forced` is something else. */
struct slice smtpta_unix_path(struct slice forced);

#endif
