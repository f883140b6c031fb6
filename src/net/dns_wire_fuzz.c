/*
 * dns_wire_fuzz.c - any bytes as an answer, as rdata, and as a name.
 *
 * The first four bytes choose type, flags and counts; the rest stands behind
 * a question for "ex", so that records are reached. Invariants: records go
 * with the verdict ok alone; every name that comes out reads back as itself;
 * a line of a file of answers made of it reads back as the same line; a
 * message that is refused changes nothing.
 */
#include "base/fuzz.h"
#include "base/keyword.h"
#include "net/dns_record.h"
#include "net/dns_wire.h"

#include <string.h>

static const enum dns_type types[] = {
	DNS_A,	 DNS_AAAA, DNS_MX,  DNS_CNAME,	DNS_PTR,
	DNS_TXT, DNS_TLSA, DNS_WKS, DNS_DNSKEY, (enum dns_type)999,
};

static void check_name(struct slice text)
{
	struct dns_name name, again;
	struct str printed = STR_INIT;

	if (!dns_name_read(text, &name))
		return;
	FUZZ_CHECK(name.len >= 1 && name.len <= DNS_NAME_MAX);
	FUZZ_CHECK(name.bytes[name.len - 1] == 0);
	dns_name_print(&printed, &name);
	FUZZ_CHECK(!slice_has_control(str_slice(&printed)));
	FUZZ_CHECK(!slice_has_8bit(str_slice(&printed)));
	FUZZ_CHECK(slice_find(str_slice(&printed), ' ') == printed.len);
	FUZZ_CHECK(dns_name_read(str_slice(&printed), &again));
	FUZZ_CHECK(dns_name_eq(&name, &again));
	FUZZ_CHECK(again.len == name.len);
	str_done(&printed);
}

static void check_line(const struct dns_answer *answer, struct arena *a)
{
	struct str line = STR_INIT, second = STR_INIT;
	struct dns_answer again;
	struct err err;

	dns_record_print(&line, answer);
	FUZZ_CHECK(slice_find(str_slice(&line), '\n') == line.len - 1);
	FUZZ_CHECK(dns_record_read(str_slice(&line), &again, a, &err) == 0);
	FUZZ_CHECK(again.n == answer->n && again.n_chain == answer->n_chain);
	dns_record_print(&second, &again);
	FUZZ_CHECK(slice_eq(str_slice(&line), str_slice(&second)));
	str_done(&line);
	str_done(&second);
}

static void check_message(struct slice message, enum dns_type type)
{
	struct arena *a = arena_new();
	struct dns_answer answer = { .name = SLICE("ex"),
				     .type = type,
				     .ttl = 77 };
	struct dns_head head;

	if (!dns_message_read(message, &answer, &head, a)) {
		FUZZ_CHECK(answer.ttl == 77 && answer.n == 0);
		arena_free(a);
		return;
	}
	FUZZ_CHECK((answer.verdict == DNS_OK) == (answer.n > 0));
	FUZZ_CHECK(answer.n_chain <= DNS_ALIASES_MAX);
	FUZZ_CHECK(answer.ttl <= 0x7fffffff);
	FUZZ_CHECK(!dns_is_temporary(answer.verdict) || answer.ttl == 0);
	check_name(answer.canonical);
	for (size_t i = 0; i < answer.n_chain; i++)
		check_name(answer.chain[i]);
	check_line(&answer, a);
	arena_free(a);
}

FUZZ(data, size)
{
	struct slice bytes = slice_make((const char *)data, size);
	struct str message = STR_INIT;
	enum dns_type type = DNS_MX;

	check_name(bytes);
	check_message(bytes, DNS_MX);
	if (size < 4)
		return 0;
	type = types[data[0] % COUNT(types)];
	str_add(&message, SLICE("\1\2\201\0\0\1\0\0\0\0\0\0\2ex\0"));
	message.p[3] = (char)(data[1] & 0xf);
	message.p[2] = (char)(0x81 | (data[1] & 2 ? 0 : data[1] >> 6 & 2));
	message.p[7] = (char)data[2];
	message.p[9] = (char)data[3];
	str_addc(&message, (char)((unsigned)type >> 8));
	str_addc(&message, (char)type);
	str_add(&message, SLICE("\0\1"));
	str_add(&message, slice_from(bytes, 4));
	check_message(str_slice(&message), type);
	str_done(&message);
	return 0;
}
