/*
 * dns.c - the resolver: whom a question goes to.
 *
 * Sources are made when the first question needs them, and anew when
 * resolv.conf has changed or a trial found that validation does not work.
 */
#include "net/dns.h"

#include "base/mem.h"
#include "net/conn.h"
#include "net/dns_source.h"
#include "net/dns_wire.h"

#include <stdlib.h>
#include <string.h>

/* Milliseconds. */
enum {
	TRIAL_MAX = 10 * 1000,	  /* a trial takes no longer */
	TRIAL_AGAIN = 30 * 1000,  /* after one that nobody answered */
	TRIAL_LATER = 600 * 1000, /* after one that failed */
	RESOLV_MAX = 1024 * 1024  /* bytes of a resolv.conf */
};

struct dns_resolver {
	struct dns_options o;
	struct dns_file hosts, resolv;
	struct dns_upstream up;
	struct err trouble; /* why there are no servers */
	/* Either may be NULL: not needed yet. */
	struct dns_source *validator, *stub;
	struct dns_check check;
	struct arena *check_arena; /* of its texts */
	int64_t trial_at;	   /* not before; 0: at once */
};

struct dns_resolver *dns_new(const struct dns_options *o)
{
	struct dns_resolver *r = mem_zero(1, sizeof(*r));

	r->o = *o;
	r->hosts.path = o->hosts != NULL ? o->hosts : "/etc/hosts";
	r->resolv.path =
	    o->resolv_conf != NULL ? o->resolv_conf : "/etc/resolv.conf";
	r->up.anchor_file = o->anchor_file;
	r->up.should_stop = o->should_stop;
	r->check.trust = o->mode == DNS_OFF ? DNS_TRUST_OFF : DNS_TRUST_UNKNOWN;
	return r;
}

static void drop_source(struct dns_source **source)
{
	if (*source != NULL)
		(*source)->free(*source);
	*source = NULL;
}

static void drop_sources(struct dns_resolver *r)
{
	drop_source(&r->validator);
	drop_source(&r->stub);
}

void dns_free(struct dns_resolver *r)
{
	if (r == NULL)
		return;
	drop_sources(r);
	drop_source(&r->o.source);
	dns_file_done(&r->hosts);
	dns_file_done(&r->resolv);
	arena_free(r->check_arena);
	free(r);
}

/* ---- sources ------------------------------------------------------------ */

/* Finds out whom to ask. False if there is nobody. */
static bool refresh_servers(struct dns_resolver *r)
{
	if (r->o.servers != NULL)
		return r->up.servers.n > 0 ||
		       dns_servers_read(slice_of(r->o.servers), &r->up.servers,
					&r->trouble) == 0;
	if (!dns_file_refresh(&r->resolv, RESOLV_MAX))
		return true;
	dns_resolv_conf_read(str_slice(&r->resolv.text), &r->up.servers);
	drop_sources(r);
	if (r->o.mode != DNS_OFF)
		r->check.trust = DNS_TRUST_UNKNOWN;
	r->trial_at = 0;
	return true;
}

static struct dns_source *get_stub(struct dns_resolver *r)
{
	bool is_believed = r->o.mode == DNS_TRUSTED &&
			   (r->check.trust == DNS_TRUST_WORKS ||
			    r->check.trust == DNS_TRUST_UNKNOWN) &&
			   dns_servers_are_local(&r->up.servers);

	if (r->stub != NULL && r->up.is_ad_believed != is_believed)
		drop_source(&r->stub);
	r->up.is_ad_believed = is_believed;
	if (r->stub == NULL)
		r->stub = dns_stub_new(&r->up);
	return r->stub;
}

static void set_check(struct dns_resolver *r, struct dns_check check)
{
	r->check = check;
	r->trial_at = conn_now();
	if (check.trust == DNS_TRUST_UNKNOWN)
		r->trial_at += TRIAL_AGAIN;
	else
		r->trial_at += TRIAL_LATER;
	/* What does not validate is not asked; it is made anew for a trial. */
	if (check.trust == DNS_TRUST_NEVER || check.trust == DNS_TRUST_LOST)
		drop_source(&r->validator);
}

/* The texts of a check live as long as the check. */
static struct arena *check_arena(struct dns_resolver *r)
{
	arena_free(r->check_arena);
	r->check_arena = arena_new();
	return r->check_arena;
}

/* False, with a check that says why, if it cannot be made. */
static bool make_validator(struct dns_resolver *r)
{
	struct err err;

	if (r->validator != NULL ||
	    dns_validator_new(&r->up, &r->validator, &err) == 0)
		return true;
	set_check(r,
		  dns_trial_failed(&r->o, slice_of(err.text), check_arena(r)));
	return false;
}

static struct dns_check try_trusted(struct dns_resolver *r, int64_t deadline)
{
	struct arena *a = check_arena(r);
	struct dns_source *stub;

	if (!dns_servers_are_local(&r->up.servers))
		return dns_trial_failed(
		    &r->o,
		    SLICE("a resolver is not on this host (127/8, ::1), so "
			  "its AD bit is not believed"),
		    a);
	r->check.trust = DNS_TRUST_UNKNOWN; /* so that it is believed */
	stub = get_stub(r);
	return dns_trial(stub, stub, &r->o, deadline, a);
}

