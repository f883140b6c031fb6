/*
 * tlspolicy.c - what single destinations need of TLS.
 *
 *	file        = *( [ entry / more ] [ remark ] LF )
 *	entry       = destination SEP level *( SEP attribute )
 *	more        = WS *( attribute SEP )	belongs to the entry above
 *	attribute   = key "=" value
 *	remark      = [ WS ] "#" text
 *	SEP         = 1*( SP / TAB / "," )
 *
 * Entries are kept sorted; a destination is looked for as itself and as each
 * domain above it.
 */
#include "conf/tlspolicy.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct reader {
	const char *file;
	const struct tlsterms *base;
	struct arena *arena;
	struct tlspolicy_entry *entries; /* given, from mem_grow() */
	size_t n, cap;
	/* The entry that is being read. */
	struct tlsterms_reader terms;
	bool has_entry, has_level;
	unsigned line;
};

static int fail_at(const struct reader *r, const char *what,
		   const struct err *why, struct err *err)
{
	return FAIL(err, "%s:%u: %s: %s", r->file, r->line, what, why->text);
}

/* ---- one entry ---------------------------------------------------------- */

static bool is_destination(struct slice s)
{
	if (slice_eq(s, SLICE("*")))
		return true;
	if (slice_starts(s, SLICE("[")))
		return slice_has(s, ']') && !slice_has_control(s);
	if (slice_starts_nocase(s, SLICE("UNIX:/")))
		return !slice_has_control(s);
	return tlsterms_is_name(s.len > 1 && s.p[0] == '.' ? slice_from(s, 1)
							   : s);
}

/* Lower case, but for paths, and without a dot at its end. */
static struct slice normal_form(struct slice s, struct arena *a)
{
	bool is_path = slice_starts_nocase(s, SLICE("UNIX:/"));
	char *copy;

	if (!is_path && s.len > 1 && s.p[s.len - 1] == '.')
		s.len--;
	copy = arena_alloc(a, s.len + 1);
	for (size_t i = 0; i < s.len; i++)
		copy[i] = is_path && i >= 5 ? s.p[i] : ascii_lower(s.p[i]);
	return slice_make(copy, s.len);
}

static int begin_entry(struct reader *r, struct slice word, struct err *err)
{
	struct slice destination = normal_form(word, r->arena);

	if (!is_destination(destination))
		return FAIL(
		    err,
		    "%s:%u: '%.*s' is no destination: a domain name "
		    "(in ASCII), \".\" and one, an address in brackets, "
		    "UNIX:/path or *",
		    r->file, r->line, SLICE_ARG(word));
	r->entries =
	    mem_grow(r->entries, &r->cap, r->n + 1, sizeof(*r->entries));
	r->entries[r->n] = (struct tlspolicy_entry){ .destination = destination,
						     .line = r->line };
	tlsterms_begin(&r->terms, r->arena, TLSTERMS_OF_POLICY, r->base);
	r->has_entry = true;
	r->has_level = false;
	return 0;
}

static int end_entry(struct reader *r, struct err *err)
{
	struct err why;

	if (!r->has_entry)
		return 0;
	r->line = r->entries[r->n].line;
	if (!r->has_level)
		return FAIL(err, "%s:%u: a level is missing", r->file, r->line);
	if (tlsterms_end(&r->terms, &r->entries[r->n].terms, &why) < 0)
		return FAIL(err, "%s:%u: %s", r->file, r->line, why.text);
	r->n++;
	r->has_entry = false;
	return 0;
}

/* Everything behind the destination: the level first. */
static int read_word(struct reader *r, struct slice word, struct err *err)
{
	struct slice value = word, key;
	struct err why;

	if (!r->has_level) {
		if (tlsterms_set_level(&r->terms, word, &why) < 0)
			return FAIL(err, "%s:%u: %s", r->file, r->line,
				    why.text);
		r->has_level = true;
		return 0;
	}
	if (!slice_has(word, '='))
		return FAIL(err, "%s:%u: '%.*s': wanted key=value", r->file,
			    r->line, SLICE_ARG(word));
	slice_cut(&value, '=', &key);
	if (tlsterms_set(&r->terms, key, value, &why) < 0) {
		struct str what = STR_INIT;

		str_add_clean(&what, key, 64);
		fail_at(r, str_cstr(&what), &why, err);
		str_done(&what);
		return -1;
	}
	return 0;
}

/* ---- lines -------------------------------------------------------------- */

