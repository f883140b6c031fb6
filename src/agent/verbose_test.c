/*
 * verbose_test.c - which files a `v` line may name, and what is written there.
 */
#include "agent/verbose.h"

#include "agent/test_post.h"

#include <dlfcn.h>
#include <errno.h>
#include <sys/syscall.h>

#define OURS "../public/v_1"

/* ---- the system call that some kernels lack ----------------------------- */

static int openat2_errno; /* 0: it is there */

long syscall(long number, ...)
{
	static long (*real)(long number, ...);
	long arg[4];
	va_list ap;

	if (number == SYS_openat2 && openat2_errno != 0) {
		errno = openat2_errno;
		return -1;
	}
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	va_start(ap, number);
	for (size_t i = 0; i < 4; i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	return real(number, arg[0], arg[1], arg[2], arg[3]);
}

/* ---- files -------------------------------------------------------------- */

/* A spool with ../public and a message that is ours. */
struct place {
	struct post post;
	int message;
};

static void place_make(struct place *p)
{
	post_open(&p->post);
	assert_int_equal(mkdir("../public", 0755), 0);
	assert_int_equal(mkdir("../public/sub", 0755), 0);
	post_write("../queue/1", "hi");
	p->message = open("../queue/1", O_RDONLY | O_CLOEXEC);
	assert_true(p->message >= 0);
	openat2_errno = 0;
}

static void place_remove(struct place *p)
{
	fd_close(p->message);
	post_close(&p->post);
}

static int open_log(struct place *p, const char *path, struct verbose **ret,
		    struct err *err)
{
	struct verbose_request r = { .path = path,
				     .message_fd = p->message,
				     .program = "smtp",
				     .pid = 4711 };

	return verbose_open(&r, ret, err);
}

static void check_refused(struct place *p, const char *path, const char *why)
{
	struct verbose *v = NULL;
	struct err err;
	int before = dup(0), after;

	fd_close(before);
	assert_int_equal(open_log(p, path, &v, &err), -1);
	if (strstr(err.text, why) == NULL)
		fail_msg("%s: got '%s', wanted '%s'", path, err.text, why);
	assert_null(v);
	after = dup(0);
	fd_close(after);
	assert_int_equal(after, before);
}

static void check_accepted(struct place *p, const char *path)
{
	struct verbose *v = NULL;
	struct err err;

	if (open_log(p, path, &v, &err) < 0)
		fail_msg("%s: %s", path, err.text);
	verbose_close(v);
}

static void test_only_names_below_public(void **state)
{
	static const char *const names[] = {
		"",
		"v_1",
		"/etc/passwd",
		"../public",
		"../public/",
		"../public//v_1",
		"../public/../queue/1",
		"../public/sub/../v_1",
		"../public/./v_1",
		"../public/v_1/",
		"./../public/v_1",
		"../publicity/v_1",
		"../queue/1",
	};
	struct place p;

	(void)state;
	place_make(&p);
	post_write(OURS, "");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		check_refused(&p, names[i], "below ../public/");
	check_accepted(&p, OURS);
	place_remove(&p);
}

/* With openat2(2), and walked where a kernel or a filter lacks it. */
static void each_way(void (*check)(struct place *p))
{
	static const int ways[] = { 0, ENOSYS, EPERM };

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct place p;

		place_make(&p);
		openat2_errno = ways[i];
		check(&p);
		openat2_errno = 0;
		place_remove(&p);
	}
}

static void check_links(struct place *p)
{
	post_write(OURS, "");
	post_write("../queue/2", "");
	post_write("../public/sub/v_2", "");
	assert_int_equal(symlink("v_1", "../public/link"), 0);
	assert_int_equal(symlink("sub", "../public/sublink"), 0);
	assert_int_equal(symlink("/", "../public/root"), 0);
	assert_int_equal(link("../queue/2", "../public/hard"), 0);
	check_accepted(p, OURS);
	check_accepted(p, "../public/sub/v_2");
	check_refused(p, "../public/link", strerror(ELOOP));
	check_refused(p, "../public/sublink/v_2", "");
	check_refused(p, "../public/root/etc/passwd", "");
	check_refused(p, "../public/hard", "another name");
}

static void test_no_link_is_followed(void **state)
{
	(void)state;
	each_way(check_links);
}

static void check_kinds(struct place *p)
{
	assert_int_equal(mkfifo("../public/fifo", 0644), 0);
	check_refused(p, "../public/fifo", strerror(ENXIO));
	check_refused(p, "../public/sub", strerror(EISDIR));
	check_refused(p, OURS, strerror(ENOENT));
	check_refused(p, "../public/no/v_1", strerror(ENOENT));
	assert_int_equal(access(OURS, F_OK), -1);
}

static void test_only_files_that_are_there(void **state)
{
	(void)state;
	each_way(check_kinds);
}

