/*
 * glance_fuzz.c - any bytes as a body: what a glance sees is what is there,
 * however the bytes come. The first byte chooses how long lines may be.
 */
#include "mime/glance.h"

#include "base/fuzz.h"

static struct glance look(struct slice in, uint64_t line_max, size_t most)
{
	struct glance g;

	glance_begin(&g, line_max);
	for (size_t step = 0; in.len > 0; step++) {
		size_t n = 1 + step * 5 % most;

		glance_push(&g, slice_head(in, n));
		in = slice_from(in, n);
	}
	return g;
}

/* The same, byte by byte, as slowly as it gets. */
static struct glance stare(struct slice in, uint64_t line_max)
{
	struct glance g = { .size = in.len };
	uint64_t line = 0;

	for (size_t i = 0; i < in.len; i++) {
		g.has_8bit |= (unsigned char)in.p[i] >= 0x80;
		g.has_nul |= in.p[i] == '\0';
		line = in.p[i] == '\n' ? 0 : line + 1;
		g.may_be_long |= line_max > 0 && line > line_max;
	}
	return g;
}

FUZZ(data, size)
{
	static const uint64_t limits[] = { 0, 1, 2, 15, 76, 998 };
	static const size_t most[] = { 1, 2, 7, 100, SIZE_MAX };
	struct slice in = slice_make((const char *)data, size);
	uint64_t line_max =
	    limits[size > 0 ? data[0] % (sizeof(limits) / sizeof(limits[0]))
			    : 0];
	struct glance want = stare(in, line_max);

	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		struct glance got = look(in, line_max, most[i]);

		FUZZ_CHECK(got.has_8bit == want.has_8bit);
		FUZZ_CHECK(got.has_nul == want.has_nul);
		FUZZ_CHECK(got.may_be_long == want.may_be_long);
		FUZZ_CHECK(got.size == want.size);
	}
	return 0;
}
