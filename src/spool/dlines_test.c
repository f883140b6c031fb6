/*
 * dlines_test.c - which lines are diagnostics, and marks in place.
 */
#include "spool/dlines.h"

#include "base/fd.h"
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char text[] = "@ 0x7\ni 5\no 2\n"
			   "s local - alice 501\n"
			   "r           smtp example.com bob@example.com 501\n"
			   "m\nFrom: a\nd 1:2:-1::3\tforged\tx\n\n"
			   "d 34:85:-1::1767268805\tbob\x01"
			   "failed\x01"
			   "5.1.1\x01x\x01y\ttext\n"
			   "d nonsense\n"
			   "d+34:85:-1::1767268806\tn\ttold\n"
			   "m\n\n"
			   "d 99:85:-1::1767268807\tn\tbehind\n"
			   "d 99:85:-1::17672";

static void test_only_whole_lines_outside_headers_count(void **state)
{
	struct slice all = slice_of(text);
	size_t at = 0, offset;
	struct dline d;

	(void)state;
	assert_true(dlines_next(all, &at, &offset, &d));
	assert_int_equal(d.rcpt_offset, 34);
	assert_int_equal(d.tag, ' ');
	assert_slice_is(d.message, "text");
	assert_true(slice_starts(slice_from(all, offset), SLICE("d 34:")));
	assert_true(dlines_next(all, &at, &offset, &d));
	assert_int_equal(d.tag, '+');
	assert_true(dlines_next(all, &at, &offset, &d));
	assert_slice_is(d.message, "behind");
	assert_false(dlines_next(all, &at, &offset, &d));
}

static void test_marks_are_written_in_place(void **state)
{
	struct ctl_rcpt rcpt = { .offset = 34 };
	struct str now = STR_INIT;
	FILE *f = tmpfile();
	struct slice all = slice_of(text);
	size_t at = 0, offset;
	struct dline d;
	struct err err;

	(void)state;
	rcpt.offset = slice_find_text(all, SLICE("\nr ")) + 1;
	assert_int_equal(fwrite(text, 1, sizeof(text) - 1, f),
			 sizeof(text) - 1);
	assert_int_equal(fflush(f), 0);
	assert_true(dlines_next(all, &at, &offset, &d));
	assert_int_equal(dlines_mark_reported(fileno(f), offset, &err), 0);
	assert_int_equal(dlines_hold(fileno(f), &rcpt, false, &err), -1);
	assert_int_equal(dlines_hold(fileno(f), &rcpt, true, &err), 0);
	assert_int_equal(dlines_hold(fileno(f), &rcpt, true, &err), -1);
	rewind(f);
	assert_int_equal(fd_read_all(fileno(f), 0, 4096, &now), 0);
	assert_int_equal(now.len, sizeof(text) - 1);
	assert_int_equal(now.p[offset + 1], '+');
	assert_int_equal(now.p[rcpt.offset + 1], 'h');
	now.p[offset + 1] = ' ';
	now.p[rcpt.offset + 1] = ' ';
	assert_slice_is(str_slice(&now), text);
	assert_int_equal(dlines_hold(fileno(f), &rcpt, false, &err), 0);
	assert_int_equal(dlines_end_held(fileno(f), &rcpt, &err), -1);
	assert_int_equal(dlines_hold(fileno(f), &rcpt, true, &err), 0);
	assert_int_equal(dlines_end_held(fileno(f), &rcpt, &err), 0);
	assert_int_equal(dlines_end_held(fileno(f), &rcpt, &err), -1);
	assert_int_equal(dlines_hold(fileno(f), &rcpt, false, &err), -1);
	str_done(&now);
	fclose(f);
}

static void test_delays_stand_in_their_slot(void **state)
{
	static const struct {
		unsigned delays;
		const char *want;
	} rows[] = { { 1, "   1" }, { 12, "  12" }, { 9999, "9999" } };
	struct ctl_rcpt rcpt = { .offset = 34, .has_delay_slot = true };
	size_t slot = 34 + 2 + CTL_PID_WIDTH;
	FILE *f = tmpfile();
	struct err err;

	(void)state;
	assert_int_equal(fwrite(text, 1, sizeof(text) - 1, f),
			 sizeof(text) - 1);
	assert_int_equal(fflush(f), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str now = STR_INIT;

		assert_int_equal(
		    dlines_set_delays(fileno(f), &rcpt, rows[i].delays, &err),
		    0);
		rewind(f);
		assert_int_equal(fd_read_all(fileno(f), 0, 4096, &now), 0);
		assert_slice_is(slice_make(now.p + slot, CTL_DELAY_WIDTH),
				rows[i].want);
		for (int k = 0; k < CTL_DELAY_WIDTH; k++)
			now.p[slot + (size_t)k] = ' ';
		assert_memory_equal(now.p, text, slot + CTL_DELAY_WIDTH);
		str_done(&now);
	}
	rcpt.has_delay_slot = false; /* then nothing is written over */
	assert_int_equal(dlines_set_delays(fileno(f), &rcpt, 7, &err), 0);
	fclose(f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_whole_lines_outside_headers_count),
		cmocka_unit_test(test_marks_are_written_in_place),
		cmocka_unit_test(test_delays_stand_in_their_slot),
	};

	return TEST_RUN(tests);
}
