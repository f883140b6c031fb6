/*
 * token.c - a secret or token that a program prints.
 */
#include "smtpta/token.h"

#include "agent/agent.h"
#include "base/arena.h"
#include "proc/proc.h"

enum { WORDS_MAX = 64 };

static struct slice without_cr(struct slice line)
{
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	return line;
}

int token_parse(struct slice output, struct str *ret_secret,
		unsigned *ret_seconds, struct err *err)
{
	struct slice line = { 0 }, secret, word;
	uint64_t seconds = 0;

	(void)slice_cut(&output, '\n', &line);
	secret = without_cr(line);
	if (secret.len == 0 || slice_has_control(secret))
		return FAIL(err,
			    "command= printed no secret in its first line");
	while (slice_cut(&output, '\n', &line)) {
		line = without_cr(line);
		if (!slice_word(&line, &word))
			continue;
		if (!slice_eq_nocase(word, SLICE("expires-in")) ||
		    !slice_uint(slice_trim(line), TOKEN_SECONDS_MAX, &seconds))
			return FAIL(err, "command= printed a line that is not "
					 "\"expires-in SECONDS\"");
	}
	str_reserve(ret_secret, secret.len);
	str_add(ret_secret, secret);
	*ret_seconds = (unsigned)seconds;
	return 0;
}

/* How it ended, if not well; NULL: it did. */
static const char *complaint(const struct proc_result *r)
{
	switch (r->end) {
	case PROC_EXITED:
		if (r->code != 0)
			return "did not exit with 0";
		return r->output_cut ? "printed too much" : NULL;
	case PROC_TIMED_OUT:
		return "took too long";
	case PROC_NOT_STARTED:
		return "could not be started";
	case PROC_SIGNALED:
	case PROC_SOURCE_FAILED:
	case PROC_WRITE_FAILED:
	case PROC_LOST:
		break;
	}
	return "did not end well";
}

static ssize_t no_input(void *context, struct str *to, struct err *err)
{
	(void)context;
	(void)to;
	(void)err;
	return 0;
}

/* The words of a command as an argument vector, in a. */
static char **split(struct slice command, struct arena *a)
{
	char **argv = arena_array(a, WORDS_MAX + 1, sizeof(*argv));
	struct slice word;

	for (size_t n = 0; n < WORDS_MAX && slice_word(&command, &word); n++)
		argv[n] = (char *)(uintptr_t)arena_cstr(a, word);
	return argv;
}

int token_run(struct slice command, unsigned timeout_ms, struct str *ret_secret,
	      unsigned *ret_seconds, struct err *err)
{
	static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
	char *envp[] = { path, NULL };
	struct arena *a = arena_new();
	char **argv = split(command, a);
	struct proc_command run = {
		.path = argv[0],
		.argv = argv,
		.envp = envp,
		.ids = PROC_IDS_KEEP,
		.timeout_ms = timeout_ms,
		.should_stop = agent_is_interrupted,
		.ignored_signals = proc_ignored_signals(),
		.output_max = TOKEN_OUTPUT_MAX,
	};
	struct proc_result result;
	struct str output = STR_INIT;
	const char *why;
	int r = -1;

	str_reserve(&output, TOKEN_OUTPUT_MAX + 1);
	proc_run(&run, no_input, NULL, &output, &result);
	why = complaint(&result);
	if (why != NULL)
		err_set(err, 0, "command= %s", why);
	else
		r = token_parse(str_slice(&output), ret_secret, ret_seconds,
				err);
	str_wipe(&output);
	arena_free(a);
	return r;
}
