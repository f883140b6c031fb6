/*
 * dns_name.c - DNS names as text and as bytes.
 *
 *	name   = "." / label *( "." label ) [ "." ]
 *	label  = 1*63 byte
 *	byte   = letter / digit / one of "-_*+/=" / any other but "." and "\"
 *	       / "\" 3digit / "\" any but a digit
 *
 * Printing escapes all that does not stand in the third line by name, so that
 * a printed name has no blanks, no control bytes, and one form only.
 */
#include "net/dns_wire.h"

#include <string.h>

/* Cuts one byte of a label off *rest. False if an escape is bad. */
static bool cut_byte(struct slice *rest, unsigned char *ret)
{
	unsigned value = 0;

	if (rest->p[0] != '\\') {
		*ret = (unsigned char)rest->p[0];
		*rest = slice_from(*rest, 1);
		return true;
	}
	if (rest->len < 2)
		return false;
	if (!ascii_is_digit(rest->p[1])) {
		*ret = (unsigned char)rest->p[1];
		*rest = slice_from(*rest, 2);
		return true;
	}
	if (rest->len < 4)
		return false;
	for (size_t i = 1; i < 4; i++) {
		if (!ascii_is_digit(rest->p[i]))
			return false;
		value = value * 10 + (unsigned)(rest->p[i] - '0');
	}
	if (value > 255)
		return false;
	*ret = (unsigned char)value;
	*rest = slice_from(*rest, 4);
	return true;
}

/* Cuts a label off *rest, with the dot behind it, and adds it to *to. */
static bool cut_label(struct slice *rest, struct dns_name *to)
{
	unsigned char label[DNS_LABEL_MAX];
	size_t n = 0;

	while (rest->len > 0 && rest->p[0] != '.')
		if (n == sizeof(label) || !cut_byte(rest, &label[n++]))
			return false;
	*rest = slice_from(*rest, 1);
	/* Room for the empty label at the end is kept. */
	if (n == 0 || to->len + 1 + n + 1 > DNS_NAME_MAX)
		return false;
	to->bytes[to->len++] = (unsigned char)n;
	memcpy(to->bytes + to->len, label, n);
	to->len += n;
	return true;
}

bool dns_name_read(struct slice text, struct dns_name *ret)
{
	struct dns_name name = { .len = 0 };

	if (text.len == 0)
		return false;
	if (slice_eq(text, SLICE(".")))
		text.len = 0;
	while (text.len > 0)
		if (!cut_label(&text, &name))
			return false;
	name.bytes[name.len++] = 0;
	*ret = name;
	return true;
}

static bool is_plain(unsigned char c)
{
	return ascii_is_alpha((char)c) || ascii_is_digit((char)c) ||
	       (c != '\0' && strchr("-_*+/=", c) != NULL);
}

void dns_name_print(struct str *to, const struct dns_name *name)
{
	const unsigned char *p = name->bytes;

	if (*p == 0)
		str_addc(to, '.');
	for (; *p != 0; p += 1 + *p) {
		if (p != name->bytes)
			str_addc(to, '.');
		for (size_t i = 1; i <= *p; i++) {
			if (is_plain(p[i]))
				str_addc(to, (char)p[i]);
			else if (p[i] == '.' || p[i] == '\\')
				str_addf(to, "\\%c", p[i]);
			else
				str_addf(to, "\\%03u", p[i]);
		}
	}
}

struct slice dns_name_text(const struct dns_name *name, struct arena *a)
{
	struct str text = STR_INIT;
	struct slice s;

	dns_name_print(&text, name);
	s = arena_dup(a, str_slice(&text));
	str_done(&text);
	return s;
}

bool dns_name_eq(const struct dns_name *a, const struct dns_name *b)
{
	/* Lengths are below 'A', so folding cannot touch them. */
	return slice_eq_nocase(slice_make((const char *)a->bytes, a->len),
			       slice_make((const char *)b->bytes, b->len));
}
