/*
 * control_answer.c - answers to questions: the scheduler itself, counts, and
 * rows of jobs, destinations and agents.
 *
 * Rows are made in pieces of some dozen, by a cursor that survives whatever
 * happens to the queue between two pieces. Times are Unix seconds by the
 * queue's clock, whose `now` the status tells.
 */
#include "sched/control.h"

#include "base/json.h"
#include "dsn/status.h"

#include <unistd.h>

enum {
	PIECE_BYTES = 32 * 1024, /* a piece ends behind so many, */
	PIECE_ROWS = 200	 /* or so many steps of the cursor */
};

void control_work_end(struct control_work *w)
{
	queue_cursor_free(w->cursor);
	*w = (struct control_work){ 0 };
}

/* ---- answers in one piece ----------------------------------------------- */

int control_status(struct sched *s, struct control_request *r, struct err *err)
{
	const struct sched_options *o = s->o;
	struct json j;

	(void)err;
	json_begin(&j, r->to);
	json_object(&j, NULL);
	json_int(&j, "pid", getpid());
	json_text(&j, "version", slice_of(o->version));
	json_int(&j, "started", s->started / 1000);
	json_int(&j, "now", sched_now(s) / 1000);
	json_text(&j, "postoffice", slice_of(o->postoffice));
	json_text(&j, "config", slice_of(o->config_file));
	json_text_if(&j, "events", slice_of(o->events_file));
	json_bool(&j, "submit", o->submit_program != NULL);
	json_bool(&j, "ending", s->is_ending);
	json_close(&j);
	str_addc(r->to, '\n');
	return 0;
}

int control_count(struct sched *s, struct control_request *r, struct err *err)
{
	struct queue_count c = queue_count(s->queue);
	struct json j;

	(void)err;
	json_begin(&j, r->to);
	json_object(&j, NULL);
	json_uint(&j, "messages", c.messages);
	json_uint(&j, "jobs", c.jobs);
	json_uint(&j, "threads", c.threads);
	json_uint(&j, "sites", c.sites);
	json_uint(&j, "agents", c.agents);
	json_uint(&j, "recipients", c.open);
	json_uint(&j, "held", c.held);
	json_uint(&j, "ready", c.ready);
	json_uint(&j, "waiting", c.waiting);
	json_uint(&j, "fed", c.fed);
	json_uint(&j, "suspended", c.suspended);
	json_uint(&j, "unrouted", c.unrouted);
	json_close(&j);
	str_addc(r->to, '\n');
	return 0;
}

int control_metrics(struct sched *s, struct control_request *r, struct err *err)
{
	(void)err;
	sched_metrics_print(s, r->to);
	return 0;
}

/* ---- rows --------------------------------------------------------------- */

/* What the queue was told of the last try: status ^A remote MTA ^A text. */
static void add_why(struct json *j, struct slice why)
{
	struct slice status = { 0 }, mta = { 0 };

	/* A text of our own, and of agents' ends, stands alone. */
	if (slice_has(why, '\001')) {
		(void)slice_cut(&why, '\001', &status);
		(void)slice_cut(&why, '\001', &mta);
	}
	json_text_if(j, "status", status_word(status));
	json_text_if(j, "host_said", mta);
	json_text_if(j, "why", why);
}

static void add_time(struct json *j, const char *key, int64_t ms)
{
	if (ms > 0)
		json_int(j, key, ms / 1000);
}

static const struct sched_worker *worker(const struct sched *s, uint32_t id)
{
	struct sched_worker *w;

	HASH_FIND(hh, s->workers, &id, sizeof(id), w);
	return w;
}

static void add_rcpts(struct json *j, const struct queue_view *v)
{
	static const char *const states[] = {
		[QUEUE_RCPT_OPEN] = "open",	    [QUEUE_RCPT_BUSY] = "busy",
		[QUEUE_RCPT_HELD] = "held",	    [QUEUE_RCPT_DONE] = "done",
		[QUEUE_RCPT_EXPIRING] = "expiring",
	};

	json_array(j, "rcpts");
	for (size_t i = 0; i < v->n_rcpts; i++) {
		enum queue_rcpt_state state;
		size_t offset = queue_view_rcpt(v, i, &state);

		json_array(j, NULL);
		json_uint(j, NULL, offset);
		json_text(j, NULL, slice_of(states[state]));
		json_close(j);
	}
	json_close(j);
}

static void add_job(struct sched *s, struct str *to, const struct queue_view *v)
{
	static const char *const states[] = {
		[QUEUE_JOB_READY] = "ready",
		[QUEUE_JOB_WAITING] = "waiting",
		[QUEUE_JOB_FED] = "fed",
		[QUEUE_JOB_RESTING] = "resting",
	};
	const struct sched_worker *w = worker(s, v->agent);
	struct json j;

	json_begin(&j, to);
	json_object(&j, NULL);
	json_text(&j, "message", v->name);
	json_text(&j, "channel", v->channel);
	json_text(&j, "host", v->host);
	json_text(&j, "state", slice_of(states[v->state]));
	json_bool(&j, "suspended", v->is_suspended);
	add_rcpts(&j, v);
	json_uint(&j, "tries", v->tries);
	json_int(&j, "arrived", v->arrived / 1000);
	add_time(&j, "until", v->until);
	add_why(&j, v->why);
	if (w != NULL)
		json_int(&j, "agent", w->child.pid);
	json_close(&j);
	str_addc(to, '\n');
}

