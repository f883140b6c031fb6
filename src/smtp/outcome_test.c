/*
 * outcome_test.c - the table of replies (smtp(8), REPLIES), row by row.
 */
#include "smtp/outcome.h"

#include "base/keyword.h"
#include "base/test.h"

#include <string.h>

struct row {
	enum smtp_phase phase;
	unsigned code;
	struct status enhanced; /* class 0: none */
	enum fate want;
	const char *status; /* without its comment */
	bool is_abnormal;
};

#define NONE            \
	{               \
		0, 0, 0 \
	}

/* clang-format off */
static const struct row rows[] = {
	/* success */
	{ SMTP_PHASE_RCPT, 250, NONE, FATE_RELAYED, "2.0.0", false },
	{ SMTP_PHASE_RCPT, 251, NONE, FATE_RELAYED, "2.0.0", false },
	{ SMTP_PHASE_RCPT, 299, NONE, FATE_RELAYED, "2.0.0", false },
	{ SMTP_PHASE_END, 250, { 2, 6, 0 }, FATE_RELAYED, "2.6.0", false },
	{ SMTP_PHASE_DATA, 354, NONE, FATE_RELAYED, "2.0.0", false },
	/* never success */
	{ SMTP_PHASE_DATA, 250, NONE, FATE_DEFERRED, "4.5.0", false },
	{ SMTP_PHASE_END, 150, NONE, FATE_DEFERRED_BACK, "4.5.0", false },
	{ SMTP_PHASE_END, 354, NONE, FATE_DEFERRED_BACK, "4.5.0", false },
	{ SMTP_PHASE_RCPT, 350, NONE, FATE_DEFERRED, "4.5.0", false },
	{ SMTP_PHASE_RCPT, 999, NONE, FATE_DEFERRED, "4.5.0", false },
	{ SMTP_PHASE_RCPT, 0, NONE, FATE_DEFERRED, "4.5.0", false },
	{ SMTP_PHASE_RCPT, 600, NONE, FATE_DEFERRED, "4.5.0", false },
	/* temporary */
	{ SMTP_PHASE_RCPT, 421, NONE, FATE_DEFERRED, "4.3.2", false },
	{ SMTP_PHASE_RCPT, 450, NONE, FATE_DEFERRED, "4.2.0", false },
	{ SMTP_PHASE_RCPT, 451, NONE, FATE_DEFERRED, "4.3.0", false },
	{ SMTP_PHASE_RCPT, 452, NONE, FATE_DEFERRED, "4.5.3", false },
	{ SMTP_PHASE_RCPT, 455, NONE, FATE_DEFERRED, "4.5.4", false },
	{ SMTP_PHASE_RCPT, 499, NONE, FATE_DEFERRED, "4.0.0", false },
	{ SMTP_PHASE_RCPT, 503, NONE, FATE_DEFERRED, "4.5.0", false },
	{ SMTP_PHASE_RCPT, 503, { 5, 5, 1 }, FATE_DEFERRED, "4.5.1", false },
	{ SMTP_PHASE_MAIL, 450, { 4, 7, 1 }, FATE_DEFERRED, "4.7.1", false },
	{ SMTP_PHASE_END, 451, NONE, FATE_DEFERRED_BACK, "4.3.0", false },
	/* permanent */
	{ SMTP_PHASE_RCPT, 500, NONE, FATE_FAILED, "5.5.1", true },
	{ SMTP_PHASE_RCPT, 501, NONE, FATE_FAILED, "5.5.2", true },
	{ SMTP_PHASE_RCPT, 502, NONE, FATE_FAILED, "5.5.1", true },
	{ SMTP_PHASE_RCPT, 504, NONE, FATE_FAILED, "5.5.4", true },
	{ SMTP_PHASE_RCPT, 550, NONE, FATE_FAILED, "5.1.1", false },
	{ SMTP_PHASE_RCPT, 551, NONE, FATE_FAILED, "5.1.6", false },
	{ SMTP_PHASE_RCPT, 553, NONE, FATE_FAILED, "5.1.3", false },
	{ SMTP_PHASE_RCPT, 554, NONE, FATE_FAILED, "5.1.1", false },
	{ SMTP_PHASE_RCPT, 555, NONE, FATE_FAILED, "5.5.4", true },
	{ SMTP_PHASE_RCPT, 571, NONE, FATE_FAILED, "5.7.1", false },
	{ SMTP_PHASE_RCPT, 599, NONE, FATE_FAILED, "5.0.0", false },
	{ SMTP_PHASE_RCPT, 550, { 5, 7, 26 }, FATE_FAILED, "5.7.26", false },
	{ SMTP_PHASE_END, 501, NONE, FATE_FAILED, "5.5.2", false },
	{ SMTP_PHASE_END, 552, NONE, FATE_FAILED, "5.2.3", false },
	{ SMTP_PHASE_END_ALL, 501, NONE, FATE_FAILED, "5.5.2", false },
	/* the same code to another command: not the recipient's fault */
	{ SMTP_PHASE_MAIL, 550, NONE, FATE_FAILED, "5.7.1", false },
	{ SMTP_PHASE_MAIL, 551, NONE, FATE_FAILED, "5.0.0", false },
	{ SMTP_PHASE_MAIL, 552, NONE, FATE_FAILED, "5.3.4", false },
	{ SMTP_PHASE_MAIL, 553, NONE, FATE_FAILED, "5.1.7", false },
	{ SMTP_PHASE_MAIL, 554, NONE, FATE_FAILED, "5.7.1", false },
	{ SMTP_PHASE_MAIL, 450, NONE, FATE_DEFERRED, "4.0.0", false },
	{ SMTP_PHASE_MAIL, 452, NONE, FATE_DEFERRED, "4.3.1", false },
	{ SMTP_PHASE_MAIL, 550, { 5, 1, 8 }, FATE_FAILED, "5.1.8", false },
	{ SMTP_PHASE_DATA, 450, NONE, FATE_DEFERRED, "4.0.0", false },
	{ SMTP_PHASE_DATA, 452, NONE, FATE_DEFERRED, "4.3.1", false },
	{ SMTP_PHASE_DATA, 550, NONE, FATE_FAILED, "5.7.1", false },
	{ SMTP_PHASE_DATA, 552, NONE, FATE_FAILED, "5.3.4", false },
	{ SMTP_PHASE_DATA, 554, NONE, FATE_FAILED, "5.7.1", false },
	{ SMTP_PHASE_END_ALL, 250, NONE, FATE_RELAYED, "2.0.0", false },
	{ SMTP_PHASE_END_ALL, 354, NONE, FATE_DEFERRED_BACK, "4.5.0", false },
	{ SMTP_PHASE_END_ALL, 450, NONE, FATE_DEFERRED_BACK, "4.0.0", false },
	{ SMTP_PHASE_END_ALL, 452, NONE, FATE_DEFERRED_BACK, "4.3.1", false },
	{ SMTP_PHASE_END_ALL, 550, NONE, FATE_FAILED, "5.7.1", false },
	{ SMTP_PHASE_END_ALL, 551, NONE, FATE_FAILED, "5.0.0", false },
	{ SMTP_PHASE_END_ALL, 552, NONE, FATE_FAILED, "5.3.4", false },
	{ SMTP_PHASE_END_ALL, 553, NONE, FATE_FAILED, "5.0.0", false },
	{ SMTP_PHASE_END_ALL, 554, NONE, FATE_FAILED, "5.7.1", false },
	{ SMTP_PHASE_END_ALL, 550, { 5, 6, 0 }, FATE_FAILED, "5.6.0", false },
	/* LMTP's answers to the end of data are a mailbox's each */
	{ SMTP_PHASE_END, 450, NONE, FATE_DEFERRED_BACK, "4.2.0", false },
	{ SMTP_PHASE_END, 452, NONE, FATE_DEFERRED_BACK, "4.3.1", false },
	{ SMTP_PHASE_END, 550, NONE, FATE_FAILED, "5.1.1", false },
	{ SMTP_PHASE_END, 551, NONE, FATE_FAILED, "5.1.6", false },
	{ SMTP_PHASE_END, 553, NONE, FATE_FAILED, "5.1.3", false },
	{ SMTP_PHASE_END, 554, NONE, FATE_FAILED, "5.1.1", false },
	/* 552 to RCPT */
	{ SMTP_PHASE_RCPT, 552, NONE, FATE_DEFERRED, "4.2.3", false },
	{ SMTP_PHASE_RCPT, 552, { 5, 5, 3 }, FATE_DEFERRED, "4.5.3", false },
	{ SMTP_PHASE_RCPT, 552, { 5, 2, 2 }, FATE_FAILED, "5.2.2", false },
	{ SMTP_PHASE_RCPT, 552, { 5, 3, 4 }, FATE_FAILED, "5.3.4", false },
	/* what a host says of itself is never the recipient's fault */
	{ SMTP_PHASE_STARTTLS, 220, NONE, FATE_RELAYED, "2.0.0", false },
	{ SMTP_PHASE_STARTTLS, 354, NONE, FATE_DEFERRED_ALL, "4.5.0", false },
	{ SMTP_PHASE_STARTTLS, 454, NONE, FATE_DEFERRED_ALL, "4.7.5", false },
	{ SMTP_PHASE_STARTTLS, 502, NONE, FATE_DEFERRED_ALL, "4.5.1", false },
	{ SMTP_PHASE_STARTTLS, 554, NONE, FATE_DEFERRED_ALL, "4.7.1", false },
	{ SMTP_PHASE_AUTH, 235, NONE, FATE_RELAYED, "2.0.0", false },
	{ SMTP_PHASE_AUTH, 432, NONE, FATE_DEFERRED_ALL, "4.7.12", false },
	{ SMTP_PHASE_AUTH, 454, NONE, FATE_DEFERRED_ALL, "4.7.0", false },
	{ SMTP_PHASE_AUTH, 500, NONE, FATE_DEFERRED_ALL, "4.5.6", false },
	{ SMTP_PHASE_AUTH, 504, NONE, FATE_DEFERRED_ALL, "4.5.4", false },
	{ SMTP_PHASE_AUTH, 534, NONE, FATE_DEFERRED_ALL, "4.7.9", false },
	{ SMTP_PHASE_AUTH, 535, NONE, FATE_DEFERRED_ALL, "4.7.8", false },
	{ SMTP_PHASE_AUTH, 535, { 5, 7, 0 }, FATE_DEFERRED_ALL, "4.7.0", false },
	{ SMTP_PHASE_AUTH, 538, NONE, FATE_DEFERRED_ALL, "4.7.11", false },
	{ SMTP_PHASE_GREETING, 554, NONE, FATE_DEFERRED_ALL, "4.3.2", false },
	{ SMTP_PHASE_GREETING, 550, NONE, FATE_DEFERRED_ALL, "4.3.2", false },
	{ SMTP_PHASE_GREETING, 450, NONE, FATE_DEFERRED_ALL, "4.3.2", false },
	{ SMTP_PHASE_GREETING, 452, NONE, FATE_DEFERRED_ALL, "4.3.1", false },
	{ SMTP_PHASE_GREETING, 521, NONE, FATE_DEFERRED_ALL, "4.3.2", false },
	{ SMTP_PHASE_GREETING, 421, NONE, FATE_DEFERRED_ALL, "4.3.2", false },
	{ SMTP_PHASE_HELLO, 550, NONE, FATE_DEFERRED_ALL, "4.3.2", false },
	{ SMTP_PHASE_HELLO, 554, NONE, FATE_DEFERRED_ALL, "4.3.2", false },
};
/* clang-format on */

