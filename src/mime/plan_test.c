/*
 * plan_test.c - header, body and channel in, mode and reason out.
 */
#include "mime/plan.h"

#include "base/keyword.h"
#include "base/test.h"

#include <string.h>

/* ---- facts from text
 * ------------------------------------------------------------ */

/*
 * Switches: 8 takes 8-bit, c 8-bit clean, d may decode, H keeps headers,
 * l lines to 998, n encodes NUL, r encodes CR, w no warning, N narrow.
 */
static struct mime_channel channel_of(const char *switches)
{
	struct slice s = slice_of(switches);

	return (struct mime_channel){
		.takes_8bit = slice_has(s, '8'),
		.is_8bit_clean = slice_has(s, 'c'),
		.may_decode = slice_has(s, 'd'),
		.is_narrow = slice_has(s, 'N'),
		.keeps_headers = slice_has(s, 'H'),
		.encodes_nul = slice_has(s, 'n'),
		.encodes_cr = slice_has(s, 'r'),
		.omits_warning = slice_has(s, 'w'),
		.line_max = slice_has(s, 'l') ? 998 : 0,
		.charset = SLICE("KOI8-R"),
	};
}

/* Makes the plan as an agent does: only facts that are needed. */
static struct mime_plan plan_of(const char *header, struct slice body,
				const char *switches)
{
	struct mime_channel channel = channel_of(switches);
	struct mime_label label;
	struct mime_plan plan;
	struct qp_decoder trial;
	struct scan scan;
	unsigned needs;

	mime_label_read(&label, slice_of(header));
	needs = mime_plan_needs(&label, &channel);
	scan_begin(&scan);
	scan_push(&scan, body);
	scan_end(&scan);
	qp_decode_begin(&trial);
	qp_decode_push(&trial, body, NULL);
	qp_decode_end(&trial, NULL);
	mime_plan_make(&label, &channel, needs & MIME_NEEDS_SCAN ? &scan : NULL,
		       needs & MIME_NEEDS_TRIAL ? &trial : NULL, &plan);
	return plan;
}

/* "MODE reason", then: u unconvertible, 8 sends 8-bit, t sets the type. */
static void show(struct str *to, const struct mime_plan *plan)
{
	str_clear(to);
	str_addf(to, "%s %s", mime_mode_word(plan->mode),
		 mime_reason_word(plan->reason));
	if (plan->sends_8bit || plan->sets_type)
		str_addc(to, ' ');
	if (plan->is_unconvertible)
		str_addc(to, 'u');
	if (plan->sends_8bit)
		str_addc(to, '8');
	if (plan->sets_type)
		str_addc(to, 't');
}

struct row {
	const char *header, *body, *switches, *want;
};

static void check_rows(const struct row *rows, size_t n)
{
	struct str got = STR_INIT;

	for (size_t i = 0; i < n; i++) {
		struct mime_plan plan = plan_of(
		    rows[i].header, slice_of(rows[i].body), rows[i].switches);

		show(&got, &plan);
		if (!slice_eq(str_slice(&got), slice_of(rows[i].want)))
			fail_msg("row %zu: %s\ngot '%s', wanted '%s'", i,
				 rows[i].header, str_cstr(&got), rows[i].want);
	}
	str_done(&got);
}

#define V	 "MIME-Version: 1.0\n"
#define TEXT	 "Content-Type: text/plain; charset=iso-8859-1\n"
#define CTE(x)	 "Content-Transfer-Encoding: " x "\n"
#define RECEIVED "Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\n"
#define EIGHT        \
	"gr\xfc\xdf" \
	"e\n"
#define UTF8                 \
	"gr\xc3\xbc\xc3\x9f" \
	"e\n"
#define SEVEN "hello\n"

/* ---- the table
 * ------------------------------------------------------------------- */