static bool more_jobs(struct sched *s, struct control_work *w, struct str *to)
{
	struct queue_view v;

	for (int n = 0; n < PIECE_ROWS && to->len < PIECE_BYTES; n++) {
		if (!queue_cursor_job(w->cursor, &v))
			return false;
		add_job(s, to, &v);
	}
	return true;
}

static void add_thread(struct str *to, const struct queue_thread_view *v)
{
	struct json j;

	json_begin(&j, to);
	json_object(&j, NULL);
	json_text(&j, "channel", v->channel);
	json_text(&j, "host", v->host);
	json_uint(&j, "jobs", v->n_jobs);
	json_uint(&j, "ready", v->n_ready);
	json_uint(&j, "waiting", v->n_waiting);
	json_uint(&j, "fed", v->n_fed);
	json_uint(&j, "recipients", v->n_open);
	json_uint(&j, "held", v->n_held);
	json_bool(&j, "suspended", v->is_suspended);
	add_time(&j, "until", v->until);
	add_why(&j, v->why);
	json_uint(&j, "agents", v->n_agents);
	json_uint(&j, "window", v->window);
	json_text_if(&j, "site", v->site);
	add_time(&j, "oldest", v->oldest);
	json_uint(&j, "tries", v->tries);
	json_close(&j);
	str_addc(to, '\n');
}

static bool more_threads(struct sched *s, struct control_work *w,
			 struct str *to)
{
	struct queue_thread_view v;

	(void)s;
	for (int n = 0; n < PIECE_ROWS && to->len < PIECE_BYTES; n++)
		switch (queue_cursor_thread(w->cursor, &v)) {
		case QUEUE_STEP_END:
			return false;
		case QUEUE_STEP_LATER:
			return true;
		case QUEUE_STEP_ROW:
			/* One without either is only remembered. */
			if (v.n_jobs > 0 || v.n_agents > 0)
				add_thread(to, &v);
			break;
		}
	return true;
}

static void add_progress(struct json *j, const struct sched_progress *p)
{
	if (p->message.len == 0)
		return;
	json_object(j, "progress");
	json_text(j, "message", str_slice(&p->message));
	json_uint(j, "bytes", p->bytes);
	if (p->size > 0)
		json_uint(j, "size", p->size);
	json_close(j);
}

static void add_agent(struct sched *s, struct str *to,
		      const struct queue_agent_view *v)
{
	static const char *const states[] = {
		[QUEUE_DOING_START] = "starting",
		[QUEUE_DOING_WORK] = "working",
		[QUEUE_DOING_NOTHING] = "idle",
		[QUEUE_DOING_END] = "ending",
	};
	const struct sched_worker *w = worker(s, v->agent);
	struct json j;

	if (w == NULL)
		return; /* it is just being started */
	json_begin(&j, to);
	json_object(&j, NULL);
	json_int(&j, "pid", w->child.pid);
	json_text(&j, "program", slice_of(w->name));
	json_text(&j, "channel", v->channel);
	json_text_if(&j, "host", v->host);
	json_text(&j, "state", slice_of(states[v->doing]));
	json_text_if(&j, "message", v->name);
	json_uint(&j, "lines", v->n_lines);
	add_time(&j, "since", v->since);
	add_progress(&j, &w->progress);
	json_close(&j);
	str_addc(to, '\n');
}

static bool more_agents(struct sched *s, struct control_work *w, struct str *to)
{
	struct queue_agent_view v;

	for (int n = 0; n < PIECE_ROWS && to->len < PIECE_BYTES; n++) {
		if (!queue_cursor_agent(w->cursor, &v))
			return false;
		add_agent(s, to, &v);
	}
	return true;
}

/* ---- questions that rows answer ----------------------------------------- */

int control_show(struct sched *s, struct control_request *r, struct err *err)
{
	struct slice kind = SLICE("");

	(void)slice_word(&r->words, &kind);
	if (kind.len == 0) {
		r->work->cursor = queue_cursor_all(s->queue);
	} else if (slice_eq(kind, SLICE("message"))) {
		struct slice name = slice_trim(r->words);

		r->work->cursor = queue_cursor_message(s->queue, name);
		if (r->work->cursor == NULL)
			return FAIL(err, "the queue has no message '%.*s'",
				    SLICE_ARG(name));
	} else if (slice_eq(kind, SLICE("destination"))) {
		r->work->cursor = control_destination(s, r, err);
		if (r->work->cursor == NULL)
			return -1;
	} else {
		return FAIL(err, "show what? Nothing, message NAME or "
				 "destination CHANNEL HOST");
	}
	r->work->go = more_jobs;
	return 0;
}

int control_destinations(struct sched *s, struct control_request *r,
			 struct err *err)
{
	(void)err;
	r->work->cursor = queue_cursor_threads(s->queue);
	r->work->go = more_threads;
	return 0;
}

int control_agents(struct sched *s, struct control_request *r, struct err *err)
{
	(void)err;
	r->work->cursor = queue_cursor_agents(s->queue);
	r->work->go = more_agents;
	return 0;
}
