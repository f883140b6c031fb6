/*
 * learn_test.c - what an agent learns about a server that does not keep what
 * it offers, and that it asks to hold what nobody knows the outcome of.
 */
#include "smtpta/test_run.h"

#define ANSWERS "S:250 ok\nS:250 ok\nS:354 go\n"
#define GROUP	"C:MAIL\nC:RCPT\nC:DATA\n" ANSWERS
#define PIPED	GROUP "D\nS:250 in\n"

static void run_jobs(struct run *r, const char *script, unsigned n)
{
	char name[] = "7";

	run_begin(r, script);
	r->options.one_per_connection = n > 1;
	for (unsigned i = 0; i < n; i++, name[0]++) {
		write_plain(r, name);
		feed_job(r, name);
	}
	go(r);
}

static void test_refused_parameters_are_left_out_from_then_on(void **state)
{
	struct run r;

	(void)state;
	run_jobs(
	    &r,
	    SERVER_HELLO(
		"SIZE") "C:MAIL FROM:<alice@example.net> SIZE=\nS:555 what\n"
			"C:RSET\nS:250 ok\n" TAKES SERVER_QUIT SERVER_HELLO(
			    "SIZE") TAKES SERVER_QUIT,
	    2);
	check_tags(&r, "7", "+");
	check_tags(&r, "8", "+");
	run_end(&r, HELLO
		"MAIL FROM:<alice@example.net> SIZE=86\r\nRSET\r\n" FROM TO(
		    "bob@x") "DATA\r\n" MESSAGE
			     "QUIT\r\n" HELLO FROM TO(
				 "bob@x") "DATA\r\n" MESSAGE "QUIT\r\n");
}

static void test_refused_recipient_parameter_is_left_out(void **state)
{
	struct run r;

	(void)state;
	run_jobs(&r,
		 SERVER_HELLO("DSN") "C:MAIL\nS:250 ok\nC:RCPT TO:<bob@x> "
				     "NOTIFY=\nS:501 5.5.4 what\nC:RSET\nS:250 "
				     "ok\n" TAKES SERVER_QUIT,
		 1);
	check_tags(&r, "7", "+");
	run_end(&r, NULL);
}

static void test_loss_at_a_group_makes_the_next_try_one_by_one(void **state)
{
	struct run r;

	(void)state;
	run_jobs(&r,
		 SERVER_HELLO("PIPELINING") "C:MAIL\nX\n"
		 /* One by one, or the server would not follow. */
		 SERVER_HELLO("PIPELINING") TAKES SERVER_QUIT
		     /* It worked: so it stays. */
		     SERVER_HELLO(
			 "PIPELINING") "C:MAIL\nS:250 ok\nZ:50\nC:RCPT\nS:250 "
				       "ok\nZ:50\nC:DATA\n"
				       "S:354 go\nD\nS:250 in\n" SERVER_QUIT,
		 2);
	check_tags(&r, "7", "+");
	check_tags(&r, "8", "+");
	run_end(&r, NULL);
}

static void test_number_of_messages_the_server_wants_is_kept(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r,
		  SERVER_HELLO("LIMITS MAILMAX=2")
		      TAKES TAKES SERVER_QUIT SERVER_HELLO("LIMITS MAILMAX=2")
			  TAKES SERVER_QUIT);
	for (char name[] = "7"; *name <= '9'; ++*name) {
		write_plain(&r, name);
		feed_job(&r, name);
	}
	go(&r);
	check_count(&r, "\t\tok3 ", 3);
	run_end(&r, NULL);
}

static void test_unknown_outcome_asks_to_be_held_if_wanted(void **state)
{
	static const char script[] = SERVER_HELLO("PIPELINING") GROUP "D\nX\n";
	struct run r;

	(void)state;
	run_jobs(&r, script, 1);
	check_count(&r, "\tdeferback outcome unknown: ", 1);
	check_count(&r,
		    "outcome unknown for 1 recipients at X-IP-addr; "
		    "[127.0.0.1] (127.0.0.1), 1 so far\n",
		    1);
	check_tags(&r, "7", " ");
	run_end(&r, NULL);

	run_begin(&r, script);
	r.options.hold_unknown = true;
	write_plain(&r, "7");
	feed_job(&r, "7");
	go(&r);
	check_count(&r, "\tdeferback outcome unknown, hold: ", 1);
	check_tags(&r, "7", " ");
	run_end(&r, NULL);
}

static void test_after_an_unknown_outcome_one_by_one(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, SERVER_HELLO("PIPELINING") GROUP "D\nC:RSET\nC:MAIL\nX\n"
		  /* Each message waits for the one before. */
		  SERVER_HELLO("PIPELINING") GROUP
		  "D\nZ:100\nN\nS:250 in\n" PIPED SERVER_QUIT);
	for (char name[] = "7"; *name <= '9'; ++*name) {
		write_plain(&r, name);
		feed_job(&r, name);
	}
	go(&r);
	check_tags(&r, "7", " ");
	check_tags(&r, "8", "+");
	check_tags(&r, "9", "+");
	run_end(&r, NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_refused_parameters_are_left_out_from_then_on),
		cmocka_unit_test(test_refused_recipient_parameter_is_left_out),
		cmocka_unit_test(
		    test_loss_at_a_group_makes_the_next_try_one_by_one),
		cmocka_unit_test(
		    test_number_of_messages_the_server_wants_is_kept),
		cmocka_unit_test(
		    test_unknown_outcome_asks_to_be_held_if_wanted),
		cmocka_unit_test(test_after_an_unknown_outcome_one_by_one),
	};

	return TEST_RUN(tests);
}
