/*
 * route_test.c - from destinations to addresses, or to the reason why there
 * are none.
 */
#include "smtpta/route.h"

#include "base/keyword.h"
#include "net/test_names.h"
#include "smtpta/test_answers.h"

#include <arpa/inet.h>

struct run {
	struct arena *arena;
	struct smtpta_options options;
	struct dns_resolver *dns;
	struct str asked; /* "NAME TYPE," each */
	struct route route;
};

static void on_answer(void *context, const struct dns_answer *answer)
{
	struct arena *a = arena_new();

	str_add(context, answer->name);
	str_addf(context, " %.*s,", SLICE_ARG(dns_type_text(answer->type, a)));
	arena_free(a);
}

/* A resolver that knows these answers, and no other. */
static void run_begin(struct run *r, const char *answers)
{
	struct dns_options dns = { .source = answers_of(answers),
				   .on_answer = on_answer };

	*r = (struct run){ .arena = arena_new(),
			   .options = smtpta_options_default() };
	dns.context = &r->asked;
	r->dns = dns_new(&dns);
}

static void run_end(struct run *r)
{
	dns_free(r->dns);
	arena_free(r->arena);
	str_done(&r->asked);
	service_clear();
}

/*
 * Finds the way; what was found is printed as "ADDR:PORT ADDR:PORT", with "/"
 * between levels of preference.
 */
static const char *find(struct run *r, const char *destination)
{
	struct str text = STR_INIT;
	const char *kept;

	str_clear(&r->asked);
	r->route =
	    route_find(&r->options, r->dns, slice_of(destination), r->arena);
	for (size_t i = 0; i < r->route.n; i++) {
		if (i > 0)
			str_addc(&text, r->route.hosts[i].level !=
						r->route.hosts[i - 1].level
					    ? '/'
					    : ' ');
		net_addr_print(&text, &r->route.addrs[i]);
		str_addf(&text, ":%u",
			 (unsigned)net_addr_port(&r->route.addrs[i]));
	}
	assert_int_equal(r->route.n == 0, r->route.failure != NULL);
	kept = arena_cstr(r->arena, str_slice(&text));
	str_done(&text);
	return kept;
}

static void check_mta(const struct run *r, size_t i, const char *want)
{
	assert_slice_is(route_remote_mta(&r->route, i, r->arena), want);
}

/* Why there is no way; every text is complete. */
static void check_failure(const struct run *r, enum fate fate,
			  const char *status, const char *text)
{
	const struct diag *d = r->route.failure;

	assert_non_null(d);
	assert_int_equal(d->fate, fate);
	assert_slice_is(d->status, status);
	assert_slice_is(d->text, text);
	assert_slice_is(d->diagnostic, text);
	assert_true(d->reason[0] != '\0');
}

/* ---- UNIX sockets and literals ------------------------------------------ */

static void test_forced_unix_socket_is_the_only_way(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, "");
	r.options.forced = SLICE("UNIX:/run/lmtp");
	assert_string_equal(find(&r, "mx.example"), "UNIX:/run/lmtp:0");
	check_mta(&r, 0, "dns; localhost (UNIX:/run/lmtp)");
	assert_int_equal(r.route.site.len, 0);
	assert_int_equal(r.asked.len, 0);
	run_end(&r);
}

static void test_impossible_unix_socket_defers_everything(void **state)
{
	struct str path = STR_INIT;
	struct run r;

	(void)state;
	run_begin(&r, "");
	str_adds(&path, "UNIX:/");
	for (int i = 0; i < 108; i++)
		str_addc(&path, 'x');
	r.options.forced = str_slice(&path);
	find(&r, "mx.example");
	assert_int_equal(r.route.failure->fate, FATE_DEFERRED_ALL);
	assert_slice_is(r.route.failure->status,
			"4.3.5 (bad path of a UNIX socket)");
	check_mta(&r, 0, "");
	run_end(&r);
	str_done(&path);
}

/* The form is only for -F: a control file must not choose a socket. */
static void test_unix_socket_cannot_come_from_a_job(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, "");
	assert_string_equal(find(&r, "UNIX:/run/lmtp"), "");
	assert_int_equal(r.route.failure->fate, FATE_DEFERRED_ALL);
	assert_int_not_equal(r.asked.len, 0);
	run_end(&r);
}

struct literal {
	const char *in, *want, *remote_mta, *site;
};

