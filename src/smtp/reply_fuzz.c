/*
 * reply_fuzz.c - the reply and EHLO parsers: chunking changes nothing.
 */
#include "base/fuzz.h"
#include "smtp/caps.h"
#include "smtp/reply.h"

struct seen {
	struct str text;
	size_t n;
	bool is_bad;
};

static void feed(struct reply_parser *p, struct slice in, struct seen *seen)
{
	struct reply reply;
	struct caps caps;
	struct err err;

	while (in.len > 0 && !seen->is_bad) {
		switch (reply_feed(p, &in, &reply, &err)) {
		case PARSE_DONE:
			FUZZ_CHECK(reply.code <= 999);
			FUZZ_CHECK(reply.text.len <= REPLY_MAX + 200);
			FUZZ_CHECK(!slice_starts(reply.text, SLICE("\n")));
			str_add(&seen->text, reply.text);
			str_addc(&seen->text, '\n');
			caps_parse(reply.text, &caps);
			seen->n++;
			break;
		case PARSE_MORE:
			FUZZ_CHECK(in.len == 0);
			break;
		case PARSE_BAD:
			seen->is_bad = true;
			break;
		}
	}
}

FUZZ(data, size)
{
	struct slice in = slice_make((const char *)data, size);
	struct reply_parser whole = { 0 }, pieces = { 0 };
	struct seen a = { 0 }, b = { 0 };

	feed(&whole, in, &a);
	for (size_t i = 0; i < in.len; i++)
		feed(&pieces, slice_make(in.p + i, 1), &b);
	FUZZ_CHECK(a.n == b.n && a.is_bad == b.is_bad);
	FUZZ_CHECK(slice_eq(str_slice(&a.text), str_slice(&b.text)));
	reply_done(&whole);
	reply_done(&pieces);
	str_done(&a.text);
	str_done(&b.text);
	return 0;
}
