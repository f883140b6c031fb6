/*
 * auth_dialogue.c - one authentication: what the engine asks for.
 *
 * The mechanism is the strongest of those that the server offers, that the
 * entry allows, and that what we have is enough for. Whoever could edit the
 * offer could get a secret in a weaker form: so nothing is said over a
 * connection whose other end is not known to be who it should be, unless the
 * entry says that it may.
 */
#include "base/b64.h"
#include "base/mem.h"
#include "smtpta/auth_internal.h"
#include "smtpta/token.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is possible --------------------------------------------------- */

/* With what is known of the connection by now. */
static unsigned possible(const struct auth_dialogue *d)
{
	unsigned set = d->allowed & ~d->refused;

	if (d->binding.len == 0)
		set &= ~(unsigned)SASL_SCRAMS_PLUS;
	if (!d->peer.has_certificate)
		set &= ~SASL_SET(SASL_EXTERNAL);
	return set;
}

/* May the account be used over this connection? -1 with err filled: no. */
static int check_peer(const struct auth_dialogue *d, struct err *err)
{
	if (d->peer.is_trusted || d->entry.over == SECRETS_OVER_CLEAR)
		return 0;
	if (d->entry.over == SECRETS_OVER_ENCRYPTED)
		return d->peer.is_encrypted
			   ? 0
			   : FAIL(err, "no authentication over a connection in "
				       "clear");
	return FAIL(err, "no authentication over a connection that is not "
			 "verified TLS");
}

static int choose(const struct auth_dialogue *d, struct slice offered,
		  enum sasl_mechanism *ret, struct err *err)
{
	if (check_peer(d, err) < 0)
		return -1;
	if (offered.len == 0)
		return FAIL(err, "remote does not offer AUTH");
	if (!sasl_strongest(sasl_set_of(offered) & possible(d), ret))
		return FAIL(err,
			    "remote offers no mechanism of AUTH that can "
			    "be used here, but %.*s",
			    SLICE_ARG(offered));
	return 0;
}

const char *auth_would_use(const struct auth_dialogue *d, struct slice offered,
			   struct err *why)
{
	enum sasl_mechanism mechanism;

	return choose(d, offered, &mechanism, why) < 0 ? NULL
						       : sasl_name(mechanism);
}

/* ---- the secret --------------------------------------------------------- */

/* A little before it expires it is as good as expired. */
static void put_into_cache(struct auth_dialogue *d, unsigned seconds)
{
	unsigned margin = seconds / 10 < 60 ? seconds / 10 : 60;

	str_wipe(&d->account->secret);
	if (seconds == 0)
		return;
	str_add(&d->account->secret, str_slice(&d->secret));
	d->account->until =
	    d->auth->options.now() + (int64_t)(seconds - margin) * 1000;
}

static int fetch_secret(struct auth_dialogue *d, struct err *err)
{
	struct auth_account *account = d->account;
	unsigned seconds;

	if (d->secret.len > 0)
		return 0;
	if (d->entry.command.len == 0) {
		str_add(&d->secret, str_slice(&d->entry.secret));
		return 0;
	}
	if (account->secret.len > 0 &&
	    d->auth->options.now() < account->until) {
		str_add(&d->secret, str_slice(&account->secret));
		d->is_from_cache = true;
		return 0;
	}
	if (token_run(str_slice(&d->entry.command), d->auth->options.command_ms,
		      &d->secret, &seconds, err) < 0) {
		auth_remember(d, NULL, err->text);
		return -1;
	}
	put_into_cache(d, seconds);
	return 0;
}

/* ---- what the engine asks ----------------------------------------------- */

static void note_said(struct auth_dialogue *d, const struct str *message)
{
	str_wipe(&d->said);
	b64_add(&d->said, str_slice(message));
}

static int start_scram(struct auth_dialogue *d, struct smtp_auth_start *ret,
		       struct err *err)
{
	struct scram_setup setup = {
		.mechanism = sasl_name(d->mechanism),
		.user = str_slice(&d->entry.user),
		.secret = str_slice(&d->secret),
		.binding_kind = d->peer.binding_kind,
		.binding = str_slice(&d->binding),
	};

	d->scram = scram_new(&setup, err);
	if (d->scram == NULL)
		return -1;
	ret->has_initial = true;
	return scram_step(d->scram, SLICE(""), &ret->initial, err);
}

