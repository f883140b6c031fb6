/*
 * stream_test.c - what a mailer reads, to the byte: every flag alone, the
 * usual combinations, and bodies of every kind, in every chunking.
 */
#include "smta/stream.h"

#include "base/keyword.h"
#include "smta/test_stream.h"

#include <stdlib.h>
#include <string.h>

/* ---- the From_ line ---------------------------------------------------- */

static void test_from_line_comes_first(void **state)
{
	(void)state;
	check_flags("-", "body\n", FROM "\nSubject: test\n\nbody\n");
}

static void test_n_leaves_the_from_line_out(void **state)
{
	(void)state;
	check_flags("n", "body\n", "Subject: test\n\nbody\n");
}

static void test_U_adds_remote_from(void **state)
{
	const char *want = FROM " remote from mail.example.org\n"
				"Subject: test\n\nbody\n";

	(void)state;
	check_flags("U", "body\n", want);
	check_flags("Un", "body\n", want);
	check_flags("UR", "body\n",
		    FROM " remote from mail.example.org\r\n"
			 "Subject: test\r\n\r\nbody\r\n");
}

static void test_from_line_of_the_empty_sender(void **state)
{
	struct stream_facts f = make_facts();

	(void)state;
	f.sender = &null_sender;
	check(&f, "body\n", "From <> " DATE "\nSubject: test\n\nbody\n");
}

static void test_sender_is_one_word_in_the_from_line(void **state)
{
	struct stream_facts f = make_facts();
	struct ctl_sender odd = { .address = {
				      .user = SLICE("\"a b\"\t\r\nX: y@z") } };

	(void)state;
	f.sender = &odd;
	check(&f, "body\n",
	      "From \"a_b\"___X:_y@z " DATE "\nSubject: test\n\nbody\n");
}

/* ---- line ends and escapes --------------------------------------------- */

static void test_R_ends_every_line_in_crlf(void **state)
{
	(void)state;
	check_flags("R", "a\nb\n", FROM "\r\nSubject: test\r\n\r\na\r\nb\r\n");
	check_flags("nRPe", "a\n",
		    "Return-Path: <sender@example.org>\r\n"
		    "Subject: test\r\n"
		    "Envelope-Id: QQ314159\r\n"
		    "X-Envelope-To: <user1@example.com> (uid -2)\r\n"
		    "Original-Recipient: rfc822;user1+@example.com\r\n"
		    "\r\na\r\n");
}

static void test_X_doubles_dots_at_line_starts(void **state)
{
	struct stream_facts f = make_facts();

	(void)state;
	check_flags("nX", ".\n..\na.\n.b\n",
		    "Subject: test\n\n..\n...\na.\n..b\n");
	check_flags("n", ".\n..\na.\n.b\n", "Subject: test\n\n.\n..\na.\n.b\n");
	f.flags = flags_of("nX");
	f.header = SLICE(".odd: x\nSubject: .\n");
	check(&f, "x\n", "..odd: x\nSubject: .\n\nx\n");
	f.flags = flags_of("n");
	check(&f, "x\n", ".odd: x\nSubject: .\n\nx\n");
}

static void test_E_escapes_from_in_the_body_alone(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "From a\n", ">From a\n" },
		{ "From \n", ">From \n" },
		{ "From ", ">From \n" },
		{ "a\nFrom b\nFrom c\n", "a\n>From b\n>From c\n" },
		{ ">From a\n From b\nfrom c\n", ">From a\n From b\nfrom c\n" },
		/* beginnings of it, which must not get lost */
		{ "F", "F\n" },
		{ "F\nFr\nFro\nFrom\n", "F\nFr\nFro\nFrom\n" },
		{ "From", "From\n" },
		{ "Fromage\nFrom\ta\n", "Fromage\nFrom\ta\n" },
		{ "FFrom a\nFrFrom b\n", "FFrom a\nFrFrom b\n" },
		{ "F\nFrom a\n", "F\n>From a\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str want = STR_INIT;

		str_addf(&want, FROM "\nSubject: test\n\n%s", rows[i].want);
		check_flags("E", rows[i].in, str_cstr(&want));
		str_done(&want);
	}
}

