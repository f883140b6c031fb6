/*
 * security_test.c - what each host needs, from answers of the DNS, policies
 * and the postmaster's words; and what is asked for that.
 */
#include "smtpta/security.h"

#include "smtpta/test_secure.h"

#define AUTO TLS_LEVEL_AUTO

/* ---- one host ------------------------------------------------------------ */

struct row {
	const char *name, *answers;
	enum tls_level level;
	const char *decided, *asked;
};

static const struct row rows[] = {
	{ "usable", SECURE_DANE, AUTO, "dane dane", ASKED_STS ASKED_TLSA },
	{ "MX insecure",
	  SECURE_MX("insecure") SECURE_A("secure") SECURE_TLSA(SECURE_USABLE),
	  AUTO, "dane dane-mx-insecure", ASKED_STS ASKED_TLSA },
	{ "MX that nobody has looked at",
	  SECURE_MX("indeterminate") SECURE_A("secure")
	      SECURE_TLSA(SECURE_USABLE),
	  AUTO, "dane dane-mx-insecure", ASKED_STS ASKED_TLSA },
	{ "addresses insecure",
	  SECURE_MX("secure") SECURE_A("insecure") SECURE_TLSA(SECURE_USABLE),
	  AUTO, "may opportunistic", ASKED_STS },
	{ "addresses that nobody has looked at",
	  SECURE_MX("secure") SECURE_A("indeterminate")
	      SECURE_TLSA(SECURE_USABLE),
	  AUTO, "may opportunistic", ASKED_STS },
	{ "one family insecure",
	  SECURE_MX("secure") "mx.example.org A ok secure network 5 - "
			      "192.0.2.1\n"
			      "mx.example.org AAAA nodata insecure network 5 "
			      "-\n" SECURE_TLSA(SECURE_USABLE),
	  AUTO, "may opportunistic", ASKED_STS },
	{ "no records, securely",
	  SECURE_MX("secure") SECURE_A("secure")
	      SECURE_TLSA("nodata secure network 5 -"),
	  AUTO, "may opportunistic", ASKED_STS ASKED_TLSA },
	{ "no such name, securely",
	  SECURE_MX("secure") SECURE_A("secure")
	      SECURE_TLSA("nxdomain secure network 5 -"),
	  AUTO, "may opportunistic", ASKED_STS ASKED_TLSA },
	{ "records insecure",
	  SECURE_MX("secure") SECURE_A("secure")
	      SECURE_TLSA("ok insecure network 5 - 3:1:1:" SECURE_DIGEST),
	  AUTO, "may opportunistic", ASKED_STS ASKED_TLSA },
	{ "question failed",
	  SECURE_MX("secure") SECURE_A("secure")
	      SECURE_TLSA("servfail indeterminate network 0 -"),
	  AUTO, "impossible tlsa-unknown", ASKED_STS ASKED_TLSA },
	{ "question timed out",
	  SECURE_MX("secure") SECURE_A("secure")
	      SECURE_TLSA("timeout indeterminate network 0 -"),
	  AUTO, "impossible tlsa-unknown", ASKED_STS ASKED_TLSA },
	{ "answer forged",
	  SECURE_MX("secure") SECURE_A("secure")
	      SECURE_TLSA("bogus bogus network 0 -"),
	  AUTO, "impossible tlsa-unknown", ASKED_STS ASKED_TLSA },
	{ "nothing known of it", SECURE_MX("secure") SECURE_A("secure"), AUTO,
	  "impossible tlsa-unknown", ASKED_STS ASKED_TLSA },
	{ "usages of the public PKI",
	  SECURE_MX("secure") SECURE_A("secure")
	      SECURE_TLSA("ok secure network 5 - 0:0:1:" SECURE_DIGEST
			  " 1:1:1:" SECURE_DIGEST),
	  AUTO, "encrypt tlsa-unusable", ASKED_STS ASKED_TLSA },
	{ "a certificate that is none",
	  SECURE_MX("secure") SECURE_A("secure")
	      SECURE_TLSA("ok secure network 5 - 3:0:0:3003020100"),
	  AUTO, "encrypt tlsa-unusable", ASKED_STS ASKED_TLSA },
	{ "one of two",
	  SECURE_MX("secure") SECURE_A("secure")
	      SECURE_TLSA(SECURE_USABLE " 3:0:0:3003020100"),
	  AUTO, "dane dane", ASKED_STS ASKED_TLSA },
	{ "the domain itself",
	  "example.org MX nodata secure network 5 -\n"
	  "example.org A ok secure network 5 - 192.0.2.1\n"
	  "example.org AAAA nodata secure network 5 -\n"
	  "_25._tcp.example.org TLSA " SECURE_USABLE "\n",
	  AUTO, "dane dane", ASKED_STS "_25._tcp.example.org TLSA," },
	{ "level none", SECURE_DANE, TLS_LEVEL_NONE, "nothing none", "" },
	{ "level may", SECURE_DANE, TLS_LEVEL_MAY, "may may", "" },
	{ "level encrypt", SECURE_DANE, TLS_LEVEL_ENCRYPT, "encrypt encrypt",
	  "" },
	{ "level verify", SECURE_DANE, TLS_LEVEL_VERIFY, "name verify", "" },
	{ "level dane", SECURE_DANE, TLS_LEVEL_DANE, "dane dane", ASKED_TLSA },
	{ "level dane-only", SECURE_MX("secure") SECURE_A("insecure"),
	  TLS_LEVEL_DANE_ONLY, "impossible dane-only-missing", "" },
};

