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
	const char *wire; /* NULL: it may not be sent */
	const char *why;
};

#define BAD_PATH "is not a valid RFC 5321 path"
#define OE	 "\303\266"
#define AE	 "\303\244"

static const struct address addresses[] = {
	{ "bob@example.com", "bob@example.com", NULL },
	{ "postmaster", "postmaster", NULL },
	{ "\"john doe\"@example.com", "\"john doe\"@example.com", NULL },
	{ "\"a\\\"b\"@example.com", "\"a\\\"b\"@example.com", NULL },
	{ "a>@example.com", NULL, BAD_PATH },
	{ "<a@example.com>", NULL, BAD_PATH },
	{ "a@example.com\rRCPT", NULL, BAD_PATH },
	{ "a\001@example.com", NULL, BAD_PATH },
	{ "a\\ b@example.com", NULL, BAD_PATH },
	{ "\"a b\"c@example.com", NULL, BAD_PATH },
	{ "a@", NULL, BAD_PATH },
	/* An ASCII local part: the domain's U-labels become A-labels. */
	{ "a@ex" AE "mple.com", "a@xn--exmple-cua.com", NULL },
	{ "\"a@b\"@ex" AE "mple.com", "\"a@b\"@xn--exmple-cua.com", NULL },
	{ "a@b@" AE, NULL, BAD_PATH },
	{ "@x.example:a@" AE, "@x.example:a@xn--4ca", NULL },
	/* Dots where the grammar has none are in use; the rest is not. */
	{ "a..b.@x.example", "a..b.@x.example", NULL },
	{ "uunet!erin", "uunet!erin", NULL },
	{ "a@b@c.example", NULL, BAD_PATH },
	{ "a,b@x.example", NULL, BAD_PATH },
	{ "(c)u@x.example", NULL, BAD_PATH },
	{ "u@[junk]", NULL, BAD_PATH },
	{ "u@x.", NULL, BAD_PATH },
	{ "u@" AE ".", NULL, BAD_PATH },
	/* Any other address stays as it is. */
	{ "j" OE "rn@example.com", "j" OE "rn@example.com", NULL },
	{ "j" OE "rn@ex" AE "mple.com", "j" OE "rn@ex" AE "mple.com", NULL },
	{ "\"" OE " x\"@a.b", "\"" OE " x\"@a.b", NULL },
	{ OE, OE, NULL },
	/* Not UTF-8, or no domain that there can be. */
	{ "j\366rn@example.com", NULL, "is not UTF-8" },
	{ "jorn@\366.example", NULL, "is not UTF-8" },
	{ "j\303@example.com", NULL, "is not UTF-8" },
	{ "a@b.-" AE ".example", NULL, BAD_PATH },
	{ "a@\342\230\203.example", NULL, "has an impossible domain" },
	/* What the mapping makes of wide forms of '>' and '..' is caught. */
	{ "a@b\357\274\236." AE, NULL, BAD_PATH },
	{ "a@b.\343\200\202" AE, NULL, BAD_PATH },
};

/* The diag of a refused address names what, why and which. */
static void check_diag(const struct diag *d, const struct address *row,
		       const char *what, const char *status)
{
	struct str want = STR_INIT;

	assert_int_equal(d->fate, FATE_FAILED);
	assert_string_equal(d->reason, "bad-address");
	assert_slice_is(d->status, status);
	str_addf(&want, "%s address %s: <%s>", what, row->why, row->user);
	assert_slice_is(d->text, str_cstr(&want));
	str_clear(&want);
	str_addf(&want, "x-local; 500 (%s address %s)", what, row->why);
	assert_slice_is(d->diagnostic, str_cstr(&want));
	assert_int_equal(d->remote_mta.len, 0);
	str_done(&want);
}

static const struct diag *check_sender(struct file *f, struct slice *ret)
{
	return envelope_sender(&f->ctl.rcpts[0], SLICE(""), f->arena, ret);
}

static const struct diag *check_rcpt(struct file *f, struct slice *ret)
{
	return envelope_recipient(&f->ctl.rcpts[0], f->arena, ret);
}

static void test_sender_goes_as_it_is_or_in_ascii_or_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		const struct address *row = &addresses[i];
		struct slice path, other;
		const struct diag *d;
		struct file f;

		file_open(&f, (struct parts){ .sender = row->user });
		d = check_sender(&f, &path);
		if ((d == NULL) != (row->wire != NULL))
			fail_msg("%s", row->user);
		if (d != NULL)
			check_diag(d, row, "sender", "5.1.7");
		else
			assert_slice_is(path, row->wire);
		assert_null(check_rcpt(&f, &other));
		file_close(&f);
	}
}

static void test_recipient_goes_as_it_is_or_in_ascii_or_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		const struct address *row = &addresses[i];
		struct slice path, other;
		const struct diag *d;
		struct file f;

		file_open(&f, (struct parts){ .rcpt = row->user });
		d = check_rcpt(&f, &path);
		if ((d == NULL) != (row->wire != NULL))
			fail_msg("%s", row->user);
		if (d != NULL)
			check_diag(d, row, "recipient", "5.1.3");
		else
			assert_slice_is(path, row->wire);
		assert_null(check_sender(&f, &other));
		file_close(&f);
	}
}