static void test_E_leaves_the_header_alone(void **state)
{
	struct stream_facts f = make_facts();

	(void)state;
	f.flags = flags_of("nE");
	f.header = SLICE("From x\nSubject: test\n");
	check(&f, "x\n", "From x\nSubject: test\n\nx\n");
}

static void test_7_clears_bit_8_of_the_body_alone(void **state)
{
	struct stream_facts f = make_facts();

	(void)state;
	f.flags = flags_of("n7");
	f.header = SLICE("Subject: gr\xc3\xbc\n");
	check(&f, "\xc3\xbc\xff\n", "Subject: gr\xc3\xbc\n\nC<\x7f\n");
}

/* What bit 8 hid is found: a dot, a From, an end of line. */
static void test_7_comes_before_dots_and_from(void **state)
{
	(void)state;
	check_flags("n7X", "\xae\na\x8a.\n", "Subject: test\n\n..\na\n..\n");
	check_flags("n7E", "\xc6rom x\n", "Subject: test\n\n>From x\n");
}

/* ---- bodies ------------------------------------------------------------ */

static void test_last_line_is_ended_once(void **state)
{
	static const struct {
		const char *letters, *in, *want;
	} rows[] = {
		{ "n", "", "" },
		{ "n", "a", "a\n" },
		{ "n", "a\n", "a\n" },
		{ "n", "a\n\n", "a\n\n" },
		{ "n", "\n", "\n" },
		{ "nR", "", "" },
		{ "nR", "a", "a\r\n" },
		{ "nR", "a\n", "a\r\n" },
		{ "nR", "a\r", "a\r\n" },
		{ "nR", "a\r\n", "a\r\n" },
		{ "nR", "\n\n", "\r\n\r\n" },
		{ "nX", ".", "..\n" },
		{ "nE", "Fro", "Fro\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool is_crlf = strchr(rows[i].letters, 'R') != NULL;
		struct str want = STR_INIT;

		str_adds(&want, is_crlf ? "Subject: test\r\n\r\n"
					: "Subject: test\n\n");
		str_adds(&want, rows[i].want);
		check_flags(rows[i].letters, rows[i].in, str_cstr(&want));
		str_done(&want);
	}
}

static void test_body_bytes_pass_unchanged_without_R(void **state)
{
	struct stream_facts f = make_facts();
	struct str body = STR_INIT, want = STR_INIT;

	(void)state;
	for (int i = 0; i < 4096; i++)
		str_addc(&body, (char)(i * 31 + i / 256));
	str_addc(&body, '\n');
	str_adds(&want, "Subject: test\n\n");
	str_add(&want, str_slice(&body));
	f.flags = flags_of("n");
	check_slices(&f, str_slice(&body), str_slice(&want));
	str_done(&body);
	str_done(&want);
}

static void test_R_leaves_no_bare_cr_lf_or_nul(void **state)
{
	struct stream_facts f = make_facts();

	(void)state;
	f.flags = flags_of("nR");
	check_slices(&f, SLICE("a\rb\r\nc\0d\r\r\n\n\r"),
		     SLICE("Subject: test\r\n\r\n"
			   "a\r\nb\r\ncd\r\n\r\n\r\n\r\n"));
	/* a dot behind a bare CR begins a line */
	f.flags = flags_of("nRX");
	check_slices(&f, SLICE("a\r.\rb\n"),
		     SLICE("Subject: test\r\n\r\na\r\n..\r\nb\r\n"));
}

static void test_long_line_takes_constant_memory(void **state)
{
	enum { SIZE = 10 * 1024 * 1024 };
	struct stream_facts f = make_facts();
	struct source source = { 0 };
	struct str to = STR_INIT;
	struct stream s;
	size_t total = 0, most = 0;
	char *body = malloc(SIZE);
	struct err err;
	ssize_t n;

	(void)state;
	assert_non_null(body);
	memset(body, 'x', SIZE);
	source.rest = slice_make(body, SIZE);
	f.flags = flags_of("nREX");
	f.body = give_body;
	f.body_context = &source;
	stream_begin(&s, &f);
	while ((n = stream_next(&s, &to, &err)) > 0) {
		total += (size_t)n;
		most = (size_t)n > most ? (size_t)n : most;
		str_clear(&to);
	}
	assert_int_equal(n, 0);
	assert_int_equal(total, strlen("Subject: test\r\n\r\n") + SIZE + 2);
	assert_true(most <= 2 * STREAM_CHUNK);
	assert_true(to.cap <= 4 * STREAM_CHUNK);
	assert_true(s.chunk.cap <= 4 * STREAM_CHUNK);
	stream_done(&s);
	str_done(&to);
	free(body);
}

static void test_broken_body_is_no_end(void **state)
{
	struct stream_facts f = make_facts();
	struct source source = { .rest = SLICE("some\n"), .is_broken = true };
	struct str to = STR_INIT;
	struct stream s;
	struct err err;
	ssize_t n;

	(void)state;
	f.flags = flags_of("b");
	f.body = give_body;
	f.body_context = &source;
	stream_begin(&s, &f);
	do
		n = stream_next(&s, &to, &err);
	while (n > 0);
	assert_int_equal(n, -1);
	assert_string_equal(err.text, "the body broke");
	assert_int_equal(slice_find_text(str_slice(&to), SLICE("\n.\n")),
			 to.len);
	stream_done(&s);
	str_done(&to);
}

/* ---- headers ----------------------------------------------------------- */

static const char old_fields[] = "Return-Path: <old@example.org>\n"
				 "X-Envelope-To: <old>\n"
				 "X-Envid: old\n"
				 "Envelope-Id: old\n"
				 "X-Orcpt: old\n"
				 "Original-Recipient: old;\n folded\n"
				 "Subject: test\n";

static void test_return_path_is_always_removed(void **state)
{
	struct stream_facts f = make_facts();

	(void)state;
	f.flags = flags_of("n");
	f.header = slice_of(old_fields);
	check(&f, "x\n",
	      "X-Envelope-To: <old>\nX-Envid: old\nEnvelope-Id: old\n"
	      "X-Orcpt: old\nOriginal-Recipient: old;\n folded\n"
	      "Subject: test\n\nx\n");
}

static void test_P_puts_return_path_first(void **state)
{
	struct stream_facts f = make_facts();

	(void)state;
	f.flags = flags_of("P");
	f.header = SLICE("Received: by x\nreturn-path: <a@b>\nA: b\n");
	check(&f, "x\n",
	      FROM "\nReturn-Path: <sender@example.org>\n"
		   "Received: by x\nA: b\n\nx\n");
	f.sender = &null_sender;
	f.flags = flags_of("nP");
	check(&f, "x\n", "Return-Path: <>\nReceived: by x\nA: b\n\nx\n");
}

static void test_loop_guard_names_every_recipient_first(void **state)
{
	static const struct {
		const char *flags, *want;
	} rows[] = {
		{ "nm", "Delivered-To: user2@example.com\n"
			"Delivered-To: user1@example.com\n"
			"Delivered-To: old@example.com\nA: b\n\nx\n" },
		{ "nmPR", "Return-Path: <sender@example.org>\r\n"
			  "Delivered-To: user2@example.com\r\n"
			  "Delivered-To: user1@example.com\r\n"
			  "Delivered-To: old@example.com\r\nA: b\r\n\r\n"
			  "x\r\n" },
	};
	struct stream_facts f = make_facts();

	(void)state;
	f.header = SLICE("Delivered-To: old@example.com\nA: b\n");
	f.rcpts = both;
	f.n_rcpts = 2;
	f.loop_guard = true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		f.flags = flags_of(rows[i].flags);
		check(&f, "x\n", rows[i].want);
	}
}

