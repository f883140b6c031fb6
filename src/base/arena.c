/*
 * arena.c - memory that is freed all at once.
 *
 * A list of blocks; allocation bumps a pointer in the newest. A request
 * larger than a block gets a block of its own. arena_reset() keeps a single
 * block, as large as all blocks of the round before were together.
 */
#include "base/arena.h"

#include "base/mem.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BLOCK = 16 * 1024, ARENA_KEEP = 1024 * 1024 };

struct block {
	struct block *older;
	size_t size, used;
	alignas(max_align_t) char bytes[];
};

struct arena {
	struct block *newest;
};

static struct block *block_new(size_t size, struct block *older)
{
	struct block *b;

	if (size > SIZE_MAX - sizeof(*b))
		mem_exhausted();
	b = mem_alloc(sizeof(*b) + size);
	b->older = older;
	b->size = size;
	b->used = 0;
	return b;
}

struct arena *arena_new(void)
{
	struct arena *a = mem_zero(1, sizeof(*a));

	a->newest = block_new(ARENA_BLOCK, NULL);
	return a;
}

static void drop_blocks(struct arena *a)
{
	while (a->newest != NULL) {
		struct block *b = a->newest;

		a->newest = b->older;
		free(b);
	}
}

void arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	drop_blocks(a);
	free(a);
}

void arena_reset(struct arena *a)
{
	size_t total = 0;

	if (a->newest->older == NULL) {
		a->newest->used = 0;
		return;
	}
	for (const struct block *b = a->newest; b != NULL; b = b->older)
		total += b->size;
	drop_blocks(a);
	a->newest = block_new(total < ARENA_KEEP ? total : ARENA_KEEP, NULL);
}

static char *bump(struct arena *a, size_t n)
{
	const size_t align = alignof(max_align_t);
	struct block *b = a->newest;
	char *p;

	if (n > SIZE_MAX - align)
		mem_exhausted();
	n = (n + align - 1) / align * align;
	if (n > b->size - b->used) {
		b = block_new(n > ARENA_BLOCK ? n : ARENA_BLOCK, b);
		a->newest = b;
	}
	p = b->bytes + b->used;
	b->used += n;
	return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
	return memset(bump(a, n), 0, n);
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	if (size > 0 && count > SIZE_MAX / size)
		mem_exhausted();
	return arena_alloc(a, count * size);
}

struct slice arena_dup(struct arena *a, struct slice s)
{
	char *p;

	if (s.len == SIZE_MAX)
		mem_exhausted();
	p = bump(a, s.len + 1);
	if (s.len > 0)
		memcpy(p, s.p, s.len);
	p[s.len] = '\0';
	return slice_make(p, s.len);
}

const char *arena_cstr(struct arena *a, struct slice s)
{
	return arena_dup(a, s).p;
}

struct slice arena_printf(struct arena *a, const char *format, ...)
{
	va_list ap;
	char *p;
	int n, m;

	va_start(ap, format);
	n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	assert(n >= 0);
	p = bump(a, (size_t)n + 1);
	va_start(ap, format);
	m = vsnprintf(p, (size_t)n + 1, format, ap);
	va_end(ap);
	assert(m == n);
	return slice_make(p, (size_t)m);
}
