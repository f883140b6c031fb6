/*
 * slice.h - borrowed bytes.
 *
 * A slice points at bytes that somebody else owns and counts them. It may
 * hold any byte, NUL included, and is never assumed to end in NUL. An empty
 * slice may have a NULL pointer. Nothing here allocates or fails.
 *
 * Case folding is ASCII's alone, whatever the locale.
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))

struct slice {
	const char *p;
	size_t len;
};

/* A slice of a string literal, without its NUL. */
#define SLICE(lit) \
	((struct slice){ .p = "" lit "", .len = sizeof("" lit "") - 1 })

/* For printf: "%.*s", SLICE_ARG(s). Cuts at INT_MAX bytes and at a NUL. */
#define SLICE_ARG(s) slice_printf_len(s), (s).p != NULL ? (s).p : ""

/* The length of s as printf's precision wants it. */
int slice_printf_len(struct slice s);

/* The bytes of a C string; NULL gives an empty slice. Borrowed from text. */
struct slice slice_of(const char *text);

/* len bytes at p. */
struct slice slice_make(const char *p, size_t len);

/* The part of s from byte `from` to its end; empty if s is shorter. */
struct slice slice_from(struct slice s, size_t from);

/* The first len bytes of s, or all of it if it is shorter. */
struct slice slice_head(struct slice s, size_t len);

/* Same length and same bytes. */
bool slice_eq(struct slice a, struct slice b);

/*
 * Below, at or above 0 as a comes before b, is the same or comes after it: byte
 * by byte, and what is a beginning of the other first.
 */
int slice_order(struct slice a, struct slice b);

/* Same but for the case of ASCII letters. */
bool slice_eq_nocase(struct slice a, struct slice b);

/* Does s begin with prefix? */
bool slice_starts(struct slice s, struct slice prefix);

/* Does s begin with prefix, ASCII case apart? */
bool slice_starts_nocase(struct slice s, struct slice prefix);

/* Offset of the first byte c in s, or s.len if there is none. */
size_t slice_find(struct slice s, char c);

/* Offset of the last byte c in s, or s.len if there is none. */
size_t slice_find_last(struct slice s, char c);

/* Offset of the first occurrence of what (not empty) in s, or s.len. */
size_t slice_find_text(struct slice s, struct slice what);

/* Does c occur in s? */
bool slice_has(struct slice s, char c);

/* Is there a byte below 0x20, or 0x7f, in s? */
bool slice_has_control(struct slice s);

/* Is there a byte of 0x80 or above in s? */
bool slice_has_8bit(struct slice s);

/* s without blanks and TABs at both ends. */
struct slice slice_trim(struct slice s);

/* s without a dot at its end; "." stays. */
struct slice slice_without_dot(struct slice s);

/*
 * Cuts the next word off *rest: skips blanks and TABs, takes bytes up to the
 * next blank or TAB. Returns false, and leaves *ret_word alone, when only
 * blanks are left. *rest then begins right behind the word.
 */
bool slice_word(struct slice *rest, struct slice *ret_word);

/*
 * Cuts *rest at the first c: *ret_part is what stands before it and *rest
 * what stands behind. Without a c the whole of *rest is the part. Returns
 * false once *rest is exhausted (rest->p == NULL), so that a loop over
 * "a,,b" sees three parts and one over "a," sees two.
 */
bool slice_cut(struct slice *rest, char c, struct slice *ret_part);

/*
 * Strict unsigned decimal: one or more digits, nothing else, no overflow
 * above max. Returns false, and leaves *ret alone, otherwise.
 */
MUST_USE bool slice_uint(struct slice s, uint64_t max, uint64_t *ret);

/* ASCII lower and upper case of one byte; other bytes unchanged. */
char ascii_lower(char c);
char ascii_upper(char c);
bool ascii_is_digit(char c);
bool ascii_is_alpha(char c);

#endif
