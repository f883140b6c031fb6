/*
 * job_test.c - which jobs are opened and which recipients taken; what becomes
 * of those without a message file, and of those nobody settles.
 */
#include "agent/test_post.h"

#include <dirent.h>
#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

/* Number of descriptors that are open. */
static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* ---- what is not opened ------------------------------------------------- */

/* Job `name` is refused with a comment that holds `why`; "" means silently. */
static void check_refused(struct post *p, const char *name, const char *why,
			  enum agent_open verdict)
{
	struct agent_job job = { 0 };
	int fds = count_fds();
	const char *said;

	post_said(p);
	assert_int_equal(post_try(p, &job, name, "example.com"), verdict);
	assert_int_equal(job.n_rcpts, 0);
	agent_job_close(p->agent, &job);
	said = post_said(p);
	if (why[0] == '\0')
		assert_string_equal(said, "");
	else if (strncmp(said, "# smtp:4711: ", 13) != 0 ||
		 strstr(said, why) == NULL ||
		 strchr(said, '\n') != strrchr(said, '\n'))
		fail_msg("%s: said '%s', wanted '%s'", name, said, why);
	assert_int_equal(count_fds(), fds);
	assert_int_equal(agent_exit_status(p->agent), 0);
}

static void test_bad_names_are_refused(void **state)
{
	static const char *const names[][2] = {
		{ "", "empty job name" },
		{ "/etc/24700", "is absolute" },
		{ "../transport/24700", "'..' in it" },
		{ "A/../24700", "'..' in it" },
		{ "./24700", "'.' in it" },
		{ "A//24700", "empty component" },
		{ "24700/", "empty component" },
		{ "passwd", "no number" },
		{ "24700\r", "control byte" },
		{ "99999999999999999999", "number too large" },
	};
	struct post p;

	(void)state;
	post_open(&p);
	post_job(POST_HEAD POST_RCPT("bob@example.com") POST_HEADER);
	for (size_t i = 0; i < COUNT(names); i++)
		check_refused(&p, names[i][0], names[i][1], AGENT_RESYNC);
	assert_string_equal(post_tags(&p, "24700"), " ");
	post_close(&p);
}

static void make_socket(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
	assert_int_equal(bind(fd, (void *)&addr, sizeof(addr)), 0);
	fd_close(fd);
}

static void test_what_is_no_regular_file_is_refused(void **state)
{
	struct post p;

	(void)state;
	post_open(&p);
	post_job(POST_HEAD POST_RCPT("bob@example.com") POST_HEADER);
	assert_int_equal(mkdir("1", 0700), 0);
	assert_int_equal(mkfifo("2", 0600), 0);
	assert_int_equal(symlink("24700", "3"), 0);
	make_socket("4");
	check_refused(&p, "1", "Is a directory", AGENT_RESYNC);
	check_refused(&p, "2", "not a regular file", AGENT_RESYNC);
	check_refused(&p, "3", strerror(ELOOP), AGENT_RESYNC);
	check_refused(&p, "4", strerror(ENXIO), AGENT_RESYNC);
	check_refused(&p, "5", strerror(ENOENT), AGENT_RESYNC);
	check_refused(&p, "24700/6", strerror(ENOTDIR), AGENT_RESYNC);
	assert_string_equal(post_tags(&p, "24700"), " ");
	post_close(&p);
}

/* A sparse file: nothing of it is to be read. */
static void test_huge_control_file_is_refused_unread(void **state)
{
	struct post p;

	(void)state;
	post_open(&p);
	post_write("1", POST_HEAD POST_RCPT("bob@example.com") POST_HEADER);
	assert_int_equal(truncate("1", (off_t)CTL_SIZE_MAX + 1), 0);
	check_refused(&p, "1", "larger than 67108864 bytes", AGENT_RESYNC);
	assert_int_equal(truncate("1", (off_t)1 << 40), 0);
	check_refused(&p, "1", "larger than 67108864 bytes", AGENT_RESYNC);
	post_close(&p);
}

