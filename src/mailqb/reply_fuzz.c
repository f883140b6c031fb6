/*
 * reply_fuzz.c - whatever a scheduler says, it is read or refused, and what is
 * printed of it drives no terminal.
 */
#include "mailqb/reply.h"

#include "base/fuzz.h"
#include "mailqb/gauge.h"
#include "mailqb/place.h"
#include "mailqb/total.h"

#include <string.h>

/* Escapes of our own apart, nothing is left that a terminal obeys. */
static void check_clean(struct slice text, bool is_drawn)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (is_drawn && c == '\033') {
			FUZZ_CHECK(i + 1 < text.len && text.p[i + 1] == '[');
			continue;
		}
		if (is_drawn && c == '\r')
			continue;
		FUZZ_CHECK(c == '\n' || (c >= ' ' && c != 0x7f));
	}
}

static void print_job(const struct mailq_reply *r, struct arena *a)
{
	const struct mailq_look look = { 1000, 80 };
	struct mailq_total total = { 0 };
	struct mailq_job job;
	struct mailq_message m = { 0 };
	struct str text = STR_INIT;
	struct err err;

	if (mailq_reply_job(r, a, &job, &err) < 0)
		return;
	FUZZ_CHECK(job.message.len > 0);
	m.name = job.message;
	m.arrived = job.arrived;
	m.n_rcpts = job.n_rcpts;
	m.rcpts = arena_array(a, job.n_rcpts + 1, sizeof(*m.rcpts));
	for (size_t i = 0; i < job.n_rcpts; i++) {
		FUZZ_CHECK(job.rcpts[i].state < MAILQ_STATES);
		m.rcpts[i] = (struct mailq_rcpt){
			.offset = job.rcpts[i].offset,
			.channel = job.channel,
			.host = job.host,
			.state = job.rcpts[i].state,
			.job = &job,
		};
	}
	mailq_add_block(&text, &m, &look);
	mailq_add_json(&text, &m, look.now);
	mailq_total_take(&total, &m, look.now);
	mailq_total_print(&text, &total, &look);
	mailq_total_json(&text, &total, &look);
	check_clean(str_slice(&text), false);
	mailq_total_done(&total);
	str_done(&text);
}

static void print_rows(const struct mailq_reply *r, struct slice line,
		       struct arena *a)
{
	static struct mailq_gauge g, before;
	const struct mailq_look look = { 1000, 80 };
	struct mailq_places places = { 0 };
	struct mailq_destination d;
	struct mailq_agent agent;
	struct str text = STR_INIT;

	g = (struct mailq_gauge){ .arena = a, .is_up = true, .now = 1000 };
	g.count = mailq_reply_count(r);
	mailq_gauge_metric(&g, line);
	if (mailq_reply_destination(r, &d, NULL) == 0) {
		mailq_gauge_place(&g, &d);
		mailq_places_tell(&places, &d);
	}
	if (mailq_reply_agent(r, &agent, NULL) == 0)
		mailq_gauge_agent(&g, &agent);
	mailq_places_print(&text, &places, &look);
	mailq_places_json(&text, &places);
	mailq_gauge_line(&text, &g, &before);
	mailq_gauge_json(&text, &g, &before);
	check_clean(str_slice(&text), false);
	str_clear(&text);
	mailq_gauge_draw(&text, &g, &before, 24, 80);
	check_clean(str_slice(&text), true);
	mailq_places_done(&places);
	str_done(&text);
}

FUZZ(data, size)
{
	struct slice line = slice_make((const char *)data, size);
	struct arena *a = arena_new();
	struct mailq_reply *r;
	struct err err;

	r = mailq_reply_new(line, &err);
	if (r != NULL) {
		print_job(r, a);
		print_rows(r, line, a);
	}
	mailq_reply_free(r);
	arena_free(a);
	return 0;
}
