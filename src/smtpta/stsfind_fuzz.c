/*
 * stsfind_fuzz.c - whatever stsfetch says, what is made of it is printable,
 * and comes from there.
 */
#include "smtpta/stsfind.h"

#include "base/fuzz.h"

FUZZ(data, size)
{
	struct slice output = slice_make((const char *)data, size), text;
	struct str line = STR_INIT;
	struct sts_found found = { .failures = 1 };
	enum tlsrpt_type type = stsfind_read_reason(output, &text);

	FUZZ_CHECK(type == TLSRPT_SUCCESS ||
		   type == TLSRPT_STS_POLICY_FETCH_ERROR ||
		   type == TLSRPT_STS_POLICY_INVALID ||
		   type == TLSRPT_STS_WEBPKI_INVALID);
	FUZZ_CHECK(text.len <= size && !slice_has(text, '\n'));
	FUZZ_CHECK(text.len == 0 || (text.p >= output.p &&
				     text.p + text.len <= output.p + size));
	found.failure = type;
	found.reason = text;
	stsfind_print(&line, &found);
	FUZZ_CHECK(!slice_has_control(str_slice(&line)));
	FUZZ_CHECK(line.len < TLSRPT_TEXT_MAX + 100);
	str_done(&line);
	return 0;
}
