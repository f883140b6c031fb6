/*
 * bsmtp.c - batched SMTP: commands and messages without replies.
 *
 * Lines are collected; a long line of content is handed on in parts, whose
 * first alone may begin with a dot.
 */
#include "subm/bsmtp.h"

#include "base/keyword.h"

#include <errno.h>

void subm_bsmtp_done(struct subm_bsmtp *b)
{
	str_done(&b->line);
	*b = SUBM_BSMTP_INIT;
}

/* ---- commands ----------------------------------------------------------- */

enum verb { VERB_HELLO, VERB_MAIL, VERB_RCPT, VERB_DATA, VERB_RSET, VERB_QUIT };

static const struct keyword verbs[] = {
	{ "HELO", VERB_HELLO }, { "EHLO", VERB_HELLO }, { "NOOP", VERB_HELLO },
	{ "MAIL", VERB_MAIL },	{ "RCPT", VERB_RCPT },	{ "DATA", VERB_DATA },
	{ "RSET", VERB_RSET },	{ "QUIT", VERB_QUIT },
};

static enum parse refuse(const struct subm_bsmtp *b, const char *why,
			 struct err *err)
{
	err_set(err, EPROTO, "line %lu: %s", b->number, why);
	return PARSE_BAD;
}

/* Length of a path at the start of s, with its brackets; 0: there is none. */
static size_t path_length(struct slice s)
{
	bool is_quoted = false;

	if (s.len == 0 || s.p[0] != '<')
		return 0;
	for (size_t i = 1; i < s.len; i++) {
		if (s.p[i] == '\\' && is_quoted)
			i++;
		else if (s.p[i] == '"')
			is_quoted = !is_quoted;
		else if (s.p[i] == '>' && !is_quoted)
			return i + 1;
	}
	return 0;
}

/* "FROM:<path> params", blanks behind the colon being taken. */
static enum parse read_path(const struct subm_bsmtp *b, struct slice rest,
			    const char *word, struct subm_bsmtp_event *ret,
			    struct err *err)
{
	struct slice prefix = slice_of(word);
	size_t len;

	rest = slice_trim(rest);
	if (!slice_starts_nocase(rest, prefix))
		return refuse(b, "MAIL FROM:<...> or RCPT TO:<...> is expected",
			      err);
	rest = slice_trim(slice_from(rest, prefix.len));
	len = path_length(rest);
	if (len == 0)
		return refuse(b, "the address is not in angle brackets", err);
	ret->path = slice_head(rest, len);
	ret->params = slice_trim(slice_from(rest, len));
	return PARSE_DONE;
}

/* Judges a command line; PARSE_MORE: it means nothing. */
static enum parse read_command(struct subm_bsmtp *b, struct slice line,
			       struct subm_bsmtp_event *ret, struct err *err)
{
	const struct keyword *row;
	struct slice verb, rest = line;

	if (slice_has_control(line))
		return refuse(b, "a control byte in a command", err);
	if (!slice_word(&rest, &verb))
		return PARSE_MORE;
	row = keyword_find(verbs, COUNT(verbs), verb);
	if (row == NULL)
		return refuse(b, "not a command of batched SMTP", err);
	switch ((enum verb)row->value) {
	case VERB_MAIL:
		ret->kind = SUBM_BSMTP_MAIL;
		return read_path(b, rest, "FROM:", ret, err);
	case VERB_RCPT:
		ret->kind = SUBM_BSMTP_RCPT;
		return read_path(b, rest, "TO:", ret, err);
	case VERB_DATA:
		ret->kind = SUBM_BSMTP_DATA;
		b->in_data = b->at_bol = true;
		return PARSE_DONE;
	case VERB_RSET:
		ret->kind = SUBM_BSMTP_RESET;
		return PARSE_DONE;
	case VERB_QUIT:
		ret->kind = SUBM_BSMTP_QUIT;
		return PARSE_DONE;
	case VERB_HELLO:
		break;
	}
	return PARSE_MORE;
}

/* ---- content ------------------------------------------------------------ */

/* A line of content, or with is_whole unset the first part of one. */
static enum parse read_content(struct subm_bsmtp *b, struct slice line,
			       bool is_whole, struct subm_bsmtp_event *ret)
{
	struct slice end = b->is_crlf ? SLICE(".\r\n") : SLICE(".\n");

	if (b->at_bol && is_whole && slice_eq(line, end)) {
		b->in_data = false;
		ret->kind = SUBM_BSMTP_END;
		return PARSE_DONE;
	}
	if (b->at_bol && line.len > 0 && line.p[0] == '.')
		line = slice_from(line, 1);
	b->at_bol = is_whole;
	ret->kind = SUBM_BSMTP_TEXT;
	ret->text = line;
	return PARSE_DONE;
}

/* ---- lines -------------------------------------------------------------- */

/* Does the collected line end? The first one tells how they all do. */
static bool is_ended(struct subm_bsmtp *b)
{
	struct slice line = str_slice(&b->line);

	if (line.len == 0 || line.p[line.len - 1] != '\n')
		return false;
	if (!b->knows_ends) {
		b->knows_ends = true;
		b->is_crlf = line.len > 1 && line.p[line.len - 2] == '\r';
	}
	return !b->is_crlf || (line.len > 1 && line.p[line.len - 2] == '\r');
}

/* A part of an endless line; a CR at its end may be half a line end. */
static enum parse cut_long(struct subm_bsmtp *b, struct subm_bsmtp_event *ret,
			   struct err *err)
{
	if (!b->in_data) {
		err_set(err, EMSGSIZE,
			"line %lu: a command of more than %d"
			" bytes",
			b->number + 1, SUBM_BSMTP_LINE_MAX);
		return PARSE_BAD;
	}
	b->is_used = true;
	b->had_cr = b->line.p[b->line.len - 1] == '\r';
	return read_content(
	    b, slice_head(str_slice(&b->line), b->line.len - b->had_cr), false,
	    ret);
}

enum parse subm_bsmtp_next(struct subm_bsmtp *b, struct slice *in,
			   struct subm_bsmtp_event *ret, struct err *err)
{
	enum parse verdict = PARSE_MORE;

	*ret = (struct subm_bsmtp_event){ 0 };
	while (verdict == PARSE_MORE) {
		size_t room, lf, n;

		if (b->is_used) {
			str_clear(&b->line);
			if (b->had_cr)
				str_addc(&b->line, '\r');
			b->is_used = b->had_cr = false;
		}
		if (in->len == 0)
			return PARSE_MORE;
		room = SUBM_BSMTP_LINE_MAX - b->line.len;
		lf = slice_find(*in, '\n');
		n = lf < in->len ? lf + 1 : in->len;
		if (n > room)
			n = room;
		str_add(&b->line, slice_head(*in, n));
		*in = slice_from(*in, n);
		if (is_ended(b)) {
			struct slice line = str_slice(&b->line);

			b->number++;
			b->is_used = true;
			if (b->in_data)
				return read_content(b, line, true, ret);
			line.len -= b->is_crlf ? 2 : 1;
			verdict = read_command(b, line, ret, err);
		} else if (b->line.len == SUBM_BSMTP_LINE_MAX) {
			verdict = cut_long(b, ret, err);
		}
	}
	return verdict;
}

int subm_bsmtp_end(const struct subm_bsmtp *b, struct err *err)
{
	if (b->in_data)
		return FAIL_CODE(err, EPROTO,
				 "line %lu: the input ends within a message",
				 b->number);
	if (b->line.len > 0 && !b->is_used)
		return FAIL_CODE(err, EPROTO,
				 "line %lu: the input ends within a line",
				 b->number + 1);
	return 0;
}
