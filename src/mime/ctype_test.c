/*
 * ctype_test.c - Content-Type and Content-Transfer-Encoding, read and edited.
 */
#include "mime/ctype.h"

#include "base/keyword.h"
#include "base/test.h"

/* "type/subtype name=value ...", "?" behind it if not sound. */
static void show(struct str *to, const struct ctype *c)
{
	struct slice rest = c->params;
	struct ctype_param param;

	str_add(to, c->type);
	str_addc(to, '/');
	str_add(to, c->subtype);
	while (ctype_next_param(&rest, &param)) {
		str_addc(to, ' ');
		str_add(to, param.name);
		str_addc(to, '=');
		ctype_add_value(to, param.value);
	}
	if (!c->is_sound)
		str_adds(to, " ?");
}

static void test_content_type_is_read(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ " text/plain", "text/plain" },
		{ "TEXT/Plain", "TEXT/Plain" },
		{ " text/plain; charset=us-ascii",
		  "text/plain charset=us-ascii" },
		{ " text/plain; charset=\"iso-8859-1\"; format=flowed",
		  "text/plain charset=iso-8859-1 format=flowed" },
		{ " text / plain ;\n\tcharset = utf-8 ",
		  "text/plain charset=utf-8" },
		{ " text/plain (rich; text); charset=us-ascii (Plain text)",
		  "text/plain charset=us-ascii" },
		{ "(a)text(b)/(c)plain(d);(e)x(f)=(g)y(h)", "text/plain x=y" },
		{ " multipart/mixed; boundary=\"=_a;\\\"b\\\\\"",
		  "multipart/mixed boundary==_a;\"b\\" },
		{ " text/plain;", "text/plain" },
		{ " text/plain;;; a=b;;", "text/plain a=b" },
		{ " text/plain; name=\"gr\xfc\xdf.txt\"",
		  "text/plain name=gr\xfc\xdf.txt" },
		{ " text/plain; name=gr\xfc\xdf.txt",
		  "text/plain name=gr\xfc\xdf.txt" },
		{ " text/plain; name=\"\"", "text/plain name=" },
		{ " application/x-foo.bar+baz; a*0*=UTF-8''x",
		  "application/x-foo.bar+baz a*0*=UTF-8''x" },
		/* older than MIME */
		{ " text", "text/ ?" },
		{ " text; charset=x", "text/ charset=x ?" },
		/* parameters that cannot be read */
		{ " text/plain; name=my file.txt", "text/plain ?" },
		{ " text/plain; a=b; c", "text/plain a=b ?" },
		{ " text/plain; a=b c=d", "text/plain ?" },
		{ " text/plain; a=", "text/plain ?" },
		{ " text/plain; =b", "text/plain ?" },
		{ " text/plain; a=b; \"c\"=d", "text/plain a=b ?" },
		{ " text/plain; a=\"b", "text/plain ?" },
		{ " text/plain; a=b(", "text/plain ?" },
		{ " text/plain; a=[b]", "text/plain ?" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str got = STR_INIT;
		struct ctype c;

		assert_true(ctype_parse(slice_of(rows[i].in), &c));
		show(&got, &c);
		assert_slice_is(str_slice(&got), rows[i].want);
		str_done(&got);
	}
}

static void test_what_is_no_type_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		" ",
		"/plain",
		"text/",
		"text//x",
		"text/plain x",
		"text/plain =",
		"text/plain/x",
		"\"text\"/x",
		"text/\"plain\"",
		"(text/plain",
		"te\xfct/plain",
		"text/pl\xe4in",
		";a=b",
		"text plain",
		"[x]/y",
		"text/(c)",
	};
	struct ctype c = { .type = SLICE("untouched") };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (ctype_parse(slice_of(rows[i]), &c))
			fail_msg("'%s' is taken", rows[i]);
	assert_slice_is(c.type, "untouched");
}

static void test_names_and_types_are_compared_without_case(void **state)
{
	struct ctype_param param;
	struct ctype c;

	(void)state;
	assert_true(ctype_parse(SLICE("Text/PLAIN; CharSet=a; charset=b"), &c));
	assert_true(ctype_is(&c, "text", "plain"));
	assert_false(ctype_is(&c, "text", "html"));
	assert_false(ctype_is(&c, "text", ""));
	assert_true(ctype_find(&c, "charset", &param));
	assert_slice_is(param.value, "a");
	assert_false(ctype_find(&c, "char", &param));
}

