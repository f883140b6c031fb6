/*
 * session_test.c - servers of every temper: how sessions with them are opened
 * and closed.
 */
#include "smtpta/session.h"

#include "net/conn.h"
#include "smtpta/test_talk.h"

/* ---- opening ------------------------------------------------------------ */

static void test_session_is_opened_and_left_politely(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t, SERVER_HELLO("SIZE 1000") SERVER_QUIT);
	assert_true(talk_open(&t));
	assert_true(session_is_open(t.session));
	assert_int_equal(smtp_caps(session_engine(t.session))->size_limit,
			 1000);
	assert_slice_is(session_remote_mta(t.session),
			"X-IP-addr; [127.0.0.1] (127.0.0.1)");
	assert_true(conn_now() - session_last_used(t.session) < 5000);
	talk_end(&t, "--\nEHLO client.example\r\nQUIT\r\n");
}

static void test_session_is_kept_for_the_same_host_alone(void **state)
{
	struct server other;
	struct slice last;
	struct talk t;

	(void)state;
	talk_begin(&t, SERVER_HELLO("DSN") SERVER_QUIT);
	server_start(&other, "[127.0.0.1]", SERVER_HELLO("SIZE") SERVER_QUIT);
	talk_by_name(&t, "127.0.0.1");
	assert_true(talk_open(&t));
	assert_true(session_is_for(t.session, SLICE("MX.example")));
	assert_false(session_is_for(t.session, SLICE("mx.example.")));
	str_clear(&t.host);
	str_adds(&t.host, "MX.EXAMPLE");
	assert_true(talk_open(&t));
	assert_slice_is(session_remote_mta(t.session),
			"dns; mx.example (127.0.0.1)");
	talk_use(&t, &other);
	assert_true(talk_open(&t));
	assert_true(smtp_caps(session_engine(t.session))->size);
	last = session_remote_mta(t.session);
	assert_true(slice_starts(last, SLICE("X-IP-addr;")));
	session_close(t.session, "test");
	assert_false(session_is_for(t.session, str_slice(&t.host)));
	assert_string_equal(server_end(&other),
			    "--\nEHLO client.example\r\nQUIT\r\n");
	server_done(&other);
	talk_end(&t, "--\nEHLO client.example\r\nQUIT\r\n");
}

static void test_unix_socket_can_be_spoken_to(void **state)
{
	char *dir = test_dir_make();
	struct str path = STR_INIT;
	struct server s = { 0 };
	struct err err;
	struct talk t;

	(void)state;
	talk_begin(&t, "");
	str_addf(&path, "UNIX:%s/s", dir);
	t.options.forced = str_slice(&path);
	t.options.is_lmtp = true;
	assert_int_equal(
	    net_unix_addr(slice_from(str_slice(&path), 5), &s.addr, &err), 0);
	server_start_at(&s, "A\nS:220 hi\nC:LHLO client.example\nS:250 "
			    "hi\n" SERVER_QUIT);
	assert_true(talk_open(&t));
	str_clear(&t.host);
	str_addf(&t.host, "dns; localhost (%s)", path.p);
	assert_slice_is(session_remote_mta(t.session), str_cstr(&t.host));
	session_close(t.session, "test");
	server_end(&s);
	server_done(&s);
	talk_end(&t, "");
	str_done(&path);
	test_dir_remove(dir);
}

/* Without -h: our name if it can be one, else the connection's own end. */
static void test_hello_has_a_name_that_is_one(void **state)
{
	static const char *const rows[][2] = {
		{ "host.example", "EHLO host.example" },
		{ "host", "EHLO [127.0.0.1]" },
		{ "bad name", "EHLO [127.0.0.1]" },
		{ NULL, "EHLO [127.0.0.1]" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str heard = STR_INIT;
		struct talk t;

		talk_begin(&t, "A\nS:220 hi\nC:EHLO\nS:250 hi\n" SERVER_QUIT);
		t.options.helo_name = SLICE("");
		service.node = rows[i][0];
		service.code = EAI_NONAME;
		assert_true(talk_open(&t));
		str_addf(&heard, "--\n%s\r\nQUIT\r\n", rows[i][1]);
		talk_end(&t, str_cstr(&heard));
		str_done(&heard);
	}
}

/* ---- hosts that cannot be spoken to ------------------------------------- */

static void test_refused_connection_defers_the_host(void **state)
{
	struct str want = STR_INIT;
	struct talk t;

	(void)state;
	talk_begin(&t, ""); /* closes its door at once */
	assert_int_equal(test_wait(t.server.child), 0);
	str_addf(&want,
		 "smtp; 466 (connect to %s [127.0.0.1]: Connection "
		 "refused)",
		 str_cstr(&t.host));
	check_failed(&t, FATE_DEFERRED_ALL, "4.4.1 (TCP/IP-connection failure)",
		     str_cstr(&want));
	assert_slice_is(t.why->diagnostic, str_cstr(&want));
	assert_slice_is(t.why->remote_mta,
			"X-IP-addr; [127.0.0.1] (127.0.0.1)");
	str_done(&want);
	talk_leave(&t);
	server_done(&t.server);
	str_done(&t.host);
}

struct greeting {
	const char *reply, *status;
	enum fate fate;
};

static void test_refusing_greeting_is_a_matter_of_the_host(void **state)
{
	static const struct greeting rows[] = {
		{ "421 busy", "4.3.2", FATE_DEFERRED_ALL },
		{ "450 busy", "4.3.2 (system not accepting network messages)",
		  FATE_DEFERRED_ALL },
		{ "500 what", "4.5.1", FATE_DEFERRED_ALL },
		{ "554 go away",
		  "4.3.2 (system not accepting network messages)",
		  FATE_DEFERRED_ALL },
		{ "354 what", "4.5.0 (generic protocol failure)",
		  FATE_DEFERRED_ALL },
		/* RFC 7504: it never takes mail. */
		{ "521 no mail here", "5.3.2", FATE_FAILED },
		{ "556 no mail here", "5.1.10", FATE_FAILED },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str script = STR_INIT, text = STR_INIT;
		struct talk t;

		str_addf(&script, "A\nS:%s\nW\n", rows[i].reply);
		str_addf(&text, "\r<<- (connecting)\r->> %s", rows[i].reply);
		talk_begin(&t, str_cstr(&script));
		check_failed(&t, rows[i].fate, rows[i].status, str_cstr(&text));
		talk_end(&t, "--\n");
		str_done(&script);
		str_done(&text);
	}
}

static void test_refused_greeting_is_answered_with_quit(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t, "A\nS:554 go away\n" SERVER_QUIT);
	assert_false(talk_open(&t));
	talk_end(&t, "--\nQUIT\r\n");
}

