/*
 * envelope_test.c - from the words of control files to those of MAIL and
 * RCPT; which addresses are refused, and how it is said.
 */
#include "smtpta/envelope.h"

#include "base/keyword.h"
#include "base/test.h"

#include <string.h>

/* ---- control files ------------------------------------------------------ */

struct file {
	struct arena *arena;
	struct str text;
	struct ctl ctl;
};

/* Parts of a control file; NULL stands for an ordinary one. */
struct parts {
	const char *channel, *sender, *rcpt;
	const char *dsn;   /* the `N` line's value; NULL: no such line */
	const char *lines; /* whole lines behind it */
};

static const char *or_else(const char *text, const char *otherwise)
{
	return text != NULL ? text : otherwise;
}

static void file_open(struct file *f, struct parts p)
{
	struct err err;

	*f = (struct file){ .arena = arena_new() };
	str_addf(&f->text, "i 1\no 0\nl x\ns %s - %s 501\n",
		 or_else(p.channel, "smtp"), or_else(p.sender, "alice@a.b"));
	str_addf(&f->text, "r           smtp c.d %s 501\n",
		 or_else(p.rcpt, "bob@c.d"));
	if (p.dsn != NULL)
		str_addf(&f->text, "N %s\n", p.dsn);
	str_addf(&f->text, "%sm\nFrom: x\n\n", or_else(p.lines, ""));
	if (ctl_parse(str_slice(&f->text), f->arena, &f->ctl, &err) != CTL_OK)
		fail_msg("%s", err.text);
}

static void file_close(struct file *f)
{
	arena_free(f->arena);
	str_done(&f->text);
}

/* ---- addresses ---------------------------------------------------------- */

struct address {
	const char *user;
	const char *status; /* NULL: it may be sent; "5.1.x" for bad syntax */
	const char *why;
};

static const struct address addresses[] = {
	{ "bob@example.com", NULL, NULL },
	{ "postmaster", NULL, NULL },
	{ "\"john doe\"@example.com", NULL, NULL },
	{ "\"a\\\"b\"@example.com", NULL, NULL },
	{ "a>@example.com", "5.1.x", "is not a valid RFC 5321 path" },
	{ "<a@example.com>", "5.1.x", "is not a valid RFC 5321 path" },
	{ "a@example.com\rRCPT", "5.1.x", "is not a valid RFC 5321 path" },
	{ "a\001@example.com", "5.1.x", "is not a valid RFC 5321 path" },
	{ "a\\ b@example.com", "5.1.x", "is not a valid RFC 5321 path" },
	{ "\"a b\"c@example.com", "5.1.x", "is not a valid RFC 5321 path" },
	{ "a@", "5.1.x", "is not a valid RFC 5321 path" },
	{ "j\303\266rn@example.com", "5.6.7", "needs SMTPUTF8" },
	{ "a@ex\303\244mple.com", "5.6.7", "needs SMTPUTF8" },
};

/* The diag of a refused address names what, why and which. */
static void check_diag(const struct diag *d, const struct address *row,
		       const char *what, const char *syntax_status)
{
	struct str want = STR_INIT;

	assert_int_equal(d->fate, FATE_FAILED);
	assert_string_equal(d->reason, "bad-address");
	assert_slice_is(d->status, strcmp(row->status, "5.1.x") == 0
				       ? syntax_status
				       : row->status);
	str_addf(&want, "%s address %s: <%s>", what, row->why, row->user);
	assert_slice_is(d->text, str_cstr(&want));
	str_clear(&want);
	str_addf(&want, "x-local; 500 (%s address %s)", what, row->why);
	assert_slice_is(d->diagnostic, str_cstr(&want));
	assert_int_equal(d->remote_mta.len, 0);
	str_done(&want);
}

