/*
 * interval.c - lengths of time as configuration files write them.
 */
#include "base/interval.h"

static unsigned unit_seconds(char c)
{
	switch (ascii_lower(c)) {
	case 'd':
		return 24 * 60 * 60;
	case 'h':
		return 60 * 60;
	case 'm':
		return 60;
	case 's':
		return 1;
	default:
		return 0;
	}
}

bool interval_parse(struct slice s, unsigned *ret)
{
	uint64_t total = 0;

	while (s.len > 0) {
		size_t digits = 0;
		uint64_t n;
		unsigned unit = 1;

		while (digits < s.len && ascii_is_digit(s.p[digits]))
			digits++;
		if (!slice_uint(slice_head(s, digits), INTERVAL_MAX, &n))
			return false;
		s = slice_from(s, digits);
		if (s.len > 0) {
			unit = unit_seconds(s.p[0]);
			s = slice_from(s, 1);
		}
		if (unit == 0)
			return false;
		total += n * unit;
		if (total > INTERVAL_MAX)
			return false;
	}
	*ret = (unsigned)total;
	return true;
}
