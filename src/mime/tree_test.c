/*
 * tree_test.c - message in, table of parts out; limits; chunks.
 */
#include "mime/tree.h"

#include "base/keyword.h"
#include "base/test.h"

#include <string.h>

#define MIME  "MIME-Version: 1.0\n"
#define MIXED MIME "Content-Type: multipart/mixed; boundary=b\n"

struct fixture {
	struct arena *arena;
	struct tree tree;
};

static void push(void *context, struct slice chunk)
{
	tree_push(context, chunk);
}

static struct fixture read_tree(const char *header, struct slice body,
				unsigned seed)
{
	struct fixture f = { .arena = arena_new() };
	struct mime_label label;

	mime_label_read(&label, slice_of(header));
	tree_begin(&f.tree, &label, true, f.arena);
	test_split(body, seed, push, &f.tree);
	tree_end(&f.tree);
	return f;
}

static void done(struct fixture *f)
{
	tree_done(&f->tree);
	arena_free(f->arena);
}

/* "kind(begin,body,end)" of each part, children in braces; "!why". */
static void print_part(struct str *to, const struct tree *t, unsigned i)
{
	static const char kinds[] = "lmro";
	const struct part *p = &t->parts[i];

	str_addf(to, "%s%c(%u,%u,%u)", to->len > 0 ? " " : "", kinds[p->kind],
		 (unsigned)p->begin, (unsigned)p->body, (unsigned)p->end);
	if (p->kind == PART_OPAQUE)
		str_addf(to, "!%s", mime_reason_word(p->why));
	str_addf(to, "%s%s", p->facts.has_8bit ? "8" : "",
		 p->facts.has_nul ? "0" : "");
}

static struct str print_tree(const struct tree *t)
{
	struct str s = STR_INIT;

	for (unsigned i = 0; i < t->n_parts; i++)
		print_part(&s, t, i);
	return s;
}

struct row {
	const char *header, *body, *want;
};

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
			struct fixture f = read_tree(
			    rows[i].header, slice_of(rows[i].body), seed);
			struct str got = print_tree(&f.tree);

			assert_string_equal(str_cstr(&got), rows[i].want);
			str_done(&got);
			done(&f);
		}
}

