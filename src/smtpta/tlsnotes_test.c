/*
 * tlsnotes_test.c - what is counted for the reports about TLS, and against
 * what.
 */
#include "smtpta/tlsnotes.h"

#include "smtpta/test_secure.h"
#include "store/tlsresults.h"

#include <sys/socket.h>

#define INSECURE SECURE_MX("insecure") SECURE_A("insecure")
#define POLICY(mode, mx) \
	"version: STSv1\nmode: " mode "\nmx: " mx "\nmax_age: 86400\n"

struct noted {
	struct secure x;
	struct tlsnotes *notes;
	int complaints;
};

static void on_complaint(void *context, const char *text)
{
	struct noted *n = context;

	assert_true(text[0] != '\0');
	n->complaints++;
}

static void begin_at(struct noted *n, const char *destination,
		     const char *answers, const char *policy)
{
	*n = (struct noted){ 0 };
	secure_begin(&n->x, answers);
	secure_make_store(&n->x);
	if (policy != NULL)
		secure_sts(&n->x, "example.org", policy);
	secure_judge(&n->x, destination, TLS_ASKS_NOTHING);
	n->notes = tlsnotes_new(n->x.store, secure_clock, on_complaint, n);
}

static void begin(struct noted *n, const char *answers, const char *policy)
{
	begin_at(n, "example.org", answers, policy);
}

static void end(struct noted *n)
{
	assert_int_equal(n->complaints, 0);
	tlsnotes_free(n->notes);
	secure_end(&n->x);
}

static struct tlsrpt_report report_of(struct noted *n, const char *domain)
{
	const struct tlsresults_key key = { tlsrpt_day_of(SECURE_NOW),
					    slice_of(domain) };
	struct tlsrpt_report report = { 0 };
	struct err err;

	if (tlsresults_read(n->x.store, &key, n->x.arena, &report, &err) < 0)
		fail_msg("%s", err.text);
	return report;
}

/* All that was counted for example.org: "KIND DOMAIN GOOD/FAILED [TYPE]". */
static const char *counted(struct noted *n)
{
	struct tlsrpt_report report = report_of(n, "example.org");
	struct str text = STR_INIT;
	const char *kept;

	for (size_t i = 0; i < report.n_groups; i++) {
		const struct tlsrpt_group *g = &report.groups[i];

		str_addf(&text, "%s%s %.*s %u/%u", i > 0 ? ", " : "",
			 tlsrpt_kind_word(g->policy.kind),
			 SLICE_ARG(g->policy.domain), (unsigned)g->n_good,
			 (unsigned)g->n_failed);
		for (size_t j = 0; j < g->n_details; j++)
			str_addf(&text, " %s",
				 tlsrpt_type_word(g->details[j].failure.type));
	}
	kept = arena_cstr(n->x.arena, str_slice(&text));
	str_done(&text);
	return kept;
}

/* ---- handshakes ---------------------------------------------------------- */

#define DANE SECURE_DANE
#define UNUSED              \
	SECURE_MX("secure") \
	SECURE_A("secure")  \
	SECURE_TLSA("ok secure network 5 - 0:0:1:" SECURE_DIGEST)