static void test_text_for_a_7bit_channel_is_encoded(void **state)
{
	static const struct row rows[] = {
		{ V TEXT CTE("8bit"), EIGHT, "", "QP 8bit" },
		{ V TEXT CTE("8BIT (c)"), EIGHT, "", "QP 8bit" },
		{ V TEXT, EIGHT, "", "QP 8bit" },
		{ V TEXT CTE("7bit"), EIGHT, "", "QP 8bit" },
		{ V CTE("8bit"), EIGHT, "", "QP 8bit t" },
		{ V, EIGHT, "", "QP 8bit t" },
		{ V "Content-Type: text/plain; name=my file\n" CTE("8bit"),
		  EIGHT, "", "QP 8bit" },
		{ V TEXT, SEVEN, "", "NONE 7bit" },
		{ V TEXT CTE("7bit"), SEVEN, "", "NONE 7bit" },
		{ V, SEVEN, "", "NONE 7bit" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_unlabelled_8bit_mail_gets_a_label(void **state)
{
	static const struct row rows[] = {
		{ "Subject: x\n", EIGHT, "", "UNKNOWN 8bit t" },
		{ "", EIGHT, "", "UNKNOWN 8bit t" },
		{ TEXT CTE("8bit"), EIGHT, "", "UNKNOWN 8bit" },
		{ "Content-Type: text/plain\n", EIGHT, "", "UNKNOWN 8bit t" },
		{ "Content-Type: text\n", EIGHT, "", "UNKNOWN 8bit t" },
		{ CTE("binary"), EIGHT, "", "UNKNOWN 8bit t" },
		{ "Subject: x\n", SEVEN, "", "NONE 7bit" },
		{ "Subject: x\n", EIGHT, "c", "NONE channel-8bit" },
		{ "Subject: x\n", EIGHT, "8", "NONE channel-8bit" },
		/* says that it is encoded: who knows */
		{ CTE("base64"), EIGHT, "", "NONE no-mime-version u8" },
		{ CTE("quoted-printable"), EIGHT, "d",
		  "NONE no-mime-version u8" },
		{ "Content-Type: postscript\n", EIGHT, "",
		  "NONE not-text-plain u8" },
		{ "Content-Type: multipart/mixed; boundary=x\n", EIGHT, "",
		  "NONE multipart u8" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_8bit_channel_gets_all_as_it_is(void **state)
{
	static const char *const headers[] = {
		"Subject: x\n",
		V TEXT CTE("8bit"),
		V TEXT,
		V TEXT CTE("7bit"),
		V "Content-Type: multipart/mixed; boundary=x\n",
	};
	static const char *const switches[] = { "8", "c", "8c", "8d" };

	(void)state;
	for (size_t i = 0; i < COUNT(headers); i++) {
		for (size_t k = 0; k < COUNT(switches); k++) {
			struct mime_plan plan =
			    plan_of(headers[i], SLICE(EIGHT), switches[k]);

			assert_int_equal(plan.mode, MIME_NONE);
			assert_int_equal(plan.reason, MIME_CHANNEL_8BIT);
			assert_false(plan.edits_header);
			assert_false(plan.is_unconvertible);
		}
	}
}

static void test_quoted_printable_is_decoded_only_if_asked(void **state)
{
	static const char qp[] = V TEXT CTE("Quoted-Printable");
	static const struct row rows[] = {
		{ qp, "gr=FC\n", "8", "NONE encoded" },
		{ qp, "gr=FC\n", "", "NONE encoded" },
		{ qp, "gr=FC\n", "d", "NONE no-received" },
		{ RECEIVED V TEXT CTE("quoted-printable"), "gr=FC\n", "8",
		  "NONE encoded" },
		{ RECEIVED V TEXT CTE("quoted-printable"), "gr=FC\n", "8d",
		  "8BIT decoded 8" },
		{ RECEIVED V TEXT CTE("quoted-printable"), "gr=FC\n", "d",
		  "8BIT decoded 8" },
		{ "Return-Path: <a@b>\n" RECEIVED V TEXT CTE(
		      "quoted-printable"),
		  "a=3Db\n", "d", "8BIT decoded" },
		{ "Subject: x\n" RECEIVED V TEXT CTE("quoted-printable"), "x\n",
		  "d", "NONE no-received" },
		{ "Received: without a date\n" V TEXT CTE("quoted-printable"),
		  "x\n", "d", "NONE no-received" },
		{ RECEIVED V CTE("quoted-printable"), "x\n", "d",
		  "NONE no-content-type" },
		{ RECEIVED V
		  "Content-Type: text/html\n" CTE("quoted-printable"),
		  "x\n", "d", "NONE not-text-plain" },
		{ RECEIVED V "Content-Conversion: forced-qp\n" TEXT CTE(
		      "quoted-printable"),
		  "x\n", "d", "NONE encoded" },
		/* what decoding would break */
		{ RECEIVED V TEXT CTE("quoted-printable"), "a=0Ab\n", "d",
		  "NONE undecodable" },
		{ RECEIVED V TEXT CTE("quoted-printable"), "a=0D=0Ab\n", "d",
		  "8BIT decoded" },
		{ RECEIVED V TEXT CTE("quoted-printable"), "a=00b\n", "d",
		  "NONE undecodable" },
		{ RECEIVED V TEXT CTE("base64"), "Z3I=\n", "d",
		  "NONE encoded" },
		/* raw 8-bit bytes in what should have none */
		{ qp, EIGHT, "", "NONE encoded u8" },
		{ V TEXT CTE("base64"), EIGHT, "", "NONE other-encoding u8" },
		{ V TEXT CTE("x-own"), EIGHT, "", "NONE other-encoding u8" },
		{ V TEXT CTE("binary"), EIGHT, "", "NONE other-encoding u8" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_undecodable_says_what_is_wrong(void **state)
{
	struct mime_plan plan = plan_of(RECEIVED V TEXT CTE("quoted-printable"),
					SLICE("a=00=0D\n"), "d");

	(void)state;
	assert_int_equal(plan.reason, MIME_UNFIT);
	assert_int_equal(plan.unfit, QP_UNFIT_NUL | QP_UNFIT_BARE_CR);
}

static void test_signed_and_encrypted_mail_is_never_touched(void **state)
{
	static const struct row rows[] = {
		{ V TEXT CTE("8bit") "DKIM-Signature: v=1\n", EIGHT, "",
		  "NONE dkim u8" },
		{ "dkim-signature: v=1\nSubject: x\n", EIGHT, "",
		  "NONE dkim u8" },
		{ "ARC-Seal: i=1\n" V TEXT CTE("8bit"), EIGHT, "",
		  "NONE arc u8" },
		{ V TEXT "ARC-Message-Signature: i=1\n", EIGHT, "",
		  "NONE arc u8" },
		{ V "Content-Type: Multipart/Signed; boundary=x\n", EIGHT, "",
		  "NONE signed u8" },
		{ V "Content-Type: multipart/encrypted; boundary=x\n", EIGHT,
		  "", "NONE encrypted u8" },
		{ V "Content-Type: application/pkcs7-mime\n", EIGHT, "",
		  "NONE smime u8" },
		{ V "Content-Type: application/x-pkcs7-mime\n", EIGHT, "",
		  "NONE smime u8" },
		{ V TEXT "Content-Type: multipart/signed\n", EIGHT, "",
		  "NONE signed u8" },
		{ V TEXT CTE("8bit") "Content-Conversion: prohibited\n", EIGHT,
		  "", "NONE prohibited u8" },
		{ V TEXT CTE("8bit") "Content-Conversion:\tProhibited \n",
		  EIGHT, "", "NONE prohibited u8" },
		{ V TEXT "Content-Conversion: other\n", EIGHT, "", "QP 8bit" },
		/* a signature is stronger than an order to convert */
		{ V TEXT "Content-Conversion: forced-qp\nDKIM-Signature: x\n",
		  EIGHT, "8", "NONE dkim u8" },
		{ RECEIVED V TEXT CTE("quoted-printable") "DKIM-Signature:\n",
		  "gr=FC\n", "8d", "NONE dkim" },
		/* nothing to do: then that is the reason */
		{ "DKIM-Signature: v=1\n", SEVEN, "", "NONE 7bit" },
		{ "DKIM-Signature: v=1\n", EIGHT, "8", "NONE channel-8bit" },
		{ "DKIM-Signature: v=1\n" V TEXT CTE("8bit"), SEVEN, "",
		  "NONE 7bit" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_forced_qp_makes_the_channel_7bit(void **state)
{
	static const struct row rows[] = {
		{ V TEXT CTE("8bit") "Content-Conversion: forced-qp\n", EIGHT,
		  "8", "QP 8bit" },
		{ "Content-Conversion: Forced-QP\n", EIGHT, "8",
		  "UNKNOWN 8bit t" },
		{ V TEXT CTE("8bit") "Content-Conversion: forced-qp\n", EIGHT,
		  "8c", "NONE channel-8bit" },
		{ V TEXT CTE("8bit") "Content-Conversion: forced-qp\n", SEVEN,
		  "8", "NONE relabelled" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_what_cannot_be_read_is_left_alone(void **state)
{
	static const struct row rows[] = {
		{ V "Content-Type: text/plain charset=x\n", EIGHT, "",
		  "NONE bad-content-type u8" },
		{ V "Content-Type:\n", EIGHT, "", "NONE bad-content-type u8" },
		{ V "Content-Type: text\n", EIGHT, "",
		  "NONE not-text-plain u8" },
		{ V TEXT TEXT, EIGHT, "", "NONE ambiguous u8" },
		{ V TEXT CTE("8bit") CTE("7bit"), EIGHT, "",
		  "NONE ambiguous u8" },
		{ V "Content-Type: text/html\n" CTE("8bit"), EIGHT, "",
		  "NONE not-text-plain u8" },
		{ V "Content-Type: multipart/mixed; boundary=x\n" CTE("8bit"),
		  EIGHT, "", "NONE multipart u8" },
		{ V "Content-Type: message/rfc822\n" CTE("8bit"), EIGHT, "",
		  "NONE multipart u8" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_8bit_label_on_7bit_text_is_corrected(void **state)
{
	static const struct {
		const char *header, *switches;
		bool relabels, labels_ascii;
	} rows[] = {
		{ V TEXT CTE("8bit"), "", true, true },
		{ V "Content-Type: text/plain; charset=KOI8-R\n" CTE("8bit"),
		  "", true, true },
		{ V "Content-Type: text/plain; charset=\"utf-8\"\n" CTE("8bit"),
		  "", true, true },
		{ V
		  "Content-Type: text/plain; charset=iso-2022-jp\n" CTE("8bit"),
		  "", true, false },
		{ V "Content-Type: text/plain\n" CTE("8bit"), "", true, false },
		{ V CTE("8bit"), "", true, false },
		{ V TEXT CTE("8bit"), "8", false, false },
		{ V TEXT CTE("8bit"), "c", false, false },
		{ V TEXT CTE("7bit"), "", false, false },
		{ TEXT CTE("8bit"), "", false, false },
		{ V "Content-Type: text/html\n" CTE("8bit"), "", false, false },
		{ V TEXT CTE("8bit") "DKIM-Signature: x\n", "", false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mime_plan plan =
		    plan_of(rows[i].header, SLICE(SEVEN), rows[i].switches);

		assert_int_equal(plan.mode, MIME_NONE);
		assert_int_equal(plan.relabels_7bit, rows[i].relabels);
		assert_int_equal(plan.labels_ascii, rows[i].labels_ascii);
		assert_int_equal(plan.edits_header, rows[i].relabels);
		assert_int_equal(plan.reason == MIME_RELABEL, rows[i].relabels);
	}
}

static void test_lines_nuls_and_crs_are_encoded_where_not_taken(void **state)
{
	char long_line[1002];
	const struct row rows[] = {
		{ V TEXT, long_line, "8l", "QP long-line" },
		{ V TEXT, long_line, "8", "NONE channel-8bit" },
		{ V TEXT, long_line + 1, "8l", "NONE 7bit" },
		{ "Subject: x\n", long_line, "l", "UNKNOWN long-line t" },
		{ V "Content-Type: text/html\n", long_line, "l",
		  "NONE not-text-plain" },
		{ V TEXT "DKIM-Signature: x\n", long_line, "l", "NONE dkim" },
		{ V TEXT, "a\rb\n", "8r", "QP bare-cr" },
		{ V TEXT, "a\rb\n", "8", "NONE channel-8bit" },
		{ V TEXT, "a\r\nb\r\n", "8r", "NONE 7bit" },
	};

	(void)state;
	memset(long_line, 'x', sizeof(long_line));
	memcpy(long_line + 999, "\n", 2);
	check_rows(rows, COUNT(rows));
}

static void test_nul_is_encoded_where_asked(void **state)
{
	static const struct slice body = { "a\0b\n", 4 };
	struct mime_plan plan = plan_of(V TEXT, body, "8n");

	(void)state;
	assert_int_equal(plan.mode, MIME_QP);
	assert_int_equal(plan.reason, MIME_HAS_NUL);
	plan = plan_of(V TEXT, body, "8l");
	assert_int_equal(plan.mode, MIME_NONE);
}

/* ---- character set, header, needs
 * --------------------------------------------------- */

static void test_charset_of_what_had_no_label(void **state)
{
	static const struct {
		const char *body, *want;
		bool has_warning;
	} rows[] = {
		{ EIGHT, "KOI8-R", true },
		{ UTF8, "UTF-8", true },
		{ UTF8 EIGHT, "KOI8-R", true },
	};
	char long_line[1002];
	struct mime_plan plan;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		plan = plan_of("Subject: x\n", slice_of(rows[i].body), "");
		assert_slice_is(plan.charset, rows[i].want);
		assert_true(plan.adds_warning);
		plan = plan_of("Subject: x\n", slice_of(rows[i].body), "wN");
		assert_false(plan.adds_warning);
		assert_true(plan.is_narrow);
	}
	memset(long_line, 'x', sizeof(long_line));
	plan = plan_of("Subject: x\n", slice_make(long_line, sizeof(long_line)),
		       "l");
	assert_slice_is(plan.charset, "US-ASCII");
	assert_false(plan.adds_warning);
}

static void test_8bit_headers_are_converted_for_every_channel(void **state)
{
	static const struct {
		const char *header, *switches;
		enum mime_reason want;
	} rows[] = {
		{ "Subject: x\n", "", MIME_IS_7BIT },
		{ "Subject: \xfc\n", "", MIME_HAS_8BIT },
		{ "Subject: \xfc\n", "8", MIME_HAS_8BIT },
		{ "Subject: \xfc\n", "8d", MIME_HAS_8BIT },
		{ "Subject: \xfc\n", "H", MIME_KEPT },
		{ "Subject: x\n", "H", MIME_IS_7BIT },
		{ "Subject: \xfc\n" V "Content-Type: multipart/mixed\n", "",
		  MIME_HAS_8BIT },
		{ "Subject: \xfc\nDKIM-Signature: x\n", "", MIME_DKIM },
		{ "Subject: \xfc\nContent-Conversion: prohibited\n", "",
		  MIME_PROHIBITED },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mime_plan plan =
		    plan_of(rows[i].header, SLICE(SEVEN), rows[i].switches);

		assert_int_equal(plan.header_reason, rows[i].want);
		assert_int_equal(plan.converts_headers,
				 rows[i].want == MIME_HAS_8BIT);
		assert_int_equal(plan.edits_header, plan.converts_headers);
		assert_slice_is(plan.header_charset, "KOI8-R");
	}
}

static void test_body_is_read_only_for_what_is_needed(void **state)
{
	static const char qp[] = RECEIVED V TEXT CTE("quoted-printable");
	static const struct {
		const char *header, *switches;
		unsigned want;
	} rows[] = {
		{ V TEXT, "8", 0 },
		{ V TEXT, "c", 0 },
		{ V TEXT, "", MIME_NEEDS_SCAN },
		{ V TEXT, "8l", MIME_NEEDS_SCAN },
		{ V TEXT, "8n", MIME_NEEDS_SCAN },
		{ V TEXT, "8r", MIME_NEEDS_SCAN },
		{ V TEXT, "8d", 0 },
		{ V TEXT "Content-Conversion: forced-qp\n", "8",
		  MIME_NEEDS_SCAN },
		{ qp, "8", 0 },
		{ qp, "8d", MIME_NEEDS_TRIAL },
		{ qp, "d", MIME_NEEDS_SCAN | MIME_NEEDS_TRIAL },
		{ "DKIM-Signature: x\n" V TEXT CTE("quoted-printable"), "8d",
		  0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mime_channel channel = channel_of(rows[i].switches);
		struct mime_label label;

		mime_label_read(&label, slice_of(rows[i].header));
		assert_int_equal(mime_plan_needs(&label, &channel),
				 rows[i].want);
	}
}

static void test_every_mode_and_reason_has_a_word_of_its_own(void **state)
{
	(void)state;
	assert_string_equal(mime_mode_word(MIME_NONE), "NONE");
	assert_string_equal(mime_mode_word(MIME_QP), "QP");
	assert_string_equal(mime_mode_word(MIME_8BIT), "8BIT");
	assert_string_equal(mime_mode_word(MIME_UNKNOWN), "UNKNOWN");
	for (int i = 0; i < MIME_N_REASONS; i++) {
		const char *word = mime_reason_word((enum mime_reason)i);

		assert_non_null(word);
		for (const char *p = word; *p != '\0'; p++)
			assert_true((*p >= 'a' && *p <= 'z') || *p == '-' ||
				    (*p >= '0' && *p <= '9'));
		for (int k = 0; k < i; k++)
			assert_string_not_equal(
			    word, mime_reason_word((enum mime_reason)k));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_for_a_7bit_channel_is_encoded),
		cmocka_unit_test(test_unlabelled_8bit_mail_gets_a_label),
		cmocka_unit_test(test_8bit_channel_gets_all_as_it_is),
		cmocka_unit_test(
		    test_quoted_printable_is_decoded_only_if_asked),
		cmocka_unit_test(test_undecodable_says_what_is_wrong),
		cmocka_unit_test(
		    test_signed_and_encrypted_mail_is_never_touched),
		cmocka_unit_test(test_forced_qp_makes_the_channel_7bit),
		cmocka_unit_test(test_what_cannot_be_read_is_left_alone),
		cmocka_unit_test(test_8bit_label_on_7bit_text_is_corrected),
		cmocka_unit_test(
		    test_lines_nuls_and_crs_are_encoded_where_not_taken),
		cmocka_unit_test(test_nul_is_encoded_where_asked),
		cmocka_unit_test(test_charset_of_what_had_no_label),
		cmocka_unit_test(
		    test_8bit_headers_are_converted_for_every_channel),
		cmocka_unit_test(test_body_is_read_only_for_what_is_needed),
		cmocka_unit_test(
		    test_every_mode_and_reason_has_a_word_of_its_own),
	};

	return TEST_RUN(tests);
}
