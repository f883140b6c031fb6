/*
 * recorder.c - gathers what happens into attempts, and hands them on whole.
 *
 * What one address came to is told once, in the first attempt that is made
 * after it; the opening of a connection is told with each of its messages, so
 * that every record can be played back by itself.
 *
 * Attempts are few (the window) and end in about the order in which they
 * begin, so that looking for one from the right end finds it at once.
 */
#include "smtpta/recorder.h"

#include "base/json.h"
#include "base/mem.h"
#include "smtpta/attempt.h"

#include <stdlib.h>
#include <string.h>

struct recorder {
	struct recorder_setup setup;
	struct attempt_list open;
	struct str destination, json;
	struct str site;
	struct net_addr site_addrs[ATTEMPT_SITE_MAX];
	size_t n_site_addrs;
	struct attempt_try *tries;	 /* ATTEMPT_TRIES_MAX of them */
	size_t n_tries;			 /* ever, for this connection */
	int64_t tries_at, tries_wall_at; /* of the earliest */
	bool are_tries_told;
	bool is_opening, is_ready;
	unsigned offered;
	size_t n_begun, n_outstanding; /* on this connection */
};

struct recorder *recorder_new(const struct recorder_setup *setup)
{
	struct recorder *r = mem_zero(1, sizeof(*r));

	r->setup = *setup;
	r->tries = mem_zero(ATTEMPT_TRIES_MAX, sizeof(*r->tries));
	TAILQ_INIT(&r->open);
	return r;
}

static struct attempt_try *last_try(struct recorder *r)
{
	size_t n =
	    r->n_tries < ATTEMPT_TRIES_MAX ? r->n_tries : ATTEMPT_TRIES_MAX;

	return n > 0 ? &r->tries[n - 1] : NULL;
}

/* ---- attempts --------------------------------------------------------------
 */

static struct attempt *find_first(struct recorder *r, const void *key)
{
	struct attempt *a;

	TAILQ_FOREACH (a, &r->open, link)
		if (a->key == key)
			return a;
	return NULL;
}

static struct attempt *find_last(struct recorder *r, const void *key)
{
	struct attempt *a;

	TAILQ_FOREACH_REVERSE(a, &r->open, attempt_list, link)
	if (a->key == key)
		return a;
	return NULL;
}

static struct attempt *new_attempt(struct recorder *r, const void *key,
				   struct agent_job *job)
{
	struct attempt *a = mem_zero(1, sizeof(*a));

	a->key = key;
	a->job = job;
	a->at = r->setup.now();
	a->wall_at = r->setup.wall();
	a->has_connection = r->is_ready;
	if (r->n_tries > 0 && !r->are_tries_told) {
		a->has_tries = r->are_tries_told = true;
		a->at = r->tries_at;
		a->wall_at = r->tries_wall_at;
	}
	TAILQ_INSERT_TAIL(&r->open, a, link);
	return a;
}

static void end_attempt(struct recorder *r, struct attempt *a)
{
	size_t n_kept =
	    r->n_tries < ATTEMPT_TRIES_MAX ? r->n_tries : ATTEMPT_TRIES_MAX;
	struct attempt_scene scene = {
		.program = r->setup.program,
		.pid = r->setup.pid,
		.channel = r->setup.channel,
		.is_lmtp = r->setup.is_lmtp,
		.destination = str_slice(&r->destination),
		.site = str_slice(&r->site),
		.site_addrs = r->site_addrs,
		.n_site_addrs = r->n_site_addrs,
		.tries = r->tries,
		.n_tries = n_kept,
		.n_tries_ever = r->n_tries,
		.connection = last_try(r),
		.offered = r->offered,
	};

	a->ended_at = r->setup.now();
	str_clear(&r->json);
	attempt_print(&r->json, a, &scene);
	r->setup.take(r->setup.context, a->job, str_slice(&r->json));
	TAILQ_REMOVE(&r->open, a, link);
	attempt_free(a);
}

static void end_all(struct recorder *r)
{
	while (!TAILQ_EMPTY(&r->open))
		end_attempt(r, TAILQ_FIRST(&r->open));
}

void recorder_free(struct recorder *r)
{
	struct attempt *a;

	if (r == NULL)
		return;
	while ((a = TAILQ_FIRST(&r->open)) != NULL) {
		TAILQ_REMOVE(&r->open, a, link);
		attempt_free(a);
	}
	for (size_t i = 0; i < ATTEMPT_TRIES_MAX; i++) {
		attempt_dialogue_done(&r->tries[i].opening);
		str_done(&r->tries[i].host);
		str_done(&r->tries[i].why);
		str_done(&r->tries[i].security);
		str_done(&r->tries[i].tls);
		str_done(&r->tries[i].tls_lines);
		str_done(&r->tries[i].account);
	}
	free(r->tries);
	str_done(&r->destination);
	str_done(&r->site);
	str_done(&r->json);
	free(r);
}

/* ---- the session's side ----------------------------------------------------
 */

