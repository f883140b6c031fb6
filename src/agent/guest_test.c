/*
 * guest_test.c - recipients of other hosts: taken, settled, put back.
 */
#include "agent/test_post.h"
#include "base/keyword.h"
#include "spool/lock.h"

#define OF(host, user) "r" POST_SLOTS "smtp " host " " user " 501\n"

/* Places in the file: 0 and 2 are ours, 1 and 3 of another host. */
static const char four[] = POST_HEAD POST_RCPT("a@x") OF("other.example", "b@x")
    POST_RCPT("c@x") OF("other.example", "d@x") POST_HEADER;

static void deliver(struct post *p, struct agent_job *job, size_t rcpt)
{
	struct diag sent = { .fate = FATE_DELIVERED,
			     .reason = "delivered",
			     .status = SLICE("2.0.0"),
			     .text = SLICE("250 ok") };

	if (rcpt < job->n_rcpts)
		agent_job_settle_one(p->agent, job, rcpt, &sent);
	else
		agent_job_settle_rest(p->agent, job, &sent);
}

enum { THE_REST = 1000 };

static void test_guest_is_locked_settled_and_reported_like_any(void **state)
{
	struct agent_job job = { 0 };
	struct post p;
	size_t place = 99;

	(void)state;
	post_open(&p);
	post_job(four);
	post_open_job(&p, &job);
	assert_true(agent_job_take(p.agent, &job, 3, &place));
	assert_int_equal(place, 2);
	assert_true(job.rcpts[place].is_guest);
	assert_string_equal(post_tags(&p, "24700"), "~ ~~");
	deliver(&p, &job, place);
	assert_string_equal(post_tags(&p, "24700"), "~ ~+");
	agent_job_say(p.agent, &job);
	assert_non_null(strstr(post_said(&p), "\t\tok3 250 ok\n"));
	deliver(&p, &job, THE_REST);
	agent_job_close(p.agent, &job);
	assert_string_equal(post_tags(&p, "24700"), "+ ++");
	post_close(&p);
}

static void test_nobody_is_taken_twice(void **state)
{
	struct agent_job job = { 0 };
	struct post p;
	size_t place;

	(void)state;
	post_open(&p);
	post_job(four);
	post_open_job(&p, &job);
	assert_false(agent_job_take(p.agent, &job, 0, &place));
	assert_true(agent_job_take(p.agent, &job, 1, &place));
	assert_false(agent_job_take(p.agent, &job, 1, &place));
	agent_job_put_back(p.agent, &job, place);
	assert_false(agent_job_take(p.agent, &job, 1, &place));
	assert_int_equal(job.n_rcpts, 3);
	agent_job_close(p.agent, &job);
	post_close(&p);
}

static void test_what_is_put_back_is_free_and_not_reported(void **state)
{
	struct agent_job job = { 0 }, other = { 0 };
	struct post p;
	size_t place;

	(void)state;
	post_open(&p);
	post_job(four);
	post_open_job(&p, &job);
	assert_true(agent_job_take(p.agent, &job, 1, &place));
	/* Only guests are, and only once. */
	agent_job_put_back(p.agent, &job, 0);
	assert_string_equal(post_tags(&p, "24700"), "~~~ ");
	agent_job_put_back(p.agent, &job, place);
	agent_job_put_back(p.agent, &job, place);
	assert_string_equal(post_tags(&p, "24700"), "~ ~ ");
	/* Another agent can have it while the job goes on. */
	assert_int_equal(post_try(&p, &other, "24700", "other.example"),
			 AGENT_OPENED);
	assert_int_equal(other.n_rcpts, 2);
	deliver(&p, &other, THE_REST);
	deliver(&p, &job, THE_REST);
	post_said(&p);
	agent_job_close(p.agent, &job);
	assert_null(strstr(post_said(&p), "b@x"));
	agent_job_close(p.agent, &other);
	assert_string_equal(post_tags(&p, "24700"), "++++");
	post_close(&p);
}

static void test_end_of_a_job_puts_guests_back(void **state)
{
	struct agent_job job = { 0 };
	struct post p;
	size_t place;

	(void)state;
	post_open(&p);
	post_job(four);
	post_open_job(&p, &job);
	assert_true(agent_job_take(p.agent, &job, 1, &place));
	deliver(&p, &job, 0);
	agent_job_close(p.agent, &job);
	assert_string_equal(post_tags(&p, "24700"), "+   ");
	assert_null(strstr(post_said(&p), "b@x"));
	post_close(&p);
}

static void test_what_cannot_be_a_guest(void **state)
{
	static const char file[] = POST_HEAD POST_RCPT(
	    "a@x") "r" POST_SLOTS "local other.example b@x 501\n"
		   "r+          smtp other.example c@x 501\n" POST_HEADER;
	struct agent_job job = { 0 };
	struct post p;
	size_t place;

	(void)state;
	post_open(&p);
	post_job(file);
	post_open_job(&p, &job);
	assert_false(agent_job_take(p.agent, &job, 1, &place));
	assert_false(agent_job_take(p.agent, &job, 2, &place));
	assert_string_equal(post_tags(&p, "24700"), "~ +");
	agent_job_close(p.agent, &job);
	post_close(&p);
}

static void test_recipient_that_somebody_has_is_no_guest(void **state)
{
	struct agent_job job = { 0 }, other = { 0 };
	struct post p;
	size_t place;

	(void)state;
	post_open(&p);
	post_job(four);
	post_open_job(&p, &job);
	assert_int_equal(post_try(&p, &other, "24700", "other.example"),
			 AGENT_OPENED);
	assert_false(agent_job_take(p.agent, &job, 1, &place));
	assert_int_equal(job.n_rcpts, 2);
	agent_job_close(p.agent, &other);
	agent_job_close(p.agent, &job);
	assert_string_equal(post_tags(&p, "24700"), "    ");
	post_close(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_guest_is_locked_settled_and_reported_like_any),
		cmocka_unit_test(test_nobody_is_taken_twice),
		cmocka_unit_test(
		    test_what_is_put_back_is_free_and_not_reported),
		cmocka_unit_test(test_end_of_a_job_puts_guests_back),
		cmocka_unit_test(test_what_cannot_be_a_guest),
		cmocka_unit_test(test_recipient_that_somebody_has_is_no_guest),
	};

	return TEST_RUN(tests);
}