static void test_sender_is_refused_with_5_1_7(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		const struct address *row = &addresses[i];
		const struct diag *d;
		struct file f;

		file_open(&f, (struct parts){ .sender = row->user });
		d = envelope_check_sender(f.ctl.rcpts[0].sender, f.arena);
		if ((d == NULL) != (row->status == NULL))
			fail_msg("%s", row->user);
		if (d != NULL)
			check_diag(d, row, "sender", "5.1.7");
		assert_null(envelope_check_rcpt(&f.ctl.rcpts[0], f.arena));
		file_close(&f);
	}
}

static void test_recipient_is_refused_with_5_1_3(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		const struct address *row = &addresses[i];
		const struct diag *d;
		struct file f;

		file_open(&f, (struct parts){ .rcpt = row->user });
		d = envelope_check_rcpt(&f.ctl.rcpts[0], f.arena);
		if ((d == NULL) != (row->status == NULL))
			fail_msg("%s", row->user);
		if (d != NULL)
			check_diag(d, row, "recipient", "5.1.3");
		assert_null(
		    envelope_check_sender(f.ctl.rcpts[0].sender, f.arena));
		file_close(&f);
	}
}

static void test_over_long_address_is_refused_with_its_start(void **state)
{
	struct str user = STR_INIT;
	const struct diag *d;
	struct file f;

	(void)state;
	for (int i = 0; i < 100000; i++)
		str_addc(&user, 'u');
	str_adds(&user, "@example.com");
	file_open(&f, (struct parts){ .rcpt = str_cstr(&user) });
	d = envelope_check_rcpt(&f.ctl.rcpts[0], f.arena);
	assert_non_null(d);
	assert_slice_is(d->status, "5.1.3");
	assert_true(slice_starts(d->text, SLICE("recipient address is longer "
						"than RFC 5321 allows: <uu")));
	assert_true(d->text.len < 400);
	file_close(&f);
	str_done(&user);
}

/* The user of channel `error` is none, whatever it looks like. */
static void test_null_sender_is_never_refused(void **state)
{
	struct smtp_transaction t = { .sender = SLICE("stale") };
	struct file f;

	(void)state;
	file_open(&f, (struct parts){ .channel = "error", .sender = "<>\r" });
	assert_null(envelope_check_sender(f.ctl.rcpts[0].sender, f.arena));
	envelope_mail(&f.ctl, f.ctl.rcpts[0].sender, &t);
	assert_int_equal(t.sender.len, 0);
	file_close(&f);
}

/* ---- MAIL --------------------------------------------------------------- */

struct mail {
	const char *lines, *envid, *ret;
};

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct mail mails[] = {
	{ "", "", "" },
	{ "n QQ314159\nR HDRS\n", "QQ314159", "HDRS" },
	{ "n a+2Bb\nR full\n", "a+2Bb", "FULL" },
	{ "n " X50 X50 "\n", X50 X50, "" },
	{ "n " X50 X50 "x\n", "", "" },
	{ "n a b\n", "", "" },
	{ "n a=b\n", "", "" },
	{ "n a+\n", "", "" },
	{ "n a\rRSET\n", "", "" },
	{ "n j\303\266\n", "", "" },
	{ "R FULL RET=HDRS\n", "", "" },
	{ "R BODY\n", "", "" },
};

static void test_only_clean_values_reach_mail(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(mails); i++) {
		struct smtp_transaction t = { .size = 7 };
		struct file f;

		file_open(&f, (struct parts){ .lines = mails[i].lines });
		envelope_mail(&f.ctl, f.ctl.rcpts[0].sender, &t);
		assert_slice_is(t.sender, "alice@a.b");
		assert_slice_is(t.envid, mails[i].envid);
		assert_slice_is(t.ret, mails[i].ret);
		assert_int_equal(t.size, 7);
		file_close(&f);
	}
}

/* ---- RCPT --------------------------------------------------------------- */

struct rcpt {
	const char *user;  /* NULL: bob@c.d */
	const char *dsn;   /* NULL: no `N` line */
	const char *want;  /* NOTIFY */
	const char *orcpt; /* "": none */
};

