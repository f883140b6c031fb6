/*
 * dns_stub_test.c - the stub resolver against name servers good and bad.
 *
 * No test asserts a time; deadlines are long where an answer must come, and
 * short where none can.
 */
#include "net/dns.h"

#include "base/fd.h"
#include "net/conn.h"
#include "net/test_nameserver.h"

#include <fcntl.h>

enum { LONG = 30 * 1000, SHORT = 300 };

static struct dns_options off(const char *servers)
{
	return (struct dns_options){ .mode = DNS_OFF,
				     .servers = servers,
				     .hosts = "" };
}

static const struct ns_rule rules[] = {
	{ "mx.example", DNS_MX,
	  "mx.example 300 MX 10 mx1.example;mx.example 200 MX 20 mx2.example",
	  0, 0, NULL },
	{ "a.example", DNS_A, "a.example 60 A 192.0.2.1", 0, NS_AD, NULL },
	{ "a.example", DNS_AAAA, "a.example 60 AAAA 2001:db8::1", 0, 0, NULL },
	{ "none.example", 0, "example 99 SOA 30", 0, 0, NULL },
	{ "nx.example", 0, "example 20 SOA 30", 3, 0, NULL },
	{ "servfail.example", 0, "", 2, 0, NULL },
	{ "refused.example", 0, "", 5, 0, NULL },
	{ "notimp.example", 0, "", 4, 0, NULL },
	{ "odd.example", 0, "", 9, 0, NULL },
	{ "silent.example", 0, "", 0, NS_DROP, NULL },
	{ "lossy.example", DNS_A, "lossy.example 60 A 192.0.2.2", 0,
	  NS_DROP_FIRST, NULL },
	{ "flaky.example", DNS_A, "flaky.example 60 A 192.0.2.3", 0,
	  NS_FAIL_FIRST, NULL },
	{ "big.example", DNS_A, "big.example 60 A 192.0.2.4", 0, NS_TRUNCATE,
	  NULL },
	{ "slow.example", DNS_A, "slow.example 60 A 192.0.2.4", 0,
	  NS_TRUNCATE | NS_PIECES, NULL },
	{ "spoofed.example", DNS_A, "spoofed.example 60 A 192.0.2.5", 0,
	  NS_WRONG_ID | NS_OTHER_NAME, NULL },
	{ "garbage.example", 0, "", 0, NS_GARBAGE, NULL },
	{ "old.example", DNS_A, "old.example 60 A 192.0.2.6", 0, NS_NO_EDNS,
	  NULL },
	{ "older.example", DNS_A, "older.example 60 A 192.0.2.6", 0,
	  NS_NO_EDNS | NS_HEAD_ALONE, NULL },
	{ "curt.example", 0, "", 5, NS_HEAD_ALONE, NULL },
	{ "cut.example", DNS_A, "cut.example 60 A 192.0.2.7", 0, NS_CUT, NULL },
	{ "alias.example", DNS_A,
	  "alias.example 50 CNAME a.example;a.example 60 A 192.0.2.1", 0, NS_AD,
	  NULL },
	{ "half.example", DNS_A, "half.example 40 CNAME a.example", 0, 0,
	  NULL },
	{ "circle1.example", DNS_A, "circle1.example 40 CNAME circle2.example",
	  0, 0, NULL },
	{ "circle2.example", DNS_A, "circle2.example 40 CNAME circle1.example",
	  0, 0, NULL },
	{ "dangling.example", DNS_A, "dangling.example 40 CNAME nx.example", 0,
	  0, NULL },
};

struct bed {
	struct ns ns;
	struct arena *arena;
	struct dns_resolver *r;
};

static void bed_make(struct bed *b, const struct ns_rule *table, size_t n)
{
	struct dns_options o;

	ns_start(&b->ns, table, n);
	b->arena = arena_new();
	o = off(ns_text(&b->ns, b->arena));
	b->r = dns_new(&o);
}

static void bed_free(struct bed *b)
{
	dns_free(b->r);
	arena_free(b->arena);
	ns_stop(&b->ns);
}

static struct dns_answer ask(struct bed *b, const char *name,
			     enum dns_type type, int ms)
{
	return dns_ask(b->r, slice_of(name), type, conn_now() + ms, b->arena);
}

static void assert_verdict(const struct dns_answer *answer,
			   enum dns_verdict want)
{
	if (answer->verdict != want)
		fail_msg("%.*s: got %s (%.*s), wanted %s",
			 SLICE_ARG(answer->name),
			 dns_verdict_word(answer->verdict),
			 SLICE_ARG(answer->detail), dns_verdict_word(want));
	assert_int_equal(answer->n > 0, want == DNS_OK);
}

