/*
 * recorder_test.c - what is told to the recorder, as records.
 */
#include "smtpta/recorder.h"

#include "base/test.h"
#include "smtpta/attempt.h"

#include <stdio.h>
#include <string.h>

enum { RCPTS = 1000 };

/* A job with RCPTS recipients, a clock that stands still, the last record. */
struct scene {
	struct arena *arena;
	struct ctl_sender sender;
	struct agent_job job;
	struct smtp_transaction t;
	struct net_addr addr, local;
	struct recorder *recorder;
	struct str record;
	size_t n_records;
	uint64_t command;
};

static int64_t now;

static int64_t get_now(void)
{
	return now;
}

static int64_t get_wall(void)
{
	return 1795314350000 + now; /* 2026-11-22T02:25:50Z */
}

static void take(void *context, struct agent_job *job, struct slice json)
{
	struct scene *s = context;

	assert_ptr_equal(job, &s->job);
	assert_false(slice_has_control(json));
	str_clear(&s->record);
	str_add(&s->record, json);
	s->n_records++;
}

static void make_job(struct scene *s)
{
	s->sender.address.user = SLICE("alice@example.net");
	s->job = (struct agent_job){
		.name = { .name = SLICE("A/24700"), .id = 24700 },
		.ctl = { .log_identity = SLICE("<1@x>") },
		.message = { .size = 95 },
		.n_rcpts = RCPTS,
	};
	str_adds(&s->job.spool_id, "S1");
	s->job.rcpts = arena_array(s->arena, RCPTS, sizeof(*s->job.rcpts));
	for (size_t i = 0; i < RCPTS; i++) {
		struct ctl_rcpt *ctl = ARENA_NEW(s->arena, struct ctl_rcpt);

		ctl->offset = 100 + i;
		ctl->sender = &s->sender;
		ctl->address.host = SLICE("example.com");
		ctl->address.user = arena_printf(s->arena, "u%zu@x", i);
		s->job.rcpts[i].ctl = ctl;
	}
}

static void begin(struct scene *s)
{
	struct recorder_setup setup = { .program = "smtp",
					.pid = 4711,
					.channel = SLICE("smtp"),
					.now = get_now,
					.wall = get_wall,
					.take = take,
					.context = s };
	struct err err;

	*s = (struct scene){ .arena = arena_new() };
	now = 0;
	make_job(s);
	s->t.sender = s->sender.address.user;
	assert_int_equal(
	    net_literal_parse(SLICE("[192.0.2.1]:25"), 25, &s->addr, &err), 0);
	assert_int_equal(net_literal_parse(SLICE("[IPv6:2001:db8::1]:4025"), 25,
					   &s->local, &err),
			 0);
	s->recorder = recorder_new(&setup);
}

static void finish(struct scene *s)
{
	recorder_free(s->recorder);
	str_done(&s->record);
	str_done(&s->job.spool_id);
	arena_free(s->arena);
}

/* A command; its number is given back. */
static uint64_t say(struct scene *s, const char *line,
		    const struct smtp_transaction *t)
{
	recorder_said(s->recorder,
		      &(struct smtp_said){ .direction = 'w',
					   .text = slice_of(line),
					   .transaction = t,
					   .command = s->command });
	return s->command++;
}

/* The reply to a command; code 0: only a part of one. */
static void hear(struct scene *s, uint64_t command, unsigned code,
		 const char *text, const struct smtp_transaction *t)
{
	struct reply reply = { .code = code, .text = slice_of(text) };

	reply.has_enhanced =
	    strlen(text) > 4 &&
	    status_parse(slice_from(reply.text, 4), &reply.enhanced) > 0;
	recorder_said(s->recorder,
		      &(struct smtp_said){ .direction = 'r',
					   .text = reply.text,
					   .reply = code != 0 ? &reply : NULL,
					   .transaction = t,
					   .command = command });
}

static void lose(struct scene *s, const char *reason, const char *why,
		 const struct smtp_transaction *t)
{
	recorder_said(s->recorder,
		      &(struct smtp_said){ .direction = 'x',
					   .text = slice_of(why),
					   .lost = reason,
					   .transaction = t,
					   .command = SMTP_NO_COMMAND });
}

