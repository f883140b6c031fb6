/*
 * reply_test.c - the scheduler's answers as structs.
 */
#include "mailqb/reply.h"

#include "base/keyword.h"
#include "base/test.h"

static struct mailq_reply *reply_of(const char *line)
{
	struct err err;
	struct mailq_reply *r = mailq_reply_new(slice_of(line), &err);

	if (r == NULL)
		fail_msg("%s: %s", line, err.text);
	return r;
}

static void test_a_job_is_read(void **state)
{
	struct arena *a = arena_new();
	struct mailq_reply *r = reply_of(
	    "{\"message\":\"A/1\",\"channel\":\"smtp\",\"host\":\"x\","
	    "\"state\":\"waiting\",\"suspended\":false,\"rcpts\":"
	    "[[79,\"open\"],[128,\"held\"],[190,\"done\"],[200,\"new word\"]],"
	    "\"tries\":3,\"arrived\":1000,\"until\":2000,\"status\":\"4.4.1\","
	    "\"host_said\":\"dns; mx\",\"why\":\"later\",\"agent\":7,"
	    "\"more\":{\"x\":[]}}");
	struct mailq_job job;
	struct err err;

	(void)state;
	assert_int_equal(mailq_reply_job(r, a, &job, &err), 0);
	mailq_reply_free(r); /* nothing is borrowed from it */
	assert_slice_is(job.message, "A/1");
	assert_slice_is(job.host, "x");
	assert_int_equal(job.state, MAILQ_WAITING);
	assert_int_equal(job.n_rcpts, 4);
	assert_int_equal(job.rcpts[0].offset, 79);
	assert_int_equal(job.rcpts[0].state, MAILQ_WAITING);
	assert_int_equal(job.rcpts[1].state, MAILQ_HELD);
	assert_int_equal(job.rcpts[2].state, MAILQ_DONE);
	assert_int_equal(job.rcpts[3].state, MAILQ_WAITING);
	assert_int_equal(job.tries, 3);
	assert_int_equal(job.arrived, 1000);
	assert_int_equal(job.until, 2000);
	assert_slice_is(job.reason.status, "4.4.1");
	assert_slice_is(job.reason.host_said, "dns; mx");
	assert_slice_is(job.reason.text, "later");
	assert_int_equal(job.agent, 7);
	arena_free(a);
}

static void test_what_open_means(void **state)
{
	static const struct {
		const char *line;
		enum mailq_state want;
	} rows[] = {
		{ "{\"message\":\"1\",\"state\":\"ready\"}", MAILQ_READY },
		{ "{\"message\":\"1\",\"state\":\"ready\",\"suspended\":true}",
		  MAILQ_SUSPENDED },
		{ "{\"message\":\"1\",\"state\":\"waiting\","
		  "\"suspended\":true}",
		  MAILQ_WAITING },
		{ "{\"message\":\"1\",\"state\":\"fed\",\"suspended\":true}",
		  MAILQ_ACTIVE },
		{ "{\"message\":\"1\",\"state\":\"resting\"}", MAILQ_READY },
		{ "{\"message\":\"1\"}", MAILQ_READY },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *a = arena_new();
		struct mailq_reply *r = reply_of(rows[i].line);
		struct mailq_job job;

		assert_int_equal(mailq_reply_job(r, a, &job, NULL), 0);
		assert_int_equal(job.state, rows[i].want);
		mailq_reply_free(r);
		arena_free(a);
	}
}

static void test_members_of_other_types_count_as_missing(void **state)
{
	struct arena *a = arena_new();
	struct mailq_reply *r = reply_of(
	    "{\"message\":\"1\",\"channel\":7,\"tries\":-4,\"until\":\"x\","
	    "\"rcpts\":[[1],[-1,\"open\"],[2,3],7,null,[3,\"open\"]],"
	    "\"why\":null,\"suspended\":1,\"agent\":1.5}");
	struct mailq_job job;

	(void)state;
	assert_int_equal(mailq_reply_job(r, a, &job, NULL), 0);
	assert_int_equal(job.channel.len, 0);
	assert_int_equal(job.tries, 0);
	assert_int_equal(job.until, 0);
	assert_int_equal(job.n_rcpts, 1);
	assert_int_equal(job.rcpts[0].offset, 3);
	assert_int_equal(job.reason.text.len, 0);
	assert_int_equal(job.agent, 0);
	mailq_reply_free(r);
	arena_free(a);
}

static void test_what_is_no_object_is_refused(void **state)
{
	static const char *const lines[] = { "",
					     "ok",
					     "[]",
					     "7",
					     "{",
					     "{}x",
					     "{\"a\":\"\xff\"}",
					     "{\"a\":1,\"a\"}" };
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++)
		if (mailq_reply_new(slice_of(lines[i]), &err) != NULL)
			fail_msg("'%s' was taken", lines[i]);
}

static void test_what_says_not_what_it_is_about_is_refused(void **state)
{
	struct arena *a = arena_new();
	struct mailq_reply *r = reply_of("{\"host\":\"x\",\"pid\":0}");
	struct mailq_job job;
	struct mailq_destination d;
	struct mailq_agent agent;

	(void)state;
	assert_int_equal(mailq_reply_job(r, a, &job, NULL), -1);
	assert_int_equal(mailq_reply_destination(r, &d, NULL), -1);
	assert_int_equal(mailq_reply_agent(r, &agent, NULL), -1);
	mailq_reply_free(r);
	arena_free(a);
}

static void test_destinations_agents_counts(void **state)
{
	struct mailq_reply *r =
	    reply_of("{\"channel\":\"smtp\",\"host\":\"x\",\"jobs\":5,"
		     "\"recipients\":9,\"held\":2,\"suspended\":true,"
		     "\"until\":77,\"why\":\"no\",\"agents\":3,\"window\":4,"
		     "\"site\":\"mx\",\"oldest\":11,\"tries\":2,"
		     "\"pid\":4711,\"message\":\"1\",\"lines\":2,\"since\":5,"
		     "\"progress\":{\"bytes\":10,\"size\":20},\"messages\":8}");
	struct mailq_destination d;
	struct mailq_agent agent;

	(void)state;
	assert_int_equal(mailq_reply_destination(r, &d, NULL), 0);
	assert_int_equal(d.recipients, 9);
	assert_int_equal(d.held, 2);
	assert_true(d.is_suspended);
	assert_int_equal(d.until, 77);
	assert_int_equal(d.oldest, 11);
	assert_int_equal(d.window, 4);
	assert_slice_is(d.reason.text, "no");
	assert_int_equal(mailq_reply_agent(r, &agent, NULL), 0);
	assert_int_equal(agent.pid, 4711);
	assert_true(agent.has_progress);
	assert_int_equal(agent.done, 10);
	assert_int_equal(agent.all, 20);
	assert_int_equal(mailq_reply_count(r).messages, 8);
	mailq_reply_free(r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_job_is_read),
		cmocka_unit_test(test_what_open_means),
		cmocka_unit_test(test_members_of_other_types_count_as_missing),
		cmocka_unit_test(test_what_is_no_object_is_refused),
		cmocka_unit_test(
		    test_what_says_not_what_it_is_about_is_refused),
		cmocka_unit_test(test_destinations_agents_counts),
	};

	return TEST_RUN(tests);
}