static void run_trial(struct dns_resolver *r, int64_t deadline)
{
	int64_t now = conn_now();
	int64_t end = now + TRIAL_MAX < deadline ? now + TRIAL_MAX : deadline;

	if (r->check.trust == DNS_TRUST_OFF ||
	    r->check.trust == DNS_TRUST_WORKS || now < r->trial_at ||
	    now >= deadline)
		return;
	if (r->o.mode == DNS_TRUSTED)
		set_check(r, try_trusted(r, end));
	else if (make_validator(r))
		set_check(r, dns_trial(r->validator, get_stub(r), &r->o, end,
				       check_arena(r)));
}

const struct dns_check *dns_check(struct dns_resolver *r, int64_t deadline)
{
	if (r->o.source == NULL && refresh_servers(r))
		run_trial(r, deadline);
	return &r->check;
}

static struct dns_source *get_source(struct dns_resolver *r, int64_t deadline)
{
	run_trial(r, deadline);
	/* As long as nothing is known, nothing is taken on trust. */
	if (r->o.mode == DNS_VALIDATE &&
	    (r->check.trust == DNS_TRUST_WORKS ||
	     (r->check.trust == DNS_TRUST_UNKNOWN && make_validator(r))))
		return r->validator;
	return get_stub(r);
}

/* ---- asking ------------------------------------------------------------- */

static void cannot(struct dns_answer *answer, enum dns_verdict verdict,
		   struct slice detail)
{
	answer->verdict = verdict;
	answer->canonical = answer->name;
	answer->detail = detail;
}

/* Puts what is left of the questions to a source. */
static void ask_source(struct dns_resolver *r, struct dns_answer *answers,
		       size_t n, int64_t deadline, struct arena *a)
{
	if (r->o.source != NULL) {
		r->o.source->ask(r->o.source, answers, n, deadline, a);
		return;
	}
	if (refresh_servers(r)) {
		struct dns_source *source = get_source(r, deadline);

		source->ask(source, answers, n, deadline, a);
		return;
	}
	for (size_t i = 0; i < n; i++)
		cannot(&answers[i], DNS_UNAVAILABLE,
		       arena_dup(a, slice_of(r->trouble.text)));
}

/* Cleans a question, and answers it if that takes no other host. */
static bool answer_here(struct dns_resolver *r, struct dns_answer *answer,
			struct arena *a)
{
	struct dns_answer question = { .name = answer->name,
				       .type = answer->type,
				       .verdict = DNS_UNAVAILABLE };
	struct dns_name name;

	*answer = question;
	if (!dns_name_read(answer->name, &name)) {
		answer->name = arena_dup(a, answer->name);
		cannot(answer, DNS_BAD_NAME,
		       SLICE("the name has an empty or too long part"));
		return true;
	}
	answer->name = dns_name_text(&name, a);
	if (r->o.source != NULL)
		return false;
	return dns_rule_answer(answer, a) ||
	       dns_hosts_answer(str_slice(&r->hosts.text), answer, a);
}

void dns_ask_all(struct dns_resolver *r, struct dns_answer *answers, size_t n,
		 int64_t deadline, struct arena *a)
{
	struct dns_answer *asked = arena_array(a, n, sizeof(*asked));
	size_t *places = arena_array(a, n, sizeof(*places));
	size_t n_asked = 0;

	if (r->o.source == NULL)
		dns_file_refresh(&r->hosts, DNS_HOSTS_MAX);
	for (size_t i = 0; i < n; i++) {
		if (answer_here(r, &answers[i], a))
			continue;
		places[n_asked] = i;
		asked[n_asked++] = answers[i];
	}
	if (n_asked > 0)
		ask_source(r, asked, n_asked, deadline, a);
	for (size_t i = 0; i < n_asked; i++)
		answers[places[i]] = asked[i];
	for (size_t i = 0; r->o.on_answer != NULL && i < n; i++)
		r->o.on_answer(r->o.context, &answers[i]);
}

struct dns_answer dns_ask(struct dns_resolver *r, struct slice name,
			  enum dns_type type, int64_t deadline, struct arena *a)
{
	struct dns_answer answer = { .name = name, .type = type };

	dns_ask_all(r, &answer, 1, deadline, a);
	return answer;
}

bool dns_is_in_hosts(struct dns_resolver *r, struct slice name,
		     int64_t deadline, struct arena *a)
{
	struct dns_answer answer = { .name = name, .type = DNS_A };

	if (r->o.source != NULL) {
		/* Nobody wanted the answer: on_answer() does not see it. */
		if (!answer_here(r, &answer, a))
			ask_source(r, &answer, 1, deadline, a);
		return answer.origin == DNS_FROM_HOSTS;
	}
	dns_file_refresh(&r->hosts, DNS_HOSTS_MAX);
	return dns_hosts_answer(str_slice(&r->hosts.text), &answer, a);
}
