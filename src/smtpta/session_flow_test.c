/*
 * session_flow_test.c - sessions at work: slow servers, large contents, lost
 * connections, signals, and the log of it all.
 */
#include "smtpta/session.h"

#include "agent/agent.h"
#include "net/conn.h"
#include "smtpta/test_talk.h"

/* ---- time --------------------------------------------------------------- */

static void test_silent_server_is_waited_for_no_longer_than_told(void **state)
{
	int64_t begin = conn_now();
	struct talk t;

	(void)state;
	talk_begin(&t, "A\nW\n");
	t.options.timeouts.cmd = 1;
	check_failed(&t, FATE_DEFERRED_ALL, "4.4.2",
		     "Timeout of 1 sec while waiting responses from remote "
		     "while 1 response was missing");
	assert_true(conn_now() - begin >= 1000);
	assert_true(conn_now() - begin < 5000);
	talk_end(&t, "--\n");
}

/* A byte now and then does not keep us for ever. */
static void test_deadline_is_one_for_the_whole_reply(void **state)
{
	struct str script = STR_INIT;
	int64_t begin = conn_now();
	struct talk t;

	(void)state;
	str_adds(&script, "A\nB:220 \n");
	for (int i = 0; i < 40; i++)
		str_adds(&script, "B:x\nZ:150\n");
	talk_begin(&t, str_cstr(&script));
	t.options.timeouts.cmd = 1;
	assert_false(talk_open(&t));
	assert_true(conn_now() - begin >= 1000);
	assert_true(conn_now() - begin < 5000);
	str_done(&script);
	talk_end(&t, "--\n");
}

/* ---- content ------------------------------------------------------------ */

/* A diag that outlives its arena, with all that was said in its text. */
static struct diag keep(const struct diag *d)
{
	static char text[2000];
	struct diag kept = { .fate = d->fate, .text = { .p = text } };

	kept.text.len =
	    (size_t)snprintf(text, sizeof(text), "%.*s %.*s",
			     SLICE_ARG(d->diagnostic), SLICE_ARG(d->text));
	assert_true(kept.text.len < sizeof(text));
	return kept;
}

/* Sends one message of content_left bytes, until the engine is done with it. */
static enum smtp_event_kind send_message(struct talk *t,
					 const struct diag **ret_diag)
{
	struct arena *a = arena_new();
	struct smtp_rcpt rcpt = { .path = SLICE("bob@example.com") };
	struct smtp_transaction m = { .arena = a,
				      .sender = SLICE("alice@example.net"),
				      .rcpts = &rcpt,
				      .n_rcpts = 1 };
	enum smtp_event_kind end = SMTP_EVENT_READY;
	static struct diag kept;
	struct smtp_event event;

	smtp_add(session_engine(t->session), &m);
	while (end == SMTP_EVENT_READY) {
		assert_false(session_step(t->session, -1));
		while (smtp_event(session_engine(t->session), &event)) {
			if (event.diag != NULL)
				kept = keep(event.diag);
			if (event.kind == SMTP_EVENT_DONE ||
			    event.kind == SMTP_EVENT_RETURNED)
				end = event.kind;
		}
	}
	*ret_diag = &kept;
	arena_free(a);
	return end;
}

#define ENVELOPE_STEPS                                          \
	"C:MAIL FROM:<alice@example.net>\nS:250 ok\nC:RCPT\nS:" \
	"250 ok\nC:DATA\nS:354 go\n"

static void test_large_content_flows_in_bounded_pieces(void **state)
{
	const struct diag *d;
	struct talk t;

	(void)state;
	talk_begin(&t, SERVER_HELLO("SIZE") ENVELOPE_STEPS
		   "D\nS:250 taken\n" SERVER_QUIT);
	assert_true(talk_open(&t));
	content_left = 10 * 1000 * 1000;
	assert_int_equal(send_message(&t, &d), SMTP_EVENT_DONE);
	assert_int_equal(d->fate, FATE_RELAYED);
	talk_leave(&t);
	server_end(&t.server);
	assert_true(t.server.heard.len > 10 * 1000 * 1000);
	assert_true(t.server.heard.len < 10 * 1000 * 1000 + 100 * 1000);
	server_done(&t.server);
	str_done(&t.host);
}

