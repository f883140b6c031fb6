/*
 * session_tls_test.c - no mail where the need is not met, and none that is
 * kept although it may go in the clear. The server here has no TLS; what
 * handshakes come to is tested with real ones in net and by the programs.
 */
#include "smtpta/session.h"

#include "conf/tlsconf.h"
#include "net/tls.h"
#include "smtpta/test_talk.h"

struct secured {
	struct talk talk;
	struct tlsconf conf;
	struct session_safety safety;
};

/* A session with mx.example at these addresses, at a level. */
static void begin_at(struct secured *s, const char *script,
		     const char *addresses, enum tls_level level)
{
	talk_begin(&s->talk, script);
	talk_by_name(&s->talk, addresses);
	tlsconf_init(&s->conf);
	s->conf.terms.rule.level = level;
	s->safety = (struct session_safety){
		.scene = { .options = &s->talk.options,
			   .conf = &s->conf,
			   .dns = s->talk.dns },
		.tls = tls_client_new(NULL, NULL),
	};
	s->talk.options.timeouts.tls = 10;
	session_secure(s->talk.session, &s->safety);
}

static void begin(struct secured *s, const char *script, enum tls_level level)
{
	begin_at(s, script, "127.0.0.1", level);
}

static void end(struct secured *s, const char *heard)
{
	talk_end(&s->talk, heard);
	tls_client_free(s->safety.tls);
}

#define OFFERS	     SERVER_HELLO("STARTTLS")
#define OFFERS_OTHER SERVER_HELLO("PIPELINING")
#define EHLO	     "--\nEHLO client.example\r\n"
#define QUIT	     "QUIT\r\n"

static void open_well(struct secured *s)
{
	if (!talk_open(&s->talk))
		fail_msg("%.*s", SLICE_ARG(s->talk.why->text));
}

/* ---- nothing is needed --------------------------------------------------- */

static void test_level_none_leaves_it_alone(void **state)
{
	struct secured s;

	(void)state;
	begin(&s, OFFERS SERVER_QUIT, TLS_LEVEL_NONE);
	open_well(&s);
	end(&s, EHLO QUIT);
}

/* As with explanations of old, and in the tests of other things. */
static void test_nothing_is_known_of_security(void **state)
{
	struct secured s;

	(void)state;
	begin(&s, OFFERS SERVER_QUIT, TLS_LEVEL_ENCRYPT);
	session_secure(s.talk.session, NULL);
	open_well(&s);
	assert_false(session_needs_requiretls(s.talk.session));
	assert_true(session_may_share(s.talk.session, SLICE("other.example")));
	end(&s, EHLO QUIT);
}

static void test_chance_that_is_not_there(void **state)
{
	struct secured s;

	(void)state;
	begin(&s, OFFERS_OTHER SERVER_QUIT, TLS_LEVEL_AUTO);
	open_well(&s);
	end(&s, EHLO QUIT);
}

/* ---- a chance that comes to nothing -------------------------------------- */

/* Once more, on a new connection: the one that is there may be anybody's. */
static const struct {
	const char *name, *script, *heard;
} chances[] = {
	{ "refused", "C:STARTTLS\nS:454 4.7.0 not now\nC:QUIT\nE\n",
	  "STARTTLS\r\n" QUIT },
	{ "refused for good", "C:STARTTLS\nS:502 5.5.1 no\nC:QUIT\nE\n",
	  "STARTTLS\r\n" QUIT },
	{ "hangs up", "C:STARTTLS\nX\n", "STARTTLS\r\n" },
	{ "hangs up at the handshake", "C:STARTTLS\nS:220 go\nP\nX\n",
	  "STARTTLS\r\n" },
	{ "no TLS at all", "C:STARTTLS\nS:220 go\nP\nS:500 what?\nW\n",
	  "STARTTLS\r\n" },
};

static void test_chance_that_fails_goes_in_the_clear(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(chances); i++) {
		struct str script = STR_INIT, heard = STR_INIT;
		struct secured s;

		str_addf(&script, OFFERS "%s" OFFERS SERVER_QUIT,
			 chances[i].script);
		str_addf(&heard, EHLO "%s" EHLO QUIT, chances[i].heard);
		begin(&s, str_cstr(&script), TLS_LEVEL_AUTO);
		if (!talk_open(&s.talk))
			fail_msg("%s: %.*s", chances[i].name,
				 SLICE_ARG(s.talk.why->text));
		end(&s, str_cstr(&heard));
		str_done(&script);
		str_done(&heard);
	}
}

/* ---- a need that is not met ---------------------------------------------- */

#define NEED "; encrypt: TLS is configured as needed)"

static const struct {
	const char *name, *script, *heard, *reason, *status, *text;
} needs[] = {
	{ "not offered", OFFERS_OTHER "C:QUIT\nE\n", EHLO QUIT,
	  "starttls-not-offered", "4.7.4 (TLS)", NEED },
	{ "refused", OFFERS "C:STARTTLS\nS:454 4.7.0 not now\nC:QUIT\nE\n",
	  EHLO "STARTTLS\r\n" QUIT, "starttls-refused", "4.7.4 (TLS)",
	  "454 4.7.0 not now" NEED },
	{ "refused for good",
	  OFFERS "C:STARTTLS\nS:554 5.7.0 never\nC:QUIT\n"
		 "E\n",
	  EHLO "STARTTLS\r\n" QUIT, "starttls-refused", "4.7.4 (TLS)",
	  "554 5.7.0 never" NEED },
	{ "hangs up at the handshake", OFFERS "C:STARTTLS\nS:220 go\nP\nX\n",
	  EHLO "STARTTLS\r\n", "tls-closed", "4.7.5 (TLS)", NEED },
	{ "no TLS at all", OFFERS "C:STARTTLS\nS:220 go\nP\nS:500 what?\nW\n",
	  EHLO "STARTTLS\r\n", "tls-garbage", "4.7.5 (TLS)", NEED },
};