static const struct diag accepted = { .fate = FATE_RELAYED,
				      .reason = "accepted" };
static const struct diag refused = { .fate = FATE_FAILED,
				     .reason = "rcpt-refused" };

static void outcome(struct scene *s, const void *key, size_t rcpt,
		    const struct diag *d)
{
	recorder_outcome(s->recorder, key, &s->job,
			 (struct agent_outcome){ .rcpt = rcpt, .diag = d },
			 NULL);
}

/* A connection that is ready for mail; EHLO offers keywords. */
static void connect_with(struct scene *s, const char *ehlo_reply)
{
	recorder_destination(s->recorder, SLICE("example.com"));
	recorder_try(s->recorder, SLICE("mx.example.com"), &s->addr, now);
	now += 5;
	recorder_connected(s->recorder, &s->local);
	recorder_security(s->recorder, SLICE("{\"need\":\"may\"}"));
	recorder_tls(s->recorder, SLICE("{\"ok\":true}"), SLICE("a line"));
	hear(s, s->command++, 220, "220 mx ESMTP", NULL);
	hear(s, say(s, "EHLO me", NULL), 250, ehlo_reply, NULL);
	recorder_ready(s->recorder);
}

static bool has(const struct scene *s, const char *text)
{
	struct slice record = str_slice(&s->record);

	return slice_find_text(record, slice_of(text)) < record.len;
}

#define assert_has(s, text)                               \
	do {                                              \
		if (!has((s), (text)))                    \
			fail_msg("no %s in %s", (text),   \
				 str_cstr(&(s)->record)); \
	} while (0)

/* How often it stands there. */
static size_t count(const struct scene *s, const char *text)
{
	struct slice rest = str_slice(&s->record), what = slice_of(text);
	size_t n = 0, at;

	while ((at = slice_find_text(rest, what)) < rest.len) {
		n++;
		rest = slice_from(rest, at + what.len);
	}
	return n;
}

static const char whole[] =
    "{\"event\":\"attempt\",\"schema\":1,"
    "\"time\":\"2026-11-22T02:25:50.000Z\",\"ms\":19,"
    "\"agent\":{\"program\":\"smtp\",\"pid\":4711,\"channel\":\"smtp\"},"
    "\"job\":{\"name\":\"A/24700\",\"id\":24700,\"spool_id\":\"S1\","
    "\"identity\":\"<1@x>\",\"size\":95},"
    "\"sender\":\"alice@example.net\",\"destination\":\"example.com\","
    "\"site\":null,\"tried\":[{\"host\":\"mx.example.com\","
    "\"address\":\"192.0.2.1\",\"port\":25,\"at\":0,\"ms\":5,"
    "\"result\":\"ready\"}],"
    "\"connection\":{\"protocol\":\"smtp\",\"host\":\"mx.example.com\","
    "\"address\":\"192.0.2.1\",\"port\":25,"
    "\"local_address\":\"2001:db8::1\",\"local_port\":4025,"
    "\"reused\":false,\"messages_before\":0,"
    "\"opening\":[{\"at\":5,\"code\":220,\"reply\":\"220 mx ESMTP\"},"
    "{\"at\":5,\"said\":\"EHLO me\",\"ms\":0,\"code\":250,"
    "\"reply\":\"250-mx\\n250-PIPELINING\\n250 SIZE\"}],"
    "\"offered\":[\"PIPELINING\",\"SIZE\"],"
    "\"used\":[\"PIPELINING\",\"SIZE\"]},"
    "\"security\":{\"need\":\"may\"},\"tls\":{\"ok\":true},"
    "\"dialogue\":[{\"at\":5,"
    "\"said\":\"MAIL FROM:<alice@example.net> SIZE=9\",\"ms\":7,"
    "\"code\":250,\"enhanced\":\"2.1.0\",\"reply\":\"250 2.1.0 ok\"},"
    "{\"at\":5,\"said\":\"RCPT TO:<u0@x>\",\"ms\":7,\"code\":250,"
    "\"reply\":\"250 ok\"},"
    "{\"at\":12,\"said\":\".\",\"ms\":7,\"code\":250,"
    "\"reply\":\"250 in\"}],\"commands\":3,\"content\":45,"
    "\"conversion\":\"NONE\","
    "\"recipients\":[{\"offset\":100,\"host\":\"example.com\","
    "\"user\":\"u0@x\",\"outcome\":\"relayed\",\"reason\":\"accepted\"}],"
    "\"succeeded\":1,\"others\":0,\"truncated\":false}";

