/*
 * heap.h - a binary heap of things that know where in it they are.
 *
 * Each thing has a place of its own (uint32_t, 0: not in the heap), so that it
 * can be moved or taken out in logarithmic time.
 */
#ifndef QUEUE_HEAP_H
#define QUEUE_HEAP_H

#include "base/slice.h"

struct heap_entry {
	int64_t key;
	uint32_t *place; /* borrowed: lies within the thing */
};

struct heap {
	struct heap_entry *entries; /* the first is unused */
	uint32_t n;
	uint32_t cap;
};

/* Puts a thing in, or moves it if it is in already. */
void heap_set(struct heap *h, uint32_t *place, int64_t key);

/* Takes it out, if it is in. */
void heap_drop(struct heap *h, uint32_t *place);

/* The one with the smallest key, or NULL. */
uint32_t *heap_first(const struct heap *h);

/* That key; INT64_MAX if the heap is empty. */
int64_t heap_key(const struct heap *h);

/* Frees what the heap holds itself. */
void heap_done(struct heap *h);

#endif
