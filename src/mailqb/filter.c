/*
 * filter.c - which recipients are asked for.
 *
 * In a glob only the last star is gone back to, so the time is at most the
 * product of both lengths.
 */
#include "mailqb/filter.h"

#include "base/interval.h"
#include "spool/spoolid.h"

/* ---- globs -------------------------------------------------------------- */

/* The length of the item at the head of glob: "[a-z]", "\x" or one byte. */
static size_t item_len(struct slice glob)
{
	size_t end;

	if (glob.p[0] == '\\' && glob.len > 1)
		return 2;
	if (glob.p[0] != '[' || glob.len < 3)
		return 1;
	/* The first byte in the brackets is never their end. */
	end = slice_find(slice_from(glob, 2), ']') + 2;
	return end < glob.len ? end + 1 : 1;
}

static bool set_has(struct slice set, char c)
{
	bool is_not = set.len > 1 && (set.p[0] == '^' || set.p[0] == '!');
	bool has = false;

	for (size_t i = is_not ? 1 : 0; i < set.len; i++) {
		char low = ascii_lower(set.p[i]), high = low;

		if (i + 2 < set.len && set.p[i + 1] == '-') {
			high = ascii_lower(set.p[i + 2]);
			i += 2;
		}
		has |= (unsigned char)low <= (unsigned char)c &&
		       (unsigned char)c <= (unsigned char)high;
	}
	return has != is_not;
}

static bool item_fits(struct slice item, char c)
{
	c = ascii_lower(c);
	if (item.len == 1)
		return item.p[0] == '?' || ascii_lower(item.p[0]) == c;
	if (item.p[0] == '\\')
		return ascii_lower(item.p[1]) == c;
	return set_has(slice_head(slice_from(item, 1), item.len - 2), c);
}

bool mailq_glob(struct slice glob, struct slice text)
{
	struct slice star_glob = { 0 }, star_text = { 0 };
	bool has_star = false;

	for (;;) {
		size_t n = glob.len > 0 ? item_len(glob) : 0;

		if (n == 1 && glob.p[0] == '*') {
			glob = slice_from(glob, 1);
			star_glob = glob;
			star_text = text;
			has_star = true;
			continue;
		}
		if (n == 0 && text.len == 0)
			return true;
		if (n > 0 && text.len > 0 &&
		    item_fits(slice_head(glob, n), text.p[0])) {
			glob = slice_from(glob, n);
			text = slice_from(text, 1);
			continue;
		}
		if (!has_star || star_text.len == 0)
			return false;
		star_text = slice_from(star_text, 1);
		glob = star_glob;
		text = star_text;
	}
}

static bool has_text(struct slice reason, struct slice wanted)
{
	for (size_t i = 0; i + wanted.len <= reason.len; i++)
		if (slice_starts_nocase(slice_from(reason, i), wanted))
			return true;
	return false;
}

bool mailq_reason_fits(struct slice wanted, struct slice reason)
{
	if (slice_has(wanted, '*') || slice_has(wanted, '?'))
		return mailq_glob(wanted, reason);
	return has_text(reason, wanted);
}

/* ---- what is asked for -------------------------------------------------- */

bool mailq_age_parse(struct slice text, struct mailq_filter *f)
{
	enum mailq_than than = MAILQ_OLDER;
	unsigned age;

	if (slice_starts(text, SLICE("<")))
		than = MAILQ_YOUNGER;
	if (slice_starts(text, SLICE("<")) || slice_starts(text, SLICE(">")))
		text = slice_trim(slice_from(text, 1));
	if (text.len == 0 || !interval_parse(text, &age))
		return false;
	f->than = than;
	f->age = age;
	return true;
}

bool mailq_states_parse(struct slice text, struct mailq_filter *f,
			struct slice *ret_bad)
{
	struct slice word;

	while (slice_cut(&text, ',', &word)) {
		enum mailq_state state = mailq_state_find(word);

		if (state == MAILQ_STATES) {
			*ret_bad = word;
			return false;
		}
		f->states |= 1U << state;
	}
	return true;
}

bool mailq_filter_is_empty(const struct mailq_filter *f)
{
	return f->ids == NULL && f->senders == NULL && f->rcpts == NULL &&
	       f->destinations == NULL && f->statuses == NULL &&
	       f->reasons == NULL && f->states == 0 && f->than == MAILQ_ANY_AGE;
}

/* "S", an inode number, and the time in eight letters or more. */
static bool is_spool_id(struct slice id)
{
	const size_t time_len = 8;
	size_t n = 1;

	while (n < id.len && ascii_is_digit(id.p[n]))
		n++;
	return slice_starts(id, SLICE("S")) && n > 1 && n + time_len <= id.len;
}

