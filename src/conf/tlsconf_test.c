/*
 * tlsconf_test.c - smtp-tls.conf(5): each keyword, and errors that say where.
 */
#include "conf/tlsconf.h"

#include "base/keyword.h"
#include "base/str.h"
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A text that is called F. */
static int parse(const char *text, struct arena *a, struct tlsconf *ret,
		 struct err *err)
{
	struct textfile source = { slice_of(text), "F" };

	return tlsconf_parse(source, a, ret, err);
}

static struct tlsconf good(const char *text, struct arena *a)
{
	struct tlsconf c = { 0 };
	struct err err = { 0 };

	if (parse(text, a, &c, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return c;
}

static void bad(const char *text, const char *want)
{
	struct arena *a = arena_new();
	struct tlsconf c;
	struct err err = { 0 };

	if (parse(text, a, &c, &err) == 0)
		fail_msg("accepted: %s", text);
	if (strcmp(err.text, want) != 0)
		fail_msg("'%s': '%s', wanted '%s'", text, err.text, want);
	arena_free(a);
}

/* As the manual prints it, layout and all. */
static const char example[] =
    "#|\n"
    "#| TLS for outgoing SMTP\n"
    "#|\n"
    "\n"
    "tls-cert-file   /etc/zmailer/db/smtpserver-cert.pem\n"
    "tls-key-file    /etc/zmailer/db/smtpserver-key.pem\n"
    "tls-CAfile      /etc/zmailer/db/smtpserver-CAcert.pem\n"
    "#tls-CApath     /path/to/CAdir/\n"
    "tls-loglevel    0       # 0 thru 4\n"
    "\t#tls-random-source dev:/dev/urandom\n"
    "tls-random-source egd:/var/run/egd-pool\n"
    "#demand-tls-mode\n";

static void test_manual_example_parses(void **state)
{
	struct arena *a = arena_new();
	struct tlsconf c = good(example, a);
	const struct tls_settings *s = &c.terms.settings;

	(void)state;
	assert_int_equal(s->n_pairs, 1);
	assert_string_equal(s->pairs[0].cert_file,
			    "/etc/zmailer/db/smtpserver-cert.pem");
	assert_string_equal(s->pairs[0].key_file,
			    "/etc/zmailer/db/smtpserver-key.pem");
	assert_string_equal(s->ca_file,
			    "/etc/zmailer/db/smtpserver-CAcert.pem");
	assert_null(s->ca_path);
	assert_int_equal(c.loglevel, 0);
	assert_int_equal(c.terms.rule.level, TLS_LEVEL_AUTO);
	assert_false(c.terms.rule.is_demanded);
	arena_free(a);
}

/* The places of its example are the ones that FILES names. */
static void test_default_places_are_those_of_the_example(void **state)
{
	static const char *const places[] = {
		"/etc/zmailer/db/smtpserver-cert.pem",
		"/etc/zmailer/db/smtpserver-key.pem",
		"/etc/zmailer/db/smtpserver-CAcert.pem",
	};
	struct arena *a = arena_new();
	struct textfile page = { 0 };
	struct err err = { 0 };

	(void)state;
	if (textfile_read("man/smtp-tls.conf.5", 1 << 20, a, &page, &err) < 0)
		fail_msg("%s (run this in the top folder)", err.text);
	for (size_t i = 0; i < COUNT(places); i++) {
		struct slice item = arena_printf(a, "\n.It Pa %s\n", places[i]);

		assert_true(slice_find_text(page.text, item) < page.text.len);
		assert_true(
		    slice_find_text(slice_of(example), slice_of(places[i])) <
		    strlen(example));
	}
	arena_free(a);
}

static void test_empty_file_is_the_default(void **state)
{
	static const char *const rows[] = {
		"",	    "\n\n",
		" \t\n",    "#\n;\n  # x\n\t; x",
		"#| x\r\n", "; tls-level bogus",
		"\r\n",
	};
	struct tls_settings want = TLS_SETTINGS_DEFAULT;
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tlsconf c = good(rows[i], a);

		assert_true(tls_settings_eq(&c.terms.settings, &want));
		assert_true(c.terms.settings.is_cached);
		assert_int_equal(c.terms.rule.level, TLS_LEVEL_AUTO);
		assert_int_equal(c.terms.rule.n_match, 0);
		assert_int_equal(c.loglevel, 0);
		assert_false(c.is_wrapper);
		assert_int_equal(c.cache, TLSCONF_CACHE_MEMORY);
		assert_null(c.policy_file);
		assert_string_equal(c.file, "F");
	}
	arena_free(a);
}

/* What a text makes of everything OpenSSL is told. */
static void check_key(const char *text, const char *want)
{
	struct arena *a = arena_new();
	struct tlsconf c = good(text, a);
	struct str got = STR_INIT;

	tls_settings_key_print(&got, &c.terms.settings);
	assert_string_equal(str_cstr(&got), want);
	str_done(&got);
	arena_free(a);
}

static void test_keywords_of_files_and_ciphers(void **state)
{
#define BEFORE "min=TLSv1.2 max=TLSv1.3 "
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "tls-cert-file /c", BEFORE
		  "ciphers=- suites=- groups=- cafile=- capath=- cert=/c "
		  "key=/c" },
		{ "TLS-Key-File /k # x\ntls-cert-FILE\t/c\trest\n", BEFORE
		  "ciphers=- suites=- groups=- cafile=- capath=- cert=/c "
		  "key=/k" },
		{ "tls-cert-file /c\ntls-dcert-file /d\ntls-dkey-file /e",
		  BEFORE
		  "ciphers=- suites=- groups=- cafile=- capath=- cert=/c "
		  "key=/c cert=/d key=/e" },
		{ "tls-dcert-file /d", BEFORE
		  "ciphers=- suites=- groups=- cafile=- capath=- cert=/d "
		  "key=/d" },
		{ "tls-CAfile /a\ntls-CApath /b/",
		  BEFORE "ciphers=- suites=- groups=- cafile=/a capath=/b/" },
		{ "tls-cafile /a\ntls-CAfile /z",
		  BEFORE "ciphers=- suites=- groups=- cafile=/z capath=-" },
		{ "tls-cipher-list HIGH:!aNULL", BEFORE
		  "ciphers=HIGH:!aNULL suites=- groups=- cafile=- capath=-" },
		{ "tls-cipher-list high", BEFORE
		  "ciphers=HIGH:!aNULL suites=- groups=- cafile=- capath=-" },
		{ "tls-cipher-suites A:B\ntls-groups X25519:P-256",
		  BEFORE "ciphers=- suites=A:B groups=X25519:P-256 cafile=- "
			 "capath=-" },
		{ "tls-min-protocol tlsv1.3",
		  "min=TLSv1.3 max=TLSv1.3 ciphers=- suites=- groups=- "
		  "cafile=- capath=-" },
		{ "tls-min-protocol TLSv1.2",
		  BEFORE "ciphers=- suites=- groups=- cafile=- capath=-" },
	};