static void test_every_row(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *row = &rows[i];
		struct reply reply = { .code = row->code,
				       .has_enhanced = row->enhanced.class != 0,
				       .enhanced = row->enhanced };
		struct diag d = { 0 };
		bool is_abnormal;

		reply.text = arena_printf(a, "%03u text", row->code);
		is_abnormal = outcome_of_reply(row->phase, &reply, true, a, &d);
		d.status = slice_head(d.status, slice_find(d.status, ' '));
		if (d.fate != row->want || is_abnormal != row->is_abnormal ||
		    !slice_eq(d.status, slice_of(row->status)))
			fail_msg("row %zu: %u gave fate %d status %.*s", i,
				 row->code, (int)d.fate, SLICE_ARG(d.status));
		assert_non_null(d.reason);
	}
	arena_free(a);
}

static void test_enhanced_code_counts_only_if_offered(void **state)
{
	struct arena *a = arena_new();
	struct reply reply = { .code = 550,
			       .text = SLICE("550 5.7.1 no"),
			       .has_enhanced = true,
			       .enhanced = { 5, 7, 1 } };
	struct diag d = { 0 };

	(void)state;
	outcome_of_reply(SMTP_PHASE_RCPT, &reply, false, a, &d);
	assert_slice_is(d.status, "5.1.1 (bad destination mailbox)");
	outcome_of_reply(SMTP_PHASE_RCPT, &reply, true, a, &d);
	assert_slice_is(d.status, "5.7.1");
	arena_free(a);
}

