/*
 * engine_auth.c - AUTH: the exchange, whoever's mechanism it is.
 *
 *	auth     = "AUTH" SP mechanism [ SP initial-response ] CRLF
 *		   *( continue-req [ base64 ] CRLF ) ; RFC 4954 4, 8
 *	continue-req = "334" SP [ base64 ] CRLF
 *
 * An empty initial response is "="; one that does not fit into a command's
 * line waits for an empty challenge. A dialogue that we break off ends with "*"
 * and the server's reply to that. What is secret is in as few places as
 * can be, and wiped; what is shown of it is "***".
 */
#include "base/b64.h"
#include "smtp/engine_internal.h"

#include <string.h>

enum {
	AUTH_LINE_MAX = 510, /* RFC 5321 4.5.3.1.4, without CRLF */
	BASE64_MAX = 12288,  /* RFC 4954 4, either way */
	AUTH_TRIES_MAX = 2
};

static const char auth_failed[] = "auth-failed";

bool engine_is_in_auth(const struct smtp_engine *e)
{
	const struct command *c = TAILQ_FIRST(&e->waiting);

	return c != NULL && (c->kind == CMD_AUTH || c->kind == CMD_RESPONSE);
}

/* The session fails for a reason of ours. */
static void fail(struct smtp_engine *e, const struct err *why)
{
	engine_fail_open(e, SMTP_PHASE_AUTH, NULL, auth_failed,
			 why->text[0] != '\0' ? why->text
					      : "authentication failed");
}

/* ---- what is said ------------------------------------------------------- */

/* The line goes out as it is, and is shown otherwise. */
void engine_print_auth(struct smtp_engine *e, struct command *c)
{
	struct engine_auth *a = &e->auth;

	str_reserve(&e->out, a->line.len + 2);
	str_add(&e->out, str_slice(&a->line));
	str_adds(&e->out, "\r\n");
	a->is_in_output = true;
	e->parser.may_challenge = true;
	str_wipe(&a->line);
	engine_trace(e, c, slice_of(a->shown), NULL, 'w');
}

void engine_auth_sent(struct smtp_engine *e)
{
	if (!e->auth.is_in_output)
		return;
	str_wipe(&e->out);
	e->out_taken = 0;
	e->auth.is_in_output = false;
}

void engine_auth_done(struct smtp_engine *e)
{
	str_done(&e->auth.offered);
	str_wipe(&e->auth.line);
	str_wipe(&e->auth.held);
	str_done(&e->auth.readable);
	if (e->auth.is_in_output)
		str_wipe(&e->out);
}

static void say_auth(struct smtp_engine *e, struct smtp_auth_start *start)
{
	struct engine_auth *a = &e->auth;
	const char *behind = "";

	str_reserve(&a->line, AUTH_LINE_MAX + start->initial.len * 2);
	str_addf(&a->line, "AUTH %s", a->mechanism);
	if (start->has_initial) {
		size_t before = a->line.len;

		str_addc(&a->line, ' ');
		if (start->initial.len == 0)
			str_addc(&a->line, '=');
		b64_add(&a->line, str_slice(&start->initial));
		a->is_held = a->line.len > AUTH_LINE_MAX;
		if (a->is_held) {
			str_cut(&a->line, before);
			str_reserve(&a->held, start->initial.len);
			str_add(&a->held, str_slice(&start->initial));
		} else {
			behind = " ***";
		}
	}
	a->shown = arena_printf(e->arena, "AUTH %s%s", a->mechanism, behind).p;
	engine_push(e, CMD_AUTH, NULL);
}

void engine_auth_begin(struct smtp_engine *e)
{
	const struct smtp_auth *auth = e->config.auth;
	struct smtp_auth_start start = { 0 };
	struct err why = { 0 };
	enum smtp_auth_choice choice = SMTP_AUTH_SKIP;

	if (auth != NULL)
		choice = auth->begin(auth->context, str_slice(&e->auth.offered),
				     e->is_tls, &start, &why);
	if (choice == SMTP_AUTH_USE) {
		e->auth.tries++;
		e->auth.mechanism = start.mechanism;
		say_auth(e, &start);
	} else if (choice == SMTP_AUTH_SKIP && e->auth.tries == 0) {
		engine_become_ready(e);
	} else {
		fail(e, &why);
	}
	str_wipe(&start.initial);
}

/* ---- challenges --------------------------------------------------------- */

static void cancel(struct smtp_engine *e, const struct err *why)
{
	e->auth.is_cancelled = true;
	e->auth.why = *why;
	e->auth.shown = "*";
	str_adds(&e->auth.line, "*");
	engine_push(e, CMD_RESPONSE, NULL);
}