static void test_answer_of_a_server_is_told(void **state)
{
	static const struct {
		const char *name;
		enum dns_type type;
		enum dns_verdict want;
		uint32_t ttl;
		const char *canonical;
		size_t n_chain;
	} rows[] = {
		{ "mx.example", DNS_MX, DNS_OK, 200, "mx.example", 0 },
		{ "MX.Example.", DNS_MX, DNS_OK, 200, "MX.Example", 0 },
		{ "a.example", DNS_A, DNS_OK, 60, "a.example", 0 },
		{ "none.example", DNS_MX, DNS_NODATA, 30, "none.example", 0 },
		{ "nx.example", DNS_MX, DNS_NXDOMAIN, 20, "nx.example", 0 },
		{ "servfail.example", DNS_A, DNS_SERVFAIL, 0,
		  "servfail.example", 0 },
		{ "refused.example", DNS_A, DNS_REFUSED, 0, "refused.example",
		  0 },
		{ "notimp.example", DNS_A, DNS_REFUSED, 0, "notimp.example",
		  0 },
		{ "odd.example", DNS_A, DNS_RCODE, 0, "odd.example", 0 },
		{ "cut.example", DNS_A, DNS_MALFORMED, 0, "cut.example", 0 },
		{ "alias.example", DNS_A, DNS_OK, 50, "a.example", 1 },
		{ "half.example", DNS_A, DNS_OK, 40, "a.example", 1 },
		{ "dangling.example", DNS_A, DNS_NXDOMAIN, 20, "nx.example",
		  1 },
		{ "circle1.example", DNS_A, DNS_LOOP, 40, "circle1.example",
		  4 },
		{ "flaky.example", DNS_A, DNS_SERVFAIL, 0, "flaky.example", 0 },
		{ "flaky.example", DNS_A, DNS_OK, 60, "flaky.example", 0 },
		{ "old.example", DNS_A, DNS_OK, 60, "old.example", 0 },
		{ "older.example", DNS_A, DNS_OK, 60, "older.example", 0 },
		{ "curt.example", DNS_A, DNS_REFUSED, 0, "curt.example", 0 },
		{ "spoofed.example", DNS_A, DNS_OK, 60, "spoofed.example", 0 },
		{ "lossy.example", DNS_A, DNS_OK, 60, "lossy.example", 0 },
		{ "big.example", DNS_A, DNS_OK, 60, "big.example", 0 },
		{ "slow.example", DNS_A, DNS_OK, 60, "slow.example", 0 },
		{ "a..example", DNS_A, DNS_BAD_NAME, 0, "a..example", 0 },
		{ "", DNS_A, DNS_BAD_NAME, 0, "", 0 },
	};
	struct bed b;

	(void)state;
	bed_make(&b, rules, COUNT(rules));
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dns_answer answer =
		    ask(&b, rows[i].name, rows[i].type, LONG);

		assert_verdict(&answer, rows[i].want);
		assert_int_equal(answer.ttl, rows[i].ttl);
		assert_slice_is(answer.canonical, rows[i].canonical);
		assert_int_equal(answer.n_chain, rows[i].n_chain);
		assert_int_equal(answer.status, DNS_INDETERMINATE);
		assert_int_equal(answer.origin, DNS_FROM_NETWORK);
		assert_false(answer.is_recorded);
	}
	bed_free(&b);
}

static void test_records_arrive_in_order(void **state)
{
	struct dns_answer answer;
	struct bed b;

	(void)state;
	bed_make(&b, rules, COUNT(rules));
	answer = ask(&b, "mx.example", DNS_MX, LONG);
	assert_int_equal(answer.n, 2);
	assert_int_equal(answer.records[0].mx.preference, 10);
	assert_slice_is(answer.records[0].mx.exchanger, "mx1.example");
	assert_slice_is(answer.records[1].mx.exchanger, "mx2.example");
	bed_free(&b);
}

static void test_silence_ends_at_the_deadline(void **state)
{
	struct dns_answer answer;
	struct bed b;

	(void)state;
	bed_make(&b, rules, COUNT(rules));
	answer = ask(&b, "silent.example", DNS_A, SHORT);
	assert_verdict(&answer, DNS_TIMEOUT);
	answer = ask(&b, "garbage.example", DNS_A, SHORT);
	assert_verdict(&answer, DNS_TIMEOUT);
	answer = ask(&b, "a.example", DNS_A, -1);
	assert_true(dns_is_temporary(answer.verdict) ||
		    answer.verdict == DNS_OK);
	bed_free(&b);
}