#define BOB "rfc822;bob@c.d"

static const struct rcpt rcpts[] = {
	{ NULL, NULL, "FAILURE", BOB },
	{ NULL, "INFROM=rfc822;a", "FAILURE", BOB },
	{ NULL, "NOTIFY=NEVER", "NEVER", BOB },
	{ NULL, "NOTIFY=never,success", "NEVER", BOB },
	{ NULL, "NOTIFY=SUCCESS", "SUCCESS", BOB },
	{ NULL, "NOTIFY=FAILURE", "FAILURE", BOB },
	{ NULL, "NOTIFY=DELAY", "DELAY", BOB },
	{ NULL, "NOTIFY=delay,FAILURE,success", "SUCCESS,FAILURE,DELAY", BOB },
	{ NULL, "NOTIFY=SUCCESS,NEVER", "SUCCESS", BOB },
	{ NULL, "NOTIFY=NEVERSUCCESS", "FAILURE,DELAY", BOB },
	{ NULL, "NOTIFY=", "FAILURE,DELAY", BOB },
	{ NULL, "NOTIFY=TRACE", "FAILURE,DELAY", BOB },
	{ NULL, "NOTIFY=TRACE,SUCCESS", "SUCCESS", BOB },
	{ NULL, "NOTIFY=\rDATA", "FAILURE,DELAY", BOB },
	/* ORCPT= as it is, if it can be. */
	{ NULL, "ORCPT=rfc822;Bob+40x", "FAILURE", "rfc822;Bob+40x" },
	{ NULL, "ORCPT=x-local;bob", "FAILURE", "x-local;bob" },
	{ NULL, "ORCPT=rfc822;", "FAILURE", BOB },
	{ NULL, "ORCPT=;bob", "FAILURE", BOB },
	{ NULL, "ORCPT=bob", "FAILURE", BOB },
	{ NULL, "ORCPT=rfc822;a\rRSET", "FAILURE", BOB },
	{ NULL, "ORCPT=rfc822;a>b\177", "FAILURE", BOB },
	{ NULL, "ORCPT=rfc822;a+b", "FAILURE", BOB },
	{ NULL, "ORCPT=rfc822;" X50 X50 X50 X50 X50 X50 X50 X50 X50 X50,
	  "FAILURE", BOB },
	/* Made of the address, encoded. */
	{ "a+b=c@x", NULL, "FAILURE", "rfc822;a+2Bb+3Dc@x" },
	{ "\"a b\"@x", NULL, "FAILURE", "rfc822;\"a+20b\"@x" },
	{ X50 X50 X50 X50 "@x", NULL, "FAILURE",
	  "rfc822;" X50 X50 X50 X50 "@x" },
	/* Three times as long, it has no room. */
	{ "++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++"
	  "++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++"
	  "++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++@x",
	  NULL, "FAILURE", "" },
};

static void test_every_wish_of_a_recipient(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rcpts); i++) {
		const struct rcpt *row = &rcpts[i];
		struct smtp_rcpt r;
		struct file f;

		file_open(&f,
			  (struct parts){ .rcpt = row->user, .dsn = row->dsn });
		assert_null(envelope_check_rcpt(&f.ctl.rcpts[0], f.arena));
		r = envelope_rcpt(&f.ctl.rcpts[0], f.arena);
		assert_slice_is(r.path, or_else(row->user, "bob@c.d"));
		assert_slice_is(r.notify, row->want);
		assert_slice_is(r.orcpt, row->orcpt);
		file_close(&f);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sender_is_refused_with_5_1_7),
		cmocka_unit_test(test_recipient_is_refused_with_5_1_3),
		cmocka_unit_test(
		    test_over_long_address_is_refused_with_its_start),
		cmocka_unit_test(test_null_sender_is_never_refused),
		cmocka_unit_test(test_only_clean_values_reach_mail),
		cmocka_unit_test(test_every_wish_of_a_recipient),
	};

	return TEST_RUN(tests);
}