/* What a challenge asks, decoded. */
static int read_challenge(const struct reply *r, struct str *to,
			  struct err *err)
{
	struct slice text = slice_trim(slice_from(r->text, 4));

	if (slice_has(r->text, '\n') || text.len > BASE64_MAX ||
	    !b64_read(text, to))
		return FAIL(err, "remote sent a malformed challenge");
	return 0;
}

static int respond(struct smtp_engine *e, struct slice challenge,
		   struct str *response, struct err *err)
{
	const struct smtp_auth *auth = e->config.auth;
	struct engine_auth *a = &e->auth;

	if (!a->is_held)
		return auth->step(auth->context, challenge, response, err) ? 0
									   : -1;
	if (challenge.len > 0)
		return FAIL(err,
			    "remote sent a challenge where it had to wait");
	*response = a->held;
	a->held = STR_INIT;
	a->is_held = false;
	return 0;
}

static void on_challenge(struct smtp_engine *e, const struct reply *r)
{
	struct str challenge = STR_INIT, response = STR_INIT;
	struct err why = { 0 };
	int done = read_challenge(r, &challenge, &why);

	if (done == 0)
		done = respond(e, str_slice(&challenge), &response, &why);
	if (done == 0 && response.len > BASE64_MAX / 4 * 3)
		done = FAIL(&why, "the response is too long for AUTH");
	if (done == 0) {
		b64_add(&e->auth.line, str_slice(&response));
		e->auth.shown = "***";
		engine_push(e, CMD_RESPONSE, NULL);
	} else {
		cancel(e, &why);
	}
	str_wipe(&challenge);
	str_wipe(&response);
}

/* ---- the end ------------------------------------------------------------ */

/* The server has decided. */
static void decide(struct smtp_engine *e, const struct command *c,
		   const struct reply *r)
{
	const struct smtp_auth *auth = e->config.auth;
	bool is_yes = outcome_is_yes(SMTP_PHASE_AUTH, r->code);
	struct err why = { 0 };
	enum smtp_auth_end end = auth->done(auth->context, r, &why);
	struct reply shown;

	str_wipe(&e->auth.held);
	e->auth.is_held = false;
	if (end == SMTP_AUTH_DONE && is_yes) {
		e->auth.is_done = true;
		engine_become_ready(e);
	} else if (end == SMTP_AUTH_OTHER && !is_yes && r->code != 421 &&
		   e->auth.tries < AUTH_TRIES_MAX) {
		engine_auth_begin(e);
	} else if (is_yes || why.text[0] != '\0') {
		engine_fail_open(e, SMTP_PHASE_AUTH, r, auth_failed,
				 why.text[0] != '\0'
				     ? why.text
				     : "remote took an unfinished dialogue");
	} else {
		shown = engine_auth_readable(e, c, r);
		engine_fail_open(e, SMTP_PHASE_AUTH, &shown, NULL, NULL);
	}
}

void engine_on_auth(struct smtp_engine *e, struct command *c,
		    const struct reply *r)
{
	bool is_end = outcome_is_yes(SMTP_PHASE_AUTH, r->code) ||
		      (r->code >= 400 && r->code <= 599);

	e->parser.may_challenge = false; /* until we ask for another */
	if (!is_end && (r->code != 334 || e->auth.is_cancelled))
		smtp_lost(e, "protocol-error", "unexpected reply to AUTH");
	else if (e->state != ENGINE_OPENING && !is_end)
		smtp_lost(e, e->lost_reason, e->lost_why);
	else if (e->state != ENGINE_OPENING)
		return; /* QUIT comes next */
	else if (e->auth.is_cancelled)
		fail(e, &e->auth.why);
	else if (is_end)
		decide(e, c, r);
	else
		on_challenge(e, r);
}

/* ---- what is shown ------------------------------------------------------ */

struct reply engine_auth_readable(struct smtp_engine *e,
				  const struct command *c,
				  const struct reply *r)
{
	const struct smtp_auth *auth = e->config.auth;
	struct str *text = &e->auth.readable;
	struct reply shown = *r;

	bool is_auth =
	    c != NULL && (c->kind == CMD_AUTH || c->kind == CMD_RESPONSE);

	if (!is_auth && (!e->auth.is_done || auth->hide == NULL))
		return shown;
	str_clear(text);
	if (is_auth && r->code == 334)
		str_adds(text, "334 ***");
	else if (auth->hide != NULL)
		auth->hide(auth->context, r->text, text);
	else
		str_add(text, r->text);
	shown.text = str_slice(text);
	return shown;
}

const char *smtp_auth_mechanism(const struct smtp_engine *e)
{
	return e->auth.is_done ? e->auth.mechanism : NULL;
}
