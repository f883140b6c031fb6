/*
 * wire_test.c - what is said on the submission socket is understood.
 */
#include "subm/wire.h"

#include "base/keyword.h"
#include "base/test.h"

#include <sysexits.h>

struct run {
	struct wire wire;
	struct wire_request request;
	struct arena *a;
	struct str log;
	bool is_dead;
};

static void push(void *context, struct slice chunk)
{
	struct run *r = context;
	struct wire_frame frame;
	struct err err;

	while (!r->is_dead)
		switch (wire_next(&r->wire, &chunk, "ORBDEX", &frame, &err)) {
		case PARSE_DONE:
			if (frame.type == WIRE_OPTION ||
			    frame.type == WIRE_RCPT)
				r->is_dead = wire_take(&r->request, &frame,
						       r->a, &err) < 0;
			if (r->is_dead)
				str_addf(&r->log, "!%s!", err.text);
			str_addf(&r->log, "%c%zu ", frame.type,
				 frame.payload.len);
			break;
		case PARSE_MORE:
			assert_int_equal(chunk.len, 0);
			return;
		case PARSE_BAD:
			str_addf(&r->log, "!%s!", err.text);
			r->is_dead = true;
			break;
		}
}

static void run_done(struct run *r)
{
	wire_done(&r->wire);
	wire_request_done(&r->request);
	str_done(&r->log);
	arena_free(r->a);
}

static void test_request_comes_out_as_it_went_in(void **state)
{
	const struct slice rcpts[] = { SLICE("a@b"), SLICE(""),
				       SLICE("\"c d\"@e") };
	const struct subm_wish wishes[] = {
		{ 0 }, { true, NOTIFY_NEVER, SLICE("rfc822;x+2By") }
	};
	struct subm_request in = {
		.has_sender = true,
		.sender = SLICE(""),
		.wishes = wishes,
		.n_wishes = COUNT(wishes),
		.size = 77,
		.full_name = SLICE("A=B"),
		.channel = SLICE("local"),
		.has_host = true,
		.host = SLICE("-"),
		.rcpts = rcpts,
		.n_rcpts = COUNT(rcpts),
		.reads_rcpts = true,
		.is_raw = true,
		.has_notify = true,
		.notify = NOTIFY_SUCCESS | NOTIFY_DELAY,
		.ret = CTL_RET_HDRS,
		.envid = SLICE("x+20y"),
		.by = { true, 60, true, true },
		.requires_tls = true,
		.body = SUBM_BODY_8BITMIME,
	};
	struct str bytes = STR_INIT;

	(void)state;
	wire_add_request(&bytes, &in);
	for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
		struct run r = { .a = arena_new() };
		const struct subm_request *out = &r.request.request;

		test_split(str_slice(&bytes), seed, push, &r);
		assert_false(r.is_dead);
		assert_true(out->has_sender && out->sender.len == 0);
		assert_slice_is(out->full_name, "A=B");
		assert_slice_is(out->channel, "local");
		assert_true(out->has_host);
		assert_slice_is(out->host, "-");
		assert_int_equal(out->n_rcpts, 3);
		for (size_t i = 0; i < COUNT(rcpts); i++)
			assert_true(slice_eq(out->rcpts[i], rcpts[i]));
		assert_int_equal(out->size, 77);
		assert_int_equal(out->n_wishes, 3);
		assert_false(out->wishes[0].has_notify ||
			     out->wishes[2].has_notify);
		assert_int_equal(out->wishes[1].notify, NOTIFY_NEVER);
		assert_slice_is(out->wishes[1].orcpt, "rfc822;x+2By");
		assert_int_equal(out->wishes[0].orcpt.len, 0);
		assert_int_equal(out->wishes[2].orcpt.len, 0);
		assert_true(out->reads_rcpts && out->is_raw);
		assert_true(out->has_notify && out->requires_tls);
		assert_int_equal(out->notify, in.notify);
		assert_int_equal(out->ret, CTL_RET_HDRS);
		assert_slice_is(out->envid, "x+20y");
		assert_int_equal(out->by.seconds, 60);
		assert_true(out->by.is_set && out->by.do_return &&
			    out->by.do_trace);
		assert_int_equal(out->body, SUBM_BODY_8BITMIME);
		run_done(&r);
	}
	str_done(&bytes);
}

