/*
 * base64_test.c - the vectors of RFC 4648 10, lines, canonical text, chunks.
 */
#include "mime/base64.h"

#include "base/keyword.h"
#include "base/test.h"

struct run {
	struct base64_encoder e;
	struct str out;
};

static void push(void *context, struct slice chunk)
{
	struct run *r = context;

	base64_encode_push(&r->e, chunk, &r->out);
}

/* Encodes, given to the caller. */
static struct str encoded(struct slice in, bool is_text, unsigned seed)
{
	struct run r = { .out = STR_INIT };

	base64_encode_begin(&r.e, is_text);
	test_split(in, seed, push, &r);
	base64_encode_end(&r.e, &r.out);
	return r.out;
}

static void test_vectors_of_the_rfc(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str got = encoded(slice_of(rows[i].in), false, 0);

		assert_slice_is(str_slice(&got), rows[i].want);
		str_done(&got);
	}
}

static void test_text_is_made_canonical(void **state)
{
	static const struct {
		const char *in, *canonical;
	} rows[] = {
		{ "a\n", "a\r\n" },	  { "a\r\n", "a\r\n" },
		{ "\n\n", "\r\n\r\n" },	  { "a\rb\n", "a\rb\r\n" },
		{ "a\r\r\n", "a\r\r\n" }, { "a\r\n\n", "a\r\n\r\n" },
		{ "a\r", "a\r" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str want =
		    encoded(slice_of(rows[i].canonical), false, 0);

		for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
			struct str got =
			    encoded(slice_of(rows[i].in), true, seed);

			assert_slice_is(str_slice(&got), str_cstr(&want));
			str_done(&got);
		}
		str_done(&want);
	}
}

static void test_lines_have_76_characters_and_chunks_do_not_matter(void **state)
{
	char in[1000];

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (char)(i * 7);
	for (size_t n = 0; n < sizeof(in); n += 1 + n / 9) {
		struct str whole = encoded(slice_make(in, n), false, 0);
		struct slice rest = str_slice(&whole), line = rest;

		assert_int_equal(whole.len, base64_encoded_size(n));
		while (slice_cut(&rest, '\n', &line))
			assert_true(line.len == BASE64_LINE_MAX ||
				    rest.p == NULL);
		assert_true(line.len <= BASE64_LINE_MAX);
		for (unsigned seed = 1; seed < TEST_SPLITS; seed++) {
			struct str got =
			    encoded(slice_make(in, n), false, seed);

			assert_slice_is(str_slice(&got), str_cstr(&whole));
			str_done(&got);
		}
		str_done(&whole);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors_of_the_rfc),
		cmocka_unit_test(test_text_is_made_canonical),
		cmocka_unit_test(
		    test_lines_have_76_characters_and_chunks_do_not_matter),
	};

	return TEST_RUN(tests);
}
