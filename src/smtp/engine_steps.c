/*
 * engine_steps.c - the commands: how each is written and what its reply does.
 *
 * One row per command in engine_steps[]; one small handler per reply. Which
 * commands may be followed by others in one group is RFC 2920 3.1: EHLO,
 * HELO, DATA and QUIT must be the last, the content and its dot may lead the
 * next group. STARTTLS and AUTH stand alone. Those of the opening have files of
 * their own: engine_open.c, engine_auth.c.
 */
#include "smtp/engine_internal.h"

/* ---- writing ---------------------------------------------------------- */

static void print_verb(struct smtp_engine *e, struct command *c)
{
	engine_put_line(e, c, slice_of(engine_steps[c->kind].verb));
}

static void print_data(struct smtp_engine *e, struct command *c)
{
	c->t->progress->data_command = SLICE("DATA");
	print_verb(e, c);
}

static void print_quit(struct smtp_engine *e, struct command *c)
{
	print_verb(e, c);
	e->is_quit_sent = true;
}

/* ---- the transaction --------------------------------------------------- */

/* Ends every recipient in state `which` by the reply to a phase. */
static void end_all(struct smtp_engine *e, struct smtp_transaction *t,
		    enum rcpt_state which, enum smtp_phase phase,
		    const struct reply *r)
{
	for (size_t i = 0; i < t->n_rcpts; i++)
		if (t->progress->rcpts[i].state == which)
			engine_end_rcpt(e, t, i, engine_diag(e, t, i, phase, r),
					0);
}

/* It is to be handed back once nothing of it is on its way any more. */
static void return_refused(struct smtp_transaction *t, const char *reason,
			   const char *why)
{
	t->progress->returned = reason;
	t->progress->returned_why = why;
}

/*
 * Does 452 or 552 say that a limit of the protocol is reached? Not if its
 * enhanced code says what else is full: a mailbox, as a rule.
 */
static bool is_limit_code(const struct reply *r)
{
	return !r->has_enhanced ||
	       (r->enhanced.subject == 5 && r->enhanced.detail == 3);
}

/*
 * MAIL was refused. What is not sent yet is taken back; if the whole content
 * has left already, its answer is awaited before anything is told: see
 * engine_end_refused().
 */
static void refuse_mail(struct smtp_engine *e, struct smtp_transaction *t,
			const struct reply *r)
{
	struct smtp_progress *p = t->progress;
	unsigned params = engine_params_refused(r, p->mail_params, t->sender);

	p->is_mail_refused = true;
	e->needs_rset = true;
	engine_drop_unsent(e, t);
	if (params != 0) {
		p->refused = params;
		caps_mask(&e->caps, params);
		return_refused(t, "parameter-refused",
			       engine_explain_refusal(
				   t->arena, "refuses parameters of", params));
		return;
	}
	/*
	 * Some (OpenSMTPD, behind 100 messages) have a limit for a connection
	 * that they do not announce. On a new one this is a plain deferral.
	 */
	if (r->code == 452 && e->has_taken && is_limit_code(r)) {
		e->is_full = true;
		return_refused(t, "mail-limit", engine_why_full);
		return;
	}
	for (size_t i = 0; i < t->n_rcpts; i++)
		p->rcpts[i].verdict = engine_diag(e, t, i, SMTP_PHASE_MAIL, r);
	if (!p->is_end_queued)
		engine_end_refused(e, t, false);
}

/*
 * MAIL that is accepted ends whatever was before it (RFC 5321 3.3). 503 means
 * that the server is in a state we do not know of, perhaps inside an earlier
 * transaction with another sender, under which it takes what follows.
 */
static void on_mail(struct smtp_engine *e, struct command *c,
		    const struct reply *r)
{
	struct smtp_progress *p = c->t->progress;
	bool is_no = r->code >= 400 && r->code <= 599;

	p->mail_reply = arena_dup(c->t->arena, r->text);
	if (outcome_is_yes(SMTP_PHASE_MAIL, r->code)) {
		e->is_astray = false;
		return;
	}
	/*
	 * Parting words that were waiting since an earlier message: this one
	 * deserves a new connection. on_reply() gives it back.
	 */
	if (r->code == 421 && e->is_used)
		return;
	e->is_astray |= r->code == 503 || !is_no;
	p->is_stray = e->is_astray;
	refuse_mail(e, c->t, r);
	if (!is_no)
		smtp_lost(e, "protocol-error", "unexpected reply to MAIL");
	else if (r->code == 503)
		engine_part(e, "protocol-error", "unexpected reply to MAIL");
}