static void test_loop_guard_does_not_hide_the_first_received(void **state)
{
	static const struct ctl_rcpt bob = { .address.user = { "bob", 3 } };
	static const struct ctl_rcpt *const alone[] = { &bob };
	struct stream_facts f = make_facts();

	(void)state;
	f.flags = flags_of("n");
	f.header = SLICE("Received: by a;\n\tdate\n");
	f.rcpts = alone;
	f.has_for_clause = f.loop_guard = true;
	check(&f, "x\n",
	      "Delivered-To: bob@mail.example.org\n"
	      "Received: by a for <bob>; date\n\nx\n");
}

static void test_e_gives_the_envelope_id_once(void **state)
{
	struct stream_facts f = make_facts();

	(void)state;
	f.flags = flags_of("ne");
	f.header = slice_of(old_fields);
	f.envid = SLICE("a+2Bb");
	f.rcpts = both;
	f.n_rcpts = 2;
	check(&f, "x\n",
	      "Subject: test\n"
	      "Envelope-Id: a+b\n"
	      "X-Envelope-To: <user2@example.com> (uid 6)\n"
	      "X-Envelope-To: <user1@example.com> (uid -2)\n"
	      "Original-Recipient: rfc822;user1+@example.com\n"
	      "\nx\n");
}

static void test_e_names_every_recipient(void **state)
{
	struct stream_facts f = make_facts();

	(void)state;
	f.flags = flags_of("ne");
	f.envid = slice_of("");
	f.sender = &null_sender;
	f.rcpts = both;
	f.n_rcpts = 2;
	check(&f, "x\n",
	      "Subject: test\n"
	      "X-Envelope-To: <user2@example.com> (uid 6)\n"
	      "X-Envelope-To: <user1@example.com> (uid -2)\n"
	      "Original-Recipient: rfc822;user1+@example.com\n"
	      "\nx\n");
}

