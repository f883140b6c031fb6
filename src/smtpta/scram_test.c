/*
 * scram_test.c - SCRAM against the vectors of RFC 5802 and 7677 and a server of
 * the library's own, and against servers that are not what they should be.
 *
 * gsasl_base64_to() is defined here, in the library's place, so that the client
 * chooses the nonce that the RFC has it choose.
 */
#include "smtpta/scram.h"

#include "base/b64.h"
#include "base/keyword.h"
#include "base/test.h"

#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

enum { NONCE = 18 }; /* bytes of a nonce of the library's */

static const char *nonce_text; /* the next nonce; NULL: any */

/* Visible, or the library would not find it. */
__attribute__((visibility("default"))) int
gsasl_base64_to(const char *in, size_t inlen, char **out, size_t *outlen)
{
	struct str text = STR_INIT;

	if (inlen == NONCE && nonce_text != NULL)
		str_adds(&text, nonce_text);
	else
		b64_add(&text, slice_make(in, inlen));
	*out = strdup(str_cstr(&text));
	if (outlen != NULL)
		*outlen = text.len;
	str_done(&text);
	return *out != NULL ? GSASL_OK : GSASL_MALLOC_ERROR;
}

static struct scram *start(struct scram_setup setup)
{
	struct scram *s;
	struct err err;

	if (setup.user.len == 0)
		setup.user = SLICE("user");
	if (setup.secret.len == 0)
		setup.secret = SLICE("pencil");
	s = scram_new(&setup, &err);
	if (s == NULL)
		fail_msg("%s", err.text);
	return s;
}

static void step(struct scram *s, const char *challenge, const char *want)
{
	struct str response = STR_INIT;
	struct err err;

	if (scram_step(s, slice_of(challenge), &response, &err) < 0)
		fail_msg("%s", err.text);
	assert_slice_is(str_slice(&response), want);
	str_done(&response);
}

static void no_step(struct scram *s, struct slice challenge, const char *why)
{
	struct str response = STR_INIT;
	struct err err;

	assert_int_equal(scram_step(s, challenge, &response, &err), -1);
	assert_int_equal(response.len, 0);
	assert_non_null(strstr(err.text, why));
	assert_false(scram_is_proved(s));
	/* It is over. */
	assert_int_equal(scram_step(s, SLICE("v=x"), &response, &err), -1);
	str_done(&response);
}

