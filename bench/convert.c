/*
 * convert.c - how fast bytes go through the conversion, in memory.
 *
 * usage: convert HOW ENCODING PASSES FILE
 *
 * The file is a body. HOW is "plan": the body is looked at and filtered, as
 * smtp does it for a server that gets it as it is; "memchr": it is searched
 * for line ends by memchr(3), and filtered; "7bit": it is looked at, converted
 * for a server of 7 bits, and filtered. ENCODING is the label: of text, or
 * with "binary" of an image. Prints the seconds of the fastest pass and the
 * bytes that it gave.
 */
#include "mime/passage.h"
#include "mime/treeconv.h"
#include "mime/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHUNK = 64 * 1024 };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t search(struct slice s)
{
	size_t n = 0;
	const char *p = s.p, *end = s.p + s.len;

	while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL && ++p < end)
		n++;
	return n;
}

static size_t filter(struct slice body)
{
	struct str out = STR_INIT;
	struct wire w;
	size_t n = 0;

	wire_begin(&w, WIRE_CRLF | WIRE_DOTS);
	for (size_t i = 0; i < body.len; i += CHUNK) {
		str_clear(&out);
		wire_push(&w, slice_head(slice_from(body, i), CHUNK), &out);
		n += out.len;
	}
	str_done(&out);
	return n;
}

static size_t convert(struct slice body, const struct passage *p)
{
	struct str out = STR_INIT, scratch = STR_INIT;
	struct treeconv c;
	struct wire w;
	size_t n = 0;

	treeconv_begin(&c, p->tree, &p->plan);
	wire_begin(&w, WIRE_CRLF | WIRE_DOTS);
	for (size_t i = 0; i < body.len; i += CHUNK) {
		str_clear(&out);
		treeconv_push_wire(&c, slice_head(slice_from(body, i), CHUNK),
				   &scratch, &w, &out);
		n += out.len;
	}
	treeconv_end(&c, &out);
	treeconv_done(&c);
	str_done(&scratch);
	str_done(&out);
	return n;
}

static size_t plan_and_send(struct slice header, struct slice body,
			    bool is_8bit)
{
	struct mime_channel channel = { .takes_8bit = is_8bit,
					.line_max = 998,
					.encodes_nul = true };
	struct arena *a = arena_new();
	struct passage p;
	struct glance g;
	struct tree t;
	size_t n;

	passage_begin(&p, header);
	glance_begin(&g, channel.line_max);
	for (size_t i = 0; i < body.len; i += CHUNK)
		glance_push(&g, slice_head(slice_from(body, i), CHUNK));
	if (!passage_needs_closer_look(&p, &channel, &g)) {
		passage_plan_glanced(&p, &g, &channel);
		passage_done(&p);
		arena_free(a);
		return filter(body);
	}
	tree_begin(&t, &p.label, false, a);
	for (size_t i = 0; i < body.len; i += CHUNK)
		tree_push(&t, slice_head(slice_from(body, i), CHUNK));
	tree_end(&t);
	passage_plan(&p, &t, &channel);
	n = passage_converts_body(&p) ? convert(body, &p) : filter(body);
	passage_done(&p);
	tree_done(&t);
	arena_free(a);
	return n;
}

static size_t pass(const char *how, struct slice header, struct slice body)
{
	if (strcmp(how, "memchr") == 0)
		return filter(body) + (search(body) == 0);
	return plan_and_send(header, body, strcmp(how, "plan") == 0);
}

static struct slice read_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	char *bytes;
	long size;

	if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0)
		exit(1);
	bytes = malloc((size_t)size + 1);
	rewind(f);
	if (bytes == NULL || fread(bytes, 1, (size_t)size, f) != (size_t)size)
		exit(1);
	fclose(f);
	return slice_make(bytes, (size_t)size);
}

int main(int argc, char **argv)
{
	struct str header = STR_INIT;
	struct slice body;
	double best = 1e9;
	size_t n = 0;

	if (argc != 5) {
		fputs("usage: convert HOW ENCODING PASSES FILE\n", stderr);
		return 2;
	}
	body = read_file(argv[4]);
	str_addf(&header,
		 "MIME-Version: 1.0\nContent-Type: %s\n"
		 "Content-Transfer-Encoding: %s\n",
		 strcmp(argv[2], "binary") == 0 ? "image/png" : "text/plain",
		 argv[2]);
	for (int i = atoi(argv[3]); i > 0; i--) {
		double begin = now(), took;

		n = pass(argv[1], str_slice(&header), body);
		took = now() - begin;
		if (took < best)
			best = took;
	}
	printf("%.9f %zu\n", best, n);
	str_done(&header);
	free((char *)body.p);
	return 0;
}
