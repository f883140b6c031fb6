/*
 * settle_test.c - from a result to the `d` line, the mark, the sync and the
 * report; what is left of it when the disk refuses one of them.
 *
 * The calls that write are replaced by ones that note what they do and can
 * fail; they look at the agent's output too, for no report may be out before
 * its result is safe.
 */
#include "agent/test_post.h"
#include "spool/dline.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sysexits.h>

/* ---- calls that are watched --------------------------------------------- */

static struct {
	struct str steps;	 /* what was done: "append mark+ mark- sync " */
	const struct post *post; /* NULL: nothing is watched */
	int fail_mark, fail_append, fail_sync; /* errno values; 0: none */
	int marks_before;		       /* those that succeed */
} disk;

static void watch(const struct post *p)
{
	str_done(&disk.steps);
	memset(&disk, 0, sizeof(disk));
	disk.post = p;
}

/* Nothing may have been said yet about what is being written. */
static void note(const char *what)
{
	str_adds(&disk.steps, what);
	if (disk.post != NULL)
		assert_int_equal(lseek(disk.post->out, 0, SEEK_END), 0);
}

static int failing(int code)
{
	errno = code;
	return -1;
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	note("mark");
	str_addc(&disk.steps, *(const char *)bytes);
	str_addc(&disk.steps, ' ');
	if (disk.fail_mark != 0 && disk.marks_before-- <= 0)
		return failing(disk.fail_mark);
	return syscall(SYS_pwrite64, fd, bytes, n, at);
}

ssize_t pwritev2(int fd, const struct iovec *parts, int n, off_t at, int flags)
{
	note("append ");
	if (disk.fail_append != 0)
		return failing(disk.fail_append);
	return syscall(SYS_pwritev2, fd, parts, (long)n, at, 0L, (long)flags);
}

int fdatasync(int fd)
{
	note("sync ");
	if (disk.fail_sync != 0)
		return failing(disk.fail_sync);
	return (int)syscall(SYS_fdatasync, fd);
}

static void check_steps(const char *want)
{
	assert_slice_is(str_slice(&disk.steps), want);
	watch(NULL);
}

/* ---- a job with three recipients ---------------------------------------- */

/* Only b asks for reports of success. */
static const char control[] = POST_HEAD POST_RCPT("a@x")
    POST_RCPT("b@x") "N NOTIFY=SUCCESS,FAILURE\n" POST_RCPT("c@x") POST_HEADER;

struct row {
	struct diag diag;
	const char *tag;
	const char *report; /* behind "24700/OFFSET" */
	const char *dline;  /* behind "d OFFSET:"; "" for none */
};

#define REPLY SLICE("smtp; 550 (no [such] user)")
#define MTA   SLICE("dns; mx.example (192.0.2.9)")
#define NOTARY(user, action, status)                         \
	user "\001" action "\001" status                     \
	     "\001smtp; 550 (no [such] user)\001dns; mx.exa" \
	     "mple (192.0.2.9)\001smtp[4711]"

static struct diag make_diag(enum fate fate, const char *status)
{
	return (struct diag){ .fate = fate,
			      .reason = "test",
			      .status = slice_of(status),
			      .diagnostic = REPLY,
			      .remote_mta = MTA,
			      .text = SLICE("\r<<- RCPT\r->> said so") };
}

/* Settles recipient `index` of a fresh job. */
static void check_result(struct post *p, size_t index, const struct row *row)
{
	static const size_t offsets[] = { 78, 115, 177 };
	struct agent_job job = { 0 };
	struct str want = STR_INIT;
	struct slice added;

	post_job(control);
	post_open_job(p, &job);
	agent_job_settle_one(p->agent, &job, index, &row->diag);
	str_addf(&want, "24700/%zu\t%s", offsets[index], row->report);
	agent_job_say(p->agent, &job);
	assert_string_equal(post_said(p), str_cstr(&want));
	str_clear(&want);
	if (row->dline[0] != '\0')
		str_addf(&want, "d %zu:%s", offsets[index], row->dline);
	added = slice_from(slice_of(post_disk(p, "24700")), strlen(control));
	assert_slice_is(added, str_cstr(&want));
	assert_ptr_equal(strchr(row->tag, post_tags(p, "24700")[index]),
			 row->tag);
	agent_job_close(p->agent, &job);
	str_done(&want);
}

