/*
 * engine_params.c - the parameters of MAIL and RCPT.
 *
 *	esmtp-param   = esmtp-keyword [ "=" esmtp-value ]  ; RFC 5321 4.1.2
 *	deliverby     = "BY=" by-time ";" by-mode [ by-trace ]
 *	by-time       = [ "-" / "+" ] 1*9digit		   ; RFC 2852 4
 *
 * A parameter is said only if its extension is offered. Which extensions a
 * command relied on is noted, so that a server that refuses its parameters
 * can be spoken to without them.
 */
#include "smtp/engine_internal.h"

#include "base/keyword.h"

enum { BY_MOST = 999999999 }; /* seconds, nine digits */

/* ---- writing ----------------------------------------------------------- */

static void add_param(struct str *to, const char *name, struct slice value)
{
	if (value.len == 0)
		return;
	str_adds(to, name);
	str_add(to, value);
}

static struct slice keep_command(struct smtp_engine *e, const struct command *c,
				 struct str *line)
{
	struct slice kept = arena_dup(c->t->arena, str_slice(line));

	engine_put_line(e, c, kept);
	str_done(line);
	return kept;
}

/* Seconds left for delivery, within what nine digits can say. */
static int64_t seconds_left(const struct smtp_engine *e,
			    const struct smtp_by *by)
{
	int64_t now = e->config.wall_time(e->config.wall_time_context);
	int64_t left;

	if (__builtin_sub_overflow(by->deadline, now, &left))
		left = by->deadline < 0 ? -BY_MOST : BY_MOST;
	if (left > BY_MOST)
		return BY_MOST;
	return left < -BY_MOST ? -BY_MOST : left;
}

static void add_by(struct str *to, const struct smtp_transaction *t)
{
	const struct smtp_by *by = &t->by;

	str_addf(to, " BY=%lld;%c%s", (long long)t->progress->seconds_left,
		 by->mode == 'R' ? 'R' : 'N', by->trace ? "T" : "");
}

void engine_print_mail(struct smtp_engine *e, struct command *c)
{
	const struct smtp_transaction *t = c->t;
	struct smtp_progress *p = t->progress;
	struct str line = STR_INIT;

	str_adds(&line, "MAIL FROM:<");
	str_add(&line, t->sender);
	str_addc(&line, '>');
	if (t->is_binary) {
		str_adds(&line, " BODY=BINARYMIME");
		p->mail_params |= SMTP_EXT_BINARYMIME;
	} else if (e->caps.eightbitmime && t->is_8bit) {
		str_adds(&line, " BODY=8BITMIME");
		p->mail_params |= SMTP_EXT_8BITMIME;
	}
	if (e->caps.size && t->size > 0) {
		str_adds(&line, " SIZE=");
		str_addu(&line, t->size);
		p->mail_params |= SMTP_EXT_SIZE;
	}
	if (t->needs_smtputf8) {
		str_adds(&line, " SMTPUTF8");
		p->mail_params |= SMTP_EXT_SMTPUTF8;
	}
	if (t->needs_requiretls) {
		str_adds(&line, " REQUIRETLS");
		p->mail_params |= SMTP_EXT_REQUIRETLS;
	}
	if (e->caps.dsn && t->envid.len + t->ret.len > 0) {
		add_param(&line, " ENVID=", t->envid);
		add_param(&line, " RET=", t->ret);
		p->mail_params |= SMTP_EXT_DSN;
	}
	if (e->caps.deliverby && t->by.is_set) {
		add_by(&line, t);
		p->mail_params |= SMTP_EXT_DELIVERBY;
	}
	p->mail_command = keep_command(e, c, &line);
	e->n_mails++;
}

void engine_print_rcpt(struct smtp_engine *e, struct command *c)
{
	const struct smtp_rcpt *rcpt = &c->t->rcpts[c->rcpt];
	struct rcpt_progress *p = &c->t->progress->rcpts[c->rcpt];
	struct str line = STR_INIT;

	str_adds(&line, "RCPT TO:<");
	str_add(&line, rcpt->path);
	str_addc(&line, '>');
	if (e->caps.dsn) {
		add_param(&line, " NOTIFY=", rcpt->notify);
		add_param(&line, " ORCPT=", rcpt->orcpt);
		if (rcpt->notify.len + rcpt->orcpt.len > 0)
			p->params = SMTP_EXT_DSN;
	}
	p->has_dsn = e->caps.dsn;
	p->command = keep_command(e, c, &line);
}