static void test_answer_that_was_cut_off_comes_over_tcp(void **state)
{
	struct dns_answer answer;
	struct bed b;

	(void)state;
	bed_make(&b, rules, COUNT(rules));
	answer = ask(&b, "big.example", DNS_A, LONG);
	assert_verdict(&answer, DNS_OK);
	assert_int_equal(b.ns.shared->udp, 1);
	assert_int_equal(b.ns.shared->tcp, 1);
	bed_free(&b);
}

static void test_without_tcp_what_was_cut_off_is_temporary(void **state)
{
	static const struct ns_rule table[] = {
		{ "big.example", DNS_A, "big.example 60 A 192.0.2.4", 0,
		  NS_TRUNCATE | NS_DROP_TCP, NULL },
	};
	struct dns_answer answer;
	struct bed b;

	(void)state;
	bed_make(&b, table, COUNT(table));
	answer = ask(&b, "big.example", DNS_A, LONG);
	assert_verdict(&answer, DNS_TRUNCATED);
	assert_true(dns_is_temporary(answer.verdict));
	assert_true(slice_starts(
	    answer.detail, SLICE("the answer was cut off, and over TCP the ")));
	bed_free(&b);
}

static void test_many_questions_are_asked_at_once(void **state)
{
	enum { N = 100 };
	struct dns_answer answers[N];
	struct bed b;

	(void)state;
	bed_make(&b, rules, COUNT(rules));
	for (size_t i = 0; i < N; i++)
		answers[i] = (struct dns_answer){
			.name = i % 3 == 0   ? SLICE("a.example")
				: i % 3 == 1 ? SLICE("nx.example")
					     : SLICE("localhost"),
			.type = i % 2 == 0 ? DNS_A : DNS_AAAA,
		};
	dns_ask_all(b.r, answers, N, conn_now() + LONG, b.arena);
	for (size_t i = 0; i < N; i++) {
		assert_verdict(&answers[i], i % 3 == 1 ? DNS_NXDOMAIN : DNS_OK);
		assert_int_equal(answers[i].records != NULL &&
				     answers[i].n > 0 &&
				     answers[i].records[0].address.is_v6,
				 i % 3 != 1 && i % 2 == 1);
	}
	assert_int_equal(b.ns.shared->udp, 67);
	bed_free(&b);
}

static void test_silent_one_does_not_hold_up_the_others(void **state)
{
	struct dns_answer answers[2] = {
		{ .name = SLICE("silent.example"), .type = DNS_A },
		{ .name = SLICE("a.example"), .type = DNS_A },
	};
	struct bed b;

	(void)state;
	bed_make(&b, rules, COUNT(rules));
	dns_ask_all(b.r, answers, 2, conn_now() + SHORT, b.arena);
	assert_verdict(&answers[0], DNS_TIMEOUT);
	assert_verdict(&answers[1], DNS_OK);
	bed_free(&b);
}

/* ---- several servers ---------------------------------------------------- */

static void test_next_server_is_asked_when_one_fails(void **state)
{
	static const struct ns_rule bad_ones[] = {
		{ "servfail.example", 0, "", 2, 0, NULL },
		{ "refused.example", 0, "", 5, 0, NULL },
		{ "cut.example", 0, "cut.example 60 A 192.0.2.7", 0, NS_CUT,
		  NULL },
		{ "silent.example", 0, "", 0, NS_DROP, NULL },
	};
	static const struct ns_rule good[] = {
		{ "*", DNS_A,
		  "servfail.example 60 A 192.0.2.1;"
		  "refused.example 60 A 192.0.2.1;"
		  "cut.example 60 A 192.0.2.1;"
		  "silent.example 60 A 192.0.2.1",
		  0, 0, NULL },
	};
	struct arena *a = arena_new();
	struct dns_resolver *r;
	struct dns_options o;
	struct ns first, second;

	(void)state;
	ns_start(&first, bad_ones, COUNT(bad_ones));
	ns_start(&second, good, COUNT(good));
	o = off(
	    arena_printf(a, "%s, %s", ns_text(&first, a), ns_text(&second, a))
		.p);
	r = dns_new(&o);
	for (size_t i = 0; i < COUNT(bad_ones); i++) {
		struct dns_answer answer = dns_ask(
		    r, slice_of(bad_ones[i].name), DNS_A, conn_now() + LONG, a);

		assert_verdict(&answer, DNS_OK);
	}
	assert_true(first.shared->udp >= 4);
	dns_free(r);
	ns_stop(&first);
	ns_stop(&second);
	arena_free(a);
}

