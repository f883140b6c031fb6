/*
 * environment_test.c - settings that are good, and what becomes of them.
 */
#include "smta/environment.h"

#include "base/keyword.h"
#include "base/test.h"

#include <string.h>

static const struct environment_facts usual = {
	.sender = { "alice@example.net", 17 },
	.recipient = { "bob@example.com", 15 },
	.original_recipient = { "Bob@Example.COM", 15 },
	.spool_id = { "S12345Aabc", 10 },
	.envid = { "QQ314159", 8 },
};

/* All variables as one text, each ended by LF. */
static void print(char *const *envp, struct str *to)
{
	for (; *envp != NULL; envp++)
		str_addf(to, "%s\n", *envp);
}

static void check_make(const char *const *inherited, const char *settings,
		       const struct environment_facts *f, const char *want)
{
	struct arena *a = arena_new();
	struct slice list[10], rest = slice_of(settings);
	struct str got = STR_INIT;
	struct err err;
	size_t n = 0;

	while (n < COUNT(list) && rest.len > 0 &&
	       slice_cut(&rest, '|', &list[n])) {
		if (environment_check(list[n], &err) < 0)
			fail_msg("%s", err.text);
		n++;
	}
	print(environment_make((char *const *)inherited, list, n, f, a), &got);
	assert_slice_is(str_slice(&got), want);
	str_done(&got);
	arena_free(a);
}

