/*
 * caps.c - what a server's reply to EHLO offers.
 *
 *	ehlo-line = ehlo-keyword *( SP ehlo-param )	; RFC 5321 4.1.1.1
 */
#include "smtp/caps.h"

#include "base/keyword.h"

/* What RFC 9422 4 lets a limit be: one to six digits, not 0. */
enum { LIMIT_MOST = 999999 };

/* clang-format off */
static const struct keyword caps_words[] = {
	{ "PIPELINING", SMTP_EXT_PIPELINING },
	{ "CHUNKING", SMTP_EXT_CHUNKING },
	{ "8BITMIME", SMTP_EXT_8BITMIME },
	{ "SMTPUTF8", SMTP_EXT_SMTPUTF8 },
	{ "DSN", SMTP_EXT_DSN },
	{ "SIZE", SMTP_EXT_SIZE },
	{ "DELIVERBY", SMTP_EXT_DELIVERBY },
	{ "BINARYMIME", SMTP_EXT_BINARYMIME },
	{ "ENHANCEDSTATUSCODES", SMTP_EXT_ENHANCEDSTATUSCODES },
	{ "STARTTLS", SMTP_EXT_STARTTLS },
	{ "AUTH", SMTP_EXT_AUTH },
	{ "ETRN", SMTP_EXT_ETRN },
	{ "LIMITS", SMTP_EXT_LIMITS },
	{ "REQUIRETLS", SMTP_EXT_REQUIRETLS },
	{ "X-RCPTLIMIT", SMTP_EXT_LIMITS }, /* the older way to say it */
};
/* clang-format on */

/* The flag of one extension; NULL for LIMITS, which is but numbers. */
static bool *flag_of(unsigned ext, struct caps *c)
{
	switch ((enum smtp_ext)ext) {
	case SMTP_EXT_PIPELINING:
		return &c->pipelining;
	case SMTP_EXT_CHUNKING:
		return &c->chunking;
	case SMTP_EXT_8BITMIME:
		return &c->eightbitmime;
	case SMTP_EXT_SMTPUTF8:
		return &c->smtputf8;
	case SMTP_EXT_DSN:
		return &c->dsn;
	case SMTP_EXT_SIZE:
		return &c->size;
	case SMTP_EXT_DELIVERBY:
		return &c->deliverby;
	case SMTP_EXT_BINARYMIME:
		return &c->binarymime;
	case SMTP_EXT_ENHANCEDSTATUSCODES:
		return &c->enhancedstatuscodes;
	case SMTP_EXT_STARTTLS:
		return &c->starttls;
	case SMTP_EXT_AUTH:
		return &c->auth;
	case SMTP_EXT_ETRN:
		return &c->etrn;
	case SMTP_EXT_REQUIRETLS:
		return &c->requiretls;
	case SMTP_EXT_LIMITS:
	case SMTP_EXT_ALL:
		break;
	}
	return NULL;
}

static uint64_t first_number(struct slice params)
{
	struct slice word;
	uint64_t n = 0;

	if (!slice_word(&params, &word) || !slice_uint(word, INT64_MAX, &n))
		return 0;
	return n;
}

/* Where the limit of a name is kept; NULL: not one we know. */
static uint64_t *limit_of(struct slice name, struct caps *c)
{
	if (slice_eq_nocase(name, SLICE("MAILMAX")))
		return &c->mailmax;
	if (slice_eq_nocase(name, SLICE("RCPTMAX")))
		return &c->rcptmax;
	if (slice_eq_nocase(name, SLICE("RCPTDOMAINMAX")))
		return &c->rcptdomainmax;
	return NULL;
}

/*
 *	limit = name [ "=" value ]	; RFC 9422 3
 *
 * What is malformed, out of range or unknown is passed over; of a limit that
 * is said twice the smaller holds.
 */
static void read_limits(struct slice params, struct caps *ret)
{
	struct slice word;

	while (slice_word(&params, &word)) {
		size_t at = slice_find(word, '=');
		uint64_t *limit = limit_of(slice_head(word, at), ret);
		uint64_t n = 0;

		if (limit == NULL ||
		    !slice_uint(slice_from(word, at + 1), LIMIT_MOST, &n) ||
		    n == 0)
			continue;
		if (*limit == 0 || n < *limit)
			*limit = n;
	}
}