static void test_O_gives_original_recipient_alone(void **state)
{
	struct stream_facts f = make_facts();

	(void)state;
	f.flags = flags_of("nO");
	f.header = slice_of(old_fields);
	f.rcpts = both;
	f.n_rcpts = 2;
	check(&f, "x\n",
	      "X-Envelope-To: <old>\nX-Envid: old\nEnvelope-Id: old\n"
	      "Subject: test\n"
	      "Original-Recipient: rfc822;user1+@example.com\n"
	      "\nx\n");
}

/* What xtext hides must not become a field or an end of the header. */
static void test_decoded_values_cannot_add_lines(void **state)
{
	struct stream_facts f = make_facts();
	struct ctl_rcpt r = user1;
	const struct ctl_rcpt *const one[] = { &r };

	(void)state;
	f.flags = flags_of("ne");
	f.rcpts = one;
	f.envid = SLICE("a+0ABcc:+0D+0A+0A+00x");
	r.address.privilege = SLICE("6)\rX: y");
	r.dsn.orcpt = SLICE("rfc\t822;+0Ab");
	check(&f, "x\n",
	      "Subject: test\n"
	      "Envelope-Id: a?Bcc:????x\n"
	      "X-Envelope-To: <user1@example.com> (uid 6)?X: y)\n"
	      "Original-Recipient: rfc 822;?b\n"
	      "\nx\n");
	/* what is not xtext is left out */
	f.envid = SLICE("a=b");
	r.dsn.orcpt = SLICE("rfc822;+zz");
	r.address.privilege = SLICE("6");
	check(&f, "x\n",
	      "Subject: test\n"
	      "X-Envelope-To: <user1@example.com> (uid 6)\n"
	      "\nx\n");
}

