/*
 * rfc2231_test.c - extended parameters: rows, and values read back.
 */
#include "mime/rfc2231.h"

#include "base/keyword.h"
#include "base/test.h"
#include "mime/ctype.h"
#include "mime/header.h"

#include <stdlib.h>

struct row {
	const char *field, *want; /* NULL: not converted */
};

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct str out = STR_INIT;
		bool is_done = rfc2231_encode_field(
		    &out, slice_of(rows[i].field), SLICE("ISO-8859-1"));

		if (rows[i].want == NULL && is_done)
			fail_msg("%s\nbecame %s", rows[i].field,
				 str_cstr(&out));
		if (rows[i].want != NULL)
			assert_string_equal(str_cstr(&out), rows[i].want);
		str_done(&out);
	}
}

static void test_file_names_are_extended(void **state)
{
	static const struct row rows[] = {
		{ "Content-Disposition: attachment; filename=\"Größe.txt\"",
		  "Content-Disposition: attachment; "
		  "filename*=UTF-8''Gr%C3%B6%C3%9Fe.txt" },
		{ "content-type: text/plain; name=\xe4\xf6; format=flowed",
		  "content-type: text/plain; name*=ISO-8859-1''%E4%F6; "
		  "format=flowed" },
		{ "Content-Type: text/plain; charset=utf-8;\n"
		  "\tname=\"a \\\"ä\\\" b*'%\"",
		  "Content-Type: text/plain; charset=utf-8;\n"
		  "\tname*=UTF-8''a%20%22%C3%A4%22%20b%2A%27%25" },
		/* both of them, and a comment */
		{ "Content-Type: a/b (ü); name=ä; x=y; filename=\"ö\"",
		  "Content-Type: a/b (=?UTF-8?B?w7w=?=); "
		  "name*=UTF-8''%C3%A4; x=y;\n filename*=UTF-8''%C3%B6" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_what_is_no_text_stays(void **state)
{
	static const struct row rows[] = {
		{ "Content-Type: multipart/mixed; boundary=\"ä\"", NULL },
		{ "Content-Type: text/plain; charset=ä", NULL },
		{ "Content-Type: text/plain; name*=UTF-8''ä", NULL },
		{ "Content-Type: text/plain; name=a", NULL },
		{ "Content-Type: text/plain; name=a b ä", NULL },
		{ "Content-ID: <ä>; name=ä", NULL },
		{ "Content-Disposition: \"x\"; filename=ä", NULL },
		{ "Subject: name=ä", "Subject: =?UTF-8?B?bmFtZT3DpA==?=" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

/* Puts the sections of a parameter together again. */
static void read_back(struct str *to, struct slice field, const char *name)
{
	struct header_field f = header_field_of(field);
	struct ctype_param param;
	struct str full = STR_INIT;
	struct ctype c;

	assert_true(ctype_parse(f.body, &c));
	for (unsigned i = 0;; i++) {
		struct slice value;

		str_clear(&full);
		str_addf(&full, "%s*%u*", name, i);
		if (!ctype_find(&c, str_cstr(&full), &param))
			break;
		value = param.value;
		for (int q = 0; i == 0 && q < 2; q++)
			value = slice_from(value, slice_find(value, '\'') + 1);
		for (size_t k = 0; k < value.len; k++) {
			if (value.p[k] == '%') {
				char hex[3] = { value.p[k + 1], value.p[k + 2],
						'\0' };

				str_addc(to, (char)strtol(hex, NULL, 16));
				k += 2;
			} else {
				str_addc(to, value.p[k]);
			}
		}
	}
	str_done(&full);
}

static void test_long_value_is_continued_and_reads_the_same(void **state)
{
	struct str value = STR_INIT, field = STR_INIT, out = STR_INIT,
		   back = STR_INIT;
	struct slice rest, line;
	size_t n_lines = 0;

	(void)state;
	for (int i = 0; i < 200; i++)
		str_addf(&value, "%d€ und mehr ", i);
	str_addf(&field, "Content-Disposition: attachment; filename=\"%s\"",
		 str_cstr(&value));
	assert_true(rfc2231_convert(&out, str_slice(&field), SLICE("")));
	rest = str_slice(&out);
	while (slice_cut(&rest, '\n', &line)) {
		assert_true(line.len <= 76);
		n_lines++;
	}
	assert_true(n_lines > 40);
	read_back(&back, str_slice(&out), "filename");
	assert_string_equal(str_cstr(&back), str_cstr(&value));
	str_done(&value);
	str_done(&field);
	str_done(&out);
	str_done(&back);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_names_are_extended),
		cmocka_unit_test(test_what_is_no_text_stays),
		cmocka_unit_test(
		    test_long_value_is_continued_and_reads_the_same),
	};

	return TEST_RUN(tests);
}
