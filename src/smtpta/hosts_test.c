/*
 * hosts_test.c - destinations with several hosts: which of them is asked when
 * one puts mail off, and whose word is the last.
 */
#include "smtpta/test_hosts.h"

/* One plain message through the hosts; what was said is left in h. */
static void send_one(struct hosts *h, const char *const *scripts, size_t n)
{
	hosts_begin(h, scripts, n);
	write_plain(&h->run, "7");
	feed_job(&h->run, "7");
	go(&h->run);
}

#define BEGIN SERVER_HELLO("HELP")

static const char *const put_off[] = {
	BEGIN "C:MAIL\nS:451 not now\n" SERVER_QUIT,
	BEGIN "C:MAIL\nS:250 ok\nC:RCPT\nS:451 not now\n" SERVER_QUIT,
	BEGIN "C:MAIL\nS:250 ok\nC:RCPT\nS:250 ok\nC:DATA\nS:451 not "
	      "now\n" SERVER_QUIT,
	BEGIN "C:MAIL\nS:250 ok\nC:RCPT\nS:250 ok\nC:DATA\nS:354 go\nD\n"
	      "S:451 not now\n" SERVER_QUIT,
	/* Lost before anything was taken, and once more. */
	BEGIN "C:MAIL\nX\n" BEGIN "C:MAIL\nX\n",
	BEGIN "C:MAIL\nS:421 closing\nX\n",
};

static void test_next_host_is_asked_when_one_puts_mail_off(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(put_off); i++) {
		const char *const scripts[] = { put_off[i],
						BEGIN TAKES SERVER_QUIT };
		struct hosts h;

		send_one(&h, scripts, 2);
		check_said(&h.run, "#hungry\n7/74" TAKEN "#hungry\n");
		check_tags(&h.run, "7", "+");
		hosts_end(&h);
	}
}

static void test_last_host_has_the_last_word(void **state)
{
	const char *const scripts[] = { put_off[0], BEGIN
					"C:MAIL\nS:452 full\n" SERVER_QUIT };
	struct hosts h;

	(void)state;
	send_one(&h, scripts, 2);
	check_count(&h.run, "\tdeferred ", 1);
	check_count(&h.run,
		    "\001smtp; 452 (full)\001dns; mx.example (127.0.0.2)\001",
		    1);
	check_tags(&h.run, "7", " ");
	hosts_end(&h);
}

static void test_host_out_of_reach_leaves_the_earlier_word(void **state)
{
	const char *const scripts[] = { put_off[0], "" };
	struct hosts h;

	(void)state;
	send_one(&h, scripts, 2);
	check_count(&h.run, "\tdeferred ", 1);
	check_count(&h.run,
		    "\001smtp; 451 (not now)\001dns; mx.example "
		    "(127.0.0.1)\001",
		    1);
	hosts_end(&h);
}

static void test_three_hosts_are_asked_at_most(void **state)
{
	/* The fourth would take it. Its script cannot be followed. */
	const char *const scripts[] = { put_off[0], put_off[1],
					BEGIN
					"C:MAIL\nS:450 third\n" SERVER_QUIT,
					"" };
	struct hosts h;

	(void)state;
	send_one(&h, scripts, 4);
	check_count(&h.run, "\001smtp; 450 (third)\001", 1);
	check_count(&h.run, "connect to", 0);
	hosts_end(&h);
}

static void test_refusal_for_good_is_final(void **state)
{
	const char *const scripts[] = { BEGIN "C:MAIL\nS:550 no\n" SERVER_QUIT,
					"" };
	struct hosts h;

	(void)state;
	send_one(&h, scripts, 2);
	check_tags(&h.run, "7", "-");
	hosts_end(&h);
}

static void test_lost_final_reply_goes_to_no_other_host(void **state)
{
	const char *const scripts[] = {
		BEGIN "C:MAIL\nS:250 ok\nC:RCPT\nS:250 ok\nC:DATA\nS:354 "
		      "go\nD\nX\n",
		""
	};
	struct hosts h;

	(void)state;
	send_one(&h, scripts, 2);
	check_count(&h.run, "\tdeferback outcome unknown: ", 1);
	check_tags(&h.run, "7", " ");
	hosts_end(&h);
}

