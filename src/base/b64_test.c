/*
 * b64_test.c - tests of base64 for single words.
 */
#include "base/b64.h"

#include "base/keyword.h"
#include "base/test.h"

static void test_vectors_of_rfc_4648(void **state)
{
	static const char *const rows[][2] = {
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
		struct str out = STR_INIT;

		b64_add(&out, slice_of(rows[i][0]));
		assert_slice_is(str_slice(&out), rows[i][1]);
		str_clear(&out);
		assert_true(b64_read(slice_of(rows[i][1]), &out));
		assert_slice_is(str_slice(&out), rows[i][0]);
		str_done(&out);
	}
}

static void test_every_byte_comes_back(void **state)
{
	(void)state;
	for (size_t len = 0; len <= 256; len++) {
		struct str bytes = STR_INIT, text = STR_INIT, back = STR_INIT;

		for (size_t i = 0; i < len; i++)
			str_addc(&bytes, (char)(255 - i));
		str_adds(&text, "kept ");
		b64_add(&text, str_slice(&bytes));
		str_adds(&back, "kept ");
		assert_true(b64_read(slice_from(str_slice(&text), 5), &back));
		assert_true(slice_eq(slice_from(str_slice(&back), 5),
				     str_slice(&bytes)));
		str_done(&bytes);
		str_done(&text);
		str_done(&back);
	}
}

/* Whatever is read is what would have been written. */
static void test_only_canonical_text_is_read(void **state)
{
	static const char *const rows[] = {
		"Z",	    "Zg",	"Zg=",	    "Zg===",	"====",
		"=",	    "==",	"Z===",	    "Zh==",	"Zm9=",
		"Zm 9",	    "Zg==Zg==", "Zm9v\n",   " Zm9",	"Zm9v ",
		"Zm-_",	    "Zg=\r",	"Zm9vZg=a", "Zm9v=Zg=", "Zm\xc3\xa9",
		"Zm9vYg==A"
	};
	struct str out = STR_INIT;

	(void)state;
	str_adds(&out, "kept");
	for (size_t i = 0; i < COUNT(rows); i++)
		if (b64_read(slice_of(rows[i]), &out))
			fail_msg("'%s' was read", rows[i]);
	assert_false(b64_read(SLICE("Zm\0v"), &out));
	assert_slice_is(str_slice(&out), "kept");
	str_done(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors_of_rfc_4648),
		cmocka_unit_test(test_every_byte_comes_back),
		cmocka_unit_test(test_only_canonical_text_is_read),
	};

	return TEST_RUN(tests);
}
