/*
 * deliver_test.c - what goes together in a transaction, what becomes of its
 * recipients, and what is tried again.
 */
#include "smtpta/deliver.h"

#include "smtpta/test_run.h"

/* A server's steps up to the content, and with it. */
#define ONE_YES	 "C:MAIL\nS:250 ok\nC:RCPT\nS:250 ok\n"
#define ONE_NO	 "C:RCPT\nS:550 no\n"
#define AND_DATA "C:DATA\nS:354 go\nD\nS:250 in\n"

/* ---- one message -------------------------------------------------------- */

static void test_message_is_delivered_and_reported(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, SERVER_HELLO("HELP") TAKES SERVER_QUIT);
	write_plain(&r, "7");
	feed_job(&r, "7");
	go(&r);
	check_said(&r, "#hungry\n7/74" TAKEN "#hungry\n");
	check_tags(&r, "7", "+");
	run_end(&r, HELLO FROM TO("bob@x") "DATA\r\n" MESSAGE "QUIT\r\n");
}

static void test_recipients_have_results_of_their_own(void **state)
{
	struct run r;

	(void)state;
	run_begin(
	    &r,
	    SERVER_HELLO("HELP") "C:MAIL\nS:250 ok\nC:RCPT TO:<a@x>\nS:250 ok\n"
				 "C:RCPT TO:<b@x>\nS:550 who\nC:RCPT "
				 "TO:<c@x>\nS:450 later\n"
				 "C:DATA\nS:354 go\nD\nS:250 in\n" SERVER_QUIT);
	write_job(&r, "7", RCPT("a@x") RCPT("b@x") RCPT("c@x") HEADER);
	feed_job(&r, "7");
	go(&r);
	check_count(&r, "\t\tok3 ", 1);
	check_count(&r, "\t\terror2 ", 1);
	check_count(&r,
		    "\001smtp; 450 (later)\001X-IP-addr; [127.0.0.1] "
		    "(127.0.0.1)\001smtp[4711]\tdeferred ",
		    1);
	check_count(&r, "\r<<- RCPT TO:<b@x>\r->> 550 who\n", 1);
	check_tags(&r, "7", "+- ");
	assert_non_null(strstr(post_disk(&r.post, "7"), "\nd "));
	run_end(&r, NULL);
}

static void test_each_header_is_a_message_of_its_own(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, SERVER_HELLO("HELP") TAKES TAKES SERVER_QUIT);
	write_job(&r, "7",
		  RCPT("a@x") "m\nSubject: one\n\n" RCPT(
		      "b@x") "m\nSubject: two\n\n");
	feed_job(&r, "7");
	go(&r);
	check_tags(&r, "7", "++");
	run_end(
	    &r,
	    HELLO FROM TO("a@x") "DATA\r\nSubject: one\r\n\r\nHi.\r\n.\r\n" FROM
		TO("b@x") "DATA\r\nSubject: two\r\n\r\nHi.\r\n.\r\nQUIT\r\n");
}

static void test_nobody_to_send_to_needs_no_server(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, "");
	write_job(&r, "7", RCPT("a>b@x") RCPT("<c@x>") HEADER);
	feed_job(&r, "7");
	go(&r);
	check_count(&r, "\terror2 recipient address is not a valid", 2);
	check_tags(&r, "7", "--");
	run_end(&r, "");
}

static void test_message_over_the_servers_limit_is_not_offered(void **state)
{
	struct run r;

	(void)state;
	/* 4 bytes of body, 80 for the header at least, and 3 percent: 86. */
	run_begin(&r, SERVER_HELLO("SIZE 85") SERVER_QUIT);
	write_plain(&r, "7");
	feed_job(&r, "7");
	go(&r);
	check_said(&r, "#hungry\n7/74\t\terror2 \r\r552 (Current message size "
		       "86 exceeds limit given by the remote system: 85)\n"
		       "#hungry\n");
	check_tags(&r, "7", "-");
	run_end(&r, HELLO "QUIT\r\n");
	run_begin(&r, SERVER_HELLO("SIZE 86") TAKES SERVER_QUIT);
	write_plain(&r, "7");
	feed_job(&r, "7");
	go(&r);
	check_tags(&r, "7", "+");
	run_end(&r, NULL);
}