static void test_facts_of_one_host(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct secure x;
		const char *decided;

		secure_begin(&x, rows[i].answers);
		x.conf.terms.rule.level = rows[i].level;
		secure_judge(&x, "example.org", TLS_ASKS_NOTHING);
		decided = secure_decided(&x, 0);
		if (strcmp(decided, rows[i].decided) != 0 ||
		    strcmp(str_cstr(&x.asked), rows[i].asked) != 0)
			fail_msg("%s: '%s', asked '%s'", rows[i].name, decided,
				 str_cstr(&x.asked));
		secure_end(&x);
	}
}

/* Those that do not count stay in the evidence. */
static void test_records_are_kept_with_their_uses(void **state)
{
	struct secure x;
	const struct security_host *host;

	(void)state;
	secure_begin(&x, SECURE_MX("secure") SECURE_A("secure") SECURE_TLSA(
			     SECURE_USABLE " 3:0:0:3003020100 9:1:1:00"));
	secure_judge(&x, "example.org", TLS_ASKS_NOTHING);
	host = security_of(x.security, 0);
	assert_int_equal(host->n_records, 3);
	assert_int_equal(host->uses[0], DANE_USED);
	assert_int_equal(host->uses[1], DANE_BAD_DATA);
	assert_int_equal(host->uses[2], DANE_BAD_USAGE);
	assert_int_equal(host->facts.n_tlsa, 3);
	assert_int_equal(host->facts.n_tlsa_used, 1);
	assert_int_equal(host->records[0].data.len, 32);
	secure_end(&x);
}

#define NO_PORT_25   SECURE_TLSA("servfail insecure network 0 -")
#define AT_PORT_2525 "_2525._tcp.mx.example.org TLSA " SECURE_USABLE "\n"

static void test_records_are_those_of_the_port(void **state)
{
	struct secure x;

	(void)state;
	secure_begin(&x, SECURE_MX("secure") SECURE_A("secure")
			     NO_PORT_25 AT_PORT_2525);
	x.options.port = 2525;
	secure_judge(&x, "example.org", TLS_ASKS_NOTHING);
	assert_string_equal(secure_decided(&x, 0), "dane dane");
	secure_end(&x);
}

/* ---- aliases ------------------------------------------------------------- */

#define MX_SECURE SECURE_MX("secure")
#define ALIAS_A(status)                                       \
	"mx.example.org A ok " status " network 5 h.example " \
	"192.0.2.1\n"                                         \
	"mx.example.org AAAA nodata " status " network 5 h.example\n"
