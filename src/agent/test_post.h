/*
 * test_post.h - a postoffice in whose transport directory the test stands,
 * with an agent whose output is kept; for tests that work on jobs.
 */
#ifndef AGENT_TEST_POST_H
#define AGENT_TEST_POST_H

#include "agent/job.h"
#include "spool/test_files.h"

#include <sys/mman.h>

/* When everything happens. */
enum { TEST_NOW = 1767268805 };

struct post {
	char *dir;
	int out; /* what the agent writes to */
	struct agent_options options;
	struct agent *agent;
	struct str said, disk; /* see below */
};

static inline int64_t test_now(void)
{
	return TEST_NOW;
}

static inline void post_open(struct post *p)
{
	*p = (struct post){ .dir = test_dir_make() };
	assert_int_equal(chmod(p->dir, 0755), 0);
	assert_int_equal(chdir(p->dir), 0);
	assert_int_equal(mkdir("queue", 0755), 0);
	assert_int_equal(mkdir("transport", 0755), 0);
	assert_int_equal(chdir("transport"), 0);
	p->out = memfd_create("agent's output", MFD_CLOEXEC);
	assert_true(p->out >= 0);
	p->options = (struct agent_options){
		.program = "smtp",
		.in_fd = -1,
		.out_fd = p->out,
		.pid = 4711,
		.slot_pid = 4711,
		.has_channel = true,
		.channel = SLICE("smtp"),
		.ta_id = SLICE("smtp[4711]"),
		.wall_time = test_now,
	};
	p->agent = agent_new(&p->options);
}

static inline void post_close(struct post *p)
{
	agent_free(p->agent);
	fd_close(p->out);
	str_done(&p->said);
	str_done(&p->disk);
	assert_int_equal(chdir("/"), 0);
	test_dir_remove(p->dir);
}

/* What the agent has said since last asked, "#hungry" of the start too. */
static inline const char *post_said(struct post *p)
{
	agent_flush(p->agent);
	str_clear(&p->said);
	assert_int_equal(lseek(p->out, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_all(p->out, 0, SIZE_MAX - 1, &p->said), 0);
	assert_int_equal(ftruncate(p->out, 0), 0);
	assert_int_equal(lseek(p->out, 0, SEEK_SET), 0);
	return str_cstr(&p->said);
}

/* ---- children ----------------------------------------------------------- */

/*
 * Runs part of a test in a process of its own; what fails there ends it, and
 * fails the test. As another user, for whom the modes of files count, if
 * asked for.
 */
static inline void post_run_child(struct post *p, void (*run)(struct post *p),
				  bool as_nobody)
{
	pid_t child = test_fork();

	if (child == 0) {
		alarm(20); /* seconds */
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		if (as_nobody)
			test_become_nobody();
		run(p);
		_exit(0);
	}
	assert_int_equal(test_wait(child), 0);
}

static inline void post_in_child(struct post *p, void (*run)(struct post *p))
{
	post_run_child(p, run, false);
}

static inline void post_as_nobody(struct post *p, void (*run)(struct post *p))
{
	post_run_child(p, run, true);
}

/* ---- files -------------------------------------------------------------- */

static inline void post_write(const char *path, const char *text)
{
	test_file_write(path, slice_of(text));
}

/* A control file as it is on disk now; borrowed until the next call. */
static inline const char *post_disk(struct post *p, const char *name)
{
	str_clear(&p->disk);
	assert_true(test_file_read(name, &p->disk));
	return str_cstr(&p->disk);
}

/* The message file and the start of the control file of job "24700". */
#define POST_BODY "env-end\nSubject: hi\n\nHi.\n" /* the body is 4 bytes */
#define POST_HEAD                                \
	"@ 0x00000007\ni 24700\no 21\nl <1@x>\n" \
	"s smtp mx.example.net alice@example.net 501\n"
#define POST_SLOTS	"           " /* tag and both slots */
#define POST_RCPT(user) "r" POST_SLOTS "smtp example.com " user " 501\n"
#define POST_HEADER	"m\nFrom: alice@example.net\n\n"

static inline void post_job(const char *control)
{
	post_write("../queue/24700", POST_BODY);
	post_write("24700", control);
}

/*
 * The tags of all recipients on disk, in file order: "+- ". A locked one must
 * have our pid in its slot, any other none.
 */
static inline const char *post_tags(struct post *p, const char *name)
{
	struct arena *a = arena_new();
	struct str tags = STR_INIT;
	struct ctl ctl;
	struct err err;

	post_disk(p, name);
	assert_int_equal(ctl_parse(str_slice(&p->disk), a, &ctl, &err), CTL_OK);
	for (size_t i = 0; i < ctl.n_rcpts; i++) {
		const struct ctl_rcpt *r = &ctl.rcpts[i];

		str_addc(&tags, r->tag);
		assert_slice_is(r->pid_slot,
				r->tag == CTL_TAG_LOCKED ? "  4711" : "      ");
	}
	arena_free(a);
	str_clear(&p->disk);
	str_add(&p->disk, str_slice(&tags));
	str_done(&tags);
	return str_cstr(&p->disk);
}

/* Opens a job for a host; NULL: for any, the first recipient's. */
static inline enum agent_open post_try(struct post *p, struct agent_job *job,
				       const char *name, const char *host)
{
	struct agent_request request = { .name = slice_of(name),
					 .has_host = host != NULL,
					 .host = slice_of(host),
					 .select = AGENT_SELECT_STICKY };

	return agent_job_open(p->agent, job, &request);
}

/* Opens job "24700" for example.com, which must succeed. */
static inline void post_open_job(struct post *p, struct agent_job *job)
{
	post_said(p);
	assert_int_equal(post_try(p, job, "24700", "example.com"),
			 AGENT_OPENED);
	assert_string_equal(post_said(p), "");
}

#endif
