/*
 * queue_agents_test.c - how agents are shared, spared and given up.
 */
#include "queue/test_queue.h"

static void test_lines_of_a_dead_agent_come_back(void **state)
{
	struct play *p = &play;

	(void)state;
	p->clauses[0].overfeed = 10;
	play_begin(p);
	play_add(p, 1, "smtp/a");
	play_add(p, 2, "smtp/a");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a feed1:2@a");
	queue_agent_gone(p->q, 1, true, p->now);
	PLAY(p, 0, "look:1 look:2"); /* they go, but not at once */
	PLAY(p, 1, "start2@a");
	queue_hungry(p->q, 2, p->now);
	PLAY(p, 0, "feed2:2@a"); /* what it had not begun */
	play_answer(p, 2, 2, QUEUE_DELIVERED);
	PLAY(p, 9, "finish:2 feed2:1@a");
}

static void test_agents_that_never_start_are_tried_less_often(void **state)
{
	static const int waits[] = {
		1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300
	};
	struct play *p = &play;

	(void)state;
	p->clauses[0].expiry = 0;
	play_begin(p);
	play_add(p, 1, "smtp/a");
	PLAY(p, 0, "start1@a");
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		struct str want = STR_INIT;

		queue_agent_gone(p->q, (uint32_t)i + 1, true, p->now);
		PLAY(p, waits[i] - 1, "");
		str_addf(&want, "start%zu@a", i + 2);
		PLAY(p, 1, str_cstr(&want));
		str_done(&want);
	}
}

static void test_silent_agents_are_killed(void **state)
{
	struct play *p = &play;

	(void)state;
	p->clauses[0].expiry = 0;
	play_begin(p);
	play_add(p, 1, "smtp/a");
	PLAY(p, 59, "start1@a");
	PLAY(p, 1, "kill1"); /* no "#hungry" */
	queue_agent_gone(p->q, 1, true, p->now);
	PLAY(p, 1, "start2@a");
	queue_hungry(p->q, 2, p->now);
	PLAY(p, 3599, "feed2:1@a");
	queue_alive(p->q, 2, p->now); /* it says something */
	PLAY(p, 3599, "");
	PLAY(p, 1, "kill2"); /* no answer */
	queue_agent_gone(p->q, 2, true, p->now);
	assert_int_equal(queue_count(p->q).waiting, 1);
}

static void test_threads_share_agents_within_the_limits(void **state)
{
	struct play *p = &play;

	(void)state;
	p->clauses[0].maxring = 2;
	play_begin(p);
	play_add(p, 1, "smtp/a");
	play_add(p, 2, "smtp/b");
	play_add(p, 3, "smtp/c");
	PLAY(p, 0, "start1@a start2@b");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	play_answer(p, 1, 1, QUEUE_DELIVERED);
	PLAY(p, 0, "finish:1 feed1:3@c");
}

static void test_an_idle_agent_makes_room_for_another_channel(void **state)
{
	struct queue_config config;
	struct play *p = &play;

	(void)state;
	config = play_config(p);
	config.max_agents = 1;
	p->q = queue_new(&config);
	play_add(p, 1, "smtp/a");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	play_add(p, 2, "local/-");
	PLAY(p, 5, "");
	play_answer(p, 1, 1, QUEUE_DELIVERED);
	PLAY(p, 0, "finish:1 stop1");
	queue_agent_gone(p->q, 1, false, p->now);
	PLAY(p, 0, "start2@-");
}

static void test_a_busy_thread_leaves_agents_to_others(void **state)
{
	struct play *p = &play;
	unsigned n = 0;

	(void)state;
	p->clauses[0].maxring = 1;
	play_begin(p);
	for (uint64_t i = 1; i <= 300; i++)
		play_add(p, i, "smtp/a");
	play_add(p, 1000, "smtp/b");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	while (strstr(play_run(p, 0), "1000@b") == NULL) {
		assert_true(++n <= 100);
		play_answer(p, 1, n, QUEUE_DELIVERED);
	}
	play_answer(p, 1, 1000, QUEUE_DELIVERED);
	PLAY(p, 0, "finish:1000 feed1:101@a");
}

static void test_a_busy_channel_leaves_agents_to_others(void **state)
{
	struct queue_config config;
	struct play *p = &play;

	(void)state;
	config = play_config(p);
	config.max_agents = 1;
	p->q = queue_new(&config);
	play_add(p, 1, "smtp/a");
	play_add(p, 2, "smtp/b");
	play_add(p, 3, "local/-");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	play_answer(p, 1, 1, QUEUE_DELIVERED);
	PLAY(p, 0, "finish:1 stop1");
	queue_agent_gone(p->q, 1, false, p->now);
	PLAY(p, 0, "start2@-");
}

