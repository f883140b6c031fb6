/*
 * tlsresults_test.c - counts of sessions over TLS, and reports about them.
 */
#include "base/test.h"

#include "base/keyword.h"
#include "store/tlsresults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NOW = 20779 * 86400 + 1000, TODAY = 20779 };

struct fixture {
	char dir[64], store_dir[80];
	struct store *store;
	struct arena *arena;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->dir, "/tmp/tlsresults-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->store_dir, sizeof(f->store_dir), "%s/shared", f->dir);
	f->store = store_new(f->store_dir);
	f->arena = arena_new();
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[128];

	store_free(f->store);
	arena_free(f->arena);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static struct tlsrpt_result result_of(const char *domain, enum tlsrpt_type type,
				      const char *reason)
{
	return (struct tlsrpt_result){
		.domain = slice_of(domain),
		.policy.domain = slice_of(domain),
		.failure = { .type = type, .reason = slice_of(reason) },
	};
}

static void add_at(struct fixture *f, const struct tlsrpt_result *r,
		   int64_t now)
{
	struct err err;

	if (tlsresults_add(f->store, r, 1, now, &err) < 0)
		fail_msg("%s", err.text);
}

static void add(struct fixture *f, struct tlsrpt_result r)
{
	add_at(f, &r, NOW);
}

static struct tlsrpt_report read_report(struct fixture *f, const char *domain)
{
	struct tlsresults_key key = { TODAY, slice_of(domain) };
	struct tlsrpt_report report = { 0 };
	struct err err;

