/*
 * submit_test.c - from a descriptor into a spool in a temporary folder.
 *
 * What a crash or a full disk leaves is tested from outside, on the program.
 */
#include "subm/submit.h"

#include "base/fd.h"
#include "base/keyword.h"
#include "base/test.h"
#include "spool/name.h"
#include "subm/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static char office[] = "/tmp/zpost-submit_test-XXXXXX";

static void make_dir(const char *name)
{
	struct str path = STR_INIT;

	str_addf(&path, "%s%s", office, name);
	assert_int_equal(mkdir(path.p, 0700), 0);
	str_done(&path);
}

static int set_up(void **state)
{
	(void)state;
	memset(office + strlen(office) - 6, 'X', 6);
	assert_non_null(mkdtemp(office));
	make_dir("/queue");
	make_dir("/transport");
	return 0;
}

static int files_seen;

static int count_file(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)path;
	(void)st;
	(void)ftw;
	files_seen += type == FTW_F;
	return 0;
}

static int remove_any(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	return nftw(office, remove_any, 8, FTW_DEPTH | FTW_PHYS);
}

static int count_files(void)
{
	files_seen = 0;
	assert_int_equal(nftw(office, count_file, 8, FTW_PHYS), 0);
	return files_seen;
}

static const struct slice bob = { "bob@x", 5 };

static const struct subm_request request = {
	.has_sender = true,
	.sender = { "alice@y", 7 },
	.rcpts = &bob,
	.n_rcpts = 1,
	.is_raw = true,
};

static struct subm_site site = {
	.postoffice = office,
	.hash_levels = 1,
	.host_name = { "host", 4 },
};

/* What was told, a line for each message. */
static void hear(void *context, int code, struct slice text)
{
	struct str *to = context;

	if (code != EX_OK)
		str_addf(to, "%d ", code);
	str_add(to, text);
	str_addc(to, '\n');
}

static int through_pipe(struct slice text)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fd_write_all(ends[1], text), 0);
	close(ends[1]);
	return ends[0];
}

/* How to submit, and what came of it. */
struct trial {
	bool is_batch;
	int stop_fd;
	struct str heard;
	struct err err;
};

/* Submits a text through a pipe. */
static int submit_as(const struct subm_request *r, struct slice text,
		     struct trial *t)
{
	struct subm_direct *d = subm_direct_new(&site, t->is_batch, &t->err);
	const struct subm_ear ear = { .context = &t->heard, .tell = hear };
	struct subm_input input = { .in_fd = through_pipe(text),
				    .stop_fd = t->stop_fd };
	struct subm_request copy = *r;
	struct subm_target target;
	int code;

	assert_non_null(d);
	target = subm_direct_target(d);
	if (t->is_batch)
		code = subm_submit_batch(&input, &copy, &target, &ear, &t->err);
	else
		code = subm_submit(&input, &copy, &target, &ear, &t->err);
	subm_direct_free(d);
	close(input.in_fd);
	return code;
}

static int submit(struct slice text, int stop_fd, struct str *spool_id,
		  struct err *err)
{
	struct trial t = { .stop_fd = stop_fd };
	int code = submit_as(&request, text, &t);

	str_add(spool_id, slice_head(str_slice(&t.heard),
				     slice_find(str_slice(&t.heard), '\n')));
	str_done(&t.heard);
	*err = t.err;
	return code;
}

static void read_file(const char *folder, const char *name, struct str *to)
{
	struct str path = STR_INIT;
	int fd;

	str_addf(&path, "%s/%s/", office, folder);
	jobname_add_hash(&path, strtoull(name, NULL, 10), 1);
	str_adds(&path, name);
	fd = open(path.p, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	str_clear(to);
	assert_int_equal(fd_read_all(fd, 0, 1 << 20, to), 0);
	close(fd);
	str_done(&path);
}

static void test_both_files_are_there_and_the_id_is_told(void **state)
{
	struct str id = STR_INIT, text = STR_INIT, want = STR_INIT;
	char *name;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(submit(SLICE("A: b\r\n\r\nbody\r\n"), -1, &id, &err),
			 EX_OK);
	assert_int_equal(count_files(), 2);
	/* The id begins with the inode number, which is the name. */
	assert_true(id.len > 9 && id.p[0] == 'S');
	name = strndup(id.p + 1, strspn(id.p + 1, "0123456789"));
	assert_non_null(name);
	read_file("queue", name, &text);
	assert_slice_is(str_slice(&text),
			"from <alice@y>\nto <bob@x>\nenv-end\n"
			"A: b\n\nbody\n");
	read_file("transport", name, &text);
	str_addf(&want,
		 "@ 0x00000007\ni %s\no 40\nl <%s@host>\n"
		 "s local - alice@y 0\nr           smtp x bob@x 0\n"
		 "N NOTIFY=FAILURE ORCPT=rfc822;bob@x\nm\nA: b\n\n",
		 name, id.p);
	assert_slice_is(str_slice(&text), want.p);
	free(name);
	str_done(&id);
	str_done(&text);
	str_done(&want);
}

static void test_refused_header_leaves_nothing(void **state)
{
	struct str id = STR_INIT;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(submit(SLICE("A: \0\n\nb"), -1, &id, &err),
			 EX_DATAERR);
	assert_string_equal(err.text, "the header holds a NUL byte");
	assert_int_equal(id.len, 0);
	assert_int_equal(count_files(), 0);
	str_done(&id);
}

static void test_stop_leaves_nothing(void **state)
{
	struct str id = STR_INIT;
	struct err err = { 0 };
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fd_write_all(ends[1], SLICE("x")), 0);
	assert_int_equal(submit(SLICE("A: b\n\nc\n"), ends[0], &id, &err),
			 EX_TEMPFAIL);
	assert_int_equal(err.code, EINTR);
	assert_int_equal(id.len, 0);
	assert_int_equal(count_files(), 0);
	close(ends[0]);
	close(ends[1]);
	str_done(&id);
}

