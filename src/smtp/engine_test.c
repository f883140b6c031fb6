/*
 * engine_test.c - plays the dialogues of test/dialogues against the engine.
 *
 * The files are those that test/smtpd.py plays for the real program; what
 * the engine is given and what must come of it stands in "#!" lines:
 *
 *	#! config WORD...	lmtp no-esmtp no-pipelining if-greeted window=N
 *				ignored=KEYWORD time=UNIXTIME
 *	#! message SENDER RCPT...	"-" is the null sender; added at start
 *	#! option 8bit utf8 size=N envid=X ret=X by=UNIXTIME;R|N[T]
 *			of the last message
 *	#! notify SUCCESS	of the last message's recipients
 *	#! orcpt TYPE;XTEXT	likewise
 *	#! again REASON		what comes back for that is added once more
 *	#! body TEXT		its content; \r and \n as such
 *	#! expect M.R FATE STATUS REASON	of recipient R of message M
 *	#! text M.R WORDS	the report's text must hold this
 *	#! returned M REASON	message M comes back
 *	#! refused KEYWORD...	extensions of all events together
 *	#! offers KEYWORD...	what smtp_caps() holds at the end; - is nothing
 *	#! suspects KEYWORD...	smtp_suspects() at the end; - is nothing
 *	#! used-up		smtp_is_used_up()
 *	#! failed PHASE CODE	the session could not be opened
 *	#! engine WHY		why the program itself cannot play it
 *	#! whole		the bytes must come in one piece
 *
 * Every dialogue is played with the server's bytes whole, one by one, and in
 * random pieces: the outcome must be the same.
 */
#include "base/fd.h"
#include "base/mem.h"
#include "base/test.h"
#include "smtp/engine.h"

#include <dirent.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "test/dialogues"

enum { MESSAGES_MAX = 8, RCPTS_MAX = 8, EXPECT_MAX = 64 };

struct result {
	const struct diag *diag;
	int times;
};

struct message {
	struct smtp_transaction t;
	struct smtp_rcpt rcpts[RCPTS_MAX];
	struct result results[RCPTS_MAX];
	struct slice body;
	size_t body_given;
	int done, returned;
	const char *returned_reason;
};

struct play {
	const char *file;
	unsigned seed;
	struct arena *arena;
	struct smtp_config config;
	struct message messages[MESSAGES_MAX];
	size_t n_messages;
	struct smtp_engine *engine;
	struct str heard; /* from the client, not yet expected */
	struct str to_client;
	bool is_closed, is_failed, is_whole;
	unsigned failed_code;
	const char *failed_phase;
	struct slice again; /* the reason that is forgiven */
	unsigned refused;   /* extensions of all events */
	int64_t time;
	unsigned line;
};

static const char *const phases[] = { "connect",  "greeting", "hello",
				      "starttls", "auth",     "mail",
				      "rcpt",	  "data",     "end" };
static const char *const fates[] = { "delivered", "relayed",  "failed",
				     "deferred",  "deferall", "retryat",
				     "deferback" };

#define PLAY_FAIL(p, ...)                                              \
	do {                                                           \
		print_error("%s:%u (seed %u): ", (p)->file, (p)->line, \
			    (p)->seed);                                \
		fail_msg(__VA_ARGS__);                                 \
	} while (0)

/* ---- the engine's side -------------------------------------------------- */

static struct message *message_of(const struct smtp_transaction *t)
{
	return t->owner;
}

static void on_returned(struct play *p, const struct smtp_event *ev)
{
	struct message *m = message_of(ev->transaction);

	if (p->again.len > 0 &&
	    slice_eq(p->again, slice_of(ev->diag->reason))) {
		smtp_add(p->engine, &m->t);
		return;
	}
	m->returned++;
	m->returned_reason = ev->diag->reason;
}

static void take_events(struct play *p)
{
	struct smtp_event ev;

	while (smtp_event(p->engine, &ev)) {
		if (p->is_closed)
			PLAY_FAIL(p, "an event after CLOSED");
		p->refused |= ev.extensions;
		switch (ev.kind) {
		case SMTP_EVENT_RCPT:
			message_of(ev.transaction)->results[ev.rcpt].diag =
			    ev.diag;
			message_of(ev.transaction)->results[ev.rcpt].times++;
			break;
		case SMTP_EVENT_DONE:
			message_of(ev.transaction)->done++;
			break;
		case SMTP_EVENT_RETURNED:
			on_returned(p, &ev);
			break;
		case SMTP_EVENT_FAILED:
			p->is_failed = true;
			p->failed_code = ev.code;
			p->failed_phase = phases[ev.phase];
			break;
		case SMTP_EVENT_CLOSED:
			p->is_closed = true;
			break;
		case SMTP_EVENT_STARTTLS:
		case SMTP_EVENT_READY:
			break;
		}
	}
}

