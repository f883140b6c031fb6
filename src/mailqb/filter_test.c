/*
 * filter_test.c - globs, ages, states, and what fits.
 */
#include "mailqb/filter.h"

#include "base/keyword.h"
#include "base/test.h"
#include "spool/spoolid.h"

#include <string.h>

static void test_globs(void **state)
{
	static const struct {
		const char *glob, *text;
		bool fits;
	} rows[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", true },
		{ "*", "anything", true },
		{ "a*c", "abbbc", true },
		{ "a*c", "abbbd", false },
		{ "*@example.com", "Bob@EXAMPLE.com", true },
		{ "*@example.com", "bob@example.com.evil", false },
		{ "?", "", false },
		{ "?", "x", true },
		{ "b?b", "bob", true },
		{ "[a-c]x", "bx", true },
		{ "[a-c]x", "Bx", true },
		{ "[a-c]x", "dx", false },
		{ "[^a-c]x", "dx", true },
		{ "[!a-c]x", "ax", false },
		{ "[]]", "]", true },
		{ "[a-]", "-", true },
		{ "[", "[", true },
		{ "[a", "[a", true },
		{ "[]", "[]", true },
		{ "\\*", "*", true },
		{ "\\*", "x", false },
		{ "\\", "\\", true },
		{ "4.*", "4.4.1", true },
		{ "4.*", "5.4.1", false },
		{ "*a*b*c*", "xaxbxcx", true },
		{ "*a*b*c*", "xaxcxbx", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (mailq_glob(slice_of(rows[i].glob),
			       slice_of(rows[i].text)) != rows[i].fits)
			fail_msg("'%s' and '%s'", rows[i].glob, rows[i].text);
}

static void test_glob_of_many_stars_takes_no_ages(void **state)
{
	static char text[20000];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_false(mailq_glob(SLICE("*a*a*a*a*a*a*a*a*a*a*b"),
				slice_make(text, sizeof(text))));
}

static void test_reasons_are_found_within_texts(void **state)
{
	(void)state;
	assert_true(mailq_reason_fits(SLICE("refused"),
				      SLICE("Connection Refused by peer")));
	assert_true(mailq_reason_fits(SLICE(""), SLICE("")));
	assert_false(mailq_reason_fits(SLICE("refused"), SLICE("refuse")));
	assert_true(
	    mailq_reason_fits(SLICE("*refused*"), SLICE("was Refused again")));
	assert_false(
	    mailq_reason_fits(SLICE("refused*"), SLICE("was refused")));
}

static void test_ages(void **state)
{
	static const struct {
		const char *text;
		bool is_good;
		enum mailq_than than;
		unsigned age;
	} rows[] = {
		{ ">2h", true, MAILQ_OLDER, 7200 },
		{ "> 2h", true, MAILQ_OLDER, 7200 },
		{ "<10m", true, MAILQ_YOUNGER, 600 },
		{ "1d12h", true, MAILQ_OLDER, 129600 },
		{ "90", true, MAILQ_OLDER, 90 },
		{ "0", true, MAILQ_OLDER, 0 },
		{ "", false, 0, 0 },
		{ ">", false, 0, 0 },
		{ "=2h", false, 0, 0 },
		{ ">2x", false, 0, 0 },
		{ ">-2h", false, 0, 0 },
		{ "<99999999999d", false, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mailq_filter f = { 0 };
		bool is_good = mailq_age_parse(slice_of(rows[i].text), &f);

		if (is_good != rows[i].is_good || f.than != rows[i].than ||
		    f.age != rows[i].age)
			fail_msg("'%s'", rows[i].text);
	}
}

static void test_states(void **state)
{
	struct mailq_filter f = { 0 };
	struct slice bad = SLICE("");

	(void)state;
	assert_true(mailq_states_parse(SLICE("held,Waiting"), &f, &bad));
	assert_int_equal(f.states, 1U << MAILQ_HELD | 1U << MAILQ_WAITING);
	assert_false(mailq_states_parse(SLICE("held,asleep"), &f, &bad));
	assert_slice_is(bad, "asleep");
	assert_false(mailq_states_parse(SLICE("held,"), &f, &bad));
	for (int i = 0; i < MAILQ_STATES; i++)
		assert_int_equal(mailq_state_find(slice_of(
				     mailq_state_word((enum mailq_state)i))),
				 i);
}

static void test_destinations(void **state)
{
	static const struct {
		const char *wanted, *channel, *host;
		bool fits;
	} rows[] = {
		{ "example.com", "smtp", "example.com", true },
		{ "example.com", "local", "Example.COM", true },
		{ "*.com", "smtp", "example.com", true },
		{ "smtp/*", "smtp", "example.com", true },
		{ "smtp/*", "local", "-", false },
		{ "*/-", "local", "-", true },
		{ "local", "local", "-", false },
		{ "smtp/UNIX:/run/x", "smtp", "UNIX:/run/x", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mailq_words w = { .text = slice_of(rows[i].wanted) };
		struct mailq_filter f = { .destinations = &w };

		if (mailq_filter_place(&f, slice_of(rows[i].channel),
				       slice_of(rows[i].host)) != rows[i].fits)
			fail_msg("'%s'", rows[i].wanted);
	}
}

static void test_ids_fit_with_and_without_hash_directories(void **state)
{
	struct mailq_words w = { .text = SLICE("24700") };
	struct mailq_filter f = { .ids = &w };

	(void)state;
	assert_true(mailq_filter_name(&f, SLICE("24700")));
	assert_true(mailq_filter_name(&f, SLICE("A/B/24700")));
	assert_false(mailq_filter_name(&f, SLICE("124700")));
	w.text = SLICE("A/24700");
	assert_true(mailq_filter_name(&f, SLICE("A/24700")));
	assert_false(mailq_filter_name(&f, SLICE("24700")));
}

static void test_over_is_only_shown_when_asked_for(void **state)
{
	struct mailq_filter f = { 0 };
	struct mailq_rcpt r = { .state = MAILQ_DELIVERED };

	(void)state;
	assert_false(mailq_filter_rcpt(&f, &r));
	f.states = 1U << MAILQ_DELIVERED;
	assert_true(mailq_filter_rcpt(&f, &r));
	r.state = MAILQ_WAITING;
	assert_false(mailq_filter_rcpt(&f, &r));
}

static void test_an_age_is_more_or_less_not_just_that(void **state)
{
	struct mailq_filter f = { .than = MAILQ_OLDER, .age = 60 };
	struct mailq_message m = { .arrived = 1000 };

	(void)state;
	assert_false(mailq_filter_message(&f, &m, 1060));
	assert_true(mailq_filter_message(&f, &m, 1061));
	f.than = MAILQ_YOUNGER;
	assert_false(mailq_filter_message(&f, &m, 1060));
	assert_true(mailq_filter_message(&f, &m, 1059));
}

/* Inode numbers come again. */
static void test_spool_id_means_one_file_and_no_later_one(void **state)
{
	static const char *const no_spool_ids[] = {
		"S", "S24700", "SAAAAAAAAAA", "S24700short", "s24700", "24700"
	};
	struct mailq_words w = { NULL, SLICE("S24700AbmKVCokbMhvr") };
	struct mailq_filter f = { .ids = &w };
	struct mailq_message m = { .name = SLICE("A/B/24700"), .inode = 24700 };
	struct str id = STR_INIT;

	(void)state;
	assert_slice_is(mailq_id_name(w.text), "24700");
	assert_true(mailq_filter_needs_files(&f));
	assert_true(mailq_filter_name(&f, m.name));
	assert_true(mailq_filter_name(&f, SLICE("24700")));
	assert_false(mailq_filter_name(&f, SLICE("2470")));
	assert_false(mailq_filter_spool_id(&f, &m));

	m.mtime = 1795342216;
	m.mtime_ns = 5;
	spoolid_print(&id, m.inode, m.mtime, m.mtime_ns);
	w.text = str_slice(&id);
	assert_true(mailq_filter_spool_id(&f, &m));
	m.mtime_ns++;
	assert_false(mailq_filter_spool_id(&f, &m));

	for (size_t i = 0; i < COUNT(no_spool_ids); i++) {
		w.text = slice_of(no_spool_ids[i]);
		assert_slice_is(mailq_id_name(w.text), no_spool_ids[i]);
		assert_false(mailq_filter_needs_files(&f));
	}
	assert_true(mailq_filter_spool_id(&f, &m));
	str_done(&id);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_globs),
		cmocka_unit_test(test_glob_of_many_stars_takes_no_ages),
		cmocka_unit_test(test_reasons_are_found_within_texts),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_destinations),
		cmocka_unit_test(
		    test_ids_fit_with_and_without_hash_directories),
		cmocka_unit_test(test_spool_id_means_one_file_and_no_later_one),
		cmocka_unit_test(test_over_is_only_shown_when_asked_for),
		cmocka_unit_test(test_an_age_is_more_or_less_not_just_that),
	};

	return TEST_RUN(tests);
}
