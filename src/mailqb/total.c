/*
 * total.c - how much there is: by state, age and channel.
 */
#include "mailqb/total.h"

#include "base/json.h"
#include "base/keyword.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define uthash_fatal(message) mem_exhausted()
#include <uthash.h>

struct mailq_channel {
	UT_hash_handle hh;
	uint64_t recipients, states[MAILQ_STATES];
	size_t len;
	char name[];
};

/* Seconds below which an age is of this row; the last has no end. */
static const struct {
	int64_t below;
	const char *words;
} age_rows[MAILQ_AGES] = {
	{ 300, "under 5 minutes" },    { 3600, "under 1 hour" },
	{ 4 * 3600, "under 4 hours" }, { 86400, "under 1 day" },
	{ 3 * 86400, "under 3 days" }, { INT64_MAX, "3 days or more" },
};

static struct mailq_channel *find_channel(struct mailq_total *t,
					  struct slice name)
{
	struct mailq_channel *c;

	HASH_FIND(hh, t->channels, name.p, name.len, c);
	if (c == NULL) {
		c = mem_zero(1, sizeof(*c) + name.len + 1);
		memcpy(c->name, name.p, name.len);
		c->len = name.len;
		HASH_ADD_KEYPTR(hh, t->channels, c->name, c->len, c);
	}
	return c;
}

void mailq_total_take(struct mailq_total *t, const struct mailq_message *m,
		      int64_t now)
{
	struct mailq_channel *c = NULL;
	size_t age = 0;

	t->messages++;
	t->recipients += m->n_rcpts;
	if (t->oldest == 0 || m->arrived < t->oldest)
		t->oldest = m->arrived;
	while (now - m->arrived >= age_rows[age].below)
		age++;
	t->ages[age] += m->n_rcpts;
	for (size_t i = 0; i < m->n_rcpts; i++) {
		const struct mailq_rcpt *r = &m->rcpts[i];

		if (c == NULL ||
		    !slice_eq(slice_make(c->name, c->len), r->channel))
			c = find_channel(t, r->channel);
		c->recipients++;
		c->states[r->state]++;
		t->states[r->state]++;
	}
}

void mailq_total_done(struct mailq_total *t)
{
	struct mailq_channel *c = t->channels, *next;

	HASH_CLEAR(hh, t->channels);
	for (; c != NULL; c = next) {
		next = c->hh.next;
		free(c);
	}
}

/* ---- text --------------------------------------------------------------- */

static int by_count(const struct mailq_channel *a,
		    const struct mailq_channel *b)
{
	if (a->recipients != b->recipients)
		return a->recipients < b->recipients ? 1 : -1;
	return strcmp(a->name, b->name);
}

static void add_row(struct str *to, struct slice words, uint64_t n,
		    uint64_t all)
{
	str_adds(to, "  ");
	mailq_add_column(to, words, 18);
	str_addf(to, "%10ju", (uintmax_t)n);
	if (all > 0)
		str_addf(to, "  %3u%%",
			 (unsigned)((double)n * 100 / (double)all));
	str_addc(to, '\n');
}

void mailq_total_print(struct str *to, struct mailq_total *t,
		       const struct mailq_look *look)
{
	const struct mailq_channel *c;

	str_addf(to, "%ju recipient%s of %ju message%s",
		 (uintmax_t)t->recipients, t->recipients == 1 ? "" : "s",
		 (uintmax_t)t->messages, t->messages == 1 ? "" : "s");
	if (t->oldest > 0) {
		str_adds(to, ", the oldest for ");
		mailq_add_interval(to, look->now - t->oldest);
	}
	str_addc(to, '\n');
	if (t->recipients == 0)
		return;
	str_adds(to, "by state\n");
	for (int i = 0; i < MAILQ_STATES; i++)
		if (t->states[i] > 0)
			add_row(to,
				slice_of(mailq_state_word((enum mailq_state)i)),
				t->states[i], t->recipients);
	str_adds(to, "by age\n");
	for (size_t i = 0; i < COUNT(age_rows); i++)
		if (t->ages[i] > 0)
			add_row(to, slice_of(age_rows[i].words), t->ages[i],
				t->recipients);
	str_adds(to, "by channel\n");
	HASH_SORT(t->channels, by_count);
	for (c = t->channels; c != NULL; c = c->hh.next)
		add_row(to, slice_make(c->name, c->len), c->recipients,
			t->recipients);
}