/* A host with two addresses; the second server listens at the same port. */
static void two_begin(struct talk *t, struct server *second, const char *script,
		      const char *second_script)
{
	struct err err;

	talk_begin(t, script);
	*second = (struct server){ 0 };
	assert_int_equal(net_literal_parse(SLICE("[127.0.0.2]"),
					   net_addr_port(&t->server.addr),
					   &second->addr, &err),
			 0);
	server_start_at(second, second_script);
	talk_by_name(t, "127.0.0.1 127.0.0.2");
}

static void test_next_address_is_tried_when_one_will_not_do(void **state)
{
	static const char *const scripts[] = {
		"",				  /* nobody there */
		"A\nX\n",			  /* closes at once */
		"A\nS:421 busy\nW\n",		  /* refuses */
		"A\nS:521 never\nW\n",		  /* for good */
		"A\nB:nonsense without end\nX\n", /* no SMTP at all */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(scripts); i++) {
		struct server second;
		struct talk t;

		two_begin(&t, &second, scripts[i],
			  SERVER_HELLO("DSN") SERVER_QUIT);
		assert_true(talk_open(&t));
		assert_slice_is(session_remote_mta(t.session),
				"dns; mx.example (127.0.0.2)");
		session_close(t.session, "test");
		server_end(&second);
		server_done(&second);
		talk_end(&t, i == 0 ? "" : "--\n");
	}
}

static void check_two(const char *first, const char *second_script,
		      enum fate fate, const char *status, const char *text)
{
	struct server second;
	struct talk t;

	two_begin(&t, &second, first, second_script);
	check_failed(&t, fate, status, text);
	assert_slice_is(t.why->remote_mta, "dns; mx.example (127.0.0.2)");
	server_end(&second);
	server_done(&second);
	talk_end(&t, "--\n");
}

static void test_only_all_addresses_together_refuse_for_good(void **state)
{
	(void)state;
	check_two("A\nS:521 never\nW\n", "A\nS:521 not I\nW\n", FATE_FAILED,
		  "5.3.2", "->> 521 not I");
	check_two(
	    "A\nS:521 never\nW\n", "A\nS:554 not now\nW\n", FATE_DEFERRED_ALL,
	    "4.3.2 (system not accepting network messages)", "->> 554 not now");
	check_two("A\nS:421 busy\nW\n", "A\nS:521 never\nW\n",
		  FATE_DEFERRED_ALL, "4.3.2", "->> 521 never");
}

/* An exchanger whose addresses nobody tells now may take what others refuse. */
static void test_exchanger_that_is_not_known_may_still_take_it(void **state)
{
	static const struct {
		const char *answer;
		enum fate fate;
		const char *status;
	} rows[] = {
		{ "servfail insecure network 5 -", FATE_DEFERRED_ALL, "4.3.2" },
		{ "bogus bogus network 5 -", FATE_DEFERRED_ALL, "4.3.2" },
		{ "nxdomain insecure network 5 -", FATE_FAILED, "5.3.2" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str text = STR_INIT;
		struct talk t;

		str_addf(&text,
			 "mx.example MX ok insecure network 5 - 10:a.example "
			 "20:b.example\n"
			 "a.example A ok insecure network 5 - 127.0.0.1\n"
			 "a.example AAAA nodata insecure network 5 -\n"
			 "b.example A %s\n"
			 "b.example AAAA %s\n",
			 rows[i].answer, rows[i].answer);
		talk_begin(&t, "A\nS:521 never\nW\n");
		talk_by_source(&t, answers_of(str_cstr(&text)));
		check_failed(&t, rows[i].fate, rows[i].status, "->> 521 never");
		talk_end(&t, "--\n");
		str_done(&text);
	}
}

static void test_connection_that_ends_before_the_greeting(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t, "A\nX\n");
	check_failed(&t, FATE_DEFERRED_ALL, "4.4.2",
		     "remote hung up on us while 1 response was missing");
	talk_end(&t, "--\n");
}