static void test_parts_lie_where_they_are(void **state)
{
	static const struct row rows[] = {
		{ "", "text\xe4\n", "l(0,0,6)8" },
		{ MIXED, "--b\n\na\n--b--\n", "m(0,0,13) l(4,5,6)" },
		{ MIXED, "pre\n--b\nX: y\n\na\n\n--b \t\n\nb\n--b--\nepi\xe4",
		  "m(0,0,36)8 l(8,14,16) l(23,24,25)" },
		/* the line end before a delimiter is its own, CR LF too */
		{ MIXED, "--b\r\nX: y\r\n\r\na\r\n\r\n--b--\r\n",
		  "m(0,0,25) l(5,13,16)" },
		/* nothing in it; a header alone; the last one not closed */
		{ MIXED, "--b\n\n--b\nX: y\n--b\n\nz",
		  "m(0,0,20) l(4,5,5) l(9,14,14) l(18,19,20)" },
		{ MIXED, "--b\n\n--b\n--b--", "m(0,0,14) l(4,5,5) l(9,9,9)" },
		/* near misses are text */
		{ MIXED, "--b\n\n--bc\n--\n-b\n --b\nx--b\n--b-\n--b--",
		  "m(0,0,36) l(4,5,30)" },
		/* an outer delimiter ends all inside; not a closed one's */
		{ MIXED,
		  "--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\n"
		  "x\n--b\n\n--c\ny\n--b--\n--b\n",
		  "m(0,0,75) m(4,47,53) l(51,52,53) l(58,59,64)" },
		{ MIXED,
		  "--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\n"
		  "x\n--c--\n--c\n\ny\n--b--\n",
		  "m(0,0,73) m(4,47,66) l(51,52,53)" },
		/* messages, and a digest's messages without a type */
		{ MIXED,
		  "--b\nContent-Type: message/rfc822\n\n" MIME "\nx\xe4\n"
		  "--b--\n",
		  "m(0,0,62) r(4,34,55) l(34,53,55)8" },
		{ MIME "Content-Type: multipart/digest; boundary=b\n",
		  "--b\n\nA: b\n\nx\n--b--\n",
		  "m(0,0,19) r(4,5,12) l(5,11,12)" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

#define TYPE(content) "Content-Type: " content "\n"

static void test_what_can_be_read_in_two_ways_is_opaque(void **state)
{
	static const struct {
		const char *fields;
		enum mime_reason why;
	} rows[] = {
		{ TYPE("multipart/signed; boundary=s"), MIME_SIGNED },
		{ TYPE("multipart/encrypted; boundary=s"), MIME_ENCRYPTED },
		{ TYPE("application/pkcs7-mime"), MIME_SMIME },
		{ "Content-Conversion: prohibited\n", MIME_PROHIBITED },
		{ TYPE("text/plain") TYPE("text/html"), MIME_AMBIGUOUS },
		{ TYPE("((("), MIME_BAD_TYPE },
		{ TYPE("multipart/mixed; boundary=c; x y"), MIME_BAD_TYPE },
		{ TYPE("multipart/mixed"), MIME_BAD_BOUNDARY },
		{ TYPE("multipart/mixed; boundary=\"\""), MIME_BAD_BOUNDARY },
		{ TYPE("multipart/mixed; boundary=\"c \""), MIME_BAD_BOUNDARY },
		{ TYPE("multipart/mixed; boundary*=us-ascii''c"),
		  MIME_BAD_BOUNDARY },
		{ TYPE("multipart/mixed; boundary=c; boundary=d"),
		  MIME_BAD_BOUNDARY },
		{ TYPE("multipart/mixed; boundary=b"), MIME_BAD_BOUNDARY },
		{ TYPE("multipart/mixed; boundary=\"b--\""),
		  MIME_BAD_BOUNDARY },
		{ TYPE("multipart/mixed; boundary=c") "Content-Transfer-"
						      "Encoding: base64\n",
		  MIME_BAD_ENCODING },
		{ TYPE("message/rfc822") "Content-Transfer-Encoding: "
					 "quoted-printable\n",
		  MIME_BAD_ENCODING },
		{ TYPE("multipart/mixed; boundary=c"), MIME_NO_PARTS },
		{ TYPE("message/partial; id=x"), MIME_MESSAGE },
		{ TYPE("message/delivery-status"), MIME_MESSAGE },
		{ "no colon\n", MIME_BAD_HEADER },
		{ " folded first\n", MIME_BAD_HEADER },
		{ "X: y\rZ: y\n", MIME_BAD_HEADER },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str body = STR_INIT;
		struct fixture f;

		str_addf(&body, "--b\n%s\n\xe9\n--b--\n", rows[i].fields);
		f = read_tree(MIXED, str_slice(&body), (unsigned)i);
		assert_int_equal(f.tree.n_parts, 2);
		assert_int_equal(f.tree.parts[1].kind, PART_OPAQUE);
		assert_string_equal(mime_reason_word(f.tree.parts[1].why),
				    mime_reason_word(rows[i].why));
		assert_true(f.tree.parts[1].facts.has_8bit);
		done(&f);
		str_done(&body);
	}
}

static void test_signed_by_dkim_inside_is_opaque(void **state)
{
	struct fixture f = read_tree(
	    MIXED,
	    SLICE("--b\nContent-Type: message/rfc822\n\nARC-Seal: x\n" MIME
		  "\nx\n--b--\n"),
	    3);

	(void)state;
	assert_int_equal(f.tree.n_parts, 3);
	assert_int_equal(f.tree.parts[2].why, MIME_ARC);
	done(&f);
}

static void test_deep_nesting_ends_opaque(void **state)
{
	struct str body = STR_INIT;
	struct fixture f;

	(void)state;
	str_adds(&body, "--b\n");
	for (int i = 0; i < 2 * TREE_DEPTH_MAX; i++)
		str_addf(&body,
			 "Content-Type: multipart/mixed; boundary=b%d.\n\n"
			 "--b%d.\n",
			 i, i);
	str_adds(&body, "\n\xe9\n--b--\n");
	for (unsigned seed = 0; seed < 4; seed++) {
		f = read_tree(MIXED, str_slice(&body), seed);
		assert_int_equal(f.tree.n_parts, TREE_DEPTH_MAX + 1);
		assert_int_equal(f.tree.parts[TREE_DEPTH_MAX].why,
				 MIME_TOO_DEEP);
		assert_int_equal(f.tree.parts[TREE_DEPTH_MAX].end,
				 body.len - 7);
		done(&f);
	}
	str_done(&body);
}

static void test_too_many_parts_end_in_one_opaque_rest(void **state)
{
	struct str body = STR_INIT;
	struct fixture f;

	(void)state;
	for (int i = 0; i < TREE_PARTS_MAX + 100; i++)
		str_adds(&body, "--b\n\nx\n");
	f = read_tree(MIXED, str_slice(&body), 2);
	assert_int_equal(f.tree.n_parts, TREE_PARTS_MAX);
	assert_int_equal(f.tree.parts[TREE_PARTS_MAX - 1].why, MIME_TOO_MANY);
	assert_int_equal(f.tree.parts[TREE_PARTS_MAX - 1].end, body.len);
	done(&f);
	str_done(&body);
}

/* A header and a line without end do not fill the memory, nor hide parts. */
static void test_endless_header_and_padding_are_opaque(void **state)
{
	struct str body = STR_INIT;
	struct fixture f;

	(void)state;
	str_adds(&body, "--b\nX: ");
	for (int i = 0; i < TREE_HEADER_MAX; i++)
		str_addc(&body, 'x');
	str_adds(&body, "\n\n--b\n\nx\n--b");
	for (int i = 0; i < TREE_LINE_MAX; i++)
		str_addc(&body, ' ');
	str_adds(&body, "\n\ny\n--b--\n");
	for (unsigned seed = 0; seed < 4; seed++) {
		f = read_tree(MIXED, str_slice(&body), seed);
		assert_int_equal(f.tree.n_parts, 4);
		assert_int_equal(f.tree.parts[1].why, MIME_BAD_HEADER);
		assert_int_equal(f.tree.parts[2].kind, PART_LEAF);
		assert_int_equal(f.tree.parts[3].why, MIME_BAD_BOUNDARY);
		assert_int_equal(f.tree.parts[3].end, body.len);
		done(&f);
	}
	str_done(&body);
}

#define QP "Content-Transfer-Encoding: quoted-printable\n\n"

static void test_trial_tells_what_decoding_would_give(void **state)
{
	static const struct {
		const char *text;
		bool is_fit, would_delimit, is_8bit;
		unsigned size;
	} rows[] = {
		{ "=C3=BC", true, false, true, 2 },
		{ "a=\nb", true, false, false, 2 },
		{ "=00", false, false, false, 1 },
		{ "=2D-b", false, true, false, 3 },
		{ "x\n=2D=2Db--\ny", false, true, false, 9 },
		{ "x =2D-b", true, false, false, 5 },
		{ "=2D-c", true, false, false, 3 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str body = STR_INIT;
		struct fixture f;
		const struct part *p;

		str_addf(&body, "--b\n" QP "%s\n--b--\n", rows[i].text);
		f = read_tree(MIXED, str_slice(&body), (unsigned)i);
		p = &f.tree.parts[1];
		assert_true(p->has_trial);
		assert_int_equal(p->is_fit, rows[i].is_fit);
		assert_int_equal(p->would_delimit, rows[i].would_delimit);
		assert_int_equal(p->is_decoded_8bit, rows[i].is_8bit);
		assert_int_equal(p->decoded_size, rows[i].size);
		done(&f);
		str_done(&body);
	}
}

static void test_facts_count_what_a_plain_loop_counts(void **state)
{
	char in[3 * 16 * 255 + 7];
	struct part_facts got = { 0 }, want = { 0 };
	uint32_t chance = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++) {
		unsigned char c;

		chance = chance * 1664525u + 1013904223u;
		c = (unsigned char)(chance >> 24);
		if (i < sizeof(in) / 2)
			c = (unsigned char)(0x80 | c); /* lanes run full */
		in[i] = (char)c;
		want.coded += c >= 0x7f || c == '=' ||
			      (c < 32 && strchr("\t\n\r", c) == NULL) || c == 0;
		want.line_ends += c == '\n';
	}
	part_facts_count(&got, slice_make(in, sizeof(in)));
	assert_int_equal(got.coded, want.coded);
	assert_int_equal(got.line_ends, want.line_ends);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts_lie_where_they_are),
		cmocka_unit_test(test_what_can_be_read_in_two_ways_is_opaque),
		cmocka_unit_test(test_signed_by_dkim_inside_is_opaque),
		cmocka_unit_test(test_deep_nesting_ends_opaque),
		cmocka_unit_test(test_too_many_parts_end_in_one_opaque_rest),
		cmocka_unit_test(test_endless_header_and_padding_are_opaque),
		cmocka_unit_test(test_trial_tells_what_decoding_would_give),
		cmocka_unit_test(test_facts_count_what_a_plain_loop_counts),
	};

	return TEST_RUN(tests);
}