/* ---- JSON --------------------------------------------------------------- */

static void json_states(struct json *j, const uint64_t *states)
{
	json_object(j, "states");
	for (int i = 0; i < MAILQ_STATES; i++)
		if (states[i] > 0)
			json_uint(j, mailq_state_word((enum mailq_state)i),
				  states[i]);
	json_close(j);
}

void mailq_total_json(struct str *to, struct mailq_total *t,
		      const struct mailq_look *look)
{
	const struct mailq_channel *c;
	struct json j;

	json_begin(&j, to);
	json_object(&j, NULL);
	json_text(&j, "kind", SLICE("summary"));
	json_uint(&j, "schema", 1);
	json_int(&j, "now", look->now);
	json_uint(&j, "messages", t->messages);
	json_uint(&j, "recipients", t->recipients);
	if (t->oldest > 0)
		json_int(&j, "oldest", t->oldest);
	json_states(&j, t->states);
	json_array(&j, "ages");
	for (size_t i = 0; i < COUNT(age_rows); i++) {
		json_object(&j, NULL);
		if (age_rows[i].below != INT64_MAX)
			json_int(&j, "below", age_rows[i].below);
		json_uint(&j, "recipients", t->ages[i]);
		json_close(&j);
	}
	json_close(&j);
	json_array(&j, "channels");
	HASH_SORT(t->channels, by_count);
	for (c = t->channels; c != NULL; c = c->hh.next) {
		json_object(&j, NULL);
		json_text(&j, "channel", slice_make(c->name, c->len));
		json_uint(&j, "recipients", c->recipients);
		json_states(&j, c->states);
		json_close(&j);
	}
	json_close(&j);
	json_close(&j);
	str_addc(to, '\n');
}

/* ---- what anybody may know ---------------------------------------------- */

static const struct count_row {
	const char *key, *words;
	size_t offset;
} count_rows[] = {
	{ "messages", "messages", offsetof(struct mailq_count, messages) },
	{ "recipients", "recipients",
	  offsetof(struct mailq_count, recipients) },
	{ "held", "of them held", offsetof(struct mailq_count, held) },
	{ "ready", "jobs ready", offsetof(struct mailq_count, ready) },
	{ "waiting", "jobs waiting", offsetof(struct mailq_count, waiting) },
	{ "fed", "jobs with agents", offsetof(struct mailq_count, fed) },
	{ "suspended", "destinations suspended",
	  offsetof(struct mailq_count, suspended) },
	{ "agents", "agents", offsetof(struct mailq_count, agents) },
};

static uint64_t count_of(const struct mailq_count *c,
			 const struct count_row *row)
{
	uint64_t n;

	memcpy(&n, (const char *)c + row->offset, sizeof(n));
	return n;
}

void mailq_count_print(struct str *to, const struct mailq_count *c)
{
	for (size_t i = 0; i < COUNT(count_rows); i++)
		add_row(to, slice_of(count_rows[i].words),
			count_of(c, &count_rows[i]), 0);
}

void mailq_count_json(struct str *to, const struct mailq_count *c)
{
	struct json j;

	json_begin(&j, to);
	json_object(&j, NULL);
	json_text(&j, "kind", SLICE("count"));
	json_uint(&j, "schema", 1);
	for (size_t i = 0; i < COUNT(count_rows); i++)
		json_uint(&j, count_rows[i].key, count_of(c, &count_rows[i]));
	json_close(&j);
	str_addc(to, '\n');
}
