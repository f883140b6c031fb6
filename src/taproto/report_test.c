/*
 * report_test.c - lines from an agent: every kind, every status, both ways.
 */
#include "taproto/report.h"

#include "base/keyword.h"
#include "base/test.h"

#include <string.h>

static struct report parsed(const char *line)
{
	struct report r;

	report_parse(slice_of(line), &r);
	assert_slice_is(r.line, line);
	return r;
}

static void test_hungry_is_known_by_seven_bytes(void **state)
{
	(void)state;
	assert_int_equal(parsed("#hungry").kind, REPORT_HUNGRY);
	assert_int_equal(parsed("#hungry ever after").kind, REPORT_HUNGRY);
	assert_int_equal(parsed("#hungr").kind, REPORT_COMMENT);
	assert_int_equal(parsed("# hungry").kind, REPORT_COMMENT);
	assert_int_equal(parsed("hungry").kind, REPORT_MALFORMED);
}

static void test_resync_carries_the_name(void **state)
{
	(void)state;
	assert_int_equal(parsed("#resync bogus/file").kind, REPORT_RESYNC);
	assert_slice_is(parsed("#resync bogus/file").name, "bogus/file");
	assert_slice_is(parsed("#resync A/B/11053116").name, "A/B/11053116");
	assert_int_equal(parsed("#resync").kind, REPORT_MALFORMED);
	assert_int_equal(parsed("#resync ").kind, REPORT_MALFORMED);
	assert_int_equal(parsed("#resyncing").kind, REPORT_COMMENT);
}

