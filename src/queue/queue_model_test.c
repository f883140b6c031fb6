/*
 * queue_model_test.c - random events: nothing is lost, nothing is done twice.
 *
 * The world beside the queue is simple: it knows of each recipient whether it
 * was delivered, failed or held, and of each agent the lines it was fed. Agents
 * answer anything allowed, die, go silent and lie; time jumps; files are looked
 * at; the configuration is read again. After each step queue_check() must hold.
 * At the end the world becomes kind, and every message must come to its end.
 */
#include "queue/test_queue.h"

#include "base/mem.h"

#include <stdlib.h>

enum { AGENTS_MAX = 10 };
enum { MESSAGES = 60, RCPTS = 4, AGENTS = 20000, LINES = 64, STEPS = 4000 };

enum fate { OPEN, DELIVERED, FAILED, HELD };

struct worker {
	bool lives, is_silent, is_ready;
	uint64_t lines[LINES]; /* ids */
	char hosts[LINES];
	size_t n;
};

/* A cursor on its way through the queue: what it has seen. */
struct watcher {
	struct queue_cursor *cursor;
	unsigned was_there[MESSAGES + 1]; /* its life; 0: it was not */
	unsigned n_seen[MESSAGES + 1][2]; /* its jobs to a and b */
};

enum { WATCHERS = 3, LATE = 64 };

struct world {
	struct play play;
	struct watcher watchers[WATCHERS];
	unsigned lives[MESSAGES + 1]; /* how often a message has come */
	uint64_t late[LATE][2];	      /* id and offset: expiring meanwhile */
	size_t n_late;
	unsigned n_watched;
	enum fate fates[MESSAGES + 1][RCPTS];
	bool exists[MESSAGES + 1];
	struct worker workers[AGENTS];
	uint32_t live[AGENTS_MAX];
	size_t n_live;
	unsigned n_fed, n_died, n_added, n_strange;
	uint64_t random;
	bool is_kind;
	unsigned n_finished;
};

static unsigned chance(struct world *w, unsigned n)
{
	w->random = w->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(w->random >> 33) % n;
}

static void die(struct world *w, uint32_t agent, bool is_bad)
{
	size_t i = 0;

	while (w->live[i] != agent)
		i++;
	w->live[i] = w->live[--w->n_live];
	w->workers[agent].lives = false;
	w->n_died++;
	queue_agent_gone(w->play.q, agent, is_bad, w->play.now);
}

/* Recipient i goes to host a or b, in turn. */
static char host_of(size_t i)
{
	return i % 2 == 0 ? 'a' : 'b';
}

/* Adds the message, or says what the file says of it. */
static void add(struct world *w, uint64_t id)
{
	static const char marks[] = {
		[OPEN] = ' ', [DELIVERED] = '=', [FAILED] = '=', [HELD] = '!'
	};
	struct str words = STR_INIT;

	for (size_t i = 0; i < RCPTS; i++)
		str_addf(&words, " %.*ssmtp/%c%u",
			 w->fates[id][i] == OPEN ? 0 : 1,
			 &marks[w->fates[id][i]], host_of(i), (unsigned)id % 3);
	play_add(&w->play, id, str_cstr(&words));
	str_done(&words);
	w->exists[id] = true;
}

static uint64_t id_of(struct slice name)
{
	uint64_t id = 0;

	assert_true(slice_uint(name, MESSAGES, &id));
	return id;
}

/* A recipient ends on disk; a second end would be a second delivery. */
static void end(struct world *w, uint64_t id, size_t i, enum fate fate)
{
	assert_int_equal(w->fates[id][i], OPEN);
	w->fates[id][i] = fate;
}

/* Nobody may have delivered it meanwhile. */
static void expire(struct world *w, uint64_t id, uint64_t offset)
{
	bool works = chance(w, 4) > 0;
	struct str name = STR_INIT;

	str_addu(&name, id);
	if (works)
		end(w, id, offset / 10 - 1, FAILED);
	queue_settle(w->play.q, str_slice(&name), offset, works, w->play.now);
	str_done(&name);
}