	if (tlsresults_read(f->store, &key, f->arena, &report, &err) < 0)
		fail_msg("%s", err.text);
	return report;
}

/* "2026-11-22 a.example, ..." of what a query finds. */
static void assert_listed(struct fixture *f, struct tlsresults_query q,
			  const char *want)
{
	struct tlsresults_key keys[TLSRESULTS_LIST_MAX];
	struct str text = STR_INIT;
	struct err err = { 0 };
	int n = tlsresults_list(f->store, &q, f->arena, keys, &err);

	if (n < 0)
		fail_msg("%s", err.text);
	for (int i = 0; i < n; i++)
		str_addf(&text, "%s%d %.*s", i > 0 ? ", " : "",
			 (int)(keys[i].day - TODAY), SLICE_ARG(keys[i].domain));
	assert_slice_is(str_slice(&text), want);
	str_done(&text);
}

static void test_sessions_are_counted_by_policy_and_failure(void **state)
{
	struct fixture *f = *state;
	const struct slice strings[] = { SLICE("3 1 1 ab"), SLICE("3 1 1 cd") };
	struct tlsrpt_result dane = {
		.domain = SLICE("EXAMPLE.org."),
		.policy = { .kind = TLSRPT_TLSA,
			    .domain = SLICE("mx.example.org"),
			    .strings = strings,
			    .n_strings = 2 },
		.failure = { TLSRPT_VALIDATION_FAILURE, SLICE("192.0.2.1"),
			     SLICE("192.0.2.2"), SLICE("mx.example.org"),
			     SLICE("helo"), SLICE("https://x"),
			     SLICE("no TLSA record matches") },
	};
	struct tlsrpt_report r;
	const struct tlsrpt_failure *got;

	add(f, result_of("example.org", TLSRPT_SUCCESS, "not kept"));
	add(f, result_of("example.org", TLSRPT_SUCCESS, ""));
	add(f, dane);
	add(f, dane);
	dane.failure = (struct tlsrpt_failure){ .type = TLSRPT_SUCCESS };
	add(f, dane);
	add(f, result_of("example.org", TLSRPT_CERTIFICATE_EXPIRED, "x"));
	add(f, result_of("other.example", TLSRPT_SUCCESS, ""));
	r = read_report(f, "example.org");
	assert_int_equal(r.n_groups, 2);
	assert_int_equal(r.groups[0].policy.kind, TLSRPT_NO_POLICY);
	assert_int_equal(r.groups[0].n_good, 2);
	assert_int_equal(r.groups[0].n_failed, 1);
	assert_int_equal(r.groups[0].n_details, 1);
	assert_int_equal(r.groups[0].policy.n_strings, 0);
	assert_int_equal(r.groups[1].policy.kind, TLSRPT_TLSA);
	assert_slice_is(r.groups[1].policy.domain, "mx.example.org");
	assert_int_equal(r.groups[1].policy.n_strings, 2);
	assert_slice_is(r.groups[1].policy.strings[1], "3 1 1 cd");
	assert_int_equal(r.groups[1].n_good, 1);
	assert_int_equal(r.groups[1].n_failed, 2);
	assert_int_equal(r.groups[1].n_details, 1);
	assert_int_equal(r.groups[1].details[0].count, 2);
	got = &r.groups[1].details[0].failure;
	assert_int_equal(got->type, TLSRPT_VALIDATION_FAILURE);
	assert_slice_is(got->sending_ip, "192.0.2.1");
	assert_slice_is(got->receiving_ip, "192.0.2.2");
	assert_slice_is(got->mx_host, "mx.example.org");
	assert_slice_is(got->mx_helo, "helo");
	assert_slice_is(got->information, "https://x");
	assert_slice_is(got->reason, "no TLSA record matches");
}

static void test_every_type_of_failure_is_kept(void **state)
{
	struct fixture *f = *state;
	struct tlsrpt_report r;
	unsigned seen = 0;

	for (int type = TLSRPT_SUCCESS; type < TLSRPT_TYPES; type++)
		add(f, result_of("a.example", (enum tlsrpt_type)type, ""));
	r = read_report(f, "a.example");
	assert_int_equal(r.n_groups, 1);
	assert_int_equal(r.groups[0].n_good, 1);
	assert_int_equal(r.groups[0].n_failed, TLSRPT_TYPES - 1);
	for (size_t i = 0; i < r.groups[0].n_details; i++)
		seen |= 1u << r.groups[0].details[i].failure.type;
	assert_int_equal(seen, (1u << TLSRPT_TYPES) - 2);
}

static void test_one_call_counts_all_or_none(void **state)
{
	struct fixture *f = *state;
	struct tlsrpt_result both[] = {
		result_of("a.example", TLSRPT_SUCCESS, ""),
		result_of("b.example", TLSRPT_TLSA_INVALID, "x"),
	};
	struct err err;

	assert_int_equal(tlsresults_add(f->store, both, 2, NOW, &err), 0);
	assert_int_equal(read_report(f, "a.example").n_groups, 1);
	assert_int_equal(read_report(f, "b.example").n_groups, 1);
	assert_int_equal(tlsresults_add(f->store, both, 0, NOW, &err), 0);
}

static void test_a_failure_is_given_back(void **state)
{
	struct store *store = store_new("/nonexistent/folder/store");
	struct tlsrpt_result r = result_of("a.example", TLSRPT_SUCCESS, "");
	struct err err = { 0 };

	(void)state;
	assert_int_equal(tlsresults_add(store, &r, 1, NOW, &err), -1);
	assert_true(err.text[0] != '\0');
	store_free(store);
}

static void test_what_is_no_domain_is_not_counted(void **state)
{
	struct fixture *f = *state;

	add(f, result_of("[192.0.2.1]", TLSRPT_SUCCESS, ""));
	add(f, result_of("", TLSRPT_SUCCESS, ""));
	add(f, result_of("a\nb.example", TLSRPT_SUCCESS, ""));
	assert_listed(f, (struct tlsresults_query){ .before = TODAY + 1 }, "");
}

static void test_failures_of_a_day_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct tlsrpt_report r;
	uint64_t sum = 0;
	char reason[32];

