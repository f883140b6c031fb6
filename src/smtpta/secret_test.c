/*
 * secret_test.c - a conversation with AUTH in it, as it may be shown.
 */
#include "smtpta/secret.h"

#include "base/test.h"

struct row {
	char direction;
	unsigned code; /* 'r'; 0: a part of a reply */
	const char *text, *want;
};

static const struct row rows[] = {
	{ 'w', 0, "EHLO auth plain", "EHLO auth plain" },
	{ 'r', 250, "250-mx\n250 AUTH LOGIN", "250-mx\n250 AUTH LOGIN" },
	{ 'w', 0, "AUTH PLAIN AGJvYgBzZWNyZXQ=", "AUTH PLAIN ***" },
	{ 'r', 535, "535 5.7.8 no", "535 5.7.8 no" },
	{ 'w', 0, "auth Login", "auth Login" },
	{ 'r', 334, "334 VXNlcm5hbWU6", "334 ***" },
	{ 'w', 0, "Ym9i", "***" },
	{ 'r', 334, "334-more\n334 UGFzc3dvcmQ6", "334 ***" },
	{ 'w', 0, "c2VjcmV0", "***" },
	{ 'r', 235, "235 2.7.0 welcome", "235 2.7.0 welcome" },
	{ 'w', 0, "MAIL FROM:<a@x> AUTH=<>", "MAIL FROM:<a@x> AUTH=<>" },
	{ 'r', 334, "334 nonsense", "334 nonsense" },
	{ 'w', 0, "AUTH ", "AUTH ***" },
	{ 'r', 0, "334 VXNl", "334 ***" },
	{ 'x', 0, "hung up", "hung up" },
};

static void test_secrets_of_auth_are_never_shown(void **state)
{
	struct secret s = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reply reply = { .code = rows[i].code };
		struct smtp_said said = {
			.direction = rows[i].direction,
			.text = slice_of(rows[i].text),
			.reply = rows[i].code != 0 ? &reply : NULL,
			.command = i,
		};
		struct smtp_said shown = secret_mask(&s, &said);

		assert_slice_is(shown.text, rows[i].want);
		assert_int_equal(shown.direction, said.direction);
		assert_int_equal(shown.command, i);
		assert_ptr_equal(shown.reply, said.reply);
	}
	secret_done(&s);
	assert_false(s.is_in_auth);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secrets_of_auth_are_never_shown),
	};

	return TEST_RUN(tests);
}
