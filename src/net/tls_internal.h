/*
 * tls_internal.h - what the files of TLS know of each other.
 *
 *	tls.c		clients, contexts, the handshake
 *	tls_link.c	reading, writing and waiting through TLS
 *	tls_verify.c	what the peer must prove, and whether it did
 *	tls_session.c	sessions: their keys, where they are kept
 *	tls_info.c	what is known of a connection, as text
 *	tls_text.c	words, and lines for logs
 *
 * Files outside include net/tls.h and see nothing of OpenSSL.
 */
#ifndef NET_TLS_INTERNAL_H
#define NET_TLS_INTERNAL_H

#include "net/conn_internal.h"
#include "net/tls.h"

#include <openssl/ssl.h>

enum { TLS_DIGEST = 32 }; /* SHA2-256, bytes */

/* ---- sessions ----------------------------------------------------------- */

/*
 * What a handshake has shown, and a later one that resumes its session relies
 * on. Kept together with the session.
 */
struct tls_proof {
	enum tls_verdict verdict;
	int depth;			  /* of what matched a TLSA record */
	bool has_record;		  /* then: which one */
	unsigned char record[TLS_DIGEST]; /* digest of that record */
	int64_t judged_at;		  /* of the full handshake */
	int64_t not_after;  /* of the chain it rests on; else INT64_MAX */
	struct str matched; /* the name in the certificate */
};

/*
 * One session in memory, ready for use: reading it from the form for a shelf
 * takes more than half the time of a handshake that resumes it.
 */
struct tls_ticket {
	unsigned char key[TLS_DIGEST];
	int64_t expires;
	SSL_SESSION *session; /* a reference of its own */
	struct tls_proof proof;
};

struct tls_purse {
	struct tls_ticket *items; /* the oldest first */
	size_t n, cap;
};

/* ---- the client --------------------------------------------------------- */

struct tls_context {
	struct tls_context *next;
	struct str key; /* tls_settings_key_print() */
	SSL_CTX *ctx;
	/* Says when a file that was read here may be another one later. */
	struct str stamp;
};

struct tls_client {
	struct tls_shelf shelf;
	int64_t (*clock)(void);
	struct tls_context *contexts;
	BIO_METHOD *method;
	struct tls_purse purse;
};

/* Seconds since 1970, as the client sees it. */
int64_t tls_client_now(const struct tls_client *client);

/* ---- a connection over TLS ---------------------------------------------- */

/* Errors of a chain, the first of each kind; the worst of them counts. */
struct tls_complaint {
	int depth, code; /* X509_V_ERR_... */
};

struct tls_complaints {
	struct tls_complaint *items;
	size_t n, cap;
};

struct tls_link {
	struct conn *conn;
	struct tls_client *client;
	SSL *ssl;
	bool is_shaken; /* the handshake is over */
	bool is_up;	/* and its outcome was good: for reads and writes */

	/* Below OpenSSL: one operation of the caller's. */
	struct str out;	  /* encrypted and not sent yet, */
	size_t out_begin; /* from here on */
	bool is_held;	  /* out is the end of a handshake, and waits for what
			     is written next, or for a wait */
	int64_t deadline; /* of a wait for bytes */
	int64_t slice_end;
	size_t late;	      /* bytes that came when that was over */
	bool is_quiet;	      /* only what is in memory: no system call */
	bool was_interrupted; /* a signal came */
	bool saw_end;	      /* recv() said so */
	int read_errno, write_errno;

	/* Reading is over, and every further read says so. */
	enum conn_result fate; /* CONN_OK: it is not */
	int fate_errno;
	struct str trouble;

	/* While the handshake lasts. */
	const struct tls_how *how;
	struct tls_complaints complaints;
	bool wanted_certificate;
	struct arena *arena; /* for the trace */
	struct slice *trace;
	size_t n_trace, cap_trace;

