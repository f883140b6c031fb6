/*
 * walk_test.c - the walk over recorded answers, and what its printers make.
 */
#include "explain/walk.h"

#include "base/test.h"
#include "net/dns_record.h"
#include "smtpta/safety.h"

#include <sysexits.h>

enum { PORT = 2525 }; /* any but 25: nothing is judged by what we are */

struct fixture {
	struct smtpta_options options;
	struct walk_draws draws;
	struct walk_scene scene;
	struct safety *safety;
	struct explanation *e;
};

static int64_t wall_time(void)
{
	return 0;
}

static void complain(void *context, const char *text)
{
	(void)context;
	fail_msg("%s", text);
}

/* Nothing is known but the answers. */
static void make_safety(struct fixture *f)
{
	const struct safety_setup setup = { .options = &f->options,
					    .dns = f->scene.resolver,
					    .wall_time = wall_time,
					    .complain = complain,
					    .only_looks = true };

	f->safety = safety_new(&setup);
	f->scene.safety = safety_of_sessions(f->safety);
}

static void on_answer(void *context, const struct dns_answer *answer)
{
	walk_answer(context, answer);
}

/* As a walk that is over; free it with done(). */
static void walk(struct fixture *f, const char *subject, const char *answers)
{
	struct dns_options dns = { .on_answer = on_answer };
	struct err err;

	f->options.port = PORT;
	f->e = explanation_new();
	f->e->subject = slice_of(subject);
	dns.context = f->e;
	assert_int_equal(
	    dns_recorded(slice_of(answers), "FILE", &dns.source, &err), 0);
	f->e->offline = SLICE("FILE");
	f->scene.options = &f->options;
	f->scene.draws = &f->draws;
	f->scene.resolver = dns_new(&dns);
	f->options.dns.source = dns.source;
	make_safety(f);
	walk_subject(&f->options, f->e);
	walk_route(&f->scene, f->e);
	walk_end(f->e);
}

static void done(struct fixture *f)
{
	safety_free(f->safety);
	dns_free(f->scene.resolver);
	walk_draws_done(&f->draws);
	explanation_free(f->e);
}

#define ANSWERS                                                             \
	"example.org MX ok secure network 300 - 10:a.example 10:b.example " \
	"20:c.example\n"                                                    \
	"a.example A ok insecure cache 60 alias.example 192.0.2.1\n"        \
	"b.example A ok insecure network 60 - 192.0.2.2\n"                  \
	"c.example A ok insecure network 60 - 192.0.2.3\n"                  \
	"a.example AAAA nodata insecure network 60 -\n"                     \
	"b.example AAAA nodata insecure network 60 -\n"                     \
	"c.example AAAA nodata insecure network 60 -\n"

static void test_the_route_is_that_of_delivery(void **state)
{
	struct fixture f = { 0 };
	struct arena *a = arena_new();
	struct route route;

	(void)state;
	walk(&f, "bob@example.org", ANSWERS);
	route =
	    route_find(&f.options, f.scene.resolver, SLICE("example.org"), a);
	assert_int_equal(f.e->route.n, 3);
	assert_int_equal(route.n, 3);
	for (size_t i = 0; i < route.n; i++) {
		assert_true(
		    net_addr_same_host(&route.addrs[i], &f.e->route.addrs[i]));
		assert_true(
		    slice_eq(route.hosts[i].name, f.e->route.hosts[i].name));
		assert_int_equal(route.hosts[i].level,
				 f.e->route.hosts[i].level);
	}
	assert_int_equal(f.e->status, EX_OK);
	arena_free(a);
	done(&f);
}

/* By the same resolver as all else, and once. */
static void test_our_own_end_is_looked_up_by_name(void **state)
{
	static const char answers[] =
	    ANSWERS "us.example A ok insecure network 60 - 192.0.2.77\n"
		    "us.example AAAA nodata insecure network 60 -\n";
	struct fixture f = { .options.local = { .form = LOCAL_NAME,
						.name = SLICE("us.example") } };
	size_t n_asked = 0;

	(void)state;
	walk(&f, "bob@example.org", answers);
	assert_int_equal(f.e->route.n, 3);
	for (size_t i = 0; i < f.e->route.n; i++) {
		struct str text = STR_INIT;

		assert_true(f.e->sources[i].is_chosen);
		net_addr_print(&text, &f.e->sources[i].addr);
		assert_string_equal(str_cstr(&text), "192.0.2.77");
		str_done(&text);
	}
	for (size_t i = 0; i < f.e->n_answers; i++)
		n_asked += slice_eq(f.e->answers[i].name, SLICE("us.example"));
	assert_int_equal(n_asked, 2);
	done(&f);
}

