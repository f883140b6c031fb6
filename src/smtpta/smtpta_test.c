/*
 * smtpta_test.c - job lines in, reports out, a server of every temper between.
 *
 * All lines lie ready when the agent begins and end with the input, as when
 * the scheduler feeds faster than mail can be sent.
 */
#include "smtpta/smtpta.h"

#include "agent/test_post.h"
#include "smtpta/test_server.h"

struct run {
	struct post post;
	struct smtpta_options options;
	struct server server;
	int lines; /* the scheduler's end of the input */
	int status;
};

static void run_begin(struct run *r, const char *script)
{
	int fds[2];

	post_open(&r->post);
	/* Before the pipe, so that it does not keep the input open. */
	server_start(&r->server, "[127.0.0.1]", script);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	r->post.options.in_fd = fds[0];
	r->lines = fds[1];
	r->options = smtpta_options_default();
	r->options.helo_name = SLICE("client.example");
	r->options.timeouts =
	    (struct smtpta_timeouts){ .conn = 10, 10, 10, 10, 10 };
}

/* Feeds a line; the host is the server. */
static void feed_job(struct run *r, const char *name)
{
	struct str line = STR_INIT;

	str_addf(&line, "%s\t[127.0.0.1]:%u\n", name,
		 (unsigned)net_addr_port(&r->server.addr));
	assert_int_equal(fd_write_all(r->lines, str_slice(&line)), 0);
	str_done(&line);
}

static void feed(struct run *r, const char *line)
{
	assert_int_equal(fd_write_all(r->lines, slice_of(line)), 0);
}

/* Runs to the end of the input; what was said is in r->post.said. */
static void go(struct run *r)
{
	fd_close(r->lines);
	r->status = smtpta_run(&r->options, r->post.agent);
	post_said(&r->post);
}

/* What the server heard must be `heard`; NULL: it is checked elsewhere. */
static void run_end(struct run *r, const char *heard)
{
	server_end(&r->server);
	if (heard != NULL)
		assert_string_equal(str_cstr(&r->server.heard), heard);
	assert_int_equal(r->status, 0);
	server_done(&r->server);
	fd_close(r->post.options.in_fd);
	post_close(&r->post);
}

/* ---- jobs --------------------------------------------------------------- */

/*
 * Writes job `name`: recipient lines as they are, whose host is replaced by
 * the server's, "%s". The body is "Hi." LF.
 */
static void write_job(struct run *r, const char *name, const char *rcpts)
{
	struct str text = STR_INIT, host = STR_INIT, path = STR_INIT;
	struct slice rest = slice_of(rcpts), part;

	str_addf(&host, "[127.0.0.1]:%u",
		 (unsigned)net_addr_port(&r->server.addr));
	str_addf(&path, "../queue/%s", name);
	post_write(str_cstr(&path), POST_BODY);
	str_addf(&text,
		 "@ 0x00000007\ni %s\no 21\nl <1@x>\n"
		 "s smtp mx.example.net alice@example.net 501\n",
		 name);
	while (slice_cut(&rest, '$', &part)) {
		str_add(&text, part);
		if (rest.p != NULL)
			str_add(&text, str_slice(&host));
	}
	post_write(name, str_cstr(&text));
	str_done(&text);
	str_done(&host);
	str_done(&path);
}

#define RCPT(user) "r" POST_SLOTS "smtp $ " user " 501\n"
#define HEADER	   "m\nFrom: alice@example.net\n\n"

static void write_plain(struct run *r, const char *name)
{
	write_job(r, name, RCPT("bob@x") HEADER);
}

#define HELLO	 "--\nEHLO client.example\r\n"
#define FROM	 "MAIL FROM:<alice@example.net>\r\n"
#define TO(user) "RCPT TO:<" user ">\r\n"
#define MESSAGE	 "From: alice@example.net\r\n\r\nHi.\r\n.\r\n"

/* The message taken without a word that matters. */
#define TAKES \
	"C:MAIL\nS:250 ok\nC:RCPT\nS:250 ok\nC:DATA\nS:354 go\nD\nS:250 in\n"
