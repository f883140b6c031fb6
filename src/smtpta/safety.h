/*
 * safety.h - all that makes an agent's connections secure, in one piece: the
 * shared store, MTA-STS policies, the TLS client, accounts, notes for TLSRPT.
 *
 * Each part costs nothing until it is needed. Without a folder for shared
 * things ($MAILVAR) every agent is on its own; whatever goes wrong with the
 * folder is told once, and mail goes on without.
 */
#ifndef SMTPTA_SAFETY_H
#define SMTPTA_SAFETY_H

#include "smtpta/session.h"

struct safety; /* opaque */

struct safety_setup {
	const struct smtpta_options *options;
	struct dns_resolver *dns;
	int64_t (*wall_time)(void); /* Unix time, seconds */
	/* Hears what is wrong with shared things; a line without newline. */
	void (*complain)(void *context, const char *text);
	void *context;
	/* For explanations: nothing is fetched, written or counted. */
	bool only_looks;
};

/* *setup is copied, what it points at borrowed. Given to the caller. */
struct safety *safety_new(const struct safety_setup *setup);

/* NULL is allowed; connections must have been closed before. */
void safety_free(struct safety *s);

/* Tells what happened to the shared folder since it was last asked. */
void safety_tell(struct safety *s);

/* For session_secure(); lives as long as s. */
const struct session_safety *safety_of_sessions(const struct safety *s);

#endif
