/*
 * content_test.c - what a mailer reads of mail that is converted, to the
 * byte: every mode, every reason for none, in every chunking.
 */
#include "smta/content.h"

#include "base/keyword.h"
#include "smta/test_stream.h"

#include <stdlib.h>
#include <string.h>

/* ---- a job's body ------------------------------------------------------ */

struct box {
	struct slice body;
	struct source source;
	unsigned reads;
	uint64_t bytes; /* that were read */
};

static ssize_t read_box(void *context, size_t max, struct str *to,
			struct err *err)
{
	struct box *b = context;
	ssize_t n = give_body(&b->source, max, to, err);

	b->reads++;
	b->bytes += n > 0 ? (uint64_t)n : 0;
	return n;
}

static void rewind_box(void *context)
{
	struct box *b = context;

	b->source.rest = b->body;
}

static void open_box(struct box *b, struct content *c, struct slice body,
		     unsigned seed)
{
	struct content_source source = { .read = read_box,
					 .rewind = rewind_box,
					 .context = b,
					 .size = body.len };

	*b = (struct box){ .body = body,
			   .source = { .rest = body, .seed = seed } };
	content_begin(c, &source);
}

/* One run: what is planned, and what the mailer reads. */
static void run(struct content *c, const struct content_wish *wish,
		const struct stream_facts *facts, struct content_plan *plan,
		struct str *to)
{
	struct stream_facts f = *facts;
	struct stream s;
	struct err err;

	f.flags = wish->flags;
	assert_int_equal(content_make_plan(c, wish, facts->header, plan, &err),
			 0);
	f.passage = &plan->passage;
	f.sends_8bit = plan->sends_8bit;
	f.size += (uint64_t)plan->growth;
	f.header = plan->header;
	f.body = content_read;
	f.body_context = c;
	stream_begin(&s, &f);
	while (stream_next(&s, to, &err) > 0)
		continue;
	stream_done(&s);
}

/* ---- a row of a table -------------------------------------------------- */

struct row {
	const char *flags, *header, *body;
	enum mime_mode mode;
	enum mime_reason reason;
	const char *want; /* NULL: header and body as they came */
};

static void check_row(const struct row *row, const struct content_wish *more,
		      unsigned seed)
{
	struct stream_facts f = make_facts();
	struct content_wish wish = *more;
	struct str got = STR_INIT, want = STR_INIT;
	struct content_plan plan;
	struct content c;
	struct box box;

	f.header = slice_of(row->header);
	f.has_for_clause = true;
	wish.flags = flags_of(row->flags);
	if (row->want == NULL)
		str_addf(&want, "%s\n%s", row->header, row->body);
	else
		str_adds(&want, row->want);
	open_box(&box, &c, slice_of(row->body), seed);
	for (int i = 0; i < 2; i++) { /* a second run gets the same */
		str_clear(&got);
		run(&c, &wish, &f, &plan, &got);
		assert_string_equal(
		    mime_mode_word(plan.passage.plan.message.mode),
		    mime_mode_word(row->mode));
		assert_string_equal(
		    mime_reason_word(plan.passage.plan.message.reason),
		    mime_reason_word(row->reason));
		assert_slice_is(str_slice(&got), str_cstr(&want));
		content_plan_done(&plan);
	}
	content_done(&c);
	str_done(&got);
	str_done(&want);
}

static void check_rows(const struct row *rows, size_t n,
		       const struct content_wish *more)
{
	for (size_t i = 0; i < n; i++)
		for (unsigned seed = 0; seed < TEST_SPLITS; seed++)
			check_row(&rows[i], more, seed);
}

static const struct content_wish plain_wish = { 0 };

#define RECEIVED "Received: from a by b id <S1>"
#define WHEN	 "Mon, 1 Jan 2024 00:00:00 +0000"
#define MIME	 "MIME-Version: 1.0\n"
#define TEXT	 "Content-Type: text/plain; charset=utf-8\n"
#define CTE(x)	 "Content-Transfer-Encoding: " x "\n"
#define GRUSS                \
	"Gr\xc3\xbc\xc3\x9f" \
	"e\n"
