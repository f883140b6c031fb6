/*
 * content_test.c - messages of every size from the spool to the wire.
 */
#include "smtpta/content.h"

#include "base/keyword.h"
#include "spool/test_files.h"

/* ---- a message on disk -------------------------------------------------- */

/* What stands before the body; never sent. */
#define ENVELOPE "from <a@b>\nenv-end\nSubject: other\n\n"

struct source {
	char *dir;
	struct str path;
	struct message message;
	struct body body;
};

static void source_open(struct source *s, struct slice text)
{
	struct str all = STR_INIT;
	struct err err;

	*s = (struct source){ .dir = test_dir_make() };
	str_addf(&s->path, "%s/1", s->dir);
	str_adds(&all, ENVELOPE);
	str_add(&all, text);
	test_file_write(str_cstr(&s->path), str_slice(&all));
	str_done(&all);
	assert_int_equal(message_open(str_cstr(&s->path), strlen(ENVELOPE),
				      &s->message, &err),
			 MESSAGE_OK);
	body_begin(&s->body, &s->message);
}

static void source_close(struct source *s)
{
	body_done(&s->body);
	message_close(&s->message);
	str_done(&s->path);
	test_dir_remove(s->dir);
}

/* Reads it if it is small; with `looks`, its parts are found out too. */
static int look(struct source *s, bool looks, bool *ret_is_8bit,
		struct err *err)
{
	const struct tree *tree;
	struct passage passage;
	int r = body_prepare(&s->body, err);

	if (!looks || r < 0)
		return r;
	passage_begin(&passage, SLICE("A: b\n"));
	r = body_tree(&s->body, &passage, false, &tree, err);
	if (r == 0)
		*ret_is_8bit = tree_facts(tree).has_8bit;
	passage_done(&passage);
	return r;
}

static bool prepare(struct source *s, bool looks)
{
	bool is_8bit = false;
	struct err err;

	if (look(s, looks, &is_8bit, &err) < 0)
		fail_msg("%s", err.text);
	return is_8bit;
}

/* Adds the whole message; no piece may be larger than it is allowed to be. */
static void send(struct source *s, struct slice header, struct str *wire)
{
	struct content c;
	struct err err;
	int r;

	content_begin(&c, header, &s->body, true);
	do {
		size_t before = wire->len;

		r = content_fill(&c, wire, &err);
		if (r < 0)
			fail_msg("%s", err.text);
		assert_true(wire->len - before <=
			    2 * CONTENT_CHUNK + 2 * header.len + 10);
	} while (r == 0);
	content_done(&c);
}

/* ---- small ones --------------------------------------------------------- */

static void check_row(struct slice header, struct slice body, const char *want)
{
	struct str wire = STR_INIT;
	struct source s;

	source_open(&s, body);
	send(&s, header, &wire); /* as a large one: read while it is sent */
	assert_slice_is(str_slice(&wire), want);
	prepare(&s, false);
	str_clear(&wire);
	send(&s, header, &wire);
	assert_slice_is(str_slice(&wire), want);
	str_done(&wire);
	source_close(&s);
}

static void test_header_empty_line_and_body_become_wire_text(void **state)
{
	(void)state;
	check_row(SLICE("From: a\nTo: b\n c\n"), SLICE("Hi.\n\nBye.\n"),
		  "From: a\r\nTo: b\r\n c\r\n\r\nHi.\r\n\r\nBye.\r\n");
	check_row(SLICE("From: a\n"), SLICE(""), "From: a\r\n\r\n");
	check_row(SLICE(""), SLICE("Hi.\n"), "\r\nHi.\r\n");
	check_row(SLICE(""), SLICE(""), "\r\n");
	check_row(SLICE("From: a\n"), SLICE("no line end"),
		  "From: a\r\n\r\nno line end\r\n");
	check_row(SLICE("From: a\n"), SLICE("\n\n"), "From: a\r\n\r\n\r\n\r\n");
}

static void test_dots_are_doubled_in_header_and_body(void **state)
{
	(void)state;
	check_row(SLICE(".a: b\n"), SLICE(".\n..\n.c\nd.\n."),
		  "..a: b\r\n\r\n..\r\n...\r\n..c\r\nd.\r\n..\r\n");
}

/* BDAT counts bytes: what it sends has no dot more than the message. */
static void test_dots_stay_as_they_are_where_none_are_wanted(void **state)
{
	struct str wire = STR_INIT;
	struct content c;
	struct source s;
	struct err err;

	(void)state;
	source_open(&s, SLICE(".\r.\n..\n"));
	content_begin(&c, SLICE(".a: b\n"), &s.body, false);
	assert_int_equal(content_fill(&c, &wire, &err), 0);
	assert_int_equal(content_fill(&c, &wire, &err), 1);
	assert_slice_is(str_slice(&wire), ".a: b\r\n\r\n.\r\n.\r\n..\r\n");
	content_done(&c);
	str_done(&wire);
	source_close(&s);
}