static int start(struct auth_dialogue *d, struct smtp_auth_start *ret,
		 struct err *err)
{
	scram_free(d->scram);
	d->scram = NULL;
	if ((SASL_SET(d->mechanism) & SASL_SCRAMS) != 0)
		return start_scram(d, ret, err);
	d->sasl = (struct sasl){ .mechanism = d->mechanism,
				 .user = str_slice(&d->entry.user),
				 .secret = str_slice(&d->secret),
				 .host = str_slice(&d->host) };
	return sasl_begin(&d->sasl, &ret->has_initial, &ret->initial, err);
}

static enum smtp_auth_choice begin(void *context, struct slice offered,
				   bool is_tls, struct smtp_auth_start *ret,
				   struct err *why)
{
	struct auth_dialogue *d = context;

	/* What the session told us of TLS was told for this connection. */
	if (d->peer.is_encrypted != is_tls && !is_tls) {
		err_set(why, 0, "no authentication: TLS was lost");
		return SMTP_AUTH_FAIL;
	}
	d->is_chosen = false;
	str_clear(&d->offered);
	str_add(&d->offered, offered);
	if (choose(d, offered, &d->mechanism, why) < 0)
		return SMTP_AUTH_FAIL;
	if (d->only_looks) {
		d->is_chosen = true;
		return SMTP_AUTH_SKIP;
	}
	if ((d->mechanism != SASL_EXTERNAL && fetch_secret(d, why) < 0) ||
	    start(d, ret, why) < 0)
		return SMTP_AUTH_FAIL;
	d->is_chosen = true;
	ret->mechanism = sasl_name(d->mechanism);
	note_said(d, &ret->initial);
	return SMTP_AUTH_USE;
}

static bool step(void *context, struct slice challenge,
		 struct str *ret_response, struct err *why)
{
	struct auth_dialogue *d = context;
	int done = d->scram != NULL
		       ? scram_step(d->scram, challenge, ret_response, why)
		       : sasl_step(&d->sasl, challenge, ret_response, why);

	if (done == 0)
		note_said(d, ret_response);
	else
		auth_remember(d, NULL, why->text);
	return done == 0;
}

/* ---- the end ------------------------------------------------------------ */

static bool is_complete(const struct auth_dialogue *d)
{
	return d->scram != NULL ? scram_is_proved(d->scram)
				: sasl_is_complete(&d->sasl);
}

static enum smtp_auth_end on_yes(struct auth_dialogue *d, struct err *why)
{
	if (!is_complete(d)) {
		err_set(why, 0, "%s",
			d->scram != NULL
			    ? "remote did not prove that it knows the secret"
			    : "remote took an unfinished dialogue");
		auth_remember(d, NULL, why->text);
		return SMTP_AUTH_FAILED;
	}
	d->is_accepted = true;
	d->account->n_failures = 0;
	d->account->not_before = 0;
	return SMTP_AUTH_DONE;
}

static void hide(void *context, struct slice text, struct str *to);

static void note_refusal(struct auth_dialogue *d, const struct reply *reply)
{
	struct reply shown = *reply;
	struct str text = STR_INIT;

	hide(d, reply->text, &text);
	shown.text = str_slice(&text);
	auth_remember(d, &shown, NULL);
	str_done(&text);
}

/*
 * A mechanism that the server does not know after all (504) is not the
 * account's fault. A token from before may have been called back: the next
 * connection gets a new one. 421 is about the server.
 */
static enum smtp_auth_end on_no(struct auth_dialogue *d,
				const struct reply *reply)
{
	bool is_token_old = d->is_from_cache && reply->code >= 500;

	if (reply->code == 504) {
		d->refused |= SASL_SET(d->mechanism);
		if ((sasl_set_of(str_slice(&d->offered)) & possible(d)) != 0)
			return SMTP_AUTH_OTHER;
	}
	if (reply->code >= 500)
		str_wipe(&d->account->secret);
	if (reply->code != 421 && !is_token_old)
		note_refusal(d, reply);
	return SMTP_AUTH_FAILED;
}

static enum smtp_auth_end done(void *context, const struct reply *reply,
			       struct err *why)
{
	struct auth_dialogue *d = context;

	return reply->code < 300 ? on_yes(d, why) : on_no(d, reply);
}