	/* For sessions. */
	bool may_keep; /* the peer is what it has to be */
	unsigned n_kept;
	unsigned char key[TLS_DIGEST];
	unsigned seconds;
	struct tls_proof proof;
	SSL_SESSION *early; /* came before the peer was judged */
};

/* Puts TLS in front of a connection; NULL if OpenSSL will not. */
struct tls_link *tls_link_new(struct tls_client *client,
			      struct tls_context *context, struct conn *c);

/* Begins an operation of the caller's that may wait until the deadline. */
void tls_link_begin(struct tls_link *l, int64_t deadline);

/* Sends what is encrypted, as far as there is room. */
void tls_link_send(struct tls_link *l);

/*
 * Our last words of a handshake need not go alone, where we speak next: they
 * are sent with what is written next, or before anything waits.
 */
void tls_link_hold(struct tls_link *l);

/*
 * Was a read that found nothing ended by a signal, or may have been? By its
 * deadline? CONN_OK: by neither, it may go on.
 */
enum conn_result tls_link_idle(const struct tls_link *l);

/* Is a reason code of TLS that of an alert that the peer sent? */
bool tls_link_is_alert(int reason);

/*
 * Of the errors of OpenSSL since ERR_clear_error() the one that says most: its
 * text is added to *to. Returns its reason code, -1 if it is not of TLS itself,
 * 0 if there was none.
 */
int tls_link_error(struct str *to);

/* The methods of a BIO over a struct tls_link; NULL if there is no memory. */
BIO_METHOD *tls_link_method(void);

/* ---- judging ------------------------------------------------------------ */

/*
 * Tells OpenSSL what to look for. False with *ret_fault and *ret_text if it
 * cannot be looked for.
 */
MUST_USE bool tls_verify_prepare(struct tls_link *l, enum tls_fault *ret_fault,
				 const char **ret_text);

/* Judges the peer after a handshake; fills all of *o that a verdict is. */
void tls_verify_judge(struct tls_link *l, struct arena *a,
		      struct tls_outcome *o);

/* Digest of a TLSA record, by which sessions know it again. */
void tls_verify_record_digest(const struct dane_record *r,
			      unsigned char ret[TLS_DIGEST]);

/* May this record of how be used? */
bool tls_verify_is_used(const struct tls_how *how, size_t record);

/* Would the certificate of a session still prove what is needed? */
bool tls_verify_still(const struct tls_how *how, X509 *certificate,
		      const struct tls_proof *proof);

/* ---- sessions ----------------------------------------------------------- */

/* Fills l->key, from everything that a verdict depends on. */
void tls_session_key(struct tls_link *l, const struct tls_context *context);

/*
 * Offers a session, if there is one whose verdict would be the same today;
 * l->proof is its proof then. Returns whether.
 */
bool tls_session_offer(struct tls_link *l);

/* Forgets all sessions of this key: one was offered, and nothing worked. */
void tls_session_forget(struct tls_link *l);

/* The peer was judged and is good: sessions may be kept from now on. */
void tls_session_accept(struct tls_link *l);

/* OpenSSL's call for a new session; returns 1 if it was kept as it is. */
int tls_session_new(SSL *ssl, SSL_SESSION *session);

/* Puts everything on the shelf, and frees it. */
void tls_session_spill(struct tls_client *client);

/* Frees what it owns, and makes it the proof of nothing. */
void tls_proof_done(struct tls_proof *proof);

/* ---- what is known ------------------------------------------------------ */

/* Fills protocol, cipher, group and chain. */
void tls_info_fill(struct tls_link *l, struct arena *a, struct tls_outcome *o);

/* OpenSSL's call for each message of a handshake: one line of the trace. */
void tls_info_trace(int is_sent, int version, int type, const void *bytes,
		    size_t len, SSL *ssl, void *link);

/* seconds since 1970; INT64_MAX if it cannot be read */
int64_t tls_info_time(const ASN1_TIME *t);

#endif