#define ALIAS(answer)  "mx.example.org CNAME " answer "\n"
#define H_TLSA(answer) "_25._tcp.h.example TLSA " answer "\n"
#define NO_TLSA	       "nodata secure network 5 -"
#define ASKED_H	       "_25._tcp.h.example TLSA,"
#define ASKED_ALIAS    "mx.example.org CNAME,"

static const struct {
	const char *name, *answers, *decided, *base, *asked;
} aliases[] = {
	{ "where they lead", MX_SECURE ALIAS_A("secure") H_TLSA(SECURE_USABLE),
	  "dane dane", "h.example", ASKED_H },
	{ "then the name itself",
	  MX_SECURE ALIAS_A("secure") H_TLSA(NO_TLSA)
	      SECURE_TLSA(SECURE_USABLE),
	  "dane dane", "mx.example.org", ASKED_H ASKED_TLSA },
	{ "at neither",
	  MX_SECURE ALIAS_A("secure") H_TLSA(NO_TLSA) SECURE_TLSA(NO_TLSA),
	  "may opportunistic", "mx.example.org", ASKED_H ASKED_TLSA },
	{ "a failure is the end",
	  MX_SECURE ALIAS_A("secure") H_TLSA(
	      "servfail indeterminate network 0 -") SECURE_TLSA(SECURE_USABLE),
	  "impossible tlsa-unknown", "h.example", ASKED_H },
	{ "the alias alone is secure",
	  MX_SECURE ALIAS_A("insecure") ALIAS("ok secure network 5 - h.example")
	      SECURE_TLSA(SECURE_USABLE),
	  "dane dane", "mx.example.org", ASKED_ALIAS ASKED_TLSA },
	{ "the alias is insecure too",
	  MX_SECURE ALIAS_A("insecure") ALIAS(
	      "ok insecure network 5 - h.example") SECURE_TLSA(SECURE_USABLE),
	  "may opportunistic", "", ASKED_ALIAS },
	{ "the alias cannot be learned",
	  MX_SECURE ALIAS_A("insecure") ALIAS(
	      "servfail indeterminate network 0 -") SECURE_TLSA(SECURE_USABLE),
	  "dane dane", "mx.example.org", ASKED_ALIAS ASKED_TLSA },
};

static void test_bases_behind_aliases(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(aliases); i++) {
		struct secure x;
		const char *decided;

		secure_begin(&x, aliases[i].answers);
		x.conf.terms.rule.level = TLS_LEVEL_DANE;
		secure_judge(&x, "example.org", TLS_ASKS_NOTHING);
		decided = secure_decided(&x, 0);
		if (strcmp(decided, aliases[i].decided) != 0 ||
		    strcmp(str_cstr(&x.asked), aliases[i].asked) != 0)
			fail_msg("%s: '%s', asked '%s'", aliases[i].name,
				 decided, str_cstr(&x.asked));
		assert_slice_is(security_of(x.security, 0)->facts.tlsa_base,
				aliases[i].base);
		secure_end(&x);
	}
}

/* ---- several hosts ------------------------------------------------------- */

#define SEVERAL_MX                              \
	"example.org MX ok secure network 5 - " \
	"10:mx.example.org 10:m2.example.org 20:m3.example.org\n"
#define SECOND                                                           \
	"m2.example.org A ok insecure network 5 - 192.0.2.2 192.0.2.3\n" \
	"m2.example.org AAAA nodata insecure network 5 -\n"
#define THIRD                                                          \
	"m3.example.org A ok secure network 5 - 192.0.2.4 192.0.2.5\n" \
	"m3.example.org AAAA ok secure network 5 - 2001:db8::5\n"      \
	"_25._tcp.m3.example.org TLSA servfail indeterminate network 0 -\n"

