/*
 * str.h - a growing string that owns its bytes.
 *
 * Begin with STR_INIT (or all zero); end with str_done(). The bytes lie in
 * p[0..len), may include NUL, and are always followed by a NUL that is not
 * counted, once something was added. p moves when the string grows, so a
 * slice of it is valid until the next call that adds. Running out of memory
 * ends the program (base/mem.h).
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/slice.h"

struct str {
	char *p;
	size_t len, cap;
};

#define STR_INIT ((struct str){ 0 })

/* Frees the bytes and makes s empty again; an empty s is allowed. */
void str_done(struct str *s);

/* The same, and nothing of what s held is left in its memory. */
void str_wipe(struct str *s);

/* Makes s empty and keeps its memory. */
void str_clear(struct str *s);

/* Makes sure that `more` bytes can be added without moving p. */
void str_reserve(struct str *s, size_t more);

/* Adds the bytes of a slice, of a C string, one byte, formatted text. */
void str_add(struct str *s, struct slice more);
void str_adds(struct str *s, const char *text);
void str_addc(struct str *s, char c);
void str_addf(struct str *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds n, in decimal. */
void str_addu(struct str *s, uint64_t n);

/*
 * Adds text from outside, made harmless for logs and reports: TAB becomes a
 * blank; every other control byte and 0x7f become '?', and so does each byte of
 * the characters U+0080 to U+009F (in UTF-8, or 0x80 to 0x9f where it is none),
 * U+2028 to U+202E and U+2066 to U+2069, which break lines or turn the order of
 * what is read. At most max bytes are added (SIZE_MAX: no limit). Other bytes
 * above 0x7f pass as they are. As many bytes are added as text has.
 */
void str_add_clean(struct str *s, struct slice text, size_t max);

/* Makes valid UTF-8 of s: each byte that belongs to no character is a '?'. */
void str_force_utf8(struct str *s);

/* Cuts s to its first len bytes; len is at most s->len. */
void str_cut(struct str *s, size_t len);

/* Removes the first n bytes of s; n is at most s->len. */
void str_shift(struct str *s, size_t n);

/* The bytes of s, borrowed until the next change. */
struct slice str_slice(const struct str *s);

/* The bytes of s as a C string, borrowed; "" if nothing was ever added. */
const char *str_cstr(const struct str *s);

#endif
