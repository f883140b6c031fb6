/*
 * tlsrpt.c - tlsrpt(8): sends reports about TLS.
 *
 * usage: tlsrpt [-vV] [--dry-run] [--day YYYY-MM-DD] [--domain domain]
 *               [--spread interval] [-O key=value]
 */
#include "base/keyword.h"
#include "base/log.h"
#include "prog/setup.h"
#include "tlsrpt/run.h"
#include "version.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { OPT_DRY = 256, OPT_DAY, OPT_DOMAIN, OPT_SPREAD };

static const struct option long_rows[] = {
	{ "dry-run", no_argument, NULL, OPT_DRY },
	{ "day", required_argument, NULL, OPT_DAY },
	{ "domain", required_argument, NULL, OPT_DOMAIN },
	{ "spread", required_argument, NULL, OPT_SPREAD },
	{ NULL, 0, NULL, 0 },
};

static const struct {
	int option;
	int (*read)(struct tlsrpt_options *o, struct slice text,
		    struct err *err);
} value_rows[] = {
	{ 'O', tlsrpt_options_own },
	{ OPT_DAY, tlsrpt_options_day },
	{ OPT_DOMAIN, tlsrpt_options_domain },
	{ OPT_SPREAD, tlsrpt_options_spread },
};

static _Noreturn void fail(int status, const char *text)
{
	fprintf(stderr, "tlsrpt: %s\n", text);
	exit(status);
}

static _Noreturn void usage(void)
{
	fputs("usage: tlsrpt [-vV] [--dry-run] [--day YYYY-MM-DD]\n"
	      "              [--domain domain] [--spread interval]\n"
	      "              [-O key=value]\n",
	      stderr);
	exit(EX_USAGE);
}

static void set_value(struct tlsrpt_options *o, int option, const char *value)
{
	struct err err;

	for (size_t i = 0; i < COUNT(value_rows); i++)
		if (option == value_rows[i].option &&
		    value_rows[i].read(o, slice_of(value), &err) < 0)
			fail(EX_USAGE, err.text);
}

static void read_options(int argc, char **argv, struct tlsrpt_options *o)
{
	int option;

	opterr = 0; /* usage() says it */
	while ((option = getopt_long(argc, argv, "vVO:", long_rows, NULL)) !=
	       -1) {
		switch (option) {
		case 'V':
			fputs("tlsrpt (Zpost) " ZPOST_VERSION "\n", stderr);
			exit(EX_OK);
		case 'v':
			o->is_verbose = true;
			break;
		case OPT_DRY:
			o->is_dry = true;
			break;
		case '?':
			usage();
		default:
			set_value(o, option, optarg);
		}
	}
	if (optind < argc)
		usage();
}

/* ---- where things lie --------------------------------------------------- */

/* A program beside this one, else in folder; if nowhere, beside this one. */
static const char *find_program(const char *name, struct slice folder,
				struct arena *a)
{
	char path[PATH_MAX]; /* the kernel gives no longer one */
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path));
	struct slice beside, other;

	if (len < 0)
		fail(EX_OSFILE, strerror(errno));
	beside = slice_make(path, (size_t)len);
	beside = slice_head(beside, slice_find_last(beside, '/'));
	beside = arena_printf(a, "%.*s/%s", SLICE_ARG(beside), name);
	other = arena_printf(a, "%.*s/%s", SLICE_ARG(folder), name);
	if (access(beside.p, X_OK) < 0 && access(other.p, X_OK) == 0)
		return other.p;
	return beside.p;
}

/* DNSMODE and so on, as with smtp(8). */
static void read_dns(const struct zenv *zenv, struct tlsrpt_options *o)
{
	struct slice value;

	if (!o->has_dns_mode && zenv_get(zenv, "DNSMODE", &value) &&
	    value.len > 0 && !dns_mode_read(value, &o->dns.mode))
		fail(EX_CONFIG, "DNSMODE: expected validate, trusted or off");
	if (o->dns.servers == NULL && zenv_get(zenv, "DNSSERVERS", &value) &&
	    value.len > 0)
		o->dns.servers = zenv_cstr(zenv, "DNSSERVERS");
	if (o->dns.anchor_file == NULL && zenv_get(zenv, "DNSANCHOR", &value) &&
	    value.len > 0)
		o->dns.anchor_file = zenv_cstr(zenv, "DNSANCHOR");
}

static void read_variables(const struct zenv *zenv, struct tlsrpt_options *o,
			   struct arena *a)
{
	struct slice mailvar = { 0 }, mailbin = { 0 }, helpers;

	if (!zenv_get(zenv, "MAILVAR", &mailvar) ||
	    !zenv_get(zenv, "MAILBIN", &mailbin))
		fail(EX_CONFIG, "MAILVAR or MAILBIN is not set");
	read_dns(zenv, o);
	o->dns.memory_dir = arena_cstr(a, mailvar);
	helpers = arena_printf(a, "%.*s/ta", SLICE_ARG(mailbin));
	if (o->store == NULL)
		o->store = arena_printf(a, "%.*s/zpost", SLICE_ARG(mailvar)).p;
	if (o->submit == NULL)
		o->submit = find_program("submit", helpers, a);
	if (o->stsfetch == NULL)
		o->stsfetch = find_program("stsfetch", helpers, a);
}

/* ---- the world ---------------------------------------------------------- */

static int64_t now(void)
{
	return time(NULL);
}

static void fill_random(void *to, size_t n)
{
	arc4random_buf(to, n);
}

/* So that not all of the world's reports come at midnight. */
static void wait_by_chance(unsigned spread)
{
	if (spread > 0)
		sleep(arc4random_uniform(spread + 1));
}

static void to_stderr(void *context, enum log_level level, struct slice line)
{
	(void)context;
	(void)level;
	fprintf(stderr, "tlsrpt: %.*s\n", SLICE_ARG(line));
}

int main(int argc, char **argv)
{
	static const struct tlsrpt_world world = { now, fill_random,
						   STDOUT_FILENO };
	struct tlsrpt_options o = tlsrpt_options_default();
	struct arena *arena = arena_new();
	struct utsname machine;
	struct err err;
	int status;

	setup_descriptors();
	log_to(to_stderr, NULL);
	read_options(argc, argv, &o);
	read_variables(setup_zenv(arena), &o, arena);
	if (uname(&machine) < 0)
		fail(EX_OSERR, strerror(errno));
	if (tlsrpt_options_finish(&o, slice_of(machine.nodename), arena, &err) <
	    0)
		fail(EX_USAGE, err.text);
	o.envp = environ;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	if (!o.is_dry)
		wait_by_chance(o.spread);
	status = tlsrpt_run(&o, &world);
	arena_free(arena);
	return status;
}
