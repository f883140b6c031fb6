/*
 * attempt_fuzz.c - what passes for an attempt record is one for others too.
 */
#include "base/fuzz.h"
#include "sched/sched_internal.h"

#include <jansson.h>
#include <string.h>

/* What jansson finds under a name, in what it knows to be valid. */
static void compare(struct slice line, const struct sched_attempt *got)
{
	json_t *record =
	    json_loadb(line.p, line.len, JSON_REJECT_DUPLICATES, NULL);
	const char *event = json_string_value(json_object_get(record, "event"));
	const char *key = json_string_value(
	    json_object_get(json_object_get(record, "site"), "key"));

	/* It refuses more: numbers it cannot hold, names that come twice
	 * deep inside, surrogates alone. */
	if (record == NULL)
		return;
	FUZZ_CHECK(event != NULL && strcmp(event, "attempt") == 0);
	if (got->site.len > 0 && !slice_has(got->site, '\\'))
		FUZZ_CHECK(key != NULL && slice_eq(slice_of(key), got->site));
	json_decref(record);
}

FUZZ(data, size)
{
	struct slice line = slice_make((const char *)data, size);
	struct sched_attempt a;
	const char *why = NULL;

	if (sched_attempt_read(line, &a, &why)) {
		FUZZ_CHECK(!slice_has_control(line));
		compare(line, &a);
	} else {
		FUZZ_CHECK(why != NULL);
	}
	return 0;
}
