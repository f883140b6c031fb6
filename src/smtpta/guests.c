/*
 * guests.c - recipients of other hosts that come along (-e).
 *
 * What the best exchangers of a domain are is asked for all domains of a
 * message at once, and kept as long as the connection and no longer than
 * KEPT_MAX. The time for questions is bounded likewise, so that dead name
 * servers of somebody else hold up the mail once and not for long; whatever is
 * not known by then does not come along.
 */
#include "smtpta/guests.h"

#include "base/mem.h"
#include "net/conn.h"
#include "net/idn.h"
#include "smtpta/sesslog.h"

#include <stdlib.h>
#include <string.h>

enum {
	DOMAINS_MAX = 256,	 /* that are known at once */
	KEPT_MAX = 5 * 60 * 1000 /* milliseconds */
};

struct domain {
	struct slice host; /* as control files have it */
	struct mx_facts facts;
	bool is_known; /* asked for, whatever the answer was */
};

struct guests {
	struct guests_setup setup;
	struct arena *arena;
	struct domain *domains;
	size_t n;
	unsigned session;  /* the one that they were asked for in */
	int64_t since;	   /* when the first was */
	int64_t time_left; /* for questions, milliseconds */
};

struct guests *guests_new(const struct guests_setup *setup)
{
	struct guests *g = mem_zero(1, sizeof(*g));

	g->setup = *setup;
	g->arena = arena_new();
	return g;
}

void guests_free(struct guests *g)
{
	if (g == NULL)
		return;
	arena_free(g->arena);
	free(g);
}

/* ---- domains ------------------------------------------------------------ */

/* A new connection, or too long on the old one: what is known is forgotten. */
static void refresh(struct guests *g)
{
	unsigned limit = g->setup.options->dns_timeout;
	unsigned session = session_number(g->setup.session);

	if (g->session == session && g->domains != NULL &&
	    conn_now() - g->since < KEPT_MAX)
		return;
	arena_reset(g->arena);
	g->domains = arena_array(g->arena, DOMAINS_MAX, sizeof(*g->domains));
	g->n = 0;
	g->session = session;
	g->since = conn_now();
	g->time_left = GUESTS_LOOKUP_MAX;
	if ((int64_t)limit * 1000 < g->time_left)
		g->time_left = (int64_t)limit * 1000;
}

static struct domain *find_domain(const struct guests *g, struct slice host)
{
	for (size_t i = g->n; i-- > 0;)
		if (slice_eq_nocase(g->domains[i].host, host))
			return &g->domains[i];
	return NULL;
}

/* Notes a domain to be asked for; a literal has no exchangers. */
static void add_domain(struct guests *g, struct slice host)
{
	struct domain *d = &g->domains[g->n];
	struct str name = STR_INIT;
	struct err err;

	if (g->n == DOMAINS_MAX || find_domain(g, host) != NULL)
		return;
	*d = (struct domain){ .host = arena_dup(g->arena, host) };
	d->is_known =
	    net_literal_looks(host) || net_idn_ascii(host, &name, &err) < 0;
	if (!d->is_known)
		d->facts.domain = arena_dup(g->arena, str_slice(&name));
	g->n++;
	str_done(&name);
}

/* The names that are this host must not be among them, see policy/mx.h. */
static void set_own_names(const struct guests *g, struct mx_facts *facts)
{
	const struct dns_mx_way *way = session_route(g->setup.session)->way;
	struct slice *names;

	if (g->setup.options->port != 25 || way == NULL)
		return;
	facts->n_own_names = way->facts.n_own_names;
	names = arena_array(g->arena, facts->n_own_names, sizeof(*names));
	for (size_t i = 0; i < facts->n_own_names; i++)
		names[i] = arena_dup(g->arena, way->facts.own_names[i]);
	facts->own_names = names;
}

static size_t count_unknown(const struct guests *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++)
		n += !g->domains[i].is_known;
	return n;
}

/*
 * Asks for all domains that are not known, as far as there is time. The arena
 * lives for minutes: a message that brings no new domain takes nothing of it.
 */
static void ask(struct guests *g)
{
	int64_t began = conn_now();
	size_t room = count_unknown(g), n = 0, *places;
	struct dns_answer *answers;

	if (room == 0)
		return;
	answers = arena_array(g->arena, room, sizeof(*answers));
	places = arena_array(g->arena, room, sizeof(*places));
	for (size_t i = 0; i < g->n; i++) {
		struct domain *d = &g->domains[i];

		if (d->is_known)
			continue;
		d->is_known = true;
		places[n] = i;
		answers[n++] = (struct dns_answer){ .name = d->facts.domain,
						    .type = DNS_MX };
	}
	if (g->time_left <= 0)
		return;
	dns_ask_all(g->setup.dns, answers, n, began + g->time_left, g->arena);
	g->time_left -= conn_now() - began;
	for (size_t i = 0; i < n; i++) {
		struct mx_facts *facts = &g->domains[places[i]].facts;

		dns_mx_read(&answers[i], g->arena, facts);
		set_own_names(g, facts);
	}
}

/* Does the host that we are connected to take mail for the domain too? */
static bool fits(const struct guests *g, struct slice host)
{
	struct slice exchanger = session_exchanger(g->setup.session);
	const struct domain *d = find_domain(g, host);

	if (d == NULL || !mx_is_best(&d->facts, exchanger))
		return false;
	return g->setup.may_share == NULL ||
	       g->setup.may_share(g->setup.context, d->facts.domain);
}

/* ---- coming and going --------------------------------------------------- */

