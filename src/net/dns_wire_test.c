/*
 * dns_wire_test.c - names and messages, good ones and hostile ones.
 */
#include "net/dns_wire.h"

#include "base/keyword.h"
#include "base/test.h"
#include "net/test_signed.h"

#include <stdlib.h>
#include <string.h>

static struct slice bytes_of(const char *hex, struct arena *a)
{
	size_t n = strlen(hex) / 2;
	char *bytes = arena_alloc(a, n);
	char byte[3] = "";

	for (size_t i = 0; i < n; i++) {
		byte[0] = hex[2 * i];
		byte[1] = hex[2 * i + 1];
		bytes[i] = (char)strtol(byte, NULL, 16);
	}
	return slice_make(bytes, n);
}

/* ---- names -------------------------------------------------------------- */

static void test_name_is_read_and_printed(void **state)
{
	static const struct {
		const char *in, *want;
		size_t len;
	} rows[] = {
		{ ".", ".", 1 },
		{ "example.org", "example.org", 13 },
		{ "example.org.", "example.org", 13 },
		{ "Example.ORG", "Example.ORG", 13 },
		{ "_25._tcp.mx1.example", "_25._tcp.mx1.example", 22 },
		{ "*.a", "*.a", 5 },
		{ "a\\.b.c", "a\\.b.c", 7 },
		{ "a\\046b.c", "a\\.b.c", 7 },
		{ "a\\\\b", "a\\\\b", 5 },
		{ "a b", "a\\032b", 5 },
		{ "a;b,c:d\"e", "a\\059b\\044c\\058d\\034e", 11 },
		{ "\\000", "\\000", 3 },
		{ "\\255\\@", "\\255\\064", 4 },
		{ "m\303\274ller", "m\\195\\188ller", 9 },
		{ "a\tb\nc", "a\\009b\\010c", 7 },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dns_name name;

		assert_true(dns_name_read(slice_of(rows[i].in), &name));
		assert_int_equal(name.len, rows[i].len);
		assert_slice_is(dns_name_text(&name, a), rows[i].want);
	}
	arena_free(a);
}

