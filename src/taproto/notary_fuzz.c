/*
 * notary_fuzz.c - any bytes as a notary field, and as the parts of one.
 *
 * Invariants: printing what was read gives the field again, control bytes
 * made harmless; what is printed reads back as what was meant; no printed
 * field holds a control byte but its separators.
 */
#include "taproto/notary.h"

#include "base/fuzz.h"

static void check_same(struct slice got, struct slice meant)
{
	struct str clean = STR_INIT;

	str_add_clean(&clean, meant, SIZE_MAX);
	FUZZ_CHECK(slice_eq(got, str_slice(&clean)));
	str_done(&clean);
}

static void check_printing(const struct notary *n)
{
	struct str field = STR_INIT;
	size_t separators = 0;
	struct notary again;

	notary_print(&field, n);
	for (size_t i = 0; i < field.len; i++) {
		unsigned char c = (unsigned char)field.p[i];

		separators += c == 1;
		FUZZ_CHECK(c == 1 || (c >= 0x20 && c != 0x7f));
	}
	FUZZ_CHECK(separators == (n->has_ta_id ? 5 : 4));
	FUZZ_CHECK(notary_parse(str_slice(&field), &again, NULL) == 0);
	check_same(again.final_recipient, n->final_recipient);
	check_same(again.action, n->action);
	check_same(again.status, n->status);
	check_same(again.diagnostic, n->diagnostic);
	check_same(again.remote_mta, n->remote_mta);
	FUZZ_CHECK(again.has_ta_id == n->has_ta_id);
	check_same(again.ta_id, n->ta_id);
	str_done(&field);
}

/* The field as printing it ought to give it, byte by byte. */
static void check_field(struct slice field, const struct notary *n)
{
	struct str printed = STR_INIT;

	notary_print(&printed, n);
	FUZZ_CHECK(printed.len == (field.len > 0 ? field.len : 4));
	for (size_t i = 0; i < field.len; i++) {
		unsigned char c = (unsigned char)field.p[i];

		if (c == '\t')
			c = ' ';
		else if (c != 1 && (c < 0x20 || c == 0x7f))
			c = '?';
		FUZZ_CHECK((unsigned char)printed.p[i] == c);
	}
	str_done(&printed);
}

FUZZ(data, size)
{
	struct slice field = slice_make((const char *)data, size);
	struct slice parts[6] = { { 0 } };
	struct notary n;

	if (notary_parse(field, &n, NULL) == 0) {
		check_printing(&n);
		check_field(field, &n);
	}
	/* LF cuts the same bytes into parts that may hold anything else. */
	for (size_t i = 0; i < 6; i++)
		slice_cut(&field, '\n', &parts[i]);
	n = (struct notary){ parts[0], parts[1],	   parts[2], parts[3],
			     parts[4], parts[5].p != NULL, parts[5] };
	check_printing(&n);
	return 0;
}
