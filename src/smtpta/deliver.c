/*
 * deliver.c - the engine's events into settled recipients.
 *
 * A batch whose connection is lost before its end was sent goes once more
 * over a new connection, at once.
 */
#include "smtpta/deliver.h"

#include "net/conn.h"
#include "smtpta/blame.h"
#include "smtpta/deliver_internal.h"
#include "smtpta/security.h"

#include <string.h>

enum { TRIES_MAX = 2 };

/*
 * Extensions that some mail cannot go without. What one host of a destination
 * refuses another may keep, so each connection is asked anew.
 */
#define DECISIVE                                                      \
	((unsigned)SMTP_EXT_SMTPUTF8 | (unsigned)SMTP_EXT_DELIVERBY | \
	 (unsigned)SMTP_EXT_REQUIRETLS)

/* ---- settling ---------------------------------------------------------- */

/* What went over the wire, and how long that took. */
static void log_transfer(const struct deliver *x, const struct batch *b)
{
	if (!b->has_content_begun)
		return;
	sesslog_printf(x->log,
		       "%llu bytes, %zu in header, %zu recipients, "
		       "%lld secs for envelope, %lld secs for body xfer",
		       (unsigned long long)b->content.n_bytes,
		       b->content.n_header, b->t.n_rcpts,
		       (long long)(b->content_at - b->added_at) / 1000,
		       (long long)(conn_now() - b->content_at) / 1000);
}

/* Adds what the host of the connection is, unless d names one. */
static void add_host(const struct deliver *x, struct diag *d, struct arena *a)
{
	if (d->remote_mta.len > 0)
		return;
	d->remote_mta = arena_dup(a, session_remote_mta(x->session));
	d->connection = arena_dup(a, session_connection(x->session));
	if (d->conversion == NULL)
		d->conversion = "NONE";
}

/* The diag with the host it speaks of; lives in the job's arena. */
static const struct diag *with_host(const struct deliver *x,
				    const struct batch *b, const struct diag *d)
{
	struct arena *a = b->flight->job.arena;
	struct diag *copy;

	if (d->remote_mta.len > 0)
		return d;
	copy = ARENA_NEW(a, struct diag);
	*copy = *d;
	copy->conversion = transit_mode(&b->transit);
	add_host(x, copy, a);
	return copy;
}

void deliver_outcome(const struct deliver *x, struct batch *b, size_t rcpt,
		     const struct diag *d)
{
	struct agent_job *job = &b->flight->job;

	d = with_host(x, b, d);
	b->outcomes[b->n_outcomes++] =
	    (struct agent_outcome){ .rcpt = rcpt, .diag = d };
	recorder_outcome(x->recorder, &b->t, job,
			 b->outcomes[b->n_outcomes - 1], NULL);
}

static void settle_batch(const struct deliver *x, struct batch *b)
{
	agent_job_settle(x->agent, &b->flight->job, b->outcomes, b->n_outcomes);
	b->n_outcomes = 0;
}

static bool is_among(const size_t *rcpts, size_t n, size_t rcpt)
{
	for (size_t i = 0; i < n; i++)
		if (rcpts[i] == rcpt)
			return true;
	return false;
}

bool deliver_has_outcome(const struct batch *b, size_t rcpt)
{
	for (size_t i = 0; i < b->n_outcomes; i++)
		if (b->outcomes[i].rcpt == rcpt)
			return true;
	return is_among(b->leftover, b->n_leftover, rcpt) ||
	       is_among(b->postponed, b->n_postponed, rcpt);
}

static size_t *make_list(struct batch *b, const size_t *old, size_t n)
{
	size_t *list = arena_array(b->t.arena, b->t.n_rcpts + n, sizeof(*list));

	if (n > 0)
		memcpy(list, old, n * sizeof(*list));
	return list;
}

