/*
 * blame_test.c - which refusals blame IPv6.
 */
#include "smtpta/blame.h"

#include "base/keyword.h"
#include "base/test.h"

static void test_only_what_a_server_says_of_ipv6_counts(void **state)
{
	static const struct {
		const char *text;
		bool want;
	} rows[] = {
		{ "\r<<- .\r->> 550-5.7.1 [2001:db8::1] does not meet IPv6 "
		  "sending\r->> 550 5.7.1 guidelines",
		  true },
		{ "\r<<- .\r->> 550-5.7.1 refused:\r->> 550 5.7.1 no PTR "
		  "(ipv6).",
		  true },
		{ "\r<<- MAIL FROM:<a@x>\r->> 554 Client [IPV6:2001:db8::1] "
		  "blocked",
		  true },
		{ "\r->> 550 IPv6-only senders are refused", true },
		{ "\r<<- RCPT TO:<bob@ipv6.example>\r->> 550 "
		  "<bob@ipv6.example> "
		  "unknown",
		  false },
		{ "\r<<- RCPT TO:<x@[IPv6:::1]>\r->> 550 x@[IPv6:::1]: no",
		  false },
		{ "\r<<- EHLO ipv6\r->> 550 no", false },
		{ "->> 550 ipv6s and xipv6 and IPv64", false },
		{ "550 IPv6", false },
		{ "->> ", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (blame_is_on_ipv6(slice_of(rows[i].text)) != rows[i].want)
			fail_msg("'%s'", rows[i].text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_a_server_says_of_ipv6_counts),
	};

	return TEST_RUN(tests);
}
