/*
 * dns_validate_test.c - libunbound with a signed zone, and with resolvers that
 * make validation impossible.
 */
#include "net/dns.h"

#include "base/fd.h"
#include "net/conn.h"
#include "net/test_nameserver.h"
#include "net/test_signed.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { LONG = 30 * 1000, SHORT = 400 };

struct bed {
	struct ns ns;
	struct ns_rule rules[48];
	size_t n;
	char dir[64], anchor[80];
	struct arena *arena;
	struct dns_options o;
	struct dns_resolver *r;
};

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, slice_of(text)), 0);
	close(fd);
}

static const struct ns_rule unsigned_rules[] = {
	{ "insecure.example", DNS_MX,
	  "insecure.example 60 MX 10 mx.insecure.example", 0, 0, NULL },
	{ "nx.example", 0, "example 20 SOA 30", 3, 0, NULL },
	{ "refused.example", 0, "", 5, 0, NULL },
	{ "servfail.example", 0, "", 2, 0, NULL },
	{ "silent.example", 0, "", 0, NS_DROP, NULL },
	{ "big.example", DNS_A, "big.example 60 A 192.0.2.4", 0, NS_TRUNCATE,
	  NULL },
	{ "lab.test", DNS_A, "lab.test 60 A 192.0.2.8", 0, 0, NULL },
	{ "1.0.0.10.in-addr.arpa", DNS_PTR,
	  "1.0.0.10.in-addr.arpa 60 PTR lan.example", 0, 0, NULL },
	{ "circle1.example", 0, "circle1.example 40 CNAME circle2.example", 0,
	  0, NULL },
	{ "circle2.example", 0, "circle2.example 40 CNAME circle1.example", 0,
	  0, NULL },
	{ "self.example", 0, "self.example 40 CNAME self.example", 0, 0, NULL },
	{ "dangling.example", 0, "dangling.example 40 CNAME nx.example", 0, 0,
	  NULL },
	{ "half.example", 0, "half.example 40 CNAME there.insecure.example", 0,
	  0, NULL },
	{ "there.insecure.example", DNS_A,
	  "there.insecure.example 300 A 192.0.2.5", 0, 0, NULL },
};

static void add_rule(struct bed *b, struct ns_rule rule)
{
	assert_true(b->n < COUNT(b->rules));
	b->rules[b->n++] = rule;
}