/* Adds recipients and a header that make a control file of just `size`. */
static void make_large(struct str *to, size_t size)
{
	const size_t line = sizeof(POST_RCPT("bob@example.com")) - 1;

	str_adds(to, POST_HEAD);
	while (to->len + 2 * line + 20 < size)
		str_adds(to, POST_RCPT("bob@example.com"));
	str_adds(to, "m\nX: ");
	while (to->len + 2 < size)
		str_addc(to, 'x');
	str_adds(to, "\n\n");
}

static void test_large_control_file_is_read_to_its_end(void **state)
{
	static const size_t steps[] = { 32 * 1024, 64 * 1024, 300 * 1024 };
	struct post p;

	(void)state;
	post_open(&p);
	for (size_t i = 0; i < COUNT(steps) * 3; i++) {
		struct agent_job job = { 0 };
		struct str text = STR_INIT;

		make_large(&text, steps[i / 3] - 1 + i % 3);
		post_job(str_cstr(&text));
		post_open_job(&p, &job);
		assert_true(slice_eq(str_slice(&job.text), str_slice(&text)));
		assert_int_equal(job.n_rcpts, job.ctl.n_rcpts);
		assert_true(job.n_rcpts > 500);
		agent_job_close(p.agent, &job);
		str_done(&text);
	}
	post_close(&p);
}

struct refusal {
	const char *control, *why;
	enum agent_open want;
};

static const struct refusal refusals[] = {
	{ "", "fewer than 4 fields", AGENT_RESYNC },
	{ "r           smtp example.com bob 501\n", "fewer than 4 fields",
	  AGENT_RESYNC },
	{ POST_HEAD POST_RCPT("bob"), "recipient without a header",
	  AGENT_RESYNC },
	{ POST_HEAD POST_RCPT("bob") "m\nFrom: x\n",
	  "1: byte 115: `m` block without the empty line", AGENT_RESYNC },
	{ POST_HEAD "r           smtp example.com bob\n" POST_HEADER,
	  "recipient without its four parts", AGENT_RESYNC },
	{ "T mx.example.com\n", "", AGENT_RESYNC },
	{ "@ 0x17\ni 1\no 0\nl x\n" POST_RCPT("bob") POST_HEADER,
	  "Unsupported SCHEDULER file format flags seen: 0x17 at file '1'",
	  AGENT_UNKNOWN_FORMAT },
	/* Paths out of the queue; nothing may be touched. */
	{ "i ../../etc/passwd\no 0\nl x\ns local - a 1\n" POST_RCPT("bob")
	      POST_HEADER,
	  "bad name of a message file: '../../etc/passwd'", AGENT_RESYNC },
	{ "i ..\no 0\nl x\ns local - a 1\n" POST_RCPT("bob") POST_HEADER,
	  "bad name of a message file: '..'", AGENT_RESYNC },
	{ "i 1\r\no 0\nl x\ns local - a 1\n" POST_RCPT("bob") POST_HEADER,
	  "bad name of a message file: '1?'", AGENT_RESYNC },
	/* Nothing for us in it. */
	{ POST_HEAD POST_HEADER, "", AGENT_RESYNC },
	{ POST_HEAD "r+          smtp example.com a 1\n"
		    "r-          smtp example.com b 1\n"
		    "r~    17    smtp example.com c 1\n" POST_HEADER,
	  "", AGENT_RESYNC },
	{ POST_HEAD "r           SMTP example.com a 1\n"
		    "r           local example.com b 1\n"
		    "r           smtp example.org c 1\n" POST_HEADER,
	  "", AGENT_RESYNC },
};

static void test_unusable_control_files_are_never_touched(void **state)
{
	struct post p;

	(void)state;
	post_open(&p);
	post_write("../queue/24700", POST_BODY);
	for (size_t i = 0; i < COUNT(refusals); i++) {
		const struct refusal *row = &refusals[i];

		post_write("1", row->control);
		check_refused(&p, "1", row->why, row->want);
		assert_string_equal(post_disk(&p, "1"), row->control);
	}
	post_close(&p);
}