#define SAID "\r<<- RCPT\r->> said so\n"

static void test_failure_has_a_dline_and_a_mark(void **state)
{
	const struct row row = { make_diag(FATE_FAILED, "5.1.1 (unknown)"), "-",
				 "\terror2 " SAID,
				 "216:-1::1767268805\t" NOTARY(
				     "a@x", "failed",
				     "5.1.1 (unknown)") "\t" SAID };
	struct post p;

	(void)state;
	post_open(&p);
	check_result(&p, 0, &row);
	post_close(&p);
}

static void test_success_has_a_dline_only_where_it_was_asked_for(void **state)
{
	struct row row = { make_diag(FATE_RELAYED, "2.1.5"), "+", "\tok3 " SAID,
			   "" };
	struct post p;

	(void)state;
	post_open(&p);
	check_result(&p, 0, &row);
	row.report = "\tok2 " SAID;
	/* The `N` line of b stands at 152. */
	row.dline =
	    "216:152::1767268805\t" NOTARY("b@x", "relayed", "2.1.5") "\t" SAID;
	check_result(&p, 1, &row);
	row.diag.fate = FATE_DELIVERED;
	row.dline = "216:152::1767268805\t" NOTARY("b@x", "delivered",
						   "2.1.5") "\t" SAID;
	check_result(&p, 1, &row);
	/* The next hop will report it. */
	row.diag.dsn_handed_over = true;
	row.report = "\tok3 " SAID;
	row.dline = "";
	check_result(&p, 1, &row);
	post_close(&p);
}

static void test_each_deferral_has_its_word_and_no_dline(void **state)
{
	struct row row = { make_diag(FATE_DEFERRED, "4.2.1"), " ",
			   NOTARY("c@x", "delayed", "4.2.1") "\tdeferred " SAID,
			   "" };
	struct post p;

	(void)state;
	post_open(&p);
	check_result(&p, 2, &row);
	row.diag.fate = FATE_DEFERRED_ALL;
	row.report = NOTARY("c@x", "delayed", "4.2.1") "\tdeferall " SAID;
	check_result(&p, 2, &row);
	row.diag.fate = FATE_DEFERRED_BACK;
	row.report = NOTARY("c@x", "delayed", "4.2.1") "\tdeferback " SAID;
	check_result(&p, 2, &row);
	row.diag.fate = FATE_RETRY_AT;
	row.report = NOTARY("c@x", "delayed", "4.2.1") "\tdeferred " SAID;
	check_result(&p, 2, &row);
	row.diag.retry_after = 60;
	row.report = NOTARY("c@x", "delayed", "4.2.1") "\tretryat +60 " SAID;
	check_result(&p, 2, &row);
	post_close(&p);
}

static void test_status_is_made_to_fit_the_fate(void **state)
{
	struct row row = { make_diag(FATE_DEFERRED, "5.4.1 (connect)"), " ",
			   NOTARY("a@x", "delayed",
				  "4.4.1 (connect)") "\tdeferred " SAID,
			   "" };
	struct post p;

	(void)state;
	post_open(&p);
	check_result(&p, 0, &row);
	row.diag = make_diag(FATE_FAILED, "nonsense");
	row.tag = "-";
	row.report = "\terror2 " SAID;
	row.dline =
	    "216:-1::1767268805\t" NOTARY("a@x", "failed", "5.0.0") "\t" SAID;
	check_result(&p, 0, &row);
	post_close(&p);
}

