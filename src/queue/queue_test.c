/*
 * queue_test.c - what the queue decides, story by story.
 */
#include "queue/test_queue.h"

static void test_a_message_goes_out_and_is_finished(void **state)
{
	struct play *p = &play;

	(void)state;
	play_begin(p);
	play_add(p, 5, "smtp/a smtp/a");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:5@a");
	assert_true(play_report(p, 1, 5, 10, QUEUE_DELIVERED));
	assert_true(play_report(p, 1, 5, 20, QUEUE_DELIVERED));
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "finish:5");
	queue_forget(p->q, SLICE("5"), p->now);
	assert_false(queue_has(p->q, SLICE("5")));
	PLAY(p, 49, "");
	PLAY(p, 1, "stop1"); /* idlemax */
	queue_agent_gone(p->q, 1, false, p->now);
	PLAY(p, 1000, "");
	assert_int_equal(queue_count(p->q).threads, 0);
}

static void test_retries_follow_the_factors(void **state)
{
	struct play *p = &play;

	(void)state;
	play_begin(p);
	play_add(p, 5, "smtp/a");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:5@a");
	play_answer(p, 1, 5, QUEUE_DEFERRED);
	PLAY(p, 9, "");
	PLAY(p, 1, "feed1:5@a");
	play_answer(p, 1, 5, QUEUE_DEFERRED);
	PLAY(p, 19, "");
	PLAY(p, 1, "feed1:5@a");
	play_answer(p, 1, 5, QUEUE_DEFERRED);
	PLAY(p, 39, "");
	PLAY(p, 1, "feed1:5@a");
}

static void test_one_success_releases_all_that_waits_there(void **state)
{
	struct play *p = &play;

	(void)state;
	p->clauses[0].overfeed = 1;
	play_begin(p);
	play_add(p, 1, "smtp/a");
	play_add(p, 2, "smtp/a");
	play_add(p, 3, "smtp/a");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a feed1:2@a");
	assert_true(play_report(p, 1, 1, 10, QUEUE_DEFERRED_ALL));
	queue_hungry(p->q, 1, p->now);
	play_answer(p, 1, 2, QUEUE_DEFERRED); /* with the same text */
	assert_int_equal(queue_count(p->q).suspended, 1);
	play_add(p, 4, "smtp/a"); /* a new one does not wake it */
	PLAY(p, 9, "");
	PLAY(p, 1, "feed1:3@a"); /* one alone is tried */
	PLAY(p, 5, "");
	play_answer(p, 1, 3, QUEUE_DELIVERED);
	PLAY(p, 0, "finish:3 feed1:1@a feed1:2@a");
	play_answer(p, 1, 1, QUEUE_DELIVERED);
	PLAY(p, 0, "finish:1 feed1:4@a");
}

static void test_a_dead_destination_is_asked_less_and_less(void **state)
{
	struct play *p = &play;

	(void)state;
	play_begin(p);
	play_add(p, 1, "smtp/a");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	play_answer(p, 1, 1, QUEUE_DEFERRED_ALL);
	PLAY(p, 10, "feed1:1@a");
	play_answer(p, 1, 1, QUEUE_DEFERRED_ALL);
	PLAY(p, 19, "");
	PLAY(p, 1, "feed1:1@a");
	play_answer(p, 1, 1, QUEUE_DEFERRED_ALL);
	PLAY(p, 39, "");
	PLAY(p, 1, "feed1:1@a");
	play_answer(p, 1, 1, QUEUE_DELIVERED);
	play_add(p, 2, "smtp/a");
	PLAY(p, 0, "finish:1 feed1:2@a");
	play_answer(p, 1, 2, QUEUE_DEFERRED_ALL);
	PLAY(p, 9, ""); /* begins anew */
	PLAY(p, 1, "feed1:2@a");
}

static void test_retryat_is_obeyed(void **state)
{
	struct play *p = &play;
	struct queue_report r = { .id = 1,
				  .offset = 10,
				  .outcome = QUEUE_DEFERRED_ALL };

	(void)state;
	play_begin(p);
	play_add(p, 1, "smtp/a");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	r.retry = p->now + 33 * SEC;
	assert_true(queue_report(p->q, 1, &r, p->now));
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 32, "");
	PLAY(p, 1, "feed1:1@a");
}