#undef BEFORE

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_key(rows[i].text, rows[i].want);
}

static void test_loglevel_is_0_to_4(void **state)
{
	static const struct {
		const char *text;
		unsigned want;
	} rows[] = {
		{ "tls-loglevel 0", 0 },
		{ "tls-loglevel 1", 1 },
		{ "tls-loglevel 2", 2 },
		{ "tls-loglevel 3", 3 },
		{ "tls-loglevel 4", 4 },
		{ "tls-loglevel 5", 4 },
		{ "tls-loglevel -1", 0 },
		{ "tls-loglevel 0  # text", 0 },
		{ "tls-loglevel 99999999999999999999999", 4 },
		{ "tls-loglevel 3\ntls-loglevel 2", 2 },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(good(rows[i].text, a).loglevel, rows[i].want);
	bad("tls-loglevel two", "F:1: tls-loglevel: 'two' is no number");
	bad("tls-loglevel -", "F:1: tls-loglevel: '-' is no number");
	arena_free(a);
}

static void test_historic_keywords_are_accepted(void **state)
{
	static const char *const rows[] = {
		"tls-random-source dev:/dev/urandom",
		"tls-random-source egd:/var/run/egd-pool",
		"tls-random-source /some/file",
		"tls-strict-rfc2487",
		"no-tls-readahead  # remark",
	};
	struct arena *a = arena_new();
	struct tlsconf c, d = good("", a);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		c = good(rows[i], a);
		assert_true(
		    tls_settings_eq(&c.terms.settings, &d.terms.settings));
		assert_int_equal(c.cache, d.cache);
	}
	c = good("tls-use-scache\ntls-scache-timeout 60", a);
	assert_int_equal(c.cache, TLSCONF_CACHE_SHARED);
	assert_int_equal(c.terms.settings.session_seconds, 60);
	c = good("tls-scache-timeout 0", a);
	assert_int_equal(c.terms.settings.session_seconds, 1);
	c = good("tls-scache-timeout 99999999", a);
	assert_int_equal(c.terms.settings.session_seconds, 604800);
	arena_free(a);
}

