/*
 * bsmtp_test.c - batched SMTP, to the byte: envelopes, parameters, the end.
 */
#include "smta/bsmtp.h"

#include "base/keyword.h"
#include "smta/test_stream.h"

#include <string.h>

static void test_b_wraps_in_batched_smtp(void **state)
{
	(void)state;
	check_flags("bn", ".dot line\n",
		    "MAIL FROM:<sender@example.org>\n"
		    "RCPT TO:<user1@example.com>\n"
		    "DATA\n"
		    "Subject: test\n"
		    "\n"
		    "..dot line\n"
		    ".\n");
}

static void test_b_has_one_rcpt_for_each_and_ends_in_a_dot(void **state)
{
	struct stream_facts f = make_facts();

	(void)state;
	f.flags = flags_of("bnm");
	f.rcpts = both;
	f.n_rcpts = 2;
	f.sender = &null_sender;
	check(&f, "no end of line",
	      "MAIL FROM:<>\n"
	      "RCPT TO:<user2@example.com>\n"
	      "RCPT TO:<user1@example.com>\n"
	      "DATA\nSubject: test\n\nno end of line\n.\n");
	check(&f, "",
	      "MAIL FROM:<>\n"
	      "RCPT TO:<user2@example.com>\n"
	      "RCPT TO:<user1@example.com>\n"
	      "DATA\nSubject: test\n\n.\n");
}

static void test_b_without_n_has_the_from_line_as_data(void **state)
{
	(void)state;
	check_flags("bU", "x\n",
		    "MAIL FROM:<sender@example.org>\n"
		    "RCPT TO:<user1@example.com>\n"
		    "DATA\n" FROM " remote from mail.example.org\n"
		    "Subject: test\n\nx\n.\n");
}

static void test_B_gives_the_size(void **state)
{
	(void)state;
	check_flags("Bn", "body\n",
		    "MAIL FROM:<sender@example.org> SIZE=198\n"
		    "RCPT TO:<user1@example.com>\n"
		    "DATA\nSubject: test\n\nbody\n.\n");
}

/* RFC 6152 3: only where there is something to say it of. */
static void test_B_with_8_tells_8bitmime(void **state)
{
	struct stream_facts f = make_facts();
	const char *want = "MAIL FROM:<sender@example.org> SIZE=198\n"
			   "RCPT TO:<user1@example.com>\n"
			   "DATA\nSubject: test\n\nbody\n.\n";

	(void)state;
	f.flags = flags_of("Bn8");
	check(&f, "body\n", want);
	f.sends_8bit = true;
	check(&f, "gr\xc3\xbc\n",
	      "MAIL FROM:<sender@example.org> SIZE=198 BODY=8BITMIME\n"
	      "RCPT TO:<user1@example.com>\n"
	      "DATA\nSubject: test\n\ngr\xc3\xbc\n.\n");
	f.flags = flags_of("Bn");
	check(&f, "body\n", want);
	f.flags = flags_of("bn8");
	check(&f, "body\n",
	      "MAIL FROM:<sender@example.org>\n"
	      "RCPT TO:<user1@example.com>\n"
	      "DATA\nSubject: test\n\nbody\n.\n");
}

static void test_BB_gives_dsn_parameters(void **state)
{
	struct stream_facts f = make_facts();

	(void)state;
	f.flags = flags_of("BBHmnR8");
	f.rcpts = both;
	f.n_rcpts = 2;
	f.sends_8bit = true;
	check(&f,
	      "b\xf6"
	      "dy\n",
	      "EHLO mail.example.org\r\n"
	      "MAIL FROM:<sender@example.org> SIZE=198 BODY=8BITMIME "
	      "ENVID=QQ314159 RET=HDRS\r\n"
	      "RCPT TO:<user2@example.com> NOTIFY=NEVER\r\n"
	      "RCPT TO:<user1@example.com> NOTIFY=SUCCESS,FAILURE "
	      "ORCPT=rfc822;user1+2B@example.com\r\n"
	      "DATA\r\n"
	      "Subject: test\r\n"
	      "\r\n"
	      "b\xf6"
	      "dy\r\n"
	      ".\r\n"
	      "QUIT\r\n");
}

static void test_H_greets_and_quits(void **state)
{
	struct stream_facts f = make_facts();

	(void)state;
	check_flags("bHn", "x\n",
		    "HELO mail.example.org\n"
		    "MAIL FROM:<sender@example.org>\n"
		    "RCPT TO:<user1@example.com>\n"
		    "DATA\nSubject: test\n\nx\n.\nQUIT\n");
	/* without a batch it has nothing to do */
	check_flags("Hn", "x\n", "Subject: test\n\nx\n");
	f.flags = flags_of("bHn");
	f.host_name = SLICE("bad name\r");
	check(&f, "x\n",
	      "HELO localhost\n"
	      "MAIL FROM:<sender@example.org>\n"
	      "RCPT TO:<user1@example.com>\n"
	      "DATA\nSubject: test\n\nx\n.\nQUIT\n");
}

