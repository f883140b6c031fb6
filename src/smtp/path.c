/*
 * path.c - may this text be sent to a server?
 *
 *	Path          = [ A-d-l ":" ] Mailbox		; RFC 5321 4.1.2
 *	A-d-l         = "@" Domain *( ",@" Domain )
 *	Mailbox       = Local-part [ "@" ( Domain / address-literal ) ]
 *	Local-part    = 1*( atext / "." ) / Quoted-string
 *	Quoted-string = DQUOTE *( qtextSMTP / quoted-pairSMTP ) DQUOTE
 *	literal       = IPv4 / "IPv6:" IPv6 / Ldh-str ":" 1*dcontent ; 4.1.3
 *
 * Bytes above 0x7f count as atext (RFC 6531 3.3), and as letters of a domain.
 * '!' and '%' are atext: UUCP paths pass.
 */
#include "smtp/path.h"

#include "base/xtext.h"

/* Length of the quoted string at the start of s, or 0 if it is broken. */
static size_t quoted_length(struct slice s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.p[i] == '"')
			return i + 1;
		if (s.p[i] == '\\')
			i++;
	}
	return 0;
}

static bool is_8bit(char c)
{
	return (unsigned char)c >= 0x80;
}

static bool is_alnum(char c)
{
	return ascii_is_digit(c) || ascii_is_alpha(c);
}

static bool is_atext(char c)
{
	return is_alnum(c) || is_8bit(c) ||
	       slice_has(SLICE("!#$%&'*+-/=?^_`{|}~"), c);
}

/* Dots in any place: "a..b" and "a." are in use. */
static bool plain_local(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_atext(s.p[i]) && s.p[i] != '.')
			return false;
	return s.len > 0;
}

static bool is_ipv4(struct slice s)
{
	struct slice byte;
	size_t n = 0;
	uint64_t value;

	for (; slice_cut(&s, '.', &byte); n++)
		if (byte.len > 3 || !slice_uint(byte, 255, &value))
			return false;
	return n == 4;
}

static bool is_group(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_digit(s.p[i]) &&
		    (ascii_lower(s.p[i]) < 'a' || ascii_lower(s.p[i]) > 'f'))
			return false;
	return s.len >= 1 && s.len <= 4;
}

/* Counts groups with ':' between them, an IPv4 address at the end as two. */
static bool count_groups(struct slice s, bool may_end_in_v4, size_t *n)
{
	struct slice group;

	if (s.len == 0)
		return true;
	while (slice_cut(&s, ':', &group)) {
		bool is_v4 = s.p == NULL && may_end_in_v4 && is_ipv4(group);

		if (!is_v4 && !is_group(group))
			return false;
		*n += is_v4 ? 2 : 1;
	}
	return true;
}

/* Eight groups, or fewer with one "::" for the others. */
static bool is_ipv6(struct slice s)
{
	size_t gap = slice_find_text(s, SLICE("::")), n = 0;

	if (gap == s.len)
		return count_groups(s, true, &n) && n == 8;
	return count_groups(slice_head(s, gap), false, &n) &&
	       count_groups(slice_from(s, gap + 2), true, &n) && n < 8;
}

/* Of dcontent only what cannot be taken for the end of a path or a domain. */
static bool general_literal(struct slice s)
{
	size_t tag = slice_find(s, ':');

	if (tag == 0 || tag + 1 >= s.len || !is_alnum(s.p[tag - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.p[i]) && s.p[i] != '-' &&
		    (i < tag || !slice_has(SLICE(":._"), s.p[i])))
			return false;
	return true;
}

static bool literal_syntax(struct slice s)
{
	struct slice tag = SLICE("IPv6:");

	if (s.len < 3 || s.p[s.len - 1] != ']')
		return false;
	s = slice_head(slice_from(s, 1), s.len - 2);
	if (slice_starts_nocase(s, tag))
		return is_ipv6(slice_from(s, tag.len));
	return is_ipv4(s) || (general_literal(s) && !is_ipv6(s));
}

/* A label of a domain; '_' is no LDH, but some hosts have it in their names. */
static bool label_syntax(struct slice s)
{
	if (s.len == 0 || s.p[0] == '-' || s.p[s.len - 1] == '-')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.p[i]) && !is_8bit(s.p[i]) && s.p[i] != '-' &&
		    s.p[i] != '_')
			return false;
	return true;
}