#define WARNING                                                            \
	"X-Warning: 8-bit text without MIME header; labelled and encoded " \
	"on its way\n"

/* ---- made quoted-printable --------------------------------------------- */

static void test_labelled_8bit_text_is_encoded(void **state)
{
	static const struct row rows[] = {
		{ "n", MIME TEXT CTE("8bit"), GRUSS, MIME_QP, MIME_HAS_8BIT,
		  MIME TEXT CTE("QUOTED-PRINTABLE") "\nGr=C3=BC=C3=9Fe\n" },
		/* without an encoding, or a type */
		{ "n", MIME TEXT "A: b\n", GRUSS, MIME_QP, MIME_HAS_8BIT,
		  MIME TEXT
		  "A: b\n" CTE("QUOTED-PRINTABLE") "\nGr=C3=BC=C3=9Fe\n" },
		{ "n", MIME CTE("8bit"), GRUSS, MIME_QP, MIME_HAS_8BIT,
		  MIME CTE("QUOTED-PRINTABLE") "Content-Type: TEXT/PLAIN; "
					       "charset=UTF-8\n"
					       "\nGr=C3=BC=C3=9Fe\n" },
		/* dots and From are protected by encoding, not twice */
		{ "nEX", MIME TEXT CTE("8bit"), ".\n.x\nFrom a\nF\n\xff",
		  MIME_QP, MIME_HAS_8BIT,
		  MIME TEXT CTE(
		      "QUOTED-PRINTABLE") "\n=2E\n=2Ex\n=46rom a\n=46\n=FF\n" },
		/* blanks at the end, CR, NUL is of its own */
		{ "n", MIME TEXT CTE("8bit"), "a \t\n\rb\r\n\xe4\n", MIME_QP,
		  MIME_HAS_8BIT,
		  MIME TEXT CTE("QUOTED-PRINTABLE") "\na =09\n=0Db\n=E4\n" },
		/* R ends the lines that were broken, too */
		{ "nR", MIME TEXT CTE("8bit"),
		  "0123456789012345678901234567890123456789"
		  "0123456789012345678901234567890123456789\xe4\n",
		  MIME_QP, MIME_HAS_8BIT,
		  "MIME-Version: 1.0\r\n"
		  "Content-Type: text/plain; charset=utf-8\r\n"
		  "Content-Transfer-Encoding: QUOTED-PRINTABLE\r\n"
		  "\r\n"
		  "0123456789012345678901234567890123456789"
		  "0123456789012345678901234567890=\r\n"
		  "123456789=E4\r\n" },
		/* bit 8 is gone before flag 7 could take it */
		{ "n7", MIME TEXT CTE("8bit"), GRUSS, MIME_QP, MIME_HAS_8BIT,
		  MIME TEXT CTE("QUOTED-PRINTABLE") "\nGr=C3=BC=C3=9Fe\n" },
		/* who sends it may wish so even for an 8-bit channel */
		{ "n8", MIME TEXT CTE("8bit") "Content-Conversion: forced-qp\n",
		  GRUSS, MIME_QP, MIME_HAS_8BIT,
		  MIME TEXT CTE(
		      "QUOTED-PRINTABLE") "Content-Conversion: forced-qp\n"
					  "\nGr=C3=BC=C3=9Fe\n" },
	};

	(void)state;
	check_rows(rows, COUNT(rows), &plain_wish);
}

static void test_narrow_encoding_has_no_blank_or_tab(void **state)
{
	static const struct row row = {
		"n",
		MIME TEXT CTE("8bit"),
		"a b\tc\xe4\n",
		MIME_QP,
		MIME_HAS_8BIT,
		MIME TEXT CTE("QUOTED-PRINTABLE") "\na=20b=09c=E4\n"
	};
	struct content_wish wish = { .is_narrow = true };

	(void)state;
	check_rows(&row, 1, &wish);
}

