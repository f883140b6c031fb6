/*
 * test_secure.h - what security a destination needs, by answers and policies
 * that are written down. To be included by one source file of a program only.
 */
#ifndef SMTPTA_TEST_SECURE_H
#define SMTPTA_TEST_SECURE_H

#include "net/test_names.h"
#include "smtpta/security.h"
#include "smtpta/test_answers.h"
#include "spool/test_files.h"
#include "store/stspolicies.h"

enum { SECURE_NOW = 1000 * 24 * 3600 }; /* Unix time, of policies */

struct secure {
	struct arena *arena;
	struct smtpta_options options;
	struct tlsconf conf;
	struct dns_resolver *dns;
	char *dir; /* of the store; NULL: there is none */
	struct store *store;
	struct stsfinder *sts;
	struct security_scene scene;
	struct str asked; /* for security's sake: "NAME TYPE," each */
	struct route route;
	struct security *security;
};

static inline void secure_on_answer(void *context,
				    const struct dns_answer *answer)
{
	struct arena *a = arena_new();

	str_add(context, answer->name);
	str_addf(context, " %.*s,", SLICE_ARG(dns_type_text(answer->type, a)));
	arena_free(a);
}

static inline int64_t secure_clock(void)
{
	return SECURE_NOW;
}

static inline void secure_make_finder(struct secure *x)
{
	const struct stsfind_options how = { .dns = x->dns,
					     .store = x->store,
					     .wall = secure_clock };

	stsfinder_free(x->sts);
	x->sts = stsfinder_new(&how);
	x->scene.sts = x->sts;
}

/* Nothing is known but these answers; level auto, no policy anywhere. */
static inline void secure_begin(struct secure *x, const char *answers)
{
	*x = (struct secure){ .arena = arena_new(),
			      .options = smtpta_options_default() };
	x->options.dns.source = answers_of(answers);
	x->options.dns.on_answer = secure_on_answer;
	x->options.dns.context = &x->asked;
	x->dns = dns_new(&x->options.dns);
	tlsconf_init(&x->conf);
	x->scene = (struct security_scene){ .options = &x->options,
					    .conf = &x->conf,
					    .dns = x->dns };
	secure_make_finder(x);
}

static inline void secure_end(struct secure *x)
{
	stsfinder_free(x->sts);
	store_free(x->store);
	if (x->dir != NULL)
		test_dir_remove(x->dir);
	dns_free(x->dns);
	arena_free(x->arena);
	str_done(&x->asked);
	service_clear();
}

/* What the postmaster wrote of single destinations. */
static inline void secure_rules(struct secure *x, const char *policy)
{
	const struct textfile source = { slice_of(policy), "rules" };
	struct err err;

	if (tlspolicy_parse(source, &x->conf.terms, x->arena, &x->conf.policy,
			    &err) < 0)
		fail_msg("%s", err.text);
}

/* A store of its own, if there is none yet. */
static inline void secure_make_store(struct secure *x)
{
	if (x->store != NULL)
		return;
	x->dir = test_dir_make();
	x->store = store_new(x->dir);
	secure_make_finder(x);
}

/* An MTA-STS policy of a domain, fetched just now and kept in the store. */
static inline void secure_sts(struct secure *x, const char *domain,
			      const char *text)
{
	struct sts_entry e = { 0 };
	struct sts_policy policy;
	struct err err;

	secure_make_store(x);
	if (sts_policy_parse(slice_of(text), x->arena, &policy, &err) < 0)
		fail_msg("%s", err.text);
	sts_entry_fetched(&e, &policy, SLICE("1"), SECURE_NOW);
	if (stspolicies_save(x->store, slice_of(domain), &e, SECURE_NOW, &err) <
	    0)
		fail_msg("%s", err.text);
}

/* Finds the way to a destination, and judges all its addresses at once. */
static inline void secure_judge(struct secure *x, const char *destination,
				enum tls_request request)
{
	size_t *places;

	x->route =
	    route_find(&x->options, x->dns, slice_of(destination), x->arena);
	assert_true(x->route.n > 0);
	str_clear(&x->asked);
	x->security = security_new(&x->scene, slice_of(destination), &x->route,
				   request, x->arena);
	places = arena_array(x->arena, x->route.n, sizeof(*places));
	for (size_t i = 0; i < x->route.n; i++)
		places[i] = i;
	security_judge(x->security, places, x->route.n);
}

/* What was decided of an address: "NEED REASON"; lives in the arena. */
static inline const char *secure_decided(struct secure *x, size_t place)
{
	const struct tls_decision *d =
	    &security_of(x->security, place)->decision;

	return arena_cstr(x->arena, arena_printf(x->arena, "%s %s",
						 tls_need_word(d->need),
						 tls_reason_word(d->reason)));
}

/* Lines of answers. */
#define SECURE_MX(status) \
	"example.org MX ok " status " network 5 - 10:mx.example.org\n"
#define SECURE_A(status)                                         \
	"mx.example.org A ok " status " network 5 - 192.0.2.1\n" \
	"mx.example.org AAAA nodata " status " network 5 -\n"
#define SECURE_TLSA(answer) "_25._tcp.mx.example.org TLSA " answer "\n"
#define SECURE_DIGEST \
	"abababababababababababababababababababababababababababababababab"
#define SECURE_USABLE "ok secure network 5 - 3:1:1:" SECURE_DIGEST
#define SECURE_DANE \
	SECURE_MX("secure") SECURE_A("secure") SECURE_TLSA(SECURE_USABLE)
#define ASKED_STS  "_mta-sts.example.org TXT,"
#define ASKED_TLSA "_25._tcp.mx.example.org TLSA,"

#endif
