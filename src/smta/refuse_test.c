/*
 * refuse_test.c - hostile addresses fail by name, harmless ones pass.
 */
#include "smta/refuse.h"

#include "base/keyword.h"
#include "base/test.h"
#include "smta/flags.h"

/* One envelope; NULL as sender: the empty reverse path. */
static bool refuse(unsigned flags, const char *sender, struct slice host,
		   struct slice user, struct diag *ret)
{
	struct ctl_sender s = { .is_null = sender == NULL };
	struct ctl_rcpt r = { .sender = &s };

	s.address.user = slice_of(sender != NULL ? sender : "-");
	r.address.host = host;
	r.address.user = user;
	return refuse_addresses(flags, &s, &r, ret);
}

static void test_control_bytes_are_refused(void **state)
{
	static const struct {
		const char *sender;
		struct slice host, user;
		const char *status;
	} rows[] = {
		{ "s", { "h", 1 }, { "a\rb", 3 }, "5.1.3" },
		{ "s", { "h", 1 }, { "a\nb", 3 }, "5.1.3" },
		{ "s", { "h", 1 }, { "a\0b", 3 }, "5.1.3" },
		{ "s", { "h", 1 }, { "a\x1b", 2 }, "5.1.3" },
		{ "s", { "h", 1 }, { "\x7f", 1 }, "5.1.3" },
		{ "s", { "h\1", 2 }, { "u", 1 }, "5.1.3" },
		{ "s\r", { "h", 1 }, { "u", 1 }, "5.1.7" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct diag d = { 0 };

		assert_true(
		    refuse(0, rows[i].sender, rows[i].host, rows[i].user, &d));
		assert_int_equal(d.fate, FATE_FAILED);
		assert_slice_is(slice_head(d.status, 5), rows[i].status);
		assert_true(d.text.len > 0 && d.diagnostic.len > 0);
	}
}

static void test_only_batched_smtp_is_strict_about_syntax(void **state)
{
	static const struct {
		const char *sender, *user, *status;
	} rows[] = {
		{ "s@example.org", "a>b", "5.1.3" },
		{ "s@example.org", "a<b", "5.1.3" },
		{ "s@example.org", "a b", "5.1.3" },
		{ "s@example.org", "\"a", "5.1.3" },
		{ "s>", "u@example.org", "5.1.7" },
		{ "s@example.org", "\xc3\xbc@example.org", "5.6.7" },
		{ "\xc3\xbc@example.org", "u@example.org", "5.6.7" },
		{ "s@example.org", "u@example.org", NULL },
		{ NULL, "u@example.org", NULL },
		{ "s@example.org", "\"a b\"@example.org", NULL },
		{ "s@example.org", "-u@example.org", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct diag d = { 0 };
		struct slice user = slice_of(rows[i].user);

		assert_false(refuse(0, rows[i].sender, SLICE("h"), user, &d));
		assert_int_equal(
		    refuse(SMTA_BSMTP, rows[i].sender, SLICE("h"), user, &d),
		    rows[i].status != NULL);
		if (rows[i].status != NULL)
			assert_slice_is(slice_head(d.status, 5),
					rows[i].status);
	}
}

static void test_over_long_path_is_refused_in_batched_smtp(void **state)
{
	struct str user = STR_INIT;
	struct diag d;

	(void)state;
	for (int i = 0; i < 1500; i++)
		str_addc(&user, 'u');
	str_adds(&user, "@example.org");
	assert_false(refuse(0, "s", SLICE("h"), str_slice(&user), &d));
	assert_true(refuse(SMTA_BSMTP, "s", SLICE("h"), str_slice(&user), &d));
	assert_slice_is(slice_head(d.status, 5), "5.1.3");
	assert_slice_is(d.text, "the address is too long");
	str_done(&user);
}

static void test_option_like_value_is_named(void **state)
{
	struct arena *a = arena_new();
	struct diag d = refuse_option_like(SLICE("$u"), a);

	(void)state;
	assert_int_equal(d.fate, FATE_FAILED);
	assert_slice_is(slice_head(d.status, 5), "5.1.3");
	assert_slice_is(d.text, "the value of $u begins with '-' and would be "
				"taken for an option");
	arena_free(a);
	d = refuse_too_long();
	assert_slice_is(slice_head(d.status, 5), "5.1.3");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_control_bytes_are_refused),
		cmocka_unit_test(test_only_batched_smtp_is_strict_about_syntax),
		cmocka_unit_test(
		    test_over_long_path_is_refused_in_batched_smtp),
		cmocka_unit_test(test_option_like_value_is_named),
	};

	return TEST_RUN(tests);
}
