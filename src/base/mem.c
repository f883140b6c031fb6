/*
 * mem.c - memory that is always there, or the program ends (EX_TEMPFAIL).
 */
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

_Noreturn void mem_exhausted(void)
{
	static const char text[] = "# out of memory\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)n; /* nothing is left to be tried if this fails too */
	exit(EX_TEMPFAIL);
}

void *mem_alloc(size_t n)
{
	void *p = malloc(n > 0 ? n : 1);

	if (p == NULL)
		mem_exhausted();
	return p;
}

void *mem_zero(size_t count, size_t size)
{
	void *p = calloc(count > 0 ? count : 1, size > 0 ? size : 1);

	if (p == NULL)
		mem_exhausted();
	return p;
}

void *mem_resize(void *p, size_t n)
{
	void *q = realloc(p, n > 0 ? n : 1);

	if (q == NULL)
		mem_exhausted();
	return q;
}

void *mem_grow(void *items, size_t *cap, size_t need, size_t size)
{
	size_t n = *cap > 0 ? *cap : 8;

	if (need <= *cap)
		return items;
	while (n < need) {
		if (n > SIZE_MAX / 2)
			mem_exhausted();
		n *= 2;
	}
	if (size > 0 && n > SIZE_MAX / size)
		mem_exhausted();
	items = mem_resize(items, n * size);
	*cap = n;
	return items;
}
