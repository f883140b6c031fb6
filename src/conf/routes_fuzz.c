/*
 * routes_fuzz.c - any bytes as routes.conf: what is found is a line's words.
 *
 * The first line of the input is the address that is looked up.
 */
#include "conf/routes.h"

#include "base/fuzz.h"

FUZZ(data, size)
{
	struct slice text = slice_make((const char *)data, size), word;
	struct arena *a = arena_new();
	struct str out = STR_INIT;
	const struct routes *r;
	struct routes_match m;
	struct err err;

	if (slice_cut(&text, '\n', &word) &&
	    routes_parse(text, "F", a, &r, &err) == 0) {
		size_t at = slice_find_last(word, '@');
		struct routes_address in = {
			.address = word,
			.local = slice_head(word, at),
			.domain = slice_from(word, at + 1),
			.is_here = word.len % 2 != 0,
		};

		if (routes_find(r, &in, &m)) {
			FUZZ_CHECK(m.line > 0 && m.pattern.len > 0);
			FUZZ_CHECK(m.is_address ? m.target.len > 0
						: m.channel.len > 0);
			routes_expand(m.is_address ? m.target : m.user, &in,
				      &out);
			FUZZ_CHECK(word.len > 0 || out.len <= ROUTES_WORD_MAX);
		}
	}
	str_done(&out);
	arena_free(a);
	return 0;
}