static void test_demand_tls_mode(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	assert_true(good("demand-tls-mode", a).terms.rule.is_demanded);
	assert_true(good("Demand-TLS-Mode # x", a).terms.rule.is_demanded);
	assert_false(good("# demand-tls-mode", a).terms.rule.is_demanded);
	arena_free(a);
}

static void test_wrapper_has_no_clear_text(void **state)
{
	struct arena *a = arena_new();
	struct tlsconf c = good("tls-wrapper\n", a);

	(void)state;
	assert_true(c.is_wrapper);
	assert_true(c.terms.rule.is_demanded);
	arena_free(a);
}

static void test_levels_and_what_belongs_to_them(void **state)
{
	static const struct {
		const char *text;
		enum tls_level want;
	} rows[] = {
		{ "tls-level auto", TLS_LEVEL_AUTO },
		{ "tls-level none", TLS_LEVEL_NONE },
		{ "tls-level MAY", TLS_LEVEL_MAY },
		{ "tls-level encrypt", TLS_LEVEL_ENCRYPT },
		{ "tls-level dane", TLS_LEVEL_DANE },
		{ "tls-level Dane-Only", TLS_LEVEL_DANE_ONLY },
		{ "tls-level verify # x", TLS_LEVEL_VERIFY },
		{ "tls-level secure", TLS_LEVEL_SECURE },
		{ "tls-verify none", TLS_LEVEL_MAY },
		{ "tls-verify may", TLS_LEVEL_MAY },
		{ "tls-verify peer", TLS_LEVEL_VERIFY },
	};
	struct arena *a = arena_new();
	struct tlsconf c;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(good(rows[i].text, a).terms.rule.level,
				 rows[i].want);
	c = good("tls-match nexthop:.example.org.\ntls-match a.example\n"
		 "tls-level secure\ntls-servername Nexthop",
		 a);
	assert_int_equal(c.terms.rule.n_match, 3);
	assert_slice_is(c.terms.rule.match[0], "nexthop");
	assert_slice_is(c.terms.rule.match[1], ".example.org");
	assert_slice_is(c.terms.rule.match[2], "a.example");
	assert_slice_is(c.terms.rule.servername, "Nexthop");
	arena_free(a);
}

static void test_fingerprints(void **state)
{
	struct arena *a = arena_new();
	char want[32];
	struct tlsconf c;

	(void)state;
	memset(want, 0xab, sizeof(want));
	c = good("tls-level fingerprint\ntls-fingerprint "
		 "ab:AB:ab:AB:ab:AB:ab:AB:ab:AB:ab:AB:ab:AB:ab:AB:"
		 "ab:AB:ab:AB:ab:AB:ab:AB:ab:AB:ab:AB:ab:AB:ab:AB|"
		 "abababababababababababababababab"
		 "abababababababababababababababab"
		 "abababababababababababababababab"
		 "abababababababababababababababab",
		 a);
	assert_int_equal(c.terms.rule.n_fingerprints, 2);
	assert_int_equal(c.terms.rule.fingerprints[0].len, 32);
	assert_int_equal(c.terms.rule.fingerprints[1].len, 64);
	assert_memory_equal(c.terms.rule.fingerprints[0].p, want, 32);
	assert_memory_equal(c.terms.rule.fingerprints[1].p, want, 32);
	arena_free(a);
}