/* One question a host, whatever the number of its addresses. */
static void test_each_host_is_judged_once(void **state)
{
	struct secure x;
	size_t n;

	(void)state;
	secure_begin(&x, SEVERAL_MX SECURE_A("secure")
			     SECURE_TLSA(SECURE_USABLE) SECOND THIRD);
	secure_judge(&x, "example.org", TLS_ASKS_NOTHING);
	assert_string_equal(str_cstr(&x.asked),
			    ASKED_STS "_25._tcp.mx.example.org TLSA,"
				      "_25._tcp.m3.example.org TLSA,");
	n = x.route.n;
	for (size_t i = 0; i < n; i++) {
		struct slice name = x.route.hosts[i].name;
		const char *want = "may opportunistic";

		if (slice_eq(name, SLICE("mx.example.org")))
			want = "dane dane";
		else if (slice_eq(name, SLICE("m3.example.org")))
			want = "impossible tlsa-unknown";
		assert_string_equal(secure_decided(&x, i), want);
		for (size_t j = 0; j < n; j++)
			assert_int_equal(security_of(x.security, i) ==
					     security_of(x.security, j),
					 slice_eq(name, x.route.hosts[j].name));
	}
	secure_end(&x);
}

/* A level at a time: what is known already is not asked again. */
static void test_what_is_judged_is_left_alone(void **state)
{
	const struct security_host *before;
	struct security *s;
	struct secure x;
	size_t place = 0;

	(void)state;
	secure_begin(&x, SECURE_DANE);
	secure_judge(&x, "example.org", TLS_ASKS_NOTHING);
	before = security_of(x.security, 0);
	str_clear(&x.asked);
	security_judge(x.security, &place, 1);
	assert_string_equal(str_cstr(&x.asked), "");
	assert_ptr_equal(security_of(x.security, 0), before);
	s = security_new(&x.scene, SLICE("example.org"), &x.route,
			 TLS_ASKS_NOTHING, x.arena);
	assert_null(security_of(s, 0));
	secure_end(&x);
}

/* ---- without a name ------------------------------------------------------ */

static const struct {
	const char *destination, *forced, *decided;
	enum tls_path path;
} nameless[] = {
	{ "[192.0.2.1]", "", "may opportunistic", TLS_PATH_NETWORK },
	{ "[IPv6:2001:db8::1]", "", "may opportunistic", TLS_PATH_NETWORK },
	{ "example.org", "[127.0.0.1]:2525", "may opportunistic",
	  TLS_PATH_LOOPBACK },
	{ "192.0.2.1", "", "may opportunistic", TLS_PATH_NETWORK },
	{ "example.org", "UNIX:/run/lmtp", "nothing local", TLS_PATH_UNIX },
};

static void test_nobody_is_asked_about_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(nameless); i++) {
		struct secure x;

		secure_begin(&x, "");
		x.options.forced = slice_of(nameless[i].forced);
		secure_judge(&x, nameless[i].destination, TLS_ASKS_NOTHING);
		assert_string_equal(secure_decided(&x, 0), nameless[i].decided);
		assert_string_equal(str_cstr(&x.asked), "");
		assert_int_equal(x.security->next, TLS_NEXT_LITERAL);
		assert_int_equal(security_path(&x.route, 0), nameless[i].path);
		assert_int_equal(security_of(x.security, 0)->facts.host.len, 0);
		assert_false(x.security->has_sts);
		secure_end(&x);
	}
}

/* The postmaster vouches for the name, so that no MX has to be secure.
 */
static void test_forced_host_is_held_to_its_records(void **state)
{
	struct secure x;

	(void)state;
	secure_begin(&x,
		     "mx.example.org MX nodata insecure network 5 -\n" SECURE_A(
			 "secure") SECURE_TLSA(SECURE_USABLE));
	x.options.forced = SLICE("mx.example.org");
	secure_judge(&x, "example.org", TLS_ASKS_NOTHING);
	assert_string_equal(secure_decided(&x, 0), "dane dane");
	assert_string_equal(str_cstr(&x.asked),
			    "_mta-sts.mx.example.org TXT," ASKED_TLSA);
	secure_end(&x);
}

static const struct {
	const char *mx;
	enum tls_level level;
	enum tls_request request;
	const char *decided;
} relays[] = {
	{ "secure", TLS_LEVEL_AUTO, TLS_ASKS_NOTHING, "dane dane" },
	{ "secure", TLS_LEVEL_DANE_ONLY, TLS_ASKS_NOTHING, "dane dane-only" },
	{ "secure", TLS_LEVEL_AUTO, TLS_ASKS_REQUIRED, "dane requiretls-dane" },
	{ "insecure", TLS_LEVEL_AUTO, TLS_ASKS_NOTHING,
	  "dane dane-mx-insecure" },
	{ "insecure", TLS_LEVEL_DANE_ONLY, TLS_ASKS_NOTHING,
	  "impossible dane-only-missing" },
	{ "insecure", TLS_LEVEL_AUTO, TLS_ASKS_REQUIRED,
	  "impossible requiretls-unknown-host" },
};