static const struct literal literals[] = {
	{ "[192.0.2.1]", "192.0.2.1:25", "X-IP-addr; [192.0.2.1] (192.0.2.1)",
	  "[192.0.2.1]" },
	{ "[192.0.2.1]:26", "192.0.2.1:26",
	  "X-IP-addr; [192.0.2.1] (192.0.2.1)", "[192.0.2.1]" },
	{ "\"[192.0.2.1]\"", "192.0.2.1:25",
	  "X-IP-addr; [192.0.2.1] (192.0.2.1)", "[192.0.2.1]" },
	{ "[ipv6.2001:db8::1]", "ipv6 2001:db8::1:25",
	  "X-IP-addr; [IPv6:2001:db8::1] (ipv6 2001:db8::1)",
	  "[IPv6:2001:db8::1]" },
	/* The postmaster's own word: not judged, even on port 25. */
	{ "[127.0.0.1]", "127.0.0.1:25", "X-IP-addr; [127.0.0.1] (127.0.0.1)",
	  "[127.0.0.1]" },
	{ "[0.0.0.0]", "0.0.0.0:25", "X-IP-addr; [0.0.0.0] (0.0.0.0)",
	  "[0.0.0.0]" },
};

static void test_literals_need_no_lookup_and_pass_unjudged(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(literals); i++) {
		struct run r;

		run_begin(&r, "");
		assert_string_equal(find(&r, literals[i].in), literals[i].want);
		check_mta(&r, 0, literals[i].remote_mta);
		assert_slice_is(r.route.site, literals[i].site);
		/* The same from -F, whatever the job's host. */
		r.options.forced = slice_of(literals[i].in);
		assert_string_equal(find(&r, "mx.example"), literals[i].want);
		assert_int_equal(r.asked.len, 0);
		assert_null(r.route.way);
		run_end(&r);
	}
}

static void test_bad_literal_fails_for_good(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, "");
	assert_string_equal(find(&r, "[192.0.2.256]"), "");
	check_failure(&r, FATE_FAILED, "5.1.2 (bad literal IP address)",
		      "smtp; 500 (bad IP address: [192.0.2.256])");
	assert_string_equal(find(&r, "["), "");
	check_failure(&r, FATE_FAILED, "5.1.2 (bad literal IP address)",
		      "smtp; 500 (bad IP address: [)");
	assert_string_equal(find(&r, "[192.0.2.1]:0"), "");
	check_failure(&r, FATE_FAILED, "5.1.2 (bad literal IP address)",
		      "smtp; 500 (bad port behind IP address: [192.0.2.1]:0)");
	run_end(&r);
}

/* ---- names ----------------------------------------------------------------
 */

/* clang-format off */
#define TWO_HOSTS                                                          \
	"d.example MX ok secure network 5 - 20:B.example 10:a.example\n"   \
	"a.example A ok secure network 5 - 192.0.2.1 192.0.2.2\n"          \
	"a.example AAAA ok secure network 5 - 2001:db8::1\n"               \
	"b.example A ok secure network 5 - 192.0.2.3\n"                    \
	"b.example AAAA nodata secure network 5 -\n"
/* clang-format on */

static void test_exchangers_come_by_preference_at_our_port(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, TWO_HOSTS);
	r.options.port = 2525;
	assert_string_equal(find(&r, "d.example"),
			    "192.0.2.1:2525 192.0.2.2:2525 "
			    "ipv6 2001:db8::1:2525/192.0.2.3:2525");
	check_mta(&r, 2, "dns; a.example (ipv6 2001:db8::1)");
	check_mta(&r, 3, "dns; B.example (192.0.2.3)");
	assert_slice_is(r.route.site, "a.example");
	assert_int_equal(r.route.way->mx.status, DNS_SECURE);
	/* The forced name is looked up instead of the job's host. */
	r.options.forced = SLICE("D.EXAMPLE");
	find(&r, "other.example");
	assert_int_equal(r.route.n, 4);
	run_end(&r);
}

static void test_v6_comes_first_if_it_is_told_to(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, TWO_HOSTS);
	r.options.v6_first = true;
	assert_string_equal(find(&r, "d.example"),
			    "ipv6 2001:db8::1:25 192.0.2.1:25 192.0.2.2:25/"
			    "192.0.2.3:25");
	run_end(&r);
}

static size_t choose_first(void *context, size_t n)
{
	(void)context;
	(void)n;
	return 0;
}