/*
 * With all of them refused nothing more is sent. LMTP's content by BDAT goes
 * only now: without an accepted recipient its number of replies is undefined.
 */
static void after_last_rcpt(struct smtp_engine *e, struct smtp_transaction *t)
{
	struct smtp_progress *p = t->progress;

	if (p->n_accepted == 0) {
		e->needs_rset = true;
		engine_drop_unsent(e, t);
	} else if (p->is_chunked && e->config.is_lmtp && !p->is_mail_refused) {
		engine_push_first(e, CMD_BDAT, t);
	}
}

/*
 * RFC 5321 4.5.3.1.10: 452 (some say 552) behind accepted recipients means
 * "no more in this transaction". So may 452 with a code that says nothing
 * (x.0.0), or that the system has no more room (x.3.Y): asked once more in
 * front of the next transaction it is a plain deferral.
 */
static bool is_rcpt_limit(const struct smtp_progress *p, const struct reply *r)
{
	bool is_452 = r->code == 452;

	if (p->n_accepted == 0 || (!is_452 && r->code != 552))
		return false;
	return is_limit_code(r) || (is_452 && (r->enhanced.subject == 0 ||
					       r->enhanced.subject == 3));
}

/* Refused for its parameters: it goes once more without them. */
static void refuse_params(struct smtp_engine *e, const struct command *c,
			  unsigned set)
{
	struct smtp_transaction *t = c->t;
	const char *why =
	    engine_explain_refusal(t->arena, "refuses parameters of", set);
	const struct diag *d =
	    engine_lost_diag(t, c->rcpt, false, "parameter-refused", why);

	caps_mask(&e->caps, set);
	engine_end_rcpt(e, t, c->rcpt, d, set);
}

static void refuse_rcpt(struct smtp_engine *e, const struct command *c,
			const struct reply *r)
{
	const struct smtp_transaction *t = c->t;
	/* Not a result of its own: it goes in the next transaction. */
	static const struct diag limit = { .fate = FATE_DEFERRED,
					   .reason = "rcpt-limit",
					   .status = { "4.5.3", 5 } };

	unsigned refused = engine_rcpt_params_refused(
	    r, t->progress->rcpts[c->rcpt].params, t->rcpts[c->rcpt].path);

	if (refused != 0)
		refuse_params(e, c, refused);
	else if (is_rcpt_limit(t->progress, r))
		engine_end_rcpt(e, c->t, c->rcpt, &limit, 0);
	else
		engine_end_rcpt(e, c->t, c->rcpt,
				engine_diag(e, t, c->rcpt, SMTP_PHASE_RCPT, r),
				0);
}

static void on_rcpt(struct smtp_engine *e, struct command *c,
		    const struct reply *r)
{
	struct smtp_transaction *t = c->t;
	struct smtp_progress *p = t->progress;
	struct rcpt_progress *rcpt = &p->rcpts[c->rcpt];
	bool is_yes = outcome_is_yes(SMTP_PHASE_RCPT, r->code);

	p->n_rcpt_waiting--;
	if (is_yes)
		p->n_accepted++; /* also behind a refused MAIL: see on_data */
	if (p->is_mail_refused) {
		rcpt->reply = arena_dup(t->arena, r->text);
		rcpt->is_taken_anyway = is_yes;
		return;
	}
	if (rcpt->state != RCPT_OPEN || p->returned != NULL)
		return;
	rcpt->reply = arena_dup(t->arena, r->text);
	if (is_yes)
		rcpt->state = RCPT_ACCEPTED;
	else
		refuse_rcpt(e, c, r);
	if (p->n_rcpt_waiting == 0)
		after_last_rcpt(e, t);
	if (!is_yes && !(r->code >= 400 && r->code <= 599))
		smtp_lost(e, "protocol-error", "unexpected reply to RCPT");
}

/*
 * 354 although nothing can be sent. RFC 2920 3.1: a lone dot ends it if no
 * recipient was accepted. If MAIL was refused and a recipient accepted, a
 * dot could deliver an empty message under an earlier sender; and LMTP does
 * not say how many replies a dot without recipients has.
 */
static void refuse_354(struct smtp_engine *e, struct smtp_transaction *t)
{
	e->needs_rset = true;
	if (t->progress->n_accepted == 0 && !e->config.is_lmtp)
		engine_push_first(e, CMD_END, t);
	else
		smtp_lost(e, "protocol-error",
			  "354 to DATA without a valid transaction");
}

