/*
 * place.c - destinations: a row for each channel and host.
 */
#include "mailqb/place.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define uthash_fatal(message) mem_exhausted()
#include <uthash.h>

enum { NUMBERS_WIDTH = 33, NAME_LEAST = 30 };

struct mailq_place {
	UT_hash_handle hh;
	struct str key; /* channel, NUL, host */
	size_t channel_len;
	uint64_t recipients, held;
	int64_t oldest, until;
	unsigned agents, window, tries;
	bool is_suspended;
	struct str status, host_said, why, site;
};

static struct slice channel_of(const struct mailq_place *p)
{
	return slice_head(str_slice(&p->key), p->channel_len);
}

static struct slice host_of(const struct mailq_place *p)
{
	return slice_from(str_slice(&p->key), p->channel_len + 1);
}

/* Hosts are the same whatever their case. */
static struct mailq_place *find(struct mailq_places *places,
				struct slice channel, struct slice host)
{
	struct str key = STR_INIT;
	struct mailq_place *p;

	str_add(&key, channel);
	str_addc(&key, '\0');
	for (size_t i = 0; i < host.len; i++)
		str_addc(&key, ascii_lower(host.p[i]));
	HASH_FIND(hh, places->table, key.p, key.len, p);
	if (p != NULL) {
		str_done(&key);
		return p;
	}
	p = mem_zero(1, sizeof(*p));
	p->key = key;
	p->channel_len = channel.len;
	HASH_ADD_KEYPTR(hh, places->table, p->key.p, p->key.len, p);
	return p;
}

static void copy(struct str *to, struct slice text)
{
	str_clear(to);
	str_add(to, text);
}

void mailq_places_tell(struct mailq_places *places,
		       const struct mailq_destination *d)
{
	struct mailq_place *p = find(places, d->channel, d->host);

	if (!places->counts_itself) {
		p->recipients = d->recipients + d->held;
		p->held = d->held;
		p->oldest = d->oldest;
	}
	p->agents = d->agents;
	p->window = d->window;
	p->tries = d->tries;
	p->until = d->until;
	p->is_suspended = d->is_suspended;
	copy(&p->status, d->reason.status);
	copy(&p->host_said, d->reason.host_said);
	copy(&p->why, d->reason.text);
	copy(&p->site, d->site);
}

void mailq_places_take(struct mailq_places *places,
		       const struct mailq_message *m)
{
	struct mailq_place *p = NULL;

	for (size_t i = 0; i < m->n_rcpts; i++) {
		const struct mailq_rcpt *r = &m->rcpts[i];

		if (p == NULL || i == 0 || !slice_eq(r->host, r[-1].host) ||
		    !slice_eq(r->channel, r[-1].channel))
			p = find(places, r->channel, r->host);
		p->recipients++;
		p->held += r->state == MAILQ_HELD;
		if (p->oldest == 0 || m->arrived < p->oldest)
			p->oldest = m->arrived;
	}
}

void mailq_places_done(struct mailq_places *places)
{
	struct mailq_place *p = places->table, *next;

	HASH_CLEAR(hh, places->table);
	for (; p != NULL; p = next) {
		next = p->hh.next;
		str_done(&p->key);
		str_done(&p->status);
		str_done(&p->host_said);
		str_done(&p->why);
		str_done(&p->site);
		free(p);
	}
}

static int by_count(const struct mailq_place *a, const struct mailq_place *b)
{
	size_t len = a->key.len < b->key.len ? a->key.len : b->key.len;
	int order;

	if (a->recipients != b->recipients)
		return a->recipients < b->recipients ? 1 : -1;
	order = memcmp(a->key.p, b->key.p, len);
	return order != 0 ? order : a->key.len < b->key.len ? -1 : 1;
}

static struct mailq_reason reason_of(const struct mailq_place *p)
{
	return (struct mailq_reason){ str_slice(&p->status),
				      str_slice(&p->host_said),
				      str_slice(&p->why) };
}

/* ---- text --------------------------------------------------------------- */

