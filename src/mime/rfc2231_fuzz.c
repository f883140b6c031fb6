/*
 * rfc2231_fuzz.c - any bytes as a field whose 8-bit text is encoded.
 *
 * Invariants: a field stays one field of the same name; what was added has no
 * 8-bit byte; a value that changed is gone; the output has a bound; there is
 * nothing left to convert.
 */
#include "mime/rfc2231.h"

#include "base/fuzz.h"
#include "mime/ctype.h"
#include "mime/header.h"

enum { GROWTH = 40 }; /* bytes that one can become, new lines included */

static size_t count_8bit(struct slice s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += (unsigned char)s.p[i] >= 0x80;
	return n;
}

static void check(struct slice before, struct slice after)
{
	struct header_field was = header_field_of(before), is;
	struct slice rest = after;
	struct str again = STR_INIT;

	FUZZ_CHECK(header_next(&rest, &is) && rest.len == 0);
	FUZZ_CHECK(slice_eq(is.name, was.name));
	FUZZ_CHECK(count_8bit(after) < count_8bit(before));
	FUZZ_CHECK(after.len <= before.len * GROWTH);
	FUZZ_CHECK(!rfc2231_convert(&again, after, SLICE("UTF-8")));
	FUZZ_CHECK(again.len == 0);
	str_done(&again);
}

FUZZ(data, size)
{
	struct slice block = slice_make((const char *)data, size);
	struct header_field f;
	struct str out = STR_INIT;

	while (header_next(&block, &f)) {
		str_clear(&out);
		if (rfc2231_convert(&out, f.all, SLICE("KOI8-R")))
			check(f.all, str_slice(&out));
	}
	str_done(&out);
	return 0;
}
