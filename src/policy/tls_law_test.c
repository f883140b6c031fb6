/*
 * tls_law_test.c - what must be true of every decision, over all facts there
 * are.
 */
#include "policy/tls.h"

#include "base/test.h"
#include "policy/test_tls.h"

#include <string.h>

/* How much a need asks for; those that authenticate are one another's equal. */
static int strength(enum tls_need need)
{
	static const int strengths[TLS_NEEDS] = {
		[TLS_NEED_NOTHING] = 0,	    [TLS_NEED_MAY] = 1,
		[TLS_NEED_ENCRYPT] = 2,	    [TLS_NEED_DANE] = 3,
		[TLS_NEED_FINGERPRINT] = 3, [TLS_NEED_NAME] = 3,
		[TLS_NEED_IMPOSSIBLE] = 4,
	};

	return strengths[need];
}

typedef void law(const struct tls_facts *f, const struct tls_decision *d,
		 struct arena *a);

static size_t n_walked, n_by_row[TLS_REASONS];

static void try_one(const struct tls_facts *f, law *check, struct arena *a)
{
	struct tls_decision d = tls_decide(f, a);

	n_walked++;
	n_by_row[d.reason]++;
	check(f, &d, a);
	if (n_walked % 64 == 0)
		arena_reset(a);
}

static void walk_dns(struct tls_facts f, law *check, struct arena *a)
{
	for (int mx = 0; mx <= DANE_DNS_BOGUS; mx++)
		for (int addr = 0; addr <= DANE_DNS_BOGUS; addr++)
			for (int tlsa = 0; tlsa < DANE_RESULTS; tlsa++)
				for (size_t p = 0; p <= COUNT(policies); p++) {
					f.mx = (enum dane_dns)mx;
					f.addresses = (enum dane_dns)addr;
					f.tlsa = (enum dane_result)tlsa;
					f.sts = p < COUNT(policies)
						    ? &policies[p]
						    : NULL;
					try_one(&f, check, a);
				}
}

static void walk_ways(struct tls_facts f, law *check, struct arena *a)
{
	for (int path = 0; path <= TLS_PATH_UNIX; path++)
		for (int next = 0; next <= TLS_NEXT_LITERAL; next++)
			for (int s = 0; s <= TLS_DNSSEC_LOST; s++) {
				f.path = (enum tls_path)path;
				f.next = (enum tls_next)next;
				f.dnssec = (enum tls_dnssec)s;
				name_host(&f);
				walk_dns(f, check, a);
			}
}

/* All facts of all levels. */
static void walk(law *check)
{
	struct arena *a = arena_new();

	n_walked = 0;
	memset(n_by_row, 0, sizeof(n_by_row));
	for (int level = 0; level < TLS_LEVELS; level++)
		for (int request = 0; request <= TLS_ASKS_OPTIONAL; request++)
			for (int demanded = 0; demanded < 2; demanded++) {
				struct tls_facts f =
				    plain_facts((enum tls_level)level);

				f.request = (enum tls_request)request;
				f.rule.is_demanded = demanded;
				walk_ways(f, check, a);
			}
	arena_free(a);
	assert_true(n_walked > 1000000);
}

/* ---- the laws ----------------------------------------------------------- */

static void never_weaker(const struct tls_facts *f,
			 const struct tls_decision *d, struct arena *a)
{
	static const int least[TLS_LEVELS] = {
		[TLS_LEVEL_ENCRYPT] = 2,     [TLS_LEVEL_DANE_ONLY] = 3,
		[TLS_LEVEL_FINGERPRINT] = 3, [TLS_LEVEL_VERIFY] = 3,
		[TLS_LEVEL_SECURE] = 3,
	};

	(void)a;
	assert_true(strength(d->need) >= least[f->rule.level]);
	assert_true(strength(d->need) >= 2 || !f->rule.is_demanded);
	assert_int_equal(tls_is_clear_allowed(d), strength(d->need) < 2);
	if (f->rule.level == TLS_LEVEL_DANE_ONLY)
		assert_true(d->need == TLS_NEED_DANE ||
			    d->need == TLS_NEED_IMPOSSIBLE);
}

