/*
 * envelope_test.c - from words to the texts of both files, byte by byte.
 */
#include "subm/envelope.h"

#include "base/keyword.h"
#include "base/test.h"
#include "spool/ctl.h"

#include <string.h>
#include <sysexits.h>

/* A slice in a static initializer. */
#define LIT(text)                                  \
	{                                          \
		"" text "", sizeof("" text "") - 1 \
	}

static const struct subm_request plain = {
	.login = LIT("alice"),
	.host_name = LIT("mail.example.net"),
	.uid = 501,
	.channel = LIT("smtp"),
};

static int make(const struct subm_request *base, const char *rcpt,
		struct arena *a, struct subm_envelope *ret, struct err *err)
{
	struct slice *word = ARENA_NEW(a, struct slice);
	struct subm_request r = *base;

	*word = slice_of(rcpt);
	r.rcpts = word;
	r.n_rcpts = 1;
	return subm_envelope_make(&r, a, ret, err);
}

static void test_host_is_the_domain_unless_given(void **state)
{
	static const struct {
		const char *rcpt, *host, *address, *want;
	} cases[] = {
		{ "Bob@Example.COM", NULL, "Bob@Example.COM", "example.com" },
		{ "<bob@x>", NULL, "bob@x", "x" },
		{ "b@[IPv6:2001:DB8::1]", NULL, "b@[IPv6:2001:DB8::1]",
		  "[ipv6:2001:db8::1]" },
		{ "bob@x", "Relay.Example", "bob@x", "relay.example" },
		{ "bob", "-", "bob", "-" },
		{ "bob", "h", "bob", "h" },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct subm_request r = plain;
		struct subm_envelope e;
		struct err err;

		r.has_host = cases[i].host != NULL;
		r.host = slice_of(cases[i].host);
		assert_int_equal(make(&r, cases[i].rcpt, a, &e, &err), EX_OK);
		assert_slice_is(e.rcpts[0].address, cases[i].address);
		assert_slice_is(e.rcpts[0].host, cases[i].want);
	}
	arena_free(a);
}

static void test_sender_gets_a_domain_unless_null(void **state)
{
	static const struct {
		const char *given, *want;
	} cases[] = {
		{ NULL, "alice@mail.example.net" },
		{ "carol@x", "carol@x" },
		{ "<carol@x>", "carol@x" },
		{ "carol", "carol@mail.example.net" },
		{ "", "" },
		{ "<>", "" },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct subm_request r = plain;
		struct subm_envelope e;
		struct err err;

		r.has_sender = cases[i].given != NULL;
		r.sender = slice_of(cases[i].given);
		assert_int_equal(make(&r, "b@x", a, &e, &err), EX_OK);
		assert_slice_is(e.sender, cases[i].want);
	}
	arena_free(a);
}

static void test_what_cannot_be_used_has_an_exit_code(void **state)
{
	const struct {
		struct subm_request r;
		const char *rcpt;
		int code;
		const char *text;
	} cases[] = {
		{ { .channel = SLICE("smtp"),
		    .login = SLICE("a"),
		    .host_name = SLICE("h") },
		  "bob",
		  EX_USAGE,
		  "recipient 'bob' has no domain" },
		{ { .channel = SLICE("smtp"),
		    .login = SLICE("a"),
		    .host_name = SLICE("h") },
		  "bob@x y",
		  EX_DATAERR,
		  "recipient 'bob@x y'" },
		{ { .channel = SLICE("a b"),
		    .login = SLICE("a"),
		    .host_name = SLICE("h") },
		  "bob@x",
		  EX_DATAERR,
		  "channel 'a b'" },
		{ { .channel = SLICE("smtp"),
		    .login = SLICE("a"),
		    .host_name = SLICE("h"),
		    .has_host = true },
		  "bob@x",
		  EX_DATAERR,
		  "host ''" },
		{ { .channel = SLICE("smtp"),
		    .login = SLICE("a"),
		    .host_name = SLICE("h"),
		    .has_sender = true,
		    .sender = SLICE("a b") },
		  "bob@x",
		  EX_DATAERR,
		  "sender 'a b'" },
		{ { .channel = SLICE("smtp"),
		    .uid = 4711,
		    .host_name = SLICE("h") },
		  "bob@x",
		  EX_NOUSER,
		  "uid 4711 has no login name" },
		{ { .channel = SLICE("smtp"),
		    .login = SLICE("a"),
		    .host_name = SLICE("my host") },
		  "bob@x",
		  EX_CONFIG,
		  "this host's name 'my host'" },
	};
	struct arena *a = arena_new();
	struct subm_envelope e;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(make(&cases[i].r, cases[i].rcpt, a, &e, &err),
				 cases[i].code);
		if (strstr(err.text, cases[i].text) == NULL)
			fail_msg("'%s' does not say '%s'", err.text,
				 cases[i].text);
	}
	assert_int_equal(subm_envelope_make(&plain, a, &e, &err), EX_USAGE);
	arena_free(a);
}