void recorder_destination(struct recorder *r, struct slice destination)
{
	if (r == NULL)
		return;
	end_all(r);
	str_clear(&r->destination);
	str_add(&r->destination, json_cut(destination, ATTEMPT_WORDS_MAX));
	str_clear(&r->site);
	r->n_tries = r->n_site_addrs = 0;
	r->are_tries_told = r->is_opening = r->is_ready = false;
}

void recorder_site(struct recorder *r, struct slice site,
		   const struct net_addr *addrs, size_t n)
{
	if (r == NULL)
		return;
	str_clear(&r->site);
	str_add(&r->site, json_cut(site, ATTEMPT_WORDS_MAX));
	r->n_site_addrs = n < ATTEMPT_SITE_MAX ? n : ATTEMPT_SITE_MAX;
	if (n > 0)
		memcpy(r->site_addrs, addrs, r->n_site_addrs * sizeof(*addrs));
}

/* Addresses that race are told of in the order in which they end. */
static void note_beginning(struct recorder *r, int64_t began)
{
	if (r->n_tries > 1 && began >= r->tries_at)
		return;
	r->tries_wall_at = r->setup.wall() - (r->setup.now() - began);
	r->tries_at = began;
}

void recorder_try(struct recorder *r, struct slice host,
		  const struct net_addr *addr, int64_t began)
{
	struct attempt_try *t;

	if (r == NULL)
		return;
	r->n_tries++;
	note_beginning(r, began);
	t = last_try(r);
	attempt_dialogue_clear(&t->opening);
	str_clear(&t->why);
	str_clear(&t->host);
	str_clear(&t->security);
	str_clear(&t->tls);
	str_clear(&t->tls_lines);
	str_clear(&t->account);
	*t = (struct attempt_try){ .addr = *addr,
				   .at = began,
				   .took = -1,
				   .host = t->host,
				   .why = t->why,
				   .security = t->security,
				   .tls = t->tls,
				   .tls_lines = t->tls_lines,
				   .account = t->account,
				   .opening = t->opening };
	str_add(&t->host, json_cut(host, ATTEMPT_WORDS_MAX));
	r->is_opening = true;
	r->is_ready = false;
	r->offered = 0;
	r->n_begun = r->n_outstanding = 0;
}

void recorder_connected(struct recorder *r, const struct net_addr *local)
{
	if (r == NULL || r->n_tries == 0)
		return;
	last_try(r)->has_local = true;
	last_try(r)->local = *local;
}

static void set_text(struct str *to, struct slice text)
{
	str_clear(to);
	str_add(to, text);
}

void recorder_security(struct recorder *r, struct slice json)
{
	if (r != NULL && r->n_tries > 0)
		set_text(&last_try(r)->security, json);
}

void recorder_tls(struct recorder *r, struct slice json, struct slice lines)
{
	if (r == NULL || r->n_tries == 0)
		return;
	set_text(&last_try(r)->tls, json);
	set_text(&last_try(r)->tls_lines, lines);
}

void recorder_auth(struct recorder *r, const char *where, const char *mechanism)
{
	if (r == NULL || r->n_tries == 0)
		return;
	set_text(&last_try(r)->account, slice_of(where));
	last_try(r)->mechanism = mechanism;
}

static void end_try(struct recorder *r)
{
	last_try(r)->took = r->setup.now() - last_try(r)->at;
	r->is_opening = false;
}

void recorder_ready(struct recorder *r)
{
	if (r == NULL || r->n_tries == 0)
		return;
	end_try(r);
	r->is_ready = true;
}

void recorder_failed(struct recorder *r, const struct diag *why, unsigned code)
{
	struct attempt_try *t;

	if (r == NULL || r->n_tries == 0)
		return;
	end_try(r);
	t = last_try(r);
	t->reason = why->reason;
	t->code = code;
	str_add(&t->why, json_cut(why->diagnostic, ATTEMPT_WORDS_MAX));
}

void recorder_overtaken(struct recorder *r)
{
	if (r == NULL || r->n_tries == 0)
		return;
	end_try(r);
	last_try(r)->is_overtaken = true;
}

void recorder_closed(struct recorder *r)
{
	if (r != NULL)
		r->is_ready = r->is_opening = false;
}

const struct attempt_try *recorder_tries(const struct recorder *r,
					 size_t *ret_n)
{
	*ret_n =
	    r->n_tries < ATTEMPT_TRIES_MAX ? r->n_tries : ATTEMPT_TRIES_MAX;
	return r->tries;
}

/* ---- what is said and heard ------------------------------------------------
 */

struct parameter {
	struct slice begin;
	unsigned ext;
};

