/*
 * walk_peers.c - connecting to each address, as far as it is ready for mail.
 *
 * The session goes from address to address as it does for mail, and stops at
 * the first that is ready. Then it is opened again for each address that is
 * left, all others being avoided as by mail that they put off. The recorder of
 * attempts keeps what each of them came to.
 */
#include "explain/walk.h"

#include "agent/agent.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/conn.h"
#include "smtpta/attempt.h"
#include "smtpta/envelope.h"
#include "smtpta/session.h"

struct walk {
	const struct smtpta_options *options;
	struct explanation *e;
	struct walk_draws *draws;
	const struct walk_listener *listener;
	struct session *session;
	struct recorder *recorder;
	struct session_terms terms;
	struct tried heard;
	bool is_suited, has_failed; /* one of the addresses */
};

/* Lines of a command or a reply, each one by itself. */
static void add_lines(struct explained_peer *p, bool is_ours, struct slice text,
		      struct arena *a)
{
	struct slice line;

	while (slice_cut(&text, '\n', &line))
		p->lines[p->n_lines++] =
		    (struct explained_line){ is_ours, arena_dup(a, line) };
}

static size_t count_lines(struct slice text)
{
	size_t n = text.len > 0;

	for (size_t i = 0; i < text.len; i++)
		n += text.p[i] == '\n';
	return n;
}

static void copy_dialogue(struct explained_peer *p,
			  const struct attempt_dialogue *d, struct arena *a)
{
	const struct attempt_line *l;
	size_t n = 0;

	for (size_t i = 0; (l = attempt_line(d, i)) != NULL; i++)
		n += count_lines(str_slice(&l->said)) +
		     count_lines(str_slice(&l->heard));
	p->lines = arena_array(a, n, sizeof(*p->lines));
	for (size_t i = 0; (l = attempt_line(d, i)) != NULL; i++) {
		if (l->said.len > 0)
			add_lines(p, true, str_slice(&l->said), a);
		if (l->heard.len > 0)
			add_lines(p, false, str_slice(&l->heard), a);
	}
	p->is_cut = d->is_cut;
}

static void describe(struct walk *w, struct explained_peer *p)
{
	struct explanation *e = w->e;

	p->caps = *smtp_caps(session_engine(w->session));
	if (e->is_smtputf8_needed && !p->caps.smtputf8) {
		p->unsuited = envelope_unsuited(e->subject, e->arena);
		return;
	}
	w->is_suited = true;
	p->plan = walk_plan(w->options, e, &p->caps);
	p->envelope = walk_envelope(w->options, e, &p->caps);
}

static struct explained_peer *add_peer(struct walk *w,
				       const struct attempt_try *t)
{
	struct explanation *e = w->e;
	struct explained_peer *p;

	e->peers = mem_grow(e->peers, &e->peers_cap, e->n_peers + 1,
			    sizeof(*e->peers));
	p = &e->peers[e->n_peers++];
	*p = (struct explained_peer){
		.host = arena_dup(e->arena, str_slice(&t->host)),
		.addr = t->addr,
		.local = t->local,
		.has_local = t->has_local,
		.ms = t->took,
		.reason = t->reason,
		.code = t->code,
		.why = arena_dup(e->arena, str_slice(&t->why)),
		.tls = arena_dup(e->arena, str_slice(&t->tls)),
		.tls_lines = arena_dup(e->arena, str_slice(&t->tls_lines)),
		.account = arena_dup(e->arena, str_slice(&t->account)),
		.mechanism = t->mechanism,
	};
	copy_dialogue(p, &t->opening, e->arena);
	if (p->reason == NULL)
		describe(w, p);
	return p;
}