void deliver_make_room(struct batch *b)
{
	b->leftover = make_list(b, b->leftover, b->n_leftover);
	b->postponed = make_list(b, b->postponed, b->n_postponed);
	b->outcomes =
	    arena_array(b->t.arena, b->t.n_rcpts, sizeof(*b->outcomes));
}

static bool reason_is(const struct diag *d, const char *reason)
{
	return strcmp(d->reason, reason) == 0;
}

/* Is it the answer of a host to one of the steps of a transaction? */
static bool is_refusal(const struct diag *d)
{
	return reason_is(d, "mail-refused") || reason_is(d, "rcpt-refused") ||
	       reason_is(d, "data-refused") || reason_is(d, "content-refused");
}

/* ---- other hosts -------------------------------------------------------- */

bool deliver_suits(const struct deliver *x, const struct batch *b)
{
	size_t n;
	const struct net_addr *passed = session_passed(x->session, &n);

	if (session_is_detour(x->session) && b->tried.n == 0)
		return false;
	if (!security_serves(session_request(x->session), b->flight->request))
		return false;
	return n == 0 || !tried_has(&b->tried, &passed[n - 1]);
}

bool deliver_may_go_on(const struct deliver *x, const struct batch *b)
{
	return b->tried.n_hosts + 1 < TRIED_HOSTS_MAX &&
	       !agent_is_interrupted() &&
	       session_has_next(x->session, &b->tried);
}

/* The next host, not this one and none before it, is to be asked. */
static void go_on(const struct deliver *x, struct batch *b)
{
	size_t n;
	const struct net_addr *passed = session_passed(x->session, &n);

	tried_add(&b->tried, passed, n, b->t.arena);
	b->tried.saw_outage |= session_saw_outage(x->session);
	b->tries = 0;
	b->without = b->on_trial = 0;
	flight_set_state(b, BATCH_WAITING);
}

/* Does the connection use IPv6, and is there an IPv4 address not yet asked? */
static bool can_turn_to_v4(const struct deliver *x, const struct batch *b)
{
	const struct route *route = session_route(x->session);
	size_t n;
	const struct net_addr *passed = session_passed(x->session, &n);
	struct tried asked = { .addrs = passed, .n = n };

	if (n == 0 || passed[n - 1].u.any.sa_family != AF_INET6)
		return false;
	for (size_t i = 0; i < route->n; i++)
		if (route->addrs[i].u.any.sa_family == AF_INET &&
		    !tried_has(&asked, &route->addrs[i]) &&
		    !tried_has(&b->tried, &route->addrs[i]))
			return true;
	return false;
}

/*
 * Is this the refusal of IPv6 rather than of the mail? Then it is asked once
 * more over IPv4, and the refusal stands if that comes to nothing.
 */
static bool is_v6_to_blame(const struct deliver *x, const struct batch *b,
			   const struct diag *d)
{
	return d->fate == FATE_FAILED && !b->tried.is_last && is_refusal(d) &&
	       blame_is_on_ipv6(d->text) && deliver_may_go_on(x, b) &&
	       can_turn_to_v4(x, b);
}

/* From now on a batch goes to IPv4 addresses only. */
static void leave_v6(const struct deliver *x, struct batch *b)
{
	const struct route *route = session_route(x->session);
	struct net_addr *all =
	    arena_array(b->t.arena, route->n + b->tried.n, sizeof(*all));
	struct tried more = b->tried;

	more.addrs = all;
	more.is_last = true;
	if (b->tried.n > 0)
		memcpy(all, b->tried.addrs, b->tried.n * sizeof(*all));
	for (size_t i = 0; i < route->n; i++)
		if (route->addrs[i].u.any.sa_family == AF_INET6 &&
		    !tried_has(&more, &route->addrs[i]))
			all[more.n++] = route->addrs[i];
	b->tried = more;
}

