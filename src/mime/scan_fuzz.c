/*
 * scan_fuzz.c - any bytes as a body: chunks do not matter, and the facts are
 * those that a plain loop finds.
 */
#include "mime/scan.h"

#include "base/fuzz.h"

static struct scan scanned(struct slice in, size_t most)
{
	struct scan s;

	scan_begin(&s);
	for (size_t step = 0; in.len > 0; step++) {
		size_t n = 1 + step * 5 % most;

		scan_push(&s, slice_head(in, n));
		in = slice_from(in, n);
	}
	scan_end(&s);
	return s;
}

static void check_same(const struct scan *a, const struct scan *b)
{
	FUZZ_CHECK(a->size == b->size && a->longest == b->longest);
	FUZZ_CHECK(a->has_8bit == b->has_8bit && a->is_utf8 == b->is_utf8);
	FUZZ_CHECK(a->has_nul == b->has_nul && a->has_crlf == b->has_crlf);
	FUZZ_CHECK(a->has_bare_cr == b->has_bare_cr);
	FUZZ_CHECK(a->ends_in_lf == b->ends_in_lf);
}

static void check_facts(const struct scan *s, struct slice in)
{
	uint64_t line = 0, longest = 0;
	bool has_crlf = false, has_bare_cr = false;

	for (size_t i = 0; i < in.len; i++) {
		bool is_before_lf = i + 1 < in.len && in.p[i + 1] == '\n';

		if (in.p[i] == '\r' && is_before_lf)
			has_crlf = true;
		else if (in.p[i] == '\n')
			line = 0;
		else
			line++;
		has_bare_cr |= in.p[i] == '\r' && !is_before_lf;
		longest = line > longest ? line : longest;
	}
	FUZZ_CHECK(s->size == in.len && s->longest == longest);
	FUZZ_CHECK(s->has_crlf == has_crlf && s->has_bare_cr == has_bare_cr);
	FUZZ_CHECK(s->has_8bit == slice_has_8bit(in));
	FUZZ_CHECK(s->has_nul == slice_has(in, '\0'));
	FUZZ_CHECK(!s->is_utf8 || s->has_8bit);
}

FUZZ(data, size)
{
	static const size_t most[] = { 1, 2, 3, 7, 64, 1000 };
	struct slice in = slice_make((const char *)data, size);
	struct scan want = scanned(in, SIZE_MAX);

	check_facts(&want, in);
	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		struct scan got = scanned(in, most[i]);

		check_same(&got, &want);
	}
	return 0;
}
