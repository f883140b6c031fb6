/*
 * keyword.h - looking words up in tables.
 *
 * Options, EHLO keywords, NOTIFY words and the like are rows of a table; one
 * search serves them all.
 */
#ifndef BASE_KEYWORD_H
#define BASE_KEYWORD_H

#include "base/slice.h"

struct keyword {
	const char *word;
	int value;
};

/*
 * The row whose word equals s but for ASCII case, or NULL. n rows are
 * searched in order.
 */
const struct keyword *keyword_find(const struct keyword *rows, size_t n,
				   struct slice s);

/* Number of elements of an array. */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
