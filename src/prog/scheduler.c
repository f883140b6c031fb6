/*
 * scheduler.c - the queue manager: options in, sched_run(), exit status.
 */
#include "base/log.h"
#include "base/str.h"
#include "prog/setup.h"
#include "sched/sched.h"
#include "version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { SCAN_SECONDS = 60, START_RATE = 30, WORDS_MAX = 16 };

static bool is_verbose;

/* Lines for the log: a time where nobody else adds one. */
static void log_to_error(void *context, enum log_level level, struct slice line)
{
	static const char *const words[] = { "error: ", "warning: ", "", "" };
	time_t now = time(NULL);
	char text[32] = "";
	struct tm tm;

	(void)context;
	if (level == LOG_LEVEL_DEBUG && !is_verbose)
		return;
	if (getenv("JOURNAL_STREAM") == NULL && localtime_r(&now, &tm) != NULL)
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S ", &tm);
	fprintf(stderr, "%sscheduler: %s%.*s\n", text, words[level],
		SLICE_ARG(line));
}

static _Noreturn void fail(int status, const char *text)
{
	log_line(LOG_LEVEL_ERROR, "%s", text);
	if (status == EX_USAGE)
		fputs("usage: scheduler [-HiSvV] [-E file] [-f configfile] "
		      "[-P postoffice]\n"
		      "                 [-R starts] [-t seconds]\n",
		      stderr);
	exit(status);
}

static unsigned number(const char *value, const char *what)
{
	uint64_t n;

	if (!slice_uint(slice_of(value), 1000000, &n) || n == 0)
		fail(EX_USAGE, what);
	return (unsigned)n;
}

static void set_option(struct sched_options *o, int letter, const char *value)
{
	switch (letter) {
	case 'E':
		o->events_file = value;
		break;
	case 'f':
		o->config_file = value;
		break;
	case 'H':
		o->hash_levels++;
		break;
	case 'i':
	case 'S':
	case 'W':
		break; /* how the original ran, we always do */
	case 'P':
		o->postoffice = value;
		break;
	case 'R':
		o->start_rate = number(value, "-R wants a number from 1");
		break;
	case 't':
		o->scan_seconds = number(value, "-t wants seconds from 1");
		break;
	case 'v':
		is_verbose = true;
		break;
	default:
		fail(EX_USAGE, "unknown option, or an option without a value");
	}
}

static void read_options(int argc, char **argv, struct sched_options *o)
{
	int letter;

	opterr = 0;
	while ((letter = getopt(argc, argv, "E:f:HiP:R:St:vVW")) != -1) {
		if (letter == 'V') {
			fputs("scheduler (Zpost) " ZPOST_VERSION "\n", stderr);
			exit(EX_OK);
		}
		set_option(o, letter, optarg);
	}
	if (optind < argc)
		fail(EX_USAGE, "arguments where none is expected");
	if (o->hash_levels > 2)
		fail(EX_USAGE, "-H at most twice");
}

/* What zmailer.conf says, where no option did. */
static void read_zenv(struct sched_options *o, struct arena *a)
{
	struct slice levels;
	uint64_t n;

	if (o->postoffice == NULL)
		o->postoffice = zenv_cstr(o->zenv, "POSTOFFICE");
	if (o->postoffice[0] != '/')
		fail(EX_CONFIG, "POSTOFFICE is not an absolute path");
	if (o->config_file == NULL)
		o->config_file = arena_printf(a, "%s/scheduler.conf",
					      zenv_cstr(o->zenv, "MAILSHARE"))
				     .p;
	o->agents_dir =
	    arena_printf(a, "%s/ta", zenv_cstr(o->zenv, "MAILBIN")).p;
	if (o->hash_levels == 0 &&
	    zenv_get(o->zenv, "SCHEDULERDIRHASH", &levels) &&
	    slice_uint(levels, 2, &n))
		o->hash_levels = (unsigned)n;
}

/* What agents get of our environment: TZ, and what sanitizers read. */
static void choose_environment(struct sched_options *o, struct arena *a)
{
	static const char *const names[] = { "TZ", "ASAN_OPTIONS",
					     "UBSAN_OPTIONS", "LSAN_OPTIONS" };
	const char **words = arena_array(a, WORDS_MAX, sizeof(*words));

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);

		if (value != NULL)
			words[o->n_environment++] =
			    arena_printf(a, "%s=%s", names[i], value).p;
	}
	o->environment = words;
}

int main(int argc, char **argv)
{
	struct arena *arena = arena_new();
	struct sched_options o = { .scan_seconds = SCAN_SECONDS,
				   .start_rate = START_RATE };
	struct utsname machine = { 0 };
	struct err err = { 0 };
	int status;

	setup_descriptors();
	log_to(log_to_error, NULL);
	setvbuf(stderr, NULL, _IOLBF, 0);
	read_options(argc, argv, &o);
	o.zenv = setup_zenv(arena);
	o.host_name = uname(&machine) == 0 ? machine.nodename : "localhost";
	o.launcher = setup_beside("zlaunch", arena);
	if (access(o.launcher, X_OK) < 0)
		o.launcher = arena_printf(arena, "%s/ta/zlaunch",
					  zenv_cstr(o.zenv, "MAILBIN"))
				 .p;
	read_zenv(&o, arena);
	choose_environment(&o, arena);
	status = sched_run(&o, &err);
	if (status != EX_OK)
		log_line(LOG_LEVEL_ERROR, "%s", err.text);
	arena_free(arena);
	return status;
}
