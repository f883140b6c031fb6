/*
 * stspolicies_test.c - MTA-STS policies in the store.
 */
#include "store/stspolicies.h"

#include "base/keyword.h"
#include "store/test_store.h"

#define POLICY                                               \
	"version: STSv1\nmode: enforce\nmx: *.example.org\n" \
	"mx: mx.example.net\nmax_age: 86400\n"

static struct sts_policy policy_of(const char *text, struct arena *a)
{
	struct sts_policy p;
	struct err err;

	if (sts_policy_parse(slice_of(text), a, &p, &err) < 0)
		fail_msg("%s", err.text);
	return p;
}

static void save(struct store *s, const char *domain, const struct sts_entry *e,
		 int64_t now)
{
	struct err err;

	if (stspolicies_save(s, slice_of(domain), e, now, &err) < 0)
		fail_msg("%s", err.text);
}

/* Keeps a policy under an id. */
static void fetched(struct store *s, const char *domain, const char *text,
		    const char *id, int64_t now)
{
	struct arena *a = arena_new();
	struct sts_policy p = policy_of(text, a);
	struct sts_entry e = { 0 };

	sts_entry_fetched(&e, &p, slice_of(id), now);
	save(s, domain, &e, now);
	arena_free(a);
}

static int load(struct store *s, const char *domain, struct arena *a,
		struct sts_entry *ret)
{
	struct err err;
	int r = stspolicies_load(s, slice_of(domain), a, ret, &err);

	if (r < 0)
		fail_msg("%s", err.text);
	return r;
}

static void test_an_entry_comes_back_as_it_was(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir);
	struct arena *a = arena_new();
	struct sts_entry e;

	(void)state;
	assert_int_equal(load(s, "example.org", a, &e), 0);
	assert_false(e.has_policy);
	fetched(s, "Example.ORG.", POLICY, "id1", 1000);
	store_free(s);
	s = store_new(p.dir);
	assert_int_equal(load(s, "example.org", a, &e), 1);
	assert_true(e.has_policy);
	assert_slice_is(e.id, "id1");
	assert_int_equal(e.fetched, 1000);
	assert_int_equal(e.failures, 0);
	assert_int_equal(e.policy.mode, STS_MODE_ENFORCE);
	assert_int_equal(e.policy.max_age, 86400);
	assert_int_equal(e.policy.n_mx, 2);
	assert_slice_is(e.policy.mx[0], "*.example.org");
	assert_slice_is(e.policy.mx[1], "mx.example.net");
	sts_entry_failed(&e, 2000);
	sts_entry_failed(&e, 3000);
	save(s, "example.org", &e, 3000);
	assert_int_equal(load(s, "EXAMPLE.org", a, &e), 1);
	assert_slice_is(e.id, "id1");
	assert_int_equal(e.failures, 2);
	assert_int_equal(e.tried, 3000);
	arena_free(a);
	store_free(s);
	place_remove(&p);
}

static void test_a_failure_alone_is_kept(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir);
	struct arena *a = arena_new();
	struct sts_entry e = { 0 };

	(void)state;
	sts_entry_failed(&e, 2000);
	save(s, "example.org", &e, 2000);
	assert_int_equal(load(s, "example.org", a, &e), 1);
	assert_false(e.has_policy);
	assert_int_equal(e.failures, 1);
	arena_free(a);
	store_free(s);
	place_remove(&p);
}

static void test_a_newer_policy_is_not_overwritten(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir);
	struct arena *a = arena_new();
	struct sts_entry old, e;

	(void)state;
	fetched(s, "example.org", POLICY, "id1", 1000);
	assert_int_equal(load(s, "example.org", a, &old), 1);
	fetched(s, "example.org", POLICY, "id2", 2000);
	/* Another agent, which had read the old one, failed. */
	sts_entry_failed(&old, 2001);
	save(s, "example.org", &old, 2001);
	assert_int_equal(load(s, "example.org", a, &e), 1);
	assert_slice_is(e.id, "id2");
	assert_int_equal(e.failures, 0);
	/* The same, of one that had known nothing. */
	e = (struct sts_entry){ 0 };
	sts_entry_failed(&e, 2002);
	save(s, "example.org", &e, 2002);
	assert_int_equal(load(s, "example.org", a, &e), 1);
	assert_slice_is(e.id, "id2");
	/* A clock that went back does not stop the policy from changing. */
	fetched(s, "example.org", POLICY, "id3", 500);
	assert_int_equal(load(s, "example.org", a, &e), 1);
	assert_slice_is(e.id, "id3");
	arena_free(a);
	store_free(s);
	place_remove(&p);
}

