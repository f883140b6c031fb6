/*
 * scheduler.c - the queue manager: options in, sched_run(), exit status.
 */
#include "agent/syslog.h"
#include "base/log.h"
#include "base/str.h"
#include "conf/way.h"
#include "prog/errlog.h"
#include "prog/setup.h"
#include "sched/sched.h"
#include "smtp/path.h"
#include "version.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { SCAN_SECONDS = 60, START_RATE = 30, WORDS_MAX = 16 };

/* As syslog(3) numbers them. */
static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

static bool is_verbose, is_journal;
static const char *zenv_path; /* -Z */
static const char *submit;    /* -O submit: on, or a path; NULL: off */
static const char *log_path;  /* -L */
static const char *syslog_path = SYSLOG_PATH;
static struct syslog *to_syslog; /* NULL: not asked for */

/* Lines for the log: a time where nobody else adds one. */
static void log_to_error(void *context, enum log_level level, struct slice line)
{
	static const char *const words[] = { "error: ", "warning: ", "", "" };
	struct str whole = STR_INIT;
	time_t now = time(NULL);
	char text[32] = "";
	struct tm tm;

	(void)context;
	if (level == LOG_LEVEL_DEBUG && !is_verbose)
		return;
	if (is_journal) /* sd-daemon(3): the priority, which it takes off */
		snprintf(text, sizeof(text), "<%d>", priorities[level]);
	else if (localtime_r(&now, &tm) != NULL)
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S ", &tm);
	str_addf(&whole, "%sscheduler: %s%.*s", text, words[level],
		 SLICE_ARG(line));
	errlog_write(str_slice(&whole));
	str_done(&whole);
	if (to_syslog != NULL)
		syslog_send_as(to_syslog, priorities[level], line);
}

/* Is our standard error the journal's, and not a file or pipe of others? */
static bool has_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct str mine = STR_INIT;
	struct stat st;
	bool is_same;

	if (stream == NULL || fstat(STDERR_FILENO, &st) < 0)
		return false;
	str_addf(&mine, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	is_same = strcmp(str_cstr(&mine), stream) == 0;
	str_done(&mine);
	return is_same;
}

/*
 * With the letter C in SYSLOGFLG the log goes to syslog too; but not if it is
 * in the journal already, since the same daemon would have it twice.
 */
static void begin_syslog(const struct zenv *zenv)
{
	struct slice flags;

	if (!is_journal && zenv_get(zenv, "SYSLOGFLG", &flags) &&
	    slice_has(flags, 'C'))
		to_syslog = syslog_new(syslog_path, "scheduler", getpid());
}

