/*
 * test_queue.h - a queue to play with: short words for events, and actions as
 * text. To be included by one source file of a program only.
 */
#ifndef QUEUE_TEST_QUEUE_H
#define QUEUE_TEST_QUEUE_H

#include "base/str.h"
#include "base/test.h"
#include "queue/queue.h"

#include <string.h>

enum { SEC = 1000 };

static const unsigned play_factors[] = { 1, 2, 4 };
static const unsigned play_times[] = { 30, 300 };

struct play {
	struct queue_clause clauses[3]; /* smtp, local, queueonly */
	struct queue *q;
	int64_t now;
	int64_t patience; /* ms; see struct queue_config */
	struct str said;
};

static inline int play_find(void *context, struct slice channel,
			    struct slice host)
{
	(void)context;
	(void)host;
	if (slice_eq(channel, SLICE("smtp")))
		return 0;
	if (slice_eq(channel, SLICE("local")))
		return 1;
	if (slice_eq(channel, SLICE("hold")))
		return 2;
	return QUEUE_NO_CLAUSE;
}

static inline struct queue_config play_config(struct play *p)
{
	return (struct queue_config){ .clauses = p->clauses,
				      .n_clauses = 3,
				      .max_agents = 10,
				      .start_rate = 1000,
				      .report_delay = 60 * SEC,
				      .patience = p->patience,
				      .find = play_find,
				      .context = p,
				      .seed = 7 };
}

/* Clauses that tests may change before play_begin(). */
static inline void play_make(struct play *p)
{
	*p = (struct play){ .now = 1000000 * (int64_t)SEC };
	for (size_t i = 0; i < 3; i++)
		p->clauses[i] = (struct queue_clause){
			.interval = 10,
			.retries = play_factors,
			.n_retries = 3,
			.skew = 100,
			.idlemax = 50,
			.expiry = 1000,
			.expiry2 = 500,
			.maxchannel = 10,
			.maxring = 10,
			.maxthr = 1,
			.maxsite = 10,
			.report_times = play_times,
			.n_report_times = 2,
		};
	p->clauses[2].is_queue_only = true;
}

static inline void play_begin(struct play *p)
{
	struct queue_config config = play_config(p);

	p->q = queue_new(&config);
}

static inline void play_end(struct play *p)
{
	queue_free(p->q);
	str_done(&p->said);
}

/*
 * Adds message `id` with recipients "CHANNEL/HOST CHANNEL/HOST ...", at the
 * offsets 10, 20 and so on. A '!' before one: held; '?': busy; '=': done; 'd':
 * as "d:smtp/a" wants to hear of delays; 'r' and 'n' have a deadline in 100 s.
 */
static inline void play_add(struct play *p, uint64_t id, const char *rcpts)
{
	struct queue_rcpt list[32];
	struct queue_message m = { .id = id, .arrived = p->now, .rcpts = list };
	struct slice rest = slice_of(rcpts), word;
	struct str name = STR_INIT;

	while (slice_word(&rest, &word)) {
		struct queue_rcpt *r = &list[m.n_rcpts++];

		*r = (struct queue_rcpt){ .offset = 10 * m.n_rcpts };
		if (word.len > 1 && word.p[1] == ':') {
			if (word.p[0] == 'd')
				r->flags = QUEUE_NOTIFY_DELAY;
			else
				r->flags = word.p[0] == 'r' ? QUEUE_BY_RETURN
							    : QUEUE_BY_NOTIFY;
			if (word.p[0] != 'd')
				r->deadline = p->now / SEC + 100;
			word = slice_from(word, 2);
		}
		if (word.p[0] == '!')
			r->state = QUEUE_RCPT_HELD;
		else if (word.p[0] == '?')
			r->state = QUEUE_RCPT_BUSY;
		else if (word.p[0] == '=')
			r->state = QUEUE_RCPT_DONE;
		if (r->state != QUEUE_RCPT_OPEN)
			word = slice_from(word, 1);
		(void)slice_cut(&word, '/', &r->channel);
		r->host = word;
	}
	str_addu(&name, id);
	m.name = str_slice(&name);
	queue_add(p->q, &m, p->now);
	str_done(&name);
}

static inline void play_print(struct str *to, const struct queue_action *a)
{
	static const char *const words[] = {
		[QUEUE_START] = "start",   [QUEUE_FEED] = "feed",
		[QUEUE_STOP] = "stop",	   [QUEUE_KILL] = "kill",
		[QUEUE_LOOK] = "look",	   [QUEUE_EXPIRE] = "expire",
		[QUEUE_DELAY] = "delay",   [QUEUE_REPORT] = "report",
		[QUEUE_FINISH] = "finish",
	};

	str_addf(to, "%s%s", to->len > 0 ? " " : "", words[a->kind]);
	if (a->agent > 0)
		str_addf(to, "%u", (unsigned)a->agent);
	if (a->name.len > 0)
		str_addf(to, ":%.*s", SLICE_ARG(a->name));
	if (a->kind == QUEUE_START || a->kind == QUEUE_FEED)
		str_addf(to, "@%.*s", SLICE_ARG(a->host));
	for (size_t i = 0; i < a->n_offsets; i++)
		str_addf(to, "/%zu", a->offsets[i]);
}

/* Lets `seconds` pass, one by one, and gives all actions as text. */
static inline const char *play_run(struct play *p, int64_t seconds)
{
	struct queue_action action;

	str_clear(&p->said);
	for (int64_t end = p->now + seconds * SEC;; p->now += SEC) {
		queue_run(p->q, p->now);
		queue_check(p->q);
		while (queue_next(p->q, &action))
			play_print(&p->said, &action);
		if (p->now >= end)
			break;
	}
	return str_cstr(&p->said);
}

#define PLAY(p, seconds, want) \
	assert_string_equal(play_run((p), (seconds)), (want))

/* Kicks a destination; false: there is nothing. */
static inline bool play_kick(struct play *p, const char *channel,
			     const char *host)
{
	struct queue_cursor *c =
	    queue_cursor_destination(p->q, slice_of(channel), slice_of(host));
	bool is_there = c != NULL;

	while (is_there && queue_cursor_kick(c, 1, p->now))
		continue;
	queue_cursor_free(c);
	return is_there;
}

/* The agent reports on offset of message id. */
static inline bool play_report(struct play *p, uint32_t agent, uint64_t id,
			       uint64_t offset, enum queue_outcome outcome)
{
	struct queue_report r = { .id = id,
				  .offset = offset,
				  .outcome = outcome,
				  .has_diagnostic = outcome == QUEUE_FAILED,
				  .why = SLICE("because") };

	return queue_report(p->q, agent, &r, p->now);
}

/* The only recipient of the line at work ends like this; then "#hungry". */
static inline void play_answer(struct play *p, uint32_t agent, uint64_t id,
			       enum queue_outcome outcome)
{
	assert_true(play_report(p, agent, id, 10, outcome));
	queue_hungry(p->q, agent, p->now);
}

/* The queue of tests that are listed by PLAY_TEST(): a new one for each. */
static struct play play;

static inline int play_set_up(void **state)
{
	(void)state;
	play_make(&play);
	return 0;
}

static inline int play_tear_down(void **state)
{
	(void)state;
	play_end(&play);
	return 0;
}

#define PLAY_TEST(f) \
	cmocka_unit_test_setup_teardown(f, play_set_up, play_tear_down)

#endif
