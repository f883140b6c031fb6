/*
 * sasl.c - the plain SASL mechanisms.
 *
 *	PLAIN	    = [ authzid ] NUL authcid NUL passwd	; RFC 4616 2
 *	LOGIN	    = user, and then secret, each when asked for
 *	CRAM-MD5    = user SP 32HEXDIG			; RFC 2195 2
 *	EXTERNAL    = [ authzid ]			; RFC 4422 A
 *	OAUTHBEARER = "n,a=" saslname "," SOH *( key "=" value SOH ) SOH
 *						; RFC 7628 3.1, RFC 5801 4
 *	XOAUTH2	    = "user=" user SOH "auth=Bearer " token SOH SOH
 *
 * A server that refuses a token first sends a challenge with the cause, and
 * the refusal once that is answered: with SOH (RFC 7628 3.2.3), or with
 * nothing (XOAUTH2).
 */
#include "smtp/sasl.h"

#include "base/keyword.h"
#include "smtp/md5.h"

#include <string.h>

/* clang-format off */
static const char *const sasl_names[SASL_MECHANISMS] = {
	[SASL_SCRAM_SHA_256_PLUS] = "SCRAM-SHA-256-PLUS",
	[SASL_SCRAM_SHA_256] = "SCRAM-SHA-256",
	[SASL_SCRAM_SHA_1_PLUS] = "SCRAM-SHA-1-PLUS",
	[SASL_SCRAM_SHA_1] = "SCRAM-SHA-1",
	[SASL_OAUTHBEARER] = "OAUTHBEARER",
	[SASL_XOAUTH2] = "XOAUTH2",
	[SASL_EXTERNAL] = "EXTERNAL",
	[SASL_CRAM_MD5] = "CRAM-MD5",
	[SASL_PLAIN] = "PLAIN",
	[SASL_LOGIN] = "LOGIN",
};
/* clang-format on */

#define SOH "\001"

/* ---- names -------------------------------------------------------------- */

const char *sasl_name(enum sasl_mechanism mechanism)
{
	return sasl_names[mechanism];
}

bool sasl_find(struct slice name, enum sasl_mechanism *ret)
{
	for (unsigned i = 0; i < SASL_MECHANISMS; i++) {
		if (!slice_eq_nocase(name, slice_of(sasl_names[i])))
			continue;
		*ret = (enum sasl_mechanism)i;
		return true;
	}
	return false;
}

unsigned sasl_set_of(struct slice names)
{
	enum sasl_mechanism mechanism;
	struct slice word;
	unsigned set = 0;

	while (slice_word(&names, &word))
		if (sasl_find(word, &mechanism))
			set |= SASL_SET(mechanism);
	return set;
}

bool sasl_strongest(unsigned set, enum sasl_mechanism *ret)
{
	for (unsigned i = 0; i < SASL_MECHANISMS; i++) {
		if ((set & 1u << i) == 0)
			continue;
		*ret = (enum sasl_mechanism)i;
		return true;
	}
	return false;
}

/* ---- what is said first ------------------------------------------------- */

/* RFC 5801 3.2: ',' and '=' are written otherwise. */
static void add_saslname(struct str *to, struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] == ',')
			str_adds(to, "=2C");
		else if (name.p[i] == '=')
			str_adds(to, "=3D");
		else
			str_addc(to, name.p[i]);
	}
}

/* Does nothing in it end what it stands in? */
static int check(const struct sasl *s, struct err *err)
{
	unsigned set = SASL_SET(s->mechanism);

	if (slice_has(s->user, '\0') || slice_has(s->secret, '\0'))
		return FAIL(err, "a NUL in user or secret");
	if (s->mechanism == SASL_EXTERNAL)
		return 0;
	if (s->user.len == 0)
		return FAIL(err, "no user");
	if (s->secret.len == 0)
		return FAIL(err, "no secret");
	if ((set & SASL_TOKENS) != 0 &&
	    (slice_has_control(s->user) || slice_has_control(s->secret)))
		return FAIL(err, "a control byte in user or token");
	return 0;
}

static void say_first(const struct sasl *s, struct str *to)
{
	str_reserve(to, 3 * s->user.len + s->secret.len + s->host.len + 64);
	switch (s->mechanism) {
	case SASL_PLAIN:
		str_addc(to, '\0');
		str_add(to, s->user);
		str_addc(to, '\0');
		str_add(to, s->secret);
		break;
	case SASL_OAUTHBEARER:
		str_adds(to, "n,a=");
		add_saslname(to, s->user);
		str_adds(to, "," SOH);
		if (s->host.len > 0 && !slice_has_control(s->host)) {
			str_adds(to, "host=");
			str_add(to, s->host);
			str_adds(to, SOH);
		}
		str_adds(to, "auth=Bearer ");
		str_add(to, s->secret);
		str_adds(to, SOH SOH);
		break;
	case SASL_XOAUTH2:
		str_adds(to, "user=");
		str_add(to, s->user);
		str_adds(to, SOH "auth=Bearer ");
		str_add(to, s->secret);
		str_adds(to, SOH SOH);
		break;
	default: /* EXTERNAL */
		str_add(to, s->user);
		break;
	}
}

static bool begins(enum sasl_mechanism mechanism)
{
	return mechanism != SASL_LOGIN && mechanism != SASL_CRAM_MD5;
}

int sasl_begin(struct sasl *s, bool *ret_has_initial, struct str *ret_initial,
	       struct err *err)
{
	if (check(s, err) < 0)
		return -1;
	*ret_has_initial = begins(s->mechanism);
	if (*ret_has_initial)
		say_first(s, ret_initial);
	return 0;
}

/* ---- challenges --------------------------------------------------------- */

static void answer_cram(const struct sasl *s, struct slice challenge,
			struct str *to)
{
	unsigned char digest[MD5_SIZE];

	md5_hmac(s->secret, challenge, digest);
	str_add(to, s->user);
	str_addc(to, ' ');
	for (size_t i = 0; i < MD5_SIZE; i++)
		str_addf(to, "%02x", digest[i]);
}

/* How many challenges each has; a token's is that it is refused. */
static unsigned most_steps(enum sasl_mechanism mechanism)
{
	if (mechanism == SASL_LOGIN)
		return 2;
	return mechanism == SASL_PLAIN || mechanism == SASL_EXTERNAL ? 0 : 1;
}

int sasl_step(struct sasl *s, struct slice challenge, struct str *ret_response,
	      struct err *err)
{
	if (s->n_steps == most_steps(s->mechanism))
		return FAIL(err, "remote asks more than %s has to say",
			    sasl_name(s->mechanism));
	if (s->mechanism == SASL_CRAM_MD5 && challenge.len == 0)
		return FAIL(err, "remote sent an empty challenge");
	s->n_steps++;
	switch (s->mechanism) {
	case SASL_LOGIN:
		str_reserve(ret_response, s->user.len + s->secret.len);
		str_add(ret_response, s->n_steps == 1 ? s->user : s->secret);
		break;
	case SASL_CRAM_MD5:
		answer_cram(s, challenge, ret_response);
		break;
	case SASL_OAUTHBEARER:
		str_adds(ret_response, SOH);
		s->has_told_error = true;
		break;
	default: /* XOAUTH2: nothing */
		s->has_told_error = true;
		break;
	}
	return 0;
}

bool sasl_is_complete(const struct sasl *s)
{
	if ((SASL_SET(s->mechanism) & SASL_TOKENS) != 0)
		return !s->has_told_error;
	return s->n_steps == most_steps(s->mechanism);
}
