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

struct world {
	struct play play;
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
			size_t rcpt = a->offsets[i] / 10 - 1;
			bool works = chance(w, 4) > 0;

			if (works)
				end(w, id_of(a->name), rcpt, FAILED);
			queue_settle(p->q, a->name, a->offsets[i], works,
				     p->now);
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

	do {
		queue_run(w->play.q, w->play.now);
		queue_check(w->play.q);
		while (queue_next(w->play.q, &a))
			carry_out(w, &a);
	} while (queue_wake(w->play.q) >= 0 &&
		 queue_wake(w->play.q) <= w->play.now);
}

static void step(struct world *w)
{
	struct queue_config config = play_config(&w->play);
	uint64_t id = 1 + chance(w, MESSAGES);

	switch (chance(w, 12)) {
	case 0:
		if (!w->exists[id]) {
			w->n_added++;
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
		queue_kick(w->play.q, SLICE("smtp"), SLICE("a1"), w->play.now);
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