static struct subm_rcpt two_rcpts[] = {
	{ .address = LIT("bob@example.com"), .host = LIT("example.com") },
	{ .address = LIT("\"c d+e\"@x"), .host = LIT("x") },
};

static const struct subm_envelope two = {
	.sender = LIT("alice@example.net"),
	.channel = LIT("smtp"),
	.uid = 501,
	.rcpts = two_rcpts,
	.n_rcpts = 2,
};

static const struct subm_content content = {
	.name = LIT("24700"),
	.body_offset = 91,
	.identity = LIT("<1@example.net>"),
	.fields = LIT("From: alice@example.net\nSubject: hi\n"),
};

static const char two_control[] =
    "@ 0x00000007\n"
    "i 24700\n"
    "o 91\n"
    "l <1@example.net>\n"
    "s local - alice@example.net 501\n"
    "r           smtp example.com bob@example.com 501\n"
    "N NOTIFY=FAILURE ORCPT=rfc822;bob@example.com\n"
    "r           smtp x \"c d+e\"@x 501\n"
    "N NOTIFY=FAILURE ORCPT=rfc822;\"c+20d+2Be\"@x\n"
    "m\n"
    "From: alice@example.net\n"
    "Subject: hi\n"
    "\n";

static void test_message_file_begins_with_its_envelope(void **state)
{
	struct subm_envelope e = two;
	struct str text = STR_INIT;

	(void)state;
	subm_envelope_print(&text, &e);
	assert_slice_is(str_slice(&text), "from <alice@example.net>\n"
					  "to <bob@example.com>\n"
					  "to <\"c d+e\"@x>\n"
					  "env-end\n");
	str_clear(&text);
	e.sender = SLICE("");
	e.n_rcpts = 1;
	subm_envelope_print(&text, &e);
	assert_slice_is(str_slice(&text), "channel error\n"
					  "to <bob@example.com>\n"
					  "env-end\n");
	str_done(&text);
}

static void test_control_file_is_exact(void **state)
{
	struct subm_envelope e = two;
	struct subm_content headless = content;
	struct str text = STR_INIT;

	(void)state;
	subm_control_print(&text, &e, &content);
	assert_slice_is(str_slice(&text), two_control);
	str_clear(&text);
	e.sender = SLICE("");
	e.n_rcpts = 1;
	headless.fields = SLICE("");
	subm_control_print(&text, &e, &headless);
	assert_slice_is(str_slice(&text),
			"@ 0x00000007\n"
			"i 24700\n"
			"o 91\n"
			"l <1@example.net>\n"
			"s error - - 501\n"
			"r           smtp example.com bob@example.com 501\n"
			"N NOTIFY=FAILURE ORCPT=rfc822;bob@example.com\n"
			"m\n"
			"\n");
	str_done(&text);
}

static void test_agents_read_what_was_written(void **state)
{
	struct str text = STR_INIT;
	struct arena *a = arena_new();
	struct ctl ctl;
	struct err err;

	(void)state;
	subm_control_print(&text, &two, &content);
	assert_int_equal(ctl_parse(str_slice(&text), a, &ctl, &err), CTL_OK);
	assert_slice_is(ctl.message_name, "24700");
	assert_int_equal(ctl.body_offset, 91);
	assert_slice_is(ctl.log_identity, "<1@example.net>");
	assert_int_equal(ctl.n_rcpts, 2);
	assert_slice_is(ctl.rcpts[1].address.channel, "smtp");
	assert_slice_is(ctl.rcpts[1].address.host, "x");
	assert_slice_is(ctl.rcpts[1].address.user, "\"c d+e\"@x");
	assert_slice_is(ctl.rcpts[1].address.privilege, "501");
	assert_slice_is(ctl.rcpts[1].sender->address.user, "alice@example.net");
	assert_slice_is(ctl.rcpts[0].header->text,
			"From: alice@example.net\nSubject: hi\n");
	assert_int_equal(ctl.rcpts[0].dsn.notify, NOTIFY_FAILURE);
	assert_slice_is(ctl.rcpts[0].dsn.orcpt, "rfc822;bob@example.com");
	assert_true(ctl.rcpts[0].has_pid_slot);
	assert_true(ctl.rcpts[0].has_delay_slot);
	arena_free(a);
	str_done(&text);
}

