/*
 * ctl_test.c - control files that are good: what they are read as.
 */
#include "spool/ctl.h"

#include "spool/test_files.h"

/* A parsed file; begin with parse(), end with done(). */
struct parsed {
	struct arena *arena;
	struct str text;
	struct ctl ctl;
	struct err err;
};

static enum ctl_verdict parse_text(struct parsed *p)
{
	p->arena = arena_new();
	return ctl_parse(str_slice(&p->text), p->arena, &p->ctl, &p->err);
}

static void parse_good(struct parsed *p, const char *text)
{
	*p = (struct parsed){ 0 };
	str_adds(&p->text, text);
	if (parse_text(p) != CTL_OK)
		fail_msg("refused: %s", p->err.text);
}

static void done(struct parsed *p)
{
	arena_free(p->arena);
	str_done(&p->text);
}

static void assert_address(const struct ctl_address *a, const char *channel,
			   const char *host, const char *user,
			   const char *privilege)
{
	assert_slice_is(a->channel, channel);
	assert_slice_is(a->host, host);
	assert_slice_is(a->user, user);
	assert_slice_is(a->privilege, privilege);
}

/* ---- the examples of the specification ---------------------------------- */

static void test_minimal_example_is_read_as_stated(void **state)
{
	struct parsed p = { 0 };
	const struct ctl_rcpt *r;

	(void)state;
	TEST_BUILD(test_minimal, &p.text);
	assert_int_equal(p.text.len, 152);
	assert_int_equal(parse_text(&p), CTL_OK);
	assert_int_equal(p.ctl.flags, 7);
	assert_slice_is(p.ctl.message_name, "24700");
	assert_true(p.ctl.body_offset == 91);
	assert_slice_is(p.ctl.log_identity, "<1@example.net>");
	assert_slice_is(p.ctl.verbose_file, "");
	assert_slice_is(p.ctl.envid, "");
	assert_int_equal(p.ctl.ret, CTL_RET_NONE);
	assert_int_equal(p.ctl.n_rcpts, 1);

	r = &p.ctl.rcpts[0];
	assert_int_equal(r->offset, 64);
	assert_int_equal(r->tag, CTL_TAG_TODO);
	assert_true(r->has_pid_slot && r->has_delay_slot);
	assert_slice_is(r->pid_slot, "      ");
	assert_address(&r->address, "smtp", "example.com", "bob@example.com",
		       "501");
	assert_int_equal(r->sender->offset, 44);
	assert_address(&r->sender->address, "local", "-", "alice", "501");
	assert_false(r->sender->is_null);
	assert_int_equal(r->header->offset, 115);
	assert_slice_is(r->header->text,
			"From: alice@example.net\nSubject: hi\n");
	assert_false(r->dsn.is_present);
	assert_int_equal(r->dsn.notify, NOTIFY_FAILURE);
	assert_int_equal(p.ctl.largest_block, 38);
	assert_true(ctl_size_estimate(&p.ctl, 95) == 86);
	done(&p);
}

/* Section 12: the file as a whole. */
static void test_full_example_is_read_as_stated(void **state)
{
	static const struct {
		size_t offset, sender, header;
		char tag;
		const char *pid_slot, *channel, *host, *user, *privilege;
	} rows[] = {
		{ 148, 102, 433, '~', "  4711", "smtp", "example.com",
		  "bob@example.com", "65534" },
		{ 333, 102, 433, '-', "      ", "smtp", "example.com",
		  "carol@example.com", "65534" },
		{ 386, 102, 433, ' ', "      ", "local", "-", "dave", "1003" },
		{ 682, 633, 724, ' ', "      ", "uucp", "uunet", "uunet!erin",
		  "65534" },
	};
	struct parsed p = { 0 };

	(void)state;
	TEST_BUILD(test_full, &p.text);
	assert_int_equal(parse_text(&p), CTL_OK);
	assert_int_equal(p.ctl.flags, 7);
	assert_slice_is(p.ctl.verbose_file, "../public/v_24700_1");
	assert_slice_is(p.ctl.message_name, "24700");
	assert_true(p.ctl.body_offset == 323);
	assert_slice_is(p.ctl.log_identity, "<20260101120000.1@example.net>");
	assert_int_equal(p.ctl.ret, CTL_RET_HDRS);
	assert_slice_is(p.ctl.envid, "QQ314159");
	assert_int_equal(p.ctl.largest_block, 632 - 431);
	assert_int_equal(p.ctl.n_rcpts, COUNT(rows));
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct ctl_rcpt *r = &p.ctl.rcpts[i];

		assert_int_equal(r->offset, rows[i].offset);
		assert_int_equal(r->tag, rows[i].tag);
		assert_slice_is(r->pid_slot, rows[i].pid_slot);
		assert_address(&r->address, rows[i].channel, rows[i].host,
			       rows[i].user, rows[i].privilege);
		assert_int_equal(r->sender->offset, rows[i].sender);
		assert_int_equal(r->header->offset, rows[i].header);
	}
	assert_slice_is(p.ctl.rcpts[0].sender->address.user,
			"alice@example.net");
	assert_slice_is(p.ctl.rcpts[3].sender->address.user,
			"mx.example.net!alice");
	done(&p);
}