static void carry_out(struct world *w, const struct queue_action *a)
{
	struct play *p = &w->play;
	struct worker *worker = &w->workers[a->agent];

	switch (a->kind) {
	case QUEUE_START:
		assert_true(a->agent < AGENTS);
		assert_true(w->n_live < AGENTS_MAX);
		w->live[w->n_live++] = a->agent;
		*worker = (struct worker){ .lives = true };
		worker->is_silent = !w->is_kind && chance(w, 10) == 0;
		break;
	case QUEUE_FEED:
		if (!worker->lives)
			break; /* it died before this was read */
		assert_true(worker->n < LINES);
		w->n_fed++;
		worker->hosts[worker->n] = a->host.p[0];
		worker->lines[worker->n++] = id_of(a->name);
		break;
	case QUEUE_STOP:
	case QUEUE_KILL:
		if (worker->lives && (a->kind == QUEUE_KILL || worker->n == 0))
			die(w, a->agent, a->kind == QUEUE_KILL);
		break;
	case QUEUE_LOOK:
		add(w, id_of(a->name));
		break;
	case QUEUE_EXPIRE:
		for (size_t i = 0; i < a->n_offsets; i++) {
			if (chance(w, 2) == 0 && w->n_late < LATE) {
				w->late[w->n_late][0] = id_of(a->name);
				w->late[w->n_late++][1] = a->offsets[i];
			} else {
				expire(w, id_of(a->name), a->offsets[i]);
			}
		}
		break;
	case QUEUE_DELAY:
		break;
	case QUEUE_REPORT:
		queue_reported(p->q, a->name, chance(w, 4) > 0, p->now);
		break;
	case QUEUE_FINISH:
		for (size_t i = 0; i < RCPTS; i++) {
			enum fate f = w->fates[id_of(a->name)][i];

			assert_true(f == DELIVERED || f == FAILED);
		}
		if (chance(w, 4) == 0) {
			queue_reported(p->q, a->name, false, p->now);
		} else {
			w->n_finished++;
			w->exists[id_of(a->name)] = false;
			queue_forget(p->q, a->name, p->now);
		}
		break;
	}
}

/* An agent says what became of one of the recipients of its line. */
static void say(struct world *w, uint32_t agent, uint64_t id, size_t i)
{
	static const enum queue_outcome outcomes[] = {
		QUEUE_DELIVERED, QUEUE_FAILED,	     QUEUE_HELD,
		QUEUE_DEFERRED,	 QUEUE_DEFERRED_ALL, QUEUE_DELIVERED
	};
	enum queue_outcome o = outcomes[w->is_kind ? 0 : chance(w, 6)];

	/* On disk first; now and then it dies before it can say so. */
	if (o == QUEUE_DELIVERED || o == QUEUE_FAILED)
		end(w, id, i, o == QUEUE_FAILED ? FAILED : DELIVERED);
	if (o == QUEUE_HELD)
		end(w, id, i, HELD);
	if (!w->is_kind && chance(w, 10) == 0)
		return;
	/* False if its line is of a message before that had the same name. */
	if (!play_report(&w->play, agent, id, 10 * (uint64_t)(i + 1), o))
		w->n_strange++;
}

static void work(struct world *w, uint32_t agent)
{
	struct worker *worker = &w->workers[agent];
	uint64_t id = worker->lines[0];
	bool has_any = false;

	for (size_t i = 0; i < RCPTS; i++) {
		if (host_of(i) != worker->hosts[0] || w->fates[id][i] != OPEN)
			continue;
		has_any = true;
		if (w->is_kind || chance(w, 5) > 0)
			say(w, agent, id, i);
	}
	if (!has_any) { /* all were done, though nobody said so */
		struct str name = STR_INIT;
		struct queue_action a;

		str_addu(&name, id);
		queue_resync(w->play.q, agent, str_slice(&name), w->play.now);
		while (queue_next(w->play.q, &a))
			carry_out(w, &a);
		str_done(&name);
	}
	worker->n--;
	memmove(worker->lines, worker->lines + 1,
		worker->n * sizeof(worker->lines[0]));
	memmove(worker->hosts, worker->hosts + 1, worker->n);
	queue_hungry(w->play.q, agent, w->play.now);
}

static void lie(struct world *w, uint32_t agent)
{
	uint64_t id = 1 + chance(w, MESSAGES);

	/* No message has a recipient there. */
	assert_false(play_report(&w->play, agent, id, 7, QUEUE_DELIVERED));
	assert_false(play_report(&w->play, AGENTS + 5, id, 10, QUEUE_FAILED));
}

