/*
 * recorder.h - gathers what happens into attempts, and hands them on whole.
 *
 * The session tells it of addresses, of what is said and heard and of
 * content; deliver tells it of transactions and outcomes. Each attempt that
 * ends is printed as JSON and given to the setup's take().
 *
 * A NULL recorder is allowed everywhere and costs nothing.
 */
#ifndef SMTPTA_RECORDER_H
#define SMTPTA_RECORDER_H

#include "agent/job.h"
#include "mime/passage.h"
#include "net/addr.h"
#include "smtp/engine.h"

struct recorder; /* opaque */
struct attempt_try;

struct recorder_setup {
	const char *program;
	pid_t pid;
	struct slice channel;
	bool is_lmtp;
	int64_t (*now)(void);  /* milliseconds, of a clock that only grows */
	int64_t (*wall)(void); /* Unix milliseconds */
	/* Gets each record: one line of JSON, borrowed, without its LF. */
	void (*take)(void *context, struct agent_job *job, struct slice json);
	void *context;
};

/* *setup is copied. Given to the caller. */
struct recorder *recorder_new(const struct recorder_setup *setup);
void recorder_free(struct recorder *r);

/* ---- the session's side ---------------------------------------------------
 */

/*
 * A connection to a destination is looked for: what was tried before is
 * forgotten. Attempts that are still open end, as they are.
 */
void recorder_destination(struct recorder *r, struct slice destination);

/*
 * The site that it belongs to (smtpta/route.h), if it is known, and the
 * addresses of its best hosts.
 */
void recorder_site(struct recorder *r, struct slice site,
		   const struct net_addr *addrs, size_t n);

/*
 * An address of a host of it is or was tried, beginning at this time of the
 * recorder's clock; connected, from this end; ready for mail. What is told
 * between is about the last address that was named so.
 */
void recorder_try(struct recorder *r, struct slice host,
		  const struct net_addr *addr, int64_t began);
void recorder_connected(struct recorder *r, const struct net_addr *local);
void recorder_ready(struct recorder *r);

/*
 * What was decided about the security of the address's host, and what the
 * handshake came to: each a whole JSON value (smtpta/security_json.h); of the
 * latter also lines for people, which may be empty.
 */
void recorder_security(struct recorder *r, struct slice json);
void recorder_tls(struct recorder *r, struct slice json, struct slice lines);

/* Where the account stands that is used there; mechanism: NULL for none. */
void recorder_auth(struct recorder *r, const char *where,
		   const char *mechanism);

/* The address will not do. code: of a refusal, 0 if none came. */
void recorder_failed(struct recorder *r, const struct diag *why, unsigned code);

/* Another one was connected to before the address was; or would do. */
void recorder_overtaken(struct recorder *r);

/* The connection is closed. */
void recorder_closed(struct recorder *r);

/* What the engine traces, without secrets (smtpta/secret.h). */
void recorder_said(struct recorder *r, const struct smtp_said *said);

/*
 * The addresses tried since recorder_destination(), as far as they are kept
 * (ATTEMPT_TRIES_MAX); the last one's `reason` is NULL if it is ready. Borrowed
 * until one of the calls above.
 */
const struct attempt_try *recorder_tries(const struct recorder *r,
					 size_t *ret_n);

/* n bytes of content were put into the output. */
void recorder_content(struct recorder *r, const struct smtp_transaction *t,
		      size_t n);

/* ---- deliver's side --------------------------------------------------------
 */

/* A transaction is given to the engine. */
void recorder_begin(struct recorder *r, struct agent_job *job,
		    const struct smtp_transaction *t);

/* What is planned for its content. */
void recorder_plan(struct recorder *r, const struct smtp_transaction *t,
		   const struct passage *passage);

/*
 * What became of a recipient (index into the job's) in the attempt of a key:
 * its transaction or, where none was begun, whatever is handed to
 * recorder_end(). again, if not NULL, says where it goes on to at once, for
 * the reason of the diag: "now" (another try), "next-host" or
 * "next-transaction". The diag's texts must live until recorder_end().
 */
void recorder_outcome(struct recorder *r, const void *key,
		      struct agent_job *job, struct agent_outcome outcome,
		      const char *again);

/* The attempt of a key is over; nothing if there is none. */
void recorder_end(struct recorder *r, const void *key);

/*
 * A job is about to be closed. Its attempts that are still open, of which
 * there should be none, end as they are.
 */
void recorder_job_over(struct recorder *r, const struct agent_job *job);

#endif
