/*
 * attempts.c - where attempt records go.
 */
#include "smtpta/attempts.h"

#include "base/mem.h"
#include "net/conn.h"
#include "smtpta/appendfile.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct attempts {
	struct agent *agent;
	struct recorder *recorder;
	struct appendfile *file; /* NULL: to the scheduler */
	struct str line;
	bool has_failed;
};

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void to_file(struct attempts *x, struct slice json)
{
	struct err err;
	int r;

	str_clear(&x->line);
	str_add(&x->line, json);
	str_addc(&x->line, '\n');
	r = appendfile_add(x->file, str_slice(&x->line), conn_now(), &err);
	if (r < 0 && !x->has_failed)
		agent_comment(x->agent, "attempt records are lost: %s",
			      err.text);
	x->has_failed = r < 0;
}

static void take(void *context, struct agent_job *job, struct slice json)
{
	struct attempts *x = context;

	if (x->file != NULL) {
		to_file(x, json);
		return;
	}
	str_adds(&job->out, "#attempt ");
	str_add(&job->out, json);
	str_addc(&job->out, '\n');
}

struct attempts *attempts_new(const struct smtpta_options *o, struct agent *a)
{
	struct recorder_setup setup = {
		.program = o->program,
		.pid = agent_options(a)->pid,
		.channel = o->channel,
		.is_lmtp = o->is_lmtp,
		.now = conn_now,
		.wall = wall_ms,
		.take = take,
	};
	struct attempts *x;

	if (o->attempts == NULL)
		return NULL;
	x = mem_zero(1, sizeof(*x));
	x->agent = a;
	if (strcmp(o->attempts, "-") != 0)
		x->file = appendfile_new(o->attempts, 0640);
	setup.context = x;
	x->recorder = recorder_new(&setup);
	return x;
}

void attempts_free(struct attempts *x)
{
	if (x == NULL)
		return;
	recorder_free(x->recorder);
	appendfile_free(x->file);
	str_done(&x->line);
	free(x);
}

struct recorder *attempts_recorder(struct attempts *x)
{
	return x != NULL ? x->recorder : NULL;
}