static void test_what_an_agent_leaves_unsaid_waits(void **state)
{
	struct play *p = &play;

	(void)state;
	play_begin(p);
	play_add(p, 1, "smtp/a smtp/a");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	assert_true(play_report(p, 1, 1, 20, QUEUE_DELIVERED));
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 9, "");
	PLAY(p, 1, "feed1:1@a");
	queue_hungry(p->q, 1, p->now); /* not a word: what does the file say? */
	PLAY(p, 0, "look:1");
	play_add(p, 1, "=smtp/a =smtp/a");
	PLAY(p, 0, "finish:1");
}

static void test_reports_of_what_was_not_fed_change_nothing(void **state)
{
	struct play *p = &play;

	(void)state;
	play_begin(p);
	play_add(p, 1, "smtp/a");
	play_add(p, 2, "smtp/b");
	PLAY(p, 0, "start1@a start2@b");
	queue_hungry(p->q, 1, p->now);
	queue_hungry(p->q, 2, p->now);
	PLAY(p, 0, "feed1:1@a feed2:2@b");
	assert_false(play_report(p, 1, 2, 10, QUEUE_DELIVERED));
	assert_false(play_report(p, 1, 1, 11, QUEUE_DELIVERED));
	assert_false(play_report(p, 1, 3, 10, QUEUE_DELIVERED));
	assert_false(play_report(p, 9, 1, 10, QUEUE_DELIVERED));
	play_answer(p, 1, 1, QUEUE_DELIVERED);
	assert_false(play_report(p, 1, 1, 10, QUEUE_DELIVERED));
	for (int i = 0; i < 5; i++) /* it counts on */
		queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "finish:1");
	assert_int_equal(queue_count(p->q).fed, 1);
}

/* Its files were removed behind our back, and the name came again. */
static void test_another_message_of_the_same_name(void **state)
{
	struct play *p = &play;

	(void)state;
	play_begin(p);
	play_add(p, 1, "smtp/a smtp/a");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	play_add(p, 1, "smtp/b");
	PLAY(p, 0, "start2@b");
	assert_false(play_report(p, 1, 1, 10, QUEUE_DELIVERED));
	queue_hungry(p->q, 1, p->now);
	queue_hungry(p->q, 2, p->now);
	PLAY(p, 0, "feed2:1@b");
	play_answer(p, 2, 1, QUEUE_DELIVERED);
	PLAY(p, 0, "finish:1");
	play_add(p, 2, "smtp/a smtp/c"); /* as many, elsewhere */
	play_add(p, 2, "smtp/a smtp/d");
	assert_int_equal(queue_count(p->q).messages, 2);
	assert_int_equal(queue_count(p->q).jobs, 3);
}

/* However old it is: nobody was there to try. */
static void test_old_mail_gets_a_try_after_a_start(void **state)
{
	struct play *p = &play;
	struct queue_rcpt rcpt = { .offset = 10,
				   .channel = SLICE("hold"),
				   .host = SLICE("a") };
	struct queue_message m = { .name = SLICE("1"),
				   .id = 1,
				   .arrived = 1,
				   .rcpts = &rcpt,
				   .n_rcpts = 1 };

	(void)state;
	play_begin(p);
	queue_add(p->q, &m, p->now);
	PLAY(p, 499, "");
	PLAY(p, 60, "expire:1/10"); /* expiry2 later, here */
}

