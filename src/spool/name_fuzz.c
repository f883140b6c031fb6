/*
 * name_fuzz.c - a job name that is taken stays below the spool.
 *
 * The input is a job name, a LF, and the name of a message file.
 */
#include "spool/name.h"

#include "base/fuzz.h"

#include <string.h>

static void check_components(struct slice path)
{
	struct slice part;

	while (slice_cut(&path, '/', &part)) {
		FUZZ_CHECK(part.len > 0);
		FUZZ_CHECK(!slice_eq(part, SLICE(".")));
		FUZZ_CHECK(!slice_eq(part, SLICE("..")));
	}
}

static void check_path(const struct jobname *job, struct slice message_name,
		       struct arena *a)
{
	const char *path;
	struct err err;
	struct slice rest;

	if (jobname_message_path(job, message_name, a, &path, &err) < 0)
		return;
	FUZZ_CHECK(strlen(path) == 9 + job->prefix.len + message_name.len);
	rest = slice_of(path);
	FUZZ_CHECK(slice_starts(rest, SLICE("../queue/")));
	rest = slice_from(rest, 9);
	FUZZ_CHECK(slice_starts(rest, job->prefix));
	FUZZ_CHECK(!slice_has_control(rest));
	check_components(rest);
}

FUZZ(data, size)
{
	struct slice rest = slice_make((const char *)data, size), name;
	struct str number = STR_INIT;
	struct jobname job;
	struct arena *a;
	struct err err;

	if (!slice_cut(&rest, '\n', &name))
		name = slice_make(NULL, 0);
	if (jobname_parse(name, &job, &err) < 0)
		return 0;
	FUZZ_CHECK(slice_eq(job.name, name));
	FUZZ_CHECK(job.prefix.len + job.base.len == name.len);
	FUZZ_CHECK(ascii_is_digit(job.base.p[0]));
	FUZZ_CHECK(!slice_has_control(name));
	check_components(name);
	str_addu(&number, job.id);
	FUZZ_CHECK(slice_find_text(job.base, str_slice(&number)) <
		   job.base.len);
	str_done(&number);

	a = arena_new();
	check_path(&job, rest, a);
	arena_free(a);
	return 0;
}
