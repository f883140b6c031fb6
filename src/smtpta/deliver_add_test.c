/*
 * deliver_add_test.c - which recipients make a transaction, with which words,
 * and what cannot go to a server or to any.
 */
#include "smtpta/test_hosts.h"

/* Seconds from TEST_NOW, 1767268805. */
#define IN_50  "1767268855"
#define IN_100 "1767268905"
#define IN_200 "1767269005"
#define AGO    "1767268805"
#define OE     "\303\266"

#define RCPT_DSN(user, dsn) RCPT(user) "N " dsn "\n"
#define MAIL(params)	    "MAIL FROM:<alice@example.net>" params "\r\n"
#define REST		    "DATA\r\n" MESSAGE
/* The server's steps for a transaction of one or two recipients. */
#define TAKES_TWO                                                \
	"C:MAIL\nS:250 ok\nC:RCPT\nS:250 ok\nC:RCPT\nS:250 ok\n" \
	"C:DATA\nS:354 go\nD\nS:250 in\n"

/* One job through one server: what it hears, and the tags in the end. */
static void check_heard(struct run *r, const char *script, const char *rcpts,
			const char *heard, const char *tags)
{
	run_begin(r, script);
	write_job(r, "7", rcpts);
	feed_job(r, "7");
	go(r);
	check_tags(r, "7", tags);
	run_end(r, heard);
}

/* The same; what the reports and the `d` lines hold. */
static void check_told(const char *script, const char *rcpts, const char *said,
		       const char *d_line)
{
	struct run r;

	run_begin(&r, script);
	write_job(&r, "7", rcpts);
	feed_job(&r, "7");
	go(&r);
	check_count(&r, said, 1);
	if (d_line == NULL)
		assert_null(strstr(post_disk(&r.post, "7"), "\nd "));
	else if (strstr(post_disk(&r.post, "7"), d_line) == NULL)
		fail_msg("no '%s' in %s", d_line, post_disk(&r.post, "7"));
	run_end(&r, NULL);
}

/* ---- deadlines ---------------------------------------------------------- */

static void test_each_deadline_is_a_transaction(void **state)
{
	struct run r;

	(void)state;
	check_heard(
	    &r, SERVER_HELLO("DELIVERBY") TAKES_TWO TAKES TAKES SERVER_QUIT,
	    RCPT_DSN("a@x", "BY=" IN_100 ";R")
		RCPT_DSN("b@x", "BY=" IN_100 ";rN")
		    RCPT_DSN("c@x", "BY=" IN_100 ";NT") RCPT("d@x") HEADER,
	    HELLO MAIL(" BY=100;R") TO("a@x") TO("b@x") REST MAIL(" BY=100;NT")
		TO("c@x") REST MAIL("") TO("d@x") REST "QUIT\r\n",
	    "++++");
}

/* RFC 2852 4: with N a deadline may have passed. */
static void test_late_mail_to_be_notified_is_relayed(void **state)
{
	struct run r;

	(void)state;
	check_heard(&r, SERVER_HELLO("DELIVERBY 10") TAKES SERVER_QUIT,
		    RCPT_DSN("a@x", "BY=1767268800;N") HEADER,
		    HELLO MAIL(" BY=-5;N") TO("a@x") REST "QUIT\r\n", "+");
}

static void test_late_mail_to_be_returned_needs_no_server(void **state)
{
	(void)state;
	check_told("", RCPT_DSN("a@x", "BY=" AGO ";R") HEADER,
		   "\t\terror2 deliver-by time has passed: the mail is "
		   "returned, as its sender asked\n",
		   "\ta@x\001failed\0015.4.7 (delivery time expired)\001"
		   "x-local; 500 (deliver-by time has passed)\001");
}

/* The clock of the next test: it jumps when the file ../clock gets shorter. */
static int64_t jumping_now(void)
{
	struct stat st;

	assert_int_equal(stat("../clock", &st), 0);
	return st.st_size == 2 ? TEST_NOW : TEST_NOW + 100;
}

