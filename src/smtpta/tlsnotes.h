/*
 * tlsnotes.h - what sessions came to, noted for the reports about TLS.
 *
 * One result for each connection that got as far as TLS, or did not because of
 * it: held against the host's TLSA records, the domain's MTA-STS policy, or
 * neither (RFC 8460 4). They are counted on disk (store/tlsresults.h), which
 * tlsrpt(8) makes reports of; what goes wrong there is told once and is
 * nobody's trouble.
 *
 * A NULL tlsnotes is allowed everywhere and costs nothing.
 */
#ifndef SMTPTA_TLSNOTES_H
#define SMTPTA_TLSNOTES_H

#include "net/tls.h"
#include "smtpta/security.h"
#include "store/store.h"

struct tlsnotes; /* opaque */

/*
 * `complain` hears, once, that nothing can be noted. All borrowed; given to
 * the caller.
 */
struct tlsnotes *tlsnotes_new(struct store *store, int64_t (*wall_time)(void),
			      void (*complain)(void *context, const char *text),
			      void *context);
void tlsnotes_free(struct tlsnotes *n);

/* Mail about TLS itself is never counted (RFC 8460 3): not until false. */
void tlsnotes_pause(struct tlsnotes *n, bool is_paused);

/* A destination's policy could not be had. */
void tlsnotes_policy(struct tlsnotes *n, const struct security *s);

/* A host, by an address of it, must not be connected to. */
void tlsnotes_impossible(struct tlsnotes *n, const struct security *s,
			 size_t place);

/* A server that is connected to does not offer TLS, or refuses to begin it. */
void tlsnotes_not_offered(struct tlsnotes *n, const struct security *s,
			  size_t place, const struct conn *c);

/* What a handshake came to. */
void tlsnotes_handshake(struct tlsnotes *n, const struct security *s,
			size_t place, const struct tls_outcome *o,
			const struct conn *c);

#endif