static void test_what_is_too_much_is_refused(void **state)
{
	static const struct {
		struct subm_site site;
		bool reads_rcpts;
		const char *text, *why;
	} cases[] = {
		{ { .size_max = 10 },
		  false,
		  "A: b\n\n12345",
		  "5.3.4 the message is larger than 10 bytes" },
		{ { .rcpts_max = 2 },
		  true,
		  "To: a@b, c@d\n\n",
		  "3 recipients, more than 2" },
		{ { .rcpts_max = 0 },
		  true,
		  "To: a@b, c d@e\n\n",
		  "recipient 'c d@e': address is not a valid RFC 5321 path" },
	};
	const struct subm_site before = site;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct subm_request r = request;
		struct trial t = { .stop_fd = -1 };

		site.size_max = cases[i].site.size_max;
		site.rcpts_max = cases[i].site.rcpts_max;
		r.reads_rcpts = cases[i].reads_rcpts;
		assert_int_equal(submit_as(&r, slice_of(cases[i].text), &t),
				 EX_DATAERR);
		assert_string_equal(t.err.text, cases[i].why);
		assert_int_equal(t.heard.len + (size_t)count_files(), 0);
		site = before;
	}
}

static void test_message_with_a_hundred_hops_goes_round(void **state)
{
	struct str text = STR_INIT, heard = STR_INIT;
	struct err err = { 0 };

	(void)state;
	for (int i = 0; i < 99; i++)
		str_adds(&text, "received: x\n");
	assert_int_equal(submit(str_slice(&text), -1, &heard, &err), EX_OK);
	str_adds(&text, "RECEIVED: x\n");
	assert_int_equal(submit(str_slice(&text), -1, &heard, &err),
			 EX_DATAERR);
	assert_string_equal(err.text, "5.4.6 the message has 100 Received"
				      " fields: it goes round in circles");
	str_done(&text);
	str_done(&heard);
}

/* The good are queued, each of the others is told of. */
static void test_batch_queues_what_is_good(void **state)
{
	static const char batch[] =
	    "EHLO x\n"
	    "MAIL FROM:<a@b> BODY=8BITMIME RET=HDRS\n"
	    "RCPT TO:<c@d> NOTIFY=NEVER\nDATA\n..one\n.\n"
	    "MAIL FROM:<a@b>\nRCPT TO:<bad bad@x>\nRCPT TO:<c@d>\n"
	    "DATA\ntwo\n.\n"
	    "MAIL FROM:<a@b> X=y\nRCPT TO:<c@d>\nDATA\nthree\n.\n"
	    "MAIL FROM:<a@b>\nDATA\nfour\n.\n"
	    "WHAT\n"
	    "MAIL FROM:<a@b>\nRCPT TO:<c@d>\nRSET\n"
	    "MAIL FROM:<>\nRCPT TO:<c@d>\nDATA\nfive\n.\nQUIT\n"
	    "MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nsix\n.\n";
	struct subm_request base = { .is_raw = true };
	struct trial t = { .stop_fd = -1, .is_batch = true };
	struct slice rest, line;
	size_t n_lines = 0, n_ids = 0;

	(void)state;
	assert_int_equal(submit_as(&base, slice_of(batch), &t), EX_DATAERR);
	rest = str_slice(&t.heard);
	while (slice_cut(&rest, '\n', &line) && line.len > 0) {
		n_lines++;
		n_ids += line.p[0] == 'S';
	}
	assert_int_equal(n_lines, 6);
	assert_int_equal(n_ids, 2);
	assert_non_null(strstr(t.heard.p, "65 recipient '<bad bad@x>': "));
	assert_non_null(strstr(t.heard.p, "parameter 'X=y' is not known here"));
	assert_non_null(strstr(t.heard.p, "64 no recipient is given"));
	assert_non_null(strstr(t.heard.p, "not a command of batched SMTP"));
	assert_int_equal(count_files(), 4);
	str_done(&t.heard);
}

static void test_batch_that_is_cut_loses_just_its_last(void **state)
{
	static const char batch[] =
	    "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\none\r\n.\r\n"
	    "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\ntwo\n.\n";
	struct subm_request base = { .is_raw = true };
	struct trial t = { .stop_fd = -1, .is_batch = true };

	(void)state;
	assert_int_equal(submit_as(&base, slice_of(batch), &t), EX_DATAERR);
	assert_string_equal(t.err.text,
			    "line 8: the input ends within a message");
	assert_int_equal(count_files(), 2);
	str_done(&t.heard);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_both_files_are_there_and_the_id_is_told, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    test_refused_header_leaves_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stop_leaves_nothing,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_what_is_too_much_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_message_with_a_hundred_hops_goes_round, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(test_batch_queues_what_is_good,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_batch_that_is_cut_loses_just_its_last, set_up,
		    tear_down),
	};

	return TEST_RUN(tests);
}