/* Another host would say the same, and not know us either. */
static void test_greylisting_host_is_not_left(void **state)
{
	const char *const scripts[] = { BEGIN "C:MAIL\nS:250 ok\nC:RCPT\nS:450 "
					      "4.7.1 greylisted\n" SERVER_QUIT,
					"" };
	struct hosts h;

	(void)state;
	send_one(&h, scripts, 2);
	check_count(&h.run, "\tdeferred ", 1);
	check_tags(&h.run, "7", " ");
	hosts_end(&h);
}

static void test_greylisting_host_is_the_first_to_be_asked_again(void **state)
{
	const char *const scripts[] = {
		BEGIN "C:MAIL\nS:451 not now\n" SERVER_QUIT,
		BEGIN "C:MAIL\nS:250 ok\nC:RCPT\nS:450 4.7.1 "
		      "greylisted\n" SERVER_QUIT BEGIN TAKES SERVER_QUIT
	};
	struct hosts h;

	(void)state;
	hosts_begin(&h, scripts, 2);
	h.run.options.window =
	    1; /* the second is taken when the first is over */
	write_plain(&h.run, "7");
	write_plain(&h.run, "8");
	feed_job(&h.run, "7");
	feed_job(&h.run, "8");
	go(&h.run);
	check_tags(&h.run, "7", " ");
	check_tags(&h.run, "8", "+");
	hosts_end(&h);
}

#define BLAMES                                                     \
	BEGIN "C:MAIL\nS:250 ok\nC:RCPT\nS:250 ok\nC:DATA\nS:354 " \
	      "go\nD\nS:550 5.7.1 no PTR, see our IPv6 guidelines\n"

struct blamed {
	const char *v4, *v6; /* scripts */
	const char *tags, *said;
};

