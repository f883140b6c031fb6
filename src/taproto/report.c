/*
 * report.c - lines from an agent to the scheduler.
 *
 * All that depends on the status word stands in one table.
 */
#include "taproto/report.h"

#include "base/keyword.h"

#include <assert.h>

struct word {
	const char *text;
	bool has_dline;	 /* the agent has written a `d` line */
	bool has_notary; /* the notary field is filled (section 5.1) */
};

static const struct word words[] = {
	[STATUS_OK] = { "ok", false, true },
	[STATUS_OK2] = { "ok2", true, false },
	[STATUS_OK3] = { "ok3", false, false },
	[STATUS_ERROR] = { "error", false, true },
	[STATUS_ERROR2] = { "error2", true, false },
	[STATUS_DEFERRED] = { "deferred", false, true },
	[STATUS_RETRYAT] = { "retryat", false, true },
	[STATUS_DEFERALL] = { "deferall", false, true },
	[STATUS_DEFERBACK] = { "deferback", false, true },
	[STATUS_UNKNOWN] = { "", false, false },
};

const char *report_status_word(enum report_status status)
{
	assert((size_t)status < COUNT(words));
	return words[status].text;
}

bool report_status_has_dline(enum report_status status)
{
	assert((size_t)status < COUNT(words));
	return words[status].has_dline;
}

enum report_status report_status_of(const struct diag *d, bool notify_success)
{
	static const enum report_status of_fate[] = {
		[FATE_FAILED] = STATUS_ERROR2,
		[FATE_DEFERRED] = STATUS_DEFERRED,
		[FATE_DEFERRED_ALL] = STATUS_DEFERALL,
		[FATE_RETRY_AT] = STATUS_RETRYAT,
		[FATE_DEFERRED_BACK] = STATUS_DEFERBACK,
	};

	if (fate_is_success(d->fate))
		return notify_success && !d->dsn_handed_over ? STATUS_OK2
							     : STATUS_OK3;
	if (d->fate == FATE_RETRY_AT && d->retry_after == 0)
		return STATUS_DEFERRED;
	return of_fate[d->fate];
}

/* ---- reading ------------------------------------------------------------ */

static enum report_status status_of_word(struct slice text)
{
	for (size_t i = 0; i < STATUS_UNKNOWN; i++)
		if (slice_eq(text, slice_of(words[i].text)))
			return (enum report_status)i;
	return STATUS_UNKNOWN;
}

/*
 * The number behind "retryat": [ "+" ] digits, then a blank or the end.
 * Without one the message is all there is.
 */
static void parse_retry(struct report *r)
{
	struct slice rest = r->message;
	bool is_relative = slice_starts(rest, SLICE("+"));
	struct slice number;

	if (is_relative)
		rest = slice_from(rest, 1);
	if (!slice_cut(&rest, ' ', &number) ||
	    !slice_uint(number, UINT64_MAX, &r->retry))
		return;
	r->has_retry = true;
	r->retry_is_relative = is_relative;
	r->message = rest;
}

/* id "/" offset TAB notary TAB status [ SP message ] */
static bool parse_result(struct slice line, struct report *r)
{
	struct slice rest = line, place, word, id, offset;

	if (!slice_cut(&rest, '\t', &place) ||
	    !slice_cut(&rest, '\t', &r->notary) || rest.p == NULL)
		return false;
	if (!slice_cut(&place, '/', &id) || !slice_uint(id, UINT64_MAX, &r->id))
		return false;
	offset = place;
	if (!slice_uint(offset, UINT64_MAX, &r->offset))
		return false;
	slice_cut(&rest, ' ', &word);
	r->status = status_of_word(word);
	r->message = rest;
	if (r->status == STATUS_RETRYAT)
		parse_retry(r);
	return true;
}

static void parse_comment(struct slice line, struct report *r)
{
	struct slice text = slice_from(line, line.len > 0 ? 1 : 0);

	if (slice_starts(line, SLICE("#hungry"))) {
		r->kind = REPORT_HUNGRY;
		return;
	}
	if (slice_eq(line, SLICE("#resync")) ||
	    slice_starts(line, SLICE("#resync "))) {
		r->name = slice_from(line, SLICE("#resync ").len);
		r->kind = r->name.len > 0 ? REPORT_RESYNC : REPORT_MALFORMED;
		return;
	}
	if (slice_starts(text, SLICE(" ")))
		text = slice_from(text, 1);
	r->kind = REPORT_COMMENT;
	r->message = text;
}

void report_parse(struct slice line, struct report *ret)
{
	struct report r = { .status = STATUS_UNKNOWN, .line = line };

	if (line.len == 0 || line.p[0] == '#') {
		parse_comment(line, &r);
	} else if (parse_result(line, &r)) {
		r.kind = REPORT_RESULT;
	} else {
		r = (struct report){ .kind = REPORT_MALFORMED,
				     .status = STATUS_UNKNOWN,
				     .line = line };
	}
	*ret = r;
}

/* ---- printing ----------------------------------------------------------- */

void report_print_hungry(struct str *to)
{
	str_adds(to, "#hungry\n");
}

void report_print_resync(struct str *to, struct slice name)
{
	str_adds(to, "#resync ");
	str_add_clean(to, name, SIZE_MAX);
	str_addc(to, '\n');
}

/* Adds text, made clean, with `instead` for each CR and LF. */
static void add_lines(struct str *to, struct slice text, char instead)
{
	while (text.len > 0) {
		size_t n = 0;

		while (n < text.len && text.p[n] != '\r' && text.p[n] != '\n')
			n++;
		str_add_clean(to, slice_head(text, n), SIZE_MAX);
		if (n < text.len)
			str_addc(to, instead);
		text = slice_from(text, n + 1);
	}
}

void report_print_comment(struct str *to, struct slice text)
{
	str_adds(to, "# ");
	add_lines(to, text, ' ');
	str_addc(to, '\n');
}

void report_add_message(struct str *to, struct slice text, size_t max)
{
	add_lines(to, slice_head(text, max), '\r');
}

void report_print_result(struct str *to, const struct report_result *r)
{
	assert(r->status < STATUS_UNKNOWN);
	str_addu(to, r->id);
	str_addc(to, '/');
	str_addu(to, r->offset);
	str_addc(to, '\t');
	if (words[r->status].has_notary) {
		struct notary n = notary_of_diag(r->diag, r->recipient,
						 r->ta_id.len > 0, r->ta_id);

		notary_print(to, &n);
	}
	str_addc(to, '\t');
	str_adds(to, words[r->status].text);
	if (r->status == STATUS_RETRYAT)
		str_addf(to, " +%u", r->diag->retry_after);
	str_addc(to, ' ');
	report_add_message(to, r->diag->text, SIZE_MAX);
	str_addc(to, '\n');
}
