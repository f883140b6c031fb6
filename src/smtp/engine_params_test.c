/*
 * engine_params_test.c - which refusals speak of parameters, and of which.
 */
#include "smtp/engine_internal.h"

#include "base/keyword.h"
#include "base/test.h"

enum {
	BODY = SMTP_EXT_8BITMIME,
	SIZE = SMTP_EXT_SIZE,
	DSN = SMTP_EXT_DSN,
	BY = SMTP_EXT_DELIVERBY,
	UTF8 = SMTP_EXT_SMTPUTF8,
	USED = BODY | SIZE | DSN | BY | UTF8
};

#define ADDRESS "SIZE@option.user" /* in the command; its words say nothing */

struct row {
	const char *reply;
	unsigned used, want;
};

/* clang-format off */
static const struct row rows[] = {
	/* 555 is about parameters, unless it says that it is not */
	{ "555 no", USED, USED },
	{ "555 no", SIZE, SIZE },
	{ "555 no", 0, 0 },
	{ "555 5.5.4 unsupported option: SIZE=10", USED, SIZE },
	{ "555 5.5.4 Unsupported option: SMTPUTF8", USED, UTF8 },
	{ "555-5.5.4 BODY\n555 5.5.4 and ENVID", USED, BODY | DSN },
	{ "555 5.1.3 <a@y>: what an address", USED, 0 },
	/* named, but not said by us: then it is all we said */
	{ "555 5.5.4 XYZ=1 unknown", BODY | DSN, BODY | DSN },
	{ "555 5.5.4 SIZE unknown", DSN, DSN },
	/* codes that may mean anything */
	{ "501 Syntax error in parameters or arguments", USED, USED },
	{ "501 5.5.4 Invalid arguments", USED, USED },
	{ "501 5.5.2 Syntax error", DSN, DSN },
	{ "504 Command parameter not implemented", BY, BY },
	{ "504 5.3.3 not capable", BY, BY },
	{ "500 Syntax error, command unrecognized", USED, USED },
	{ "501 Syntax: MAIL FROM:<address> [SP <parameters>]", USED, USED },
	{ "501 bad value for ret=", USED, DSN },
	{ "501 size=10: not here", USED, SIZE },
	{ "501 NOTIFY not understood", DSN, DSN },
	{ "501 unknown BY=60;R", USED, BY },
	/* words that are no keywords */
	{ "501 message size and body", USED, USED },
	{ "501 REJECTED BY US", DSN, DSN },
	{ "501 X-SIZE SIZES RE-BODY", BODY | DSN, BODY | DSN },
	/* the address */
	{ "501 malformed address", USED, 0 },
	{ "501 5.1.3 Bad recipient address syntax", USED, 0 },
	{ "501 5.1.7 Bad sender address syntax", USED, 0 },
	{ "501 sender domain must exist", USED, 0 },
	{ "501 5.7.1 go away", USED, 0 },
	{ "504 5.5.2 <x@short>: Recipient address rejected: need "
	  "fully-qualified address", DSN, 0 },
	{ "504 5.5.2 <x>: Sender address rejected: need fully-qualified "
	  "address", USED, 0 },
	{ "504 5.5.2 <h>: Helo command rejected: need fully-qualified "
	  "hostname", DSN, 0 },
	{ "501 5.5.2 <h_h>: Helo command rejected: Invalid name", DSN, 0 },
	{ "501 5.5.0 unknown user", USED, 0 },
	{ "501 5.0.0 mailbox name not allowed", USED, 0 },
	{ "501 5.5.2 <" ADDRESS ">: no", USED, 0 },
	{ "501 5.5.2 no: size@OPTION.user", USED, 0 },
	{ "501 <" ADDRESS ">", USED, 0 },
	/* a parameter beside the address */
	{ "501 5.5.2 <" ADDRESS ">: unsupported option", USED, USED },
	{ "501 5.5.2 <" ADDRESS ">: BODY=8BITMIME?", USED, BODY },
	{ "501 5.5.2 recipient address with NOTIFY=", DSN, DSN },
	{ "501 5.0.0 extension of the address", DSN, DSN },
	{ "501 5.5.4 sender address", USED, USED },
	{ "555 <" ADDRESS ">: no", USED, USED },
	/* codes that say something else */
	{ "550 5.5.4 SIZE", USED, 0 },
	{ "550 5.6.7 SMTPUTF8", USED, 0 },
	{ "552 5.3.4 SIZE", USED, 0 },
	{ "455 4.5.4 SIZE", USED, 0 },
	{ "503 5.5.1 SIZE", USED, 0 },
	{ "502 SIZE", USED, 0 },
	{ "421 SIZE", USED, 0 },
	{ "501 no", 0, 0 },
};

