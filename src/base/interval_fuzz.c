/*
 * interval_fuzz.c - any bytes as a length of time.
 *
 * Invariants: the value is within the limit and is what its own pieces add up
 * to; written as plain seconds it reads as the same; case does not matter; a
 * refused text leaves the result alone and stays refused with more in front.
 */
#include "base/fuzz.h"
#include "base/interval.h"
#include "base/str.h"

/* The sum of the pieces, computed in another way: from the end. */
static double sum_from_the_end(struct slice s)
{
	double total = 0, scale = 1, unit = 1;

	while (s.len > 0) {
		char c = s.p[--s.len];

		if (ascii_is_digit(c)) {
			total += (c - '0') * scale * unit;
			scale *= 10;
			continue;
		}
		scale = 1;
		c = ascii_lower(c);
		unit = c == 'd' ? 86400 : c == 'h' ? 3600 : c == 'm' ? 60 : 1;
	}
	return total;
}

static void check_value(struct slice in, unsigned value)
{
	struct str other = STR_INIT;
	unsigned again;

	FUZZ_CHECK(value <= INTERVAL_MAX);
	FUZZ_CHECK((double)value == sum_from_the_end(in));
	str_addu(&other, value);
	FUZZ_CHECK(interval_parse(str_slice(&other), &again));
	FUZZ_CHECK(again == value);
	str_clear(&other);
	for (size_t i = 0; i < in.len; i++)
		str_addc(&other, ascii_upper(in.p[i]));
	FUZZ_CHECK(interval_parse(str_slice(&other), &again));
	FUZZ_CHECK(again == value);
	str_done(&other);
}

FUZZ(data, size)
{
	struct slice in = slice_make((const char *)data, size);
	struct str longer = STR_INIT;
	unsigned value = 4711;

	if (interval_parse(in, &value)) {
		check_value(in, value);
	} else {
		FUZZ_CHECK(value == 4711);
		str_adds(&longer, "0s");
		str_add(&longer, in);
		FUZZ_CHECK(!interval_parse(str_slice(&longer), &value));
		FUZZ_CHECK(value == 4711);
	}
	str_done(&longer);
	return 0;
}