/* What a server says can forge neither a report nor a `d` line. */
static void test_hostile_texts_stay_in_their_fields(void **state)
{
	struct row row = {
		{ .fate = FATE_FAILED,
		  .reason = "test",
		  .status = SLICE("5.1.1 (a\tb\001c)"),
		  .diagnostic = SLICE("smtp; 550 (\001x\t\n\r)"),
		  .remote_mta = SLICE("dns; a\0b"),
		  .text = SLICE("no\001\033[2J\n7/64\t\tok3 \n\nd 1\0z") },
		"-",
		"\terror2 no??[2J\r7/64  ok3 \r\rd 1?z\n",
		"216:-1::1767268805\ta@x\001failed\0015.1.1 (a b?c)\001smtp; "
		"550 "
		"(?x ?\?)\001dns; a?b\001smtp[4711]\tno??[2J\r7/64  ok3 \r\rd "
		"1?z\n"
	};
	struct post p;

	(void)state;
	post_open(&p);
	check_result(&p, 0, &row);
	post_close(&p);
}

static void test_endless_text_is_cut_in_the_dline_alone(void **state)
{
	struct diag d = make_diag(FATE_FAILED, "5.1.1");
	struct agent_job job = { 0 };
	struct str text = STR_INIT;
	struct slice added, tail;
	struct post p;

	(void)state;
	post_open(&p);
	post_job(control);
	post_open_job(&p, &job);
	for (int i = 0; i < 100000; i++)
		str_addc(&text, 'x');
	d.text = str_slice(&text);
	agent_job_settle_one(p.agent, &job, 0, &d);
	agent_job_say(p.agent, &job);
	assert_int_equal(strlen(post_said(&p)),
			 strlen("24700/78\t\terror2 \n") + text.len);
	added = slice_from(slice_of(post_disk(&p, "24700")), strlen(control));
	tail = slice_from(added, slice_find_last(added, '\t') + 1);
	assert_int_equal(tail.len, DLINE_MESSAGE_MAX + 1);
	agent_job_close(p.agent, &job);
	str_done(&text);
	post_close(&p);
}

/* ---- several at once ---------------------------------------------------- */

/* Settles a, b and c together: failed, relayed with report, deferred. */
static void settle_three(struct post *p, struct agent_job *job)
{
	const struct diag diags[] = {
		make_diag(FATE_FAILED, "5.1.1"),
		make_diag(FATE_RELAYED, "2.1.5"),
		make_diag(FATE_DEFERRED_BACK, "4.4.2"),
	};
	const struct agent_outcome outcomes[] = {
		{ .rcpt = 2, .diag = &diags[2] },
		{ .rcpt = 0, .diag = &diags[0] },
		{ .rcpt = 1, .diag = &diags[1] },
	};

	post_job(control);
	post_open_job(p, job);
	str_clear(&disk.steps);
	agent_job_settle(p->agent, job, outcomes, COUNT(outcomes));
}

static void test_dlines_then_marks_then_one_sync_then_reports(void **state)
{
	struct agent_job job = { 0 };
	struct post p;

	(void)state;
	post_open(&p);
	post_said(&p);
	watch(&p);
	settle_three(&p, &job);
	check_steps("append mark  mark- mark+ sync ");
	assert_string_equal(post_tags(&p, "24700"), "-+ ");
	agent_job_say(p.agent, &job);
	assert_string_equal(
	    post_said(&p),
	    "24700/177\t" NOTARY("c@x", "delayed",
				 "4.4.2") "\tdeferback " SAID
					  "24700/78\t\terror2 " SAID
					  "24700/115\t\tok2 " SAID);
	assert_slice_is(
	    slice_from(slice_of(post_disk(&p, "24700")), strlen(control)),
	    "d 78:216:-1::1767268805\t" NOTARY(
		"a@x", "failed", "5.1.1") "\t" SAID
					  "d 115:216:152::1767268805\t" NOTARY(
					      "b@x", "relayed",
					      "2.1.5") "\t" SAID);
	agent_job_close(p.agent, &job);
	assert_string_equal(post_said(&p), "");
	post_close(&p);
}

