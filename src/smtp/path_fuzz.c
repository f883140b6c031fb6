/*
 * path_fuzz.c - what passes path_check() cannot end or extend a command.
 */
#include "base/fuzz.h"
#include "smtp/path.h"

FUZZ(data, size)
{
	struct slice s = slice_make((const char *)data, size);

	if (path_check(s) == PATH_OK) {
		FUZZ_CHECK(s.len > 0 && s.len <= PATH_MAX_BYTES);
		FUZZ_CHECK(!slice_has_control(s) && !slice_has_8bit(s));
		if (s.p[0] != '"')
			FUZZ_CHECK(!slice_has(s, ' ') && !slice_has(s, '<') &&
				   !slice_has(s, '>'));
	}
	if (envid_valid(s))
		FUZZ_CHECK(s.len <= 100 && !slice_has(s, ' ') &&
			   !slice_has_control(s));
	if (orcpt_valid(s))
		FUZZ_CHECK(s.len <= 500 && !slice_has(s, ' ') &&
			   !slice_has_control(s));
	if (helo_name_valid(s))
		FUZZ_CHECK(!slice_has(s, ' ') && !slice_has_control(s));
	return 0;
}
