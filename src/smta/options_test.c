/*
 * options_test.c - the registry of -O keys and what options say together.
 */
#include "smta/options.h"

#include "base/keyword.h"
#include "base/test.h"
#include "proc/launch.h"

#include <string.h>

static void test_no_key_stands_twice_in_the_registry(void **state)
{
	size_t n;
	const struct smta_own_key *keys = smta_own_keys(&n);

	(void)state;
	assert_true(n > 0);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(keys[i].key, keys[k].key);
}

static void test_timeout_is_an_interval(void **state)
{
	static const struct {
		const char *value;
		unsigned want;
	} rows[] = {
		{ "timeout=30m", 1800 },    { "timeout=1", 1 },
		{ "timeout=0", 0 },	    { "timeout=1h5m20s", 3920 },
		{ "timeout=40d", 3456000 },
	};
	struct smta_options o = smta_options_default();
	struct err err;

	(void)state;
	assert_int_equal(o.timeout, 1800);
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(
		    smta_options_own(&o, slice_of(rows[i].value), &err), 0);
		assert_int_equal(o.timeout, rows[i].want);
	}
}

static void test_sync_is_always_or_auto(void **state)
{
	struct smta_options o = smta_options_default();
	struct err err;

	(void)state;
	assert_false(o.sync_always);
	assert_int_equal(smta_options_own(&o, SLICE("sync=always"), &err), 0);
	assert_true(o.sync_always);
	assert_int_equal(smta_options_own(&o, SLICE("sync=auto"), &err), 0);
	assert_false(o.sync_always);
}

static void check_list(const struct smta_list *list, const char *const *want)
{
	for (size_t i = 0; i < list->n; i++) {
		assert_non_null(want[i]);
		assert_slice_is(list->items[i], want[i]);
	}
	assert_null(want[list->n]);
}

static void test_limits_are_kept_in_order(void **state)
{
	static const char *const limits[] = {
		"cpu=30",     "directory=/tmp",	   "file-size=10M",
		"group=mail", "memory=1G",	   "nice=-3",
		"no-network", "no-new-privileges", "processes=20",
		"read-only",  "read-write=/tmp",   "read-write=/var/tmp",
		"umask=027",  "user=daemon",	   "cpu=31",
		NULL
	};
	struct smta_options o = smta_options_default();
	struct err err;

	(void)state;
	for (size_t i = 0; limits[i] != NULL; i++)
		assert_int_equal(
		    smta_options_own(&o, slice_of(limits[i]), &err), 0);
	check_list(&o.limits, limits);
	smta_options_done(&o);
	assert_int_equal(o.limits.n, 0);
}

/* A key for each word and no other: launch.c knows them all. */
static void test_every_limit_is_a_word_of_zlaunch(void **state)
{
	static const char *const others[] = { "environment", "loop-guard",
					      "sync", "syslog", "timeout" };
	size_t n, n_limits = 0;
	const struct smta_own_key *keys = smta_own_keys(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct slice key = slice_of(keys[i].key);
		bool is_other = false;
		struct err err = { 0 };

		for (size_t k = 0; k < COUNT(others); k++)
			is_other |= slice_eq(key, slice_of(others[k]));
		if (launch_check_word(key, &err) < 0)
			assert_int_equal(
			    slice_find_text(slice_of(err.text),
					    SLICE(": unknown word")) <
				strlen(err.text),
			    is_other);
		n_limits += is_other ? 0 : 1;
	}
	assert_int_equal(n_limits, 13);
}

static void test_environment_is_kept_in_order(void **state)
{
	static const char *const want[] = { "A=1", "B=$SENDER", "A=", NULL };
	struct smta_options o = smta_options_default();
	struct err err;

	(void)state;
	assert_int_equal(smta_options_own(&o, SLICE("environment=A=1"), &err),
			 0);
	assert_int_equal(
	    smta_options_own(&o, SLICE("environment=B=$SENDER"), &err), 0);
	assert_int_equal(smta_options_own(&o, SLICE("environment=A="), &err),
			 0);
	check_list(&o.environment, want);
	smta_options_done(&o);
}

