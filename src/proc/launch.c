/*
 * launch.c - the body of zlaunch: read the words, obey, execute.
 *
 * A failure is told in one line: on standard error for a human, or, for the
 * program that started us, as "STEP ERRNO TEXT" on the report descriptor. That
 * one is close-on-exec, so nothing on it means that the program runs.
 */
#include "proc/launch.h"

#include "base/fd.h"
#include "base/keyword.h"
#include "base/mem.h"
#include "proc/launch_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { NICE_MIN = -20, NICE_MAX = 19, UMASK_MAX = 0777 };

/* ---- values ------------------------------------------------------------ */

static bool read_bytes(struct slice value, uint64_t *ret)
{
	static const char letters[] = "KMGT";
	uint64_t unit = 1;

	for (size_t i = 0; i < sizeof(letters) - 1; i++)
		if (value.len > 0 && value.p[value.len - 1] == letters[i]) {
			value.len--;
			unit <<= 10 * (i + 1);
			break;
		}
	if (!slice_uint(value, (uint64_t)INT64_MAX / unit, ret))
		return false;
	*ret *= unit;
	return true;
}

static bool set_bytes(struct launch_limit *limit, struct slice value,
		      uint64_t min)
{
	limit->is_set = read_bytes(value, &limit->value);
	return limit->is_set && limit->value >= min;
}

static bool set_count(struct launch_limit *limit, struct slice value)
{
	limit->is_set = slice_uint(value, UINT32_MAX, &limit->value);
	return limit->is_set && limit->value > 0;
}

static bool set_path(const char **ret, struct slice value)
{
	*ret = value.p;
	return slice_starts(value, SLICE("/"));
}

/* ---- the words --------------------------------------------------------- */

static bool set_cpu(struct launch_plan *p, struct slice value)
{
	return set_count(&p->cpu, value);
}

static bool set_directory(struct launch_plan *p, struct slice value)
{
	return set_path(&p->directory, value);
}

static bool set_file_size(struct launch_plan *p, struct slice value)
{
	return set_bytes(&p->file_size, value, 0);
}

static bool set_group(struct launch_plan *p, struct slice value)
{
	p->group = value.p;
	return value.len > 0;
}

static bool set_memory(struct launch_plan *p, struct slice value)
{
	return set_bytes(&p->memory, value, 1);
}

static bool set_nice(struct launch_plan *p, struct slice value)
{
	bool is_negative = slice_starts(value, SLICE("-"));
	uint64_t n;

	if (!slice_uint(slice_from(value, is_negative ? 1 : 0),
			is_negative ? -NICE_MIN : NICE_MAX, &n))
		return false;
	p->has_nice = true;
	p->nice = is_negative ? -(int)n : (int)n;
	return true;
}

static bool set_no_network(struct launch_plan *p, struct slice value)
{
	(void)value;
	p->no_network = true;
	return true;
}

static bool set_no_new_privileges(struct launch_plan *p, struct slice value)
{
	(void)value;
	p->no_new_privileges = true;
	return true;
}

static bool set_processes(struct launch_plan *p, struct slice value)
{
	return set_count(&p->processes, value);
}

static bool set_read_only(struct launch_plan *p, struct slice value)
{
	(void)value;
	p->read_only = true;
	return true;
}

static bool set_read_write(struct launch_plan *p, struct slice value)
{
	const char *path;

	if (!set_path(&path, value))
		return false;
	p->read_write = mem_grow(p->read_write, &p->read_write_cap,
				 p->n_read_write + 1, sizeof(*p->read_write));
	p->read_write[p->n_read_write++] = path;
	p->read_only = true;
	return true;
}

static bool set_report(struct launch_plan *p, struct slice value)
{
	uint64_t fd;

	if (!slice_uint(value, INT32_MAX, &fd) || fd <= STDERR_FILENO)
		return false;
	p->report_fd = (int)fd;
	return true;
}

static bool set_umask(struct launch_plan *p, struct slice value)
{
	unsigned mask = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] < '0' || value.p[i] > '7')
			return false;
		mask = mask * 8 + (unsigned)(value.p[i] - '0');
		if (mask > UMASK_MAX)
			return false;
	}
	p->has_umask = true;
	p->umask = mask;
	return value.len > 0;
}

static bool set_user(struct launch_plan *p, struct slice value)
{
	p->user = value.p;
	return value.len > 0;
}

static const struct word {
	const char *name;
	const char *expected; /* of its value; NULL: it has none */
	bool (*set)(struct launch_plan *p, struct slice value);
} words[] = {
	{ "cpu", "a number of seconds from 1", set_cpu },
	{ "directory", "an absolute path", set_directory },
	{ "file-size", "a number of bytes, such as 500M", set_file_size },
	{ "group", "a group's name or number", set_group },
	{ "memory", "a number of bytes, such as 500M", set_memory },
	{ "nice", "a number from -20 to 19", set_nice },
	{ "no-network", NULL, set_no_network },
	{ "no-new-privileges", NULL, set_no_new_privileges },
	{ "processes", "a number from 1", set_processes },
	{ "read-only", NULL, set_read_only },
	{ "read-write", "an absolute path", set_read_write },
	{ "report", "a descriptor from 3", set_report },
	{ "umask", "an octal number up to 777", set_umask },
	{ "user", "a user's name or number", set_user },
};