	for (int i = 0; i < TLSRESULTS_DETAILS_MAX + 200; i++) {
		snprintf(reason, sizeof(reason), "%d", i);
		add(f, result_of("a.example",
				 i % 2 == 0 ? TLSRPT_CERTIFICATE_EXPIRED
					    : TLSRPT_VALIDATION_FAILURE,
				 reason));
	}
	r = read_report(f, "a.example");
	assert_int_equal(r.n_groups, 1);
	assert_int_equal(r.groups[0].n_details, TLSRESULTS_DETAILS_MAX + 2);
	/* The most frequent first: those that stand for many. */
	assert_int_equal(r.groups[0].details[0].count, 100);
	assert_int_equal(r.groups[0].details[1].count, 100);
	assert_int_equal(r.groups[0].details[1].failure.reason.len, 0);
	for (size_t i = 0; i < r.groups[0].n_details; i++)
		sum += r.groups[0].details[i].count;
	assert_int_equal(sum, TLSRESULTS_DETAILS_MAX + 200);
	assert_int_equal(r.groups[0].n_failed, sum);
	/* Another domain has room of its own. */
	add(f, result_of("b.example", TLSRPT_CERTIFICATE_EXPIRED, "x"));
	assert_slice_is(
	    read_report(f, "b.example").groups[0].details[0].failure.reason,
	    "x");
}

static void test_policies_of_a_day_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct tlsrpt_report r;
	uint64_t sum = 0;

	for (int i = 0; i < TLSRESULTS_GROUPS_MAX + 50; i++) {
		struct slice text = arena_printf(f->arena, "3 1 1 %d", i);
		struct tlsrpt_result one =
		    result_of("a.example", TLSRPT_SUCCESS, "");

		one.policy.kind = i % 2 == 0 ? TLSRPT_TLSA : TLSRPT_STS;
		one.policy.domain = SLICE("mx.a.example");
		one.policy.strings = &text;
		one.policy.n_strings = 1;
		add(f, one);
	}
	r = read_report(f, "a.example");
	assert_int_equal(r.n_groups, TLSRESULTS_GROUPS_MAX + 2);
	for (size_t i = 0; i < r.n_groups; i++)
		sum += r.groups[i].n_good;
	assert_int_equal(sum, TLSRESULTS_GROUPS_MAX + 50);
	assert_int_equal(r.groups[r.n_groups - 1].n_good, 25);
	assert_int_equal(r.groups[r.n_groups - 1].policy.n_strings, 0);
	assert_slice_is(r.groups[r.n_groups - 1].policy.domain, "a.example");
}

static void test_texts_are_cut_and_made_printable(void **state)
{
	struct fixture *f = *state;
	struct tlsrpt_result one =
	    result_of("a.example", TLSRPT_VALIDATION_FAILURE, "");
	struct str text = STR_INIT;
	struct slice strings[3000];
	struct tlsrpt_report r;

	for (int i = 0; i < 100000; i++)
		str_addc(&text, "\x01\n"[i % 2]);
	one.failure.mx_helo = one.failure.reason = str_slice(&text);
	for (size_t i = 0; i < COUNT(strings); i++)
		strings[i] = slice_make("a\nb", 3);
	one.policy.strings = strings;
	one.policy.n_strings = COUNT(strings);
	add(f, one);
	add(f, one);
	r = read_report(f, "a.example");
	assert_int_equal(r.n_groups, 1);
	assert_true(r.groups[0].policy.n_strings <= TLSRPT_STRINGS_MAX / 4);
	assert_slice_is(r.groups[0].policy.strings[7], "a?b");
	assert_int_equal(r.groups[0].details[0].count, 2);
	assert_int_equal(r.groups[0].details[0].failure.reason.len,
			 TLSRPT_TEXT_MAX);
	assert_false(slice_has_control(r.groups[0].details[0].failure.mx_helo));
	str_done(&text);
}