static void test_settings_are_added_or_replace(void **state)
{
	static const char *const some[] = { "PATH=/bin", "A=1", "AB=2", NULL };
	static const char *const none[] = { NULL };
	static const struct {
		const char *const *inherited;
		const char *settings, *want;
	} rows[] = {
		{ none, "", "" },
		{ none, "X=", "X=\n" },
		{ none, "_x9=a=b c", "_x9=a=b c\n" },
		{ some, "", "PATH=/bin\nA=1\nAB=2\n" },
		{ some, "A=3", "PATH=/bin\nA=3\nAB=2\n" },
		{ some, "a=3", "PATH=/bin\nA=1\nAB=2\na=3\n" },
		{ some, "PAT=3|P=4", "PATH=/bin\nA=1\nAB=2\nPAT=3\nP=4\n" },
		{ some, "X=1|A=|X=2|X=3", "PATH=/bin\nA=\nAB=2\nX=3\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_make(rows[i].inherited, rows[i].settings, &usual,
			   rows[i].want);
}

static void test_variables_are_replaced_by_their_values(void **state)
{
	static const char *const none[] = { NULL };
	static const struct {
		const char *settings, *want;
	} rows[] = {
		{ "A=$SENDER", "A=alice@example.net\n" },
		{ "A=${SENDER}", "A=alice@example.net\n" },
		{ "A=$RECIPIENT", "A=bob@example.com\n" },
		{ "A=$ORIGINAL_RECIPIENT", "A=Bob@Example.COM\n" },
		{ "A=$SPOOLID", "A=S12345Aabc\n" },
		{ "A=$ENVID", "A=QQ314159\n" },
		{ "A=<$ENVID>", "A=<QQ314159>\n" },
		{ "A=${ENVID}s-$ENVID-$ENVID$ENVID",
		  "A=QQ314159s-QQ314159-QQ314159QQ314159\n" },
		{ "A=$$", "A=$\n" },
		{ "A=$$SENDER", "A=$SENDER\n" },
		{ "A=$${SENDER}", "A=${SENDER}\n" },
		{ "A=$$$SENDER", "A=$alice@example.net\n" },
		{ "A={SENDER}%s", "A={SENDER}%s\n" },
		{ "SENDER=$SENDER", "SENDER=alice@example.net\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_make(none, rows[i].settings, &usual, rows[i].want);
}

static void test_values_from_outside_are_harmless(void **state)
{
	static const char *const none[] = { NULL };
	static const struct environment_facts hostile = {
		.sender = { "a\0b\nX=1\r\x1b\x7f\tc", 12 },
		.recipient = { "$SENDER${ENVID}$$`id`", 21 },
		.original_recipient = { "\xff\xc3\xbc\x01", 4 },
	};

	(void)state;
	check_make(none,
		   "A=$SENDER|B=$RECIPIENT|C=$ORIGINAL_RECIPIENT|D=$ENVID",
		   &hostile,
		   "A=a?b?X=1??? c\nB=$SENDER${ENVID}$$`id`\n"
		   "C=\xff\xc3\xbc?\nD=\n");
}

static void test_malformed_settings_are_named(void **state)
{
	static const char form[] = ": expected NAME=VALUE";
	static const char dollar[] = ": '$' is written $$, a variable $NAME or "
				     "${NAME}";
	static const struct {
		struct slice setting;
		const char *name, *want;
	} rows[] = {
		{ { "", 0 }, "", form },
		{ { "A", 1 }, "A", form },
		{ { "=x", 2 }, "=x", form },
		{ { "A B=x", 5 }, "A B=x", form },
		{ { "9A=x", 4 }, "9A=x", form },
		{ { "A-B=x", 5 }, "A-B=x", form },
		{ { "\xc3\xbc=x", 4 }, "\xc3\xbc=x", form },
		{ { "A=\n", 3 }, "A", ": a control character" },
		{ { "A=\0", 3 }, "A", ": a control character" },
		{ { "A=x\x7f", 4 }, "A", ": a control character" },
		{ { "A=$", 3 }, "A", dollar },
		{ { "A=$ SENDER", 10 }, "A", dollar },
		{ { "A=${", 4 }, "A", dollar },
		{ { "A=${$", 5 }, "A", dollar },
		{ { "A=${}", 5 }, "A", dollar },
		{ { "A=${SENDER", 10 }, "A", dollar },
		{ { "A=${SENDER }", 12 }, "A", dollar },
		{ { "A=$9", 4 }, "A", dollar },
		{ { "A=$sender", 9 }, "A", ": there is no ${sender}" },
		{ { "A=$SENDERS", 10 }, "A", ": there is no ${SENDERS}" },
		{ { "A=${HOME}", 9 }, "A", ": there is no ${HOME}" },
		{ { "A=$u", 4 }, "A", ": there is no ${u}" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str want = STR_INIT;
		struct err err = { 0 };

		str_addf(&want, "environment=%s%s", rows[i].name, rows[i].want);
		assert_int_equal(environment_check(rows[i].setting, &err), -1);
		assert_string_equal(err.text, str_cstr(&want));
		str_done(&want);
	}
}

static void test_what_differs_between_recipients_is_known(void **state)
{
	static const struct {
		const char *setting;
		bool want;
	} rows[] = {
		{ "A=", false },
		{ "RECIPIENT=x", false },
		{ "A=$SENDER$SPOOLID$ENVID", false },
		{ "A=$$RECIPIENT", false },
		{ "A=$${RECIPIENT}", false },
		{ "A=RECIPIENT}", false },
		{ "A=$RECIPIENT", true },
		{ "A=x${RECIPIENT}", true },
		{ "A=$SENDER:$ORIGINAL_RECIPIENT", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(
		    environment_names_recipient(slice_of(rows[i].setting)),
		    rows[i].want);
}

static void test_original_recipient_is_of_orcpt_or_the_recipient(void **state)
{
	static const struct {
		const char *orcpt, *want;
	} rows[] = {
		{ "", "bob" },
		{ "rfc822;Bob@example.com", "Bob@example.com" },
		{ "RFC822;b+2Bb@example.com", "b+b@example.com" },
		{ "x400;+2FG=3DBob", "bob" }, /* '=' is not xtext */
		{ "x400;+2FG+3DBob", "x400;/G=Bob" },
		{ "rfc822;", "bob" },
		{ "rfc822", "bob" },
		{ ";bob@example.com", "bob" },
		{ "rfc822;a+4", "bob" },
		{ "rfc822;a+0Ab", "a\nb" }, /* made clean where it is used */
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ctl_rcpt r = { .address.user = SLICE("bob"),
				      .dsn.orcpt = slice_of(rows[i].orcpt) };

		assert_slice_is(environment_original_recipient(&r, a),
				rows[i].want);
	}
	arena_free(a);
}

static void test_envid_is_decoded(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	assert_slice_is(environment_envid(SLICE(""), a), "");
	assert_slice_is(environment_envid(SLICE("QQ+2B+3D1"), a), "QQ+=1");
	assert_slice_is(environment_envid(SLICE("QQ=1"), a), "");
	arena_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings_are_added_or_replace),
		cmocka_unit_test(test_variables_are_replaced_by_their_values),
		cmocka_unit_test(test_values_from_outside_are_harmless),
		cmocka_unit_test(test_malformed_settings_are_named),
		cmocka_unit_test(test_what_differs_between_recipients_is_known),
		cmocka_unit_test(
		    test_original_recipient_is_of_orcpt_or_the_recipient),
		cmocka_unit_test(test_envid_is_decoded),
	};

	return TEST_RUN(tests);
}