/* ---- what is not shown -------------------------------------------------- */

static bool is_word_byte(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || (c & 0x80) != 0;
}

/*
 * Does a text have it at a place? What is short counts only as a word of its
 * own.
 */
static bool has_at(struct slice text, size_t at, struct slice what,
		   bool only_words)
{
	size_t end = at + what.len;

	if (what.len == 0 || !slice_starts_nocase(slice_from(text, at), what))
		return false;
	if (what.len > 3 && !only_words)
		return true;
	return (at == 0 || !is_word_byte(text.p[at - 1])) &&
	       (end == text.len || !is_word_byte(text.p[end]));
}

enum { HIDDEN_MAX = 5 };

/* What is not to be seen. */
struct hidden {
	struct slice what[HIDDEN_MAX];
	size_t n;
	bool only_words;
};

/* The longest of them that a text has at a place; 0: none. */
static size_t longest_at(struct slice text, size_t at, const struct hidden *h)
{
	size_t longest = 0;

	for (size_t i = 0; i < h->n; i++)
		if (h->what[i].len > longest &&
		    has_at(text, at, h->what[i], h->only_words))
			longest = h->what[i].len;
	return longest;
}

static void hide_in_line(struct slice line, const struct hidden *h,
			 struct str *to)
{
	for (size_t at = 0; at < line.len;) {
		size_t n = longest_at(line, at, h);

		if (n > 0)
			str_adds(to, "***");
		else
			str_addc(to, line.p[at]);
		at += n > 0 ? n : 1;
	}
}

/* The code in front of each line stays: by it the reply is understood. */
static void hide_in_lines(struct slice text, const struct hidden *h,
			  struct str *to)
{
	const char *between = "";
	struct slice line;

	while (slice_cut(&text, '\n', &line)) {
		str_adds(to, between);
		str_add(to, slice_head(line, 4));
		hide_in_line(slice_from(line, 4), h, to);
		between = "\n";
	}
}

/*
 * When AUTH is over a server has no reason to repeat the secret; were it looked
 * for nevertheless, the gap would show which of its words it is.
 */
static void hide(void *context, struct slice text, struct str *to)
{
	const struct auth_dialogue *d = context;
	struct str user = STR_INIT, secret = STR_INIT;
	struct hidden h = { .n = 2, .only_words = d->is_accepted };

	b64_add(&user, str_slice(&d->entry.user));
	h.what[0] = str_slice(&d->entry.user);
	h.what[1] = str_slice(&user);
	if (!d->is_accepted) {
		b64_add(&secret, str_slice(&d->secret));
		h.what[2] = str_slice(&d->secret);
		h.what[3] = str_slice(&secret);
		h.what[4] = str_slice(&d->said);
		h.n = HIDDEN_MAX;
	}
	hide_in_lines(text, &h, to);
	str_wipe(&user);
	str_wipe(&secret);
}

/* ---- life --------------------------------------------------------------- */

void auth_dialogue_init(struct auth_dialogue *d)
{
	d->smtp = (struct smtp_auth){ .context = d,
				      .begin = begin,
				      .step = step,
				      .done = done,
				      .hide = hide };
}

void auth_dialogue_free(struct auth_dialogue *d)
{
	if (d == NULL)
		return;
	auth_account_release(d->account);
	scram_free(d->scram);
	secrets_entry_done(&d->entry);
	str_wipe(&d->secret);
	str_wipe(&d->said);
	str_wipe(&d->binding);
	str_done(&d->offered);
	str_done(&d->host);
	str_done(&d->where);
	free(d);
}

void auth_secured(struct auth_dialogue *d, const struct auth_peer *peer)
{
	d->peer = *peer;
	str_wipe(&d->binding);
	if (peer->binding_kind != SCRAM_BINDING_NONE)
		str_add(&d->binding, peer->binding);
	d->peer.binding = slice_make(NULL, 0);
}

void auth_only_look(struct auth_dialogue *d)
{
	d->only_looks = true;
}

const struct smtp_auth *auth_smtp(struct auth_dialogue *d)
{
	return &d->smtp;
}

const char *auth_mechanism(const struct auth_dialogue *d)
{
	return d->is_chosen ? sasl_name(d->mechanism) : NULL;
}

const char *auth_where(const struct auth_dialogue *d)
{
	return str_cstr(&d->where);
}
