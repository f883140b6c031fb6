/*
 * err.h - why something could not be done, in one line for a human.
 *
 * A function that can fail takes a `struct err *` last and returns -1 after
 * FAIL() has filled it. The text names what (file, line, host), what was
 * wrong and what was expected. It has no newline and no control bytes, since
 * parts of it come from outside. A delivery that failed is not an error but
 * data: see dsn/diag.h.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum { ERR_TEXT_MAX = 1024 }; /* longer texts are cut; nothing depends on it */

struct err {
	int code; /* errno value of the cause, or 0 */
	char text[ERR_TEXT_MAX];
};

/*
 * Fills err (which may be NULL) with formatted text, made printable. The text
 * that err held before may be among the arguments, so that a caller can put
 * its own words in front of it.
 */
void err_set(struct err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fails without an errno value: fills err, gives -1. */
#define FAIL(err, ...) (err_set((err), 0, __VA_ARGS__), -1)

/* The same, remembering the errno value of the cause. */
#define FAIL_CODE(err, code, ...) (err_set((err), (code), __VA_ARGS__), -1)

#endif