/* at RCPT, where only DSN has parameters */
static const struct row rcpt_rows[] = {
	{ "553 NOTIFY option NEVER cannot be combined with other options",
	  DSN, DSN },
	{ "553 ORCPT address must use RFC822 address type", DSN, DSN },
	{ "550 5.5.4 bad notify=", DSN, DSN },
	{ "555 no", DSN, DSN },
	{ "553 NOTIFY", 0, 0 },
	{ "553 we notify nobody", DSN, 0 },
	{ "550 no such user: RCPT TO:<" ADDRESS "> NOTIFY=NEVER", DSN, 0 },
	{ "550 5.1.1 NOTIFY=NEVER", DSN, 0 },
	{ "550 5.5.4 RET=", DSN, 0 },
	{ "450 NOTIFY", DSN, 0 },
	{ "504 5.5.2 <x@short>: Recipient address rejected: need "
	  "fully-qualified address", DSN, 0 },
};
/* clang-format on */

static unsigned refused(const char *text, unsigned used, bool is_rcpt)
{
	struct reply_parser p = { 0 };
	struct str lines = STR_INIT;
	struct slice in;
	struct reply reply;
	struct err err;
	unsigned set;

	str_addf(&lines, "%s\n", text);
	in = str_slice(&lines);
	assert_int_equal(reply_feed(&p, &in, &reply, &err), PARSE_DONE);
	if (is_rcpt)
		set = engine_rcpt_params_refused(&reply, used, SLICE(ADDRESS));
	else
		set = engine_params_refused(&reply, used, SLICE(ADDRESS));
	reply_done(&p);
	str_done(&lines);
	return set;
}

static void check_rows(const struct row *row, size_t n, bool is_rcpt)
{
	for (; n > 0; n--, row++) {
		unsigned got = refused(row->reply, row->used, is_rcpt);

		if (got != row->want)
			fail_msg("'%s' with %#x: got %#x, wanted %#x",
				 row->reply, row->used, got, row->want);
	}
}

static void test_refusal_concerns_what_it_names(void **state)
{
	(void)state;
	check_rows(rows, COUNT(rows), false);
}

static void test_refused_rcpt_may_name_its_parameters(void **state)
{
	(void)state;
	check_rows(rcpt_rows, COUNT(rcpt_rows), true);
}

/* A set can only shrink: nothing is refused that was not said. */
static void test_only_what_was_said_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (unsigned used = 0; used <= SMTP_EXT_ALL; used += 7)
			assert_int_equal(
			    refused(rows[i].reply, used, true) & ~used, 0);
}

static void test_explanation_names_the_extensions(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	assert_string_equal(
	    engine_explain_refusal(a, "refuses parameters of", SIZE | DSN),
	    "remote refuses parameters of DSN SIZE");
	arena_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusal_concerns_what_it_names),
		cmocka_unit_test(test_refused_rcpt_may_name_its_parameters),
		cmocka_unit_test(test_only_what_was_said_is_refused),
		cmocka_unit_test(test_explanation_names_the_extensions),
	};

	return TEST_RUN(tests);
}