static void test_our_own_end_without_an_address_is_told(void **state)
{
	struct fixture f = { .options.local = { .form = LOCAL_NAME,
						.name = SLICE("us.example") } };

	(void)state;
	walk(&f, "bob@example.org",
	     ANSWERS "us.example A nxdomain insecure network 60 -\n"
		     "us.example AAAA nxdomain insecure network 60 -\n");
	assert_false(f.e->sources[0].is_chosen);
	assert_true(f.e->sources[0].trouble.len > 0);
	done(&f);
}

static size_t choose_last(void *context, size_t n)
{
	++*(size_t *)context;
	return n - 1;
}

static void test_numbers_drawn_again_are_the_same(void **state)
{
	size_t n_chosen = 0;
	struct walk_draws d = { .choose = choose_last, .context = &n_chosen };

	(void)state;
	assert_int_equal(walk_draw(&d, 3), 2);
	assert_int_equal(walk_draw(&d, 9), 8);
	walk_draw_again(&d);
	assert_int_equal(walk_draw(&d, 3), 2);
	assert_int_equal(walk_draw(&d, 4), 0); /* below what is asked for */
	assert_int_equal(n_chosen, 2);
	assert_int_equal(walk_draw(&d, 5), 4);
	assert_int_equal(n_chosen, 3);
	walk_draws_done(&d);
}

