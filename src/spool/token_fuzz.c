/*
 * token_fuzz.c - a printed token comes back whole from a line, and holds what
 * was printed.
 */
#include "spool/ctl.h"

#include "base/fuzz.h"

/* What a quoted token stands for. */
static void unquote(struct slice token, struct str *to)
{
	FUZZ_CHECK(token.len >= 2 && token.p[0] == '"' &&
		   token.p[token.len - 1] == '"');
	for (size_t i = 1; i < token.len - 1; i++) {
		if (token.p[i] == '\\')
			i++;
		FUZZ_CHECK(i < token.len - 1);
		str_addc(to, token.p[i]);
	}
}

/* Cutting any text into tokens loses nothing but blanks. */
static void check_tokens(struct slice text)
{
	struct slice rest = text, token;
	size_t n = 0;

	while (ctl_token(&rest, &token)) {
		FUZZ_CHECK(token.len > 0 && n < text.len);
		FUZZ_CHECK(token.p >= text.p + n);
		FUZZ_CHECK(
		    slice_trim(
			slice_make(text.p + n, (size_t)(token.p - text.p) - n))
			.len == 0);
		n = (size_t)(token.p - text.p) + token.len;
		FUZZ_CHECK(rest.len == text.len - n);
	}
	FUZZ_CHECK(slice_trim(slice_from(text, n)).len == 0);
}

FUZZ(data, size)
{
	struct slice text = slice_make((const char *)data, size);
	struct str line = STR_INIT, plain = STR_INIT;
	struct slice rest, token;

	check_tokens(text);
	if (slice_has(text, '\n') || slice_has(text, '\0'))
		return 0;
	ctl_print_token(&line, text);
	str_adds(&line, " next");
	rest = str_slice(&line);
	FUZZ_CHECK(ctl_token(&rest, &token));
	FUZZ_CHECK(slice_eq(rest, SLICE(" next")));
	if (text.len == 0) {
		FUZZ_CHECK(slice_eq(token, SLICE("-")));
	} else if (!slice_eq(token, text)) {
		unquote(token, &plain);
		FUZZ_CHECK(slice_eq(str_slice(&plain), text));
	}
	str_done(&plain);
	str_done(&line);
	return 0;
}
