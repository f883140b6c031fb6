/*
 * cursor_test.c - cursors see what was there and still is, once; what is
 * counted is what there is; kicks and removals.
 */
#include "queue/test_queue.h"

#include <stdio.h>

/* The next n jobs as "NAME@HOST/OFFSET=STATE...", fewer if there are none. */
static const char *jobs(struct queue_cursor *c, size_t n)
{
	static const char letters[] = "obhde";
	static struct str said;
	struct queue_view v;

	str_clear(&said);
	str_adds(&said, "");
	while (n-- > 0 && queue_cursor_job(c, &v)) {
		str_addf(&said, "%s%.*s@%.*s", said.len > 0 ? " " : "",
			 SLICE_ARG(v.name), SLICE_ARG(v.host));
		for (size_t i = 0; i < v.n_rcpts; i++) {
			enum queue_rcpt_state state;
			size_t offset = queue_view_rcpt(&v, i, &state);

			str_addf(&said, "/%zu%c", offset, letters[state]);
		}
	}
	return str_cstr(&said);
}

#define JOBS(c, n, want) assert_string_equal(jobs((c), (n)), (want))

static void forget(struct play *p, const char *name)
{
	queue_forget(p->q, slice_of(name), p->now);
	queue_check(p->q);
}

static void test_all_jobs_are_shown_in_order(void **state)
{
	struct play *p = &play;
	struct queue_cursor *c;

	(void)state;
	play_begin(p);
	c = queue_cursor_all(p->q);
	JOBS(c, 1, "");
	queue_cursor_free(c);
	play_add(p, 1, "smtp/a smtp/b !smtp/a =smtp/a");
	play_add(p, 2, "local/- ?smtp/a");
	c = queue_cursor_all(p->q);
	JOBS(c, 9, "1@a/10o/30h/40d 1@b/20o 2@-/10o 2@a/20b");
	JOBS(c, 9, "");
	queue_cursor_free(c);
	c = queue_cursor_message(p->q, SLICE("2"));
	JOBS(c, 9, "2@-/10o 2@a/20b");
	queue_cursor_free(c);
	c = queue_cursor_destination(p->q, SLICE("smtp"), SLICE("a"));
	JOBS(c, 9, "1@a/10o/30h/40d 2@a/20b");
	queue_cursor_free(c);
	assert_null(queue_cursor_message(p->q, SLICE("3")));
	assert_null(queue_cursor_destination(p->q, SLICE("local"), SLICE("a")));
	queue_cursor_free(NULL);
}

static void test_a_cursor_steps_over_what_goes(void **state)
{
	struct play *p = &play;
	struct queue_cursor *c, *d, *m;

	(void)state;
	play_begin(p);
	for (uint64_t id = 1; id <= 6; id++)
		play_add(p, id, "smtp/a smtp/b");
	c = queue_cursor_all(p->q);
	d = queue_cursor_destination(p->q, SLICE("smtp"), SLICE("b"));
	m = queue_cursor_message(p->q, SLICE("3"));
	JOBS(c, 1, "1@a/10o");
	JOBS(d, 1, "1@b/20o");
	JOBS(m, 1, "3@a/10o");
	forget(p, "1"); /* where one stands */
	forget(p, "2"); /* where it went */
	forget(p, "3");
	forget(p, "5"); /* further on */
	JOBS(c, 1, "4@a/10o");
	JOBS(d, 1, "4@b/20o");
	JOBS(m, 1, "");
	forget(p, "6"); /* where it was to end */
	play_add(p, 7, "smtp/a smtp/b");
	JOBS(c, 9, "4@b/20o");
	JOBS(d, 9, "");
	forget(p, "4");
	forget(p, "7");
	JOBS(c, 9, "");
	queue_cursor_free(c);
	queue_cursor_free(d);
	queue_cursor_free(m);
}

static void test_a_cursor_ends_with_what_was_there(void **state)
{
	struct play *p = &play;
	struct queue_cursor *c;

	(void)state;
	play_begin(p);
	play_add(p, 1, "smtp/a");
	play_add(p, 2, "smtp/a");
	c = queue_cursor_all(p->q);
	JOBS(c, 1, "1@a/10o");
	for (uint64_t id = 3; id < 9; id++)
		play_add(p, id, "smtp/a");
	JOBS(c, 9, "2@a/10o");
	queue_cursor_free(c);
	c = queue_cursor_all(p->q);
	for (int id = 1; id < 9; id++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", id);
		forget(p, name);
	}
	JOBS(c, 9, "");
	play_add(p, 9, "smtp/a");
	JOBS(c, 9, "");
	queue_cursor_free(c);
}

