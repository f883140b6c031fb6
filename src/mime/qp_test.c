/*
 * qp_test.c - quoted-printable both ways: rows, properties, foreign vectors.
 */
#include "mime/qp.h"

#include "base/keyword.h"
#include "base/test.h"
#include "mime/test_qp_vectors.h"

#include <string.h>

/* ---- running the filters -------------------------------------------- */

struct encoding {
	struct qp_encoder encoder;
	struct str out;
};

static void push_encoder(void *context, struct slice chunk)
{
	struct encoding *run = context;

	qp_encode_push(&run->encoder, chunk, &run->out);
}

/* The text encoded, split as `seed` says; to be freed. */
static struct str encoded(struct slice in, bool is_narrow, unsigned seed)
{
	struct encoding run = { .out = STR_INIT };

	qp_encode_begin(&run.encoder, is_narrow);
	test_split(in, seed, push_encoder, &run);
	qp_encode_end(&run.encoder, &run.out);
	return run.out;
}

struct decoding {
	struct qp_decoder decoder, judge;
	struct str out;
};

static void push_decoder(void *context, struct slice chunk)
{
	struct decoding *run = context;

	qp_decode_push(&run->decoder, chunk, &run->out);
	qp_decode_push(&run->judge, chunk, NULL);
}

/* The text decoded, split as `seed` says; to be freed. */
static struct decoding decoded(struct slice in, unsigned seed)
{
	struct decoding run = { .out = STR_INIT };

	qp_decode_begin(&run.decoder);
	qp_decode_begin(&run.judge);
	test_split(in, seed, push_decoder, &run);
	qp_decode_end(&run.decoder, &run.out);
	qp_decode_end(&run.judge, NULL);
	assert_int_equal(run.decoder.size, run.out.len);
	assert_int_equal(run.judge.size, run.out.len);
	assert_int_equal(run.judge.unfit, run.decoder.unfit);
	assert_int_equal(run.judge.has_8bit, run.decoder.has_8bit);
	assert_int_equal(run.decoder.has_8bit,
			 slice_has_8bit(str_slice(&run.out)));
	return run;
}

static void fail_bytes(const char *what, struct slice in, struct slice got,
		       struct slice want)
{
	const struct slice all[] = { in, got, want };

	for (size_t i = 0; i < COUNT(all); i++) {
		print_error("%s:", i == 0 ? "input" : i == 1 ? "got" : "want");
		for (size_t k = 0; k < all[i].len; k++)
			print_error(" %02x", (unsigned char)all[i].p[k]);
		print_error("\n");
	}
	fail_msg("%s", what);
}

static void assert_encodes(struct slice in, bool is_narrow, struct slice want)
{
	for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
		struct str got = encoded(in, is_narrow, seed);

		if (!slice_eq(str_slice(&got), want))
			fail_bytes("encoding", in, str_slice(&got), want);
		str_done(&got);
	}
}

static void assert_decodes(struct slice in, struct slice want, unsigned unfit)
{
	for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
		struct decoding got = decoded(in, seed);

		if (!slice_eq(str_slice(&got.out), want))
			fail_bytes("decoding", in, str_slice(&got.out), want);
		assert_int_equal(got.decoder.unfit, unfit);
		assert_int_equal(qp_decode_is_fit(&got.decoder), unfit == 0);
		str_done(&got.out);
	}
}

/* ---- encoder
 * ----------------------------------------------------------------- */

struct row {
	struct slice in, want;
};

#define ROW(in, want)                                               \
	{                                                           \
		{ in, sizeof(in) - 1 }, { want, sizeof(want) - 1 }, \
	}

static void check_encoder(const struct row *rows, size_t n, bool is_narrow)
{
	for (size_t i = 0; i < n; i++)
		assert_encodes(rows[i].in, is_narrow, rows[i].want);
}

#define X10 "xxxxxxxxxx"
#define X70 X10 X10 X10 X10 X10 X10 X10

static void test_line_start_that_means_something_is_encoded(void **state)
{
	static const struct row rows[] = {
		ROW("From start\n", "=46rom start\n"),
		ROW(".dot\n", "=2Edot\n"),
		ROW(".\n", "=2E\n"),
		ROW("..\n", "=2E.\n"),
		ROW("F\nFr\n", "=46\n=46r\n"),
		ROW(" From x.\n", " From x.\n"),
		ROW("from x\n", "from x\n"),
		ROW("a\r\n.\r\n", "a\n=2E\n"),
		ROW(X70 "x.y\n", X70 "x=\n=2Ey\n"),
		ROW(X70 "xFrom y\n", X70 "x=\n=46rom y\n"),
	};

	(void)state;
	check_encoder(rows, COUNT(rows), false);
}

