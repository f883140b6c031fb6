/*
 * draw.c - the live view: a screen, a line of text, a line of JSON.
 *
 * Nothing is ever cleared but what is left of a line, and of the screen below
 * the last one, so that it does not flicker.
 */
#include "mailqb/gauge.h"

#include "base/json.h"

enum { BAR = 12, LEAST_ROWS = 6, LEAST_COLUMNS = 20 };

/* The screen as it is drawn. */
struct canvas {
	struct str *to;
	unsigned rows, columns, row; /* row: lines that are drawn */
	struct str line;
};

/* Ends the line that is in c->line; bold: a heading. */
static void put(struct canvas *c, bool is_bold)
{
	struct slice text = str_slice(&c->line);

	if (c->row >= c->rows) {
		str_clear(&c->line);
		return;
	}
	if (c->row++ > 0)
		str_adds(c->to, "\r\n");
	if (is_bold)
		str_adds(c->to, "\033[1m");
	if (mailq_width(text) > c->columns)
		mailq_add_column(c->to, text, c->columns);
	else
		str_add(c->to, text);
	if (is_bold)
		str_adds(c->to, "\033[m");
	str_adds(c->to, "\033[K");
	str_clear(&c->line);
}

static void add_rate(struct str *to, uint64_t tenths)
{
	str_addf(to, "%ju.%u/s", (uintmax_t)(tenths / 10),
		 (unsigned)(tenths % 10));
}

static void add_rates(struct str *to, const struct mailq_gauge *g,
		      const struct mailq_gauge *before)
{
	static const char *const words[MAILQ_OUTCOMES] = {
		[MAILQ_DELIVERIES] = "delivered",
		[MAILQ_DEFERRALS] = "deferred",
		[MAILQ_FAILURES] = "failed",
	};

	for (int i = 0; i < MAILQ_OUTCOMES; i++) {
		str_addf(to, "%s%s ", i > 0 ? "  " : "", words[i]);
		add_rate(to,
			 mailq_gauge_rate(g, before, (enum mailq_outcome)i));
	}
}

static void add_counts(struct str *to, const struct mailq_count *c)
{
	str_addf(to,
		 "messages %ju  recipients %ju  held %ju  ready %ju  "
		 "waiting %ju  active %ju",
		 (uintmax_t)c->messages, (uintmax_t)c->recipients,
		 (uintmax_t)c->held, (uintmax_t)c->ready, (uintmax_t)c->waiting,
		 (uintmax_t)c->fed);
}

static void draw_head(struct canvas *c, const struct mailq_gauge *g,
		      const struct mailq_gauge *before)
{
	struct str *l = &c->line;

	mailq_add_time(l, g->now, true);
	if (!g->is_up) {
		str_adds(l, "  no scheduler runs");
		put(c, true);
		return;
	}
	str_addf(l, "  scheduler %jd", (intmax_t)g->pid);
	if (g->started > 0) {
		str_adds(l, " up ");
		mailq_add_interval(l, g->now - g->started);
	}
	str_adds(l, "   q quits");
	put(c, true);
	add_counts(l, &g->count);
	put(c, false);
	add_rates(l, g, before);
	str_addf(l, "  since its start: delivered %ju",
		 (uintmax_t)g->outcomes[MAILQ_DELIVERIES]);
	put(c, false);
}

/* "[####........]  33%  1.2M/3.6M" */
static void add_bar(struct str *to, uint64_t done, uint64_t all)
{
	double part = all > 0 ? (double)done / (double)all : 0;
	int full;

	if (part > 1)
		part = 1;
	full = (int)(part * BAR);
	str_addc(to, '[');
	for (int i = 0; i < BAR; i++)
		str_addc(to, i < full ? '#' : '.');
	str_addf(to, "] %3d%%  ", (int)(part * 100));
	mailq_add_size(to, done);
	str_addc(to, '/');
	mailq_add_size(to, all);
}

static void draw_agents(struct canvas *c, const struct mailq_gauge *g,
			unsigned most)
{
	struct str *l = &c->line;

	if (g->n_agents == 0 || most < 2)
		return;
	put(c, false);
	str_addf(l, "Agents %ju", (uintmax_t)g->count.agents);
	put(c, true);
	for (unsigned i = 0; i < g->n_agents && i + 2 < most; i++) {
		const struct mailq_agent *a = &g->agents[i];

		str_addf(l, "%8jd ", (intmax_t)a->pid);
		mailq_add_column(l, a->host.len > 0 ? a->host : a->channel, 20);
		str_addc(l, ' ');
		if (a->message.len > 0)
			mailq_add_column(l, a->message, 10);
		else
			mailq_add_column(l, a->state, 10);
		str_addc(l, ' ');
		if (a->since > 0)
			mailq_add_interval(l, g->now - a->since);
		str_addc(l, ' ');
		if (a->has_progress)
			add_bar(l, a->done, a->all);
		else if (a->lines > 1)
			str_addf(l, "and %ju more", (uintmax_t)a->lines - 1);
		put(c, false);
	}
}

static void add_place(struct str *to, const struct mailq_destination *d)
{
	struct str name = STR_INIT;

	str_add(&name, d->channel);
	str_addc(&name, '/');
	str_add(&name, d->host);
	mailq_add_column(to, str_slice(&name), 34);
	str_done(&name);
}