static void test_rows_that_make_no_sense_count_as_none(void **state)
{
	static const char *const changes[] = {
		"UPDATE sts_policies SET policy='version: STSv1'",
		"UPDATE sts_policies SET policy=zeroblob(100000)",
		"UPDATE sts_policies SET policy=''",
		"UPDATE sts_policies SET id=zeroblob(33)",
		"UPDATE sts_policies SET failures=-1",
		"UPDATE sts_policies SET failures=5000000000",
		"UPDATE sts_policies SET fetched=-5",
		"UPDATE sts_policies SET tried=-5",
	};
	struct place p = place_new();
	struct store *s = store_new(p.dir);
	struct arena *a = arena_new();
	struct sts_entry e;

	(void)state;
	for (size_t i = 0; i < COUNT(changes); i++) {
		fetched(s, "example.org", POLICY, "id1", 1000);
		assert_int_equal(load(s, "example.org", a, &e), 1);
		outside(&p, changes[i]);
		if (load(s, "example.org", a, &e) != 0)
			fail_msg("%s", changes[i]);
		assert_false(e.has_policy);
		outside(&p, "DELETE FROM sts_policies");
	}
	arena_free(a);
	store_free(s);
	place_remove(&p);
}

static void test_domains_are_bounded(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir);
	struct sts_entry e = { .failures = 1 };
	struct str name = STR_INIT;
	struct err err;

	(void)state;
	for (int i = 0; i < 256; i++)
		str_addc(&name, 'a');
	assert_int_equal(stspolicies_save(s, str_slice(&name), &e, 0, &err),
			 -1);
	assert_int_equal(stspolicies_save(s, SLICE(""), &e, 0, &err), -1);
	assert_int_equal(stspolicies_claim(s, str_slice(&name), 0, 10, &err),
			 -1);
	str_done(&name);
	store_free(s);
	place_remove(&p);
}

static size_t due(struct store *s, int64_t now, const char *after,
		  struct stspolicies_list *list)
{
	struct err err;

	if (stspolicies_due(s, slice_of(after), now, list, &err) < 0)
		fail_msg("%s", err.text);
	return list->n;
}

static void test_live_policies_that_are_due_are_listed(void **state)
{
	enum { DAY = 24 * 3600 };
	static const char week[] = "version: STSv1\nmode: none\n"
				   "max_age: 604800\n";
	struct place p = place_new();
	struct store *s = store_new(p.dir);
	struct arena *a = arena_new();
	struct sts_entry e;
	struct stspolicies_list list = { .arena = a, .max = 9 };

	(void)state;
	fetched(s, "c.example", week, "c", 1000);
	fetched(s, "a.example", week, "a", 1000);
	fetched(s, "b.example", week, "b", 1000);
	fetched(s, "young.example", week, "y", 1000 + DAY);
	fetched(s, "short.example", POLICY, "s", 1000); /* over by then */
	assert_int_equal(load(s, "b.example", a, &e), 1);
	sts_entry_failed(&e, 1000 + DAY); /* to be left alone for a while */
	save(s, "b.example", &e, 1000 + DAY);
	assert_int_equal(due(s, 1000 + DAY, "", &list), 2);
	assert_slice_is(list.domains[0], "a.example");
	assert_slice_is(list.domains[1], "c.example");
	assert_int_equal(due(s, 1000 + DAY, "a.example", &list), 1);
	assert_slice_is(list.domains[0], "c.example");
	list.max = 1;
	assert_int_equal(due(s, 1000 + DAY, "", &list), 1);
	list.max = 9;
	assert_int_equal(due(s, 1000 + DAY + STS_RETRY_MIN, "", &list), 3);
	assert_int_equal(due(s, 1000 + 8 * DAY, "", &list), 0);
	arena_free(a);
	store_free(s);
	place_remove(&p);
}

