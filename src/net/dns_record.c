/*
 * dns_record.c - one answer as a line of text.
 *
 * Names print without blanks, commas or colons (net/dns_wire.h), so that
 * words, aliases and parts of a record need no quotes.
 */
#include "net/dns_record.h"

#include "base/keyword.h"
#include "base/mem.h"
#include "net/dns_wire.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* ---- printing ----------------------------------------------------------- */

static void print_hex(struct str *to, struct slice bytes)
{
	if (bytes.len == 0)
		str_addc(to, '-');
	for (size_t i = 0; i < bytes.len; i++)
		str_addf(to, "%02x", (unsigned char)bytes.p[i]);
}

static void print_address(struct str *to, bool is_v6, const void *bytes)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(is_v6 ? AF_INET6 : AF_INET, bytes, text, sizeof(text));
	str_adds(to, text);
}

void dns_record_print_one(struct str *to, enum dns_type type,
			  const struct dns_record *r)
{
	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		print_address(to, r->address.is_v6, r->address.bytes);
		break;
	case DNS_CNAME:
	case DNS_PTR:
		str_add(to, r->name);
		break;
	case DNS_MX:
		str_addf(to, "%u:", r->mx.preference);
		str_add(to, r->mx.exchanger);
		break;
	case DNS_TLSA:
		str_addf(to, "%u:%u:%u:", r->tlsa.usage, r->tlsa.selector,
			 r->tlsa.matching);
		print_hex(to, r->tlsa.data);
		break;
	case DNS_WKS:
		print_address(to, false, r->wks.address);
		str_addf(to, ":%u:", r->wks.protocol);
		print_hex(to, r->wks.ports);
		break;
	default:
		print_hex(to, r->data);
	}
}

static void print_chain(struct str *to, const struct dns_answer *answer)
{
	if (answer->n_chain == 0)
		str_addc(to, '-');
	if (answer->n_chain == 1 && slice_eq(answer->chain[0], SLICE("-"))) {
		str_adds(to, "\\045"); /* a host called so, not none */
		return;
	}
	for (size_t i = 0; i < answer->n_chain; i++) {
		if (i > 0)
			str_addc(to, ',');
		str_add(to, answer->chain[i]);
	}
}

/* The name in its one form; "?" for what is no name. */
static void print_name(struct str *to, struct slice text)
{
	struct dns_name name;

	if (dns_name_read(text, &name))
		dns_name_print(to, &name);
	else
		str_addc(to, '?');
}

void dns_record_print(struct str *to, const struct dns_answer *answer)
{
	struct arena *a = arena_new();

	print_name(to, answer->name);
	str_addc(to, ' ');
	str_add(to, dns_type_text(answer->type, a));
	str_addf(to, " %s %s %s %u ", dns_verdict_word(answer->verdict),
		 dns_status_word(answer->status),
		 dns_origin_word(answer->origin), (unsigned)answer->ttl);
	print_chain(to, answer);
	for (size_t i = 0; i < answer->n; i++) {
		str_addc(to, ' ');
		dns_record_print_one(to, answer->type, &answer->records[i]);
	}
	if (answer->detail.len > 0) {
		str_adds(to, " ; ");
		str_add_clean(to, answer->detail, SIZE_MAX);
	}
	str_addc(to, '\n');
	arena_free(a);
}

/* ---- reading ------------------------------------------------------------ */

static bool read_name(struct slice text, struct slice *ret, struct arena *a)
{
	struct dns_name name;

	if (!dns_name_read(text, &name))
		return false;
	*ret = dns_name_text(&name, a);
	return true;
}

