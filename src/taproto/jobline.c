/*
 * jobline.c - lines from the scheduler to an agent.
 *
 * The buffer holds whole lines, each with its LF, and behind them the start of
 * an unfinished one. At most JOBLINE_MAX + 1 bytes of a line are stored: the
 * one byte more is what tells, once the LF has come, that it was too long.
 * Thus the result cannot depend on the chunks in which a line came.
 */
#include "taproto/jobline.h"

void jobline_reader_done(struct jobline_reader *r)
{
	str_done(&r->buffer);
	*r = (struct jobline_reader){ 0 };
}

/* Forgets lines handed out, moving the rest only when that is the lesser. */
static void compact(struct jobline_reader *r)
{
	if (r->taken < r->buffer.len - r->taken)
		return;
	str_shift(&r->buffer, r->taken);
	r->taken = 0;
}

void jobline_feed(struct jobline_reader *r, struct slice bytes)
{
	compact(r);
	while (bytes.len > 0) {
		size_t end = slice_find(bytes, '\n');
		struct slice part = slice_head(bytes, end);

		part = slice_head(part, JOBLINE_MAX + 1 - r->partial);
		str_add(&r->buffer, part);
		r->partial += part.len;
		if (end < bytes.len) {
			str_addc(&r->buffer, '\n');
			r->partial = 0;
		}
		bytes = slice_from(bytes, end + 1);
	}
}

bool jobline_ready(const struct jobline_reader *r)
{
	return r->buffer.len - r->taken > r->partial;
}

static void parse(struct slice line, struct jobline *ret)
{
	struct slice rest = line;
	struct jobline job = { .line = slice_head(line, JOBLINE_MAX) };

	if (line.len > JOBLINE_MAX) {
		job.kind = JOBLINE_TOO_LONG;
	} else if (line.len == 0) {
		job.kind = JOBLINE_STOP;
	} else if (slice_eq(line, SLICE("#idle"))) {
		job.kind = JOBLINE_IDLE;
	} else if (line.p[0] == '#') {
		job.kind = JOBLINE_IGNORED;
	} else {
		job.kind = JOBLINE_JOB;
		slice_cut(&rest, '\t', &job.name);
		job.has_host = rest.p != NULL;
		job.host = rest;
	}
	*ret = job;
}

bool jobline_next(struct jobline_reader *r, struct jobline *ret)
{
	struct slice left = slice_from(str_slice(&r->buffer), r->taken);
	size_t end;

	if (!jobline_ready(r))
		return false;
	end = slice_find(left, '\n');
	r->taken += end + 1;
	parse(slice_head(left, end), ret);
	return true;
}

int jobline_print_job(struct str *to, struct slice name, bool has_host,
		      struct slice host, struct err *err)
{
	size_t len = name.len + (has_host ? 1 + host.len : 0);

	if (name.len == 0)
		return FAIL(err, "job line: the spool name is empty");
	if (name.p[0] == '#')
		return FAIL(err, "job line: '%.*s' begins with '#'",
			    SLICE_ARG(name));
	if (slice_has_control(name))
		return FAIL(err, "job line: control byte in name '%.*s'",
			    SLICE_ARG(name));
	if (has_host && slice_has_control(host))
		return FAIL(err, "job line: control byte in host '%.*s'",
			    SLICE_ARG(host));
	if (len > JOBLINE_MAX)
		return FAIL(err, "job line: %zu bytes, at most %d", len,
			    (int)JOBLINE_MAX);
	str_add(to, name);
	if (has_host) {
		str_addc(to, '\t');
		str_add(to, host);
	}
	str_addc(to, '\n');
	return 0;
}

void jobline_print_idle(struct str *to)
{
	str_adds(to, "#idle\n");
}

void jobline_print_stop(struct str *to)
{
	str_addc(to, '\n');
}