/* The engine has it already, and it waits for its turn. */
static void test_deadline_is_judged_when_mail_is_sent(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, SERVER_HELLO("DELIVERBY") "C:MAIL\nK:../clock\nS:250 "
						"ok\nC:RCPT\nS:250 ok\nC:DATA\n"
						"S:354 go\nD\nS:250 in"
						"\n" SERVER_QUIT);
	post_write("../clock", "12");
	r.post.options.wall_time = jumping_now;
	write_job(&r, "7",
		  RCPT("a@x") RCPT_DSN("b@x", "BY=" IN_50 ";R") HEADER);
	feed_job(&r, "7");
	go(&r);
	check_count(&r, "\t\terror2 deliver-by time has passed: ", 1);
	check_tags(&r, "7", "+-");
	run_end(&r, HELLO MAIL("") TO("a@x") REST "QUIT\r\n");
}

static void test_mail_to_be_returned_goes_only_where_time_counts(void **state)
{
	(void)state;
	check_told(SERVER_HELLO("DSN") SERVER_QUIT,
		   RCPT_DSN("a@x", "BY=" IN_100 ";R") HEADER,
		   "\t\terror2 host does not offer DELIVERBY, ",
		   "\ta@x\001failed\0015.3.3 (system not capable of selected "
		   "features)\001x-local; 500 (remote system does not offer "
		   "DELIVERBY)\001");
	check_told(SERVER_HELLO("DELIVERBY 101") SERVER_QUIT,
		   RCPT_DSN("a@x", "BY=" IN_100 ";R") HEADER,
		   "\t\terror2 only 100 seconds are left to deliver, and the "
		   "host does not promise less than 101\n",
		   "\0015.3.3 (system not capable of selected features)\001");
	check_told(SERVER_HELLO("DELIVERBY 100") TAKES SERVER_QUIT,
		   RCPT_DSN("a@x", "BY=" IN_100 ";R") HEADER, "\t\tok3 ", NULL);
}

/* A server that refuses BY= does not offer it. */
static void test_refused_deadline_is_one_not_offered(void **state)
{
	(void)state;
	check_told(SERVER_HELLO("DELIVERBY") "C:MAIL\nS:555 what\n" SERVER_QUIT,
		   RCPT_DSN("a@x", "BY=" IN_100 ";R") HEADER,
		   "\t\terror2 host does not offer DELIVERBY, ", "\0015.3.3 (");
	check_told(
	    SERVER_HELLO("DELIVERBY") "C:MAIL\nS:555 what\nC:RSET\nS:250 "
				      "ok\n" TAKES SERVER_QUIT,
	    RCPT_DSN("a@x", "BY=" IN_100 ";N") HEADER,
	    "\t\tok2 \r<<- MAIL FROM:<alice@example.net>\r", "\001relayed\001");
}

