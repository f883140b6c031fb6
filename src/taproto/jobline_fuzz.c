/*
 * jobline_fuzz.c - any bytes from a scheduler.
 *
 * Invariants: chunks do not matter; one line comes out for each LF that went
 * in; a job that can be printed reads back as itself, and what is printed is
 * one line.
 */
#include "taproto/jobline.h"

#include "base/fuzz.h"

static void check_printing(const struct jobline *job)
{
	struct jobline_reader r = { 0 };
	struct str line = STR_INIT;
	struct jobline again;

	if (jobline_print_job(&line, job->name, job->has_host, job->host,
			      NULL) < 0) {
		FUZZ_CHECK(line.len == 0);
		return;
	}
	FUZZ_CHECK(slice_find(str_slice(&line), '\n') == line.len - 1);
	jobline_feed(&r, str_slice(&line));
	FUZZ_CHECK(jobline_next(&r, &again));
	FUZZ_CHECK(again.kind == JOBLINE_JOB);
	FUZZ_CHECK(slice_eq(again.name, job->name));
	FUZZ_CHECK(again.has_host == job->has_host);
	FUZZ_CHECK(slice_eq(again.host, job->host));
	FUZZ_CHECK(!jobline_ready(&r));
	jobline_reader_done(&r);
	str_done(&line);
}

/* Takes what is there; writes it down so that runs can be compared. */
static size_t take_lines(struct jobline_reader *r, struct str *log)
{
	struct jobline got;
	size_t count = 0;

	while (jobline_ready(r)) {
		FUZZ_CHECK(jobline_next(r, &got));
		FUZZ_CHECK(got.line.len <= JOBLINE_MAX);
		FUZZ_CHECK(!slice_has(got.line, '\n'));
		str_addf(log, "%d%d ", (int)got.kind, got.has_host);
		str_add(log, got.name);
		str_addc(log, '\n');
		str_add(log, got.host);
		str_addc(log, '\n');
		str_add(log, got.line);
		str_addc(log, '\n');
		if (got.kind == JOBLINE_JOB)
			check_printing(&got);
		count++;
	}
	FUZZ_CHECK(!jobline_next(r, &got));
	return count;
}

/* Feeds all of whole in chunks of 1 to `most` bytes. */
static void run(struct slice whole, size_t most, struct str *log)
{
	struct jobline_reader r = { 0 };
	size_t lf = 0, count = 0, step = 0;

	for (size_t i = 0; i < whole.len; i++)
		lf += whole.p[i] == '\n';
	while (whole.len > 0) {
		size_t n = 1 + step++ * 7 % most;

		jobline_feed(&r, slice_head(whole, n));
		if (most % 2 == 1)
			count += take_lines(&r, log);
		whole = slice_from(whole, n);
	}
	count += take_lines(&r, log);
	FUZZ_CHECK(count == lf);
	jobline_reader_done(&r);
}

FUZZ(data, size)
{
	struct slice whole = slice_make((const char *)data, size);
	static const size_t most[] = { 1, 2, 5, 64, 4095 };
	struct str want = STR_INIT, got = STR_INIT;

	run(whole, size + 1, &want);
	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		str_clear(&got);
		run(whole, most[i], &got);
		FUZZ_CHECK(slice_eq(str_slice(&got), str_slice(&want)));
	}
	str_done(&want);
	str_done(&got);
	return 0;
}