static void give_body(struct play *p)
{
	struct message *m = message_of(smtp_body_owner(p->engine));

	str_add(smtp_body_sink(p->engine), m->body);
	smtp_body_filled(p->engine, true);
}

/* Lets the engine say what it has to say. */
static void pump(struct play *p)
{
	struct slice out;

	take_events(p);
	while ((smtp_wants(p->engine) & SMTP_WANTS_BODY) != 0)
		give_body(p);
	out = smtp_output(p->engine);
	if (out.len > 0 && !p->is_closed) {
		str_add(&p->heard, out);
		smtp_sent(p->engine, out.len);
	}
	take_events(p);
}

static void feed(void *context, struct slice chunk)
{
	struct play *p = context;

	smtp_input(p->engine, chunk);
	pump(p);
}

/* What the server has said so far goes to the client. */
static void flush(struct play *p)
{
	test_split(str_slice(&p->to_client), p->is_whole ? 0 : p->seed, feed,
		   p);
	str_clear(&p->to_client);
	pump(p);
}

/* ---- the dialogue -------------------------------------------------------- */

static bool line_fits(struct slice want, struct slice line, struct arena *a)
{
	regex_t re;
	bool fits;

	if (want.len < 2 || want.p[0] != '/' || want.p[want.len - 1] != '/')
		return slice_eq(want, line);
	want = slice_make(want.p + 1, want.len - 2);
	assert_int_equal(regcomp(&re,
				 arena_printf(a, "^(%.*s)$", SLICE_ARG(want)).p,
				 REG_EXTENDED | REG_NOSUB),
			 0);
	fits = regexec(&re, arena_cstr(a, line), 0, NULL, 0) == 0;
	regfree(&re);
	return fits;
}

static void expect_line(struct play *p, struct slice want, bool may_skip)
{
	flush(p);
	for (;;) {
		struct slice all = str_slice(&p->heard), line;
		size_t at = slice_find_text(all, SLICE("\r\n"));
		bool fits;

		if (at == all.len)
			PLAY_FAIL(p, "wanted '%.*s', the client is silent",
				  SLICE_ARG(want));
		line = arena_dup(p->arena, slice_head(all, at));
		str_shift(&p->heard, at + 2);
		fits = line_fits(want, line, p->arena);
		if (fits)
			return;
		if (!may_skip)
			PLAY_FAIL(p, "wanted '%.*s', got '%.*s'",
				  SLICE_ARG(want), SLICE_ARG(line));
	}
}

static struct slice unescape(struct slice text, struct arena *a)
{
	struct str out = STR_INIT;
	struct slice kept;

	for (size_t i = 0; i < text.len; i++) {
		char next = i + 1 < text.len ? text.p[i + 1] : '\0';

		if (text.p[i] != '\\') {
			str_addc(&out, text.p[i]);
			continue;
		}
		i++;
		if (next == 'x') {
			char hex[3] = { text.p[i + 1], text.p[i + 2], '\0' };

			str_addc(&out, (char)strtol(hex, NULL, 16));
			i += 2;
		} else {
			str_addc(&out, next == 'r'   ? '\r'
				       : next == 'n' ? '\n'
				       : next == 't' ? '\t'
						     : next);
		}
	}
	kept = arena_dup(a, str_slice(&out));
	str_done(&out);
	return kept;
}

static void play_line(struct play *p, struct slice line)
{
	struct slice rest = slice_from(line, 3);

	if (slice_starts(line, SLICE("S: "))) {
		str_add(&p->to_client, rest);
		str_add(&p->to_client, SLICE("\r\n"));
	} else if (slice_starts(line, SLICE("S\\: "))) {
		str_add(&p->to_client, unescape(slice_from(rest, 1), p->arena));
	} else if (slice_starts(line, SLICE("C: "))) {
		expect_line(p, rest, false);
	} else if (slice_starts(line, SLICE("C*: "))) {
		expect_line(p, slice_from(rest, 1), true);
	} else if (slice_eq(line, SLICE("X: close")) ||
		   slice_eq(line, SLICE("X: reset"))) {
		flush(p);
		smtp_lost(p->engine, "connection-lost", "remote hung up on us");
		pump(p);
	} else if (slice_eq(line, SLICE("X: silent"))) {
		flush(p);
		smtp_lost(p->engine, "timeout", "Timeout");
		pump(p);
	} else if (slice_eq(line, SLICE("X: eof"))) {
		flush(p);
		if (!p->is_closed)
			PLAY_FAIL(p, "the client has not closed");
	} else if (slice_starts(line, SLICE("X: "))) {
		flush(p);
	} else if (line.len > 0 && line.p[0] != '#') {
		PLAY_FAIL(p, "not a dialogue line");
	}
}

