/*
 * wire_test.c - the output filter beside a slow and obvious reference.
 */
#include "mime/wire.h"

#include "base/keyword.h"
#include "base/test.h"

#include <string.h>

enum { ALL_FLAGS = WIRE_CRLF | WIRE_DOTS | WIRE_FROM | WIRE_HEADER };

/* ---- the reference: one change at a time, each over the whole text ------- */

static struct str without(struct slice in, char c)
{
	struct str out = STR_INIT;

	for (size_t i = 0; i < in.len; i++)
		if (in.p[i] != c)
			str_addc(&out, in.p[i]);
	return out;
}

/* CR LF and every other CR become LF. */
static struct str with_lf_only(struct slice in)
{
	struct str out = STR_INIT;

	for (size_t i = 0; i < in.len; i++) {
		if (in.p[i] != '\r')
			str_addc(&out, in.p[i]);
		else if (i + 1 == in.len || in.p[i + 1] != '\n')
			str_addc(&out, '\n');
	}
	return out;
}

static void add_line(struct str *out, struct slice line, unsigned flags)
{
	if ((flags & WIRE_FROM) && slice_starts(line, SLICE("From ")))
		str_addc(out, '>');
	if ((flags & WIRE_DOTS) && slice_starts(line, SLICE(".")))
		str_addc(out, '.');
	str_add(out, line);
	str_adds(out, flags & WIRE_CRLF ? "\r\n" : "\n");
}

/* An empty line would end the header. */
static bool is_left_out(struct slice line, unsigned flags)
{
	return line.len == 0 && (flags & WIRE_CRLF) && (flags & WIRE_HEADER);
}

static struct str reference(struct slice in, unsigned flags)
{
	struct str out = STR_INIT, text = STR_INIT, no_nul = STR_INIT;
	struct slice rest, line;

	if (flags & WIRE_CRLF) {
		no_nul = without(in, '\0');
		text = flags & WIRE_HEADER ? without(str_slice(&no_nul), '\r')
					   : with_lf_only(str_slice(&no_nul));
	} else {
		str_add(&text, in);
	}
	rest = str_slice(&text);
	while (rest.len > 0 && slice_cut(&rest, '\n', &line))
		if (!is_left_out(line, flags))
			add_line(&out, line, flags);
	str_done(&no_nul);
	str_done(&text);
	return out;
}

/* ---- the filter --------------------------------------------------------- */

struct run {
	struct wire wire;
	struct str out;
};

static void push(void *context, struct slice chunk)
{
	struct run *run = context;

	wire_push(&run->wire, chunk, &run->out);
}

/* The output for a text split as `seed` says; to be freed. */
static struct str filtered(struct slice in, unsigned flags, unsigned seed)
{
	struct run run = { .out = STR_INIT };

	wire_begin(&run.wire, flags);
	test_split(in, seed, push, &run);
	wire_end(&run.wire, &run.out);
	return run.out;
}

/* The output for a text split in two. */
static struct str filtered_at(struct slice in, unsigned flags, size_t at)
{
	struct run run = { .out = STR_INIT };

	wire_begin(&run.wire, flags);
	push(&run, slice_head(in, at));
	push(&run, slice_from(in, at));
	wire_end(&run.wire, &run.out);
	return run.out;
}

static void assert_same(struct str got, struct slice want, struct slice in,
			unsigned flags)
{
	if (!slice_eq(str_slice(&got), want)) {
		print_error("flags %u, input:", flags);
		for (size_t i = 0; i < in.len; i++)
			print_error(" %02x", (unsigned char)in.p[i]);
		print_error("\n");
		fail_msg("got '%.*s', wanted '%.*s'",
			 SLICE_ARG(str_slice(&got)), SLICE_ARG(want));
	}
	str_done(&got);
}

/* ---- what must hold of every output ------------------------------------- */

static bool has_stray_byte(struct slice out)
{
	for (size_t i = 0; i < out.len; i++) {
		bool after_cr = i > 0 && out.p[i - 1] == '\r';

		if (out.p[i] == '\0' || (out.p[i] == '\n') != after_cr)
			return true;
	}
	return out.len > 0 && out.p[out.len - 1] == '\r';
}

