/*
 * path.c - may this text be sent to a server?
 *
 *	Mailbox       = Local-part [ "@" ( Domain / address-literal ) ]
 *	Local-part    = Dot-string / Quoted-string	; RFC 5321 4.1.2
 *	Quoted-string = DQUOTE *( qtextSMTP / quoted-pairSMTP ) DQUOTE
 *
 * A local part outside quotes may hold any printable byte but blank, '<',
 * '>', '"' and '\': routes and UUCP paths are left to the server to judge.
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

static bool plain_local(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == ' ' || s.p[i] == '<' || s.p[i] == '>' ||
		    s.p[i] == '"' || s.p[i] == '\\')
			return false;
	return true;
}

static bool literal_syntax(struct slice s)
{
	if (s.len < 3 || s.p[s.len - 1] != ']')
		return false;
	for (size_t i = 1; i + 1 < s.len; i++)
		if (!ascii_is_digit(s.p[i]) && !ascii_is_alpha(s.p[i]) &&
		    s.p[i] != '.' && s.p[i] != ':' && s.p[i] != '-')
			return false;
	return true;
}

static bool domain_syntax(struct slice s)
{
	if (s.len == 0 || s.p[0] == '.' || s.p[0] == '-')
		return false;
	if (s.p[0] == '[')
		return literal_syntax(s);
	for (size_t i = 0; i < s.len; i++) {
		bool is_8bit = (unsigned char)s.p[i] >= 0x80;

		if (!ascii_is_digit(s.p[i]) && !ascii_is_alpha(s.p[i]) &&
		    s.p[i] != '.' && s.p[i] != '-' && s.p[i] != '_' && !is_8bit)
			return false;
		if (s.p[i] == '.' && i + 1 < s.len && s.p[i + 1] == '.')
			return false;
	}
	return true;
}

enum path_verdict path_check(struct slice address)
{
	size_t local;
	struct slice domain;

	if (address.len == 0)
		return PATH_EMPTY;
	if (slice_has_control(address))
		return PATH_BAD_SYNTAX;
	if (address.p[0] == '"') {
		local = quoted_length(address);
		if (local == 0)
			return PATH_BAD_SYNTAX;
	} else {
		local = slice_find_last(address, '@');
		if (local == 0 || !plain_local(slice_head(address, local)))
			return PATH_BAD_SYNTAX;
	}
	if (local < address.len) {
		domain = slice_from(address, local + 1);
		if (address.p[local] != '@' || !domain_syntax(domain))
			return PATH_BAD_SYNTAX;
		if (domain.len > PATH_DOMAIN_MAX)
			return PATH_TOO_LONG;
	}
	if (address.len > PATH_MAX_BYTES)
		return PATH_TOO_LONG;
	return slice_has_8bit(address) ? PATH_NEEDS_SMTPUTF8 : PATH_OK;
}

size_t path_local_length(struct slice address)
{
	if (address.len > 0 && address.p[0] == '"')
		return quoted_length(address);
	return slice_find_last(address, '@');
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
