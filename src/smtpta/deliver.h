/*
 * deliver.h - one job's recipients over a session.
 *
 * Chooses which recipients go together, checks what is sent for them, adds
 * transactions to the engine, turns its events into settled recipients, and
 * decides about a second try on a new connection.
 */
#ifndef SMTPTA_DELIVER_H
#define SMTPTA_DELIVER_H

#include "agent/job.h"
#include "smtpta/session.h"

/* What a delivery needs beside the job. */
struct deliver {
	const struct smtpta_options *options;
	struct agent *agent;
	struct session *session;
	struct sesslog *log; /* may be NULL */
};

/*
 * Delivers every recipient of an opened job to `host`; each is settled when
 * it returns. False if the host could not be spoken to at all: then
 * *ret_outage says why, in the job's arena.
 */
MUST_USE bool deliver_job(const struct deliver *x, struct agent_job *job,
			  struct slice host, const struct diag **ret_outage);

/*
 * Settles every open recipient of a job whose host cannot be spoken to: the
 * first gets `why` as it is if is_first_job, the others a plain deferral with
 * the same text. A permanent `why` goes to all.
 */
void deliver_unreachable(const struct deliver *x, struct agent_job *job,
			 const struct diag *why, bool is_first_job);

/* The session_fill of every delivery. */
int deliver_fill(struct smtp_transaction *t, struct str *sink, struct err *err);

#endif