/* Whatever the spool holds, a line end is CRLF and nothing else. */
static void test_stray_bytes_make_no_lines_of_their_own(void **state)
{
	(void)state;
	check_row(SLICE("A: b\rC: d\r\n\r\nE: f\n"), SLICE("x\n"),
		  "A: bC: d\r\nE: f\r\n\r\nx\r\n");
	check_row(SLICE("A: b\0c\n"), SLICE("x\n"), "A: bc\r\n\r\nx\r\n");
	check_row(SLICE("A: b\n"), SLICE("x\r.\r\ny\0\n"),
		  "A: b\r\n\r\nx\r\n..\r\ny\r\n");
	check_row(SLICE("A: b\n"), SLICE("x\n.\r\nRSET\r"),
		  "A: b\r\n\r\nx\r\n..\r\nRSET\r\n");
	/* The CR that ends the header does not eat the body's first line. */
	check_row(SLICE("A: b\r"), SLICE("\nx"), "A: b\r\n\r\n\r\nx\r\n");
}

/* ---- large ones --------------------------------------------------------- */

/* A text in which lines and what is hostile in them fall anywhere. */
static void make_text(struct str *to, size_t size)
{
	static const char pattern[] = "line\n.dot\n\r\n.\r\nlong \r..\n";

	str_reserve(to, size);
	while (to->len < size)
		str_add(to, slice_head(slice_of(pattern), size - to->len));
}

/* The same in one go. */
static void expect_wire(struct str *to, struct slice header, struct slice body)
{
	struct wire w;

	wire_begin(&w, WIRE_CRLF | WIRE_DOTS | WIRE_HEADER);
	wire_push(&w, header, to);
	wire_end(&w, to);
	str_adds(to, "\r\n");
	wire_begin(&w, WIRE_CRLF | WIRE_DOTS);
	wire_push(&w, body, to);
	wire_end(&w, to);
}

static void check_size(size_t size)
{
	struct str text = STR_INIT, want = STR_INIT, wire = STR_INIT;
	struct source s;

	make_text(&text, size);
	expect_wire(&want, SLICE("From: a\n"), str_slice(&text));
	source_open(&s, str_slice(&text));
	assert_false(prepare(&s, true));
	assert_int_equal(s.body.is_in_memory, size <= CONTENT_CHUNK);
	send(&s, SLICE("From: a\n"), &wire);
	if (!slice_eq(str_slice(&wire), str_slice(&want)))
		fail_msg("size %zu", size);
	str_done(&text);
	str_done(&want);
	str_done(&wire);
	source_close(&s);
}

static void test_pieces_join_without_a_seam_at_any_size(void **state)
{
	(void)state;
	for (size_t around = 1; around <= 3; around++)
		for (size_t i = 0; i < 60; i++)
			check_size(around * CONTENT_CHUNK - 30 + i);
	check_size(10 * CONTENT_CHUNK + 1);
}

static void test_message_can_be_sent_again_from_its_start(void **state)
{
	static const size_t sizes[] = { 100, CONTENT_CHUNK, 3 * CONTENT_CHUNK };

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct str text = STR_INIT, first = STR_INIT, again = STR_INIT;
		struct content c;
		struct source s;
		struct err err;

		make_text(&text, sizes[i]);
		source_open(&s, str_slice(&text));
		prepare(&s, true);
		send(&s, SLICE("A: b\n"), &first);
		/* A transaction that was broken off on its way. */
		content_begin(&c, SLICE("A: b\n"), &s.body, true);
		assert_true(content_fill(&c, &again, &err) >= 0);
		content_done(&c);
		str_clear(&again);
		prepare(&s, true);
		send(&s, SLICE("A: b\n"), &again);
		assert_true(slice_eq(str_slice(&first), str_slice(&again)));
		str_done(&text);
		str_done(&first);
		str_done(&again);
		source_close(&s);
	}
}

/* ---- 8-bit bytes -------------------------------------------------------- */

