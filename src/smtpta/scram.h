/*
 * scram.h - the client's side of SCRAM (RFC 5802, 7677), by libgsasl.
 *
 * The only room of libgsasl. The password is prepared by SASLprep and leaves
 * this process never; the server must prove that it knows it too. A server may
 * not ask for more work than SCRAM_ROUNDS_MAX rounds.
 */
#ifndef SMTPTA_SCRAM_H
#define SMTPTA_SCRAM_H

#include "base/err.h"
#include "base/str.h"

struct scram; /* opaque: one dialogue */

/* What of TLS the dialogue is bound to; what this libgsasl can bind to. */
enum scram_binding {
	SCRAM_BINDING_NONE,
	SCRAM_BINDING_TLS_UNIQUE,  /* RFC 5929 3; TLS 1.2 with EMS, no later */
	SCRAM_BINDING_TLS_EXPORTER /* RFC 9266 */
};

enum { SCRAM_ROUNDS_MAX = 1000000 };

struct scram_setup {
	const char *mechanism; /* "SCRAM-SHA-256-PLUS" and the like */
	struct slice user, secret;
	/*
	 * Needed with a name that ends in -PLUS, and not used with another:
	 * libgsasl 2.2 cannot tell a server that does not offer -PLUS that we
	 * would have bound (RFC 5802 6, flag y).
	 */
	enum scram_binding binding_kind;
	struct slice binding; /* plain bytes */
};

/* Copies what it needs. NULL with err filled; else given to the caller. */
struct scram *scram_new(const struct scram_setup *setup, struct err *err);

/* Wipes and frees; NULL is allowed. */
void scram_free(struct scram *s);

/*
 * The next message: the first to an empty challenge, which is the initial
 * response. *ret_response is cleared. -1 with err filled, which holds nothing
 * of the server's: the dialogue is over, and failed.
 */
MUST_USE int scram_step(struct scram *s, struct slice challenge,
			struct str *ret_response, struct err *err);

/* Has the server proved that it knows the secret? */
bool scram_is_proved(const struct scram *s);

#endif
