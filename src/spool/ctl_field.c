/*
 * ctl_field.c - the values of single control-file fields.
 *
 * Specification: control file format, sections 3 and 4.
 */
#include "spool/ctl_field.h"

#include "base/keyword.h"

#include <assert.h>
#include <limits.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Where a scan by the rule of section 4.1 stands. */
struct scan {
	bool is_quoted, is_escaped;
};

/* Takes one byte; false if the byte ends the token. */
static bool scan_byte(struct scan *s, char c)
{
	if (s->is_escaped) {
		s->is_escaped = false;
		return true;
	}
	if (!s->is_quoted && is_blank(c))
		return false;
	if (c == '\\')
		s->is_escaped = true;
	else if (c == '"')
		s->is_quoted = !s->is_quoted;
	return true;
}

bool ctl_token(struct slice *rest, struct slice *ret_token)
{
	struct scan scan = { 0 };
	struct slice s = *rest;
	size_t n = 0;

	while (s.len > 0 && is_blank(s.p[0]))
		s = slice_from(s, 1);
	while (n < s.len && scan_byte(&scan, s.p[n]))
		n++;
	*rest = slice_from(s, n);
	if (n == 0)
		return false;
	*ret_token = slice_head(s, n);
	return true;
}

/* Would ctl_token() give text back whole, whatever blank follows it? */
static bool is_token(struct slice text)
{
	struct scan scan = { 0 };

	for (size_t i = 0; i < text.len; i++)
		if (!scan_byte(&scan, text.p[i]))
			return false;
	return text.len > 0 && !scan.is_quoted && !scan.is_escaped;
}

void ctl_print_token(struct str *to, struct slice text)
{
	assert(!slice_has(text, '\n') && !slice_has(text, '\0'));
	if (text.len == 0) {
		str_addc(to, '-');
		return;
	}
	if (is_token(text)) {
		str_add(to, text);
		return;
	}
	str_addc(to, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			str_addc(to, '\\');
		str_addc(to, text.p[i]);
	}
	str_addc(to, '"');
}

bool ctl_read_address(struct slice value, struct ctl_address *ret)
{
	struct ctl_address a = { 0 };

	if (!ctl_token(&value, &a.channel) || !ctl_token(&value, &a.host) ||
	    !ctl_token(&value, &a.user))
		return false;
	a.privilege = slice_trim(value);
	if (a.privilege.len == 0)
		return false;
	*ret = a;
	return true;
}

/* Value of a digit of up to base 16; 16 if c is none. */
static unsigned digit_value(char c)
{
	c = ascii_lower(c);
	if (ascii_is_digit(c))
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	return 16;
}

bool ctl_read_flags(struct slice value, unsigned *ret)
{
	struct slice s = slice_trim(value);
	uint64_t n = 0;
	unsigned base = 10;

	if (slice_starts_nocase(s, SLICE("0x"))) {
		base = 16;
		s = slice_from(s, 2);
	} else if (slice_starts(s, SLICE("0"))) {
		base = 8;
	}
	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = digit_value(s.p[i]);

		if (digit >= base)
			return false;
		n = n * base + digit;
		if (n > UINT32_MAX)
			return false;
	}
	*ret = (unsigned)n;
	return true;
}

static bool is_slot_byte(char c)
{
	return c == ' ' || ascii_is_digit(c);
}

static bool begins_slot(struct slice s)
{
	return s.len > 0 && is_slot_byte(s.p[0]);
}

/* Cuts a slot of `width` bytes off *rest. */
static bool cut_slot(struct slice *rest, size_t width, struct slice *ret_slot)
{
	if (rest->len < width)
		return false;
	for (size_t i = 0; i < width; i++)
		if (!is_slot_byte(rest->p[i]))
			return false;
	*ret_slot = slice_head(*rest, width);
	*rest = slice_from(*rest, width);
	return true;
}

bool ctl_read_rcpt(struct slice line, unsigned flags, struct ctl_rcpt *ret,
		   const char **ret_why)
{
	struct slice rest = slice_from(line, 2), delay_slot = { 0 };
	uint64_t delays = 0;
	struct ctl_rcpt r = { 0 };

	*ret_why = "recipient without its slots";
	if (line.len < 2)
		return false;
	r.tag = line.p[1];
	r.has_pid_slot =
	    (flags & (CTL_FLAG_PID | CTL_FLAG_DELAY)) != 0 || begins_slot(rest);
	if (r.has_pid_slot && !cut_slot(&rest, CTL_PID_WIDTH, &r.pid_slot))
		return false;
	r.has_delay_slot = r.has_pid_slot &&
			   ((flags & CTL_FLAG_DELAY) != 0 || begins_slot(rest));
	if (r.has_delay_slot && !cut_slot(&rest, CTL_DELAY_WIDTH, &delay_slot))
		return false;
	if (slice_uint(slice_trim(delay_slot), UINT_MAX, &delays))
		r.delays = (unsigned)delays;
	*ret_why = "recipient without its four parts";
	if (!ctl_read_address(rest, &r.address))
		return false;
	*ret = r;
	return true;
}

enum ctl_ret ctl_read_ret(struct slice value)
{
	static const struct keyword words[] = {
		{ "FULL", CTL_RET_FULL },
		{ "HDRS", CTL_RET_HDRS },
	};
	const struct keyword *row =
	    keyword_find(words, COUNT(words), slice_trim(value));

	return row != NULL ? (enum ctl_ret)row->value : CTL_RET_NONE;
}
