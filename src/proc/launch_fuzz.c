/*
 * launch_fuzz.c - any word, and any report: understood or named, never a
 * control character in what is said of it.
 */
#include "proc/launch.h"

#include "base/fuzz.h"

FUZZ(data, size)
{
	struct slice text = slice_make((const char *)data, size);
	enum proc_step step = PROC_STEP_PIPE;
	struct err err = { 0 };

	if (launch_check_word(text, &err) < 0)
		FUZZ_CHECK(err.text[0] != '\0');
	FUZZ_CHECK(!slice_has_control(slice_of(err.text)));
	if (launch_read_report(text, &step, &err))
		FUZZ_CHECK(step == PROC_STEP_LIMITS || step == PROC_STEP_EXEC);
	else
		FUZZ_CHECK(step == PROC_STEP_PIPE);
	FUZZ_CHECK(!slice_has_control(slice_of(err.text)));
	return 0;
}
