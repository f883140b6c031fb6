/*
 * route_test.c - from destinations to addresses, or to the reason why there
 * are none.
 */
#include "smtpta/route.h"

#include "base/keyword.h"
#include "net/test_names.h"

#include <arpa/inet.h>

struct run {
	struct arena *arena;
	struct smtpta_options options;
	struct route route;
};

static void run_begin(struct run *r)
{
	*r = (struct run){ .arena = arena_new(),
			   .options = smtpta_options_default() };
}

static void run_end(struct run *r)
{
	arena_free(r->arena);
	service_clear();
}

/* Finds the way; what was found is printed as "ADDR:PORT ADDR:PORT". */
static const char *find(struct run *r, const char *destination)
{
	struct str text = STR_INIT;
	const char *kept;

	r->route = route_find(&r->options, slice_of(destination), r->arena);
	for (size_t i = 0; i < r->route.n; i++) {
		str_adds(&text, i > 0 ? " " : "");
		net_addr_print(&text, &r->route.addrs[i]);
		str_addf(&text, ":%u",
			 (unsigned)net_addr_port(&r->route.addrs[i]));
	}
	assert_int_equal(r->route.n == 0, r->route.failure != NULL);
	kept = arena_cstr(r->arena, str_slice(&text));
	str_done(&text);
	return kept;
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
	run_begin(&r);
	r.options.forced = SLICE("UNIX:/run/lmtp");
	assert_string_equal(find(&r, "mx.example"), "UNIX:/run/lmtp:0");
	assert_int_equal(r.route.remote_mta.len, 0);
	assert_int_equal(service.asked, 0);
	run_end(&r);
}

static void test_impossible_unix_socket_defers_everything(void **state)
{
	struct str path = STR_INIT;
	struct run r;

	(void)state;
	run_begin(&r);
	str_adds(&path, "UNIX:/");
	for (int i = 0; i < 108; i++)
		str_addc(&path, 'x');
	r.options.forced = str_slice(&path);
	find(&r, "mx.example");
	assert_int_equal(r.route.failure->fate, FATE_DEFERRED_ALL);
	assert_slice_is(r.route.failure->status,
			"4.3.5 (bad path of a UNIX socket)");
	run_end(&r);
	str_done(&path);
}

/* The form is only for -F: a control file must not choose a socket. */
static void test_unix_socket_cannot_come_from_a_job(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r);
	service.code = EAI_NONAME;
	assert_string_equal(find(&r, "UNIX:/run/lmtp"), "");
	assert_string_equal(service.name, "UNIX:/run/lmtp");
	run_end(&r);
}

struct literal {
	const char *in, *want, *remote_mta;
};

static const struct literal literals[] = {
	{ "[192.0.2.1]", "192.0.2.1:25", "X-IP-addr; [192.0.2.1]" },
	{ "[192.0.2.1]:26", "192.0.2.1:26", "X-IP-addr; [192.0.2.1]" },
	{ "\"[192.0.2.1]\"", "192.0.2.1:25", "X-IP-addr; [192.0.2.1]" },
	{ "[ipv6.2001:db8::1]", "ipv6 2001:db8::1:25",
	  "X-IP-addr; [IPv6:2001:db8::1]" },
	/* The postmaster's own word: not judged, even on port 25. */
	{ "[127.0.0.1]", "127.0.0.1:25", "X-IP-addr; [127.0.0.1]" },
	{ "[0.0.0.0]", "0.0.0.0:25", "X-IP-addr; [0.0.0.0]" },
};

static void test_literals_need_no_lookup_and_pass_unjudged(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(literals); i++) {
		struct run r;

		run_begin(&r);
		assert_string_equal(find(&r, literals[i].in), literals[i].want);
		assert_slice_is(r.route.remote_mta, literals[i].remote_mta);
		/* The same from -F, whatever the job's host. */
		r.options.forced = slice_of(literals[i].in);
		assert_string_equal(find(&r, "mx.example"), literals[i].want);
		assert_int_equal(service.asked, 0);
		run_end(&r);
	}
}

static void test_bad_literal_fails_for_good(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r);
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

static void test_name_has_all_its_addresses_at_our_port(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r);
	r.options.port = 2525;
	service.literals[0] = "[IPv6:2001:db8::1]";
	service.literals[1] = "[192.0.2.1]";
	service.literals[2] = "[192.0.2.2]";
	assert_string_equal(
	    find(&r, "mx.example"),
	    "192.0.2.1:2525 192.0.2.2:2525 ipv6 2001:db8::1:2525");
	assert_slice_is(r.route.remote_mta, "dns; mx.example");
	assert_string_equal(service.name, "mx.example");
	/* The forced name is looked up instead of the job's host. */
	r.options.forced = SLICE("relay.example");
	find(&r, "mx.example");
	assert_string_equal(service.name, "relay.example");
	assert_slice_is(r.route.remote_mta, "dns; relay.example");
	run_end(&r);
}

#define FORBIDDEN                                                     \
	"smtp; 500 (configuration inconsistency. MX usage forbidden," \
	" no address in the DNS: 'mx.example')"

