/*
 * text.c - pieces of text for people: times, sizes, columns.
 */
#include "mailqb/text.h"

#include "base/keyword.h"

#include <time.h>

/* ---- columns ------------------------------------------------------------ */

/* Marks that stand on the character before them, and what shows nothing. */
static const struct range {
	uint32_t first, last;
} marks[] = {
	{ 0x0300, 0x036f }, { 0x0483, 0x0489 }, { 0x0591, 0x05bd },
	{ 0x0610, 0x061a }, { 0x064b, 0x065f }, { 0x200b, 0x200f },
	{ 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f },
};

static const struct range wides[] = {
	{ 0x1100, 0x115f },   { 0x2e80, 0x303e },   { 0x3041, 0xa4cf },
	{ 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },   { 0xfe30, 0xfe6f },
	{ 0xff00, 0xff60 },   { 0xffe0, 0xffe6 },   { 0x1f300, 0x1f64f },
	{ 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd },
};

static bool is_in(const struct range *rows, size_t n, uint32_t u)
{
	for (size_t i = 0; i < n; i++)
		if (u >= rows[i].first && u <= rows[i].last)
			return true;
	return false;
}

/* The character at the head of text (not empty): its bytes and columns. */
static size_t take_char(struct slice text, size_t *ret_width)
{
	unsigned char c = (unsigned char)text.p[0];
	size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	uint32_t u = n == 1 ? c : c & (0xffU >> (n + 1));

	*ret_width = 1;
	if (n == 1 || n > text.len)
		return 1;
	for (size_t i = 1; i < n; i++) {
		c = (unsigned char)text.p[i];
		if ((c & 0xc0) != 0x80)
			return 1;
		u = u << 6 | (c & 0x3fU);
	}
	if (is_in(marks, COUNT(marks), u))
		*ret_width = 0;
	else if (is_in(wides, COUNT(wides), u))
		*ret_width = 2;
	return n;
}

/* The bytes of as many characters as fit into width; columns in *ret. */
static size_t fit(struct slice text, size_t width, size_t *ret)
{
	size_t at = 0, used = 0, one;

	while (at < text.len) {
		size_t n = take_char(slice_from(text, at), &one);

		if (used + one > width)
			break;
		used += one;
		at += n;
	}
	*ret = used;
	return at;
}

size_t mailq_width(struct slice text)
{
	size_t used;

	(void)fit(text, SIZE_MAX, &used);
	return used;
}

void mailq_add_text(struct str *to, struct slice text)
{
	str_add_clean(to, text, SIZE_MAX);
}

static void add_blanks(struct str *to, size_t n)
{
	while (n-- > 0)
		str_addc(to, ' ');
}

void mailq_add_column(struct str *to, struct slice text, size_t width)
{
	struct str clean = STR_INIT;
	struct slice rest;
	size_t used, n;

	mailq_add_text(&clean, text);
	rest = str_slice(&clean);
	n = fit(rest, width, &used);
	if (n < rest.len && width > 2) {
		n = fit(rest, width - 2, &used);
		str_add(to, slice_head(rest, n));
		str_adds(to, "..");
		used += 2;
	} else {
		str_add(to, slice_head(rest, n));
	}
	add_blanks(to, width - used);
	str_done(&clean);
}

void mailq_add_wrapped(struct str *to, struct slice text, size_t at,
		       size_t indent, size_t width)
{
	size_t used;

	if (width < indent + 20) /* rather too long than a word a line */
		width = indent + 20;
	for (;;) {
		size_t n = fit(text, width > at ? width - at : 1, &used);

		if (n < text.len && text.p[n] != ' ') {
			size_t blank =
			    slice_find_last(slice_head(text, n), ' ');

			if (blank < n && blank > 0)
				n = blank;
		}
		if (n == 0 && text.len > 0)
			n = take_char(text, &used);
		str_add(to, slice_head(text, n));
		str_addc(to, '\n');
		text = slice_from(text, n);
		while (text.len > 0 && text.p[0] == ' ')
			text = slice_from(text, 1);
		if (text.len == 0)
			return;
		add_blanks(to, indent);
		at = indent;
	}
}

/* ---- times and sizes ---------------------------------------------------- */

void mailq_add_interval(struct str *to, int64_t seconds)
{
	static const struct {
		int64_t length;
		char letter;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	uint64_t left = seconds > 0 ? (uint64_t)seconds : 0;
	int n_printed = 0;

	for (size_t i = 0; i < COUNT(units) && n_printed < 2; i++) {
		uint64_t n = left / (uint64_t)units[i].length;

		left %= (uint64_t)units[i].length;
		if (n > 0) {
			str_addu(to, n);
			str_addc(to, units[i].letter);
		}
		n_printed += n > 0 || n_printed > 0;
	}
	if (n_printed == 0)
		str_adds(to, "0s");
}

static const char *const days[] = { "Sun", "Mon", "Tue", "Wed",
				    "Thu", "Fri", "Sat" };
static const char *const months[] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun",
	"Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
};

/* What a calendar does not have is 1970. */
static struct tm local(int64_t when)
{
	time_t t = (time_t)when, zero = 0;
	struct tm tm = { 0 };

	if (localtime_r(&t, &tm) == NULL)
		(void)localtime_r(&zero, &tm);
	return tm;
}

void mailq_add_time(struct str *to, int64_t when, bool with_year)
{
	struct tm tm = local(when);

	str_addf(to, "%s %s %2d %02d:%02d:%02d", days[tm.tm_wday],
		 months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min,
		 tm.tm_sec);
	if (with_year)
		str_addf(to, " %d", tm.tm_year + 1900);
}

void mailq_add_near_time(struct str *to, int64_t when, int64_t now)
{
	struct tm tm = local(when), today = local(now);

	if (tm.tm_yday != today.tm_yday || tm.tm_year != today.tm_year)
		str_addf(to, "%s %s %d ", days[tm.tm_wday], months[tm.tm_mon],
			 tm.tm_mday);
	str_addf(to, "%02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void mailq_add_utc(struct str *to, int64_t when)
{
	time_t t = (time_t)when;
	struct tm tm = { .tm_mday = 1, .tm_year = 70 };

	(void)gmtime_r(&t, &tm);
	str_addf(to, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
		 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void mailq_add_size(struct str *to, uint64_t bytes)
{
	static const char letters[] = "KMGTPE";
	uint64_t whole = bytes, tenth = 0;
	size_t i = 0;

	if (bytes < 1000) {
		str_addu(to, bytes);
		return;
	}
	for (; whole >= 1000; i++) {
		tenth = whole % 1024 * 10 / 1024;
		whole /= 1024;
	}
	str_addu(to, whole);
	if (whole < 10)
		str_addf(to, ".%u", (unsigned)tenth);
	str_addc(to, letters[i - 1]);
}

void mailq_add_unfolded(struct str *to, struct slice body)
{
	struct str flat = STR_INIT;

	str_reserve(&flat, body.len);
	for (size_t i = 0; i < body.len; i++)
		if (body.p[i] != '\n' && body.p[i] != '\r')
			str_addc(&flat, body.p[i]);
	mailq_add_text(to, str_slice(&flat));
	str_done(&flat);
}