static void test_session_cache(void **state)
{
	struct arena *a = arena_new();
	struct tlsconf c = good("tls-session-cache none", a);

	(void)state;
	assert_int_equal(c.cache, TLSCONF_CACHE_NONE);
	assert_false(c.terms.settings.is_cached);
	c = good("tls-session-cache Shared", a);
	assert_int_equal(c.cache, TLSCONF_CACHE_SHARED);
	assert_true(c.terms.settings.is_cached);
	for (int i = 0; i <= TLSCONF_CACHE_SHARED; i++) {
		struct slice text =
		    arena_printf(a, "tls-session-cache %s",
				 tlsconf_cache_word((enum tlsconf_cache)i));

		assert_int_equal(good(text.p, a).cache, i);
	}
	arena_free(a);
}

static void test_unknown_keyword_is_told_as_ever(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "#\n\ndemand-tls\n",
		  "TLS config file, line 3 verb: 'demand-tls' unknown or "
		  "missing parameters! (F:3: no such keyword)" },
		{ "tls-cert-file\n",
		  "TLS config file, line 1 verb: 'tls-cert-file' unknown or "
		  "missing parameters! (F:1: an argument is missing)" },
		{ "tls-cert-file  # none\n",
		  "TLS config file, line 1 verb: 'tls-cert-file' unknown or "
		  "missing parameters! (F:1: an argument is missing)" },
		{ "tls-level=may\n",
		  "TLS config file, line 1 verb: 'tls-level=may' unknown or "
		  "missing parameters! (F:1: no such keyword)" },
		{ "\x1b[1m",
		  "TLS config file, line 1 verb: '?[1m' unknown or missing "
		  "parameters! (F:1: no such keyword)" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		bad(rows[i].text, rows[i].want);
}

static void test_errors_name_line_and_what_was_expected(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "\ntls-level  dan",
		  "F:2: tls-level: 'dan' is none of the levels auto none may "
		  "encrypt dane dane-only fingerprint verify secure" },
		{ "tls-verify yes",
		  "F:1: tls-verify: 'yes' is none of none, may, peer" },
		{ "tls-session-cache on",
		  "F:1: tls-session-cache: 'on' is none of none, memory, "
		  "shared" },
		{ "tls-min-protocol TLSv1.1",
		  "F:1: tls-min-protocol: 'TLSv1.1' is neither TLSv1.2 nor "
		  "TLSv1.3 (older ones only for single destinations, in the "
		  "policy file)" },
		{ "tls-policy-file tls_policy",
		  "F:1: tls-policy-file: 'tls_policy' does not begin with /" },
		{ "tls-key-file /k", "F: a key without a certificate: '/k'" },
		{ "tls-level fingerprint",
		  "F: level fingerprint needs a fingerprint" },
		{ "tls-match example.org",
		  "F: names to match are for levels verify and secure, and "
		  "this is level auto" },
		{ "tls-match *.example.org",
		  "F:1: tls-match: '*.example.org' is neither hostname, "
		  "nexthop, dot-nexthop, a domain name (in ASCII) nor \".\" "
		  "and one" },
		{ "tls-servername b\xc3\xbc.example",
		  "F:1: tls-servername: 'b\xc3\xbc.example' is neither "
		  "hostname, nexthop nor a domain name (in ASCII)" },
		{ "tls-fingerprint ab:cd",
		  "F:1: tls-fingerprint: 'ab:cd' is no SHA2-256 or SHA2-512 "
		  "of a certificate or its key: 32 or 64 bytes in "
		  "hexadecimal" },
		{ "tls-CAfile /a\x01",
		  "F:1: tls-CAfile: a control byte in the argument" },
	};
	struct tlsconf c;
	struct err err = { 0 };
	struct arena *a = arena_new();
	struct textfile nul = { slice_make("tls-CAfile /a\0b\n", 16), "F" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		bad(rows[i].text, rows[i].want);
	assert_int_equal(tlsconf_parse(nul, a, &c, &err), -1);
	arena_free(a);
}

