/*
 * reply.c - what the scheduler answers, by libjansson.
 */
#include "mailqb/reply.h"

#include <jansson.h>
#include <string.h>

/* A json_t is all there is to one. */
static const json_t *json_of(const struct mailq_reply *r)
{
	return (const json_t *)r;
}

struct mailq_reply *mailq_reply_new(struct slice line, struct err *err)
{
	json_error_t error;
	json_t *object = json_loadb(line.p != NULL ? line.p : "", line.len,
				    JSON_ALLOW_NUL, &error);

	if (object == NULL) {
		err_set(err, 0, "the scheduler's answer is not JSON: %s",
			error.text);
		return NULL;
	}
	if (!json_is_object(object)) {
		err_set(err, 0, "the scheduler's answer is no JSON object");
		json_decref(object);
		return NULL;
	}
	return (struct mailq_reply *)object;
}

void mailq_reply_free(struct mailq_reply *r)
{
	json_decref((json_t *)r);
}

/* ---- members ------------------------------------------------------------ */

static struct slice text_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return slice_make(json_string_value(value), json_string_length(value));
}

static int64_t int_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* Unix time up to the year 9999; else 0, as if it were not told. */
static int64_t time_of(const json_t *object, const char *key)
{
	const int64_t last = 253402300799;
	int64_t n = int_of(object, key);

	return n > 0 && n <= last ? n : 0;
}

/* Counts are never negative. */
static uint64_t uint_of(const json_t *object, const char *key)
{
	json_int_t n = int_of(object, key);

	return n > 0 ? (uint64_t)n : 0;
}

static unsigned small_of(const json_t *object, const char *key)
{
	uint64_t n = uint_of(object, key);

	return n < UINT32_MAX ? (unsigned)n : UINT32_MAX;
}

struct slice mailq_reply_text(const struct mailq_reply *r, const char *key)
{
	return text_of(json_of(r), key);
}

int64_t mailq_reply_int(const struct mailq_reply *r, const char *key)
{
	return int_of(json_of(r), key);
}

int64_t mailq_reply_time(const struct mailq_reply *r, const char *key)
{
	return time_of(json_of(r), key);
}

static struct mailq_reason reason_of(const json_t *object)
{
	return (struct mailq_reason){
		.status = text_of(object, "status"),
		.host_said = text_of(object, "host_said"),
		.text = text_of(object, "why"),
	};
}

/* ---- jobs --------------------------------------------------------------- */

/* What "open" means for the recipients of a job. */
static enum mailq_state job_state(const json_t *object)
{
	struct slice word = text_of(object, "state");
	bool is_suspended = json_is_true(json_object_get(object, "suspended"));

	if (slice_eq(word, SLICE("fed")))
		return MAILQ_ACTIVE;
	if (slice_eq(word, SLICE("waiting")))
		return MAILQ_WAITING;
	return is_suspended ? MAILQ_SUSPENDED : MAILQ_READY;
}

static enum mailq_state rcpt_state(struct slice word, enum mailq_state open)
{
	enum mailq_state state = mailq_state_find(word);

	return state == MAILQ_STATES ? open : state;
}

/* [[offset, "open"], ...]; an element of another form is left out. */
static void read_rcpts(const json_t *list, enum mailq_state open,
		       struct arena *a, struct mailq_job *job)
{
	size_t n = json_array_size(list);
	struct mailq_job_rcpt *rcpts = arena_array(a, n + 1, sizeof(*rcpts));

	for (size_t i = 0; i < n; i++) {
		const json_t *pair = json_array_get(list, i);
		const json_t *offset = json_array_get(pair, 0);
		const json_t *word = json_array_get(pair, 1);

		if (!json_is_integer(offset) ||
		    json_integer_value(offset) < 0 || !json_is_string(word))
			continue;
		rcpts[job->n_rcpts++] = (struct mailq_job_rcpt){
			.offset = (uint64_t)json_integer_value(offset),
			.state =
			    rcpt_state(slice_make(json_string_value(word),
						  json_string_length(word)),
				       open),
		};
	}
	job->rcpts = rcpts;
}

