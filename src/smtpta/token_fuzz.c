/*
 * token_fuzz.c - any bytes as the output of command=.
 */
#include "base/fuzz.h"
#include "smtpta/token.h"

FUZZ(data, size)
{
	struct slice in = slice_make((const char *)data, size);
	struct str secret = STR_INIT;
	struct err err = { 0 };
	unsigned seconds = 0;

	if (token_parse(in, &secret, &seconds, &err) == 0) {
		FUZZ_CHECK(secret.len > 0 && secret.len <= size);
		FUZZ_CHECK(!slice_has_control(str_slice(&secret)));
		FUZZ_CHECK(seconds <= TOKEN_SECONDS_MAX);
		FUZZ_CHECK(slice_starts(in, str_slice(&secret)));
	} else {
		FUZZ_CHECK(secret.len == 0 && err.text[0] != '\0');
	}
	str_wipe(&secret);
	return 0;
}