static void test_edit_changes_one_value_and_nothing_else(void **state)
{
	static const struct {
		const char *in, *value, *want;
	} rows[] = {
		{ " text/plain; charset=utf-8", "US-ASCII",
		  " text/plain; charset=US-ASCII" },
		{ "TEXT/plain(c);\n\tCharset = \"x\\\"y\" (d) ;format=flowed ",
		  "z", "TEXT/plain(c);\n\tCharset = z (d) ;format=flowed " },
		{ " text/plain; charset=a; charset=b", "c",
		  " text/plain; charset=c; charset=b" },
		{ " text/plain; charset=a", "has \"blank\\",
		  " text/plain; charset=\"has \\\"blank\\\\\"" },
		{ " text/plain; charset=a", "", " text/plain; charset=\"\"" },
		{ " text/plain; charset=a", "x/y",
		  " text/plain; charset=\"x/y\"" },
		/* added */
		{ " text/plain", "x", " text/plain; charset=x" },
		{ " text/plain; format=flowed (c)\n", "x",
		  " text/plain; format=flowed; charset=x (c)\n" },
		{ " text/plain;", "x", " text/plain; charset=x;" },
		{ " text/plain; name=my file", "x",
		  " text/plain; charset=x; name=my file" },
		{ " text", "x", " text; charset=x" },
		{ " text/plain; name=a234567890123456789012345678901234567",
		  "x",
		  " text/plain; name=a234567890123456789012345678901234567"
		  ";\n\tcharset=x" },
		{ " text/plain;\n name=a234567890123456789012345678901234567",
		  "x",
		  " text/plain;\n name=a234567890123456789012345678901234567"
		  "; charset=x" },
		/* not a type */
		{ " what is this", "x", " what is this" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str got = STR_INIT;

		ctype_set(&got, slice_of(rows[i].in), "charset",
			  slice_of(rows[i].value));
		assert_slice_is(str_slice(&got), rows[i].want);
		str_done(&got);
	}
}

static void test_transfer_encoding_is_read(void **state)
{
	static const struct {
		const char *in;
		enum cte want;
		const char *word;
	} rows[] = {
		{ " 7bit", CTE_7BIT, "7bit" },
		{ "8BIT", CTE_8BIT, "8BIT" },
		{ " 8-bit\n", CTE_8BIT, "8-bit" },
		{ " (why) 8bit (not)", CTE_8BIT, "8bit" },
		{ " \"8bit\"", CTE_8BIT, "\"8bit\"" },
		{ " Quoted-Printable", CTE_QP, "Quoted-Printable" },
		{ " base64", CTE_BASE64, "base64" },
		{ " BINARY", CTE_BINARY, "BINARY" },
		{ " x-uuencode", CTE_OTHER, "x-uuencode" },
		{ " quoted", CTE_OTHER, "quoted" },
		{ "", CTE_OTHER, "" },
		{ " 8bit 7bit", CTE_OTHER, "" },
		{ " 8bit;", CTE_OTHER, "" },
		{ " 8bit (", CTE_OTHER, "" },
		{ " (8bit)", CTE_OTHER, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice word;

		assert_int_equal(cte_parse(slice_of(rows[i].in), &word),
				 rows[i].want);
		assert_slice_is(word, rows[i].word);
		assert_int_equal(cte_parse(slice_of(rows[i].in), NULL),
				 rows[i].want);
	}
}

static void test_transfer_encoding_is_replaced_whole(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "8BIT", "7BIT" },
		{ " 8bit", " 7BIT" },
		/* not all readers know what a comment is */
		{ "\t(a) \"8bit\"\n (b)", "\t7BIT" },
		{ "8Bit (c)\r\n", "7BIT\r\n" },
		{ "\n 8bit\n", " 7BIT\n" },
		{ "", " 7BIT" },
		{ " 8bit 8bit", " 7BIT" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str got = STR_INIT;

		cte_set(&got, slice_of(rows[i].in), "7BIT");
		assert_slice_is(str_slice(&got), rows[i].want);
		str_done(&got);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_content_type_is_read),
		cmocka_unit_test(test_what_is_no_type_is_refused),
		cmocka_unit_test(
		    test_names_and_types_are_compared_without_case),
		cmocka_unit_test(test_edit_changes_one_value_and_nothing_else),
		cmocka_unit_test(test_transfer_encoding_is_read),
		cmocka_unit_test(test_transfer_encoding_is_replaced_whole),
	};

	return TEST_RUN(tests);
}