static void test_bytes_that_cannot_stay_are_encoded(void **state)
{
	static const struct row rows[] = {
		ROW("", ""),
		ROW("plain text, {all} of ~it!\n",
		    "plain text, {all} of ~it!\n"),
		ROW("a=b\n", "a=3Db\n"),
		ROW("gr\xfc\xdf"
		    "e\n",
		    "gr=FC=DFe\n"),
		ROW("gr\xc3\xbc\xc3\x9f"
		    "e\n",
		    "gr=C3=BC=C3=9Fe\n"),
		ROW("\x01\x1f\x7f\x80\xff\n", "=01=1F=7F=80=FF\n"),
		ROW("tab\tin\n", "tab\tin\n"),
		ROW("\0nul\0\n", "=00nul=00\n"),
		ROW("\f\v\b\x1b\n", "=0C=0B=08=1B\n"),
	};

	(void)state;
	check_encoder(rows, COUNT(rows), false);
}

static void test_crlf_is_one_line_end_and_other_cr_is_encoded(void **state)
{
	static const struct row rows[] = {
		ROW("a\r\nb\r\n", "a\nb\n"), ROW("a\rb\n", "a=0Db\n"),
		ROW("a\r", "a=0D"),	     ROW("\r", "=0D"),
		ROW("\r\r\n", "=0D\n"),	     ROW("\n\r\n", "\n\n"),
		ROW("\r\n\r", "\n=0D"),	     ROW("a\r\r\r\nb", "a=0D=0D\nb"),
		ROW("a \r\n", "a=20\n"),     ROW("a \rb\n", "a =0Db\n"),
		ROW("a \r", "a =0D"),
	};

	(void)state;
	check_encoder(rows, COUNT(rows), false);
}

static void test_last_blank_of_a_line_is_encoded(void **state)
{
	static const struct row rows[] = {
		ROW("trail space \n", "trail space=20\n"),
		ROW("trail tab\t\n", "trail tab=09\n"),
		ROW("two  \n", "two =20\n"),
		ROW(" \n", "=20\n"),
		ROW("\t", "=09"),
		ROW("no end ", "no end=20"),
		ROW("a b c\n", "a b c\n"),
		ROW(X70 " \n", X70 "=20\n"),
		ROW(X70 "x \n", X70 "x=\n=20\n"),
		ROW(X70 " x\n", X70 " =\nx\n"),
	};

	(void)state;
	check_encoder(rows, COUNT(rows), false);
}

static void test_lines_break_behind_column_70(void **state)
{
	static const struct row rows[] = {
		ROW(X70 "x\n", X70 "x\n"),
		ROW(X70 "xx\n", X70 "x=\nx\n"),
		ROW(X70 "x", X70 "x"),
		ROW(X70 "xx", X70 "x=\nx"),
		ROW(X70 "\xfc\n", X70 "=FC\n"),
		ROW(X70 "\xfc\xfc\n", X70 "=FC=\n=FC\n"),
		ROW(X70 "x\xfc\n", X70 "x=\n=FC\n"),
		ROW(X70 "==\n", X70 "=3D=\n=3D\n"),
		ROW(X70 X10 X10 "1234567\n",
		    X70 "x=\nxxxxxxxxx" X10 "1234567\n"),
		ROW(X70 "x\r\n", X70 "x\n"),
		ROW(X70 "x\r", X70 "x=\n=0D"),
	};

	(void)state;
	check_encoder(rows, COUNT(rows), false);
}

static void test_narrow_mode_encodes_every_blank(void **state)
{
	static const struct row rows[] = {
		ROW("a b\tc\n", "a=20b=09c\n"),
		ROW("From x \n", "=46rom=20x=20\n"),
		ROW(" \r\n\t", "=20\n=09"),
		ROW(" \r", "=20=0D"),
		ROW("a=b\xff\n", "a=3Db=FF\n"),
	};

	(void)state;
	check_encoder(rows, COUNT(rows), true);
}