static void test_record_has_all_that_happened(void **state)
{
	struct scene s;
	uint64_t mail, rcpt;

	(void)state;
	begin(&s);
	connect_with(&s, "250-mx\n250-PIPELINING\n250 SIZE");
	recorder_begin(s.recorder, &s.job, &s.t);
	mail = say(&s, "MAIL FROM:<alice@example.net> SIZE=9", &s.t);
	rcpt = say(&s, "RCPT TO:<u0@x>", &s.t);
	now += 7;
	hear(&s, mail, 250, "250 2.1.0 ok", &s.t);
	hear(&s, rcpt, 250, "250 ok", &s.t);
	recorder_content(s.recorder, &s.t, 40);
	recorder_content(s.recorder, &s.t, 5);
	mail = say(&s, ".", &s.t);
	now += 7;
	hear(&s, mail, 250, "250 in", &s.t);
	outcome(&s, &s.t, 0, &accepted);
	assert_int_equal(s.n_records, 0);
	recorder_end(s.recorder, &s.t);
	assert_int_equal(s.n_records, 1);
	assert_string_equal(str_cstr(&s.record), whole);
	finish(&s);
}

static void test_reused_connection_is_told_again_its_search_is_not(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	connect_with(&s, "250 mx");
	for (int i = 0; i < 2; i++) {
		recorder_begin(s.recorder, &s.job, &s.t);
		outcome(&s, &s.t, 0, &accepted);
		recorder_end(s.recorder, &s.t);
	}
	assert_int_equal(s.n_records, 2);
	assert_has(&s, "\"tried\":[],");
	assert_has(&s, "\"reused\":true,\"messages_before\":1,");
	assert_has(&s, "\"reply\":\"220 mx ESMTP\"");
	assert_has(&s, "\"security\":{\"need\":\"may\"},"
		       "\"tls\":{\"ok\":true},");
	finish(&s);
}

/* They are told of in the order in which they end. */
static void test_race_is_told_from_its_beginning(void **state)
{
	struct net_addr site[2];
	struct scene s;

	(void)state;
	begin(&s);
	site[0] = s.addr;
	site[1] = s.local;
	recorder_destination(s.recorder, SLICE("example.com"));
	recorder_site(s.recorder, SLICE("a.example,b.example"), site, 2);
	now = 400;
	recorder_try(s.recorder, SLICE("b.example"), &s.addr, 300);
	recorder_overtaken(s.recorder);
	recorder_try(s.recorder, SLICE("a.example"), &s.addr, 50);
	now = 420;
	recorder_connected(s.recorder, &s.local);
	recorder_ready(s.recorder);
	recorder_begin(s.recorder, &s.job, &s.t);
	recorder_end(s.recorder, &s.t);
	assert_has(&s, "\"time\":\"2026-11-22T02:25:50.050Z\",\"ms\":370,");
	assert_has(&s, "\"site\":{\"key\":\"a.example,b.example\","
		       "\"addresses\":[\"192.0.2.1\",\"2001:db8::1\"]},");
	assert_has(&s, "\"tried\":[{\"host\":\"b.example\",\"address\":"
		       "\"192.0.2.1\",\"port\":25,\"at\":250,\"ms\":100,"
		       "\"result\":\"overtaken\"},{\"host\":\"a.example\","
		       "\"address\":\"192.0.2.1\",\"port\":25,\"at\":0,"
		       "\"ms\":370,\"result\":\"ready\"}],");
	assert_has(&s, "\"connection\":{\"protocol\":\"smtp\","
		       "\"host\":\"a.example\",");
	/* Another destination may be of no site. */
	recorder_destination(s.recorder, SLICE("example.com"));
	outcome(&s, &s.job, 0, &(struct diag){ .reason = "why" });
	recorder_end(s.recorder, &s.job);
	assert_has(&s, "\"site\":null,\"tried\":[],");
	finish(&s);
}