static void test_fifo_with_a_reader_is_no_file(void **state)
{
	struct place p;
	int reader;

	(void)state;
	place_make(&p);
	assert_int_equal(mkfifo("../public/fifo", 0644), 0);
	reader = open("../public/fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(reader >= 0);
	check_refused(&p, "../public/fifo", "not a regular file");
	fd_close(reader);
	place_remove(&p);
}

static void test_file_must_be_the_message_owners(void **state)
{
	struct place p;

	(void)state;
	if (geteuid() != 0)
		skip();
	place_make(&p);
	post_write(OURS, "");
	assert_int_equal(chown(OURS, 1, 1), 0);
	check_refused(&p, OURS, "owner");
	assert_int_equal(chown("../queue/1", 1, 1), 0);
	check_accepted(&p, OURS);
	place_remove(&p);
}

/* ---- lines -------------------------------------------------------------- */

/* The file's lines behind "YYYY-MM-DD hh:mm:ss ". */
static void check_lines(struct place *p, const char *want)
{
	struct slice rest = slice_of(post_disk(&p->post, OURS)), line;
	struct str got = STR_INIT;

	while (slice_cut(&rest, '\n', &line) && rest.p != NULL) {
		assert_true(line.len > 20 && line.p[4] == '-' &&
			    line.p[10] == ' ' && line.p[19] == ' ');
		str_add(&got, slice_from(line, 20));
		str_addc(&got, '\n');
	}
	assert_slice_is(str_slice(&got), want);
	str_done(&got);
}

static void test_lines_are_appended_at_once(void **state)
{
	struct verbose *v;
	struct place p;
	struct err err;

	(void)state;
	place_make(&p);
	post_write(OURS, "2026-01-01 00:00:00 earlier\n");
	assert_int_equal(open_log(&p, OURS, &v, &err), 0);
	verbose_line(v, 'w', SLICE("RSET"));
	check_lines(&p, "earlier\nsmtp[4711] w\tRSET\n");
	verbose_printf(v, "%s=%d", "n", 3);
	verbose_line(v, 'r', SLICE("a\nb\x1b\rc\td\r"));
	verbose_line(v, '#', SLICE(""));
	check_lines(&p, "earlier\nsmtp[4711] w\tRSET\nsmtp[4711] #\tn=3\n"
			"smtp[4711] r\ta?b?\\rc d\\r\nsmtp[4711] #\t\n");
	verbose_close(v);
	place_remove(&p);
}

static void test_without_a_log_nothing_happens(void **state)
{
	(void)state;
	verbose_line(NULL, '#', SLICE("nobody reads it"));
	verbose_printf(NULL, "%s", "nobody reads it");
	verbose_close(NULL);
}

/* ---- a job's ------------------------------------------------------------ */

/* A job with a `v` line; one recipient. */
static void write_job(const char *file)
{
	struct str control = STR_INIT;

	str_addf(&control, "v %s\n" POST_HEAD POST_RCPT("bob@x") POST_HEADER,
		 file);
	post_job(str_cstr(&control));
	str_done(&control);
}

static void test_job_tells_its_log_what_became_of_it(void **state)
{
	struct diag diag = {
		.fate = FATE_DEFERRED,
		.reason = "busy",
		.status = SLICE("4.2.1"),
		.remote_mta = SLICE("dns; mx"),
		.connection = SLICE("secret|1"),
		.text = SLICE("\r<<- RCPT\r->> 450 busy"),
	};
	struct agent_job job = { 0 };
	struct place p;

	(void)state;
	place_make(&p);
	post_write(OURS, "");
	write_job(OURS);
	post_open_job(&p.post, &job);
	agent_job_settle_one(p.post.agent, &job, 0, &diag);
	check_lines(&p,
		    "smtp[4711] #\tDIAG: C='smtp' H='example.com' U='bob@x' "
		    "ID=24700/94 -- stat='deferred' reason='busy' "
		    "status='4.2.1' WTT='dns; mx' "
		    "MSG='\\r<<- RCPT\\r->> 450 busy'\n");
	agent_job_close(p.post.agent, &job);
	assert_null(strstr(post_said(&p.post), "# "));
	place_remove(&p);
}

static void test_refused_log_is_said_once(void **state)
{
	static const struct diag diag = { .fate = FATE_DELIVERED,
					  .reason = "accepted" };
	struct agent_job job = { 0 };
	struct place p;
	const char *said;

	(void)state;
	place_make(&p);
	write_job("/etc/passwd");
	post_said(&p.post);
	assert_int_equal(post_try(&p.post, &job, "24700", "example.com"),
			 AGENT_OPENED);
	agent_job_settle_one(p.post.agent, &job, 0, &diag);
	agent_job_close(p.post.agent, &job);
	said = strstr(post_said(&p.post),
		      "# smtp:4711: verbose log \"/etc/passwd\": not below "
		      "../public/\n24700/");
	assert_non_null(said);
	assert_null(strstr(strstr(said, "verbose") + 1, "verbose"));
	place_remove(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_names_below_public),
		cmocka_unit_test(test_no_link_is_followed),
		cmocka_unit_test(test_only_files_that_are_there),
		cmocka_unit_test(test_fifo_with_a_reader_is_no_file),
		cmocka_unit_test(test_file_must_be_the_message_owners),
		cmocka_unit_test(test_lines_are_appended_at_once),
		cmocka_unit_test(test_without_a_log_nothing_happens),
		cmocka_unit_test(test_job_tells_its_log_what_became_of_it),
		cmocka_unit_test(test_refused_log_is_said_once),
	};

	return TEST_RUN(tests);
}
