/*
 * arena.h - memory that is freed all at once.
 *
 * One arena lives as long as one job, one session or one configuration.
 * What it hands out is valid until arena_reset() or arena_free(); nothing is
 * freed singly. Running out of memory ends the program (base/mem.h).
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

#include <stdarg.h>

struct arena;

/* A new, empty arena; given to the caller, who calls arena_free(). */
struct arena *arena_new(void);

/* Frees the arena and all it handed out; NULL is allowed. */
void arena_free(struct arena *a);

/*
 * Takes back all that was handed out and keeps room for as much again (at
 * most 1 MB), so that a loop over jobs does not allocate once it is warm.
 */
void arena_reset(struct arena *a);

/* n cleared bytes, aligned for any type. */
void *arena_alloc(struct arena *a, size_t n);

/* A cleared array of count elements of size bytes. */
void *arena_array(struct arena *a, size_t count, size_t size);

/* A copy of s, with a NUL behind it that is not counted. */
struct slice arena_dup(struct arena *a, struct slice s);

/* The same as a C string; a NUL inside s ends it early. */
const char *arena_cstr(struct arena *a, struct slice s);

/* Formatted text, with a NUL behind it that is not counted. */
struct slice arena_printf(struct arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A new cleared object of a type. */
#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))

#endif
