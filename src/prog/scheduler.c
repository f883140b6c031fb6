/*
 * scheduler.c - the queue manager: options in, sched_run(), exit status.
 */
#include "base/log.h"
#include "base/str.h"
#include "prog/setup.h"
#include "sched/sched.h"
#include "version.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { SCAN_SECONDS = 60, START_RATE = 30, WORDS_MAX = 16 };

static bool is_verbose;
static const char *zenv_path; /* -Z */

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
		fputs("usage: scheduler [-HvV] [-f configfile] [-L logfile] "
		      "[-P postoffice] [-R starts]\n"
		      "                 [-Z zenvfile] "
		      "[-O events=file] [-O scan=seconds]\n",
		      stderr);
	exit(status);
}

static unsigned number(struct slice value, const char *what)
{
	uint64_t n;

	if (!slice_uint(value, 1000000, &n) || n == 0)
		fail(EX_USAGE, what);
	return (unsigned)n;
}

/* -O key=value: what the original does not have. */
static void set_own(struct sched_options *o, const char *word)
{
	struct slice rest = slice_of(word), key;

	(void)slice_cut(&rest, '=', &key);
	if (slice_eq(key, SLICE("events")) && rest.len > 0)
		o->events_file = rest.p;
	else if (slice_eq(key, SLICE("scan")) && rest.len > 0)
		o->scan_seconds = number(rest, "-O scan wants seconds from 1");
	else
		fail(EX_USAGE, "-O wants events=FILE or scan=SECONDS");
}

/* The log goes to a file from now on. */
static void log_to_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY, 0640);

	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
		fail(EX_CANTCREAT, "the file of -L cannot be opened");
	if (fd > STDERR_FILENO)
		close(fd);
}

static void set_option(struct sched_options *o, int letter, const char *value)
{
	switch (letter) {
	case 'f':
		o->config_file = value;
		break;
	case 'H':
		o->hash_levels++;
		break;
	case 'L':
		log_to_file(value);
		break;
	case 'O':
		set_own(o, value);
		break;
	case 'P':
		o->postoffice = value;
		break;
	case 'R':
		o->start_rate =
		    number(slice_of(value), "-R wants a number from 1");
		break;
	case 'v':
		is_verbose = true;
		break;
	case 'Z':
		zenv_path = value;
		break;
	case 'd': /* how the original ran is how we always do, */
	case 'F':
	case 'i':
	case 'n':
	case 'Q':
	case 'S':
	case 'W':
	case 'E': /* or is of no use here */
	case 'N':
	case 'q':
		break;
	case 'l':
		log_line(LOG_LEVEL_WARNING,
			 "-l: there is no statistics log; see -O events");
		break;
	default:
		fail(EX_USAGE, "unknown option, or an option without a value");
	}
}

static void read_options(int argc, char **argv, struct sched_options *o)
{
	static const char letters[] = "dE:f:FHil:L:nN:O:P:q:QR:SvVWZ:";
	int letter;

	opterr = 0;
	while ((letter = getopt(argc, argv, letters)) != -1) {
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

/* The file of -Z, which must be there; else as the environment says. */
static struct zenv *read_zenv_file(struct arena *a)
{
	struct zenv *z;
	struct err err;

	if (zenv_path == NULL)
		return setup_zenv(a);
	if (access(zenv_path, R_OK) < 0)
		fail(EX_CONFIG, "the file of -Z cannot be read");
	if (zenv_load(zenv_path, a, &z, &err) != 0)
		log_line(LOG_LEVEL_WARNING, "%s", err.text);
	return z;
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
	o.zenv = read_zenv_file(arena);
	o.host_name = uname(&machine) == 0 ? machine.nodename : "localhost";
	o.launcher = setup_beside("zlaunch", arena);
	if (access(o.launcher, X_OK) < 0)
		o.launcher = arena_printf(arena, "%s/ta/zlaunch",
					  zenv_cstr(o.zenv, "MAILBIN"))
				 .p;
	read_zenv(&o, arena);
	choose_environment(&o, arena);
	o.manager_socket = getenv("NOTIFY_SOCKET");
	status = sched_run(&o, &err);
	if (status != EX_OK)
		log_line(LOG_LEVEL_ERROR, "%s", err.text);
	arena_free(arena);
	return status;
}
