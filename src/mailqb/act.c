/*
 * act.c - what is to be done to recipients, and doing it.
 */
#include "mailqb/act.h"

#include "base/json.h"
#include "base/mem.h"
#include "mailqb/text.h"

#include <stdlib.h>
#include <string.h>

/* Requests whose answers are still to be read; what one request is about. */
enum { AHEAD_MAX = 64, SINGLY_MAX = 4, TOGETHER_MAX = 200 };

static const struct {
	const char *word, *past;
} deeds[] = {
	[MAILQ_NOTHING] = { "", "" },
	[MAILQ_HOLD] = { "hold", "held" },
	[MAILQ_RELEASE] = { "release", "released" },
	[MAILQ_KICK] = { "kick", "kicked" },
	[MAILQ_EXPIRE] = { "expire", "expired" },
	[MAILQ_DELETE] = { "delete", "deleted" },
	[MAILQ_REDIRECT] = { "redirect", "redirected" },
};

/* Is there anything to be done for a recipient in this state? */
static bool applies(enum mailq_deed deed, const struct mailq_rcpt *r)
{
	switch (deed) {
	case MAILQ_HOLD:
		return r->state != MAILQ_HELD;
	case MAILQ_RELEASE:
		return r->state == MAILQ_HELD;
	case MAILQ_KICK:
		return r->state == MAILQ_WAITING ||
		       r->state == MAILQ_SUSPENDED || r->state == MAILQ_READY;
	default:
		return true;
	}
}

/* ---- one by one --------------------------------------------------------- */

/* Where to, of --redirect: "smtp/mx.example.com/bob@example.com". */
static void add_target(struct str *to, const struct mailq_options *o,
		       struct slice address)
{
	str_addf(to, "%.*s/%.*s/", SLICE_ARG(o->channel), SLICE_ARG(o->host));
	mailq_add_text(to, o->user.len > 0 ? o->user : address);
}

/* What is said of one recipient, a message or a destination. */
struct item {
	struct slice name, address;
	uint64_t offset;
	const char *error; /* NULL: it is done, or would be */
	size_t n;	   /* recipients that it is about, if several */
};

/* Is it about recipients, one by one? */
static bool is_of_rcpts(const struct mailq_plan *p)
{
	return p->o->deed != MAILQ_KICK;
}

/* "24700 bob@example.com", "24700", "smtp/example.com" */
static void add_subject(struct str *to, const struct mailq_plan *p,
			const struct item *i)
{
	struct slice name = i->name, channel;

	if (p->is_of_places) {
		(void)slice_cut(&name, ' ', &channel);
		mailq_add_text(to, channel);
		str_addc(to, '/');
	}
	if (i->n > 1)
		str_addf(to, "%zu recipients of ", i->n);
	mailq_add_text(to, name);
	if (!is_of_rcpts(p) || i->n > 1)
		return;
	str_addc(to, ' ');
	if (i->address.len > 0)
		mailq_add_text(to, i->address);
	else
		str_addf(to, "(at byte %ju)", (uintmax_t)i->offset);
}

static void print_text(struct mailq_plan *p, const struct item *i)
{
	struct str *to = &p->out->text;
	enum mailq_deed deed = p->o->deed;

	if (i->error != NULL)
		str_addf(to, "cannot %s ", deeds[deed].word);
	else if (p->o->is_dry)
		str_addf(to, "would %s ", deeds[deed].word);
	else
		str_addf(to, "%s ", deeds[deed].past);
	add_subject(to, p, i);
	if (deed == MAILQ_REDIRECT) {
		str_adds(to, " to ");
		add_target(to, p->o, i->address);
	}
	if (i->error != NULL) {
		str_adds(to, ": ");
		mailq_add_text(to, slice_of(i->error));
	}
	str_addc(to, '\n');
}

