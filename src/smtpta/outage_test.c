/*
 * outage_test.c - for whom a host is out, and for how long.
 */
#include "smtpta/outage.h"

#include "base/test.h"

static int64_t time_now;

static int64_t tell_time(void)
{
	return time_now;
}

static struct diag refused(void)
{
	return (struct diag){
		.fate = FATE_DEFERRED_ALL,
		.reason = "connect-failed",
		.status = SLICE("4.4.1"),
		.text = SLICE("Connection refused"),
	};
}

static struct outage *begin(void)
{
	struct diag why = refused();
	struct outage *o;

	time_now = 1000;
	o = outage_new(tell_time);
	outage_begin(o, SLICE("mx.example"), TLS_ASKS_NOTHING, &why);
	return o;
}

static void check_out(const struct outage *o, bool is_out)
{
	const struct diag *why =
	    outage_of(o, SLICE("mx.example"), TLS_ASKS_NOTHING);

	assert_int_equal(why != NULL, is_out);
	if (is_out)
		assert_slice_is(why->text, "Connection refused");
}

static void test_nothing_is_out_at_first(void **state)
{
	struct outage *o = outage_new(tell_time);

	(void)state;
	check_out(o, false);
	outage_turn_to(o, SLICE("mx.example"));
	outage_end(o);
	check_out(o, false);
	outage_free(o);
	outage_free(NULL);
}

/* The words outlive what they were copied from; case does not matter. */
static void test_host_is_out_with_the_same_words(void **state)
{
	struct outage *o = outage_new(tell_time);
	char name[] = "mx.example", text[] = "Connection refused";
	struct diag d = refused();

	(void)state;
	d.text = slice_of(text);
	outage_begin(o, slice_of(name), TLS_ASKS_NOTHING, &d);
	name[0] = text[0] = '?';
	check_out(o, true);
	assert_non_null(outage_of(o, SLICE("MX.Example"), TLS_ASKS_NOTHING));
	assert_null(outage_of(o, SLICE("mx2.example"), TLS_ASKS_NOTHING));
	outage_free(o);
}

static void test_minute_ends_it(void **state)
{
	struct outage *o = begin();

	(void)state;
	time_now += OUTAGE_MS - 1;
	check_out(o, true);
	time_now++;
	check_out(o, false);
	outage_free(o);
}

/* Less security, or more, may be another way. */
static void test_counts_for_its_like_alone(void **state)
{
	struct outage *o = begin();

	(void)state;
	assert_null(outage_of(o, SLICE("mx.example"), TLS_ASKS_OPTIONAL));
	assert_null(outage_of(o, SLICE("mx.example"), TLS_ASKS_REQUIRED));
	check_out(o, true);
	outage_free(o);
}

static void test_another_host_begins_afresh(void **state)
{
	struct outage *o = begin();

	(void)state;
	outage_turn_to(o, SLICE("MX.EXAMPLE"));
	check_out(o, true);
	outage_turn_to(o, SLICE("other.example"));
	check_out(o, false);
	outage_free(o);
}

static void test_host_that_was_spoken_to_is_back(void **state)
{
	struct outage *o = begin();

	(void)state;
	outage_end(o);
	check_out(o, false);
	outage_free(o);
}

/* Even with the words of the one before, which are forgotten then. */
static void test_last_outage_counts(void **state)
{
	struct outage *o = begin();
	struct diag other = refused();

	(void)state;
	other.text = SLICE("No route to host");
	outage_begin(o, SLICE("other.example"), TLS_ASKS_NOTHING, &other);
	check_out(o, false);
	assert_slice_is(
	    outage_of(o, SLICE("other.example"), TLS_ASKS_NOTHING)->text,
	    "No route to host");
	outage_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_out_at_first),
		cmocka_unit_test(test_host_is_out_with_the_same_words),
		cmocka_unit_test(test_minute_ends_it),
		cmocka_unit_test(test_counts_for_its_like_alone),
		cmocka_unit_test(test_another_host_begins_afresh),
		cmocka_unit_test(test_host_that_was_spoken_to_is_back),
		cmocka_unit_test(test_last_outage_counts),
	};

	return TEST_RUN(tests);
}