static const struct {
	const char *answers, *policy;
	enum tls_fault fault, audit;
	const char *counted;
} handshakes[] = {
	{ INSECURE, NULL, TLS_FAULT_NONE, TLS_FAULT_NONE,
	  "no-policy-found example.org 1/0" },
	{ INSECURE, NULL, TLS_FAULT_PROTOCOL, TLS_FAULT_NONE,
	  "no-policy-found example.org 0/1 validation-failure" },
	{ DANE, NULL, TLS_FAULT_NONE, TLS_FAULT_NONE,
	  "tlsa mx.example.org 1/0" },
	{ DANE, NULL, TLS_FAULT_TLSA, TLS_FAULT_NONE,
	  "tlsa mx.example.org 0/1 validation-failure" },
	{ DANE, NULL, TLS_FAULT_TIMEOUT, TLS_FAULT_NONE,
	  "tlsa mx.example.org 0/1 validation-failure" },
	/* Encrypted, but the records are worth nothing. */
	{ UNUSED, NULL, TLS_FAULT_NONE, TLS_FAULT_NONE,
	  "tlsa mx.example.org 0/1 tlsa-invalid" },
	{ INSECURE, POLICY("enforce", "mx.example.org"), TLS_FAULT_NONE,
	  TLS_FAULT_NONE, "sts example.org 1/0" },
	{ INSECURE, POLICY("enforce", "mx.example.org"), TLS_FAULT_EXPIRED,
	  TLS_FAULT_NONE, "sts example.org 0/1 certificate-expired" },
	{ INSECURE, POLICY("enforce", "mx.example.org"), TLS_FAULT_NAME,
	  TLS_FAULT_NONE, "sts example.org 0/1 certificate-host-mismatch" },
	{ INSECURE, POLICY("enforce", "mx.example.org"), TLS_FAULT_NOT_TRUSTED,
	  TLS_FAULT_NONE, "sts example.org 0/1 certificate-not-trusted" },
	/* Mode testing: the mail went all the same. */
	{ INSECURE, POLICY("testing", "mx.example.org"), TLS_FAULT_NONE,
	  TLS_FAULT_NONE, "sts example.org 1/0" },
	{ INSECURE, POLICY("testing", "mx.example.org"), TLS_FAULT_NONE,
	  TLS_FAULT_NAME, "sts example.org 0/1 certificate-host-mismatch" },
	/* Without a policy nobody looked for names. */
	{ INSECURE, NULL, TLS_FAULT_NONE, TLS_FAULT_NAME,
	  "no-policy-found example.org 1/0" },
	/* What is ours. */
	{ DANE, NULL, TLS_FAULT_SETTINGS, TLS_FAULT_NONE, "" },
	{ DANE, NULL, TLS_FAULT_STOPPED, TLS_FAULT_NONE, "" },
};

static void test_handshakes_and_what_they_are_held_against(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(handshakes); i++) {
		struct tls_outcome o = { .is_ok = handshakes[i].fault ==
						  TLS_FAULT_NONE,
					 .fault = handshakes[i].fault,
					 .audit = handshakes[i].audit };
		const char *text;
		struct noted n;

		begin(&n, handshakes[i].answers, handshakes[i].policy);
		tlsnotes_handshake(n.notes, n.x.security, 0, &o, NULL);
		text = counted(&n);
		if (strcmp(text, handshakes[i].counted) != 0)
			fail_msg("row %zu: '%s'", i, text);
		end(&n);
	}
}

/* Every fault of the server has a type of the RFC's list. */
static void test_every_fault_has_its_type(void **state)
{
	struct noted n;

	(void)state;
	begin(&n, INSECURE, NULL);
	for (unsigned f = TLS_FAULT_NONE + 1; f < TLS_FAULTS; f++) {
		struct tls_outcome o = { .fault = (enum tls_fault)f };
		const char *word = tls_fault_report(o.fault);
		uint64_t before = report_of(&n, "example.org").n_groups;
		struct tlsrpt_report after;
		bool is_there = false;

		tlsnotes_handshake(n.notes, n.x.security, 0, &o, NULL);
		after = report_of(&n, "example.org");
		if (word == NULL) {
			assert_int_equal(after.n_groups, before);
			continue;
		}
		for (size_t i = 0; i < after.groups[0].n_details; i++)
			is_there |=
			    strcmp(tlsrpt_type_word(
				       after.groups[0].details[i].failure.type),
				   word) == 0;
		assert_true(is_there);
	}
	end(&n);
}

/* ---- evidence ------------------------------------------------------------ */

/* A connection of two sockets of this process. */
static struct conn *connect_here(int *ret_listener, int *ret_other)
{
	struct conn_options how = { .timeout_ms = 10000 };
	struct net_addr addr;
	struct conn *c;
	struct err err;

