/*
 * deliver_add.c - batches into the engine.
 *
 * What a batch becomes on this connection: as many recipients as the server
 * takes at once, with the words of MAIL and RCPT; or why it cannot go here.
 * All of it is judged anew each time a batch is added, by what the server
 * offers then.
 */
#include "net/conn.h"
#include "smtp/path.h"
#include "smtpta/deliver_internal.h"
#include "smtpta/deliverby.h"
#include "smtpta/envelope.h"

#include <assert.h>

enum {
	RCPT_MAX = 100,
	RCPT_LIMIT_LEAST = 10,
	RCPT_LIMIT_MOST = 100000,
	DOMAINS_MOST = 100 /* of a transaction, where they are counted */
};

int deliver_fill(struct smtp_transaction *t, bool needs_dots, struct str *sink,
		 struct err *err)
{
	struct batch *b = t->owner;
	struct flight *f = b->flight;

	if (!b->has_content_begun) {
		content_begin(&b->content, str_slice(&b->transit.header),
			      &f->body, needs_dots);
		content_convert(&b->content, &b->transit.passage);
		b->has_content_begun = true;
		b->content_at = conn_now();
	}
	return content_fill(&b->content, sink, err);
}

static const struct caps *server_caps(const struct deliver *x)
{
	return smtp_caps(session_engine(x->session));
}

static int64_t wall_time(const struct deliver *x)
{
	return agent_options(x->agent)->wall_time();
}

/* A recipient of a batch, as the control file has it. */
static const struct ctl_rcpt *rcpt_of(const struct batch *b, size_t i)
{
	return b->flight->job.rcpts[b->rcpts[i]].ctl;
}

/* ---- how many go together ----------------------------------------------- */

/* Recipients that may go in one transaction with this server. */
static size_t rcpt_limit(const struct deliver *x)
{
	const struct caps *caps = server_caps(x);
	uint64_t limit = RCPT_MAX;

	if (caps->rcpt_limit != 0)
		limit = caps->rcpt_limit < RCPT_LIMIT_LEAST ? RCPT_LIMIT_LEAST
							    : caps->rcpt_limit;
	if (caps->rcptmax != 0 && caps->rcptmax < limit)
		limit = caps->rcptmax; /* RFC 9422 4.2 */
	if (limit > RCPT_LIMIT_MOST)
		limit = RCPT_LIMIT_MOST;
	if (x->rcpt_limit != 0 && x->rcpt_limit < limit)
		limit = x->rcpt_limit;
	return (size_t)limit;
}

/* How many of the first n recipients are in at most `max` domains. */
static size_t within_domains(const struct batch *b, size_t n, uint64_t max)
{
	struct slice seen[DOMAINS_MOST];
	size_t n_seen = 0, at;

	if (max > DOMAINS_MOST)
		max = DOMAINS_MOST;
	for (size_t i = 0; i < n; i++) {
		struct slice user = rcpt_of(b, i)->address.user;
		struct slice domain =
		    slice_from(user, path_local_length(user) + 1);

		for (at = 0; at < n_seen; at++)
			if (slice_eq_nocase(seen[at], domain))
				break;
		if (at < n_seen)
			continue;
		if (n_seen == max)
			return i;
		seen[n_seen++] = domain;
	}
	return n;
}

/* How many of a batch's first recipients make one transaction. */
static size_t transaction_length(const struct deliver *x, const struct batch *b)
{
	uint64_t domains = server_caps(x)->rcptdomainmax; /* RFC 9422 4.3 */
	size_t limit = rcpt_limit(x), n = 1;

	while (n < b->t.n_rcpts && n < limit &&
	       envelope_go_together(rcpt_of(b, 0), rcpt_of(b, n),
				    x->options->ignore_ezmlm))
		n++;
	return domains == 0 ? n : within_domains(b, n, domains);
}

/* ---- what cannot go ----------------------------------------------------- */