static void one_agent(struct world *w)
{
	uint32_t agent;
	struct worker *worker;

	if (w->n_live == 0)
		return;
	agent = w->live[chance(w, (unsigned)w->n_live)];
	worker = &w->workers[agent];
	if (!w->is_kind && chance(w, 30) == 0) {
		die(w, agent, true);
	} else if (worker->is_silent && !w->is_kind) {
		lie(w, agent);
	} else if (!worker->is_ready) {
		worker->is_ready = true;
		queue_hungry(w->play.q, agent, w->play.now);
	} else if (worker->n > 0) {
		work(w, agent);
	}
}

static void settle(struct world *w)
{
	struct queue_action a;

	if (chance(w, 3) == 0)
		while (w->n_late > 0) {
			w->n_late--;
			expire(w, w->late[w->n_late][0], w->late[w->n_late][1]);
		}
	do {
		queue_run(w->play.q, w->play.now);
		queue_check(w->play.q);
		while (queue_next(w->play.q, &a))
			carry_out(w, &a);
	} while (queue_wake(w->play.q) >= 0 &&
		 queue_wake(w->play.q) <= w->play.now);
}

/* By destination, by message, or all; in pieces. */
static void kick(struct world *w)
{
	struct queue *q = w->play.q;
	struct queue_cursor *c = NULL;
	struct str name = STR_INIT;

	str_addu(&name, 1 + chance(w, MESSAGES));
	switch (chance(w, 4)) {
	case 0:
		c = queue_cursor_all(q);
		break;
	case 1:
		c = queue_cursor_message(q, str_slice(&name));
		break;
	default:
		c = queue_cursor_destination(q, SLICE("smtp"), SLICE("a1"));
		break;
	}
	while (c != NULL && queue_cursor_kick(c, 3, w->play.now))
		queue_check(q);
	queue_cursor_free(c);
	str_done(&name);
}

/* ---- watching ----------------------------------------------------------- */

static void begin_watch(struct world *w, struct watcher *x)
{
	memset(x, 0, sizeof(*x));
	x->cursor = queue_cursor_all(w->play.q);
	for (uint64_t id = 1; id <= MESSAGES; id++)
		if (w->exists[id])
			x->was_there[id] = w->lives[id];
}

/* All that was there, and is there still, must have been seen once. */
static void end_watch(struct world *w, struct watcher *x)
{
	for (uint64_t id = 1; id <= MESSAGES; id++) {
		if (!w->exists[id] || x->was_there[id] != w->lives[id])
			continue;
		assert_int_equal(x->n_seen[id][0], 1);
		assert_int_equal(x->n_seen[id][1], 1);
	}
	queue_cursor_free(x->cursor);
	x->cursor = NULL;
	w->n_watched++;
}

/* Begins, goes on for some jobs, or ends. */
static void watch(struct world *w)
{
	struct watcher *x = &w->watchers[chance(w, WATCHERS)];
	struct queue_view v;

	if (x->cursor == NULL)
		begin_watch(w, x);
	for (unsigned n = chance(w, 20); n > 0; n--) {
		uint64_t id;
		unsigned *n_seen;

		if (!queue_cursor_job(x->cursor, &v)) {
			end_watch(w, x);
			return;
		}
		id = id_of(v.name);
		assert_true(w->exists[id]);
		assert_int_equal(x->was_there[id], w->lives[id]);
		assert_int_equal(v.n_rcpts, 2);
		n_seen = &x->n_seen[id][v.host.p[0] == 'b'];
		assert_int_equal((*n_seen)++, 0);
	}
}

/* All threads, in one go: what they have is what is counted of all. */
static void watch_threads(struct world *w)
{
	struct queue_cursor *c = queue_cursor_threads(w->play.q);
	struct queue_count sum = { 0 }, is = queue_count(w->play.q);
	struct queue_thread_view v;

	while (queue_cursor_thread(c, &v) == QUEUE_STEP_ROW) {
		sum.threads++;
		sum.jobs += v.n_jobs;
		sum.ready += v.n_ready;
		sum.waiting += v.n_waiting;
		sum.fed += v.n_fed;
		sum.open += v.n_open;
		sum.held += v.n_held;
		sum.suspended += v.is_suspended;
	}
	queue_cursor_free(c);
	assert_true(sum.threads == is.threads && sum.jobs == is.jobs);
	assert_true(sum.ready == is.ready && sum.waiting == is.waiting);
	assert_true(sum.fed == is.fed && sum.suspended == is.suspended);
	assert_true(sum.open == is.open && sum.held == is.held);
}