/* He vouches for the name that he wrote, not for whom its MX names. */
static void test_exchanger_of_a_forced_name_is_not_vouched_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(relays); i++) {
		struct str answers = STR_INIT;
		struct secure x;

		str_addf(&answers,
			 "example.org MX ok %s network 5 - 10:mx.example.org\n",
			 relays[i].mx);
		str_adds(&answers,
			 SECURE_A("secure") SECURE_TLSA(SECURE_USABLE));
		secure_begin(&x, str_cstr(&answers));
		x.options.forced = SLICE("example.org");
		x.conf.terms.rule.level = relays[i].level;
		secure_judge(&x, "elsewhere.example", relays[i].request);
		if (strcmp(secure_decided(&x, 0), relays[i].decided) != 0)
			fail_msg("row %zu: %s", i, secure_decided(&x, 0));
		secure_end(&x);
		str_done(&answers);
	}
}

/* ---- MTA-STS ------------------------------------------------------------- */

#define POLICY(mode, mx) \
	"version: STSv1\nmode: " mode "\nmx: " mx "\nmax_age: 86400\n"

/* RFC 8461 3.4: that of the host which mail is sent by, whoever it is for. */
static void test_forced_name_has_a_policy_of_its_own(void **state)
{
	struct secure x;

	(void)state;
	secure_begin(&x, SECURE_MX("insecure") SECURE_A("insecure"));
	secure_sts(&x, "example.org", POLICY("enforce", "mx.example.org"));
	secure_sts(&x, "elsewhere.example", POLICY("enforce", "no.example"));
	x.options.forced = SLICE("example.org");
	secure_judge(&x, "elsewhere.example", TLS_ASKS_NOTHING);
	assert_string_equal(secure_decided(&x, 0), "name sts");
	secure_end(&x);
}

static const struct {
	const char *policy, *decided;
	bool is_audited;
} policies[] = {
	{ POLICY("enforce", "mx.example.org"), "name sts", false },
	{ POLICY("enforce", "*.example.org"), "name sts", false },
	{ POLICY("enforce", "other.example"), "impossible sts-mismatch",
	  false },
	{ POLICY("testing", "mx.example.org"), "may sts-testing", true },
	{ POLICY("none", "mx.example.org"), "may opportunistic", false },
};

static void test_policy_of_the_domain(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(policies); i++) {
		struct secure x;

		secure_begin(&x, SECURE_MX("insecure") SECURE_A("insecure"));
		secure_sts(&x, "example.org", policies[i].policy);
		secure_judge(&x, "example.org", TLS_ASKS_NOTHING);
		assert_string_equal(secure_decided(&x, 0), policies[i].decided);
		assert_int_equal(
		    security_of(x.security, 0)->decision.is_audited,
		    policies[i].is_audited);
		assert_true(x.security->has_sts);
		assert_string_equal(str_cstr(&x.asked), ASKED_STS);
		secure_end(&x);
	}
}

static void test_no_finder_is_no_policy(void **state)
{
	struct secure x;

	(void)state;
	secure_begin(&x, SECURE_MX("insecure") SECURE_A("insecure"));
	x.scene.sts = NULL;
	secure_judge(&x, "example.org", TLS_ASKS_NOTHING);
	assert_string_equal(secure_decided(&x, 0), "may opportunistic");
	assert_string_equal(str_cstr(&x.asked), "");
	assert_false(x.security->has_sts);
	secure_end(&x);
}

/* ---- what the postmaster and the message say ----------------------------- */

static void test_rule_of_the_destination(void **state)
{
	struct secure x;

	(void)state;
	secure_begin(&x, SECURE_DANE);
	secure_rules(&x, "example.org secure\nexample.net none\n");
	secure_judge(&x, "example.org", TLS_ASKS_NOTHING);
	assert_string_equal(secure_decided(&x, 0), "name secure");
	assert_non_null(x.security->terms.entry);
	secure_end(&x);
}

