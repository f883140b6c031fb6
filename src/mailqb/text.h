/*
 * text.h - pieces of text for people: times, sizes, columns.
 *
 * Pure but for the time zone. Everything from outside is made harmless for a
 * terminal (str_add_clean()); a column is a character of UTF-8, two for those
 * of East Asia that are twice as wide, none for marks on another one.
 */
#ifndef MAILQB_TEXT_H
#define MAILQB_TEXT_H

#include "base/str.h"

/* How many columns clean text takes. */
size_t mailq_width(struct slice text);

/* Adds text from outside, harmless. */
void mailq_add_text(struct str *to, struct slice text);

/*
 * Adds text from outside in just `width` columns: blanks behind it, or cut,
 * with ".." at its end.
 */
void mailq_add_column(struct str *to, struct slice text, size_t width);

/*
 * Adds clean text in lines of at most `width` columns, broken at blanks where
 * there are any, each but the first begun with `indent` blanks; `at` columns
 * of the first are taken. Ends with LF.
 */
void mailq_add_wrapped(struct str *to, struct slice text, size_t at,
		       size_t indent, size_t width);

/* Adds a length of time, its two largest units: "3d4h", "12m", "0s". */
void mailq_add_interval(struct str *to, int64_t seconds);

/* Adds "Sun Nov 22 08:42:45", local time; with_year: " 2026" behind it. */
void mailq_add_time(struct str *to, int64_t when, bool with_year);

/* Adds the time of day, and the date before it if it is another day. */
void mailq_add_near_time(struct str *to, int64_t when, int64_t now);

/* Adds "2026-11-22T08:42:45Z". */
void mailq_add_utc(struct str *to, int64_t when);

/* Adds a number of bytes: "812", "1.4K", "23M". */
void mailq_add_size(struct str *to, uint64_t bytes);

/* Adds a header field's body with its folding taken out. */
void mailq_add_unfolded(struct str *to, struct slice body);

#endif
