/*
 * auth.c - accounts: found, put off, remembered.
 */
#include "smtpta/auth_internal.h"

#include "base/keyword.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
	COMMAND_MS = 30 * 1000,
	/* After a failure: at first, and at most, milliseconds. */
	REST_FIRST = 60 * 1000,
	REST_MOST = 60 * 60 * 1000
};

/* ---- life --------------------------------------------------------------- */

struct auth *auth_new(const struct auth_options *o)
{
	struct auth *a = mem_zero(1, sizeof(*a));

	a->options = *o;
	if (a->options.command_ms == 0)
		a->options.command_ms = COMMAND_MS;
	return a;
}

void auth_account_release(struct auth_account *account)
{
	if (--account->n_holders > 0)
		return;
	str_wipe(&account->secret);
	str_done(&account->status);
	str_done(&account->diagnostic);
	str_done(&account->text);
	free(account);
}

static void forget_accounts(struct auth *a)
{
	for (size_t i = 0; i < a->n_accounts; i++)
		auth_account_release(a->accounts[i]);
	a->n_accounts = 0;
}

void auth_free(struct auth *a)
{
	if (a == NULL)
		return;
	forget_accounts(a);
	free(a->accounts);
	secrets_done(&a->secrets);
	free(a);
}

static struct auth_account *account_of(struct auth *a, unsigned line)
{
	struct auth_account *account;

	for (size_t i = 0; i < a->n_accounts; i++)
		if (a->accounts[i]->line == line)
			return a->accounts[i];
	a->accounts = mem_grow(a->accounts, &a->accounts_cap, a->n_accounts + 1,
			       sizeof(*a->accounts));
	account = mem_zero(1, sizeof(*account));
	account->line = line;
	account->n_holders = 1;
	a->accounts[a->n_accounts++] = account;
	return account;
}

/* ---- what may not be done now ------------------------------------------- */

static const struct diag *no_file(const struct err *err, struct arena *arena)
{
	struct diag *d = ARENA_NEW(arena, struct diag);

	d->fate = FATE_DEFERRED_ALL;
	d->reason = "auth-file";
	d->status = SLICE("4.3.5 (System incorrectly configured)");
	d->diagnostic = SLICE("x-local; 466 (the accounts for authentication "
			      "cannot be read)");
	d->text = arena_dup(arena, slice_of(err->text));
	return d;
}

static const struct diag *not_yet(const struct auth_account *account,
				  int64_t now, struct arena *arena)
{
	struct diag *d = ARENA_NEW(arena, struct diag);
	long long seconds = (account->not_before - now + 999) / 1000;

	d->fate = FATE_DEFERRED_ALL;
	d->reason = "auth-failed";
	d->status = arena_dup(arena, str_slice(&account->status));
	d->diagnostic = arena_dup(arena, str_slice(&account->diagnostic));
	d->text = arena_printf(arena,
			       "authentication failed, and is not tried again "
			       "for %lld seconds: %s",
			       seconds, str_cstr(&account->text));
	return d;
}

static void keep(struct str *to, struct slice text)
{
	str_clear(to);
	str_add(to, text);
}

void auth_remember(struct auth_dialogue *d, const struct reply *reply,
		   const char *why)
{
	struct auth_account *account = d->account;
	struct arena *arena = arena_new();
	struct diag diag = { 0 };
	int64_t rest = REST_FIRST;

	for (unsigned i = 0; i < account->n_failures && rest < REST_MOST; i++)
		rest *= 2;
	account->n_failures++;
	account->not_before = d->auth->options.now() +
			      (rest < REST_MOST ? rest : (int64_t)REST_MOST);
	if (reply != NULL) {
		(void)outcome_of_reply(SMTP_PHASE_AUTH, reply, true, arena,
				       &diag);
		diag.text = reply->text;
	} else {
		diag.status = SLICE("4.7.8");
		diag.diagnostic = arena_printf(arena, "smtp; 466 (%s)", why);
		diag.text = slice_of(why);
	}
	keep(&account->status, diag.status);
	keep(&account->diagnostic, diag.diagnostic);
	keep(&account->text, diag.text);
	arena_free(arena);
}