static void test_server_that_is_away_is_passed_over(void **state)
{
	struct arena *a = arena_new();
	struct dns_resolver *r;
	struct dns_answer answer;
	struct dns_options o;
	struct ns gone, there;
	const char *servers;

	(void)state;
	ns_start(&gone, rules, COUNT(rules));
	ns_start(&there, rules, COUNT(rules));
	servers =
	    arena_printf(a, "%s %s", ns_text(&gone, a), ns_text(&there, a)).p;
	ns_stop(&gone);
	o = off(servers);
	r = dns_new(&o);
	answer = dns_ask(r, SLICE("a.example"), DNS_A, conn_now() + LONG, a);
	assert_verdict(&answer, DNS_OK);
	ns_stop(&there);
	answer = dns_ask(r, SLICE("a.example"), DNS_A, conn_now() + LONG, a);
	assert_verdict(&answer, DNS_UNAVAILABLE);
	assert_true(answer.detail.len > 0);
	dns_free(r);
	arena_free(a);
}

static void test_failure_of_a_server_outlives_silence_of_another(void **state)
{
	static const struct ns_rule silent[] = {
		{ "*", 0, "", 0, NS_DROP, NULL },
	};
	static const struct ns_rule failing[] = {
		{ "*", 0, "", 2, 0, NULL },
	};
	struct arena *a = arena_new();
	struct dns_resolver *r;
	struct dns_answer answer;
	struct dns_options o;
	struct ns one, two;

	(void)state;
	ns_start(&one, failing, COUNT(failing));
	ns_start(&two, silent, COUNT(silent));
	o = off(arena_printf(a, "%s %s", ns_text(&one, a), ns_text(&two, a)).p);
	r = dns_new(&o);
	answer = dns_ask(r, SLICE("a.example"), DNS_A, conn_now() + SHORT, a);
	assert_verdict(&answer, DNS_SERVFAIL);
	dns_free(r);
	ns_stop(&one);
	ns_stop(&two);
	arena_free(a);
}

static void test_bad_list_of_servers_is_told_with_every_answer(void **state)
{
	struct arena *a = arena_new();
	struct dns_options o = off("192.0.2.1 nonsense");
	struct dns_resolver *r = dns_new(&o);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct dns_answer answer =
		    dns_ask(r, SLICE("a.example"), DNS_A, conn_now() + LONG, a);

		assert_verdict(&answer, DNS_UNAVAILABLE);
		assert_true(slice_find_text(answer.detail, SLICE("nonsense")) <
			    answer.detail.len);
	}
	dns_free(r);
	arena_free(a);
}

/* ---- interruption ------------------------------------------------------- */

static bool stop_now;

static bool should_stop(void)
{
	return stop_now;
}

static void test_waiting_can_be_stopped(void **state)
{
	struct dns_options o;
	struct dns_answer answer;
	struct bed b;

	(void)state;
	bed_make(&b, rules, COUNT(rules));
	o = off(ns_text(&b.ns, b.arena));
	o.should_stop = should_stop;
	dns_free(b.r);
	b.r = dns_new(&o);
	stop_now = true;
	answer = ask(&b, "silent.example", DNS_A, LONG);
	assert_verdict(&answer, DNS_INTERRUPTED);
	stop_now = false;
	answer = ask(&b, "a.example", DNS_A, LONG);
	assert_verdict(&answer, DNS_OK);
	bed_free(&b);
}

/* ---- trusting a resolver ------------------------------------------------ */

static void test_trusted_resolver_on_this_host_is_believed(void **state)
{
	static const struct ns_rule table[] = {
		{ ".", DNS_DNSKEY, ". 60 TXT x", 0, NS_AD, NULL },
		{ "signed.example", DNS_A, "signed.example 60 A 192.0.2.1", 0,
		  NS_AD, NULL },
		{ "plain.example", DNS_A, "plain.example 60 A 192.0.2.1", 0, 0,
		  NULL },
		{ "nx.example", 0, "example 20 SOA 30", 3, NS_AD, NULL },
		{ "half.example", DNS_A, "half.example 9 CNAME plain.example",
		  0, NS_AD, NULL },
	};
	struct ns_rule with_key[COUNT(table)];
	struct dns_options o;
	struct dns_answer answer;
	struct bed b;

	(void)state;
	memcpy(with_key, table, sizeof(table));
	/* A record of type 48; its contents do not matter here. */
	with_key[0].message = "000081a00001000100000000000030000100003000010000"
			      "003c000401010d0d";
	bed_make(&b, with_key, COUNT(with_key));
	o = off(ns_text(&b.ns, b.arena));
	o.mode = DNS_TRUSTED;
	dns_free(b.r);
	b.r = dns_new(&o);
	assert_int_equal(dns_check(b.r, 0)->trust, DNS_TRUST_UNKNOWN);
	answer = ask(&b, "signed.example", DNS_A, LONG);
	assert_verdict(&answer, DNS_OK);
	assert_int_equal(answer.status, DNS_SECURE);
	assert_int_equal(dns_check(b.r, 0)->trust, DNS_TRUST_WORKS);
	answer = ask(&b, "plain.example", DNS_A, LONG);
	assert_int_equal(answer.status, DNS_INSECURE);
	answer = ask(&b, "nx.example", DNS_A, LONG);
	assert_verdict(&answer, DNS_NXDOMAIN);
	assert_int_equal(answer.status, DNS_SECURE);
	/* A chain is as secure as its weakest part. */
	answer = ask(&b, "half.example", DNS_A, LONG);
	assert_verdict(&answer, DNS_OK);
	assert_int_equal(answer.status, DNS_INSECURE);
	bed_free(&b);
}

