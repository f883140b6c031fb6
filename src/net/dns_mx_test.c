/*
 * dns_mx_test.c - from recorded answers to the hosts that are tried.
 */
#include "net/dns_mx.h"

#include "base/fd.h"
#include "base/keyword.h"
#include "base/test.h"
#include "net/conn.h"
#include "net/dns_record.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct walk {
	struct arena *arena;
	struct dns_resolver *r;
	struct str asked; /* "NAME TYPE," each */
	struct dns_mx_way found;
	struct mx_options options;
	int64_t deadline;
};

static void on_answer(void *context, const struct dns_answer *answer)
{
	struct arena *a = arena_new();

	str_add(context, answer->name);
	str_addf(context, " %.*s,", SLICE_ARG(dns_type_text(answer->type, a)));
	arena_free(a);
}

static void walk_make_of(struct walk *w, struct dns_source *source,
			 const char *domain)
{
	struct dns_options o = { .on_answer = on_answer, .source = source };
	static const struct slice own_names[] = { { "me.example", 10 } };

	memset(w, 0, sizeof(*w));
	w->arena = arena_new();
	w->options.port = 25;
	w->found.facts.domain = slice_of(domain);
	w->found.facts.own_names = own_names;
	w->found.facts.n_own_names = COUNT(own_names);
	o.context = &w->asked;
	w->r = dns_new(&o);
}

static void walk_make(struct walk *w, const char *answers, const char *domain)
{
	struct dns_source *source = NULL;
	struct err err;

	if (dns_recorded(slice_of(answers), "CASE", &source, &err) < 0)
		fail_msg("%s", err.text);
	walk_make_of(w, source, domain);
}

/* The word of the reason, and the addresses in order. */
static struct slice walk_go(struct walk *w)
{
	const struct mx_decision *d = &w->found.decision;
	struct str text = STR_INIT;
	struct slice s;

	dns_mx_find(w->r, &w->options, w->deadline, w->arena, &w->found);
	str_adds(&text, mx_reason_word(d->reason));
	for (size_t i = 0; i < d->n_tries; i++) {
		const struct mx_try *t = &d->tries[i];
		char address[INET6_ADDRSTRLEN];

		inet_ntop(t->address.is_v6 ? AF_INET6 : AF_INET,
			  t->address.bytes, address, sizeof(address));
		str_addf(&text, " %.*s|%s", SLICE_ARG(t->host->name), address);
	}
	s = arena_dup(w->arena, str_slice(&text));
	str_done(&text);
	return s;
}

static void walk_free(struct walk *w)
{
	dns_free(w->r);
	str_done(&w->asked);
	arena_free(w->arena);
}

