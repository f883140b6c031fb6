/*
 * schedconf.c - scheduler.conf(5): which agent serves which channel and host.
 *
 * The clause "*" + "/" + "*" never matches: what it says are the defaults of
 * the clauses behind it. A clause that says nothing takes all of the next one
 * that says something, so that several patterns can stand above one text.
 */
#include "conf/schedconf.h"

#include "base/interval.h"
#include "base/mem.h"
#include "base/str.h"
#include "conf/schedconf_token.h"
#include "conf/schedconf_words.h"

#include <stdlib.h>
#include <string.h>

enum { DAY = 24 * 60 * 60, REPORT_INTERVAL = 5 * 60 };

/* A clause while the file is read. */
struct draft {
	struct schedconf_clause clause;
	bool says_something;
};

struct reading {
	struct schedconf_target target;
	struct schedconf conf;
	struct schedconf_clause defaults;
	struct draft *drafts; /* the last one is open */
	size_t n, cap;
	bool is_open;
};

static const struct schedconf_clause built_in = {
	.queue = { .interval = 60 * 60,
		   .skew = 5,
		   .maxchannel = SCHEDCONF_UNLIMITED,
		   .maxring = SCHEDCONF_UNLIMITED,
		   .maxthr = 1,
		   .maxsite = SCHEDCONF_UNLIMITED },
};

static bool is_star(struct slice glob)
{
	return slice_eq(glob, SLICE("*"));
}

static bool is_defaults(const struct schedconf_clause *c)
{
	return is_star(c->channel) && is_star(c->host);
}

/* What the open clause said holds for those behind it, if it is "*". */
static void close_clause(struct reading *g)
{
	struct draft *d;

	if (!g->is_open)
		return;
	g->is_open = false;
	d = &g->drafts[g->n - 1];
	if (!is_defaults(&d->clause))
		return;
	g->defaults = d->clause;
	g->n--;
}

static void open_clause(struct reading *g, const struct schedconf_token *t)
{
	struct slice rest = t->word;
	struct draft *d;

	close_clause(g);
	g->drafts = mem_grow(g->drafts, &g->cap, g->n + 1, sizeof(*g->drafts));
	d = &g->drafts[g->n++];
	*d = (struct draft){ .clause = g->defaults };
	d->clause.line = t->line;
	(void)slice_cut(&rest, '/', &d->clause.channel);
	d->clause.host = rest.p != NULL ? rest : SLICE("*");
	g->is_open = true;
}

/* A word in column 0, or one that belongs to the open clause. */
static int take(struct reading *g, const struct schedconf_token *t,
		struct err *err)
{
	const struct slice *value = t->has_value ? &t->value : NULL;
	struct slice param = SLICE("PARAM");

	if (t->is_column_0 && slice_starts_nocase(t->word, param)) {
		close_clause(g);
		g->target.clause = NULL;
		return schedconf_set(&g->target, slice_from(t->word, param.len),
				     value, err);
	}
	if (t->is_column_0) {
		if (t->has_value)
			return FAIL(err,
				    "'%.*s': a keyword in column 0; blanks "
				    "are to stand before it",
				    SLICE_ARG(t->word));
		open_clause(g, t);
		return 0;
	}
	if (!g->is_open)
		return FAIL(err, "'%.*s': no clause is open for it",
			    SLICE_ARG(t->word));
	g->target.clause = &g->drafts[g->n - 1].clause;
	g->drafts[g->n - 1].says_something = true;
	return schedconf_set(&g->target, t->word, value, err);
}

/* Those that say nothing take all but the pattern of the next. */
static int inherit(struct reading *g, struct err *err)
{
	for (size_t i = g->n; i-- > 0;) {
		struct draft *d = &g->drafts[i];
		struct schedconf_clause own = d->clause;

		if (d->says_something)
			continue;
		if (i + 1 == g->n)
			return FAIL(err,
				    "%u: clause %.*s/%.*s says nothing, and "
				    "no other follows it",
				    own.line, SLICE_ARG(own.channel),
				    SLICE_ARG(own.host));
		d->clause = g->drafts[i + 1].clause;
		d->clause.line = own.line;
		d->clause.channel = own.channel;
		d->clause.host = own.host;
	}
	return 0;
}

/* Works out what follows from what was said. */
static int finish(struct schedconf_clause *c, const struct schedconf *conf,
		  struct err *err)
{
	struct queue_clause *q = &c->queue;
	unsigned most =
	    conf->max_agents > 0 ? conf->max_agents : SCHEDCONF_UNLIMITED;

	if (c->command.len == 0 && !q->is_queue_only)
		return FAIL(err, "%u: clause %.*s/%.*s has no command", c->line,
			    SLICE_ARG(c->channel), SLICE_ARG(c->host));
	if (q->idlemax == 0)
		q->idlemax = q->interval > INTERVAL_MAX / 3 ? INTERVAL_MAX
							    : 3 * q->interval;
	if (q->expiry2 == 0)
		q->expiry2 = DAY;
	if (q->maxchannel > most)
		q->maxchannel = most;
	if (q->maxring > most)
		q->maxring = most;
	for (struct slice rest = c->command, word; slice_word(&rest, &word);)
		if (slice_eq(word, SLICE("$host")))
			q->is_host_bound = true;
	return 0;
}

static int finish_all(struct reading *g, struct err *err)
{
	struct schedconf *conf = &g->conf;

	conf->n_clauses = g->n;
	conf->clauses =
	    arena_array(g->target.arena, g->n, sizeof(*conf->clauses));
	if (conf->report_interval == 0)
		conf->report_interval = REPORT_INTERVAL;
	for (size_t i = 0; i < g->n; i++) {
		conf->clauses[i] = g->drafts[i].clause;
		if (finish(&conf->clauses[i], conf, err) < 0)
			return -1;
	}
	return 0;
}

int schedconf_parse(struct textfile source, const struct zenv *z,
		    struct arena *a, struct schedconf *ret, struct err *err)
{
	struct schedconf_reader r = { source.text, 1, true, a };
	struct schedconf_token t;
	struct reading g = { .defaults = built_in };
	enum parse got;
	int result = -1;

	g.target = (struct schedconf_target){ &g.conf, NULL, a, z };
	while ((got = schedconf_next(&r, &t, err)) == PARSE_DONE)
		if (take(&g, &t, err) < 0) {
			err_set(err, 0, "%s:%u: %s", source.name, t.line,
				err->text);
			goto out;
		}
	close_clause(&g);
	if (got == PARSE_BAD || inherit(&g, err) < 0 ||
	    finish_all(&g, err) < 0) {
		err_set(err, 0, "%s:%s", source.name, err->text);
		goto out;
	}
	*ret = g.conf;
	result = 0;
out:
	free(g.drafts);
	return result;
}

int schedconf_load(const char *file, const struct zenv *z, struct arena *a,
		   struct schedconf *ret, struct err *err)
{
	struct textfile text;

	if (textfile_read(file, SCHEDCONF_FILE_MAX, a, &text, err) < 0)
		return -1;
	return schedconf_parse(text, z, a, ret, err);
}

int schedconf_find(const struct schedconf *conf, struct slice channel,
		   struct slice host)
{
	for (size_t i = 0; i < conf->n_clauses; i++)
		if (schedconf_glob(conf->clauses[i].channel, channel) &&
		    schedconf_glob(conf->clauses[i].host, host))
			return (int)i;
	return -1;
}
