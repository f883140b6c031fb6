/*
 * result.c - from how a mailer ended to what became of its recipients.
 */
#include "smta/result.h"

#include "dsn/status.h"
#include "dsn/sysexits.h"

#include <errno.h>

bool result_next_line(struct slice *rest, struct slice *ret_line)
{
	if (rest->len == 0 || !slice_cut(rest, '\n', ret_line))
		return false;
	if (ret_line->len > 0 && ret_line->p[ret_line->len - 1] == '\r')
		ret_line->len--;
	return true;
}

static struct slice first_line(struct slice output)
{
	struct slice line = { 0 };

	result_next_line(&output, &line);
	return line;
}

/* A deferral with fixed texts and what err says. */
static struct diag deferral(const char *reason, const char *status,
			    const char *diagnostic, struct slice text)
{
	return (struct diag){ .fate = FATE_DEFERRED,
			      .reason = reason,
			      .status = slice_of(status),
			      .diagnostic = slice_of(diagnostic),
			      .text = text };
}

/* ---- the mailer's own verdict ------------------------------------------ */

/* The code at the start of the output, if it says what the exit code says. */
static void honour_status(struct diag *d, struct slice line, struct arena *a)
{
	struct status code;
	size_t len = status_parse(line, &code);
	struct str text = STR_INIT;

	if (len == 0 || code.class != fate_class(d->fate))
		return;
	status_print(&text, code);
	d->status = arena_dup(a, str_slice(&text));
	str_done(&text);
}

static struct diag of_exit(int code, struct slice line, struct arena *a)
{
	const struct sysexit *row = sysexit_find(code);
	struct diag d =
	    deferral("exit-status", "4.3.0",
		     "x-local; 500 (Unknown exit status)", slice_of(NULL));
	struct str text = STR_INIT;

	str_add_clean(&text, line, RESULT_TEXT_MAX);
	if (row != NULL) {
		d.fate = row->fate;
		d.status = slice_of(row->status);
		d.diagnostic = slice_of(row->diagnostic);
	}
	if (code == 0)
		d.reason = "delivered";
	else if (row != NULL)
		str_addf(&text, "[exit status %d/%d (%s)]%s", code, row->mapped,
			 row->text,
			 row->is_abnormal ? " (this is abnormal, investigate!)"
					  : "");
	else
		str_addf(&text, "[exit status %d/%d]", code, code);
	d.text = arena_dup(a, str_slice(&text));
	honour_status(&d, line, a);
	str_done(&text);
	return d;
}

static struct diag of_signal(const struct proc_result *run, struct slice line,
			     struct arena *a)
{
	struct str text = STR_INIT;
	struct diag d;

	str_add_clean(&text, line, RESULT_TEXT_MAX);
	str_addf(&text, "%s[signal %d%s]", text.len > 0 ? " " : "", run->signal,
		 run->dumped_core ? " (Core dumped)" : "");
	d = deferral("signal", "4.3.0", "x-local; 500 (failed on signal)",
		     arena_dup(a, str_slice(&text)));
	str_done(&text);
	return d;
}

/* ---- what else can happen ---------------------------------------------- */

static struct diag of_step(const struct proc_result *run, struct slice text)
{
	static const struct {
		const char *status, *diagnostic;
	} rows[] = {
		[PROC_STEP_PIPE] = { "4.3.0 (Out of system resources, pipe "
				     "creation failed)",
				     "x-local; 500 (pipe creation error, out "
				     "of system resources ?)" },
		[PROC_STEP_FORK] = { "4.3.0 (Out of system resources, fork "
				     "failed)",
				     "x-local; 500 (fork failure, out of "
				     "system resources ?)" },
		[PROC_STEP_SETUP] = { "4.3.5 (mailer could not be set up)",
				      "x-local; 500 (mailer could not be set "
				      "up)" },
		[PROC_STEP_IDS] = { "4.3.5 (ids could not be set)",
				    "x-local; 500 (ids could not be set)" },
		[PROC_STEP_LIMITS] = { "4.3.5 (limits could not be set)",
				       "x-local; 500 (limits could not be "
				       "set)" },
		[PROC_STEP_EXEC] = { "4.3.5 (mailer could not be executed)",
				     "x-local; 500 (mailer could not be "
				     "executed)" },
	};

	return deferral("not-started", rows[run->step].status,
			rows[run->step].diagnostic, text);
}

/* With what the mailer said so far, if it said anything. */
static struct slice said_before(struct slice line, const char *what,
				struct arena *a)
{
	struct str text = STR_INIT;
	struct slice ret;

	str_add_clean(&text, line, RESULT_TEXT_MAX);
	str_addf(&text, "%s[%s]", text.len > 0 ? " " : "", what);
	ret = arena_dup(a, str_slice(&text));
	str_done(&text);
	return ret;
}

struct diag result_of_run(const struct proc_result *run, struct slice output,
			  struct arena *a)
{
	struct slice line = first_line(output);
	struct slice why = arena_dup(a, slice_of(run->err.text));

	switch (run->end) {
	case PROC_EXITED:
		return of_exit(run->code, line, a);
	case PROC_SIGNALED:
		return of_signal(run, line, a);
	case PROC_NOT_STARTED:
		return of_step(run, why);
	case PROC_TIMED_OUT:
		return deferral("timeout", "4.3.0 (mailer timed out)",
				"x-local; 500 (mailer timed out)",
				said_before(line, "timed out and killed", a));
	case PROC_SOURCE_FAILED:
		return deferral(
		    "message-unreadable", "4.3.0 (message could not be read)",
		    "x-local; 500 (message could not be read)", why);
	case PROC_WRITE_FAILED:
		return deferral(
		    "write-error",
		    "4.3.0 (Write to target failed for some reason)",
		    "x-local; 500 (Write to target failed for some reason)",
		    arena_printf(a, "write error: %s", run->err.text));
	case PROC_LOST:
		break;
	}
	return deferral("unknown-exit", "4.3.0 (exit status unknown)",
			"x-local; 500 (exit status unknown)", why);
}