/* Keeps what this host said, in case no other says anything. */
static void note_earlier(const struct deliver *x, struct batch *b, size_t rcpt,
			 const struct diag *d)
{
	struct flight *f = b->flight;
	struct diag *copy = diag_copy(d, f->job.arena);

	if (f->earlier == NULL)
		f->earlier = arena_array(f->job.arena, f->job.ctl.n_rcpts,
					 sizeof(*f->earlier));
	add_host(x, copy, f->job.arena);
	f->earlier[rcpt] = copy;
}

/* Records that a recipient goes on, to the next host or transaction. */
static void record_again(const struct deliver *x, struct batch *b, size_t rcpt,
			 const struct diag *why, const char *where)
{
	struct agent_outcome outcome = { .rcpt = rcpt, .diag = why };

	recorder_outcome(x->recorder, &b->t, &b->flight->job, outcome, where);
}

/* ---- ends ---------------------------------------------------------------- */

/* A batch for recipients that go on to another transaction. */
static struct batch *send_on(struct batch *b, size_t *rcpts, size_t n)
{
	struct batch *next = flight_add_batch(b->flight, b, rcpts, n);

	next->tried = b->tried;
	next->seeks_8bit = b->seeks_8bit;
	next->goes_raw = b->goes_raw;
	next->without = b->without;
	next->on_trial = b->on_trial;
	return next;
}

/* What this host put off goes on to the next one. */
static void postpone(const struct deliver *x, struct batch *b)
{
	struct batch *next = send_on(b, b->postponed, b->n_postponed);

	go_on(x, next);
	if (b->is_v6_blamed)
		leave_v6(x, next);
}

static bool is_guest(const struct batch *b, size_t rcpt)
{
	return b->flight->job.rcpts[rcpt].is_guest;
}

/* Settles a batch: those without an outcome get d (NULL: there are none). */
void deliver_end_batch(struct deliver *x, struct batch *b, const struct diag *d)
{
	for (size_t i = 0; d != NULL && i < b->t.n_rcpts; i++) {
		if (deliver_has_outcome(b, b->rcpts[i]))
			continue;
		if (is_guest(b, b->rcpts[i]))
			agent_job_put_back(x->agent, &b->flight->job,
					   b->rcpts[i]);
		else
			deliver_outcome(x, b, b->rcpts[i], d);
	}
	settle_batch(x, b);
	recorder_end(x->recorder, &b->t);
	if (b->n_leftover > 0)
		send_on(b, b->leftover, b->n_leftover);
	if (b->is_over_limit && b->n_leftover < b->t.n_rcpts)
		x->rcpt_limit = b->t.n_rcpts - b->n_leftover;
	if (b->n_postponed > 0)
		postpone(x, b);
	flight_end_batch(b);
}

/*
 * What a recipient ends with when no further host can be asked: the last word
 * of a host, or else `why`. That hosts cannot take it is final only if all of
 * them could be asked.
 */
static const struct diag *last_word(const struct flight *f, size_t rcpt,
				    bool saw_outage, const struct diag *why)
{
	const struct diag *said = f->earlier == NULL ? NULL : f->earlier[rcpt];
	struct diag *d;

	if (said == NULL)
		return why;
	if (said->fate != FATE_FAILED || !saw_outage)
		return said;
	d = diag_copy(said, f->job.arena);
	d->fate = FATE_DEFERRED;
	diag_fit_status(d, f->job.arena);
	d->text = arena_printf(f->job.arena,
			       "%.*s; another host of the destination could "
			       "not be asked",
			       SLICE_ARG(said->text));
	return d;
}

/*
 * Did no host say more than that it does not take 8-bit content? Then the
 * first one gets it as it is.
 */
static bool may_go_raw(const struct batch *b)
{
	const struct diag **earlier = b->flight->earlier;

	if (!b->seeks_8bit || b->goes_raw || earlier == NULL ||
	    agent_is_interrupted())
		return false;
	for (size_t i = 0; i < b->t.n_rcpts; i++)
		if (earlier[b->rcpts[i]] == NULL ||
		    !reason_is(earlier[b->rcpts[i]], "unconvertible"))
			return false;
	return true;
}