static void test_a_job_of_very_many_recipients_comes_in_parts(void **state)
{
	enum { N = 2500 };
	static struct queue_rcpt rcpts[N];
	struct play *p = &play;
	struct queue_message m = {
		.name = SLICE("1"), .id = 1, .rcpts = rcpts, .n_rcpts = N
	};
	static const size_t want[] = { 1000, 1000, 500 };
	struct queue_cursor *c;
	struct queue_view v;
	size_t n = 0;

	(void)state;
	play_begin(p);
	for (size_t i = 0; i < N; i++)
		rcpts[i] = (struct queue_rcpt){ .offset = i + 1,
						.channel = SLICE("smtp"),
						.host = SLICE("a") };
	m.arrived = p->now;
	queue_add(p->q, &m, p->now);
	c = queue_cursor_all(p->q);
	for (size_t part = 0; part < 3; part++) {
		assert_true(queue_cursor_job(c, &v));
		assert_int_equal(v.n_rcpts, want[part]);
		for (size_t i = 0; i < v.n_rcpts; i++) {
			enum queue_rcpt_state s;

			assert_int_equal(queue_view_rcpt(&v, i, &s), ++n);
		}
	}
	assert_false(queue_cursor_job(c, &v));
	queue_cursor_free(c);
}

/* ---- threads ------------------------------------------------------------ */

/* The next thread; QUEUE_STEP_LATER is gone over and counted. */
static bool next_thread(struct queue_cursor *c, struct queue_thread_view *v,
			size_t *n_later)
{
	enum queue_step step;

	*n_later = 0;
	while ((step = queue_cursor_thread(c, v)) == QUEUE_STEP_LATER)
		++*n_later;
	return step == QUEUE_STEP_ROW;
}

static void test_threads_tell_what_they_have(void **state)
{
	struct play *p = &play;
	struct queue_thread_view v;
	struct queue_cursor *c;
	size_t n;

	(void)state;
	p->clauses[0].overfeed = 1;
	play_begin(p);
	play_add(p, 1, "smtp/a smtp/a !smtp/a");
	p->now += SEC;
	play_add(p, 2, "smtp/a");
	play_add(p, 3, "other/x");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a feed1:2@a");
	queue_site(p->q, 1, SLICE("mx"), p->now);
	assert_true(play_report(p, 1, 1, 10, QUEUE_DEFERRED_ALL));
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "");
	c = queue_cursor_threads(p->q);
	assert_true(next_thread(c, &v, &n));
	assert_true(slice_eq(v.host, SLICE("a")));
	assert_true(slice_eq(v.channel, SLICE("smtp")));
	assert_true(slice_eq(v.why, SLICE("because")));
	assert_true(slice_eq(v.site, SLICE("mx")));
	assert_int_equal(v.n_jobs, 2);
	assert_int_equal(v.n_ready, 1);
	assert_int_equal(v.n_fed, 1);
	assert_int_equal(v.n_open, 3);
	assert_int_equal(v.n_held, 1);
	assert_int_equal(v.n_agents, 1);
	assert_int_equal(v.window, 1);
	assert_int_equal(v.tries, 1);
	assert_true(v.is_suspended && v.until > p->now);
	assert_int_equal(v.oldest, p->now - SEC);
	assert_true(next_thread(c, &v, &n));
	assert_true(slice_eq(v.host, SLICE("x")));
	assert_int_equal(v.window, 0);
	assert_false(next_thread(c, &v, &n));
	queue_cursor_free(c);
	assert_int_equal(queue_count(p->q).unrouted, 1);
	forget(p, "3");
	assert_int_equal(queue_count(p->q).unrouted, 0);
}