static void test_relaying_is_told_where_nobody_else_will(void **state)
{
	static const struct row {
		const char *keyword, *dsn;
		const char *status;
		bool is_told;
	} rows[] = {
		{ "HELP", "BY=" IN_100 ";N", "ok2", true },
		{ "HELP", "BY=" IN_100 ";N NOTIFY=NEVER", "ok3", false },
		{ "DSN", "BY=" IN_100 ";N NOTIFY=SUCCESS", "ok2", true },
		{ "DELIVERBY", "BY=" IN_100 ";N", "ok3", false },
		{ "DELIVERBY", "BY=" IN_100 ";NT", "ok2", true },
		{ "DELIVERBY", "BY=" IN_100 ";RT", "ok2", true },
		{ "DELIVERBY", "BY=" IN_100 ";RT NOTIFY=NEVER", "ok3", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str script = STR_INIT, job = STR_INIT, said = STR_INIT;

		str_addf(&script,
			 "A\nS:220 hi\nC:EHLO\nS:250-hi\nS:250 %s\n" TAKES
			     SERVER_QUIT,
			 rows[i].keyword);
		str_addf(&job, RCPT("a@x") "N %s\n" HEADER, rows[i].dsn);
		str_addf(&said, "\t\t%s ", rows[i].status);
		check_told(str_cstr(&script), str_cstr(&job), str_cstr(&said),
			   rows[i].is_told ? "\ta@x\001relayed\0012.0.0\001"
					   : NULL);
		str_done(&script);
		str_done(&job);
		str_done(&said);
	}
}

/* To those who will hear of no deadline the next hop is to tell a delay. */
static void test_delay_is_asked_for_where_dsn_is_offered(void **state)
{
	struct run r;

	(void)state;
	check_heard(
	    &r, SERVER_HELLO("DSN") TAKES_TWO SERVER_QUIT,
	    RCPT_DSN("a@x", "NOTIFY=FAILURE ORCPT=rfc822;a BY=" IN_100 ";N")
		RCPT_DSN("b@x", "NOTIFY=NEVER ORCPT=rfc822;b BY=" IN_100 ";N")
		    HEADER,
	    HELLO MAIL("") "RCPT TO:<a@x> NOTIFY=FAILURE,DELAY "
			   "ORCPT=rfc822;a\r\nRCPT TO:<b@x> NOTIFY=NEVER "
			   "ORCPT=rfc822;b\r\n" REST "QUIT\r\n",
	    "++");
}

/* ---- VERP senders ------------------------------------------------------- */

#define VERP(tail)                                                   \
	"C:MAIL FROM:<alice" tail "-S\nS:250 ok\nC:RCPT\nS:250 ok\n" \
	"C:DATA\nS:354 go\nD\nS:250 in\n"

#define VERP_RCPTS                  \
	RCPT("a@x")                 \
	RCPT_DSN("b@x", "EZMLM=-1") \
	RCPT_DSN("c@x", "EZMLM=-2") RCPT("d@x") RCPT("e@x") HEADER

static void test_verp_recipients_go_alone(void **state)
{
	struct run r;

	(void)state;
	check_heard(&r,
		    SERVER_HELLO("HELP") TAKES VERP("-1") VERP("-2")
			TAKES_TWO SERVER_QUIT,
		    VERP_RCPTS, NULL, "+++++");
}

static void test_verp_can_be_ignored(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, SERVER_HELLO("HELP") "C:MAIL FROM:<alice@example.net>\nS:"
					   "250 ok\nC:RCPT\nS:250 ok\nC:RCPT\n"
					   "S:250 ok\nC:RCPT\nS:250 ok\nC:RCPT"
					   "\nS:250 ok\nC:RCPT\nS:250 ok\n"
					   "C:DATA\nS:354 go\nD\nS:250 in"
					   "\n" SERVER_QUIT);
	r.options.ignore_ezmlm = true;
	write_job(&r, "7", VERP_RCPTS);
	feed_job(&r, "7");
	go(&r);
	check_tags(&r, "7", "+++++");
	run_end(&r, NULL);
}

static void test_impossible_verp_sender_fails_its_recipient(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, SERVER_HELLO("HELP") TAKES SERVER_QUIT);
	write_job(&r, "7",
		  RCPT_DSN("a@x", "EZMLM=-1>\rRSET") RCPT("b@x") HEADER);
	feed_job(&r, "7");
	go(&r);
	check_count(&r,
		    "\t\terror2 sender address is not a valid RFC 5321 path: "
		    "<alice-1>",
		    1);
	check_tags(&r, "7", "-+");
	run_end(&r, HELLO FROM TO("b@x") REST "QUIT\r\n");
}

/* ---- domains ------------------------------------------------------------ */

#define TO_STEP(user) "C:RCPT TO:<" user ">\nS:250 ok\n"
#define DATA_STEPS    "C:DATA\nS:354 go\nD\nS:250 in\n"

/* RFC 9422 4.3: order is kept, and case does not matter. */
static void test_domains_of_a_transaction_are_limited(void **state)
{
	struct run r;

	(void)state;
	check_heard(
	    &r,
	    SERVER_HELLO("LIMITS RCPTDOMAINMAX=2") "C:MAIL\nS:250 ok\n" TO_STEP(
		"a@x") TO_STEP("b@y") DATA_STEPS
	    "C:MAIL\nS:250 ok\n" TO_STEP("postmaster") TO_STEP("\"@y\"@z")
		TO_STEP("d@Z") DATA_STEPS "C:MAIL\nS:250 ok\n" TO_STEP("e@x")
		    DATA_STEPS SERVER_QUIT,
	    RCPT("a@x") RCPT("b@y") RCPT("postmaster") RCPT("\"@y\"@z")
		RCPT("d@Z") RCPT("e@x") HEADER,
	    NULL, "++++++");
}

/* ---- SMTPUTF8 ----------------------------------------------------------- */

