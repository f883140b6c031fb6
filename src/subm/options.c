/*
 * options.c - the command line of submit, sendmail, newaliases and mailq.
 *
 * A row of the table says how a letter takes its value: none, so that letters
 * can be joined ("-ti"); the rest of the word or, if that is empty, the next
 * word; or the rest of the word alone, empty or not.
 */
#include "subm/options.h"

#include "base/keyword.h"
#include "subm/names.h"
#include "subm/wishes.h"

#include <sysexits.h>

static const char usage_text[] =
    "usage: submit [-ti] [-f sender] [-F name] [-c channel] [-h host]"
    " [-N notify] [-R ret] [-V envid] [-B body] [-O option] [--]"
    " recipient... | submit -bS | submit --serve";

const char *subm_options_usage(void)
{
	return usage_text;
}

enum value { VALUE_NONE, VALUE_WORD, VALUE_REST };
enum under { UNDER_SUBMIT = 1, UNDER_SENDMAIL = 2, UNDER_BOTH = 3 };

/* Takes one option's value. EX_OK, or an exit code and err. */
typedef int take_option(struct subm_options *o, struct slice value,
			struct err *err);

static int bad_value(char letter, struct slice value, const char *want,
		     struct err *err)
{
	err_set(err, 0, "-%c %.*s: %s is expected", letter, SLICE_ARG(value),
		want);
	return EX_USAGE;
}

static int take_nothing(struct subm_options *o, struct slice value,
			struct err *err)
{
	(void)o;
	(void)value;
	(void)err;
	return EX_OK;
}

static int take_sender(struct subm_options *o, struct slice value,
		       struct err *err)
{
	(void)err;
	o->request.has_sender = true;
	o->request.sender = value;
	return EX_OK;
}

static int take_name(struct subm_options *o, struct slice value,
		     struct err *err)
{
	(void)err;
	o->request.full_name = value;
	return EX_OK;
}

static int take_channel(struct subm_options *o, struct slice value,
			struct err *err)
{
	(void)err;
	o->request.channel = value;
	return EX_OK;
}

static int take_host(struct subm_options *o, struct slice value,
		     struct err *err)
{
	(void)err;
	o->request.has_host = true;
	o->request.host = value;
	return EX_OK;
}

static int take_header_rcpts(struct subm_options *o, struct slice value,
			     struct err *err)
{
	(void)value;
	(void)err;
	o->request.reads_rcpts = true;
	return EX_OK;
}

static int take_no_dot(struct subm_options *o, struct slice value,
		       struct err *err)
{
	(void)value;
	(void)err;
	o->ends_at_dot = false;
	return EX_OK;
}

/* -oi is -i; the others steered what this program does not do. */
static int take_old(struct subm_options *o, struct slice value, struct err *err)
{
	return slice_eq(value, SLICE("i")) ? take_no_dot(o, value, err) : EX_OK;
}

static int take_mode(struct subm_options *o, struct slice value,
		     struct err *err)
{
	static const struct {
		char letter;
		enum subm_mode mode;
	} modes[] = {
		{ 'm', SUBM_MODE_MESSAGE },
		{ 'S', SUBM_MODE_BATCH },
		{ 'p', SUBM_MODE_LIST_QUEUE },
		{ 'i', SUBM_MODE_NOTHING },
	};

	for (size_t i = 0; i < COUNT(modes); i++)
		if (value.len == 1 && value.p[0] == modes[i].letter) {
			o->mode = modes[i].mode;
			return EX_OK;
		}
	if (slice_eq(value, SLICE("s")))
		err_set(err, 0,
			"-bs is not supported: SMTP with replies needs"
			" a mail server; use -bS, batched SMTP, or"
			" give recipients");
	else
		err_set(err, 0,
			"-b%.*s is not supported: there are -bm, -bS,"
			" -bp and -bi",
			SLICE_ARG(value));
	return EX_UNAVAILABLE;
}

static int take_queue(struct subm_options *o, struct slice value,
		      struct err *err)
{
	(void)value;
	(void)err;
	o->mode = SUBM_MODE_NOTHING; /* the scheduler always runs the queue */
	return EX_OK;
}

static int take_aliases(struct subm_options *o, struct slice value,
			struct err *err)
{
	(void)value;
	(void)err;
	o->mode = SUBM_MODE_NOTHING; /* there is no data base of them */
	return EX_OK;
}

static int take_notify(struct subm_options *o, struct slice value,
		       struct err *err)
{
	if (!subm_wish_notify(value, &o->request.notify))
		return bad_value('N', value,
				 "never, or a list of success, failure and"
				 " delay",
				 err);
	o->request.has_notify = true;
	return EX_OK;
}

static int take_ret(struct subm_options *o, struct slice value, struct err *err)
{
	return subm_wish_ret(value, &o->request.ret)
		   ? EX_OK
		   : bad_value('R', value, "full or hdrs", err);
}

