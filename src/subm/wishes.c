/*
 * wishes.c - the values by which reports and deadlines are asked for.
 */
#include "subm/wishes.h"

#include "base/keyword.h"
#include "base/xtext.h"
#include "mime/charset.h"
#include "smtp/path.h"

enum { BY_MAX = 999999999, BY_DIGITS_MAX = 9 }; /* RFC 2852 4 */

bool subm_wish_notify(struct slice text, unsigned *ret)
{
	static const struct keyword words[] = {
		{ "success", NOTIFY_SUCCESS },
		{ "failure", NOTIFY_FAILURE },
		{ "delay", NOTIFY_DELAY },
	};
	unsigned notify = 0;
	struct slice word;

	if (slice_eq_nocase(text, SLICE("never"))) {
		*ret = NOTIFY_NEVER;
		return true;
	}
	while (slice_cut(&text, ',', &word)) {
		const struct keyword *row =
		    keyword_find(words, COUNT(words), slice_trim(word));

		if (row == NULL)
			return false;
		notify |= (unsigned)row->value;
	}
	if (notify == 0)
		return false;
	*ret = notify;
	return true;
}

static bool find(const struct keyword *rows, size_t n, struct slice text,
		 int *ret)
{
	const struct keyword *row = keyword_find(rows, n, text);

	if (row == NULL)
		return false;
	*ret = row->value;
	return true;
}

bool subm_wish_ret(struct slice text, enum ctl_ret *ret)
{
	static const struct keyword words[] = { { "full", CTL_RET_FULL },
						{ "hdrs", CTL_RET_HDRS } };
	int value;

	if (!find(words, COUNT(words), text, &value))
		return false;
	*ret = (enum ctl_ret)value;
	return true;
}

bool subm_wish_body(struct slice text, enum subm_body *ret)
{
	static const struct keyword words[] = {
		{ "7bit", SUBM_BODY_7BIT }, { "8bitmime", SUBM_BODY_8BITMIME }
	};
	int value;

	if (!find(words, COUNT(words), text, &value))
		return false;
	*ret = (enum subm_body)value;
	return true;
}

bool subm_wish_by(struct slice text, struct subm_by *ret)
{
	struct subm_by by = { .is_set = true };
	size_t semicolon = slice_find(text, ';');
	struct slice mode = slice_from(text, semicolon + 1);
	uint64_t seconds;

	if (semicolon > BY_DIGITS_MAX ||
	    !slice_uint(slice_head(text, semicolon), BY_MAX, &seconds))
		return false;
	if (semicolon < text.len) {
		by.do_return = slice_starts_nocase(mode, SLICE("R"));
		if (!by.do_return && !slice_starts_nocase(mode, SLICE("N")))
			return false;
		mode = slice_from(mode, 1);
		by.do_trace = slice_eq_nocase(mode, SLICE("T"));
		if (mode.len > 0 && !by.do_trace)
			return false;
	}
	if (by.do_return && seconds == 0)
		return false;
	by.seconds = (uint32_t)seconds;
	*ret = by;
	return true;
}

/* Are all its ASCII bytes such as may stand there, quoted or not? */
static bool is_quoted_utf8(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < 0x80 && s.p[i] != '\\' &&
		    !xtext_is_qchar((unsigned char)s.p[i]))
			return false;
	return utf8_text_is_wide(s);
}

bool subm_wish_orcpt(struct slice text, struct arena *a, struct slice *ret)
{
	const struct slice type = SLICE("utf-8;");
	struct slice address = slice_from(text, type.len);
	struct str made = STR_INIT;
	bool is_good;

	if (slice_starts_nocase(text, type) && is_quoted_utf8(address)) {
		str_add(&made, type);
		xtext_quote_utf8(&made, address, true, '\\');
	} else {
		str_add(&made, text);
	}
	is_good = orcpt_valid(str_slice(&made));
	if (is_good)
		*ret = arena_dup(a, str_slice(&made));
	str_done(&made);
	return is_good;
}