static void json_subject(struct json *j, const struct mailq_plan *p,
			 const struct item *i)
{
	struct slice name = i->name, channel;

	if (p->is_of_places) {
		(void)slice_cut(&name, ' ', &channel);
		json_text(j, "channel", channel);
		json_text(j, "host", name);
		return;
	}
	json_text(j, "message", name);
	if (i->n > 1)
		json_uint(j, "recipients", i->n);
	else if (is_of_rcpts(p))
		json_uint(j, "offset", i->offset);
	json_text_if(j, "address", i->address);
}

static void print_json(struct mailq_plan *p, const struct item *i)
{
	enum mailq_deed deed = p->o->deed;
	struct str target = STR_INIT;
	struct json j;

	json_begin(&j, &p->out->text);
	json_object(&j, NULL);
	json_text(&j, "kind", SLICE("deed"));
	json_uint(&j, "schema", 1);
	json_text(&j, "deed", slice_of(deeds[deed].word));
	json_bool(&j, "dry_run", p->o->is_dry);
	json_subject(&j, p, i);
	if (deed == MAILQ_REDIRECT) {
		add_target(&target, p->o, i->address);
		json_text(&j, "target", str_slice(&target));
	}
	if (i->error != NULL)
		json_text(&j, "error", slice_of(i->error));
	json_close(&j);
	str_addc(&p->out->text, '\n');
	str_done(&target);
}

static void print_item(struct mailq_plan *p, const struct item *i)
{
	if (p->o->is_json)
		print_json(p, i);
	else
		print_text(p, i);
	(void)mailq_out_item(p->out);
}

/* ---- collecting --------------------------------------------------------- */

static void add_entry(struct mailq_plan *p, size_t name, uint64_t offset)
{
	p->entries =
	    mem_grow(p->entries, &p->cap, p->n + 1, sizeof(*p->entries));
	p->entries[p->n++] = (struct mailq_deed_entry){ name, offset };
}

/* Begins what the next entries are about. */
static size_t add_name(struct mailq_plan *p, struct slice name)
{
	size_t at = p->names.len;

	str_add(&p->names, name);
	str_addc(&p->names, '\0');
	return at;
}

void mailq_plan_take(struct mailq_plan *p, const struct mailq_message *m)
{
	size_t n = 0, name = 0;

	for (size_t i = 0; i < m->n_rcpts; i++) {
		const struct mailq_rcpt *r = &m->rcpts[i];
		struct item item = { .name = m->name,
				     .offset = r->offset,
				     .address = is_of_rcpts(p) ? r->address
							       : SLICE("") };

		if (!applies(p->o->deed, r))
			continue;
		if (n++ > 0 && !is_of_rcpts(p))
			continue;
		if (p->o->is_dry) {
			print_item(p, &item);
			continue;
		}
		if (n == 1)
			name = add_name(p, m->name);
		add_entry(p, name, r->offset);
	}
	p->n_messages += n > 0;
	p->n_rcpts += n;
}

void mailq_plan_take_place(struct mailq_plan *p,
			   const struct mailq_destination *d)
{
	struct str name = STR_INIT;
	struct item item = { 0 };

	str_add(&name, d->channel);
	str_addc(&name, ' ');
	str_add(&name, d->host);
	item.name = str_slice(&name);
	if (p->o->is_dry)
		print_item(p, &item);
	else
		add_entry(p, add_name(p, item.name), 0);
	p->n_messages++;
	p->n_rcpts += d->recipients;
	str_done(&name);
}

/* "recipient", "message", "destination": what one request is about. */
static const char *unit_word(const struct mailq_plan *p)
{
	if (p->is_of_places)
		return "destination";
	return is_of_rcpts(p) ? "recipient" : "message";
}

static void say_number(struct str *to, size_t n, const char *what)
{
	str_addf(to, "%zu %s%s", n, what, n == 1 ? "" : "s");
}

void mailq_plan_say(struct str *to, const struct mailq_plan *p)
{
	const char *word = deeds[p->o->deed].word;

	str_addc(to, ascii_upper(word[0]));
	str_addf(to, "%s ", word + 1);
	if (is_of_rcpts(p)) {
		say_number(to, p->n_rcpts, "recipient");
		str_adds(to, " of ");
	}
	say_number(to, p->n_messages,
		   p->is_of_places ? "destination" : "message");
	if (p->o->deed == MAILQ_REDIRECT) {
		str_adds(to, " to ");
		add_target(to, p->o, SLICE("..."));
	}
}