static void test_host_that_is_not_reached_is_told_to_the_first_job(void **state)
{
	const struct diag why = { .fate = FATE_DEFERRED_ALL,
				  .reason = "greeting-refused",
				  .diagnostic = SLICE("smtp; 421 (busy)") };
	struct scene s;

	(void)state;
	begin(&s);
	recorder_destination(s.recorder, SLICE("example.com"));
	recorder_try(s.recorder, SLICE("example.com"), &s.addr, now);
	now = 3;
	recorder_failed(s.recorder, &why, 0);
	recorder_try(s.recorder, SLICE("example.com"), &s.addr, now);
	recorder_connected(s.recorder, &s.local);
	recorder_security(s.recorder, SLICE("{\"need\":\"name\"}"));
	recorder_tls(s.recorder, SLICE("{\"ok\":false}"), SLICE(""));
	hear(&s, s.command++, 421, "421 busy", NULL);
	recorder_failed(s.recorder, &why, 421);
	outcome(&s, &s.job, 0, &why);
	outcome(&s, &s.job, 1, &why);
	recorder_end(s.recorder, &s.job);
	assert_has(&s, "\"connection\":null,\"security\":null,\"tls\":null,");
	assert_int_equal(count(&s, "\"result\":\"failed\""), 2);
	assert_int_equal(count(&s, "\"security\":null,\"tls\":null}"), 1);
	assert_has(&s, "\"reason\":\"greeting-refused\",\"code\":421,"
		       "\"why\":\"smtp; 421 (busy)\","
		       "\"security\":{\"need\":\"name\"},"
		       "\"tls\":{\"ok\":false},\"opening\":[{\"at\":3,"
		       "\"code\":421,\"reply\":\"421 busy\"}]}],");
	assert_has(&s, "\"outcome\":\"deferall\"");
	assert_has(&s, "\"succeeded\":0,\"others\":2,");
	assert_false(has(&s, "\"dialogue\""));
	outcome(&s, &s.job, 2, &why);
	recorder_end(s.recorder, &s.job);
	assert_has(&s, "\"tried\":[],");
	finish(&s);
}

static void test_loss_is_told_with_what_was_missing(void **state)
{
	const struct diag why = { .fate = FATE_DEFERRED,
				  .reason = "timeout",
				  .diagnostic = SLICE("smtp; 466 (slow)") };
	struct smtp_transaction other = { 0 };
	struct scene s;
	uint64_t mail;

	(void)state;
	begin(&s);
	connect_with(&s, "250 mx");
	recorder_begin(s.recorder, &s.job, &s.t);
	recorder_begin(s.recorder, &s.job, &other);
	mail = say(&s, "MAIL FROM:<alice@example.net>", &s.t);
	hear(&s, mail, 0, "250-half\n250", &s.t);
	lose(&s, "timeout", "gone", NULL);
	lose(&s, "timeout", "too slow", &s.t);
	recorder_outcome(s.recorder, &s.t, &s.job,
			 (struct agent_outcome){ .rcpt = 0, .diag = &why },
			 "now");
	recorder_end(s.recorder, &s.t);
	assert_has(&s, "\"partial\":\"250-half\\n250\"}],");
	assert_has(&s,
		   "\"lost\":{\"reason\":\"timeout\",\"why\":\"too slow\"}");
	assert_has(&s, "\"outcome\":\"again\",\"again\":\"now\","
		       "\"fate\":\"deferred\",\"reason\":\"timeout\","
		       "\"diagnostic\":\"smtp; 466 (slow)\"}");
	recorder_end(s.recorder, &other);
	assert_false(has(&s, "\"lost\""));
	finish(&s);
}

static void test_replies_without_a_command_stand_alone(void **state)
{
	struct scene s;
	uint64_t dot;

	(void)state;
	begin(&s);
	connect_with(&s, "250 mx");
	recorder_begin(s.recorder, &s.job, &s.t);
	dot = say(&s, ".", &s.t);
	hear(&s, dot, 250, "250 for the first", &s.t); /* LMTP */
	hear(&s, dot, 450, "450 for the second", &s.t);
	hear(&s, SMTP_NO_COMMAND, 421, "421 unasked", &s.t);
	recorder_end(s.recorder, &s.t);
	assert_has(&s, "\"dialogue\":[{\"at\":5,\"said\":\".\",\"ms\":0,"
		       "\"code\":250,\"reply\":\"250 for the first\"},"
		       "{\"at\":5,\"code\":450,"
		       "\"reply\":\"450 for the second\"},"
		       "{\"at\":5,\"code\":421,\"reply\":\"421 unasked\"}]");
	finish(&s);
}

