/*
 * session_internal.h - what session.c and session_open.c share.
 */
#ifndef SMTPTA_SESSION_INTERNAL_H
#define SMTPTA_SESSION_INTERNAL_H

#include "net/conn.h"
#include "net/reach.h"
#include "net/tls.h"
#include "smtpta/auth.h"
#include "smtpta/secret.h"
#include "smtpta/security.h"
#include "smtpta/session.h"

struct session {
	const struct smtpta_options *options;
	struct dns_resolver *dns;
	struct sesslog *log;
	session_said *listener; /* may be NULL */
	void *listener_context;
	struct recorder *recorder; /* may be NULL */
	struct secret secret;	   /* what the printers may show */
	struct title title;
	const struct session_watcher *watcher; /* may be NULL */
	/* Whose content is being added; NULL once it is whole. */
	const struct smtp_transaction *content_of;
	uint64_t content_done; /* bytes of it; 0: all of it is written, too */
	int64_t told_at;       /* when the watcher last heard of it */
	session_fill *fill;
	struct arena *arena; /* of this destination */
	struct slice host;
	struct slice remote_mta;
	struct slice connection; /* both ends; see session_connection() */
	struct conn *conn;
	struct smtp_engine *engine;
	struct str in;
	struct str own_name; /* for EHLO; empty: none that is good */
	bool knows_own_name;
	int64_t opened_at, wait_since, last_used, signalled_at;
	uint64_t replies_heard; /* when wait_since was set */
	const struct diag *failure;
	const struct session_terms *terms; /* of the connection being opened */
	int64_t (*wall_time)(void);	   /* from the terms */
	bool was_silent;    /* the connection was lost by a timeout */
	struct route route; /* to the host, in the arena */
	size_t at;	    /* the address of the connection, in the route */
	struct net_addr *passed; /* see session_passed(); in the arena */
	size_t n_passed;
	struct reach *reach;
	bool is_detour, saw_outage;
	unsigned number;		     /* of sessions that were opened */
	enum tls_request request;	     /* from the terms */
	const struct session_safety *safety; /* NULL: TLS is not spoken */
	struct security *security;	     /* of the destination; or NULL */
	struct tls_outcome tls;		     /* of the last handshake */
	bool is_over_tls;		     /* the handshake was made */
	struct auth_dialogue *auth; /* of the connection; NULL: no account */
};

/* What an address came to. */
struct session_try {
	bool is_ready;
	const struct diag *diag; /* why not; in the session's arena */
	unsigned code;		 /* of a refusal; 0: none came */
	enum smtp_phase phase;
	/* Without TLS it might go well, on a new connection. */
	bool is_tls_trouble;
	bool lacks_requiretls; /* and would do otherwise */
};

/* Closes the connection and forgets the engine; nothing is said. */
void session_drop(struct session *s);

/* A remark for the session log and the listener. */
void session_remark(struct session *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Starts the deadline of what is awaited anew. */
void session_restart_clock(struct session *s);

/* ---- one address (session_greet.c) --------------------------------------- */

/* What is said from now on is about this address of the route. */
void session_set_address(struct session *s, size_t place);

/* The same, and it is about to be dialled. */
void session_before_dial(struct session *s, size_t place);

/* Tells the recorder of a try of the address, begun at that time. */
void session_record_try(struct session *s, int64_t began);

/* Whose the address is that is tried, for reports. */
struct slice session_host_name(const struct session *s);

/* A diag that outlives what it came from, and knows the address. */
const struct diag *session_keep_diag(struct session *s, const struct diag *d);

/* What a dial that failed comes to. */
struct session_try session_dial_failed(struct session *s, int failure,
				       const struct err *err);

/*
 * From the connection in s->conn to a session; perhaps over another one to the
 * same address. Without success there is no connection afterwards.
 */
struct session_try session_greet(struct session *s);

/* ---- security (session_tls.c) ---------------------------------------------
 */

/* What the destination's hosts need, before any of them is asked. */
void session_begin_destination(struct session *s);

/*
 * Decides about n addresses of the route. False for an address whose host
 * must not get this mail now; *ret then says why.
 */
void session_judge(struct session *s, const size_t *places, size_t n);
bool session_may_dial(struct session *s, size_t place, struct session_try *ret);

/*
 * A connection begins: nothing is known of its security. False, with *ret
 * filled, if the account of the host cannot be used.
 */
bool session_begin_security(struct session *s, struct session_try *ret);

/* Tells the recorder what the address's host needs, and why. */
void session_record_security(struct session *s);

/* Tells the recorder which account is used, and how. */
void session_record_auth(struct session *s);

/* What the engine is to do about AUTH; NULL: nothing. */
const struct smtp_auth *session_auth(const struct session *s);

/* What the engine is to do about STARTTLS. */
enum smtp_tls session_wants_tls(const struct session *s, bool in_clear);

/* Does TLS begin before anything is said (RFC 8314)? */
bool session_is_wrapped(const struct session *s);

/* May mail go to this host in clear text, if TLS cannot be had? */
bool session_is_clear_allowed(const struct session *s);

/* Makes the handshake; false, with *ret filled, if the need is not met. */
bool session_handshake(struct session *s, struct session_try *ret);

/* The server would not begin TLS: t, which has the engine's words, is told. */
void session_tls_refused(struct session *s, struct session_try *t);

/* The session could begin: does it give all that was decided on? */
void session_check_ready(struct session *s, struct session_try *ret);

#endif
