/*
 * limits.c - the limits of a mailer: asked for by -O, set by zlaunch.
 */
#include "smta/limits.h"

#include "base/log.h"
#include "proc/proc.h"
#include "smta/flags.h"
#include "smta/smta.h"

#include <string.h>

enum {
	CHECK_TIMEOUT_MS = 60 * 1000, /* names may come over a network */
	CHECK_OUTPUT_MAX = 4 * 1024
};

char *const *limits_words(const struct smta_options *o, struct arena *a)
{
	char **words;

	if (o->limits.n == 0)
		return NULL;
	words = arena_array(a, o->limits.n + 1, sizeof(*words));
	for (size_t i = 0; i < o->limits.n; i++)
		words[i] = (char *)arena_cstr(a, o->limits.items[i]);
	return words;
}

struct slice limits_user(const struct smta_options *o)
{
	const struct slice key = SLICE("user=");
	struct slice user = { 0 };

	for (size_t i = 0; i < o->limits.n; i++)
		if (slice_starts(o->limits.items[i], key))
			user = slice_from(o->limits.items[i], key.len);
	return user;
}

/* ---- can they be had? -------------------------------------------------- */

static ssize_t no_input(void *context, struct str *to, struct err *err)
{
	(void)context;
	(void)to;
	(void)err;
	return 0;
}

/* What zlaunch said is a warning, or the reason of its failure. */
static int judge(const struct proc_result *run, struct slice said,
		 struct err *err)
{
	struct slice line;

	if (run->end == PROC_EXITED && run->code == 0) {
		while (slice_cut(&said, '\n', &line))
			if (line.len > 0)
				log_line(LOG_LEVEL_WARNING, "%.*s",
					 SLICE_ARG(line));
		return 0;
	}
	if (run->end != PROC_EXITED && run->end != PROC_SIGNALED)
		return FAIL_CODE(err, run->err.code, "limits: %s",
				 run->err.text);
	line = slice_head(said, slice_find(said, '\n'));
	if (line.len > 0)
		return FAIL(err, "%.*s", SLICE_ARG(line));
	return FAIL(err, "limits: zlaunch ended with %s %d",
		    run->end == PROC_EXITED ? "status" : "signal",
		    run->end == PROC_EXITED ? run->code : run->signal);
}

int smta_check_limits(const struct smta_options *o,
		      const struct smta_mailer *mailer, struct err *err)
{
	static char name[] = "zlaunch", check[] = "--check";
	struct str said = STR_INIT;
	struct arena *a;
	struct proc_command command = {
		.path = o->launcher,
		.envp = o->envp,
		.ids = mailer->flags & SMTA_KEEP_IDS ? PROC_IDS_KEEP
						     : PROC_IDS_REAL,
		.timeout_ms = CHECK_TIMEOUT_MS,
		.output_max = CHECK_OUTPUT_MAX,
	};
	struct proc_result run;
	char **argv;
	int r;

	if (mailer->limits == NULL)
		return 0;
	a = arena_new();
	argv = arena_array(a, o->limits.n + 3, sizeof(*argv));
	argv[0] = name;
	memcpy(argv + 1, mailer->limits, o->limits.n * sizeof(*argv));
	argv[o->limits.n + 1] = check;
	command.argv = argv;
	proc_run(&command, no_input, NULL, &said, &run);
	r = judge(&run, str_slice(&said), err);
	str_done(&said);
	arena_free(a);
	return r;
}