static void open_forbidden(struct post *p)
{
	check_refused(p, "24700", "Permission denied", AGENT_RESYNC);
	check_refused(p, "24700", "for \"smtp/example.com\" as uid ",
		      AGENT_RESYNC);
}

static void test_forbidden_control_file_is_refused(void **state)
{
	struct post p;

	(void)state;
	post_open(&p);
	post_job(POST_HEAD POST_RCPT("bob@example.com") POST_HEADER);
	assert_int_equal(chmod("24700", 0), 0);
	post_as_nobody(&p, open_forbidden);
	/* Reading alone does not do: marks must be written. */
	assert_int_equal(chmod("24700", 0444), 0);
	post_as_nobody(&p, open_forbidden);
	post_close(&p);
}

/* ---- who is taken ------------------------------------------------------- */

#define CHOICE                                          \
	POST_HEAD "r           smtp Example.COM a 1\n"  \
		  "r           local example.com b 1\n" \
		  "r           smtp example.org c 1\n"  \
		  "r+          smtp example.com d 1\n"  \
		  "r           SMTP example.com e 1\n"  \
		  "r           smtp example.com f 1\n"  \
		  "r           smtp example.com. g 1\n" \
		  "r           local EXAMPLE.org h 1\n" POST_HEADER

static const struct choice {
	const char *channel; /* NULL: none given */
	const char *host;    /* NULL: none given */
	enum agent_select select;
	const char *users; /* of those who are taken */
	const char *job_host;
	const char *tags;
} choices[] = {
	{ "smtp", "example.com", AGENT_SELECT_HOST, "af", "example.com",
	  "~  + ~  " },
	{ "smtp", "EXAMPLE.com", AGENT_SELECT_STICKY, "af", "EXAMPLE.com",
	  "~  + ~  " },
	{ "local", "example.org", AGENT_SELECT_HOST, "h", "example.org",
	  "   +   ~" },
	{ "smtp", NULL, AGENT_SELECT_STICKY, "af", "Example.COM", "~  + ~  " },
	{ "local", NULL, AGENT_SELECT_STICKY, "b", "example.com", " ~ +    " },
	{ NULL, "example.com", AGENT_SELECT_STICKY, "abef", "example.com",
	  "~~ +~~  " },
	{ NULL, NULL, AGENT_SELECT_STICKY, "abef", "Example.COM", "~~ +~~  " },
	{ NULL, "example.org", AGENT_SELECT_HOST, "ch", "example.org",
	  "  ~+   ~" },
};

static void check_choice(struct post *p, const struct choice *row)
{
	struct agent_job job = { 0 };
	struct agent_request request;
	struct str users = STR_INIT;

	post_job(CHOICE);
	p->options.has_channel = row->channel != NULL;
	p->options.channel = slice_of(row->channel);
	request = (struct agent_request){ .name = SLICE("24700"),
					  .has_host = row->host != NULL,
					  .host = slice_of(row->host),
					  .select = row->select };
	assert_int_equal(agent_job_open(p->agent, &job, &request),
			 AGENT_OPENED);
	for (size_t i = 0; i < job.n_rcpts; i++)
		str_add(&users, job.rcpts[i].ctl->address.user);
	assert_slice_is(str_slice(&users), row->users);
	assert_slice_is(job.host, row->job_host);
	assert_string_equal(post_tags(p, "24700"), row->tags);
	agent_job_close(p->agent, &job);
	assert_string_equal(post_tags(p, "24700"), "   +    ");
	str_done(&users);
}

static void test_recipients_are_chosen_by_channel_and_host(void **state)
{
	struct post p;

	(void)state;
	post_open(&p);
	for (size_t i = 0; i < COUNT(choices); i++)
		check_choice(&p, &choices[i]);
	post_close(&p);
}

static void open_elsewhere(struct post *p)
{
	check_refused(p, "24700", "", AGENT_RESYNC);
}

