/*
 * status.c - enhanced mail system status codes (RFC 3463 section 2).
 *
 * Leading zeros are accepted, since peers send them, and never printed.
 */
#include "dsn/status.h"

enum { FIELD_DIGITS = 3 };

/* Cuts 1*3DIGIT off the start of *rest; false if a fourth follows. */
static bool take_number(struct slice *rest, unsigned *ret)
{
	size_t digits = 0;
	uint64_t n;

	while (digits < rest->len && ascii_is_digit(rest->p[digits]))
		digits++;
	if (digits > FIELD_DIGITS ||
	    !slice_uint(slice_head(*rest, digits), 999, &n))
		return false;
	*rest = slice_from(*rest, digits);
	*ret = (unsigned)n;
	return true;
}

static bool take_dot(struct slice *rest)
{
	if (rest->len == 0 || rest->p[0] != '.')
		return false;
	*rest = slice_from(*rest, 1);
	return true;
}

size_t status_parse(struct slice text, struct status *ret)
{
	struct slice rest = slice_from(text, 1);
	struct status code;

	if (text.len == 0)
		return 0;
	if (text.p[0] != '2' && text.p[0] != '4' && text.p[0] != '5')
		return 0;
	code.class = (unsigned)(text.p[0] - '0');
	if (!take_dot(&rest) || !take_number(&rest, &code.subject) ||
	    !take_dot(&rest) || !take_number(&rest, &code.detail))
		return 0;
	if (rest.len > 0 && rest.p[0] == '.')
		return 0;
	*ret = code;
	return text.len - rest.len;
}

struct slice status_word(struct slice text)
{
	struct status code;

	return slice_head(text, status_parse(text, &code));
}

void status_print(struct str *to, struct status code)
{
	str_addf(to, "%u.%u.%u", code.class, code.subject, code.detail);
}
