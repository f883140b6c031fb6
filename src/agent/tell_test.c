/*
 * tell_test.c - what syslog hears of a job, and when.
 */
#include "agent/test_post.h"

#include <sys/syscall.h>

/* A `d` line that is due for b alone makes the sync that is watched. */
static const char control[] = POST_HEAD POST_RCPT("a@x")
    POST_RCPT("b@x") "N NOTIFY=SUCCESS,FAILURE\n" POST_RCPT("c@x") POST_HEADER;

/* ---- what is watched ---------------------------------------------------- */

static struct str heard; /* lines, and "sync" */
static int64_t now;

int fdatasync(int fd)
{
	str_adds(&heard, "sync\n");
	return (int)syscall(SYS_fdatasync, fd);
}

static void hear(void *context, struct slice line)
{
	assert_ptr_equal(context, &heard);
	str_add(&heard, line);
	str_addc(&heard, '\n');
}

static int64_t clock_now(void)
{
	return now;
}

/* Everything behind the spool id of each line, since last asked. */
static void check_heard(const char *want)
{
	struct slice rest = str_slice(&heard), line;
	struct str got = STR_INIT;

	while (slice_cut(&rest, '\n', &line) && rest.p != NULL) {
		if (line.p[0] == 'S')
			line = slice_from(line, slice_find(line, ':') + 2);
		str_add(&got, line);
		str_addc(&got, '\n');
	}
	assert_string_equal(str_cstr(&got), want);
	str_clear(&heard);
	str_done(&got);
}

/* A job open since `now`, whose mail arrived a minute before. */
static void begin(struct post *p, struct agent_job *job)
{
	struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };

	post_open(p);
	now = 1060;
	p->options.wall_time = clock_now;
	p->options.syslog = (struct syslog_sink){ .form = SYSLOG_CLASSIC,
						  .send = hear,
						  .context = &heard };
	post_job(control);
	assert_int_equal(utimensat(AT_FDCWD, "../queue/24700", times, 0), 0);
	*job = (struct agent_job){ 0 };
	post_open_job(p, job);
	str_clear(&heard);
}

static void end(struct post *p, struct agent_job *job)
{
	agent_job_close(p->agent, job);
	post_close(p);
	str_done(&heard);
}

/* ---- tests -------------------------------------------------------------- */

static void test_each_recipient_is_told_once_and_after_the_sync(void **state)
{
	const struct diag done = { .fate = FATE_RELAYED,
				   .reason = "accepted",
				   .remote_mta = SLICE("dns; mx"),
				   .text = SLICE("250 in") };
	struct agent_outcome both[] = { { 1, &done }, { 0, &done } };
	struct agent_job job;
	struct post p;

	(void)state;
	begin(&p, &job);
	now += 5;
	agent_job_settle(p.agent, &job, both, 2);
	check_heard("sync\n"
		    "to=<b@x>, delay=00:01:05, xdelay=00:00:05, mailer=smtp, "
		    "relay=mx, stat=ok2 250 in\n"
		    "to=<a@x>, delay=00:01:05, xdelay=00:00:05, mailer=smtp, "
		    "relay=mx, stat=ok3 250 in\n");
	agent_job_settle(p.agent, &job, both, 2);
	check_heard("");
	agent_job_close(p.agent, &job);
	check_heard("to=<c@x>, delay=00:01:05, xdelay=00:00:05, mailer=smtp, "
		    "stat=deferred delivery was not attempted\n");
	end(&p, &job);
}

/* A failure that could not be written down was reported as put off. */
static void test_what_was_reported_is_told(void **state)
{
	const struct diag failed = { .fate = FATE_FAILED,
				     .reason = "no-user",
				     .text = SLICE("no such user") };
	struct agent_job job;
	struct post p;
	int fd;

	(void)state;
	begin(&p, &job);
	fd = job.fd;
	job.fd = open("24700", O_RDONLY | O_CLOEXEC);
	agent_job_settle_one(p.agent, &job, 0, &failed);
	fd_close(job.fd);
	job.fd = fd;
	check_heard("sync\n"
		    "to=<a@x>, delay=00:01:00, xdelay=00:00:00, mailer=smtp, "
		    "stat=deferred writing diagnostic: Bad file descriptor: no "
		    "such user\n");
	end(&p, &job);
}

static void test_nothing_is_made_unless_it_is_wanted(void **state)
{
	const struct diag done = { .fate = FATE_RELAYED, .reason = "accepted" };
	struct agent_job job;
	struct post p;

	(void)state;
	begin(&p, &job);
	p.options.syslog = (struct syslog_sink){ 0 };
	agent_job_settle_one(p.agent, &job, 0, &done);
	check_heard("");
	end(&p, &job);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_each_recipient_is_told_once_and_after_the_sync),
		cmocka_unit_test(test_what_was_reported_is_told),
		cmocka_unit_test(test_nothing_is_made_unless_it_is_wanted),
	};

	return TEST_RUN(tests);
}