static void test_extensions_count_as_used_when_a_command_has_them(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	connect_with(&s, "250-mx\n250-CHUNKING\n250-DSN\n250 SIZE");
	s.t.sender = SLICE("\"> SIZE=1 \"@x");
	recorder_begin(s.recorder, &s.job, &s.t);
	hear(&s, say(&s, "MAIL FROM:<\"> SIZE=1 \"@x>", &s.t), 250, "250 ok",
	     &s.t);
	recorder_end(s.recorder, &s.t);
	assert_has(&s, "\"used\":[]");
	s.t.sender = slice_make(NULL, 0);
	recorder_begin(s.recorder, &s.job, &s.t);
	hear(&s, say(&s, "MAIL FROM:<> BODY=8BITMIME RET=HDRS", &s.t), 250,
	     "250 2.1.0 ok", &s.t);
	hear(&s, say(&s, "BDAT 3 LAST", &s.t), 250, "250 ok", &s.t);
	recorder_end(s.recorder, &s.t);
	assert_has(&s, "\"used\":[\"CHUNKING\",\"8BITMIME\",\"DSN\"]");
	finish(&s);
}

/* ---- limits ----------------------------------------------------------------
 */

static void test_first_and_last_commands_are_kept(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	connect_with(&s, "250 mx");
	recorder_begin(s.recorder, &s.job, &s.t);
	for (unsigned i = 0; i < 10000; i++) {
		char line[64];

		snprintf(line, sizeof(line), "RCPT TO:<%u@x>", i);
		hear(&s, say(&s, line, &s.t), 250, "250 ok", &s.t);
	}
	recorder_end(s.recorder, &s.t);
	assert_int_equal(count(&s, "\"said\":\"RCPT"),
			 ATTEMPT_FIRST_MAX + ATTEMPT_LAST_MAX);
	assert_has(&s, "RCPT TO:<239@x>");
	assert_false(has(&s, "RCPT TO:<240@x>"));
	assert_has(&s, "\"said\":\"RCPT TO:<9984@x>\",\"ms\":0,\"code\":250,"
		       "\"reply\":\"250 ok\"},{\"at\":5,"
		       "\"said\":\"RCPT TO:<9985@x>\"");
	assert_has(&s, "\"commands\":10000,");
	assert_has(&s, "\"truncated\":true}");
	finish(&s);
}

static void test_huge_replies_are_cut(void **state)
{
	struct str huge = STR_INIT;
	struct scene s;

	(void)state;
	begin(&s);
	str_adds(&huge, "250 ");
	while (huge.len < 60000)
		str_adds(&huge, "\xe2\x82\xac\x01");
	connect_with(&s, "250 mx");
	recorder_begin(s.recorder, &s.job, &s.t);
	for (int i = 0; i < 1000; i++)
		hear(&s, say(&s, "RCPT TO:<x@x>", &s.t), 250, str_cstr(&huge),
		     &s.t);
	recorder_end(s.recorder, &s.t);
	/* A control takes six bytes as JSON. */
	assert_true(
	    s.record.len <
	    3 * (ATTEMPT_TEXT_MAX + (ATTEMPT_LAST_MAX * ATTEMPT_REPLY_MAX)));
	assert_has(&s, "\"truncated\":true}");
	assert_false(has(&s, "\xef\xbf\xbd")); /* no character was cut */
	str_done(&huge);
	finish(&s);
}

static void test_recipients_beyond_the_limit_are_counted(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	connect_with(&s, "250 mx");
	recorder_begin(s.recorder, &s.job, &s.t);
	for (size_t i = 0; i < RCPTS; i++)
		outcome(&s, &s.t, i, i < 900 ? &accepted : &refused);
	recorder_end(s.recorder, &s.t);
	assert_int_equal(count(&s, "\"outcome\":\"relayed\""),
			 ATTEMPT_RCPTS_MAX);
	assert_int_equal(count(&s, "\"outcome\":\"failed\""), 100);
	assert_has(&s, "\"succeeded\":900,\"others\":100,\"truncated\":true}");
	finish(&s);
}