/* What the server has not read makes its close a reset. */
static void test_reset_is_told_with_its_cause(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t, "A\nS:220 hi\nP\nX\nA\nS:220 hi\nP\nX\n");
	check_failed(&t, FATE_DEFERRED_ALL, "4.4.2",
		     "read from remote: Connection reset by peer while 1 "
		     "response was missing");
	talk_end(&t, "--\n--\n");
}

/* ---- EHLO and HELO ------------------------------------------------------ */

static void test_ehlo_refused_for_good_is_followed_by_helo(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t,
		   "A\nS:220 hi\nC:EHLO\nS:502 what\nC:HELO client.example\n"
		   "S:250 hi\n" SERVER_QUIT);
	assert_true(talk_open(&t));
	talk_end(&t, "--\nEHLO client.example\r\nHELO client.example\r\n"
		     "QUIT\r\n");
}

static void test_server_that_chokes_on_ehlo_gets_helo_anew(void **state)
{
	static const char *const ends[] = { "X\n", "S:421 what\nW\n",
					    "S:451 what\nW\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(ends); i++) {
		struct str script = STR_INIT;
		struct talk t;

		str_addf(&script,
			 "A\nS:220 hi\nC:EHLO\n%sA\nS:220 hi\nC:HELO\nS:250 "
			 "hi\n" SERVER_QUIT,
			 ends[i]);
		talk_begin(&t, str_cstr(&script));
		assert_true(talk_open(&t));
		assert_false(smtp_caps(session_engine(t.session))->size);
		talk_end(&t, "--\nEHLO client.example\r\n"
			     "--\nHELO client.example\r\nQUIT\r\n");
		str_done(&script);
	}
}

static void test_helo_is_tried_once_only(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t, "A\nS:220 hi\nC:EHLO\nX\nA\nS:220 hi\nC:HELO\nS:451 "
		       "no\nW\n");
	check_failed(&t, FATE_DEFERRED_ALL, "4.3.0", "->> 451 no");
	talk_end(&t, "--\nEHLO client.example\r\n--\nHELO client.example\r\n");
}

static void test_lmtp_knows_no_helo(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t, "A\nS:220 hi\nC:LHLO client.example\nS:502 what\nW\n");
	t.options.is_lmtp = true;
	check_failed(&t, FATE_DEFERRED_ALL, "4.5.1",
		     "\r<<- LHLO\r->> 502 what");
	talk_end(&t, "--\nLHLO client.example\r\n");
}

static void test_ehlo_only_after_a_greeting_that_asks_for_it(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t, "A\nS:220 SMTP ready\nC:HELO\nS:250 hi\n" SERVER_QUIT);
	t.options.esmtp_if_greeted = true;
	assert_true(talk_open(&t));
	talk_end(&t, "--\nHELO client.example\r\nQUIT\r\n");
	talk_begin(&t, "A\nS:220 esmtp\nC:EHLO\nS:250 hi\n" SERVER_QUIT);
	t.options.esmtp_if_greeted = true;
	assert_true(talk_open(&t));
	talk_end(&t, "--\nEHLO client.example\r\nQUIT\r\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session_is_opened_and_left_politely),
		cmocka_unit_test(test_session_is_kept_for_the_same_host_alone),
		cmocka_unit_test(test_unix_socket_can_be_spoken_to),
		cmocka_unit_test(test_hello_has_a_name_that_is_one),
		cmocka_unit_test(test_refused_connection_defers_the_host),
		cmocka_unit_test(
		    test_refusing_greeting_is_a_matter_of_the_host),
		cmocka_unit_test(test_refused_greeting_is_answered_with_quit),
		cmocka_unit_test(
		    test_next_address_is_tried_when_one_will_not_do),
		cmocka_unit_test(
		    test_only_all_addresses_together_refuse_for_good),
		cmocka_unit_test(
		    test_exchanger_that_is_not_known_may_still_take_it),
		cmocka_unit_test(test_connection_that_ends_before_the_greeting),
		cmocka_unit_test(test_reset_is_told_with_its_cause),
		cmocka_unit_test(
		    test_ehlo_refused_for_good_is_followed_by_helo),
		cmocka_unit_test(
		    test_server_that_chokes_on_ehlo_gets_helo_anew),
		cmocka_unit_test(test_helo_is_tried_once_only),
		cmocka_unit_test(test_lmtp_knows_no_helo),
		cmocka_unit_test(
		    test_ehlo_only_after_a_greeting_that_asks_for_it),
	};

	return TEST_RUN(tests);
}