/* Neither may a CR or NUL in the control file's own header. */
static void test_header_ends_at_one_empty_line(void **state)
{
	struct stream_facts f = make_facts();
	const char *const letters[] = { "n", "nR" };

	(void)state;
	f.header = SLICE("A: b\r\n\r\n\0\nC\0: d\re\nRet\0urn-Path: x\nG: h");
	for (size_t i = 0; i < COUNT(letters); i++) {
		f.flags = flags_of(letters[i]);
		check(&f, "x\n",
		      i == 0 ? "A: b\nC: de\nG: h\n\nx\n"
			     : "A: b\r\nC: de\r\nG: h\r\n\r\nx\r\n");
	}
}

static void test_message_without_header_or_body(void **state)
{
	struct stream_facts f = make_facts();

	(void)state;
	f.flags = flags_of("n");
	f.header = slice_of("");
	check(&f, "", "\n");
	check(&f, "x", "\nx\n");
}

#define RECEIVED "Received: from a by b id <S1>"
#define WHEN	 "Mon, 1 Jan 2024 00:00:00 +0000"

static void test_first_received_gets_a_for_clause(void **state)
{
	struct stream_facts f = make_facts();

	(void)state;
	f.flags = flags_of("n");
	f.has_for_clause = true;
	f.header = SLICE("Return-Path: <x>\n" RECEIVED ";\n\t" WHEN
			 "\n" RECEIVED "; " WHEN "\n");
	check(&f, "x\n",
	      RECEIVED " for <user1@example.com>;\n\t" WHEN "\n" RECEIVED
		       "; " WHEN "\n\nx\n");
	f.expand_tabs = true;
	check(&f, "x\n",
	      RECEIVED " for <user1@example.com>;\n        " WHEN "\n" RECEIVED
		       "; " WHEN "\n\nx\n");
	/* not a Received that is not first */
	f.header = SLICE("A: b\n" RECEIVED "; " WHEN "\n");
	check(&f, "x\n", "A: b\n" RECEIVED "; " WHEN "\n\nx\n");
}

static void test_for_clause_discloses_nobody_to_others(void **state)
{
	struct stream_facts f = make_facts();

	(void)state;
	f.flags = flags_of("n");
	f.has_for_clause = true;
	f.rcpts = both;
	f.n_rcpts = 2;
	f.header = SLICE(RECEIVED "; " WHEN "\n");
	check(&f, "x\n", RECEIVED "; " WHEN "\n\nx\n");
}

static void test_for_clause_can_be_turned_off(void **state)
{
	struct stream_facts f = make_facts();

	(void)state;
	f.flags = flags_of("n");
	f.header = SLICE(RECEIVED "; " WHEN "\n");
	check(&f, "x\n", RECEIVED "; " WHEN "\n\nx\n");
}

static void test_tabs_of_the_header_alone_become_blanks(void **state)
{
	struct stream_facts f = make_facts();

	(void)state;
	f.flags = flags_of("n");
	f.header = SLICE("A:\tb\n\tc\n");
	check(&f, "\tx\n", "A:\tb\n\tc\n\n\tx\n");
	f.expand_tabs = true;
	check(&f, "\tx\n", "A:      b\n        c\n\n\tx\n");
}

/* ---- combinations of the sample configuration -------------------------- */

