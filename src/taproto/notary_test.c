/*
 * notary_test.c - the notify-data field: grammar, examples, hostile bytes.
 */
#include "taproto/notary.h"

#include "base/keyword.h"
#include "base/test.h"

#include <string.h>

static void assert_notary_is(const struct notary *got,
			     const struct notary *want)
{
	assert_true(slice_eq(got->final_recipient, want->final_recipient));
	assert_true(slice_eq(got->action, want->action));
	assert_true(slice_eq(got->status, want->status));
	assert_true(slice_eq(got->diagnostic, want->diagnostic));
	assert_true(slice_eq(got->remote_mta, want->remote_mta));
	assert_int_equal(got->has_ta_id, want->has_ta_id);
	assert_true(slice_eq(got->ta_id, want->ta_id));
}

/* Fields as agents print them: with a host, without, with empty parts. */
static const struct {
	const char *parts[6]; /* the last NULL: without ta-id */
	const char *field;
} examples[] = {
	{ { "bob@example.com", "failed", "5.1.1 (bad destination mailbox)",
	    "smtp; 550 (no such [user])", "dns; mx.example.com (192.0.2.9)",
	    "smtp[23102]" },
	  "bob@example.com\001failed\0015.1.1 (bad destination mailbox)"
	  "\001smtp; 550 (no such [user])"
	  "\001dns; mx.example.com (192.0.2.9)\001smtp[23102]" },
	{ { "u@x", "delayed", "4.4.1 (TCP/IP-connection failure)",
	    "smtp; 500 (connect to 192.0.2.9 [192.0.2.9|25]: refused)",
	    "dns; other.example.com (192.0.2.9|25)", "smtp[23698]" },
	  "u@x\001delayed\0014.4.1 (TCP/IP-connection failure)"
	  "\001smtp; 500 (connect to 192.0.2.9 [192.0.2.9|25]: refused)"
	  "\001dns; other.example.com (192.0.2.9|25)\001smtp[23698]" },
	{ { "u@x", "relayed", "2.1.5", "smtp; 250 (ok)",
	    "X-IP-addr; [IPv6:2001:db8::1]", "smtp[1]" },
	  "u@x\001relayed\0012.1.5\001smtp; 250 (ok)"
	  "\001X-IP-addr; [IPv6:2001:db8::1]\001smtp[1]" },
	{ { "k9", "delayed", "4.3.0", "x-local; 500 (failed on signal)", "",
	    NULL },
	  "k9\001delayed\0014.3.0\001x-local; 500 (failed on signal)\001" },
	{ { "", "", "", "", "", "" }, "\001\001\001\001\001" },
	{ { "", "", "", "", "", NULL }, "\001\001\001\001" },
};

static struct notary example(size_t i)
{
	const char *const *parts = examples[i].parts;

	return (struct notary){
		slice_of(parts[0]), slice_of(parts[1]), slice_of(parts[2]),
		slice_of(parts[3]), slice_of(parts[4]), parts[5] != NULL,
		slice_of(parts[5]),
	};
}

static void test_examples_are_printed_and_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(examples); i++) {
		struct notary want = example(i);
		struct str field = STR_INIT;
		struct notary got;

		notary_print(&field, &want);
		assert_slice_is(str_slice(&field), examples[i].field);
		assert_int_equal(
		    notary_parse(slice_of(examples[i].field), &got, NULL), 0);
		assert_notary_is(&got, &want);
		str_done(&field);
	}
}

static void test_empty_field_is_all_empty(void **state)
{
	const struct notary empty = { 0 };
	struct notary got = example(0);

	(void)state;
	assert_int_equal(notary_parse(slice_make(NULL, 0), &got, NULL), 0);
	assert_notary_is(&got, &empty);
	got = example(0);
	assert_int_equal(notary_parse(SLICE(""), &got, NULL), 0);
	assert_notary_is(&got, &empty);
}

static void test_wrong_number_of_parts_is_refused(void **state)
{
	static const struct {
		const char *field, *why;
	} rows[] = {
		{ "a", "1 sub-fields" },
		{ "a\001b", "2 sub-fields" },
		{ "a\001b\001c\001d", "4 sub-fields" },
		{ "\001\001\001", "4 sub-fields" },
		{ "a\001b\001c\001d\001e\001f\001g", "more than 6" },
		{ "\001\001\001\001\001\001", "more than 6" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct notary before = example(0);
		struct notary got = before;
		struct err err = { 0 };

		assert_int_equal(
		    notary_parse(slice_of(rows[i].field), &got, &err), -1);
		assert_non_null(strstr(err.text, rows[i].why));
		assert_notary_is(&got, &before);
	}
}

static void test_hostile_bytes_stay_inside_their_part(void **state)
{
	const struct slice evil = SLICE("a\001b\tc\nd\re\0f\033[31m\177\200z");
	const char *const harmless = "a?b c?d?e?f?[31m??z";
	struct notary n = { evil, evil, evil, evil, evil, true, evil };
	struct str field = STR_INIT;
	struct notary got;

	(void)state;
	notary_print(&field, &n);
	assert_int_equal(notary_parse(str_slice(&field), &got, NULL), 0);
	assert_slice_is(got.final_recipient, harmless);
	assert_slice_is(got.action, harmless);
	assert_slice_is(got.status, harmless);
	assert_slice_is(got.diagnostic, harmless);
	assert_slice_is(got.remote_mta, harmless);
	assert_slice_is(got.ta_id, harmless);
	str_done(&field);
}

static void test_diag_gives_every_part_anew(void **state)
{
	const struct diag d = {
		.fate = FATE_DEFERRED_ALL,
		.status = SLICE("4.4.1"),
		.diagnostic = SLICE("smtp; 500 (no)"),
		.remote_mta = SLICE("dns; mx"),
		.text = SLICE("not part of it"),
	};
	const struct diag bare = { .fate = FATE_RELAYED };
	struct notary n =
	    notary_of_diag(&d, SLICE("u@x"), true, SLICE("smtp[7]"));
	const struct notary want = {
		SLICE("u@x"),	  SLICE("delayed"),
		SLICE("4.4.1"),	  SLICE("smtp; 500 (no)"),
		SLICE("dns; mx"), true,
		SLICE("smtp[7]"),
	};
	const struct notary want_bare = { .final_recipient = SLICE("v"),
					  .action = SLICE("relayed") };

	(void)state;
	assert_notary_is(&n, &want);
	n = notary_of_diag(&bare, SLICE("v"), false, SLICE(""));
	assert_notary_is(&n, &want_bare);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples_are_printed_and_read),
		cmocka_unit_test(test_empty_field_is_all_empty),
		cmocka_unit_test(test_wrong_number_of_parts_is_refused),
		cmocka_unit_test(test_hostile_bytes_stay_inside_their_part),
		cmocka_unit_test(test_diag_gives_every_part_anew),
	};

	return TEST_RUN(tests);
}