/* The value behind '=' stays where it is, so that argv's are C strings. */
static int add_word(struct launch_plan *p, struct slice text, struct err *err)
{
	size_t at = slice_find(text, '=');
	struct slice name = slice_head(text, at);
	bool has_value = at < text.len;

	for (size_t i = 0; i < COUNT(words); i++) {
		const struct word *w = &words[i];

		if (!slice_eq(name, slice_of(w->name)))
			continue;
		if (has_value != (w->expected != NULL) ||
		    !w->set(p, slice_from(text, at + 1)))
			return FAIL(err, "%.*s: expected %s", SLICE_ARG(text),
				    w->expected != NULL ? w->expected
							: "no value");
		return 0;
	}
	return FAIL(err, "%.*s: unknown word", SLICE_ARG(name));
}

int launch_check_word(struct slice word, struct err *err)
{
	struct launch_plan scratch = { .report_fd = -1 };
	int r = add_word(&scratch, word, err);

	free(scratch.read_write);
	if (r == 0 && scratch.report_fd >= 0)
		return FAIL(err, "report: unknown word");
	return r;
}

/* Fills *p; *ret_program is "path argv0 ..." of argv, NULL for --check. */
static int read_words(char **argv, struct launch_plan *p, char ***ret_program,
		      struct err *err)
{
	char **arg = argv[0] != NULL ? argv + 1 : argv;

	for (; *arg != NULL && strncmp(*arg, "--", 2) != 0; arg++)
		if (add_word(p, slice_of(*arg), err) < 0)
			return -1;
	if (p->report_fd >= 0 && fcntl(p->report_fd, F_SETFD, FD_CLOEXEC) < 0) {
		p->report_fd = -1;
		return FAIL_CODE(err, errno, "report: %s", strerror(errno));
	}
	p->is_check = *arg != NULL && strcmp(*arg, "--check") == 0;
	*ret_program = NULL;
	if (p->is_check && arg[1] == NULL)
		return 0;
	if (*arg == NULL || strcmp(*arg, "--") != 0 || arg[1] == NULL ||
	    arg[2] == NULL)
		return FAIL(err,
			    "expected: [word ...] -- path argv0 [argument ...],"
			    " or: [word ...] --check");
	*ret_program = arg + 1;
	return 0;
}

/* ---- telling ----------------------------------------------------------- */

/* What a report begins with. */
static const char step_limits[] = "limits", step_exec[] = "exec";

static const struct keyword report_steps[] = {
	{ step_limits, PROC_STEP_LIMITS },
	{ step_exec, PROC_STEP_EXEC },
};

/* Without asking for memory, of which we may have no more. */
static void tell(const struct launch_plan *p, const char *step,
		 const struct err *err)
{
	char line[ERR_TEXT_MAX + 64];
	int len = p->report_fd >= 0 ? snprintf(line, sizeof(line), "%s %d %s\n",
					       step, err->code, err->text)
				    : snprintf(line, sizeof(line),
					       "zlaunch: %s\n", err->text);

	if (fd_write_all(p->report_fd >= 0 ? p->report_fd : STDERR_FILENO,
			 slice_make(line, (size_t)len)) < 0) {
		/* nobody is left to be told; the exit status tells */
	}
}

bool launch_read_report(struct slice text, enum proc_step *ret_step,
			struct err *ret_why)
{
	const struct keyword *step;
	struct slice word, code;
	uint64_t n = 0;

	if (text.len > 0 && text.p[text.len - 1] == '\n')
		text.len--;
	if (!slice_word(&text, &word) || !slice_word(&text, &code))
		return false;
	step = keyword_find(report_steps, COUNT(report_steps), word);
	if (step == NULL || !slice_uint(code, INT32_MAX, &n))
		return false;
	*ret_step = (enum proc_step)step->value;
	err_set(ret_why, (int)n, "%.*s", SLICE_ARG(slice_trim(text)));
	return true;
}

/* ---- the program ------------------------------------------------------- */

/* Not back if the program was executed. */
static int obey(const struct launch_plan *p, char **program)
{
	const char *gap = NULL;
	struct err err;

	if (launch_apply(p, &gap, &err) < 0) {
		tell(p, step_limits, &err);
		return p->is_check ? EXIT_FAILURE : EX_OSERR;
	}
	if (p->is_check) {
		err_set(&err, 0, "read-only: %s", gap != NULL ? gap : "");
		if (gap != NULL)
			tell(p, step_limits, &err);
		return EXIT_SUCCESS;
	}
	execv(program[0], program + 1);
	err_set(&err, errno, "cannot execute %s: %s", program[0],
		strerror(errno));
	tell(p, step_exec, &err);
	return EX_OSERR;
}

int launch_run(char **argv)
{
	struct launch_plan plan = { .report_fd = -1 };
	char **program;
	struct err err;
	int status;

	if (read_words(argv, &plan, &program, &err) < 0) {
		tell(&plan, step_limits, &err);
		status = EX_USAGE;
	} else {
		status = obey(&plan, program);
	}
	free(plan.read_write);
	return status;
}