/* The remark stands before the "for" clause, both in the first Received. */
static void test_remark_comes_before_the_for_clause(void **state)
{
	static const struct row rows[] = {
		{ "n",
		  "Return-Path: <old@x>\n" RECEIVED ";\n\t" WHEN "\n" RECEIVED
		  "; " WHEN "\n" MIME TEXT CTE("8bit"),
		  "\xe4\n", MIME_QP, MIME_HAS_8BIT,
		  RECEIVED " (convert rfc822-to-quoted-printable) for\n"
			   "\t<user1@example.com>; " WHEN "\n" RECEIVED
			   "; " WHEN
			   "\n" MIME TEXT CTE("QUOTED-PRINTABLE") "\n=E4\n" },
		{ "nPe", RECEIVED "; " WHEN "\n" MIME TEXT CTE("8bit"),
		  "\xe4\n", MIME_QP, MIME_HAS_8BIT,
		  "Return-Path: <sender@example.org>\n" RECEIVED
		  " (convert rfc822-to-quoted-printable) for\n"
		  "\t<user1@example.com>; " WHEN "\n" MIME TEXT CTE(
		      "QUOTED-PRINTABLE") "Envelope-Id: QQ314159\n"
					  "X-Envelope-To: <user1@example.com> "
					  "(uid -2)\n"
					  "Original-Recipient: "
					  "rfc822;user1+@example.com\n"
					  "\n=E4\n" },
	};

	(void)state;
	check_rows(rows, COUNT(rows), &plain_wish);
}

/* ---- mail without a MIME header ---------------------------------------- */

static void test_unlabelled_8bit_mail_gets_a_mime_header(void **state)
{
	static const struct row rows[] = {
		{ "n", RECEIVED "; " WHEN "\nSubject: x\n", GRUSS, MIME_UNKNOWN,
		  MIME_HAS_8BIT,
		  RECEIVED
		  " for <user1@example.com>;\n\t" WHEN "\n" WARNING MIME CTE(
		      "QUOTED-PRINTABLE") "Content-Type: TEXT/PLAIN; "
					  "charset=UTF-8\n"
					  "Subject: x\n\nGr=C3=BC=C3=9Fe\n" },
		{ "n", "Subject: x\n", "\xe4\n", MIME_UNKNOWN, MIME_HAS_8BIT,
		  "Subject: x\n" WARNING MIME CTE(
		      "QUOTED-PRINTABLE") "Content-Type: TEXT/PLAIN; "
					  "charset=ISO-8859-1\n"
					  "\n=E4\n" },
		{ "n", "", "\xe4", MIME_UNKNOWN, MIME_HAS_8BIT,
		  WARNING MIME CTE(
		      "QUOTED-PRINTABLE") "Content-Type: TEXT/PLAIN; "
					  "charset=ISO-8859-1\n"
					  "\n=E4\n" },
	};
	static const struct row koi = {
		"n",
		"Subject: x\n",
		"\xe4\n",
		MIME_UNKNOWN,
		MIME_HAS_8BIT,
		"Subject: x\n" WARNING MIME CTE(
		    "QUOTED-PRINTABLE") "Content-Type: TEXT/PLAIN; "
					"charset=KOI8-R\n\n=E4\n"
	};
	struct content_wish wish = { .charset = SLICE("KOI8-R") };

	(void)state;
	check_rows(rows, COUNT(rows), &plain_wish);
	check_rows(&koi, 1, &wish);
}

/* ---- decoded ----------------------------------------------------------- */

#define QP_HEADER RECEIVED "; " WHEN "\n" MIME TEXT
#define DONE_HEADER                                \
	RECEIVED " (convert rfc822-to-8bit) for\n" \
		 "\t<user1@example.com>; " WHEN "\n" MIME TEXT CTE("8BIT")