static bool has_lone_dot(struct slice out)
{
	return slice_starts(out, SLICE(".\r\n")) ||
	       slice_find_text(out, SLICE("\r\n.\r\n")) < out.len;
}

/* What the receiver makes of it (RFC 5321 4.5.2). */
static struct str without_dots(struct slice out)
{
	struct str text = STR_INIT;
	bool at_bol = true;

	for (size_t i = 0; i < out.len; i++) {
		if (!at_bol || out.p[i] != '.')
			str_addc(&text, out.p[i]);
		at_bol = out.p[i] == '\n';
	}
	return text;
}

static void check_output(struct slice in, unsigned flags, struct slice out)
{
	struct str plain = reference(in, flags & ~(unsigned)WIRE_DOTS);

	if (flags & WIRE_CRLF)
		assert_false(has_stray_byte(out));
	if ((flags & WIRE_CRLF) && (flags & WIRE_DOTS))
		assert_false(has_lone_dot(out));
	if (flags & WIRE_DOTS)
		assert_same(without_dots(out), str_slice(&plain), in, flags);
	str_done(&plain);
}

/* The whole law for one text: any flags, any split. */
static void check_text(struct slice in, bool at_every_split)
{
	for (unsigned flags = 0; flags <= ALL_FLAGS; flags++) {
		struct str want_str = reference(in, flags);
		struct slice want = str_slice(&want_str);
		unsigned seeds = at_every_split ? 2 : TEST_SPLITS;

		for (unsigned seed = 0; seed < seeds; seed++)
			assert_same(filtered(in, flags, seed), want, in, flags);
		for (size_t at = 0; at_every_split && at <= in.len; at++)
			assert_same(filtered_at(in, flags, at), want, in,
				    flags);
		check_output(in, flags, want);
		str_done(&want_str);
	}
}

/* ---- tests -------------------------------------------------------------- */

struct row {
	unsigned flags;
	struct {
		const char *p;
		size_t len;
	} in;
	const char *want;
};

#define IN(lit)                       \
	{                             \
		lit, sizeof(lit) - 1, \
	}

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct slice in = slice_make(rows[i].in.p, rows[i].in.len);

		for (unsigned seed = 0; seed < TEST_SPLITS; seed++)
			assert_same(filtered(in, rows[i].flags, seed),
				    slice_of(rows[i].want), in, rows[i].flags);
	}
}