/* TLS from the first byte cannot be left out, whatever the level is. */
static void test_wrapper_demands_tls(void **state)
{
	struct secure x;

	(void)state;
	secure_begin(&x, SECURE_DANE);
	x.conf.is_wrapper = true;
	x.conf.terms.rule.level = TLS_LEVEL_NONE;
	secure_judge(&x, "example.org", TLS_ASKS_NOTHING);
	assert_int_equal(security_of(x.security, 0)->decision.need,
			 TLS_NEED_ENCRYPT);
	secure_end(&x);
}

static const struct {
	enum tls_request request;
	enum tls_level level;
	const char *decided, *asked;
	bool is_requiretls;
} requests[] = {
	{ TLS_ASKS_REQUIRED, TLS_LEVEL_NONE, "dane requiretls-dane",
	  ASKED_STS ASKED_TLSA, true },
	{ TLS_ASKS_REQUIRED, AUTO, "dane requiretls-dane", ASKED_STS ASKED_TLSA,
	  true },
	{ TLS_ASKS_OPTIONAL, AUTO, "may tls-required-no", "", false },
	{ TLS_ASKS_OPTIONAL, TLS_LEVEL_ENCRYPT, "encrypt encrypt", "", false },
};

static void test_requests_of_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(requests); i++) {
		struct secure x;

		secure_begin(&x, SECURE_DANE);
		x.conf.terms.rule.level = requests[i].level;
		secure_judge(&x, "example.org", requests[i].request);
		assert_string_equal(secure_decided(&x, 0), requests[i].decided);
		assert_string_equal(str_cstr(&x.asked), requests[i].asked);
		assert_int_equal(
		    security_of(x.security, 0)->decision.is_requiretls,
		    requests[i].is_requiretls);
		secure_end(&x);
	}
}

/* ---- what cannot be met -------------------------------------------------- */

static void test_refusal_names_host_need_and_reason(void **state)
{
	static const char want[] = "smtp; 454 (TLS with mx.example.org "
				   "[192.0.2.1]: this host gets "
				   "no mail now; impossible: whether "
				   "the host has TLSA records "
				   "cannot be learned)";
	const struct diag *d;
	struct secure x;

	(void)state;
	secure_begin(&x, SECURE_MX("secure") SECURE_A("secure"));
	secure_judge(&x, "example.org", TLS_ASKS_NOTHING);
	d = security_refusal(x.security, 0);
	assert_int_equal(d->fate, FATE_DEFERRED_ALL);
	assert_string_equal(d->reason, "tlsa-unknown");
	assert_slice_is(d->status, "4.7.5 (TLS)");
	assert_slice_is(d->diagnostic, want);
	assert_slice_is(d->text, want);
	secure_end(&x);
}

/* Other mail for the host may go. */
static void test_wish_of_a_message_defers_it_alone(void **state)
{
	const struct diag *d;
	struct secure x;

	(void)state;
	secure_begin(&x, SECURE_MX("insecure") SECURE_A("insecure"));
	secure_judge(&x, "example.org", TLS_ASKS_REQUIRED);
	assert_string_equal(secure_decided(&x, 0),
			    "impossible requiretls-unknown-host");
	d = security_unmet(x.security, 0, "a-word", "4.7.4", SLICE("it said"));
	assert_int_equal(d->fate, FATE_DEFERRED);
	assert_string_equal(d->reason, "a-word");
	assert_slice_is(d->status, "4.7.4 (TLS)");
	assert_true(slice_find_text(d->text, SLICE(": it said; ")) <
		    d->text.len);
	secure_end(&x);
}

/* ---- messages ------------------------------------------------------------ */

/* The request of a job with these words of two recipients, and a
 * header. */
static enum tls_request request_of(bool first, bool second, const char *header)
{
	struct ctl_header fields = { .text = slice_of(header) };
	struct ctl_rcpt ctl[2] = { { .header = &fields },
				   { .header = &fields } };
	struct agent_rcpt rcpts[2] = { { .ctl = &ctl[0] }, { .ctl = &ctl[1] } };
	struct agent_job job = { .rcpts = rcpts, .n_rcpts = 2 };

