/*
 * qp_fuzz.c - any bytes through quoted-printable, both ways.
 *
 * The first byte chooses narrow mode, the rest is encoded, decoded again, and
 * decoded as it is. Invariants: chunks do not matter; encoded text is 7-bit,
 * in lines of at most 76, none of which begins with '.' or 'F' or ends in a
 * blank; it decodes to the text; decoded text is never longer than its code,
 * and judging alone says the same as decoding.
 */
#include "mime/qp.h"

#include "base/fuzz.h"

static struct str encode(struct slice in, bool is_narrow, size_t most)
{
	struct str out = STR_INIT;
	struct qp_encoder e;

	qp_encode_begin(&e, is_narrow);
	for (size_t step = 0; in.len > 0; step++) {
		size_t n = 1 + step * 5 % most;

		qp_encode_push(&e, slice_head(in, n), &out);
		in = slice_from(in, n);
	}
	qp_encode_end(&e, &out);
	return out;
}

static struct str decode(struct slice in, size_t most, struct qp_decoder *d)
{
	struct str out = STR_INIT;
	struct qp_decoder judge;

	qp_decode_begin(d);
	qp_decode_begin(&judge);
	for (size_t step = 0; in.len > 0; step++) {
		size_t n = 1 + step * 5 % most;

		qp_decode_push(d, slice_head(in, n), &out);
		qp_decode_push(&judge, slice_head(in, n), NULL);
		in = slice_from(in, n);
	}
	qp_decode_end(d, &out);
	qp_decode_end(&judge, NULL);
	FUZZ_CHECK(judge.unfit == d->unfit && judge.size == d->size);
	FUZZ_CHECK(judge.has_8bit == d->has_8bit && d->size == out.len);
	return out;
}

static void check_lines(struct slice out)
{
	struct slice line;

	FUZZ_CHECK(!slice_has_8bit(out) && !slice_has(out, '\0'));
	FUZZ_CHECK(!slice_has(out, '\r'));
	while (slice_cut(&out, '\n', &line)) {
		if (line.len == 0)
			continue;
		FUZZ_CHECK(line.len <= QP_LINE_MAX);
		FUZZ_CHECK(line.p[0] != '.' && line.p[0] != 'F');
		FUZZ_CHECK(line.p[line.len - 1] != ' ' &&
			   line.p[line.len - 1] != '\t');
	}
}

static void check_round_trip(struct slice in, struct slice coded)
{
	struct str want = STR_INIT, got;
	struct qp_decoder d;

	for (size_t i = 0; i < in.len; i++)
		if (in.p[i] != '\r' || i + 1 == in.len || in.p[i + 1] != '\n')
			str_addc(&want, in.p[i]);
	got = decode(coded, SIZE_MAX, &d);
	FUZZ_CHECK(slice_eq(str_slice(&got), str_slice(&want)));
	str_done(&got);
	str_done(&want);
}

/* What is fit to be sent holds nothing that the channel could trip over. */
static void check_fit(struct slice text, const struct qp_decoder *d)
{
	struct slice line;

	if (!qp_decode_is_fit(d))
		return;
	FUZZ_CHECK(!slice_has(text, '\r') && !slice_has(text, '\0'));
	while (slice_cut(&text, '\n', &line))
		FUZZ_CHECK(line.len <= QP_TEXT_MAX);
}

FUZZ(data, size)
{
	static const size_t most[] = { 1, 2, 3, 7, 64 };
	struct slice in = slice_make((const char *)data, size);
	bool is_narrow = size > 0 && data[0] % 2 == 1;
	struct qp_decoder d, other;
	struct str coded, plain;

	in = slice_from(in, 1);
	coded = encode(in, is_narrow, SIZE_MAX);
	plain = decode(in, SIZE_MAX, &d);
	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		struct str c = encode(in, is_narrow, most[i]);
		struct str p = decode(in, most[i], &other);

		FUZZ_CHECK(slice_eq(str_slice(&c), str_slice(&coded)));
		FUZZ_CHECK(slice_eq(str_slice(&p), str_slice(&plain)));
		FUZZ_CHECK(d.unfit == other.unfit);
		str_done(&c);
		str_done(&p);
	}
	check_lines(str_slice(&coded));
	check_round_trip(in, str_slice(&coded));
	FUZZ_CHECK(plain.len <= in.len);
	check_fit(str_slice(&plain), &d);
	str_done(&coded);
	str_done(&plain);
	return 0;
}
