/*
 * treeconv_test.c - messages in, messages out, byte by byte.
 *
 *	treeconv_test SWITCHES < MESSAGE > CONVERTED 2> PLAN
 *
 * converts one message (see test_channel()), so that tests in Python can look
 * at it with a parser that is not ours; with 'w' among the switches as it goes
 * over the wire.
 */
#include "mime/treeconv.h"

#include "base/keyword.h"
#include "base/test.h"
#include "mime/test_tree.h"

#include <stdio.h>
#include <string.h>

#define MIME "Received: from a by b; c\nMIME-Version: 1.0\n"
#define DONE                                                                \
	"Received: from a by b (convert rfc822-to-7bit); c\nMIME-Version: " \
	"1.0\n"
#define MIXED "Content-Type: multipart/mixed; boundary=b\n"
#define GRUSS                \
	"Gr\xc3\xbc\xc3\x9f" \
	"e aus K\xc3\xb6ln am Rhein, wo es oft regnet\n"
#define CODED "Gr=C3=BC=C3=9Fe aus K=C3=B6ln am Rhein, wo es oft regnet\n"

struct row {
	const char *switches, *in, *want;
};

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct test_mail m;

		test_plan_mail(&m, slice_of(rows[i].in), rows[i].switches);
		for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
			struct str out = STR_INIT;

			test_convert_mail(&m, seed, false, &out);
			assert_slice_is(str_slice(&out), rows[i].want);
			str_done(&out);
		}
		test_mail_done(&m);
	}
}