void deliver_no_further(struct deliver *x, struct batch *b,
			const struct diag *why)
{
	if (!guests_leave(x->agent, b))
		return;
	if (may_go_raw(b)) {
		b->goes_raw = true;
		b->tried = (struct tried){ 0 };
		flight_set_state(b, BATCH_WAITING);
		return;
	}
	/* Otherwise a host that could not be asked might have taken it. */
	b->tried.saw_outage |= why->fate != FATE_FAILED;
	if (b->tried.is_last)
		b->tried.saw_outage = false;
	deliver_make_room(b);
	for (size_t i = 0; i < b->t.n_rcpts; i++)
		deliver_outcome(x, b, b->rcpts[i],
				last_word(b->flight, b->rcpts[i],
					  b->tried.saw_outage, why));
	deliver_end_batch(x, b, NULL);
}

void deliver_unsuited(struct deliver *x, struct batch *b,
		      const struct diag *why)
{
	/* A failure is the word of all hosts, however many they are. */
	bool has_next = why->fate == FATE_FAILED
			    ? session_has_next(x->session, &b->tried)
			    : deliver_may_go_on(x, b);

	if (!guests_leave(x->agent, b)) {
		recorder_end(x->recorder, &b->t);
		return;
	}
	for (size_t i = 0; i < b->t.n_rcpts; i++) {
		note_earlier(x, b, b->rcpts[i], why);
		if (has_next)
			record_again(x, b, b->rcpts[i], why, "next-host");
	}
	if (has_next)
		recorder_end(x->recorder, &b->t);
	go_on(x, b);
	if (!has_next)
		deliver_no_further(x, b, why);
}

/* Was the recipient refused for good, with one more way to be tried? */
static bool has_last_try(const struct flight *f, size_t rcpt)
{
	const struct batch *b;

	if (f->earlier == NULL || f->earlier[rcpt] == NULL)
		return false;
	TAILQ_FOREACH (b, &f->batches, link)
		if (b->tried.is_last && is_among(b->rcpts, b->t.n_rcpts, rcpt))
			return true;
	return false;
}

void deliver_unreachable(struct deliver *x, struct flight *f,
			 const struct diag *why, bool is_first)
{
	struct agent_job *job = &f->job;
	struct agent_outcome *outcomes =
	    arena_array(job->arena, job->n_rcpts, sizeof(*outcomes));
	struct diag other = *why;
	struct batch *b;
	size_t n = 0;

	if (other.fate == FATE_DEFERRED_ALL)
		other.fate = FATE_DEFERRED;
	for (size_t i = 0; i < job->n_rcpts; i++) {
		const struct diag *d = is_first ? why : &other;

		agent_job_put_back(x->agent, job, i);
		if (job->rcpts[i].is_settled)
			continue;
		d = last_word(f, i, !has_last_try(f, i), d);
		is_first &= d != why;
		outcomes[n++] = (struct agent_outcome){ .rcpt = i, .diag = d };
		recorder_outcome(x->recorder, job, job, outcomes[n - 1], NULL);
	}
	agent_job_settle(x->agent, job, outcomes, n);
	recorder_end(x->recorder, job);
	while ((b = TAILQ_FIRST(&f->batches)) != NULL)
		flight_end_batch(b);
	f->state = FLIGHT_OVER;
}

/* ---- events ------------------------------------------------------------- */

/* Forgets the recipients that have their result. */
static void keep_open_ones(struct batch *b)
{
	const struct agent_rcpt *rcpts = b->flight->job.rcpts;
	size_t kept = 0;

	for (size_t i = 0; i < b->t.n_rcpts; i++)
		if (!rcpts[b->rcpts[i]].is_settled &&
		    !deliver_has_outcome(b, b->rcpts[i]))
			b->rcpts[kept++] = b->rcpts[i];
	b->t.n_rcpts = kept;
}

