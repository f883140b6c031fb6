/*
 * glance_test.c - a glance against the scan that knows everything.
 */
#include "mime/glance.h"

#include "base/test.h"
#include "mime/scan.h"

#include <stdlib.h>
#include <string.h>

static void check(const char *bytes, size_t n, uint64_t line_max, unsigned seed)
{
	struct slice rest = slice_make(bytes, n);
	struct glance g;
	struct scan s;
	bool is_long;

	scan_begin(&s);
	scan_push(&s, rest);
	scan_end(&s);
	glance_begin(&g, line_max);
	while (rest.len > 0) {
		size_t step = seed == 0 ? n : (size_t)rand() % (seed * 40) + 1;

		glance_push(&g, slice_head(rest, step));
		rest = slice_from(rest, step);
	}
	assert_int_equal(g.has_8bit, s.has_8bit);
	assert_int_equal(g.has_nul, s.has_nul);
	assert_int_equal(g.size, n);
	is_long = line_max > 0 && s.longest > line_max;
	if (s.has_crlf || s.has_bare_cr) /* it may count a CR */
		assert_true(g.may_be_long || !is_long);
	else
		assert_int_equal(g.may_be_long, is_long);
}

static void test_glance_sees_what_a_scan_sees(void **state)
{
	char bytes[400];

	(void)state;
	srand(1);
	for (unsigned i = 0; i < 20000; i++) {
		size_t n = (size_t)rand() % sizeof(bytes);

		for (size_t k = 0; k < n; k++)
			bytes[k] = rand() % 30 == 0 ? '\n' : 'x';
		if (n > 0 && i % 3 == 0)
			bytes[(size_t)rand() % n] = '\0';
		if (n > 0 && i % 5 == 0)
			bytes[(size_t)rand() % n] = (char)0x80;
		if (n > 0 && i % 7 == 0)
			bytes[(size_t)rand() % n] = '\r';
		check(bytes, n, (uint64_t)rand() % 120, i % 4);
	}
}

static void test_line_may_be_as_long_as_it_may(void **state)
{
	char bytes[2000];

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	bytes[998] = '\n';
	check(bytes, 999, 998, 0);
	check(bytes, 998, 998, 0);
	check(bytes, sizeof(bytes), 998, 0);
	bytes[0] = '\n';
	bytes[998] = 'x';
	bytes[999] = '\n';
	check(bytes, 1000, 998, 0);
	check(bytes, 1000, 997, 3);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_glance_sees_what_a_scan_sees),
		cmocka_unit_test(test_line_may_be_as_long_as_it_may),
	};

	return TEST_RUN(tests);
}