static void test_taken_recipients_are_locked_for_all_others(void **state)
{
	struct agent_job job = { 0 };
	struct post p;

	(void)state;
	post_open(&p);
	post_job(POST_HEAD POST_RCPT("a@b") POST_HEADER);
	post_open_job(&p, &job);
	assert_non_null(strstr(post_disk(&p, "24700"),
			       "r~  4711    smtp example.com a@b 501\n"));
	post_in_child(&p, open_elsewhere);
	assert_string_equal(post_tags(&p, "24700"), "~");
	agent_job_close(p.agent, &job);
	post_close(&p);
}

/* Even if somebody thinks us dead and resets the tag. */
static void test_byte_lock_holds_until_the_job_is_closed(void **state)
{
	struct agent_job job = { 0 };
	struct post p;

	(void)state;
	post_open(&p);
	post_job(POST_HEAD POST_RCPT("a@b") POST_HEADER);
	post_open_job(&p, &job);
	post_job(POST_HEAD POST_RCPT("a@b") POST_HEADER);
	assert_string_equal(post_tags(&p, "24700"), " ");
	post_in_child(&p, open_elsewhere);
	agent_job_close(p.agent, &job);
	post_said(&p);
	post_open_job(&p, &job);
	agent_job_close(p.agent, &job);
	post_close(&p);
}

static void test_one_busy_recipient_does_not_hinder_the_others(void **state)
{
	struct agent_job job = { 0 }, other = { 0 };
	struct agent_request any = { .name = SLICE("24700"),
				     .select = AGENT_SELECT_HOST };
	struct post p;

	(void)state;
	post_open(&p);
	post_job(POST_HEAD POST_RCPT("a@b") "r           smtp example.org b@b "
					    "501\n" POST_RCPT("c@b")
						POST_HEADER);
	assert_int_equal(post_try(&p, &other, "24700", "example.org"),
			 AGENT_OPENED);
	/* As if the scheduler had thought it dead; its byte lock stays. */
	post_job(POST_HEAD POST_RCPT("a@b") "r           smtp example.org b@b "
					    "501\n" POST_RCPT("c@b")
						POST_HEADER);
	assert_int_equal(agent_job_open(p.agent, &job, &any), AGENT_OPENED);
	assert_int_equal(job.n_rcpts, 2);
	assert_string_equal(post_tags(&p, "24700"), "~ ~");
	agent_job_close(p.agent, &job);
	agent_job_close(p.agent, &other);
	assert_string_equal(post_tags(&p, "24700"), "   ");
	post_close(&p);
}

/* It cannot be locked, so nobody can take it; the others can be. */
static void test_recipient_of_ancient_form_is_left_alone(void **state)
{
	struct agent_job job = { 0 };
	struct post p;

	(void)state;
	post_open(&p);
	post_job("i 24700\no 21\nl <1@x>\ns local - a 1\n"
		 "r smtp example.com old@b 501\n" POST_RCPT("new@b")
		     POST_HEADER);
	assert_int_equal(post_try(&p, &job, "24700", "example.com"),
			 AGENT_OPENED);
	assert_int_equal(job.n_rcpts, 1);
	assert_slice_is(job.rcpts[0].ctl->address.user, "new@b");
	agent_job_close(p.agent, &job);
	assert_non_null(strstr(post_said(&p), "no pid slot"));
	assert_non_null(
	    strstr(post_disk(&p, "24700"), "\nr smtp example.com old@b 501\n"));
	post_close(&p);
}

/* ---- what a job knows --------------------------------------------------- */