/* ---- directives -----------------------------------------------------------
 */

static uint64_t value_of(struct slice word)
{
	uint64_t n = 0;

	assert_true(slice_uint(slice_from(word, slice_find(word, '=') + 1),
			       UINT32_MAX, &n));
	return n;
}

static void set_config(struct play *p, struct slice words)
{
	struct slice word;

	while (slice_word(&words, &word)) {
		if (slice_eq(word, SLICE("lmtp")))
			p->config.is_lmtp = true;
		else if (slice_eq(word, SLICE("no-esmtp")))
			p->config.no_esmtp = true;
		else if (slice_eq(word, SLICE("no-pipelining")))
			p->config.ignored |= SMTP_EXT_PIPELINING;
		else if (slice_eq(word, SLICE("if-greeted")))
			p->config.esmtp_only_if_greeted = true;
		else if (slice_starts(word, SLICE("window=")))
			p->config.window = (unsigned)value_of(word);
		else if (slice_starts(word, SLICE("ignored=")))
			p->config.ignored |= caps_ext_of(slice_from(word, 8));
		else if (slice_starts(word, SLICE("time=")))
			p->time = (int64_t)value_of(word);
		else
			PLAY_FAIL(p, "unknown config");
	}
}

static void add_message(struct play *p, struct slice words)
{
	struct message *m = &p->messages[p->n_messages++];
	struct slice word;

	m->t = (struct smtp_transaction){ .arena = p->arena,
					  .rcpts = m->rcpts,
					  .owner = m };
	m->body = SLICE("Subject: x\r\n\r\nbody\r\n");
	assert_true(slice_word(&words, &word));
	if (!slice_eq(word, SLICE("-")))
		m->t.sender = word;
	while (slice_word(&words, &word))
		m->rcpts[m->t.n_rcpts++].path = word;
}

/* "by=UNIXTIME;M[T]" */
static struct smtp_by by_of(struct slice word)
{
	size_t at = slice_find(word, ';');
	struct slice mode = slice_from(word, at + 1);

	return (struct smtp_by){ .is_set = true,
				 .deadline =
				     (int64_t)value_of(slice_head(word, at)),
				 .mode = mode.p[0],
				 .trace = mode.len > 1 };
}

static void set_option(struct play *p, struct slice words)
{
	struct message *m = &p->messages[p->n_messages - 1];
	struct slice word;

	while (slice_word(&words, &word)) {
		if (slice_eq(word, SLICE("8bit")))
			m->t.is_8bit = true;
		else if (slice_eq(word, SLICE("utf8")))
			m->t.needs_smtputf8 = true;
		else if (slice_starts(word, SLICE("by=")))
			m->t.by = by_of(word);
		else if (slice_starts(word, SLICE("size=")))
			m->t.size = value_of(word);
		else if (slice_starts(word, SLICE("envid=")))
			m->t.envid = slice_from(word, 6);
		else if (slice_starts(word, SLICE("ret=")))
			m->t.ret = slice_from(word, 4);
		else
			PLAY_FAIL(p, "unknown option");
	}
}

static void set_notify(struct play *p, struct slice value)
{
	struct message *m = &p->messages[p->n_messages - 1];

	for (size_t i = 0; i < m->t.n_rcpts; i++)
		m->rcpts[i].notify = value;
}

static void set_orcpt(struct play *p, struct slice value)
{
	struct message *m = &p->messages[p->n_messages - 1];

	for (size_t i = 0; i < m->t.n_rcpts; i++)
		m->rcpts[i].orcpt = value;
}

