/*
 * interval.h - lengths of time as configuration files write them.
 *
 *	interval = { digits ( "d" | "h" | "m" | "s" ) } [ digits ]
 *
 * The values add up; a last number without a letter is seconds. "1h5m20s" is
 * 3920, "90" is 90, the empty text is 0.
 */
#ifndef BASE_INTERVAL_H
#define BASE_INTERVAL_H

#include "base/slice.h"

/*
 * Reads the whole of s as an interval, in seconds, into *ret. Letters may be
 * of either case. Returns false, leaving *ret alone, if s is anything else or
 * exceeds INTERVAL_MAX.
 */
MUST_USE bool interval_parse(struct slice s, unsigned *ret);

enum { INTERVAL_MAX = 0x7fffffff };

#endif
