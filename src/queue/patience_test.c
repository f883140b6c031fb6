/*
 * patience_test.c - when agents are started, and when it is better to wait for
 * those that are there.
 */
#include "queue/test_queue.h"

static void test_agents_are_not_started_in_a_burst(void **state)
{
	struct play *p = &play;

	(void)state;
	p->patience = 4 * SEC;
	play_begin(p);
	for (uint64_t i = 1; i <= 6; i++) {
		char rcpt[] = "smtp/a";

		rcpt[5] = (char)('a' + i - 1);
		play_add(p, i, rcpt);
	}
	PLAY(p, 0, "start1@a start2@b start3@c start4@d");
	PLAY(p, 1, "start5@e");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	play_answer(p, 1, 1, QUEUE_DELIVERED);
	/* What others are done with needs no patience. */
	PLAY(p, 0, "finish:1 feed1:6@f");
	PLAY(p, 9, "");
}

static void test_a_steady_flow_gets_an_agent_of_its_own(void **state)
{
	struct play *p = &play;

	(void)state;
	p->patience = 4 * SEC;
	p->clauses[0].maxring = 2;
	play_begin(p);
	play_add(p, 1, "smtp/a");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	play_answer(p, 1, 1, QUEUE_DELIVERED);
	/* One message is no flow: the agent that is there goes there. */
	play_add(p, 2, "smtp/b");
	PLAY(p, 0, "finish:1 feed1:2@b");
	play_answer(p, 1, 2, QUEUE_DELIVERED);
	/* That of this host was taken away just now. */
	play_add(p, 3, "smtp/a");
	PLAY(p, 0, "finish:2 start2@a");
	queue_hungry(p->q, 2, p->now);
	PLAY(p, 0, "feed2:3@a");
	play_answer(p, 2, 3, QUEUE_DELIVERED);
	/* There may be no more: one that knows another host has to do. */
	play_add(p, 4, "smtp/c");
	PLAY(p, 0, "finish:3 feed1:4@c");
	play_answer(p, 1, 4, QUEUE_DELIVERED);
	play_add(p, 5, "smtp/b");
	PLAY(p, 0, "finish:4 feed2:5@b");
}

static void test_who_is_quick_is_fed_more(void **state)
{
	struct play *p = &play;

	(void)state;
	p->patience = SEC;
	p->clauses[0].maxthr = 10;
	p->clauses[0].overfeed = 100;
	play_begin(p);
	for (uint64_t i = 1; i <= 4; i++)
		play_add(p, i, "smtp/a");
	PLAY(p, 0, "start1@a start2@a");
	queue_hungry(p->q, 1, p->now);
	queue_hungry(p->q, 2, p->now);
	/* Not all to the first: it is not known how quick they are. */
	PLAY(p, 0, "feed1:1@a feed1:2@a feed1:3@a feed2:4@a");
	for (uint64_t i = 1; i <= 4; i++)
		play_answer(p, i < 4 ? 1 : 2, i, QUEUE_DELIVERED);
	PLAY(p, 0, "finish:1 finish:2 finish:3 finish:4");
	for (uint64_t i = 5; i <= 10; i++)
		play_add(p, i, "smtp/a");
	PLAY(p, 0,
	     "feed1:5@a feed1:6@a feed1:7@a feed1:8@a feed1:9@a "
	     "feed1:10@a");
}

static void test_a_backlog_that_is_soon_done_needs_no_more(void **state)
{
	struct play *p = &play;

	(void)state;
	p->patience = SEC;
	p->clauses[0].maxthr = 4;
	play_begin(p);
	play_add(p, 1, "smtp/a");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	play_answer(p, 1, 1, QUEUE_DELIVERED);
	for (uint64_t i = 2; i <= 6; i++)
		play_add(p, i, "smtp/a");
	PLAY(p, 0, "finish:1 feed1:2@a");
	/* It was quick; until it falls silent. */
	PLAY(p, 4, "");
	PLAY(p, 1, "start2@a start3@a");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		PLAY_TEST(test_agents_are_not_started_in_a_burst),
		PLAY_TEST(test_a_steady_flow_gets_an_agent_of_its_own),
		PLAY_TEST(test_who_is_quick_is_fed_more),
		PLAY_TEST(test_a_backlog_that_is_soon_done_needs_no_more),
	};

	return TEST_RUN(tests);
}