static void test_other_hash_line_is_a_comment(void **state)
{
	static const struct {
		const char *line, *text;
	} rows[] = {
		{ "", "" },
		{ "#", "" },
		{ "# ", "" },
		{ "#text", "text" },
		{ "#  two blanks", " two blanks" },
		{ "# smtp needs defined host!", "smtp needs defined host!" },
		{ "# 1/2\t\tok3 x", "1/2\t\tok3 x" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct report r = parsed(rows[i].line);

		assert_int_equal(r.kind, REPORT_COMMENT);
		assert_slice_is(r.message, rows[i].text);
	}
}

#define DEFERALL                                                           \
	"smtp; 500 (connect to 192.0.2.9 [192.0.2.9|25|192.0.2.1|44292]: " \
	"Connection refused)"
#define NOTARY                                                            \
	"u@x\001failed\0015.4.1 (TCP/IP-connection failure)\001" DEFERALL \
	"\001dns; other.example.com (192.0.2.9|25|192.0.2.1|44292)\001"   \
	"smtp[23698]"
#define TRANSCRIPT                                                    \
	"\r<<- MAIL From:<sender@example.org> BODY=8BITMIME SIZE=198" \
	"\r->> 250 2.0.0 ok\r<<- DATA\r->> 354 go\r<<- .\r->> 250 2.6.0 ok"

static void test_lines_of_the_original_are_read(void **state)
{
	static const struct {
		const char *line;
		uint64_t id, offset;
		const char *notary;
		enum report_status status;
		const char *message;
	} rows[] = {
		{ "11053064/122\t\tok3 " TRANSCRIPT, 11053064, 122, "",
		  STATUS_OK3, TRANSCRIPT },
		{ "11053116/177\t" NOTARY "\tdeferall " DEFERALL, 11053116, 177,
		  NOTARY, STATUS_DEFERALL, DEFERALL },
		{ "11052912/122\t\tok3 mailer says 0", 11052912, 122, "",
		  STATUS_OK3, "mailer says 0" },
		{ "11052922/122\t66\001failed\0015.3.0\001x-local; 530 (Cannot "
		  "open input)\001\tdeferred mailer says 66[exit status 66/75 "
		  "(cannot open input)]",
		  11052922, 122,
		  "66\001failed\0015.3.0\001x-local; 530 (Cannot open input)"
		  "\001",
		  STATUS_DEFERRED,
		  "mailer says 66[exit status 66/75 (cannot open input)]" },
		{ "11052924/122\t\terror2 mailer says 67[exit status 67/67 "
		  "(addressee unknown)]",
		  11052924, 122, "", STATUS_ERROR2,
		  "mailer says 67[exit status 67/67 (addressee unknown)]" },
		{ "11052952/122\tk9\001failed\0015.3.0\001x-local; 500 (failed "
		  "on signal)\001\tdeferred dying [signal 9]",
		  11052952, 122,
		  "k9\001failed\0015.3.0\001x-local; 500 (failed on signal)"
		  "\001",
		  STATUS_DEFERRED, "dying [signal 9]" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct report r = parsed(rows[i].line);

		assert_int_equal(r.kind, REPORT_RESULT);
		assert_int_equal(r.id, rows[i].id);
		assert_int_equal(r.offset, rows[i].offset);
		assert_slice_is(r.notary, rows[i].notary);
		assert_int_equal(r.status, rows[i].status);
		assert_slice_is(r.message, rows[i].message);
		assert_false(r.has_retry);
	}
}

static void test_every_status_word_is_read(void **state)
{
	static const struct {
		const char *line;
		enum report_status status;
		const char *message;
	} rows[] = {
		{ "1/2\t\tok m", STATUS_OK, "m" },
		{ "1/2\t\tok2 m", STATUS_OK2, "m" },
		{ "1/2\t\tok3 m", STATUS_OK3, "m" },
		{ "1/2\t\terror m", STATUS_ERROR, "m" },
		{ "1/2\t\terror2 m", STATUS_ERROR2, "m" },
		{ "1/2\t\tdeferred m", STATUS_DEFERRED, "m" },
		{ "1/2\t\tretryat m", STATUS_RETRYAT, "m" },
		{ "1/2\t\tdeferall m", STATUS_DEFERALL, "m" },
		{ "1/2\t\tdeferback m", STATUS_DEFERBACK, "m" },
		{ "1/2\t\tok4 m", STATUS_UNKNOWN, "m" },
		{ "1/2\t\tOK m", STATUS_UNKNOWN, "m" },
		{ "1/2\t\tokay", STATUS_UNKNOWN, "" },
		{ "1/2\t\t m", STATUS_UNKNOWN, "m" },
		{ "1/2\t\t", STATUS_UNKNOWN, "" },
		{ "1/2\t\tok3", STATUS_OK3, "" },
		{ "1/2\t\tok3 ", STATUS_OK3, "" },
		{ "1/2\t\tok3  two", STATUS_OK3, " two" },
		{ "1/2\t\tok3 a\tTAB", STATUS_OK3, "a\tTAB" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct report r = parsed(rows[i].line);

		assert_int_equal(r.kind, REPORT_RESULT);
		assert_int_equal(r.status, rows[i].status);
		assert_slice_is(r.message, rows[i].message);
	}
}

static void test_retryat_carries_a_time(void **state)
{
	static const struct {
		const char *line;
		bool has_retry, is_relative;
		uint64_t retry;
		const char *message;
	} rows[] = {
		{ "1/2\t\tretryat +60 busy now", true, true, 60, "busy now" },
		{ "1/2\t\tretryat +60", true, true, 60, "" },
		{ "1/2\t\tretryat +0 m", true, true, 0, "m" },
		{ "1/2\t\tretryat 1700000000 m", true, false, 1700000000, "m" },
		{ "1/2\t\tretryat 18446744073709551615 m", true, false,
		  UINT64_MAX, "m" },
		{ "1/2\t\tretryat 18446744073709551616 m", false, false, 0,
		  "18446744073709551616 m" },
		{ "1/2\t\tretryat + m", false, false, 0, "+ m" },
		{ "1/2\t\tretryat +6x m", false, false, 0, "+6x m" },
		{ "1/2\t\tretryat -60 m", false, false, 0, "-60 m" },
		{ "1/2\t\tretryat soon", false, false, 0, "soon" },
		{ "1/2\t\tretryat", false, false, 0, "" },
		{ "1/2\t\tdeferred +60 m", false, false, 0, "+60 m" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct report r = parsed(rows[i].line);

		assert_int_equal(r.kind, REPORT_RESULT);
		assert_int_equal(r.has_retry, rows[i].has_retry);
		assert_int_equal(r.retry_is_relative, rows[i].is_relative);
		assert_int_equal(r.retry, rows[i].retry);
		assert_slice_is(r.message, rows[i].message);
	}
}

static void test_what_is_no_report_is_malformed(void **state)
{
	static const char *const rows[] = {
		"text",
		"1/2",
		"1/2\tok3 x",
		"1/2\tnotary",
		"1\t\tok3 x",
		"/2\t\tok3 x",
		"1/\t\tok3 x",
		"/\t\tok3 x",
		"a/2\t\tok3 x",
		"1/b\t\tok3 x",
		"1/2/3\t\tok3 x",
		"-1/2\t\tok3 x",
		"+1/2\t\tok3 x",
		"1 /2\t\tok3 x",
		" 1/2\t\tok3 x",
		"1/2 \t\tok3 x",
		"18446744073709551616/2\t\tok3 x",
		"1/18446744073709551616\t\tok3 x",
		"A/B/1/2\t\tok3 x",
		" #hungry",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct report r = parsed(rows[i]);

		assert_int_equal(r.kind, REPORT_MALFORMED);
		assert_int_equal(r.id, 0);
		assert_int_equal(r.offset, 0);
		assert_int_equal(r.notary.len, 0);
		assert_int_equal(r.message.len, 0);
	}
}

static void test_largest_numbers_are_read(void **state)
{
	struct report r;

	(void)state;
	r = parsed("18446744073709551615/18446744073709551615\t\tok3 x");
	assert_int_equal(r.kind, REPORT_RESULT);
	assert_true(r.id == UINT64_MAX && r.offset == UINT64_MAX);
}

static void test_fate_gives_status(void **state)
{
	static const struct {
		struct diag d;
		bool notify_success;
		enum report_status want;
		const char *word;
		bool has_dline;
	} rows[] = {
		{ { .fate = FATE_DELIVERED }, false, STATUS_OK3, "ok3", false },
		{ { .fate = FATE_RELAYED }, false, STATUS_OK3, "ok3", false },
		{ { .fate = FATE_DELIVERED }, true, STATUS_OK2, "ok2", true },
		{ { .fate = FATE_RELAYED }, true, STATUS_OK2, "ok2", true },
		{ { .fate = FATE_RELAYED, .dsn_handed_over = true },
		  true,
		  STATUS_OK3,
		  "ok3",
		  false },
		{ { .fate = FATE_RELAYED, .dsn_handed_over = true },
		  false,
		  STATUS_OK3,
		  "ok3",
		  false },
		{ { .fate = FATE_FAILED },
		  false,
		  STATUS_ERROR2,
		  "error2",
		  true },
		{ { .fate = FATE_FAILED, .dsn_handed_over = true },
		  true,
		  STATUS_ERROR2,
		  "error2",
		  true },
		{ { .fate = FATE_DEFERRED },
		  true,
		  STATUS_DEFERRED,
		  "deferred",
		  false },
		{ { .fate = FATE_DEFERRED_ALL },
		  false,
		  STATUS_DEFERALL,
		  "deferall",
		  false },
		{ { .fate = FATE_RETRY_AT, .retry_after = 60 },
		  false,
		  STATUS_RETRYAT,
		  "retryat",
		  false },
		{ { .fate = FATE_RETRY_AT },
		  false,
		  STATUS_DEFERRED,
		  "deferred",
		  false },
		{ { .fate = FATE_DEFERRED_BACK },
		  true,
		  STATUS_DEFERBACK,
		  "deferback",
		  false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum report_status got =
		    report_status_of(&rows[i].d, rows[i].notify_success);

		assert_int_equal(got, rows[i].want);
		assert_string_equal(report_status_word(got), rows[i].word);
		assert_int_equal(report_status_has_dline(got),
				 rows[i].has_dline);
	}
}

static void test_words_are_all_different(void **state)
{
	(void)state;
	assert_string_equal(report_status_word(STATUS_UNKNOWN), "");
	assert_false(report_status_has_dline(STATUS_OK));
	assert_false(report_status_has_dline(STATUS_ERROR));
	for (int i = 0; i < STATUS_UNKNOWN; i++)
		for (int j = i + 1; j <= STATUS_UNKNOWN; j++)
			assert_string_not_equal(
			    report_status_word((enum report_status)i),
			    report_status_word((enum report_status)j));
}

static struct report_result result_of(uint64_t id, const char *recipient,
				      const struct diag *d, const char *ta_id)
{
	return (struct report_result){ id,
				       122,
				       slice_of(recipient),
				       d,
				       report_status_of(d, false),
				       slice_of(ta_id) };
}

/* Prints one result under the status that the diag has by itself. */
static void print(struct str *to, uint64_t id, const char *recipient,
		  const struct diag *d, const char *ta_id)
{
	struct report_result r = result_of(id, recipient, d, ta_id);

	str_clear(to);
	report_print_result(to, &r);
}

/* The same for a recipient with NOTIFY=SUCCESS. */
static void print_notified(struct str *to, uint64_t id, const char *recipient,
			   const struct diag *d, const char *ta_id)
{
	struct report_result r = result_of(id, recipient, d, ta_id);

	r.status = report_status_of(d, true);
	str_clear(to);
	report_print_result(to, &r);
}

static void test_smtp_reports_are_printed(void **state)
{
	const struct diag relayed = {
		.fate = FATE_RELAYED,
		.status = SLICE("2.6.0"),
		.diagnostic = SLICE("smtp; 250 (ok)"),
		.remote_mta = SLICE("dns; relay.example.com (192.0.2.9)"),
		.text = SLICE(TRANSCRIPT),
	};
	const struct diag refused = {
		.fate = FATE_DEFERRED_ALL,
		.status = SLICE("4.4.1 (TCP/IP-connection failure)"),
		.diagnostic = SLICE("smtp; 500 (connect to mx [192.0.2.9]: "
				    "Connection refused)"),
		.remote_mta = SLICE("dns; other.example.com (192.0.2.9)"),
		.text = SLICE("smtp; 500 (connect to mx [192.0.2.9]: "
			      "Connection refused)"),
	};
	const struct diag busy = {
		.fate = FATE_RETRY_AT,
		.retry_after = 60,
		.status = SLICE("4.3.2"),
		.diagnostic = SLICE("smtp; 421 (busy)"),
		.remote_mta = SLICE("X-IP-addr; [192.0.2.9]"),
		.text = SLICE("\r<<- (connecting)\r->> 421 4.3.2 busy"),
	};
	struct str got = STR_INIT;

	(void)state;
	print(&got, 11053064, "user1@example.com", &relayed, "smtp[23698]");
	assert_slice_is(str_slice(&got),
			"11053064/122\t\tok3 " TRANSCRIPT "\n");
	print_notified(&got, 11053064, "user1@example.com", &relayed,
		       "smtp[23698]");
	assert_slice_is(str_slice(&got),
			"11053064/122\t\tok2 " TRANSCRIPT "\n");
	print(&got, 11053116, "u@x", &refused, "smtp[23698]");
	assert_slice_is(
	    str_slice(&got),
	    "11053116/122\tu@x\001delayed\0014.4.1 (TCP/IP-connection failure)"
	    "\001smtp; 500 (connect to mx [192.0.2.9]: Connection refused)"
	    "\001dns; other.example.com (192.0.2.9)\001smtp[23698]"
	    "\tdeferall smtp; 500 (connect to mx [192.0.2.9]: "
	    "Connection refused)\n");
	print(&got, 7, "u@x", &busy, "smtp[1]");
	assert_slice_is(str_slice(&got),
			"7/122\tu@x\001delayed\0014.3.2\001smtp; 421 (busy)"
			"\001X-IP-addr; [192.0.2.9]\001smtp[1]\tretryat +60 "
			"\r<<- (connecting)\r->> 421 4.3.2 busy\n");
	str_done(&got);
}

static void test_sm_reports_are_printed(void **state)
{
	const struct diag fine = { .fate = FATE_RELAYED,
				   .status = SLICE("2.5.0"),
				   .text = SLICE("mailer says 0") };
	const struct diag silent = { .fate = FATE_RELAYED,
				     .status = SLICE("2.5.0") };
	const struct diag input = {
		.fate = FATE_DEFERRED,
		.status = SLICE("4.3.0"),
		.diagnostic = SLICE("x-local; 530 (Cannot open input)"),
		.text = SLICE("mailer says 66[exit status 66/75 (cannot open "
			      "input)]"),
	};
	const struct diag nouser = {
		.fate = FATE_FAILED,
		.status = SLICE("5.1.1"),
		.diagnostic = SLICE("x-local; 521 (No such target user)"),
		.text = SLICE("mailer says 67[exit status 67/67 (addressee "
			      "unknown)]"),
	};
	const struct diag killed = {
		.fate = FATE_DEFERRED,
		.status = SLICE("4.3.0"),
		.diagnostic = SLICE("x-local; 500 (failed on signal)"),
		.text = SLICE("dying [signal 9]"),
	};
	struct str got = STR_INIT;

	(void)state;
	print(&got, 11052912, "0", &fine, "");
	assert_slice_is(str_slice(&got), "11052912/122\t\tok3 mailer says 0\n");
	print(&got, 11052912, "0", &silent, "");
	assert_slice_is(str_slice(&got), "11052912/122\t\tok3 \n");
	print(&got, 11052922, "66", &input, "");
	assert_slice_is(str_slice(&got),
			"11052922/122\t66\001delayed\0014.3.0\001x-local; 530 "
			"(Cannot open input)\001\tdeferred mailer says 66[exit "
			"status 66/75 (cannot open input)]\n");
	print(&got, 11052924, "67", &nouser, "");
	assert_slice_is(str_slice(&got),
			"11052924/122\t\terror2 mailer says 67[exit status "
			"67/67 (addressee unknown)]\n");
	print(&got, 11052952, "k9", &killed, "");
	assert_slice_is(str_slice(&got),
			"11052952/122\tk9\001delayed\0014.3.0\001x-local; 500 "
			"(failed on signal)\001\tdeferred dying [signal 9]\n");
	str_done(&got);
}

static void test_notary_is_filled_where_no_dline_is(void **state)
{
	static const struct {
		enum report_status status;
		const char *want;
	} rows[] = {
		{ STATUS_OK, "1/2\tu\001failed\0015.1.1\001\001\tok t\n" },
		{ STATUS_OK2, "1/2\t\tok2 t\n" },
		{ STATUS_OK3, "1/2\t\tok3 t\n" },
		{ STATUS_ERROR,
		  "1/2\tu\001failed\0015.1.1\001\001\terror t\n" },
		{ STATUS_ERROR2, "1/2\t\terror2 t\n" },
		{ STATUS_DEFERRED,
		  "1/2\tu\001failed\0015.1.1\001\001\tdeferred t\n" },
		{ STATUS_RETRYAT,
		  "1/2\tu\001failed\0015.1.1\001\001\tretryat +0 t\n" },
		{ STATUS_DEFERALL,
		  "1/2\tu\001failed\0015.1.1\001\001\tdeferall t\n" },
		{ STATUS_DEFERBACK,
		  "1/2\tu\001failed\0015.1.1\001\001\tdeferback t\n" },
	};
	const struct diag d = { .fate = FATE_FAILED,
				.status = SLICE("5.1.1"),
				.text = SLICE("t") };
	struct str got = STR_INIT;

	(void)state;
	assert_int_equal(COUNT(rows), STATUS_UNKNOWN);
	for (size_t i = 0; i < COUNT(rows); i++) {
		str_clear(&got);
		report_print_result(
		    &got, &(struct report_result){ 1, 2, SLICE("u"), &d,
						   rows[i].status, SLICE("") });
		assert_slice_is(str_slice(&got), rows[i].want);
	}
	str_done(&got);
}

static void test_hostile_diag_stays_one_line(void **state)
{
	const struct slice evil =
	    SLICE("a\tb\001c\nd\re\0f\033g\177h\n#hungry\n1/2\t\tok3 \200");
	const struct diag d = { .fate = FATE_DEFERRED,
				.reason = "evil",
				.status = evil,
				.diagnostic = evil,
				.remote_mta = evil,
				.text = evil };
	struct str got = STR_INIT;
	struct notary n;
	struct report r;

	(void)state;
	report_print_result(&got, &(struct report_result){
				      1, 2, evil, &d, STATUS_DEFERRED, evil });
	assert_int_equal(slice_find(str_slice(&got), '\n'), got.len - 1);
	report_parse(slice_head(str_slice(&got), got.len - 1), &r);
	assert_int_equal(r.kind, REPORT_RESULT);
	assert_int_equal(r.status, STATUS_DEFERRED);
	assert_slice_is(r.message, "a b?c\rd\re?f?g?h\r#hungry\r1/2  ok3 ?");
	assert_int_equal(notary_parse(r.notary, &n, NULL), 0);
	assert_slice_is(n.final_recipient,
			"a b?c?d?e?f?g?h?#hungry?1/2  ok3 ?");
	assert_true(slice_eq(n.ta_id, n.final_recipient));
	str_done(&got);
}

static void test_message_is_made_clean_and_cut(void **state)
{
	static const struct {
		const char *in;
		size_t max;
		const char *want;
	} rows[] = {
		{ "plain", SIZE_MAX, "plain" },
		{ "", SIZE_MAX, "" },
		{ "a\nb", SIZE_MAX, "a\rb" },
		{ "a\rb", SIZE_MAX, "a\rb" },
		{ "\n\r\n", SIZE_MAX, "\r\r\r" },
		{ "a\tb\001\033\177c", SIZE_MAX, "a b???c" },
		{ "\303\244", SIZE_MAX, "\303\244" },
		{ "abcdef", 3, "abc" },
		{ "ab\ncd", 3, "ab\r" },
		{ "ab\ncd", 4, "ab\rc" },
		{ "abc", 3, "abc" },
		{ "abc", 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str got = STR_INIT;

		str_adds(&got, ">");
		report_add_message(&got, slice_of(rows[i].in), rows[i].max);
		assert_slice_is(slice_from(str_slice(&got), 1), rows[i].want);
		str_done(&got);
	}
}

static void test_other_lines_are_printed_and_read_back(void **state)
{
	struct str got = STR_INIT;

	(void)state;
	report_print_hungry(&got);
	report_print_resync(&got, SLICE("A/B/11053116"));
	report_print_resync(&got, SLICE("x\n#hungry\ty\001"));
	report_print_comment(&got, SLICE("smtp needs defined host!"));
	report_print_comment(&got, SLICE("a\r\nb\n#hungry\tc\001"));
	report_print_comment(&got, SLICE(""));
	assert_slice_is(str_slice(&got), "#hungry\n"
					 "#resync A/B/11053116\n"
					 "#resync x?#hungry y?\n"
					 "# smtp needs defined host!\n"
					 "# a  b #hungry c?\n"
					 "# \n");
	assert_slice_is(parsed("#resync A/B/11053116").name, "A/B/11053116");
	assert_slice_is(parsed("# a  b #hungry c?").message, "a  b #hungry c?");
	str_done(&got);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hungry_is_known_by_seven_bytes),
		cmocka_unit_test(test_resync_carries_the_name),
		cmocka_unit_test(test_other_hash_line_is_a_comment),
		cmocka_unit_test(test_lines_of_the_original_are_read),
		cmocka_unit_test(test_every_status_word_is_read),
		cmocka_unit_test(test_retryat_carries_a_time),
		cmocka_unit_test(test_what_is_no_report_is_malformed),
		cmocka_unit_test(test_largest_numbers_are_read),
		cmocka_unit_test(test_fate_gives_status),
		cmocka_unit_test(test_words_are_all_different),
		cmocka_unit_test(test_smtp_reports_are_printed),
		cmocka_unit_test(test_sm_reports_are_printed),
		cmocka_unit_test(test_notary_is_filled_where_no_dline_is),
		cmocka_unit_test(test_hostile_diag_stays_one_line),
		cmocka_unit_test(test_message_is_made_clean_and_cut),
		cmocka_unit_test(test_other_lines_are_printed_and_read_back),
	};

	return TEST_RUN(tests);
}
