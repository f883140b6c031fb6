/*
 * tlssessions.h - TLS sessions to be resumed, for all agents of a host.
 *
 * A session is what the TLS library calls its DER form: bytes, wholly opaque
 * here, and a secret. The key is opaque too: whoever makes it puts into it all
 * that must be the same for a session to be used again. Of one key the newest
 * few are kept, of all the newest TLSSESSIONS_MAX. The bytes that are given
 * back are bounded but otherwise as untrusted as any file's.
 *
 * now and expires are wall time in seconds.
 */
#ifndef STORE_TLSSESSIONS_H
#define STORE_TLSSESSIONS_H

#include "base/str.h"
#include "store/store.h"

enum {
	TLSSESSIONS_MAX = 10000,
	TLSSESSIONS_OF_KEY = 4,
	TLSSESSIONS_KEY_MAX = 1024,	    /* bytes */
	TLSSESSIONS_DER_MAX = 16 * 1024,    /* bytes */
	TLSSESSIONS_AGE_MAX = 7 * 24 * 3600 /* seconds (RFC 8446 4.6.1) */
};

struct tlssession {
	struct slice key, der;
	int64_t expires;
};

/* Keeps a session; one that is too long, or over already, is not kept: -1. */
MUST_USE int tlssessions_save(struct store *s, const struct tlssession *session,
			      int64_t now, struct err *err);

/*
 * Adds the newest session of a key that is not over to *der, and leaves it
 * there for others. Returns 1; 0 if there is none; -1.
 */
MUST_USE int tlssessions_load(struct store *s, struct slice key, int64_t now,
			      struct str *der, struct err *err);

/*
 * The same, and nobody else gets it any more: tickets of TLS 1.3 are used
 * once (RFC 8446 C.4).
 */
MUST_USE int tlssessions_take(struct store *s, struct slice key, int64_t now,
			      struct str *der, struct err *err);

/* Forgets all sessions of a key: they were refused. */
MUST_USE int tlssessions_forget(struct store *s, struct slice key,
				struct err *err);

#endif
