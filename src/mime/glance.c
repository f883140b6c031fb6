/*
 * glance.c - does a body hold anything that calls for a closer look?
 *
 * Two sweeps over a chunk, which lies in the cache: one by vectors for 8-bit
 * bytes and NULs; one for lines, which looks at one place in line_max bytes:
 * backward from where a line would become too long, for the LF that ends it.
 */
#include "mime/glance.h"

#include <string.h>

enum { LANES = 16 };

typedef signed char lanes __attribute__((vector_size(LANES)));

void glance_begin(struct glance *g, uint64_t line_max)
{
	*g = (struct glance){ .line_max = line_max };
}

static bool any_negative(lanes v)
{
	signed char bytes[LANES];
	bool is_any = false;

	memcpy(bytes, &v, LANES);
	for (size_t i = 0; i < LANES; i++)
		is_any |= bytes[i] < 0;
	return is_any;
}

static void glance_bytes(struct glance *g, struct slice in)
{
	lanes wide = { 0 }, nul = { 0 }, v[4];
	size_t i = 0;

	for (; in.len - i >= sizeof(v); i += sizeof(v)) {
		memcpy(v, in.p + i, sizeof(v));
		wide |= v[0] | v[1] | v[2] | v[3];
		/* a comparison gives -1 where it holds */
		nul |= (v[0] == 0) | (v[1] == 0) | (v[2] == 0) | (v[3] == 0);
	}
	g->has_8bit |= any_negative(wide);
	g->has_nul |= any_negative(nul);
	for (; i < in.len; i++) {
		g->has_8bit |= (unsigned char)in.p[i] >= 0x80;
		g->has_nul |= in.p[i] == '\0';
	}
}

static void glance_lines(struct glance *g, struct slice in)
{
	const char *p = in.p, *end = in.p + in.len, *lf;

	/* All of a window without an LF belongs to one line. */
	while (!g->may_be_long && (uint64_t)(end - p) > g->line_max - g->line) {
		size_t window = (size_t)(g->line_max - g->line) + 1;

		lf = memrchr(p, '\n', window);
		g->may_be_long = lf == NULL;
		if (lf != NULL)
			p = lf + 1;
		g->line = 0;
	}
	lf = memrchr(p, '\n', (size_t)(end - p));
	g->line = lf != NULL ? (uint64_t)(end - lf) - 1
			     : g->line + (uint64_t)(end - p);
}

void glance_push(struct glance *g, struct slice in)
{
	if (in.len == 0)
		return;
	g->size += in.len;
	glance_bytes(g, in);
	if (g->line_max > 0 && !g->may_be_long)
		glance_lines(g, in);
}
