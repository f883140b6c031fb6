/*
 * loop_test.c - which messages come back, and which only look so.
 */
#include "smta/loop.h"

#include "base/keyword.h"
#include "base/test.h"

static bool is_closed(const char *user, const char *header, struct arena *a,
		      struct diag *ret)
{
	struct ctl_header h = { .text = slice_of(header) };
	struct ctl_rcpt r = { .address.user = slice_of(user), .header = &h };

	return loop_is_closed(&r, SLICE("mx.example.org"), a, ret);
}

static void test_address_is_qualified_by_the_host(void **state)
{
	static const struct {
		const char *user, *want;
	} rows[] = {
		{ "bob@example.com", "bob@example.com" },
		{ "Bob", "Bob@mx.example.org" },
		{ "host!bob", "host!bob@mx.example.org" },
		{ "bob\n", "bob?@mx.example.org" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ctl_rcpt r = { .address.user = slice_of(rows[i].user) };
		struct str to = STR_INIT;

		loop_add_address(&to, &r, SLICE("mx.example.org"));
		assert_slice_is(str_slice(&to), rows[i].want);
		str_done(&to);
	}
}

static void test_own_field_closes_the_loop(void **state)
{
	static const struct {
		const char *user, *header;
		bool want;
	} rows[] = {
		{ "bob@x", "", false },
		{ "bob@x", "Subject: bob@x\n", false },
		{ "bob@x", "Delivered-To: bob@x\n", true },
		{ "bob@x", "Delivered-To: bob@x", true },
		{ "bob@x", "delivered-TO :bob@x\n", true },
		{ "bob@x", "Delivered-To:\tBOB@X  \n", true },
		{ "bob@x", "Delivered-To: bob@x\r\n", true },
		{ "BOB@X", "Delivered-To: bob@x\n", true },
		{ "bob@x", "Delivered-To:\n\tbob@x\n", true },
		{ "bob@x", "A: b\nDelivered-To: c@x\nDelivered-To: bob@x\n",
		  true },
		{ "bob@x", "Delivered-To: bob@x.example\n", false },
		{ "bob@x", "Delivered-To: rob@x\n", false },
		{ "bob@x", "Delivered-To: bob@x bob@x\n", false },
		{ "bob@x", "Delivered-To: bob@x\n bob@x\n", false },
		{ "bob@x", "Delivered-To:\n", false },
		{ "bob@x", "X-Delivered-To: bob@x\n", false },
		{ "bob@x", "Subject: a\n Delivered-To: bob@x\n", false },
		{ "bob", "Delivered-To: bob\n", false },
		{ "bob", "Delivered-To: bob@other.example.org\n", false },
		{ "bob", "Delivered-To: Bob@MX.example.org\n", true },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct diag d = { 0 };

		if (is_closed(rows[i].user, rows[i].header, a, &d) !=
		    rows[i].want)
			fail_msg("%s in %s", rows[i].user, rows[i].header);
		assert_int_equal(d.status.len > 0, rows[i].want);
	}
	arena_free(a);
}

static void test_loop_is_a_permanent_failure(void **state)
{
	struct arena *a = arena_new();
	struct diag d = { 0 };

	(void)state;
	assert_true(
	    is_closed("bob", "Delivered-To: bob@mx.example.org\n", a, &d));
	assert_int_equal(d.fate, FATE_FAILED);
	assert_slice_is(d.status, "5.4.6 (mail forwarding loop)");
	assert_slice_is(d.diagnostic, "x-local; 554 (mail forwarding loop)");
	assert_slice_is(d.text, "mail forwarding loop: it was delivered to "
				"bob@mx.example.org before");
	arena_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address_is_qualified_by_the_host),
		cmocka_unit_test(test_own_field_closes_the_loop),
		cmocka_unit_test(test_loop_is_a_permanent_failure),
	};

	return TEST_RUN(tests);
}