static void test_diagnostic_has_square_brackets_and_no_codes(void **state)
{
	struct arena *a = arena_new();
	struct reply reply = {
		.code = 550, .text = SLICE("550-5.1.1 no (such\t[user])\n550 x")
	};

	(void)state;
	assert_slice_is(outcome_diagnostic(&reply, a),
			"smtp; 550 (no [such [user]] x)");
	arena_free(a);
}

struct grey_row {
	const char *text; /* code, enhanced code and words, as a server says */
	bool want;
};

/* Patterns that are met in the field, in short words of our own. */
/* clang-format off */
static const struct grey_row grey_rows[] = {
	/* those that say what they are */
	{ "450 4.2.0 <u@y>: recipient refused: Greylisted, see help", true },
	{ "450 4.7.1 <u@y>: Greylisted for 5 minutes", true },
	{ "451 4.7.1 Greylisting in action, come back in 00:05:00", true },
	{ "451-mx: this host is greylisted\n451 please wait", true },
	{ "451 4.7.1 Graylisted, delay of 300 seconds", true },
	{ "451 grey listed", true },
	{ "421 4.7.0 gray-list: call again", true },
	{ "452 4.3.1 Greylisted", true },
	{ "471 you have been GREYLISTED", true },
	/* those that only put us off */
	{ "451 4.7.1 Try again later", true },
	{ "451 Temporary failure, please try again later.", true },
	{ "450 please come back in 60 seconds", true },
	{ "451 4.7.500 Access denied, please try again later (AS1)", true },
	{ "451 Message temporarily deferred - [160]", true },
	{ "450 4.7.1 first time we meet, retry later", true },
	{ "451 4.7.1 deferred by policy", true },
	{ "450 4.2.0 <u@y>: deferred", true },
	/* troubles of the host: another may have none */
	{ "451 Temporary local problem - please try later", false },
	{ "451 4.7.1 Service unavailable - try again later", false },
	{ "451 4.3.0 Temporary lookup failure", false },
	{ "451 4.3.5 Server configuration error, try again later", false },
	{ "450 4.4.3 try again later", false },
	{ "452 4.3.1 Insufficient system storage, try again later", false },
	{ "451 4.7.1 too many connections, try again later", false },
	{ "421 4.3.2 closing, try again later", false },
	{ "421 Try again later", false },
	{ "421 4.7.0 [TS01] Messages temporarily deferred", false },
	/* troubles of an address, or of ours */
	{ "450 4.2.0 mailbox locked, try again later", false },
	{ "452 4.2.2 over quota", false },
	{ "450 4.2.1 receiving mail too quickly, try again later", false },
	{ "450 4.1.1 unverified address, try again later", false },
	{ "450 4.1.8 sender's domain not found", false },
	{ "450 4.7.1 cannot find your hostname", false },
	{ "450 4.7.25 no reverse name", false },
	{ "450 Requested mail action not taken", false },
	{ "451 aborted", false },
	/* never temporary */
	{ "550 5.7.1 Greylisted, try again later", false },
	{ "250 2.0.0 no greylisting here", false },
	{ "999 greylisted", false },
};
/* clang-format on */

static void test_greylisting_is_told_from_trouble(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(grey_rows); i++) {
		struct str line = STR_INIT;
		struct reply_parser p = { 0 };
		struct reply reply;
		struct slice in;
		struct err err;

		str_addf(&line, "%s\r\n", grey_rows[i].text);
		in = str_slice(&line);
		assert_int_equal(reply_feed(&p, &in, &reply, &err), PARSE_DONE);
		if (outcome_is_greylisting(&reply) != grey_rows[i].want)
			fail_msg("'%s' is %sgreylisting", grey_rows[i].text,
				 grey_rows[i].want ? "" : "no ");
		reply_done(&p);
		str_done(&line);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_greylisting_is_told_from_trouble),
		cmocka_unit_test(test_enhanced_code_counts_only_if_offered),
		cmocka_unit_test(
		    test_diagnostic_has_square_brackets_and_no_codes),
	};

	return TEST_RUN(tests);
}
