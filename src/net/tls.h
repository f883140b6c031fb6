/*
 * tls.h - TLS on a connection, and whether the peer is who it has to be.
 *
 * policy/tls.h decides what a host needs; here the need is enforced and never
 * weakened: tls_start() is successful only if it was met. Afterwards the
 * connection reads, writes and waits through TLS (net/conn.h, same contracts).
 * OpenSSL stays inside.
 *
 * TLS 1.2 and 1.3, older versions only if the settings say so; no compression,
 * no renegotiation, no early data. Names are compared with the certificate's
 * subjectAltName alone (RFC 9525); a wildcard is a whole left-most label. Where
 * nobody is authenticated (TLS_NEED_MAY, TLS_NEED_ENCRYPT) old parameters and
 * any certificate are better than clear text (RFC 7435 3). The handshake goes
 * to its end even if the certificate is no good, so that the outcome tells all
 * of it; nothing of ours was sent by then but, if asked for, our certificate.
 *
 * All texts in an outcome that come from the peer are printable and short.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/arena.h"
#include "net/conn.h"
#include "policy/dane.h"
#include "policy/tls.h"
#include "policy/tls_settings.h"

/* ---- the client: contexts and sessions ---------------------------------- */

/*
 * Where agents share sessions. A key is 32 bytes, of a digest of everything
 * that a session's verdict depends on; a session is some kilobytes, and opaque;
 * whoever can write there can pass for any server. Both functions may fail and
 * say nothing; NULL: nothing is shared.
 */
struct tls_shelf {
	void *context;
	/*
	 * Takes one session of the key away and adds it to *to: a ticket is
	 * for one use (RFC 8446 C.4). False: there is none.
	 */
	bool (*take)(void *context, struct slice key, struct str *to);
	/* Keeps a session until `expires`, seconds since 1970. */
	void (*put)(void *context, struct slice key, struct slice session,
		    int64_t expires);
};

struct tls_client; /* opaque; one for each agent */

/*
 * A client; nothing is loaded before the first tls_start(). `shelf` is copied,
 * NULL for none. `clock` gives seconds since 1970, NULL: time(2). Given to the
 * caller, who calls tls_client_free() once its connections are closed.
 */
struct tls_client *tls_client_new(const struct tls_shelf *shelf,
				  int64_t (*clock)(void));

/* Frees it; sessions that it still has go to the shelf. NULL is allowed. */
void tls_client_free(struct tls_client *client);

/* ---- what became of it -------------------------------------------------- */

/* Who the peer is, as far as the need made us look. */
enum tls_verdict {
	TLS_VERDICT_NONE,	 /* no handshake, or no certificate */
	TLS_UNTRUSTED,		 /* the chain leads to nobody we know */
	TLS_TRUSTED_UNNAMED,	 /* a good chain; no name was asked for, or
				    none of those was there */
	TLS_MATCHED_NAME,	 /* a good chain with one of the names */
	TLS_MATCHED_FINGERPRINT, /* of the certificate or of its key */
	TLS_MATCHED_DANE,	 /* a TLSA record */
	TLS_VERDICTS		 /* how many there are */
};

/* Why the need was not met. */
enum tls_fault {
	TLS_FAULT_NONE,
	/* Ours. */
	TLS_FAULT_SETTINGS, /* a file, or a word that OpenSSL does not know */
	TLS_FAULT_STOPPED,  /* should_stop */
	/* No handshake. */
	TLS_FAULT_TIMEOUT,   /* the deadline */
	TLS_FAULT_CLOSED,    /* the peer hung up, or the connection broke */
	TLS_FAULT_GARBAGE,   /* what came is no TLS */
	TLS_FAULT_PROTOCOL,  /* no version in common */
	TLS_FAULT_ALERT,     /* the peer refused */
	TLS_FAULT_HANDSHAKE, /* anything else */
	/* The handshake was good, the peer not. */
	TLS_FAULT_ANONYMOUS,	/* no certificate */
	TLS_FAULT_NOT_TRUSTED,	/* the chain leads to nobody we know */
	TLS_FAULT_EXPIRED,	/* the certificate, or one above it */
	TLS_FAULT_NOT_YET,	/* it is not valid yet */
	TLS_FAULT_NAME,		/* none of the names */
	TLS_FAULT_CHAIN,	/* anything else that OpenSSL dislikes */
	TLS_FAULT_TLSA,		/* no record matches */
	TLS_FAULT_TLSA_INVALID, /* no record can be used */
	TLS_FAULT_FINGERPRINT,	/* none matches */
	TLS_FAULTS		/* how many there are */
};

/* One of the certificates that were judged. */
struct tls_certificate {
	struct slice subject, issuer; /* as RFC 4514 writes names */
	struct slice common_name;     /* of the subject, for logs only */
	struct slice names;	      /* of subjectAltName, blanks between */
	struct slice key;	      /* "RSA 2048" */
	struct slice sha256;	 /* fingerprint: "AB:CD:...", certificate */
	struct slice key_sha256; /* the same of the public key */
	struct slice trouble;	 /* what OpenSSL said of it; may be empty */
	int64_t not_before, not_after; /* seconds since 1970 */
};

/* What tls_start() came to. What is not static lives in its arena. */
struct tls_outcome {
	bool is_ok; /* the need is met, and fault is TLS_FAULT_NONE */
	enum tls_fault fault;
	struct slice text; /* why, for people, one clause; empty if is_ok */
	enum tls_verdict verdict;

