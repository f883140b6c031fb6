/*
 * session_internal.h - what session.c and session_open.c share.
 */
#ifndef SMTPTA_SESSION_INTERNAL_H
#define SMTPTA_SESSION_INTERNAL_H

#include "net/conn.h"
#include "net/reach.h"
#include "smtpta/secret.h"
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
	const struct smtp_transaction *content_of; /* for the title */
	uint64_t content_done;
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
	int64_t wait_since, last_used, signalled_at;
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
};

/* Closes the connection and forgets the engine; nothing is said. */
void session_drop(struct session *s);

/* A remark for the session log and the listener. */
void session_remark(struct session *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Starts the deadline of what is awaited anew. */
void session_restart_clock(struct session *s);

#endif