static void test_job_knows_its_message(void **state)
{
	struct timespec times[2] = { { 1767268800, 0 }, { 1767268800, 0 } };
	struct agent_job job = { 0 };
	struct str want = STR_INIT;
	struct stat st;
	struct post p;

	(void)state;
	post_open(&p);
	assert_int_equal(mkdir("A", 0755), 0);
	assert_int_equal(mkdir("../queue/A", 0755), 0);
	post_write("../queue/A/24700", POST_BODY);
	post_write("A/24700-1",
		   POST_HEAD POST_RCPT("a@b") POST_RCPT("c@d") POST_HEADER);
	assert_int_equal(utimensat(AT_FDCWD, "../queue/A/24700", times, 0), 0);
	assert_int_equal(stat("../queue/A/24700", &st), 0);
	assert_int_equal(post_try(&p, &job, "A/24700-1", "example.com"),
			 AGENT_OPENED);
	assert_int_equal(job.name.id, 24700);
	assert_slice_is(job.name.base, "24700-1");
	assert_int_equal(message_body_size(&job.message), 4);
	str_addf(&want, "S%juAbmAAMAA", (uintmax_t)st.st_ino);
	assert_slice_is(str_slice(&job.spool_id), str_cstr(&want));
	assert_slice_is(job.ctl.log_identity, "<1@x>");
	assert_slice_is(job.rcpts[1].ctl->sender->address.user,
			"alice@example.net");
	agent_job_close(p.agent, &job);
	str_done(&want);
	post_close(&p);
}

static void test_group_is_one_sender_and_one_header(void **state)
{
	static const size_t want[] = { 2, 1, 1, 1 };
	struct agent_job job = { 0 };
	size_t at = 0;
	struct post p;

	(void)state;
	post_open(&p);
	post_job(POST_HEAD POST_RCPT("a") "r           local - x 1\n" POST_RCPT(
	    "b") "s local - other 501\n" POST_RCPT("c")
		     POST_HEADER POST_RCPT("d") POST_HEADER
		 "s local - other 501\n" POST_RCPT("e") POST_HEADER);
	post_open_job(&p, &job);
	assert_int_equal(job.n_rcpts, 5);
	for (size_t i = 0; i < COUNT(want); i++)
		assert_int_equal(agent_job_group(&job, &at), want[i]);
	assert_int_equal(agent_job_group(&job, &at), 0);
	assert_int_equal(at, 5);
	agent_job_close(p.agent, &job);
	post_close(&p);
}

/* ---- without its message ------------------------------------------------ */

#define FAILED_DLINES(text)                                                  \
	"d 78:154:-1::1767268805\ta@b\001failed\0015.3.0 (message file is "  \
	"missing)\001x-local; 500 (message file is missing)\001\001smtp"     \
	"[4711]\t" text "\n"                                                 \
	"d 115:154:-1::1767268805\tc@d\001failed\0015.3.0 (message file is " \
	"missing)\001x-local; 500 (message file is missing)\001\001smtp"     \
	"[4711]\t" text "\n"

static const char two_rcpts[] =
    POST_HEAD POST_RCPT("a@b") POST_RCPT("c@d") POST_HEADER;

/* Both recipients fail here and now with this text. */
static void check_all_failed(struct post *p, const char *text)
{
	struct agent_job job = { 0 };
	struct str want = STR_INIT;
	struct slice lines;

	post_write("24700", two_rcpts);
	post_said(p);
	assert_int_equal(post_try(p, &job, "24700", "example.com"),
			 AGENT_RESYNC);
	assert_string_equal(post_tags(p, "24700"), "--");
	agent_job_close(p->agent, &job);
	str_addf(&want, "24700/78\t\terror2 %s\n24700/115\t\terror2 %s\n", text,
		 text);
	assert_string_equal(post_said(p), str_cstr(&want));
	lines = slice_from(slice_of(post_disk(p, "24700")), strlen(two_rcpts));
	assert_int_equal(slice_find_text(lines, slice_of(text)) < lines.len, 1);
	str_done(&want);
}

static void test_missing_message_file_fails_everybody(void **state)
{
	struct post p;

	(void)state;
	post_open(&p);
	check_all_failed(&p, "message file is missing(!) -- possibly due to "
			     "delivery scheduler restart.  Consider resending "
			     "your message");
	assert_slice_is(
	    slice_from(slice_of(post_disk(&p, "24700")), strlen(two_rcpts)),
	    FAILED_DLINES("message file is missing(!) -- possibly due to "
			  "delivery scheduler restart.  Consider resending "
			  "your message"));
	post_close(&p);
}