static void add_state(struct str *to, const struct mailq_place *p, int64_t now)
{
	struct mailq_reason why = reason_of(p);
	size_t before = to->len;

	if (p->is_suspended)
		str_adds(to, "suspended");
	if (p->until > now) {
		str_adds(to, p->is_suspended ? " until " : "paused until ");
		mailq_add_near_time(to, p->until, now);
		str_adds(to, ", in ");
		mailq_add_interval(to, p->until - now);
	}
	if (to->len > before && why.status.len + why.text.len > 0)
		str_adds(to, "; ");
	if (why.status.len + why.text.len > 0)
		mailq_add_reason(to, &why);
}

static void add_row(struct str *to, const struct mailq_place *p,
		    const struct mailq_look *look, size_t name_width)
{
	struct str name = STR_INIT, state = STR_INIT;

	mailq_add_text(&name, channel_of(p));
	str_addc(&name, '/');
	mailq_add_text(&name, host_of(p));
	if (mailq_width(str_slice(&name)) > name_width)
		/* Never cut: a line of its own. */
		str_addf(to, "%s\n%*s", str_cstr(&name), (int)name_width, "");
	else
		mailq_add_column(to, str_slice(&name), name_width);
	str_addf(to, " %9ju %8ju ", (uintmax_t)p->recipients,
		 (uintmax_t)p->held);
	if (p->oldest > 0)
		mailq_add_interval(&state, look->now - p->oldest);
	str_addf(to, "%7s %6u\n", str_cstr(&state), p->agents);
	str_clear(&state);
	add_state(&state, p, look->now);
	if (state.len > 0) {
		str_adds(to, "    (");
		str_addc(&state, ')');
		mailq_add_wrapped(to, str_slice(&state), 5, 5, look->width);
	}
	str_done(&name);
	str_done(&state);
}

void mailq_places_print(struct str *to, struct mailq_places *places,
			const struct mailq_look *look)
{
	size_t width = look->width - NUMBERS_WIDTH - 1;
	const struct mailq_place *p;
	bool is_first = true;

	if (width > 60)
		width = 60;
	if (width < NAME_LEAST)
		width = NAME_LEAST;
	HASH_SORT(places->table, by_count);
	for (p = places->table; p != NULL; p = p->hh.next) {
		if (p->recipients == 0)
			continue;
		if (is_first) {
			mailq_add_column(to, SLICE("Destination"), width);
			str_adds(to, " Recipients   held  oldest agents\n");
		}
		is_first = false;
		add_row(to, p, look, width);
	}
	if (is_first)
		str_adds(to, "Nothing waits for any destination\n");
}

/* ---- JSON --------------------------------------------------------------- */

void mailq_places_json(struct str *to, struct mailq_places *places)
{
	const struct mailq_place *p;
	struct json j;

	HASH_SORT(places->table, by_count);
	for (p = places->table; p != NULL; p = p->hh.next) {
		if (p->recipients == 0)
			continue;
		json_begin(&j, to);
		json_object(&j, NULL);
		json_text(&j, "kind", SLICE("destination"));
		json_uint(&j, "schema", 1);
		json_text(&j, "channel", channel_of(p));
		json_text(&j, "host", host_of(p));
		json_uint(&j, "recipients", p->recipients);
		json_uint(&j, "held", p->held);
		if (p->oldest > 0)
			json_int(&j, "oldest", p->oldest);
		json_bool(&j, "suspended", p->is_suspended);
		if (p->until > 0)
			json_int(&j, "until", p->until);
		json_uint(&j, "agents", p->agents);
		json_uint(&j, "window", p->window);
		json_uint(&j, "tries", p->tries);
		json_text_if(&j, "site", str_slice(&p->site));
		json_text_if(&j, "status", str_slice(&p->status));
		json_text_if(&j, "host_said", str_slice(&p->host_said));
		json_text_if(&j, "why", str_slice(&p->why));
		json_close(&j);
		str_addc(to, '\n');
	}
}