static int take_envid(struct subm_options *o, struct slice value,
		      struct err *err)
{
	(void)err;
	o->request.envid = value;
	return EX_OK;
}

static int take_body(struct subm_options *o, struct slice value,
		     struct err *err)
{
	return subm_wish_body(value, &o->request.body)
		   ? EX_OK
		   : bad_value('B', value, "7bit or 8bitmime", err);
}

/* ---- -O ----------------------------------------------------------------- */

enum own { OWN_BY, OWN_REQUIRETLS, OWN_RAW };

static const struct keyword own_options[] = {
	{ "by", OWN_BY },
	{ "requiretls", OWN_REQUIRETLS },
	{ "raw", OWN_RAW },
};

/* Names like sendmail's DeliveryMode are none of ours: under that name no
 * error, since they steered its insides. */
static int take_own(struct subm_options *o, struct slice value, struct err *err)
{
	size_t equals = slice_find(value, '=');
	struct slice name = slice_head(value, equals);
	const struct keyword *row =
	    keyword_find(own_options, COUNT(own_options), name);

	if (row == NULL && o->is_quiet)
		return EX_OK;
	if (row == NULL)
		return bad_value('O', value, "by=..., requiretls or raw", err);
	if ((row->value == OWN_BY) != (equals < value.len))
		return bad_value('O', value,
				 "by=SECONDS;R or ;N, requiretls or raw", err);
	if (row->value == OWN_BY) {
		if (!subm_wish_by(slice_from(value, equals + 1),
				  &o->request.by))
			return bad_value('O', value,
					 "by=SECONDS and ;R or ;N, then maybe"
					 " T",
					 err);
	} else if (row->value == OWN_REQUIRETLS) {
		o->request.requires_tls = true;
	} else {
		o->request.is_raw = true;
	}
	return EX_OK;
}

/* ---- the table ---------------------------------------------------------- */

static const struct option {
	char letter;
	enum value value;
	enum under under;
	take_option *take;
} options[] = {
	{ 'f', VALUE_WORD, UNDER_BOTH, take_sender },
	{ 'r', VALUE_WORD, UNDER_BOTH, take_sender },
	{ 'F', VALUE_WORD, UNDER_BOTH, take_name },
	{ 't', VALUE_NONE, UNDER_BOTH, take_header_rcpts },
	{ 'i', VALUE_NONE, UNDER_BOTH, take_no_dot },
	{ 'o', VALUE_WORD, UNDER_BOTH, take_old },
	{ 'b', VALUE_WORD, UNDER_BOTH, take_mode },
	{ 'q', VALUE_REST, UNDER_BOTH, take_queue },
	{ 'B', VALUE_WORD, UNDER_BOTH, take_body },
	{ 'N', VALUE_WORD, UNDER_BOTH, take_notify },
	{ 'R', VALUE_WORD, UNDER_BOTH, take_ret },
	{ 'V', VALUE_WORD, UNDER_BOTH, take_envid },
	{ 'O', VALUE_WORD, UNDER_BOTH, take_own },
	{ 'c', VALUE_WORD, UNDER_SUBMIT, take_channel },
	{ 'h', VALUE_WORD, UNDER_SUBMIT, take_host },
	/* Without meaning here: hop count, sendmail's file, debugging, ... */
	{ 'c', VALUE_NONE, UNDER_SENDMAIL, take_nothing },
	{ 'h', VALUE_WORD, UNDER_SENDMAIL, take_nothing },
	{ 'A', VALUE_WORD, UNDER_SENDMAIL, take_nothing },
	{ 'C', VALUE_WORD, UNDER_SENDMAIL, take_nothing },
	{ 'D', VALUE_WORD, UNDER_SENDMAIL, take_nothing },
	{ 'd', VALUE_REST, UNDER_SENDMAIL, take_nothing },
	{ 'e', VALUE_WORD, UNDER_SENDMAIL, take_nothing },
	{ 'G', VALUE_NONE, UNDER_SENDMAIL, take_nothing },
	{ 'I', VALUE_NONE, UNDER_SENDMAIL, take_aliases },
	{ 'L', VALUE_WORD, UNDER_SENDMAIL, take_nothing },
	{ 'm', VALUE_NONE, UNDER_SENDMAIL, take_nothing },
	{ 'n', VALUE_NONE, UNDER_SENDMAIL, take_nothing },
	{ 'p', VALUE_WORD, UNDER_SENDMAIL, take_nothing },
	{ 's', VALUE_NONE, UNDER_SENDMAIL, take_nothing },
	{ 'U', VALUE_NONE, UNDER_SENDMAIL, take_nothing },
	{ 'v', VALUE_NONE, UNDER_SENDMAIL, take_nothing },
	{ 'X', VALUE_WORD, UNDER_SENDMAIL, take_nothing },
};

