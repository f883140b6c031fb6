/*
 * session_internal.h - what session.c and session_open.c share.
 */
#ifndef SMTPTA_SESSION_INTERNAL_H
#define SMTPTA_SESSION_INTERNAL_H

#include "net/conn.h"
#include "smtpta/session.h"

struct session {
	const struct smtpta_options *options;
	struct sesslog *log;
	session_fill *fill;
	struct arena *arena; /* of this destination */
	struct slice host;
	struct slice remote_mta;
	struct conn *conn;
	struct smtp_engine *engine;
	struct str in;
	int64_t wait_since, last_used, signalled_at;
	uint64_t replies_heard; /* when wait_since was set */
	const struct diag *failure;
	const struct session_terms *terms; /* of the connection being opened */
	bool is_chunking_suspect;
	struct route route; /* to the host, in the arena */
	size_t at;	    /* the address of the connection, in the route */
	bool is_detour, saw_outage;
};

/* Closes the connection and forgets the engine; nothing is said. */
void session_drop(struct session *s);

/* Starts the deadline of what is awaited anew. */
void session_restart_clock(struct session *s);

#endif