struct slice mailq_reply_message(const struct mailq_reply *r)
{
	return text_of(json_of(r), "message");
}

int mailq_reply_job(const struct mailq_reply *r, struct arena *a,
		    struct mailq_job *ret, struct err *err)
{
	const json_t *object = json_of(r);
	struct mailq_reason reason = reason_of(object);
	struct mailq_job job = {
		.message = arena_dup(a, text_of(object, "message")),
		.channel = arena_dup(a, text_of(object, "channel")),
		.host = arena_dup(a, text_of(object, "host")),
		.state = job_state(object),
		.tries = small_of(object, "tries"),
		.arrived = time_of(object, "arrived"),
		.until = time_of(object, "until"),
		.reason = { arena_dup(a, reason.status),
			    arena_dup(a, reason.host_said),
			    arena_dup(a, reason.text) },
		.agent = int_of(object, "agent"),
	};

	if (job.message.len == 0)
		return FAIL(err, "the scheduler shows a job without a name");
	read_rcpts(json_object_get(object, "rcpts"), job.state, a, &job);
	*ret = job;
	return 0;
}

/* ---- destinations, agents, counts --------------------------------------- */

int mailq_reply_destination(const struct mailq_reply *r,
			    struct mailq_destination *ret, struct err *err)
{
	const json_t *object = json_of(r);

	if (text_of(object, "channel").len == 0)
		return FAIL(err, "the scheduler shows a destination without "
				 "a channel");
	*ret = (struct mailq_destination){
		.channel = text_of(object, "channel"),
		.host = text_of(object, "host"),
		.site = text_of(object, "site"),
		.jobs = uint_of(object, "jobs"),
		.ready = uint_of(object, "ready"),
		.waiting = uint_of(object, "waiting"),
		.fed = uint_of(object, "fed"),
		.recipients = uint_of(object, "recipients"),
		.held = uint_of(object, "held"),
		.is_suspended =
		    json_is_true(json_object_get(object, "suspended")),
		.until = time_of(object, "until"),
		.oldest = time_of(object, "oldest"),
		.reason = reason_of(object),
		.agents = small_of(object, "agents"),
		.window = small_of(object, "window"),
		.tries = small_of(object, "tries"),
	};
	return 0;
}

int mailq_reply_agent(const struct mailq_reply *r, struct mailq_agent *ret,
		      struct err *err)
{
	const json_t *object = json_of(r);
	const json_t *progress = json_object_get(object, "progress");

	if (int_of(object, "pid") <= 0)
		return FAIL(err, "the scheduler shows an agent without a "
				 "process number");
	*ret = (struct mailq_agent){
		.pid = int_of(object, "pid"),
		.program = text_of(object, "program"),
		.channel = text_of(object, "channel"),
		.host = text_of(object, "host"),
		.state = text_of(object, "state"),
		.message = text_of(object, "message"),
		.lines = uint_of(object, "lines"),
		.since = time_of(object, "since"),
		.has_progress = json_is_object(progress),
		.done = uint_of(progress, "bytes"),
		.all = uint_of(progress, "size"),
	};
	return 0;
}

struct mailq_count mailq_reply_count(const struct mailq_reply *r)
{
	const json_t *object = json_of(r);

	return (struct mailq_count){
		.messages = uint_of(object, "messages"),
		.recipients = uint_of(object, "recipients"),
		.held = uint_of(object, "held"),
		.jobs = uint_of(object, "jobs"),
		.ready = uint_of(object, "ready"),
		.waiting = uint_of(object, "waiting"),
		.fed = uint_of(object, "fed"),
		.threads = uint_of(object, "threads"),
		.suspended = uint_of(object, "suspended"),
		.agents = uint_of(object, "agents"),
	};
}