/* ---- what is not to be sent --------------------------------------------- */

unsigned engine_relies_on(const struct smtp_engine *e,
			  const struct smtp_transaction *t)
{
	unsigned set = 0;

	if (t->needs_smtputf8)
		set |= SMTP_EXT_SMTPUTF8;
	if (t->needs_requiretls)
		set |= SMTP_EXT_REQUIRETLS;
	/*
	 * Content was made for this server, as it was known then; and so was
	 * what the sender will be told of a deadline.
	 */
	if (t->by.is_set && (t->by.mode == 'R' || e->caps.deliverby))
		set |= SMTP_EXT_DELIVERBY;
	if (t->is_8bit && e->caps.eightbitmime)
		set |= SMTP_EXT_8BITMIME;
	if (t->is_binary)
		set |= SMTP_EXT_BINARYMIME;
	return set;
}

bool engine_is_unfit(struct smtp_engine *e, struct smtp_transaction *t)
{
	struct smtp_progress *p = t->progress;
	unsigned missing = p->relies_on;

	if (missing != 0)
		missing &= ~caps_set(&e->caps);

	if (t->by.is_set) /* asked once: what is judged is what is said */
		p->seconds_left = seconds_left(e, &t->by);
	if (t->by.is_set && t->by.mode == 'R' && p->seconds_left <= 0) {
		p->returned = "deliver-by-expired";
		p->returned_why = "the time to deliver in has passed";
	} else if (missing != 0) {
		p->returned = "parameter-refused";
		p->returned_why =
		    engine_explain_refusal(t->arena, "does not offer", missing);
		p->refused = missing;
	}
	return p->returned != NULL;
}

/* ---- what was refused -----------------------------------------------------
 */

/* clang-format off */
static const struct keyword params_words[] = {
	{ "BODY", SMTP_EXT_8BITMIME | SMTP_EXT_BINARYMIME },
	{ "BINARYMIME", SMTP_EXT_BINARYMIME },
	{ "8BITMIME", SMTP_EXT_8BITMIME },
	{ "SIZE", SMTP_EXT_SIZE },
	{ "SMTPUTF8", SMTP_EXT_SMTPUTF8 },
	{ "REQUIRETLS", SMTP_EXT_REQUIRETLS },
	{ "ENVID", SMTP_EXT_DSN },
	{ "RET", SMTP_EXT_DSN },
	{ "NOTIFY", SMTP_EXT_DSN },
	{ "ORCPT", SMTP_EXT_DSN },
	{ "DSN", SMTP_EXT_DSN },
	{ "BY", SMTP_EXT_DELIVERBY },
	{ "DELIVERBY", SMTP_EXT_DELIVERBY },
};
/* clang-format on */

static bool is_word_byte(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '_';
}

/*
 * Is this a keyword rather than a word of a sentence? In front of a '=' it
 * is; otherwise in capitals, as far as capitals mean anything.
 */
static bool is_keyword(struct slice word, char next)
{
	if (next == '=')
		return true;
	for (size_t i = 0; i < word.len; i++)
		if (ascii_upper(word.p[i]) != word.p[i])
			return false;
	return word.len > 2;
}

/* The extensions whose parameters a text names, as far as a table has them. */
static unsigned named_in(struct slice text, const struct keyword *words,
			 size_t n_words)
{
	unsigned set = 0;
	size_t end;

	for (size_t at = 0; at < text.len; at = end + 1) {
		struct slice rest = slice_from(text, at);
		const struct keyword *row;
		struct slice word;

		for (end = at; end < text.len && is_word_byte(text.p[end]);)
			end++;
		word = slice_head(rest, end - at);
		row = keyword_find(words, n_words, word);
		if (row != NULL &&
		    is_keyword(word, end < text.len ? text.p[end] : '\0'))
			set |= (unsigned)row->value;
	}
	return set;
}

static bool has_one_of(struct slice text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t at = 0; at < text.len; at++)
			if (slice_starts_nocase(slice_from(text, at),
						slice_of(words[i])))
				return true;
	return false;
}