static void test_only_what_must_change_changes(void **state)
{
	static const struct row rows[] = {
		/* label replaced in place; Content-Type as it was */
		{ "",
		  MIME MIXED "Content-Transfer-Encoding: 8BIT (yes)\n\n"
			     "pro\n--b  \nContent-Type: Text/Plain;\n"
			     "\tcharset = \"utf-8\"\n"
			     "content-transfer-encoding :\t8bit (x)\n"
			     "X: y\n\n" GRUSS "\n--b\n\nascii \n--b--\nepi",
		  DONE MIXED "Content-Transfer-Encoding: 7BIT\n\n"
			     "pro\n--b  \nContent-Type: Text/Plain;\n"
			     "\tcharset = \"utf-8\"\n"
			     "content-transfer-encoding :\tquoted-printable\n"
			     "X: y\n\n" CODED "\n--b\n\nascii \n--b--\nepi" },
		/* or added, with the line ends that are there */
		{ "", MIME MIXED "\n--b\r\nX: y\r\n\r\n" GRUSS "\r\n--b--\r\n",
		  DONE MIXED "\n--b\r\nX: y\r\nContent-Transfer-Encoding: "
			     "quoted-printable\r\n\r\n" CODED "\r\n--b--\r\n" },
		{ "", MIME MIXED "\n--b\n\n" GRUSS "--b--",
		  DONE MIXED
		  "\n--b\nContent-Transfer-Encoding: "
		  "quoted-printable\n\nGr=C3=BC=C3=9Fe aus K=C3=B6ln "
		  "am Rhein, wo es oft regnet\n--b--" },
		/* nothing to do */
		{ "8", MIME MIXED "\n--b\n\n" GRUSS "--b--",
		  MIME MIXED "\n--b\n\n" GRUSS "--b--" },
		/* exact bytes of what is binary, canonical text else */
		{ "8",
		  MIME MIXED
		  "\n--b\nContent-Type: a/b\n"
		  "Content-Transfer-Encoding: binary\n\nfoo\n\n--b--",
		  DONE MIXED "\n--b\nContent-Type: a/b\n"
			     "Content-Transfer-Encoding: base64\n\nZm9vCg==\n"
			     "--b--" },
		{ "",
		  MIME MIXED
		  "\n--b\nContent-Type: a/b\n\n\xff\xff\xff\xff\n\n--b--",
		  DONE MIXED "\n--b\nContent-Type: a/b\n"
			     "Content-Transfer-Encoding: base64\n\n/////w0K\n"
			     "--b--" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_no_line_of_the_output_is_a_delimiter(void **state)
{
	static const struct row rows[] = {
		/* a soft line break would have put it there */
		{ "",
		  MIME MIXED
		  "\n--b\n\n"
		  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		  "xxxxxxxxxxxxxxxxxxx--b\n\xc3\xa9\n- y\n--b--",
		  DONE MIXED
		  "\n--b\nContent-Transfer-Encoding: quoted-printable\n\n"
		  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		  "xxxxxxxxxxxxxxxxxxx=\n=2D-b\n=C3=A9\n=2D y\n--b--" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_message_inside_gets_the_header_it_lacks(void **state)
{
	static const struct row rows[] = {
		{ "",
		  MIME MIXED "\n--b\nContent-Type: message/rfc822\n\n"
			     "Subject: Gr\xc3\xbc\xc3\x9f"
			     "e\n\n\xc3\xa9\n--b--",
		  DONE MIXED "\n--b\nContent-Type: message/rfc822\n\n"
			     "Subject: =?UTF-8?B?R3LDvMOfZQ==?=\n"
			     "MIME-Version: 1.0\n"
			     "Content-Type: text/plain; charset=UTF-8\n"
			     "Content-Transfer-Encoding: quoted-printable\n\n"
			     "=C3=A9\n--b--" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_decoded_leaves_are_labelled_8bit(void **state)
{
	static const struct row rows[] = {
		{ "8d",
		  MIME MIXED "\n--b\nContent-Type: text/plain\n"
			     "Content-Transfer-Encoding: quoted-printable\n\n"
			     "=C3=A9 =\nx\n--b--",
		  "Received: from a by b (convert rfc822-to-8bit); c\n"
		  "MIME-Version: 1.0\n" MIXED
		  "Content-Transfer-Encoding: 8BIT\n\n--b\n"
		  "Content-Type: text/plain\n"
		  "Content-Transfer-Encoding: 8bit\n\n\xc3\xa9 x\n--b--" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void check_wire(const char *in, const char *switches, const char *want)
{
	struct test_mail m;

	test_plan_mail(&m, slice_of(in), switches);
	assert_true(m.plan.sends_binary);
	for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
		struct str out = STR_INIT;

		test_convert_mail(&m, seed, true, &out);
		assert_slice_is(str_slice(&out), want);
		str_done(&out);
	}
	test_mail_done(&m);
}

static void test_raw_bytes_go_around_the_last_filter(void **state)
{
	static const char in[] =
	    MIME MIXED "Content-Transfer-Encoding: binary\n\n--b\n"
		       "Content-Type: a/b\nContent-Transfer-Encoding: binary\n"
		       "Content-Description: \xc3\xa9\n"
		       "\nx\ny\rz\n\n--b\n\ntext\n--b--\n";
	static const char want[] =
	    "Received: from a by b; c\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/mixed; boundary=b\r\n"
	    "Content-Transfer-Encoding: binary\r\n\r\n--b\r\n"
	    "Content-Type: a/b\r\nContent-Transfer-Encoding: binary\r\n"
	    "Content-Description: \xc3\xa9\r\n"
	    "\r\nx\ny\rz\n\r\n--b\r\n\r\ntext\r\n--b--\r\n";
	static const char from[] = "Received: from a by b";
	static const char told[] =
	    "Received: from a by b (convert rfc822-to-7bit)";
	static const char coded[] = "=?UTF-8?B?w6k=?=";
	struct str want7 = STR_INIT;
	size_t at = (size_t)(strstr(want, "\xc3\xa9") - want);

	(void)state;
	check_wire(in, "8B", want);
	/* to a 7-bit channel the header is edited, and is text */
	str_adds(&want7, told);
	str_add(&want7,
		slice_make(want + sizeof(from) - 1, at - (sizeof(from) - 1)));
	str_adds(&want7, coded);
	str_adds(&want7, want + at + 2);
	check_wire(in, "B", str_cstr(&want7));
	str_done(&want7);
}

/* Memory is what a header and a line need, whatever passes. */
static void test_memory_does_not_grow_with_the_message(void **state)
{
	struct str message = STR_INIT, out = STR_INIT;
	struct test_mail m;
	struct treeconv c;
	struct slice in;
	bool is_raw;

	(void)state;
	str_adds(&message, MIME MIXED "\n--b\n\n");
	for (int i = 0; i < 20000; i++)
		str_adds(&message, GRUSS);
	str_adds(&message, "--b--\n");
	test_plan_mail(&m, str_slice(&message), "");
	treeconv_begin(&c, &m.tree, &m.plan);
	for (in = m.body; in.len > 0;) {
		struct slice now = slice_head(in, 1000);

		in = slice_from(in, now.len);
		str_clear(&out);
		while (now.len > 0)
			treeconv_push(&c, &now, &out, &is_raw);
	}
	treeconv_end(&c, &out);
	assert_true(out.cap < 128 * 1024 && c.header.cap < 1024);
	assert_true(m.tree.header.cap < 1024 && m.tree.decoded.cap == 0);
	treeconv_done(&c);
	test_mail_done(&m);
	str_done(&message);
	str_done(&out);
}

/* ---- for tests in Python -------------------------------------------- */

static int convert_input(const char *switches)
{
	struct str in = STR_INIT, out = STR_INIT, plan = STR_INIT;
	struct test_mail m;
	size_t n;

	do {
		str_reserve(&in, 65536);
		n = fread(in.p + in.len, 1, 65536, stdin);
		in.len += n;
	} while (n > 0);
	test_plan_mail(&m, str_slice(&in), switches);
	test_convert_mail(&m, 2, strchr(switches, 'w') != NULL, &out);
	str_addf(&plan, "%s %s %d %d\n", mime_mode_word(m.plan.message.mode),
		 mime_reason_word(m.plan.message.reason),
		 m.plan.message.sends_8bit, m.plan.message.is_unconvertible);
	for (unsigned i = 0; i < m.tree.n_parts; i++) {
		tree_plan_print(&plan, &m.tree, &m.plan, i);
		str_addc(&plan, '\n');
	}
	fwrite(out.p, 1, out.len, stdout);
	fwrite(plan.p, 1, plan.len, stderr);
	test_mail_done(&m);
	str_done(&in);
	str_done(&out);
	str_done(&plan);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_must_change_changes),
		cmocka_unit_test(test_no_line_of_the_output_is_a_delimiter),
		cmocka_unit_test(test_message_inside_gets_the_header_it_lacks),
		cmocka_unit_test(test_decoded_leaves_are_labelled_8bit),
		cmocka_unit_test(test_raw_bytes_go_around_the_last_filter),
		cmocka_unit_test(test_memory_does_not_grow_with_the_message),
	};

	return argc > 1 ? convert_input(argv[1]) : TEST_RUN(tests);
}
