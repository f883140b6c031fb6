/*
 * tlspolicy_test.c - what single destinations need of TLS.
 */
#include "conf/tlspolicy.h"

#include "base/keyword.h"
#include "base/str.h"
#include "base/test.h"

#include <string.h>

static int parse(const char *text, struct arena *a, struct tlspolicy *ret,
		 struct err *err)
{
	static struct tlsterms base;
	struct textfile source = { slice_of(text), "P" };

	base = tlsterms_default();
	base.rule.servername = SLICE("base.example");
	base.settings.ca_file = "/base-ca";
	base.settings.ca_path = "/base-path";
	base.settings.pairs[0] = (struct tls_pair){ "/base-c", "/base-k" };
	base.settings.n_pairs = 1;
	return tlspolicy_parse(source, &base, a, ret, err);
}

static struct tlspolicy good(const char *text, struct arena *a)
{
	struct tlspolicy p = { 0 };
	struct err err = { 0 };

	if (parse(text, a, &p, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return p;
}

static void test_most_exact_entry_counts(void **state)
{
	static const struct {
		const char *destination, *want;
	} rows[] = {
		{ "example.org", "example.org" },
		{ "Example.ORG", "example.org" },
		{ "example.org.", "example.org" },
		{ "a.example.org", ".example.org" },
		{ "b.a.example.org", ".a.example.org" },
		{ "c.b.a.example.org", ".a.example.org" },
		{ "xexample.org", ".org" },
		{ "org", "*" },
		{ "other.example", "*" },
		{ "", "*" },
		{ ".", "*" },
		{ "..", "*" },
		{ "x..example.org", ".example.org" },
		{ "[192.0.2.1]", "[192.0.2.1]" },
		{ "\"[192.0.2.1]", "[192.0.2.1]" },
		{ "[192.0.2.2]", "*" },
		{ "[ipv6:2001:DB8::1]", "[ipv6:2001:db8::1]" },
		{ "[x.example.org]", "*" },
		{ "unix:/Run/lmtp", "unix:/Run/lmtp" },
		{ "UNIX:/run/lmtp", "*" },
		{ "UNIX:/run/x.example.org", "*" },
	};
	struct arena *a = arena_new();
	struct tlspolicy p = good("example.org may\n"
				  ".EXAMPLE.org may\n"
				  "* may\n"
				  ".a.example.org. may\n"
				  ".org may\n"
				  "[192.0.2.1] may\n"
				  "[IPv6:2001:db8::1] may\n"
				  "UNIX:/Run/lmtp may\n",
				  a);

	(void)state;
	assert_int_equal(p.n, 8);
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct tlspolicy_entry *e =
		    tlspolicy_find(&p, slice_of(rows[i].destination));

		assert_non_null(e);
		assert_slice_is(e->destination, rows[i].want);
	}
	arena_free(a);
}

static void test_no_entry_is_none(void **state)
{
	struct arena *a = arena_new();
	struct tlspolicy none = { 0 }, empty = good("# nothing\n", a),
			 some = good(".example.org none\n", a);

	(void)state;
	assert_null(tlspolicy_find(&none, SLICE("example.org")));
	assert_null(tlspolicy_find(&empty, SLICE("example.org")));
	assert_null(tlspolicy_find(&some, SLICE("example.org")));
	assert_non_null(tlspolicy_find(&some, SLICE("x.example.org")));
	arena_free(a);
}

static void test_every_line_of_many_is_found(void **state)
{
	enum { N = 3000 };
	struct arena *a = arena_new();
	struct str text = STR_INIT;
	struct tlspolicy p;

	(void)state;
	for (unsigned i = 0; i < N; i++)
		str_addf(&text, "h%u.example encrypt\n", i * 7919 % N);
	p = good(str_cstr(&text), a);
	assert_int_equal(p.n, N);
	for (unsigned i = 0; i < N; i++) {
		struct slice name = arena_printf(a, "h%u.example", i);
		const struct tlspolicy_entry *e = tlspolicy_find(&p, name);

		assert_non_null(e);
		assert_true(slice_eq(e->destination, name));
		assert_int_equal((e->line - 1) * 7919 % N, i);
	}
	assert_null(tlspolicy_find(&p, SLICE("h3000.example")));
	str_done(&text);
	arena_free(a);
}

/* The settings of the only entry of a text. */
static void check_key(const char *text, const char *want)
{
	struct arena *a = arena_new();
	struct tlspolicy p = good(text, a);
	struct str got = STR_INIT;

	assert_int_equal(p.n, 1);
	tls_settings_key_print(&got, &p.entries[0].terms.settings);
	if (strcmp(str_cstr(&got), want) != 0)
		fail_msg("%s: %s, wanted %s", text, str_cstr(&got), want);
	str_done(&got);
	arena_free(a);
}

#define SUITES	" suites=- groups=-"
#define ANCHORS " cafile=/base-ca capath=/base-path"
#define PAIR	" cert=/base-c key=/base-k"

static void test_attributes_replace_what_holds_for_all(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "x may",
		  "min=TLSv1.2 max=TLSv1.3 ciphers=-" SUITES ANCHORS PAIR },
		{ "x may ciphers=A:!B,ciphersuites=S groups=G",
		  "min=TLSv1.2 max=TLSv1.3 ciphers=A:!B suites=S "
		  "groups=G" ANCHORS PAIR },
		{ "x may exclude=RC4:DES ciphers=medium",
		  "min=TLSv1.2 max=TLSv1.3 "
		  "ciphers=HIGH:MEDIUM:!aNULL:!RC4:!DES" SUITES ANCHORS PAIR },
		{ "x may exclude=RC4",
		  "min=TLSv1.2 max=TLSv1.3 ciphers=DEFAULT:!RC4" SUITES ANCHORS
		      PAIR },
		{ "x verify CAFILE=/own",
		  "min=TLSv1.2 max=TLSv1.3 ciphers=-" SUITES
		  " cafile=/own capath=-" PAIR },
		{ "x verify CAfile=/own CApath=/p",
		  "min=TLSv1.2 max=TLSv1.3 ciphers=-" SUITES
		  " cafile=/own capath=/p" PAIR },
		{ "x verify tafile=/own",
		  "min=TLSv1.2 max=TLSv1.3 ciphers=-" SUITES
		  " cafile=/own capath=-" PAIR },
		{ "x may cert=/c",
		  "min=TLSv1.2 max=TLSv1.3 ciphers=-" SUITES ANCHORS
		  " cert=/c key=/c" },
		{ "x may dkey=/dk key=/k dcert=/d cert=/c",
		  "min=TLSv1.2 max=TLSv1.3 ciphers=-" SUITES ANCHORS
		  " cert=/c key=/k cert=/d key=/dk" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_key(rows[i].text, rows[i].want);
}

static void test_protocols(void **state)
{
	static const struct {
		const char *text, *min, *max; /* min NULL: an error */
	} rows[] = {
		{ ">=TLSv1", "TLSv1", "TLSv1.3" },
		{ ">=TLSv1.3", "TLSv1.3", "TLSv1.3" },
		{ "<=TLSv1.2", "TLSv1.2", "TLSv1.2" },
		{ ">=TLSv1:<=TLSv1.1", "TLSv1", "TLSv1.1" },
		{ "TLSv1.2:TLSv1.3", "TLSv1.2", "TLSv1.3" },
		{ "TLSv1|tlsv1.1", "TLSv1", "TLSv1.1" },
		{ "!SSLv2:!SSLv3", "TLSv1.2", "TLSv1.3" },
		{ "!TLSv1.3", "TLSv1.2", "TLSv1.2" },
		{ "!TLSv1:!TLSv1.1", "TLSv1.2", "TLSv1.3" },
		{ "TLSv1.2:TLSv1.3:!TLSv1.2", "TLSv1.3", "TLSv1.3" },
		{ "SSLv3", NULL,
		  "'SSLv3' is none of TLSv1 TLSv1.1 TLSv1.2 "
		  "TLSv1.3, nor one behind \"!\", \">=\" or "
		  "\"<=\"" },
		{ ">=SSLv3", NULL,
		  "'>=SSLv3' is none of TLSv1 TLSv1.1 TLSv1.2 "
		  "TLSv1.3, nor one behind \"!\", \">=\" or "
		  "\"<=\"" },
		{ "TLSv1.2:", NULL,
		  "'' is none of TLSv1 TLSv1.1 TLSv1.2 "
		  "TLSv1.3, nor one behind \"!\", \">=\" or "
		  "\"<=\"" },
		{ ">TLSv1", NULL,
		  "'>TLSv1' is none of TLSv1 TLSv1.1 TLSv1.2 "
		  "TLSv1.3, nor one behind \"!\", \">=\" or "
		  "\"<=\"" },
		{ "!TLSv1.2:!TLSv1.3", NULL,
		  "'!TLSv1.2:!TLSv1.3' leaves no protocol" },
		{ "<=TLSv1.1", NULL, "'<=TLSv1.1' leaves no protocol" },
		{ "TLSv1:TLSv1.3", NULL,
		  "'TLSv1:TLSv1.3' leaves a gap between protocols" },
		{ ">=TLSv1:!TLSv1.1", NULL,
		  "'>=TLSv1:!TLSv1.1' leaves a gap between protocols" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *a = arena_new();
		struct slice text =
		    arena_printf(a, "x may protocols=%s", rows[i].text);
		struct tlspolicy p = { 0 };
		struct err err = { 0 };
		int r = parse(text.p, a, &p, &err);

		if (rows[i].min != NULL) {
			const struct tls_settings *s;

			assert_int_equal(r, 0);
			s = &p.entries[0].terms.settings;
			assert_string_equal(tls_protocol_word(s->min_protocol),
					    rows[i].min);
			assert_string_equal(tls_protocol_word(s->max_protocol),
					    rows[i].max);
		} else {
			assert_int_equal(r, -1);
			text =
			    arena_printf(a, "P:1: protocols: %s", rows[i].max);
			assert_string_equal(err.text, text.p);
		}
		arena_free(a);
	}
}

#define HEX16 "0123456789abcdef0123456789abcdef"

static void test_rules_of_levels(void **state)
{
	struct arena *a = arena_new();
	struct tlspolicy p = good(
	    "a secure match=nexthop:.example.net,match=mx.example|hostname\n"
	    "b fingerprint match=" HEX16 HEX16 "|" HEX16 HEX16 HEX16 HEX16 "\n"
	    "c fingerprint fingerprint=" HEX16 HEX16 "\n"
	    "d dane-only servername=sni.example.\n"
	    "e auto servername=hostname\n",
	    a);
	const struct tls_rule *rule = &p.entries[0].terms.rule;

	(void)state;
	assert_int_equal(rule->level, TLS_LEVEL_SECURE);
	assert_int_equal(rule->n_match, 4);
	assert_slice_is(rule->match[1], ".example.net");
	assert_slice_is(rule->match[3], "hostname");
	assert_slice_is(rule->servername, "base.example");
	rule = &p.entries[1].terms.rule;
	assert_int_equal(rule->level, TLS_LEVEL_FINGERPRINT);
	assert_int_equal(rule->n_match, 0);
	assert_int_equal(rule->n_fingerprints, 2);
	assert_int_equal(rule->fingerprints[1].len, 64);
	assert_int_equal((unsigned char)rule->fingerprints[0].p[3], 0x67);
	assert_int_equal(p.entries[2].terms.rule.n_fingerprints, 1);
	assert_slice_is(p.entries[3].terms.rule.servername, "sni.example");
	assert_slice_is(p.entries[4].terms.rule.servername, "hostname");
	arena_free(a);
}

static void test_lines_remarks_and_continuations(void **state)
{
	struct arena *a = arena_new();
	struct tlspolicy p = good("# a remark\n"
				  "\t# another\n"
				  "\r\n"
				  "a.example\tsecure # not match=x\r\n"
				  "  match=one.example,\n"
				  "# between\n"
				  "\n"
				  "\tmatch=two.example #\n"
				  "b.example\n"
				  " may",
				  a);

	(void)state;
	assert_int_equal(p.n, 2);
	assert_int_equal(p.entries[0].line, 4);
	assert_int_equal(p.entries[0].terms.rule.n_match, 2);
	assert_int_equal(p.entries[1].line, 9);
	assert_int_equal(p.entries[1].terms.rule.level, TLS_LEVEL_MAY);
	arena_free(a);
}

static void test_errors_name_line_and_what_was_expected(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "\n may", "P:2: begins with a blank and continues no entry" },
		{ "a.example", "P:1: a level is missing" },
		{ "a.example\nb.example may", "P:1: a level is missing" },
		{ "a may\nb secure\n c", "P:3: 'c': wanted key=value" },
		{ "a noon",
		  "P:1: 'noon' is none of the levels auto none may encrypt "
		  "dane dane-only fingerprint verify secure" },
		{ "a may foo=bar", "P:1: foo: no such attribute" },
		{ "a may level=may", "P:1: level: no such attribute" },
		{ "a may =bar", "P:1: : no such attribute" },
		{ "a may ciphers=", "P:1: ciphers: a value is missing" },
		{ "a may ciphers=\x7f",
		  "P:1: ciphers: a control byte in the value" },
		{ "a may ciphers=x\n CIPHERS=y",
		  "P:2: CIPHERS: stands here twice" },
		{ "a may exclude=!RC4", "P:1: exclude: '!RC4' is no cipher" },
		{ "a may key=/k", "P:1: a key without a certificate: '/k'" },
		{ "#\na fingerprint", "P:2: level fingerprint needs a "
				      "fingerprint" },
		{ "a fingerprint match=example.org",
		  "P:1: match: 'example.org' is no SHA2-256 or SHA2-512 of a "
		  "certificate or its key: 32 or 64 bytes in hexadecimal" },
		{ "a may match=example.org",
		  "P:1: names to match are for levels verify and secure, and "
		  "this is level may" },
		{ "a may fingerprint=" HEX16 HEX16,
		  "P:1: fingerprints are for level fingerprint, and this is "
		  "level may" },
		{ "A may\nb may\na. may", "P:3: 'a' stands in line 1 already" },
		{ "a@b may",
		  "P:1: 'a@b' is no destination: a domain name (in ASCII), "
		  "\".\" and one, an address in brackets, UNIX:/path or *" },
		{ "[192.0.2.1 may",
		  "P:1: '[192.0.2.1' is no destination: a domain name (in "
		  "ASCII), \".\" and one, an address in brackets, UNIX:/path "
		  "or *" },
		{ "*.a.example may",
		  "P:1: '*.a.example' is no destination: a domain name (in "
		  "ASCII), \".\" and one, an address in brackets, UNIX:/path "
		  "or *" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *a = arena_new();
		struct tlspolicy p;
		struct err err = { 0 };

		if (parse(rows[i].text, a, &p, &err) == 0)
			fail_msg("accepted: %s", rows[i].text);
		if (strcmp(err.text, rows[i].want) != 0)
			fail_msg("'%s': '%s', wanted '%s'", rows[i].text,
				 err.text, rows[i].want);
		arena_free(a);
	}
}

static void test_lists_are_bounded(void **state)
{
	struct arena *a = arena_new();
	struct str text = STR_INIT;
	struct tlspolicy p;
	struct err err = { 0 };

	(void)state;
	str_adds(&text, "x secure match=n0");
	for (int i = 1; i < TLSTERMS_LIST_MAX; i++)
		str_addf(&text, ":n%d", i);
	p = good(str_cstr(&text), a);
	assert_int_equal(p.entries[0].terms.rule.n_match, TLSTERMS_LIST_MAX);
	assert_slice_is(p.entries[0].terms.rule.match[63], "n63");
	str_adds(&text, ":more");
	assert_int_equal(parse(str_cstr(&text), a, &p, &err), -1);
	assert_string_equal(err.text, "P:1: match: more than 64");
	str_done(&text);
	arena_free(a);
}

static void test_names_are_those_of_the_dns(void **state)
{
	static const struct {
		const char *name;
		bool want;
	} rows[] = {
		{ "a", true },
		{ "a-b_c.example", true },
		{ "xn--bcher-kva.example", true },
		{ "", false },
		{ ".", false },
		{ "a.", false },
		{ ".a", false },
		{ "a..b", false },
		{ "a b", false },
		{ "a/b", false },
		{ "*.a", false },
		{ "b\xc3\xbc", false },
	};
	struct str label = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(tlsterms_is_name(slice_of(rows[i].name)),
				 rows[i].want);
	for (int i = 0; i < 63; i++)
		str_addc(&label, 'x');
	assert_true(tlsterms_is_name(str_slice(&label)));
	str_addc(&label, 'x');
	assert_false(tlsterms_is_name(str_slice(&label)));
	str_clear(&label);
	for (int i = 0; i < 126; i++)
		str_adds(&label, "x.");
	str_adds(&label, "x");
	assert_true(tlsterms_is_name(str_slice(&label)));
	str_adds(&label, "x");
	assert_false(tlsterms_is_name(str_slice(&label)));
	str_done(&label);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_most_exact_entry_counts),
		cmocka_unit_test(test_no_entry_is_none),
		cmocka_unit_test(test_every_line_of_many_is_found),
		cmocka_unit_test(test_attributes_replace_what_holds_for_all),
		cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_rules_of_levels),
		cmocka_unit_test(test_lines_remarks_and_continuations),
		cmocka_unit_test(test_errors_name_line_and_what_was_expected),
		cmocka_unit_test(test_lists_are_bounded),
		cmocka_unit_test(test_names_are_those_of_the_dns),
	};

	return TEST_RUN(tests);
}