static void test_more_agents_for_a_thread_that_goes_well(void **state)
{
	struct play *p = &play;

	(void)state;
	p->clauses[0].maxthr = 4;
	play_begin(p);
	for (uint64_t i = 1; i <= 9; i++)
		play_add(p, i, "smtp/a");
	PLAY(p, 0, "start1@a start2@a"); /* not four at once */
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	play_answer(p, 1, 1, QUEUE_DELIVERED);
	PLAY(p, 0, "finish:1 feed1:2@a start3@a");
	queue_hungry(p->q, 2, p->now);
	queue_hungry(p->q, 3, p->now);
	PLAY(p, 0, "feed2:3@a feed3:4@a");
	assert_true(play_report(p, 1, 2, 10, QUEUE_DEFERRED_ALL));
	queue_hungry(p->q, 1, p->now);
	play_answer(p, 2, 3, QUEUE_DEFERRED);
	play_answer(p, 3, 4, QUEUE_DEFERRED);
	PLAY(p, 9, "");
	PLAY(p, 1, "feed1:5@a"); /* one tries */
	play_answer(p, 1, 5, QUEUE_DELIVERED);
	/* half of what it was */
	PLAY(p, 0, "finish:5 feed1:6@a feed2:7@a");
}

static void test_site_is_spared_as_a_whole(void **state)
{
	struct play *p = &play;

	(void)state;
	p->clauses[0].maxsite = 1;
	play_begin(p);
	play_add(p, 1, "smtp/a");
	play_add(p, 2, "smtp/b");
	PLAY(p, 0, "start1@a start2@b");
	queue_hungry(p->q, 1, p->now);
	queue_hungry(p->q, 2, p->now);
	PLAY(p, 0, "feed1:1@a feed2:2@b");
	queue_site(p->q, 1, SLICE("mx"), p->now);
	queue_site(p->q, 2, SLICE("mx"), p->now);
	play_answer(p, 1, 1, QUEUE_DELIVERED);
	PLAY(p, 0, "finish:1");
	play_add(p, 3, "smtp/a");
	PLAY(p, 5, ""); /* the other one is at work there */
	play_answer(p, 2, 2, QUEUE_DELIVERED);
	PLAY(p, 0, "finish:2 feed1:3@a");
}

static void test_rates_are_kept(void **state)
{
	struct play *p = &play;

	(void)state;
	p->clauses[0].rate = (struct queue_rate){ 2, 10 };
	p->clauses[0].overfeed = 10;
	play_begin(p);
	for (uint64_t i = 1; i <= 4; i++)
		play_add(p, i, "smtp/a");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a feed1:2@a");
	play_answer(p, 1, 1, QUEUE_DELIVERED);
	play_answer(p, 1, 2, QUEUE_DELIVERED);
	PLAY(p, 4, "finish:1 finish:2");
	PLAY(p, 1, "feed1:3@a");
	PLAY(p, 4, "");
	PLAY(p, 1, "feed1:4@a");
}

static void test_channel_rate_holds_for_all_its_threads(void **state)
{
	struct play *p = &play;

	(void)state;
	p->clauses[0].channel_rate = (struct queue_rate){ 1, 10 };
	play_begin(p);
	play_add(p, 1, "smtp/a");
	play_add(p, 2, "smtp/b");
	play_add(p, 3, "smtp/c");
	PLAY(p, 0, "start1@a start2@b start3@c");
	for (uint32_t i = 1; i <= 3; i++)
		queue_hungry(p->q, i, p->now);
	PLAY(p, 9, "feed1:1@a");
	PLAY(p, 1, "feed2:2@b");
	PLAY(p, 9, "");
	PLAY(p, 1, "feed3:3@c");
}

static void test_site_rate_holds_for_all_its_threads(void **state)
{
	struct play *p = &play;

	(void)state;
	p->clauses[0].site_rate = (struct queue_rate){ 1, 10 };
	play_begin(p);
	play_add(p, 1, "smtp/a");
	play_add(p, 2, "smtp/b");
	PLAY(p, 0, "start1@a start2@b");
	for (uint32_t i = 1; i <= 2; i++) {
		queue_hungry(p->q, i, p->now);
		queue_site(p->q, i, SLICE("mx"), p->now);
		play_answer(p, i, i, QUEUE_DELIVERED);
	}
	/* Now it is known that both lead to one place. */
	PLAY(p, 0, "feed1:1@a finish:1 feed2:2@b finish:2");
	play_add(p, 3, "smtp/a");
	play_add(p, 4, "smtp/b");
	PLAY(p, 9, "feed1:3@a");
	PLAY(p, 1, "feed2:4@b");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		PLAY_TEST(test_lines_of_a_dead_agent_come_back),
		PLAY_TEST(test_agents_that_never_start_are_tried_less_often),
		PLAY_TEST(test_silent_agents_are_killed),
		PLAY_TEST(test_threads_share_agents_within_the_limits),
		PLAY_TEST(test_an_idle_agent_makes_room_for_another_channel),
		PLAY_TEST(test_a_busy_thread_leaves_agents_to_others),
		PLAY_TEST(test_a_busy_channel_leaves_agents_to_others),
		PLAY_TEST(test_more_agents_for_a_thread_that_goes_well),
		PLAY_TEST(test_site_is_spared_as_a_whole),
		PLAY_TEST(test_rates_are_kept),
		PLAY_TEST(test_channel_rate_holds_for_all_its_threads),
		PLAY_TEST(test_site_rate_holds_for_all_its_threads),
	};

	return TEST_RUN(tests);
}