/* The recipients that `stays` lets stay; false if nobody does. */
static bool thin_out(struct agent *a, struct batch *b,
		     bool (*stays)(const struct guests *g, struct slice host),
		     const struct guests *g)
{
	struct agent_job *job = &b->flight->job;
	size_t kept = 0;

	for (size_t i = 0; i < b->t.n_rcpts; i++) {
		const struct agent_rcpt *r = &job->rcpts[b->rcpts[i]];

		if (!r->is_guest || stays(g, r->ctl->address.host))
			b->rcpts[kept++] = b->rcpts[i];
		else
			agent_job_put_back(a, job, b->rcpts[i]);
	}
	b->t.n_rcpts = kept;
	if (kept > 0)
		return true;
	flight_end_batch(b);
	return false;
}

static bool never(const struct guests *g, struct slice host)
{
	(void)g;
	(void)host;
	return false;
}

bool guests_leave(struct agent *a, struct batch *b)
{
	return thin_out(a, b, never, NULL);
}

/* Those that wait and were taken for another host. */
static void put_back_misfits(const struct guests *g, struct flight *f)
{
	struct batch *b, *next;

	for (b = TAILQ_FIRST(&f->batches); b != NULL; b = next) {
		next = TAILQ_NEXT(b, link);
		if (b->state == BATCH_WAITING)
			(void)thin_out(g->setup.agent, b, fits, g);
	}
}

/* One more of a batch, in the order of the file. */
static void add_to_batch(struct batch *b, size_t rcpt)
{
	const struct agent_job *job = &b->flight->job;
	size_t at = b->t.n_rcpts, *more;

	if (at >= b->room) {
		b->room = 2 * at + 8;
		more = arena_array(b->t.arena, b->room, sizeof(*more));
		memcpy(more, b->rcpts, at * sizeof(*more));
		b->rcpts = more;
	}
	b->t.n_rcpts++;
	while (at > 0 && job->rcpts[b->rcpts[at - 1]].ctl->offset >
			     job->rcpts[rcpt].ctl->offset) {
		b->rcpts[at] = b->rcpts[at - 1];
		at--;
	}
	b->rcpts[at] = rcpt;
}

static bool go_together(const struct flight *f, const struct batch *b,
			const struct ctl_rcpt *r)
{
	const struct ctl_rcpt *first = f->job.rcpts[b->rcpts[0]].ctl;

	return first->sender == r->sender && first->header == r->header;
}

/*
 * A batch that has not gone anywhere yet, for what has this recipient's sender
 * and header. Most often it is that of the recipient before it.
 */
static struct batch *find_batch(const struct flight *f,
				const struct ctl_rcpt *r, struct batch *last)
{
	struct batch *b;

	if (last != NULL && go_together(f, last, r))
		return last;
	TAILQ_FOREACH (b, &f->batches, link)
		if (b->state == BATCH_WAITING && b->tried.n == 0 &&
		    go_together(f, b, r))
			return b;
	return NULL;
}

static struct batch *seat_one(struct flight *f, size_t rcpt, struct batch *last)
{
	struct batch *b = find_batch(f, f->job.rcpts[rcpt].ctl, last);
	size_t *alone;

	if (b != NULL) {
		add_to_batch(b, rcpt);
		return b;
	}
	alone = arena_array(f->job.arena, 1, sizeof(*alone));
	*alone = rcpt;
	return flight_add_batch(f, NULL, alone, 1);
}

/* Could the recipient of another host come along, if that host is the same? */
static bool is_invited(const struct guests *g, const struct flight *f, size_t i)
{
	const struct ctl_rcpt *r = &f->job.ctl.rcpts[i];

	return r->tag == CTL_TAG_TODO && !f->was_guest[i] &&
	       slice_eq(g->setup.options->channel, r->address.channel) &&
	       !slice_eq_nocase(f->job.host, r->address.host);
}

static size_t take(struct guests *g, struct flight *f)
{
	struct agent *a = g->setup.agent;
	struct batch *last = NULL;
	size_t n = 0, rcpt;

	for (size_t i = 0; i < f->job.ctl.n_rcpts; i++) {
		const struct ctl_rcpt *r = &f->job.ctl.rcpts[i];

		if (!is_invited(g, f, i) || !fits(g, r->address.host) ||
		    flight_judge(a, &f->job, r) != NULL ||
		    !agent_job_take(a, &f->job, i, &rcpt))
			continue;
		f->was_guest[i] = true;
		last = seat_one(f, rcpt, last);
		n++;
	}
	return n;
}

void guests_seat(struct guests *g, struct flight *f)
{
	unsigned session;
	size_t n;

	if (g == NULL || g->setup.options->no_mx || f->n_waiting == 0 ||
	    session_exchanger(g->setup.session).len == 0)
		return;
	session = session_number(g->setup.session);
	if (f->seated_for == session)
		return;
	f->seated_for = session;
	if (f->was_guest == NULL)
		f->was_guest = arena_array(f->job.arena, f->job.ctl.n_rcpts,
					   sizeof(*f->was_guest));
	refresh(g);
	for (size_t i = 0; i < f->job.ctl.n_rcpts; i++)
		if (f->was_guest[i] || is_invited(g, f, i))
			add_domain(g, f->job.ctl.rcpts[i].address.host);
	ask(g);
	put_back_misfits(g, f);
	/* Who goes a further way than others goes without company. */
	if (f->n_waiting == 0 || session_is_detour(g->setup.session))
		return;
	n = take(g, f);
	if (n > 0)
		sesslog_printf(g->setup.log,
			       "(%zu recipients of other hosts come along)", n);
}
