/*
 * mem.h - memory that is always there.
 *
 * Out of memory is not an error that callers handle: these functions print
 * one line and exit with EX_TEMPFAIL. An agent that ends so leaves its pid in
 * the lock slots, and the scheduler finds the locks stale and tries again.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* n bytes, not cleared; given to the caller, who frees them with free(). */
void *mem_alloc(size_t n);

/* count times size bytes, cleared; an overflow is out of memory. */
void *mem_zero(size_t count, size_t size);

/* realloc(3) that never returns NULL; n is at least 1. */
void *mem_resize(void *p, size_t n);

/*
 * Makes room in a growing array: returns `items` or its larger copy, in which
 * `need` elements of `size` bytes fit, and updates *cap (elements). Grows by
 * doubling, so that appending costs constant time. Given to the caller.
 */
void *mem_grow(void *items, size_t *cap, size_t need, size_t size);

/* Prints that memory is short and exits with EX_TEMPFAIL. */
_Noreturn void mem_exhausted(void);

#endif