static void test_line_ends_become_crlf(void **state)
{
	static const struct row rows[] = {
		{ WIRE_CRLF, IN(""), "" },
		{ WIRE_CRLF, IN("\n"), "\r\n" },
		{ WIRE_CRLF, IN("a\nb\n"), "a\r\nb\r\n" },
		{ WIRE_CRLF, IN("a\n\nb"), "a\r\n\r\nb\r\n" },
		{ WIRE_CRLF, IN("last line"), "last line\r\n" },
		{ WIRE_CRLF, IN("a\r\nb\r\n"), "a\r\nb\r\n" },
		{ WIRE_CRLF, IN(".\n"), ".\r\n" },
		{ WIRE_CRLF, IN("From \n"), "From \r\n" },
		{ WIRE_CRLF, IN("\200\377\n"), "\200\377\r\n" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_bare_cr_in_body_is_a_line_end_before_dots(void **state)
{
	static const struct row rows[] = {
		{ WIRE_CRLF, IN("a\rb\n"), "a\r\nb\r\n" },
		{ WIRE_CRLF, IN("a\r"), "a\r\n" },
		{ WIRE_CRLF, IN("\r"), "\r\n" },
		{ WIRE_CRLF, IN("\r\r\n"), "\r\n\r\n" },
		{ WIRE_CRLF, IN("\r\n\r"), "\r\n\r\n" },
		{ WIRE_CRLF, IN("\n\r"), "\r\n\r\n" },
		{ WIRE_CRLF | WIRE_DOTS, IN("a\r.\rb"), "a\r\n..\r\nb\r\n" },
		{ WIRE_CRLF | WIRE_DOTS, IN("a\n.\r\nb"), "a\r\n..\r\nb\r\n" },
		{ WIRE_CRLF | WIRE_DOTS, IN("a\r\n.\rMAIL FROM:<>\r\n"),
		  "a\r\n..\r\nMAIL FROM:<>\r\n" },
		{ WIRE_CRLF | WIRE_DOTS, IN("a\r\n\0.\r\nb"),
		  "a\r\n..\r\nb\r\n" },
		{ WIRE_CRLF | WIRE_FROM, IN("a\rFrom b"), "a\r\n>From b\r\n" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_cr_in_header_is_removed(void **state)
{
	static const struct row rows[] = {
		{ WIRE_CRLF | WIRE_HEADER, IN("Subject: a\rBcc: b\n"),
		  "Subject: aBcc: b\r\n" },
		{ WIRE_CRLF | WIRE_HEADER, IN("Subject: a\r\nTo: b\r\n"),
		  "Subject: a\r\nTo: b\r\n" },
		{ WIRE_CRLF | WIRE_HEADER, IN("Subject: a\r"),
		  "Subject: a\r\n" },
		{ WIRE_CRLF | WIRE_HEADER, IN("\r\r\r\n"), "" },
		{ WIRE_CRLF | WIRE_HEADER, IN("\r"), "" },
		{ WIRE_CRLF | WIRE_HEADER, IN("a: b\n\r\n\0\nc: d\n"),
		  "a: b\r\nc: d\r\n" },
		{ WIRE_CRLF | WIRE_HEADER, IN("a\r\r\rb\n"), "ab\r\n" },
		{ WIRE_CRLF | WIRE_HEADER | WIRE_DOTS, IN("a: b\r.\r\n"),
		  "a: b.\r\n" },
		{ WIRE_CRLF | WIRE_HEADER | WIRE_DOTS, IN("\r.\r\n"),
		  "..\r\n" },
		{ WIRE_CRLF | WIRE_HEADER | WIRE_FROM, IN("Fr\rom x"),
		  ">From x\r\n" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_nul_is_removed_before_all_else(void **state)
{
	static const struct row rows[] = {
		{ WIRE_CRLF, IN("a\0b\n"), "ab\r\n" },
		{ WIRE_CRLF, IN("\0"), "" },
		{ WIRE_CRLF, IN("a\r\0\nb"), "a\r\nb\r\n" },
		{ WIRE_CRLF | WIRE_DOTS, IN("\0.\0\n"), "..\r\n" },
		{ WIRE_CRLF | WIRE_FROM, IN("\0F\0rom\0 x\n"), ">From x\r\n" },
		{ WIRE_CRLF | WIRE_HEADER, IN("a\0: b\0\n"), "a: b\r\n" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_leading_dot_is_doubled(void **state)
{
	static const struct row rows[] = {
		{ WIRE_CRLF | WIRE_DOTS, IN("."), "..\r\n" },
		{ WIRE_CRLF | WIRE_DOTS, IN(".\n.\n"), "..\r\n..\r\n" },
		{ WIRE_CRLF | WIRE_DOTS, IN("..\n"), "...\r\n" },
		{ WIRE_CRLF | WIRE_DOTS, IN(".a\nb.\n.c"),
		  "..a\r\nb.\r\n..c\r\n" },
		{ WIRE_DOTS, IN(".a\nb\n.\n"), "..a\nb\n..\n" },
		{ WIRE_DOTS | WIRE_HEADER, IN(".a\n"), "..a\n" },
		{ WIRE_CRLF | WIRE_HEADER, IN(".a\n"), ".a\r\n" },
		{ 0, IN(".a\n"), ".a\n" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_from_is_quoted_and_its_prefixes_are_kept(void **state)
{
	static const struct row rows[] = {
		{ WIRE_FROM, IN("From x\n"), ">From x\n" },
		{ WIRE_FROM, IN("From \n"), ">From \n" },
		{ WIRE_FROM, IN("From "), ">From \n" },
		{ WIRE_FROM, IN("From"), "From\n" },
		{ WIRE_FROM, IN("From\n"), "From\n" },
		{ WIRE_FROM, IN("Fro\nFr\nF\n"), "Fro\nFr\nF\n" },
		{ WIRE_FROM, IN("F"), "F\n" },
		{ WIRE_FROM, IN("FrFrom x"), "FrFrom x\n" },
		{ WIRE_FROM, IN("From: x\nfrom x\nFROM x\n"),
		  "From: x\nfrom x\nFROM x\n" },
		{ WIRE_FROM, IN(" From x\n>From x\n"), " From x\n>From x\n" },
		{ WIRE_FROM, IN("a\nFrom b\nFrom c"), "a\n>From b\n>From c\n" },
		{ WIRE_FROM | WIRE_CRLF, IN("From\r\nFro\rF\nFrom x"),
		  "From\r\nFro\r\nF\r\n>From x\r\n" },
		{ WIRE_FROM | WIRE_DOTS, IN(".From x\nFrom .\n.\nFrom"),
		  "..From x\n>From .\n..\nFrom\n" },
		{ WIRE_FROM | WIRE_DOTS, IN("F.\nFrom.\n"), "F.\nFrom.\n" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_without_crlf_every_other_byte_passes(void **state)
{
	for (unsigned flags = 0; flags <= ALL_FLAGS; flags++) {
		struct slice in = SLICE("a\rb\0c\r\n\rd\0\n\200\377\n");

		if (flags & WIRE_CRLF)
			continue;
		for (unsigned seed = 0; seed < TEST_SPLITS; seed++)
			assert_same(filtered(in, flags, seed), in, in, flags);
	}
	(void)state;
}

static void test_every_short_text_is_right_at_every_split(void **state)
{
	static const char alphabet[] = { '\r', '\n', '\0', '.', 'F' };
	enum { LETTERS = sizeof(alphabet), LONGEST = 5 };
	char text[LONGEST];

	(void)state;
	for (size_t len = 0, count = 1; len <= LONGEST; len++) {
		for (size_t number = 0; number < count; number++) {
			size_t n = number;

			for (size_t i = 0; i < len; i++, n /= LETTERS)
				text[i] = alphabet[n % LETTERS];
			check_text(slice_make(text, len), true);
		}
		count *= LETTERS;
	}
}

static uint64_t random_state = 20240229;

static size_t random_below(size_t n)
{
	random_state =
	    random_state * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(random_state >> 33) % n;
}

/* Bytes and words that mean something to the filter. */
static struct str random_text(size_t pieces)
{
	static const char *const words[] = {
		"\r", "\n",	 "\r\n", ".",	  ".\r\n", "From ",
		"F",  "From",	 "rom ", "Fr",	  "o",	   "m ",
		" ",  "\n.\r\n", "text", "\nFro", "\r.",   ">",
	};
	struct str text = STR_INIT;

	while (pieces-- > 0) {
		size_t n = random_below(COUNT(words) + 1);

		if (n < COUNT(words))
			str_adds(&text, words[n]);
		else
			str_addc(&text, '\0');
	}
	return text;
}

static void test_random_text_is_right_at_every_split(void **state)
{
	(void)state;
	for (int i = 0; i < 300; i++) {
		struct str text = random_text(random_below(16));

		check_text(str_slice(&text), true);
		str_done(&text);
	}
}

static void test_long_random_text_is_right_in_any_chunks(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		struct str text = random_text(2000 + random_below(2000));

		check_text(str_slice(&text), false);
		str_done(&text);
	}
}

static void test_removed_bytes_are_counted(void **state)
{
	static const struct {
		unsigned flags;
		uint64_t nuls, bare_crs;
	} rows[] = {
		{ WIRE_CRLF, 3, 5 },
		{ WIRE_CRLF | WIRE_HEADER, 3, 5 },
		{ 0, 0, 0 },
	};
	const struct slice in = SLICE("a\r\nb\r\0\nc\rd\0\r\r\0e\r\r\n\nf\r");

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
			struct run run = { .out = STR_INIT };

			wire_begin(&run.wire, rows[i].flags);
			test_split(in, seed, push, &run);
			wire_end(&run.wire, &run.out);
			assert_int_equal(run.wire.nuls, rows[i].nuls);
			assert_int_equal(run.wire.bare_crs, rows[i].bare_crs);
			str_done(&run.out);
		}
	}
}

static void test_header_then_body_in_one_stream(void **state)
{
	struct run run = { .out = STR_INIT };

	(void)state;
	for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
		str_clear(&run.out);
		wire_begin(&run.wire, WIRE_CRLF | WIRE_DOTS | WIRE_HEADER);
		test_split(SLICE("A: b\rc\r\n.d\n"), seed, push, &run);
		wire_set_flags(&run.wire, WIRE_CRLF | WIRE_DOTS | WIRE_FROM);
		test_split(SLICE("\n.e\rFrom f\0"), seed, push, &run);
		wire_end(&run.wire, &run.out);
		assert_slice_is(str_slice(&run.out),
				"A: bc\r\n..d\r\n\r\n..e\r\n>From f\r\n");
		assert_int_equal(run.wire.bare_crs, 2);
		assert_int_equal(run.wire.nuls, 1);
	}
	str_done(&run.out);
}

static void test_cr_does_not_reach_from_header_into_body(void **state)
{
	struct run run = { .out = STR_INIT };

	(void)state;
	wire_begin(&run.wire, WIRE_CRLF | WIRE_HEADER);
	push(&run, SLICE("A: b\r"));
	wire_set_flags(&run.wire, WIRE_CRLF);
	push(&run, SLICE("\nbody\n"));
	wire_end(&run.wire, &run.out);
	assert_slice_is(str_slice(&run.out), "A: b\r\nbody\r\n");
	assert_int_equal(run.wire.bare_crs, 1);
	str_done(&run.out);
}

static void test_held_bytes_survive_a_change_of_flags(void **state)
{
	struct run run = { .out = STR_INIT };

	(void)state;
	wire_begin(&run.wire, WIRE_CRLF | WIRE_DOTS | WIRE_FROM);
	push(&run, SLICE("Fro"));
	wire_set_flags(&run.wire, WIRE_CRLF | WIRE_DOTS);
	push(&run, SLICE(".x\nFrom y"));
	wire_end(&run.wire, &run.out);
	assert_slice_is(str_slice(&run.out), "Fro.x\r\nFrom y\r\n");
	str_done(&run.out);
}

static void test_several_texts_end_one_by_one(void **state)
{
	struct run run = { .out = STR_INIT };

	(void)state;
	wire_begin(&run.wire, WIRE_CRLF | WIRE_FROM | WIRE_DOTS);
	for (int i = 0; i < 2; i++) {
		push(&run, SLICE("From"));
		wire_end(&run.wire, &run.out);
		push(&run, SLICE("."));
		wire_end(&run.wire, &run.out);
		wire_end(&run.wire, &run.out);
	}
	assert_slice_is(str_slice(&run.out), "From\r\n..\r\nFrom\r\n..\r\n");
	str_done(&run.out);
}

static void test_no_more_than_four_bytes_are_held_back(void **state)
{
	struct slice in = SLICE("From x\nFrom\nFrFrom y\r\nFrom");
	struct run run = { .out = STR_INIT };

	(void)state;
	wire_begin(&run.wire, WIRE_CRLF | WIRE_FROM);
	for (size_t i = 0; i < in.len; i++) {
		struct str whole;

		push(&run, slice_make(in.p + i, 1));
		whole = reference(slice_head(in, i + 1), WIRE_CRLF | WIRE_FROM);
		/* besides them only the line end that wire_end() would add */
		assert_in_range(whole.len - run.out.len, 0, 4 + 2);
		str_done(&whole);
	}
	str_done(&run.out);
}

static void test_clean_text_takes_no_memory_once_warm(void **state)
{
	struct run run = { .out = STR_INIT };
	struct str text = STR_INIT;
	const char *before;
	size_t cap;

	(void)state;
	while (text.len < 64 * 1024)
		str_adds(&text, "An ordinary line of an ordinary letter.\n");
	wire_begin(&run.wire, WIRE_CRLF | WIRE_DOTS | WIRE_FROM);
	push(&run, str_slice(&text));
	before = run.out.p;
	cap = run.out.cap;
	assert_in_range(cap, text.len, 4 * text.len);
	for (int i = 0; i < 10; i++) {
		str_clear(&run.out);
		push(&run, str_slice(&text));
		assert_ptr_equal(run.out.p, before);
		assert_int_equal(run.out.cap, cap);
	}
	str_done(&text);
	str_done(&run.out);
}

/* Text that grows as much as text can, behind n bytes that do not grow. */
static void check_room(size_t n, struct slice growing, bool is_ended)
{
	struct run run = { .out = STR_INIT };

	wire_begin(&run.wire, WIRE_CRLF | WIRE_DOTS | WIRE_FROM);
	while (n-- > 0)
		push(&run, SLICE("x"));
	for (size_t i = 0; i < growing.len; i++) {
		push(&run, slice_make(growing.p + i, 1));
		assert_true(run.out.len == 0 || run.out.len < run.out.cap);
	}
	push(&run, growing);
	assert_true(run.out.len < run.out.cap);
	if (is_ended)
		wire_end(&run.wire, &run.out);
	assert_true(run.out.len < run.out.cap);
	assert_int_equal(run.out.p[run.out.len], '\0');
	str_done(&run.out);
}

static void test_room_is_made_for_any_growth(void **state)
{
	static const char growing[] = "\n\n\n\n.\n.\n.\nFrom \nFrom \nFrom"
				      "\nFrom \n\n.\n\nFrom \nFrom\n.\nFrom";
	struct str lines = STR_INIT;
	size_t len;

	(void)state;
	for (size_t n = 0; n < 300; n++) {
		check_room(n, slice_of(growing), false);
		check_room(n, slice_of(growing), true);
		str_addc(&lines, '\n');
		check_room(0, str_slice(&lines), true);
		len = lines.len;
		str_adds(&lines,
			 "one run that is longer than the extra room\n");
		check_room(0, str_slice(&lines), true);
		str_cut(&lines, len);
	}
	str_done(&lines);
}

static void test_end_may_go_into_another_string(void **state)
{
	struct run run = { .out = STR_INIT };
	struct str rest = STR_INIT;

	(void)state;
	wire_begin(&run.wire, WIRE_CRLF | WIRE_FROM);
	push(&run, SLICE("a\nFrom"));
	wire_end(&run.wire, &rest);
	assert_slice_is(str_slice(&run.out), "a\r\n");
	assert_slice_is(str_slice(&rest), "From\r\n");
	str_done(&run.out);
	str_done(&rest);
}

static void test_output_ends_in_an_uncounted_nul(void **state)
{
	struct run run = { .out = STR_INIT };

	(void)state;
	str_adds(&run.out, "what stood there before, and longer");
	str_clear(&run.out);
	wire_begin(&run.wire, WIRE_CRLF | WIRE_FROM);
	push(&run, SLICE("a\nFrom"));
	assert_string_equal(str_cstr(&run.out), "a\r\n");
	wire_end(&run.wire, &run.out);
	assert_string_equal(str_cstr(&run.out), "a\r\nFrom\r\n");
	str_done(&run.out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line_ends_become_crlf),
		cmocka_unit_test(
		    test_bare_cr_in_body_is_a_line_end_before_dots),
		cmocka_unit_test(test_cr_in_header_is_removed),
		cmocka_unit_test(test_nul_is_removed_before_all_else),
		cmocka_unit_test(test_leading_dot_is_doubled),
		cmocka_unit_test(test_from_is_quoted_and_its_prefixes_are_kept),
		cmocka_unit_test(test_without_crlf_every_other_byte_passes),
		cmocka_unit_test(test_every_short_text_is_right_at_every_split),
		cmocka_unit_test(test_random_text_is_right_at_every_split),
		cmocka_unit_test(test_long_random_text_is_right_in_any_chunks),
		cmocka_unit_test(test_removed_bytes_are_counted),
		cmocka_unit_test(test_header_then_body_in_one_stream),
		cmocka_unit_test(test_cr_does_not_reach_from_header_into_body),
		cmocka_unit_test(test_held_bytes_survive_a_change_of_flags),
		cmocka_unit_test(test_several_texts_end_one_by_one),
		cmocka_unit_test(test_no_more_than_four_bytes_are_held_back),
		cmocka_unit_test(test_clean_text_takes_no_memory_once_warm),
		cmocka_unit_test(test_room_is_made_for_any_growth),
		cmocka_unit_test(test_end_may_go_into_another_string),
		cmocka_unit_test(test_output_ends_in_an_uncounted_nul),
	};

	return TEST_RUN(tests);
}
