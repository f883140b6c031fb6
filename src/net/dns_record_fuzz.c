/*
 * dns_record_fuzz.c - any text as a file of answers.
 *
 * Invariants: a line that is taken prints as one that is taken and prints the
 * same; a file is taken if and only if each of its lines is; whatever it is
 * asked for then, it gives an answer.
 */
#include "base/fuzz.h"
#include "net/dns_record.h"

static bool check_line(struct slice line, struct dns_source *source)
{
	struct arena *a = arena_new();
	struct str first = STR_INIT, second = STR_INIT;
	struct dns_answer answer, again;
	struct err err = { .text = "" };
	int r = dns_record_read(line, &answer, a, &err);

	FUZZ_CHECK((r < 0) == (err.text[0] != '\0'));
	if (r == 0) {
		dns_record_print(&first, &answer);
		FUZZ_CHECK(
		    dns_record_read(str_slice(&first), &again, a, &err) == 0);
		dns_record_print(&second, &again);
		FUZZ_CHECK(slice_eq(str_slice(&first), str_slice(&second)));
		FUZZ_CHECK(slice_find(str_slice(&first), '\n') ==
			   first.len - 1);
	}
	if (r == 0 && source != NULL) {
		again = (struct dns_answer){ .name = answer.name,
					     .type = answer.type };
		source->ask(source, &again, 1, 0, a);
		FUZZ_CHECK(again.verdict != DNS_UNAVAILABLE || again.n == 0);
		FUZZ_CHECK(again.is_recorded);
	}
	str_done(&first);
	str_done(&second);
	arena_free(a);
	return r >= 0;
}

FUZZ(data, size)
{
	struct slice text = slice_make((const char *)data, size), line;
	struct dns_source *source = NULL;
	struct err err;
	bool is_good = true;

	if (dns_recorded(text, "FUZZ", &source, &err) < 0)
		source = NULL;
	while (slice_cut(&text, '\n', &line))
		is_good = check_line(line, source) && is_good;
	FUZZ_CHECK(is_good == (source != NULL));
	if (source != NULL)
		source->free(source);
	return 0;
}