static void test_never_weaker_than_configured(void **state)
{
	(void)state;
	walk(never_weaker);
	/* and no row of the table is there for nothing */
	for (int i = 0; i < TLS_ROWS; i++)
		if (n_by_row[i] == 0)
			fail_msg("%s never decides",
				 tls_reason_word((enum tls_reason)i));
}

static void no_weaker(const struct tls_facts *f, const struct tls_decision *d,
		      struct arena *a)
{
	if (strength(tls_decide(f, a).need) < strength(d->need))
		fail_msg("an attack makes %s of %s (%s)",
			 tls_need_word(tls_decide(f, a).need),
			 tls_need_word(d->need), tls_reason_word(d->reason));
}

/* How spoiled an answer is: whole, suppressed, forged. */
static int spoiled(enum dane_dns s)
{
	return s == DANE_DNS_FAILED ? 1 : s == DANE_DNS_BOGUS ? 2 : 0;
}

static int spoiled_tlsa(enum dane_result r)
{
	return r == DANE_FAILED ? 1 : r == DANE_BOGUS ? 2 : 0;
}

/*
 * What somebody on the way can do to the DNS is to suppress answers and to
 * spoil them. He cannot make a signed one look unsigned. From every state one
 * answer is spoiled more than it is, so that whatever he does, to as many
 * answers as he likes, is a way of such steps from what is true; none of them
 * may lower the need.
 */
static void attacked(const struct tls_facts *f, const struct tls_decision *d,
		     struct arena *a)
{
	static const enum dane_dns bad[] = { DANE_DNS_FAILED, DANE_DNS_BOGUS };

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct tls_facts g = *f;

		g.mx = bad[i];
		if (f->mx != DANE_DNS_NONE && spoiled(g.mx) > spoiled(f->mx))
			no_weaker(&g, d, a);
		g = *f;
		g.addresses = bad[i];
		if (spoiled(g.addresses) > spoiled(f->addresses)) {
			no_weaker(&g, d, a);
			/* nobody asks for TLSA records then */
			g.tlsa = DANE_NOT_ASKED;
			no_weaker(&g, d, a);
		}
		g = *f;
		g.tlsa = i == 0 ? DANE_FAILED : DANE_BOGUS;
		if (spoiled_tlsa(g.tlsa) > spoiled_tlsa(f->tlsa))
			no_weaker(&g, d, a);
	}
	if (f->dnssec == TLS_DNSSEC_WORKS) {
		struct tls_facts g = *f;

		g.dnssec = TLS_DNSSEC_LOST;
		no_weaker(&g, d, a);
	}
}

static void test_an_attack_on_the_dns_never_weakens(void **state)
{
	(void)state;
	walk(attacked);
}

static void bogus_not_clear(const struct tls_facts *f,
			    const struct tls_decision *d, struct arena *a)
{
	bool is_named = f->path != TLS_PATH_UNIX && f->next != TLS_NEXT_LITERAL;
	bool wants_dane =
	    (tls_wants(f->rule.level, f->request) & TLS_WANTS_DANE) != 0 &&
	    f->dnssec == TLS_DNSSEC_WORKS;

	(void)a;
	if (!is_named)
		return;
	if (f->mx == DANE_DNS_BOGUS || f->addresses == DANE_DNS_BOGUS)
		assert_int_equal(d->need, TLS_NEED_IMPOSSIBLE);
	if (wants_dane && (f->tlsa == DANE_BOGUS || f->tlsa == DANE_FAILED))
		assert_int_equal(d->need, TLS_NEED_IMPOSSIBLE);
}

static void test_a_bogus_answer_never_leads_to_clear_text(void **state)
{
	(void)state;
	walk(bogus_not_clear);
}

