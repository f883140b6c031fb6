/*
 * head_test.c - where a header ends, for every kind of message.
 */
#include "subm/head.h"

#include "base/keyword.h"
#include "base/test.h"
#include "subm/crlf.h"

#include <string.h>

struct split {
	struct subm_head head;
	struct subm_crlf crlf;
	enum parse verdict;
	struct str body;
	struct err err;
};

static void add_body(struct split *s, struct slice bytes)
{
	if (s->head.is_crlf)
		subm_crlf_push(&s->crlf, bytes, &s->body);
	else
		str_add(&s->body, bytes);
}

static void push(void *context, struct slice chunk)
{
	struct split *s = context;

	if (s->verdict == PARSE_MORE) {
		s->verdict = subm_head_feed(&s->head, &chunk, &s->err);
		if (s->verdict == PARSE_DONE)
			add_body(s, subm_head_rest(&s->head));
	}
	if (s->verdict == PARSE_DONE)
		add_body(s, chunk);
	else if (s->verdict == PARSE_MORE)
		assert_int_equal(chunk.len, 0);
}

static void end(struct split *s)
{
	if (s->verdict == PARSE_MORE) {
		s->verdict = subm_head_end(&s->head, &s->err);
		if (s->verdict == PARSE_DONE)
			add_body(s, subm_head_rest(&s->head));
	}
	subm_crlf_end(&s->crlf, &s->body);
}

static void split_whole(struct split *s, struct slice message, unsigned seed)
{
	*s = (struct split){ .verdict = PARSE_MORE };
	test_split(message, seed, push, s);
	end(s);
}

static void split_done(struct split *s)
{
	subm_head_done(&s->head);
	str_done(&s->body);
}

struct split_case {
	struct slice message;
	const char *fields, *body;
};

/* Every case in every chunking. */
static void check_cases(const struct split_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
			struct split s;

			split_whole(&s, cases[i].message, seed);
			assert_int_equal(s.verdict, PARSE_DONE);
			assert_slice_is(subm_head_fields(&s.head),
					cases[i].fields);
			assert_slice_is(str_slice(&s.body), cases[i].body);
			split_done(&s);
		}
}

static void test_header_ends_at_the_empty_line(void **state)
{
	const struct split_case cases[] = {
		{ SLICE("A: b\n\nbody\n"), "A: b\n", "body\n" },
		{ SLICE("A: b\nC: d\n\n\n\nx"), "A: b\nC: d\n", "\n\nx" },
		{ SLICE("A: b\n c\n\td\nE: f\n\nC: no\n"),
		  "A: b\n c\n\td\nE: f\n", "C: no\n" },
		{ SLICE("A: b\n \n\nbody"), "A: b\n \n", "body" },
		{ SLICE("A:\n\nbody"), "A:\n", "body" },
		{ SLICE("A \t: obsolete\n\nbody"), "A \t: obsolete\n", "body" },
		{ SLICE("\nbody\n"), "", "body\n" },
	};

	(void)state;
	check_cases(cases, COUNT(cases));
}

static void test_message_may_end_in_its_header(void **state)
{
	const struct split_case cases[] = {
		{ SLICE(""), "", "" },
		{ SLICE("\n"), "", "" },
		{ SLICE("A: b"), "A: b\n", "" },
		{ SLICE("A: b\n"), "A: b\n", "" },
		{ SLICE("A: b\n\n"), "A: b\n", "" },
		{ SLICE("A: b\n c"), "A: b\n c\n", "" },
		{ SLICE("A: b\nC:"), "A: b\nC:\n", "" },
		{ SLICE("A: b\r"), "A: b\r\n", "" },
		{ SLICE("A: b\nxyz"), "A: b\n", "xyz" },
		{ SLICE("A: b\r\n\r"), "A: b\n", "\r" },
	};

	(void)state;
	check_cases(cases, COUNT(cases));
}

static void test_text_without_a_header_is_all_body(void **state)
{
	const struct split_case cases[] = {
		{ SLICE("hello\n"), "", "hello\n" },
		{ SLICE("hello world: no\nA: b\n\nc"), "",
		  "hello world: no\nA: b\n\nc" },
		{ SLICE(" A: b\n\nc\n"), "", " A: b\n\nc\n" },
		{ SLICE(": x\n\n"), "", ": x\n\n" },
		{ SLICE("h\303\251: x\n"), "", "h\303\251: x\n" },
		{ SLICE("hello\r\nyou\r\n"), "", "hello\r\nyou\r\n" },
		{ SLICE("x"), "", "x" },
	};

	(void)state;
	check_cases(cases, COUNT(cases));
}

