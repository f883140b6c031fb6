/*
 * dns_recorded.c - the source that answers from a file.
 */
#include "net/dns_record.h"

#include "base/fd.h"
#include "base/mem.h"
#include "net/dns_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct recorded {
	struct dns_source source; /* the first, so that one is the other */
	struct dns_answer *answers;
	size_t n, cap;
	const char *name;
	struct arena *arena;
};

static const struct dns_answer *find(const struct recorded *r,
				     const struct dns_answer *question)
{
	struct dns_name asked, name;

	if (!dns_name_read(question->name, &asked))
		return NULL;
	for (size_t i = r->n; i-- > 0;)
		if (r->answers[i].type == question->type &&
		    dns_name_read(r->answers[i].name, &name) &&
		    dns_name_eq(&name, &asked))
			return &r->answers[i];
	return NULL;
}

/* All text of the answer is copied, since the arena may outlive the source. */
static void copy_answer(const struct dns_answer *from, struct dns_answer *to,
			struct arena *a)
{
	struct str line = STR_INIT;
	struct slice name = to->name;
	struct err err;
	int r;

	dns_record_print(&line, from);
	r = dns_record_read(str_slice(&line), to, a, &err);
	if (r != 0)
		abort(); /* it was read once before */
	to->name = name;
	str_done(&line);
}

static void recorded_ask(struct dns_source *source, struct dns_answer *answers,
			 size_t n, int64_t deadline, struct arena *a)
{
	const struct recorded *r = (const struct recorded *)source;

	(void)deadline;
	for (size_t i = 0; i < n; i++) {
		const struct dns_answer *found = find(r, &answers[i]);

		if (found != NULL) {
			copy_answer(found, &answers[i], a);
			continue;
		}
		answers[i].verdict = DNS_UNAVAILABLE;
		answers[i].canonical = answers[i].name;
		answers[i].is_recorded = true;
		answers[i].detail = arena_printf(a, "not in %s", r->name);
	}
}

static void recorded_free(struct dns_source *source)
{
	struct recorded *r = (struct recorded *)source;

	free(r->answers);
	arena_free(r->arena);
	free(r);
}

int dns_recorded(struct slice text, const char *name, struct dns_source **ret,
		 struct err *err)
{
	struct recorded *r = mem_zero(1, sizeof(*r));
	struct slice line;
	size_t number = 0;

	r->source.ask = recorded_ask;
	r->source.free = recorded_free;
	r->arena = arena_new();
	r->name = arena_cstr(r->arena, slice_of(name));
	while (slice_cut(&text, '\n', &line)) {
		struct dns_answer answer;
		int done = dns_record_read(line, &answer, r->arena, err);

		number++;
		if (done < 0) {
			recorded_free(&r->source);
			return FAIL(err, "%s:%zu: %s", name, number, err->text);
		}
		if (done > 0)
			continue;
		r->answers = mem_grow(r->answers, &r->cap, r->n + 1,
				      sizeof(*r->answers));
		r->answers[r->n++] = answer;
	}
	*ret = &r->source;
	return 0;
}

int dns_recorded_file(const char *path, struct dns_source **ret,
		      struct err *err)
{
	struct str text = STR_INIT;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0) {
		r = FAIL_CODE(err, errno, "%s: %s", path, strerror(errno));
		goto out;
	}
	r = fd_read_all(fd, 0, DNS_FILE_MAX, &text);
	if (r < 0)
		r = FAIL_CODE(err, errno, "%s: %s", path, strerror(errno));
	else if (r > 0)
		r = FAIL(err, "%s: larger than %d bytes", path, DNS_FILE_MAX);
	else
		r = dns_recorded(str_slice(&text), path, ret, err);
out:
	fd_close(fd);
	str_done(&text);
	return r;
}