static void check_8bit(size_t size, size_t at, bool want)
{
	struct str text = STR_INIT, wire = STR_INIT;
	struct source s;

	make_text(&text, size);
	if (at < size)
		text.p[at] = '\344';
	source_open(&s, str_slice(&text));
	prepare(&s, false);
	send(&s, SLICE(""), &wire);
	assert_int_equal(prepare(&s, true), want);
	/* Having looked for them costs no byte of what is sent. */
	str_clear(&wire);
	send(&s, SLICE(""), &wire);
	assert_int_equal(slice_has_8bit(str_slice(&wire)), want);
	assert_true(wire.len > size);
	str_done(&text);
	str_done(&wire);
	source_close(&s);
}

static void test_8bit_bytes_are_found_wherever_they_are(void **state)
{
	static const size_t sizes[] = { 1, 100, CONTENT_CHUNK,
					CONTENT_CHUNK + 1, 3 * CONTENT_CHUNK };

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		check_8bit(sizes[i], 0, true);
		check_8bit(sizes[i], sizes[i] / 2, true);
		check_8bit(sizes[i], sizes[i] - 1, true);
		check_8bit(sizes[i], SIZE_MAX, false);
	}
}

/* ---- files that change -------------------------------------------------- */

static void test_small_message_that_shrinks_is_not_sent(void **state)
{
	struct source s;
	struct err err;

	(void)state;
	source_open(&s, SLICE("Hi.\nBye.\n"));
	assert_int_equal(truncate(str_cstr(&s.path), 30), 0);
	assert_int_equal(body_prepare(&s.body, &err), -1);
	assert_non_null(strstr(err.text, "message file has shrunk"));
	assert_false(s.body.is_in_memory);
	source_close(&s);
}

/* Once it is in memory, nothing that happens to the file matters. */
static void test_small_message_is_read_only_once(void **state)
{
	struct str wire = STR_INIT;
	struct source s;

	(void)state;
	source_open(&s, SLICE("Hi.\nBye.\n"));
	prepare(&s, false);
	assert_int_equal(truncate(str_cstr(&s.path), 0), 0);
	prepare(&s, true);
	send(&s, SLICE("A: b\n"), &wire);
	assert_slice_is(str_slice(&wire), "A: b\r\n\r\nHi.\r\nBye.\r\n");
	str_done(&wire);
	source_close(&s);
}

static void test_large_message_that_shrinks_never_ends(void **state)
{
	struct str text = STR_INIT, wire = STR_INIT;
	bool is_8bit;
	struct content c;
	struct source s;
	struct err err;

	(void)state;
	make_text(&text, 3 * CONTENT_CHUNK);
	source_open(&s, str_slice(&text));
	prepare(&s, true);
	content_begin(&c, SLICE("A: b\n"), &s.body, true);
	assert_int_equal(content_fill(&c, &wire, &err), 0);
	assert_int_equal(truncate(str_cstr(&s.path), 2 * CONTENT_CHUNK), 0);
	assert_int_equal(content_fill(&c, &wire, &err), -1);
	assert_non_null(strstr(err.text, "message file has shrunk"));
	content_done(&c);
	/* The look for its parts notices it too. */
	body_done(&s.body);
	body_begin(&s.body, &s.message);
	assert_int_equal(look(&s, true, &is_8bit, &err), -1);
	assert_non_null(strstr(err.text, "message file has shrunk"));
	str_done(&text);
	str_done(&wire);
	source_close(&s);
}

static void test_what_is_appended_later_is_not_sent(void **state)
{
	struct str wire = STR_INIT;
	struct source s;

	(void)state;
	source_open(&s, SLICE("Hi.\n"));
	test_file_write(str_cstr(&s.path), SLICE(ENVELOPE "Hi.\nForged.\n"));
	prepare(&s, true);
	send(&s, SLICE("A: b\n"), &wire);
	assert_slice_is(str_slice(&wire), "A: b\r\n\r\nHi.\r\n");
	str_done(&wire);
	source_close(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_header_empty_line_and_body_become_wire_text),
		cmocka_unit_test(test_dots_are_doubled_in_header_and_body),
		cmocka_unit_test(
		    test_dots_stay_as_they_are_where_none_are_wanted),
		cmocka_unit_test(test_stray_bytes_make_no_lines_of_their_own),
		cmocka_unit_test(test_pieces_join_without_a_seam_at_any_size),
		cmocka_unit_test(test_message_can_be_sent_again_from_its_start),
		cmocka_unit_test(test_8bit_bytes_are_found_wherever_they_are),
		cmocka_unit_test(test_small_message_that_shrinks_is_not_sent),
		cmocka_unit_test(test_small_message_is_read_only_once),
		cmocka_unit_test(test_large_message_that_shrinks_never_ends),
		cmocka_unit_test(test_what_is_appended_later_is_not_sent),
	};

	return TEST_RUN(tests);
}