static void test_irregular_message_file_fails_everybody(void **state)
{
	static const char text[] = "Message file is not a regular file!";
	struct post p;

	(void)state;
	post_open(&p);
	assert_int_equal(mkdir("../queue/24700", 0700), 0);
	check_all_failed(&p, text);
	assert_int_equal(rmdir("../queue/24700"), 0);
	assert_int_equal(mkfifo("../queue/24700", 0600), 0);
	check_all_failed(&p, text);
	assert_int_equal(unlink("../queue/24700"), 0);
	post_write("../queue/1", POST_BODY);
	assert_int_equal(symlink("1", "../queue/24700"), 0);
	check_all_failed(&p, text);
	post_close(&p);
}

/* Both recipients are put off, with a text that holds `why`. */
static void check_all_deferred(struct post *p, const char *why)
{
	struct agent_job job = { 0 };
	const char *said;

	post_said(p);
	assert_int_equal(post_try(p, &job, "24700", "example.com"),
			 AGENT_RESYNC);
	agent_job_close(p->agent, &job);
	said = post_said(p);
	if (strstr(said, why) == NULL)
		fail_msg("said '%s', wanted '%s'", said, why);
	assert_true(slice_starts(
	    slice_of(said),
	    SLICE("24700/78\ta@b\001delayed\0014.3.0 (message file cannot be "
		  "read)\001x-local; 400 (message file cannot be read)\001"
		  "\001smtp[4711]\tdeferred message file cannot be read: ")));
	said = strchr(said, '\n') + 1;
	assert_true(slice_starts(slice_of(said), SLICE("24700/115\tc@d\001")));
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
	assert_string_equal(post_disk(p, "24700"), two_rcpts);
}

static void open_unreadable(struct post *p)
{
	check_all_deferred(p, "Permission denied");
}

static void test_unreadable_message_file_defers_everybody(void **state)
{
	struct post p;

	(void)state;
	post_open(&p);
	post_job(two_rcpts);
	assert_int_equal(chmod("../queue/24700", 0), 0);
	assert_int_equal(chmod("24700", 0666), 0);
	post_as_nobody(&p, open_unreadable);
	post_close(&p);
}

/* ---- shortage ------------------------------------------------------------ */

/* Opens the job with n descriptors left; the limit is put back. */
static enum agent_open open_with(struct post *p, struct agent_job *job,
				 unsigned n)
{
	enum agent_open verdict;
	struct rlimit old, low;
	int next = dup(p->out); /* the lowest that is free */

	assert_true(next >= 0);
	fd_close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)next + n;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	verdict = post_try(p, job, "24700", "example.com");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	return verdict;
}

/* Neither file can be opened for want of descriptors: not the job's fault. */
static void test_shortage_of_descriptors_leaves_the_job_alone(void **state)
{
	struct post p;

	(void)state;
	post_open(&p);
	post_job(two_rcpts);
	for (unsigned n = 0; n <= 1; n++) {
		struct agent_job job = { 0 };
		const char *said;

		post_said(&p);
		assert_int_equal(open_with(&p, &job, n), AGENT_BUSY);
		assert_int_equal(job.n_rcpts, 0);
		agent_job_close(p.agent, &job);
		said = post_said(&p);
		if (strncmp(said, "# ", 2) != 0 ||
		    strstr(said, "Too many open files\n") == NULL ||
		    strchr(said, '\n') != strrchr(said, '\n'))
			fail_msg("%u left: said '%s'", n, said);
		assert_string_equal(post_disk(&p, "24700"), two_rcpts);
	}
	for (unsigned n = 2; n <= 3; n++) {
		struct agent_job job = { 0 };

		assert_int_equal(open_with(&p, &job, n), AGENT_OPENED);
		assert_int_equal(job.n_rcpts, 2);
		agent_job_close(p.agent, &job);
	}
	post_close(&p);
}

