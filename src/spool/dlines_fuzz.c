/*
 * dlines_fuzz.c - any bytes as a control file: each `d` line that is found is
 * one that stands there, outside the header blocks, and all are found once.
 */
#include "spool/dlines.h"

#include "base/fuzz.h"

FUZZ(data, size)
{
	struct slice text = slice_make((const char *)data, size);
	size_t at = 0, offset = 0, last = 0;
	bool is_first = true;
	struct dline d;

	while (dlines_next(text, &at, &offset, &d)) {
		FUZZ_CHECK(offset < size && text.p[offset] == 'd');
		FUZZ_CHECK(offset == 0 || text.p[offset - 1] == '\n');
		FUZZ_CHECK(is_first || offset > last);
		FUZZ_CHECK(d.tag == text.p[offset + 1]);
		FUZZ_CHECK(!slice_has(d.message, '\n'));
		FUZZ_CHECK(!slice_has(d.notary, '\t'));
		last = offset;
		is_first = false;
	}
	FUZZ_CHECK(at >= size);
	return 0;
}
