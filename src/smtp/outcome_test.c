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
	{ SMTP_PHASE_MAIL, 550, NONE, FATE_FAILED, "5.1.1", false },
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
	/* 552 to RCPT */
	{ SMTP_PHASE_RCPT, 552, NONE, FATE_DEFERRED, "4.2.3", false },
	{ SMTP_PHASE_RCPT, 552, { 5, 5, 3 }, FATE_DEFERRED, "4.5.3", false },
	{ SMTP_PHASE_RCPT, 552, { 5, 2, 2 }, FATE_FAILED, "5.2.2", false },
	{ SMTP_PHASE_RCPT, 552, { 5, 3, 4 }, FATE_FAILED, "5.3.4", false },
	/* what a host says of itself is never the recipient's fault */
	{ SMTP_PHASE_GREETING, 554, NONE, FATE_DEFERRED_ALL, "4.1.1", false },
	{ SMTP_PHASE_GREETING, 421, NONE, FATE_DEFERRED_ALL, "4.3.2", false },
	{ SMTP_PHASE_HELLO, 550, NONE, FATE_DEFERRED_ALL, "4.1.1", false },
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_enhanced_code_counts_only_if_offered),
		cmocka_unit_test(
		    test_diagnostic_has_square_brackets_and_no_codes),
	};

	return TEST_RUN(tests);
}