/* How long is the mention of the address that a text begins with? 0: none. */
static size_t mention_len(struct slice text, struct slice address)
{
	size_t n = address.len;

	if (n == 0)
		return 0;
	if (slice_has(address, '@') && slice_starts_nocase(text, address))
		return n;
	if (text.len >= n + 2 && text.p[0] == '<' && text.p[n + 1] == '>' &&
	    slice_starts_nocase(slice_from(text, 1), address))
		return n + 2;
	return 0;
}

/*
 * Adds a text without the address, whose words say nothing. Returns true if
 * the address stood in it.
 */
static bool add_without(struct str *to, struct slice text, struct slice address)
{
	bool has_it = false;
	size_t n;

	for (size_t at = 0; at < text.len;) {
		n = mention_len(slice_from(text, at), address);
		has_it |= n > 0;
		if (n == 0)
			str_addc(to, text.p[at++]);
		at += n;
	}
	return has_it;
}

/* Do the words speak of an address, and of no parameter? */
static bool is_about_address(struct slice text, bool has_address)
{
	static const char *const params[] = { "param",	     "option",
					      "argument",    "extension",
					      "unsupported", "not supported",
					      "implemented" };
	static const char *const address[] = {
		"address", "mailbox", "domain", "recipient", "sender",
		"user",	   "host",    "helo",	"qualified"
	};

	return !has_one_of(text, params, COUNT(params)) &&
	       (has_address || has_one_of(text, address, COUNT(address)));
}

/*
 * Enhanced codes that go with refused parameters: x.5.Y (protocol), x.3.3
 * (features) and x.0.0 (RFC 3463). Any other says what else was wrong.
 */
static bool is_about_protocol(struct status code)
{
	return code.subject == 5 || code.subject == 0 ||
	       (code.subject == 3 && code.detail == 3);
}

/*
 * Codes that leave it open what was wrong: then the words count. x.5.2 is
 * what Postfix says to an address that is not fully qualified.
 */
static bool is_vague(const struct reply *r)
{
	return !r->has_enhanced ||
	       (r->enhanced.subject == 0 && r->enhanced.detail == 0) ||
	       (r->enhanced.subject == 5 &&
		(r->enhanced.detail == 0 || r->enhanced.detail == 2));
}

unsigned engine_params_refused(const struct reply *r, unsigned used,
			       struct slice address)
{
	bool is_555 = r->code == 555, has_address, is_address;
	struct str text = STR_INIT;
	unsigned named;

	if (!is_555 && r->code != 500 && r->code != 501 && r->code != 504)
		return 0;
	if (r->has_enhanced && (is_555 ? r->enhanced.subject == 1
				       : !is_about_protocol(r->enhanced)))
		return 0;
	has_address = add_without(&text, r->text, address);
	named = named_in(str_slice(&text), params_words, COUNT(params_words)) &
		used;
	is_address = !is_555 && is_vague(r) &&
		     is_about_address(str_slice(&text), has_address);
	str_done(&text);
	if (named != 0)
		return named;
	return is_address ? 0 : used;
}

/*
 * OpenSMTPD says 553 to what it does not like of NOTIFY. A reply that repeats
 * the command names its parameters without meaning them.
 */
unsigned engine_rcpt_params_refused(const struct reply *r, unsigned used,
				    struct slice path)
{
	static const struct keyword words[] = { { "NOTIFY", SMTP_EXT_DSN },
						{ "ORCPT", SMTP_EXT_DSN } };
	static const char *const echo[] = { "RCPT TO:" };
	unsigned set = engine_params_refused(r, used, path);
	struct str text = STR_INIT;

	if (set != 0 || r->code < 500 || r->code > 599 ||
	    (r->has_enhanced && !is_about_protocol(r->enhanced)))
		return set;
	(void)add_without(&text, r->text, path);
	if (!has_one_of(str_slice(&text), echo, COUNT(echo)))
		set = named_in(str_slice(&text), words, COUNT(words)) & used;
	str_done(&text);
	return set;
}

const char *engine_explain_refusal(struct arena *a, const char *verb,
				   unsigned set)
{
	struct str words = STR_INIT;
	const char *text;

	caps_print_set(&words, set);
	text = arena_printf(a, "remote %s %s", verb, str_cstr(&words)).p;
	str_done(&words);
	return text;
}
