/*
 * reply.c - read SMTP replies.
 *
 *	Reply-line = *( Reply-code "-" [ textstring ] CRLF )
 *		     Reply-code [ SP textstring ] CRLF
 *	Reply-code = %x32-35 %x30-35 %x30-39	; RFC 5321 4.2
 *
 * A bare LF ends a line too. Codes outside RFC 5321's range are handed on as
 * they are: whoever asked decides what to make of "999".
 */
#include "smtp/reply.h"

void reply_done(struct reply_parser *p)
{
	str_done(&p->text);
	str_done(&p->line);
	*p = (struct reply_parser){ 0 };
}

bool reply_is_partial(const struct reply_parser *p)
{
	return p->line.len > 0 || (p->n_lines > 0 && !p->is_done);
}

void reply_partial(const struct reply_parser *p, struct str *to)
{
	if (p->is_done)
		return;
	str_add(to, str_slice(&p->text));
	if (p->text.len > 0 && p->line.len > 0)
		str_addc(to, '\n');
	str_add(to, str_slice(&p->line));
}

static void restart(struct reply_parser *p)
{
	str_clear(&p->text);
	p->n_lines = 0;
	p->code = 0;
	p->is_done = false;
}

static bool line_code(struct slice line, unsigned *ret)
{
	uint64_t n;

	if (line.len < 3 || !slice_uint(slice_head(line, 3), 999, &n))
		return false;
	if (line.len > 3 && line.p[3] != ' ' && line.p[3] != '-')
		return false;
	*ret = (unsigned)n;
	return true;
}

static enum parse take_line(struct reply_parser *p, struct slice line,
			    struct err *err)
{
	unsigned code;

	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	if (!line_code(line, &code)) {
		err_set(err, 0, "malformed reply \"%.*s\"",
			SLICE_ARG(slice_head(line, 80)));
		return PARSE_BAD;
	}
	if (p->n_lines > 0 && code != p->code) {
		err_set(err, 0, "reply changes its code from %u to %u", p->code,
			code);
		return PARSE_BAD;
	}
	if (++p->n_lines > REPLY_LINES_MAX ||
	    p->text.len + line.len > REPLY_MAX) {
		err_set(err, 0, "endless reply: over %u lines or %u bytes",
			(unsigned)REPLY_LINES_MAX, (unsigned)REPLY_MAX);
		return PARSE_BAD;
	}
	p->code = code;
	if (p->n_lines > 1)
		str_addc(&p->text, '\n');
	str_add(&p->text, line);
	return line.len > 3 && line.p[3] == '-' ? PARSE_MORE : PARSE_DONE;
}

/* The enhanced code of one line, if it has one of the reply's own class. */
static size_t line_enhanced(struct slice line, struct status *ret)
{
	struct status found;
	size_t n = status_parse(slice_from(line, 4), &found);

	if (n == 0 || found.class != (unsigned)(line.p[0] - '0'))
		return 0;
	*ret = found;
	return n;
}

struct slice reply_line_text(struct slice line)
{
	struct status ignored;
	size_t n = line.len > 4 ? line_enhanced(line, &ignored) : 0;

	return slice_trim(slice_from(line, 4 + n));
}

static void fill(const struct reply_parser *p, struct reply *ret)
{
	struct slice rest = str_slice(&p->text), line;

	*ret = (struct reply){ .code = p->code, .text = rest };
	while (!ret->has_enhanced && slice_cut(&rest, '\n', &line))
		ret->has_enhanced = line_enhanced(line, &ret->enhanced) > 0;
}

enum parse reply_feed(struct reply_parser *p, struct slice *in,
		      struct reply *ret, struct err *err)
{
	if (p->is_done)
		restart(p);
	while (in->len > 0) {
		unsigned most =
		    p->may_challenge ? REPLY_CHALLENGE_MAX : REPLY_LINE_MAX;
		size_t at = slice_find(*in, '\n');
		bool is_whole = at < in->len;
		struct slice line = slice_head(*in, at);
		enum parse verdict;

		if (p->line.len + line.len > most) {
			err_set(err, 0, "endless reply line: over %u bytes",
				most);
			return PARSE_BAD;
		}
		*in = slice_from(*in, is_whole ? at + 1 : at);
		if (!is_whole || p->line.len > 0)
			str_add(&p->line, line);
		if (!is_whole)
			return PARSE_MORE;
		if (p->line.len > 0)
			line = str_slice(&p->line);
		verdict = take_line(p, line, err);
		if (verdict == PARSE_BAD) {
			if (p->line.len == 0)
				str_add(&p->line, line);
			return PARSE_BAD;
		}
		str_clear(&p->line);
		if (verdict == PARSE_DONE) {
			p->is_done = true;
			fill(p, ret);
			return PARSE_DONE;
		}
	}
	return PARSE_MORE;
}
