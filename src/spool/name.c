/*
 * name.c - the names of jobs and where their files lie.
 */
#include "spool/name.h"

/* What Linux allows (NAME_MAX); a whole name far below PATH_MAX. */
enum { COMPONENT_MAX = 255, NAME_LEN_MAX = 1024 };

static bool is_dots(struct slice part)
{
	return slice_eq(part, SLICE(".")) || slice_eq(part, SLICE(".."));
}

static int check_components(struct slice name, struct err *err)
{
	struct slice rest = name, part;

	while (slice_cut(&rest, '/', &part)) {
		if (part.len == 0)
			return FAIL(err, "job name '%.*s': empty component",
				    SLICE_ARG(name));
		if (is_dots(part))
			return FAIL(err, "job name '%.*s': '%.*s' in it",
				    SLICE_ARG(name), SLICE_ARG(part));
		if (part.len > COMPONENT_MAX)
			return FAIL(err, "job name '%.*s': component too long",
				    SLICE_ARG(name));
	}
	return 0;
}

/* Reads the number at the start of job->base. */
static int read_id(struct jobname *job, struct err *err)
{
	size_t n = 0;

	while (n < job->base.len && ascii_is_digit(job->base.p[n]))
		n++;
	if (n == 0)
		return FAIL(err, "job name '%.*s': no number",
			    SLICE_ARG(job->name));
	if (!slice_uint(slice_head(job->base, n), UINT64_MAX, &job->id))
		return FAIL(err, "job name '%.*s': number too large",
			    SLICE_ARG(job->name));
	return 0;
}

int jobname_parse(struct slice name, struct jobname *ret, struct err *err)
{
	struct jobname job = { .name = name };
	size_t slash = slice_find_last(name, '/');

	if (name.len == 0)
		return FAIL(err, "empty job name");
	if (name.len > NAME_LEN_MAX)
		return FAIL(err, "job name longer than %d bytes", NAME_LEN_MAX);
	if (name.p[0] == '/')
		return FAIL(err, "job name '%.*s' is absolute",
			    SLICE_ARG(name));
	if (slice_has_control(name))
		return FAIL(err, "job name '%.*s': control byte",
			    SLICE_ARG(name));
	if (check_components(name, err) < 0)
		return -1;
	job.prefix = slice_head(name, slash < name.len ? slash + 1 : 0);
	job.base = slice_from(name, job.prefix.len);
	if (read_id(&job, err) < 0)
		return -1;
	*ret = job;
	return 0;
}

int jobname_message_path(const struct jobname *job, struct slice message_name,
			 struct arena *a, const char **ret_path,
			 struct err *err)
{
	if (message_name.len == 0)
		return FAIL(err, "empty name of a message file");
	if (slice_has(message_name, '/') || slice_has_control(message_name) ||
	    is_dots(message_name))
		return FAIL(err, "bad name of a message file: '%.*s'",
			    SLICE_ARG(message_name));
	*ret_path = arena_printf(a, "../queue/%.*s%.*s", SLICE_ARG(job->prefix),
				 SLICE_ARG(message_name))
			.p;
	return 0;
}

void jobname_add_hash(struct str *to, uint64_t number, unsigned levels)
{
	if (levels >= 2) {
		str_addc(to, (char)('A' + number / 26 % 26));
		str_addc(to, '/');
	}
	if (levels >= 1) {
		str_addc(to, (char)('A' + number % 26));
		str_addc(to, '/');
	}
}
