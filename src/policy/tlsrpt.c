/*
 * tlsrpt.c - reports about TLS: the TXT record, words, strings of policies.
 *
 *	record    = "v=TLSRPTv1" 1*(delim field) [delim]	; RFC 8460 3
 *	delim     = *WSP ";" *WSP
 *	field     = "rua=" uri *(*WSP "," *WSP uri) / name "=" value
 *	name      = (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".")
 *	uri       = scheme ":" *(unreserved / reserved / "%" 2HEXDIG)
 *						; RFC 3986, without , ! ;
 *
 * The grammar allows for several fields "rua"; all of them count.
 */
#include "policy/tlsrpt.h"

#include "base/keyword.h"

#include <assert.h>
#include <string.h>

static bool is_alnum(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

static bool is_among(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static bool is_label(struct slice s)
{
	if (s.len == 0 || s.len > 63 || s.p[0] == '-' || s.p[s.len - 1] == '-')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
			return false;
	return true;
}

bool tlsrpt_is_domain(struct slice s)
{
	struct slice label;

	if (s.len == 0 || s.len > TLSRPT_DOMAIN_MAX || s.p[s.len - 1] == '.')
		return false;
	while (slice_cut(&s, '.', &label))
		if (!is_label(label))
			return false;
	return true;
}

/* ---- URIs --------------------------------------------------------------- */

/* The value of a hexadecimal digit, or -1. */
static int hex_value(char c)
{
	c = ascii_lower(c);
	if (ascii_is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The character behind a "%"; -1 if it is none. */
static int escaped(struct slice s, size_t at)
{
	int high, low;

	if (s.len - at < 3)
		return -1;
	high = hex_value(s.p[at + 1]);
	low = hex_value(s.p[at + 2]);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static bool is_uri(struct slice s)
{
	size_t colon = slice_find(s, ':');

	if (colon == 0 || colon == s.len || !ascii_is_alpha(s.p[0]))
		return false;
	for (size_t i = 1; i < colon; i++)
		if (!is_alnum(s.p[i]) && !is_among(s.p[i], "+-."))
			return false;
	for (size_t i = colon + 1; i < s.len; i++) {
		if (s.p[i] == '%' && escaped(s, i) < 0)
			return false;
		if (!is_alnum(s.p[i]) &&
		    !is_among(s.p[i], "-._~%:/?#[]@$&'()*+="))
			return false;
	}
	return true;
}

bool tlsrpt_is_address(struct slice s)
{
	struct slice local = slice_head(s, slice_find_last(s, '@')), atom;

	if (s.len > 254 || local.len > 64 || local.len == s.len ||
	    !tlsrpt_is_domain(slice_from(s, local.len + 1)))
		return false;
	if (local.len == 0)
		return false;
	while (slice_cut(&local, '.', &atom)) {
		if (atom.len == 0)
			return false;
		for (size_t i = 0; i < atom.len; i++)
			if (!is_alnum(atom.p[i]) &&
			    !is_among(atom.p[i], "!#$%&'*+-/=?^_`{|}~"))
				return false;
	}
	return true;
}

/* The address of what stands behind "mailto:" (RFC 6068), decoded. */
static bool read_mailto(struct slice rest, struct arena *a, struct slice *ret)
{
	struct str text = STR_INIT;
	bool is_good;

	rest = slice_head(rest, slice_find(rest, '#'));
	rest = slice_head(rest, slice_find(rest, '?'));
	for (size_t i = 0; i < rest.len; i++) {
		int c = rest.p[i] == '%' ? escaped(rest, i) : rest.p[i];

		str_addc(&text, (char)c);
		if (rest.p[i] == '%')
			i += 2;
	}
	is_good = tlsrpt_is_address(str_slice(&text));
	if (is_good)
		*ret = arena_dup(a, str_slice(&text));
	str_done(&text);
	return is_good;
}

/* "[" what looks like an IPv6 address "]"; whoever connects looks closer. */
static bool is_literal(struct slice s)
{
	if (s.len < 4 || s.p[0] != '[' || s.p[s.len - 1] != ']')
		return false;
	for (size_t i = 1; i + 1 < s.len; i++)
		if (hex_value(s.p[i]) < 0 && !is_among(s.p[i], ":."))
			return false;
	return true;
}

/* Is what stands behind "https:" a place to post to? */
static bool is_https(struct slice rest)
{
	size_t end = 2, colon;
	struct slice host;
	uint64_t port;

	if (!slice_starts(rest, SLICE("//")))
		return false;
	while (end < rest.len && !is_among(rest.p[end], "/?#"))
		end++;
	host = slice_make(rest.p + 2, end - 2);
	rest = slice_from(rest, end);
	if (slice_has(rest, '[') || slice_has(rest, ']'))
		return false;
	colon = slice_find_last(host, ':');
	if (colon < host.len && host.p[host.len - 1] != ']') {
		if (!slice_uint(slice_from(host, colon + 1), UINT16_MAX,
				&port) ||
		    port == 0)
			return false;
		host = slice_head(host, colon);
	}
	return tlsrpt_is_domain(host) || is_literal(host);
}

static bool read_destination(struct slice uri, struct arena *a,
			     struct tlsrpt_destination *ret)
{
	struct slice rest = slice_from(uri, slice_find(uri, ':') + 1);

	if (slice_starts_nocase(uri, SLICE("mailto:"))) {
		ret->way = TLSRPT_MAILTO;
		return read_mailto(rest, a, &ret->target);
	}
	if (!slice_starts_nocase(uri, SLICE("https:")) || !is_https(rest))
		return false;
	ret->way = TLSRPT_HTTPS;
	ret->target = arena_dup(a, uri);
	return true;
}

/* ---- the TXT record ----------------------------------------------------- */

struct reading {
	struct arena *arena;
	struct tlsrpt_destination *found; /* TLSRPT_DESTINATIONS_MAX */
	size_t n;
};

static void keep(struct reading *r, const struct tlsrpt_destination *d)
{
	if (r->n == TLSRPT_DESTINATIONS_MAX)
		return;
	for (size_t i = 0; i < r->n; i++)
		if (r->found[i].way == d->way &&
		    slice_eq(r->found[i].target, d->target))
			return;
	r->found[r->n++] = *d;
}

static bool read_rua(struct reading *r, struct slice value)
{
	struct tlsrpt_destination d;
	struct slice uri;

	while (slice_cut(&value, ',', &uri)) {
		uri = slice_trim(uri);
		if (!is_uri(uri))
			return false;
		if (read_destination(uri, r->arena, &d))
			keep(r, &d);
	}
	return true;
}

static bool is_extension(struct slice name, struct slice value)
{
	if (name.len == 0 || name.len > 32 || !is_alnum(name.p[0]) ||
	    value.len == 0)
		return false;
	for (size_t i = 1; i < name.len; i++)
		if (!is_alnum(name.p[i]) && !is_among(name.p[i], "_-."))
			return false;
	for (size_t i = 0; i < value.len; i++)
		if (value.p[i] <= ' ' || value.p[i] > '~' || value.p[i] == '=')
			return false;
	return true;
}

/* Cuts the version off *record. False: it is somebody else's record. */
static bool cut_version(struct slice *record)
{
	struct slice rest = *record;

	if (!slice_starts(rest, SLICE("v=TLSRPTv1")))
		return false;
	rest = slice_trim(slice_from(rest, SLICE("v=TLSRPTv1").len));
	if (rest.len == 0 || rest.p[0] != ';')
		return false;
	*record = slice_from(rest, 1);
	return true;
}

static bool read_fields(struct reading *r, struct slice rest)
{
	struct slice field, name;
	bool has_rua = false;

	while (slice_cut(&rest, ';', &field)) {
		field = slice_trim(field);
		if (field.len == 0 && rest.p == NULL)
			break; /* the delimiter that may stand at the end */
		name = slice_head(field, slice_find(field, '='));
		if (name.len == field.len)
			return false;
		field = slice_from(field, name.len + 1);
		if (slice_eq(name, SLICE("rua"))) {
			if (!read_rua(r, field))
				return false;
			has_rua = true;
		} else if (!is_extension(name, field)) {
			return false;
		}
	}
	return has_rua;
}

enum tlsrpt_txt tlsrpt_txt_find(const struct slice *records, size_t n,
				struct arena *a,
				struct tlsrpt_destination **ret, size_t *ret_n)
{
	struct reading r = { .arena = a };
	struct slice found = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		struct slice rest = records[i];

		if (!cut_version(&rest))
			continue;
		found = rest;
		count++;
	}
	if (count == 0)
		return TLSRPT_TXT_NONE;
	if (count > 1)
		return TLSRPT_TXT_MANY;
	if (found.len > TLSRPT_RECORD_MAX)
		return TLSRPT_TXT_BAD;
	r.found = arena_array(a, TLSRPT_DESTINATIONS_MAX, sizeof(*r.found));
	if (!read_fields(&r, found))
		return TLSRPT_TXT_BAD;
	*ret = r.found;
	*ret_n = r.n;
	return TLSRPT_TXT_OK;
}

void tlsrpt_txt_name_print(struct str *to, struct slice domain)
{
	str_adds(to, "_smtp._tls.");
	str_add(to, domain);
}

/* ---- one session -------------------------------------------------------- */

const struct slice *tlsrpt_sts_strings(const struct sts_policy *policy,
				       struct arena *a, size_t *ret_n)
{
	struct slice *strings =
	    arena_array(a, policy->n_mx + 3, sizeof(*strings));
	size_t n = 0;

	strings[n++] = SLICE("version: STSv1");
	strings[n++] = arena_printf(a, "mode: %s", sts_mode_word(policy->mode));
	for (size_t i = 0; i < policy->n_mx; i++)
		strings[n++] =
		    arena_printf(a, "mx: %.*s", SLICE_ARG(policy->mx[i]));
	strings[n++] =
	    arena_printf(a, "max_age: %u", (unsigned)policy->max_age);
	*ret_n = n;
	return strings;
}

struct slice tlsrpt_tlsa_string(const struct dane_record *record,
				struct arena *a)
{
	static const char digits[] = "0123456789abcdef";
	struct str text = STR_INIT;
	struct slice s;

	str_addf(&text, "%u %u %u ", record->usage, record->selector,
		 record->matching);
	for (size_t i = 0; i < record->data.len; i++) {
		unsigned char c = (unsigned char)record->data.p[i];

		str_addc(&text, digits[c >> 4]);
		str_addc(&text, digits[c & 15]);
	}
	s = arena_dup(a, str_slice(&text));
	str_done(&text);
	return s;
}

bool tlsrpt_is_report(struct slice header)
{
	static const struct slice name = { "TLS-Report-Domain", 17 };
	struct slice line;

	while (slice_cut(&header, '\n', &line)) {
		if (slice_trim(line).len == 0 || slice_eq(line, SLICE("\r")))
			return false; /* the end of the header */
		if (!slice_starts_nocase(line, name))
			continue;
		line = slice_trim(slice_from(line, name.len));
		if (line.len > 0 && line.p[0] == ':')
			return true;
	}
	return false;
}

/* ---- words -------------------------------------------------------------- */

const char *tlsrpt_type_word(enum tlsrpt_type type)
{
	static const char *const words[TLSRPT_TYPES] = {
		[TLSRPT_SUCCESS] = "success",
		[TLSRPT_STARTTLS_NOT_SUPPORTED] = "starttls-not-supported",
		[TLSRPT_CERTIFICATE_HOST_MISMATCH] =
		    "certificate-host-mismatch",
		[TLSRPT_CERTIFICATE_EXPIRED] = "certificate-expired",
		[TLSRPT_CERTIFICATE_NOT_TRUSTED] = "certificate-not-trusted",
		[TLSRPT_VALIDATION_FAILURE] = "validation-failure",
		[TLSRPT_TLSA_INVALID] = "tlsa-invalid",
		[TLSRPT_DNSSEC_INVALID] = "dnssec-invalid",
		[TLSRPT_DANE_REQUIRED] = "dane-required",
		[TLSRPT_STS_POLICY_FETCH_ERROR] = "sts-policy-fetch-error",
		[TLSRPT_STS_POLICY_INVALID] = "sts-policy-invalid",
		[TLSRPT_STS_WEBPKI_INVALID] = "sts-webpki-invalid",
	};

	assert((size_t)type < COUNT(words));
	return words[type];
}

const char *tlsrpt_kind_word(enum tlsrpt_kind kind)
{
	static const char *const words[TLSRPT_KINDS] = {
		[TLSRPT_NO_POLICY] = "no-policy-found",
		[TLSRPT_TLSA] = "tlsa",
		[TLSRPT_STS] = "sts",
	};

	assert((size_t)kind < COUNT(words));
	return words[kind];
}

const char *tlsrpt_txt_word(enum tlsrpt_txt txt)
{
	static const char *const words[TLSRPT_TXTS] = {
		[TLSRPT_TXT_NONE] = "none",
		[TLSRPT_TXT_MANY] = "many",
		[TLSRPT_TXT_BAD] = "bad",
		[TLSRPT_TXT_OK] = "ok",
	};

	assert((size_t)txt < COUNT(words));
	return words[txt];
}
