/*
 * diag_test.c - what follows from a fate: action, class, fitting status.
 */
#include "dsn/diag.h"

#include "base/keyword.h"
#include "base/test.h"
#include "dsn/status.h"

static void test_fate_gives_action_and_class(void **state)
{
	static const struct {
		enum fate fate;
		bool is_success;
		unsigned class;
		const char *action;
	} rows[] = {
		{ FATE_DELIVERED, true, 2, "delivered" },
		{ FATE_RELAYED, true, 2, "relayed" },
		{ FATE_FAILED, false, 5, "failed" },
		{ FATE_DEFERRED, false, 4, "delayed" },
		{ FATE_DEFERRED_ALL, false, 4, "delayed" },
		{ FATE_RETRY_AT, false, 4, "delayed" },
		{ FATE_DEFERRED_BACK, false, 4, "delayed" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(fate_is_success(rows[i].fate),
				 rows[i].is_success);
		assert_int_equal(fate_class(rows[i].fate), rows[i].class);
		assert_string_equal(fate_action(rows[i].fate), rows[i].action);
	}
}

static void test_status_class_is_made_to_fit(void **state)
{
	static const struct {
		enum fate fate;
		const char *in, *want;
	} rows[] = {
		{ FATE_DEFERRED, "5.3.0", "4.3.0" },
		{ FATE_DEFERRED_ALL, "5.4.1 (TCP/IP-connection failure)",
		  "4.4.1 (TCP/IP-connection failure)" },
		{ FATE_FAILED, "5.1.1 (bad destination mailbox)",
		  "5.1.1 (bad destination mailbox)" },
		{ FATE_FAILED, "2.1.5", "5.1.5" },
		{ FATE_FAILED, "4.7.30", "5.7.30" },
		{ FATE_RELAYED, "5.0.0", "2.0.0" },
		{ FATE_DELIVERED, "", "2.0.0" },
		{ FATE_FAILED, "", "5.0.0" },
		{ FATE_DEFERRED, "", "4.0.0" },
		{ FATE_RETRY_AT, "garbage", "4.0.0" },
		{ FATE_DEFERRED_BACK, "5.1.1.1", "4.0.0" },
		{ FATE_FAILED, "9.1.1 (why)", "5.0.0" },
		{ FATE_FAILED, "(why)", "5.0.0" },
		{ FATE_FAILED, "5.1.1(why)", "5.1.1 (why)" },
		{ FATE_FAILED, "5.1.1\t (why) ", "5.1.1 (why)" },
		{ FATE_FAILED, "5.1.1 why", "5.1.1" },
		{ FATE_FAILED, "5.01.001", "5.1.1" },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct diag d = { .fate = rows[i].fate,
				  .status = slice_of(rows[i].in) };

		diag_fit_status(&d, a);
		assert_slice_is(d.status, rows[i].want);
	}
	arena_free(a);
}

static void test_fitted_status_does_not_borrow_the_old_one(void **state)
{
	char old[] = "5.4.1 (gone)";
	struct diag d = { .fate = FATE_DEFERRED, .status = slice_of(old) };
	struct arena *a = arena_new();

	(void)state;
	diag_fit_status(&d, a);
	for (size_t i = 0; i < sizeof(old); i++)
		old[i] = '!';
	assert_slice_is(d.status, "4.4.1 (gone)");
	arena_free(a);
}

static void test_comment_keeps_every_byte(void **state)
{
	struct diag d = { .fate = FATE_FAILED,
			  .status = SLICE("4.1.1 (a\0b)") };
	struct arena *a = arena_new();

	(void)state;
	diag_fit_status(&d, a);
	assert_true(slice_eq(d.status, SLICE("5.1.1 (a\0b)")));
	arena_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fate_gives_action_and_class),
		cmocka_unit_test(test_status_class_is_made_to_fit),
		cmocka_unit_test(
		    test_fitted_status_does_not_borrow_the_old_one),
		cmocka_unit_test(test_comment_keeps_every_byte),
	};

	return TEST_RUN(tests);
}