static void test_recipient_is_settled_once_only(void **state)
{
	struct diag other = make_diag(FATE_RELAYED, "2.0.0");
	struct agent_job job = { 0 };
	struct str before = STR_INIT;
	struct post p;

	(void)state;
	post_open(&p);
	settle_three(&p, &job);
	agent_job_say(p.agent, &job);
	post_said(&p);
	str_adds(&before, post_disk(&p, "24700"));
	agent_job_settle_one(p.agent, &job, 0, &other);
	agent_job_settle_rest(p.agent, &job, &other);
	agent_job_close(p.agent, &job);
	assert_string_equal(post_said(&p), "");
	assert_string_equal(post_disk(&p, "24700"), str_cstr(&before));
	str_done(&before);
	watch(NULL);
	post_close(&p);
}

static void test_rest_is_settled_together(void **state)
{
	struct diag first = make_diag(FATE_DEFERRED, "4.0.0");
	struct diag rest = make_diag(FATE_FAILED, "5.0.0");
	struct agent_job job = { 0 };
	struct post p;

	(void)state;
	post_open(&p);
	post_job(control);
	post_open_job(&p, &job);
	agent_job_settle_one(p.agent, &job, 1, &first);
	watch(&p);
	agent_job_settle_rest(p.agent, &job, &rest);
	check_steps("append mark- mark- sync ");
	agent_job_close(p.agent, &job);
	assert_string_equal(
	    post_said(&p),
	    "24700/115\t" NOTARY("b@x", "delayed",
				 "4.0.0") "\tdeferred " SAID
					  "24700/78\t\terror2 " SAID
					  "24700/177\t\terror2 " SAID);
	post_close(&p);
}

static void test_sync_is_made_for_dlines_or_when_asked_for(void **state)
{
	struct diag relayed = make_diag(FATE_RELAYED, "2.0.0");
	struct diag deferred = make_diag(FATE_DEFERRED, "4.0.0");
	struct agent_job job = { 0 };
	struct post p;

	(void)state;
	post_open(&p);
	post_job(control);
	post_open_job(&p, &job);
	watch(&p);
	agent_job_settle_one(p.agent, &job, 0, &relayed);
	agent_job_settle_one(p.agent, &job, 2, &deferred);
	check_steps("mark+ mark  ");
	p.options.sync_always = true;
	watch(&p);
	agent_job_settle_one(p.agent, &job, 1, &deferred);
	check_steps("mark  sync ");
	agent_job_close(p.agent, &job);
	post_close(&p);
}

/* ---- a disk that refuses ------------------------------------------------ */

#define UNWRITTEN(user, why)                                             \
	user "\001delayed\0014.3.0 (control file cannot be written)\001" \
	     "x-local; 400 (control file cannot be written)\001\001smtp" \
	     "[4711]\tdeferred " why ": " SAID

/* The reports of settle_three() when no `d` line could be written. */
static void check_reports_without_dlines(struct post *p, const char *why)
{
	struct str want = STR_INIT;

	str_addf(
	    &want,
	    "# smtp:4711: HELP! diagnostic writeout with bad results!: "
	    "%s\n24700/177\t" NOTARY(
		"c@x", "delayed",
		"4.4.2") "\tdeferback " SAID
			 "24700/78\t" UNWRITTEN(
			     "a@x",
			     "%s") "24700/115\t" NOTARY("b@x", "relayed",
							"2.1.5") "\tok " SAID,
	    why, why);
	assert_string_equal(post_said(p), str_cstr(&want));
	str_done(&want);
	assert_int_equal(agent_exit_status(p->agent), 65);
	assert_true(agent_has_line(p->agent)); /* JOBLINE_STOP */
}