#define TAKEN                                                     \
	"\t\tok3 \r<<- MAIL FROM:<alice@example.net>\r->> 250 ok" \
	"\r<<- RCPT TO:<bob@x>\r->> 250 ok\r<<- DATA\r->> 354 go" \
	"\r<<- .\r->> 250 in\n"

/* Everything the agent said. */
static void check_said(struct run *r, const char *want)
{
	assert_string_equal(str_cstr(&r->post.said), want);
}

/* It said this, somewhere, just so many times. */
static void check_count(const struct run *r, const char *text, size_t want)
{
	const char *at = str_cstr(&r->post.said);
	size_t n = 0;

	while ((at = strstr(at, text)) != NULL) {
		at += strlen(text);
		n++;
	}
	if (n != want)
		fail_msg("'%s' %zu times in '%s'", text, n,
			 str_cstr(&r->post.said));
}

static void check_tags(struct run *r, const char *name, const char *want)
{
	assert_string_equal(post_tags(&r->post, name), want);
}

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
	check_count(&r, "\tdeferred ", 1);
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

/* ---- several lines ------------------------------------------------------ */

static void test_lines_are_answered_in_their_order(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, SERVER_HELLO("PIPELINING") TAKES TAKES SERVER_QUIT);
	write_plain(&r, "7");
	write_plain(&r, "8");
	feed(&r, "#idle\n");
	feed_job(&r, "7");
	feed_job(&r, "../7");
	feed(&r, "#unknown\n");
	feed_job(&r, "8");
	feed_job(&r, "9");
	feed(&r, "partial");
	go(&r);
	check_count(&r, "\n# smtp:4711: bad job name", 1);
	check_count(&r, "\n# smtp:4711: cannot open control file \"9\"", 1);
	{
		struct slice said = str_slice(&r.post.said), line;
		struct str kinds = STR_INIT;

		while (slice_cut(&said, '\n', &line))
			if (!slice_starts(line, SLICE("# ")) && line.len > 0)
				str_add(&kinds, slice_head(line, 4));
		assert_string_equal(str_cstr(&kinds),
				    "#hun#hun7/74#hun#res#hun#hun8/74#hun#res"
				    "#hun");
		str_done(&kinds);
	}
	run_end(&r, NULL);
}

static void test_stop_line_ends_the_work(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, SERVER_HELLO("HELP") TAKES SERVER_QUIT);
	write_plain(&r, "7");
	write_plain(&r, "8");
	feed_job(&r, "7");
	feed(&r, "\n");
	feed_job(&r, "8");
	go(&r);
	check_said(&r, "#hungry\n7/74" TAKEN "#hungry\n");
	check_tags(&r, "8", " ");
	run_end(&r, NULL);
}

static void test_line_without_a_host_means_the_one_named_last(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, SERVER_HELLO("HELP") TAKES SERVER_QUIT);
	write_plain(&r, "7");
	feed(&r, "7\n");
	feed_job(&r, "6");
	feed(&r, "7\n"); /* to the host named last */
	go(&r);
	check_count(&r, "#hungry\n# smtp needs defined host!\n#hungry\n", 1);
	check_count(&r, "#resync 6\n#hungry\n7/74\t\tok3 ", 1);
	run_end(&r, NULL);
}

static void test_unknown_format_ends_the_work(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, "");
	write_plain(&r, "8");
	post_write("7", "@ 0x17\ni 7\no 0\nl x\n");
	feed_job(&r, "7");
	feed_job(&r, "8");
	go(&r);
	check_said(&r, "#hungry\n# smtp:4711: Unsupported SCHEDULER file "
		       "format flags seen: 0x17 at file '7'\n#resync 7\n"
		       "#hungry\n");
	check_tags(&r, "8", " ");
	run_end(&r, "");
}

