/*
 * dline_fuzz.c - what is printed is read back as it was.
 *
 * The input is tried as a `d` line, and as the two texts of one.
 */
#include "spool/dline.h"

#include "base/fuzz.h"

static void check_same(const struct dline *a, const struct dline *b)
{
	FUZZ_CHECK(a->tag == b->tag);
	FUZZ_CHECK(a->rcpt_offset == b->rcpt_offset);
	FUZZ_CHECK(a->header_offset == b->header_offset);
	FUZZ_CHECK(a->dsn_offset == b->dsn_offset);
	FUZZ_CHECK(a->time == b->time);
	FUZZ_CHECK(slice_eq(a->notary, b->notary));
	FUZZ_CHECK(slice_eq(a->message, b->message));
}

/* Prints d and reads the line back; *ret borrows from *line. */
static void print_and_parse(const struct dline *d, struct str *line,
			    struct dline *ret)
{
	struct err err;
	struct slice s;

	dline_print(line, d);
	s = str_slice(line);
	FUZZ_CHECK(slice_find(s, '\n') == s.len - 1);
	FUZZ_CHECK(!slice_has(s, '\0'));
	FUZZ_CHECK(dline_parse(slice_head(s, s.len - 1), ret, &err) == 0);
}

/* Printing once makes the texts clean, so that twice changes nothing. */
static void check_round_trip(const struct dline *d, bool is_clean)
{
	struct str first = STR_INIT, second = STR_INIT;
	struct dline once, twice;

	print_and_parse(d, &first, &once);
	if (is_clean)
		check_same(d, &once);
	FUZZ_CHECK(once.notary.len == d->notary.len);
	FUZZ_CHECK(once.message.len <= DLINE_MESSAGE_MAX);
	print_and_parse(&once, &second, &twice);
	check_same(&once, &twice);
	str_done(&second);
	str_done(&first);
}

FUZZ(data, size)
{
	struct slice text = slice_make((const char *)data, size);
	struct dline d = {
		.tag = size % 2 ? '+' : ' ',
		.rcpt_offset = UINT64_MAX - size,
		.header_offset = size % 3 ? (int64_t)size : -1,
		.dsn_offset = size % 5 ? INT64_MAX : -1,
		.time = size % 7 ? -(int64_t)size : INT64_MAX,
		.notary = slice_head(text, size / 3),
		.message = slice_from(text, size / 3),
	};
	struct err err;

	check_round_trip(&d, false);
	if (dline_parse(text, &d, &err) == 0)
		check_round_trip(&d, !slice_has(text, '\n') &&
					 !slice_has(text, '\0') &&
					 d.message.len <= DLINE_MESSAGE_MAX);
	return 0;
}