/* flags are those of every signed answer. */
static void bed_make(struct bed *b, unsigned flags)
{
	memset(b, 0, sizeof(*b));
	for (size_t i = 0; i < COUNT(signed_answers); i++)
		add_rule(b, (struct ns_rule){
				.name = signed_answers[i].name,
				.type = (int)signed_answers[i].type,
				.flags = flags,
				.message = signed_answers[i].message,
			    });
	/* There is nothing else in that zone to be asked for. */
	for (size_t i = 0; i < COUNT(unsigned_rules); i++)
		add_rule(b, unsigned_rules[i]);
	add_rule(
	    b, (struct ns_rule){ .name = "*", .records = "example 20 SOA 30" });
	strcpy(b->dir, "/tmp/zpost-dns-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->anchor, sizeof(b->anchor), "%s/anchor", b->dir);
	write_file(b->anchor, "; the zone of the test\n" SIGNED_ANCHOR "\n");
	ns_start(&b->ns, b->rules, b->n);
	b->arena = arena_new();
	b->o = (struct dns_options){
		.mode = DNS_VALIDATE,
		.servers = ns_text(&b->ns, b->arena),
		.hosts = "",
		.anchor_file = b->anchor,
	};
	b->r = dns_new(&b->o);
}

static void renew(struct bed *b)
{
	dns_free(b->r);
	b->r = dns_new(&b->o);
}

static void bed_free(struct bed *b)
{
	DIR *dir = opendir(b->dir);
	struct dirent *entry;

	dns_free(b->r);
	arena_free(b->arena);
	ns_stop(&b->ns);
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	assert_int_equal(rmdir(b->dir), 0);
}

static struct dns_answer ask(struct bed *b, const char *name,
			     enum dns_type type, int ms)
{
	return dns_ask(b->r, slice_of(name), type, conn_now() + ms, b->arena);
}

static void assert_answer(const struct dns_answer *answer,
			  enum dns_verdict verdict, enum dns_status status)
{
	if (answer->verdict != verdict || answer->status != status)
		fail_msg(
		    "%.*s: got %s, %s (%.*s), wanted %s, %s",
		    SLICE_ARG(answer->name), dns_verdict_word(answer->verdict),
		    dns_status_word(answer->status), SLICE_ARG(answer->detail),
		    dns_verdict_word(verdict), dns_status_word(status));
	assert_int_equal(answer->n > 0, verdict == DNS_OK);
}

static void test_every_answer_has_its_status(void **state)
{
	static const struct {
		const char *name;
		enum dns_type type;
		enum dns_verdict verdict;
		enum dns_status status;
	} rows[] = {
		{ "secure.example", DNS_MX, DNS_OK, DNS_SECURE },
		{ "mx1.secure.example", DNS_A, DNS_OK, DNS_SECURE },
		{ "_25._tcp.mx1.secure.example", DNS_TLSA, DNS_OK, DNS_SECURE },
		{ "alias.secure.example", DNS_A, DNS_OK, DNS_SECURE },
		{ "mx1.secure.example", DNS_AAAA, DNS_NODATA, DNS_SECURE },
		{ "nope.secure.example", DNS_A, DNS_NXDOMAIN, DNS_SECURE },
		{ "bad.secure.example", DNS_A, DNS_BOGUS, DNS_FORGED },
		{ "old.secure.example", DNS_A, DNS_BOGUS, DNS_FORGED },
		{ "bare.secure.example", DNS_A, DNS_BOGUS, DNS_FORGED },
		{ "out.secure.example", DNS_A, DNS_OK, DNS_INSECURE },
		{ "insecure.example", DNS_MX, DNS_OK, DNS_INSECURE },
		{ "nx.example", DNS_A, DNS_NXDOMAIN, DNS_INSECURE },
		{ "big.example", DNS_A, DNS_OK, DNS_INSECURE },
		{ "servfail.example", DNS_A, DNS_SERVFAIL, DNS_INDETERMINATE },
		{ "refused.example", DNS_A, DNS_SERVFAIL, DNS_INDETERMINATE },
		/* libunbound does not say that it was a circle. */
		{ "circle1.example", DNS_A, DNS_SERVFAIL, DNS_INDETERMINATE },
		{ "self.example", DNS_MX, DNS_SERVFAIL, DNS_INDETERMINATE },
		{ "dangling.example", DNS_A, DNS_NXDOMAIN, DNS_INSECURE },
		{ "half.example", DNS_A, DNS_OK, DNS_INSECURE },
		{ "half.example", DNS_AAAA, DNS_NODATA, DNS_INSECURE },
		/* What libunbound would say by itself, without asking. */
		{ "lab.test", DNS_A, DNS_OK, DNS_INSECURE },
		{ "1.0.0.10.in-addr.arpa", DNS_PTR, DNS_OK, DNS_INSECURE },
		{ "localhost", DNS_A, DNS_OK, DNS_INDETERMINATE },
	};
	struct bed b;

	(void)state;
	bed_make(&b, 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dns_answer answer =
		    ask(&b, rows[i].name, rows[i].type, LONG);

		assert_answer(&answer, rows[i].verdict, rows[i].status);
	}
	assert_int_equal(dns_check(b.r, 0)->trust, DNS_TRUST_WORKS);
	bed_free(&b);
}

static void test_answer_is_kept(void **state)
{
	struct dns_answer answer;
	struct bed b;
	int asked;

	(void)state;
	bed_make(&b, 0);
	answer = ask(&b, "alias.secure.example", DNS_A, LONG);
	assert_int_equal(answer.origin, DNS_FROM_NETWORK);
	assert_slice_is(answer.canonical, "mx1.secure.example");
	assert_int_equal(answer.n_chain, 1);
	assert_true(answer.ttl > 0 && answer.ttl <= 120);
	asked = b.ns.shared->udp;
	answer = ask(&b, "ALIAS.secure.example.", DNS_A, LONG);
	assert_answer(&answer, DNS_OK, DNS_SECURE);
	assert_int_equal(answer.origin, DNS_FROM_CACHE);
	assert_slice_is(answer.canonical, "mx1.secure.example");
	assert_int_equal(b.ns.shared->udp, asked);
	bed_free(&b);
}

static void test_silence_ends_at_the_deadline(void **state)
{
	struct dns_answer answers[2] = {
		{ .name = SLICE("silent.example"), .type = DNS_A },
		{ .name = SLICE("insecure.example"), .type = DNS_MX },
	};
	struct dns_answer answer;
	struct bed b;

	(void)state;
	bed_make(&b, 0);
	assert_int_equal(dns_check(b.r, conn_now() + LONG)->trust,
			 DNS_TRUST_WORKS);
	dns_ask_all(b.r, answers, 2, conn_now() + SHORT, b.arena);
	assert_answer(&answers[0], DNS_TIMEOUT, DNS_INDETERMINATE);
	assert_answer(&answers[1], DNS_OK, DNS_INSECURE);
	/* What was given up does not stand in the way of what comes later. */
	answer = ask(&b, "mx1.secure.example", DNS_A, LONG);
	assert_answer(&answer, DNS_OK, DNS_SECURE);
	answer = ask(&b, "silent.example", DNS_A, SHORT);
	assert_answer(&answer, DNS_TIMEOUT, DNS_INDETERMINATE);
	bed_free(&b);
}

static bool stop_now;

static bool should_stop(void)
{
	return stop_now;
}

static void test_waiting_can_be_stopped(void **state)
{
	struct dns_answer answer;
	struct bed b;

	(void)state;
	bed_make(&b, 0);
	b.o.should_stop = should_stop;
	stop_now = false;
	renew(&b);
	assert_int_equal(dns_check(b.r, conn_now() + LONG)->trust,
			 DNS_TRUST_WORKS);
	stop_now = true;
	answer = ask(&b, "silent.example", DNS_A, LONG);
	assert_answer(&answer, DNS_INTERRUPTED, DNS_INDETERMINATE);
	stop_now = false;
	answer = ask(&b, "insecure.example", DNS_MX, LONG);
	assert_answer(&answer, DNS_OK, DNS_INSECURE);
	bed_free(&b);
}

/* ---- trials ------------------------------------------------------------- */

static void assert_why(const struct dns_check *check, const char *words)
{
	if (slice_find_text(check->why, slice_of(words)) == check->why.len)
		fail_msg("'%.*s' does not say '%s'", SLICE_ARG(check->why),
			 words);
}

static void test_resolver_that_strips_signatures_is_found_out(void **state)
{
	struct dns_answer answer;
	struct bed b;

	(void)state;
	bed_make(&b, NS_STRIP);
	answer = ask(&b, "insecure.example", DNS_MX, LONG);
	assert_answer(&answer, DNS_OK, DNS_INDETERMINATE);
	assert_int_equal(dns_check(b.r, 0)->trust, DNS_TRUST_NEVER);
	assert_why(dns_check(b.r, 0), "secure.example");
	/* Nor does what is signed come as more than it is. */
	answer = ask(&b, "secure.example", DNS_MX, LONG);
	assert_answer(&answer, DNS_NODATA, DNS_INDETERMINATE);
	bed_free(&b);
}

static void test_loss_of_what_worked_is_noticed(void **state)
{
	struct bed b, worse;

	(void)state;
	bed_make(&b, 0);
	bed_make(&worse, NS_STRIP);
	b.o.memory_dir = b.dir;
	renew(&b);
	assert_int_equal(dns_check(b.r, conn_now() + LONG)->trust,
			 DNS_TRUST_WORKS);
	assert_int_equal(dns_check(b.r, 0)->warning.len, 0);
	/* The anchor is another one now, in a file of the same name. */
	write_file(b.anchor, "secure.example. 300 IN DS 1 13 2 "
			     "00000000000000000000000000000000"
			     "00000000000000000000000000000000\n");
	renew(&b);
	assert_int_equal(dns_check(b.r, conn_now() + LONG)->trust,
			 DNS_TRUST_LOST);
	/* Other words have no past. */
	b.o.servers = ns_text(&worse.ns, b.arena);
	renew(&b);
	assert_int_equal(dns_check(b.r, conn_now() + LONG)->trust,
			 DNS_TRUST_NEVER);
	bed_free(&b);
	bed_free(&worse);
}

static void test_memory_is_of_this_configuration_and_whole(void **state)
{
	struct bed b;
	struct dirent *entry;
	char path[200] = "";
	DIR *dir;

	(void)state;
	bed_make(&b, 0);
	b.o.memory_dir = b.dir;
	renew(&b);
	assert_int_equal(dns_check(b.r, conn_now() + LONG)->trust,
			 DNS_TRUST_WORKS);
	dir = opendir(b.dir);
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		if (strncmp(entry->d_name, "dnssec-", 7) == 0) {
			assert_int_equal(path[0], '\0'); /* one file only */
			snprintf(path, sizeof(path), "%s/%.64s", b.dir,
				 entry->d_name);
		}
	closedir(dir);
	assert_int_not_equal(path[0], '\0');
	/* Another text in its place is no memory of ours. */
	write_file(path, "something else\n");
	write_file(b.anchor, "secure.example. 300 IN DS 1 13 2 "
			     "00000000000000000000000000000000"
			     "00000000000000000000000000000000\n");
	renew(&b);
	assert_int_equal(dns_check(b.r, conn_now() + LONG)->trust,
			 DNS_TRUST_NEVER);
	bed_free(&b);
}

static void test_memory_that_cannot_be_written_is_told(void **state)
{
	struct bed b;

	(void)state;
	bed_make(&b, 0);
	b.o.memory_dir = "/nonexistent/mailvar";
	renew(&b);
	assert_int_equal(dns_check(b.r, conn_now() + LONG)->trust,
			 DNS_TRUST_WORKS);
	assert_true(dns_check(b.r, 0)->warning.len > 0);
	bed_free(&b);
}

static void test_anchor_that_cannot_be_read_is_told(void **state)
{
	struct dns_answer answer;
	struct bed b;

	(void)state;
	bed_make(&b, 0);
	b.o.anchor_file = "/nonexistent/anchor";
	renew(&b);
	answer = ask(&b, "insecure.example", DNS_MX, LONG);
	assert_answer(&answer, DNS_OK, DNS_INDETERMINATE);
	assert_int_equal(dns_check(b.r, 0)->trust, DNS_TRUST_NEVER);
	assert_why(dns_check(b.r, 0), "/nonexistent/anchor");
	/* One that is no anchor at all. */
	write_file(b.anchor, "rubbish rubbish rubbish\n");
	b.o.anchor_file = b.anchor;
	renew(&b);
	assert_int_equal(dns_check(b.r, conn_now() + LONG)->trust,
			 DNS_TRUST_NEVER);
	assert_why(dns_check(b.r, 0), "trust anchor");
	bed_free(&b);
}

static void test_silent_resolvers_decide_nothing(void **state)
{
	static const struct ns_rule silent[] = {
		{ "*", 0, "", 0, NS_DROP, NULL },
	};
	struct dns_answer answer;
	struct bed b;
	struct ns ns;

	(void)state;
	bed_make(&b, 0);
	ns_start(&ns, silent, COUNT(silent));
	b.o.servers = ns_text(&ns, b.arena);
	renew(&b);
	answer = ask(&b, "insecure.example", DNS_MX, SHORT);
	assert_true(dns_is_temporary(answer.verdict));
	assert_int_equal(dns_check(b.r, 0)->trust, DNS_TRUST_UNKNOWN);
	ns_stop(&ns);
	bed_free(&b);
}

static void test_resolver_that_hides_keys_is_found_out(void **state)
{
	static const unsigned how[] = { 0, NS_DROP };

	(void)state;
	for (size_t i = 0; i < COUNT(how); i++) {
		const struct ns_rule hiding[] = {
			{ "*", DNS_DNSKEY, "", 2, how[i], NULL },
			{ "insecure.example", DNS_MX,
			  "insecure.example 60 MX 10 mx.insecure.example", 0, 0,
			  NULL },
			{ "*", 0, "example 20 SOA 30", 0, 0, NULL },
		};
		struct dns_answer answer;
		struct bed b;
		struct ns ns;

		bed_make(&b, 0);
		ns_start(&ns, hiding, COUNT(hiding));
		b.o.servers = ns_text(&ns, b.arena);
		renew(&b);
		assert_int_equal(dns_check(b.r, conn_now() + 2000)->trust,
				 DNS_TRUST_NEVER);
		assert_why(dns_check(b.r, 0), "give no key");
		answer = ask(&b, "insecure.example", DNS_MX, LONG);
		assert_answer(&answer, DNS_OK, DNS_INDETERMINATE);
		ns_stop(&ns);
		bed_free(&b);
	}
}

static void test_nothing_is_taken_on_trust_before_the_trial(void **state)
{
	struct dns_answer answer;
	struct bed b;

	(void)state;
	bed_make(&b, 0);
	/* No time for a trial, nor for an answer. */
	answer = ask(&b, "insecure.example", DNS_MX, -1);
	assert_answer(&answer, DNS_TIMEOUT, DNS_INDETERMINATE);
	assert_int_equal(dns_check(b.r, 0)->trust, DNS_TRUST_UNKNOWN);
	answer = ask(&b, "insecure.example", DNS_MX, LONG);
	assert_answer(&answer, DNS_OK, DNS_INSECURE);
	bed_free(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_answer_has_its_status),
		cmocka_unit_test(test_answer_is_kept),
		cmocka_unit_test(test_silence_ends_at_the_deadline),
		cmocka_unit_test(test_waiting_can_be_stopped),
		cmocka_unit_test(
		    test_resolver_that_strips_signatures_is_found_out),
		cmocka_unit_test(test_loss_of_what_worked_is_noticed),
		cmocka_unit_test(
		    test_memory_is_of_this_configuration_and_whole),
		cmocka_unit_test(test_memory_that_cannot_be_written_is_told),
		cmocka_unit_test(test_anchor_that_cannot_be_read_is_told),
		cmocka_unit_test(test_silent_resolvers_decide_nothing),
		cmocka_unit_test(test_resolver_that_hides_keys_is_found_out),
		cmocka_unit_test(
		    test_nothing_is_taken_on_trust_before_the_trial),
	};

	return TEST_RUN(tests);
}