static void test_failure_without_its_dline_is_put_off(void **state)
{
	struct agent_job job = { 0 };
	struct post p;

	(void)state;
	post_open(&p);
	watch(NULL);
	disk.fail_append = ENOSPC;
	settle_three(&p, &job);
	watch(NULL);
	agent_job_close(p.agent, &job);
	check_reports_without_dlines(
	    &p, "writing diagnostic: No space left on device");
	assert_string_equal(post_tags(&p, "24700"), " + ");
	assert_int_equal(strlen(post_disk(&p, "24700")), strlen(control));
	post_close(&p);
}

/* The file may grow by `more` bytes and no further. */
static void limit_growth(size_t more, struct rlimit *ret_before)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, ret_before), 0);
	limit = *ret_before;
	limit.rlim_cur = strlen(control) + more;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_file_that_is_full_keeps_no_part_of_a_dline(void **state)
{
	static const size_t more[] = { 0, 1, 10, 260 };
	struct rlimit before;

	(void)state;
	for (size_t i = 0; i < COUNT(more); i++) {
		struct agent_job job = { 0 };
		struct str want = STR_INIT;
		struct post p;

		post_open(&p);
		post_said(&p);
		limit_growth(more[i], &before);
		settle_three(&p, &job);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
		agent_job_close(p.agent, &job);
		if (more[i] == 0)
			str_adds(&want, "writing diagnostic: File too large");
		else
			str_addf(&want,
				 "writing diagnostic: only %zu of 261 bytes",
				 more[i]);
		check_reports_without_dlines(&p, str_cstr(&want));
		assert_string_equal(post_tags(&p, "24700"), " + ");
		assert_int_equal(strlen(post_disk(&p, "24700")),
				 strlen(control));
		str_done(&want);
		watch(NULL);
		post_close(&p);
	}
	signal(SIGXFSZ, SIG_DFL);
}

/* Whom we could not mark as done we must not deliver to. */
static void test_lock_that_cannot_be_written_leaves_the_job(void **state)
{
	struct agent_job job = { 0 };
	struct post p;

	(void)state;
	post_open(&p);
	post_job(control);
	post_said(&p);
	watch(NULL);
	disk.fail_mark = EIO;
	disk.marks_before = 1;
	assert_int_equal(post_try(&p, &job, "24700", "example.com"),
			 AGENT_RESYNC);
	watch(NULL);
	assert_int_equal(job.n_rcpts, 1);
	agent_job_close(p.agent, &job);
	assert_string_equal(
	    post_said(&p),
	    "# smtp:4711: 24700: marking recipient at byte 115: Input/output "
	    "error\n"
	    "24700/78\ta@x\001delayed\0014.3.0 (delivery was not attempted)"
	    "\001x-local; 400 (delivery was not attempted)\001\001smtp[4711]"
	    "\tdeferred delivery was not attempted\n");
	assert_string_equal(post_disk(&p, "24700"), control);
	post_close(&p);
}

/* The `d` line is there, so the failure is told; the lock stays. */
static void test_mark_that_cannot_be_written(void **state)
{
	struct agent_job job = { 0 };
	struct str text = STR_INIT;
	struct post p;

	(void)state;
	post_open(&p);
	post_job(control);
	post_open_job(&p, &job);
	watch(NULL);
	disk.fail_mark = EIO;
	{
		const struct diag diags[] = {
			make_diag(FATE_FAILED, "5.1.1"),
			make_diag(FATE_RELAYED, "2.1.5"),
			make_diag(FATE_DEFERRED, "4.2.1"),
		};

		for (size_t i = 0; i < COUNT(diags); i++)
			agent_job_settle_one(p.agent, &job, i, &diags[i]);
	}
	watch(NULL);
	agent_job_close(p.agent, &job);
#define WHY "marking recipient at byte %d: Input/output error"
	str_addf(
	    &text,
	    "# smtp:4711: HELP! 24700: " WHY "\n"
	    "24700/78\t\terror2 " SAID "# smtp:4711: HELP! 24700: " WHY "\n"
	    "24700/115\t\tok2 " SAID "# smtp:4711: HELP! 24700: " WHY "\n"
	    "24700/177\t" NOTARY("c@x", "delayed", "4.2.1") "\tdeferred " SAID,
	    78, 115, 177);
	assert_string_equal(post_said(&p), str_cstr(&text));
	assert_string_equal(post_tags(&p, "24700"), "~~~");
	str_done(&text);
	post_close(&p);
}

