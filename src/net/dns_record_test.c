/*
 * dns_record_test.c - answers written down, and given again.
 */
#include "net/dns_record.h"

#include "base/fd.h"
#include "base/keyword.h"
#include "base/test.h"
#include "net/conn.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct slice printed(const struct dns_answer *answer, struct arena *a)
{
	struct str text = STR_INIT;
	struct slice s;

	dns_record_print(&text, answer);
	s = arena_dup(a, str_slice(&text));
	str_done(&text);
	return s;
}

static void test_line_is_read_and_printed_the_same(void **state)
{
	static const char *const rows[] = {
		"example.org MX ok secure network 300 - 10:mx1.a 20:mx2",
		"example.org MX ok insecure cache 300 - 0:.",
		"mx1 A ok insecure cache 60 a.example,b 192.0.2.1 192.0.2.2",
		"h AAAA ok indeterminate hosts 0 - 2001:db8::1",
		"localhost A ok indeterminate rule 0 - 127.0.0.1",
		"_25._tcp.mx1 TLSA ok secure network 5 - 3:1:1:00ff 2:0:1:-",
		"h WKS ok insecure network 5 - 1.2.3.4:6:0040 1.2.3.4:17:-",
		"a CNAME ok secure network 5 - b.example",
		"1.2.0.192.in-addr.arpa PTR ok secure network 5 - h\\032x",
		"_mta-sts.a TXT ok secure network 5 - 763d53545376313b -",
		". DNSKEY ok secure network 5 - 0101030d",
		"a TYPE999 ok secure network 5 - 00",
		"a MX nodata secure network 5 -",
		"a MX nxdomain insecure network 5 b",
		"a MX timeout indeterminate network 0 - ; no answer in time",
		"a MX bogus bogus network 0 - ; signature expired; really",
		"a MX loop insecure network 0 b,c,b,c",
		"a\\.b\\\\c.d\\000 A servfail indeterminate network 0 -",
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dns_answer answer;
		struct slice text;
		struct err err;

		if (dns_record_read(slice_of(rows[i]), &answer, a, &err) != 0)
			fail_msg("%s: %s", rows[i], err.text);
		assert_true(answer.is_recorded);
		text = printed(&answer, a);
		assert_int_equal(text.p[text.len - 1], '\n');
		assert_slice_is(slice_head(text, text.len - 1), rows[i]);
		assert_slice_is(answer.canonical,
				answer.n_chain > 0
				    ? answer.chain[answer.n_chain - 1].p
				    : answer.name.p);
	}
	arena_free(a);
}

static void test_line_is_read_in_any_dress(void **state)
{
	struct arena *a = arena_new();
	struct dns_answer answer;
	struct err err;

	(void)state;
	assert_int_equal(dns_record_read(SLICE("\t a.  mx\tOK  Secure network "
					       "5 -  10:B. ;  said so \r\n"),
					 &answer, a, &err),
			 0);
	assert_slice_is(printed(&answer, a),
			"a MX ok secure network 5 - 10:B ; said so\n");
	assert_int_equal(dns_record_read(SLICE(""), &answer, a, &err), 1);
	assert_int_equal(dns_record_read(SLICE("  # a b"), &answer, a, &err),
			 1);
	arena_free(a);
}

static void test_bad_line_is_refused(void **state)
{
	static const char *const rows[] = {
		"a",
		"a MX ok secure network 5",
		"a..b MX nodata secure network 5 -",
		"a MXX nodata secure network 5 -",
		"a TYPE65536 nodata secure network 5 -",
		"a MX maybe secure network 5 -",
		"a MX nodata sure network 5 -",
		"a MX nodata secure heaven 5 -",
		"a MX nodata secure network x -",
		"a MX nodata secure network 4294967296 -",
		"a MX nodata secure network 5 a,,b",
		"a MX nodata secure cache 5 a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q",
		"a MX ok secure network 5 -",
		"a MX nodata secure network 5 - 10:b",
		"a MX ok secure network 5 - b",
		"a MX ok secure network 5 - 65536:b",
		"a MX ok secure network 5 - 10:",
		"a A ok secure network 5 - 192.0.2",
		"a A ok secure network 5 - 2001:db8::1",
		"a AAAA ok secure network 5 - 192.0.2.1",
		"a TLSA ok secure network 5 - 3:1:00",
		"a TLSA ok secure network 5 - 3:1:256:00",
		"a TLSA ok secure network 5 - 3:1:1:0",
		"a TLSA ok secure network 5 - 3:1:1:0g",
		"a WKS ok secure network 5 - 192.0.2.1:00",
		"a TXT ok secure network 5 - text",
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dns_answer answer = { .ttl = 77 };
		struct err err = { .text = "" };

		if (dns_record_read(slice_of(rows[i]), &answer, a, &err) >= 0)
			fail_msg("'%s' was taken", rows[i]);
		assert_int_equal(answer.ttl, 77);
		assert_true(err.text[0] != '\0');
	}
	arena_free(a);
}

