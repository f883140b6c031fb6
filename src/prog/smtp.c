/*
 * smtp.c - the SMTP and LMTP agent: options in, smtpta_run(), exit status.
 */
#include "base/keyword.h"
#include "conf/tlsconf.h"
#include "explain/explain.h"
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

#define LETTERS "1678A:c:dDeEF:h:Hl:L:MO:p:PrsS:T:vVw:WxXZ:"

static _Noreturn void usage(void)
{
	fputs("# usage: smtp [-1678dDeEHMPrsvVWxX] [-A secretsfile]\n"
	      "#             [-c channel] [-F destination] [-h heloname]\n"
	      "#             [-l logfile] [-L localidentity] [-O key[=value]]\n"
	      "#             [-p port] [-S tlsfile] [-T timeout]\n"
	      "#             [-w sockbufsize] [-Z ignored] [host]\n"
	      "#        smtp --explain [-json] [--connect] [--offline file]\n"
	      "#             [--record file] [option...] user@domain | host\n",
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

/* An empty word, perhaps of a variable that is not set, is not meant. */
static void set_channel(struct smtpta_options *o, const char *value)
{
	o->channel = slice_of(value);
	if (o->channel.len == 0)
		usage_error("-c: expected a channel");
}

static void set_forced(struct smtpta_options *o, const char *value)
{
	o->forced = slice_of(value);
	if (o->forced.len == 0)
		usage_error("-F: expected a destination");
}

/* Letters that only say yes. */
static const struct {
	char letter;
	size_t member; /* of struct smtpta_options, a bool */
} flag_rows[] = {
	{ '1', offsetof(struct smtpta_options, one_per_connection) },
	{ '6', offsetof(struct smtpta_options, v6_first) },
	{ 'D', offsetof(struct smtpta_options, connect_test) },
	{ 'e', offsetof(struct smtpta_options, takes_guests) },
	{ 'E', offsetof(struct smtpta_options, esmtp_if_greeted) },
	{ 'H', offsetof(struct smtpta_options, keep_headers) },
	{ 'M', offsetof(struct smtpta_options, is_lmtp) },
	{ 'P', offsetof(struct smtpta_options, no_pipelining) },
	{ 'W', offsetof(struct smtpta_options, check_wks) },
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
	case 'A':
		o->auth_file = value;
		break;
	case 'c':
		set_channel(o, value);
		break;
	case 'd':
		o->debug++;
		break;
	case 'F':
		set_forced(o, value);
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
	case 'S':
		o->tls_file = value;
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

/*
 * -S. A file that cannot be used keeps all mail waiting: it may say that none
 * must go in clear.
 */
static void read_tls(struct arena *a, struct smtpta_options *o)
{
	struct tlsconf *conf = ARENA_NEW(a, struct tlsconf);
	struct err err;

	if (o->tls_file == NULL)
		return;
	if (tlsconf_load(o->tls_file, a, conf, &err) == 0)
		o->tls = conf;
	else
		o->tls_trouble = arena_dup(a, slice_of(err.text));
	if (o->tls == NULL)
		fprintf(stderr, "# smtp: %s\n", err.text);
}

static void read_options(int argc, char **argv, struct smtpta_options *o)
{
	struct err err;
	int letter;

	opterr = 0; /* usage() says it with the "# " that logs want */
	while ((letter = getopt(argc, argv, LETTERS)) != -1) {
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

static const struct {
	const char *name;
	int (*read)(struct smtpta_options *o, struct slice value,
		    struct err *err);
} variable_rows[] = {
	{ "BINDADDR", smtpta_options_bindaddr },
	{ "DEFCHARSET", smtpta_options_charset },
	{ "DNSANCHOR", smtpta_options_dns_anchor },
	{ "DNSMODE", smtpta_options_dns_mode },
	{ "DNSSERVERS", smtpta_options_dns_servers },
	{ "MAILVAR", smtpta_options_mailvar },
	{ "NORECEIVEDFORCLAUSE", smtpta_options_no_for_clause },
	{ "RFC822TABS", smtpta_options_tabs },
	{ "SELFADDRESSES", smtpta_options_self },
};

/*
 * Mail that left from another address than was meant, or went to the wrong
 * host, could be refused for good; it rather waits for the file to be mended.
 */
static void read_variables(const struct zenv *zenv, struct smtpta_options *o)
{
	struct slice value;
	struct err err;

	for (size_t i = 0; i < COUNT(variable_rows); i++) {
		if (!zenv_get(zenv, variable_rows[i].name, &value) ||
		    variable_rows[i].read(o, value, &err) == 0)
			continue;
		fprintf(stderr, "# smtp: %s\n", err.text);
		exit(EX_CONFIG);
	}
}

/* By chance, each number as likely as any other. */
static size_t choose(void *context, size_t n)
{
	(void)context;
	return arc4random_uniform((uint32_t)n);
}

/* --explain: the way of the mail, and no mail. */
static int explain(const struct smtpta_options *o,
		   const struct explain_request *request)
{
	struct err err;
	int status;

	agent_catch_signals();
	status = explain_run(o, request, STDOUT_FILENO, &err);
	if (err.text[0] != '\0')
		fprintf(stderr, "# smtp: %s\n", err.text);
	return status;
}

static void say_to_stderr(const char *line)
{
	fprintf(stderr, "%s\n", line);
}

/* -D */
static void test_connection(const struct smtpta_options *o, struct slice host)
{
	struct dns_resolver *r = dns_new(&o->dns);

	dial_try_host(o, r, host, say_to_stderr);
	dns_free(r);
}

int main(int argc, char **argv)
{
	struct smtpta_options o = smtpta_options_default();
	struct explain_request request;
	struct agent_options ao;
	struct syslog *syslog;
	struct agent *agent;
	struct arena *arena;
	struct zenv *zenv;
	struct err err;
	int status;

	setup_descriptors();
	if (explain_take_args(&argc, argv, LETTERS, &request, &err) < 0)
		usage_error(err.text);
	setproctitle_init(argc, argv, environ); /* moves what argv holds */
	read_options(argc, argv, &o);
	if (request.is_wanted && (optind >= argc || *argv[optind] == '\0'))
		usage_error("--explain: expected user@domain or a host");
	arena = arena_new();
	zenv = setup_zenv(arena);
	read_variables(zenv, &o);
	read_tls(arena, &o);
	if (o.stsfetch == NULL)
		o.stsfetch = setup_beside("stsfetch", arena);
	o.choose = choose;
	if (request.is_wanted) {
		request.subject = slice_of(argv[optind]);
		status = explain(&o, &request);
		arena_free(arena);
		return status;
	}
	if (o.connect_test && o.debug == 0 && optind < argc) {
		test_connection(&o, slice_of(argv[optind]));
		arena_free(arena);
		return EX_OK;
	}
	ao = setup_agent("smtp", o.window, arena);
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