/* Of the two addresses of a host the IPv6 one is asked first. */
static void test_refusal_of_ipv6_is_tried_once_over_ipv4(void **state)
{
	static const char *const literals[] = { "[127.0.0.1]", "[IPv6:::1]" };
	static const struct blamed rows[] = {
		{ BEGIN TAKES SERVER_QUIT, BLAMES SERVER_QUIT, "+", "ok3" },
		{ BEGIN "C:MAIL\nS:554 nor you\n" SERVER_QUIT,
		  BLAMES SERVER_QUIT, "-", "554 nor you" },
		{ BEGIN "C:MAIL\nS:451 later\n" SERVER_QUIT, BLAMES SERVER_QUIT,
		  " ", "451 (later)" },
		/* Nobody there: the refusal stands. */
		{ "", BLAMES SERVER_QUIT, "-", "550 5.7.1 no PTR" },
		/* Another refusal is none of IPv6. */
		{ "", BEGIN "C:MAIL\nS:550 5.7.1 no\n" SERVER_QUIT, "-",
		  "550 5.7.1 no" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *const scripts[] = { rows[i].v4, rows[i].v6 };
		struct hosts h;

		hosts_begin_at(&h, literals, scripts, 2);
		h.run.options.v6_first = true;
		write_plain(&h.run, "7");
		feed_job(&h.run, "7");
		go(&h.run);
		check_tags(&h.run, "7", rows[i].tags);
		if (strstr(str_cstr(&h.run.post.said), rows[i].said) == NULL)
			fail_msg("'%s' is not in '%s'", rows[i].said,
				 str_cstr(&h.run.post.said));
		hosts_end(&h);
	}
}

/*
 * The last try over IPv4 was still to come, and then nobody could be reached
 * for the mail that came first.
 */
static void test_refusal_of_ipv6_stands_if_all_hosts_are_lost(void **state)
{
	static const char *const literals[] = { "[127.0.0.1]", "[IPv6:::1]" };
	const char *const scripts[] = {
		"",
		BEGIN "C:MAIL\nS:250 ok\nC:RCPT\nS:550 5.7.1 no PTR, see our "
		      "IPv6 guidelines\nC:RSET\nS:250 ok\nC:MAIL\nX\n"
	};
	struct hosts h;

	(void)state;
	hosts_begin_at(&h, literals, scripts, 2);
	h.run.options.v6_first = true;
	write_job(&h.run, "7", RCPT("a@x") HEADER RCPT("b@x") HEADER);
	feed_job(&h.run, "7");
	go(&h.run);
	check_count(&h.run, "\tdeferall smtp; 466 (connect to ", 1);
	check_tags(&h.run, "7", "- ");
	hosts_end(&h);
}

static void test_only_those_put_off_go_on(void **state)
{
	const char *const scripts[] = {
		BEGIN "C:MAIL\nS:250 ok\nC:RCPT\nS:250 ok\nC:RCPT\nS:451 "
		      "later\nC:RCPT\nS:550 no\nC:DATA\nS:354 go\nD\nS:250 "
		      "in\n" SERVER_QUIT,
		BEGIN "C:MAIL\nS:250 ok\nC:RCPT TO:<b@x>\nS:250 ok\nC:DATA\n"
		      "S:354 go\nD\nS:250 in\n" SERVER_QUIT
	};
	struct hosts h;

	(void)state;
	hosts_begin(&h, scripts, 2);
	write_job(&h.run, "7", RCPT("a@x") RCPT("b@x") RCPT("c@x") HEADER);
	feed_job(&h.run, "7");
	go(&h.run);
	check_tags(&h.run, "7", "++-");
	check_count(&h.run, "\t\tok3 ", 2);
	hosts_end(&h);
}

static void test_first_host_stays_the_first_for_other_mail(void **state)
{
	/* 7 and 8 are under way together; 9 comes after the way round. */
	const char *const scripts[] = {
		SERVER_HELLO("PIPELINING")
		/* 7 */
		"C:MAIL\nC:RCPT\nC:DATA\nS:250 ok\nS:451 later\nS:503 no\n"
		/* 8 */
		"C:RSET\nC:MAIL\nC:RCPT\nC:DATA\nS:250 ok\nS:250 ok\nS:250 ok\n"
		"S:354 go\nD\nS:250 in\n" SERVER_QUIT
		    /* 9 */
		    SERVER_HELLO("PIPELINING") "C:MAIL\nC:RCPT\nC:DATA\nS:250 "
					       "ok\nS:250 ok\nS:354 go\nD\n"
					       "S:250 in\n" SERVER_QUIT,
		BEGIN TAKES SERVER_QUIT
	};
	struct hosts h;

	(void)state;
	hosts_begin(&h, scripts, 2);
	write_plain(&h.run, "7");
	write_plain(&h.run, "8");
	write_plain(&h.run, "9");
	feed_job(&h.run, "7");
	feed_job(&h.run, "8");
	feed_job(&h.run, "9");
	go(&h.run);
	check_tags(&h.run, "7", "+");
	check_tags(&h.run, "8", "+");
	check_tags(&h.run, "9", "+");
	check_count(&h.run, "#hungry\n", 4);
	hosts_end(&h);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_next_host_is_asked_when_one_puts_mail_off),
		cmocka_unit_test(test_last_host_has_the_last_word),
		cmocka_unit_test(
		    test_host_out_of_reach_leaves_the_earlier_word),
		cmocka_unit_test(test_three_hosts_are_asked_at_most),
		cmocka_unit_test(test_refusal_for_good_is_final),
		cmocka_unit_test(test_lost_final_reply_goes_to_no_other_host),
		cmocka_unit_test(test_greylisting_host_is_not_left),
		cmocka_unit_test(
		    test_greylisting_host_is_the_first_to_be_asked_again),
		cmocka_unit_test(test_refusal_of_ipv6_is_tried_once_over_ipv4),
		cmocka_unit_test(
		    test_refusal_of_ipv6_stands_if_all_hosts_are_lost),
		cmocka_unit_test(test_only_those_put_off_go_on),
		cmocka_unit_test(
		    test_first_host_stays_the_first_for_other_mail),
	};

	return TEST_RUN(tests);
}
