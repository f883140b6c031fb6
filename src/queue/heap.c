/*
 * heap.c - a binary heap of things that know where in it they are.
 */
#include "queue/heap.h"

#include "base/mem.h"

#include <stdlib.h>

static void put(struct heap *h, uint32_t at, struct heap_entry e)
{
	h->entries[at] = e;
	*e.place = at;
}

static void rise(struct heap *h, uint32_t at, struct heap_entry e)
{
	while (at > 1 && h->entries[at / 2].key > e.key) {
		put(h, at, h->entries[at / 2]);
		at /= 2;
	}
	put(h, at, e);
}

static void sink(struct heap *h, uint32_t at, struct heap_entry e)
{
	uint32_t child;

	while ((child = 2 * at) <= h->n) {
		if (child < h->n &&
		    h->entries[child + 1].key < h->entries[child].key)
			child++;
		if (h->entries[child].key >= e.key)
			break;
		put(h, at, h->entries[child]);
		at = child;
	}
	put(h, at, e);
}

static void settle(struct heap *h, uint32_t at, struct heap_entry e)
{
	if (at > 1 && h->entries[at / 2].key > e.key)
		rise(h, at, e);
	else
		sink(h, at, e);
}

void heap_set(struct heap *h, uint32_t *place, int64_t key)
{
	struct heap_entry e = { key, place };

	if (*place != 0) {
		settle(h, *place, e);
		return;
	}
	if (h->n + 2 > h->cap) {
		h->cap = h->cap == 0 ? 4 : 2 * h->cap;
		h->entries =
		    mem_resize(h->entries, h->cap * sizeof(*h->entries));
	}
	h->n++;
	rise(h, h->n, e);
}

void heap_drop(struct heap *h, uint32_t *place)
{
	uint32_t at = *place;

	if (at == 0)
		return;
	*place = 0;
	h->n--;
	if (at <= h->n)
		settle(h, at, h->entries[h->n + 1]);
	if (h->n == 0)
		heap_done(h); /* most threads are empty most of the time */
}

uint32_t *heap_first(const struct heap *h)
{
	return h->n > 0 ? h->entries[1].place : NULL;
}

int64_t heap_key(const struct heap *h)
{
	return h->n > 0 ? h->entries[1].key : INT64_MAX;
}

void heap_done(struct heap *h)
{
	free(h->entries);
	*h = (struct heap){ 0 };
}