static void test_bad_name_is_refused(void **state)
{
	static const char label63[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	static const char *const rows[] = {
		"",    "..",   ".a",	"a..b",	 "a..",	   "\\",
		"a\\", "a\\1", "a\\12", "a\\1x", "a\\256", "a\\999",
	};
	struct str text = STR_INIT;
	struct dns_name name;

	(void)state;
	assert_int_equal(strlen(label63), DNS_LABEL_MAX);
	for (size_t i = 0; i < COUNT(rows); i++)
		if (dns_name_read(slice_of(rows[i]), &name))
			fail_msg("'%s' was taken", rows[i]);
	assert_true(dns_name_read(slice_of(label63), &name));
	str_addf(&text, "%sa", label63);
	assert_false(dns_name_read(str_slice(&text), &name));
	/* 3 * 64 + 62 + 1 = 255 */
	str_clear(&text);
	str_addf(&text, "%s.%s.%s.%s", label63, label63, label63, label63 + 2);
	assert_true(dns_name_read(str_slice(&text), &name));
	assert_int_equal(name.len, DNS_NAME_MAX);
	str_addc(&text, 'a');
	assert_false(dns_name_read(str_slice(&text), &name));
	str_done(&text);
}

static void test_case_of_letters_does_not_count(void **state)
{
	static const struct {
		const char *a, *b;
		bool want;
	} rows[] = {
		{ "a.b", "A.B", true },	   { "a.b", "a.b.", true },
		{ "a.b", "a\\.b", false }, { "a.b", "a.c", false },
		{ "a", "a.b", false },	   { "[", "{", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dns_name a, b;

		assert_true(dns_name_read(slice_of(rows[i].a), &a));
		assert_true(dns_name_read(slice_of(rows[i].b), &b));
		assert_int_equal(dns_name_eq(&a, &b), rows[i].want);
		assert_int_equal(dns_name_eq(&b, &a), rows[i].want);
	}
}

/* ---- messages by hand --------------------------------------------------- */

/* "ex A" as a question, flags and counts to be put in front. */
#define QUESTION "\2ex\0\0\1\0\1"
#define HEAD(flags, answers, authority) \
	"\1\2" flags "\0\1\0" answers "\0" authority "\0\0"

static struct dns_answer question(const char *name, enum dns_type type)
{
	return (struct dns_answer){ .name = slice_of(name), .type = type };
}

#define READ(literal, answer, head, a) \
	dns_message_read(SLICE(literal), (answer), (head), (a))

static void test_question_is_written(void **state)
{
	struct str text = STR_INIT;
	struct dns_name name;

	(void)state;
	assert_true(dns_name_read(SLICE("ex"), &name));
	dns_question_print(&text, &name, DNS_A, 0x0102, false);
	assert_true(slice_eq(str_slice(&text),
			     SLICE(HEAD("\1\40", "\0", "\0") QUESTION)));
	str_clear(&text);
	dns_question_print(&text, &name, DNS_A, 0x0102, true);
	assert_true(slice_eq(str_slice(&text),
			     SLICE("\1\2\1\40\0\1\0\0\0\0\0\1" QUESTION
				   "\0\0\51\4\320\0\0\0\0\0\0")));
	str_done(&text);
}

static void test_what_is_no_answer_is_ignored(void **state)
{
	const struct {
		const char *what;
		struct slice message;
	} rows[] = {
		{ "nothing", { "", 0 } },
		{ "half a head", SLICE("\1\2\201\200\0\1") },
		{ "head alone", SLICE(HEAD("\201\200", "\0", "\0")) },
		{ "a question", SLICE(HEAD("\1\40", "\0", "\0") QUESTION) },
		{ "another operation",
		  SLICE(HEAD("\241\200", "\0", "\0") QUESTION) },
		{ "no question", SLICE("\1\2\201\200\0\0\0\0\0\0\0\0") },
		{ "no name, and no question",
		  SLICE("\1\2\201\203\0\0\0\0\0\0\0\0") },
		{ "a failure, cut off", SLICE("\1\2\201\201\0\0\0\0\0\0\0") },
		{ "two questions",
		  SLICE("\1\2\201\200\0\2\0\0\0\0\0\0" QUESTION QUESTION) },
		{ "another name",
		  SLICE(HEAD("\201\200", "\0", "\0") "\2ey\0\0\1\0\1") },
		{ "another type",
		  SLICE(HEAD("\201\200", "\0", "\0") "\2ex\0\0\2\0\1") },
		{ "another class",
		  SLICE(HEAD("\201\200", "\0", "\0") "\2ex\0\0\1\0\3") },
		{ "a name that points at itself",
		  SLICE(HEAD("\201\200", "\0", "\0") "\300\14\0\1\0\1") },
		{ "a name of a strange kind",
		  SLICE(HEAD("\201\200", "\0", "\0") "\102ex\0\0\1\0\1") },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dns_answer answer = question("ex", DNS_A);
		struct dns_head head = { .id = 7 };

		if (dns_message_read(rows[i].message, &answer, &head, a))
			fail_msg("%s was taken", rows[i].what);
		assert_int_equal(head.id, 7);
	}
	arena_free(a);
}

static void test_error_codes_are_told_apart(void **state)
{
	const struct {
		struct slice message;
		enum dns_verdict want;
		const char *detail;
	} rows[] = {
		{ SLICE(HEAD("\201\201", "\0", "\0") QUESTION), DNS_REFUSED,
		  "the server says FORMERR" },
		{ SLICE("\1\2\201\201\0\0\0\0\0\0\0\0"), DNS_REFUSED,
		  "the server says FORMERR" },
		{ SLICE("\1\2\201\205\0\0\0\0\0\0\0\0"), DNS_REFUSED,
		  "the server says REFUSED" },
		{ SLICE(HEAD("\201\202", "\0", "\0") QUESTION), DNS_SERVFAIL,
		  "the server says SERVFAIL" },
		{ SLICE(HEAD("\201\203", "\0", "\0") QUESTION), DNS_NXDOMAIN,
		  "" },
		{ SLICE(HEAD("\201\204", "\0", "\0") QUESTION), DNS_REFUSED,
		  "the server says NOTIMP" },
		{ SLICE(HEAD("\201\205", "\0", "\0") QUESTION), DNS_REFUSED,
		  "the server says REFUSED" },
		{ SLICE(HEAD("\201\206", "\0", "\0") QUESTION), DNS_RCODE,
		  "the server says error 6" },
		{ SLICE(HEAD("\201\217", "\0", "\0") QUESTION), DNS_RCODE,
		  "the server says error 15" },
		{ SLICE(HEAD("\201\200", "\0", "\0") QUESTION), DNS_NODATA,
		  "" },
		{ SLICE(HEAD("\203\200", "\0", "\0") QUESTION), DNS_MALFORMED,
		  "the answer is cut off" },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dns_answer answer = question("EX", DNS_A);
		struct dns_head head;

		assert_true(
		    dns_message_read(rows[i].message, &answer, &head, a));
		assert_string_equal(dns_verdict_word(answer.verdict),
				    dns_verdict_word(rows[i].want));
		assert_slice_is(answer.detail, rows[i].detail);
		assert_int_equal(head.id, 0x0102);
		assert_false(head.is_unfinished);
		assert_int_equal(answer.n, 0);
		assert_int_equal(answer.ttl, 0);
	}
	arena_free(a);
}

static void test_records_of_the_name_are_taken(void **state)
{
	struct arena *a = arena_new();
	struct dns_answer answer = question("ex", DNS_A);
	struct dns_head head;

	(void)state;
	/* One of it, one of another name, one of class 3, one of it. */
	assert_true(READ(HEAD("\201\240", "\4", "\0") QUESTION
			 "\300\14\0\1\0\1\0\0\1\0\0\4\300\0\2\1"
			 "\2ey\0\0\1\0\1\0\0\0\1\0\4\300\0\2\2"
			 "\300\14\0\1\0\3\0\0\0\2\0\4\300\0\2\3"
			 "\300\14\0\1\0\1\0\0\0\377\0\4\300\0\2\4",
			 &answer, &head, a));
	assert_int_equal(answer.verdict, DNS_OK);
	assert_int_equal(answer.n, 2);
	assert_int_equal(answer.records[0].address.bytes[3], 1);
	assert_int_equal(answer.records[1].address.bytes[3], 4);
	assert_int_equal(answer.ttl, 255);
	assert_slice_is(answer.canonical, "ex");
	assert_true(head.is_authentic);
	arena_free(a);
}

static void test_record_that_is_not_exact_spoils_the_answer(void **state)
{
	const struct {
		const char *what;
		struct slice message;
	} rows[] = {
		{ "three bytes of address",
		  SLICE(HEAD("\201\200", "\1", "\0") QUESTION
			"\300\14\0\1\0\1\0\0\1\0\0\3\300\0\2") },
		{ "five bytes of address",
		  SLICE(HEAD("\201\200", "\1", "\0") QUESTION
			"\300\14\0\1\0\1\0\0\1\0\0\5\300\0\2\1\1") },
		{ "rdata beyond the end",
		  SLICE(HEAD("\201\200", "\1", "\0") QUESTION
			"\300\14\0\1\0\1\0\0\1\0\0\4\300\0\2") },
		{ "fewer records than counted",
		  SLICE(HEAD("\201\200", "\2", "\0") QUESTION
			"\300\14\0\1\0\1\0\0\1\0\0\4\300\0\2\1") },
		{ "an alias of two names",
		  SLICE(HEAD("\201\200", "\1", "\0") QUESTION
			"\300\14\0\5\0\1\0\0\1\0\0\5\1a\0\1b") },
		{ "an alias that points forward",
		  SLICE(HEAD("\201\200", "\1", "\0") QUESTION
			"\300\14\0\5\0\1\0\0\1\0\0\2\300\40") },
		{ "an authority that is cut off",
		  SLICE(HEAD("\201\200", "\0", "\1") QUESTION
			"\300\14\0\6\0\1\0\0\1\0\0\4\0") },
		{ "a SOA without numbers",
		  SLICE(HEAD("\201\200", "\0", "\1") QUESTION
			"\300\14\0\6\0\1\0\0\1\0\0\2\0\0") },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dns_answer answer = question("ex", DNS_A);
		struct dns_head head;

		assert_true(
		    dns_message_read(rows[i].message, &answer, &head, a));
		if (answer.verdict != DNS_MALFORMED)
			fail_msg("%s: %s", rows[i].what,
				 dns_verdict_word(answer.verdict));
		assert_int_equal(answer.n, 0);
	}
	arena_free(a);
}

static void test_aliases_are_followed(void **state)
{
	struct arena *a = arena_new();
	struct dns_answer answer = question("ex", DNS_A);
	struct dns_head head;

	(void)state;
	/* ex -> a -> b, in no order; b has an address */
	assert_true(READ(HEAD("\201\200", "\3", "\0") QUESTION
			 "\1b\0\0\1\0\1\0\0\0\11\0\4\300\0\2\1"
			 "\1a\0\0\5\0\1\0\0\0\5\0\3\1b\0"
			 "\300\14\0\5\0\1\0\0\0\7\0\3\1A\0",
			 &answer, &head, a));
	assert_int_equal(answer.verdict, DNS_OK);
	assert_int_equal(answer.n_chain, 2);
	assert_slice_is(answer.chain[0], "A");
	assert_slice_is(answer.chain[1], "b");
	assert_slice_is(answer.canonical, "b");
	assert_int_equal(answer.ttl, 5);
	assert_false(head.is_unfinished);
	/* One that ends in the air, and one with a word that it ends there. */
	answer = question("ex", DNS_A);
	assert_true(READ(HEAD("\201\200", "\1", "\0") QUESTION
			 "\300\14\0\5\0\1\0\0\0\7\0\3\1a\0",
			 &answer, &head, a));
	assert_int_equal(answer.verdict, DNS_NODATA);
	assert_true(head.is_unfinished);
	answer = question("ex", DNS_A);
	assert_true(READ(HEAD("\201\200", "\1", "\1") QUESTION
			 "\300\14\0\5\0\1\0\0\0\7\0\3\1a\0"
			 "\0\0\6\0\1\0\0\0\11\0\26\0\0"
			 "\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\3",
			 &answer, &head, a));
	assert_int_equal(answer.verdict, DNS_NODATA);
	assert_false(head.is_unfinished);
	assert_int_equal(answer.ttl, 3);
	/* The code speaks of the end of the chain. */
	answer = question("ex", DNS_A);
	assert_true(READ(HEAD("\201\203", "\1", "\0") QUESTION
			 "\300\14\0\5\0\1\0\0\0\7\0\3\1a\0",
			 &answer, &head, a));
	assert_int_equal(answer.verdict, DNS_NXDOMAIN);
	assert_slice_is(answer.canonical, "a");
	arena_free(a);
}

static void test_aliases_in_a_circle_are_a_loop(void **state)
{
	struct arena *a = arena_new();
	struct dns_answer answer = question("ex", DNS_A);
	struct dns_head head;

	(void)state;
	assert_true(READ(HEAD("\201\200", "\2", "\0") QUESTION
			 "\300\14\0\5\0\1\0\0\0\7\0\3\1a\0"
			 "\1a\0\0\5\0\1\0\0\0\7\0\2\300\14",
			 &answer, &head, a));
	assert_int_equal(answer.verdict, DNS_LOOP);
	assert_int_equal(answer.n, 0);
	/* Asked for itself an alias is a record like others. */
	answer = question("ex", DNS_CNAME);
	assert_true(READ(
	    HEAD("\201\200", "\1", "\0") "\2ex\0\0\5\0\1"
					 "\300\14\0\5\0\1\0\0\0\7\0\2\300\14",
	    &answer, &head, a));
	assert_int_equal(answer.verdict, DNS_OK);
	assert_int_equal(answer.n_chain, 0);
	assert_slice_is(answer.records[0].name, "ex");
	arena_free(a);
}

static void test_ttl_with_its_highest_bit_is_zero(void **state)
{
	struct arena *a = arena_new();
	struct dns_answer answer = question("ex", DNS_A);
	struct dns_head head;

	(void)state;
	assert_true(READ(HEAD("\201\200", "\1", "\0") QUESTION
			 "\300\14\0\1\0\1\200\0\0\1\0\4\300\0\2\1",
			 &answer, &head, a));
	assert_int_equal(answer.verdict, DNS_OK);
	assert_int_equal(answer.ttl, 0);
	arena_free(a);
}

/* ---- rdata -------------------------------------------------------------- */

static bool read_rdata(struct slice rdata, enum dns_type type,
		       struct dns_record *ret, struct arena *a)
{
	return dns_rdata_read(rdata, rdata, type, ret, a);
}

static void test_rdata_of_each_type(void **state)
{
	struct arena *a = arena_new();
	struct dns_record r;

	(void)state;
	assert_true(read_rdata(SLICE("\300\0\2\1"), DNS_A, &r, a));
	assert_false(r.address.is_v6);
	assert_memory_equal(r.address.bytes, "\300\0\2\1", 4);
	assert_true(read_rdata(SLICE(" \1\r\270\0\0\0\0\0\0\0\0\0\0\0\1"),
			       DNS_AAAA, &r, a));
	assert_true(r.address.is_v6);
	assert_int_equal(r.address.bytes[15], 1);
	assert_true(read_rdata(SLICE("\1\0\3mx1\0"), DNS_MX, &r, a));
	assert_int_equal(r.mx.preference, 256);
	assert_slice_is(r.mx.exchanger, "mx1");
	assert_true(read_rdata(SLICE("\0\0\0"), DNS_MX, &r, a));
	assert_slice_is(r.mx.exchanger, ".");
	assert_true(read_rdata(SLICE("\4host\0"), DNS_PTR, &r, a));
	assert_slice_is(r.name, "host");
	assert_true(read_rdata(SLICE("\2v=\0\3STS"), DNS_TXT, &r, a));
	assert_slice_is(r.data, "v=STS");
	assert_true(read_rdata(SLICE("\3\1\2hash"), DNS_TLSA, &r, a));
	assert_int_equal(r.tlsa.usage, 3);
	assert_int_equal(r.tlsa.selector, 1);
	assert_int_equal(r.tlsa.matching, 2);
	assert_slice_is(r.tlsa.data, "hash");
	assert_true(
	    read_rdata(SLICE("\300\0\2\1\6\0\0\0\100"), DNS_WKS, &r, a));
	assert_int_equal(r.wks.protocol, 6);
	assert_int_equal(r.wks.ports.len, 4);
	assert_int_equal(r.wks.ports.p[3], 0x40); /* port 25 */
	assert_true(read_rdata(SLICE("any"), (enum dns_type)999, &r, a));
	assert_slice_is(r.data, "any");
	arena_free(a);
}

static void test_rdata_that_does_not_fit_is_refused(void **state)
{
	const struct {
		enum dns_type type;
		struct slice rdata;
	} rows[] = {
		{ DNS_A, { "", 0 } },
		{ DNS_A, SLICE("\1\2\3") },
		{ DNS_AAAA, SLICE("\1\2\3\4") },
		{ DNS_MX, SLICE("\1") },
		{ DNS_MX, SLICE("\1\2") },
		{ DNS_MX, SLICE("\1\2\3mx") },
		{ DNS_MX, SLICE("\1\2\3mx1") },
		{ DNS_MX, SLICE("\1\2\3mx1\0x") },
		{ DNS_CNAME, { "", 0 } },
		{ DNS_PTR, SLICE("\300") },
		{ DNS_TXT, { "", 0 } },
		{ DNS_TXT, SLICE("\5abcd") },
		{ DNS_TXT, SLICE("\1a\2b") },
		{ DNS_TLSA, SLICE("\3\1") },
		{ DNS_WKS, SLICE("\1\2\3\4") },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dns_record r = { 0 };

		if (read_rdata(rows[i].rdata, rows[i].type, &r, a))
			fail_msg("row %zu was taken", i);
	}
	arena_free(a);
}

static void test_no_cut_of_a_message_does_harm(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(signed_answers); i++) {
		const struct signed_answer *s = &signed_answers[i];
		struct arena *a = arena_new();
		struct slice whole = bytes_of(s->message, a);

		for (size_t len = 0; len <= whole.len; len++) {
			struct dns_answer answer = question(s->name, s->type);
			struct dns_head head;
			char *copy = malloc(len > 0 ? len : 1);
			bool is_one;

			/* In a block of its own, so that a tool sees beyond. */
			assert_non_null(copy);
			memcpy(copy, whole.p, len);
			is_one = dns_message_read(slice_make(copy, len),
						  &answer, &head, a);
			if (len == whole.len) {
				assert_true(is_one);
				assert_true(answer.verdict <= DNS_NXDOMAIN);
			}
			free(copy);
		}
		arena_free(a);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name_is_read_and_printed),
		cmocka_unit_test(test_bad_name_is_refused),
		cmocka_unit_test(test_case_of_letters_does_not_count),
		cmocka_unit_test(test_question_is_written),
		cmocka_unit_test(test_what_is_no_answer_is_ignored),
		cmocka_unit_test(test_error_codes_are_told_apart),
		cmocka_unit_test(test_records_of_the_name_are_taken),
		cmocka_unit_test(
		    test_record_that_is_not_exact_spoils_the_answer),
		cmocka_unit_test(test_aliases_are_followed),
		cmocka_unit_test(test_aliases_in_a_circle_are_a_loop),
		cmocka_unit_test(test_ttl_with_its_highest_bit_is_zero),
		cmocka_unit_test(test_rdata_of_each_type),
		cmocka_unit_test(test_rdata_that_does_not_fit_is_refused),
		cmocka_unit_test(test_no_cut_of_a_message_does_harm),
	};

	return TEST_RUN(tests);
}