static void test_full_example_has_its_dsn_data(void **state)
{
	struct parsed p = { 0 };
	const struct ctl_dsn *bob, *carol, *dave;

	(void)state;
	TEST_BUILD(test_full, &p.text);
	assert_int_equal(parse_text(&p), CTL_OK);
	bob = &p.ctl.rcpts[0].dsn;
	carol = &p.ctl.rcpts[1].dsn;
	dave = &p.ctl.rcpts[2].dsn;
	assert_true(bob->is_present && bob->has_notify);
	assert_int_equal(bob->offset, 199);
	assert_int_equal(bob->notify, NOTIFY_SUCCESS | NOTIFY_FAILURE);
	assert_slice_is(bob->orcpt, "rfc822;bob@example.com");
	assert_slice_is(bob->inrcpt, "rfc822;bob@example.com");
	assert_slice_is(bob->infrom, "rfc822;alice@example.net");
	assert_slice_is(bob->ezmlm, "");
	assert_false(bob->by.is_set);
	assert_false(carol->is_present);
	assert_false(carol->has_notify);
	assert_int_equal(carol->notify, NOTIFY_FAILURE);
	assert_int_equal(dave->offset, 416);
	assert_int_equal(dave->notify, NOTIFY_NEVER);
	done(&p);
}

static void test_full_example_has_both_headers_whole(void **state)
{
	struct parsed p = { 0 };

	(void)state;
	TEST_BUILD(test_full, &p.text);
	assert_int_equal(parse_text(&p), CTL_OK);
	assert_slice_is(p.ctl.rcpts[0].header->text,
			"Received: from mx.example.net ([192.0.2.7]:4242)\n"
			"\tby mail.example.org with ESMTP id S24700AbmAAMAA;\n"
			"\tThu, 1 Jan 2026 12:00:00 +0000\n"
			"From: Alice <alice@example.net>\n"
			"To: bob@example.com\n"
			"Subject: hello\n");
	assert_ptr_equal(p.ctl.rcpts[0].header, p.ctl.rcpts[2].header);
	assert_slice_is(p.ctl.rcpts[3].header->text,
			"From: mx.example.net!alice\n"
			"To: erin\n"
			"Subject: hello\n");
	done(&p);
}

/* Files are built from copies, so the slices must lie in the text itself. */
static void test_slices_are_borrowed_from_the_text(void **state)
{
	struct parsed p = { 0 };

	(void)state;
	TEST_BUILD(test_minimal, &p.text);
	assert_int_equal(parse_text(&p), CTL_OK);
	assert_ptr_equal(p.ctl.message_name.p, p.text.p + 15);
	assert_ptr_equal(p.ctl.rcpts[0].address.channel.p, p.text.p + 76);
	assert_ptr_equal(p.ctl.rcpts[0].header->text.p, p.text.p + 115);
	done(&p);
}

/* ---- order and belonging ------------------------------------------------ */

#define HEAD   "i 1\no 0\nl x\n"
#define SENDER "s c h f 1\n"
#define RCPT_A "r           c h a 1\n"
#define RCPT_B "r           c h b 1\n"
#define RCPT_C "r           c h c 1\n"

static void test_fields_may_come_in_any_order(void **state)
{
	struct parsed p;

	(void)state;
	parse_good(&p, "n one\n" SENDER RCPT_A "m\nX: y\n\n"
		       "o 12\nl id\nR FULL\ni 9-9\nv w\n@ 3\n"
		       "n two\nR HDRS\n");
	assert_int_equal(p.ctl.flags, 3);
	assert_slice_is(p.ctl.message_name, "9-9");
	assert_true(p.ctl.body_offset == 12);
	assert_slice_is(p.ctl.log_identity, "id");
	assert_slice_is(p.ctl.verbose_file, "w");
	assert_slice_is(p.ctl.envid, "two");
	assert_int_equal(p.ctl.ret, CTL_RET_HDRS);
	done(&p);
}