	/* As agreed; NULL, 0 and empty without a handshake. */
	const char *protocol;  /* "TLSv1.3" */
	const char *cipher;    /* "TLS_AES_256_GCM_SHA384" */
	const char *group;     /* "x25519"; "" if none, or not told */
	int bits, cipher_bits; /* used, and those that the cipher has */
	bool was_resumed;      /* then the chain was judged earlier */
	/*
	 * A session was offered. If nothing came of it, it is forgotten, and
	 * another handshake will do without.
	 */
	bool was_offered;
	bool wanted_certificate; /* the peer asked for ours */

	/* The evidence. */
	size_t record;	      /* index of the TLSA record; SIZE_MAX: none */
	int depth;	      /* of what matched the record; 0: the server's */
	struct slice matched; /* the name in the certificate; may be empty */
	/* The server's certificate, and if wants_chain those above it. */
	struct tls_certificate *chain;
	size_t n_chain;

	/* Of a decision that is_audited: what TLS_NEED_NAME with its names
	   would have come to. */
	enum tls_fault audit;
	struct slice audit_text;

	/* Lines for logs, by wants_trace; see tls_outcome_lines(). */
	struct slice *trace;
	size_t n_trace;
};

/* ---- starting ----------------------------------------------------------- */

/* What a handshake is told. All is borrowed for the call only. */
struct tls_how {
	const struct tls_settings *settings;
	const struct tls_decision *decision; /* MAY to NAME */
	/*
	 * For TLS_NEED_DANE: those of use DANE_USED count, the others do not
	 * (uses NULL: all do).
	 */
	const struct dane_record *records;
	const enum dane_use *uses;
	size_t n_records;
	struct slice host;	   /* its name, which keeps sessions apart */
	int64_t deadline;	   /* of all of it, conn_now() */
	bool (*should_stop)(void); /* NULL: never */
	/* Outcome: more than the first certificate. No session is resumed. */
	bool wants_chain;
	bool wants_trace; /* outcome: the messages of the handshake */
};

/*
 * Makes the handshake and judges the peer. Returns ret->is_ok. When false the
 * connection is good only for conn_close(): mail that may go in clear text
 * goes over a new one. *ret is filled in either case; its memory is a's. The
 * client must outlive the connection. Bytes that arrived before and were not
 * read yet are taken as TLS.
 */
MUST_USE bool tls_start(struct tls_client *client, struct conn *c,
			const struct tls_how *how, struct arena *a,
			struct tls_outcome *ret);

/* Is this connection one over TLS? */
bool tls_is_up(const struct conn *c);

/*
 * Why a read or a write over TLS failed with errno EPROTO, or came to CONN_END
 * by an alert: one clause, borrowed until conn_close(); NULL if there is
 * nothing to tell. In TLS 1.3 a server refuses our certificate only then.
 */
const char *tls_trouble(const struct conn *c);

/*
 * Can OpenSSL use this record, which dane_judge() found to be DANE_USED? A
 * whole certificate or key may still be none. Whoever gathers the facts asks,
 * since a host without usable records needs something else.
 */
bool tls_is_record_usable(const struct dane_record *record);

/*
 * Can these settings be loaded? For whoever reads a configuration; the 6 ms of
 * a context are spent here. Returns 0, or -1 with err filled.
 */
MUST_USE int tls_client_check(struct tls_client *client,
			      const struct tls_settings *settings,
			      struct err *err);

/* ---- channel bindings (for SCRAM-*-PLUS) -------------------------------- */

enum tls_binding {
	TLS_BINDING_EXPORTER,  /* "tls-exporter", RFC 9266 */
	TLS_BINDING_UNIQUE,    /* "tls-unique", RFC 5929 3 */
	TLS_BINDING_END_POINT, /* "tls-server-end-point", RFC 5929 4 */
	TLS_BINDINGS	       /* how many there are */
};

/* Their names as registered. */
const char *tls_binding_word(enum tls_binding kind);

/*
 * Adds the bytes to which a dialogue on this connection can be bound. False if
 * it has none of this kind: tls-unique is undefined from TLS 1.3 on and, like
 * the exporter, worthless in TLS 1.2 without the extended master secret (RFC
 * 7627); a certificate whose signature has no digest has no end point.
 */
MUST_USE bool tls_channel_binding(const struct conn *c, enum tls_binding kind,
				  struct str *to);

/* ---- words -------------------------------------------------------------- */

/* Stable words: "matched-dane", "trusted-unnamed"; "certificate-expired"... */
const char *tls_verdict_word(enum tls_verdict verdict);
const char *tls_fault_word(enum tls_fault fault);

/*
 * The result type of RFC 8460 4.3 that a fault is reported as; NULL for
 * TLS_FAULT_NONE and for those that are ours. Of mode testing, give it audit.
 */
const char *tls_fault_report(enum tls_fault fault);

/* The enhanced status code for a delivery that has to wait: "4.7.5". */
const char *tls_fault_status(enum tls_fault fault);

/*
 * Adds what everybody sees, one clause: "TLSv1.3 with cipher
 * TLS_AES_256_GCM_SHA384 (256/256 bits), group x25519, matched-name". Nothing
 * without a handshake.
 */
void tls_outcome_print(struct str *to, const struct tls_outcome *o);

/*
 * Calls `line` for each line of a log of tls-loglevel `level`: 0 nothing,
 * beyond what tls_outcome_print() gives; 1 who the peer is; 2 also more of each
 * certificate; 3 and 4 also the messages of the handshake by name and length
 * (wants_trace), never what is in them. Lines are printable, without newline.
 */
void tls_outcome_lines(const struct tls_outcome *o, unsigned level,
		       void (*line)(void *context, struct slice text),
		       void *context);

#endif