/* BODY= and SIZE= as they are due: what was announced counts. */
static void check_mail(const char *header, const char *body, const char *params)
{
	struct str job = STR_INIT, text = STR_INIT, heard = STR_INIT;
	struct run r;

	run_begin(&r, "A\nS:220 hi\nC:EHLO\nS:250-hi\nS:250-SIZE\nS:250 "
		      "8BITMIME\nC:MAIL\nX\n");
	str_addf(&job, RCPT("bob@x") "m\nSubject: %s\n\n", header);
	write_job(&r, "7", str_cstr(&job));
	str_addf(&text, "env-end\nSubject: hi\n\n%s", body);
	post_write("../queue/7", str_cstr(&text));
	feed_job(&r, "7");
	go(&r);
	str_addf(&heard, HELLO "MAIL FROM:<alice@example.net>%s\r\n", params);
	run_end(&r, str_cstr(&heard));
	str_done(&job);
	str_done(&text);
	str_done(&heard);
}

static void test_mail_announces_size_and_8bit_content(void **state)
{
	(void)state;
	check_mail("hi", "Hi.\n", " SIZE=86");
	check_mail("hi", "H\303\266.\n", " BODY=8BITMIME SIZE=87");
	check_mail("h\303\266", "Hi.\n", " SIZE=99"); /* encoded */
	check_mail("h\303\266\nDKIM-Signature: v=1", "Hi.\n",
		   " BODY=8BITMIME SIZE=86");
}

static void check_times(const struct str *text, const char *part, size_t want)
{
	const char *at = str_cstr(text);
	size_t n = 0;

	for (; (at = strstr(at, part)) != NULL; at++)
		n++;
	assert_int_equal(n, want);
}

static void test_every_result_is_logged(void **state)
{
	struct str log = STR_INIT;
	struct run r;

	(void)state;
	run_begin(&r, SERVER_HELLO("HELP") ONE_YES ONE_NO AND_DATA SERVER_QUIT);
	r.options.log_file = "../log";
	write_job(&r, "7", RCPT("a@x") RCPT("b@x") RCPT("c>@x") HEADER);
	feed_job(&r, "7");
	go(&r);
	assert_true(test_file_read("../log", &log));
	assert_non_null(strstr(str_cstr(&log), "#\tjobspec: 7\t[127.0.0.1]:"));
	assert_non_null(strstr(str_cstr(&log), "#\t7: <1@x>\n"));
	assert_non_null(strstr(
	    str_cstr(&log), "#\t32 bytes, 27 in header, 2 recipients, 0 secs "
			    "for envelope, 0 secs for body xfer\n"));
	assert_non_null(strstr(str_cstr(&log),
			       "' U='a@x' P='501' ID=7/74 L=0 -- stat='ok3' "
			       "notary='a@x\001relayed\0012.0.0\001"));
	assert_non_null(strstr(str_cstr(&log), "  MSG='\r<<- MAIL FROM:<"));
	assert_non_null(strstr(str_cstr(&log), "U='b@x' P='501' ID=7/"));
	/* One that no host was asked about, too. */
	assert_non_null(strstr(str_cstr(&log), "U='c>@x' P='501' ID=7/"));
	check_times(&log, "\tDIAG: C='smtp' H='[127.0.0.1]:", 3);
	check_times(&log, " stat='error2' notary='", 2);
	assert_null(strstr(str_cstr(&log), "Hi."));
	run_end(&r, NULL);
	str_done(&log);
}

/* ---- many recipients ---------------------------------------------------- */

/* Adds n recipients and as many steps of a server that takes them. */
static void add_many(struct str *rcpts, struct str *steps, size_t n)
{
	str_adds(steps, "C:MAIL\nS:250 ok\n");
	for (size_t i = 0; i < n; i++) {
		str_adds(rcpts, "r" POST_SLOTS "smtp $ bob@x 501\n");
		str_adds(steps, "C:RCPT\nS:250 ok\n");
	}
	str_adds(steps, "C:DATA\nS:354 go\nD\nS:250 in\n");
}

