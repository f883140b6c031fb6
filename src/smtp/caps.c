/*
 * caps.c - what a server's reply to EHLO offers.
 *
 *	ehlo-line = ehlo-keyword *( SP ehlo-param )	; RFC 5321 4.1.1.1
 */
#include "smtp/caps.h"

#include "base/keyword.h"

enum cap {
	CAP_PIPELINING,
	CAP_8BITMIME,
	CAP_SMTPUTF8,
	CAP_DSN,
	CAP_ENHANCED,
	CAP_CHUNKING,
	CAP_BINARYMIME,
	CAP_STARTTLS,
	CAP_AUTH,
	CAP_ETRN,
	CAP_SIZE,
	CAP_DELIVERBY,
	CAP_RCPTLIMIT,
	CAP_LIMITS
};

static const struct keyword caps_words[] = {
	{ "PIPELINING", CAP_PIPELINING },
	{ "8BITMIME", CAP_8BITMIME },
	{ "SMTPUTF8", CAP_SMTPUTF8 },
	{ "DSN", CAP_DSN },
	{ "ENHANCEDSTATUSCODES", CAP_ENHANCED },
	{ "CHUNKING", CAP_CHUNKING },
	{ "BINARYMIME", CAP_BINARYMIME },
	{ "STARTTLS", CAP_STARTTLS },
	{ "AUTH", CAP_AUTH },
	{ "ETRN", CAP_ETRN },
	{ "SIZE", CAP_SIZE },
	{ "DELIVERBY", CAP_DELIVERBY },
	{ "X-RCPTLIMIT", CAP_RCPTLIMIT },
	{ "LIMITS", CAP_LIMITS },
};

static uint64_t number(struct slice text)
{
	uint64_t n = 0;

	return slice_uint(text, INT64_MAX, &n) ? n : 0;
}

/* limit = name "=" value, blank between them (RFC 9422 4). */
static void read_limits(struct slice params, struct caps *ret)
{
	struct slice word;

	while (slice_word(&params, &word)) {
		size_t at = slice_find(word, '=');
		struct slice name = slice_head(word, at);
		uint64_t n = number(slice_from(word, at + 1));

		if (slice_eq_nocase(name, SLICE("MAILMAX")))
			ret->mailmax = n;
		else if (slice_eq_nocase(name, SLICE("RCPTMAX")))
			ret->rcptmax = n;
		else if (slice_eq_nocase(name, SLICE("RCPTDOMAINMAX")))
			ret->rcptdomainmax = n;
	}
}

static void read_valued(enum cap cap, struct slice params, struct caps *ret)
{
	struct slice first = { 0 }, rest = params;

	if (!slice_word(&rest, &first))
		first = slice_make(NULL, 0);
	switch (cap) {
	case CAP_SIZE:
		ret->size = true;
		ret->size_limit = number(first);
		break;
	case CAP_DELIVERBY:
		ret->deliverby = true;
		ret->deliverby_min = number(first);
		break;
	case CAP_RCPTLIMIT:
		ret->rcpt_limit = number(first);
		break;
	case CAP_LIMITS:
		read_limits(params, ret);
		break;
	default:
		break;
	}
}

static bool *flag_of(enum cap cap, struct caps *c)
{
	switch (cap) {
	case CAP_PIPELINING:
		return &c->pipelining;
	case CAP_8BITMIME:
		return &c->eightbitmime;
	case CAP_SMTPUTF8:
		return &c->smtputf8;
	case CAP_DSN:
		return &c->dsn;
	case CAP_ENHANCED:
		return &c->enhancedstatuscodes;
	case CAP_CHUNKING:
		return &c->chunking;
	case CAP_BINARYMIME:
		return &c->binarymime;
	case CAP_STARTTLS:
		return &c->starttls;
	case CAP_AUTH:
		return &c->auth;
	case CAP_ETRN:
		return &c->etrn;
	default:
		return NULL;
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
	flag = flag_of((enum cap)row->value, ret);
	if (flag != NULL)
		*flag = true;
	else
		read_valued((enum cap)row->value, line, ret);
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
}