static void test_usual_combinations(void **state)
{
	static const struct {
		const char *letters, *want;
	} rows[] = {
		{ "U", FROM " remote from mail.example.org\n"
			    "Subject: test\n\nFrom x\n.\n" },
		{ "-", FROM "\nSubject: test\n\nFrom x\n.\n" },
		{ "Pn", "Return-Path: <sender@example.org>\n"
			"Subject: test\n\nFrom x\n.\n" },
		{ "sSPfn", "Return-Path: <sender@example.org>\n"
			   "Subject: test\n\nFrom x\n.\n" },
		{ "snmSX", "Subject: test\n\nFrom x\n..\n" },
		{ "EX", FROM "\nSubject: test\n\n>From x\n..\n" },
		{ "nePO", "Return-Path: <sender@example.org>\n"
			  "Subject: test\n"
			  "Envelope-Id: QQ314159\n"
			  "X-Envelope-To: <user1@example.com> (uid -2)\n"
			  "Original-Recipient: rfc822;user1+@example.com\n"
			  "\nFrom x\n.\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_flags(rows[i].letters, "From x\n.\n", rows[i].want);
}

static void test_flags_without_effect_change_nothing(void **state)
{
	(void)state;
	check_flags("n:|/%@0123456acdDFgGijJkKoqQstTvVwWyYzZAChIlLMpuxN",
		    "From x\n.\n", "Subject: test\n\nFrom x\n.\n");
}

static void test_trace_has_all_but_the_body(void **state)
{
	struct stream_facts f = make_facts();
	struct str got = STR_INIT, trace = STR_INIT;

	(void)state;
	f.flags = flags_of("bP");
	f.trace = &trace;
	collect(&f, SLICE("secret\n"), 0, &got);
	assert_slice_is(str_slice(&trace), "MAIL FROM:<sender@example.org>\n"
					   "RCPT TO:<user1@example.com>\n"
					   "DATA\n" FROM "\n"
					   "Return-Path: <sender@example.org>\n"
					   "Subject: test\n\n.\n");
	str_done(&got);
	str_done(&trace);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_line_comes_first),
		cmocka_unit_test(test_n_leaves_the_from_line_out),
		cmocka_unit_test(test_U_adds_remote_from),
		cmocka_unit_test(test_from_line_of_the_empty_sender),
		cmocka_unit_test(test_sender_is_one_word_in_the_from_line),
		cmocka_unit_test(test_R_ends_every_line_in_crlf),
		cmocka_unit_test(test_X_doubles_dots_at_line_starts),
		cmocka_unit_test(test_E_escapes_from_in_the_body_alone),
		cmocka_unit_test(test_E_leaves_the_header_alone),
		cmocka_unit_test(test_7_clears_bit_8_of_the_body_alone),
		cmocka_unit_test(test_7_comes_before_dots_and_from),
		cmocka_unit_test(test_last_line_is_ended_once),
		cmocka_unit_test(test_body_bytes_pass_unchanged_without_R),
		cmocka_unit_test(test_R_leaves_no_bare_cr_lf_or_nul),
		cmocka_unit_test(test_long_line_takes_constant_memory),
		cmocka_unit_test(test_broken_body_is_no_end),
		cmocka_unit_test(test_return_path_is_always_removed),
		cmocka_unit_test(test_P_puts_return_path_first),
		cmocka_unit_test(test_loop_guard_names_every_recipient_first),
		cmocka_unit_test(
		    test_loop_guard_does_not_hide_the_first_received),
		cmocka_unit_test(test_e_gives_the_envelope_id_once),
		cmocka_unit_test(test_e_names_every_recipient),
		cmocka_unit_test(test_O_gives_original_recipient_alone),
		cmocka_unit_test(test_decoded_values_cannot_add_lines),
		cmocka_unit_test(test_header_ends_at_one_empty_line),
		cmocka_unit_test(test_message_without_header_or_body),
		cmocka_unit_test(test_first_received_gets_a_for_clause),
		cmocka_unit_test(test_for_clause_discloses_nobody_to_others),
		cmocka_unit_test(test_for_clause_can_be_turned_off),
		cmocka_unit_test(test_tabs_of_the_header_alone_become_blanks),
		cmocka_unit_test(test_usual_combinations),
		cmocka_unit_test(test_flags_without_effect_change_nothing),
		cmocka_unit_test(test_trace_has_all_but_the_body),
	};

	return TEST_RUN(tests);
}