/* Three transactions of these sizes over one connection. */
static void check_split(const char *hello, size_t one, size_t two, size_t three)
{
	struct str rcpts = STR_INIT, steps = STR_INIT;
	struct run r;

	str_adds(&steps, hello);
	add_many(&rcpts, &steps, one);
	add_many(&rcpts, &steps, two);
	add_many(&rcpts, &steps, three);
	str_adds(&rcpts, HEADER);
	str_adds(&steps, SERVER_QUIT);
	run_begin(&r, str_cstr(&steps));
	write_job(&r, "7", str_cstr(&rcpts));
	feed_job(&r, "7");
	go(&r);
	check_count(&r, "\t\tok3 ", one + two + three);
	check_count(&r, "#hungry\n", 2);
	run_end(&r, NULL);
	str_done(&rcpts);
	str_done(&steps);
}

static void test_many_recipients_go_in_several_transactions(void **state)
{
	(void)state;
	check_split(SERVER_HELLO("HELP"), 100, 100, 1);
	check_split(SERVER_HELLO("X-RCPTLIMIT 20"), 20, 20, 20);
	check_split(SERVER_HELLO("X-RCPTLIMIT 1"), 10, 10, 3);
	check_split(SERVER_HELLO("X-RCPTLIMIT 120"), 120, 120, 1);
}

/* RFC 9422: however few, the server has said it. */
static void test_announced_limit_of_recipients_is_kept(void **state)
{
	(void)state;
	check_split(SERVER_HELLO("LIMITS RCPTMAX=3"), 3, 3, 2);
	check_split(SERVER_HELLO("LIMITS RCPTMAX=1"), 1, 1, 1);
}

/* "Too many" is no verdict on those who are left. */
/* What the server took at once is also what it is offered next. */
static void test_recipients_over_a_limit_go_next_at_once(void **state)
{
	struct run r;

	(void)state;
	run_begin(
	    &r, SERVER_HELLO(
		    "HELP") "C:MAIL\nS:250 ok\nC:RCPT TO:<a@x>\nS:250 ok\n"
			    "C:RCPT TO:<b@x>\nS:452 too many\nC:RCPT TO:<c@x>\n"
			    "S:452 too many\nC:DATA\nS:354 go\nD\nS:250 in\n"
			    "C:MAIL\nS:250 ok\nC:RCPT TO:<b@x>\nS:250 ok\n"
			    "C:DATA\nS:354 go\nD\nS:250 in\n"
			    "C:MAIL\nS:250 ok\nC:RCPT TO:<c@x>\nS:250 ok\n"
			    "C:DATA\nS:354 go\nD\nS:250 in\n" SERVER_QUIT);
	write_job(&r, "7", RCPT("a@x") RCPT("b@x") RCPT("c@x") HEADER);
	feed_job(&r, "7");
	go(&r);
	check_count(&r, "\t\tok3 ", 3);
	check_tags(&r, "7", "+++");
	run_end(&r, NULL);
}

/* ---- lost connections --------------------------------------------------- */

static void test_lost_connection_is_made_anew_once(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, SERVER_HELLO("HELP") "C:MAIL\nX\n" SERVER_HELLO("HELP")
			  TAKES SERVER_QUIT);
	write_plain(&r, "7");
	feed_job(&r, "7");
	go(&r);
	check_said(&r, "#hungry\n7/74" TAKEN "#hungry\n");
	run_end(&r, NULL);
	run_begin(&r, SERVER_HELLO("HELP") "C:MAIL\nX\n" SERVER_HELLO(
			  "HELP") "C:MAIL\nS:250 ok\nC:RCPT\nX\n");
	write_plain(&r, "7");
	feed_job(&r, "7");
	go(&r);
	check_count(&r, "\tdeferred ", 1);
	check_count(&r, "remote hung up on us while 1 response was missing", 2);
	check_tags(&r, "7", " ");
	run_end(&r, NULL);
}

/* The recipient that was refused for good is not asked for again. */
static void test_what_was_decided_before_the_loss_stays_so(void **state)
{
	struct run r;

	(void)state;
	run_begin(
	    &r, SERVER_HELLO(
		    "HELP") "C:MAIL\nS:250 ok\nC:RCPT TO:<a@x>\nS:550 no\n"
			    "C:RCPT TO:<b@x>\nX\n" SERVER_HELLO(
				"HELP") "C:MAIL\nS:250 ok\nC:RCPT "
					"TO:<b@x>\nS:250 ok\nC:DATA\n"
					"S:354 go\nD\nS:250 in\n" SERVER_QUIT);
	write_job(&r, "7", RCPT("a@x") RCPT("b@x") HEADER);
	feed_job(&r, "7");
	go(&r);
	check_count(&r, "\t\terror2 ", 1);
	check_count(&r, "\t\tok3 ", 1);
	check_tags(&r, "7", "-+");
	run_end(&r, NULL);
}

