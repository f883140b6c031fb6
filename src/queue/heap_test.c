/*
 * heap_test.c - whatever is put in, moved and taken out, the order holds.
 */
#include "queue/heap.h"

#include "base/test.h"

enum { THINGS = 200, STEPS = 20000 };

static void test_order_holds_in_any_history(void **state)
{
	uint32_t places[THINGS] = { 0 };
	int64_t keys[THINGS] = { 0 };
	struct heap h = { 0 };
	uint64_t random = 1;

	(void)state;
	for (int step = 0; step < STEPS; step++) {
		size_t i;
		int64_t least = INT64_MAX;

		random = random * 6364136223846793005u + 1442695040888963407u;
		i = (size_t)(random >> 33) % THINGS;
		if ((random >> 20) % 3 == 0) {
			heap_drop(&h, &places[i]);
		} else {
			keys[i] = (int64_t)(random >> 40) % 1000;
			heap_set(&h, &places[i], keys[i]);
		}
		for (size_t k = 0; k < THINGS; k++)
			if (places[k] != 0 && keys[k] < least)
				least = keys[k];
		assert_int_equal(heap_key(&h), least);
		if (heap_first(&h) != NULL)
			assert_int_equal(keys[heap_first(&h) - places], least);
	}
	heap_done(&h);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_holds_in_any_history),
	};

	return TEST_RUN(tests);
}