	ctl[0].dsn.requires_tls = first;
	ctl[1].dsn.requires_tls = second;
	return security_request(&job);
}

static void test_requiretls_of_any_recipient(void **state)
{
	static const char no[] = "TLS-Required: No\n";
	struct agent_job none = { 0 };

	(void)state;
	assert_int_equal(request_of(true, false, ""), TLS_ASKS_REQUIRED);
	assert_int_equal(request_of(false, true, ""), TLS_ASKS_REQUIRED);
	/* RFC 8689 5: it counts, and the field does not. */
	assert_int_equal(request_of(false, true, no), TLS_ASKS_REQUIRED);
	assert_int_equal(request_of(false, false, no), TLS_ASKS_OPTIONAL);
	assert_int_equal(security_request(&none), TLS_ASKS_NOTHING);
}

static const struct {
	const char *header;
	bool is_optional;
} headers[] = {
	{ "TLS-Required: No\n", true },
	{ "From: a@b\nTLS-Required: No\nTo: c@d\n", true },
	{ "tls-required:no\n", true },
	{ "TLS-REQUIRED:\t NO \t\n", true },
	{ "TLS-Required: No\r\n", true },
	{ "TLS-Required:\n No\n", true },
	{ "TLS-Required : No\n", true },
	{ "TLS-Required: Yes\nTLS-Required: No\n", true },
	{ "", false },
	{ "TLS-Required: Yes\n", false },
	{ "TLS-Required:\n", false },
	{ "TLS-Required: None\n", false },
	{ "TLS-Required: No, really\n", false },
	{ "TLS-Required: (No)\n", false },
	{ "X-TLS-Required: No\n", false },
	{ "Subject: x\n TLS-Required: No\n", false },
	{ "Subject: TLS-Required: No\n", false },
};

static void test_field_counts_only_with_its_one_value(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(headers); i++) {
		bool is = request_of(false, false, headers[i].header) ==
			  TLS_ASKS_OPTIONAL;

		if (is != headers[i].is_optional)
			fail_msg("'%s': %d", headers[i].header, is);
	}
}

/* A session that is good enough for more is good enough. */
static void test_which_session_serves_which_message(void **state)
{
	static const bool serves[][3] = {
		/* message:		nothing required optional */
		[TLS_ASKS_NOTHING] = { true, false, true },
		[TLS_ASKS_REQUIRED] = { true, true, true },
		[TLS_ASKS_OPTIONAL] = { false, false, true },
	};

	(void)state;
	for (unsigned s = 0; s < 3; s++)
		for (unsigned m = 0; m < 3; m++)
			assert_int_equal(security_serves((enum tls_request)s,
							 (enum tls_request)m),
					 serves[s][m]);
}

/* ---- other domains ------------------------------------------------------- */

#define PLAIN SECURE_MX("insecure") SECURE_A("insecure")

enum tls_state { CLEAR, TLS, NAMED, DOMAIN };

static const struct {
	const char *name, *answers, *rules;
	enum tls_state state;
	bool may;
} shares[] = {
	{ "nobody wants anything", PLAIN, "", CLEAR, true },
	{ "nor over TLS", PLAIN, "", TLS, true },
	{ "the other wants TLS", PLAIN, "other.example encrypt\n", CLEAR,
	  false },
	{ "and it is there", PLAIN, "other.example encrypt\n", TLS, true },
	{ "the other wants a name", PLAIN,
	  "other.example verify match=mx.example.org\n", TLS, false },
	{ "nobody has looked at the name", PLAIN,
	  "other.example verify match=mx.example.org\n", NAMED, false },
	{ "both want that name", PLAIN,
	  "example.org verify\nother.example verify\n", NAMED, true },
	{ "both want a name, and not the same", PLAIN,
	  "example.org verify\n"
	  "other.example verify match=mx.other.example\n",
	  NAMED, false },
	{ "both, and no TLS", PLAIN,
	  "example.org verify\nother.example verify\n", CLEAR, false },
	{ "the other cannot be had", PLAIN, "other.example dane-only\n", NAMED,
	  false },
	{ "other settings", PLAIN, "other.example may protocols=>=TLSv1.3\n",
	  TLS, false },
	{ "records of the host", SECURE_DANE, "", TLS, true },
	{ "records, and no TLS", SECURE_DANE, "", CLEAR, false },
	{ "records that were not looked at", SECURE_DANE,
	  "example.org encrypt\n", TLS, false },
	{ "records that matter to neither", SECURE_DANE,
	  "example.org encrypt\nother.example encrypt\n", TLS, true },
	{ "the name is one of both", SECURE_DANE, "", NAMED, true },
	{ "the name is the first domain's", SECURE_DANE, "", DOMAIN, false },
	{ "records, and the other wants nothing", SECURE_DANE,
	  "other.example may\n", CLEAR, true },
};