static void test_walk_from_answers_to_hosts(void **state)
{
	static const struct {
		const char *answers, *want, *asked;
	} rows[] = {
		{ "d MX ok secure network 5 - 20:b 10:a\n"
		  "a A ok secure network 5 - 192.0.2.1 192.0.2.2\n"
		  "a AAAA ok secure network 5 - 2001:db8::1\n"
		  "b A ok secure network 5 c 192.0.2.3\n"
		  "b AAAA nodata secure network 5 -\n",
		  "found a|192.0.2.1 a|192.0.2.2 a|2001:db8::1 b|192.0.2.3",
		  "d MX,a A,a AAAA,b A,b AAAA," },
		{ "d MX nodata insecure network 5 -\n"
		  "d A ok insecure network 5 - 192.0.2.1\n"
		  "d AAAA timeout indeterminate network 0 -\n",
		  "found d|192.0.2.1", "d MX,d A,d AAAA," },
		{ "d MX nodata insecure network 5 -\n"
		  "d A nodata insecure network 5 -\n"
		  "d AAAA timeout indeterminate network 0 -\n",
		  "address-again", "d MX,d A,d AAAA," },
		{ "d MX nxdomain secure network 5 -\n", "nxdomain", "d MX," },
		{ "d MX nxdomain secure network 5 -\n"
		  "d A ok indeterminate hosts 0 - 192.0.2.1\n"
		  "d AAAA nodata indeterminate hosts 0 -\n",
		  "found d|192.0.2.1", "d MX,d A,d AAAA," },
		{ "d MX ok secure network 5 - 0:.\n", "null-mx", "d MX," },
		{ "d MX bogus bogus network 0 - ; why\n", "bogus", "d MX," },
		{ "d MX servfail indeterminate network 0 -\n", "servfail",
		  "d MX," },
		{ "d MX refused indeterminate network 0 -\n", "refused",
		  "d MX," },
		{ "d MX timeout indeterminate network 0 -\n", "timeout",
		  "d MX," },
		{ "d MX malformed indeterminate network 0 -\n", "malformed",
		  "d MX," },
		{ "d MX truncated indeterminate network 0 -\n", "truncated",
		  "d MX," },
		{ "d MX rcode indeterminate network 0 -\n", "rcode", "d MX," },
		{ "d MX loop indeterminate network 0 b,c\n", "alias-loop",
		  "d MX," },
		{ "", "unavailable", "d MX," },
		{ "d MX ok secure network 5 - 10:a\n"
		  "a A ok secure network 5 me.example 192.0.2.1\n"
		  "a AAAA nodata secure network 5 -\n",
		  "best-mx-is-self", "d MX,a A,a AAAA," },
		{ "d MX ok secure network 5 - 10:a\n"
		  "a A nodata secure network 5 me.example\n"
		  "a AAAA ok secure network 5 me.example 2001:db8::1\n",
		  "best-mx-is-self", "d MX,a A,a AAAA," },
		{ "d MX ok secure network 5 - 10:me.example 20:b\n",
		  "best-mx-is-self", "d MX," },
		{ "d MX ok secure network 5 - 10:a\n"
		  "a A bogus bogus network 0 -\n"
		  "a AAAA nodata secure network 5 -\n",
		  "exchangers-again", "d MX,a A,a AAAA," },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct walk w;

		walk_make(&w, rows[i].answers, "d");
		assert_slice_is(walk_go(&w), rows[i].want);
		assert_string_equal(str_cstr(&w.asked), rows[i].asked);
		walk_free(&w);
	}
}

static void test_forbidden_mx_is_not_asked(void **state)
{
	struct walk w;

	(void)state;
	walk_make(&w,
		  "d MX ok secure network 5 - 10:a\n"
		  "d A ok secure network 5 - 192.0.2.1\n"
		  "d AAAA nodata secure network 5 -\n",
		  "d");
	w.options.is_mx_forbidden = true;
	assert_slice_is(walk_go(&w), "found d|192.0.2.1");
	assert_string_equal(str_cstr(&w.asked), "d A,d AAAA,");
	assert_int_equal(w.found.mx.name.len, 0);
	walk_free(&w);
}

static void test_services_are_asked_only_if_wanted(void **state)
{
	static const struct {
		const char *wks, *want;
	} rows[] = {
		{ "a WKS ok secure network 5 - 192.0.2.1:6:00000040",
		  "found a|192.0.2.1" },
		{ "a WKS ok secure network 5 - 192.0.2.1:6:00000080",
		  "no-smtp-service" },
		{ "a WKS ok secure network 5 - 192.0.2.1:6:000000",
		  "no-smtp-service" },
		{ "a WKS ok secure network 5 - 192.0.2.1:17:00000000",
		  "found a|192.0.2.1" },
		{ "a WKS ok secure network 5 - 192.0.2.1:17:00 "
		  "192.0.2.1:6:- 192.0.2.1:6:ffffffff",
		  "found a|192.0.2.1" },
		{ "a WKS ok secure network 5 - 192.0.2.1:17:ff "
		  "192.0.2.1:6:00000080",
		  "no-smtp-service" },
		{ "a WKS nodata secure network 5 -", "found a|192.0.2.1" },
		{ "a WKS nxdomain secure network 5 -", "found a|192.0.2.1" },
		{ "a WKS timeout indeterminate network 0 -",
		  "exchangers-again" },
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		struct str answers = STR_INIT;
		struct walk w;

		str_addf(&answers,
			 "d MX ok secure network 5 - 10:a\n"
			 "a A ok secure network 5 - 192.0.2.1\n"
			 "a AAAA nodata secure network 5 -\n%s\n",
			 rows[i / 2].wks);
		walk_make(&w, str_cstr(&answers), "d");
		w.options.is_wks_wanted = i % 2 == 0;
		assert_slice_is(walk_go(&w), i % 2 == 0 ? rows[i / 2].want
							: "found a|192.0.2.1");
		assert_string_equal(str_cstr(&w.asked),
				    i % 2 == 0 ? "d MX,a A,a AAAA,a WKS,"
					       : "d MX,a A,a AAAA,");
		str_done(&answers);
		walk_free(&w);
	}
}