static void on_data(struct smtp_engine *e, struct command *c,
		    const struct reply *r)
{
	struct smtp_progress *p = c->t->progress;
	bool is_yes = outcome_is_yes(SMTP_PHASE_DATA, r->code);

	p->data_reply = arena_dup(c->t->arena, r->text);
	if (is_yes && (p->is_mail_refused || p->n_accepted == 0)) {
		refuse_354(e, c->t);
	} else if (is_yes) {
		engine_push_first(e, CMD_END, c->t);
	} else {
		e->needs_rset = true;
		end_all(e, c->t, RCPT_ACCEPTED, SMTP_PHASE_DATA, r);
		if (!(r->code >= 400 && r->code <= 599))
			smtp_lost(e, "protocol-error",
				  "unexpected reply to DATA");
	}
}

/* The recipient that an LMTP reply is about: the first that is still open. */
static size_t first_accepted(const struct smtp_transaction *t)
{
	for (size_t i = 0; i < t->n_rcpts; i++)
		if (t->progress->rcpts[i].state == RCPT_ACCEPTED)
			return i;
	return t->n_rcpts;
}

/* The reply that decides about content that was sent whole. */
static void decide_content(struct smtp_engine *e, struct smtp_transaction *t,
			   const struct reply *r)
{
	size_t i = first_accepted(t);

	t->progress->is_end_answered = true;
	if (e->config.is_lmtp && i < t->n_rcpts)
		engine_end_rcpt(e, t, i,
				engine_diag(e, t, i, SMTP_PHASE_END, r), 0);
	else
		end_all(e, t, RCPT_ACCEPTED, SMTP_PHASE_END, r);
	if (outcome_is_yes(SMTP_PHASE_END, r->code)) {
		e->has_taken = true;
		if (e->window < e->config.window)
			e->window++;
		return;
	}
	e->needs_rset = true;
	if (!(r->code >= 400 && r->code <= 599))
		smtp_lost(e, "protocol-error",
			  "unexpected reply to the end of data");
}

static void on_end(struct smtp_engine *e, struct command *c,
		   const struct reply *r)
{
	decide_content(e, c->t, r);
}

/*
 * Does a server say that it does not know BDAT after all? It does so to the
 * first chunk, or never; 503 is what one says that waits for DATA.
 */
static bool is_bdat_unknown(const struct smtp_engine *e,
			    const struct command *c, const struct reply *r)
{
	const struct smtp_progress *p = c->t->progress;
	bool is_per_rcpt = e->config.is_lmtp && c->is_last;

	if (p->is_chunk_taken || (is_per_rcpt && c->replies < p->n_accepted))
		return false;
	/* To the whole content these may be said of one of LMTP's mailboxes. */
	if (r->code == 501 || r->code == 504)
		return !is_per_rcpt;
	return r->code == 500 || r->code == 502 || r->code == 503;
}

static void refuse_chunking(struct smtp_engine *e, struct command *c)
{
	e->is_bdat_unknown = true;
	caps_mask(&e->caps, SMTP_EXT_CHUNKING);
	c->t->progress->refused = SMTP_EXT_CHUNKING;
	return_refused(c->t, "chunking-refused",
		       "remote offers CHUNKING but does not know BDAT");
	/* Does it owe LMTP's other replies to something it does not know? */
	if (e->config.is_lmtp && c->replies > 1)
		smtp_lost(e, "connection-given-up",
			  "BDAT refused in an unknown state");
}

/* A chunk that is not the last: as with DATA, nobody has got anything yet. */
static void refuse_chunk(struct smtp_engine *e, struct smtp_transaction *t,
			 const struct reply *r)
{
	struct smtp_progress *p = t->progress;

	if (!(r->code >= 400 && r->code <= 599)) {
		/* 354 among them, which is a yes only to DATA */
		smtp_lost(e, "protocol-error", "unexpected reply to BDAT");
	} else if (p->returned == NULL) {
		p->data_reply = arena_dup(t->arena, r->text);
		end_all(e, t, RCPT_ACCEPTED, SMTP_PHASE_DATA, r);
	}
}

/* The reply to the whole content of a message whose MAIL was refused. */
static void on_stray_end(struct smtp_engine *e, struct smtp_transaction *t,
			 const struct reply *r)
{
	bool is_yes = outcome_is_yes(SMTP_PHASE_END, r->code);

	if (!is_yes && !(r->code >= 400 && r->code <= 599)) {
		smtp_lost(e, "protocol-error", "unexpected reply to BDAT");
		return;
	}
	engine_end_refused(e, t, is_yes);
	/* For whom, and under which sender? */
	if (is_yes && t->progress->n_accepted > 0)
		engine_part(e, "protocol-error",
			    "BDAT accepted without a valid transaction");
}

