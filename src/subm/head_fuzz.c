/*
 * head_fuzz.c - any bytes, in any chunking, split the same way, and header
 * and body together are what was given.
 */
#include "subm/head.h"

#include "base/fuzz.h"
#include "subm/crlf.h"

struct split {
	struct subm_head head;
	enum parse verdict;
	struct str body; /* CR LF kept */
};

static void feed(struct split *s, struct slice chunk)
{
	if (s->verdict == PARSE_MORE) {
		s->verdict = subm_head_feed(&s->head, &chunk, NULL);
		if (s->verdict == PARSE_DONE)
			str_add(&s->body, subm_head_rest(&s->head));
	}
	if (s->verdict == PARSE_DONE)
		str_add(&s->body, chunk);
	else if (s->verdict == PARSE_MORE)
		FUZZ_CHECK(chunk.len == 0);
}

/* Cuts the message by its own bytes; step 0: not at all. */
static void split(struct split *s, struct slice message, size_t step)
{
	*s = (struct split){ .verdict = PARSE_MORE };
	while (message.len > 0) {
		size_t n = step == 0 ? message.len
				     : 1 + (unsigned char)message.p[0] % step;

		feed(s, slice_head(message, n));
		message = slice_from(message, n);
	}
	if (s->verdict == PARSE_MORE) {
		s->verdict = subm_head_end(&s->head, NULL);
		FUZZ_CHECK(s->verdict != PARSE_MORE);
		if (s->verdict == PARSE_DONE)
			str_add(&s->body, subm_head_rest(&s->head));
	}
}

static void done(struct split *s)
{
	subm_head_done(&s->head);
	str_done(&s->body);
}

/* Every line of a header is a field or, but for the first, a fold. */
static void check_fields(struct slice fields)
{
	bool is_first = true;

	FUZZ_CHECK(!slice_has(fields, '\0'));
	FUZZ_CHECK(fields.len <= SUBM_HEAD_MAX);
	while (fields.len > 0) {
		size_t lf = slice_find(fields, '\n');

		FUZZ_CHECK(lf > 0 && lf < fields.len);
		if (fields.p[0] == ' ' || fields.p[0] == '\t')
			FUZZ_CHECK(!is_first);
		else
			FUZZ_CHECK(slice_find(fields, ':') < lf);
		is_first = false;
		fields = slice_from(fields, lf + 1);
	}
}

/* Takes `part` off the front of *text, or says that it is not there. */
static bool take(struct slice *text, struct slice part)
{
	if (!slice_starts(*text, part))
		return false;
	*text = slice_from(*text, part.len);
	return true;
}

/*
 * The message without its separator line, as far as line ends were changed
 * with them changed, is header, perhaps an empty line, and body. The last
 * line's LF may have been added.
 */
static void check_whole(struct slice message, const struct split *s)
{
	struct slice fields = subm_head_fields(&s->head);
	struct str in = STR_INIT, body = STR_INIT;
	struct subm_crlf crlf = SUBM_CRLF_INIT;
	struct slice rest;

	if (s->head.has_separator)
		message = slice_from(message, slice_find(message, '\n') + 1);
	if (s->head.is_crlf) {
		subm_crlf_push(&crlf, message, &in);
		subm_crlf_end(&crlf, &in);
		subm_crlf_push(&crlf, str_slice(&s->body), &body);
		subm_crlf_end(&crlf, &body);
	} else {
		str_add(&in, message);
		str_add(&body, str_slice(&s->body));
	}
	rest = str_slice(&in);
	if (!take(&rest, fields)) {
		fields.len--;
		FUZZ_CHECK(take(&rest, fields) && rest.len == 0);
	}
	if (!slice_eq(rest, str_slice(&body)))
		FUZZ_CHECK(take(&rest, SLICE("\n")) &&
			   slice_eq(rest, str_slice(&body)));
	str_done(&in);
	str_done(&body);
}

FUZZ(data, size)
{
	struct slice message = slice_make((const char *)data, size), value;
	static const size_t steps[] = { 1, 7, 200 };
	struct split whole;

	split(&whole, message, 0);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct split other;

		split(&other, message, steps[i]);
		FUZZ_CHECK(other.verdict == whole.verdict);
		FUZZ_CHECK(slice_eq(subm_head_fields(&other.head),
				    subm_head_fields(&whole.head)));
		FUZZ_CHECK(other.head.is_crlf == whole.head.is_crlf);
		FUZZ_CHECK(
		    slice_eq(str_slice(&other.body), str_slice(&whole.body)));
		done(&other);
	}
	if (whole.verdict == PARSE_DONE) {
		struct slice fields = subm_head_fields(&whole.head);

		check_fields(fields);
		check_whole(message, &whole);
		if (subm_head_find(fields, SLICE("Message-ID"), &value))
			FUZZ_CHECK(value.p >= fields.p &&
				   value.p + value.len < fields.p + fields.len);
	}
	done(&whole);
	return 0;
}
