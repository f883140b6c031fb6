/*
 * fuzz.h - the shape of a fuzz target.
 *
 * A target is one file ROOM/NAME_fuzz.c that defines FUZZ(data, size). With
 * BUILD=fuzz it is linked with libFuzzer; `make check` links it with
 * tools/replay.c, which runs it over every file of test/corpus/ROOM-NAME, so
 * that whatever was once found stays found. A target tells of a broken
 * invariant by FUZZ_CHECK, which ends the program.
 */
#ifndef BASE_FUZZ_H
#define BASE_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* What libFuzzer and tools/replay.c call; FUZZ() defines it. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ(data, size) \
	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)

#define FUZZ_CHECK(condition)                                            \
	do {                                                             \
		if (!(condition)) {                                      \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, \
				__LINE__, #condition);                   \
			abort();                                         \
		}                                                        \
	} while (0)

#endif