static void test_9_decodes_quoted_printable_text(void **state)
{
	static const struct row rows[] = {
		{ "n9", QP_HEADER CTE("quoted-printable"),
		  "Gr=C3=BC=c3=9Fe=\n!  \n", MIME_8BIT, MIME_DECODED,
		  DONE_HEADER "\nGr\xc3\xbc\xc3\x9f"
			      "e!\n" },
		{ "n89", QP_HEADER CTE("quoted-printable"), "=C3=BC", MIME_8BIT,
		  MIME_DECODED, DONE_HEADER "\n\xc3\xbc\n" },
		/* what was hidden is a dot, a From */
		{ "n89EX", QP_HEADER CTE("quoted-printable"),
		  "=2E\n=46rom a\nFr=\nom b\n", MIME_8BIT, MIME_DECODED,
		  DONE_HEADER "\n..\n>From a\n>From b\n" },
		/* 7 takes the bit again, before they are sought */
		{ "n79EX", QP_HEADER CTE("quoted-printable"),
		  "=AE\n=C6rom\n=C6rom a\n", MIME_8BIT, MIME_DECODED,
		  DONE_HEADER "\n..\nFrom\n>From a\n" },
	};

	(void)state;
	check_rows(rows, COUNT(rows), &plain_wish);
}

/* ---- not converted, and why -------------------------------------------- */

static void test_nothing_is_done_and_there_is_a_reason(void **state)
{
	static const struct row rows[] = {
		{ "n", MIME TEXT, "x\n", MIME_NONE, MIME_IS_7BIT, NULL },
		{ "n", "", "", MIME_NONE, MIME_IS_7BIT, NULL },
		{ "n8", MIME TEXT CTE("8bit"), GRUSS, MIME_NONE,
		  MIME_CHANNEL_8BIT, NULL },
		{ "n8", "A: b\n", "\xe4\n", MIME_NONE, MIME_CHANNEL_8BIT,
		  NULL },
		{ "n8", MIME TEXT CTE("quoted-printable"), "=E4\n", MIME_NONE,
		  MIME_IS_ENCODED, NULL },
		{ "n", MIME TEXT CTE("base64"), "eA==\n", MIME_NONE,
		  MIME_IS_ENCODED, NULL },
		{ "n", "DKIM-Signature: x\n" MIME TEXT CTE("8bit"), GRUSS,
		  MIME_NONE, MIME_DKIM, NULL },
		{ "n", "ARC-Seal: x\n", GRUSS, MIME_NONE, MIME_ARC, NULL },
		{ "n", MIME "Content-Type: multipart/signed; boundary=b\n",
		  GRUSS, MIME_NONE, MIME_SIGNED, NULL },
		{ "n", MIME "Content-Type: multipart/encrypted; boundary=b\n",
		  GRUSS, MIME_NONE, MIME_ENCRYPTED, NULL },
		{ "n", MIME "Content-Type: application/pkcs7-mime\n", GRUSS,
		  MIME_NONE, MIME_SMIME, NULL },
		{ "n", "Content-Conversion: prohibited\n", GRUSS, MIME_NONE,
		  MIME_PROHIBITED, NULL },
		{ "n", MIME "Content-Type: multipart/mixed; boundary=b\n",
		  "\xe4\n--b\n\nx\n--b--\n", MIME_NONE, MIME_BETWEEN, NULL },
		{ "n", MIME "Content-Type: \"?\n", GRUSS, MIME_NONE,
		  MIME_BAD_TYPE, NULL },
		{ "n", MIME TEXT TEXT, GRUSS, MIME_NONE, MIME_AMBIGUOUS, NULL },
		{ "n", MIME TEXT CTE("x-uuencode"), GRUSS, MIME_NONE,
		  MIME_BAD_ENCODING, NULL },
		{ "n", TEXT CTE("base64"), GRUSS, MIME_NONE, MIME_NO_VERSION,
		  NULL },
		{ "n9", MIME CTE("quoted-printable"), "=E4\n", MIME_NONE,
		  MIME_NO_TYPE, NULL },
		{ "n9", MIME TEXT CTE("quoted-printable"), "=E4\n", MIME_NONE,
		  MIME_NO_RECEIVED, NULL },
	};

	(void)state;
	check_rows(rows, COUNT(rows), &plain_wish);
}

#define MIXED	 MIME "Content-Type: multipart/mixed; boundary=b\n"
#define QP_LABEL "Content-Transfer-Encoding: quoted-printable\n"