/* Plans what the message becomes; NULL, or why it cannot be read. */
static const struct diag *unreadable(const struct deliver *x, struct batch *b)
{
	struct transit_way way = { .options = x->options,
				   .caps = server_caps(x),
				   .is_smtputf8 = b->t.needs_smtputf8 };
	const struct ctl_rcpt *first = rcpt_of(b, 0);
	struct diag *d;
	struct err err;

	if (b->t.n_rcpts == 1 && x->options->has_for_clause)
		way.only_recipient = first->address.user;
	if (transit_plan(&b->transit, &way, first->header->text,
			 &b->flight->body, &err) == 0)
		return NULL;
	d = ARENA_NEW(b->t.arena, struct diag);
	d->fate = FATE_DEFERRED;
	d->reason = "message-unreadable";
	d->status = SLICE("4.3.0 (message file cannot be read)");
	d->diagnostic = SLICE("x-local; 400 (message file cannot be read)");
	d->text = arena_printf(b->t.arena, "%s", err.text);
	return d;
}

/*
 * Fills in who it is from and to, as the wire has it; NULL, or why the sender
 * cannot be sent.
 */
static const struct diag *build_paths(const struct deliver *x, struct batch *b)
{
	struct agent_job *job = &b->flight->job;
	struct smtp_transaction *t = &b->t;
	struct slice verp_id = str_slice(&job->spool_id);
	const struct diag *why;

	if (x->options->ignore_ezmlm)
		verp_id = SLICE("");
	why = envelope_sender(rcpt_of(b, 0), verp_id, job->arena, &t->sender);
	if (why != NULL)
		return why;
	t->needs_smtputf8 = slice_has_8bit(t->sender);
	t->rcpts = arena_array(job->arena, t->n_rcpts, sizeof(*t->rcpts));
	for (size_t i = 0; i < t->n_rcpts; i++) {
		why = envelope_recipient(rcpt_of(b, i), job->arena,
					 &t->rcpts[i].path);
		assert(why == NULL); /* or it would not be in a batch */
		t->needs_smtputf8 |= slice_has_8bit(t->rcpts[i].path);
	}
	return NULL;
}

/* Why a batch must not be sent to any host, or NULL. */
static const struct diag *hopeless(const struct deliver *x, struct batch *b)
{
	const struct diag *why =
	    deliverby_expired(&rcpt_of(b, 0)->dsn.by, wall_time(x), b->t.arena);

	if (why == NULL)
		why = build_paths(x, b);
	return why != NULL ? why : unreadable(x, b);
}

static const struct diag *lacks_smtputf8(const struct deliver *x,
					 const struct batch *b)
{
	struct slice address = b->t.sender;

	if (!b->t.needs_smtputf8 || server_caps(x)->smtputf8)
		return NULL;
	if (!slice_has_8bit(address))
		address = b->t.rcpts[0].path;
	return envelope_unsuited(address, b->t.arena);
}

/* Why it cannot go here, where 8-bit content is not taken. */
static const struct diag *unconvertible(const struct deliver *x,
					struct batch *b)
{
	bool may_be_raw = !x->options->fails_unconvertible;

	if (!transit_is_unconvertible(&b->transit) || b->goes_raw)
		return NULL;
	if (may_be_raw && !deliver_may_go_on(x, b))
		return NULL;
	b->seeks_8bit = may_be_raw;
	return transit_unconvertible(&b->transit, b->t.arena);
}

static const struct diag *too_large(const struct deliver *x,
				    const struct batch *b)
{
	const struct caps *caps = server_caps(x);
	struct arena *a = b->t.arena;
	struct diag *d;

	if (!caps->size || caps->size_limit == 0 ||
	    b->t.size <= caps->size_limit)
		return NULL;
	d = ARENA_NEW(a, struct diag);
	d->fate = FATE_FAILED;
	d->reason = "too-large";
	d->status =
	    SLICE("5.3.4 (Message size exceeds limit given by remote system)");
	d->diagnostic = arena_printf(
	    a,
	    "smtp; 552 (Current message size %llu exceeds limit given by the "
	    "remote system: %llu)",
	    (unsigned long long)b->t.size,
	    (unsigned long long)caps->size_limit);
	d->text = arena_printf(a, "\r\r%.*s",
			       SLICE_ARG(slice_from(d->diagnostic, 6)));
	return d;
}

static bool asks_requiretls(const struct deliver *x, const struct batch *b)
{
	return b->flight->request == TLS_ASKS_REQUIRED &&
	       session_needs_requiretls(x->session);
}