/*
 * Did the host refuse for now, so that another one may be asked? Not one that
 * wants to be asked again itself, nor one that may have taken the message.
 */
static bool is_put_off(const struct diag *d)
{
	return (d->fate == FATE_DEFERRED || d->fate == FATE_DEFERRED_BACK) &&
	       is_refusal(d);
}

/*
 * Counts, and with -O unknown-outcome=hold asks for the recipient to be held
 * until somebody has looked: our scheduler heeds the word, any other one
 * takes it for a plain deferral.
 */
static const struct diag *on_unknown_outcome(struct deliver *x,
					     const struct batch *b,
					     const struct diag *d)
{
	struct slice plain = SLICE("outcome unknown");
	struct diag *copy;

	x->peer->n_unknown++;
	x->n_unknown++;
	if (!x->options->hold_unknown || !slice_starts(d->text, plain))
		return d;
	copy = ARENA_NEW(b->t.arena, struct diag);
	*copy = *d;
	copy->text = arena_printf(b->t.arena, "outcome unknown, hold%.*s",
				  SLICE_ARG(slice_from(d->text, plain.len)));
	return copy;
}

/*
 * A host that greylists wants to see the mail again; and again, as long as it
 * takes none.
 */
static void note_greylisting(struct deliver *x, const struct diag *d)
{
	size_t n;
	const struct net_addr *passed = session_passed(x->session, &n);

	if (reason_is(d, "greylisted") && n > 0) {
		x->peer->has_greylisted = true;
		x->peer->greylisted = passed[n - 1];
	} else if (d->fate == FATE_DELIVERED || d->fate == FATE_RELAYED) {
		x->peer->has_greylisted = false;
	}
}

static void on_rcpt(struct deliver *x, const struct smtp_event *ev)
{
	struct batch *b = ev->transaction->owner;
	size_t rcpt = b->rcpts[ev->rcpt];
	const struct diag *d = ev->diag;

	if (reason_is(d, "outcome-unknown"))
		d = on_unknown_outcome(x, b, d);
	if (reason_is(d, "outcome-unknown") ||
	    reason_is(d, "mail-out-of-sequence"))
		x->peer->no_window = true;
	note_greylisting(x, d);
	if (reason_is(d, "rcpt-limit")) {
		b->leftover[b->n_leftover++] = rcpt;
		b->is_over_limit = true;
		record_again(x, b, rcpt, d, "next-transaction");
	} else if (reason_is(d, "parameter-refused")) {
		b->leftover[b->n_leftover++] = rcpt;
		record_again(x, b, rcpt, d, "next-transaction");
	} else if ((is_put_off(d) && !is_guest(b, rcpt) &&
		    deliver_may_go_on(x, b)) ||
		   is_v6_to_blame(x, b, d)) {
		b->is_v6_blamed |= d->fate == FATE_FAILED;
		record_again(x, b, rcpt, d, "next-host");
		note_earlier(x, b, rcpt, d);
		b->postponed[b->n_postponed++] = rcpt;
	} else {
		deliver_outcome(x, b, rcpt, d);
	}
}

/*
 * Does a try count that ended without a result? One that was not even begun
 * does not, unless the connection was of no use to anybody; nor one that was
 * behind the last message that a server took before it left with 421.
 */
static bool counts(const struct deliver *x, const struct smtp_event *ev)
{
	const char *reason = ev->diag->reason;

	if (strcmp(reason, "closed-by-peer") == 0 && x->n_ended > 0)
		return false;
	if (strcmp(reason, "chunking-refused") == 0 ||
	    strcmp(reason, "parameter-refused") == 0 ||
	    strcmp(reason, "mail-limit") == 0 ||
	    strcmp(reason, "deliver-by-expired") == 0 ||
	    strcmp(reason, "connection-given-up") == 0)
		return false;
	return ev->was_begun || x->n_ended == 0;
}