static void test_only_days_that_are_over_are_listed_in_order(void **state)
{
	struct fixture *f = *state;
	struct tlsrpt_result b = result_of("b.example", TLSRPT_SUCCESS, "");
	struct tlsrpt_result a = result_of("a.example", TLSRPT_SUCCESS, "");
	struct tlsresults_query q = { .before = TODAY, .now = NOW };
	struct tlsresults_key after = { TODAY - 2, SLICE("a.example") };

	add_at(f, &a, NOW);
	add_at(f, &b, NOW - 86400);
	add_at(f, &a, NOW - 86400);
	add_at(f, &a, NOW - 2 * 86400);
	assert_listed(f, q, "-2 a.example, -1 a.example, -1 b.example");
	q.after = &after;
	assert_listed(f, q, "-1 a.example, -1 b.example");
	q.domain = SLICE("B.example.");
	assert_listed(f, q, "-1 b.example");
	q.domain = SLICE("no domain");
	assert_listed(f, q, "");
	q.after = NULL;
	q.domain = SLICE("");
	q.has_day = true;
	q.day = TODAY - 1;
	assert_listed(f, q, "-1 a.example, -1 b.example");
	q.day = TODAY;
	assert_listed(f, q, "");
	q.before = TODAY + 1;
	assert_listed(f, q, "0 a.example");
}

static void test_more_than_one_page_is_listed(void **state)
{
	struct fixture *f = *state;
	struct tlsresults_key keys[TLSRESULTS_LIST_MAX];
	struct tlsresults_query q = { .before = TODAY + 1 };
	struct err err;
	char domain[32];
	int total = 0, n;

	for (int i = 0; i < TLSRESULTS_LIST_MAX * 2 + 3; i++) {
		snprintf(domain, sizeof(domain), "d%d.example", i);
		add(f, result_of(domain, TLSRPT_SUCCESS, ""));
	}
	do {
		n = tlsresults_list(f->store, &q, f->arena, keys, &err);
		assert_true(n >= 0);
		total += n;
		q.after = &keys[n - 1];
	} while (n == TLSRESULTS_LIST_MAX);
	assert_int_equal(total, TLSRESULTS_LIST_MAX * 2 + 3);
}

static int take(struct fixture *f, int64_t now, const char *token,
		struct tlsresults_claim *ret)
{
	struct tlsresults_key key = { TODAY, SLICE("a.example") };
	struct tlsresults_try try = { slice_of(token), now, false, f->arena };
	struct err err = { 0 };
	int r = tlsresults_take(f->store, &key, &try, ret, &err);

	if (r < 0)
		fail_msg("%s", err.text);
	return r;
}

static void
test_a_report_is_taken_by_one_and_waits_longer_each_time(void **state)
{
	static const int waits[] = { 900,   1800,  3600,  7200,
				     14400, 14400, 14400, 14400 };
	struct fixture *f = *state;
	struct tlsresults_claim claim;
	int64_t now = NOW + 86400;
	struct tlsresults_query q = { .before = TODAY + 1 };

	add(f, result_of("a.example", TLSRPT_SUCCESS, ""));
	for (unsigned i = 0; i < COUNT(waits); i++) {
		assert_int_equal(take(f, now, i == 0 ? "one" : "two", &claim),
				 1);
		assert_slice_is(claim.token, "one");
		assert_int_equal(claim.tries, i + 1);
		assert_int_equal(claim.first, NOW + 86400);
		now += waits[i] - 1;
		assert_int_equal(take(f, now, "x", &claim), 0);
		q.now = now;
		assert_listed(f, q, "");
		q.is_all = true;
		assert_listed(f, q, "0 a.example");
		q.is_all = false;
		q.now = ++now;
		assert_listed(f, q, "0 a.example");
	}
}

static void test_hurry_does_not_wait(void **state)
{
	struct fixture *f = *state;
	struct tlsresults_key key = { TODAY, SLICE("a.example") };
	struct tlsresults_try try = { SLICE("t"), NOW, true, f->arena };
	struct tlsresults_claim claim;
	struct err err;

	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    tlsresults_take(f->store, &key, &try, &claim, &err), 1);
	assert_int_equal(tlsresults_mark_done(f->store, &key, &err), 0);
	assert_int_equal(tlsresults_take(f->store, &key, &try, &claim, &err),
			 0);
}