/* ---- the source --------------------------------------------------------- */

static const char file_text[] =
    "# a case\n"
    "example.org MX ok secure network 300 - 10:mx.example.org\n"
    "\n"
    "mx.example.org A servfail indeterminate network 0 - ; it failed\n"
    "mx.example.org A ok insecure hosts 60 - 192.0.2.1\n"
    "localhost A nxdomain insecure network 60 -\n";

static struct dns_resolver *resolver_of(struct dns_source *source)
{
	struct dns_options o = { .mode = DNS_VALIDATE,
				 .servers = "nonsense",
				 .source = source };

	return dns_new(&o);
}

static void test_recorded_answers_are_given_again(void **state)
{
	static const struct {
		const char *name;
		enum dns_type type;
		const char *want;
	} rows[] = {
		{ "example.org", DNS_MX,
		  "example.org MX ok secure network 300 - "
		  "10:mx.example.org\n" },
		{ "EXAMPLE.org.", DNS_MX,
		  "EXAMPLE.org MX ok secure network 300 - "
		  "10:mx.example.org\n" },
		/* The last line counts. */
		{ "mx.example.org", DNS_A,
		  "mx.example.org A ok insecure hosts 60 - 192.0.2.1\n" },
		{ "mx.example.org", DNS_AAAA,
		  "mx.example.org AAAA unavailable indeterminate network 0 - "
		  "; not in CASE\n" },
		/* Neither hosts nor rules come in between. */
		{ "localhost", DNS_A,
		  "localhost A nxdomain insecure network 60 -\n" },
		{ "a..b", DNS_A,
		  "? A bad-name indeterminate network 0 - ; the name has an "
		  "empty or too long part\n" },
	};
	struct arena *a = arena_new();
	struct dns_source *source;
	struct dns_resolver *r;
	struct err err;

	(void)state;
	assert_int_equal(
	    dns_recorded(slice_of(file_text), "CASE", &source, &err), 0);
	r = resolver_of(source);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dns_answer answer =
		    dns_ask(r, slice_of(rows[i].name), rows[i].type, 0, a);

		assert_slice_is(printed(&answer, a), rows[i].want);
		assert_int_equal(answer.is_recorded,
				 answer.verdict != DNS_BAD_NAME);
	}
	/* Nobody is asked whether validation works. */
	assert_int_equal(dns_check(r, conn_now() + 1000)->trust,
			 DNS_TRUST_UNKNOWN);
	dns_free(r);
	arena_free(a);
}

static void remember(void *context, const struct dns_answer *answer)
{
	dns_record_print(context, answer);
}