static void test_old_mail_expires(void **state)
{
	struct play *p = &play;

	(void)state;
	p->clauses[0].interval = 600;
	play_begin(p);
	play_add(p, 1, "smtp/a =smtp/a smtp/a !smtp/a");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	assert_true(play_report(p, 1, 1, 10, QUEUE_DEFERRED));
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 50, "stop1");
	queue_agent_gone(p->q, 1, false, p->now);
	PLAY(p, 549, "");
	PLAY(p, 1, "start2@a");
	queue_hungry(p->q, 2, p->now);
	PLAY(p, 0, "feed2:1@a");
	queue_hungry(p->q, 2, p->now);
	PLAY(p, 50, "look:1 stop2");
	queue_agent_gone(p->q, 2, false, p->now);
	PLAY(p, 349, "");
	PLAY(p, 1, "expire:1/10/30"); /* what is held stays */
	queue_settle(p->q, SLICE("1"), 10, true, p->now);
	queue_settle(p->q, SLICE("1"), 30, false, p->now); /* disk full */
	PLAY(p, 59, "");
	PLAY(p, 1, "report:1 expire:1/30");
	queue_reported(p->q, SLICE("1"), true, p->now);
	queue_settle(p->q, SLICE("1"), 30, true, p->now);
	PLAY(p, 60, "report:1");
	queue_reported(p->q, SLICE("1"), true, p->now);
	assert_true(queue_release(p->q, SLICE("1"), 40, p->now));
	PLAY(p, 0, "expire:1/40");
	queue_settle(p->q, SLICE("1"), 40, true, p->now);
	PLAY(p, 0, "finish:1");
}

static void test_untried_mail_has_more_time(void **state)
{
	struct play *p = &play;

	(void)state;
	play_begin(p);
	play_add(p, 1, "hold/a");
	PLAY(p, 1499, "");
	PLAY(p, 1, "expire:1/10");
}

static void test_queueonly_goes_when_it_is_told_to(void **state)
{
	struct play *p = &play;

	(void)state;
	play_begin(p);
	play_add(p, 1, "hold/a");
	PLAY(p, 10, "");
	assert_false(play_kick(p, "hold", "b"));
	assert_true(play_kick(p, "hold", "a"));
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	play_answer(p, 1, 1, QUEUE_DELIVERED);
	play_add(p, 2, "hold/a");
	PLAY(p, 10, "finish:1");
}

static void test_deadlines_are_kept(void **state)
{
	struct play *p = &play;

	(void)state;
	play_begin(p);
	play_add(p, 1, "r:hold/a n:hold/a hold/a");
	PLAY(p, 99, "");
	PLAY(p, 1, "expire:1/10 delay:1/20");
	queue_settle(p->q, SLICE("1"), 10, true, p->now);
	PLAY(p, 200, "report:1 report:1 report:1");
}

static void test_delays_are_told_at_their_times(void **state)
{
	struct play *p = &play;

	(void)state;
	play_begin(p);
	play_add(p, 1, "d:hold/a hold/a");
	PLAY(p, 29, "");
	PLAY(p, 1, "delay:1/10");
	PLAY(p, 269, "");
	PLAY(p, 1, "delay:1/10");
	PLAY(p, 400, "");
}

/* The number of the next report of a delay in these seconds; 0: none. */
static unsigned next_delay(struct play *p, int64_t seconds)
{
	unsigned delays = 0;

	for (int64_t end = p->now + seconds * SEC; p->now < end && delays == 0;
	     p->now += SEC) {
		struct queue_action a;

		queue_run(p->q, p->now);
		while (queue_next(p->q, &a))
			if (a.kind == QUEUE_DELAY && !a.is_deadline)
				delays = a.delays;
	}
	return delays;
}

static void test_delays_that_were_told_before_are_counted(void **state)
{
	struct play *p = &play;
	struct queue_rcpt rcpt = { .offset = 10,
				   .flags = QUEUE_NOTIFY_DELAY,
				   .n_delays = 1,
				   .channel = SLICE("hold"),
				   .host = SLICE("a") };

	(void)state;
	play_begin(p);
	queue_add(p->q,
		  &(struct queue_message){ .name = SLICE("1"),
					   .id = 1,
					   .arrived = p->now,
					   .rcpts = &rcpt,
					   .n_rcpts = 1 },
		  p->now);
	assert_int_equal(next_delay(p, 299), 0);
	assert_int_equal(next_delay(p, 3), 2);
	assert_int_equal(next_delay(p, 400), 0);
}

static void test_what_others_have_locked_is_looked_at_again(void **state)
{
	struct play *p = &play;

	(void)state;
	play_begin(p);
	play_add(p, 1, "?smtp/a");
	PLAY(p, 4, "");
	PLAY(p, 1, "look:1");
	PLAY(p, 5, "look:1"); /* no answer came */
	play_add(p, 1, "smtp/a");
	PLAY(p, 0, "start1@a");
}

