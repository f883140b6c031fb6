/*
 * smtp.c - the SMTP and LMTP agent: options in, smtpta_run(), exit status.
 */
#include "prog/setup.h"
#include "smtp/path.h"
#include "smtpta/smtpta.h"
#include "version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static _Noreturn void usage(void)
{
	fputs("# usage: smtp [-1dEMPVxX] [-c channel] [-F destination] "
	      "[-h heloname]\n"
	      "#             [-l logfile] [-O key=value] [-p port] "
	      "[-T timeout] [host]\n",
	      stderr);
	exit(EX_USAGE);
}

static _Noreturn void usage_error(const char *text)
{
	fprintf(stderr, "# smtp: %s\n", text);
	usage();
}

static void set_port(struct smtpta_options *o, const char *value)
{
	uint64_t port;

	if (!slice_uint(slice_of(value), UINT16_MAX, &port) || port == 0)
		usage_error("-p: expected a port from 1 to 65535");
	o->port = (uint16_t)port;
}

static void set_helo_name(struct smtpta_options *o, const char *value)
{
	o->helo_name = slice_of(value);
	if (!helo_name_valid(o->helo_name))
		usage_error("-h: expected a domain or an address literal");
}

static void set_option(struct smtpta_options *o, int letter, const char *value)
{
	struct err err;

	switch (letter) {
	case '1':
		o->one_per_connection = true;
		break;
	case 'c':
		o->channel = slice_of(value);
		break;
	case 'd':
		o->debug++;
		break;
	case 'E':
		o->esmtp_if_greeted = true;
		break;
	case 'F':
		o->forced = slice_of(value);
		break;
	case 'h':
		set_helo_name(o, value);
		break;
	case 'l':
		o->log_file = value;
		break;
	case 'M':
		o->is_lmtp = true;
		break;
	case 'O':
		if (smtpta_options_own(o, slice_of(value), &err) < 0)
			usage_error(err.text);
		break;
	case 'p':
		set_port(o, value);
		break;
	case 'P':
		o->no_pipelining = true;
		break;
	case 'T':
		if (smtpta_options_timeout(o, slice_of(value), &err) < 0)
			usage_error(err.text);
		break;
	case 'x':
		o->no_mx = true;
		break;
	case 'X':
		o->allow_local = true;
		break;
	default:
		usage();
	}
}

int main(int argc, char **argv)
{
	struct smtpta_options o = smtpta_options_default();
	struct agent_options ao;
	struct agent *agent;
	struct arena *arena;
	struct err err;
	int letter, status;

	setup_descriptors();
	opterr = 0; /* usage() says it with the "# " that logs want */
	while ((letter = getopt(argc, argv, "1c:dEF:h:l:MO:p:PT:VxX")) != -1) {
		if (letter == 'V') {
			fputs("smtp (Zpost) " ZPOST_VERSION "\n", stderr);
			return EX_OK;
		}
		set_option(&o, letter, optarg);
	}
	if (argc - optind > 1)
		usage();
	if (smtpta_options_check(&o, &err) < 0)
		usage_error(err.text);
	arena = arena_new();
	(void)setup_zenv(arena);
	ao = setup_agent("smtp", arena);
	ao.sync_always = o.sync_always;
	ao.has_channel = true;
	ao.channel = o.channel;
	if (optind < argc) {
		ao.has_host = true;
		ao.host = slice_of(argv[optind]);
	}
	agent = agent_new(&ao);
	status = smtpta_run(&o, agent);
	agent_free(agent);
	arena_free(arena);
	return status;
}