static void test_ret_and_envid_hold_for_the_whole_message(void **state)
{
	struct parsed p;

	(void)state;
	parse_good(&p,
		   HEAD SENDER RCPT_A "R FULL\nn first\n" RCPT_B "m\n\n" RCPT_C
				      "R hdrs\nn last\nm\n\n");
	assert_int_equal(p.ctl.n_rcpts, 3);
	assert_int_equal(p.ctl.ret, CTL_RET_HDRS);
	assert_slice_is(p.ctl.envid, "last");
	done(&p);
}

static void test_unknown_ret_counts_as_none(void **state)
{
	struct parsed p;

	(void)state;
	parse_good(&p, HEAD "R FULL\nR BODY\n");
	assert_int_equal(p.ctl.ret, CTL_RET_NONE);
	done(&p);
}

static void test_sender_stays_until_the_next(void **state)
{
	struct parsed p;
	const struct ctl_rcpt *r;

	(void)state;
	parse_good(&p, HEAD "s c h one 1\n" RCPT_A RCPT_B "m\n\n" RCPT_C "m\n\n"
			    "s c h two 1\ns c h three 1\n" RCPT_A "m\n\n"
			    "s c h four 1\n" RCPT_B "m\n\n");
	r = p.ctl.rcpts;
	assert_ptr_equal(r[0].sender, r[1].sender);
	assert_ptr_equal(r[0].sender, r[2].sender);
	assert_ptr_equal(r[0].header, r[1].header);
	assert_ptr_not_equal(r[0].header, r[2].header);
	assert_slice_is(r[3].sender->address.user, "three");
	assert_slice_is(r[4].sender->address.user, "four");
	done(&p);
}

/* The reverse path is empty for channel `error`, in lower case, alone. */
static void test_error_addresses_are_of_the_next_sender(void **state)
{
	const struct ctl_errors *e;
	struct parsed p;

	(void)state;
	parse_good(&p, HEAD "e a@x\ne b@x, c@x\ns local - alice 0\n" RCPT_A
			    "m\n\ns local - dora 0\n" RCPT_A "e late@x\nm\n\n");
	e = p.ctl.rcpts[0].sender->errors;
	assert_slice_is(e->value, "a@x");
	assert_slice_is(e->next->value, "b@x, c@x");
	assert_null(e->next->next);
	assert_null(p.ctl.rcpts[1].sender->errors);
	done(&p);
}