static void test_text_ends_without_line_end_as_it_came(void **state)
{
	struct encoding run = { .out = STR_INIT };

	(void)state;
	qp_encode_begin(&run.encoder, false);
	for (int i = 0; i < 2; i++) {
		qp_encode_push(&run.encoder, SLICE(X70 " "), &run.out);
		qp_encode_end(&run.encoder, &run.out);
		qp_encode_push(&run.encoder, SLICE(".\r"), &run.out);
		qp_encode_end(&run.encoder, &run.out);
	}
	assert_slice_is(str_slice(&run.out), X70 "=20=2E=0D" X70 "=20=2E=0D");
	str_done(&run.out);
}

/* ---- decoder
 * ----------------------------------------------------------------- */

struct decoder_row {
	struct slice in, want;
	unsigned unfit;
};

#define DROW(in, want, unfit)                                              \
	{                                                                  \
		{ in, sizeof(in) - 1 }, { want, sizeof(want) - 1 }, unfit, \
	}

static void check_decoder(const struct decoder_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_decodes(rows[i].in, rows[i].want, rows[i].unfit);
}

static void test_coded_bytes_are_decoded(void **state)
{
	static const struct decoder_row rows[] = {
		DROW("", "", 0),
		DROW("plain\n", "plain\n", 0),
		DROW("gr=FC=dfe\n",
		     "gr\xfc\xdf"
		     "e\n",
		     0),
		DROW("=46rom =2e=3D=3d\n", "From .==\n", 0),
		DROW("a=20\n=09\n", "a \n\t\n", 0),
		DROW("raw \xfc stays\n", "raw \xfc stays\n", 0),
		DROW("=41=42=43", "ABC", 0),
		DROW("no end", "no end", 0),
		DROW("a\r\nb\r\n", "a\nb\n", 0),
	};

	(void)state;
	check_decoder(rows, COUNT(rows));
}

static void test_soft_breaks_join_lines(void **state)
{
	static const struct decoder_row rows[] = {
		DROW("a=\nb\n", "ab\n", 0),
		DROW("a =\n b\n", "a  b\n", 0),
		DROW("a= \t\nb\n", "ab\n", 0),
		DROW("a=\r\nb=\t\r\nc\n", "abc\n", 0),
		DROW("=\n=\n=\n", "", 0),
		DROW("a=\n\n", "a\n", 0),
		DROW("a=", "a", 0),
		DROW("a= \t", "a", 0),
		DROW("=41=\n=42", "AB", 0),
		DROW("a=\n.\n", "a.\n", 0),
	};

	(void)state;
	check_decoder(rows, COUNT(rows));
}

static void test_malformed_codes_stay_as_they_are(void **state)
{
	static const struct decoder_row rows[] = {
		DROW("=zz", "=zz", 0),
		DROW("a=zz\nb\n", "a=zz\nb\n", 0),
		DROW("=4\n", "=4\n", 0),
		DROW("=4", "=4", 0),
		DROW("=4z=G1", "=4z=G1", 0),
		DROW("==", "=", 0),
		DROW("==41\n", "=A\n", 0),
		DROW("=4=41\n", "=4A\n", 0),
		DROW("= x\n", "= x\n", 0),
		DROW("= \t x= y\n", "= \t x= y\n", 0),
		DROW("=4 \n", "=4\n", 0),
		DROW("= =\nx\n", "= x\n", 0),
		DROW("=4\r\nx\n", "=4\nx\n", 0),
		DROW("=?ISO-8859-1?Q?x?=\n", "=?ISO-8859-1?Q?x?", 0),
	};

	(void)state;
	check_decoder(rows, COUNT(rows));
}

static void test_blanks_at_line_ends_are_removed(void **state)
{
	static const struct decoder_row rows[] = {
		DROW("a \t \nb\n", "a\nb\n", 0),
		DROW("a  \r\nb \n", "a\nb\n", 0),
		DROW(" \n\t\n", "\n\n", 0),
		DROW("a ", "a", 0),
		DROW("a  b\n", "a  b\n", 0),
		DROW("a =20 \n", "a  \n", 0),
		DROW("a =41\n", "a A\n", 0),
	};

	(void)state;
	check_decoder(rows, COUNT(rows));
}