/*
 * One reply for each chunk (RFC 3030 4.2). A refusal of any decides; what is
 * already on its way must stay, or the server would lose count, but no
 * further chunk follows.
 */
static void on_bdat(struct smtp_engine *e, struct command *c,
		    const struct reply *r)
{
	struct smtp_transaction *t = c->t;
	struct smtp_progress *p = t->progress;
	bool is_yes = outcome_is_yes(SMTP_PHASE_END, r->code);
	bool has_accepted = first_accepted(t) < t->n_rcpts;

	if (!is_yes) {
		e->needs_rset = true;
		engine_drop_unsent(e, t);
	}
	if (c->is_last && p->is_mail_refused) {
		on_stray_end(e, t, r);
	} else if (has_accepted && is_bdat_unknown(e, c, r)) {
		refuse_chunking(e, c);
	} else if (c->is_last && has_accepted && p->returned == NULL) {
		decide_content(e, t, r);
	} else if (!is_yes) {
		refuse_chunk(e, t, r);
	} else if (c->is_last && p->n_accepted > 0) {
		/* An earlier chunk was refused, and yet this was taken. */
		smtp_lost(e, "protocol-error",
			  "BDAT accepted without a valid transaction");
	} else {
		p->is_chunk_taken = true;
	}
}

/*
 * A server that refuses RSET may have kept the transaction before it. What
 * became of the messages behind it, their own replies tell.
 */
static void on_rset(struct smtp_engine *e, struct command *c,
		    const struct reply *r)
{
	static const char reason[] = "rset-refused", why[] = "RSET was refused";

	(void)c;
	e->is_astray = !outcome_is_yes(SMTP_PHASE_MAIL, r->code);
	if (!e->is_astray || r->code == 421)
		return;
	if (r->code >= 400 && r->code <= 599)
		engine_part(e, reason, why);
	else
		smtp_lost(e, reason, why);
}

static void on_quit(struct smtp_engine *e, struct command *c,
		    const struct reply *r)
{
	(void)e;
	(void)c;
	(void)r;
}

/* clang-format off */
const struct step engine_steps[] = {
	[CMD_GREETING] = { "", false, SMTP_WAIT_COMMAND, SMTP_PHASE_GREETING,
			   print_verb, engine_on_greeting },
	[CMD_EHLO] = { "EHLO", false, SMTP_WAIT_COMMAND, SMTP_PHASE_HELLO,
		       engine_print_hello, engine_on_ehlo },
	[CMD_HELO] = { "HELO", false, SMTP_WAIT_COMMAND, SMTP_PHASE_HELLO,
		       engine_print_hello, engine_on_helo },
	[CMD_STARTTLS] = { "STARTTLS", false, SMTP_WAIT_COMMAND,
			   SMTP_PHASE_STARTTLS, print_verb,
			   engine_on_starttls },
	[CMD_AUTH] = { "AUTH", false, SMTP_WAIT_COMMAND, SMTP_PHASE_AUTH,
		       engine_print_auth, engine_on_auth },
	[CMD_RESPONSE] = { "", false, SMTP_WAIT_COMMAND, SMTP_PHASE_AUTH,
			   engine_print_auth, engine_on_auth },
	[CMD_MAIL] = { "MAIL", true, SMTP_WAIT_COMMAND, SMTP_PHASE_MAIL,
		       engine_print_mail, on_mail },
	[CMD_RCPT] = { "RCPT", true, SMTP_WAIT_COMMAND, SMTP_PHASE_RCPT,
		       engine_print_rcpt, on_rcpt },
	[CMD_DATA] = { "DATA", false, SMTP_WAIT_DATA, SMTP_PHASE_DATA,
		       print_data, on_data },
	[CMD_END] = { ".", true, SMTP_WAIT_END, SMTP_PHASE_END,
		      print_verb, on_end },
	[CMD_BDAT] = { "BDAT", true, SMTP_WAIT_END, SMTP_PHASE_END,
		       print_verb, on_bdat },
	[CMD_RSET] = { "RSET", true, SMTP_WAIT_COMMAND, SMTP_PHASE_MAIL,
		       print_verb, on_rset },
	[CMD_QUIT] = { "QUIT", false, SMTP_WAIT_COMMAND, SMTP_PHASE_END,
		       print_quit, on_quit },
};
/* clang-format on */