static void test_parts_are_converted_one_by_one(void **state)
{
	static const struct row rows[] = {
		{ "n", MIXED, "--b\n\n\xe4\n--b\n\nx\n--b--\n", MIME_PARTS,
		  MIME_HAS_8BIT,
		  MIXED "\n--b\n" QP_LABEL "\n=E4\n--b\n\nx\n--b--\n" },
		{ "nX7", MIXED CTE("8bit"), "--b\n\n.\xe4\n--b--", MIME_PARTS,
		  MIME_HAS_8BIT,
		  MIXED CTE("7BIT") "\n--b\n" QP_LABEL "\n=2E=E4\n--b--\n" },
		{ "n", MIME "Content-Type: text/html\n", "\xe4\n", MIME_QP,
		  MIME_HAS_8BIT,
		  MIME "Content-Type: text/html\nContent-Transfer-Encoding: "
		       "QUOTED-PRINTABLE\n\n=E4\n" },
		{ "n", MIME "Content-Type: a/b\n", "\xe4\xe4\xe4", MIME_BASE64,
		  MIME_HAS_8BIT,
		  MIME "Content-Type: a/b\nContent-Transfer-Encoding: "
		       "BASE64\n\n5OTk\n" },
	};

	(void)state;
	check_rows(rows, COUNT(rows), &plain_wish);
}

static void test_text_that_cannot_be_sent_stays_encoded(void **state)
{
	static const char *const bodies[] = { "a=00b\n", "a=0Ab\n", "a=0Db\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++) {
		struct row row = {
			"nm9",	    QP_HEADER CTE("quoted-printable"),
			bodies[i],  MIME_NONE,
			MIME_UNFIT, NULL
		};
		struct str want = STR_INIT;

		str_addf(&want,
			 RECEIVED " for <user1@example.com>;\n\t" WHEN
				  "\n" MIME TEXT CTE("quoted-printable") "\n%s",
			 bodies[i]);
		row.want = str_cstr(&want);
		check_rows(&row, 1, &plain_wish);
		str_done(&want);
	}
}

/* Flag 7 does what it says to text that must not be encoded. */
static void test_7_clears_bit_8_of_what_is_not_converted(void **state)
{
	static const struct row rows[] = {
		{ "n78", "A: b\n", "\xe4\n", MIME_NONE, MIME_CHANNEL_8BIT,
		  "A: b\n\nd\n" },
		{ "n7", "ARC-Seal: x\n", "\xe4\n", MIME_NONE, MIME_ARC,
		  "ARC-Seal: x\n\nd\n" },
	};

	(void)state;
	check_rows(rows, COUNT(rows), &plain_wish);
}

/* Labelled 8bit, but is not. */
static void test_label_says_7bit_of_what_is(void **state)
{
	static const struct row rows[] = {
		{ "n", MIME TEXT CTE("8bit"), "x\n", MIME_NONE, MIME_RELABEL,
		  MIME "Content-Type: text/plain; charset=US-ASCII\n" CTE(
		      "7BIT") "\nx\n" },
		{ "n8", MIME TEXT CTE("8bit"), "x\n", MIME_NONE,
		  MIME_CHANNEL_8BIT, NULL },
	};

	(void)state;
	check_rows(rows, COUNT(rows), &plain_wish);
}

/* ---- headers ----------------------------------------------------------- */

static void test_8bit_headers_become_encoded_words(void **state)
{
	static const struct row rows[] = {
		{ "n8", "Subject: gr\xc3\xbcn\n", "x\n", MIME_NONE,
		  MIME_CHANNEL_8BIT, "Subject: =?UTF-8?B?Z3LDvG4=?=\n\nx\n" },
		{ "n7", "Subject: gr\xfcn\n", "x\n", MIME_NONE, MIME_IS_7BIT,
		  "Subject: =?ISO-8859-1?Q?gr=FCn?=\n\nx\n" },
		{ "n", "DKIM-Signature: x\nSubject: gr\xfcn\n", "x\n",
		  MIME_NONE, MIME_IS_7BIT, NULL },
	};

	(void)state;
	check_rows(rows, COUNT(rows), &plain_wish);
}