/* ---- doing -------------------------------------------------------------- */

static struct slice name_of(const struct mailq_plan *p, size_t i)
{
	return slice_of(p->names.p + p->entries[i].name);
}

/* The address of an entry, as its control file says; empty: it is gone. */
static struct slice address_of(struct mailq_plan *p, size_t i)
{
	struct slice name = name_of(p, i);
	const struct ctl_rcpt *line;
	struct err err;

	if (!slice_eq(str_slice(&p->last), name)) {
		arena_reset(p->desk->arena);
		str_clear(&p->last);
		p->letter = (struct mailq_message){ 0 };
		if (mailq_letter_read(p->desk, name, &p->letter, &err) !=
		    MAILQ_LETTER_READ)
			return SLICE("");
		str_add(&p->last, name);
	}
	line = mailq_letter_line(p->letter.ctl, p->entries[i].offset);
	return line != NULL ? line->address.user : SLICE("");
}

/*
 * How many entries the request of entry i is about: one, so that what fails
 * can be named; many, if the message has many, since for each request the
 * scheduler reads its control file.
 */
static size_t unit_of(const struct mailq_plan *p, size_t i)
{
	size_t n = 1;

	if (p->o->deed == MAILQ_REDIRECT || p->o->deed == MAILQ_KICK)
		return 1;
	while (n < TOGETHER_MAX && i + n < p->n &&
	       p->entries[i + n].name == p->entries[i].name)
		n++;
	return n > SINGLY_MAX ? n : 1;
}

/* "3 of 40: why": how many of a unit of n have failed. */
static size_t failed_of(struct slice text, size_t n)
{
	struct slice word;
	uint64_t failed;

	if (n > 1 && slice_word(&text, &word) && slice_uint(word, n, &failed))
		return (size_t)failed;
	return n;
}

static void tell_unit(struct mailq_plan *p, size_t i, size_t n)
{
	for (size_t k = i; k < i + n; k++) {
		struct item item = { .name = name_of(p, k),
				     .offset = p->entries[k].offset };

		if (is_of_rcpts(p))
			item.address = address_of(p, k);
		print_item(p, &item);
	}
}

/* One answer, to the request of entry i. -1: the connection is lost. */
static int hear(struct mailq_plan *p, struct mailq_client *c, size_t i,
		struct err *err)
{
	size_t n = unit_of(p, i);
	struct item item = { .name = name_of(p, i),
			     .offset = p->entries[i].offset,
			     .n = n };
	enum mailq_heard heard;
	struct slice line;

	do
		heard = mailq_client_next(c, &line, err);
	while (heard == MAILQ_LINE || heard == MAILQ_INTERRUPTED);
	if (heard == MAILQ_LOST)
		return -1;
	if (heard == MAILQ_REFUSED) {
		item.n = failed_of(slice_of(err->text), n);
		item.error = err->text;
		p->n_failed += item.n;
		p->n_done += n - item.n;
		if (is_of_rcpts(p) && n == 1)
			item.address = address_of(p, i);
		print_item(p, &item);
	} else {
		p->n_done += n;
		if (p->is_shown)
			tell_unit(p, i, n);
	}
	return 0;
}

/* The request for entry i; or why there is none. */
static const char *make_request(struct mailq_plan *p, size_t i, struct str *to)
{
	const struct mailq_options *o = p->o;
	struct slice address = SLICE("");

	if (is_of_rcpts(p) && (p->is_shown || o->deed == MAILQ_REDIRECT))
		address = address_of(p, i); /* it may be gone afterwards */
	str_clear(to);
	str_addf(to, "%s ", deeds[o->deed].word);
	str_add(to, name_of(p, i));
	for (size_t k = 0; is_of_rcpts(p) && k < unit_of(p, i); k++)
		str_addf(to, " %ju", (uintmax_t)p->entries[i + k].offset);
	if (o->deed == MAILQ_REDIRECT) {
		if (o->user.len == 0 && address.len == 0)
			return "its file is gone";
		if (slice_has_control(address))
			return "a control character in its address";
		str_addf(to, " %.*s %.*s ", SLICE_ARG(o->channel),
			 SLICE_ARG(o->host));
		str_add(to, o->user.len > 0 ? o->user : address);
	}
	return NULL;
}

