/*
 * title_test.c - the two forms of the title, its cuts, and that nothing is
 * made when nobody looks.
 */
#include "agent/title.h"

#include "base/test.h"

static struct str shown;
static unsigned n_shown;

static void show(const char *title)
{
	str_clear(&shown);
	str_adds(&shown, title);
	n_shown++;
}

static void test_both_forms(void **state)
{
	struct title t = { .show = show };

	(void)state;
	title_say(&t, "#hungry");
	assert_slice_is(str_slice(&shown), ">[]  #hungry");
	title_set_peer(&t, SLICE("127.0.0.1|41353"), SLICE("relay.example"),
		       false);
	title_say(&t, "connecting to [%s]", "127.0.0.1");
	assert_slice_is(str_slice(&shown), ">[127.0.0.1|41353] relay.example "
					   "connecting to [127.0.0.1]");
	title_set_peer(&t, SLICE("127.0.0.1|41353|127.0.0.1|5057"),
		       SLICE("relay.example.com"), true);
	title_say(&t, "#hungry");
	assert_slice_is(
	    str_slice(&shown),
	    ">127.0.0.1|41353|127.0.0.1|5057 relay.example.com#hungry");
	title_done(&t);
}

static void test_address_and_host_are_cut_and_made_printable(void **state)
{
	struct title t = { .show = show };

	(void)state;
	title_set_peer(&t, SLICE("0123456789012345678901234567890123456789"),
		       SLICE("h\nst-012345678901234567890123456789"), true);
	title_say(&t, "a\tb\x1b");
	assert_slice_is(str_slice(&shown), ">012345678901234567890123456789 "
					   "h?st-0123456789012345678901234"
					   "a b?");
	title_done(&t);
}

static void test_nothing_is_made_when_nobody_looks(void **state)
{
	struct title t = { 0 };

	(void)state;
	n_shown = 0;
	assert_false(title_is_shown(&t));
	title_set_peer(&t, SLICE("address"), SLICE("host"), true);
	title_say(&t, "#hungry");
	assert_int_equal(n_shown, 0);
	assert_null(t.address.p);
	assert_null(t.host.p);
	assert_null(t.text.p);
	title_done(&t);
}

static int free_shown(void **state)
{
	(void)state;
	str_done(&shown);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_forms),
		cmocka_unit_test(
		    test_address_and_host_are_cut_and_made_printable),
		cmocka_unit_test_teardown(
		    test_nothing_is_made_when_nobody_looks, free_shown),
	};

	return TEST_RUN(tests);
}