static void test_equal_exchangers_are_ordered_by_chance(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, "d MX ok insecure network 5 - 5:a 5:C 5:b 5:c\n"
		      "a A ok insecure network 5 - 192.0.2.1\n"
		      "a AAAA nodata insecure network 5 -\n"
		      "b A ok insecure network 5 - 192.0.2.2\n"
		      "b AAAA nodata insecure network 5 -\n"
		      "c A timeout indeterminate network 5 -\n"
		      "c AAAA nodata insecure network 5 -\n");
	assert_string_equal(find(&r, "d"), "192.0.2.1:25 192.0.2.2:25");
	/* Not what happens to be reachable makes the site. */
	assert_slice_is(r.route.site, "a,b,c");
	r.options.choose = choose_first;
	assert_string_equal(find(&r, "d"), "192.0.2.2:25 192.0.2.1:25");
	assert_slice_is(r.route.site, "a,b,c");
	run_end(&r);
}

static void test_domain_without_exchangers_is_its_own_host(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, "d MX nodata insecure network 5 -\n"
		      "d A ok insecure network 5 - 192.0.2.9 192.0.2.1\n"
		      "d AAAA ok insecure network 5 - 2001:db8::1\n");
	assert_string_equal(find(&r, "d"), "192.0.2.9:25 192.0.2.1:25 "
					   "ipv6 2001:db8::1:25");
	assert_string_equal(str_cstr(&r.asked), "d MX,d A,d AAAA,");
	check_mta(&r, 0, "dns; d (192.0.2.9)");
	assert_slice_is(r.route.site,
			"[192.0.2.1],[192.0.2.9],[IPv6:2001:db8::1]");
	r.options.no_mx = true;
	assert_int_equal(strncmp(find(&r, "d"), "192.0.2.9:25 ", 13), 0);
	assert_string_equal(str_cstr(&r.asked), "d A,d AAAA,");
	run_end(&r);
}

static void test_services_are_asked_for_if_it_is_told_to(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, "d MX ok insecure network 5 - 5:a 10:b\n"
		      "a A ok insecure network 5 - 192.0.2.1\n"
		      "a AAAA nodata insecure network 5 -\n"
		      "a WKS ok insecure network 5 - 192.0.2.1:6:00000080\n"
		      "b A ok insecure network 5 - 192.0.2.2\n"
		      "b AAAA nodata insecure network 5 -\n"
		      "b WKS nodata insecure network 5 -\n");
	assert_string_equal(find(&r, "d"), "192.0.2.1:25/192.0.2.2:25");
	r.options.check_wks = true;
	assert_string_equal(find(&r, "d"), "192.0.2.2:25");
	run_end(&r);
}

static void test_names_are_asked_for_in_ascii(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, "xn--bcher-kva.example MX nxdomain secure network 5 -\n");
	assert_string_equal(find(&r, "B\xc3\xbc"
				     "cher.example"),
			    "");
	check_failure(&r, FATE_FAILED, "5.4.4 (DNS lookup report)",
		      "smtp; 500 (DNS: no such domain: "
		      "xn--bcher-kva.example)");
	check_mta(&r, 0, "dns; xn--bcher-kva.example");
	run_end(&r);
}

/* Nothing is asked for these. */
static void test_what_is_no_name_is_put_off(void **state)
{
	static const char *const rows[] = { "", ".example", "a..b",
					    "\xff.example" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct run r;

		run_begin(&r, "");
		assert_string_equal(find(&r, rows[i]), "");
		assert_int_equal(r.route.failure->fate, FATE_DEFERRED_ALL);
		assert_string_equal(r.route.failure->reason, "bad-name");
		assert_slice_is(r.route.failure->status, "4.4.3 (DNS-failure)");
		run_end(&r);
	}
}

struct no_way {
	const char *answers;
	enum fate fate;
	const char *reason;
};

static void test_only_a_sure_no_fails_for_good(void **state)
{
	static const struct no_way rows[] = {
		{ "d MX nxdomain insecure network 5 -", FATE_FAILED,
		  "nxdomain" },
		{ "d MX ok insecure network 5 - 0:.", FATE_FAILED, "null-mx" },
		{ "d MX servfail indeterminate network 5 -", FATE_DEFERRED_ALL,
		  "servfail" },
		{ "d MX refused indeterminate network 5 -", FATE_DEFERRED_ALL,
		  "refused" },
		{ "d MX rcode indeterminate network 5 -", FATE_DEFERRED_ALL,
		  "rcode" },
		{ "d MX bogus bogus network 5 -", FATE_DEFERRED_ALL, "bogus" },
		{ "d MX timeout indeterminate network 5 -", FATE_DEFERRED_ALL,
		  "timeout" },
		{ "", FATE_DEFERRED_ALL, "unavailable" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct run r;

		run_begin(&r, rows[i].answers);
		assert_string_equal(find(&r, "d"), "");
		assert_int_equal(r.route.failure->fate, rows[i].fate);
		assert_string_equal(r.route.failure->reason, rows[i].reason);
		assert_int_equal(r.route.failure->status.p[0],
				 rows[i].fate == FATE_FAILED ? '5' : '4');
		check_mta(&r, 0, "dns; d");
		assert_int_equal(r.route.site.len, 0);
		run_end(&r);
	}
}

static void test_forbidden_exchangers_leave_an_address_or_nothing(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, "mx.example A nxdomain insecure network 5 -\n"
		      "mx.example AAAA nxdomain insecure network 5 -\n");
	r.options.no_mx = true;
	assert_string_equal(find(&r, "mx.example"), "");
	check_failure(&r, FATE_FAILED, "5.4.4 (nameserver data inconsistency)",
		      "smtp; 500 (configuration inconsistency. MX usage "
		      "forbidden, no address in the DNS: 'mx.example')");
	run_end(&r);
}