/* Everything of two decisions but what says that there was a policy. */
static void same_need(const struct tls_decision *d,
		      const struct tls_decision *e)
{
	assert_int_equal(d->need, e->need);
	/* what is only reported has a name of its own */
	if (!d->is_audited) {
		assert_int_equal(d->n_names, e->n_names);
		for (size_t i = 0; i < d->n_names; i++)
			assert_true(slice_eq(d->names[i], e->names[i]));
	}
	assert_true(slice_eq(d->sni, e->sni));
	assert_int_equal(d->is_requiretls, e->is_requiretls);
}

static void testing_blocks_nothing(const struct tls_facts *f,
				   const struct tls_decision *d,
				   struct arena *a)
{
	struct tls_facts g = *f;
	struct tls_decision e;

	if (f->sts == NULL || f->sts->mode == STS_MODE_ENFORCE)
		return;
	g.sts = NULL;
	e = tls_decide(&g, a);
	same_need(d, &e);
	if (d->is_audited)
		assert_true(f->sts->mode == STS_MODE_TESTING &&
			    d->need < TLS_NEED_DANE);
}

static void test_sts_in_mode_testing_or_none_changes_no_need(void **state)
{
	(void)state;
	walk(testing_blocks_nothing);
}

static void dane_first(const struct tls_facts *f, const struct tls_decision *d,
		       struct arena *a)
{
	struct tls_facts g = *f;
	struct tls_decision e;

	if (d->dane != TLS_DANE_USABLE && d->dane != TLS_DANE_BROKEN)
		return;
	g.sts = NULL;
	e = tls_decide(&g, a);
	same_need(d, &e);
	if (d->dane == TLS_DANE_BROKEN && f->path != TLS_PATH_UNIX)
		assert_int_equal(d->need, TLS_NEED_IMPOSSIBLE);
	else
		assert_int_equal(d->need, TLS_NEED_DANE);
}

static void test_dane_takes_precedence_over_sts(void **state)
{
	(void)state;
	walk(dane_first);
}

static void sts_only_raises(const struct tls_facts *f,
			    const struct tls_decision *d, struct arena *a)
{
	struct tls_facts g = *f;

	/* it may vouch for the name of a host, which lets REQUIRETLS go */
	if (f->request == TLS_ASKS_REQUIRED)
		return;
	g.sts = NULL;
	assert_true(strength(d->need) >= strength(tls_decide(&g, a).need));
}

static void test_a_policy_never_weakens(void **state)
{
	(void)state;
	walk(sts_only_raises);
}

/* Nothing that an unsigned zone says gets round a policy in mode enforce. */
static void enforced(const struct tls_facts *f, const struct tls_decision *d,
		     struct arena *a)
{
	(void)a;
	if (f->rule.level != TLS_LEVEL_AUTO ||
	    f->request == TLS_ASKS_OPTIONAL || f->path == TLS_PATH_UNIX ||
	    f->next == TLS_NEXT_LITERAL || f->sts == NULL ||
	    f->sts->mode != STS_MODE_ENFORCE)
		return;
	assert_true(strength(d->need) >= 3);
	if (d->need == TLS_NEED_DANE)
		assert_true(f->mx == DANE_DNS_SECURE ||
			    f->next == TLS_NEXT_FORCED);
	else if (d->need != TLS_NEED_IMPOSSIBLE)
		assert_slice_is(d->names[0], "mx.example.org");
}

static void test_enforced_policy_always_holds(void **state)
{
	(void)state;
	walk(enforced);
}

static void requiretls(const struct tls_facts *f, const struct tls_decision *d,
		       struct arena *a)
{
	struct tls_facts g = *f;

	if (f->request != TLS_ASKS_REQUIRED) {
		assert_false(d->is_requiretls);
		return;
	}
	if (f->path == TLS_PATH_UNIX)
		return;
	assert_true(d->is_requiretls);
	assert_true(d->need >= TLS_NEED_DANE);
	g.request = TLS_ASKS_NOTHING;
	assert_true(strength(d->need) >= strength(tls_decide(&g, a).need));
	/* of a name that anybody can have made up nothing follows */
	if (d->need == TLS_NEED_NAME && d->names[0].p == f->host.p &&
	    f->next == TLS_NEXT_MX)
		assert_true(f->mx == DANE_DNS_SECURE ||
			    d->sts == TLS_STS_ENFORCE);
}