	assert_int_equal(
	    net_literal_parse(SLICE("[127.0.0.1]"), 0, &addr, &err), 0);
	*ret_listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(*ret_listener, &addr.u.any, addr.len), 0);
	assert_int_equal(listen(*ret_listener, 1), 0);
	assert_int_equal(getsockname(*ret_listener, &addr.u.any, &addr.len), 0);
	assert_int_equal(conn_dial(&addr, &how, &c, &err), 0);
	*ret_other = accept(*ret_listener, NULL, NULL);
	assert_true(*ret_other >= 0);
	return c;
}

static void test_failure_has_all_that_is_known(void **state)
{
	struct tls_outcome o = { .fault = TLS_FAULT_TLSA,
				 .text = SLICE("no record matches") };
	const struct tlsrpt_failure *f;
	const struct tlsrpt_policy *p;
	struct tlsrpt_report report;
	int listener, other;
	struct conn *c;
	struct noted n;

	(void)state;
	begin(&n, DANE, NULL);
	c = connect_here(&listener, &other);
	tlsnotes_handshake(n.notes, n.x.security, 0, &o, c);
	report = report_of(&n, "example.org");
	f = &report.groups[0].details[0].failure;
	assert_slice_is(f->mx_host, "mx.example.org");
	assert_slice_is(f->reason, "no record matches");
	assert_slice_is(f->receiving_ip, "192.0.2.1");
	assert_slice_is(f->sending_ip, "127.0.0.1");
	p = &report.groups[0].policy;
	assert_int_equal(p->n_strings, 1);
	assert_slice_is(p->strings[0], "3 1 1 " SECURE_DIGEST);
	conn_close(c);
	fd_close(other);
	fd_close(listener);
	end(&n);
}

static void test_policy_is_told_as_it_stands(void **state)
{
	const struct tls_outcome o = { .is_ok = true };
	const struct tlsrpt_policy *p;
	struct tlsrpt_report report;
	struct noted n;

	(void)state;
	begin(&n, INSECURE, POLICY("enforce", "*.example.org"));
	tlsnotes_handshake(n.notes, n.x.security, 0, &o, NULL);
	report = report_of(&n, "example.org");
	p = &report.groups[0].policy;
	assert_int_equal(p->n_mx, 1);
	assert_slice_is(p->mx[0], "*.example.org");
	assert_int_equal(p->n_strings, 4);
	assert_slice_is(p->strings[1], "mode: enforce");
	end(&n);
}

/* ---- no handshake -------------------------------------------------------- */

static void test_no_starttls(void **state)
{
	struct noted n;

	(void)state;
	begin(&n, DANE, NULL);
	tlsnotes_not_offered(n.notes, n.x.security, 0, NULL);
	tlsnotes_not_offered(n.notes, n.x.security, 0, NULL);
	assert_string_equal(counted(&n),
			    "tlsa mx.example.org 0/2 starttls-not-supported");
	end(&n);
}

static const struct {
	const char *answers, *policy;
	enum tls_level level;
	const char *counted;
} refusals[] = {
	{ SECURE_MX("secure") SECURE_A("secure"), NULL, TLS_LEVEL_AUTO,
	  "tlsa mx.example.org 0/1 dnssec-invalid" },
	{ SECURE_MX("secure") SECURE_A("secure")
	      SECURE_TLSA("bogus bogus network 0 -"),
	  NULL, TLS_LEVEL_AUTO, "tlsa mx.example.org 0/1 dnssec-invalid" },
	{ INSECURE, NULL, TLS_LEVEL_DANE_ONLY,
	  "tlsa mx.example.org 0/1 dane-required" },
	{ INSECURE, POLICY("enforce", "other.example"), TLS_LEVEL_AUTO,
	  "sts example.org 0/1 validation-failure" },
};

static void test_hosts_that_get_no_mail(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		const char *text;
		struct noted n;

		begin(&n, refusals[i].answers, refusals[i].policy);
		n.x.conf.terms.rule.level = refusals[i].level;
		secure_judge(&n.x, "example.org", TLS_ASKS_NOTHING);
		assert_int_equal(security_of(n.x.security, 0)->decision.need,
				 TLS_NEED_IMPOSSIBLE);
		tlsnotes_impossible(n.notes, n.x.security, 0);
		text = counted(&n);
		if (strcmp(text, refusals[i].counted) != 0)
			fail_msg("row %zu: '%s'", i, text);
		end(&n);
	}
}

