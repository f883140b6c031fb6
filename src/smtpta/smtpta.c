/*
 * smtpta.c - the body of smtp(8).
 *
 * One connection is kept from job to job as long as the host stays the same.
 * A host that could not be spoken to is not tried again for OUTAGE_MS: jobs
 * already fed for it are put off with the same words.
 */
#include "smtpta/smtpta.h"

#include "net/conn.h"
#include "smtpta/deliver.h"

#include <dirent.h>

enum { IDLE_MS = 150 * 1000, OUTAGE_MS = 60 * 1000 };

struct outage {
	struct arena *arena;
	struct slice host;
	const struct diag *why; /* NULL: there is none */
	int64_t until;
};

struct smtpta {
	struct deliver deliver;
	const struct smtpta_options *options;
	struct agent *agent;
	struct str host; /* of the last job line that named one */
	bool has_host;
	struct outage outage;
};

/* ---- outages --------------------------------------------------------------
 */

static void remember_outage(struct smtpta *s, struct slice host,
			    const struct diag *why)
{
	struct outage *o = &s->outage;
	struct diag *kept;

	arena_reset(o->arena);
	o->host = arena_dup(o->arena, host);
	kept = ARENA_NEW(o->arena, struct diag);
	*kept = *why;
	kept->status = arena_dup(o->arena, why->status);
	kept->diagnostic = arena_dup(o->arena, why->diagnostic);
	kept->remote_mta = arena_dup(o->arena, why->remote_mta);
	kept->text = arena_dup(o->arena, why->text);
	o->why = kept;
	o->until = conn_now() + OUTAGE_MS;
}

static bool is_out(const struct smtpta *s, struct slice host)
{
	return s->outage.why != NULL && slice_eq_nocase(s->outage.host, host) &&
	       conn_now() < s->outage.until;
}

/* ---- one job --------------------------------------------------------------
 */

static unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n >= 3 ? n - 3 : 0; /* ".", "..", and the directory itself */
}

static void deliver_opened(struct smtpta *s, struct agent_job *job)
{
	struct slice host = str_slice(&s->host);
	const struct diag *why;

	sesslog_printf(s->deliver.log, "%.*s: %.*s", SLICE_ARG(job->name.base),
		       SLICE_ARG(job->ctl.log_identity));
	if (is_out(s, host)) {
		deliver_unreachable(&s->deliver, job, s->outage.why, false);
	} else if (deliver_job(&s->deliver, job, host, &why)) {
		s->outage.why = NULL;
	} else {
		remember_outage(s, host, why);
		deliver_unreachable(&s->deliver, job, s->outage.why, true);
	}
	if (s->options->one_per_connection)
		session_close(s->deliver.session, "one message only");
}

static void do_job(struct smtpta *s, const struct jobline *line)
{
	struct agent_job job = { 0 };
	struct agent_request request;
	bool must_resync = true;

	if (line->has_host) {
		str_clear(&s->host);
		str_add(&s->host, line->host);
		s->has_host = true;
	}
	if (!s->has_host) {
		agent_add(s->agent, SLICE("# smtp needs defined host!\n"));
		return;
	}
	sesslog_printf(s->deliver.log, "jobspec: %.*s", SLICE_ARG(line->line));
	if (s->options->debug >= 2)
		agent_comment(s->agent, "(fdcnt=%u, file:%.*s, host:%s)",
			      count_fds(), SLICE_ARG(line->name),
			      str_cstr(&s->host));
	request = (struct agent_request){ .name = line->name,
					  .has_host = true,
					  .host = str_slice(&s->host),
					  .select = AGENT_SELECT_HOST };
	switch (agent_job_open(s->agent, &job, &request)) {
	case AGENT_OPENED:
		must_resync = false;
		deliver_opened(s, &job);
		break;
	case AGENT_UNKNOWN_FORMAT:
		agent_stop(s->agent);
		break;
	case AGENT_RESYNC:
		break;
	}
	agent_job_close(s->agent, &job);
	if (must_resync)
		agent_resync(s->agent, line->name);
}

/* ---- the loop --------------------------------------------------------------
 */

/* Until when to wait for input: an open session is not kept idle for ever. */
static int wait_ms(const struct smtpta *s)
{
	const struct session *session = s->deliver.session;
	int64_t left;

	if (!session_is_open(session))
		return -1;
	left = session_last_used(session) + IDLE_MS - conn_now();
	return left > 0 ? (int)left : 0;
}

/* False once there is nothing more to do. */
static bool take_line(struct smtpta *s)
{
	struct jobline line;

	while (!agent_has_line(s->agent)) {
		int timeout = wait_ms(s);

		sesslog_flush(s->deliver.log);
		if (timeout == 0)
			session_close(s->deliver.session, "idle");
		else
			(void)agent_wait(s->agent, timeout);
	}
	if (!agent_next_line(s->agent, &line))
		return false;
	if (line.kind == JOBLINE_STOP)
		return false;
	if (line.kind == JOBLINE_JOB)
		do_job(s, &line);
	agent_hungry(s->agent);
	return true;
}

int smtpta_run(const struct smtpta_options *o, struct agent *a)
{
	const struct agent_options *ao = agent_options(a);
	struct smtpta s = { .options = o, .agent = a };
	struct sesslog *log = NULL;
	struct err err;

	if (o->log_file != NULL && sesslog_open(o->log_file, &log, &err) < 0)
		agent_comment(a, "%s", err.text);
	s.outage.arena = arena_new();
	s.has_host = ao->has_host;
	str_add(&s.host, ao->host);
	s.deliver = (struct deliver){
		.options = o,
		.agent = a,
		.log = log,
		.session = session_new(o, log, deliver_fill),
	};
	while (take_line(&s))
		agent_flush(a);
	agent_flush(a);
	session_free(s.deliver.session);
	sesslog_close(log);
	arena_free(s.outage.arena);
	str_done(&s.host);
	return agent_exit_status(a);
}
