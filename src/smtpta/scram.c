/*
 * scram.c - SCRAM by libgsasl.
 *
 *	server-first-message = [ reserved-mext "," ] nonce "," salt ","
 *			       iteration-count [ "," extensions ]
 *	iteration-count = "i=" posit-number		; RFC 5802 7
 *
 * The library makes and checks the messages. What it does not check is how much
 * work the server asks for, which decides how long we are busy: that is read
 * here first. It keeps copies of what it is given as properties; the secret
 * ones are wiped before it frees them.
 */
#include "smtpta/scram.h"

#include "base/b64.h"
#include "base/keyword.h"
#include "base/mem.h"

#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

struct scram {
	Gsasl *context;
	Gsasl_session *session;
	unsigned n_steps;
	bool is_proved;
};

enum { SERVER_FIRST = 1, SERVER_FINAL = 2 }; /* which challenge it is */

/* ---- life --------------------------------------------------------------- */

static const Gsasl_property scram_secrets[] = {
	GSASL_AUTHID,	     GSASL_PASSWORD,	    GSASL_SCRAM_SALTED_PASSWORD,
	GSASL_CB_TLS_UNIQUE, GSASL_CB_TLS_EXPORTER,
};

/* What the library holds is its own, but it does not wipe it. */
static void wipe_secrets(Gsasl_session *session)
{
	for (size_t i = 0; i < COUNT(scram_secrets); i++) {
		const char *held =
		    gsasl_property_fast(session, scram_secrets[i]);

		if (held != NULL)
			explicit_bzero((char *)(uintptr_t)held, strlen(held));
	}
}

void scram_free(struct scram *s)
{
	if (s == NULL)
		return;
	if (s->session != NULL) {
		wipe_secrets(s->session);
		gsasl_finish(s->session);
	}
	if (s->context != NULL)
		gsasl_done(s->context);
	free(s);
}

static int set(struct scram *s, Gsasl_property property, struct slice value)
{
	return gsasl_property_set_raw(
	    s->session, property, value.p != NULL ? value.p : "", value.len);
}

static bool needs_binding(const char *mechanism)
{
	struct slice name = slice_of(mechanism);

	return name.len > 5 &&
	       slice_eq(slice_from(name, name.len - 5), SLICE("-PLUS"));
}

static int bind_channel(struct scram *s, const struct scram_setup *setup)
{
	struct str text = STR_INIT;
	int r;

	if (!needs_binding(setup->mechanism))
		return GSASL_OK;
	b64_add(&text, setup->binding);
	r = set(s,
		setup->binding_kind == SCRAM_BINDING_TLS_EXPORTER
		    ? GSASL_CB_TLS_EXPORTER
		    : GSASL_CB_TLS_UNIQUE,
		str_slice(&text));
	str_wipe(&text);
	return r;
}

struct scram *scram_new(const struct scram_setup *setup, struct err *err)
{
	struct scram *s;
	int r;

	if (slice_has(setup->user, '\0') || slice_has(setup->secret, '\0')) {
		err_set(err, 0, "a NUL in user or secret");
		return NULL;
	}
	if (setup->user.len == 0 || setup->secret.len == 0) {
		err_set(err, 0, "no user or no secret");
		return NULL;
	}
	if (needs_binding(setup->mechanism) &&
	    (setup->binding_kind == SCRAM_BINDING_NONE ||
	     setup->binding.len == 0)) {
		err_set(err, 0, "%s without a channel to bind to",
			setup->mechanism);
		return NULL;
	}
	s = mem_zero(1, sizeof(*s));
	r = gsasl_init(&s->context);
	if (r == GSASL_OK)
		r = gsasl_client_start(s->context, setup->mechanism,
				       &s->session);
	if (r == GSASL_OK)
		r = set(s, GSASL_AUTHID, setup->user);
	if (r == GSASL_OK)
		r = set(s, GSASL_PASSWORD, setup->secret);
	if (r == GSASL_OK)
		r = bind_channel(s, setup);
	if (r != GSASL_OK) {
		err_set(err, 0, "%s: %s", setup->mechanism, gsasl_strerror(r));
		scram_free(s);
		return NULL;
	}
	return s;
}

/* ---- messages ----------------------------------------------------------- */

/* The rounds that a server asks for; 0: it does not say so clearly. */
static uint64_t rounds_of(struct slice message)
{
	uint64_t rounds = 0;
	struct slice part;

	while (slice_cut(&message, ',', &part))
		if (slice_starts(part, SLICE("i=")))
			return slice_uint(slice_from(part, 2), UINT32_MAX,
					  &rounds)
				   ? rounds
				   : 0;
	return 0;
}

static int check_challenge(const struct scram *s, struct slice challenge,
			   struct err *err)
{
	uint64_t rounds;

	if (s->is_proved || s->n_steps > SERVER_FINAL)
		return FAIL(err, "remote asks more than SCRAM has to say");
	if (slice_has(challenge, '\0'))
		return FAIL(err, "a NUL in a message of SCRAM");
	if (s->n_steps != SERVER_FIRST)
		return 0;
	rounds = rounds_of(challenge);
	if (rounds == 0)
		return FAIL(err, "malformed message of SCRAM");
	if (rounds > SCRAM_ROUNDS_MAX)
		return FAIL(err, "remote asks for %llu rounds of SCRAM",
			    (unsigned long long)rounds);
	return 0;
}

/* What the library's codes mean in a dialogue, without anything of it. */
static const char *explain(const struct scram *s, int code)
{
	if (s->n_steps == SERVER_FINAL && code == GSASL_AUTHENTICATION_ERROR)
		return "remote did not prove that it knows the secret";
	return gsasl_strerror(code);
}

int scram_step(struct scram *s, struct slice challenge,
	       struct str *ret_response, struct err *err)
{
	struct str input = STR_INIT;
	char *output = NULL;
	size_t n_output = 0;
	int r;

	str_clear(ret_response);
	if (check_challenge(s, challenge, err) < 0)
		return -1;
	str_add(&input, challenge); /* with a NUL behind it */
	r = gsasl_step(s->session, str_cstr(&input), input.len, &output,
		       &n_output);
	str_done(&input);
	if (r != GSASL_OK && r != GSASL_NEEDS_MORE) {
		err_set(err, 0, "%s", explain(s, r));
		s->n_steps = SERVER_FINAL + 1;
		return -1;
	}
	str_add(ret_response, slice_make(output, n_output));
	if (output != NULL)
		explicit_bzero(output, n_output);
	gsasl_free(output);
	s->is_proved = r == GSASL_OK;
	s->n_steps++;
	return 0;
}

bool scram_is_proved(const struct scram *s)
{
	return s->is_proved;
}
