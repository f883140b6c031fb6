/*
 * send.c - hand a report to the programs that take it away.
 *
 *	report-filter < message > signed message
 *	submit -f CONTACT -- RECIPIENT... < signed message
 *	stsfetch post URL application/tlsrpt+gzip < report
 *
 * What the filter says on standard error goes to ours; of the others the
 * first line they say is told if they fail. Exit status 0 alone is success.
 */
#include "tlsrpt/send.h"

#include "base/mem.h"
#include "proc/proc.h"

#include <stdlib.h>

enum {
	OUTPUT_MAX = 16 * 1024,
	/* Of the filter, beside the message: the fields that it adds, and CRs.
	 */
	SIGNED_MORE = 1024 * 1024
};

/* ---- running a program -------------------------------------------------- */

static ssize_t give_all(void *context, struct str *to, struct err *err)
{
	struct slice *rest = context;
	size_t n = rest->len;

	(void)err;
	str_add(to, *rest);
	*rest = slice_from(*rest, n);
	return (ssize_t)n;
}

static int check_end(const char *path, const struct proc_result *r,
		     struct slice said, struct err *err)
{
	said = slice_head(said, slice_find(said, '\n'));
	switch (r->end) {
	case PROC_EXITED:
		if (r->code == 0)
			return 0;
		return FAIL(err, "%s: exit status %d%s%.*s", path, r->code,
			    said.len > 0 ? ": " : "", SLICE_ARG(said));
	case PROC_SIGNALED:
		return FAIL(err, "%s: ended by signal %d", path, r->signal);
	case PROC_TIMED_OUT:
		return FAIL(err, "%s: took too long", path);
	case PROC_LOST:
		return FAIL(err, "%s: nobody knows how it ended", path);
	default:
		return FAIL_CODE(err, r->err.code, "%s: %s", path, r->err.text);
	}
}

static struct proc_command command_of(const struct tlsrpt_options *o,
				      const char *const *argv)
{
	return (struct proc_command){
		.path = argv[0],
		.argv = (char *const *)(uintptr_t)argv,
		.envp = o->envp,
		.ids = PROC_IDS_KEEP,
		.timeout_ms = o->timeout * 1000,
		.output_max = OUTPUT_MAX,
	};
}

static int run(const struct proc_command *command, struct slice input,
	       struct str *output, struct err *err)
{
	struct proc_result result;

	proc_run(command, give_all, &input, output, &result);
	return check_end(command->path, &result,
			 command->keeps_stderr ? SLICE("") : str_slice(output),
			 err);
}

/* ---- mail --------------------------------------------------------------- */

/* A filter that says nothing, or not all, has not signed. */
static int sign(const struct tlsrpt_options *o, struct slice message,
		struct str *to, struct err *err)
{
	const char *const argv[] = { o->filter, NULL };
	struct proc_command command = command_of(o, argv);

	command.keeps_stderr = true;
	command.output_max = 2 * message.len + SIGNED_MORE;
	if (run(&command, message, to, err) < 0)
		return -1;
	if (to->len < message.len)
		return FAIL(err, "%s: gave back less than it got", o->filter);
	if (to->len >= command.output_max)
		return FAIL(err, "%s: gave back too much", o->filter);
	return 0;
}

static int submit(const struct tlsrpt_options *o, const struct message *m,
		  struct slice text, struct err *err)
{
	struct arena *a = arena_new();
	const char **argv = arena_array(a, m->n_to + 5, sizeof(*argv));
	struct proc_command command;
	struct str output = STR_INIT;
	size_t n = 0;
	int r;

	argv[n++] = o->submit;
	argv[n++] = "-f";
	argv[n++] = arena_cstr(a, o->contact);
	argv[n++] = "--";
	for (size_t i = 0; i < m->n_to; i++)
		argv[n++] = arena_cstr(a, m->to[i]);
	command = command_of(o, argv);
	r = run(&command, text, &output, err);
	str_done(&output);
	arena_free(a);
	return r;
}

int send_mail(const struct tlsrpt_options *o, const struct message *m,
	      struct err *err)
{
	struct str text = STR_INIT, signed_text = STR_INIT;
	int r;

	message_print(&text, m);
	r = sign(o, str_slice(&text), &signed_text, err);
	if (r == 0)
		r = submit(o, m, str_slice(&signed_text), err);
	str_done(&text);
	str_done(&signed_text);
	return r;
}

/* ---- https -------------------------------------------------------------- */

int send_https(const struct tlsrpt_options *o, struct slice gzip,
	       struct slice url, struct err *err)
{
	struct arena *a = arena_new();
	const char *const argv[] = { o->stsfetch, "post", arena_cstr(a, url),
				     "application/tlsrpt+gzip", NULL };
	struct proc_command command = command_of(o, argv);
	struct str output = STR_INIT;
	int r = run(&command, gzip, &output, err);

	str_done(&output);
	arena_free(a);
	return r;
}