static void test_requiretls_goes_to_verified_servers_alone(void **state)
{
	(void)state;
	walk(requiretls);
}

static void optional(const struct tls_facts *f, const struct tls_decision *d,
		     struct arena *a)
{
	struct tls_facts g = *f;

	if (f->request != TLS_ASKS_OPTIONAL)
		return;
	g.request = TLS_ASKS_NOTHING;
	if (f->rule.level != TLS_LEVEL_AUTO && f->rule.level != TLS_LEVEL_DANE)
		assert_int_equal(d->need, tls_decide(&g, a).need);
	else
		assert_true(strength(d->need) <=
			    strength(tls_decide(&g, a).need));
}

static void test_tls_required_no_touches_two_levels_alone(void **state)
{
	(void)state;
	walk(optional);
}

static void secrets(const struct tls_facts *f, const struct tls_decision *d,
		    struct arena *a)
{
	const struct slice matches[] = { SLICE(""), f->host, f->domain };

	(void)a;
	for (size_t i = 0; i < COUNT(matches); i++) {
		bool is_trusted = tls_is_trusted(f, d, matches[i]);

		if (is_trusted && f->path == TLS_PATH_NETWORK)
			assert_int_equal(strength(d->need), 3);
		if (d->need == TLS_NEED_IMPOSSIBLE)
			assert_false(is_trusted);
	}
}

static void test_secrets_go_to_verified_or_local_servers_alone(void **state)
{
	(void)state;
	walk(secrets);
}

static void needs_are_whole(const struct tls_facts *f,
			    const struct tls_decision *d, struct arena *a)
{
	(void)f;
	(void)a;
	if (d->need == TLS_NEED_NAME || d->need == TLS_NEED_DANE ||
	    d->is_audited)
		assert_true(d->n_names > 0);
	assert_int_equal(d->n_fingerprints > 0,
			 d->need == TLS_NEED_FINGERPRINT);
	for (size_t i = 0; i < d->n_names; i++)
		assert_true(d->names[i].len > 0);
	assert_true(strlen(tls_reason_text(d->reason)) > 0);
}

static void test_names_are_there_when_names_are_needed(void **state)
{
	(void)state;
	walk(needs_are_whole);
}

/* What was not wanted is not looked at. */
static void unwanted(const struct tls_facts *f, const struct tls_decision *d,
		     struct arena *a)
{
	unsigned wants = tls_wants(f->rule.level, f->request);
	struct tls_facts g = *f;
	struct tls_decision e;

	if ((wants & TLS_WANTS_DANE) == 0)
		g.tlsa = DANE_NOT_ASKED;
	if ((wants & TLS_WANTS_STS) == 0)
		g.sts = NULL;
	e = tls_decide(&g, a);
	same_need(d, &e);
	assert_int_equal(d->reason, e.reason);
}

static void test_what_is_not_wanted_need_not_be_looked_up(void **state)
{
	(void)state;
	walk(unwanted);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never_weaker_than_configured),
		cmocka_unit_test(test_an_attack_on_the_dns_never_weakens),
		cmocka_unit_test(test_a_bogus_answer_never_leads_to_clear_text),
		cmocka_unit_test(
		    test_sts_in_mode_testing_or_none_changes_no_need),
		cmocka_unit_test(test_dane_takes_precedence_over_sts),
		cmocka_unit_test(test_a_policy_never_weakens),
		cmocka_unit_test(test_enforced_policy_always_holds),
		cmocka_unit_test(
		    test_requiretls_goes_to_verified_servers_alone),
		cmocka_unit_test(test_tls_required_no_touches_two_levels_alone),
		cmocka_unit_test(
		    test_secrets_go_to_verified_or_local_servers_alone),
		cmocka_unit_test(test_names_are_there_when_names_are_needed),
		cmocka_unit_test(test_what_is_not_wanted_need_not_be_looked_up),
	};

	return TEST_RUN(tests);
}
