/*
 * mailq.c - mailq(1): what is in the queue, and why; and changing that.
 *
 * Collects what the rest is not allowed to look for: options, files of the
 * configuration, the terminal.
 */
#include "base/fd.h"
#include "base/log.h"
#include "conf/schedconf.h"
#include "mailqb/run.h"
#include "prog/setup.h"
#include "version.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH = 80 };

/* One line on standard error. */
static void complain(const char *text)
{
	struct str line = STR_INIT;

	str_adds(&line, "mailq: ");
	str_add_clean(&line, slice_of(text), SIZE_MAX);
	str_addc(&line, '\n');
	if (fd_write_all(STDERR_FILENO, str_slice(&line)) < 0) {
		/* nobody is left to be told; the exit code tells */
	}
	str_done(&line);
}

static void log_to_error(void *context, enum log_level level, struct slice line)
{
	(void)context;
	(void)level;
	complain(line.p);
}

static int64_t now(void)
{
	return (int64_t)time(NULL);
}

/* The file of -Z, which must be there; else as the environment says. */
static struct zenv *read_zenv(const struct mailq_options *o, struct arena *a)
{
	struct zenv *z;
	struct err err;

	if (o->zenv_file == NULL)
		return setup_zenv(a);
	if (access(o->zenv_file, R_OK) < 0) {
		complain("the file of -Z cannot be read");
		exit(EX_CONFIG);
	}
	if (zenv_load(o->zenv_file, a, &z, &err) != 0)
		complain(err.text);
	return z;
}

/* PARAMmailqsock="UNIX:PATH", if the scheduler's file can be read and used. */
static struct slice find_socket(const struct zenv *z, struct arena *a)
{
	const char *path =
	    arena_printf(a, "%s/scheduler.conf", zenv_cstr(z, "MAILSHARE")).p;
	struct slice prefix = SLICE("UNIX:");
	struct schedconf conf;
	struct err err;

	if (access(path, R_OK) < 0 ||
	    schedconf_load(path, z, a, &conf, &err) < 0 ||
	    !slice_starts_nocase(conf.mailq_socket, prefix))
		return SLICE("");
	return slice_of(
	    arena_cstr(a, slice_from(conf.mailq_socket, prefix.len)));
}

/* Of the terminal; what COLUMNS says where there is none. */
static unsigned find_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	uint64_t n;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > WIDTH)
		return size.ws_col;
	if (columns != NULL && slice_uint(slice_of(columns), 1000, &n) &&
	    n > WIDTH)
		return (unsigned)n;
	return WIDTH;
}

/* Can all of it be drawn upon? */
static bool has_screen(void)
{
	const char *kind = getenv("TERM");

	return isatty(STDOUT_FILENO) == 1 &&
	       (kind == NULL || strcmp(kind, "dumb") != 0);
}

static int show_version(void)
{
	struct slice text = SLICE("mailq (Zpost) " ZPOST_VERSION "\n");

	return fd_write_all(STDOUT_FILENO, text) < 0 ? EX_IOERR : EX_OK;
}

static int misused(const struct err *err)
{
	struct str text = STR_INIT;

	complain(err->text);
	str_addf(&text, "%s\n", mailq_options_usage());
	if (fd_write_all(STDERR_FILENO, str_slice(&text)) < 0) {
		/* the exit code tells */
	}
	str_done(&text);
	return EX_USAGE;
}

static int run(const struct mailq_options *o, struct arena *a)
{
	struct zenv *z = read_zenv(o, a);
	struct mailq_world w = {
		.postoffice = o->postoffice,
		.in_fd = STDIN_FILENO,
		.out_fd = STDOUT_FILENO,
		.is_in_tty = isatty(STDIN_FILENO) == 1,
		.has_screen = has_screen(),
		.width = find_width(),
		.now = now,
		.complain = complain,
	};

	if (w.postoffice == NULL)
		w.postoffice = zenv_cstr(z, "POSTOFFICE");
	w.socket = find_socket(z, a);
	return mailq_run(o, &w);
}

int main(int argc, char **argv)
{
	struct arena *a = arena_new();
	struct mailq_options o;
	struct err err = { 0 };
	int code;

	setup_descriptors();
	log_to(log_to_error, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (mailq_options_read(argc, argv, a, &o, &err) < 0)
		code = misused(&err);
	else if (o.view == MAILQ_VIEW_VERSION)
		code = show_version();
	else
		code = run(&o, a);
	arena_free(a);
	return code;
}
