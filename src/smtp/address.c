/*
 * address.c - may this be the sender or a recipient of a message?
 *
 *	address = path / "<" path ">"
 *	path    = local [ "@" domain ]		; RFC 5321 4.1.2
 */
#include "smtp/address.h"

#include "smtp/path.h"

/* So much of a refused word is shown; the reason must not be cut off. */
enum { SHOWN_MAX = 100, NAME_MAX_BYTES = 255 };

static const char *dots(struct slice word)
{
	return word.len > SHOWN_MAX ? "..." : "";
}

static int refuse(struct slice word, const char *what, const char *reason,
		  struct err *err)
{
	return FAIL(err, "%s '%.*s%s': %s", what,
		    SLICE_ARG(slice_head(word, SHOWN_MAX)), dots(word), reason);
}

static struct slice strip_brackets(struct slice text)
{
	if (text.len >= 2 && text.p[0] == '<' && text.p[text.len - 1] == '>')
		text = slice_make(text.p + 1, text.len - 2);
	return text;
}

/*
 * Where the '@' before the domain stands, or text.len. A domain holds neither
 * '@' nor '"', so a path that ends in a quote is a local part alone.
 */
static size_t find_domain(struct slice text)
{
	if (text.len > 0 && text.p[text.len - 1] == '"')
		return text.len;
	return slice_find_last(text, '@');
}

int address_parse(struct slice text, const char *what, bool may_be_null,
		  struct address *ret, struct err *err)
{
	struct slice path = strip_brackets(text);
	enum path_verdict verdict = path_check(path);
	size_t at;

	if (slice_has_control(path))
		return refuse(text, what, "holds a control byte", err);
	if (verdict == PATH_EMPTY && may_be_null) {
		*ret = (struct address){ .text = path };
		return 0;
	}
	if (verdict != PATH_OK && verdict != PATH_NEEDS_SMTPUTF8)
		return refuse(text, what, path_verdict_text(verdict), err);
	at = find_domain(path);
	*ret = (struct address){
		.text = path,
		.local = slice_head(path, at),
		.has_domain = at < path.len,
		.domain = slice_from(path, at + 1),
	};
	return 0;
}

static int check_word(struct slice word, const char *what,
		      struct slice forbidden, struct err *err)
{
	if (word.len == 0)
		return refuse(word, what, "is empty", err);
	if (word.len > NAME_MAX_BYTES)
		return refuse(word, what, "is longer than 255 bytes", err);
	if (slice_has_control(word))
		return refuse(word, what, "holds a control byte", err);
	for (size_t i = 0; i < word.len; i++)
		if (slice_has(forbidden, word.p[i]))
			return FAIL(err, "%s '%.*s': may not hold '%c'", what,
				    SLICE_ARG(word), word.p[i]);
	return 0;
}

int address_host_check(struct slice host, struct err *err)
{
	return check_word(host, "host", SLICE(" \"\\<>"), err);
}

int address_channel_check(struct slice channel, struct err *err)
{
	return check_word(channel, "channel", SLICE(" \"\\<>/"), err);
}