/* ---- finding ------------------------------------------------------------ */

/* The file as it is now. Whatever was known of another state is forgotten. */
static int refresh(struct auth *a, struct err *err)
{
	if (secrets_is_current(&a->secrets))
		return 0;
	forget_accounts(a);
	secrets_done(&a->secrets);
	return secrets_read(a->options.file, &a->secrets, err);
}

static int bad_entry(const struct auth_dialogue *d, const char *what,
		     struct err *err)
{
	return FAIL(err, "%s: %s", str_cstr(&d->where), what);
}

/* The set of mechanisms that an entry names. */
static int read_mechanisms(struct auth_dialogue *d, struct err *err)
{
	struct slice words = str_slice(&d->entry.mechanisms), word;
	enum sasl_mechanism mechanism;

	while (slice_word(&words, &word)) {
		if (!sasl_find(word, &mechanism))
			return bad_entry(
			    d, "unknown mechanism in mechanism=", err);
		d->allowed |= SASL_SET(mechanism);
	}
	return 0;
}

/* Is what the entry holds what its mechanisms need? */
static int check_entry(struct auth_dialogue *d, struct err *err)
{
	bool has_secret = d->entry.secret.len + d->entry.command.len > 0;

	if (read_mechanisms(d, err) < 0)
		return -1;
	if (d->allowed == 0)
		d->allowed = SASL_PASSWORDS;
	if ((d->allowed & SASL_TOKENS) != 0 &&
	    (d->allowed & SASL_PASSWORDS) != 0)
		return bad_entry(d,
				 "mechanism= has some that take a token and "
				 "some that take a password",
				 err);
	if (!has_secret && d->allowed != SASL_SET(SASL_EXTERNAL))
		return bad_entry(d, "only mechanism=EXTERNAL needs no secret",
				 err);
	return 0;
}

static struct auth_dialogue *
new_dialogue(struct auth *a, struct secrets_entry *entry, struct slice host)
{
	struct auth_dialogue *d = mem_zero(1, sizeof(*d));

	d->auth = a;
	d->entry = *entry;
	d->account = account_of(a, entry->line);
	d->account->n_holders++;
	str_add(&d->host, host);
	str_addf(&d->where, "%s:%u", a->options.file, entry->line);
	auth_dialogue_init(d);
	return d;
}

bool auth_wants_verified(struct auth *a, struct slice host)
{
	struct secrets_entry entry = { 0 };
	bool wants;
	struct err err;

	if (a->options.file == NULL || refresh(a, &err) != 0 ||
	    secrets_find(&a->secrets, a->options.channel, host, &entry, &err) <=
		0)
		return false;
	wants = entry.over == SECRETS_OVER_VERIFIED;
	secrets_entry_done(&entry);
	return wants;
}

enum auth_found auth_find(struct auth *a, struct slice host,
			  struct arena *arena, struct auth_dialogue **ret,
			  const struct diag **ret_why)
{
	struct secrets_entry entry = { 0 };
	struct auth_dialogue *d;
	int64_t now = a->options.now();
	struct err err;
	int found;

	if (a->options.file == NULL)
		return AUTH_NONE;
	found = refresh(a, &err);
	if (found == 0)
		found = secrets_find(&a->secrets, a->options.channel, host,
				     &entry, &err);
	if (found == 0)
		return AUTH_NONE;
	if (found < 0) {
		*ret_why = no_file(&err, arena);
		return AUTH_DEFERRED;
	}
	d = new_dialogue(a, &entry, host);
	if (check_entry(d, &err) < 0)
		*ret_why = no_file(&err, arena);
	else if (now < d->account->not_before)
		*ret_why = not_yet(d->account, now, arena);
	else {
		*ret = d;
		return AUTH_READY;
	}
	auth_dialogue_free(d);
	return AUTH_DEFERRED;
}
