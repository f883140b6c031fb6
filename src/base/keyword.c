/*
 * keyword.c - looking words up in tables.
 */
#include "base/keyword.h"

const struct keyword *keyword_find(const struct keyword *rows, size_t n,
				   struct slice s)
{
	for (size_t i = 0; i < n; i++)
		if (slice_eq_nocase(slice_of(rows[i].word), s))
			return &rows[i];
	return NULL;
}