static const struct option *find_option(char letter, enum under under)
{
	for (size_t i = 0; i < COUNT(options); i++)
		if (options[i].letter == letter &&
		    (options[i].under & under) != 0)
			return &options[i];
	return NULL;
}

/* The words that are left, and how the options among them are read. */
struct words {
	char **argv;
	int n, next;
	enum under under;
};

/* One word of options. */
static int read_word(struct words *w, struct slice rest, struct subm_options *o,
		     struct err *err)
{
	int code = EX_OK;

	while (code == EX_OK && rest.len > 0) {
		const struct option *row = find_option(rest.p[0], w->under);
		struct slice value = { 0 };

		rest = slice_from(rest, 1);
		if (row == NULL)
			goto usage;
		if (row->value != VALUE_NONE) {
			value = rest;
			rest = (struct slice){ 0 };
		}
		if (row->value == VALUE_WORD && value.len == 0) {
			if (w->next == w->n)
				goto usage;
			value = slice_of(w->argv[w->next++]);
		}
		code = row->take(o, value, err);
	}
	return code;
usage:
	err_set(err, 0, "%s", usage_text);
	return EX_USAGE;
}

/*
 * What sendmail's callers give as one word may be what a header holds: names,
 * comments, lists (cron's MAILTO).
 */
static size_t name_all(const struct slice *words, size_t n, struct arena *a,
		       struct slice **ret)
{
	struct subm_list list = { 0 };

	for (size_t i = 0; i < n; i++)
		subm_names_add(&list, words[i], a);
	n = list.n;
	*ret = arena_array(a, n, sizeof(**ret));
	for (size_t i = 0; i < n; i++)
		(*ret)[i] = list.items[i];
	subm_list_done(&list);
	return n;
}

/* One address out of such a word; else the word itself, to be judged. */
static struct slice name_sender(struct slice word, struct arena *a)
{
	struct slice *names;

	return name_all(&word, 1, a, &names) == 1 ? names[0] : word;
}

/* The words behind the options; one like an option was meant as one. */
static int read_rcpts(struct words *w, bool may_be_options, struct arena *a,
		      struct subm_options *o, struct err *err)
{
	size_t n = (size_t)(w->n - w->next);
	struct slice *rcpts = arena_array(a, n, sizeof(*rcpts));

	for (size_t i = 0; i < n; i++) {
		rcpts[i] = slice_of(w->argv[w->next + (int)i]);
		if (may_be_options && rcpts[i].len > 0 &&
		    rcpts[i].p[0] == '-') {
			err_set(err, 0,
				"'%.*s' stands behind a recipient; options"
				" come first, and -- before recipients that"
				" begin with '-'",
				SLICE_ARG(slice_head(rcpts[i], 100)));
			return EX_USAGE;
		}
	}
	if (w->under == UNDER_SENDMAIL) {
		n = name_all(rcpts, n, a, &rcpts);
		o->request.sender = name_sender(o->request.sender, a);
	}
	o->request.rcpts = rcpts;
	o->request.n_rcpts = n;
	if (n > 0 || o->request.reads_rcpts || o->mode != SUBM_MODE_MESSAGE)
		return EX_OK;
	err_set(err, 0, "%s", usage_text);
	return EX_USAGE;
}

/* The name the program was called by. */
static enum under read_name(const char *path, struct subm_options *o)
{
	struct slice name = slice_of(path);
	size_t slash = slice_find_last(name, '/');

	name = slice_from(name, slash < name.len ? slash + 1 : 0);
	if (slice_eq(name, SLICE("mailq")))
		o->mode = SUBM_MODE_LIST_QUEUE;
	else if (slice_eq(name, SLICE("newaliases")))
		o->mode = SUBM_MODE_NOTHING;
	else if (!slice_eq(name, SLICE("sendmail")))
		return UNDER_SUBMIT;
	o->is_quiet = true;
	o->ends_at_dot = true;
	return UNDER_SENDMAIL;
}

int subm_options_read(int argc, char **argv, struct arena *a,
		      struct subm_options *ret, struct err *err)
{
	struct subm_options o = { .mode = SUBM_MODE_MESSAGE };
	struct words w = { .argv = argv, .n = argc, .next = 1 };
	bool is_ended = false;
	int code = EX_OK;

	w.under = read_name(argc > 0 ? argv[0] : "", &o);
	while (code == EX_OK && w.next < w.n && !is_ended) {
		struct slice word = slice_of(w.argv[w.next]);

		if (word.len < 2 || word.p[0] != '-')
			break;
		w.next++;
		if (slice_eq(word, SLICE("--serve")) && w.under == UNDER_SUBMIT)
			o.mode = SUBM_MODE_SERVE;
		else if (slice_eq(word, SLICE("--")))
			is_ended = true;
		else
			code = read_word(&w, slice_from(word, 1), &o, err);
	}
	if (code == EX_OK)
		code = read_rcpts(&w, !is_ended, a, &o, err);
	if (code == EX_OK)
		*ret = o;
	return code;
}
