/*
 * target.h - may this address be connected to?
 *
 * A decision as data: (choice, reason, evidence). Mail that was routed by
 * name to port 25 must not go to this host itself, to loopback or to what can
 * never be a mail exchanger (smtp(8), ROUTING; RFC 5321 5.1; RFC 3463 5.4.6).
 * Address literals and other ports are the postmaster's own word and pass.
 */
#ifndef POLICY_TARGET_H
#define POLICY_TARGET_H

#include "base/arena.h"

struct target_address {
	bool is_v6;
	unsigned char bytes[16]; /* network order; IPv4 uses the first four */
};

struct target_facts {
	struct target_address address;
	uint16_t port;
	bool is_literal;       /* the destination was given as an address */
	bool is_local_allowed; /* -x with -X */
	bool is_own;	       /* one of this host's own addresses */
};

/* Those from TARGET_SELF on forbid the connection. */
enum target_reason {
	TARGET_OK,
	TARGET_OK_LITERAL, /* not judged: given as an address */
	TARGET_OK_PORT,	   /* not judged: not port 25 */
	TARGET_OK_ALLOWED, /* not judged: -x -X */
	TARGET_SELF,	   /* this host */
	TARGET_LOOPBACK,   /* 127/8, ::1, and their mapped forms */
	TARGET_INVALID	   /* 0/8, ::, 224/4 and above, ff00::/8 */
};

struct target_decision {
	bool may_connect;
	enum target_reason reason;
};

/* Pure; IPv4-mapped IPv6 addresses are judged as the IPv4 they carry. */
struct target_decision target_decide(const struct target_facts *facts);

/* A reason as a stable word ("loopback"). */
const char *target_reason_word(enum target_reason reason);

/*
 * The status comment of a refusal, by the original's words: "trying to talk
 * with myself!"; "" for reasons that allow the connection.
 */
const char *target_reason_text(enum target_reason reason);

#endif