static _Noreturn void fail(int status, const char *text)
{
	log_line(LOG_LEVEL_ERROR, "%s", text);
	if (status == EX_USAGE)
		fputs("usage: scheduler [-HvV] [-f configfile] [-l statistics] "
		      "[-L logfile]\n"
		      "                 [-P postoffice] [-R starts] "
		      "[-Z zenvfile]\n"
		      "                 [-O events=file] [-O metrics=where] "
		      "[-O scan=seconds]\n"
		      "                 [-O submit=on] [-O syslog=path]\n",
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

/* No name, and no port of all addresses: who opens it to others says so. */
static const char *check_place(const char *where)
{
	if (!sched_metrics_is_place(where))
		fail(EX_USAGE, "-O metrics wants ADDRESS:PORT, [ADDRESS]:PORT "
			       "or unix:/PATH");
	return where;
}

/* -O key=value: what the original does not have. */
static void set_own(struct sched_options *o, const char *word)
{
	struct slice rest = slice_of(word), key;

	(void)slice_cut(&rest, '=', &key);
	if (slice_eq(key, SLICE("events")) && rest.len > 0)
		o->events_file = rest.p;
	else if (slice_eq(key, SLICE("metrics")) && rest.len > 0)
		o->metrics = check_place(rest.p);
	else if (slice_eq(key, SLICE("scan")) && rest.len > 0)
		o->scan_seconds = number(rest, "-O scan wants seconds from 1");
	else if (slice_eq(key, SLICE("syslog")) && rest.len > 0)
		syslog_path = rest.p;
	else if (slice_eq(key, SLICE("submit")) && rest.len > 0)
		submit = slice_eq(rest, SLICE("off")) ? NULL : rest.p;
	else
		fail(EX_USAGE, "-O wants events=FILE, metrics=ADDRESS:PORT, "
			       "scan=SECONDS, submit=on or syslog=PATH");
}

/* The log goes to the file of -L from now on; false: it cannot. */
static bool open_log(void)
{
	int fd = open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY, 0640);
	bool is_open = fd >= 0 && dup2(fd, STDERR_FILENO) >= 0;

	if (fd > STDERR_FILENO)
		close(fd);
	return is_open;
}

/* It may have been renamed. */
static void reopen_log(void)
{
	if (log_path != NULL && !open_log())
		log_line(LOG_LEVEL_ERROR, "%s: %s: the one before is kept",
			 log_path, strerror(errno));
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
	case 'l':
		o->statistics_file = value;
		break;
	case 'L':
		log_path = value;
		if (!open_log())
			fail(EX_CANTCREAT, "the file of -L cannot be opened");
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

/* The names of this machine, and the file of routes. */
static void read_names(struct sched_options *o, struct arena *a)
{
	struct utsname machine;
	struct way_names names;
	struct err err;

	o->host_name = "localhost";
	if (uname(&machine) == 0 && helo_name_valid(slice_of(machine.nodename)))
		o->host_name = arena_cstr(a, slice_of(machine.nodename));
	if (way_names_read(o->zenv, slice_of(o->host_name), a, &names, &err) <
	    0)
		fail(EX_CONFIG, err.text);
	o->mail_name = arena_cstr(a, names.mail_name);
	o->routes_file = names.routes_file;
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

/* The program of the submission service, which serves as zmailer.conf says. */
static void find_submit(struct sched_options *o, struct arena *a)
{
	const char *office = zenv_cstr(o->zenv, "POSTOFFICE");

	if (submit == NULL)
		return;
	if (strcmp(o->postoffice, office) != 0)
		fail(EX_USAGE, "with -O submit=on POSTOFFICE in zmailer.conf "
			       "must be that of -P");
	o->submit_program = submit;
	if (strcmp(submit, "on") == 0)
		o->submit_program = setup_beside("submit", a);
	else if (submit[0] != '/')
		fail(EX_USAGE, "-O submit wants on, off or an absolute path");
	if (access(o->submit_program, X_OK) < 0 && strcmp(submit, "on") == 0)
		o->submit_program =
		    arena_printf(a, "%s/submit", zenv_cstr(o->zenv, "MAILBIN"))
			.p;
	if (access(o->submit_program, X_OK) < 0)
		fail(EX_CONFIG, "there is no program for -O submit");
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
				   .start_rate = START_RATE,
				   .version = ZPOST_VERSION,
				   .reopen_log = reopen_log };
	struct err err = { 0 };
	int status;

	setup_descriptors();
	signal(SIGPIPE, SIG_IGN); /* the write that raises one fails as well */
	signal(SIGXFSZ, SIG_IGN);
	log_to(log_to_error, NULL);
	setvbuf(stderr, NULL, _IOLBF, 0);
	read_options(argc, argv, &o);
	is_journal = has_journal();
	o.zenv = read_zenv_file(arena);
	read_names(&o, arena);
	o.launcher = setup_beside("zlaunch", arena);
	if (access(o.launcher, X_OK) < 0)
		o.launcher = arena_printf(arena, "%s/ta/zlaunch",
					  zenv_cstr(o.zenv, "MAILBIN"))
				 .p;
	read_zenv(&o, arena);
	begin_syslog(o.zenv);
	find_submit(&o, arena);
	choose_environment(&o, arena);
	o.manager_socket = getenv("NOTIFY_SOCKET");
	status = sched_run(&o, &err);
	if (status != EX_OK)
		log_line(LOG_LEVEL_ERROR, "%s", err.text);
	syslog_free(to_syslog);
	arena_free(arena);
	return status;
}
