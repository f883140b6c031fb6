/*
 * sasl.h - SASL mechanisms (RFC 4422), the client's side: which there are, how
 * strong they are, and what the plain ones say.
 *
 * All but SCRAM (smtpta/scram.h), which is here only by name. Nothing here
 * allocates but in the caller's strings, and no text of an error holds a user,
 * a secret or what the server sent.
 */
#ifndef SMTP_SASL_H
#define SMTP_SASL_H

#include "base/err.h"
#include "base/str.h"

/*
 * The strongest first: what proves without telling and binds to the channel,
 * what proves without telling, tokens, which end by themselves, a certificate
 * shown already, a digest that is worth little, and plain secrets.
 */
enum sasl_mechanism {
	SASL_SCRAM_SHA_256_PLUS,
	SASL_SCRAM_SHA_256,
	SASL_SCRAM_SHA_1_PLUS,
	SASL_SCRAM_SHA_1,
	SASL_OAUTHBEARER,
	SASL_XOAUTH2,
	SASL_EXTERNAL,
	SASL_CRAM_MD5,
	SASL_PLAIN,
	SASL_LOGIN,
	SASL_MECHANISMS /* how many there are */
};

/* A set of mechanisms, a bit each. */
#define SASL_SET(mechanism) (1u << (unsigned)(mechanism))

enum {
	SASL_ALL = (1 << SASL_MECHANISMS) - 1,
	SASL_SCRAMS_PLUS =
	    1 << SASL_SCRAM_SHA_256_PLUS | 1 << SASL_SCRAM_SHA_1_PLUS,
	SASL_SCRAMS =
	    SASL_SCRAMS_PLUS | 1 << SASL_SCRAM_SHA_256 | 1 << SASL_SCRAM_SHA_1,
	SASL_TOKENS = 1 << SASL_OAUTHBEARER | 1 << SASL_XOAUTH2,
	SASL_PASSWORDS =
	    SASL_SCRAMS | 1 << SASL_CRAM_MD5 | 1 << SASL_PLAIN | 1 << SASL_LOGIN
};

/* "SCRAM-SHA-256-PLUS"... */
const char *sasl_name(enum sasl_mechanism mechanism);

/* The mechanism of a name, any case. False, leaving *ret alone: none of ours.
 */
bool sasl_find(struct slice name, enum sasl_mechanism *ret);

/* Those of ours among names with blanks between. */
unsigned sasl_set_of(struct slice names);

/* The strongest of a set. False if it is empty. */
bool sasl_strongest(unsigned set, enum sasl_mechanism *ret);

/*
 * One dialogue. Zero but for what the mechanism needs: a user (EXTERNAL: as
 * whom to act, may be empty), and a secret or token. Borrowed.
 */
struct sasl {
	enum sasl_mechanism mechanism; /* not a SCRAM */
	struct slice user, secret;
	struct slice host;   /* OAUTHBEARER says it; may be empty */
	unsigned n_steps;    /* challenges that were answered */
	bool has_told_error; /* the server sent why it refuses a token */
};

/*
 * Does the client begin, and with what? -1 with err filled if user or secret
 * are such as the mechanism cannot carry.
 */
MUST_USE int sasl_begin(struct sasl *s, bool *ret_has_initial,
			struct str *ret_initial, struct err *err);

/*
 * Answers a challenge. -1 with err filled if it is one too many, or cannot be
 * answered.
 */
MUST_USE int sasl_step(struct sasl *s, struct slice challenge,
		       struct str *ret_response, struct err *err);

/* Has everything been said? A yes before that is worth nothing. */
bool sasl_is_complete(const struct sasl *s);

#endif
