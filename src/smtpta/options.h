/*
 * options.h - what the command line of smtp(8) says, as one struct.
 *
 * prog fills it once; a const pointer travels down.
 */
#ifndef SMTPTA_OPTIONS_H
#define SMTPTA_OPTIONS_H

#include "base/err.h"
#include "base/str.h"

/* Seconds; RFC 5321 4.5.3.2 gives the minima that matter. */
struct smtpta_timeouts {
	unsigned conn; /* TCP connect to one address */
	unsigned tcpw; /* one blocked write */
	unsigned cmd;  /* greeting and replies to EHLO, MAIL, RCPT, RSET */
	unsigned data; /* 354 */
	unsigned dot;  /* the reply to the end of data */
};

struct smtpta_options {
	const char *program;
	struct slice channel;	 /* -c */
	struct slice forced;	 /* -F: destination of everything; or empty */
	struct slice helo_name;	 /* -h; or empty */
	const char *log_file;	 /* -l; or NULL */
	uint16_t port;		 /* -p */
	unsigned debug;		 /* -d, repeatable */
	bool one_per_connection; /* -1 */
	bool esmtp_if_greeted;	 /* -E */
	bool is_lmtp;		 /* -M */
	bool no_pipelining;	 /* -P */
	bool no_mx;		 /* -x */
	bool allow_local;	 /* -X; counts only with -x */
	bool sync_always;	 /* -O sync=always */
	unsigned window;	 /* -O window=: messages */
	uint64_t window_bytes;	 /* -O window=,BYTES */
	struct smtpta_timeouts timeouts; /* -T */
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
 * Reads one -O value, "KEY=VALUE". -1, with err naming the key, for an
 * unknown key or a value it does not have.
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