static void draw_places(struct canvas *c, const struct mailq_gauge *g,
			unsigned most)
{
	struct str *l = &c->line;

	if (g->places.n == 0 || most < 2)
		return;
	put(c, false);
	str_adds(l, "Destinations");
	mailq_add_column(l, SLICE(""), 24);
	str_adds(l, "recipients  active agents  oldest");
	put(c, true);
	for (unsigned i = 0; i < g->places.n && i + 2 < most; i++) {
		const struct mailq_destination *d = &g->places.rows[i];

		str_adds(l, "  ");
		add_place(l, d);
		str_addf(l, "%10ju %7ju %6u  ", (uintmax_t)d->recipients,
			 (uintmax_t)d->fed, d->agents);
		if (d->oldest > 0)
			mailq_add_interval(l, g->now - d->oldest);
		if (d->is_suspended)
			str_adds(l, " suspended");
		put(c, false);
	}
}

static void draw_retries(struct canvas *c, const struct mailq_gauge *g)
{
	struct str *l = &c->line;

	if (g->retries.n == 0 || c->row + 2 >= c->rows)
		return;
	put(c, false);
	str_adds(l, "Next retries");
	put(c, true);
	for (unsigned i = 0; i < g->retries.n; i++) {
		const struct mailq_destination *d = &g->retries.rows[i];

		str_adds(l, "  ");
		add_place(l, d);
		str_adds(l, " in ");
		mailq_add_interval(l, d->until - g->now);
		str_adds(l, "  ");
		mailq_add_reason(l, &d->reason);
		put(c, false);
	}
}

void mailq_gauge_draw(struct str *to, const struct mailq_gauge *g,
		      const struct mailq_gauge *before, unsigned rows,
		      unsigned columns)
{
	struct canvas c = { .to = to,
			    .rows = rows > LEAST_ROWS ? rows : LEAST_ROWS,
			    .columns = columns > LEAST_COLUMNS
					   ? columns
					   : LEAST_COLUMNS };

	str_adds(to, "\033[H");
	draw_head(&c, g, before);
	draw_agents(&c, g, (c.rows - c.row) / 2);
	draw_places(&c, g, (c.rows - c.row) * 2 / 3);
	draw_retries(&c, g);
	str_adds(to, "\033[J");
	str_done(&c.line);
}

/* ---- where there is no screen ------------------------------------------- */

void mailq_gauge_line(struct str *to, const struct mailq_gauge *g,
		      const struct mailq_gauge *before)
{
	mailq_add_utc(to, g->now);
	str_adds(to, "  ");
	add_counts(to, &g->count);
	str_addf(to, "  agents %ju  suspended %ju  ",
		 (uintmax_t)g->count.agents, (uintmax_t)g->count.suspended);
	add_rates(to, g, before);
	str_addc(to, '\n');
}

static void json_rate(struct json *j, const char *key, uint64_t tenths)
{
	struct str text = STR_INIT;

	str_addf(&text, "%ju.%u", (uintmax_t)(tenths / 10),
		 (unsigned)(tenths % 10));
	json_raw(j, key, str_slice(&text));
	str_done(&text);
}

static void json_agents(struct json *j, const struct mailq_gauge *g)
{
	json_array(j, "agents");
	for (size_t i = 0; i < g->n_agents; i++) {
		const struct mailq_agent *a = &g->agents[i];

		json_object(j, NULL);
		json_int(j, "pid", a->pid);
		json_text_if(j, "program", a->program);
		json_text(j, "channel", a->channel);
		json_text_if(j, "host", a->host);
		json_text_if(j, "state", a->state);
		json_text_if(j, "message", a->message);
		json_uint(j, "lines", a->lines);
		if (a->since > 0)
			json_int(j, "since", a->since);
		if (a->has_progress) {
			json_uint(j, "done", a->done);
			json_uint(j, "all", a->all);
		}
		json_close(j);
	}
	json_close(j);
}

static void json_places(struct json *j, const char *key,
			const struct mailq_top *top)
{
	json_array(j, key);
	for (size_t i = 0; i < top->n; i++) {
		const struct mailq_destination *d = &top->rows[i];

		json_object(j, NULL);
		json_text(j, "channel", d->channel);
		json_text(j, "host", d->host);
		json_uint(j, "recipients", d->recipients);
		json_uint(j, "agents", d->agents);
		json_bool(j, "suspended", d->is_suspended);
		if (d->until > 0)
			json_int(j, "until", d->until);
		json_text_if(j, "status", d->reason.status);
		json_text_if(j, "why", d->reason.text);
		json_close(j);
	}
	json_close(j);
}

void mailq_gauge_json(struct str *to, const struct mailq_gauge *g,
		      const struct mailq_gauge *before)
{
	const struct mailq_count *c = &g->count;
	struct json j;

	json_begin(&j, to);
	json_object(&j, NULL);
	json_text(&j, "kind", SLICE("live"));
	json_uint(&j, "schema", 1);
	json_int(&j, "now", g->now);
	json_uint(&j, "messages", c->messages);
	json_uint(&j, "recipients", c->recipients);
	json_uint(&j, "held", c->held);
	json_uint(&j, "ready", c->ready);
	json_uint(&j, "waiting", c->waiting);
	json_uint(&j, "active", c->fed);
	json_uint(&j, "suspended", c->suspended);
	json_rate(&j, "delivered_per_second",
		  mailq_gauge_rate(g, before, MAILQ_DELIVERIES));
	json_rate(&j, "deferred_per_second",
		  mailq_gauge_rate(g, before, MAILQ_DEFERRALS));
	json_rate(&j, "failed_per_second",
		  mailq_gauge_rate(g, before, MAILQ_FAILURES));
	json_uint(&j, "delivered", g->outcomes[MAILQ_DELIVERIES]);
	json_agents(&j, g);
	json_places(&j, "destinations", &g->places);
	json_places(&j, "retries", &g->retries);
	json_close(&j);
	str_addc(to, '\n');
}
