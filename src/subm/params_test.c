/*
 * params_test.c - what MAIL and RCPT ask for is honoured or refused.
 */
#include "subm/params.h"

#include "base/keyword.h"
#include "base/test.h"

#include <string.h>

static void test_parameters_of_mail_count(void **state)
{
	struct subm_request r = { 0 };
	struct arena *a = arena_new();
	struct err err;

	(void)state;
	assert_int_equal(
	    subm_params_mail(SLICE("body=8bitMIME SIZE=1234  SMTPUTF8 "
				   "AUTH=a+40b RET=hdrs ENVID=x+20y "
				   "BY=60;RT REQUIRETLS"),
			     a, &r, &err),
	    0);
	assert_int_equal(r.body, SUBM_BODY_8BITMIME);
	assert_int_equal(r.size, 1234);
	assert_int_equal(r.ret, CTL_RET_HDRS);
	assert_slice_is(r.envid, "x+20y");
	assert_true(r.by.is_set && r.by.do_return && r.by.do_trace);
	assert_int_equal(r.by.seconds, 60);
	assert_true(r.requires_tls);
	r = (struct subm_request){ 0 };
	assert_int_equal(subm_params_mail(SLICE(""), a, &r, &err), 0);
	assert_false(r.by.is_set || r.requires_tls);
	arena_free(a);
}

static void test_what_mail_cannot_ask_for_is_named(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "BODY=BINARYMIME", "'BODY=BINARYMIME' is not understood" },
		{ "BODY", "'BODY' is not understood" },
		{ "SIZE=", "'SIZE=' is not understood" },
		{ "SIZE=-1", "'SIZE=-1' is not understood" },
		{ "SIZE=1x", "'SIZE=1x' is not understood" },
		{ "SIZE=99999999999999999999", "is not understood" },
		{ "SMTPUTF8=yes", "'SMTPUTF8=yes' is not understood" },
		{ "AUTH=", "'AUTH=' is not understood" },
		{ "RET=some", "'RET=some' is not understood" },
		{ "ENVID=", "'ENVID=' is not understood" },
		{ "ENVID=a+zz", "'ENVID=a+zz' is not understood" },
		{ "BY=0;R", "'BY=0;R' is not understood" },
		{ "BY=1;X", "'BY=1;X' is not understood" },
		{ "REQUIRETLS=1", "'REQUIRETLS=1' is not understood" },
		{ "NOTIFY=NEVER", "'NOTIFY=NEVER' is not known here" },
		{ "MT-PRIORITY=3", "'MT-PRIORITY=3' is not known here" },
		{ "=", "'=' is not known here" },
		{ "SIZE=1 RET=FULL size=1", "SIZE is given twice" },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct subm_request r = { 0 };
		struct err err;

		assert_int_equal(
		    subm_params_mail(slice_of(cases[i].text), a, &r, &err), -1);
		if (strstr(err.text, cases[i].says) == NULL)
			fail_msg("'%s' gave '%s'", cases[i].text, err.text);
	}
	arena_free(a);
}

static void test_parameters_of_rcpt_count(void **state)
{
	static const struct {
		const char *text;
		unsigned notify; /* 0: not said */
		const char *orcpt;
	} cases[] = {
		{ "", 0, "" },
		{ "NOTIFY=NEVER", NOTIFY_NEVER, "" },
		{ "NOTIFY=delay,SUCCESS", NOTIFY_DELAY | NOTIFY_SUCCESS, "" },
		{ "orcpt=rfc822;b+2Bc@d NOTIFY=FAILURE", NOTIFY_FAILURE,
		  "rfc822;b+2Bc@d" },
		{ "ORCPT=x400;anything", 0, "x400;anything" },
		/* Beyond ASCII, raw or quoted. */
		{ "ORCPT=utf-8;b\xc3\xb6@x", 0, "utf-8;b\\x{F6}@x" },
		{ "ORCPT=UTF-8;b\\x{F6}@x", 0, "UTF-8;b\\x{F6}@x" },
		{ "ORCPT=utf-8;a\\x{2B}b@\xe4\xbe\x8b", 0,
		  "utf-8;a\\x{2B}b@\\x{4F8B}" },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct subm_wish wish = { 0 };
		struct err err;

		assert_int_equal(
		    subm_params_rcpt(slice_of(cases[i].text), a, &wish, &err),
		    0);
		assert_int_equal(wish.has_notify, cases[i].notify != 0);
		assert_int_equal(wish.notify, cases[i].notify);
		assert_slice_is(wish.orcpt, cases[i].orcpt);
	}
	arena_free(a);
}

static void test_what_rcpt_cannot_ask_for_is_named(void **state)
{
	static const char *const cases[] = {
		"NOTIFY",
		"NOTIFY=",
		"NOTIFY=NEVER,DELAY",
		"NOTIFY=ALWAYS",
		"ORCPT=",
		"ORCPT=bob@x",
		"ORCPT=;bob@x",
		"ORCPT=rfc822;",
		"ORCPT=rfc822;b\xc3\xb6@x", /* not of this type */
		"ORCPT=utf-8;b\xf6@x",	    /* not UTF-8 */
		"ORCPT=utf-8;b\xc3\xb6=@x",
		"ORCPT=rfc822;a+zz",
		"RET=FULL",
	};
	struct arena *a = arena_new();
	struct str text = STR_INIT;
	struct subm_wish wish = { 0 };
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		wish = (struct subm_wish){ 0 };
		assert_int_equal(
		    subm_params_rcpt(slice_of(cases[i]), a, &wish, &err), -1);
		assert_non_null(strstr(err.text, "parameter '"));
	}
	/* 500 bytes as they are written, not as they came. */
	str_adds(&text, "ORCPT=utf-8;");
	for (int i = 0; i < 100; i++)
		str_adds(&text, "\xc3\xb6");
	assert_int_equal(subm_params_rcpt(str_slice(&text), a, &wish, &err),
			 -1);
	str_done(&text);
	arena_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parameters_of_mail_count),
		cmocka_unit_test(test_what_mail_cannot_ask_for_is_named),
		cmocka_unit_test(test_parameters_of_rcpt_count),
		cmocka_unit_test(test_what_rcpt_cannot_ask_for_is_named),
	};

	return TEST_RUN(tests);
}
