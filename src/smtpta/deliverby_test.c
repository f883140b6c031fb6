/*
 * deliverby_test.c - every deadline before every kind of server.
 */
#include "smtpta/deliverby.h"

#include "base/keyword.h"
#include "base/test.h"

#include <stdlib.h>
#include <string.h>

enum { NOW = 1000000 };

#define NEVER NOTIFY_NEVER

static const struct caps none;
static const struct caps plain = { .deliverby = true };
static const struct caps slow = { .deliverby = true, .deliverby_min = 60 };
static const struct caps slowest = { .deliverby = true,
				     .deliverby_min = INT64_MAX };

/* "R30T" is a deadline 30 s from now; "" none; "B" sets both modes. */
static struct ctl_deliverby by_of(const char *text)
{
	struct ctl_deliverby by = { .is_set = *text != '\0' };

	by.do_return = *text == 'R' || *text == 'B';
	by.do_notify = *text == 'N' || *text == 'B';
	by.do_trace = by.is_set && text[strlen(text) - 1] == 'T';
	if (by.is_set)
		by.deadline = NOW + atoll(text + 1);
	return by;
}

static void test_parameter_has_one_mode(void **state)
{
	static const struct row {
		const char *by;
		char mode;
		bool trace;
	} rows[] = {
		{ "", '\0', false }, { "R30", 'R', false }, { "N30", 'N', 0 },
		{ "B30", 'R', 0 },   { "R30T", 'R', true }, { "N-5T", 'N', 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ctl_deliverby by = by_of(rows[i].by);
		struct smtp_by got = deliverby_param(&by);

		assert_int_equal(got.is_set, *rows[i].by != '\0');
		assert_int_equal(got.mode, rows[i].mode);
		assert_int_equal(got.trace, rows[i].trace);
		assert_int_equal(got.deadline, by.deadline);
	}
}

static void test_only_equal_deadlines_go_together(void **state)
{
	static const char *const all[] = { "",	   "R30",  "R31", "N30",
					   "R30T", "N30T", "N31" };
	struct ctl_deliverby both = by_of("B30"), ret = by_of("R30");

	(void)state;
	for (size_t i = 0; i < COUNT(all); i++)
		for (size_t j = 0; j < COUNT(all); j++) {
			struct ctl_deliverby a = by_of(all[i]),
					     b = by_of(all[j]);

			assert_int_equal(deliverby_same(&a, &b), i == j);
		}
	assert_true(deliverby_same(&both, &ret)); /* nothing else is said */
}

static void test_only_mail_to_be_returned_expires(void **state)
{
	static const struct row {
		const char *by;
		bool is_expired;
	} rows[] = {
		{ "", false },	    { "R1", false }, { "R0", true },
		{ "R-1", true },    { "B0", true },  { "R0T", true },
		{ "N-100", false }, { "N0", false },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ctl_deliverby by = by_of(rows[i].by);
		const struct diag *d = deliverby_expired(&by, NOW, a);

		assert_int_equal(d != NULL, rows[i].is_expired);
		if (d == NULL)
			continue;
		assert_int_equal(d->fate, FATE_FAILED);
		assert_slice_is(d->status, "5.4.7 (delivery time expired)");
		assert_string_equal(d->reason, "deliver-by-expired");
	}
	arena_free(a);
}

/* A deadline may be any number. */
static void test_extreme_deadlines(void **state)
{
	struct ctl_deliverby by = by_of("R1");
	struct arena *a = arena_new();

	(void)state;
	by.deadline = INT64_MIN;
	assert_non_null(deliverby_expired(&by, NOW, a));
	assert_non_null(deliverby_expired(&by, INT64_MAX, a));
	by.deadline = INT64_MAX;
	assert_null(deliverby_expired(&by, NOW, a));
	assert_null(deliverby_expired(&by, -5, a));
	assert_null(deliverby_unsuited(&by, &slow, -5, a));
	arena_free(a);
}

static void test_servers_that_returnable_mail_must_not_go_to(void **state)
{
	static const struct row {
		const char *by;
		const struct caps *caps;
		const char *why; /* NULL: it may go */
	} rows[] = {
		{ "", &none, NULL },
		{ "N30", &none, NULL },
		{ "N-30T", &none, NULL },
		{ "N30", &slow, NULL },
		{ "R30", &none, "does not offer DELIVERBY" },
		{ "B30", &none, "does not offer DELIVERBY" },
		{ "R30", &plain, NULL },
		{ "R60", &slow, NULL },
		{ "R59", &slow,
		  "only 59 seconds are left to deliver, and the "
		  "host does not promise less than 60" },
		{ "R999999999", &slowest, "only 999999999 seconds" },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ctl_deliverby by = by_of(rows[i].by);
		const struct diag *d =
		    deliverby_unsuited(&by, rows[i].caps, NOW, a);

		assert_int_equal(d != NULL, rows[i].why != NULL);
		if (d == NULL)
			continue;
		assert_int_equal(d->fate, FATE_FAILED);
		assert_slice_is(d->status, "5.3.3 (system not capable of "
					   "selected features)");
		assert_true(slice_find_text(d->text, slice_of(rows[i].why)) <
			    d->text.len);
		assert_true(slice_starts(d->diagnostic, SLICE("x-local; 500 "
							      "(")));
	}
	arena_free(a);
}

static void test_who_is_told_of_relaying(void **state)
{
	static const struct row {
		const char *by;
		unsigned notify;
		const struct caps *caps;
		bool asks, tells;
	} rows[] = {
		{ "", NOTIFY_SUCCESS, &none, false, false },
		{ "N30", NOTIFY_FAILURE, &none, true, true },
		{ "N30", NOTIFY_SUCCESS, &none, true, true },
		{ "N30", NEVER, &none, true, false },
		{ "N30", NOTIFY_FAILURE, &slow, false, false },
		{ "N30T", NOTIFY_FAILURE, &slow, false, true },
		{ "N30T", NEVER, &slow, false, false },
		{ "R30T", NOTIFY_FAILURE, &slow, false, true },
		{ "R30T", NEVER, &slow, false, false },
		{ "R30", NOTIFY_SUCCESS, &slow, false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ctl_dsn dsn = { .notify = rows[i].notify,
				       .by = by_of(rows[i].by) };

		assert_int_equal(deliverby_asks_delay(&dsn.by, rows[i].caps),
				 rows[i].asks);
		assert_int_equal(deliverby_tells_relay(&dsn, rows[i].caps),
				 rows[i].tells);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parameter_has_one_mode),
		cmocka_unit_test(test_only_equal_deadlines_go_together),
		cmocka_unit_test(test_only_mail_to_be_returned_expires),
		cmocka_unit_test(test_extreme_deadlines),
		cmocka_unit_test(
		    test_servers_that_returnable_mail_must_not_go_to),
		cmocka_unit_test(test_who_is_told_of_relaying),
	};

	return TEST_RUN(tests);
}