static void test_lost_final_reply_is_an_unknown_outcome(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r,
		  SERVER_HELLO("HELP") "C:MAIL\nS:250 ok\nC:RCPT\nS:250 ok\n"
				       "C:DATA\nS:354 go\nD\nX\n");
	write_plain(&r, "7");
	feed_job(&r, "7");
	go(&r);
	check_count(&r, "\tdeferback outcome unknown: ", 1);
	check_tags(&r, "7", " ");
	run_end(&r, NULL); /* and it does not come again */
}

/* However far the first try came with it. */
static void test_content_is_sent_again_from_its_start(void **state)
{
	enum { LINES = 1000 * 1000 };
	struct str text = STR_INIT;
	struct slice heard;
	struct run r;
	size_t at;

	(void)state;
	run_begin(&r, SERVER_HELLO("HELP") ONE_YES
		  "C:DATA\nS:354 go\nP\nX\n" SERVER_HELLO("HELP")
		      ONE_YES AND_DATA SERVER_QUIT);
	write_plain(&r, "7");
	str_adds(&text, POST_BODY);
	for (int i = 0; i < LINES; i++)
		str_adds(&text, "a line of sixteen\n");
	post_write("../queue/7", str_cstr(&text));
	feed_job(&r, "7");
	go(&r);
	check_count(&r, "\t\tok3 ", 1);
	server_end(&r.server);
	heard = str_slice(&r.server.heard);
	at = slice_find_text(heard,
			     SLICE("From: alice@example.net\r\n\r\nHi.\r\n"
				   "a line of"));
	heard = slice_from(heard, at);
	assert_int_equal(heard.len,
			 strlen("From: alice@example.net\r\n\r\nHi.\r\n") +
			     LINES * strlen("a line of sixteen\r\n") +
			     strlen(".\r\nQUIT\r\n"));
	assert_int_equal(r.status, 0);
	server_done(&r.server);
	fd_close(r.post.options.in_fd);
	post_close(&r.post);
	str_done(&text);
}

/* Only those whose result is not known yet are told about the host. */
static void test_host_that_goes_away_leaves_what_is_done(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, SERVER_HELLO("HELP") ONE_YES AND_DATA "X\n");
	write_job(&r, "7",
		  RCPT("a@x") "m\nSubject: one\n\n" RCPT("b@x")
		      RCPT("c@x") "m\nSubject: two\n\n");
	feed_job(&r, "7");
	go(&r);
	check_count(&r, "7/74\t\tok3 ", 1);
	check_count(&r, "\tb@x\001", 1);
	check_count(&r, "\tdeferall ", 1);
	check_count(&r, "\tdeferred ", 1);
	check_tags(&r, "7", "+  ");
	run_end(&r, NULL);
}

/* Those over a limit are nobody's loss. */
static void test_recipients_over_a_limit_outlive_a_lost_connection(void **state)
{
	struct run r;

	(void)state;
	run_begin(
	    &r,
	    SERVER_HELLO(
		"HELP") "C:MAIL\nS:250 ok\nC:RCPT TO:<a@x>\nS:250 ok\n"
			"C:RCPT TO:<b@x>\nS:452 too many\nC:RCPT "
			"TO:<c@x>\nS:550 "
			"no\nC:DATA\nX\n" SERVER_HELLO(
			    "HELP") "C:MAIL\nS:250 ok\nC:RCPT TO:<a@x>\nS:250 "
				    "ok\n" AND_DATA
				    "C:MAIL\nS:250 ok\nC:RCPT TO:<b@x>\nS:250 "
				    "ok\n" AND_DATA SERVER_QUIT);
	write_job(&r, "7", RCPT("a@x") RCPT("b@x") RCPT("c@x") HEADER);
	feed_job(&r, "7");
	go(&r);
	check_count(&r, "\t\tok3 ", 2);
	check_count(&r, "\t\terror2 ", 1);
	check_tags(&r, "7", "++-");
	run_end(&r, NULL);
}

