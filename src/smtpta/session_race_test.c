/*
 * session_race_test.c - which of a destination's addresses gets the session,
 * and which have been asked then.
 */
#include "net/test_peer.h"
#include "smtpta/test_talk.h"

/* An address at the server's port that never answers. */
static void black_hole(struct crowd *hole, const struct talk *t,
		       const char *literal)
{
	struct net_addr addr;
	struct err err;

	assert_int_equal(net_literal_parse(slice_of(literal),
					   net_addr_port(&t->server.addr),
					   &addr, &err),
			 0);
	crowd_make(hole, &addr);
}

/* The addresses that were asked: "127.0.0.1 127.0.0.2". */
static void check_passed(const struct talk *t, const char *want)
{
	struct str got = STR_INIT;
	size_t n;
	const struct net_addr *passed = session_passed(t->session, &n);

	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			str_addc(&got, ' ');
		net_addr_print(&got, &passed[i]);
	}
	assert_slice_is(str_slice(&got), want);
	str_done(&got);
}

static void check_mta(const struct talk *t, const char *want)
{
	assert_slice_is(session_remote_mta(t->session), want);
}

static void test_silent_address_is_overtaken(void **state)
{
	const struct tried none = { 0 };
	struct crowd hole;
	struct talk t;

	(void)state;
	talk_begin(&t, SERVER_HELLO("DSN") SERVER_QUIT);
	black_hole(&hole, &t, "[127.0.0.3]");
	talk_by_name(&t, "127.0.0.3 127.0.0.1");
	assert_true(talk_open(&t));
	check_mta(&t, "dns; mx.example (127.0.0.1)");
	/* It is still there to be asked, and has not failed. */
	check_passed(&t, "127.0.0.1");
	assert_true(session_has_next(t.session, &none));
	assert_false(session_saw_outage(t.session));
	talk_end(&t, "--\nEHLO client.example\r\nQUIT\r\n");
	crowd_close(&hole);
}

static void test_overtaken_address_gets_its_chance(void **state)
{
	struct crowd hole;
	struct talk t;

	(void)state;
	talk_begin(&t, "A\nS:421 busy\nW\n");
	black_hole(&hole, &t, "[127.0.0.3]");
	talk_by_name(&t, "127.0.0.3 127.0.0.1");
	t.options.timeouts.conn = 1;
	check_failed(&t, FATE_DEFERRED_ALL, "4.4.1 (TCP/IP-connection failure)",
		     "connect to mx.example [127.0.0.3]: Connection timed "
		     "out)");
	check_passed(&t, "127.0.0.1 127.0.0.3");
	talk_end(&t, "--\n");
	crowd_close(&hole);
}

#define TWO_LEVELS                                          \
	"mx.example MX ok insecure network 5 - 10:a 20:b\n" \
	"a A ok insecure network 5 - 127.0.0.2 127.0.0.2\n" \
	"a AAAA nodata insecure network 5 -\n"              \
	"b A ok insecure network 5 - 127.0.0.2 127.0.0.1\n" \
	"b AAAA nodata insecure network 5 -\n"

static void
test_next_preference_follows_and_no_address_comes_twice(void **state)
{
	const struct tried none = { 0 };
	struct talk t;

	(void)state;
	talk_begin(&t, SERVER_HELLO("DSN") SERVER_QUIT);
	talk_by_source(&t, answers_of(TWO_LEVELS)); /* nobody at 127.0.0.2 */
	assert_true(talk_open(&t));
	check_mta(&t, "dns; b (127.0.0.1)");
	check_passed(&t, "127.0.0.2 127.0.0.1");
	assert_false(session_has_next(t.session, &none));
	assert_true(session_saw_outage(t.session));
	talk_end(&t, "--\nEHLO client.example\r\nQUIT\r\n");
}

static void test_better_preference_is_not_overtaken_by_a_worse_one(void **state)
{
	struct crowd hole;
	struct talk t;

	(void)state;
	talk_begin(&t, SERVER_HELLO("DSN") SERVER_QUIT);
	black_hole(&hole, &t, "[127.0.0.2]");
	talk_by_source(&t, answers_of(TWO_LEVELS));
	t.options.timeouts.conn = 1;
	assert_true(talk_open(&t));
	check_passed(&t, "127.0.0.2 127.0.0.1");
	assert_true(session_saw_outage(t.session)); /* its time was over */
	talk_end(&t, "--\nEHLO client.example\r\nQUIT\r\n");
	crowd_close(&hole);
}

static void test_address_to_be_avoided_is_not_asked(void **state)
{
	struct net_addr avoided[2];
	struct err err;
	struct talk t;

	(void)state;
	for (size_t i = 0; i < COUNT(avoided); i++)
		assert_int_equal(net_literal_parse(i == 0
						       ? SLICE("[127.0.0.2]")
						       : SLICE("[127.0.0.1]"),
						   1, &avoided[i], &err),
				 0);
	talk_begin(&t, SERVER_HELLO("DSN") SERVER_QUIT);
	talk_by_source(&t, answers_of(TWO_LEVELS));
	t.terms.avoid = (struct tried){ .addrs = avoided, .n = 1 };
	assert_true(talk_open(&t));
	check_passed(&t, "127.0.0.1");
	assert_true(session_is_detour(t.session));
	session_close(t.session, "test");
	/* All are to be avoided: nobody is left to be asked. */
	t.terms.avoid.n = 2;
	assert_false(talk_open(&t));
	check_passed(&t, "");
	talk_end(&t, "--\nEHLO client.example\r\nQUIT\r\n");
}

/* What failed a moment ago comes behind the others of its preference. */
static void test_failures_are_remembered(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t, SERVER_HELLO("DSN") SERVER_QUIT SERVER_HELLO("DSN")
			   SERVER_QUIT);
	talk_by_name(&t, "127.0.0.2 127.0.0.1");
	assert_true(talk_open(&t));
	check_passed(&t, "127.0.0.2 127.0.0.1");
	session_close(t.session, "test");
	assert_true(talk_open(&t));
	check_passed(&t, "127.0.0.1");
	talk_end(&t, "--\nEHLO client.example\r\nQUIT\r\n"
		     "--\nEHLO client.example\r\nQUIT\r\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silent_address_is_overtaken),
		cmocka_unit_test(test_overtaken_address_gets_its_chance),
		cmocka_unit_test(
		    test_next_preference_follows_and_no_address_comes_twice),
		cmocka_unit_test(
		    test_better_preference_is_not_overtaken_by_a_worse_one),
		cmocka_unit_test(test_address_to_be_avoided_is_not_asked),
		cmocka_unit_test(test_failures_are_remembered),
	};

	return TEST_RUN(tests);
}
