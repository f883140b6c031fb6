/*
 * sm.c - the agent that delivers into programs: options in, smta_run(), exit
 * status.
 */
#include "base/fd.h"
#include "base/log.h"
#include "prog/setup.h"
#include "smta/smta.h"
#include "version.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sysexits.h>
#include <unistd.h>

extern char **environ;

/* Lines for the log go to the scheduler, which wants a '#' before them. */
static void log_to_scheduler(void *context, enum log_level level,
			     struct slice line)
{
	struct str out = STR_INIT;

	(void)context;
	(void)level;
	str_adds(&out, "# sm: ");
	str_add(&out, line);
	str_addc(&out, '\n');
	if (fd_write_all(STDERR_FILENO, str_slice(&out)) < 0) {
		/* nobody is left to be told */
	}
	str_done(&out);
}

static _Noreturn void fail(int status, const char *text)
{
	log_line(LOG_LEVEL_ERROR, "%s", text);
	if (status == EX_USAGE)
		fputs("# usage: sm [-8HQVv] [-f configfile] [-w maxwidth] "
		      "[-O key[=value]]\n"
		      "#           (-c channel | -h host | both) mailer\n",
		      stderr);
	exit(status);
}

static void set_option(struct smta_options *o, int letter, const char *value)
{
	struct err err;

	switch (letter) {
	case '8':
		o->is_8bit = true;
		break;
	case 'c':
		o->has_channel = true;
		o->channel = slice_of(value);
		break;
	case 'f':
		o->config_file = value;
		break;
	case 'h':
		o->has_host = true;
		o->host = slice_of(value);
		break;
	case 'H':
		o->keep_8bit_headers = true;
		break;
	case 'O':
		if (smta_options_own(o, slice_of(value), &err) < 0)
			fail(EX_USAGE, err.text);
		break;
	case 'Q':
		o->narrow_qp = true;
		break;
	case 'v':
		o->is_verbose = true;
		break;
	case 'w':
		break; /* a width that headers no longer have */
	default:
		fail(EX_USAGE, "unknown option, or an option without a value");
	}
}

static void read_options(int argc, char **argv, struct smta_options *o)
{
	struct err err;
	int letter;

	opterr = 0; /* fail() says it with the "# " that logs want */
	while ((letter = getopt(argc, argv, "8c:f:h:HO:QVvw:")) != -1) {
		if (letter == 'V') {
			fputs("sm (Zpost) " ZPOST_VERSION "\n", stderr);
			exit(EX_OK);
		}
		set_option(o, letter, optarg);
	}
	if (argc - optind == 1)
		o->mailer = argv[optind];
	if (smta_options_check(o, &err) < 0)
		fail(EX_USAGE, err.text);
}

/* Limits that cannot be had must be told before the first "#hungry". */
static void check_limits(struct smta_options *o,
			 const struct smta_mailer *mailer, struct arena *a)
{
	struct err err;

	if (mailer->limits == NULL)
		return;
	o->launcher = setup_beside("zlaunch", a);
	if (smta_check_limits(o, mailer, &err) < 0)
		fail(EX_OSFILE, err.text);
}

int main(int argc, char **argv)
{
	struct smta_options o = smta_options_default();
	struct arena *arena = arena_new();
	struct smta_mailer mailer;
	struct agent_options ao;
	struct syslog *syslog;
	struct agent *agent;
	struct utsname machine = { 0 };
	struct err err;
	int status;

	setup_descriptors();
	log_to(log_to_scheduler, NULL);
	read_options(argc, argv, &o);
	o.zenv = setup_zenv(arena);
	o.envp = environ;
	o.host_name = uname(&machine) == 0 ? machine.nodename : "localhost";
	if (smta_setup(&o, arena, &mailer, &err) < 0)
		fail(EX_OSFILE, err.text);
	ao = setup_agent(o.program, 1, arena);
	ao.ta_id = slice_of(NULL); /* sm has never told it */
	ao.sync_always = o.sync_always;
	syslog = setup_syslog(&ao, o.zenv, o.syslog_path, false);
	ao.has_channel = o.has_channel;
	ao.channel = o.channel;
	ao.has_host = o.has_host;
	ao.host = o.host;
	check_limits(&o, &mailer, arena);
	agent = agent_new(&ao);
	status = smta_run(agent, &o, &mailer);
	agent_free(agent);
	syslog_free(syslog);
	smta_options_done(&o);
	arena_free(arena);
	return status;
}