struct slice mailq_id_name(struct slice id)
{
	size_t n = 1;

	if (!is_spool_id(id))
		return id;
	while (ascii_is_digit(id.p[n]))
		n++;
	return slice_from(slice_head(id, n), 1);
}

bool mailq_filter_needs_files(const struct mailq_filter *f)
{
	if (f->senders != NULL || f->rcpts != NULL)
		return true;
	for (const struct mailq_words *w = f->ids; w != NULL; w = w->next)
		if (is_spool_id(w->text))
			return true;
	return false;
}

static bool any_fits(const struct mailq_words *w, struct slice text)
{
	for (; w != NULL; w = w->next)
		if (mailq_glob(w->text, text))
			return true;
	return false;
}

/* By its name as it is, or by its last component. */
bool mailq_filter_name(const struct mailq_filter *f, struct slice name)
{
	const struct mailq_words *w = f->ids;
	size_t slash = slice_find_last(name, '/');
	struct slice base = slice_from(name, slash < name.len ? slash + 1 : 0);

	if (w == NULL)
		return true;
	for (; w != NULL; w = w->next)
		if (slice_eq(w->text, name) ||
		    slice_eq(mailq_id_name(w->text), base))
			return true;
	return false;
}

bool mailq_filter_spool_id(const struct mailq_filter *f,
			   const struct mailq_message *m)
{
	struct str id = STR_INIT;
	struct mailq_filter one = { 0 };
	bool is_it = f->ids == NULL;

	spoolid_print(&id, m->inode, m->mtime, m->mtime_ns);
	for (const struct mailq_words *w = f->ids; w != NULL; w = w->next) {
		struct mailq_words alone = { NULL, w->text };

		one.ids = &alone;
		if (is_spool_id(w->text) ? slice_eq(w->text, str_slice(&id))
					 : mailq_filter_name(&one, m->name))
			is_it = true;
	}
	str_done(&id);
	return is_it;
}

/* The null sender is asked for as "<>", or as nothing. */
static bool sender_fits(const struct mailq_words *w, struct slice sender)
{
	if (sender.len > 0)
		return any_fits(w, sender);
	for (; w != NULL; w = w->next)
		if (w->text.len == 0 || slice_eq(w->text, SLICE("<>")) ||
		    mailq_glob(w->text, sender))
			return true;
	return false;
}

bool mailq_filter_message(const struct mailq_filter *f,
			  const struct mailq_message *m, int64_t now)
{
	int64_t age = now - m->arrived;

	if (f->than == MAILQ_OLDER && age <= (int64_t)f->age)
		return false;
	if (f->than == MAILQ_YOUNGER && age >= (int64_t)f->age)
		return false;
	return mailq_filter_name(f, m->name);
}

bool mailq_filter_place(const struct mailq_filter *f, struct slice channel,
			struct slice host)
{
	const struct mailq_words *w = f->destinations;

	if (w == NULL)
		return true;
	for (; w != NULL; w = w->next) {
		size_t slash = slice_find(w->text, '/');

		if (slash == w->text.len) {
			if (mailq_glob(w->text, host))
				return true;
		} else if (mailq_glob(slice_head(w->text, slash), channel) &&
			   mailq_glob(slice_from(w->text, slash + 1), host)) {
			return true;
		}
	}
	return false;
}

/* A status may have a comment behind it. */
static bool status_fits(const struct mailq_words *w, struct slice status)
{
	return any_fits(w, slice_head(status, slice_find(status, ' ')));
}

static bool reason_fits(const struct mailq_words *w,
			const struct mailq_reason *reason)
{
	for (; w != NULL; w = w->next)
		if (mailq_reason_fits(w->text, reason->text) ||
		    mailq_reason_fits(w->text, reason->host_said))
			return true;
	return false;
}

bool mailq_filter_rcpt(const struct mailq_filter *f, const struct mailq_rcpt *r)
{
	static const struct mailq_reason none;
	const struct mailq_reason *why =
	    r->job != NULL ? &r->job->reason : &none;

	if (f->states == 0 ? mailq_state_is_over(r->state)
			   : (f->states >> r->state & 1) == 0)
		return false;
	if (!mailq_filter_place(f, r->channel, r->host))
		return false;
	if (f->senders != NULL &&
	    (r->from == NULL ||
	     !sender_fits(f->senders, r->from->is_null
					  ? SLICE("")
					  : r->from->address.user)))
		return false;
	if (f->rcpts != NULL && !any_fits(f->rcpts, r->address))
		return false;
	if (f->statuses != NULL && !status_fits(f->statuses, why->status))
		return false;
	return f->reasons == NULL || reason_fits(f->reasons, why);
}