static void test_line_ends_that_were_coded_are_judged(void **state)
{
	static const struct decoder_row rows[] = {
		DROW("a=0D=0Ab\n", "a\nb\n", 0),
		DROW("a=0d=\n=0ab\n", "a\nb\n", 0),
		DROW("=0D=0A=0D=0A", "\n\n", 0),
		DROW("a=0Ab\n", "a\nb\n", QP_UNFIT_BARE_LF),
		DROW("a=0Db\n", "a\rb\n", QP_UNFIT_BARE_CR),
		DROW("a=0D\n", "a\r\n", QP_UNFIT_BARE_CR),
		DROW("a=0D\r\n", "a\r\n", QP_UNFIT_BARE_CR),
		DROW("a=0D", "a\r", QP_UNFIT_BARE_CR),
		DROW("=0D=0D=0A", "\r\n", QP_UNFIT_BARE_CR),
		DROW("=0A=0D", "\n\r", QP_UNFIT_BARE_LF | QP_UNFIT_BARE_CR),
		DROW("=0D =0A", "\r \n", QP_UNFIT_BARE_LF | QP_UNFIT_BARE_CR),
		DROW("a\rb\n", "a\rb\n", QP_UNFIT_BARE_CR),
		DROW("a\r", "a\r", QP_UNFIT_BARE_CR),
		DROW("a\r\r\n", "a\r\n", QP_UNFIT_BARE_CR),
		DROW("a \rb\n", "a \rb\n", QP_UNFIT_BARE_CR),
		DROW("a= \rb\n", "a= \rb\n", QP_UNFIT_BARE_CR),
		DROW("=4\rb\n", "=4\rb\n", QP_UNFIT_BARE_CR),
		DROW("=\r", "=\r", QP_UNFIT_BARE_CR),
		DROW("a\r=0A", "a\r\n", QP_UNFIT_BARE_LF | QP_UNFIT_BARE_CR),
	};

	(void)state;
	check_decoder(rows, COUNT(rows));
}

static void test_nul_makes_unfit(void **state)
{
	static const struct decoder_row rows[] = {
		DROW("a=00b\n", "a\0b\n", QP_UNFIT_NUL),
		DROW("a\0b\n", "a\0b\n", QP_UNFIT_NUL),
		DROW("a=0\0b\n", "a=0\0b\n", QP_UNFIT_NUL),
		DROW("=01=0B\n", "\1\v\n", 0),
	};

	(void)state;
	check_decoder(rows, COUNT(rows));
}

/* n bytes of text in soft-broken lines. */
static struct str long_line(size_t n)
{
	struct str text = STR_INIT;

	for (size_t i = 0; i < n; i++) {
		if (i > 0 && i % 60 == 0)
			str_adds(&text, "=\n");
		str_adds(&text, i % 3 == 0 ? "=FC" : "x");
	}
	return text;
}

static void test_long_decoded_line_makes_unfit(void **state)
{
	static const struct {
		size_t len;
		const char *end;
		unsigned want;
	} rows[] = {
		{ QP_TEXT_MAX, "\n", 0 },
		{ QP_TEXT_MAX, "", 0 },
		{ QP_TEXT_MAX, "=0D=0Ax\n", 0 },
		{ QP_TEXT_MAX + 1, "\n", QP_UNFIT_LINE },
		{ QP_TEXT_MAX + 1, "", QP_UNFIT_LINE },
		{ QP_TEXT_MAX + 1, "\nshort\n", QP_UNFIT_LINE },
		{ QP_TEXT_MAX + 1, "=0D=0A", QP_UNFIT_LINE },
		{ 2 * QP_TEXT_MAX, " \n", QP_UNFIT_LINE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str text = long_line(rows[i].len);

		str_adds(&text, rows[i].end);
		for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
			struct decoding got = decoded(str_slice(&text), seed);

			assert_int_equal(got.decoder.unfit, rows[i].want);
			str_done(&got.out);
		}
		str_done(&text);
	}
}

static void test_endless_blanks_take_no_memory(void **state)
{
	struct str text = STR_INIT, want = STR_INIT;

	(void)state;
	str_adds(&text, "a=");
	for (int i = 0; i < 3 * QP_TEXT_MAX + 7; i++)
		str_addc(&text, i % 2 == 0 ? ' ' : '\t');
	str_adds(&text, "\nb\n");
	/* what went out could not be taken back */
	str_add(&want, slice_head(str_slice(&text), 2 + 3 * QP_TEXT_MAX));
	str_adds(&want, "\nb\n");
	assert_decodes(str_slice(&text), str_slice(&want), QP_UNFIT_LINE);
	str_done(&text);
	str_done(&want);
}

/* ---- both
 * -------------------------------------------------------------------- */

static struct str with_lf(struct slice in)
{
	struct str out = STR_INIT;