static void test_resolver_elsewhere_is_not_believed(void **state)
{
	struct arena *a = arena_new();
	struct dns_options o = off("192.0.2.1 127.0.0.1");
	struct dns_resolver *r;
	const struct dns_check *check;

	(void)state;
	o.mode = DNS_TRUSTED;
	r = dns_new(&o);
	check = dns_check(r, conn_now() + LONG);
	assert_int_equal(check->trust, DNS_TRUST_NEVER);
	assert_true(slice_find_text(check->why, SLICE("not on this host")) <
		    check->why.len);
	dns_free(r);
	arena_free(a);
}

static void test_resolver_that_does_not_validate_is_found_out(void **state)
{
	struct dns_options o;
	struct dns_answer answer;
	struct bed b;

	(void)state;
	bed_make(&b, rules, COUNT(rules)); /* says NXDOMAIN for the key */
	o = off(ns_text(&b.ns, b.arena));
	o.mode = DNS_TRUSTED;
	dns_free(b.r);
	b.r = dns_new(&o);
	answer = ask(&b, "a.example", DNS_A, LONG); /* with the bit set */
	assert_verdict(&answer, DNS_OK);
	assert_int_equal(answer.status, DNS_INDETERMINATE);
	assert_int_equal(dns_check(b.r, 0)->trust, DNS_TRUST_NEVER);
	bed_free(&b);
}

/* ---- resolv.conf -------------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, slice_of(text)), 0);
	close(fd);
}

static void test_changed_resolv_conf_is_followed(void **state)
{
	char path[] = "/tmp/zpost-resolv-XXXXXX";
	struct dns_options o = { .mode = DNS_TRUSTED,
				 .resolv_conf = path,
				 .hosts = "" };
	const struct dns_check *check;
	struct dns_resolver *r;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	write_file(path, "nameserver 192.0.2.1\n");
	r = dns_new(&o);
	check = dns_check(r, conn_now() + SHORT);
	assert_int_equal(check->trust, DNS_TRUST_NEVER);
	/* What was found out about the old one holds for it alone. */
	write_file(path, "# another\nnameserver 127.255.255.254\n");
	check = dns_check(r, 0);
	assert_int_equal(check->trust, DNS_TRUST_UNKNOWN);
	write_file(path, "nameserver 192.0.2.2\n");
	check = dns_check(r, conn_now() + SHORT);
	assert_int_equal(check->trust, DNS_TRUST_NEVER);
	dns_free(r);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer_of_a_server_is_told),
		cmocka_unit_test(test_records_arrive_in_order),
		cmocka_unit_test(test_silence_ends_at_the_deadline),
		cmocka_unit_test(test_answer_that_was_cut_off_comes_over_tcp),
		cmocka_unit_test(
		    test_without_tcp_what_was_cut_off_is_temporary),
		cmocka_unit_test(test_many_questions_are_asked_at_once),
		cmocka_unit_test(test_silent_one_does_not_hold_up_the_others),
		cmocka_unit_test(test_next_server_is_asked_when_one_fails),
		cmocka_unit_test(test_server_that_is_away_is_passed_over),
		cmocka_unit_test(
		    test_failure_of_a_server_outlives_silence_of_another),
		cmocka_unit_test(
		    test_bad_list_of_servers_is_told_with_every_answer),
		cmocka_unit_test(test_waiting_can_be_stopped),
		cmocka_unit_test(
		    test_trusted_resolver_on_this_host_is_believed),
		cmocka_unit_test(test_resolver_elsewhere_is_not_believed),
		cmocka_unit_test(
		    test_resolver_that_does_not_validate_is_found_out),
		cmocka_unit_test(test_changed_resolv_conf_is_followed),
	};

	return TEST_RUN(tests);
}