static bool is_hopeless(const char *reason)
{
	return agent_is_interrupted() ||
	       strcmp(reason, "message-unreadable") == 0;
}

static void try_again(const struct deliver *x, struct batch *b,
		      const struct diag *why)
{
	for (size_t i = 0; i < b->t.n_rcpts; i++)
		record_again(x, b, b->rcpts[i], why, "now");
	recorder_end(x->recorder, &b->t);
	flight_set_state(b, BATCH_WAITING);
}

static void on_returned(struct deliver *x, const struct smtp_event *ev)
{
	struct batch *b = ev->transaction->owner;
	const char *reason = ev->diag->reason;

	if (counts(x, ev))
		b->tries++;
	settle_batch(x, b);
	keep_open_ones(b);
	if (b->t.n_rcpts == 0 || is_hopeless(reason))
		deliver_end_batch(x, b, ev->diag);
	else if (b->tries >= TRIES_MAX)
		deliver_unsuited(x, b, ev->diag);
	else
		try_again(x, b, ev->diag);
}

/*
 * Silence at an extension is remembered for good. A connection may be lost for
 * many reasons; the next one shows whether this was it.
 */
static void doubt(struct deliver *x)
{
	bool was_silent;
	unsigned suspects = session_suspects(x->session, &was_silent);

	if (was_silent)
		x->peer->ignored |= suspects;
	else
		x->peer->doubted |= suspects;
}

/* How often it came to that: a sign that something on the way is broken. */
static void tell_unknown(struct deliver *x)
{
	struct slice mta = session_remote_mta(x->session);

	if (x->n_unknown == 0)
		return;
	agent_comment(x->agent,
		      "outcome unknown for %zu recipients at %.*s, %llu so far",
		      x->n_unknown, SLICE_ARG(mta),
		      (unsigned long long)x->peer->n_unknown);
	x->n_unknown = 0;
}

/*
 * A refusal may be about this mail alone; whether it was is seen when it gets
 * through without. That BDAT is not known is about nothing else.
 */
static void note_refused(struct deliver *x, const struct smtp_event *ev)
{
	struct batch *b;

	if (ev->transaction == NULL)
		return;
	b = ev->transaction->owner;
	b->without |= ev->extensions;
	b->on_trial |= ev->extensions & ~DECISIVE;
	x->peer->ignored |= ev->extensions & SMTP_EXT_CHUNKING;
}

/* Extensions without which mail got through that did not with them. */
static void remember_what_worked(struct deliver *x, const struct batch *b)
{
	x->peer->ignored |= x->doubted;
	for (size_t i = 0; i < b->n_outcomes; i++)
		if (fate_is_success(b->outcomes[i].diag->fate))
			x->peer->ignored |= b->on_trial;
}

void deliver_take_events(struct deliver *x)
{
	struct smtp_event ev;
	bool is_closed = false;

	while (smtp_event(session_engine(x->session), &ev)) {
		note_refused(x, &ev);
		switch (ev.kind) {
		case SMTP_EVENT_RCPT:
			on_rcpt(x, &ev);
			break;
		case SMTP_EVENT_DONE:
			x->n_ended++;
			remember_what_worked(x, ev.transaction->owner);
			log_transfer(x, ev.transaction->owner);
			deliver_end_batch(x, ev.transaction->owner, NULL);
			break;
		case SMTP_EVENT_RETURNED:
			on_returned(x, &ev);
			break;
		case SMTP_EVENT_CLOSED:
			is_closed = true;
			break;
		case SMTP_EVENT_STARTTLS:
		case SMTP_EVENT_READY:
		case SMTP_EVENT_FAILED:
			break;
		}
	}
	if (!is_closed)
		return;
	if (smtp_is_out_of_step(session_engine(x->session)))
		x->peer->no_window = true;
	doubt(x);
	tell_unknown(x);
	session_abandon(x->session, "connection lost");
}