static void test_delay_slot_is_a_number(void **state)
{
	static const struct {
		const char *slot;
		unsigned want;
	} rows[] = {
		{ "    ", 0 },	  { "   3", 3 }, { "12  ", 12 },
		{ "9999", 9999 }, { "1 2 ", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str text = STR_INIT;
		struct parsed p;

		str_addf(&text,
			 HEAD "s local - a 0\nr       %ssmtp x a@x 0\n"
			      "m\n\n",
			 rows[i].slot);
		parse_good(&p, str_cstr(&text));
		assert_int_equal(p.ctl.rcpts[0].delays, rows[i].want);
		done(&p);
		str_done(&text);
	}
}

static void test_sender_of_channel_error_is_null(void **state)
{
	static const struct {
		const char *sender;
		bool is_null;
	} rows[] = {
		{ "error - postmaster 65534", true },
		{ "error smtp <a@example.net> 0", true },
		{ "Error - postmaster 65534", false },
		{ "errors - postmaster 65534", false },
		{ "\"error\" - postmaster 65534", false },
		{ "local error error 0", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str text = STR_INIT;
		struct parsed p;

		str_addf(&text, HEAD "s %s\n" RCPT_A "m\n\n", rows[i].sender);
		parse_good(&p, str_cstr(&text));
		assert_int_equal(p.ctl.rcpts[0].sender->is_null,
				 rows[i].is_null);
		done(&p);
		str_done(&text);
	}
}

static void test_dsn_line_belongs_to_the_recipient_right_before(void **state)
{
	static const struct {
		const char *between; /* the lines from the first r on */
		bool first, second;  /* which recipient has the N line */
	} rows[] = {
		{ RCPT_A "N NOTIFY=NEVER\n" RCPT_B, true, false },
		{ RCPT_A RCPT_B "N NOTIFY=NEVER\n", false, true },
		{ RCPT_A "R FULL\nn x\nN NOTIFY=NEVER\n" RCPT_B, true, false },
		{ RCPT_A SENDER "N NOTIFY=NEVER\n" RCPT_B, false, false },
		{ RCPT_A "m\n\nN NOTIFY=NEVER\n" RCPT_B, false, false },
		{ RCPT_A "X           1 c h u 1\nN NOTIFY=NEVER\n" RCPT_B,
		  false, false },
		{ RCPT_A "d 1:2:3::4\tx\ty\nN NOTIFY=NEVER\n" RCPT_B, false,
		  false },
		{ "N NOTIFY=NEVER\n" RCPT_A RCPT_B, false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str text = STR_INIT;
		struct parsed p;

		str_addf(&text, HEAD SENDER "%sm\n\n", rows[i].between);
		parse_good(&p, str_cstr(&text));
		assert_int_equal(p.ctl.n_rcpts, 2);
		assert_int_equal(p.ctl.rcpts[0].dsn.is_present, rows[i].first);
		assert_int_equal(p.ctl.rcpts[1].dsn.is_present, rows[i].second);
		done(&p);
		str_done(&text);
	}
}

static void test_recipient_has_one_dsn_line_at_most(void **state)
{
	struct parsed p;

	(void)state;
	parse_good(&p,
		   HEAD SENDER RCPT_A "N NOTIFY=DELAY\nN NOTIFY=NEVER\nm\n\n");
	assert_int_equal(p.ctl.rcpts[0].dsn.notify, NOTIFY_DELAY);
	done(&p);
}

static void test_header_is_the_next_block(void **state)
{
	struct parsed p;

	(void)state;
	parse_good(&p, HEAD "m\nNot: mine\n\n" SENDER RCPT_A
			    "M\nNor: this\n\nm\nA: b\n\nm\nToo: late\n\n");
	assert_slice_is(p.ctl.rcpts[0].header->text, "A: b\n");
	done(&p);
}

static void test_largest_block_counts_from_its_letter(void **state)
{
	struct parsed p;

	(void)state;
	parse_good(&p, HEAD "M\nNot: counted, however long it may be\n\n"
			    "m\nA: b\n\nm\nA: bcd\n\nm\n\n");
	assert_int_equal(p.ctl.largest_block, 2 + 7);
	done(&p);
}

/* ---- what must not be read as a field ----------------------------------- */

static void test_lines_inside_a_block_are_no_fields(void **state)
{
	struct parsed p;

	(void)state;
	parse_good(&p, HEAD SENDER RCPT_A
		   "m\ni 666\no 666\n@ 0x17\nr\nN x\nm\nM\nR FULL\n\n"
		   "M\ni 666\nr\ns\n@ 0xff\nn x\n\n");
	assert_slice_is(p.ctl.message_name, "1");
	assert_int_equal(p.ctl.n_rcpts, 1);
	assert_int_equal(p.ctl.flags, 0);
	assert_int_equal(p.ctl.ret, CTL_RET_NONE);
	assert_slice_is(p.ctl.envid, "");
	assert_slice_is(p.ctl.rcpts[0].header->text,
			"i 666\no 666\n@ 0x17\nr\nN x\nm\nM\nR FULL\n");
	done(&p);
}

static void test_empty_header_block_is_a_header(void **state)
{
	struct parsed p;

	(void)state;
	parse_good(&p, HEAD SENDER RCPT_A "m\n\nR FULL\n");
	assert_int_equal(p.ctl.rcpts[0].header->text.len, 0);
	assert_int_equal(p.ctl.largest_block, 2);
	assert_int_equal(p.ctl.ret, CTL_RET_FULL);
	done(&p);
}

/* What follows a block's empty line at once is a field again. */
static void test_field_follows_a_block_directly(void **state)
{
	struct parsed p;

	(void)state;
	parse_good(&p, SENDER RCPT_A "m\nA: b\n\ni 5\nM\n\no 6\n");
	assert_slice_is(p.ctl.message_name, "5");
	assert_true(p.ctl.body_offset == 6);
	done(&p);
}

static void test_block_letter_as_first_byte_begins_no_block(void **state)
{
	struct parsed p;

	(void)state;
	parse_good(&p, "m\n" HEAD);
	assert_slice_is(p.ctl.message_name, "1");
	assert_int_equal(p.ctl.largest_block, 0);
	done(&p);
	parse_good(&p, "M\n" HEAD);
	assert_slice_is(p.ctl.message_name, "1");
	done(&p);
}

static void test_unknown_letters_are_skipped(void **state)
{
	struct parsed p;

	(void)state;
	parse_good(&p, "b body\ne err@example.net\nx <old@example.net>\n"
		       "Zeta\n# comment\n\xff\xfe\n z\n\tq\nT turn me\n" HEAD);
	assert_slice_is(p.ctl.message_name, "1");
	assert_slice_is(p.ctl.log_identity, "x");
	assert_int_equal(p.ctl.n_rcpts, 0);
	done(&p);
}

static void test_xor_recipients_are_ignored(void **state)
{
	struct parsed p;

	(void)state;
	parse_good(&p, HEAD SENDER "X           1 c h a 1\n" RCPT_B
				   "Xtotal nonsense\nm\n\n");
	assert_int_equal(p.ctl.n_rcpts, 1);
	assert_slice_is(p.ctl.rcpts[0].address.user, "b");
	done(&p);
}

static void test_empty_lines_between_fields_are_skipped(void **state)
{
	struct parsed p;

	(void)state;
	parse_good(&p, "\n\ni 1\n\n\no 5\n\nl x\n" SENDER "\n" RCPT_A
		       "\nm\n\n\n\n");
	assert_int_equal(p.ctl.n_rcpts, 1);
	assert_int_equal(p.ctl.rcpts[0].header->text.len, 0);
	done(&p);
}

/* A reader may look while a diagnostic is being appended. */
static void test_half_a_diagnostic_at_the_end_is_ignored(void **state)
{
	struct parsed p;

	(void)state;
	parse_good(&p, HEAD SENDER RCPT_A "m\n\nd 15:");
	assert_int_equal(p.ctl.n_rcpts, 1);
	done(&p);
}

static void test_size_estimate(void **state)
{
	static const struct {
		size_t block;
		uint64_t body_offset, file_size, want;
	} rows[] = {
		{ 38, 91, 95, 86 }, /* (4 + 80) * 1.03 */
		{ 80, 91, 95, 86 },
		{ 81, 91, 95, 87 },
		{ 0, 0, 0, 82 },
		{ 100, 0, 0, 103 },
		{ 100, 0, 10000, 10403 },
		{ 200, 323, 323, 206 },
		{ 0, 100, 50, 82 }, /* cannot be, must not wrap */
		{ 0, 0, UINT64_C(9223372036854775807),
		  UINT64_C(9500073197960419163) },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ctl ctl = { .largest_block = rows[i].block,
				   .body_offset = rows[i].body_offset };

		assert_true(ctl_size_estimate(&ctl, rows[i].file_size) ==
			    rows[i].want);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_minimal_example_is_read_as_stated),
		cmocka_unit_test(test_full_example_is_read_as_stated),
		cmocka_unit_test(test_full_example_has_its_dsn_data),
		cmocka_unit_test(test_full_example_has_both_headers_whole),
		cmocka_unit_test(test_slices_are_borrowed_from_the_text),
		cmocka_unit_test(test_fields_may_come_in_any_order),
		cmocka_unit_test(test_ret_and_envid_hold_for_the_whole_message),
		cmocka_unit_test(test_unknown_ret_counts_as_none),
		cmocka_unit_test(test_sender_stays_until_the_next),
		cmocka_unit_test(test_error_addresses_are_of_the_next_sender),
		cmocka_unit_test(test_delay_slot_is_a_number),
		cmocka_unit_test(test_sender_of_channel_error_is_null),
		cmocka_unit_test(
		    test_dsn_line_belongs_to_the_recipient_right_before),
		cmocka_unit_test(test_recipient_has_one_dsn_line_at_most),
		cmocka_unit_test(test_header_is_the_next_block),
		cmocka_unit_test(test_largest_block_counts_from_its_letter),
		cmocka_unit_test(test_lines_inside_a_block_are_no_fields),
		cmocka_unit_test(test_empty_header_block_is_a_header),
		cmocka_unit_test(test_field_follows_a_block_directly),
		cmocka_unit_test(
		    test_block_letter_as_first_byte_begins_no_block),
		cmocka_unit_test(test_unknown_letters_are_skipped),
		cmocka_unit_test(test_xor_recipients_are_ignored),
		cmocka_unit_test(test_empty_lines_between_fields_are_skipped),
		cmocka_unit_test(test_half_a_diagnostic_at_the_end_is_ignored),
		cmocka_unit_test(test_size_estimate),
	};

	return TEST_RUN(tests);
}