/* Hears until there are answers to all before entry i. */
static int catch_up(struct mailq_plan *p, struct mailq_client *c, size_t *heard,
		    size_t i, struct err *err)
{
	while (*heard < i) {
		if (hear(p, c, *heard, err) < 0)
			return -1;
		*heard += unit_of(p, *heard);
	}
	return 0;
}

/* It cannot even be asked for. */
static void tell_unasked(struct mailq_plan *p, size_t i, const char *error)
{
	struct item item = { .name = name_of(p, i),
			     .offset = p->entries[i].offset,
			     .error = error };

	print_item(p, &item);
	p->n_failed++;
}

/*
 * Requests go ahead of their answers; not beyond a message whose recipients
 * are shown, since its file gives their addresses.
 */
int mailq_plan_do(struct mailq_plan *p, struct mailq_client *c, struct err *err)
{
	struct str request = STR_INIT;
	size_t heard = 0, ahead = 0;
	const char *error;
	int r = 0;

	for (size_t i = 0; i < p->n && r == 0; i += unit_of(p, i)) {
		bool is_next =
		    i > 0 && p->entries[i].name != p->entries[i - 1].name;

		if (ahead >= AHEAD_MAX || (p->is_shown && is_next)) {
			r = catch_up(p, c, &heard, i, err);
			ahead = 0;
		}
		if (r < 0)
			break;
		error = make_request(p, i, &request);
		if (error != NULL) {
			r = catch_up(p, c, &heard, i, err);
			tell_unasked(p, i, error);
			heard = i + 1;
		} else {
			r = mailq_client_ask(c, str_slice(&request), err);
			ahead++;
		}
	}
	if (r == 0)
		r = catch_up(p, c, &heard, p->n, err);
	str_done(&request);
	return r;
}

/* ---- the end ------------------------------------------------------------ */

static void sum_json(struct mailq_plan *p)
{
	struct json j;

	json_begin(&j, &p->out->text);
	json_object(&j, NULL);
	json_text(&j, "kind", SLICE("done"));
	json_uint(&j, "schema", 1);
	json_text(&j, "deed", slice_of(deeds[p->o->deed].word));
	json_bool(&j, "dry_run", p->o->is_dry);
	json_uint(&j, p->is_of_places ? "destinations" : "messages",
		  p->n_messages);
	json_uint(&j, "recipients", p->n_rcpts);
	json_uint(&j, "done", p->n_done);
	json_uint(&j, "failed", p->n_failed);
	json_close(&j);
	str_addc(&p->out->text, '\n');
}

static void sum_text(struct mailq_plan *p)
{
	struct str *to = &p->out->text;
	const char *past = deeds[p->o->deed].past;

	if (p->n_messages == 0) {
		str_addf(to, "nothing to %s\n", deeds[p->o->deed].word);
		return;
	}
	if (p->o->is_dry) {
		str_addf(to, "would have %s ", past);
		if (is_of_rcpts(p)) {
			say_number(to, p->n_rcpts, "recipient");
			str_adds(to, " of ");
		}
		say_number(to, p->n_messages,
			   p->is_of_places ? "destination" : "message");
		str_adds(to, "; nothing was done\n");
		return;
	}
	str_addf(to, "%s ", past);
	say_number(to, p->n_done, unit_word(p));
	if (p->n_failed > 0)
		str_addf(to, "; %zu could not be", p->n_failed);
	str_addc(to, '\n');
}

void mailq_plan_sum(struct mailq_plan *p)
{
	if (p->o->is_json)
		sum_json(p);
	else
		sum_text(p);
}

void mailq_plan_done(struct mailq_plan *p)
{
	str_done(&p->names);
	str_done(&p->last);
	free(p->entries);
}