static void test_text_of_an_address_is_not_asked_for(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, "");
	assert_string_equal(find(&r, "192.0.2.1"), "192.0.2.1:25");
	check_mta(&r, 0, "dns; 192.0.2.1 (192.0.2.1)");
	assert_string_equal(find(&r, "2001:db8::1"), "ipv6 2001:db8::1:25");
	assert_string_equal(find(&r, "127.0.0.1"), "");
	assert_string_equal(r.route.failure->reason, "loopback");
	r.options.no_mx = r.options.allow_local = true;
	assert_string_equal(find(&r, "127.0.0.1"), "127.0.0.1:25");
	assert_int_equal(r.asked.len, 0);
	run_end(&r);
}

/* ---- what this host is -----------------------------------------------------
 */

/* This host has 192.0.2.7 and 2001:db8::7. */
static struct sockaddr_in own_v4 = { .sin_family = AF_INET };
static struct sockaddr_in6 own_v6 = { .sin6_family = AF_INET6 };
static struct ifaddrs own[2] = {
	{ .ifa_next = &own[1], .ifa_addr = (struct sockaddr *)&own_v4 },
	{ .ifa_next = NULL, .ifa_addr = (struct sockaddr *)&own_v6 },
};

static void have_addresses(void)
{
	assert_int_equal(inet_pton(AF_INET, "192.0.2.7", &own_v4.sin_addr), 1);
	assert_int_equal(inet_pton(AF_INET6, "2001:db8::7", &own_v6.sin6_addr),
			 1);
	service.interfaces = own;
	service.node = "me.example";
}

struct guarded {
	const char *v4, *v6; /* records of the host, or NULL */
	bool no_mx, allow_local;
	uint16_t port;
	const char *want;
	const char *why; /* when nothing is left: the reason */
};

/* clang-format off */
static const struct guarded guarded[] = {
	{ "127.0.0.1 192.0.2.1", NULL, false, false, 25, "192.0.2.1:25", "" },
	{ "192.0.2.7", NULL, false, false, 25, "", "self" },
	{ NULL, "2001:db8::7", false, false, 25, "", "self" },
	{ NULL, "::ffff:192.0.2.7", false, false, 25, "", "self" },
	{ "127.1.2.3", NULL, false, false, 25, "", "loopback" },
	{ NULL, "::1", true, false, 25, "", "loopback" },
	{ "0.0.0.0", NULL, false, false, 25, "", "invalid" },
	{ "224.0.0.1", NULL, false, true, 25, "", "invalid" },
	{ "192.0.2.7", NULL, false, true, 25, "", "self" },
	/* -X counts only with -x; another port is the postmaster's word. */
	{ "127.0.0.1 192.0.2.7", NULL, true, true, 25,
	  "127.0.0.1:25 192.0.2.7:25", "" },
	{ "127.0.0.1 192.0.2.7", NULL, false, false, 2525,
	  "127.0.0.1:2525 192.0.2.7:2525", "" },
};
/* clang-format on */

static void add_addresses(struct str *to, const char *type, const char *records)
{
	str_addf(to, "d %s %s insecure network 5 - %s\n", type,
		 records != NULL ? "ok" : "nodata",
		 records != NULL ? records : "");
}