static void test_what_is_asked_can_be_recorded(void **state)
{
	struct str record = STR_INIT;
	struct arena *a = arena_new();
	struct dns_options o = { .on_answer = remember, .context = &record };
	struct dns_answer answers[2] = {
		{ .name = SLICE("example.org"), .type = DNS_MX },
		{ .name = SLICE("mx.example.org"), .type = DNS_A },
	};
	struct dns_source *again;
	struct dns_resolver *r;
	struct str second = STR_INIT;
	struct err err;

	(void)state;
	assert_int_equal(
	    dns_recorded(slice_of(file_text), "CASE", &o.source, &err), 0);
	r = dns_new(&o);
	dns_ask_all(r, answers, 2, 0, a);
	dns_free(r);
	assert_string_equal(
	    str_cstr(&record),
	    "example.org MX ok secure network 300 - 10:mx.example.org\n"
	    "mx.example.org A ok insecure hosts 60 - 192.0.2.1\n");
	/* And what is replayed records as the same. */
	assert_int_equal(dns_recorded(str_slice(&record), "R", &again, &err),
			 0);
	o.source = again;
	o.context = &second;
	r = dns_new(&o);
	dns_ask_all(r, answers, 2, 0, a);
	dns_free(r);
	assert_string_equal(str_cstr(&second), str_cstr(&record));
	str_done(&record);
	str_done(&second);
	arena_free(a);
}

static void test_bad_file_is_told_with_its_line(void **state)
{
	char path[] = "/tmp/zpost-record-XXXXXX";
	struct dns_source *source;
	struct err err;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, SLICE("# one\n\nrubbish\n")), 0);
	assert_int_equal(dns_recorded_file(path, &source, &err), -1);
	assert_non_null(strstr(err.text, ":3: "));
	assert_non_null(strstr(err.text, path));
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(dns_recorded_file(path, &source, &err), 0);
	source->free(source);
	assert_int_equal(ftruncate(fd, DNS_FILE_MAX + 1), 0);
	assert_int_equal(dns_recorded_file(path, &source, &err), -1);
	assert_non_null(strstr(err.text, "larger"));
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(dns_recorded_file(path, &source, &err), -1);
}

/* ---- words -------------------------------------------------------------- */

static void test_every_word_reads_back(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	for (unsigned i = 0; i <= DNS_UNAVAILABLE; i++) {
		enum dns_verdict got = DNS_OK;
		const char *word = dns_verdict_word((enum dns_verdict)i);

		assert_true(dns_verdict_read(slice_of(word), &got));
		assert_int_equal(got, i);
		assert_int_equal(dns_is_temporary(got), i > DNS_LOOP);
	}
	for (unsigned i = 0; i <= DNS_FORGED; i++) {
		enum dns_status got = DNS_SECURE;
		const char *word = dns_status_word((enum dns_status)i);

		assert_true(dns_status_read(slice_of(word), &got));
		assert_int_equal(got, i);
	}
	for (unsigned i = 0; i <= DNS_FROM_RULE; i++) {
		enum dns_origin got = DNS_FROM_RULE;
		const char *word = dns_origin_word((enum dns_origin)i);

		assert_true(dns_origin_read(slice_of(word), &got));
		assert_int_equal(got, i);
	}
	for (unsigned i = 0; i <= DNS_TRUST_LOST; i++)
		assert_non_null(dns_trust_word((enum dns_trust)i));
	for (unsigned i = 0; i < 300; i++) {
		enum dns_type got = DNS_A;

		assert_true(
		    dns_type_read(dns_type_text((enum dns_type)i, a), &got));
		assert_int_equal(got, i);
	}
	arena_free(a);
}

static void test_modes_are_read(void **state)
{
	enum dns_mode mode = DNS_OFF;

	(void)state;
	assert_true(dns_mode_read(SLICE("validate"), &mode));
	assert_int_equal(mode, DNS_VALIDATE);
	assert_true(dns_mode_read(SLICE("Trusted"), &mode));
	assert_int_equal(mode, DNS_TRUSTED);
	assert_true(dns_mode_read(SLICE("off"), &mode));
	assert_int_equal(mode, DNS_OFF);
	assert_false(dns_mode_read(SLICE("on"), &mode));
	assert_int_equal(mode, DNS_OFF);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line_is_read_and_printed_the_same),
		cmocka_unit_test(test_line_is_read_in_any_dress),
		cmocka_unit_test(test_bad_line_is_refused),
		cmocka_unit_test(test_recorded_answers_are_given_again),
		cmocka_unit_test(test_what_is_asked_can_be_recorded),
		cmocka_unit_test(test_bad_file_is_told_with_its_line),
		cmocka_unit_test(test_every_word_reads_back),
		cmocka_unit_test(test_modes_are_read),
	};

	return TEST_RUN(tests);
}
