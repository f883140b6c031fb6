/*
 * deliver.h - one job's recipients through runs of the mailer.
 */
#ifndef SMTA_DELIVER_H
#define SMTA_DELIVER_H

#include "agent/job.h"
#include "smta/content.h"
#include "smta/smta.h"

struct deliver {
	struct agent *agent;
	const struct smta_options *options;
	const struct smta_mailer *mailer;
	struct agent_job *job;
	uint64_t ignored_signals; /* of proc_ignored_signals() */
	struct content content;	  /* the job's body */
};

/*
 * Delivers a job that is open: one run for each recipient, or, with flag m,
 * for each group of the same sender and header. Every recipient is settled.
 * Reports are handed to the scheduler before the next mailer is waited for.
 */
void deliver_job(struct deliver *d);

#endif