/* Other answers from the third call on: MX, addresses, and what is late. */
struct rounds {
	struct dns_source source; /* the first, so that one is the other */
	struct dns_source *early, *late;
	unsigned calls;
};

static void rounds_ask(struct dns_source *source, struct dns_answer *answers,
		       size_t n, int64_t deadline, struct arena *a)
{
	struct rounds *r = (struct rounds *)source;
	struct dns_source *to = ++r->calls <= 2 ? r->early : r->late;

	to->ask(to, answers, n, deadline, a);
}

static void rounds_free(struct dns_source *source)
{
	struct rounds *r = (struct rounds *)source;

	r->early->free(r->early);
	r->late->free(r->late);
	free(r);
}

static struct dns_source *rounds_new(const char *early, const char *late)
{
	struct rounds *r = calloc(1, sizeof(*r));
	struct err err;

	assert_non_null(r);
	r->source.ask = rounds_ask;
	r->source.free = rounds_free;
	assert_int_equal(dns_recorded(slice_of(early), "E", &r->early, &err),
			 0);
	assert_int_equal(dns_recorded(slice_of(late), "L", &r->late, &err), 0);
	return &r->source;
}

#define LATE(name, type)     name " " type " timeout indeterminate network 0 -\n"
#define IS_AT(name, address) name " A ok insecure network 5 - " address "\n"
#define HAS_NO(name, type)   name " " type " nodata insecure network 5 -\n"
#define FIRST		     "d MX,a A,a AAAA,b A,b AAAA,"

static void test_what_is_late_is_asked_again_if_it_is_needed(void **state)
{
	static const struct {
		const char *early, *want, *asked;
	} rows[] = {
		/* Of a host with an address, nothing more. */
		{ IS_AT("a", "192.0.2.1") LATE("a", "AAAA")
		      IS_AT("b", "192.0.2.2") HAS_NO("b", "AAAA"),
		  "found a|192.0.2.1 b|192.0.2.2", FIRST },
		{ LATE("a", "A") LATE("a", "AAAA") IS_AT("b", "192.0.2.2")
		      LATE("b", "AAAA"),
		  "found a|192.0.2.11 b|192.0.2.2", FIRST "a A,a AAAA," },
		{ LATE("a", "A") HAS_NO("a", "AAAA") LATE("b", "A")
		      HAS_NO("b", "AAAA"),
		  "found a|192.0.2.11 b|192.0.2.12", FIRST "a A,b A," },
		/* Failures are answers. */
		{ "a A servfail indeterminate network 0 -\n"
		  "a AAAA servfail indeterminate network 0 -\n" IS_AT(
		      "b", "192.0.2.2") HAS_NO("b", "AAAA"),
		  "found b|192.0.2.2", FIRST },
	};
	static const char mx[] = "d MX ok insecure network 5 - 10:a 20:b\n";
	static const char late[] = IS_AT("a", "192.0.2.11") HAS_NO("a", "AAAA")
	    IS_AT("b", "192.0.2.12") HAS_NO("b", "AAAA");

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		bool has_time = i % 2 == 0;
		struct str early = STR_INIT;
		struct walk w;

		str_addf(&early, "%s%s", mx, rows[i / 2].early);
		walk_make_of(&w, rounds_new(str_cstr(&early), late), "d");
		w.deadline = has_time ? INT64_MAX : 0;
		if (has_time)
			assert_slice_is(walk_go(&w), rows[i / 2].want);
		else
			walk_go(&w);
		assert_string_equal(str_cstr(&w.asked),
				    has_time ? rows[i / 2].asked : FIRST);
		walk_free(&w);
		str_done(&early);
	}
}