static void read_line(struct slice line, struct caps *ret)
{
	const struct keyword *row;
	struct slice word;
	bool *flag;

	if (!slice_word(&line, &word))
		return;
	if (slice_starts_nocase(word, SLICE("AUTH=")))
		word = slice_head(word, 4);
	row = keyword_find(caps_words, COUNT(caps_words), word);
	if (row == NULL)
		return;
	flag = flag_of((unsigned)row->value, ret);
	if (flag != NULL)
		*flag = true;
	if (row->value == SMTP_EXT_SIZE)
		ret->size_limit = first_number(line);
	else if (row->value == SMTP_EXT_DELIVERBY)
		ret->deliverby_min = first_number(line);
	else if (row->value == SMTP_EXT_LIMITS && word.len == 6)
		read_limits(line, ret);
	else if (row->value == SMTP_EXT_LIMITS)
		ret->rcpt_limit = first_number(line);
}

void caps_parse(struct slice reply_text, struct caps *ret)
{
	struct slice line;
	bool is_first = true;

	*ret = (struct caps){ .is_extended = true };
	while (slice_cut(&reply_text, '\n', &line)) {
		if (!is_first)
			read_line(slice_from(line, 4), ret);
		is_first = false;
	}
	if (!ret->chunking)
		caps_mask(ret, SMTP_EXT_CHUNKING);
}

/* ---- AUTH -----------------------------------------------------------------
 */

/* 1 to 20 of letters, digits, '-' and '_' (RFC 4422 3.1). */
static bool is_mechanism(struct slice word)
{
	for (size_t i = 0; i < word.len; i++)
		if (!ascii_is_alpha(word.p[i]) && !ascii_is_digit(word.p[i]) &&
		    word.p[i] != '-' && word.p[i] != '_')
			return false;
	return word.len > 0 && word.len <= 20;
}

static bool has_word(struct slice words, struct slice word)
{
	struct slice other;

	while (slice_word(&words, &other))
		if (slice_eq_nocase(other, word))
			return true;
	return false;
}

static void add_mechanism(struct slice word, struct str *to)
{
	if (!is_mechanism(word) || has_word(str_slice(to), word))
		return;
	if (to->len > 0)
		str_addc(to, ' ');
	for (size_t i = 0; i < word.len; i++)
		str_addc(to, ascii_upper(word.p[i]));
}

void caps_auth_words(struct slice reply_text, struct str *to)
{
	struct slice line, word;

	(void)slice_cut(&reply_text, '\n', &line); /* the server's name */
	while (slice_cut(&reply_text, '\n', &line)) {
		line = slice_from(line, 4);
		if (!slice_word(&line, &word))
			continue;
		if (slice_starts_nocase(word, SLICE("AUTH=")))
			add_mechanism(slice_from(word, 5), to);
		else if (!slice_eq_nocase(word, SLICE("AUTH")))
			continue;
		while (slice_word(&line, &word))
			add_mechanism(word, to);
	}
}

void caps_mask(struct caps *c, unsigned ignored)
{
	if ((ignored & SMTP_EXT_CHUNKING) != 0)
		ignored |= SMTP_EXT_BINARYMIME;
	for (unsigned ext = 1; ext < SMTP_EXT_ALL; ext <<= 1) {
		bool *flag = flag_of(ext, c);

		if ((ignored & ext) != 0 && flag != NULL)
			*flag = false;
	}
	if ((ignored & SMTP_EXT_SIZE) != 0)
		c->size_limit = 0;
	if ((ignored & SMTP_EXT_DELIVERBY) != 0)
		c->deliverby_min = 0;
	if ((ignored & SMTP_EXT_LIMITS) != 0)
		c->rcpt_limit = c->mailmax = c->rcptmax = c->rcptdomainmax = 0;
}

unsigned caps_set(const struct caps *c)
{
	struct caps copy = *c;
	unsigned set = 0;

	for (unsigned ext = 1; ext < SMTP_EXT_ALL; ext <<= 1) {
		const bool *flag = flag_of(ext, &copy);

		if (flag != NULL && *flag)
			set |= ext;
	}
	if (c->rcpt_limit + c->mailmax + c->rcptmax + c->rcptdomainmax > 0)
		set |= SMTP_EXT_LIMITS;
	return set;
}

void caps_print_set(struct str *to, unsigned set)
{
	const char *separator = "";

	for (size_t i = 0; i < COUNT(caps_words); i++) {
		unsigned ext = (unsigned)caps_words[i].value;

		if ((set & ext) == 0)
			continue;
		set &= ~ext;
		str_addf(to, "%s%s", separator, caps_words[i].word);
		separator = " ";
	}
}

unsigned caps_ext_of(struct slice keyword)
{
	const struct keyword *row =
	    keyword_find(caps_words, COUNT(caps_words), keyword);

	return row != NULL ? (unsigned)row->value : 0;
}