static void test_server_that_does_not_read_is_given_up(void **state)
{
	int64_t begin = conn_now();
	const struct diag *d;
	struct talk t;

	(void)state;
	talk_begin(&t, SERVER_HELLO("SIZE") ENVELOPE_STEPS "Z:3000\nW\n");
	t.options.timeouts.tcpw = 1;
	assert_true(talk_open(&t));
	content_left = SIZE_MAX;
	assert_int_equal(send_message(&t, &d), SMTP_EVENT_RETURNED);
	assert_true(slice_find_text(d->text, SLICE("write to remote blocked "
						   "for 1 sec")) < d->text.len);
	assert_true(conn_now() - begin < 10000);
	session_abandon(t.session, "test");
	talk_leave(&t);
	server_end(&t.server);
	server_done(&t.server);
	str_done(&t.host);
}

/* What it says while we are writing is heard, though nothing can be sent. */
static void test_last_words_are_heard(void **state)
{
	const struct diag *d;
	struct talk t;

	(void)state;
	talk_begin(&t, SERVER_HELLO("SIZE") ENVELOPE_STEPS
		   "Z:100\nS:421 too much\nX\n");
	assert_true(talk_open(&t));
	content_left = SIZE_MAX;
	assert_int_equal(send_message(&t, &d), SMTP_EVENT_DONE);
	assert_int_equal(d->fate, FATE_DEFERRED);
	assert_true(slice_find_text(d->text, SLICE("421 (too much)")) <
		    d->text.len);
	session_abandon(t.session, "test");
	talk_leave(&t);
	server_end(&t.server);
	server_done(&t.server);
	str_done(&t.host);
}

static void test_lost_connection_is_returned_with_its_cause(void **state)
{
	const struct diag *d;
	struct talk t;

	(void)state;
	talk_begin(&t, SERVER_HELLO("SIZE") "C:MAIL\nX\n");
	assert_true(talk_open(&t));
	assert_int_equal(send_message(&t, &d), SMTP_EVENT_RETURNED);
	assert_true(slice_find_text(d->text, SLICE("remote hung up on us")) <
		    d->text.len);
	talk_end(&t, "--\nEHLO client.example\r\n"
		     "MAIL FROM:<alice@example.net>\r\n");
}

/* While a reply is awaited, the scheduler is listened to as well. */
static void test_other_descriptor_is_seen_while_a_reply_is_awaited(void **state)
{
	struct arena *a = arena_new();
	struct smtp_rcpt rcpt = { .path = SLICE("bob@example.com") };
	struct smtp_transaction m = { .arena = a,
				      .rcpts = &rcpt,
				      .n_rcpts = 1 };
	struct talk t;
	int fds[2];

	(void)state;
	talk_begin(&t, SERVER_HELLO("SIZE") "C:MAIL\nW\n");
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_true(talk_open(&t));
	smtp_add(session_engine(t.session), &m);
	assert_false(session_step(t.session, fds[0])); /* MAIL goes out */
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_true(session_step(t.session, fds[0]));
	assert_true(session_step(t.session, fds[0])); /* it was not read */
	session_abandon(t.session, "test");
	talk_end(&t, "--\nEHLO client.example\r\nMAIL FROM:<>\r\n");
	fd_close(fds[0]);
	fd_close(fds[1]);
	arena_free(a);
}

static void test_each_reply_has_a_deadline_of_its_own(void **state)
{
	const struct diag *d;
	struct talk t;

	(void)state;
	/* All three commands lie there when the first reply is awaited. */
	talk_begin(&t, SERVER_HELLO(
			   "PIPELINING") "C:MAIL\nC:RCPT\nC:DATA\nZ:600\nS:250 "
					 "ok\nZ:600\nS:250 "
					 "ok\nZ:600\nS:354 go\nD\nZ:600\nS:250 "
					 "in\n" SERVER_QUIT);
	t.options.timeouts = (struct smtpta_timeouts){ 1, 1, 1, 1, 1, 1 };
	assert_true(talk_open(&t));
	assert_int_equal(send_message(&t, &d), SMTP_EVENT_DONE);
	assert_int_equal(d->fate, FATE_RELAYED);
	talk_leave(&t);
	server_end(&t.server);
	server_done(&t.server);
	str_done(&t.host);
}

