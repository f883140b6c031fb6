/*
 * smtpta_test.c - job lines in, reports out, in their order; hosts that
 * cannot be spoken to.
 *
 * All lines lie ready when the agent begins and end with the input, as when
 * the scheduler feeds faster than mail can be sent.
 */
#include "smtpta/smtpta.h"

#include "base/keyword.h"
#include "smtpta/test_run.h"

/* ---- several lines ------------------------------------------------------ */

static void test_lines_are_answered_in_their_order(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r,
		  SERVER_HELLO("PIPELINING") "C:MAIL\nC:RCPT\nC:DATA\n"
					     "S:250 ok\nS:250 ok\nS:354 go\n"
					     "D\nC:RSET\nC:MAIL\nC:RCPT\n"
					     "C:DATA\nS:250 in\nS:250 ok\n"
					     "S:250 ok\nS:250 ok\nS:354 go\n"
					     "D\nS:250 in\n" SERVER_QUIT);
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

/* Silence behind a BDAT: from then on the agent speaks DATA to it. */
static void test_server_that_chokes_on_a_chunk_gets_none_again(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r,
		  SERVER_HELLO("CHUNKING") "C:MAIL\nS:250 ok\nC:RCPT\nS:250 "
					   "ok\nC:BDAT\nT\nW\n" SERVER_HELLO(
					       "CHUNKING") TAKES SERVER_QUIT);
	r.options.no_pipelining = true;
	r.options.timeouts.dot = 1;
	write_plain(&r, "7");
	write_plain(&r, "8");
	feed_job(&r, "7");
	feed_job(&r, "8");
	go(&r);
	check_count(&r, "7/74\tbob@x\001delayed\0014.4.2\001", 1);
	check_count(&r, "\tdeferback outcome unknown: ", 1);
	check_count(&r, "8/74" TAKEN, 1);
	run_end(&r, NULL);
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

/* A port of 127.0.0.1 where nobody listens. */
static struct slice nobodys_place(struct arena *a)
{
	struct net_addr addr;
	struct str text = STR_INIT;
	struct slice place;
	struct err err;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(
	    net_literal_parse(SLICE("[127.0.0.1]"), 0, &addr, &err), 0);
	assert_int_equal(bind(fd, &addr.u.any, addr.len), 0);
	assert_int_equal(getsockname(fd, &addr.u.any, &addr.len), 0);
	str_addf(&text, "[127.0.0.1]:%u", (unsigned)net_addr_port(&addr));
	place = arena_dup(a, str_slice(&text));
	str_done(&text);
	fd_close(fd);
	return place;
}

/* Once, however many names are asked for; and the mail is not held by it. */
static void test_lack_of_dnssec_is_told_once(void **state)
{
	static const enum dns_mode modes[] = { DNS_VALIDATE, DNS_OFF };

	(void)state;
	for (size_t i = 0; i < COUNT(modes); i++) {
		struct arena *a = arena_new();
		struct run r;

		run_begin(&r, "");
		r.options.dns.mode = modes[i];
		r.options.dns.servers = nobodys_place(a).p;
		r.options.dns.anchor_file = "/nowhere/anchor";
		r.options.dns.hosts = "";
		write_job(&r, "7",
			  "r" POST_SLOTS "smtp a.example a@x 501\n" HEADER);
		write_job(&r, "8",
			  "r" POST_SLOTS "smtp b.example b@x 501\n" HEADER);
		feed(&r, "7\ta.example\n8\tb.example\n");
		go(&r);
		check_count(&r, "\n# smtp:4711: no DNSSEC here: ",
			    modes[i] == DNS_VALIDATE);
		check_count(&r, "DNSSEC", modes[i] == DNS_VALIDATE);
		check_count(&r, "no resolver can be asked", 4);
		check_tags(&r, "7", " ");
		run_end(&r, NULL);
		arena_free(a);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_answered_in_their_order),
		cmocka_unit_test(test_stop_line_ends_the_work),
		cmocka_unit_test(
		    test_line_without_a_host_means_the_one_named_last),
		cmocka_unit_test(test_unknown_format_ends_the_work),
		cmocka_unit_test(
		    test_one_message_for_each_connection_if_asked_for),
		cmocka_unit_test(
		    test_server_that_chokes_on_a_chunk_gets_none_again),
		cmocka_unit_test(
		    test_host_that_is_out_is_not_asked_again_at_once),
		cmocka_unit_test(
		    test_host_that_refuses_for_good_fails_everybody),
		cmocka_unit_test(
		    test_silent_server_is_given_up_at_its_deadline),
		cmocka_unit_test(test_lack_of_dnssec_is_told_once),
	};

	return TEST_RUN(tests);
}