static bool domain_syntax(struct slice s)
{
	size_t at;

	if (s.len > 0 && s.p[0] == '[')
		return literal_syntax(s);
	while ((at = slice_find(s, '.')) < s.len) {
		if (!label_syntax(slice_head(s, at)))
			return false;
		s = slice_from(s, at + 1);
	}
	return label_syntax(s);
}

/* Length of a domain in a source route: up to its ',' or ':'. */
static size_t route_domain_length(struct slice s)
{
	size_t n = s.len > 0 && s.p[0] == '[' ? slice_find(s, ']') : 0;

	while (n < s.len && s.p[n] != ',' && s.p[n] != ':')
		n++;
	return n;
}

/* Takes a source route off; *s is the mailbox then. False if it is broken. */
static bool take_route(struct slice *s)
{
	do {
		struct slice domain = slice_from(*s, 1);

		if (s->len == 0 || s->p[0] != '@')
			return false;
		domain = slice_head(domain, route_domain_length(domain));
		if (domain.len > PATH_DOMAIN_MAX || !domain_syntax(domain) ||
		    domain.len + 1 == s->len)
			return false;
		*s = slice_from(*s, domain.len + 1);
		if (s->p[0] == ':') {
			*s = slice_from(*s, 1);
			return true;
		}
		*s = slice_from(*s, 1);
	} while (true);
}

/* Of a mailbox; a broken one may have any length. */
static size_t local_length(struct slice mailbox)
{
	if (mailbox.len > 0 && mailbox.p[0] == '"')
		return quoted_length(mailbox);
	return slice_find_last(mailbox, '@');
}

static bool mailbox_syntax(struct slice s, bool needs_domain)
{
	size_t local = local_length(s);

	if (local == 0 || (s.p[0] != '"' && !plain_local(slice_head(s, local))))
		return false;
	if (local == s.len)
		return !needs_domain;
	return s.p[local] == '@' && domain_syntax(slice_from(s, local + 1));
}

enum path_verdict path_check(struct slice address)
{
	struct slice mailbox = address;
	bool is_routed = address.len > 0 && address.p[0] == '@';

	if (address.len == 0)
		return PATH_EMPTY;
	if (slice_has_control(address) || (is_routed && !take_route(&mailbox)))
		return PATH_BAD_SYNTAX;
	if (!mailbox_syntax(mailbox, is_routed))
		return PATH_BAD_SYNTAX;
	if (address.len > PATH_MAX_BYTES)
		return PATH_TOO_LONG;
	return slice_has_8bit(address) ? PATH_NEEDS_SMTPUTF8 : PATH_OK;
}

size_t path_local_length(struct slice address)
{
	return local_length(address);
}

const char *path_verdict_text(enum path_verdict verdict)
{
	switch (verdict) {
	case PATH_EMPTY:
		return "address is empty";
	case PATH_BAD_SYNTAX:
		return "address is not a valid RFC 5321 path";
	case PATH_TOO_LONG:
		return "address is longer than RFC 5321 allows";
	case PATH_NEEDS_SMTPUTF8:
		return "address needs SMTPUTF8";
	case PATH_OK:
		break;
	}
	return "";
}

bool envid_valid(struct slice s)
{
	return s.len > 0 && s.len <= 100 && xtext_valid(s);
}

bool orcpt_valid(struct slice s)
{
	size_t at = slice_find(s, ';');

	if (s.len > 500 || at == 0 || at >= s.len - 1)
		return false;
	for (size_t i = 0; i < at; i++)
		if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) &&
		    s.p[i] != '-')
			return false;
	return xtext_valid(slice_from(s, at + 1));
}

bool helo_name_valid(struct slice s)
{
	return s.len <= PATH_DOMAIN_MAX && !slice_has_control(s) &&
	       !slice_has_8bit(s) && domain_syntax(s);
}