static void test_H_keeps_8bit_headers(void **state)
{
	static const struct row rows[] = {
		{ "n", "Subject: gr\xfcn\n", "x\n", MIME_NONE, MIME_IS_7BIT,
		  NULL },
		{ "n", "Subject: gr\xfcn\n" MIME TEXT CTE("8bit"), "\xe4\n",
		  MIME_QP, MIME_HAS_8BIT,
		  "Subject: gr\xfcn\n" MIME TEXT CTE(
		      "QUOTED-PRINTABLE") "\n=E4\n" },
	};
	struct content_wish wish = { .keeps_headers = true };

	(void)state;
	check_rows(rows, COUNT(rows), &wish);
}

/* A NUL or CR cannot hide what the header says. */
static void test_header_is_judged_clean(void **state)
{
	struct content_wish wish = { .flags = flags_of("n") };
	struct stream_facts f = make_facts();
	struct content_plan plan;
	struct str got = STR_INIT;
	struct content c;
	struct box box;

	(void)state;
	f.header = SLICE("DKIM\0-Sig\rnature: x\n");
	open_box(&box, &c, SLICE("\xe4\n"), 0);
	run(&c, &wish, &f, &plan, &got);
	assert_slice_is(str_slice(&got), "DKIM-Signature: x\n\n\xe4\n");
	content_plan_done(&plan);
	content_done(&c);
	str_done(&got);
}

/* TABs of new folding are made blanks like all others. */
static void test_new_folding_has_no_tabs_either(void **state)
{
	struct content_wish wish = { .flags = flags_of("n"),
				     .expand_tabs = true };
	struct stream_facts f = make_facts();
	struct content_plan plan;
	struct str got = STR_INIT;
	struct content c;
	struct box box;

	(void)state;
	f.expand_tabs = true;
	f.header = SLICE(RECEIVED " with some more words; " WHEN
				  "\n" MIME TEXT CTE("8bit"));
	open_box(&box, &c, SLICE("\xe4\n"), 0);
	run(&c, &wish, &f, &plan, &got);
	assert_int_equal(slice_find(str_slice(&got), '\t'), got.len);
	assert_true(slice_find_text(str_slice(&got), SLICE("(convert")) <
		    got.len);
	content_plan_done(&plan);
	content_done(&c);
	str_done(&got);
}

/* ---- batched SMTP ------------------------------------------------------ */

/* Whoever reads a batch is an SMTP server: its lines have a limit. */
static void test_lines_of_a_batch_have_at_most_998_bytes(void **state)
{
	static const char *const headers[] = {
		"Subject: x\n" MIME TEXT, "Subject: x\n",
		MIME "Content-Type: multipart/mixed; boundary=b\n"
	};

	(void)state;
	for (size_t i = 0; i < COUNT(headers) * 3; i++) {
		static const char *const flags[] = { "nb", "nb8", "nRB8" };
		struct content_wish wish = { .flags = flags_of(flags[i % 3]) };
		struct stream_facts f = make_facts();
		struct str header = STR_INIT, body = STR_INIT, got = STR_INIT;
		struct content_plan plan;
		struct content c;
		struct box box;
		struct slice rest, line;

		for (int n = 0; n < 300; n++)
			str_adds(&header, n == 0 ? "X-Long:" : " word");
		str_addf(&header, "\n%s", headers[i / 3]);
		str_adds(&body, "--b\n\n");
		for (int n = 0; n < 300; n++)
			str_adds(&body, "xx xx ");
		str_adds(&body, "\n--b--\n");
		f.header = str_slice(&header);
		open_box(&box, &c, str_slice(&body), 0);
		run(&c, &wish, &f, &plan, &got);
		rest = str_slice(&got);
		while (slice_cut(&rest, '\n', &line))
			assert_in_range(line.len, 0, 999);
		content_plan_done(&plan);
		content_done(&c);
		str_done(&header);
		str_done(&body);
		str_done(&got);
	}
}

/* Bytes behind DATA, less the final dot, as they are before doubling. */
static uint64_t content_bytes(struct slice batch)
{
	size_t at = slice_find_text(batch, SLICE("\nDATA\n"));

	assert_true(at < batch.len);
	return batch.len - at - strlen("\nDATA\n.\n");
}