static void test_other_line_ends_the_header_and_begins_the_body(void **state)
{
	const struct split_case cases[] = {
		{ SLICE("A: b\nhello you\n\nC: d\n"), "A: b\n",
		  "hello you\n\nC: d\n" },
		{ SLICE("A: b\n>From x\n\n"), "A: b\n", ">From x\n\n" },
		{ SLICE("A: b\nFrom x\n\n"), "A: b\n", "From x\n\n" },
		{ SLICE("A: b\n\r\nc"), "A: b\n", "\r\nc" },
		{ SLICE("A: b\r\nno\r\r\nx\r\n"), "A: b\n", "no\r\nx\n" },
	};

	(void)state;
	check_cases(cases, COUNT(cases));
}

static void test_mailbox_separator_is_dropped_once(void **state)
{
	const struct split_case cases[] = {
		{ SLICE("From a@b Mon\nA: b\n\nc"), "A: b\n", "c" },
		{ SLICE("From a@b Mon\r\nA: b\r\n\r\nc\r\n"), "A: b\n", "c\n" },
		{ SLICE("From a\nA: b\r\n\r\nc\r\n"), "A: b\n", "c\n" },
		{ SLICE("From a\r\nA: b\n\nc\r\n"), "A: b\n", "c\r\n" },
		{ SLICE("From a\nhello\n"), "", "hello\n" },
		{ SLICE("From a\nFrom b\nA: b\n"), "", "From b\nA: b\n" },
		{ SLICE("From a\n\nbody"), "", "body" },
		{ SLICE("From a\n"), "", "" },
		{ SLICE("From a"), "", "" },
		{ SLICE("From: a\n\nb"), "From: a\n", "b" },
		{ SLICE("From : a\n\nb"), "From : a\n", "b" },
		{ SLICE("from a\n\nb"), "", "from a\n\nb" },
	};

	(void)state;
	check_cases(cases, COUNT(cases));
}

static void test_first_line_tells_the_line_ends(void **state)
{
	const struct split_case cases[] = {
		{ SLICE("A: b\r\nC: d\r\n\r\ne\r\nf\r\n"), "A: b\nC: d\n",
		  "e\nf\n" },
		{ SLICE("A: b\r\nC: d\n\ne\nf\r\n\r"), "A: b\nC: d\n",
		  "e\nf\n\r" },
		{ SLICE("A: b\r\r\nC: \rd\r\n\r\n\re\r\r\n"),
		  "A: b\r\nC: \rd\n", "\re\r\n" },
		{ SLICE("A: b\nC: d\r\n\ne\r\n"), "A: b\nC: d\r\n", "e\r\n" },
		{ SLICE("\r\nbody\r\n"), "", "body\n" },
	};

	(void)state;
	check_cases(cases, COUNT(cases));
}

static void test_nul_is_refused_in_the_header_only(void **state)
{
	const struct slice bad[] = {
		SLICE("A: \0b\n\nc"),
		SLICE("A: b\n c\0\n\nd"),
		SLICE("A: b\nC: d\0"),
		SLICE("From x\nA: \0\r\n\r\n"),
	};
	struct split s;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
			split_whole(&s, bad[i], seed);
			assert_int_equal(s.verdict, PARSE_BAD);
			assert_string_equal(s.err.text,
					    "the header holds a NUL byte");
			split_done(&s);
		}
	split_whole(&s, SLICE("A: b\n\nc\0d"), 1);
	assert_int_equal(s.verdict, PARSE_DONE);
	assert_true(slice_eq(str_slice(&s.body), SLICE("c\0d")));
	split_done(&s);
	split_whole(&s, SLICE("a\0b: c\n\n"), 1);
	assert_int_equal(s.verdict, PARSE_DONE);
	assert_true(slice_eq(str_slice(&s.body), SLICE("a\0b: c\n\n")));
	split_done(&s);
}

/* A message: `size` bytes of one field with its line end, then `tail`. */
static void long_header(struct str *to, size_t size, const char *line_end,
			const char *tail)
{
	str_clear(to);
	str_adds(to, "A: b");
	str_adds(to, line_end);
	str_adds(to, "C: ");
	while (to->len < size - strlen(line_end))
		str_addc(to, 'x');
	str_adds(to, line_end);
	assert_int_equal(to->len, size);
	str_adds(to, tail);
}

static enum parse verdict_of(struct slice message, unsigned seed,
			     size_t *ret_fields, size_t *ret_body)
{
	struct split s;
	enum parse verdict;

	split_whole(&s, message, seed);
	verdict = s.verdict;
	*ret_fields = subm_head_fields(&s.head).len;
	*ret_body = s.body.len;
	assert_in_range(s.head.text.len, 0, SUBM_HEAD_MAX + 2);
	split_done(&s);
	return verdict;
}