/* It was offered, and then refused. */
static const struct diag *lacks_requiretls(const struct deliver *x,
					   const struct batch *b)
{
	struct diag *d;

	if (!asks_requiretls(x, b) || server_caps(x)->requiretls)
		return NULL;
	d = ARENA_NEW(b->t.arena, struct diag);
	d->fate = FATE_DEFERRED;
	d->reason = "requiretls-not-offered";
	d->status = SLICE("4.7.30 (REQUIRETLS support required)");
	d->diagnostic = SLICE("smtp; 450 (the server does not keep to the "
			      "REQUIRETLS that it offers)");
	d->text = d->diagnostic;
	return d;
}

/* Why a batch cannot go to this host but perhaps to another, or NULL. */
static const struct diag *unsuited(const struct deliver *x, struct batch *b)
{
	const struct diag *why = lacks_smtputf8(x, b);

	if (why == NULL)
		why = lacks_requiretls(x, b);
	if (why == NULL)
		why = deliverby_unsuited(&rcpt_of(b, 0)->dsn.by, server_caps(x),
					 wall_time(x), b->t.arena);
	if (why == NULL)
		why = unconvertible(x, b);
	return why != NULL ? why : too_large(x, b);
}

/* ---- what is said ------------------------------------------------------- */

/*
 * Fills in what depends on the server. A header with UTF-8 that stays goes
 * under SMTPUTF8 where that is offered, and as it is elsewhere.
 */
static void build_words(const struct deliver *x, struct batch *b)
{
	const struct caps *caps = server_caps(x);
	struct agent_job *job = &b->flight->job;
	struct smtp_transaction *t = &b->t;

	t->progress = NULL;
	t->is_8bit = b->transit.is_8bit;
	t->is_binary = b->transit.is_binary;
	t->needs_smtputf8 |= caps->smtputf8 && b->transit.is_utf8;
	t->needs_requiretls = asks_requiretls(x, b);
	t->by = deliverby_param(&rcpt_of(b, 0)->dsn.by);
	envelope_mail(&job->ctl, t);
	for (size_t i = 0; i < t->n_rcpts; i++) {
		const struct ctl_dsn *dsn = &rcpt_of(b, i)->dsn;

		t->rcpts[i] = envelope_rcpt(
		    rcpt_of(b, i), t->rcpts[i].path, t->needs_smtputf8,
		    deliverby_asks_delay(&dsn->by, caps), job->arena);
		job->rcpts[b->rcpts[i]].tells_relay =
		    deliverby_tells_relay(dsn, caps);
	}
	content_done(&b->content);
	b->has_content_begun = false;
}

static void add_batch(struct deliver *x, struct batch *b)
{
	struct agent_job *job = &b->flight->job;
	size_t n = transaction_length(x, b);
	const struct diag *why;

	if (n < b->t.n_rcpts)
		flight_split_batch(b, n);
	deliver_make_room(b);
	b->t.size = ctl_size_estimate(&job->ctl, job->message.size);
	why = hopeless(x, b);
	b->t.size += b->transit.more;
	if (b->transit.size > 0)
		b->t.size = b->transit.size;
	if (why != NULL) {
		deliver_end_batch(x, b, why);
		return;
	}
	why = unsuited(x, b);
	if (why != NULL) {
		deliver_unsuited(x, b, why);
		return;
	}
	build_words(x, b);
	flight_set_state(b, BATCH_SENT);
	recorder_begin(x->recorder, job, &b->t);
	recorder_plan(x->recorder, &b->t, &b->transit.passage);
	b->added_at = conn_now();
	smtp_add(session_engine(x->session), &b->t);
}

/*
 * One that is closed already takes everything: it gives it back at once, and
 * that is a try which counts.
 */
static bool takes_more(const struct smtp_engine *e)
{
	return smtp_has_room(e) || !smtp_is_busy(e);
}

/* The first that waits and suits; those before it are in the window. */
static struct batch *next_suited(const struct deliver *x,
				 const struct flight *f)
{
	struct batch *b;

	if (f->n_waiting == 0)
		return NULL;
	TAILQ_FOREACH (b, &f->batches, link)
		if (b->state == BATCH_WAITING && deliver_suits(x, b))
			return b;
	return NULL;
}

void deliver_add(struct deliver *x, struct flight *f)
{
	struct batch *b;

	if (takes_more(session_engine(x->session)))
		guests_seat(x->guests, f);
	while (takes_more(session_engine(x->session)) &&
	       (b = next_suited(x, f)) != NULL)
		add_batch(x, b);
}
