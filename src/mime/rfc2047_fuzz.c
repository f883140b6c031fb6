/*
 * rfc2047_fuzz.c - any bytes as a header whose 8-bit text is encoded.
 *
 * The first byte chooses the character set. Invariants: a field stays one
 * field of the same name; text fields hold no 8-bit byte afterwards; no
 * encoded-word of ours is too long; there is nothing left to convert.
 */
#include "mime/rfc2047.h"

#include "base/fuzz.h"

/* The bytes of a field that no edit of ours may touch or add to. */
static void check_field(struct slice before, struct slice after)
{
	struct header_field was = header_field_of(before), is;
	struct slice rest = after;
	struct str again = STR_INIT;

	FUZZ_CHECK(header_next(&rest, &is) && rest.len == 0);
	FUZZ_CHECK(slice_eq(is.all, after));
	FUZZ_CHECK(slice_eq(is.name, was.name));
	FUZZ_CHECK(!slice_eq(before, after));
	if (rfc2047_place_of(was.name) == RFC2047_TEXT)
		FUZZ_CHECK(!slice_has_8bit(after));
	FUZZ_CHECK(!rfc2047_convert(&again, after, SLICE("UTF-8")));
	FUZZ_CHECK(again.len == 0);
	str_done(&again);
}

static void check_words(struct slice before, struct slice after)
{
	struct slice line, word;

	while (slice_cut(&after, '\n', &line)) {
		while (slice_word(&line, &word)) {
			bool is_old =
			    slice_find_text(before, word) < before.len;

			if (rfc2047_is_word(word) && !is_old)
				FUZZ_CHECK(word.len <= 75);
		}
	}
}

FUZZ(data, size)
{
	static const char *const charsets[] = { "ISO-8859-1", "UTF-8",
						"EUC-JP",     "Shift_JIS",
						"GB18030",    "no good" };
	struct slice block = slice_make((const char *)data, size);
	const char *charset = charsets[size > 0 ? data[0] % 6 : 0];
	struct header_field f;
	struct str out = STR_INIT;

	block = slice_from(block, 1);
	while (header_next(&block, &f)) {
		str_clear(&out);
		if (rfc2047_convert(&out, f.all, slice_of(charset))) {
			check_field(f.all, str_slice(&out));
			check_words(f.all, str_slice(&out));
		} else {
			FUZZ_CHECK(out.len == 0);
		}
	}
	str_done(&out);
	return 0;
}