/* RFC 7677 3 */
static void test_vector_of_rfc_7677(void **state)
{
	struct scram *s;

	(void)state;
	nonce_text = "rOprNGfwEbeRWgbNEkqO";
	s = start((struct scram_setup){ .mechanism = "SCRAM-SHA-256" });
	step(s, "", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
	nonce_text = NULL;
	step(s,
	     "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	     "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	     "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	     "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
	assert_false(scram_is_proved(s));
	step(s, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "");
	assert_true(scram_is_proved(s));
	scram_free(s);
}

/* ---- RFC 5802 5 --------------------------------------------------------- */

#define CLIENT_NONCE "fyko+d2lbbFgONRv9qkxdawL"
#define SERVER_NONCE CLIENT_NONCE "3rfcNHYJY1ZVvWVs7j"
#define SERVER_FIRST "r=" SERVER_NONCE ",s=QSXCR+Q6sek8bf92,i=4096"
#define CLIENT_FINAL "c=biws,r=" SERVER_NONCE ",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="

static struct scram *start_vector(void)
{
	struct scram *s;

	nonce_text = CLIENT_NONCE;
	s = start((struct scram_setup){ .mechanism = "SCRAM-SHA-1" });
	step(s, "", "n,,n=user,r=" CLIENT_NONCE);
	nonce_text = NULL;
	return s;
}

static void test_vector_of_rfc_5802(void **state)
{
	struct scram *s = start_vector();

	(void)state;
	step(s, SERVER_FIRST, CLIENT_FINAL);
	assert_false(scram_is_proved(s));
	step(s, "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", "");
	assert_true(scram_is_proved(s));
	scram_free(s);
}

static void test_server_that_does_not_know_the_secret_is_found_out(void **state)
{
	static const char *const finals[] = {
		"v=rmF9pqV8S7suAoZWja4dJRkFsKR=",
		"v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"v=",
		"v=rmF9pqV8S7suAoZWja4dJRkFsKQ",
		"e=invalid-proof",
		"",
		"nonsense",
		"v=" CLIENT_NONCE,
	};

	(void)state;
	for (size_t i = 0; i < COUNT(finals); i++) {
		struct scram *s = start_vector();

		step(s, SERVER_FIRST, CLIENT_FINAL);
		no_step(s, slice_of(finals[i]), "");
		scram_free(s);
	}
}

static void test_nul_in_a_message(void **state)
{
	struct scram *s = start_vector();

	(void)state;
	no_step(s, slice_make("r=\0", 3), "NUL");
	scram_free(s);
}

static void test_first_message_that_is_not_what_it_should_be(void **state)
{
	static const struct {
		const char *message, *why;
	} rows[] = {
		{ "", "malformed" },
		{ "r=other,s=QSXCR+Q6sek8bf92,i=4096", "" },
		{ "r=" SERVER_NONCE ",s=QSXCR+Q6sek8bf92", "malformed" },
		{ "r=" SERVER_NONCE ",s=QSXCR+Q6sek8bf92,i=0", "malformed" },
		{ "r=" SERVER_NONCE ",s=QSXCR+Q6sek8bf92,i=-1", "malformed" },
		{ "r=" SERVER_NONCE ",s=QSXCR+Q6sek8bf92,i=1000001",
		  "1000001 rounds" },
		{ "r=" SERVER_NONCE ",s=QSXCR+Q6sek8bf92,i=4294967295",
		  "rounds" },
		{ "r=" SERVER_NONCE ",s=QSXCR+Q6sek8bf92,i=99999999999",
		  "malformed" },
		{ "r=" SERVER_NONCE ",s=***,i=4096", "" },
		{ "m=x,r=" SERVER_NONCE ",s=QSXCR+Q6sek8bf92,i=4096", "" },
		/* The count that we look at is the one that counts. */
		{ "i=1,r=" SERVER_NONCE ",s=QSXCR+Q6sek8bf92,i=4000000000",
		  "" },
		{ "r=" SERVER_NONCE ",s=i=1,i=4000000000", "rounds" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scram *s = start_vector();

		no_step(s, slice_of(rows[i].message), rows[i].why);
		scram_free(s);
	}
}

/* ---- the library's server ----------------------------------------------- */

struct server {
	Gsasl *context;
	Gsasl_session *session;
	bool is_ok;
};

static void server_begin(struct server *v, const char *mechanism,
			 struct slice secret)
{
	assert_int_equal(gsasl_init(&v->context), GSASL_OK);
	assert_int_equal(gsasl_server_start(v->context, mechanism, &v->session),
			 GSASL_OK);
	assert_int_equal(gsasl_property_set_raw(v->session, GSASL_PASSWORD,
						secret.p, secret.len),
			 GSASL_OK);
	assert_int_equal(
	    gsasl_property_set(v->session, GSASL_SCRAM_ITER, "4096"), GSASL_OK);
	v->is_ok = false;
}

static void server_end(struct server *v)
{
	gsasl_finish(v->session);
	gsasl_done(v->context);
}

/* Talks to the end; true if both are content. */
static bool talk(struct server *v, struct scram *s)
{
	struct str message = STR_INIT;
	char *output = NULL;
	size_t n = 0;
	struct err err;
	int r = GSASL_NEEDS_MORE;
	bool goes = scram_step(s, SLICE(""), &message, &err) == 0;

	while (goes && r == GSASL_NEEDS_MORE) {
		r = gsasl_step(v->session, str_cstr(&message), message.len,
			       &output, &n);
		goes = r == GSASL_OK || r == GSASL_NEEDS_MORE;
		if (goes)
			goes = scram_step(s, slice_make(output, n), &message,
					  &err) == 0;
		gsasl_free(output);
		output = NULL;
	}
	str_done(&message);
	return r == GSASL_OK && goes && scram_is_proved(s);
}

#define BINDING "0123456789abcdef0123456789abcdef"

static bool try_both(struct scram_setup setup, const char *of_server,
		     const char *secret, Gsasl_property binding)
{
	struct server v;
	struct scram *s = start(setup);
	struct str text = STR_INIT;
	bool r;

	server_begin(&v, of_server, slice_of(secret));
	b64_add(&text, SLICE(BINDING));
	if (binding != 0)
		assert_int_equal(
		    gsasl_property_set(v.session, binding, str_cstr(&text)),
		    GSASL_OK);
	r = talk(&v, s);
	str_done(&text);
	server_end(&v);
	scram_free(s);
	return r;
}

static void test_each_mechanism_with_a_true_and_a_false_secret(void **state)
{
	static const char *const names[] = { "SCRAM-SHA-1", "SCRAM-SHA-256",
					     "SCRAM-SHA-1-PLUS",
					     "SCRAM-SHA-256-PLUS" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct scram_setup setup = { .mechanism = names[i] };
		bool is_plus = i >= 2;

		if (is_plus) {
			setup.binding_kind = SCRAM_BINDING_TLS_EXPORTER;
			setup.binding = SLICE(BINDING);
		}
		assert_true(try_both(setup, names[i], "pencil",
				     is_plus ? GSASL_CB_TLS_EXPORTER : 0));
		assert_false(try_both(setup, names[i], "crayon",
				      is_plus ? GSASL_CB_TLS_EXPORTER : 0));
	}
}

/* Somebody in the middle has a channel of his own. */
static void test_other_channel_is_not_bound_to(void **state)
{
	struct scram_setup setup = { .mechanism = "SCRAM-SHA-256-PLUS",
				     .binding_kind = SCRAM_BINDING_TLS_EXPORTER,
				     .binding = SLICE("another channel") };

	(void)state;
	assert_false(
	    try_both(setup, setup.mechanism, "pencil", GSASL_CB_TLS_EXPORTER));
	setup.binding = SLICE(BINDING);
	assert_true(
	    try_both(setup, setup.mechanism, "pencil", GSASL_CB_TLS_EXPORTER));
	setup.binding_kind = SCRAM_BINDING_TLS_UNIQUE;
	assert_true(
	    try_both(setup, setup.mechanism, "pencil", GSASL_CB_TLS_UNIQUE));
}

/* To a server that binds nothing. */
static void test_binding_is_left_alone_without_plus(void **state)
{
	struct scram_setup setup = { .mechanism = "SCRAM-SHA-256",
				     .binding_kind = SCRAM_BINDING_TLS_EXPORTER,
				     .binding = SLICE(BINDING) };

	(void)state;
	assert_true(try_both(setup, setup.mechanism, "pencil", 0));
}

static void test_names_and_secrets_that_need_care(void **state)
{
	static const char *const rows[] = { "a,b=c", "=2C", "caf\xc3\xa9",
					    "x y", "\xe2\x84\xa6" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scram_setup setup = { .mechanism = "SCRAM-SHA-256",
					     .user = slice_of(rows[i]),
					     .secret = slice_of(rows[i]) };

		assert_true(try_both(setup, setup.mechanism, rows[i], 0));
	}
}

static void test_what_cannot_be_begun(void **state)
{
	static const struct scram_setup rows[] = {
		{ .mechanism = "SCRAM-SHA-256", .secret = { "x", 1 } },
		{ .mechanism = "SCRAM-SHA-256", .user = { "x", 1 } },
		{ .mechanism = "SCRAM-SHA-256",
		  .user = { "a\0b", 3 },
		  .secret = { "x", 1 } },
		{ .mechanism = "SCRAM-SHA-256",
		  .user = { "a", 1 },
		  .secret = { "x\0y", 3 } },
		{ .mechanism = "SCRAM-SHA-256-PLUS",
		  .user = { "a", 1 },
		  .secret = { "x", 1 } },
		{ .mechanism = "SCRAM-MD2",
		  .user = { "a", 1 },
		  .secret = { "x", 1 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err err = { 0 };

		assert_null(scram_new(&rows[i], &err));
		assert_true(err.text[0] != '\0');
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vector_of_rfc_5802),
		cmocka_unit_test(test_vector_of_rfc_7677),
		cmocka_unit_test(
		    test_server_that_does_not_know_the_secret_is_found_out),
		cmocka_unit_test(
		    test_first_message_that_is_not_what_it_should_be),
		cmocka_unit_test(test_nul_in_a_message),
		cmocka_unit_test(
		    test_each_mechanism_with_a_true_and_a_false_secret),
		cmocka_unit_test(test_other_channel_is_not_bound_to),
		cmocka_unit_test(test_binding_is_left_alone_without_plus),
		cmocka_unit_test(test_names_and_secrets_that_need_care),
		cmocka_unit_test(test_what_cannot_be_begun),
	};

	return TEST_RUN(tests);
}
