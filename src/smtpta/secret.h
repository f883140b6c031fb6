/*
 * secret.h - what of a conversation may be shown: all but the secrets of AUTH.
 *
 * Logs, records, titles and reports show what passed through here. From AUTH
 * (RFC 4954) to its last reply, what we say behind the mechanism's name is
 * "***", and so is what the server asks, since that may hold a user's name.
 */
#ifndef SMTPTA_SECRET_H
#define SMTPTA_SECRET_H

#include "base/str.h"
#include "smtp/engine.h"

/* All zero is a connection that has just been opened. */
struct secret {
	bool is_in_auth;
	struct str room;
};

/*
 * A copy of what was said or heard with its text as it may be shown: borrowed
 * from *said, or from *s until the next call.
 */
struct smtp_said secret_mask(struct secret *s, const struct smtp_said *said);

/* Frees what it holds and makes it zero. */
void secret_done(struct secret *s);

#endif