#define UTF8_HELLO                                                       \
	"A\nS:220 mx.test ESMTP\nC:EHLO client.example\nS:250-mx.test\n" \
	"S:250-8BITMIME\nS:250 SMTPUTF8\n"

static void test_smtputf8_is_asked_for_where_it_is_needed(void **state)
{
	struct run r;

	(void)state;
	check_heard(&r, UTF8_HELLO TAKES TAKES_TWO TAKES SERVER_QUIT,
		    RCPT("a@x") RCPT(OE "@x." OE) RCPT("b" OE "@x")
			RCPT("c@x." OE) HEADER,
		    HELLO MAIL("") TO("a@x") REST MAIL(" SMTPUTF8")
			TO(OE "@x." OE) TO("b" OE "@x") REST MAIL("")
			    TO("c@x.xn--nda") REST "QUIT\r\n",
		    "++++");
}

#define UTF8_HEADER "m\nSubject: h" OE "\n\n"

/* The same with -H. */
static void check_heard_raw(struct run *r, const char *script,
			    const char *rcpts, const char *heard)
{
	run_begin(r, script);
	r->options.keep_headers = true;
	write_job(r, "7", rcpts);
	feed_job(r, "7");
	go(r);
	check_tags(r, "7", "+");
	run_end(r, heard);
}

static void test_header_in_raw_utf8_goes_under_smtputf8(void **state)
{
	struct run r;

	(void)state;
	check_heard_raw(&r, UTF8_HELLO TAKES SERVER_QUIT,
			RCPT("a@x") UTF8_HEADER,
			HELLO MAIL(" BODY=8BITMIME SMTPUTF8")
			    TO("a@x") "DATA\r\nSubject: h" OE
				      "\r\n\r\nHi.\r\n.\r\nQUIT\r\n");
	/* Latin-1 is none. */
	check_heard_raw(&r, UTF8_HELLO TAKES SERVER_QUIT,
			RCPT("a@x") "m\nSubject: h\366\n\n",
			HELLO MAIL(" BODY=8BITMIME") TO(
			    "a@x") "DATA\r\nSubject: h\366\r\n\r\nHi.\r\n.\r\n"
				   "QUIT\r\n");
	/* A server that does not know of it gets the header as it is. */
	check_heard_raw(&r, SERVER_HELLO("8BITMIME") TAKES SERVER_QUIT,
			RCPT("a@x") UTF8_HEADER,
			HELLO MAIL(" BODY=8BITMIME")
			    TO("a@x") "DATA\r\nSubject: h" OE
				      "\r\n\r\nHi.\r\n.\r\nQUIT\r\n");
	/* And if it need not stay it does not, whatever is offered. */
	check_heard(&r, UTF8_HELLO TAKES SERVER_QUIT, RCPT("a@x") UTF8_HEADER,
		    HELLO MAIL("") TO("a@x") "DATA\r\nSubject: "
					     "=?UTF-8?B?aMO2?=\r\n\r\n"
					     "Hi.\r\n.\r\nQUIT\r\n",
		    "+");
}

/* ---- several hosts ------------------------------------------------------ */

/*
 * Mail that hosts may be unsuited to, and what such a one offers. A host that
 * is suited offers all of it.
 */
static const struct unsuited {
	const char *rcpts;
	const char *offers; /* by the host that is not */
	const char *status; /* if no host is */
} unsuited[] = {
	{ RCPT(OE "@x") HEADER, "DSN", "5.6.7 (" },
	{ RCPT_DSN("a@x", "BY=" IN_100 ";R") HEADER, "DSN", "5.3.3 (" },
	{ RCPT_DSN("a@x", "BY=" IN_100 ";R") HEADER, "DELIVERBY 200",
	  "5.3.3 (" },
	{ RCPT("a@x") HEADER, "SIZE 85", "5.3.4 (" },
};

#define SUITED                                                           \
	"A\nS:220 mx.test ESMTP\nC:EHLO client.example\nS:250-mx.test\n" \
	"S:250-8BITMIME\nS:250-DELIVERBY\nS:250-SIZE 86\nS:250 SMTPUTF8\n"

