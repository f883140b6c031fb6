/*
 * blame.c - what a refusal says it is about.
 */
#include "smtpta/blame.h"

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

/* Is "IPv6" in a word, with nothing but signs around it? */
static bool has_ipv6(struct slice word)
{
	const struct slice name = SLICE("ipv6");

	for (size_t i = 0; i + name.len <= word.len; i++) {
		struct slice part = slice_head(slice_from(word, i), name.len);
		size_t end = i + name.len;

		if (slice_eq_nocase(part, name) &&
		    (i == 0 || !is_alnum(word.p[i - 1])) &&
		    (end == word.len || !is_alnum(word.p[end])))
			return true;
	}
	return false;
}

bool blame_is_on_ipv6(struct slice text)
{
	struct slice line, word;

	while (slice_cut(&text, '\r', &line)) {
		if (!slice_starts(line, SLICE("->> ")))
			continue;
		while (slice_word(&line, &word))
			if (!slice_has(word, '@') && has_ipv6(word))
				return true;
	}
	return false;
}