	for (size_t i = 0; i < in.len; i++)
		if (in.p[i] != '\r' || i + 1 == in.len || in.p[i + 1] != '\n')
			str_addc(&out, in.p[i]);
	return out;
}

static bool is_coded(struct slice s, size_t i)
{
	static const struct slice hex = { "0123456789ABCDEF", 16 };

	return i + 2 < s.len && slice_has(hex, s.p[i + 1]) &&
	       slice_has(hex, s.p[i + 2]);
}

/* What holds of every encoded text. */
static void check_lines(struct slice out, bool is_narrow)
{
	struct slice line;

	for (size_t i = 0; i < out.len; i++) {
		bool is_soft = i + 1 < out.len && out.p[i + 1] == '\n';

		assert_true(out.p[i] == '\n' || out.p[i] == '\t' ||
			    (out.p[i] >= ' ' && out.p[i] < 0x7f));
		if (out.p[i] == '=')
			assert_true(is_soft || is_coded(out, i));
	}
	while (slice_cut(&out, '\n', &line)) {
		if (line.len == 0)
			continue;
		assert_in_range(line.len, 1, QP_LINE_MAX);
		assert_false(line.p[0] == '.' || line.p[0] == 'F');
		assert_false(line.p[line.len - 1] == ' ' ||
			     line.p[line.len - 1] == '\t');
		assert_false(is_narrow &&
			     (slice_has(line, ' ') || slice_has(line, '\t')));
	}
}

/* The whole law for one text. */
static void check_text(struct slice in, bool is_narrow, unsigned seeds)
{
	struct str want = with_lf(in), out = encoded(in, is_narrow, 0);
	struct slice coded = str_slice(&out);

	check_lines(coded, is_narrow);
	for (unsigned seed = 0; seed < seeds; seed++) {
		struct str again = encoded(in, is_narrow, seed);
		struct decoding back = decoded(coded, seed);

		if (!slice_eq(str_slice(&again), coded))
			fail_bytes("split", in, str_slice(&again), coded);
		str_done(&again);
		if (!slice_eq(str_slice(&back.out), str_slice(&want)))
			fail_bytes("round trip", in, str_slice(&back.out),
				   str_slice(&want));
		if (qp_decode_is_fit(&back.decoder)) {
			again = encoded(str_slice(&back.out), is_narrow, 0);
			assert_true(slice_eq(str_slice(&again), coded));
			str_done(&again);
		}
		str_done(&back.out);
	}
	str_done(&out);
	str_done(&want);
}

static void test_every_short_text_comes_back(void **state)
{
	static const char alphabet[] = { '\r', '\n', ' ', '=', '.', '\xff' };
	enum { LETTERS = sizeof(alphabet), LONGEST = 5 };
	char text[LONGEST];

	(void)state;
	for (size_t len = 0, count = 1; len <= LONGEST; len++) {
		for (size_t number = 0; number < count; number++) {
			size_t n = number;

			for (size_t i = 0; i < len; i++, n /= LETTERS)
				text[i] = alphabet[n % LETTERS];
			check_text(slice_make(text, len), number % 2, 2);
		}
		count *= LETTERS;
	}
}

static uint64_t random_state = 76;

static size_t random_below(size_t n)
{
	random_state =
	    random_state * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(random_state >> 33) % n;
}

static void test_random_bytes_come_back_in_any_chunks(void **state)
{
	struct str text = STR_INIT;

	(void)state;
	for (int round = 0; round < 300; round++) {
		str_clear(&text);
		for (size_t n = random_below(600); n > 0; n--)
			str_addc(&text, (char)random_below(256));
		check_text(str_slice(&text), round % 2, TEST_SPLITS);
	}
	str_done(&text);
}

static void test_random_words_come_back_in_any_chunks(void **state)
{
	static const char *const words[] = {
		"\n",	 "\r\n", "\r",	" ",	    "\t",    "=",
		"=41",	 "F",	 ".",	"From ",    "\xfc",  "\xc3\xbc",
		"word ", "=\n",	 " \n", "=0D=0A\n", X10 X10, X70,
	};
	struct str text = STR_INIT;

	(void)state;
	for (int round = 0; round < 400; round++) {
		str_clear(&text);
		for (size_t n = random_below(60); n > 0; n--)
			str_adds(&text, words[random_below(COUNT(words))]);
		check_text(str_slice(&text), round % 2, TEST_SPLITS);
	}
	str_done(&text);
}

