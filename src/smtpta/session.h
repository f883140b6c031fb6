/*
 * session.h - one SMTP or LMTP session: the engine over a connection.
 *
 * The session opens a connection to an address of a destination that gives a
 * usable greeting, of the best preference that has one, pumps the engine over
 * it, and keeps it for the next message to the same destination. It decides
 * nothing about recipients.
 */
#ifndef SMTPTA_SESSION_H
#define SMTPTA_SESSION_H

#include "agent/title.h"
#include "smtp/engine.h"
#include "smtpta/options.h"
#include "smtpta/recorder.h"
#include "smtpta/route.h"
#include "smtpta/security.h"
#include "smtpta/sesslog.h"
#include "smtpta/tried.h"

struct session; /* opaque */

/*
 * Hands content to the engine: called while it wants any. Returns 1 when the
 * message is complete, 0 if there is more, -1 with err filled if it cannot be
 * read; then the connection is given up without ending the message.
 */
typedef int session_fill(struct smtp_transaction *t, bool needs_dots,
			 struct str *sink, struct err *err);

/* What makes connections secure; all borrowed. */
struct session_safety {
	struct security_scene scene;
	struct tls_client *tls;
	bool wants_chain;	/* all certificates, for explanations */
	bool only_looks;	/* what AUTH would be used is found out alone */
	struct tlsnotes *notes; /* results for TLSRPT; NULL: nobody counts */
};

/* What is known about a peer and asked for, when a connection is opened. */
struct session_terms {
	unsigned ignored; /* extensions, a set of enum smtp_ext */
	unsigned window;  /* messages; see smtp/engine.h */
	uint64_t window_bytes;
	struct tried avoid; /* addresses that are passed over */
	/* What the message asks for that the session is opened for. */
	enum tls_request request;
	bool is_tls_report; /* and it is one about TLS: nothing is counted */
	/* Asked first among its equals; borrowed, or NULL. */
	const struct net_addr *first;
	int64_t (*wall_time)(void); /* Unix time; NULL: no BY= is sent */
};

/* Everything borrowed; log may be NULL. Given to the caller. */
struct session *session_new(const struct smtpta_options *o,
			    struct dns_resolver *dns, struct sesslog *log,
			    session_fill *fill);

/*
 * Hears what is said ('w'), heard ('r') and remarked ('#') on the connection;
 * t is the message it belongs to, NULL if it is the session's own. Never
 * content.
 */
typedef void session_said(void *context, char type, struct slice line,
			  const struct smtp_transaction *t);

/* Who is to hear it; NULL: nobody. */
void session_listen(struct session *s, session_said *listener, void *context);

/* Tells a recorder of all that happens; NULL: none. Borrowed. */
void session_record(struct session *s, struct recorder *recorder);

/*
 * Hears how far a message is that takes long. Its content begins with begin(),
 * for each message; then tell() says how many bytes are written, at most once
 * a second and not in the first. t must not be kept.
 */
struct session_watcher {
	void *context;
	void (*begin)(void *context, const struct smtp_transaction *t);
	void (*tell)(void *context, struct slice host, uint64_t bytes);
};

/* Who is to hear it; NULL: nobody. Borrowed. */
void session_watch(struct session *s, const struct session_watcher *watcher);

/*
 * From now on hosts get the security that policy/tls.h decides on. Without it,
 * or with NULL, TLS is never spoken. Borrowed.
 */
void session_secure(struct session *s, const struct session_safety *safety);

/* Closes the connection, with QUIT if it is in order, and frees. */
void session_free(struct session *s);

/*
 * Makes sure that there is an open session to `host`, reusing the one there
 * is. True: it is ready for smtp_add() on session_engine(). False: *ret_why
 * says why no address would do; it lives until the next call.
 */
MUST_USE bool session_open(struct session *s, struct slice host,
			   const struct session_terms *terms,
			   const struct diag **ret_why);

/* Is there an open session, and is it one to `host`? */
bool session_is_open(const struct session *s);
bool session_is_for(const struct session *s, struct slice host);

/*
 * Is the open (or last) session one to a further host, because terms said
 * that others are to be avoided? Then it is not for mail that may go to those.
 */
bool session_is_detour(const struct session *s);

/*
 * May mail for another domain (A-labels), of which the host of the open session
 * is the best exchanger, go over it? Each domain has its own security.
 */
bool session_may_share(struct session *s, struct slice domain);

/* Is mail that asked for REQUIRETLS to be sent with it over this session? */
bool session_needs_requiretls(const struct session *s);

/* What was asked for when the open (or last) session was opened. */
enum tls_request session_request(const struct session *s);

/*
 * The addresses of the destination that were asked: those that would not do
 * when the session was opened, and at the end that of the open (or last)
 * session, if it came to one. Borrowed until the next session_open().
 */
const struct net_addr *session_passed(const struct session *s, size_t *ret_n);

/* Has the destination an address beside those that is not avoided? */
bool session_has_next(const struct session *s, const struct tried *avoid);

/* Was a host of the destination out of reach when it was last opened? */
bool session_saw_outage(const struct session *s);

/*
 * How the host of the open (or last) session was found; borrowed until the
 * next session_open().
 */
const struct route *session_route(const struct session *s);

/*
 * The name of the host that the open session is with; empty if it has none,
 * being an address or a UNIX socket. Borrowed likewise.
 */
struct slice session_exchanger(const struct session *s);

/* How many sessions there have been, this one included. */
unsigned session_number(const struct session *s);

/* The engine of the open session. */
struct smtp_engine *session_engine(struct session *s);

/*
 * Does whatever is to be done next on the connection and waits for at most
 * one thing; then events may have come. While only replies are awaited,
 * other_fd (-1: none) is waited for too: true if it can be read.
 */
bool session_step(struct session *s, int other_fd);

/*
 * Which extensions the server had better be spoken to without, after it fell
 * silent or hung up (smtp_suspects()); and did it fall silent? For as long as
 * the session is open or was just lost.
 */
unsigned session_suspects(const struct session *s, bool *ret_was_silent);

/* Ends the session: QUIT if the engine is at rest, then close. */
void session_close(struct session *s, const char *remark);

/* Closes a connection that is lost or in doubt, without a word. */
void session_abandon(struct session *s, const char *remark);

/* Remote-MTA of the open (or last) connection: "dns; NAME (ADDRESS)". */
struct slice session_remote_mta(const struct session *s);

/*
 * Both ends of the open (or last) connection, "REMOTE|PORT|LOCAL|PORT", or as
 * far as it came: for our own logs only.
 */
struct slice session_connection(const struct session *s);

/* What ps(1) shows of this session. */
struct title *session_title(struct session *s);

/*
 * Has the open session lasted as long as one may (-O reuse)? Where the mail
 * goes, and what security it needs, may have changed since.
 */
bool session_is_stale(const struct session *s);

/* Milliseconds (conn_now()) of the last time something was said. */
int64_t session_last_used(const struct session *s);

#endif
