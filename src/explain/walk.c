/*
 * walk.c - the steps of an explanation that need no connection.
 */
#include "explain/walk.h"

#include "base/keyword.h"
#include "base/mem.h"
#include "net/conn.h"
#include "smtp/path.h"
#include "smtpta/dial.h"
#include "smtpta/envelope.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* ---- chance ---------------------------------------------------------------
 */

size_t walk_draw(void *context, size_t n)
{
	struct walk_draws *d = context;

	if (d->at == d->n) {
		d->picks =
		    mem_grow(d->picks, &d->cap, d->n + 1, sizeof(*d->picks));
		d->picks[d->n++] = d->choose(d->context, n);
	}
	return d->picks[d->at++] % n;
}

void walk_draw_again(struct walk_draws *d)
{
	d->at = 0;
}

void walk_draws_done(struct walk_draws *d)
{
	free(d->picks);
}

/* ---- who, and how ---------------------------------------------------------
 */

void walk_subject(const struct smtpta_options *o, struct explanation *e)
{
	size_t at = slice_find_last(e->subject, '@');
	struct ctl_rcpt rcpt = { .address.user = e->subject };
	struct slice path;

	e->has_recipient = at < e->subject.len;
	e->destination = e->subject;
	if (e->has_recipient) {
		e->destination = slice_from(e->subject, at + 1);
		e->bad_recipient = envelope_recipient(&rcpt, e->arena, &path);
	}
	if (e->has_recipient && e->bad_recipient == NULL)
		e->is_smtputf8_needed =
		    slice_has_8bit(slice_head(path, path_local_length(path)));
	e->is_forced = o->forced.len > 0;
	if (e->is_forced)
		e->destination = o->forced;
}

void walk_answer(struct explanation *e, const struct dns_answer *answer)
{
	e->answers = mem_grow(e->answers, &e->answers_cap, e->n_answers + 1,
			      sizeof(*e->answers));
	e->answers[e->n_answers++] = *answer;
}

/* A lookup whose answers are kept: they belong to the explanation. */
struct kept_lookup {
	struct local_from from; /* the real one */
	struct arena *arena;
};

static struct lookup look_up(void *context, struct slice name, struct arena *a)
{
	const struct kept_lookup *k = context;

	(void)a; /* ends with the choice */
	return k->from.lookup(k->from.context, name, k->arena);
}

static struct explained_source source_of(const struct walk_scene *scene,
					 const struct explanation *e,
					 const struct net_addr *addr)
{
	struct conn_options how = dial_options(scene->options, e->destination);
	struct explained_source source = { 0 };
	struct kept_lookup kept;
	struct err err;

	dial_resolve(&how, scene->resolver);
	kept = (struct kept_lookup){ how.from, e->arena };
	how.from.lookup = look_up;
	how.from.context = &kept;
	if (addr->u.any.sa_family == AF_UNIX)
		return source;
	if (local_choose(&how.from, addr->u.any.sa_family, &source.addr, &err) <
	    0)
		source.trouble = arena_dup(e->arena, slice_of(err.text));
	else
		source.is_chosen = source.addr.len > 0;
	return source;
}

/* Alike for all addresses of a family: what -L names is looked up once. */
static void choose_source(const struct walk_scene *scene, struct explanation *e,
			  size_t place)
{
	const struct net_addr *addrs = e->route.addrs;

	for (size_t i = 0; i < place; i++) {
		if (addrs[i].u.any.sa_family != addrs[place].u.any.sa_family)
			continue;
		e->sources[place] = e->sources[i];
		return;
	}
	e->sources[place] = source_of(scene, e, &addrs[place]);
}

static void copy_check(struct dns_resolver *r, struct explanation *e)
{
	/* The time is over: what is not known now is not tried now. */
	const struct dns_check *check = dns_check(r, conn_now());

	e->check.trust = check->trust;
	e->check.why = arena_dup(e->arena, check->why);
	e->check.warning = arena_dup(e->arena, check->warning);
}

/* What each host needs; for a message that asks for nothing. */
static void judge_security(const struct walk_scene *scene,
			   struct explanation *e)
{
	size_t *places = arena_array(e->arena, e->route.n, sizeof(*places));

	if (e->route.n == 0)
		return;
	for (size_t i = 0; i < e->route.n; i++)
		places[i] = i;
	e->security = security_new(&scene->safety->scene, e->destination,
				   &e->route, TLS_ASKS_NOTHING, e->arena);
	security_judge(e->security, places, e->route.n);
}

/* Why no host may get mail; NULL: one may. */
static const struct diag *refusal(const struct explanation *e)
{
	for (size_t i = 0; i < e->route.n; i++)
		if (security_of(e->security, i)->decision.need !=
		    TLS_NEED_IMPOSSIBLE)
			return NULL;
	return e->route.n == 0 ? NULL : security_refusal(e->security, 0);
}

void walk_route(const struct walk_scene *scene, struct explanation *e)
{
	const struct smtpta_options *o = scene->options;
	struct caps least = { .is_extended = true,
			      .smtputf8 = e->is_smtputf8_needed };

	walk_draw_again(scene->draws);
	e->route = route_find(o, scene->resolver, e->destination, e->arena);
	judge_security(scene, e);
	e->sources = arena_array(e->arena, e->route.n, sizeof(*e->sources));
	for (size_t i = 0; i < e->route.n; i++)
		choose_source(scene, e, i);
	if (e->n_answers > 0 && e->offline.len == 0)
		copy_check(scene->resolver, e);
	e->mode = o->dns.mode;
	e->failure = e->route.failure;
	if (e->failure == NULL)
		e->failure = refusal(e);
	e->envelope = walk_envelope(o, e, &least);
}

/* ---- what it comes to -----------------------------------------------------
 */

/* Failures that say that there is no such host, rather than no service. */
static int status_of(const struct diag *d)
{
	static const char *const no_host[] = { "nxdomain", "alias-loop",
					       "bad-literal" };

	if (d == NULL)
		return EX_OK;
	if (d->fate != FATE_FAILED)
		return EX_TEMPFAIL;
	for (size_t i = 0; i < COUNT(no_host); i++)
		if (strcmp(d->reason, no_host[i]) == 0)
			return EX_NOHOST;
	return EX_UNAVAILABLE;
}

void walk_end(struct explanation *e)
{
	if (e->bad_recipient != NULL)
		e->failure = e->bad_recipient;
	e->status = status_of(e->failure);
}
