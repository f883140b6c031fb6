/*
 * auth_internal.h - what auth.c and auth_dialogue.c share.
 *
 * An account is a line of the file. Once the file has changed it is another
 * one, whatever becomes of the dialogues that still have the old.
 */
#ifndef SMTPTA_AUTH_INTERNAL_H
#define SMTPTA_AUTH_INTERNAL_H

#include "conf/secrets.h"
#include "smtp/sasl.h"
#include "smtpta/auth.h"

struct auth_account {
	unsigned line;
	unsigned n_holders; /* the list of all, and each dialogue */
	/* What command= printed, until `until` (now()); empty: nothing. */
	struct str secret;
	int64_t until;
	/* Failures in a row: not tried again before `not_before`. */
	unsigned n_failures;
	int64_t not_before;
	struct str status, diagnostic, text; /* of the last of them */
};

struct auth {
	struct auth_options options;
	struct secrets secrets;
	struct auth_account **accounts; /* each allocated by itself */
	size_t n_accounts, accounts_cap;
};

struct auth_dialogue {
	struct auth *auth;
	struct auth_account *account;
	struct secrets_entry entry;
	struct str host, binding, where;
	struct auth_peer peer; /* its binding is in `binding` */
	struct smtp_auth smtp;
	unsigned allowed; /* by the entry: a set of mechanisms */
	unsigned refused; /* by the server */
	struct str offered;
	struct str secret;  /* of this dialogue */
	bool is_from_cache; /* the secret, that of an earlier run of command= */
	bool is_chosen;
	bool only_looks; /* nothing is said, and no secret fetched */
	bool is_accepted;
	enum sasl_mechanism mechanism;
	struct sasl sasl;
	struct scram *scram; /* NULL: another mechanism */
	struct str said;     /* base64 of what was said last */
};

/* One holder less; with the last it is wiped and freed. */
void auth_account_release(struct auth_account *account);

/*
 * The account failed: by a reply as it may be shown, or, with NULL, for why.
 */
void auth_remember(struct auth_dialogue *d, const struct reply *reply,
		   const char *why);

/* Fills d->smtp. */
void auth_dialogue_init(struct auth_dialogue *d);

#endif