/* Somebody thought us dead, and another agent delivered it meanwhile. */
static void test_final_mark_of_another_is_not_made_a_failure(void **state)
{
	struct diag d = make_diag(FATE_FAILED, "5.1.1");
	struct agent_job job = { 0 };
	struct post p;
	int fd;

	(void)state;
	post_open(&p);
	post_job(control);
	post_open_job(&p, &job);
	fd = open("24700", O_WRONLY | O_CLOEXEC);
	assert_int_equal(syscall(SYS_pwrite64, fd, "+      ", 7, 79L), 7);
	fd_close(fd);
	agent_job_settle_one(p.agent, &job, 0, &d);
	agent_job_say(p.agent, &job);
	assert_string_equal(
	    post_said(&p),
	    "# smtp:4711: HELP! 24700: recipient at byte 78: expected '~', "
	    "found '+'\n"
	    "24700/78\t" UNWRITTEN("a@x", "recipient at byte 78: expected '~', "
					  "found '+'"));
	agent_job_close(p.agent, &job);
	assert_string_equal(post_tags(&p, "24700"), "+  ");
	watch(NULL);
	post_close(&p);
}

static void test_sync_that_fails_is_told_before_the_reports(void **state)
{
	struct agent_job job = { 0 };
	struct slice said;
	struct post p;

	(void)state;
	post_open(&p);
	watch(NULL);
	disk.fail_sync = EIO;
	settle_three(&p, &job);
	watch(NULL);
	agent_job_close(p.agent, &job);
	said = slice_of(post_said(&p));
	assert_true(slice_find_text(said, SLICE("# smtp:4711: HELP! 24700: "
						"fdatasync: Input/output "
						"error\n")) < said.len);
	assert_int_equal(agent_exit_status(p.agent), EX_IOERR);
	assert_string_equal(post_tags(&p, "24700"), "-+ ");
	post_close(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failure_has_a_dline_and_a_mark),
		cmocka_unit_test(
		    test_success_has_a_dline_only_where_it_was_asked_for),
		cmocka_unit_test(test_each_deferral_has_its_word_and_no_dline),
		cmocka_unit_test(test_status_is_made_to_fit_the_fate),
		cmocka_unit_test(test_hostile_texts_stay_in_their_fields),
		cmocka_unit_test(test_endless_text_is_cut_in_the_dline_alone),
		cmocka_unit_test(
		    test_dlines_then_marks_then_one_sync_then_reports),
		cmocka_unit_test(test_recipient_is_settled_once_only),
		cmocka_unit_test(test_rest_is_settled_together),
		cmocka_unit_test(
		    test_sync_is_made_for_dlines_or_when_asked_for),
		cmocka_unit_test(test_failure_without_its_dline_is_put_off),
		cmocka_unit_test(
		    test_file_that_is_full_keeps_no_part_of_a_dline),
		cmocka_unit_test(
		    test_lock_that_cannot_be_written_leaves_the_job),
		cmocka_unit_test(test_mark_that_cannot_be_written),
		cmocka_unit_test(
		    test_final_mark_of_another_is_not_made_a_failure),
		cmocka_unit_test(
		    test_sync_that_fails_is_told_before_the_reports),
	};

	return TEST_RUN(tests);
}