static void test_commands_are_those_of_the_engine(void **state)
{
	static const struct {
		const char *subject;
		bool is_lmtp;
		struct caps caps;
		const char *mail, *rcpt;
	} rows[] = {
		{ .subject = "bob@example.org",
		  .mail = "MAIL FROM:<...>",
		  .rcpt = "RCPT TO:<bob@example.org>" },
		{ .subject = "bob@example.org",
		  .caps = { .is_extended = true, .dsn = true },
		  .mail = "MAIL FROM:<...>",
		  .rcpt = "RCPT TO:<bob@example.org> NOTIFY=FAILURE "
			  "ORCPT=rfc822;bob@example.org" },
		{ .subject = "bob@example.org",
		  .is_lmtp = true,
		  .caps = { .is_extended = true,
			    .dsn = true,
			    .pipelining = true,
			    .chunking = true },
		  .mail = "MAIL FROM:<...>",
		  .rcpt = "RCPT TO:<bob@example.org> NOTIFY=FAILURE "
			  "ORCPT=rfc822;bob@example.org" },
		{ .subject = "b\xc3\xb6"
			     "b@example.org",
		  .caps = { .is_extended = true,
			    .smtputf8 = true,
			    .eightbitmime = true },
		  .mail = "MAIL FROM:<...> SMTPUTF8",
		  .rcpt = "RCPT TO:<b\xc3\xb6"
			  "b@example.org>" },
		{ .subject = "example.org", .mail = "", .rcpt = "" },
		{ .subject = "bob>@example.org", .mail = "", .rcpt = "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct smtpta_options o = { .is_lmtp = rows[i].is_lmtp };
		struct explanation *e = explanation_new();
		struct explained_envelope said;

		e->subject = slice_of(rows[i].subject);
		walk_subject(&o, e);
		said = walk_envelope(&o, e, &rows[i].caps);
		assert_slice_is(said.mail, rows[i].mail);
		assert_slice_is(said.rcpt, rows[i].rcpt);
		explanation_free(e);
	}
}

static void test_exit_status_of_failures(void **state)
{
	static const struct {
		enum fate fate;
		const char *reason;
		int status;
	} rows[] = {
		{ FATE_FAILED, "nxdomain", EX_NOHOST },
		{ FATE_FAILED, "alias-loop", EX_NOHOST },
		{ FATE_FAILED, "bad-literal", EX_NOHOST },
		{ FATE_FAILED, "null-mx", EX_UNAVAILABLE },
		{ FATE_FAILED, "whatever", EX_UNAVAILABLE },
		{ FATE_DEFERRED_ALL, "nxdomain", EX_TEMPFAIL },
		{ FATE_DEFERRED, "timeout", EX_TEMPFAIL },
		{ FATE_RETRY_AT, "timeout", EX_TEMPFAIL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct diag d = { .fate = rows[i].fate,
				  .reason = rows[i].reason };
		struct explanation *e = explanation_new();

		e->failure = &d;
		walk_end(e);
		assert_int_equal(e->status, rows[i].status);
		explanation_free(e);
	}
}

/* Between the lines about this host itself, which differ everywhere. */
static struct slice without_self(struct slice text, struct str *to)
{
	struct slice line;

	while (slice_cut(&text, '\n', &line))
		if (line.len > 0 && !slice_starts(line, SLICE("we are")))
			str_addf(to, "%.*s\n", SLICE_ARG(line));
	return str_slice(to);
}

static void test_text_is_aligned_and_complete(void **state)
{
	struct str text = STR_INIT, kept = STR_INIT;
	struct fixture f = { 0 };

	(void)state;
	walk(&f, "bob@example.net",
	     "example.net MX ok secure network 7 - 5:a.example\n"
	     "a.example A ok insecure cache 60 alias.example 192.0.2.1\n"
	     "a.example AAAA timeout indeterminate network 0 - ; slow\n"
	     "a.example CNAME ok insecure network 9 - alias.example\n");
	explanation_print_subject(&text, f.e);
	for (size_t i = 0; i < f.e->n_answers; i++)
		explanation_print_answer(&text, &f.e->answers[i]);
	explanation_print_route(&text, f.e);
	explanation_print_end(&text, f.e);
	assert_slice_is(
	    without_self(str_slice(&text), &kept),
	    "recipient        bob@example.net\n"
	    "destination      example.net\n"
	    "answers from     FILE\n"
	    "asked            example.net MX: ok, secure, from network "
	    "(recorded), ttl 7\n"
	    "  record         5:a.example\n"
	    "asked            a.example A: ok, insecure, from cache "
	    "(recorded), ttl 60\n"
	    "  alias of       alias.example\n"
	    "  record         192.0.2.1\n"
	    "asked            a.example AAAA: timeout, indeterminate, from "
	    "network (recorded), ttl 0\n"
	    "  detail         slow\n"
	    "asked            _mta-sts.example.net TXT: unavailable, "
	    "indeterminate, from network (recorded), ttl 0\n"
	    "  detail         not in FILE\n"
	    "asked            a.example CNAME: ok, insecure, from network "
	    "(recorded), ttl 9\n"
	    "  record         alias.example\n"
	    "host             a.example, preference 5: kept\n"
	    "  canonical      alias.example\n"
	    "  address        192.0.2.1: kept\n"
	    "decision         found\n"
	    "to be tried      192.0.2.1 port 2525, level 0, a.example\n"
	    "  from           what the system chooses\n"
	    "  TLS            may: nothing asks for more\n"
	    "    because      level=auto mx=secure addresses=insecure "
	    "tlsa=not-asked "
	    "sts=none need=may reason=opportunistic\n"
	    "site             a.example\n"
	    "SMTPUTF8         not needed\n"
	    "would say        MAIL FROM:<...>\n"
	    "would say        RCPT TO:<bob@example.net>\n"
	    "result           try (exit status 0)\n");
	str_done(&text);
	str_done(&kept);
	done(&f);
}

static void test_a_peer_cannot_forge_a_line(void **state)
{
	struct explained_line lines[] = {
		{ false, SLICE("220 \x1b[2J\nresult  try\r\t\xc2\x9b") },
		{ true, SLICE("EHLO x") },
	};
	struct explained_peer peer = {
		.host = SLICE("a\nb"),
		.addr.u.v4 = { .sin_family = AF_INET },
		.addr.len = sizeof(struct sockaddr_in),
		.ms = 5,
		.reason = "no-way",
		.code = 554,
		.why = SLICE("a\nb"),
		.lines = lines,
		.n_lines = 2,
		.is_cut = true,
	};
	struct str text = STR_INIT;

	(void)state;
	explanation_print_peer(&text, &peer);
	assert_slice_is(str_slice(&text),
			"connected        0.0.0.0, a?b: no-way, 5 ms\n"
			"  heard          220 ?[2J?result  try? ??\n"
			"  said           EHLO x\n"
			"  more           was said than is kept\n"
			"  code           554\n"
			"  why            a?b\n");
	str_done(&text);
}

static void test_json_is_one_line(void **state)
{
	struct str text = STR_INIT;
	struct fixture f = { 0 };

	(void)state;
	walk(&f, "b\nb\xff@x.example", "");
	explanation_print_json(&text, f.e);
	assert_int_equal(slice_find(str_slice(&text), '\n'), text.len - 1);
	assert_true(slice_find_text(str_slice(&text),
				    SLICE("\"recipient\":\"b\\nb")) < text.len);
	assert_int_equal(f.e->status, EX_UNAVAILABLE);
	str_done(&text);
	done(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_route_is_that_of_delivery),
		cmocka_unit_test(test_our_own_end_is_looked_up_by_name),
		cmocka_unit_test(test_our_own_end_without_an_address_is_told),
		cmocka_unit_test(test_numbers_drawn_again_are_the_same),
		cmocka_unit_test(test_commands_are_those_of_the_engine),
		cmocka_unit_test(test_exit_status_of_failures),
		cmocka_unit_test(test_text_is_aligned_and_complete),
		cmocka_unit_test(test_a_peer_cannot_forge_a_line),
		cmocka_unit_test(test_json_is_one_line),
	};

	return TEST_RUN(tests);
}