/* What a command makes use of. */
static unsigned used_by(const struct smtp_said *said)
{
	const struct parameter of_mail[] = {
		{ SLICE("BODY=8BITMIME"), SMTP_EXT_8BITMIME },
		{ SLICE("BODY=BINARYMIME"), SMTP_EXT_BINARYMIME },
		{ SLICE("SIZE="), SMTP_EXT_SIZE },
		{ SLICE("SMTPUTF8"), SMTP_EXT_SMTPUTF8 },
		{ SLICE("BY="), SMTP_EXT_DELIVERBY },
		{ SLICE("REQUIRETLS"), SMTP_EXT_REQUIRETLS },
		{ SLICE("RET="), SMTP_EXT_DSN },
		{ SLICE("ENVID="), SMTP_EXT_DSN },
	};
	struct slice rest = said->text, word;
	unsigned used = 0;

	if (slice_starts(rest, SLICE("BDAT ")))
		return SMTP_EXT_CHUNKING;
	if (slice_starts(rest, SLICE("RCPT ")))
		return rest.p[rest.len - 1] != '>' ? SMTP_EXT_DSN : 0;
	if (!slice_starts(rest, SLICE("MAIL ")))
		return 0;
	/* "MAIL FROM:<" sender ">" */
	rest = slice_from(rest, 12 + said->transaction->sender.len);
	while (slice_word(&rest, &word))
		for (size_t i = 0; i < sizeof(of_mail) / sizeof(of_mail[0]);
		     i++)
			if (slice_starts(word, of_mail[i].begin))
				used |= of_mail[i].ext;
	return used;
}

static void on_said(struct recorder *r, struct attempt_dialogue *d,
		    struct attempt *a, const struct smtp_said *said)
{
	r->n_outstanding++;
	if (d != NULL)
		attempt_say(d, said, r->setup.now());
	if (a == NULL)
		return;
	a->used |= used_by(said);
	if (r->n_outstanding > 1)
		a->used |= SMTP_EXT_PIPELINING;
}

static void on_heard(struct recorder *r, struct attempt_dialogue *d,
		     struct attempt *a, const struct smtp_said *said)
{
	bool is_answer = d == NULL ? said->command != SMTP_NO_COMMAND
				   : attempt_hear(d, said, r->setup.now());

	if (is_answer && r->n_outstanding > 0)
		r->n_outstanding--;
	if (a != NULL && said->reply != NULL && said->reply->has_enhanced)
		a->used |= SMTP_EXT_ENHANCEDSTATUSCODES & r->offered;
}

static void on_lost(struct attempt *a, const struct smtp_said *said)
{
	if (a == NULL || a->lost != NULL)
		return;
	a->lost = said->lost;
	str_add(&a->lost_why, json_cut(said->text, ATTEMPT_LOST_WHY_MAX));
}

/* The reply to EHLO or LHLO: the only one in the opening with keywords. */
static void take_offer(struct recorder *r, const struct smtp_said *said)
{
	struct caps caps;

	if (said->direction != 'r' || said->reply == NULL ||
	    said->reply->code != 250)
		return;
	caps_parse(said->text, &caps);
	r->offered = caps_set(&caps);
}

void recorder_said(struct recorder *r, const struct smtp_said *said)
{
	struct attempt_dialogue *d = NULL;
	struct attempt *a = NULL;

	if (r == NULL)
		return;
	if (said->transaction != NULL)
		a = said->direction == 'w' ? find_last(r, said->transaction)
					   : find_first(r, said->transaction);
	if (a != NULL)
		d = &a->dialogue;
	else if (said->transaction == NULL && r->is_opening)
		d = &last_try(r)->opening;
	if (r->is_opening)
		take_offer(r, said);
	if (said->direction == 'w')
		on_said(r, d, a, said);
	else if (said->direction == 'r')
		on_heard(r, d, a, said);
	else
		on_lost(a, said);
}

void recorder_content(struct recorder *r, const struct smtp_transaction *t,
		      size_t n)
{
	struct attempt *a = r == NULL ? NULL : find_last(r, t);

	if (a != NULL)
		a->content += n;
}

/* ---- deliver's side
 * ---------------------------------------------------------- */

void recorder_begin(struct recorder *r, struct agent_job *job,
		    const struct smtp_transaction *t)
{
	struct attempt *a;

	if (r == NULL)
		return;
	a = new_attempt(r, t, job);
	a->has_transaction = true;
	a->n_before = r->n_begun++;
}

void recorder_plan(struct recorder *r, const struct smtp_transaction *t,
		   const struct passage *passage)
{
	struct attempt *a = r == NULL ? NULL : find_first(r, t);

	if (a != NULL)
		attempt_set_plan(a, passage);
}

void recorder_outcome(struct recorder *r, const void *key,
		      struct agent_job *job, struct agent_outcome outcome,
		      const char *again)
{
	struct attempt *a;

	if (r == NULL)
		return;
	a = find_first(r, key);
	if (a == NULL)
		a = new_attempt(r, key, job);
	attempt_add_rcpt(a, outcome.rcpt, outcome.diag, again);
}

void recorder_end(struct recorder *r, const void *key)
{
	struct attempt *a = r == NULL ? NULL : find_first(r, key);

	if (a != NULL)
		end_attempt(r, a);
}

void recorder_job_over(struct recorder *r, const struct agent_job *job)
{
	struct attempt *a = r == NULL ? NULL : TAILQ_FIRST(&r->open);

	while (a != NULL) {
		struct attempt *next = TAILQ_NEXT(a, link);

		if (a->job == job)
			end_attempt(r, a);
		a = next;
	}
}