/* ---- files -------------------------------------------------------------- */

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void test_load_reads_the_policy_file_too(void **state)
{
	char folder[] = "/tmp/tlsconf-XXXXXX";
	struct arena *a = arena_new();
	struct tlsconf_found found;
	struct tlsconf c = { 0 };
	struct err err = { 0 };
	const char *conf, *policy;

	(void)state;
	assert_non_null(mkdtemp(folder));
	conf = arena_printf(a, "%s/smtp-tls.conf", folder).p;
	policy = arena_printf(a, "%s/policy", folder).p;
	assert_int_equal(tlsconf_load(conf, a, &c, &err), -1);
	assert_non_null(strstr(err.text, "smtp-tls.conf: No such file"));
	write_file(conf,
		   arena_printf(a,
				"tls-policy-file %s\ndemand-tls-mode\n"
				"tls-CAfile /ca\ntls-servername x.example\n",
				policy)
		       .p);
	assert_int_equal(tlsconf_load(conf, a, &c, &err), -1);
	assert_non_null(strstr(err.text, "policy: No such file"));
	write_file(policy, "example.org secure\nexample.net noon\n");
	assert_int_equal(tlsconf_load(conf, a, &c, &err), -1);
	assert_non_null(strstr(err.text, "policy:2: 'noon' is none of"));
	write_file(policy, "example.org secure ciphers=X\n");
	assert_int_equal(tlsconf_load(conf, a, &c, &err), 0);
	found = tlsconf_find(&c, SLICE("Example.ORG."));
	assert_non_null(found.entry);
	assert_int_equal(found.rule.level, TLS_LEVEL_SECURE);
	assert_true(found.rule.is_demanded);
	assert_slice_is(found.rule.servername, "x.example");
	assert_string_equal(found.settings.cipher_list, "X");
	assert_string_equal(found.settings.ca_file, "/ca");
	found = tlsconf_find(&c, SLICE("example.net"));
	assert_null(found.entry);
	assert_int_equal(found.rule.level, TLS_LEVEL_AUTO);
	assert_true(found.rule.is_demanded);
	assert_null(found.settings.cipher_list);
	assert_int_equal(unlink(conf) | unlink(policy) | rmdir(folder), 0);
	arena_free(a);
}

static void test_without_a_file_level_auto_holds(void **state)
{
	struct tls_settings want = TLS_SETTINGS_DEFAULT;
	struct tlsconf_found found;
	struct tlsconf c;

	(void)state;
	tlsconf_init(&c);
	found = tlsconf_find(&c, SLICE("example.org"));
	assert_int_equal(found.rule.level, TLS_LEVEL_AUTO);
	assert_false(found.rule.is_demanded);
	assert_true(tls_settings_eq(&found.settings, &want));
	assert_string_equal(c.file, "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manual_example_parses),
		cmocka_unit_test(test_default_places_are_those_of_the_example),
		cmocka_unit_test(test_empty_file_is_the_default),
		cmocka_unit_test(test_keywords_of_files_and_ciphers),
		cmocka_unit_test(test_loglevel_is_0_to_4),
		cmocka_unit_test(test_historic_keywords_are_accepted),
		cmocka_unit_test(test_demand_tls_mode),
		cmocka_unit_test(test_wrapper_has_no_clear_text),
		cmocka_unit_test(test_levels_and_what_belongs_to_them),
		cmocka_unit_test(test_fingerprints),
		cmocka_unit_test(test_session_cache),
		cmocka_unit_test(test_unknown_keyword_is_told_as_ever),
		cmocka_unit_test(test_errors_name_line_and_what_was_expected),
		cmocka_unit_test(test_load_reads_the_policy_file_too),
		cmocka_unit_test(test_without_a_file_level_auto_holds),
	};

	return TEST_RUN(tests);
}
