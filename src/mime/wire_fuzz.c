/*
 * wire_fuzz.c - any bytes through the output filter.
 *
 * The first byte chooses the flags, the rest is the text. Invariants: chunks
 * do not matter; with WIRE_CRLF neither CR nor LF occurs but in CRLF, and no
 * NUL; with WIRE_DOTS no line begins with a single dot, and undoing the dots
 * gives the text as it is without WIRE_DOTS; a text of clean LF lines comes
 * out with every byte.
 */
#include "mime/wire.h"

#include "base/fuzz.h"

static struct str filter(struct slice in, unsigned flags, size_t most)
{
	struct str out = STR_INIT;
	struct wire w;

	wire_begin(&w, flags);
	for (size_t step = 0; in.len > 0; step++) {
		size_t n = 1 + step * 5 % most;

		wire_push(&w, slice_head(in, n), &out);
		in = slice_from(in, n);
	}
	wire_end(&w, &out);
	FUZZ_CHECK(w.at_bol && w.from_len == 0 && !w.had_cr);
	FUZZ_CHECK(out.len == 0 || out.p[out.len] == '\0');
	return out;
}

static void check_bytes(struct slice out, unsigned flags)
{
	for (size_t i = 0; i < out.len; i++) {
		bool after_cr = i > 0 && out.p[i - 1] == '\r';

		if (!(flags & WIRE_CRLF))
			break;
		FUZZ_CHECK(out.p[i] != '\0');
		FUZZ_CHECK((out.p[i] == '\n') == after_cr);
	}
	FUZZ_CHECK(out.len == 0 || out.p[out.len - 1] == '\n');
}

/* Takes one dot off each line that begins with one; each must have two. */
static struct str undo_dots(struct slice out)
{
	struct str text = STR_INIT;
	bool at_bol = true;

	for (size_t i = 0; i < out.len; i++) {
		bool is_extra = at_bol && out.p[i] == '.';

		if (is_extra)
			FUZZ_CHECK(i + 1 < out.len && out.p[i + 1] == '.');
		else
			str_addc(&text, out.p[i]);
		at_bol = out.p[i] == '\n';
	}
	return text;
}

static void check_undone(struct slice in, unsigned flags, struct slice out)
{
	struct str plain = filter(in, flags & ~(unsigned)WIRE_DOTS, SIZE_MAX);
	struct str undone = undo_dots(out);

	FUZZ_CHECK(slice_eq(str_slice(&undone), str_slice(&plain)));
	str_done(&plain);
	str_done(&undone);
}

/* With no flags nothing changes but for the last line end. */
static void check_identity(struct slice in)
{
	struct str out = filter(in, 0, SIZE_MAX);

	FUZZ_CHECK(slice_starts(str_slice(&out), in));
	FUZZ_CHECK(out.len <= in.len + 1);
	str_done(&out);
}

FUZZ(data, size)
{
	static const size_t most[] = { 1, 2, 3, 7, 64 };
	struct slice in = slice_make((const char *)data, size);
	unsigned flags = size > 0 ? data[0] % 16 : 0;
	struct str want;

	in = slice_from(in, 1);
	want = filter(in, flags, SIZE_MAX);
	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		struct str got = filter(in, flags, most[i]);

		FUZZ_CHECK(slice_eq(str_slice(&got), str_slice(&want)));
		str_done(&got);
	}
	check_bytes(str_slice(&want), flags);
	if (flags & WIRE_DOTS)
		check_undone(in, flags, str_slice(&want));
	check_identity(in);
	str_done(&want);
	return 0;
}
