/*
 * options_test.c - the registry of -O keys and what options say together.
 */
#include "smta/options.h"

#include "base/keyword.h"
#include "base/test.h"

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
		{ "timeout=", "-O timeout=: expected an interval of at most "
			      "40d, such as 30m; 0 for none" },
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
		assert_false(o.sync_always);
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
		cmocka_unit_test(test_bad_keys_and_values_are_named),
		cmocka_unit_test(test_channel_or_host_and_a_mailer_are_needed),
	};

	return TEST_RUN(tests);
}