static void test_orcpt_that_cannot_be_written_is_left_out(void **state)
{
	struct subm_rcpt rcpts[] = {
		{ .address = SLICE("b\303\266b@x"), .host = SLICE("x") },
		{ .host = SLICE("x") },
		{ .address = SLICE("b\366b@x"), .host = SLICE("x") },
	};
	struct subm_envelope e = two;
	struct str text = STR_INIT, many = STR_INIT;

	(void)state;
	e.rcpts = rcpts;
	e.n_rcpts = COUNT(rcpts);
	while (many.len < 170)
		str_addc(&many, '+'); /* each is three bytes of xtext */
	rcpts[1].address = str_slice(&many);
	subm_control_print(&text, &e, &content);
	assert_non_null(strstr(text.p, "b\303\266b@x 501\nN NOTIFY=FAILURE "
				       "ORCPT=utf-8;b\\x{F6}b@x\n"));
	assert_non_null(strstr(text.p, "++ 501\nN NOTIFY=FAILURE\n"));
	assert_non_null(strstr(text.p, "b\366b@x 501\nN NOTIFY=FAILURE\n"));
	str_done(&text);
	str_done(&many);
}

static void test_wishes_of_a_recipient_are_its_own(void **state)
{
	const struct slice words[] = { SLICE("a@x"), SLICE("b@x"),
				       SLICE("c@x") };
	const struct subm_wish wishes[] = {
		{ true, NOTIFY_NEVER, SLICE("") },
		{ false, 0, SLICE("rfc822;other@y") },
	};
	struct subm_request r = plain;
	struct arena *a = arena_new();
	struct str text = STR_INIT;
	struct subm_envelope e;
	struct err err;

	(void)state;
	r.rcpts = words;
	r.n_rcpts = COUNT(words);
	r.wishes = wishes;
	r.n_wishes = COUNT(wishes);
	r.has_notify = true;
	r.notify = NOTIFY_DELAY;
	assert_int_equal(subm_envelope_make(&r, a, &e, &err), EX_OK);
	subm_control_print(&text, &e, &content);
	assert_non_null(strstr(text.p, "a@x 501\nN NOTIFY=NEVER "
				       "ORCPT=rfc822;a@x\n"));
	assert_non_null(strstr(text.p, "b@x 501\nN NOTIFY=DELAY "
				       "ORCPT=rfc822;other@y\n"));
	assert_non_null(strstr(text.p, "c@x 501\nN NOTIFY=DELAY "
				       "ORCPT=rfc822;c@x\n"));
	str_done(&text);
	arena_free(a);
}

static void test_identity_is_one_clean_line(void **state)
{
	static const struct {
		const char *fields, *want;
	} cases[] = {
		{ "Message-ID: <1@x>\n", "<1@x>" },
		{ "A: b\nmessage-id:<1@x>  \nC: d\n", "<1@x>" },
		{ "Message-ID:\n  <1@x>\n\t(note)\n", "<1@x> (note)" },
		{ "Message-ID: a\001b\r\n", "a?b?" },
		{ "Message-ID:\nFrom: x\n", "<S1@host>" },
		{ "Message-ID: \n \t\n", "<S1@host>" },
		{ "From: x\n", "<S1@host>" },
		{ "", "<S1@host>" },
	};
	struct str got = STR_INIT, fields = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		str_clear(&got);
		subm_identity_print(&got, slice_of(cases[i].fields),
				    SLICE("S1"), SLICE("host"));
		assert_slice_is(str_slice(&got), cases[i].want);
	}
	str_adds(&fields, "Message-ID: ");
	for (int i = 0; i < 5000; i++)
		str_addc(&fields, 'x');
	str_clear(&got);
	subm_identity_print(&got, str_slice(&fields), SLICE(""), SLICE(""));
	assert_int_equal(got.len, 998);
	str_done(&got);
	str_done(&fields);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host_is_the_domain_unless_given),
		cmocka_unit_test(test_sender_gets_a_domain_unless_null),
		cmocka_unit_test(test_what_cannot_be_used_has_an_exit_code),
		cmocka_unit_test(test_message_file_begins_with_its_envelope),
		cmocka_unit_test(test_control_file_is_exact),
		cmocka_unit_test(test_agents_read_what_was_written),
		cmocka_unit_test(test_orcpt_that_cannot_be_written_is_left_out),
		cmocka_unit_test(test_wishes_of_a_recipient_are_its_own),
		cmocka_unit_test(test_identity_is_one_clean_line),
	};

	return TEST_RUN(tests);
}