static void test_answers_stay_beside_the_decision(void **state)
{
	const struct dns_mx_host *host;
	struct walk w;

	(void)state;
	walk_make(&w,
		  "d MX ok secure network 5 - 10:a 20:b\n"
		  "a A servfail indeterminate network 0 -\n"
		  "a AAAA nodata insecure network 5 -\n"
		  "b A ok secure network 5 - 192.0.2.1\n"
		  "b AAAA nodata secure network 5 -\n",
		  "d");
	assert_slice_is(walk_go(&w), "found b|192.0.2.1");
	assert_int_equal(w.found.mx.status, DNS_SECURE);
	host = dns_mx_answers(&w.found, w.found.decision.tries[0].host);
	assert_int_equal(host->v4.status, DNS_SECURE);
	assert_slice_is(host->v4.name, "b");
	assert_int_equal(host->wks.verdict, DNS_UNAVAILABLE);
	assert_int_equal(w.found.hosts[2].v4.verdict, DNS_UNAVAILABLE);
	host = dns_mx_answers(&w.found, w.found.decision.hosts[0].host);
	assert_int_equal(host->v4.verdict, DNS_SERVFAIL);
	assert_int_equal(host->v6.status, DNS_INSECURE);
	walk_free(&w);
	walk_make(&w,
		  "d MX nodata secure network 5 -\n"
		  "d A ok secure network 5 - 192.0.2.1\n"
		  "d AAAA nodata secure network 5 -\n",
		  "d");
	assert_slice_is(walk_go(&w), "found d|192.0.2.1");
	host = dns_mx_answers(&w.found, w.found.decision.tries[0].host);
	assert_int_equal(host->v4.status, DNS_SECURE);
	walk_free(&w);
}

static void test_name_in_hosts_file_is_a_host(void **state)
{
	char path[] = "/tmp/zpost-hosts-XXXXXX";
	struct arena *a = arena_new();
	struct dns_options o = { .mode = DNS_OFF,
				 .servers = "[127.0.0.1]:1",
				 .hosts = path };
	struct mx_options options = { .port = 25, .is_mx_forbidden = true };
	struct dns_mx_way found = { .facts.domain = SLICE("Inside.example") };
	int fd = mkstemp(path);
	struct dns_resolver *r;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, SLICE("192.0.2.1 inside.example\n")),
			 0);
	close(fd);
	r = dns_new(&o);
	assert_true(dns_is_in_hosts(r, SLICE("inside.EXAMPLE."), 0, a));
	assert_false(dns_is_in_hosts(r, SLICE("outside.example"), 0, a));
	dns_mx_find(r, &options, conn_now() + 10000, a, &found);
	assert_int_equal(found.decision.reason, MX_FOUND);
	assert_int_equal(found.decision.n_tries, 1);
	assert_int_equal(
	    dns_mx_answers(&found, found.decision.tries[0].host)->v4.origin,
	    DNS_FROM_HOSTS);
	dns_free(r);
	assert_int_equal(unlink(path), 0);
	arena_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk_from_answers_to_hosts),
		cmocka_unit_test(test_forbidden_mx_is_not_asked),
		cmocka_unit_test(test_services_are_asked_only_if_wanted),
		cmocka_unit_test(
		    test_what_is_late_is_asked_again_if_it_is_needed),
		cmocka_unit_test(test_answers_stay_beside_the_decision),
		cmocka_unit_test(test_name_in_hosts_file_is_a_host),
	};

	return TEST_RUN(tests);
}