static void test_each_domain_has_its_own_security(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(shares); i++) {
		struct tls_outcome tls = { .is_ok = true };
		struct secure x;
		bool may;

		secure_begin(&x, shares[i].answers);
		secure_rules(&x, shares[i].rules);
		secure_judge(&x, "example.org", TLS_ASKS_NOTHING);
		if (shares[i].state == NAMED)
			tls.matched = SLICE("mx.example.org");
		if (shares[i].state == DOMAIN)
			tls.matched = SLICE("example.org");
		may = security_may_share(x.security, 0,
					 shares[i].state == CLEAR ? NULL : &tls,
					 SLICE("other.example"));
		if (may != shares[i].may)
			fail_msg("%s: %d", shares[i].name, may);
		secure_end(&x);
	}
}

/* The other domain has a policy that names another host. */
static void test_policy_of_the_other_domain_counts(void **state)
{
	struct tls_outcome tls = { .is_ok = true,
				   .matched = SLICE("mx.example.org") };
	struct secure x;

	(void)state;
	secure_begin(&x, PLAIN);
	secure_sts(&x, "example.org", POLICY("enforce", "mx.example.org"));
	secure_sts(&x, "good.example", POLICY("enforce", "mx.example.org"));
	secure_sts(&x, "bad.example", POLICY("enforce", "mx.bad.example"));
	secure_judge(&x, "example.org", TLS_ASKS_NOTHING);
	assert_string_equal(secure_decided(&x, 0), "name sts");
	assert_true(
	    security_may_share(x.security, 0, &tls, SLICE("good.example")));
	assert_false(
	    security_may_share(x.security, 0, &tls, SLICE("bad.example")));
	secure_end(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts_of_one_host),
		cmocka_unit_test(test_records_are_kept_with_their_uses),
		cmocka_unit_test(test_records_are_those_of_the_port),
		cmocka_unit_test(test_bases_behind_aliases),
		cmocka_unit_test(test_each_host_is_judged_once),
		cmocka_unit_test(test_what_is_judged_is_left_alone),
		cmocka_unit_test(test_nobody_is_asked_about_addresses),
		cmocka_unit_test(test_forced_host_is_held_to_its_records),
		cmocka_unit_test(
		    test_exchanger_of_a_forced_name_is_not_vouched_for),
		cmocka_unit_test(test_forced_name_has_a_policy_of_its_own),
		cmocka_unit_test(test_policy_of_the_domain),
		cmocka_unit_test(test_no_finder_is_no_policy),
		cmocka_unit_test(test_rule_of_the_destination),
		cmocka_unit_test(test_wrapper_demands_tls),
		cmocka_unit_test(test_requests_of_messages),
		cmocka_unit_test(test_refusal_names_host_need_and_reason),
		cmocka_unit_test(test_wish_of_a_message_defers_it_alone),
		cmocka_unit_test(test_requiretls_of_any_recipient),
		cmocka_unit_test(test_field_counts_only_with_its_one_value),
		cmocka_unit_test(test_which_session_serves_which_message),
		cmocka_unit_test(test_each_domain_has_its_own_security),
		cmocka_unit_test(test_policy_of_the_other_domain_counts),
	};

	return TEST_RUN(tests);
}