static void test_resync_takes_what_the_file_says(void **state)
{
	struct play *p = &play;

	(void)state;
	play_begin(p);
	play_add(p, 1, "smtp/a smtp/a");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	queue_resync(p->q, 1, SLICE("1"), p->now);
	queue_resync(p->q, 1, SLICE("no-such"), p->now);
	PLAY(p, 0, "look1:1");
	play_add(p, 1, "=smtp/a smtp/a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 10, "feed1:1@a");
	queue_resync(p->q, 1, SLICE("1"), p->now);
	PLAY(p, 0, "look1:1");
	play_add(p, 1, "=smtp/a =smtp/a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "finish:1");
}

static void test_a_forgotten_message_may_still_be_answered(void **state)
{
	struct play *p = &play;

	(void)state;
	p->clauses[0].overfeed = 5;
	play_begin(p);
	play_add(p, 1, "smtp/a");
	play_add(p, 2, "smtp/a");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a feed1:2@a");
	queue_forget(p->q, SLICE("1"), p->now);
	assert_false(play_report(p, 1, 1, 10, QUEUE_DELIVERED));
	queue_hungry(p->q, 1, p->now);
	play_answer(p, 1, 2, QUEUE_DELIVERED);
	PLAY(p, 0, "finish:2");
}

static void test_held_stays_held_until_released(void **state)
{
	struct play *p = &play;

	(void)state;
	p->clauses[0].expiry = 0;
	play_begin(p);
	play_add(p, 1, "smtp/a");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	play_answer(p, 1, 1, QUEUE_HELD);
	PLAY(p, 49, "");
	assert_false(queue_release(p->q, SLICE("1"), 20, p->now));
	assert_true(queue_release(p->q, SLICE("1"), 10, p->now));
	assert_false(queue_release(p->q, SLICE("1"), 10, p->now));
	PLAY(p, 0, "feed1:1@a");
}

static void test_hold_and_give_up_by_command(void **state)
{
	struct play *p = &play;

	(void)state;
	play_begin(p);
	play_add(p, 1, "smtp/a smtp/a smtp/a");
	PLAY(p, 0, "start1@a");
	assert_true(queue_hold(p->q, SLICE("1"), 10, p->now));
	assert_false(queue_hold(p->q, SLICE("1"), 10, p->now));
	/* What is held, given twice or not there is left out. */
	queue_give_up(p->q, SLICE("1"), (size_t[]){ 10, 20, 20, 25 }, 4,
		      p->now);
	PLAY(p, 0, "expire:1/20");
	queue_settle(p->q, SLICE("1"), 20, true, p->now);
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	assert_false(queue_is_idle(p->q, SLICE("1"), 30));
	queue_give_up(p->q, SLICE("1"), (size_t[]){ 30 }, 1, p->now);
	PLAY(p, 0, "");
	assert_true(play_report(p, 1, 1, 30, QUEUE_DELIVERED));
	queue_hungry(p->q, 1, p->now);
	assert_true(queue_release(p->q, SLICE("1"), 10, p->now));
	PLAY(p, 0, "feed1:1@a");
	queue_give_up(p->q, SLICE("9"), (size_t[]){ 10 }, 1, p->now);
	play_add(p, 2, "hold/x hold/y hold/x hold/y");
	queue_give_up(p->q, SLICE("2"), (size_t[]){ 40, 10, 30 }, 3, p->now);
	PLAY(p, 0, "expire:2/40 expire:2/10/30");
}

static void test_age_order_is_kept(void **state)
{
	struct play *p = &play;

	(void)state;
	p->clauses[0].is_age_order = true;
	p->clauses[0].overfeed = 1;
	play_begin(p);
	p->now += 5 * SEC;
	play_add(p, 1, "smtp/a");
	p->now -= 5 * SEC;
	play_add(p, 2, "smtp/a");
	p->now += 9 * SEC;
	play_add(p, 3, "smtp/a");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:2@a feed1:1@a");
}

static void test_finish_that_failed_comes_again(void **state)
{
	struct play *p = &play;

	(void)state;
	play_begin(p);
	play_add(p, 1, "=smtp/a");
	PLAY(p, 0, "finish:1");
	queue_reported(p->q, SLICE("1"), false, p->now);
	PLAY(p, 59, "");
	PLAY(p, 1, "finish:1");
}

static void test_reload_moves_threads_and_stops_agents(void **state)
{
	struct play *p = &play;
	struct queue_config config;

	(void)state;
	p->clauses[0].overfeed = 3;
	play_begin(p);
	play_add(p, 1, "smtp/a");
	play_add(p, 2, "other/a");
	play_add(p, 3, "local/-");
	PLAY(p, 0, "start1@a start2@-");
	assert_int_equal(queue_count(p->q).unrouted, 1);
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	config = play_config(p);
	queue_reload(p->q, &config, p->now);
	PLAY(p, 0, "stop2 start3@-");
	play_answer(p, 1, 1, QUEUE_DELIVERED);
	PLAY(p, 0, "finish:1 stop1");
	queue_agent_gone(p->q, 1, false, p->now);
	queue_agent_gone(p->q, 2, false, p->now);
	queue_hungry(p->q, 3, p->now);
	PLAY(p, 0, "feed3:3@-");
}

static void test_shut_stops_everything(void **state)
{
	struct play *p = &play;

	(void)state;
	play_begin(p);
	play_add(p, 1, "smtp/a");
	play_add(p, 2, "smtp/b");
	PLAY(p, 0, "start1@a start2@b");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	queue_shut(p->q, p->now);
	PLAY(p, 0, "stop1 stop2");
	play_answer(p, 1, 1, QUEUE_DELIVERED);
	queue_agent_gone(p->q, 1, false, p->now);
	queue_agent_gone(p->q, 2, false, p->now);
	PLAY(p, 100, "finish:1");
}

static int find_nothing(void *context, struct slice channel, struct slice host)
{
	(void)context;
	(void)channel;
	(void)host;
	return QUEUE_NO_CLAUSE;
}

static void test_destination_that_died_without_a_clause_waits_too(void **state)
{
	struct play *p = &play;
	struct queue_config config;

	(void)state;
	play_begin(p);
	play_add(p, 1, "smtp/a");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	config = play_config(p);
	config.find = find_nothing;
	queue_reload(p->q, &config, p->now);
	play_answer(p, 1, 1, QUEUE_DEFERRED_ALL);
	PLAY(p, 1, "stop1");
	queue_agent_gone(p->q, 1, false, p->now);
	config = play_config(p);
	queue_reload(p->q, &config, p->now);
	PLAY(p, 58, "");
	PLAY(p, 1, "start2@a");
	queue_hungry(p->q, 2, p->now);
	PLAY(p, 0, "feed2:1@a");
	play_answer(p, 2, 1, QUEUE_DEFERRED_ALL);
	PLAY(p, 9, ""); /* not at once, and not for ever */
	PLAY(p, 20, "feed2:1@a");
}

static void test_new_rates_hold_from_the_reload_on(void **state)
{
	struct play *p = &play;
	struct queue_config config;

	(void)state;
	p->clauses[0].rate = (struct queue_rate){ 1, 900 };
	play_begin(p);
	for (uint64_t i = 1; i <= 4; i++)
		play_add(p, i, "smtp/a");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	play_answer(p, 1, 1, QUEUE_DELIVERED);
	PLAY(p, 40, "finish:1");
	p->clauses[0].rate = (struct queue_rate){ 1, 10 };
	config = play_config(p);
	queue_reload(p->q, &config, p->now);
	PLAY(p, 10, "stop1 start2@a");
	queue_hungry(p->q, 2, p->now);
	PLAY(p, 0, "feed2:2@a");
	play_answer(p, 2, 2, QUEUE_DELIVERED);
	PLAY(p, 9, "finish:2");
	p->clauses[0].rate = (struct queue_rate){ 0, 0 };
	config = play_config(p);
	queue_reload(p->q, &config, p->now);
	PLAY(p, 0, "stop2 start3@a");
}

/* Threads a, b and c are of one site, and each has an agent that is idle. */
static void play_site(struct play *p)
{
	p->clauses[0].maxsite = 1;
	play_begin(p);
	play_add(p, 1, "smtp/a");
	play_add(p, 2, "smtp/b");
	play_add(p, 3, "smtp/c");
	play_run(p, 0);
	for (uint32_t i = 1; i <= 3; i++) {
		queue_hungry(p->q, i, p->now);
		queue_site(p->q, i, SLICE("mx"), p->now);
		play_answer(p, i, i, QUEUE_DELIVERED);
		play_run(p, 0);
	}
}

static void test_who_cannot_go_leaves_its_place_at_the_site(void **state)
{
	struct play *p = &play;

	(void)state;
	play_site(p);
	play_add(p, 4, "smtp/a");
	PLAY(p, 0, "feed1:4@a");
	play_add(p, 5, "smtp/b");
	play_add(p, 6, "smtp/c");
	PLAY(p, 5, "");
	play_answer(p, 1, 4, QUEUE_DELIVERED); /* now c may */
	queue_forget(p->q, SLICE("6"), p->now);
	PLAY(p, 0, "finish:4 feed2:5@b");
}

static void
test_who_waits_for_its_rate_leaves_its_place_at_the_site(void **state)
{
	struct play *p = &play;

	(void)state;
	p->clauses[0].rate = (struct queue_rate){ 1, 100 };
	play_site(p);
	play_run(p, 50); /* they are stopped */
	for (uint32_t i = 1; i <= 3; i++)
		queue_agent_gone(p->q, i, false, p->now);
	play_add(p, 4, "smtp/d");
	PLAY(p, 1, "start4@d");
	queue_hungry(p->q, 4, p->now);
	PLAY(p, 0, "feed4:4@d");
	queue_site(p->q, 4, SLICE("mx"), p->now);
	PLAY(p, 50, "");
	play_add(p, 5, "smtp/a");
	play_add(p, 6, "smtp/b");
	play_answer(p, 4, 4, QUEUE_DELIVERED);
	play_add(p, 7, "smtp/d"); /* d has used up its rate */
	PLAY(p, 0, "finish:4 feed4:5@a");
	play_add(p, 8, "smtp/a"); /* and so has a, soon */
	play_answer(p, 4, 5, QUEUE_DELIVERED);
	PLAY(p, 0, "finish:5 feed4:6@b");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		PLAY_TEST(test_a_message_goes_out_and_is_finished),
		PLAY_TEST(test_retries_follow_the_factors),
		PLAY_TEST(test_one_success_releases_all_that_waits_there),
		PLAY_TEST(test_a_dead_destination_is_asked_less_and_less),
		PLAY_TEST(test_retryat_is_obeyed),
		PLAY_TEST(test_what_an_agent_leaves_unsaid_waits),
		PLAY_TEST(test_reports_of_what_was_not_fed_change_nothing),
		PLAY_TEST(test_another_message_of_the_same_name),
		PLAY_TEST(test_old_mail_gets_a_try_after_a_start),
		PLAY_TEST(test_old_mail_expires),
		PLAY_TEST(test_untried_mail_has_more_time),
		PLAY_TEST(test_queueonly_goes_when_it_is_told_to),
		PLAY_TEST(test_deadlines_are_kept),
		PLAY_TEST(test_delays_are_told_at_their_times),
		PLAY_TEST(test_delays_that_were_told_before_are_counted),
		PLAY_TEST(test_what_others_have_locked_is_looked_at_again),
		PLAY_TEST(test_resync_takes_what_the_file_says),
		PLAY_TEST(test_a_forgotten_message_may_still_be_answered),
		PLAY_TEST(test_held_stays_held_until_released),
		PLAY_TEST(test_hold_and_give_up_by_command),
		PLAY_TEST(test_age_order_is_kept),
		PLAY_TEST(test_finish_that_failed_comes_again),
		PLAY_TEST(test_reload_moves_threads_and_stops_agents),
		PLAY_TEST(
		    test_destination_that_died_without_a_clause_waits_too),
		PLAY_TEST(test_new_rates_hold_from_the_reload_on),
		PLAY_TEST(test_who_cannot_go_leaves_its_place_at_the_site),
		PLAY_TEST(
		    test_who_waits_for_its_rate_leaves_its_place_at_the_site),
		PLAY_TEST(test_shut_stops_everything),
	};

	return TEST_RUN(tests);
}