/* n hosts that are unsuited, but for the one at `place`. */
static void begin_unsuited(struct hosts *h, const struct unsuited *u, size_t n,
			   size_t place, const char *script)
{
	struct str no = STR_INIT;
	const char *scripts[HOSTS];

	str_addf(&no,
		 "A\nS:220 mx.test ESMTP\nC:EHLO client.example\n"
		 "S:250-mx.test\nS:250 %s\n" SERVER_QUIT,
		 u->offers);
	for (size_t i = 0; i < n; i++)
		scripts[i] = i == place ? script : str_cstr(&no);
	hosts_begin(h, scripts, n);
	write_job(&h->run, "7", u->rcpts);
	feed_job(&h->run, "7");
	go(&h->run);
	str_done(&no);
}

static void test_host_that_cannot_take_it_is_not_the_last_word(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(unsuited); i++)
		for (size_t n = 2; n <= HOSTS; n++) {
			struct hosts h;

			begin_unsuited(&h, &unsuited[i], n, n - 1,
				       SUITED TAKES SERVER_QUIT);
			check_tags(&h.run, "7", "+");
			hosts_end(&h);
		}
}

/* Nor is one that offers what it then refuses. */
static void test_host_that_lies_is_not_the_last_word(void **state)
{
	static const char *const rcpts[] = {
		RCPT(OE "@x") HEADER,
		RCPT_DSN("a@x", "BY=" IN_100 ";R") HEADER,
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rcpts); i++) {
		const char *const scripts[] = {
			SUITED "C:MAIL\nS:555 what\n" SERVER_QUIT,
			SUITED TAKES SERVER_QUIT
		};
		struct hosts h;

		hosts_begin(&h, scripts, COUNT(scripts));
		write_job(&h.run, "7", rcpts[i]);
		feed_job(&h.run, "7");
		go(&h.run);
		check_tags(&h.run, "7", "+");
		hosts_end(&h);
	}
}

static void test_mail_that_no_host_can_take_fails(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(unsuited); i++) {
		struct str d_line = STR_INIT;
		struct hosts h;

		begin_unsuited(&h, &unsuited[i], HOSTS, HOSTS, NULL);
		check_tags(&h.run, "7", "-");
		check_count(&h.run, "\t\terror2 ", 1);
		str_addf(&d_line, "\001failed\001%s", unsuited[i].status);
		assert_non_null(
		    strstr(post_disk(&h.run.post, "7"), str_cstr(&d_line)));
		hosts_end(&h);
		str_done(&d_line);
	}
}

/* One that is down might have taken it. */
static void test_host_out_of_reach_puts_it_off(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(unsuited); i++)
		for (size_t place = 0; place < 3; place++) {
			struct hosts h;

			begin_unsuited(&h, &unsuited[i], 3, place, "");
			check_tags(&h.run, "7", " ");
			check_count(&h.run, "\tdeferred ", 1);
			check_count(&h.run,
				    "; another host of the destination could "
				    "not be asked",
				    1);
			hosts_end(&h);
		}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_deadline_is_a_transaction),
		cmocka_unit_test(test_late_mail_to_be_notified_is_relayed),
		cmocka_unit_test(test_late_mail_to_be_returned_needs_no_server),
		cmocka_unit_test(test_deadline_is_judged_when_mail_is_sent),
		cmocka_unit_test(
		    test_mail_to_be_returned_goes_only_where_time_counts),
		cmocka_unit_test(test_refused_deadline_is_one_not_offered),
		cmocka_unit_test(test_relaying_is_told_where_nobody_else_will),
		cmocka_unit_test(test_delay_is_asked_for_where_dsn_is_offered),
		cmocka_unit_test(test_verp_recipients_go_alone),
		cmocka_unit_test(test_verp_can_be_ignored),
		cmocka_unit_test(
		    test_impossible_verp_sender_fails_its_recipient),
		cmocka_unit_test(test_domains_of_a_transaction_are_limited),
		cmocka_unit_test(test_smtputf8_is_asked_for_where_it_is_needed),
		cmocka_unit_test(test_header_in_raw_utf8_goes_under_smtputf8),
		cmocka_unit_test(
		    test_host_that_cannot_take_it_is_not_the_last_word),
		cmocka_unit_test(test_host_that_lies_is_not_the_last_word),
		cmocka_unit_test(test_mail_that_no_host_can_take_fails),
		cmocka_unit_test(test_host_out_of_reach_puts_it_off),
	};

	return TEST_RUN(tests);
}
