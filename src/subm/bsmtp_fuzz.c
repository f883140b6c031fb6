/*
 * bsmtp_fuzz.c - any bytes as a batch, in any chunking: the same events, in a
 * possible order, and no more content than was given.
 */
#include "subm/bsmtp.h"

#include "base/fuzz.h"

#include <errno.h>

struct run {
	struct subm_bsmtp parser;
	struct str log;
	size_t n_text;
	bool in_data, is_dead;
};

static void note(struct run *r, const struct subm_bsmtp_event *e)
{
	bool is_content =
	    e->kind == SUBM_BSMTP_TEXT || e->kind == SUBM_BSMTP_END;

	FUZZ_CHECK(is_content == r->in_data);
	r->in_data = e->kind == SUBM_BSMTP_DATA || e->kind == SUBM_BSMTP_TEXT;
	r->n_text += e->text.len;
	str_addf(&r->log, "<%d>", (int)e->kind);
	if (e->kind == SUBM_BSMTP_MAIL || e->kind == SUBM_BSMTP_RCPT) {
		FUZZ_CHECK(e->path.len >= 2 && e->path.p[0] == '<');
		FUZZ_CHECK(e->path.p[e->path.len - 1] == '>');
		FUZZ_CHECK(!slice_has_control(e->path));
		FUZZ_CHECK(!slice_has_control(e->params));
	}
	str_add(&r->log, e->path);
	str_add(&r->log, e->params);
	str_add(&r->log, e->text);
}

static void feed(struct run *r, struct slice chunk)
{
	struct subm_bsmtp_event event;
	struct err err;

	while (!r->is_dead)
		switch (subm_bsmtp_next(&r->parser, &chunk, &event, &err)) {
		case PARSE_DONE:
			note(r, &event);
			break;
		case PARSE_MORE:
			FUZZ_CHECK(chunk.len == 0);
			return;
		case PARSE_BAD:
			r->is_dead = err.code == EMSGSIZE;
			str_adds(&r->log, err.text);
			break;
		}
}

/* Cuts the batch by its own bytes; step 0: not at all. */
static void run(struct run *r, struct slice in, size_t step)
{
	size_t whole = in.len;

	*r = (struct run){ 0 };
	while (in.len > 0) {
		size_t n =
		    step == 0 ? in.len : 1 + (unsigned char)in.p[0] % step;

		feed(r, slice_head(in, n));
		in = slice_from(in, n);
	}
	FUZZ_CHECK(r->n_text <= whole);
}

FUZZ(data, size)
{
	struct slice in = slice_make((const char *)data, size);
	struct run whole, cut;

	run(&whole, in, 0);
	for (size_t step = 1; step < 40; step += 13) {
		run(&cut, in, step);
		FUZZ_CHECK(
		    slice_eq(str_slice(&whole.log), str_slice(&cut.log)));
		subm_bsmtp_done(&cut.parser);
		str_done(&cut.log);
	}
	subm_bsmtp_done(&whole.parser);
	str_done(&whole.log);
	return 0;
}