static void test_addresses_beyond_the_limit_keep_the_last(void **state)
{
	struct scene s;
	struct str host = STR_INIT;

	(void)state;
	begin(&s);
	recorder_destination(s.recorder, SLICE("example.com"));
	for (unsigned i = 0; i < 100; i++) {
		str_clear(&host);
		str_addf(&host, "mx%u", i);
		recorder_try(s.recorder, str_slice(&host), &s.addr, now);
		recorder_failed(s.recorder, &refused, 0);
	}
	outcome(&s, &s.job, 0, &refused);
	recorder_end(s.recorder, &s.job);
	assert_int_equal(count(&s, "\"host\":\"mx"), ATTEMPT_TRIES_MAX);
	assert_has(&s, "\"host\":\"mx30\"");
	assert_false(has(&s, "\"host\":\"mx31\""));
	assert_has(&s, "\"host\":\"mx99\"");
	assert_has(&s, "\"truncated\":true}");
	str_done(&host);
	finish(&s);
}

static void test_open_attempts_end_with_their_connection(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	connect_with(&s, "250 mx");
	recorder_begin(s.recorder, &s.job, &s.t);
	recorder_destination(s.recorder, SLICE("elsewhere.example"));
	assert_int_equal(s.n_records, 1);
	assert_has(&s, "\"destination\":\"example.com\"");
	recorder_end(s.recorder, &s.t);
	assert_int_equal(s.n_records, 1);
	recorder_begin(s.recorder, &s.job, &s.t); /* never ended: freed */
	finish(&s);
}

static void test_open_attempts_end_with_their_job(void **state)
{
	struct smtp_transaction other = { 0 };
	struct agent_job another = { 0 };
	struct scene s;

	(void)state;
	begin(&s);
	connect_with(&s, "250 mx");
	recorder_begin(s.recorder, &s.job, &s.t);
	recorder_begin(s.recorder, &s.job, &other);
	recorder_job_over(s.recorder, &another);
	assert_int_equal(s.n_records, 0);
	recorder_job_over(s.recorder, &s.job);
	assert_int_equal(s.n_records, 2);
	recorder_job_over(s.recorder, &s.job);
	recorder_job_over(NULL, &s.job);
	assert_int_equal(s.n_records, 2);
	finish(&s);
}

static void test_null_recorder_records_nothing(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	recorder_free(s.recorder);
	s.recorder = NULL;
	connect_with(&s, "250 mx");
	recorder_begin(s.recorder, &s.job, &s.t);
	recorder_content(s.recorder, &s.t, 1);
	recorder_failed(s.recorder, &refused, 1);
	recorder_closed(s.recorder);
	outcome(&s, &s.t, 0, &accepted);
	recorder_end(s.recorder, &s.t);
	assert_int_equal(s.n_records, 0);
	finish(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record_has_all_that_happened),
		cmocka_unit_test(
		    test_reused_connection_is_told_again_its_search_is_not),
		cmocka_unit_test(test_race_is_told_from_its_beginning),
		cmocka_unit_test(
		    test_host_that_is_not_reached_is_told_to_the_first_job),
		cmocka_unit_test(test_loss_is_told_with_what_was_missing),
		cmocka_unit_test(test_replies_without_a_command_stand_alone),
		cmocka_unit_test(
		    test_extensions_count_as_used_when_a_command_has_them),
		cmocka_unit_test(test_first_and_last_commands_are_kept),
		cmocka_unit_test(test_huge_replies_are_cut),
		cmocka_unit_test(test_recipients_beyond_the_limit_are_counted),
		cmocka_unit_test(test_addresses_beyond_the_limit_keep_the_last),
		cmocka_unit_test(test_open_attempts_end_with_their_connection),
		cmocka_unit_test(test_open_attempts_end_with_their_job),
		cmocka_unit_test(test_null_recorder_records_nothing),
	};

	return TEST_RUN(tests);
}