/* A session that rested is asked whether it still lives, at no cost. */
static void test_session_is_probed_when_it_rested_long_enough(void **state)
{
	static const unsigned probe_after[] = { 0, 20, 0 };
	const struct diag *d;
	struct talk t;

	(void)state;
	talk_begin(&t, SERVER_HELLO("SIZE") ENVELOPE_STEPS
		   "D\nS:250 one\n" ENVELOPE_STEPS
		   "D\nS:250 two\nC:RSET\nS:250 ok\n" ENVELOPE_STEPS
		   "D\nS:250 three\n" SERVER_QUIT);
	for (int i = 0; i < 3; i++) {
		t.options.probe_after = probe_after[i];
		usleep(10 * 1000);
		assert_true(talk_open(&t)); /* a new one needs no probe */
		assert_int_equal(send_message(&t, &d), SMTP_EVENT_DONE);
		assert_int_equal(d->fate, FATE_RELAYED);
	}
	talk_leave(&t);
	server_end(&t.server);
	server_done(&t.server);
	str_done(&t.host);
}

/* ---- the log ------------------------------------------------------------ */

/* Takes the tags off a log's lines, which were tested elsewhere. */
static void strip_tags(struct str *to, struct slice log)
{
	struct slice line;

	while (slice_cut(&log, '\n', &line)) {
		size_t at = slice_find(line, '\t');

		if (at == line.len)
			continue;
		str_add(to, slice_from(line, at - 1));
		str_addc(to, '\n');
	}
}

static void test_dialogue_is_logged_without_content(void **state)
{
	char *dir = test_dir_make();
	struct str path = STR_INIT, text = STR_INIT, log = STR_INIT;
	struct str want = STR_INIT;
	const struct diag *d;
	struct sesslog *l;
	struct err err;
	struct slice lines;
	struct talk t;

	(void)state;
	talk_begin(&t, SERVER_HELLO("SIZE") ENVELOPE_STEPS
		   "D\nS:250 taken\n" SERVER_QUIT);
	str_addf(&path, "%s/log", dir);
	assert_int_equal(sesslog_open(str_cstr(&path), &l, &err), 0);
	session_free(t.session);
	t.session = session_new(&t.options, t.dns, l, talk_fill);
	assert_true(talk_open(&t));
	assert_int_equal(send_message(&t, &d), SMTP_EVENT_DONE);
	talk_leave(&t);
	sesslog_close(l);
	server_end(&t.server);
	assert_true(test_file_read(str_cstr(&path), &log));
	strip_tags(&text, str_slice(&log));
	lines = slice_from(str_slice(&text),
			   slice_find(str_slice(&text), '\n') + 1);
	str_addf(&want,
		 "#\t(Connecting to `%s' [127.0.0.1|%u])\n"
		 "r\t220 mx.test ESMTP\nw\tEHLO client.example\n"
		 "r\t250-mx.test\nr\t250 SIZE\n"
		 "w\tMAIL FROM:<alice@example.net>\nr\t250 ok\n"
		 "w\tRCPT TO:<bob@example.com>\nr\t250 ok\nw\tDATA\n"
		 "r\t354 go\nw\t.\nr\t250 taken\nw\tQUIT\n"
		 "#\t(closed SMTP channel - final close)\n",
		 str_cstr(&t.host), (unsigned)net_addr_port(&t.server.addr));
	assert_slice_is(lines, str_cstr(&want));
	server_done(&t.server);
	str_done(&t.host);
	str_done(&path);
	str_done(&text);
	str_done(&log);
	str_done(&want);
	test_dir_remove(dir);
}

/* ---- signals: in processes of their own --------------------------------- */

/* TERM comes from somebody else, in ms. */
static void signal_in(unsigned ms)
{
	agent_catch_signals();
	if (test_fork() == 0) {
		usleep(ms * 1000);
		kill(getppid(), SIGTERM);
		_exit(0);
	}
}