static void test_policy_that_could_not_be_had(void **state)
{
	struct noted n;

	(void)state;
	begin(&n, INSECURE, NULL);
	tlsnotes_policy(n.notes, n.x.security);
	assert_string_equal(counted(&n), "");
	n.x.security->sts.failure = TLSRPT_STS_WEBPKI_INVALID;
	n.x.security->sts.reason = SLICE("expired");
	tlsnotes_policy(n.notes, n.x.security);
	assert_string_equal(counted(&n),
			    "sts example.org 0/1 sts-webpki-invalid");
	end(&n);
}

/* ---- nothing ------------------------------------------------------------- */

/* Notes one of each kind. */
static void note_all(struct noted *n)
{
	const struct tls_outcome o = { .is_ok = true };

	n->x.security->sts.failure = TLSRPT_STS_POLICY_FETCH_ERROR;
	tlsnotes_policy(n->notes, n->x.security);
	tlsnotes_impossible(n->notes, n->x.security, 0);
	tlsnotes_not_offered(n->notes, n->x.security, 0, NULL);
	tlsnotes_handshake(n->notes, n->x.security, 0, &o, NULL);
}

/* Who could ask for a report? */
static void test_addresses_are_not_counted(void **state)
{
	static const char *const nameless[] = { "[192.0.2.1]", "192.0.2.1",
						"[IPv6:2001:db8::1]" };
	const struct tlsresults_query all = { .before = INT64_MAX,
					      .is_all = true,
					      .now = SECURE_NOW };

	(void)state;
	for (size_t i = 0; i < COUNT(nameless); i++) {
		struct tlsresults_key keys[TLSRESULTS_LIST_MAX];
		struct noted n;
		struct err err;

		begin_at(&n, nameless[i], "", NULL);
		note_all(&n);
		assert_int_equal(
		    tlsresults_list(n.x.store, &all, n.x.arena, keys, &err), 0);
		end(&n);
	}
}

/* The delivery of a report is no matter for the next one. */
static void test_nothing_is_counted_in_a_pause(void **state)
{
	struct noted n;

	(void)state;
	begin(&n, DANE, NULL);
	tlsnotes_pause(n.notes, true);
	note_all(&n);
	assert_string_equal(counted(&n), "");
	tlsnotes_pause(n.notes, false);
	tlsnotes_not_offered(n.notes, n.x.security, 0, NULL);
	assert_string_equal(counted(&n),
			    "tlsa mx.example.org 0/1 starttls-not-supported");
	end(&n);
}

static void test_nobody_who_counts(void **state)
{
	struct noted n;

	(void)state;
	begin(&n, DANE, NULL);
	tlsnotes_free(n.notes);
	n.notes = NULL;
	tlsnotes_pause(n.notes, true);
	note_all(&n);
	assert_string_equal(counted(&n), "");
	end(&n);
}

static void test_store_that_is_out_of_order_is_told_once(void **state)
{
	struct store *bad = store_new("/proc/no/such/folder");
	struct noted n;

	(void)state;
	begin(&n, DANE, NULL);
	tlsnotes_free(n.notes);
	n.notes = tlsnotes_new(bad, secure_clock, on_complaint, &n);
	note_all(&n);
	assert_int_equal(n.complaints, 1);
	n.complaints = 0;
	store_free(bad);
	end(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_handshakes_and_what_they_are_held_against),
		cmocka_unit_test(test_every_fault_has_its_type),
		cmocka_unit_test(test_failure_has_all_that_is_known),
		cmocka_unit_test(test_policy_is_told_as_it_stands),
		cmocka_unit_test(test_no_starttls),
		cmocka_unit_test(test_hosts_that_get_no_mail),
		cmocka_unit_test(test_policy_that_could_not_be_had),
		cmocka_unit_test(test_addresses_are_not_counted),
		cmocka_unit_test(test_nothing_is_counted_in_a_pause),
		cmocka_unit_test(test_nobody_who_counts),
		cmocka_unit_test(test_store_that_is_out_of_order_is_told_once),
	};

	return TEST_RUN(tests);
}
