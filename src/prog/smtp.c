/*
 * smtp.c - the SMTP and LMTP agent: options in, smtpta_run(), exit status.
 */
#include "base/keyword.h"
#include "prog/setup.h"
#include "smtp/path.h"
#include "smtpta/dial.h"
#include "smtpta/smtpta.h"
#include "version.h"

#include <bsd/unistd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static _Noreturn void usage(void)
{
	fputs("# usage: smtp [-178dDEHMPrsvVxX] [-c channel] [-F destination]\n"
	      "#             [-h heloname] [-l logfile] [-L localidentity]\n"
	      "#             [-O key[=value]] [-p port] [-T timeout]\n"
	      "#             [-w sockbufsize] [-Z ignored] [host]\n",
	      stderr);
	exit(EX_USAGE);
}

static _Noreturn void usage_error(const char *text)
{
	fprintf(stderr, "# smtp: %s\n", text);
	usage();
}

/* -s: the "-" keeps the program's name from standing in front of it. */
static void show_title(const char *title)
{
	setproctitle("-%s", title);
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

/* Letters that only say yes. */
static const struct {
	char letter;
	size_t member; /* of struct smtpta_options, a bool */
} flag_rows[] = {
	{ '1', offsetof(struct smtpta_options, one_per_connection) },
	{ 'D', offsetof(struct smtpta_options, connect_test) },
	{ 'E', offsetof(struct smtpta_options, esmtp_if_greeted) },
	{ 'H', offsetof(struct smtpta_options, keep_headers) },
	{ 'M', offsetof(struct smtpta_options, is_lmtp) },
	{ 'P', offsetof(struct smtpta_options, no_pipelining) },
	{ 'x', offsetof(struct smtpta_options, no_mx) },
	{ 'X', offsetof(struct smtpta_options, allow_local) },
};

/* Letters whose value can be wrong. */
static const struct {
	char letter;
	int (*read)(struct smtpta_options *o, struct slice value,
		    struct err *err);
} value_rows[] = {
	{ 'L', smtpta_options_local },
	{ 'O', smtpta_options_own },
	{ 'T', smtpta_options_timeout },
	{ 'w', smtpta_options_send_buffer },
};

static bool set_from_tables(struct smtpta_options *o, int letter,
			    const char *value)
{
	struct err err;

	for (size_t i = 0; i < COUNT(flag_rows); i++) {
		if (letter != flag_rows[i].letter)
			continue;
		*(bool *)((char *)o + flag_rows[i].member) = true;
		return true;
	}
	for (size_t i = 0; i < COUNT(value_rows); i++) {
		if (letter != value_rows[i].letter)
			continue;
		if (value_rows[i].read(o, slice_of(value), &err) < 0)
			usage_error(err.text);
		return true;
	}
	return false;
}

static void set_option(struct smtpta_options *o, int letter, const char *value)
{
	if (set_from_tables(o, letter, value))
		return;
	switch (letter) {
	case '7':
	case '8':
		smtpta_options_bits(o, (char)letter);
		break;
	case 'c':
		o->channel = slice_of(value);
		break;
	case 'd':
		o->debug++;
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
	case 'p':
		set_port(o, value);
		break;
	case 'r':
		o->reserved_port = getuid() == 0;
		break;
	case 's':
		o->show_title = show_title;
		break;
	case 'v':
		o->verbose++;
		break;
	case 'Z':
		break; /* it once made room for a longer title */
	default:
		usage();
	}
}

static void read_options(int argc, char **argv, struct smtpta_options *o)
{
	struct err err;
	int letter;

	opterr = 0; /* usage() says it with the "# " that logs want */
	while ((letter = getopt(argc, argv,
				"178c:dDEF:h:Hl:L:MO:p:PrsT:vVw:xXZ:")) != -1) {
		if (letter == 'V') {
			fputs("smtp (Zpost) " ZPOST_VERSION "\n", stderr);
			exit(EX_OK);
		}
		set_option(o, letter, optarg);
	}
	if (argc - optind > 1)
		usage();
	if (smtpta_options_check(o, &err) < 0)
		usage_error(err.text);
}

/*
 * Mail that left from an address other than the one that was meant could be
 * refused for good; it rather waits for the file to be mended.
 */
static void read_bindaddr(const struct zenv *zenv, struct smtpta_options *o)
{
	struct slice value;
	struct err err;

	if (!zenv_get(zenv, "BINDADDR", &value) ||
	    smtpta_options_bindaddr(o, value, &err) == 0)
		return;
	fprintf(stderr, "# smtp: %s\n", err.text);
	exit(EX_CONFIG);
}

static void say_to_stderr(const char *line)
{
	fprintf(stderr, "%s\n", line);
}

int main(int argc, char **argv)
{
	struct smtpta_options o = smtpta_options_default();
	struct agent_options ao;
	struct syslog *syslog;
	struct agent *agent;
	struct arena *arena;
	struct zenv *zenv;
	int status;

	setproctitle_init(argc, argv, environ); /* moves what argv holds */
	setup_descriptors();
	read_options(argc, argv, &o);
	arena = arena_new();
	zenv = setup_zenv(arena);
	read_bindaddr(zenv, &o);
	if (o.connect_test && o.debug == 0 && optind < argc) {
		dial_try_host(&o, slice_of(argv[optind]), say_to_stderr);
		arena_free(arena);
		return EX_OK;
	}
	ao = setup_agent("smtp", arena);
	syslog = setup_syslog(&ao, zenv, o.syslog_path, true);
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
	syslog_free(syslog);
	arena_free(arena);
	return status;
}