/* One connection, and not a word of mail on it. */
static void test_need_that_is_not_met_defers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(needs); i++) {
		struct secured s;

		begin(&s, needs[i].script, TLS_LEVEL_ENCRYPT);
		check_failed(&s.talk, FATE_DEFERRED_ALL, needs[i].status,
			     needs[i].text);
		if (strcmp(s.talk.why->reason, needs[i].reason) != 0)
			fail_msg("%s: %s", needs[i].name, s.talk.why->reason);
		end(&s, needs[i].heard);
	}
}

/* HELO has no STARTTLS. */
static const struct {
	const char *name, *script, *heard;
} chokes[] = {
	{ "refuses", "A\nS:220 hi\nC:EHLO\nS:502 what?\nW\n", EHLO },
	{ "refuses for now", "A\nS:220 hi\nC:EHLO\nS:451 later\nW\n", EHLO },
	{ "hangs up", "A\nS:220 hi\nC:EHLO\nX\n", EHLO },
};

static void test_need_is_never_left_for_helo(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(chokes); i++) {
		struct secured s;

		begin(&s, chokes[i].script, TLS_LEVEL_ENCRYPT);
		assert_false(talk_open(&s.talk));
		assert_int_not_equal(s.talk.why->fate, FATE_FAILED);
		end(&s, chokes[i].heard);
	}
}

static void test_helo_where_nothing_is_needed(void **state)
{
	struct secured s;

	(void)state;
	begin(&s,
	      "A\nS:220 hi\nC:EHLO\nX\nA\nS:220 hi\nC:HELO\nS:250 "
	      "mx\n" SERVER_QUIT,
	      TLS_LEVEL_AUTO);
	open_well(&s);
	end(&s, EHLO "--\nHELO client.example\r\n" QUIT);
}

static void test_host_that_gets_no_mail_is_not_connected_to(void **state)
{
	struct secured s;

	(void)state;
	begin(&s, "", TLS_LEVEL_DANE_ONLY);
	check_failed(&s.talk, FATE_DEFERRED_ALL, "4.7.5 (TLS)",
		     "has no TLSA records that can be used)");
	assert_string_equal(s.talk.why->reason, "dane-only-missing");
	end(&s, "");
}

/* ---- several addresses --------------------------------------------------- */

/* Each is asked, and none is given the mail. */
static void test_next_address_is_asked(void **state)
{
	struct server other = { 0 };
	struct secured s;
	struct err err;

	(void)state;
	begin_at(&s, OFFERS_OTHER "C:QUIT\nE\n", "127.0.0.1 127.0.0.2",
		 TLS_LEVEL_ENCRYPT);
	assert_int_equal(net_literal_parse(SLICE("[127.0.0.2]"),
					   net_addr_port(&s.talk.server.addr),
					   &other.addr, &err),
			 0);
	server_start_at(&other, OFFERS "C:STARTTLS\nS:454 no\nC:QUIT\nE\n");
	assert_false(talk_open(&s.talk));
	assert_slice_is(s.talk.why->status, "4.7.4 (TLS)");
	assert_int_equal(s.talk.why->fate, FATE_DEFERRED_ALL);
	assert_string_equal(server_end(&other), EHLO "STARTTLS\r\n" QUIT);
	server_done(&other);
	end(&s, EHLO QUIT);
}

/* ---- what the message asks for ------------------------------------------- */

static void test_wish_of_a_message_defers_it_alone(void **state)
{
	struct secured s;

	(void)state;
	begin(&s, "", TLS_LEVEL_AUTO);
	s.talk.terms.request = TLS_ASKS_REQUIRED;
	s.talk.options.forced = SLICE("mx.example");
	s.conf.terms.rule.level = TLS_LEVEL_DANE_ONLY;
	assert_false(talk_open(&s.talk));
	assert_int_equal(s.talk.why->fate, FATE_DEFERRED);
	end(&s, "");
}

/* Where REQUIRETLS is asked for, TLS is needed, and the name in it. */
static void test_requiretls_needs_tls(void **state)
{
	struct secured s;

	(void)state;
	begin(&s, OFFERS_OTHER "C:QUIT\nE\n", TLS_LEVEL_AUTO);
	s.talk.terms.request = TLS_ASKS_REQUIRED;
	check_failed(&s.talk, FATE_DEFERRED, "4.7.4 (TLS)",
		     "the name of the host can be believed)");
	assert_int_equal(session_request(s.talk.session), TLS_ASKS_REQUIRED);
	end(&s, EHLO QUIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_level_none_leaves_it_alone),
		cmocka_unit_test(test_nothing_is_known_of_security),
		cmocka_unit_test(test_chance_that_is_not_there),
		cmocka_unit_test(test_chance_that_fails_goes_in_the_clear),
		cmocka_unit_test(test_need_that_is_not_met_defers),
		cmocka_unit_test(test_need_is_never_left_for_helo),
		cmocka_unit_test(test_helo_where_nothing_is_needed),
		cmocka_unit_test(
		    test_host_that_gets_no_mail_is_not_connected_to),
		cmocka_unit_test(test_next_address_is_asked),
		cmocka_unit_test(test_wish_of_a_message_defers_it_alone),
		cmocka_unit_test(test_requiretls_needs_tls),
	};

	return TEST_RUN(tests);
}