static void test_what_was_sent_is_remembered(void **state)
{
	struct fixture *f = *state;
	struct tlsresults_key key = { TODAY, SLICE("a.example") };
	struct tlsresults_key next = { TODAY + 1, SLICE("a.example") };
	const struct slice targets[] = { SLICE("a@b"), SLICE("https://c/") };
	struct tlsresults_claim claim;
	struct err err;

	add(f, result_of("a.example", TLSRPT_SUCCESS, ""));
	assert_int_equal(take(f, NOW, "t", &claim), 1);
	assert_int_equal(tlsresults_was_sent(f->store, &key, targets[0], &err),
			 0);
	assert_int_equal(tlsresults_mark_sent(f->store, &key, targets, 1, &err),
			 0);
	assert_int_equal(tlsresults_was_sent(f->store, &key, targets[0], &err),
			 1);
	assert_int_equal(tlsresults_was_sent(f->store, &key, targets[1], &err),
			 0);
	assert_int_equal(tlsresults_was_sent(f->store, &next, targets[0], &err),
			 0);
	assert_int_equal(take(f, NOW + 900, "t", &claim), 1);
	assert_int_equal(tlsresults_mark_sent(f->store, &key, targets, 2, &err),
			 0);
	assert_int_equal(tlsresults_mark_done(f->store, &key, &err), 0);
	assert_int_equal(take(f, NOW + 86400, "t", &claim), 0);
	assert_listed(f,
		      (struct tlsresults_query){ .before = TODAY + 1,
						 .now = NOW + 86400 },
		      "");
}

static void test_old_days_go(void **state)
{
	struct fixture *f = *state;
	struct tlsrpt_result r =
	    result_of("a.example", TLSRPT_DANE_REQUIRED, "x");
	struct tlsresults_query q = { .before = TODAY + 1, .is_all = true };
	struct err err;
	char domain[32];

	add_at(f, &r, NOW - 86400LL * (TLSRESULTS_KEEP_DAYS + 1));
	add_at(f, &r, NOW - 86400LL * 2);
	/* New domains clear away what is too old. */
	for (int i = 0; i < 70; i++) {
		snprintf(domain, sizeof(domain), "d%d.example", i);
		add(f, result_of(domain, TLSRPT_SUCCESS, ""));
	}
	q.domain = SLICE("a.example");
	assert_listed(f, q, "-2 a.example");
	assert_int_equal(tlsresults_expire(f->store, TODAY - 2, &err), 0);
	assert_listed(f, q, "-2 a.example");
	assert_int_equal(tlsresults_expire(f->store, TODAY - 1, &err), 0);
	assert_listed(f, q, "");
}

static void test_two_agents_count_together(void **state)
{
	struct fixture *f = *state;
	struct store *other = store_new(f->store_dir);
	struct tlsrpt_result r = result_of("a.example", TLSRPT_SUCCESS, "");
	struct err err = { 0 };

	for (int i = 0; i < 10; i++) {
		add(f, r);
		if (tlsresults_add(other, &r, 1, NOW, &err) < 0)
			fail_msg("%s", err.text);
	}
	assert_int_equal(read_report(f, "a.example").groups[0].n_good, 20);
	store_free(other);
}

#define IN_STORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_STORE(test_sessions_are_counted_by_policy_and_failure),
		IN_STORE(test_every_type_of_failure_is_kept),
		IN_STORE(test_one_call_counts_all_or_none),
		cmocka_unit_test(test_a_failure_is_given_back),
		IN_STORE(test_what_is_no_domain_is_not_counted),
		IN_STORE(test_failures_of_a_day_are_bounded),
		IN_STORE(test_policies_of_a_day_are_bounded),
		IN_STORE(test_texts_are_cut_and_made_printable),
		IN_STORE(test_only_days_that_are_over_are_listed_in_order),
		IN_STORE(test_more_than_one_page_is_listed),
		IN_STORE(
		    test_a_report_is_taken_by_one_and_waits_longer_each_time),
		IN_STORE(test_hurry_does_not_wait),
		IN_STORE(test_what_was_sent_is_remembered),
		IN_STORE(test_old_days_go),
		IN_STORE(test_two_agents_count_together),
	};

	return TEST_RUN(tests);
}