static void check_no_address(int code, bool no_mx, const char *detail)
{
	struct str text = STR_INIT;
	struct run r;

	run_begin(&r);
	service.code = code;
	r.options.no_mx = no_mx;
	assert_string_equal(find(&r, "mx.example"), "");
	if (detail == NULL) {
		check_failure(&r, FATE_FAILED,
			      "5.4.4 (nameserver data inconsistency)",
			      FORBIDDEN);
	} else {
		str_addf(&text,
			 "smtp; 466 (no address for 'mx.example' now: "
			 "%s)",
			 detail);
		check_failure(&r, FATE_DEFERRED_ALL,
			      "4.4.3 (dns lookup 'try again')",
			      str_cstr(&text));
	}
	assert_slice_is(r.route.remote_mta, "dns; mx.example");
	run_end(&r);
	str_done(&text);
}

static void test_only_a_sure_no_without_mx_fails_for_good(void **state)
{
	static const int codes[] = { EAI_AGAIN,	 EAI_FAIL,   EAI_SYSTEM,
				     EAI_MEMORY, EAI_NONAME, EAI_NODATA };

	(void)state;
	for (size_t i = 0; i < COUNT(codes); i++) {
		bool is_sure = codes[i] == EAI_NONAME || codes[i] == EAI_NODATA;

		check_no_address(codes[i], false, gai_strerror(codes[i]));
		check_no_address(codes[i], true,
				 is_sure ? NULL : gai_strerror(codes[i]));
	}
}

/* A host "" or with a NUL never reaches the resolver. */
static void test_empty_host_is_deferred(void **state)
{
	struct run r;

	(void)state;
	run_begin(&r);
	assert_string_equal(find(&r, ""), "");
	assert_int_equal(r.route.failure->fate, FATE_DEFERRED_ALL);
	assert_int_equal(service.asked, 0);
	run_end(&r);
}

/* ---- the guard -------------------------------------------------------------
 */

/* This host has 192.0.2.7 and 2001:db8::7. */
static struct sockaddr_in own_v4 = { .sin_family = AF_INET };
static struct sockaddr_in6 own_v6 = { .sin6_family = AF_INET6 };
static struct ifaddrs own[2] = {
	{ .ifa_next = &own[1], .ifa_addr = (struct sockaddr *)&own_v4 },
	{ .ifa_next = NULL, .ifa_addr = (struct sockaddr *)&own_v6 },
};

struct guarded {
	const char *literals[4];
	bool no_mx, allow_local;
	uint16_t port;
	const char *want;
	const char *why; /* when nothing is left */
};

/* clang-format off */
static const struct guarded guarded[] = {
	{ { "[127.0.0.1]", "[192.0.2.1]", "[192.0.2.7]", "[IPv6:::1]" },
	  false, false, 25, "192.0.2.1:25", "" },
	{ { "[192.0.2.7]" }, false, false, 25, "",
	  "trying to talk with myself!" },
	{ { "[IPv6:2001:db8::7]" }, false, false, 25, "",
	  "trying to talk with myself!" },
	{ { "[IPv6:::ffff:192.0.2.7]" }, false, false, 25, "",
	  "trying to talk with myself!" },
	{ { "[127.1.2.3]" }, false, false, 25, "",
	  "trying to talk to loopback (=myself)!" },
	{ { "[IPv6:::1]" }, true, false, 25, "",
	  "trying to talk to loopback (=myself)!" },
	{ { "[0.0.0.0]" }, false, false, 25, "",
	  "trying to use invalid destination address" },
	{ { "[224.0.0.1]" }, false, true, 25, "",
	  "trying to use invalid destination address" },
	/* -X counts only with -x; another port is the postmaster's word. */
	{ { "[127.0.0.1]", "[192.0.2.7]" }, true, true, 25,
	  "127.0.0.1:25 192.0.2.7:25", "" },
	{ { "[127.0.0.1]", "[192.0.2.7]" }, false, false, 2525,
	  "127.0.0.1:2525 192.0.2.7:2525", "" },
};
/* clang-format on */

static void check_guarded(const struct guarded *row)
{
	struct str text = STR_INIT;
	struct run r;

	run_begin(&r);
	memcpy(service.literals, row->literals, sizeof(row->literals));
	service.interfaces = own;
	r.options.port = row->port;
	r.options.no_mx = row->no_mx;
	r.options.allow_local = row->allow_local;
	assert_string_equal(find(&r, "mx.example"), row->want);
	assert_slice_is(r.route.remote_mta, "dns; mx.example");
	if (row->why[0] != '\0') {
		str_addf(&text, "smtp; 500 (mx.example: %s)", row->why);
		check_failure(&r, FATE_FAILED,
			      "5.4.6 (destination is this host or no host)",
			      str_cstr(&text));
	}
	run_end(&r);
	str_done(&text);
}

static void test_mail_by_name_never_goes_to_this_host(void **state)
{
	(void)state;
	assert_int_equal(inet_pton(AF_INET, "192.0.2.7", &own_v4.sin_addr), 1);
	assert_int_equal(inet_pton(AF_INET6, "2001:db8::7", &own_v6.sin6_addr),
			 1);
	for (size_t i = 0; i < COUNT(guarded); i++)
		check_guarded(&guarded[i]);
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
		cmocka_unit_test(test_name_has_all_its_addresses_at_our_port),
		cmocka_unit_test(test_only_a_sure_no_without_mx_fails_for_good),
		cmocka_unit_test(test_empty_host_is_deferred),
		cmocka_unit_test(test_mail_by_name_never_goes_to_this_host),
	};

	return TEST_RUN(tests);
}
