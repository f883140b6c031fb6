/*
 * convert_test.c - whole messages through plan and conversion, to the byte.
 */
#include "mime/convert.h"

#include "base/keyword.h"
#include "base/test.h"
#include "mime/header.h"

/* Switches: 8 takes 8-bit, d may decode, H keeps headers, w no warning. */
static struct mime_channel channel_of(const char *switches)
{
	struct slice s = slice_of(switches);

	return (struct mime_channel){
		.takes_8bit = slice_has(s, '8'),
		.may_decode = slice_has(s, 'd'),
		.keeps_headers = slice_has(s, 'H'),
		.omits_warning = slice_has(s, 'w'),
		.line_max = slice_has(s, 'l') ? 998 : 0,
		.charset = SLICE("ISO-8859-15"),
	};
}

static struct mime_plan plan_of(struct slice header, struct slice body,
				const char *switches)
{
	struct mime_channel channel = channel_of(switches);
	struct qp_decoder trial;
	struct mime_label label;
	struct mime_plan plan;
	struct scan scan;

	scan_begin(&scan);
	scan_push(&scan, body);
	scan_end(&scan);
	qp_decode_begin(&trial);
	qp_decode_push(&trial, body, NULL);
	qp_decode_end(&trial, NULL);
	mime_label_read(&label, header);
	mime_plan_make(&label, &channel, &scan, &trial, &plan);
	return plan;
}

struct body_run {
	struct convert_body convert;
	struct str *out;
};

static void push_body(void *context, struct slice chunk)
{
	struct body_run *run = context;

	convert_body_push(&run->convert, chunk, run->out);
}

/* The message as it is sent; to be freed. */
static struct str sent(struct slice header, struct slice body,
		       const char *switches, unsigned seed)
{
	struct mime_plan plan = plan_of(header, body, switches);
	struct str out = STR_INIT;
	struct body_run run = { .out = &out };

	convert_header(&out, header, &plan);
	str_addc(&out, '\n');
	convert_body_begin(&run.convert, &plan);
	test_split(body, seed, push_body, &run);
	convert_body_end(&run.convert, &out);
	return out;
}

struct row {
	const char *header, *body, *switches, *want;
};

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
			struct str got = sent(slice_of(rows[i].header),
					      slice_of(rows[i].body),
					      rows[i].switches, seed);

			assert_slice_is(str_slice(&got), rows[i].want);
			str_done(&got);
		}
	}
}

#define RECEIVED \
	"Received: from a by b id <S1>;\n\tMon, 1 Jan 2024 00:00:00 +0000\n"
#define DATE "Mon, 1 Jan 2024 00:00:00 +0000\n"
#define RECEIVED_QP                               \
	"Received: from a by b id <S1> (convert " \
	"rfc822-to-quoted-printable);\n\t" DATE
#define RECEIVED_8BIT \
	"Received: from a by b id <S1> (convert rfc822-to-8bit);\n\t" DATE
#define WARNING                                                               \
	"X-Warning: 8-bit text without MIME header; labelled and encoded on " \
	"its way\n"
#define MIME_FIELDS \
	"MIME-Version: 1.0\nContent-Transfer-Encoding: QUOTED-PRINTABLE\n"

