/*
 * news_test.c - what is told of destinations, and what can be asked besides.
 */
#include "queue/test_queue.h"

static struct str heard;

/* "-smtp/a:TRIES+SECONDS=WHY " or "+smtp/a:TRIES=WHY ". */
static void hear(void *context, const struct queue_news *n)
{
	struct play *p = context;

	str_addf(&heard, "%c%.*s/%.*s:%u", n->is_suspended ? '-' : '+',
		 SLICE_ARG(n->channel), SLICE_ARG(n->host), n->tries);
	if (n->is_suspended)
		str_addf(&heard, "+%lld", (long long)(n->until - p->now) / SEC);
	str_addf(&heard, "=%.*s ", SLICE_ARG(n->why));
}

static void begin(struct play *p)
{
	struct queue_config config;

	play_make(p);
	config = play_config(p);
	config.news = hear;
	p->q = queue_new(&config);
	str_clear(&heard);
}

static void
test_each_suspension_is_told_and_the_first_answer_after(void **state)
{
	struct play p;

	(void)state;
	begin(&p);
	play_add(&p, 1, "smtp/a smtp/a");
	play_add(&p, 2, "smtp/b");
	PLAY(&p, 0, "start1@a start2@b");
	queue_hungry(p.q, 1, p.now);
	queue_hungry(p.q, 2, p.now);
	PLAY(&p, 0, "feed1:1@a feed2:2@b");
	assert_true(play_report(&p, 1, 1, 10, QUEUE_DEFERRED_ALL));
	assert_string_equal(str_cstr(&heard), "-smtp/a:1+10=because ");
	/* The same again, of another recipient, is no news. */
	assert_true(play_report(&p, 1, 1, 20, QUEUE_DEFERRED_ALL));
	queue_hungry(p.q, 1, p.now);
	play_answer(&p, 2, 2, QUEUE_DELIVERED);
	assert_string_equal(str_cstr(&heard), "-smtp/a:1+10=because ");
	PLAY(&p, 10, "finish:2 feed1:1@a");
	assert_true(play_report(&p, 1, 1, 10, QUEUE_DEFERRED_ALL));
	queue_hungry(p.q, 1, p.now);
	PLAY(&p, 20, "feed1:1@a");
	assert_true(play_report(&p, 1, 1, 10, QUEUE_DELIVERED));
	assert_true(play_report(&p, 1, 1, 20, QUEUE_FAILED));
	queue_hungry(p.q, 1, p.now);
	assert_string_equal(str_cstr(&heard),
			    "-smtp/a:1+10=because -smtp/a:2+20=because "
			    "+smtp/a:2=because ");
	play_end(&p);
	str_done(&heard);
}

static void test_report_is_about_what_the_agent_was_fed(void **state)
{
	struct queue_about about;
	struct play p;

	(void)state;
	begin(&p);
	play_add(&p, 7, "smtp/a smtp/b");
	PLAY(&p, 0, "start1@a start2@b");
	queue_hungry(p.q, 1, p.now);
	PLAY(&p, 5, "feed1:7@a");
	assert_true(queue_report_about(p.q, 1, 7, 10, &about));
	assert_slice_is(about.name, "7");
	assert_slice_is(about.channel, "smtp");
	assert_slice_is(about.host, "a");
	assert_int_equal(about.arrived, p.now - 5 * SEC);
	assert_int_equal(about.tries, 0);
	assert_false(queue_report_about(p.q, 1, 7, 20, &about));
	assert_false(queue_report_about(p.q, 1, 8, 10, &about));
	assert_false(queue_report_about(p.q, 3, 7, 10, &about));
	assert_true(play_report(&p, 1, 7, 10, QUEUE_DELIVERED));
	assert_false(queue_report_about(p.q, 1, 7, 10, &about));
	play_end(&p);
	str_done(&heard);
}

static void test_ages_follow_what_comes_and_goes(void **state)
{
	struct queue_age row = { .age = 60 * SEC };
	struct play p;

	(void)state;
	begin(&p);
	assert_int_equal(queue_ages(p.q, p.now, &row, 1), 0);
	play_add(&p, 1, "hold/a");
	p.now += 100 * SEC;
	play_add(&p, 2, "hold/a");
	assert_int_equal(queue_arrived(p.q, SLICE("2")), p.now);
	assert_int_equal(queue_arrived(p.q, SLICE("3")), 0);
	assert_in_range(queue_ages(p.q, p.now, &row, 1), 84 * SEC, 116 * SEC);
	assert_int_equal(row.n_older, 1);
	queue_forget(p.q, SLICE("1"), p.now);
	assert_int_equal(queue_ages(p.q, p.now, &row, 1), 0);
	assert_int_equal(row.n_older, 0);
	play_end(&p);
	str_done(&heard);
}

static void add_up(void *context, struct slice channel, size_t n_open,
		   size_t n_held)
{
	str_addf(context, "%.*s %zu %zu;", SLICE_ARG(channel), n_open, n_held);
}

static void test_channels_are_counted_by_themselves(void **state)
{
	struct str text = STR_INIT;
	struct play p;

	(void)state;
	begin(&p);
	play_add(&p, 1, "smtp/a smtp/b !smtp/b hold/a");
	queue_channels(p.q, add_up, &text);
	assert_string_equal(str_cstr(&text), "hold 1 0;smtp 2 1;");
	queue_forget(p.q, SLICE("1"), p.now);
	str_clear(&text);
	queue_channels(p.q, add_up, &text);
	assert_string_equal(str_cstr(&text), "hold 0 0;smtp 0 0;");
	play_end(&p);
	str_done(&text);
	str_done(&heard);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_each_suspension_is_told_and_the_first_answer_after),
		cmocka_unit_test(test_report_is_about_what_the_agent_was_fed),
		cmocka_unit_test(test_ages_follow_what_comes_and_goes),
		cmocka_unit_test(test_channels_are_counted_by_themselves),
	};

	return TEST_RUN(tests);
}
