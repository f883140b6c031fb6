/*
 * names_fuzz.c - any bytes as a list of addresses: each that is found holds no
 * line end, and an address that stands alone in a field is found as it is.
 */
#include "subm/names.h"

#include "base/fuzz.h"
#include "smtp/address.h"

FUZZ(data, size)
{
	struct slice body = slice_make((const char *)data, size);
	struct subm_list list = { 0 }, again = { 0 };
	struct arena *a = arena_new();
	struct address address;

	subm_names_add(&list, body, a);
	for (size_t i = 0; i < list.n; i++) {
		FUZZ_CHECK(list.items[i].len <= size);
		FUZZ_CHECK(!slice_has(list.items[i], '\n'));
		if (address_parse(list.items[i], "it", false, &address, NULL) <
			0 ||
		    slice_has(address.text, ':'))
			continue; /* a source route is one in brackets only */
		again.n = 0;
		subm_names_add(&again, address.text, a);
		FUZZ_CHECK(again.n == 1);
		FUZZ_CHECK(slice_eq(again.items[0], address.text));
	}
	subm_list_done(&list);
	subm_list_done(&again);
	arena_free(a);
	return 0;
}
