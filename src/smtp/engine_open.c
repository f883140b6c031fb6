/*
 * engine_open.c - opening a session: greeting, EHLO, STARTTLS, EHLO again.
 *
 *	"STARTTLS" CRLF		; RFC 3207 4; the last of its group
 *
 * What is heard before TLS is up may have been said by anybody: once it is up
 * nothing of that is left (smtp_tls_started), and what comes in clear behind
 * the 220 ends the session (RFC 3207 4.2, 6). AUTH follows in engine_auth.c.
 */
#include "smtp/engine_internal.h"

#include <assert.h>

enum { INJECTED_SHOWN = 80 };

void engine_print_hello(struct smtp_engine *e, struct command *c)
{
	bool is_lhlo = c->kind == CMD_EHLO && e->config.is_lmtp;
	struct str line = STR_INIT;

	str_adds(&line, is_lhlo ? "LHLO" : engine_steps[c->kind].verb);
	str_addc(&line, ' ');
	str_add(&line, e->config.helo_name);
	engine_put_line(e, c, str_slice(&line));
	str_done(&line);
}

/* ---- greeting and hello ------------------------------------------------- */

static bool says_esmtp(struct slice text)
{
	for (size_t i = 0; i + 5 <= text.len; i++)
		if (slice_starts_nocase(slice_from(text, i), SLICE("ESMTP")))
			return true;
	return false;
}

static bool is_tls_missing(const struct smtp_engine *e)
{
	return e->config.tls == SMTP_TLS_REQUIRED && !e->is_tls;
}

/* Is there something to be done for which HELO is not enough? */
static bool needs_ehlo(const struct smtp_engine *e)
{
	return is_tls_missing(e) || e->config.auth != NULL;
}

void engine_on_greeting(struct smtp_engine *e, struct command *c,
			const struct reply *r)
{
	bool use_ehlo = !e->config.no_esmtp;

	(void)c;
	if (!outcome_is_yes(SMTP_PHASE_GREETING, r->code)) {
		engine_fail_open(e, SMTP_PHASE_GREETING, r, NULL, NULL);
		return;
	}
	if (e->config.esmtp_only_if_greeted && !says_esmtp(r->text) &&
	    !needs_ehlo(e))
		use_ehlo = false;
	if (e->config.is_lmtp)
		use_ehlo = true;
	engine_push(e, use_ehlo ? CMD_EHLO : CMD_HELO, NULL);
}

void engine_become_ready(struct smtp_engine *e)
{
	if (e->state == ENGINE_OPENING) /* not if QUIT is to come */
		e->state = ENGINE_READY;
	engine_tell(e, (struct smtp_event){ .kind = SMTP_EVENT_READY });
}

/* What the session needs beside a hello that was answered. */
static void secure(struct smtp_engine *e)
{
	bool is_offered = e->caps.starttls && e->config.tls != SMTP_TLS_NONE;

	if (e->state != ENGINE_OPENING)
		return; /* QUIT comes next */
	if (is_offered && !e->is_tls)
		engine_push(e, CMD_STARTTLS, NULL);
	else if (is_tls_missing(e))
		engine_fail_open(e, SMTP_PHASE_STARTTLS, NULL,
				 "starttls-not-offered",
				 "remote does not offer STARTTLS");
	else
		engine_auth_begin(e);
}

/* Takes what EHLO offers, as far as it means anything where we are. */
static void take_caps(struct smtp_engine *e, struct slice text)
{
	caps_parse(text, &e->caps);
	caps_mask(&e->caps, e->config.ignored);
	/* RFC 3207 4.2, RFC 8689 2: the one means nothing in TLS, the other
	 * nothing outside of it. */
	caps_mask(&e->caps,
		  e->is_tls ? SMTP_EXT_STARTTLS : SMTP_EXT_REQUIRETLS);
	str_clear(&e->auth.offered);
	if (e->caps.auth)
		caps_auth_words(text, &e->auth.offered);
}

/*
 * A server that does not know EHLO is greeted with HELO. Not one that knew it
 * a moment ago, and not if what we need is to be had by EHLO alone.
 */
void engine_on_ehlo(struct smtp_engine *e, struct command *c,
		    const struct reply *r)
{
	(void)c;
	if (outcome_is_yes(SMTP_PHASE_HELLO, r->code)) {
		take_caps(e, r->text);
		secure(e);
	} else if (r->code >= 500 && r->code <= 599 && r->code != 521 &&
		   !e->config.is_lmtp && !e->is_restarted && !needs_ehlo(e)) {
		engine_push(e, CMD_HELO, NULL);
	} else {
		engine_fail_open(e, SMTP_PHASE_HELLO, r, NULL, NULL);
	}
}

void engine_on_helo(struct smtp_engine *e, struct command *c,
		    const struct reply *r)
{
	(void)c;
	if (outcome_is_yes(SMTP_PHASE_HELLO, r->code))
		secure(e);
	else
		engine_fail_open(e, SMTP_PHASE_HELLO, r, NULL, NULL);
}

/* ---- STARTTLS ----------------------------------------------------------- */

/* 220 and nothing else: behind another 2xx nobody knows who speaks first. */
void engine_on_starttls(struct smtp_engine *e, struct command *c,
			const struct reply *r)
{
	(void)c;
	if (r->code == 220 && e->state != ENGINE_OPENING)
		smtp_lost(e, e->lost_reason, e->lost_why);
	else if (r->code == 220)
		e->is_at_tls = true;
	else if (outcome_is_yes(SMTP_PHASE_STARTTLS, r->code))
		engine_fail_open(e, SMTP_PHASE_STARTTLS, r, "starttls-refused",
				 "unexpected reply to STARTTLS");
	else
		engine_fail_open(e, SMTP_PHASE_STARTTLS, r, NULL, NULL);
}

void engine_lose_injected(struct smtp_engine *e, struct slice bytes)
{
	struct str why = STR_INIT;

	str_adds(&why, "remote sent \"");
	str_add_clean(&why, slice_head(bytes, slice_find(bytes, '\r')),
		      INJECTED_SHOWN);
	str_adds(&why, "\" in clear behind its reply to STARTTLS");
	smtp_lost(e, "starttls-injection", str_cstr(&why));
	str_done(&why);
}

void smtp_tls_started(struct smtp_engine *e)
{
	if (e->state == ENGINE_CLOSED)
		return;
	assert(e->is_at_tls && e->is_tls_told);
	assert(TAILQ_EMPTY(&e->waiting) && e->out.len == e->out_taken);
	e->is_at_tls = false;
	e->is_tls = e->is_restarted = true;
	e->caps = (struct caps){ 0 };
	str_clear(&e->auth.offered);
	reply_done(&e->parser);
	e->is_group_answered = e->is_dismissed = false;
	engine_push(e, CMD_EHLO, NULL);
	engine_pump(e);
}

bool smtp_is_tls(const struct smtp_engine *e)
{
	return e->is_tls;
}
