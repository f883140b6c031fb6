/*
 * wire_fuzz.c - any bytes on the submission socket: no frame is larger than
 * allowed, any chunking gives the same, and a request that is understood says
 * the same when it is written again.
 */
#include "subm/wire.h"

#include "base/fuzz.h"

struct run {
	struct wire wire;
	struct wire_request request;
	struct arena *a;
	struct str log;
	bool is_dead;
};

static void feed(struct run *r, struct slice chunk)
{
	struct wire_frame f;
	struct err err;

	while (!r->is_dead)
		switch (wire_next(&r->wire, &chunk, "ORBDEX", &f, &err)) {
		case PARSE_DONE:
			FUZZ_CHECK(f.payload.len <= WIRE_PAYLOAD_MAX);
			str_addc(&r->log, f.type);
			str_add(&r->log, f.payload);
			if (f.type == WIRE_OPTION || f.type == WIRE_RCPT)
				r->is_dead =
				    wire_take(&r->request, &f, r->a, &err) < 0;
			break;
		case PARSE_MORE:
			FUZZ_CHECK(chunk.len == 0);
			return;
		case PARSE_BAD:
			r->is_dead = true;
			break;
		}
}

static void run(struct run *r, struct slice in, size_t step)
{
	*r = (struct run){ .a = arena_new() };
	while (in.len > 0) {
		size_t n =
		    step == 0 ? in.len : 1 + (unsigned char)in.p[0] % step;

		feed(r, slice_head(in, n));
		in = slice_from(in, n);
	}
}

static void done(struct run *r)
{
	wire_done(&r->wire);
	wire_request_done(&r->request);
	str_done(&r->log);
	arena_free(r->a);
}

static void check_again(const struct subm_request *request)
{
	struct str once = STR_INIT, twice = STR_INIT;
	struct run again;

	wire_add_request(&once, request);
	run(&again, str_slice(&once), 0);
	FUZZ_CHECK(!again.is_dead);
	wire_add_request(&twice, &again.request.request);
	FUZZ_CHECK(slice_eq(str_slice(&once), str_slice(&twice)));
	str_done(&once);
	str_done(&twice);
	done(&again);
}

FUZZ(data, size)
{
	struct slice in = slice_make((const char *)data, size);
	struct run whole, cut;

	run(&whole, in, 0);
	for (size_t step = 1; step < 40; step += 13) {
		run(&cut, in, step);
		FUZZ_CHECK(whole.is_dead == cut.is_dead);
		FUZZ_CHECK(
		    slice_eq(str_slice(&whole.log), str_slice(&cut.log)));
		done(&cut);
	}
	if (!whole.is_dead)
		check_again(&whole.request.request);
	done(&whole);
	return 0;
}