static void test_loop_guard_is_off_until_asked_for(void **state)
{
	struct smta_options o = smta_options_default();
	struct err err;

	(void)state;
	assert_false(o.loop_guard);
	assert_int_equal(smta_options_own(&o, SLICE("loop-guard"), &err), 0);
	assert_true(o.loop_guard);
}

static void test_bad_keys_and_values_are_named(void **state)
{
	static const struct {
		const char *value, *want;
	} rows[] = {
		{ "nonsense=1", "-O nonsense: unknown key" },
		{ "", "-O : unknown key" },
		{ "=1", "-O : unknown key" },
		{ "Timeout=1", "-O Timeout: unknown key" },
		{ "sync=no", "-O sync=no: expected always or auto" },
		{ "sync", "-O sync: expected always or auto" },
		{ "syslog", "-O syslog: expected the absolute path of a "
			    "socket" },
		{ "syslog=log", "-O syslog=log: expected the absolute path of "
				"a socket" },
		{ "timeout=", "-O timeout=: expected an interval of at most "
			      "40d, such as 30m; 0 for none" },
		{ "loop-guard=yes", "-O loop-guard=yes: expected no value" },
		{ "cpu", "-O cpu: expected a number of seconds from 1" },
		{ "memory=lots", "-O memory=lots: expected a number of bytes, "
				 "such as 500M" },
		{ "no-network=1", "-O no-network=1: expected no value" },
		{ "report=3", "-O report: unknown key" },
		{ "environment", "-O environment=: expected NAME=VALUE" },
		{ "environment=A", "-O environment=A: expected NAME=VALUE" },
		{ "environment=A=$x", "-O environment=A: there is no ${x}" },
		{ "timeout=x", "-O timeout=x: expected an interval of at most "
			       "40d, such as 30m; 0 for none" },
		{ "timeout=41d", "-O timeout=41d: expected an interval of at "
				 "most 40d, such as 30m; 0 for none" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct smta_options o = smta_options_default();
		struct err err;

		assert_int_equal(
		    smta_options_own(&o, slice_of(rows[i].value), &err), -1);
		assert_string_equal(err.text, rows[i].want);
		assert_int_equal(o.timeout, 1800);
		assert_false(o.sync_always || o.loop_guard);
		assert_string_equal(o.syslog_path, "/dev/log");
		assert_int_equal(o.limits.n + o.environment.n, 0);
	}
}

static void test_channel_or_host_and_a_mailer_are_needed(void **state)
{
	struct smta_options o = smta_options_default();
	struct err err;

	(void)state;
	o.mailer = "m";
	assert_int_equal(smta_options_check(&o, &err), -1);
	o.has_host = true;
	assert_int_equal(smta_options_check(&o, &err), 0);
	o.has_channel = true;
	assert_int_equal(smta_options_check(&o, &err), 0);
	o.has_host = false;
	assert_int_equal(smta_options_check(&o, &err), 0);
	o.mailer = NULL;
	assert_int_equal(smta_options_check(&o, &err), -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_key_stands_twice_in_the_registry),
		cmocka_unit_test(test_timeout_is_an_interval),
		cmocka_unit_test(test_sync_is_always_or_auto),
		cmocka_unit_test(test_limits_are_kept_in_order),
		cmocka_unit_test(test_every_limit_is_a_word_of_zlaunch),
		cmocka_unit_test(test_environment_is_kept_in_order),
		cmocka_unit_test(test_loop_guard_is_off_until_asked_for),
		cmocka_unit_test(test_bad_keys_and_values_are_named),
		cmocka_unit_test(test_channel_or_host_and_a_mailer_are_needed),
	};

	return TEST_RUN(tests);
}