static void test_body_offset_behind_the_end_defers_everybody(void **state)
{
	struct post p;

	(void)state;
	post_open(&p);
	post_job(two_rcpts);
	assert_int_equal(truncate("../queue/24700", 20), 0);
	check_all_deferred(&p, "body offset 21 beyond its end at 20");
	post_close(&p);
}

/* ---- closing ------------------------------------------------------------ */

static void test_closing_defers_what_nobody_settled(void **state)
{
	struct diag done = { .fate = FATE_RELAYED,
			     .reason = "accepted",
			     .status = SLICE("2.0.0") };
	struct agent_job job = { 0 };
	int fds;
	struct post p;

	(void)state;
	post_open(&p);
	post_job(two_rcpts);
	fds = count_fds();
	post_open_job(&p, &job);
	agent_job_settle_one(p.agent, &job, 1, &done);
	agent_job_close(p.agent, &job);
	assert_string_equal(
	    post_said(&p),
	    "24700/115\t\tok3 \n"
	    "24700/78\ta@b\001delayed\0014.3.0 (delivery was not attempted)"
	    "\001x-local; 400 (delivery was not attempted)\001\001smtp[4711]"
	    "\tdeferred delivery was not attempted\n");
	assert_string_equal(post_tags(&p, "24700"), " +");
	assert_int_equal(count_fds(), fds);
	/* Nothing is left to be closed. */
	agent_job_close(p.agent, &job);
	assert_string_equal(post_said(&p), "");
	post_close(&p);
}

static void close_interrupted(struct post *p)
{
	struct agent_job job = { 0 };

	agent_catch_signals();
	post_open_job(p, &job);
	raise(SIGTERM);
	agent_job_close(p->agent, &job);
	assert_string_equal(
	    post_said(p),
	    "24700/78\ta@b\001delayed\0014.3.2 (interrupted by signal)\001"
	    "x-local; 400 (interrupted by signal)\001\001smtp[4711]\tdeferred "
	    "interrupted by signal\n"
	    "24700/115\tc@d\001delayed\0014.3.2 (interrupted by signal)\001"
	    "x-local; 400 (interrupted by signal)\001\001smtp[4711]\tdeferred "
	    "interrupted by signal\n");
	assert_string_equal(post_disk(p, "24700"), two_rcpts);
}

static void test_closing_after_a_signal_says_so(void **state)
{
	struct post p;

	(void)state;
	post_open(&p);
	post_job(two_rcpts);
	post_in_child(&p, close_interrupted);
	post_close(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_names_are_refused),
		cmocka_unit_test(test_what_is_no_regular_file_is_refused),
		cmocka_unit_test(test_huge_control_file_is_refused_unread),
		cmocka_unit_test(test_large_control_file_is_read_to_its_end),
		cmocka_unit_test(test_unusable_control_files_are_never_touched),
		cmocka_unit_test(test_forbidden_control_file_is_refused),
		cmocka_unit_test(
		    test_recipients_are_chosen_by_channel_and_host),
		cmocka_unit_test(
		    test_taken_recipients_are_locked_for_all_others),
		cmocka_unit_test(test_byte_lock_holds_until_the_job_is_closed),
		cmocka_unit_test(
		    test_one_busy_recipient_does_not_hinder_the_others),
		cmocka_unit_test(test_recipient_of_ancient_form_is_left_alone),
		cmocka_unit_test(test_job_knows_its_message),
		cmocka_unit_test(test_group_is_one_sender_and_one_header),
		cmocka_unit_test(test_missing_message_file_fails_everybody),
		cmocka_unit_test(test_irregular_message_file_fails_everybody),
		cmocka_unit_test(test_unreadable_message_file_defers_everybody),
		cmocka_unit_test(
		    test_body_offset_behind_the_end_defers_everybody),
		cmocka_unit_test(
		    test_shortage_of_descriptors_leaves_the_job_alone),
		cmocka_unit_test(test_closing_defers_what_nobody_settled),
		cmocka_unit_test(test_closing_after_a_signal_says_so),
	};

	return TEST_RUN(tests);
}