static void test_over_long_address_is_refused_with_its_start(void **state)
{
	struct str user = STR_INIT;
	const struct diag *d;
	struct slice path;
	struct file f;

	(void)state;
	for (int i = 0; i < 100000; i++)
		str_addc(&user, 'u');
	str_adds(&user, "@example.com");
	file_open(&f, (struct parts){ .rcpt = str_cstr(&user) });
	d = check_rcpt(&f, &path);
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
	struct slice path = SLICE("stale");
	struct file f;

	(void)state;
	file_open(&f, (struct parts){ .channel = "error",
				      .sender = "<>\r",
				      .dsn = "EZMLM=-tail" });
	assert_null(
	    envelope_sender(&f.ctl.rcpts[0], SLICE("S1"), f.arena, &path));
	assert_int_equal(path.len, 0);
	file_close(&f);
}

/* ---- VERP senders ------------------------------------------------------- */

#define ID  "S1AauAAAAA"
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

struct verp {
	const char *sender, *tail;
	const char *wire; /* NULL: 5.1.7 */
};

static const struct verp verps[] = {
	{ "list@a.b", "-return-12-u1=c.d", "list-return-12-u1=c.d-" ID "@a.b" },
	{ "list", "-x", "list-x-" ID },
	{ "\"a list\"@a.b", "-x", "\"a list-x-" ID "\"@a.b" },
	{ "\"a@b\"@" AE, "-x", "\"a@b-x-" ID "\"@xn--4ca" },
	{ "list@" AE, "-" OE, "list-" OE "-" ID "@" AE },
	{ "list@a.b", "", "list@a.b" },
	{ "list@a.b", "-x>", NULL },
	{ "list@a.b", "-x\r", NULL },
	{ "list@a.b", "-\"x", NULL },
	{ "\"a\"@a.b", "-\"x", NULL },
	{ "\"a\"@a.b", "-\\\\\"", NULL },
	{ "list@a.b", "-\366", NULL },
	{ "list@a.b", X50 X50 X50 X50 X50, NULL },
	{ "list>@a.b", "-x", NULL },
	{ "list@a.b", "-r@evil.example", NULL },
	{ "list@" AE, "-r@evil.example", NULL },
	{ "list", "-r@evil.example", NULL },
	{ OE, "-r@evil.example", NULL },
	{ "\"a\"", "-r\"@evil.example", NULL },
	{ "\"a\"@a.b", "-r@evil.example", "\"a-r@evil.example-" ID "\"@a.b" },
	{ "@x.example:list@a.b", "-x", "@x.example:list-x-" ID "@a.b" },
};

static void test_sender_with_a_tail_is_checked_like_any(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(verps); i++) {
		struct str dsn = STR_INIT;
		struct slice path;
		const struct diag *d;
		struct file f;

		str_addf(&dsn, "EZMLM=%s", verps[i].tail);
		file_open(&f, (struct parts){ .sender = verps[i].sender,
					      .dsn = str_cstr(&dsn) });
		d = envelope_sender(&f.ctl.rcpts[0], SLICE(ID), f.arena, &path);
		if ((d == NULL) != (verps[i].wire != NULL))
			fail_msg("%s %s", verps[i].sender, verps[i].tail);
		if (d == NULL)
			assert_slice_is(path, verps[i].wire);
		else
			assert_slice_is(d->status, "5.1.7");
		file_close(&f);
		str_done(&dsn);
	}
}

static void test_tail_is_left_alone_without_an_id(void **state)
{
	struct slice path;
	struct file f;

	(void)state;
	file_open(&f, (struct parts){ .dsn = "EZMLM=-tail>" });
	assert_null(check_sender(&f, &path));
	assert_slice_is(path, "alice@a.b");
	file_close(&f);
}

/* ---- who goes with whom ------------------------------------------------- */

struct pair {
	const char *sender;
	const char *one, *one_dsn, *other, *other_dsn;
	bool together, ignoring_ezmlm;
};

static const struct pair pairs[] = {
	{ "a@x", "b@x", "", "c@y", "", true, true },
	{ "a@x", "b@x", "BY=5;R", "c@x", "BY=5;R NOTIFY=NEVER", true, true },
	{ "a@x", "b@x", "BY=5;R", "c@x", "BY=6;R", false, false },
	{ "a@x", "b@x", "", "c@x", "BY=5;N", false, false },
	{ "a@x", "b@x", "EZMLM=-t", "c@x", "EZMLM=-t", false, true },
	{ "a@x", "b@x", "EZMLM=-t", "c@x", "", false, true },
	{ "a@x", "b@x", "", "c@x", "EZMLM=-t", false, true },
	{ "a@x", "b@x", "EZMLM=", "c@x", "", true, true },
	{ "a@x", "b@x", "", OE "@x", "", false, false },
	{ "a@x", "b@x", "", "c@" OE, "", true, true },
	{ "a@x", OE "@x", "", AE "@x", "", true, true },
	{ OE "@x", "b@x", "", AE "@x", "", true, true },
};