static void test_one_message_for_each_connection_if_asked_for(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, SERVER_HELLO("PIPELINING") TAKES SERVER_QUIT SERVER_HELLO(
			  "PIPELINING") TAKES SERVER_QUIT);
	r.options.one_per_connection = true;
	write_plain(&r, "7");
	write_plain(&r, "8");
	feed_job(&r, "7");
	feed_job(&r, "8");
	go(&r);
	check_said(&r, "#hungry\n7/74" TAKEN "#hungry\n8/74" TAKEN "#hungry\n");
	run_end(&r, NULL);
}

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

/* ---- servers that fail -------------------------------------------------- */

static void test_host_that_is_out_is_not_asked_again_at_once(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, "A\nS:421 busy\nW\n");
	write_job(&r, "7", RCPT("a@x") RCPT("b@x") HEADER);
	write_plain(&r, "8");
	feed_job(&r, "7");
	feed_job(&r, "8");
	go(&r);
	check_count(&r, "\tdeferall \r<<- (connecting)\r->> 421 busy\n", 1);
	check_count(&r, "\tdeferred \r<<- (connecting)\r->> 421 busy\n", 2);
	check_count(&r,
		    "7/74\ta@x\001delayed\0014.3.2\001smtp; 421 (busy)\001"
		    "X-IP-addr; [127.0.0.1] (127.0.0.1)\001smtp[4711]"
		    "\tdeferall ",
		    1);
	check_tags(&r, "7", "  ");
	check_tags(&r, "8", " ");
	run_end(&r, "--\n");
}

static void test_host_that_refuses_for_good_fails_everybody(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, "A\nS:521 no mail here\nW\n");
	write_job(&r, "7", RCPT("a@x") RCPT("b@x") HEADER);
	feed_job(&r, "7");
	go(&r);
	check_count(&r, "\t\terror2 \r<<- (connecting)\r->> 521 no mail here\n",
		    2);
	check_tags(&r, "7", "--");
	run_end(&r, "--\n");
}

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

static void test_silent_server_is_given_up_at_its_deadline(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, SERVER_HELLO("HELP") "C:MAIL\nW\n" SERVER_HELLO(
			  "HELP") "C:MAIL\nW\n");
	r.options.timeouts.cmd = 1;
	write_plain(&r, "7");
	feed_job(&r, "7");
	go(&r);
	check_count(&r, "\tdeferred ", 1);
	check_count(&r, "Timeout of 1 sec while waiting responses from remote",
		    2);
	run_end(&r, NULL);
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message_is_delivered_and_reported),
		cmocka_unit_test(test_recipients_have_results_of_their_own),
		cmocka_unit_test(test_each_header_is_a_message_of_its_own),
		cmocka_unit_test(test_nobody_to_send_to_needs_no_server),
		cmocka_unit_test(
		    test_message_over_the_servers_limit_is_not_offered),
		cmocka_unit_test(
		    test_many_recipients_go_in_several_transactions),
		cmocka_unit_test(test_recipients_over_a_limit_go_next_at_once),
		cmocka_unit_test(test_lines_are_answered_in_their_order),
		cmocka_unit_test(test_stop_line_ends_the_work),
		cmocka_unit_test(
		    test_line_without_a_host_means_the_one_named_last),
		cmocka_unit_test(test_unknown_format_ends_the_work),
		cmocka_unit_test(
		    test_one_message_for_each_connection_if_asked_for),
		cmocka_unit_test(
		    test_chunks_carry_messages_to_a_server_that_takes_them),
		cmocka_unit_test(
		    test_host_that_is_out_is_not_asked_again_at_once),
		cmocka_unit_test(
		    test_host_that_refuses_for_good_fails_everybody),
		cmocka_unit_test(test_lost_connection_is_made_anew_once),
		cmocka_unit_test(
		    test_what_was_decided_before_the_loss_stays_so),
		cmocka_unit_test(test_lost_final_reply_is_an_unknown_outcome),
		cmocka_unit_test(
		    test_silent_server_is_given_up_at_its_deadline),
		cmocka_unit_test(test_message_that_shrinks_is_never_ended),
	};

	return TEST_RUN(tests);
}