static void test_the_oldest_of_a_thread_is_found_in_pieces(void **state)
{
	enum { N = 10000 };
	struct play *p = &play;
	struct queue_thread_view v;
	struct queue_cursor *c;
	int64_t first;
	size_t n;

	(void)state;
	play_begin(p);
	first = p->now;
	for (uint64_t id = 1; id <= N; id++) {
		play_add(p, id, "smtp/a");
		p->now += SEC;
	}
	forget(p, "1"); /* so that it has to be looked for */
	c = queue_cursor_threads(p->q);
	assert_int_equal(queue_cursor_thread(c, &v), QUEUE_STEP_LATER);
	forget(p, "9000"); /* what comes and goes meanwhile does no harm */
	play_add(p, N + 1, "smtp/a");
	assert_true(next_thread(c, &v, &n));
	assert_true(n > 0);
	assert_int_equal(v.oldest, first + SEC);
	queue_cursor_free(c);
	for (int again = 0; again < 2; again++) { /* then it is known */
		c = queue_cursor_threads(p->q);
		assert_true(next_thread(c, &v, &n));
		assert_int_equal(n > 0, again == 0);
		assert_int_equal(v.oldest, first + SEC);
		queue_cursor_free(c);
	}
	queue_check(p->q);
}

static void test_a_cursor_over_threads_survives_their_end(void **state)
{
	struct play *p = &play;
	struct queue_thread_view v;
	struct queue_cursor *c, *d;
	size_t n;

	(void)state;
	play_begin(p);
	play_add(p, 1, "hold/a hold/b hold/c");
	c = queue_cursor_threads(p->q);
	d = queue_cursor_threads(p->q);
	assert_true(next_thread(c, &v, &n));
	forget(p, "1");
	play_run(p, 700); /* none lingers so long */
	assert_int_equal(queue_count(p->q).threads, 0);
	play_add(p, 2, "hold/d");
	assert_false(next_thread(c, &v, &n));
	assert_false(next_thread(d, &v, &n));
	queue_cursor_free(c);
	queue_cursor_free(d);
}

/* ---- agents ------------------------------------------------------------- */

static void test_agents_tell_what_they_do(void **state)
{
	struct play *p = &play;
	struct queue_agent_view v;
	struct queue_cursor *c;
	struct queue_view job;
	int64_t began = play.now;

	(void)state;
	p->clauses[0].overfeed = 1;
	play_begin(p);
	play_add(p, 1, "smtp/a");
	play_add(p, 2, "smtp/a");
	PLAY(p, 0, "start1@a");
	c = queue_cursor_agents(p->q);
	assert_true(queue_cursor_agent(c, &v));
	assert_int_equal(v.doing, QUEUE_DOING_START);
	assert_int_equal(v.since, began);
	assert_int_equal(v.name.len, 0);
	assert_false(queue_cursor_agent(c, &v));
	queue_cursor_free(c);
	p->now += SEC;
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a feed1:2@a");
	c = queue_cursor_agents(p->q);
	assert_true(queue_cursor_agent(c, &v));
	assert_int_equal(v.agent, 1);
	assert_int_equal(v.doing, QUEUE_DOING_WORK);
	assert_int_equal(v.n_lines, 2);
	assert_int_equal(v.since, began + SEC);
	assert_true(slice_eq(v.name, SLICE("1")));
	assert_true(slice_eq(v.host, SLICE("a")));
	queue_cursor_free(c);
	c = queue_cursor_message(p->q, SLICE("2"));
	assert_true(queue_cursor_job(c, &job));
	assert_int_equal(job.agent, 1);
	queue_cursor_free(c);
	forget(p, "1");
	c = queue_cursor_agents(p->q);
	queue_agent_gone(p->q, 1, true, p->now);
	assert_false(queue_cursor_agent(c, &v));
	queue_cursor_free(c);
}

/* ---- commands ----------------------------------------------------------- */

/* Kicks a message. */
static void kick_message(struct play *p, const char *name)
{
	struct queue_cursor *c = queue_cursor_message(p->q, slice_of(name));

	assert_non_null(c);
	assert_false(queue_cursor_kick(c, 100, p->now));
	queue_cursor_free(c);
	queue_check(p->q);
}

static void test_a_kicked_message_goes_before_others(void **state)
{
	struct play *p = &play;

	(void)state;
	play_begin(p);
	for (uint64_t id = 1; id <= 4; id++)
		play_add(p, id, "smtp/a");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	play_answer(p, 1, 1, QUEUE_DEFERRED_ALL);
	PLAY(p, 0, "");
	kick_message(p, "3"); /* one probes: this one */
	PLAY(p, 0, "feed1:3@a");
	play_answer(p, 1, 3, QUEUE_DEFERRED_ALL);
	kick_message(p, "4");
	kick_message(p, "1");
	PLAY(p, 0, "feed1:4@a");
	play_answer(p, 1, 4, QUEUE_DELIVERED);
	PLAY(p, 0, "finish:4 feed1:1@a");
}