static void check_pair(const struct pair *row)
{
	struct arena *a = arena_new();
	struct str text = STR_INIT;
	struct ctl ctl;
	struct err err;

	str_addf(&text, "i 1\no 0\nl x\ns smtp - %s 501\n", row->sender);
	str_addf(&text, "r           smtp c.d %s 501\nN %s\n", row->one,
		 row->one_dsn);
	str_addf(&text, "r           smtp c.d %s 501\nN %s\n", row->other,
		 row->other_dsn);
	str_adds(&text, "m\nFrom: x\n\n");
	assert_int_equal(ctl_parse(str_slice(&text), a, &ctl, &err), CTL_OK);
	assert_int_equal(
	    envelope_go_together(&ctl.rcpts[0], &ctl.rcpts[1], false),
	    row->together);
	assert_int_equal(
	    envelope_go_together(&ctl.rcpts[0], &ctl.rcpts[1], true),
	    row->ignoring_ezmlm);
	str_done(&text);
	arena_free(a);
}

static void test_who_goes_with_whom(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++)
		check_pair(&pairs[i]);
}

static void test_host_without_smtputf8_is_not_the_mails_fault(void **state)
{
	struct arena *a = arena_new();
	const struct diag *d = envelope_unsuited(SLICE(OE "@x"), a);

	(void)state;
	assert_int_equal(d->fate, FATE_FAILED);
	assert_string_equal(d->reason, "smtputf8-unsuited");
	assert_true(slice_starts(d->status, SLICE("5.6.7")));
	assert_slice_is(d->text, "host does not offer SMTPUTF8, which the mail "
				 "needs: <" OE "@x>");
	arena_free(a);
}

/* ---- MAIL --------------------------------------------------------------- */

struct mail {
	const char *lines, *envid, *ret;
};

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
		envelope_mail(&f.ctl, &t);
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
		struct slice path;
		struct smtp_rcpt r;
		struct file f;

		file_open(&f,
			  (struct parts){ .rcpt = row->user, .dsn = row->dsn });
		assert_null(check_rcpt(&f, &path));
		r = envelope_rcpt(&f.ctl.rcpts[0], path, false, false, f.arena);
		assert_slice_is(r.path, or_else(row->user, "bob@c.d"));
		assert_slice_is(r.notify, row->want);
		assert_slice_is(r.orcpt, row->orcpt);
		file_close(&f);
	}
}

static void test_delay_is_added_to_all_but_never(void **state)
{
	static const struct row {
		const char *dsn, *want;
	} rows[] = {
		{ NULL, "FAILURE,DELAY" },
		{ "NOTIFY=NEVER", "NEVER" },
		{ "NOTIFY=SUCCESS", "SUCCESS,DELAY" },
		{ "NOTIFY=SUCCESS,DELAY", "SUCCESS,DELAY" },
		{ "NOTIFY=", "FAILURE,DELAY" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct smtp_rcpt r;
		struct file f;

		file_open(&f, (struct parts){ .dsn = rows[i].dsn });
		r = envelope_rcpt(&f.ctl.rcpts[0], SLICE("b@x"), false, true,
				  f.arena);
		assert_slice_is(r.notify, rows[i].want);
		file_close(&f);
	}
}

/* What is not ASCII is said in the way of the transaction. */
static void test_orcpt_follows_the_transaction(void **state)
{
	struct smtp_rcpt r;
	struct file f;

	(void)state;
	file_open(&f, (struct parts){ .rcpt = OE "@c.d" });
	r = envelope_rcpt(&f.ctl.rcpts[0], SLICE(OE "@c.d"), true, false,
			  f.arena);
	assert_slice_is(r.orcpt, "utf-8;" OE "@c.d");
	file_close(&f);
	file_open(&f, (struct parts){ .dsn = "ORCPT=utf-8;" OE "@c.d" });
	r = envelope_rcpt(&f.ctl.rcpts[0], SLICE("b@c.d"), false, false,
			  f.arena);
	assert_slice_is(r.orcpt, "utf-8;\\x{F6}@c.d");
	file_close(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sender_goes_as_it_is_or_in_ascii_or_not),
		cmocka_unit_test(
		    test_recipient_goes_as_it_is_or_in_ascii_or_not),
		cmocka_unit_test(
		    test_over_long_address_is_refused_with_its_start),
		cmocka_unit_test(test_null_sender_is_never_refused),
		cmocka_unit_test(test_sender_with_a_tail_is_checked_like_any),
		cmocka_unit_test(test_tail_is_left_alone_without_an_id),
		cmocka_unit_test(test_who_goes_with_whom),
		cmocka_unit_test(
		    test_host_without_smtputf8_is_not_the_mails_fault),
		cmocka_unit_test(test_only_clean_values_reach_mail),
		cmocka_unit_test(test_every_wish_of_a_recipient),
		cmocka_unit_test(test_delay_is_added_to_all_but_never),
		cmocka_unit_test(test_orcpt_follows_the_transaction),
	};

	return TEST_RUN(tests);
}
