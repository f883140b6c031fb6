/*
 * live.c - the live view: asks, draws, waits; again and again.
 *
 * A key is never kept waiting: it ends whatever answer is being read, and the
 * connection with it. Destinations are not asked for each time where there are
 * many.
 */
#include "mailqb/gauge.h"
#include "mailqb/run_internal.h"
#include "mailqb/screen.h"

#include <errno.h>
#include <sysexits.h>
#include <time.h>

enum { MANY_PLACES = 20000, SELDOM = 10 };

struct live {
	struct mailq_run *r;
	struct mailq_screen screen;
	struct mailq_gauge gauges[2]; /* this time, and the one before */
	unsigned turn;
};

static int64_t steady_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- one look ----------------------------------------------------------- */

static int take_status(void *context, const struct mailq_reply *row,
		       struct err *err)
{
	struct mailq_gauge *g = context;

	(void)err;
	g->pid = mailq_reply_int(row, "pid");
	g->started = mailq_reply_time(row, "started");
	return 0;
}

static int take_count(void *context, const struct mailq_reply *row,
		      struct err *err)
{
	struct mailq_gauge *g = context;

	(void)err;
	g->count = mailq_reply_count(row);
	return 0;
}

static int take_agent(void *context, const struct mailq_reply *row,
		      struct err *err)
{
	struct mailq_agent a;

	if (mailq_reply_agent(row, &a, err) < 0)
		return -1;
	mailq_gauge_agent(context, &a);
	return 0;
}

static int take_place(void *context, const struct mailq_reply *row,
		      struct err *err)
{
	struct mailq_destination d;

	if (mailq_reply_destination(row, &d, err) < 0)
		return -1;
	mailq_gauge_place(context, &d);
	return 0;
}

static int read_metrics(struct mailq_client *c, struct mailq_gauge *g,
			struct err *err)
{
	struct slice line;

	if (mailq_client_ask(c, SLICE("metrics"), err) < 0)
		return -1;
	for (;;)
		switch (mailq_client_next(c, &line, err)) {
		case MAILQ_LINE:
			mailq_gauge_metric(g, line);
			break;
		case MAILQ_OK:
			return 0;
		case MAILQ_INTERRUPTED:
			return FAIL_CODE(err, EINTR, "interrupted");
		case MAILQ_REFUSED:
		case MAILQ_LOST:
			return -1;
		}
}

/* Of many destinations the rows of the last time do for a while. */
static int read_places(struct live *l, struct mailq_gauge *g,
		       const struct mailq_gauge *before, struct err *err)
{
	bool are_many = g->count.threads > MANY_PLACES;

	if (!are_many || l->turn % SELDOM == 0)
		return mailq_run_rows(l->r->client, SLICE("destinations"),
				      take_place, g, err);
	for (size_t i = 0; i < before->places.n; i++)
		mailq_gauge_place(g, &before->places.rows[i]);
	return 0;
}

/* 0: done, perhaps as far as we may; -1: err says why not, EINTR: a key. */
static int read_all(struct live *l, struct mailq_gauge *g,
		    const struct mailq_gauge *before, struct err *err)
{
	struct mailq_client *c = l->r->client;

	if (mailq_run_rows(c, SLICE("status"), take_status, g, err) < 0 ||
	    mailq_run_rows(c, SLICE("count"), take_count, g, err) < 0 ||
	    read_metrics(c, g, err) < 0)
		return -1;
	g->is_up = true;
	if (mailq_run_rows(c, SLICE("agents"), take_agent, g, err) < 0) {
		g->is_partial = err->code == EACCES;
		return g->is_partial ? 0 : -1;
	}
	return read_places(l, g, before, err);
}

/*
 * A look into *g. 0: there is one, perhaps that no scheduler runs; -1: a key
 * came before it was complete.
 */
static int look(struct live *l, struct mailq_gauge *g,
		const struct mailq_gauge *before)
{
	struct mailq_run *r = l->r;
	struct arena *arena = g->arena;
	struct err err = { 0 };
	int done = 0;

	arena_reset(arena);
	*g = (struct mailq_gauge){ .arena = arena,
				   .now = r->w->now(),
				   .clock = steady_ms() };
	if (r->client == NULL &&
	    mailq_connect(r->w, mailq_screen_fd(&l->screen), &r->client, &err) <
		0)
		return 0;
	if (r->client != NULL)
		done = read_all(l, g, before, &err);
	if (done < 0) {
		mailq_client_free(r->client);
		r->client = NULL;
		g->is_up = false;
	}
	return done < 0 && err.code == EINTR ? -1 : 0;
}

/* ---- again and again ---------------------------------------------------- */

static bool show(struct live *l, const struct mailq_gauge *g,
		 const struct mailq_gauge *before)
{
	struct mailq_out *out = &l->r->out;
	unsigned rows, columns;

	if (l->r->o->is_json) {
		mailq_gauge_json(&out->text, g, before);
	} else if (l->screen.is_full) {
		mailq_screen_size(&l->screen, &rows, &columns);
		mailq_gauge_draw(&out->text, g, before, rows, columns);
	} else {
		mailq_gauge_line(&out->text, g, before);
	}
	mailq_out_flush(out);
	return !out->is_broken;
}

/* Waits for the next look; keys and a new size redraw this one. */
static bool wait_turn(struct live *l, const struct mailq_gauge *g,
		      const struct mailq_gauge *before)
{
	int64_t end = g->clock + (int64_t)l->r->o->seconds * 1000, left;

	while ((left = end - steady_ms()) > 0)
		switch (mailq_screen_wait(&l->screen, (int)left)) {
		case MAILQ_QUIT:
			return false;
		case MAILQ_REDRAW:
			if (l->screen.is_full && !show(l, g, before))
				return false;
			break;
		case MAILQ_TIME_OVER:
			break;
		}
	return true;
}

static int go_on(struct live *l, struct err *err)
{
	for (;; l->turn++) {
		struct mailq_gauge *g = &l->gauges[l->turn % 2],
				   *before = &l->gauges[(l->turn + 1) % 2];

		while (look(l, g, before) < 0)
			if (mailq_screen_wait(&l->screen, 0) == MAILQ_QUIT)
				return EX_OK;
		if (!g->is_up && !l->screen.is_full) {
			err_set(err, 0, "no scheduler runs");
			return EX_UNAVAILABLE;
		}
		if (!show(l, g, before) || !wait_turn(l, g, before))
			return EX_OK;
	}
}

int mailq_live(struct mailq_run *r, struct err *err)
{
	struct live l = { .r = r };
	bool is_full = r->w->has_screen && !r->o->is_json;
	int code = EX_OSERR;

	l.gauges[0].arena = arena_new();
	l.gauges[1].arena = arena_new();
	if (mailq_screen_begin(&l.screen, r->w->in_fd, r->w->out_fd, is_full,
			       err) == 0)
		code = go_on(&l, err);
	mailq_screen_end(&l.screen);
	arena_free(l.gauges[0].arena);
	arena_free(l.gauges[1].arena);
	return code;
}
