/*
 * auth.h - authentication: which account at which host, and what became of it.
 *
 * One struct auth lives as long as the agent. It reads the file of -A
 * (conf/secrets.h) again when that has changed, keeps tokens until they
 * expire, and remembers accounts that were refused: they are not tried again
 * for a while that grows, and mail for their hosts is put off with what the
 * server said then.
 *
 * Before a host is connected to, auth_find() says whether it has an account;
 * the dialogue that it gives goes into struct smtp_config as auth_smtp(). When
 * TLS is up auth_secured() tells it whom it speaks to. Mail for a host with an
 * account is never sent unauthenticated.
 *
 * No secret and no user's name is in any text that comes from here.
 */
#ifndef SMTPTA_AUTH_H
#define SMTPTA_AUTH_H

#include "dsn/diag.h"
#include "smtp/engine.h"
#include "smtpta/scram.h"

struct auth;	      /* opaque: of an agent */
struct auth_dialogue; /* opaque: of one connection */

struct auth_options {
	const char *file;     /* of -A; NULL: no host has an account */
	struct slice channel; /* -c */
	int64_t (*now)(void); /* milliseconds of a clock that only grows */
	/* What command= may take, milliseconds; 0: 30 s. */
	unsigned command_ms;
};

/* *o is copied, what it points at borrowed. Given to the caller. */
struct auth *auth_new(const struct auth_options *o);

/* Wipes and frees; NULL is allowed. Every dialogue must be freed before. */
void auth_free(struct auth *a);

enum auth_found {
	AUTH_NONE, /* the host has no account: no AUTH */
	AUTH_READY,
	AUTH_DEFERRED /* the host gets no mail now; *ret_why says why */
};

/*
 * The account of a host, by its name as connected to (the MX host, or what the
 * postmaster named; "[192.0.2.1]" and "UNIX:/path" as written). AUTH_READY
 * gives *ret to the caller, who calls auth_dialogue_free(). AUTH_DEFERRED: the
 * file cannot be used, or the account was refused not long ago; *ret_why
 * (reason "auth-file" or "auth-failed", FATE_DEFERRED_ALL) lives in arena.
 */
MUST_USE enum auth_found auth_find(struct auth *a, struct slice host,
				   struct arena *arena,
				   struct auth_dialogue **ret,
				   const struct diag **ret_why);

/*
 * Has the host an account whose secrets go only to a server that is verified?
 * Then its connection is to be made so that it is (tls_facts.has_account).
 */
bool auth_wants_verified(struct auth *a, struct slice host);

/* Wipes and frees; NULL is allowed. */
void auth_dialogue_free(struct auth_dialogue *d);

/*
 * The other end, as far as it is known. All zero is a stranger in the clear,
 * which every dialogue begins with.
 */
struct auth_peer {
	/*
	 * It is this host (loopback, a UNIX socket); or it proved by TLS to be
	 * the host of this name, the one that auth_find() was given. A
	 * certificate for the recipient's domain alone does not: whoever has
	 * a domain could name the host as its MX, step in between, and be
	 * sent the account.
	 */
	bool is_trusted;
	bool is_encrypted;    /* TLS is up, whoever it is with */
	bool has_certificate; /* we showed one: EXTERNAL has a meaning */
	/* The channel that SCRAM-...-PLUS binds to; copied. */
	enum scram_binding binding_kind;
	struct slice binding; /* empty: none can be had */
};

/*
 * Tells it of the other end: before AUTH is begun, so once TLS is up, before
 * smtp_tls_started(); without TLS, or with implicit TLS, before the greeting.
 */
void auth_secured(struct auth_dialogue *d, const struct auth_peer *peer);

/*
 * From now on it only finds out what would be used, for explain: auth_smtp()
 * chooses a mechanism, or fails, and goes on without saying AUTH, and no
 * command= is run.
 */
void auth_only_look(struct auth_dialogue *d);

/* For struct smtp_config; lives as long as d. */
const struct smtp_auth *auth_smtp(struct auth_dialogue *d);

/* The mechanism that was chosen last (auth_only_look(): would be), or NULL. */
const char *auth_mechanism(const struct auth_dialogue *d);

/* Where the account stands: "FILE:LINE", for logs and explain; d's. */
const char *auth_where(const struct auth_dialogue *d);

/*
 * Which mechanism would be used, if the server offered these (capitals, a
 * blank between), for explain: nothing is said or run. NULL: none, and why
 * says why not.
 */
const char *auth_would_use(const struct auth_dialogue *d, struct slice offered,
			   struct err *why);

#endif