static void check_guarded(const struct guarded *row)
{
	struct str answers = STR_INIT;
	struct run r;

	str_adds(&answers, "d MX nodata insecure network 5 -\n");
	add_addresses(&answers, "A", row->v4);
	add_addresses(&answers, "AAAA", row->v6);
	run_begin(&r, str_cstr(&answers));
	have_addresses();
	r.options.port = row->port;
	r.options.no_mx = row->no_mx;
	r.options.allow_local = row->allow_local;
	assert_string_equal(find(&r, "d"), row->want);
	if (row->why[0] != '\0') {
		assert_string_equal(r.route.failure->reason, row->why);
		assert_int_equal(r.route.failure->fate, FATE_FAILED);
		assert_true(
		    slice_starts(r.route.failure->status, SLICE("5.4.6 ")));
	}
	run_end(&r);
	str_done(&answers);
}

static void test_mail_by_name_never_goes_to_this_host(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(guarded); i++)
		check_guarded(&guarded[i]);
}

#define THREE_HOSTS                                          \
	"d MX ok secure network 5 - 5:a 10:b.example 20:c\n" \
	"a A ok secure network 5 - 192.0.2.1\n"              \
	"a AAAA nodata secure network 5 -\n"                 \
	"b.example A ok secure network 5 - 192.0.2.2\n"      \
	"b.example AAAA ok secure network 5 - 2001:db8::2\n" \
	"c A ok secure network 5 - 192.0.2.3\n"              \
	"c AAAA nodata secure network 5 -\n"

/* What says that b is this host, from which on no exchanger is better. */
static const char *const selves[] = {
	"B.example", "x.example,b.EXAMPLE",	"[192.0.2.2]",
	"192.0.2.2", " [IPv6:2001:db8::2] , x", "2001:db8::2",
};

static void test_addresses_of_a_cluster_are_this_host_too(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(selves); i++) {
		struct run r;

		run_begin(&r, THREE_HOSTS);
		have_addresses();
		assert_string_equal(find(&r, "d"),
				    "192.0.2.1:25/192.0.2.2:25 ipv6 "
				    "2001:db8::2:25/192.0.2.3:25");
		r.options.self_addresses = slice_of(selves[i]);
		assert_string_equal(find(&r, "d"), "192.0.2.1:25");
		run_end(&r);
	}
}

static void test_own_name_is_this_host(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, THREE_HOSTS);
	service.node = "b.example";
	assert_string_equal(find(&r, "d"), "192.0.2.1:25");
	r.options.port = 2525; /* another server, for all we know */
	assert_int_equal(strncmp(find(&r, "d"), "192.0.2.1:2525/", 15), 0);
	run_end(&r);
}

static void test_family_that_no_interface_has_is_not_tried(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r, TWO_HOSTS);
	have_addresses();
	own[0].ifa_next = NULL; /* IPv4 alone */
	assert_string_equal(find(&r, "d.example"),
			    "192.0.2.1:25 192.0.2.2:25/192.0.2.3:25");
	r.options.v6_first = true;
	assert_string_equal(find(&r, "d.example"),
			    "192.0.2.1:25 192.0.2.2:25/192.0.2.3:25");
	own[0].ifa_next = &own[1];
	service.interfaces = &own[1]; /* IPv6 alone */
	assert_string_equal(find(&r, "d.example"), "ipv6 2001:db8::1:25");
	run_end(&r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forced_unix_socket_is_the_only_way),
		cmocka_unit_test(test_impossible_unix_socket_defers_everything),
		cmocka_unit_test(test_unix_socket_cannot_come_from_a_job),
		cmocka_unit_test(
		    test_literals_need_no_lookup_and_pass_unjudged),
		cmocka_unit_test(test_bad_literal_fails_for_good),
		cmocka_unit_test(
		    test_exchangers_come_by_preference_at_our_port),
		cmocka_unit_test(test_v6_comes_first_if_it_is_told_to),
		cmocka_unit_test(test_equal_exchangers_are_ordered_by_chance),
		cmocka_unit_test(
		    test_domain_without_exchangers_is_its_own_host),
		cmocka_unit_test(test_services_are_asked_for_if_it_is_told_to),
		cmocka_unit_test(test_names_are_asked_for_in_ascii),
		cmocka_unit_test(test_what_is_no_name_is_put_off),
		cmocka_unit_test(test_only_a_sure_no_fails_for_good),
		cmocka_unit_test(
		    test_forbidden_exchangers_leave_an_address_or_nothing),
		cmocka_unit_test(test_text_of_an_address_is_not_asked_for),
		cmocka_unit_test(test_mail_by_name_never_goes_to_this_host),
		cmocka_unit_test(test_addresses_of_a_cluster_are_this_host_too),
		cmocka_unit_test(test_own_name_is_this_host),
		cmocka_unit_test(
		    test_family_that_no_interface_has_is_not_tried),
	};

	return TEST_RUN(tests);
}
