/*
 * options.c - the command line of mailq(1).
 *
 * Options of other systems' mailq that have no meaning here are taken and do
 * nothing, so that what calls it goes on working.
 */
#include "mailqb/options.h"

#include "base/keyword.h"

#include <getopt.h>

enum { LIVE_SECONDS = 2, LIVE_SECONDS_MAX = 86400 };

enum {
	OPT_SUMMARY = 256,
	OPT_BY_DESTINATION,
	OPT_JSON,
	OPT_LIVE,
	OPT_ATTEMPTS,
	OPT_SENDER,
	OPT_RECIPIENT,
	OPT_DESTINATION,
	OPT_AGE,
	OPT_STATUS,
	OPT_REASON,
	OPT_STATE,
	OPT_HOLD,
	OPT_RELEASE,
	OPT_KICK,
	OPT_EXPIRE,
	OPT_DELETE,
	OPT_REDIRECT,
	OPT_ALL
};

static const struct option long_rows[] = {
	{ "summary", no_argument, NULL, OPT_SUMMARY },
	{ "by-destination", no_argument, NULL, OPT_BY_DESTINATION },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "live", no_argument, NULL, OPT_LIVE },
	{ "attempts", no_argument, NULL, OPT_ATTEMPTS },
	{ "sender", required_argument, NULL, OPT_SENDER },
	{ "recipient", required_argument, NULL, OPT_RECIPIENT },
	{ "destination", required_argument, NULL, OPT_DESTINATION },
	{ "age", required_argument, NULL, OPT_AGE },
	{ "status", required_argument, NULL, OPT_STATUS },
	{ "reason", required_argument, NULL, OPT_REASON },
	{ "state", required_argument, NULL, OPT_STATE },
	{ "hold", no_argument, NULL, OPT_HOLD },
	{ "release", no_argument, NULL, OPT_RELEASE },
	{ "kick", no_argument, NULL, OPT_KICK },
	{ "expire", no_argument, NULL, OPT_EXPIRE },
	{ "delete", no_argument, NULL, OPT_DELETE },
	{ "redirect", required_argument, NULL, OPT_REDIRECT },
	{ "all", no_argument, NULL, OPT_ALL },
	{ "dry-run", no_argument, NULL, 'n' },
	{ "yes", no_argument, NULL, 'y' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const char usage_text[] =
    "usage: mailq [-nvVy] [-P postoffice] [-Z zenvfile] [--json]\n"
    "             [--summary | --by-destination | --live [seconds]]\n"
    "             [--sender glob] [--recipient glob] [--destination glob]\n"
    "             [--age [<|>]interval] [--status glob] [--reason text]\n"
    "             [--state word,...] [--attempts]\n"
    "             [--hold | --release | --kick | --expire | --delete |\n"
    "              --redirect channel/host[/user]] [--all] [--dry-run]\n"
    "             [id ...]";

const char *mailq_options_usage(void)
{
	return usage_text;
}

const char *mailq_options_name(size_t i)
{
	return i < COUNT(long_rows) ? long_rows[i].name : NULL;
}

/* ---- conditions --------------------------------------------------------- */

/* Behind the others: what is asked for by id comes in that order. */
static void add_word(struct mailq_words **list, struct slice text,
		     struct arena *a)
{
	struct mailq_words *w = ARENA_NEW(a, struct mailq_words);

	w->text = text;
	while (*list != NULL)
		list = &(*list)->next;
	*list = w;
}

/* -1: it is a condition, and wrong; 0: it is; 1: it is none. */
static int read_condition(struct mailq_options *o, int letter,
			  struct slice value, struct arena *a, struct err *err)
{
	struct mailq_filter *f = &o->filter;
	struct slice bad;

	switch (letter) {
	case OPT_SENDER:
		add_word(&f->senders, value, a);
		return 0;
	case OPT_RECIPIENT:
		add_word(&f->rcpts, value, a);
		return 0;
	case OPT_DESTINATION:
		add_word(&f->destinations, value, a);
		return 0;
	case OPT_STATUS:
		add_word(&f->statuses, value, a);
		return 0;
	case OPT_REASON:
		add_word(&f->reasons, value, a);
		return 0;
	case OPT_AGE:
		if (mailq_age_parse(value, f))
			return 0;
		return FAIL(err, "--age wants something like '>2h' or '<10m'");
	case OPT_STATE:
		if (mailq_states_parse(value, f, &bad))
			return 0;
		return FAIL(err, "--state: '%.*s' is none", SLICE_ARG(bad));
	default:
		return 1;
	}
}

/* ---- deeds -------------------------------------------------------------- */

static const struct {
	int option;
	enum mailq_deed deed;
} deed_rows[] = {
	{ OPT_HOLD, MAILQ_HOLD },     { OPT_RELEASE, MAILQ_RELEASE },
	{ OPT_KICK, MAILQ_KICK },     { OPT_EXPIRE, MAILQ_EXPIRE },
	{ OPT_DELETE, MAILQ_DELETE }, { OPT_REDIRECT, MAILQ_REDIRECT },
};

/* CHANNEL/HOST[/USER]; a user may have further slashes. */
static int read_target(struct mailq_options *o, struct slice text,
		       struct err *err)
{
	(void)slice_cut(&text, '/', &o->channel);
	if (!slice_cut(&text, '/', &o->host) || o->channel.len == 0 ||
	    o->host.len == 0)
		return FAIL(err, "--redirect wants CHANNEL/HOST[/USER]");
	o->user = text;
	if (slice_has(o->channel, ' ') || slice_has(o->host, ' ') ||
	    slice_has_control(o->channel) || slice_has_control(o->host) ||
	    slice_has_control(o->user))
		return FAIL(err, "--redirect: a blank or a control character");
	return 0;
}

/* As read_condition(). */
static int read_deed(struct mailq_options *o, int letter, struct slice value,
		     struct err *err)
{
	for (size_t i = 0; i < COUNT(deed_rows); i++) {
		if (deed_rows[i].option != letter)
			continue;
		if (o->deed != MAILQ_NOTHING)
			return FAIL(err, "one deed at a time");
		o->deed = deed_rows[i].deed;
		if (o->deed == MAILQ_REDIRECT)
			return read_target(o, value, err);
		return 0;
	}
	return 1;
}

/* ---- the rest ----------------------------------------------------------- */

static int set_view(struct mailq_options *o, enum mailq_view view,
		    struct err *err)
{
	if (o->view != MAILQ_VIEW_LIST && o->view != view)
		return FAIL(err, "one view at a time");
	o->view = view;
	return 0;
}

static int read_flag(struct mailq_options *o, int letter, const char *value,
		     struct err *err)
{
	switch (letter) {
	case 'P':
		o->postoffice = value;
		return 0;
	case 'Z':
		o->zenv_file = value;
		return 0;
	case 'n':
		o->is_dry = true;
		return 0;
	case 'v':
		o->is_verbose = true;
		return 0;
	case 'y':
		o->has_yes = true;
		return 0;
	case 'V':
		return set_view(o, MAILQ_VIEW_VERSION, err);
	case OPT_SUMMARY:
		return set_view(o, MAILQ_VIEW_SUMMARY, err);
	case OPT_BY_DESTINATION:
		return set_view(o, MAILQ_VIEW_DESTINATIONS, err);
	case OPT_LIVE:
		return set_view(o, MAILQ_VIEW_LIVE, err);
	case OPT_JSON:
		o->is_json = true;
		return 0;
	case OPT_ATTEMPTS:
		o->has_attempts = true;
		return 0;
	case OPT_ALL:
		o->has_all = true;
		return 0;
	case 'A': /* sendmail's: which queue, a mode, an option */
	case 'b':
	case 'C':
	case 'O':
	case 'o':
	case 'q':
		return 0;
	default:
		return FAIL(err, "unknown option, or one without its value");
	}
}

static int read_option(struct mailq_options *o, int letter, const char *value,
		       struct arena *a, struct err *err)
{
	struct slice text = slice_of(value);
	int r = read_condition(o, letter, text, a, err);

	if (r > 0)
		r = read_deed(o, letter, text, err);
	if (r > 0)
		r = read_flag(o, letter, value, err);
	return r;
}

/* What follows the options: seconds, or ids. */
static int read_rest(struct mailq_options *o, char **argv, struct arena *a,
		     struct err *err)
{
	uint64_t seconds;

	o->seconds = LIVE_SECONDS;
	if (o->view == MAILQ_VIEW_LIVE && argv[0] != NULL) {
		if (argv[1] != NULL ||
		    !slice_uint(slice_of(argv[0]), LIVE_SECONDS_MAX,
				&seconds) ||
		    seconds == 0)
			return FAIL(err, "--live wants seconds, from 1");
		o->seconds = (unsigned)seconds;
		return 0;
	}
	while (*argv != NULL)
		add_word(&o->filter.ids, slice_of(*argv++), a);
	if (o->filter.ids != NULL && o->view == MAILQ_VIEW_LIST)
		o->view = MAILQ_VIEW_MESSAGES;
	return 0;
}

/* What does not go together. */
static int check(const struct mailq_options *o, struct err *err)
{
	if (o->deed != MAILQ_NOTHING && o->view != MAILQ_VIEW_LIST &&
	    o->view != MAILQ_VIEW_MESSAGES)
		return FAIL(err, "a deed or a view, not both");
	if (o->deed == MAILQ_NOTHING && (o->is_dry || o->has_all || o->has_yes))
		return FAIL(err, "--dry-run, --all and --yes go with a deed");
	if (o->view == MAILQ_VIEW_LIVE && !mailq_filter_is_empty(&o->filter))
		return FAIL(err, "--live shows the whole queue");
	if (o->has_attempts && o->view != MAILQ_VIEW_MESSAGES)
		return FAIL(err, "--attempts wants the id of a message");
	return 0;
}

int mailq_options_read(int argc, char **argv, struct arena *a,
		       struct mailq_options *ret, struct err *err)
{
	static const char letters[] = "A:b:C:nO:o:P:q::vVyZ:";
	struct mailq_options o = { 0 };
	int letter;

	opterr = 0;
	optind = 0; /* begin anew */
	while ((letter = getopt_long(argc, argv, letters, long_rows, NULL)) !=
	       -1)
		if (read_option(&o, letter, optarg, a, err) < 0)
			return -1;
	if (read_rest(&o, argv + optind, a, err) < 0 || check(&o, err) < 0)
		return -1;
	*ret = o;
	return 0;
}