/* Directives that tell what to play; the others tell what must come of it. */
static bool prepare(struct play *p, struct slice line)
{
	struct slice word;

	if (!slice_starts(line, SLICE("#! ")))
		return false;
	line = slice_from(line, 3);
	if (!slice_word(&line, &word))
		return false;
	line = slice_trim(line);
	if (slice_eq(word, SLICE("config")))
		set_config(p, line);
	else if (slice_eq(word, SLICE("whole")))
		p->is_whole = true;
	else if (slice_eq(word, SLICE("message")))
		add_message(p, line);
	else if (slice_eq(word, SLICE("option")))
		set_option(p, line);
	else if (slice_eq(word, SLICE("notify")))
		set_notify(p, line);
	else if (slice_eq(word, SLICE("orcpt")))
		set_orcpt(p, line);
	else if (slice_eq(word, SLICE("again")))
		p->again = line;
	else if (slice_eq(word, SLICE("body")))
		p->messages[p->n_messages - 1].body = unescape(line, p->arena);
	return true;
}

/* "M.R": a recipient of a message. */
static struct result *result_of(struct play *p, struct slice word)
{
	assert_true(word.len == 3 && word.p[1] == '.');
	return &p->messages[word.p[0] - '0'].results[word.p[2] - '0'];
}

static void expect_result(struct play *p, struct slice words)
{
	struct slice who = { 0 }, fate = { 0 }, status = { 0 }, reason = { 0 };
	const struct result *r;
	struct slice code;

	assert_true(slice_word(&words, &who) && slice_word(&words, &fate) &&
		    slice_word(&words, &status) && slice_word(&words, &reason));
	r = result_of(p, who);
	if (r->times != 1)
		PLAY_FAIL(p, "%.*s has %d outcomes", SLICE_ARG(who), r->times);
	code = slice_head(r->diag->status, slice_find(r->diag->status, ' '));
	if (!slice_eq(fate, slice_of(fates[r->diag->fate])) ||
	    !slice_eq(status, code) ||
	    !slice_eq(reason, slice_of(r->diag->reason)))
		PLAY_FAIL(p, "%.*s: got %s %.*s %s", SLICE_ARG(who),
			  fates[r->diag->fate], SLICE_ARG(code),
			  r->diag->reason);
}

static void expect_text(struct play *p, struct slice words)
{
	struct slice who = { 0 };
	const struct result *r;

	assert_true(slice_word(&words, &who));
	words = slice_trim(words);
	r = result_of(p, who);
	assert_non_null(r->diag);
	if (slice_find_text(r->diag->text, words) == r->diag->text.len)
		PLAY_FAIL(p, "text of %.*s is '%.*s'", SLICE_ARG(who),
			  SLICE_ARG(r->diag->text));
}

static void expect_returned(struct play *p, struct slice words)
{
	struct slice who = { 0 }, reason = { 0 };
	const struct message *m;

	assert_true(slice_word(&words, &who) && slice_word(&words, &reason));
	m = &p->messages[who.p[0] - '0'];
	if (m->returned != 1 || !slice_eq(reason, slice_of(m->returned_reason)))
		PLAY_FAIL(p, "message came back %d times (%s)", m->returned,
			  m->returned > 0 ? m->returned_reason : "");
}

static void expect_failed(struct play *p, struct slice words)
{
	struct slice phase = { 0 }, code = { 0 };

	assert_true(slice_word(&words, &phase) && slice_word(&words, &code));
	if (!p->is_failed || !slice_eq(phase, slice_of(p->failed_phase)) ||
	    value_of(code) != p->failed_code)
		PLAY_FAIL(p, "failed: %s %u",
			  p->is_failed ? p->failed_phase : "no",
			  p->failed_code);
}

/* A set of extensions, by their keywords. */
static void expect_set(struct play *p, struct slice words, unsigned got)
{
	struct str text = STR_INIT;
	unsigned want = 0;
	struct slice word;

	while (slice_word(&words, &word))
		want |= caps_ext_of(word);
	caps_print_set(&text, got);
	if (got != want)
		PLAY_FAIL(p, "got '%s'", str_cstr(&text));
	str_done(&text);
}

/* What is true of the engine at the end of the play. */
static void check_engine(struct play *p, struct slice word, struct slice rest)
{
	if (slice_eq(word, SLICE("refused")))
		expect_set(p, rest, p->refused);
	else if (slice_eq(word, SLICE("offers")))
		expect_set(p, rest, caps_set(smtp_caps(p->engine)));
	else if (slice_eq(word, SLICE("suspects")))
		expect_set(p, rest, smtp_suspects(p->engine));
	else if (slice_eq(word, SLICE("used-up")) &&
		 (!smtp_is_used_up(p->engine) || smtp_has_room(p->engine)))
		PLAY_FAIL(p, "there is room for more");
}