static void test_8bit_text_becomes_quoted_printable(void **state)
{
	static const struct row rows[] = {
		{ RECEIVED
		  "Subject: x\nMIME-Version: 1.0\n"
		  "Content-Type: text/plain;\n\tcharset=iso-8859-1 (c)\n"
		  "Content-Transfer-Encoding: 8bit (really)\n"
		  "To: a@b\n",
		  "From gr\xfc\xdf"
		  "e\n.\n",
		  "",
		  RECEIVED_QP
		  "Subject: x\nMIME-Version: 1.0\n"
		  "Content-Type: text/plain;\n\tcharset=iso-8859-1 (c)\n"
		  "Content-Transfer-Encoding: QUOTED-PRINTABLE\n"
		  "To: a@b\n\n=46rom gr=FC=DFe\n=2E\n" },
		/* without a blank behind the colon, the next field stays */
		{ "MIME-Version:1.0\nContent-Transfer-Encoding:8BIT\n"
		  "Content-Type:text/plain\nSubject:y\n",
		  "\xfc\n", "",
		  "MIME-Version:1.0\nContent-Transfer-Encoding:QUOTED-"
		  "PRINTABLE\n"
		  "Content-Type:text/plain\nSubject:y\n\n=FC\n" },
		/* no encoding field */
		{ "MIME-Version: 1.0\nContent-Type: text/plain\nTo: a@b\n",
		  "\xfc\n", "",
		  "MIME-Version: 1.0\nContent-Type: text/plain\nTo: a@b\n"
		  "Content-Transfer-Encoding: QUOTED-PRINTABLE\n\n=FC\n" },
		/* no type */
		{ "MIME-Version: 1.0\nContent-Transfer-Encoding: 8bit\n",
		  "\xc3\xbc\n", "",
		  "MIME-Version: 1.0\nContent-Transfer-Encoding: "
		  "QUOTED-PRINTABLE\n"
		  "Content-Type: TEXT/PLAIN; charset=UTF-8\n\n=C3=BC\n" },
		{ "MIME-Version: 1.0\n", "\xfc\n", "",
		  "MIME-Version: 1.0\nContent-Transfer-Encoding: "
		  "QUOTED-PRINTABLE\n"
		  "Content-Type: TEXT/PLAIN; charset=ISO-8859-15\n\n=FC\n" },
		/* a Received field that is not the first, or has no date */
		{ "Subject: x\n" RECEIVED "MIME-Version: 1.0\n"
		  "Content-Type: text/plain\nContent-Transfer-Encoding: 8bit\n",
		  "\xfc\n", "",
		  "Subject: x\n" RECEIVED "MIME-Version: 1.0\n"
		  "Content-Type: text/plain\n"
		  "Content-Transfer-Encoding: QUOTED-PRINTABLE\n\n=FC\n" },
		{ "Received: from a by b\nMIME-Version: 1.0\n"
		  "Content-Type: text/plain\nContent-Transfer-Encoding: 8bit\n",
		  "\xfc\n", "",
		  "Received: from a by b\nMIME-Version: 1.0\n"
		  "Content-Type: text/plain\n"
		  "Content-Transfer-Encoding: QUOTED-PRINTABLE\n\n=FC\n" },
		{ "Return-Path: <x@y>\n" RECEIVED RECEIVED "MIME-Version: 1.0\n"
		  "Content-Type: text/plain\nContent-Transfer-Encoding: 8bit\n",
		  "\xfc\n", "",
		  "Return-Path: <x@y>\n" RECEIVED_QP RECEIVED
		  "MIME-Version: 1.0\nContent-Type: text/plain\n"
		  "Content-Transfer-Encoding: QUOTED-PRINTABLE\n\n=FC\n" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_quoted_printable_becomes_8bit(void **state)
{
	static const struct row rows[] = {
		{ RECEIVED
		  "MIME-Version: 1.0\nContent-Type: Text/Plain; charset=utf-8\n"
		  "Content-Transfer-Encoding: quoted-printable\n",
		  "gr=C3=BC=\n=C3=9Fe \n", "8d",
		  RECEIVED_8BIT
		  "MIME-Version: 1.0\nContent-Type: Text/Plain; charset=utf-8\n"
		  "Content-Transfer-Encoding: 8BIT\n\n"
		  "gr\xc3\xbc\xc3\x9f"
		  "e\n" },
		{ "Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain\n"
		  "Content-Transfer-Encoding: quoted-printable\n",
		  "gr=FC\n", "8d",
		  "Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain\n"
		  "Content-Transfer-Encoding: quoted-printable\n\ngr=FC\n" },
		{ RECEIVED "MIME-Version: 1.0\nContent-Type: text/plain\n"
			   "Content-Transfer-Encoding: quoted-printable\n",
		  "a=0Ab\n", "8d",
		  RECEIVED "MIME-Version: 1.0\nContent-Type: text/plain\n"
			   "Content-Transfer-Encoding: quoted-printable\n\n"
			   "a=0Ab\n" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_mail_without_mime_header_gets_one(void **state)
{
	static const struct row rows[] = {
		{ RECEIVED "Subject: x\n", "gr\xfc\n", "",
		  RECEIVED WARNING MIME_FIELDS
		  "Content-Type: TEXT/PLAIN; charset=ISO-8859-15\n"
		  "Subject: x\n\ngr=FC\n" },
		{ RECEIVED "Subject: x\n", "gr\xc3\xbc\n", "w",
		  RECEIVED MIME_FIELDS
		  "Content-Type: TEXT/PLAIN; charset=UTF-8\n"
		  "Subject: x\n\ngr=C3=BC\n" },
		/* old fields go, but for a type with a charset */
		{ "To: a@b\nContent-Type: text\nContent-Transfer-Encoding: "
		  "8bit\n"
		  "Subject: x\n",
		  "\xfc\n", "w",
		  "To: a@b\n" MIME_FIELDS
		  "Content-Type: TEXT/PLAIN; charset=ISO-8859-15\n"
		  "Subject: x\n\n=FC\n" },
		{ "To: a@b\nContent-Type: text/plain; charset=koi8-r\n"
		  "Content-Transfer-Encoding: 7bit\n",
		  "\xfc\n", "w",
		  "To: a@b\n" MIME_FIELDS
		  "Content-Type: text/plain; charset=koi8-r\n\n=FC\n" },
		{ "Content-Type: text/plain\nSubject: x\n", "\xfc\n", "w",
		  MIME_FIELDS "Content-Type: TEXT/PLAIN; charset=ISO-8859-15\n"
			      "Subject: x\n\n=FC\n" },
		{ "Return-Path: <x@y>\n" RECEIVED "To: a@b\n", "\xfc\n", "w",
		  "Return-Path: <x@y>\n" RECEIVED MIME_FIELDS
		  "Content-Type: TEXT/PLAIN; charset=ISO-8859-15\n"
		  "To: a@b\n\n=FC\n" },
		{ "", "\xfc\n", "w",
		  MIME_FIELDS "Content-Type: TEXT/PLAIN; "
			      "charset=ISO-8859-15\n\n=FC\n" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_8bit_label_on_7bit_text_is_edited_in_place(void **state)
{
	static const struct row rows[] = {
		{ RECEIVED "MIME-Version: 1.0\n"
			   "Content-Type: TEXT/plain; charset=\"utf-8\" (c);\n"
			   " format=flowed; delsp=yes\n"
			   "Content-Transfer-Encoding: 8bit\n",
		  "hello\n", "",
		  RECEIVED "MIME-Version: 1.0\n"
			   "Content-Type: TEXT/plain; charset=US-ASCII (c);\n"
			   " format=flowed; delsp=yes\n"
			   "Content-Transfer-Encoding: 7BIT\n\nhello\n" },
		{ "MIME-Version: 1.0\nContent-Type: text/plain\n"
		  "Content-Transfer-Encoding:8BIT\nSubject: x\n",
		  "hello\n", "",
		  "MIME-Version: 1.0\nContent-Type: text/plain\n"
		  "Content-Transfer-Encoding:7BIT\nSubject: x\n\nhello\n" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_8bit_header_text_becomes_encoded_words(void **state)
{
	static const struct row rows[] = {
		{ "Subject: K\xf6ln\nFrom: \"J\xf6rn\" <a@b>\nTo: \xfc@x\n",
		  "hello\n", "8",
		  "Subject: =?ISO-8859-15?Q?K=F6ln?=\n"
		  "From: =?ISO-8859-15?Q?J=F6rn?= <a@b>\nTo: "
		  "\xfc@x\n\nhello\n" },
		{ "Subject: K\xf6ln\n", "hello\n", "H",
		  "Subject: K\xf6ln\n\nhello\n" },
		{ "Subject: K\xf6ln\nDKIM-Signature: x\n", "hello\n", "",
		  "Subject: K\xf6ln\nDKIM-Signature: x\n\nhello\n" },
		{ "Subject: K\xf6ln\nMIME-Version: 1.0\n"
		  "Content-Type: multipart/mixed; boundary=x\n",
		  "--x\n\n\xfc\n--x--\n", "",
		  "Subject: =?ISO-8859-15?Q?K=F6ln?=\nMIME-Version: 1.0\n"
		  "Content-Type: multipart/mixed; boundary=x\n\n"
		  "--x\n\n\xfc\n--x--\n" },
		{ "Received: from a (K\xf6ln) by b; " DATE
		  "MIME-Version: 1.0\nContent-Type: text/plain\n",
		  "\xfc\n", "",
		  "Received: from a (=?ISO-8859-15?Q?K=F6ln?=) by b (convert\n"
		  " rfc822-to-quoted-printable);\n\t" DATE
		  "MIME-Version: 1.0\nContent-Type: text/plain\n"
		  "Content-Transfer-Encoding: QUOTED-PRINTABLE\n\n=FC\n" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_message_without_need_keeps_every_byte(void **state)
{
	static const struct row rows[] = {
		{ "Subject:  x \nbroken line\nX: \x01\t\n", "a\r\xfc \n=FC",
		  "8",
		  "Subject:  x \nbroken line\nX: \x01\t\n\na\r\xfc \n=FC" },
		{ "", "", "", "\n" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_converted_message_is_not_converted_again(void **state)
{
	static const char *const headers[] = {
		RECEIVED "Subject: K\xf6ln\n",
		RECEIVED "MIME-Version: 1.0\nContent-Type: text/plain\n"
			 "Content-Transfer-Encoding: 8bit\n",
		"MIME-Version: 1.0\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(headers); i++) {
		struct str once =
		    sent(slice_of(headers[i]), SLICE("\xfc.\n"), "l", 0);
		size_t end = slice_find_text(str_slice(&once), SLICE("\n\n"));
		struct str twice =
		    sent(slice_head(str_slice(&once), end + 1),
			 slice_from(str_slice(&once), end + 2), "l", 0);

		assert_true(slice_eq(str_slice(&twice), str_slice(&once)));
		str_done(&once);
		str_done(&twice);
	}
}

/* What was encoded for a 7-bit channel comes back for an 8-bit one. */
static void test_encoding_and_decoding_give_the_body_back(void **state)
{
	const struct slice header =
	    SLICE(RECEIVED "MIME-Version: 1.0\nContent-Type: text/plain\n"
			   "Content-Transfer-Encoding: 8BIT\n");
	const struct slice body = SLICE("gr\xfc\xdf"
					"e \n.\nFrom me\n\xe4=\t\n");
	struct str once = sent(header, body, "", 0), twice;
	size_t end = slice_find_text(str_slice(&once), SLICE("\n\n"));
	size_t end_of_twice;

	(void)state;
	twice = sent(slice_head(str_slice(&once), end + 1),
		     slice_from(str_slice(&once), end + 2), "8d", 3);
	end_of_twice = slice_find_text(str_slice(&twice), SLICE("\n\n"));
	assert_true(
	    slice_eq(slice_from(str_slice(&twice), end_of_twice + 2), body));
	assert_true(slice_find_text(str_slice(&twice),
				    SLICE("\nContent-Transfer-Encoding: "
					  "8BIT\n")) < end_of_twice);
	str_done(&once);
	str_done(&twice);
}

#define DIRTY "A: b\r\n\r\nC\0: d\r\n\0\r\nE:\tf"

static void test_header_is_cleaned_field_by_field(void **state)
{
	static const struct slice in = { DIRTY, sizeof(DIRTY) - 1 };
	struct str got = STR_INIT;

	(void)state;
	convert_clean_header(&got, in, false);
	assert_slice_is(str_slice(&got), "A: b\nC: d\nE:\tf\n");
	str_clear(&got);
	convert_clean_header(&got, in, true);
	assert_slice_is(str_slice(&got), "A: b\nC: d\nE:      f\n");
	str_done(&got);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_8bit_text_becomes_quoted_printable),
		cmocka_unit_test(test_quoted_printable_becomes_8bit),
		cmocka_unit_test(test_mail_without_mime_header_gets_one),
		cmocka_unit_test(
		    test_8bit_label_on_7bit_text_is_edited_in_place),
		cmocka_unit_test(test_8bit_header_text_becomes_encoded_words),
		cmocka_unit_test(test_message_without_need_keeps_every_byte),
		cmocka_unit_test(test_converted_message_is_not_converted_again),
		cmocka_unit_test(test_encoding_and_decoding_give_the_body_back),
		cmocka_unit_test(test_header_is_cleaned_field_by_field),
	};

	return TEST_RUN(tests);
}