static bool is_separator(char c)
{
	return c == ' ' || c == '\t' || c == ',';
}

/* Cuts the next word off; false at the end and at a remark. */
static bool cut_word(struct slice *rest, struct slice *ret)
{
	size_t n = 0;

	while (rest->len > 0 && is_separator(rest->p[0]))
		*rest = slice_from(*rest, 1);
	if (rest->len == 0 || rest->p[0] == '#')
		return false;
	while (n < rest->len && !is_separator(rest->p[n]))
		n++;
	*ret = slice_head(*rest, n);
	*rest = slice_from(*rest, n);
	return true;
}

static int read_line(struct reader *r, struct slice line, struct err *err)
{
	bool is_more = line.len > 0 && (line.p[0] == ' ' || line.p[0] == '\t');
	unsigned number = r->line;
	struct slice word;

	if (!cut_word(&line, &word))
		return 0;
	if (is_more && !r->has_entry)
		return FAIL(err,
			    "%s:%u: begins with a blank and continues no entry",
			    r->file, r->line);
	if (is_more && read_word(r, word, err) < 0)
		return -1;
	if (!is_more) {
		if (end_entry(r, err) < 0)
			return -1;
		r->line = number;
		if (begin_entry(r, word, err) < 0)
			return -1;
	}
	while (cut_word(&line, &word))
		if (read_word(r, word, err) < 0)
			return -1;
	return 0;
}

/* ---- the whole ---------------------------------------------------------- */

static int compare_entries(const void *a, const void *b)
{
	const struct tlspolicy_entry *x = a, *y = b;
	int r = slice_order(x->destination, y->destination);

	return r != 0 ? r : (x->line > y->line) - (x->line < y->line);
}

/* Sorts the entries into *ret. */
static int settle(struct reader *r, struct tlspolicy *ret, struct err *err)
{
	struct tlspolicy_entry *kept =
	    arena_array(r->arena, r->n, sizeof(*kept));

	if (r->n > 0) {
		memcpy(kept, r->entries, r->n * sizeof(*kept));
		qsort(kept, r->n, sizeof(*kept), compare_entries);
	}
	for (size_t i = 1; i < r->n; i++)
		if (slice_eq(kept[i - 1].destination, kept[i].destination))
			return FAIL(
			    err, "%s:%u: '%.*s' stands in line %u already",
			    r->file, kept[i].line,
			    SLICE_ARG(kept[i].destination), kept[i - 1].line);
	*ret = (struct tlspolicy){ r->file, kept, r->n };
	return 0;
}

int tlspolicy_parse(struct textfile source, const struct tlsterms *base,
		    struct arena *a, struct tlspolicy *ret, struct err *err)
{
	struct reader r = { .file = source.name, .base = base, .arena = a };
	struct slice line;
	unsigned number = 0;
	int status = 0;

	while (status == 0 && textfile_line(&source.text, &line, &number)) {
		r.line = number;
		status = read_line(&r, line, err);
	}
	if (status == 0)
		status = end_entry(&r, err);
	if (status == 0)
		status = settle(&r, ret, err);
	free(r.entries);
	return status;
}

/* ---- looking up --------------------------------------------------------- */

static const struct tlspolicy_entry *find_exact(const struct tlspolicy *policy,
						struct slice name)
{
	size_t low = 0, high = policy->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct tlspolicy_entry *e = &policy->entries[middle];
		int r = slice_order(name, e->destination);

		if (r == 0)
			return e;
		if (r < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* Has it domains above it? */
static bool has_parents(struct slice name)
{
	return !slice_starts(name, SLICE("[")) &&
	       !slice_starts(name, SLICE("unix:"));
}

const struct tlspolicy_entry *tlspolicy_find(const struct tlspolicy *policy,
					     struct slice destination)
{
	struct arena *a;
	const struct tlspolicy_entry *e;
	struct slice name;

	if (policy->n == 0)
		return NULL;
	if (slice_starts(destination, SLICE("\"[")))
		destination = slice_from(destination, 1);
	a = arena_new();
	name = normal_form(destination, a);
	e = find_exact(policy, name);
	for (size_t i = 1; e == NULL && has_parents(name) && i < name.len; i++)
		if (name.p[i] == '.')
			e = find_exact(policy, slice_from(name, i));
	if (e == NULL)
		e = find_exact(policy, SLICE("*"));
	arena_free(a);
	return e;
}