static void test_random_codes_decode_alike_in_any_chunks(void **state)
{
	static const char *const words[] = {
		"\n", "\r\n", "\r",   " ",   "\t",  "=",      "=4",
		"4",  "=41",  "=0D",  "=0A", "=00", "= \t\n", "=\r\n",
		"x",  "G",    "\xfc", "=FC", "=fc", "=\n",    X70,
	};
	struct str text = STR_INIT;

	(void)state;
	for (int round = 0; round < 1000; round++) {
		struct decoding want;

		str_clear(&text);
		for (size_t n = random_below(40); n > 0; n--)
			str_adds(&text, words[random_below(COUNT(words))]);
		want = decoded(str_slice(&text), 0);
		assert_decodes(str_slice(&text), str_slice(&want.out),
			       want.decoder.unfit);
		str_done(&want.out);
	}
	str_done(&text);
}

static void test_foreign_programs_read_and_write_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(qp_texts); i++) {
		const struct qp_text *v = &qp_texts[i];
		struct decoding got = decoded(v->theirs, 0);

		assert_encodes(v->text, false, v->ours);
		assert_encodes(v->text, true, v->narrow);
		assert_decodes(v->theirs, v->text, got.decoder.unfit);
		str_done(&got.out);
	}
	for (size_t i = 0; i < COUNT(qp_decodings); i++)
		assert_decodes(qp_decodings[i].coded, qp_decodings[i].text, 0);
}

static void test_output_ends_in_an_uncounted_nul(void **state)
{
	struct str coded = encoded(SLICE("a\xfc\r"), false, 1);
	struct decoding plain = decoded(SLICE("a=FC= "), 1);

	(void)state;
	assert_int_equal(coded.p[coded.len], '\0');
	assert_int_equal(plain.out.p[plain.out.len], '\0');
	str_done(&coded);
	str_done(&plain.out);
}

/* Within a multipart no line of the output may begin as a delimiter does. */
static void test_dashes_are_hidden_if_asked_for(void **state)
{
	static const char in[] = "--b\n- x-\nF-\n";
	struct qp_encoder e;
	struct str out = STR_INIT;

	(void)state;
	qp_encode_begin(&e, false);
	e.hides_dashes = true;
	for (int i = 0; i < 2; i++) { /* it stays so for another text */
		str_clear(&out);
		qp_encode_push(&e, slice_of(in), &out);
		qp_encode_end(&e, &out);
		assert_slice_is(str_slice(&out), "=2D-b\n=2D x-\n=46-\n");
	}
	str_clear(&out);
	qp_encode_begin(&e, false);
	qp_encode_push(&e, slice_of(in), &out);
	qp_encode_end(&e, &out);
	assert_slice_is(str_slice(&out), "--b\n- x-\n=46-\n");
	str_done(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_line_start_that_means_something_is_encoded),
		cmocka_unit_test(test_bytes_that_cannot_stay_are_encoded),
		cmocka_unit_test(
		    test_crlf_is_one_line_end_and_other_cr_is_encoded),
		cmocka_unit_test(test_last_blank_of_a_line_is_encoded),
		cmocka_unit_test(test_lines_break_behind_column_70),
		cmocka_unit_test(test_narrow_mode_encodes_every_blank),
		cmocka_unit_test(test_text_ends_without_line_end_as_it_came),
		cmocka_unit_test(test_coded_bytes_are_decoded),
		cmocka_unit_test(test_soft_breaks_join_lines),
		cmocka_unit_test(test_malformed_codes_stay_as_they_are),
		cmocka_unit_test(test_blanks_at_line_ends_are_removed),
		cmocka_unit_test(test_line_ends_that_were_coded_are_judged),
		cmocka_unit_test(test_nul_makes_unfit),
		cmocka_unit_test(test_long_decoded_line_makes_unfit),
		cmocka_unit_test(test_endless_blanks_take_no_memory),
		cmocka_unit_test(test_every_short_text_comes_back),
		cmocka_unit_test(test_random_bytes_come_back_in_any_chunks),
		cmocka_unit_test(test_random_words_come_back_in_any_chunks),
		cmocka_unit_test(test_random_codes_decode_alike_in_any_chunks),
		cmocka_unit_test(test_foreign_programs_read_and_write_the_same),
		cmocka_unit_test(test_output_ends_in_an_uncounted_nul),
		cmocka_unit_test(test_dashes_are_hidden_if_asked_for),
	};

	return TEST_RUN(tests);
}