/* ---- chunks ------------------------------------------------------------- */

/* RFC 3030: chunk after chunk, message after message, and no dot. */
static void test_chunks_carry_messages_to_a_server_that_takes_them(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, "A\nS:220 hi\nC:EHLO\nS:250-hi\nS:250-PIPELINING\nS:250 "
		      "CHUNKING\n"
		      "C:MAIL\nC:RCPT\nC:BDAT\nT\n"
		      "S:250 ok\nS:250 ok\nS:250 in\n" SERVER_QUIT);
	write_plain(&r, "7");
	feed_job(&r, "7");
	go(&r);
	check_tags(&r, "7", "+");
	run_end(&r, HELLO FROM TO(
			"bob@x") "BDAT 32 LAST\r\nFrom: "
				 "alice@example.net\r\n\r\nHi.\r\nQUIT\r\n");
}

/* ---- messages that fail ------------------------------------------------- */

static void write_large(struct run *r, const char *name)
{
	struct str path = STR_INIT, text = STR_INIT;

	write_plain(r, name);
	str_addf(&path, "../queue/%s", name);
	str_adds(&text, POST_BODY);
	while (text.len < 200000)
		str_adds(&text, "one line and another\n");
	post_write(str_cstr(&path), str_cstr(&text));
	str_done(&path);
	str_done(&text);
}

static void test_message_that_shrinks_is_never_ended(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, SERVER_HELLO("HELP") "C:MAIL\nS:250 ok\nC:RCPT\nS:250 "
					   "ok\nC:DATA\nK:../queue/7\n"
					   "S:354 go\nW\n");
	write_large(&r, "7");
	feed_job(&r, "7");
	go(&r);
	check_count(&r, "\tdeferred ", 1);
	check_count(&r, "message file has shrunk", 2);
	check_tags(&r, "7", " ");
	run_end(&r, HELLO FROM TO("bob@x") "DATA\r\n");
}

/* Before anything of it was offered. */
static void test_small_message_that_shrinks_is_put_off(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, "A\nK:../queue/7\nS:220 hi\nC:EHLO\nS:250 "
		      "hi\n" SERVER_QUIT);
	write_plain(&r, "7");
	feed_job(&r, "7");
	go(&r);
	check_count(&r,
		    "7/74\tbob@x\001delayed\0014.3.0 (message file cannot be "
		    "read)\001x-local; 400 (message file cannot be read)\001",
		    1);
	check_count(&r,
		    "\tdeferred message file has shrunk from 25 to at most "
		    "21 bytes\n",
		    1);
	check_tags(&r, "7", " ");
	run_end(&r, HELLO "QUIT\r\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message_is_delivered_and_reported),
		cmocka_unit_test(test_recipients_have_results_of_their_own),
		cmocka_unit_test(test_each_header_is_a_message_of_its_own),
		cmocka_unit_test(test_nobody_to_send_to_needs_no_server),
		cmocka_unit_test(
		    test_message_over_the_servers_limit_is_not_offered),
		cmocka_unit_test(test_every_result_is_logged),
		cmocka_unit_test(test_mail_announces_size_and_8bit_content),
		cmocka_unit_test(
		    test_many_recipients_go_in_several_transactions),
		cmocka_unit_test(test_announced_limit_of_recipients_is_kept),
		cmocka_unit_test(test_recipients_over_a_limit_go_next_at_once),
		cmocka_unit_test(
		    test_chunks_carry_messages_to_a_server_that_takes_them),
		cmocka_unit_test(test_lost_connection_is_made_anew_once),
		cmocka_unit_test(
		    test_what_was_decided_before_the_loss_stays_so),
		cmocka_unit_test(test_lost_final_reply_is_an_unknown_outcome),
		cmocka_unit_test(
		    test_recipients_over_a_limit_outlive_a_lost_connection),
		cmocka_unit_test(test_host_that_goes_away_leaves_what_is_done),
		cmocka_unit_test(test_content_is_sent_again_from_its_start),
		cmocka_unit_test(test_message_that_shrinks_is_never_ended),
		cmocka_unit_test(test_small_message_that_shrinks_is_put_off),
	};

	return TEST_RUN(tests);
}
