/*
 * flags_test.c - every letter of the manual, and those that are not in it.
 */
#include "smta/flags.h"

#include "base/keyword.h"
#include "base/test.h"

#include <string.h>

static void test_no_letter_stands_twice_in_the_table(void **state)
{
	size_t n;
	const struct smta_flag *table = smta_flag_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(table[i].letter, table[k].letter);
}

static void test_only_used_letters_have_bits_and_a_meaning(void **state)
{
	size_t n;
	const struct smta_flag *table = smta_flag_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		bool is_used = table[i].kind == FLAG_USED;

		assert_int_equal(table[i].meaning != NULL, is_used);
		if (table[i].letter != '-')
			assert_int_equal(table[i].bits != 0, is_used);
		assert_int_not_equal(table[i].kind, FLAG_UNKNOWN);
	}
}

/* One letter of the manual's list and what it is to be. */
static void check_letters(const char *letters, enum smta_flag_kind kind)
{
	for (; *letters != '\0'; letters++) {
		struct str complaints = STR_INIT, want = STR_INIT;
		unsigned flags =
		    smta_flags_parse(slice_make(letters, 1), &complaints);

		if (kind == FLAG_SENSELESS)
			str_addf(&want,
				 "the '%c' sendmail mailer option does not "
				 "make sense in this environment\n",
				 *letters);
		if (kind == FLAG_UNKNOWN)
			str_addf(&want, "unknown sendmail mailer option '%c'\n",
				 *letters);
		assert_slice_is(str_slice(&complaints), str_cstr(&want));
		if (*letters != '-')
			assert_int_equal(flags != 0, kind == FLAG_USED);
		str_done(&complaints);
		str_done(&want);
	}
}

static void test_letters_with_effect_are_accepted(void **state)
{
	(void)state;
	check_letters("-789bBeEfHmnOPrRSUX", FLAG_USED);
}

static void test_letters_that_make_no_sense_are_complained_about(void **state)
{
	(void)state;
	check_letters("AChIlLMpux", FLAG_SENSELESS);
}

static void test_letters_not_in_the_manual_are_complained_about(void **state)
{
	(void)state;
	check_letters("N!\"#$&'()*+,.;<=>?[\\]^_`{}~", FLAG_UNKNOWN);
}

/* The rest of the manual's list, a test each, as the manual lists them. */
static void test_punctuation_is_not_used(void **state)
{
	(void)state;
	check_letters(":|/%@", FLAG_SILENT);
}

static void test_digits_are_not_used(void **state)
{
	(void)state;
	check_letters("01245", FLAG_SILENT);
}

static void test_letters_d_to_k_are_not_used(void **state)
{
	(void)state;
	check_letters("DFgGijJkK", FLAG_SILENT);
}

static void test_letters_o_to_z_are_not_used(void **state)
{
	(void)state;
	check_letters("oqQtTvVwWyYZ", FLAG_SILENT);
}

/* Sendmail has a use for these that sm does not offer. */
static void test_flags_3_6_a_c_d_are_not_implemented(void **state)
{
	(void)state;
	check_letters("36acd", FLAG_SILENT);
}

static void test_flags_s_x_z_are_not_implemented(void **state)
{
	(void)state;
	check_letters("sz", FLAG_SILENT);
	check_letters("x", FLAG_SENSELESS);
}

static void test_second_B_asks_for_more(void **state)
{
	static const struct {
		const char *letters;
		unsigned want;
	} rows[] = {
		{ "b", SMTA_BSMTP | SMTA_DOTS },
		{ "bb", SMTA_BSMTP | SMTA_DOTS },
		{ "B", SMTA_BSMTP | SMTA_DOTS | SMTA_BSMTP_SIZE },
		{ "BB",
		  SMTA_BSMTP | SMTA_DOTS | SMTA_BSMTP_SIZE | SMTA_BSMTP_DSN },
		{ "BnB", SMTA_BSMTP | SMTA_DOTS | SMTA_BSMTP_SIZE |
			     SMTA_BSMTP_DSN | SMTA_NO_FROM_LINE },
		{ "-", 0 },
		{ "", 0 },
		{ "X", SMTA_DOTS },
		{ "e", SMTA_ENVELOPE | SMTA_ORIGINAL_RCPT },
		{ "O", SMTA_ORIGINAL_RCPT },
		{ "mS", SMTA_MANY | SMTA_KEEP_IDS },
		{ "sSPfn", SMTA_KEEP_IDS | SMTA_RETURN_PATH | SMTA_ARG_F |
			       SMTA_NO_FROM_LINE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str complaints = STR_INIT;

		assert_int_equal(
		    smta_flags_parse(slice_of(rows[i].letters), &complaints),
		    rows[i].want);
		assert_int_equal(complaints.len, 0);
		str_done(&complaints);
	}
}

static void test_complaint_about_a_control_byte_is_harmless(void **state)
{
	struct str complaints = STR_INIT;

	(void)state;
	smta_flags_parse(SLICE("m\033n"), &complaints);
	assert_slice_is(str_slice(&complaints),
			"unknown sendmail mailer option '?'\n");
	str_done(&complaints);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_letter_stands_twice_in_the_table),
		cmocka_unit_test(
		    test_only_used_letters_have_bits_and_a_meaning),
		cmocka_unit_test(test_letters_with_effect_are_accepted),
		cmocka_unit_test(
		    test_letters_that_make_no_sense_are_complained_about),
		cmocka_unit_test(
		    test_letters_not_in_the_manual_are_complained_about),
		cmocka_unit_test(test_punctuation_is_not_used),
		cmocka_unit_test(test_digits_are_not_used),
		cmocka_unit_test(test_letters_d_to_k_are_not_used),
		cmocka_unit_test(test_letters_o_to_z_are_not_used),
		cmocka_unit_test(test_flags_3_6_a_c_d_are_not_implemented),
		cmocka_unit_test(test_flags_s_x_z_are_not_implemented),
		cmocka_unit_test(test_second_B_asks_for_more),
		cmocka_unit_test(
		    test_complaint_about_a_control_byte_is_harmless),
	};

	return TEST_RUN(tests);
}
