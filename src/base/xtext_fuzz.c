/*
 * xtext_fuzz.c - any bytes as xtext, and as what xtext stands for.
 *
 * Invariants: what is encoded is valid, printable and decodes to itself; what
 * decodes encodes to a text that decodes to the same; refusal adds nothing.
 */
#include "base/fuzz.h"
#include "base/xtext.h"

static void check_coded(struct slice plain)
{
	struct str coded = STR_INIT, again = STR_INIT;

	xtext_encode(&coded, plain);
	FUZZ_CHECK(coded.len >= plain.len && coded.len <= 3 * plain.len);
	for (size_t i = 0; i < coded.len; i++)
		FUZZ_CHECK(coded.p[i] > ' ' && coded.p[i] < 0x7f &&
			   coded.p[i] != '=');
	FUZZ_CHECK(xtext_valid(str_slice(&coded)));
	FUZZ_CHECK(xtext_decode(&again, str_slice(&coded)));
	FUZZ_CHECK(slice_eq(str_slice(&again), plain));
	str_done(&coded);
	str_done(&again);
}

FUZZ(data, size)
{
	struct slice in = slice_make((const char *)data, size);
	struct str plain = STR_INIT;
	bool is_valid;

	check_coded(in);
	str_adds(&plain, "before");
	is_valid = xtext_decode(&plain, in);
	FUZZ_CHECK(is_valid == xtext_valid(in));
	FUZZ_CHECK(slice_starts(str_slice(&plain), SLICE("before")));
	if (is_valid)
		check_coded(slice_from(str_slice(&plain), 6));
	else
		FUZZ_CHECK(plain.len == 6);
	str_done(&plain);
	return 0;
}