static int claim(struct store *s, const char *domain, int64_t now)
{
	struct err err;
	int r = stspolicies_claim(s, slice_of(domain), now, 60, &err);

	if (r < 0)
		fail_msg("%s", err.text);
	return r;
}

static void test_a_claim_holds_until_it_ends(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir), *other = store_new(p.dir);
	struct err err;

	(void)state;
	assert_int_equal(claim(s, "example.org", 1000), 1);
	assert_int_equal(claim(s, "example.org", 1001), 0);
	assert_int_equal(claim(other, "EXAMPLE.org.", 1059), 0);
	assert_int_equal(claim(other, "example.net", 1001), 1);
	assert_int_equal(claim(other, "example.org", 1060), 1);
	assert_int_equal(claim(s, "example.org", 1061), 0);
	fetched(other, "example.org", POLICY, "id", 1062); /* ends it */
	assert_int_equal(claim(s, "example.org", 1063), 1);
	assert_int_equal(stspolicies_release(s, SLICE("Example.org"), &err), 0);
	assert_int_equal(claim(other, "example.org", 1064), 1);
	/* One from a future that cannot be is none. */
	assert_int_equal(claim(s, "future.example", 100000), 1);
	assert_int_equal(claim(s, "future.example", 1000), 1);
	store_free(s);
	store_free(other);
	place_remove(&p);
}

static int claim_all(void *context)
{
	const struct place *p = context;
	struct store *s = store_new(p->dir);
	char name[40];
	int n = 0;

	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "d%d.example", i);
		n += claim(s, name, 1000);
	}
	store_free(s);
	return n;
}

static void test_each_claim_is_got_by_one_process(void **state)
{
	struct place p = place_new();
	pid_t pids[4];
	int sum = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(pids); i++)
		pids[i] = child_start(claim_all, &p);
	for (size_t i = 0; i < COUNT(pids); i++)
		sum += child_end(pids[i]);
	assert_int_equal(sum, 50);
	place_remove(&p);
}

static void test_what_is_over_goes(void **state)
{
	enum { DAY = 24 * 3600 };
	struct place p = place_new();
	struct store *s = store_new(p.dir);
	struct sts_entry failed = { .tried = 1000, .failures = 1 };
	char name[40];

	(void)state;
	fetched(s, "over.example", POLICY, "o", 1000);
	save(s, "failed.example", &failed, 1000);
	for (int i = 0; i < 70; i++) {
		snprintf(name, sizeof(name), "d%d.example", i);
		fetched(s, name, POLICY, "n", 1000 + 3 * DAY);
	}
	assert_int_equal(outside(&p, "SELECT count(*) FROM sts_policies"), 70);
	store_free(s);
	place_remove(&p);
}

static void test_rows_are_bounded(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir);
	struct arena *a = arena_new();
	struct sts_entry e;
	char name[40];

	(void)state;
	fetched(s, "first.example", POLICY, "f", 1000);
	outside(&p, "WITH RECURSIVE c(i) AS"
		    " (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<100010)"
		    "INSERT INTO sts_policies(domain, policy, id, fetched,"
		    " tried, failures, expires)"
		    " SELECT i, '', '', 2000, 3000000, 1, 1000000+i FROM c");
	for (int i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "d%d.example", i);
		fetched(s, name, POLICY, "n", 3000000);
	}
	assert_in_range(outside(&p, "SELECT count(*) FROM sts_policies"),
			STSPOLICIES_MAX, STSPOLICIES_MAX + 64);
	assert_int_equal(load(s, "first.example", a, &e), 0);
	assert_int_equal(load(s, "d63.example", a, &e), 1);
	arena_free(a);
	store_free(s);
	place_remove(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_entry_comes_back_as_it_was),
		cmocka_unit_test(test_a_failure_alone_is_kept),
		cmocka_unit_test(test_a_newer_policy_is_not_overwritten),
		cmocka_unit_test(test_rows_that_make_no_sense_count_as_none),
		cmocka_unit_test(test_domains_are_bounded),
		cmocka_unit_test(test_live_policies_that_are_due_are_listed),
		cmocka_unit_test(test_a_claim_holds_until_it_ends),
		cmocka_unit_test(test_each_claim_is_got_by_one_process),
		cmocka_unit_test(test_what_is_over_goes),
		cmocka_unit_test(test_rows_are_bounded),
	};

	return TEST_RUN(tests);
}
