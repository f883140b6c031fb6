/*
 * ctl_dsn.c - the items of an `N` line.
 *
 *	line   = *(SP / TAB) item *(1*(SP / TAB) item)
 *	NOTIFY= ("NEVER" / word *("," word)), words SUCCESS FAILURE DELAY TRACE
 *	ORCPT= INRCPT= INFROM= addr-type ";" xtext	(RFC 3461 4.2)
 *	BY= ["-"] digits [";" *("R" / "N" / "T")]	(RFC 2852, absolute)
 *	EZMLM= text
 *	REQUIRETLS			(RFC 8689; ours: others skip it)
 *
 * Nothing in an `N` line makes a file unusable: what is not understood is
 * left out, since a recipient without its wishes is better than none.
 */
#include "spool/ctl_field.h"

#include "base/keyword.h"

/*
 * NEVER excludes the others (RFC 3461 4.1), so it counts only as the one and
 * only first word. Reading stops at the first unknown word.
 */
static void read_notify(struct slice value, struct ctl_dsn *dsn)
{
	static const struct keyword words[] = {
		{ "SUCCESS", NOTIFY_SUCCESS },
		{ "FAILURE", NOTIFY_FAILURE },
		{ "DELAY", NOTIFY_DELAY },
		{ "TRACE", NOTIFY_TRACE },
	};
	const struct keyword *row;
	struct slice word;

	dsn->has_notify = true;
	dsn->notify = 0;
	while (slice_cut(&value, ',', &word)) {
		if (dsn->notify == 0 && slice_eq_nocase(word, SLICE("NEVER"))) {
			dsn->notify = NOTIFY_NEVER;
			return;
		}
		row = keyword_find(words, COUNT(words), word);
		if (row == NULL)
			return;
		dsn->notify |= (unsigned)row->value;
	}
}

/* The letters behind "BY=seconds;"; reading stops at an unknown one. */
static void read_by_modes(struct slice modes, struct ctl_deliverby *by)
{
	for (size_t i = 0; i < modes.len; i++) {
		char c = ascii_upper(modes.p[i]);

		if (c == 'R')
			by->do_return = true;
		else if (c == 'N')
			by->do_notify = true;
		else if (c == 'T')
			by->do_trace = true;
		else
			break;
	}
	/* A deadline must mean something: telling is the milder meaning. */
	if (!by->do_return && !by->do_notify)
		by->do_notify = true;
}

static void read_by(struct slice value, struct ctl_dsn *dsn)
{
	struct ctl_deliverby by = { .is_set = true };
	struct slice digits;
	bool is_negative;
	uint64_t n;

	if (!slice_cut(&value, ';', &digits))
		return;
	is_negative = slice_starts(digits, SLICE("-"));
	if (!slice_uint(slice_from(digits, is_negative), INT64_MAX, &n))
		return;
	by.deadline = is_negative ? -(int64_t)n : (int64_t)n;
	read_by_modes(value, &by);
	dsn->by = by;
}

static void read_orcpt(struct slice value, struct ctl_dsn *dsn)
{
	dsn->orcpt = value;
}

static void read_inrcpt(struct slice value, struct ctl_dsn *dsn)
{
	dsn->inrcpt = value;
}

static void read_infrom(struct slice value, struct ctl_dsn *dsn)
{
	dsn->infrom = value;
}

static void read_ezmlm(struct slice value, struct ctl_dsn *dsn)
{
	dsn->ezmlm = value;
}

static const struct item {
	const char *key;
	void (*read)(struct slice value, struct ctl_dsn *dsn);
} items[] = {
	{ "NOTIFY", read_notify }, { "ORCPT", read_orcpt },
	{ "INRCPT", read_inrcpt }, { "INFROM", read_infrom },
	{ "BY", read_by },	   { "EZMLM", read_ezmlm },
};

void ctl_read_dsn(struct slice value, struct ctl_dsn *dsn)
{
	struct slice item, key;

	while (slice_word(&value, &item)) {
		if (slice_eq_nocase(item, SLICE("REQUIRETLS")))
			dsn->requires_tls = true;
		if (!slice_has(item, '=') || !slice_cut(&item, '=', &key))
			continue;
		for (size_t i = 0; i < COUNT(items); i++)
			if (slice_eq_nocase(key, slice_of(items[i].key)))
				items[i].read(item, dsn);
	}
}