/* Takes over what the addresses came to that the session has gone to. */
static void take_tries(struct walk *w)
{
	size_t n;
	const struct attempt_try *tries = recorder_tries(w->recorder, &n);

	for (size_t i = 0; i < n; i++) {
		if (tries[i].took < 0)
			continue; /* another was faster: it comes again */
		tried_add(&w->heard, &tries[i].addr, 1, w->e->arena);
		w->has_failed |= tries[i].reason != NULL;
		w->listener->tell(w->listener->context, add_peer(w, &tries[i]));
	}
}

/* Everything but one address is avoided. */
static struct tried all_but(const struct walk *w, size_t which)
{
	const struct route *r = &w->e->route;
	struct tried others = { 0 };

	for (size_t i = 0; i < r->n; i++)
		if (!net_addr_same_host(&r->addrs[i], &r->addrs[which]))
			tried_add(&others, &r->addrs[i], 1, w->e->arena);
	return others;
}

/* Opens the session in the way in which the route was found. */
static bool open_session(struct walk *w, const struct diag **ret_why)
{
	bool is_open;

	session_close(w->session, "another address");
	walk_draw_again(w->draws);
	is_open =
	    session_open(w->session, w->e->destination, &w->terms, ret_why);
	take_tries(w);
	return is_open;
}

/* The connection of a delivery first, then whatever that did not come to. */
static void go(struct walk *w)
{
	struct explanation *e = w->e;
	const struct diag *why;

	if (!open_session(w, &why)) {
		e->failure = diag_copy(why, e->arena);
		return;
	}
	for (size_t i = 0; i < e->route.n && !agent_is_interrupted(); i++) {
		if (tried_has(&w->heard, &e->route.addrs[i]))
			continue;
		w->terms.avoid = all_but(w, i);
		if (!open_session(w, &why))
			w->has_failed = true;
	}
}

/* None is suited: for good only if every address was heard. */
static const struct diag *unsuited(const struct walk *w)
{
	struct explanation *e = w->e;
	struct diag *d =
	    diag_copy(envelope_unsuited(e->subject, e->arena), e->arena);

	if (w->has_failed || agent_is_interrupted())
		d->fate = FATE_DEFERRED;
	diag_fit_status(d, e->arena);
	return d;
}

/* Nothing is sent, so that no content is ever wanted. */
static int fill_nothing(struct smtp_transaction *t, bool needs_dots,
			struct str *sink, struct err *err)
{
	(void)t;
	(void)needs_dots;
	(void)sink;
	return FAIL(err, "an explanation has no content");
}

/* No attempt is ever begun, so that none is over. */
static void take_nothing(void *context, struct agent_job *job,
			 struct slice json)
{
	(void)context;
	(void)job;
	(void)json;
}

static int64_t no_wall(void)
{
	return 0; /* the time of day is not asked for */
}

void walk_peers(const struct walk_scene *scene, struct explanation *e,
		const struct walk_listener *listener)
{
	const struct smtpta_options *o = scene->options;
	const struct recorder_setup setup = { .program = o->program,
					      .is_lmtp = o->is_lmtp,
					      .now = conn_now,
					      .wall = no_wall,
					      .take = take_nothing };
	struct walk w = { .options = o,
			  .e = e,
			  .draws = scene->draws,
			  .listener = listener };
	struct sesslog *log = NULL;
	struct err err;

	e->does_connect = true;
	if (e->route.n == 0 || e->bad_recipient != NULL)
		return;
	if (o->log_file != NULL && sesslog_open(o->log_file, &log, &err) < 0)
		log_line(LOG_LEVEL_WARNING, "%s", err.text);
	w.terms.window = 1;
	w.recorder = recorder_new(&setup);
	w.session = session_new(o, scene->resolver, log, fill_nothing);
	session_record(w.session, w.recorder);
	session_secure(w.session, scene->safety);
	go(&w);
	if (e->failure == NULL && e->is_smtputf8_needed && !w.is_suited)
		e->failure = unsuited(&w);
	session_free(w.session);
	recorder_free(w.recorder);
	sesslog_close(log);
}
