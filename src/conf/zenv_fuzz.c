/*
 * zenv_fuzz.c - any bytes as zmailer.conf: bounded, and the same twice.
 *
 * The first line of the input is text to be expanded with the rest.
 */
#include "conf/zenv.h"

#include "base/fuzz.h"

FUZZ(data, size)
{
	struct slice text = slice_make((const char *)data, size), line, value;
	struct str first = STR_INIT, second = STR_INIT;
	struct arena *a = arena_new();

	if (slice_cut(&text, '\n', &line)) {
		const struct zenv *z = zenv_parse(text, "F", a);
		bool is_good = zenv_expand(z, line, &first);

		FUZZ_CHECK(zenv_expand(z, line, &second) == is_good);
		FUZZ_CHECK(slice_eq(str_slice(&first), str_slice(&second)));
		if (!slice_has(line, '$'))
			FUZZ_CHECK(is_good &&
				   slice_eq(line, str_slice(&first)));
		FUZZ_CHECK(zenv_get(z, "MAILBIN", &value));
		FUZZ_CHECK(value.len <= ZENV_VALUE_MAX);
		FUZZ_CHECK(!slice_has(value, '\n') && !slice_has(value, '\0'));
		if (zenv_find(z, line, &value))
			FUZZ_CHECK(!slice_has(value, '\n'));
	}
	str_done(&first);
	str_done(&second);
	arena_free(a);
	return 0;
}