static void test_B_tells_the_size_and_kind_of_what_is_sent(void **state)
{
	static const struct {
		const char *flags, *header, *body;
		bool has_8bitmime;
	} rows[] = {
		{ "Bn8", MIME TEXT CTE("8bit"), GRUSS, true },
		{ "Bn8", MIME TEXT CTE("8bit"), "x\n", false },
		{ "Bn87", MIME TEXT CTE("8bit"), GRUSS, false },
		{ "Bn", MIME TEXT CTE("8bit"), GRUSS GRUSS GRUSS, false },
		{ "Bn", "Subject: x\n", GRUSS, false },
		{ "Bn", "DKIM-Signature: x\n", GRUSS, false },
		{ "Bn8", "DKIM-Signature: x\nSubject: \xe4\n", "x\n", true },
		{ "Bn8", "Subject: \xe4\n", "x\n", false },
		{ "Bn89",
		  RECEIVED "; " WHEN "\n" MIME TEXT CTE("quoted-printable"),
		  "=E4=E4\n", true },
		{ "Bn89",
		  RECEIVED "; " WHEN "\n" MIME TEXT CTE("quoted-printable"),
		  "xx\n", false },
		{ "Bn8",
		  MIME TEXT CTE("8bit") "Content-Conversion: "
					"forced-qp\n",
		  GRUSS, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct content_wish wish = { .flags = flags_of(rows[i].flags) };
		struct stream_facts f = make_facts();
		struct str got = STR_INIT, size = STR_INIT;
		struct content_plan plan;
		struct content c;
		struct box box;
		struct slice all;

		f.header = slice_of(rows[i].header);
		f.size = strlen(rows[i].header) + 1 + strlen(rows[i].body);
		open_box(&box, &c, slice_of(rows[i].body), 0);
		run(&c, &wish, &f, &plan, &got);
		all = str_slice(&got);
		str_addf(&size, " SIZE=%llu",
			 (unsigned long long)content_bytes(all));
		if (rows[i].has_8bitmime)
			str_adds(&size, " BODY=8BITMIME");
		str_adds(&size, "\nRCPT");
		if (slice_find_text(all, str_slice(&size)) == all.len)
			fail_msg("row %zu: no%s in\n%.*s", i, str_cstr(&size),
				 SLICE_ARG(all));
		content_plan_done(&plan);
		content_done(&c);
		str_done(&got);
		str_done(&size);
	}
}

/* ---- how often the body is read ---------------------------------------- */

/* Runs a large body n times; how often was it read? */
static unsigned count_passes(const char *flags, const char *header, unsigned n)
{
	struct content_wish wish = { .flags = flags_of(flags) };
	struct stream_facts f = make_facts();
	struct str body = STR_INIT, got = STR_INIT;
	struct content_plan plan;
	struct content c;
	struct box box;
	unsigned passes;

	while (body.len < 4 * STREAM_CHUNK)
		str_adds(&body, "All work and no play makes a d=C3=BCll boy\n");
	f.header = slice_of(header);
	open_box(&box, &c, str_slice(&body), 0);
	for (unsigned i = 0; i < n; i++) {
		run(&c, &wish, &f, &plan, &got);
		str_clear(&got);
		content_plan_done(&plan);
	}
	passes = (unsigned)(box.bytes / body.len);
	assert_true(passes * body.len == box.bytes);
	assert_true(c.bytes.cap <= 4 * STREAM_CHUNK);
	content_done(&c);
	str_done(&body);
	str_done(&got);
	return passes;
}

static void test_large_body_is_not_read_for_nothing(void **state)
{
	(void)state;
	/* an 8-bit mailer: only to send it */
	assert_int_equal(count_passes("n8", "A: b\n", 3), 3);
	/* a 7-bit one: once more a job */
	assert_int_equal(count_passes("n", "A: b\n", 3), 4);
	/* scan and trial are one pass */
	assert_int_equal(
	    count_passes("n9", QP_HEADER CTE("quoted-printable"), 3), 4);
	assert_int_equal(count_passes("nB8", "A: b\n", 1), 2);
}

static void test_small_body_is_read_once(void **state)
{
	struct content_wish wish = { .flags = flags_of("n") };
	struct stream_facts f = make_facts();
	struct str got = STR_INIT;
	struct content_plan plan;
	struct content c;
	struct box box;

	(void)state;
	open_box(&box, &c, SLICE(GRUSS), 0);
	for (unsigned i = 0; i < 3; i++) {
		run(&c, &wish, &f, &plan, &got);
		content_plan_done(&plan);
	}
	assert_int_equal(box.reads, 1);
	content_done(&c);
	str_done(&got);
}

/* A body of the size is encoded in constant memory, and all of it. */
static void test_large_body_is_encoded_in_constant_memory(void **state)
{
	enum { SIZE = 10 * 1024 * 1024 };
	struct content_wish wish = { .flags = flags_of("n") };
	struct stream_facts f = make_facts();
	struct content_plan plan;
	struct str to = STR_INIT;
	struct content c;
	struct stream s;
	struct box box;
	struct err err;
	char *body = malloc(SIZE);
	uint64_t n_codes = 0;

	(void)state;
	assert_non_null(body);
	memset(body, '\xff', SIZE);
	open_box(&box, &c, slice_make(body, SIZE), 0);
	assert_int_equal(content_make_plan(&c, &wish, f.header, &plan, &err),
			 0);
	f.passage = &plan.passage;
	f.body = content_read;
	f.body_context = &c;
	stream_begin(&s, &f);
	while (stream_next(&s, &to, &err) > 0) {
		for (size_t i = 0; i < to.len; i++)
			n_codes += to.p[i] == '=' && to.p[i + 1] == 'F';
		assert_true(to.cap <= 8 * STREAM_CHUNK);
		str_clear(&to);
	}
	assert_true(n_codes == SIZE);
	stream_done(&s);
	content_plan_done(&plan);
	content_done(&c);
	str_done(&to);
	free(body);
}

static void test_body_that_cannot_be_read_gives_no_plan(void **state)
{
	static const size_t sizes[] = { 10, 3 * STREAM_CHUNK };

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct content_wish wish = { .flags = flags_of("n") };
		struct content_plan plan;
		struct content c;
		struct box box;
		struct err err;

		open_box(&box, &c, SLICE("short"), 0);
		box.source.is_broken = true;
		c.source.size = sizes[i];
		assert_int_equal(
		    content_make_plan(&c, &wish, SLICE("A: b\n"), &plan, &err),
		    -1);
		assert_string_equal(err.text, "the body broke");
		content_done(&c);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labelled_8bit_text_is_encoded),
		cmocka_unit_test(test_narrow_encoding_has_no_blank_or_tab),
		cmocka_unit_test(test_remark_comes_before_the_for_clause),
		cmocka_unit_test(test_unlabelled_8bit_mail_gets_a_mime_header),
		cmocka_unit_test(test_9_decodes_quoted_printable_text),
		cmocka_unit_test(test_nothing_is_done_and_there_is_a_reason),
		cmocka_unit_test(test_parts_are_converted_one_by_one),
		cmocka_unit_test(test_text_that_cannot_be_sent_stays_encoded),
		cmocka_unit_test(test_7_clears_bit_8_of_what_is_not_converted),
		cmocka_unit_test(test_label_says_7bit_of_what_is),
		cmocka_unit_test(test_8bit_headers_become_encoded_words),
		cmocka_unit_test(test_H_keeps_8bit_headers),
		cmocka_unit_test(test_header_is_judged_clean),
		cmocka_unit_test(test_new_folding_has_no_tabs_either),
		cmocka_unit_test(test_lines_of_a_batch_have_at_most_998_bytes),
		cmocka_unit_test(
		    test_B_tells_the_size_and_kind_of_what_is_sent),
		cmocka_unit_test(test_large_body_is_not_read_for_nothing),
		cmocka_unit_test(test_small_body_is_read_once),
		cmocka_unit_test(test_large_body_is_encoded_in_constant_memory),
		cmocka_unit_test(test_body_that_cannot_be_read_gives_no_plan),
	};

	return TEST_RUN(tests);
}
