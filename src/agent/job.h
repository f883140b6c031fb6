/*
 * job.h - one message's recipients, from the lock to the report.
 *
 * agent_job_open() reads the control file, selects the recipients of our
 * channel and host, locks them and opens the message file. Every recipient
 * that is taken gets exactly one report, through agent_job_settle() or, if
 * that never comes, through agent_job_close(); but for guests, which may be
 * put back instead.
 */
#ifndef AGENT_JOB_H
#define AGENT_JOB_H

#include "agent/agent.h"
#include "agent/verbose.h"
#include "dsn/diag.h"
#include "spool/ctl.h"
#include "spool/message.h"
#include "spool/name.h"
#include "taproto/report.h"

struct agent_rcpt {
	const struct ctl_rcpt *ctl; /* borrowed from the job's ctl */
	bool is_settled;	    /* has had its report */
	/* Of another host; see agent_job_take(). */
	bool is_guest;
	/* Relaying is to be told, NOTIFY or not (RFC 2852 4). */
	bool tells_relay;
};

struct agent_job {
	struct arena *arena; /* lives as long as the job */
	struct jobname name;
	struct slice host; /* this job's host; may be empty */
	struct str text;   /* the control file */
	struct ctl ctl;	   /* borrowed from text and arena */
	int fd;		   /* the control file, locks on it */
	struct message message;
	struct str spool_id;
	int64_t opened_at;	  /* Unix time, seconds */
	struct verbose *verbose;  /* of the `v` line; NULL: none */
	struct agent_rcpt *rcpts; /* locked by us, in file order, then guests */
	size_t n_rcpts;
	struct str out; /* reports not yet handed to the agent */
};

enum agent_open {
	AGENT_OPENED,	     /* there is at least one recipient to do */
	AGENT_RESYNC,	     /* say "#resync NAME": nothing here for us */
	AGENT_BUSY,	     /* out of descriptors or memory: see below */
	AGENT_UNKNOWN_FORMAT /* the same, and stop taking jobs */
};

enum agent_select {
	AGENT_SELECT_HOST,  /* recipients whose host is `host` */
	AGENT_SELECT_STICKY /* the same; without a host that of the first */
};

/* What is to be done, as a job line says it; borrowed for the call. */
struct agent_request {
	struct slice name; /* of the job, unchecked */
	bool has_host;	   /* false: any host, with AGENT_SELECT_STICKY */
	struct slice host;
	enum agent_select select;
};

/*
 * Opens and locks a job, and the verbose log that it names. Complaints are
 * added to the job's out as comments; a control file that is refused is not
 * touched. A recipient of the ancient form, which cannot be locked, is left
 * alone. A missing or irregular message file fails every recipient here and now
 * (their reports are in the job's out) and gives AGENT_RESYNC; one that cannot
 * be read defers them likewise. *job must be zero or closed before; whatever is
 * returned, agent_job_close() must follow.
 *
 * AGENT_BUSY: there was no descriptor or no memory for it. The job is as it was
 * and healthy, so there is nothing to resync; the reason is in job->out, which
 * may be cleared if the job is to be opened again once others are closed.
 */
enum agent_open agent_job_open(struct agent *a, struct agent_job *job,
			       const struct agent_request *request);

/*
 * Consecutive recipients with the same sender and header, from *at on: their
 * number, and *at moved behind them. 0 when there are no more.
 */
size_t agent_job_group(const struct agent_job *job, size_t *at);

/*
 * Takes one more recipient, the i'th of job->ctl, whatever its host: a guest,
 * whose place in job->rcpts is *ret. False, leaving *ret alone, if it is not
 * to be done, is of another channel, or cannot be locked. Nobody asked us for
 * it, so that it may be put back; but no recipient can be taken twice.
 */
MUST_USE bool agent_job_take(struct agent *a, struct agent_job *job, size_t i,
			     size_t *ret);

/*
 * Puts a guest back as if it had never been taken: unlocked, to be done, and
 * without a report. One that is settled is left alone.
 */
void agent_job_put_back(struct agent *a, struct agent_job *job, size_t rcpt);

struct agent_outcome {
	size_t rcpt; /* index into job->rcpts */
	const struct diag *diag;
};

/*
 * Settles n recipients together: `d` lines, marks, one fdatasync if a `d`
 * line was written, then their report lines into the job's out. A recipient
 * whose result could not be written to the control file is reported deferred
 * if it was not delivered; a delivered one stays reported as delivered. A
 * recipient already settled is skipped. Diags need not outlive the call.
 * Then syslog, the verbose log and whoever listens are told, once for each
 * recipient.
 */
void agent_job_settle(struct agent *a, struct agent_job *job,
		      const struct agent_outcome *outcomes, size_t n);

/* What was reported of one recipient, for agent_listen(); all borrowed. */
struct agent_settled {
	const struct agent_job *job;
	const struct ctl_rcpt *rcpt;
	const struct diag *diag;
	enum report_status status;
};

/* Settles one. */
void agent_job_settle_one(struct agent *a, struct agent_job *job, size_t rcpt,
			  const struct diag *diag);

/*
 * Settles all that are not settled yet with the same diag; guests are put
 * back.
 */
void agent_job_settle_rest(struct agent *a, struct agent_job *job,
			   const struct diag *diag);

/* Hands the job's reports so far to the agent, in order. */
void agent_job_say(struct agent *a, struct agent_job *job);

/*
 * Defers what is not settled ("not attempted", or "interrupted by signal"),
 * hands all reports to the agent and gives everything back: locks, files,
 * memory. Does not say "#hungry". A zero job is allowed.
 */
void agent_job_close(struct agent *a, struct agent_job *job);

#endif
