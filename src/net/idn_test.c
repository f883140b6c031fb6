/*
 * idn_test.c - U-labels into A-labels, and what is none.
 */
#include "net/idn.h"

#include "base/keyword.h"
#include "base/test.h"

struct name {
	const char *in;
	const char *want; /* NULL: refused */
};

static const struct name names[] = {
	{ "ex\303\244mple.com", "xn--exmple-cua.com" },
	{ "EX\303\204MPLE.com", "xn--exmple-cua.com" },
	{ "exa\314\210mple.com", "xn--exmple-cua.com" }, /* not NFC yet */
	{ "stra\303\237e.example", "xn--strae-oqa.example" },
	{ "a.b_c.\303\244", "a.b_c.xn--4ca" },
	{ "a\343\200\202\303\244", "a.xn--4ca" }, /* ideographic full stop */
	/* ASCII passes untouched, whatever it is. */
	{ "", "" },
	{ "Example.COM", "Example.COM" },
	{ "xn--a", "xn--a" },
	{ "a..b", "a..b" },
	/* Of the result nothing is promised but that it is ASCII. */
	{ "a\357\274\236b.\303\244", "a>b.xn--4ca" },
	{ "\303\244.", "xn--4ca." },
	/* None. */
	{ "\377.example", NULL },
	{ "\303", NULL },
	{ "\355\240\200.example", NULL },
	{ "-\303\244.example", NULL },
	{ "\342\230\203.example", NULL },
	{ "1\327\220.example", NULL }, /* begins in the wrong direction */
};

static void test_labels_become_ascii(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct str got = STR_INIT;
		struct err err;
		int r;

		str_adds(&got, "@");
		r = net_idn_ascii(slice_of(names[i].in), &got, &err);
		if ((r == 0) != (names[i].want != NULL))
			fail_msg("%s: %s", names[i].in, str_cstr(&got));
		assert_string_equal(str_cstr(&got) + 1,
				    r == 0 ? names[i].want : "");
		if (r < 0)
			assert_true(slice_starts(slice_of(err.text),
						 SLICE("no domain name")));
		str_done(&got);
	}
}

static void test_over_long_names_are_refused(void **state)
{
	struct str in = STR_INIT, got = STR_INIT;
	struct err err;

	(void)state;
	for (int i = 0; i < 64; i++)
		str_adds(&in, "\303\244");
	assert_int_equal(net_idn_ascii(str_slice(&in), &got, &err), -1);
	str_clear(&in);
	for (int i = 0; i < 200; i++)
		str_adds(&in, "\303\244.");
	assert_int_equal(net_idn_ascii(str_slice(&in), &got, &err), -1);
	for (int i = 0; i < 100000; i++)
		str_adds(&in, "\303\244.");
	assert_int_equal(net_idn_ascii(str_slice(&in), &got, &err), -1);
	assert_int_equal(net_idn_ascii(SLICE("\303\244\0x"), &got, &err), -1);
	assert_int_equal(got.len, 0);
	str_done(&in);
	str_done(&got);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels_become_ascii),
		cmocka_unit_test(test_over_long_names_are_refused),
	};

	return TEST_RUN(tests);
}
