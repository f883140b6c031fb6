/*
 * security_json.h - what was decided about a host's security, and what the
 * handshake came to, as JSON: zpost-attempt(5) and smtp(8), EXPLAIN, say what
 * each member means.
 */
#ifndef SMTPTA_SECURITY_JSON_H
#define SMTPTA_SECURITY_JSON_H

#include "base/json.h"
#include "net/tls.h"
#include "smtpta/security.h"

/* Adds an object: need, reason, and the evidence. Bounded. */
void security_json(struct json *j, const char *key, const struct security *s,
		   const struct security_host *host);

/* Adds an object: what was agreed on and who the peer is. Bounded. */
void security_json_tls(struct json *j, const char *key,
		       const struct tls_outcome *o);

#endif