static void test_header_of_the_greatest_size_passes(void **state)
{
	static const struct {
		size_t size;
		const char *line_end, *tail;
		enum parse verdict;
		size_t body;
	} cases[] = {
		{ SUBM_HEAD_MAX, "\n", "\nbody", PARSE_DONE, 4 },
		{ SUBM_HEAD_MAX, "\n", "", PARSE_DONE, 0 },
		{ SUBM_HEAD_MAX, "\n", "no field\n", PARSE_DONE, 9 },
		{ SUBM_HEAD_MAX, "\n", "D: e\n", PARSE_BAD, 0 },
		{ SUBM_HEAD_MAX + 1, "\n", "\nbody", PARSE_BAD, 0 },
		{ SUBM_HEAD_MAX + 2, "\n", "\nbody", PARSE_BAD, 0 },
		{ SUBM_HEAD_MAX + 3, "\n", "\nbody", PARSE_BAD, 0 },
		/* CR LF counts as the LF that it becomes. */
		{ SUBM_HEAD_MAX + 2, "\r\n", "\r\nbody", PARSE_DONE, 4 },
		{ SUBM_HEAD_MAX + 3, "\r\n", "\r\nbody", PARSE_BAD, 0 },
	};
	struct str message = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (unsigned seed = 0; seed < 4; seed++) {
			size_t fields, body;

			long_header(&message, cases[i].size, cases[i].line_end,
				    cases[i].tail);
			assert_int_equal(verdict_of(str_slice(&message), seed,
						    &fields, &body),
					 cases[i].verdict);
			assert_int_equal(body, cases[i].body);
			if (cases[i].verdict == PARSE_DONE)
				assert_int_equal(fields, SUBM_HEAD_MAX);
		}
	str_done(&message);
}

static void test_endless_line_is_body_unless_it_is_a_field(void **state)
{
	static const struct {
		const char *begin;
		enum parse verdict;
	} cases[] = {
		{ "x", PARSE_DONE },	     /* base64, say: no colon */
		{ "two words", PARSE_DONE }, /* no field */
		{ "A: b\nno field ", PARSE_DONE },
		{ "A: b\n fold ", PARSE_BAD },
		{ "A: ", PARSE_BAD },
		{ "From x", PARSE_BAD },
	};
	struct str message = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (unsigned seed = 0; seed < 4; seed++) {
			size_t fields, body;

			str_clear(&message);
			str_adds(&message, cases[i].begin);
			while (message.len < 3 * SUBM_HEAD_MAX)
				str_addc(&message, 'y');
			assert_int_equal(verdict_of(str_slice(&message), seed,
						    &fields, &body),
					 cases[i].verdict);
			if (cases[i].verdict == PARSE_DONE)
				assert_int_equal(fields + body, message.len);
		}
	str_done(&message);
}

static void test_field_is_found_by_name(void **state)
{
	static const struct {
		const char *fields, *name, *value;
	} cases[] = {
		{ "A: b\nMessage-ID: <x@y>\n", "message-id", " <x@y>" },
		{ "MESSAGE-Id : <x>\nMessage-ID: <y>\n", "Message-ID", " <x>" },
		{ "Message-ID:\n <x@y>\nB: c\n", "Message-ID", "\n <x@y>" },
		{ "Message-ID: a\n b\n\tc\n", "Message-ID", " a\n b\n\tc" },
		{ "Message-ID:\n", "Message-ID", "" },
		{ "A: b\n Message-ID: <x>\n", "Message-ID", NULL },
		{ "X-Message-ID: <x>\n", "Message-ID", NULL },
		{ "Message-IDs: <x>\n", "Message-ID", NULL },
		{ "", "Message-ID", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct slice value = { 0 };
		bool found = subm_head_find(slice_of(cases[i].fields),
					    slice_of(cases[i].name), &value);

		assert_int_equal(found, cases[i].value != NULL);
		if (found)
			assert_slice_is(value, cases[i].value);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_ends_at_the_empty_line),
		cmocka_unit_test(test_message_may_end_in_its_header),
		cmocka_unit_test(test_text_without_a_header_is_all_body),
		cmocka_unit_test(
		    test_other_line_ends_the_header_and_begins_the_body),
		cmocka_unit_test(test_mailbox_separator_is_dropped_once),
		cmocka_unit_test(test_first_line_tells_the_line_ends),
		cmocka_unit_test(test_nul_is_refused_in_the_header_only),
		cmocka_unit_test(test_header_of_the_greatest_size_passes),
		cmocka_unit_test(
		    test_endless_line_is_body_unless_it_is_a_field),
		cmocka_unit_test(test_field_is_found_by_name),
	};

	return TEST_RUN(tests);
}