static void in_child(void (*run)(struct talk *t), struct talk *t)
{
	pid_t child = test_fork();

	if (child == 0) {
		alarm(20); /* seconds */
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		run(t);
		_exit(0);
	}
	assert_int_equal(test_wait(child), 0);
}

static void open_interrupted(struct talk *t)
{
	int64_t begin = conn_now();

	signal_in(200);
	check_failed(t, FATE_DEFERRED, "4.3.2 (interrupted by signal)",
		     "interrupted by signal");
	assert_true(conn_now() - begin < 5000);
	/* From now on nobody is spoken to at all. */
	check_failed(t, FATE_DEFERRED, "4.3.2 (interrupted by signal)",
		     "interrupted by signal");
}

static void test_signal_ends_the_opening(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t, "A\nW\n");
	in_child(open_interrupted, &t);
	talk_end(&t, "--\n");
}

static void send_interrupted(struct talk *t)
{
	const struct diag *d;

	assert_true(talk_open(t));
	signal_in(200);
	assert_int_equal(send_message(t, &d), SMTP_EVENT_RETURNED);
	assert_true(slice_find_text(d->text, SLICE("interrupted by signal")) <
		    d->text.len);
}

static void test_signal_gives_up_what_is_not_sent(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t, SERVER_HELLO("SIZE") "C:MAIL\nW\n");
	in_child(send_interrupted, &t);
	talk_end(&t, "--\nEHLO client.example\r\n"
		     "MAIL FROM:<alice@example.net>\r\n");
}

static void send_awaited(struct talk *t)
{
	const struct diag *d;

	assert_true(talk_open(t));
	signal_in(200);
	assert_int_equal(send_message(t, &d), SMTP_EVENT_DONE);
	assert_true(agent_is_interrupted());
	assert_int_equal(d->fate, FATE_RELAYED);
}

static void test_signal_waits_for_the_reply_to_an_end(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t, SERVER_HELLO("SIZE") ENVELOPE_STEPS
		   "D\nZ:1000\nS:250 taken\nW\n");
	in_child(send_awaited, &t);
	talk_leave(&t);
	server_end(&t.server);
	server_done(&t.server);
	str_done(&t.host);
}

static void send_to_the_silent(struct talk *t)
{
	const struct diag *d;

	t->options.signal_grace = 1;
	assert_true(talk_open(t));
	signal_in(200);
	assert_int_equal(send_message(t, &d), SMTP_EVENT_DONE);
	assert_int_equal(d->fate, FATE_DEFERRED_BACK);
	assert_true(
	    slice_find_text(d->text, SLICE("outcome unknown: interrupted by "
					   "signal while 1 response was "
					   "missing")) < d->text.len);
}

/* The reply's own timeout would be ten times as long. */
static void test_signal_does_not_wait_for_ever(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t, SERVER_HELLO("SIZE") ENVELOPE_STEPS "D\nW\n");
	in_child(send_to_the_silent, &t);
	talk_leave(&t);
	server_end(&t.server);
	server_done(&t.server);
	str_done(&t.host);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_silent_server_is_waited_for_no_longer_than_told),
		cmocka_unit_test(test_deadline_is_one_for_the_whole_reply),
		cmocka_unit_test(test_large_content_flows_in_bounded_pieces),
		cmocka_unit_test(test_server_that_does_not_read_is_given_up),
		cmocka_unit_test(test_last_words_are_heard),
		cmocka_unit_test(
		    test_lost_connection_is_returned_with_its_cause),
		cmocka_unit_test(
		    test_other_descriptor_is_seen_while_a_reply_is_awaited),
		cmocka_unit_test(test_each_reply_has_a_deadline_of_its_own),
		cmocka_unit_test(
		    test_session_is_probed_when_it_rested_long_enough),
		cmocka_unit_test(test_dialogue_is_logged_without_content),
		cmocka_unit_test(test_signal_ends_the_opening),
		cmocka_unit_test(test_signal_gives_up_what_is_not_sent),
		cmocka_unit_test(test_signal_waits_for_the_reply_to_an_end),
		cmocka_unit_test(test_signal_does_not_wait_for_ever),
	};

	return TEST_RUN(tests);
}
