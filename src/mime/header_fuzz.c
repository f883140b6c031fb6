/*
 * header_fuzz.c - any bytes as a header block: no field is lost or invented,
 * and what comes out can end no header early.
 */
#include "mime/header.h"

#include "base/fuzz.h"

static void check_clean(struct slice s)
{
	FUZZ_CHECK(!slice_has(s, '\r') && !slice_has(s, '\0'));
	FUZZ_CHECK(slice_find_text(s, SLICE("\n\n")) == s.len);
	FUZZ_CHECK(s.len == 0 || (s.p[0] != '\n' && s.p[s.len - 1] != '\n'));
}

FUZZ(data, size)
{
	struct slice block = slice_make((const char *)data, size);
	struct slice rest = block;
	struct header_field f;
	struct str all = STR_INIT, out = STR_INIT;

	while (header_next(&rest, &f)) {
		str_add(&all, f.all);
		str_addc(&all, '\n');
		str_clear(&out);
		header_add_clean(&out, f.all, size % 2 == 0);
		check_clean(str_slice(&out));
		str_clear(&out);
		if (header_add_for_clause(&out, f.all, SLICE("u@example.com")))
			FUZZ_CHECK(slice_find_text(str_slice(&out),
						   SLICE("<u@example.com>;")) <
				   out.len);
		else
			FUZZ_CHECK(out.len == 0);
	}
	if (block.len > 0 && block.p[block.len - 1] != '\n')
		str_cut(&all, all.len - 1);
	FUZZ_CHECK(slice_eq(str_slice(&all), block));
	str_done(&all);
	str_done(&out);
	return 0;
}