static void test_long_data_is_many_frames(void **state)
{
	struct str bytes = STR_INIT, text = STR_INIT;
	struct run r = { .a = arena_new() };

	(void)state;
	for (int i = 0; i < 2 * WIRE_PAYLOAD_MAX + 1; i++)
		str_addc(&text, 'x');
	wire_add(&bytes, WIRE_DATA, str_slice(&text));
	wire_add(&bytes, WIRE_END, SLICE(""));
	test_split(str_slice(&bytes), 2, push, &r);
	assert_slice_is(str_slice(&r.log), "D65536 D65536 D1 E0 ");
	run_done(&r);
	str_done(&bytes);
	str_done(&text);
}

static void test_what_is_no_frame_is_refused(void **state)
{
	static const struct {
		struct slice in;
		const char *want;
	} cases[] = {
		{ { "Z\0\0\0", 4 }, "!byte 90 is no type of a frame!" },
		{ { "\0\0\0\0", 4 }, "!byte 0 is no type of a frame!" },
		{ { "A\0\0\0", 4 }, "!byte 65 is no type of a frame!" },
		{ { "D\1\0\1", 4 }, "!a frame of 65537 bytes!" },
		{ { "D\377\377\377", 4 }, "!a frame of 16777215 bytes!" },
		{ { "O\0\0\4uid=", 8 }, "!option 'uid' is not known!O4 " },
		{ { "O\0\0\3uid", 7 }, "!option 'uid' is not known!O3 " },
		{ { "O\0\0\5ret=x", 9 }, "!option 'ret': bad value!O5 " },
		{ { "O\0\0\5raw=1", 9 }, "!option 'raw': bad value!O5 " },
		{ { "D\0\0\2x", 5 }, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (unsigned seed = 0; seed < 3; seed++) {
			struct run r = { .a = arena_new() };

			test_split(cases[i].in, seed, push, &r);
			assert_slice_is(str_slice(&r.log), cases[i].want);
			run_done(&r);
		}
}

static void test_recipients_without_end_are_refused(void **state)
{
	struct wire_frame frame = { WIRE_RCPT, { 0 } };
	struct wire_request r = { 0 }, few = { .max = wire_request_max(10) };
	struct arena *a = arena_new();
	struct err err;
	size_t n = 0;

	(void)state;
	while (wire_take(&r, &frame, a, &err) == 0)
		n++;
	assert_int_equal(n, WIRE_REQUEST_MAX / sizeof(struct slice));
	frame.payload = SLICE("bob@example.com");
	for (n = 0; wire_take(&few, &frame, a, &err) == 0; n++)
		;
	assert_true(n >= 10 && n < 3000);
	assert_int_equal(wire_request_max(0), WIRE_REQUEST_MAX);
	assert_int_equal(wire_request_max(UINT64_MAX), WIRE_REQUEST_MAX);
	wire_request_done(&r);
	wire_request_done(&few);
	arena_free(a);
}

static void test_answers_are_read(void **state)
{
	static const struct {
		struct wire_frame frame;
		int r, code;
		const char *text;
	} cases[] = {
		{ { 'A', { "S1", 2 } }, 0, EX_OK, "S1" },
		{ { 'N', { "65 no way", 9 } }, 0, EX_DATAERR, "no way" },
		{ { 'N', { "65 ", 3 } }, 0, EX_DATAERR, "" },
		{ { 'N', { "0 no", 4 } }, -1, 0, "" },
		{ { 'N', { "99 no", 5 } }, -1, 0, "" },
		{ { 'N', { "", 0 } }, -1, 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct slice text = { 0 };
		int code = 0;

		assert_int_equal(
		    wire_read_answer(&cases[i].frame, &code, &text),
		    cases[i].r);
		assert_int_equal(code, cases[i].code);
		assert_slice_is(text, cases[i].text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_comes_out_as_it_went_in),
		cmocka_unit_test(test_long_data_is_many_frames),
		cmocka_unit_test(test_what_is_no_frame_is_refused),
		cmocka_unit_test(test_recipients_without_end_are_refused),
		cmocka_unit_test(test_answers_are_read),
	};

	return TEST_RUN(tests);
}
