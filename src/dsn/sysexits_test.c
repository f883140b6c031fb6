/*
 * sysexits_test.c - each exit code of a mailer, and the rule behind them.
 */
#include "dsn/sysexits.h"

#include "base/keyword.h"
#include "base/test.h"
#include "dsn/status.h"

static void assert_row(int code, int mapped, const char *text,
		       const char *status, const char *diagnostic)
{
	const struct sysexit *row = sysexit_find(code);

	assert_non_null(row);
	assert_int_equal(row->code, code);
	assert_int_equal(row->mapped, mapped);
	assert_string_equal(row->text, text);
	assert_string_equal(row->status, status);
	assert_string_equal(row->diagnostic, diagnostic);
}

static void test_success_is_relayed(void **state)
{
	(void)state;
	assert_row(0, 0, "", "2.5.0", "smtp;250 (Delivered)");
	assert_int_equal(sysexit_find(0)->fate, FATE_RELAYED);
	assert_false(sysexit_find(0)->is_abnormal);
}

static void test_every_permanent_code_has_its_row(void **state)
{
	static const int permanent[] = { 65, 67, 68, 69, 77 };

	(void)state;
	assert_row(65, 65, "data format error", "5.3.0",
		   "x-local; 500 (Data format error)");
	assert_row(67, 67, "addressee unknown", "5.1.1",
		   "x-local; 521 (No such target user)");
	assert_row(68, 68, "host name unknown", "5.3.0",
		   "x-local; 500 (Target host unknown)");
	assert_row(69, 69, "service unavailable", "5.3.0",
		   "x-local; 500 (Service unavailable)");
	assert_row(77, 77, "permission denied", "5.2.0",
		   "x-local; 520 (Permission denied)");
	for (size_t i = 0; i < COUNT(permanent); i++)
		assert_int_equal(sysexit_find(permanent[i])->fate, FATE_FAILED);
}

static void test_every_temporary_code_has_its_row(void **state)
{
	static const int temporary[] = { 64, 66, 70, 71, 72, 73, 74, 75, 76 };

	(void)state;
	assert_row(64, 75, "command line usage error", "4.3.0",
		   "x-local; 500 (Command line usage error)");
	assert_row(66, 75, "cannot open input", "4.3.0",
		   "x-local; 530 (Cannot open input)");
	assert_row(70, 75, "internal software error", "4.3.0",
		   "x-local; 500 (Internal software error)");
	assert_row(71, 75, "system error", "4.3.0",
		   "x-local; 500 (System error)");
	assert_row(72, 75, "critical OS file missing", "4.3.0",
		   "x-local; 500 (Critical OS file missing)");
	assert_row(73, 75, "can't create output file", "4.2.1",
		   "x-local; 500 (Can't create output file)");
	assert_row(74, 75, "input/output error", "4.2.2",
		   "x-local; 500 (Input/Output error)");
	assert_row(75, 75, "temporary failure", "4.3.0",
		   "x-local; 500 (Temporary failure)");
	assert_row(76, 75, "remote error in protocol", "4.3.0",
		   "x-local; 500 (Remote error in protocol)");
	for (size_t i = 0; i < COUNT(temporary); i++)
		assert_int_equal(sysexit_find(temporary[i])->fate,
				 FATE_DEFERRED);
}

static void test_unlisted_code_has_no_row(void **state)
{
	(void)state;
	for (int code = -300; code <= 300; code++)
		if (code != 0 && (code < 64 || code > 77))
			assert_null(sysexit_find(code));
}

static void test_only_noperm_is_abnormal(void **state)
{
	(void)state;
	for (int code = 64; code <= 77; code++)
		assert_int_equal(sysexit_find(code)->is_abnormal, code == 77);
}

static void test_status_class_belongs_to_the_fate(void **state)
{
	(void)state;
	for (int code = 0; code <= 255; code++) {
		const struct sysexit *row = sysexit_find(code);
		struct status status;

		if (row == NULL)
			continue;
		assert_int_equal(status_parse(slice_of(row->status), &status),
				 5);
		assert_int_equal(status.class, fate_class(row->fate));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_success_is_relayed),
		cmocka_unit_test(test_every_permanent_code_has_its_row),
		cmocka_unit_test(test_every_temporary_code_has_its_row),
		cmocka_unit_test(test_unlisted_code_has_no_row),
		cmocka_unit_test(test_only_noperm_is_abnormal),
		cmocka_unit_test(test_status_class_belongs_to_the_fate),
	};

	return TEST_RUN(tests);
}