/* The MAIL and RCPT lines of a stream with flags BBn. */
static void check_envelope(const struct stream_facts *facts, const char *want)
{
	struct stream_facts f = *facts;
	struct str got = STR_INIT;

	f.flags = flags_of("BBn");
	collect(&f, SLICE("x\n"), 0, &got);
	str_cut(&got, slice_find_text(str_slice(&got), SLICE("DATA\n")));
	assert_slice_is(str_slice(&got), want);
	str_done(&got);
}

static void test_notify_words_are_those_of_the_standard(void **state)
{
	static const struct {
		bool has;
		unsigned notify;
		const char *want;
	} rows[] = {
		{ false, NOTIFY_FAILURE, "" },
		{ true, 0, "" },
		{ true, NOTIFY_TRACE, "" },
		{ true, NOTIFY_FAILURE | NOTIFY_TRACE, " NOTIFY=FAILURE" },
		{ true, NOTIFY_NEVER | NOTIFY_SUCCESS, " NOTIFY=NEVER" },
		{ true, NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY,
		  " NOTIFY=SUCCESS,FAILURE,DELAY" },
		{ true, NOTIFY_DELAY, " NOTIFY=DELAY" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_facts f = make_facts();
		struct ctl_rcpt r = user2;
		const struct ctl_rcpt *const one[] = { &r };
		struct str want = STR_INIT;

		f.rcpts = one;
		f.envid = slice_of("");
		f.ret = CTL_RET_NONE;
		r.dsn.has_notify = rows[i].has;
		r.dsn.notify = rows[i].notify;
		str_addf(&want,
			 "MAIL FROM:<sender@example.org> SIZE=198\n"
			 "RCPT TO:<user2@example.com>%s\n",
			 rows[i].want);
		check_envelope(&f, str_cstr(&want));
		str_done(&want);
	}
}

static void test_deliverby_is_relative_and_on_mail(void **state)
{
	static const struct {
		int64_t deadline;
		bool r, n, t;
		const char *want;
	} rows[] = {
		{ 1000120, true, false, false, " BY=120;R" },
		{ 1000120, false, true, false, " BY=120;N" },
		{ 1000120, true, true, true, " BY=120;RT" },
		{ 999990, false, true, true, " BY=-10;NT" },
		{ 999990, true, false, false, "" },
		{ 1000000, true, false, false, "" },
		{ 1000000, false, true, false, " BY=0;N" },
		{ 1000120, false, false, true, "" },
		{ 1000000 + 999999999, true, false, false, " BY=999999999;R" },
		{ 1000000 + 1000000000, true, false, false, "" },
		{ INT64_MIN, false, true, false, "" },
		{ INT64_MAX, true, false, false, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_facts f = make_facts();
		struct ctl_rcpt r = user1;
		const struct ctl_rcpt *const two[] = { &user2, &r };
		struct str want = STR_INIT;

		f.rcpts = two;
		f.n_rcpts = 2;
		f.ret = CTL_RET_FULL;
		r.dsn.orcpt = slice_of("");
		r.dsn.by =
		    (struct ctl_deliverby){ true, rows[i].deadline, rows[i].r,
					    rows[i].n, rows[i].t };
		str_addf(&want,
			 "MAIL FROM:<sender@example.org> SIZE=198 "
			 "ENVID=QQ314159 RET=FULL%s\n"
			 "RCPT TO:<user2@example.com> NOTIFY=NEVER\n"
			 "RCPT TO:<user1@example.com> "
			 "NOTIFY=SUCCESS,FAILURE\n",
			 rows[i].want);
		check_envelope(&f, str_cstr(&want));
		str_done(&want);
	}
}

static void test_malformed_dsn_values_are_left_out(void **state)
{
	struct stream_facts f = make_facts();
	struct ctl_rcpt r = user2;
	const struct ctl_rcpt *const one[] = { &r };

	(void)state;
	f.rcpts = one;
	f.envid = SLICE("a b\rMAIL");
	r.dsn.orcpt = SLICE("rfc822 x;y");
	check_envelope(&f, "MAIL FROM:<sender@example.org> SIZE=198 RET=HDRS\n"
			   "RCPT TO:<user2@example.com> NOTIFY=NEVER\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_b_wraps_in_batched_smtp),
		cmocka_unit_test(
		    test_b_has_one_rcpt_for_each_and_ends_in_a_dot),
		cmocka_unit_test(test_b_without_n_has_the_from_line_as_data),
		cmocka_unit_test(test_B_gives_the_size),
		cmocka_unit_test(test_B_with_8_tells_8bitmime),
		cmocka_unit_test(test_BB_gives_dsn_parameters),
		cmocka_unit_test(test_H_greets_and_quits),
		cmocka_unit_test(test_notify_words_are_those_of_the_standard),
		cmocka_unit_test(test_deliverby_is_relative_and_on_mail),
		cmocka_unit_test(test_malformed_dsn_values_are_left_out),
	};

	return TEST_RUN(tests);
}