static void check(struct play *p, struct slice line)
{
	struct slice word;

	if (!slice_starts(line, SLICE("#! ")))
		return;
	line = slice_from(line, 3);
	if (!slice_word(&line, &word))
		return;
	if (slice_eq(word, SLICE("expect")))
		expect_result(p, line);
	else if (slice_eq(word, SLICE("text")))
		expect_text(p, line);
	else if (slice_eq(word, SLICE("returned")))
		expect_returned(p, line);
	else if (slice_eq(word, SLICE("failed")))
		expect_failed(p, line);
	else
		check_engine(p, word, line);
}

/* The invariant: each message ends once, each recipient at most once. */
static void check_ends(struct play *p)
{
	for (size_t i = 0; i < p->n_messages; i++) {
		const struct message *m = &p->messages[i];
		size_t ended = 0;

		for (size_t r = 0; r < m->t.n_rcpts; r++) {
			if (m->results[r].times > 1)
				PLAY_FAIL(p, "recipient ended twice");
			ended += (size_t)m->results[r].times;
		}
		if (m->done + m->returned != 1)
			PLAY_FAIL(p, "message %zu ended %d times", i,
				  m->done + m->returned);
		if (m->done == 1 && ended != m->t.n_rcpts)
			PLAY_FAIL(p, "done with recipients open");
	}
}

/* ---- playing ----------------------------------------------------------------
 */

static void for_each_line(struct play *p, struct slice text,
			  void (*what)(struct play *p, struct slice line))
{
	struct slice line;

	p->line = 0;
	while (slice_cut(&text, '\n', &line)) {
		p->line++;
		what(p, line);
	}
}

static int64_t wall_time(void *context)
{
	return ((struct play *)context)->time;
}

static void prepare_line(struct play *p, struct slice line)
{
	(void)prepare(p, line);
}

static void play_file(const char *file, struct slice text, unsigned seed)
{
	struct play *p = mem_zero(1, sizeof(*p));

	p->file = file;
	p->seed = seed;
	p->arena = arena_new();
	p->config = (struct smtp_config){ .helo_name = SLICE("client.example"),
					  .window = 1,
					  .wall_time = wall_time,
					  .wall_time_context = p };
	for_each_line(p, text, prepare_line);
	p->engine = smtp_new(&p->config);
	for (size_t i = 0; i < p->n_messages; i++)
		smtp_add(p->engine, &p->messages[i].t);
	for_each_line(p, text, play_line);
	flush(p);
	smtp_lost(p->engine, "connection-lost", "remote hung up on us");
	pump(p);
	for_each_line(p, text, check);
	check_ends(p);
	smtp_free(p->engine);
	str_done(&p->heard);
	str_done(&p->to_client);
	arena_free(p->arena);
	free(p);
}

static void test_dialogue(void **state)
{
	const char *file = *state;
	struct str text = STR_INIT;
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_read_all(fd, 0, 1 << 20, &text), 0);
	fd_close(fd);
	for (unsigned seed = 0; seed < TEST_SPLITS; seed++)
		play_file(file, str_slice(&text), seed);
	str_done(&text);
}

static int by_name(const void *a, const void *b)
{
	const struct CMUnitTest *left = a, *right = b;

	return strcmp(left->name, right->name);
}

/* One test for each file, named after it. */
static size_t collect(struct CMUnitTest **ret, struct arena *a)
{
	DIR *dir = opendir(FOLDER);
	struct CMUnitTest *tests = NULL;
	size_t n = 0, cap = 0;
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		struct slice name = slice_of(entry->d_name);

		if (name.len < 4 ||
		    !slice_eq(slice_from(name, name.len - 4), SLICE(".txt")))
			continue;
		tests = mem_grow(tests, &cap, n + 1, sizeof(*tests));
		tests[n++] = (struct CMUnitTest){
			.name = arena_printf(
				    a, "test_dialogue_%.*s",
				    SLICE_ARG(slice_head(name, name.len - 4)))
				    .p,
			.test_func = test_dialogue,
			.initial_state = (char *)(uintptr_t)arena_printf(
					     a, FOLDER "/%.*s", SLICE_ARG(name))
					     .p,
		};
	}
	if (dir != NULL)
		closedir(dir);
	if (n > 0)
		qsort(tests, n, sizeof(*tests), by_name);
	*ret = tests;
	return n;
}

int main(void)
{
	struct arena *a = arena_new();
	struct CMUnitTest *tests;
	size_t n = collect(&tests, a);
	int failed;

	if (n == 0) {
		printf("Bail out! no dialogues in " FOLDER "\n");
		return 1;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = _cmocka_run_group_tests("dialogues", tests, n, NULL, NULL);
	free(tests);
	arena_free(a);
	return failed;
}