static void test_of_queueonly_just_the_kicked_message_goes(void **state)
{
	struct play *p = &play;

	(void)state;
	p->clauses[2].overfeed = 9;
	play_begin(p);
	for (uint64_t id = 1; id <= 3; id++)
		play_add(p, id, "hold/a");
	kick_message(p, "2");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:2@a");
	play_answer(p, 1, 2, QUEUE_DEFERRED);
	PLAY(p, 20, "");
	assert_true(play_kick(p, "hold", "a"));
	PLAY(p, 0, "feed1:1@a feed1:2@a feed1:3@a");
}

/* It goes when the expiry of another recipient has come to its end. */
static void test_a_kick_while_others_expire_is_not_lost(void **state)
{
	struct play *p = &play;

	(void)state;
	play_begin(p);
	play_add(p, 1, "hold/a hold/a");
	queue_give_up(p->q, SLICE("1"), (size_t[]){ 20 }, 1, p->now);
	PLAY(p, 0, "expire:1/20");
	kick_message(p, "1");
	PLAY(p, 0, "");
	queue_settle(p->q, SLICE("1"), 20, true, p->now);
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	queue_check(p->q);
}

static void test_flush_wakes_what_waits_and_leaves_the_rest(void **state)
{
	struct play *p = &play;
	struct queue_cursor *c;

	(void)state;
	play_begin(p);
	play_add(p, 1, "smtp/a");
	play_add(p, 2, "!smtp/b");
	play_add(p, 3, "?smtp/c");
	PLAY(p, 0, "start1@a");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	play_answer(p, 1, 1, QUEUE_DEFERRED);
	PLAY(p, 0, "");
	c = queue_cursor_all(p->q);
	assert_true(queue_cursor_kick(c, 2, p->now));
	assert_false(queue_cursor_kick(c, 2, p->now));
	queue_cursor_free(c);
	PLAY(p, 0, "feed1:1@a");
	assert_int_equal(queue_count(p->q).waiting, 1); /* somebody's lock */
}

static void test_removed_recipients_end_their_message(void **state)
{
	struct play *p = &play;

	(void)state;
	play_begin(p);
	play_add(p, 1, "smtp/a !smtp/b smtp/c");
	PLAY(p, 0, "start1@a start2@c");
	queue_hungry(p->q, 1, p->now);
	PLAY(p, 0, "feed1:1@a");
	assert_false(queue_is_left(p->q, SLICE("1"), 10));
	assert_false(queue_remove(p->q, SLICE("1"), 10, p->now));
	assert_false(queue_remove(p->q, SLICE("1"), 11, p->now));
	assert_false(queue_remove(p->q, SLICE("2"), 10, p->now));
	assert_true(queue_is_left(p->q, SLICE("1"), 20));
	assert_true(queue_remove(p->q, SLICE("1"), 20, p->now));
	assert_false(queue_remove(p->q, SLICE("1"), 20, p->now));
	assert_true(queue_remove(p->q, SLICE("1"), 30, p->now));
	queue_check(p->q);
	play_answer(p, 1, 1, QUEUE_DELIVERED);
	PLAY(p, 0, "finish:1");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		PLAY_TEST(test_all_jobs_are_shown_in_order),
		PLAY_TEST(test_a_cursor_steps_over_what_goes),
		PLAY_TEST(test_a_cursor_ends_with_what_was_there),
		PLAY_TEST(test_a_job_of_very_many_recipients_comes_in_parts),
		PLAY_TEST(test_threads_tell_what_they_have),
		PLAY_TEST(test_the_oldest_of_a_thread_is_found_in_pieces),
		PLAY_TEST(test_a_cursor_over_threads_survives_their_end),
		PLAY_TEST(test_agents_tell_what_they_do),
		PLAY_TEST(test_a_kicked_message_goes_before_others),
		PLAY_TEST(test_of_queueonly_just_the_kicked_message_goes),
		PLAY_TEST(test_a_kick_while_others_expire_is_not_lost),
		PLAY_TEST(test_flush_wakes_what_waits_and_leaves_the_rest),
		PLAY_TEST(test_removed_recipients_end_their_message),
	};

	return TEST_RUN(tests);
}