static int hex_digit(char c)
{
	c = ascii_lower(c);
	if (ascii_is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(struct slice text, struct slice *ret, struct arena *a)
{
	char *bytes;

	if (slice_eq(text, SLICE("-"))) {
		*ret = slice_make("", 0);
		return true;
	}
	if (text.len == 0 || text.len % 2 != 0)
		return false;
	bytes = arena_alloc(a, text.len / 2);
	for (size_t i = 0; i < text.len; i += 2) {
		int high = hex_digit(text.p[i]), low = hex_digit(text.p[i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i / 2] = (char)(high << 4 | low);
	}
	*ret = slice_make(bytes, text.len / 2);
	return true;
}

static bool read_address(struct slice text, bool is_v6, void *to)
{
	char copy[INET6_ADDRSTRLEN];

	if (text.len >= sizeof(copy) || slice_has(text, '\0'))
		return false;
	memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	return inet_pton(is_v6 ? AF_INET6 : AF_INET, copy, to) == 1;
}

/* Cuts "NUMBER:" off *rest. */
static bool cut_number(struct slice *rest, uint64_t max, uint64_t *ret)
{
	struct slice part;

	return slice_cut(rest, ':', &part) && slice_uint(part, max, ret);
}

static bool read_mx(struct slice text, struct dns_mx *ret, struct arena *a)
{
	uint64_t preference;

	if (!cut_number(&text, UINT16_MAX, &preference))
		return false;
	ret->preference = (uint16_t)preference;
	return read_name(text, &ret->exchanger, a);
}

static bool read_tlsa(struct slice text, struct dns_tlsa *ret, struct arena *a)
{
	uint64_t part[3];

	for (size_t i = 0; i < COUNT(part); i++)
		if (!cut_number(&text, UINT8_MAX, &part[i]))
			return false;
	ret->usage = (uint8_t)part[0];
	ret->selector = (uint8_t)part[1];
	ret->matching = (uint8_t)part[2];
	return read_hex(text, &ret->data, a);
}

static bool read_wks(struct slice text, struct dns_wks *ret, struct arena *a)
{
	struct slice address;
	uint64_t protocol;

	if (!slice_cut(&text, ':', &address) ||
	    !read_address(address, false, ret->address) ||
	    !cut_number(&text, UINT8_MAX, &protocol))
		return false;
	ret->protocol = (uint8_t)protocol;
	return read_hex(text, &ret->ports, a);
}

static bool read_record(struct slice text, enum dns_type type,
			struct dns_record *ret, struct arena *a)
{
	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		ret->address.is_v6 = type == DNS_AAAA;
		return read_address(text, type == DNS_AAAA, ret->address.bytes);
	case DNS_CNAME:
	case DNS_PTR:
		return read_name(text, &ret->name, a);
	case DNS_MX:
		return read_mx(text, &ret->mx, a);
	case DNS_TLSA:
		return read_tlsa(text, &ret->tlsa, a);
	case DNS_WKS:
		return read_wks(text, &ret->wks, a);
	default:
		return read_hex(text, &ret->data, a);
	}
}

static bool read_chain(struct slice text, struct dns_answer *answer,
		       struct arena *a)
{
	struct slice part;

	answer->canonical = answer->name;
	if (slice_eq(text, SLICE("-")))
		return true;
	answer->chain = arena_array(a, DNS_ALIASES_MAX, sizeof(*answer->chain));
	while (slice_cut(&text, ',', &part)) {
		if (answer->n_chain == DNS_ALIASES_MAX ||
		    !read_name(part, &answer->canonical, a))
			return false;
		answer->chain[answer->n_chain++] = answer->canonical;
	}
	return true;
}

/* Reads the words up to the chain. Returns what is wrong, or NULL. */
static const char *read_front(struct slice *rest, struct dns_answer *answer,
			      struct arena *a)
{
	struct slice word[7];
	uint64_t ttl;

	for (size_t i = 0; i < COUNT(word); i++)
		if (!slice_word(rest, &word[i]))
			return "seven words are wanted";
	if (!read_name(word[0], &answer->name, a))
		return "the first word is no name";
	if (!dns_type_read(word[1], &answer->type))
		return "the second word is no type";
	if (!dns_verdict_read(word[2], &answer->verdict))
		return "the third word is no verdict";
	if (!dns_status_read(word[3], &answer->status))
		return "the fourth word is no status";
	if (!dns_origin_read(word[4], &answer->origin))
		return "the fifth word is no origin";
	if (!slice_uint(word[5], UINT32_MAX, &ttl))
		return "the sixth word is no time to live";
	answer->ttl = (uint32_t)ttl;
	return read_chain(word[6], answer, a) ? NULL
					      : "the aliases are no names";
}

/* Reads the records and what stands behind them. */
static const char *read_back(struct slice rest, struct dns_answer *answer,
			     struct arena *a)
{
	struct dns_record *records = NULL;
	struct slice word;
	size_t cap = 0;
	const char *wrong = NULL;

	while (wrong == NULL && slice_word(&rest, &word)) {
		if (slice_eq(word, SLICE(";"))) {
			answer->detail = arena_dup(a, slice_trim(rest));
			break;
		}
		records =
		    mem_grow(records, &cap, answer->n + 1, sizeof(*records));
		records[answer->n] = (struct dns_record){ 0 };
		if (answer->n == DNS_RECORDS_MAX)
			wrong = "there are too many records";
		else if (!read_record(word, answer->type, &records[answer->n],
				      a))
			wrong = "a record cannot be read";
		else
			answer->n++;
	}
	if (wrong == NULL && (answer->n > 0) != (answer->verdict == DNS_OK))
		wrong = "records go with the verdict ok, and only with it";
	answer->records = arena_array(a, answer->n, sizeof(*records));
	if (records != NULL)
		memcpy(answer->records, records, answer->n * sizeof(*records));
	free(records);
	return wrong;
}

int dns_record_read(struct slice line, struct dns_answer *ret, struct arena *a,
		    struct err *err)
{
	struct dns_answer answer = { .is_recorded = true };
	struct slice rest;
	const char *wrong;

	while (line.len > 0 && strchr("\r\n", line.p[line.len - 1]) != NULL &&
	       line.p[line.len - 1] != '\0')
		line.len--;
	rest = slice_trim(line);
	if (rest.len == 0 || rest.p[0] == '#')
		return 1;
	wrong = read_front(&rest, &answer, a);
	if (wrong == NULL)
		wrong = read_back(rest, &answer, a);
	if (wrong != NULL)
		return FAIL(err, "%s", wrong);
	*ret = answer;
	return 0;
}