/* A recipient is removed by command, as if it had been delivered. */
static void remove_some(struct world *w)
{
	uint64_t id = 1 + chance(w, MESSAGES);
	size_t i = chance(w, RCPTS);
	struct str name = STR_INIT;

	str_addu(&name, id);
	if (w->exists[id] &&
	    (w->fates[id][i] == OPEN || w->fates[id][i] == HELD) &&
	    queue_is_left(w->play.q, str_slice(&name), 10 * (i + 1))) {
		w->fates[id][i] = DELIVERED;
		assert_true(queue_remove(w->play.q, str_slice(&name),
					 10 * (i + 1), w->play.now));
	}
	str_done(&name);
}

static void step(struct world *w)
{
	struct queue_config config = play_config(&w->play);
	uint64_t id = 1 + chance(w, MESSAGES);

	switch (chance(w, 14)) {
	case 0:
		if (!w->exists[id]) {
			w->n_added++;
			w->lives[id]++;
			memset(w->fates[id], 0, sizeof(w->fates[id]));
		}
		add(w, id);
		break;
	case 1:
		w->play.now += chance(w, 30) * SEC;
		break;
	case 2:
		if (chance(w, 20) == 0)
			queue_reload(w->play.q, &config, w->play.now);
		break;
	case 3:
		kick(w);
		break;
	case 4:
		watch(w);
		break;
	case 5:
		remove_some(w);
		watch_threads(w);
		break;
	default:
		for (int i = 0; i < 20; i++)
			one_agent(w);
		break;
	}
	settle(w);
}

/* Releases what is held, and lets everything go well. */
static void become_kind(struct world *w)
{
	w->is_kind = true;
	for (uint64_t id = 1; id <= MESSAGES; id++) {
		struct str name = STR_INIT;

		str_addu(&name, id);
		for (size_t i = 0; i < RCPTS; i++) {
			if (w->fates[id][i] != HELD)
				continue;
			w->fates[id][i] = OPEN;
			if (!queue_release(w->play.q, str_slice(&name),
					   10 * (i + 1), w->play.now))
				add(w, id); /* it died before it said so */
		}
		str_done(&name);
	}
}

static void play_world(uint64_t seed, unsigned *n_fed, unsigned *n_died,
		       unsigned *n_added)
{
	struct world *w = mem_zero(1, sizeof(*w));

	w->random = seed;
	play_make(&w->play);
	w->play.clauses[0].overfeed = (unsigned)seed % 3 * 5;
	w->play.clauses[0].maxthr = 1 + (unsigned)seed % 4;
	w->play.clauses[0].is_age_order = seed % 2;
	w->play.patience = seed % 3 == 2 ? 2 * SEC : 0;
	w->play.clauses[0].expiry = seed % 5 == 0 ? 0 : 3000;
	if (seed % 4 == 1)
		w->play.clauses[0].rate = (struct queue_rate){ 3, 10 };
	if (seed % 4 == 2)
		w->play.clauses[0].channel_rate = (struct queue_rate){ 5, 10 };
	play_begin(&w->play);
	for (int i = 0; i < STEPS; i++)
		step(w);
	become_kind(w);
	for (int i = 0; i < 60000 && queue_count(w->play.q).messages > 0; i++) {
		for (uint32_t k = 0; k < 10; k++)
			one_agent(w);
		if (i % 20 == 0)
			w->play.now += SEC;
		settle(w);
	}
	for (uint64_t id = 1; id <= MESSAGES; id++)
		assert_false(w->exists[id]);
	assert_int_equal(w->n_finished, w->n_added);
	assert_true(w->n_strange <= w->n_fed / 20);
	for (size_t i = 0; i < WATCHERS; i++)
		queue_cursor_free(w->watchers[i].cursor);
	assert_true(w->n_watched > 10);
	*n_fed += w->n_fed;
	*n_died += w->n_died;
	*n_added += w->n_added;
	play_end(&w->play);
	free(w);
}

static void test_random_events_lose_nothing(void **state)
{
	unsigned n_fed = 0, n_died = 0, n_added = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++)
		play_world(seed, &n_fed, &n_died, &n_added);
	if (n_fed < 5000 || n_died < 500 || n_added < 1000)
		fail_msg("too little happened: %u, %u, %u", n_fed, n_died,
			 n_added);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_events_lose_nothing),
	};

	return TEST_RUN(tests);
}
