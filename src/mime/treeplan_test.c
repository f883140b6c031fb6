/*
 * treeplan_test.c - message and channel in; mode, reason, and what becomes of
 * each part out.
 */
#include "mime/treeplan.h"

#include "base/keyword.h"
#include "base/test.h"
#include "mime/test_tree.h"

#include <string.h>

#define MIME	"Received: from a by b; c\nMIME-Version: 1.0\n"
#define TYPE(x) "Content-Type: " x "\n"
#define CTE(x)	"Content-Transfer-Encoding: " x "\n"
#define MIXED	MIME TYPE("multipart/mixed; boundary=b")
#define NEXT	"\n--b\n"
#define LAST	"\n--b--\n"
#define GRUSS                \
	"Gr\xc3\xbc\xc3\x9f" \
	"e aus der Stadt am Rhein, in der es regnet"
#define KOI	  "\xf3\xdf\xc5\xdb\xd8\xd6\xc5\xc5\xdd\xa3\xdc\xd4\xc9\xc8"
#define BINARY	  KOI KOI KOI KOI
#define EIGHTH	  "\xe9xxx\xe9xxx\xe9xxx\xe9xxx"
#define QUARTER	  EIGHTH EIGHTH EIGHTH EIGHTH
#define TEXT8	  TYPE("text/plain; charset=utf-8") CTE("8bit") "\n" GRUSS
#define OCTETS	  TYPE("application/x") CTE("8bit") "\n" BINARY
#define ASCII	  "\nascii"
#define W50	  "wordy word wordy word wordy word wordy word wordy "
#define W500	  W50 W50 W50 W50 W50 W50 W50 W50 W50 W50
#define SIGNED(x) TYPE("multipart/signed; boundary=s") "\n--s\n" x "\n--s--"

struct row {
	const char *switches, *message, *want;
};

/* "MODE reason @decisive: action(reason) ..." and flags. */
static struct str outcome(const struct test_mail *m)
{
	const struct mime_plan *p = &m->plan.message;
	struct str s = STR_INIT;

	str_addf(&s, "%s %s @%u%s%s%s:", mime_mode_word(p->mode),
		 mime_reason_word(p->reason), m->plan.decisive,
		 p->sends_8bit ? " 8" : "", p->is_unconvertible ? " !" : "",
		 m->plan.sends_binary ? " B" : "");
	for (unsigned i = 0; i < m->plan.n_choices; i++) {
		const struct part_choice *c = &m->plan.choices[i];

		str_addf(
		    &s, " %s%s%s%s%s%s", part_action_word(c->action),
		    c->action == PART_RELABEL ? (c->labels_8bit ? "=8" : "=7")
					      : "",
		    c->encodes_header ? "+h" : "", c->folds_header ? "+f" : "",
		    c->is_exact && c->action != PART_RAW ? "=" : "",
		    c->adds_version ? "+v" : "");
	}
	return s;
}

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct test_mail m;
		struct str got;

		test_plan_mail(&m, slice_of(rows[i].message), rows[i].switches);
		got = outcome(&m);
		if (strcmp(str_cstr(&got), rows[i].want) != 0)
			fail_msg("row %zu: '%s', wanted '%s'", i,
				 str_cstr(&got), rows[i].want);
		str_done(&got);
		test_mail_done(&m);
	}
}

static void test_what_is_not_made_of_lines_keeps_its_bytes(void **state)
{
	static const struct row rows[] = {
		{ "8n",
		  MIME TYPE("text/plain; charset=utf-16")
		      CTE("8bit") "\n"
				  "\xc3\xa4",
		  "NONE channel-8bit @0 8: keep" },
		{ "", MIME TYPE("text/plain; charset=UTF-16le") "\n\xc3\xa4",
		  "BASE64 8bit @0: base64=" },
		{ "", MIXED NEXT TYPE("text/html; charset=ucs-2") "\n\xe4" LAST,
		  "MPQP 8bit @1: keep base64=" },
		{ "", MIXED NEXT TYPE("text/html; charset=utf-8") "\n" KOI LAST,
		  "MPQP 8bit @1: keep quoted-printable" },
		/* binary, whatever the type says */
		{ "8",
		  MIME TYPE("text/x; charset=utf-32") CTE("binary") "\n"
								    "ab",
		  "BASE64 binary @0: base64=" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_long_lines_of_headers_inside_are_folded(void **state)
{
	static const char long_text[] = { MIXED NEXT TYPE(
	    "text/plain") "X: " W500 W500 "\n\nascii" LAST };
	static const struct row rows[] = {
		{ "8l", long_text, "MPQP long-line @1: keep keep+f" },
		{ "l", long_text, "MPQP long-line @1: keep keep+f" },
		{ "8", long_text, "NONE 7bit @0: keep keep" },
		{ "8l",
		  MIXED NEXT TYPE("text/plain") "X: " W500 "\n\nascii" LAST,
		  "NONE 7bit @0: keep keep" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

/* 8-bit bytes stay, which is said; what is harmed anywhere does not. */
static void test_blocked_mail_is_sent_as_to_an_8bit_channel(void **state)
{
	static const struct row rows[] = {
		{ "",
		  MIXED CTE("binary") NEXT SIGNED(TEXT8) NEXT TYPE("a/x")
		      CTE("binary") "\n" KOI LAST,
		  "MPQP signed @1 8 !: relabel=8 keep base64=" },
		{ "l", MIXED NEXT SIGNED(TEXT8) NEXT "\n" W500 W500 LAST,
		  "MPQP signed @1 8 !: keep keep quoted-printable" },
		{ "", MIXED NEXT SIGNED(TEXT8) NEXT TEXT8 LAST,
		  "NONE signed @1 8 !: keep keep keep" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_binary_is_for_channels_of_8_bits(void **state)
{
	static const struct row rows[] = {
		{ "8B", MIME TYPE("a/x") CTE("binary") "\n" KOI,
		  "NONE channel-binary @0 8 B: raw" },
		{ "B", MIME TYPE("a/x") CTE("binary") "\n" KOI,
		  "BASE64 binary @0: base64=" },
		{ "8B",
		  MIME "Content-Conversion: forced-qp\n" TYPE("a/x")
		      CTE("binary") "\n" KOI,
		  "BASE64 binary @0: base64=" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_leaves_get_the_shorter_encoding(void **state)
{
	static const struct row rows[] = {
		{ "", MIXED CTE("8bit") NEXT TEXT8 NEXT OCTETS NEXT ASCII LAST,
		  "MPQP 8bit @1: relabel=7 quoted-printable base64 keep" },
		/* text may be a quarter longer, but not more */
		{ "",
		  MIXED NEXT TYPE("text/html; charset=koi8-r") "\n" BINARY LAST,
		  "MPQP 8bit @1: keep base64" },
		{ "", MIXED NEXT TYPE("application/json") "\n{" GRUSS "}" LAST,
		  "MPQP 8bit @1: keep quoted-printable" },
		{ "", MIXED NEXT TYPE("text/x") "\n" QUARTER LAST,
		  "MPQP 8bit @1: keep quoted-printable" },
		{ "", MIXED NEXT TYPE("a/x") "\n" QUARTER LAST,
		  "MPQP 8bit @1: keep base64" },
		/* a message that is one leaf */
		{ "", MIME TEXT8, "QP 8bit @0: quoted-printable" },
		{ "", MIME TYPE("text/plain; charset=koi8-r") "\n" BINARY,
		  "BASE64 8bit @0: base64" },
		{ "", MIME OCTETS, "BASE64 8bit @0: base64" },
		{ "", "Subject: x\n\n" GRUSS,
		  "UNKNOWN 8bit @0: quoted-printable" },
		{ "8l", MIXED NEXT TEXT8 LAST,
		  "NONE channel-8bit @0 8: keep "
		  "keep" },
		{ "", MIXED NEXT ASCII LAST, "NONE 7bit @0: keep keep" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_containers_get_the_label_of_what_they_hold(void **state)
{
	static const struct row rows[] = {
		{ "",
		  MIXED CTE("8bit") NEXT TYPE("multipart/mixed; boundary=c")
		      CTE("8bit") "\n--c\n" TEXT8 "\n--c--" LAST,
		  "MPQP 8bit @2: relabel=7 relabel=7 quoted-printable" },
		{ "",
		  MIXED CTE("8bit") NEXT TYPE("message/rfc822")
		      CTE("8bit") "\n" MIME TEXT8 LAST,
		  "MPQP 8bit @2: relabel=7 relabel=7 quoted-printable" },
		/* the message inside is older than MIME */
		{ "", MIXED NEXT TYPE("message/rfc822") "\nA: b\n\n" GRUSS LAST,
		  "MPQP 8bit @2: keep keep quoted-printable+v" },
		/* labelled 8bit, and is not */
		{ "", MIXED CTE("8bit") NEXT CTE("8bit") ASCII LAST,
		  "MPQP relabelled @0: relabel=7 relabel=7" },
		{ "8", MIXED CTE("8bit") NEXT CTE("8bit") ASCII LAST,
		  "NONE 7bit @0: keep keep" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_it_is_all_or_nothing(void **state)
{
	static const struct row rows[] = {
		{ "", MIXED NEXT TEXT8 NEXT SIGNED(TEXT8) LAST,
		  "NONE signed @2 8 !: keep keep keep" },
		{ "", MIXED NEXT TEXT8 NEXT SIGNED(ASCII) LAST,
		  "MPQP 8bit @1: keep quoted-printable keep" },
		{ "", "DKIM-Signature: x\n" MIXED NEXT TEXT8 LAST,
		  "NONE dkim @0 8 !: keep" },
		{ "",
		  MIXED NEXT TYPE(
		      "message/rfc822") "\nARC-Seal: x\n" MIME TEXT8 LAST,
		  "NONE arc @2 8 !: keep keep keep" },
		{ "", MIXED "\n\xe9" NEXT TEXT8 LAST,
		  "NONE 8bit-between-parts @0 8 !: keep keep" },
		{ "", MIXED NEXT CTE("base64") "\n\xe9" LAST,
		  "NONE encoded @1 8 !: keep keep" },
		{ "", MIXED NEXT CTE("x-uu") "\n\xe9" LAST,
		  "NONE other-encoding @1 8 !: keep keep" },
		{ "", MIXED NEXT "bad\n\n\xe9" NEXT TEXT8 LAST,
		  "NONE bad-part-header @1 8 !: keep keep keep" },
		{ "", MIXED NEXT TYPE("a/b; name*=\"\xc3\xa9\"") "\n" LAST,
		  "NONE 8bit-part-header @1 8 !: keep keep" },
		{ "", MIXED NEXT TYPE("a/b; name=\"\xc3\xa9\"") "\n" LAST,
		  "MPQP 8bit @1: keep keep+h" },
		{ "H", MIXED NEXT TYPE("a/b; name=\"\xc3\xa9\"") "\n" LAST,
		  "NONE kept @1 8: keep keep" },
		{ "", MIXED NEXT "Content-Description: \xc3\xa9\n\nx" LAST,
		  "MPQP 8bit @1: keep keep+h" },
		{ "", MIME TYPE("application/pkcs7-mime") "\n\xe9",
		  "NONE smime @0 8 !: keep" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_binary_stays_binary_or_is_base64(void **state)
{
	static const struct row rows[] = {
		{ "8B",
		  MIXED CTE("binary") NEXT TYPE("a/b")
		      CTE("binary") "\nx\n" NEXT TEXT8 LAST,
		  "NONE channel-binary @1 8 B: keep raw keep" },
		{ "8",
		  MIXED CTE("binary") NEXT TYPE("a/b")
		      CTE("binary") "\nx\n" NEXT TEXT8 LAST,
		  "MPQP binary @1 8: relabel=8 base64= keep" },
		{ "",
		  MIXED CTE("binary") NEXT TYPE("a/b")
		      CTE("binary") "\nx\n" NEXT TEXT8 LAST,
		  "MPQP binary @1: relabel=7 base64= quoted-printable" },
		{ "8B", MIME TYPE("a/b") CTE("binary") "\nx\r",
		  "NONE channel-binary @0 B: raw" },
		{ "8", MIME TYPE("a/b") CTE("binary") "\nx\r",
		  "BASE64 binary @0: base64=" },
		{ "8", MIME SIGNED(TYPE("a/b") CTE("binary") "\nx"),
		  "NONE 7bit @0: keep" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_nul_and_cr_and_long_lines_are_reasons(void **state)
{
	static const char end[] = LAST;
	struct str message = STR_INIT;
	struct test_mail m;
	struct str got;

	(void)state;
	str_adds(&message, MIXED NEXT "\na\rb" NEXT "\na");
	str_addc(&message, '\0');
	str_adds(&message, NEXT ASCII NEXT "\n");
	for (int i = 0; i < 999; i++)
		str_addc(&message, 'x');
	str_adds(&message, end);
	test_plan_mail(&m, str_slice(&message), "8lnr");
	got = outcome(&m);
	assert_string_equal(str_cstr(&got),
			    "MPQP bare-cr @1: keep quoted-printable "
			    "quoted-printable keep quoted-printable");
	str_done(&got);
	test_mail_done(&m);
	test_plan_mail(&m, str_slice(&message), "8");
	got = outcome(&m);
	assert_string_equal(str_cstr(&got),
			    "NONE 7bit @0: keep keep keep keep keep");
	str_done(&got);
	test_mail_done(&m);
	str_done(&message);
}

#define QP8                               \
	TYPE("text/plain; charset=utf-8") \
	CTE("quoted-printable") "\nGr=C3=BC=C3=9Fe"

static void test_decoding_is_leaf_by_leaf_where_it_is_safe(void **state)
{
	static const struct row rows[] = {
		{ "8d", MIXED NEXT QP8 NEXT ASCII LAST,
		  "MPQP decoded @1 8: relabel=8 decode keep" },
		{ "8", MIXED NEXT QP8 LAST, "NONE 7bit @0: keep keep" },
		{ "8d", MIXED NEXT QP8 "=00" LAST,
		  "NONE undecodable @1: keep keep" },
		{ "8d", MIXED NEXT QP8 "\n=2D-b" LAST,
		  "NONE undecodable @1: keep keep" },
		{ "8d",
		  MIXED NEXT TYPE("text/html")
		      CTE("quoted-printable") "\nx" LAST,
		  "NONE 7bit @0: keep keep" },
		{ "8d",
		  "MIME-Version: 1.0\n" TYPE("multipart/mixed; boundary="
					     "b") NEXT QP8 LAST,
		  "NONE no-received @1: keep keep" },
		/* to a 7-bit channel not */
		{ "d", MIXED NEXT QP8 LAST, "NONE 7bit @0: keep keep" },
		{ "8d", MIME QP8, "8BIT decoded @0 8: decode" },
		{ "8d", MIXED NEXT SIGNED(QP8) LAST,
		  "NONE 7bit @0: keep keep" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_plan_is_printed_part_by_part(void **state)
{
	struct test_mail m;
	struct str got = STR_INIT;

	(void)state;
	test_plan_mail(&m, SLICE(MIXED NEXT TEXT8 LAST), "");
	tree_plan_print(&got, &m.tree, &m.plan, 1);
	assert_string_equal(str_cstr(&got),
			    "1 text/plain 8bit quoted-printable (8bit)");
	str_done(&got);
	test_mail_done(&m);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_what_is_not_made_of_lines_keeps_its_bytes),
		cmocka_unit_test(test_long_lines_of_headers_inside_are_folded),
		cmocka_unit_test(
		    test_blocked_mail_is_sent_as_to_an_8bit_channel),
		cmocka_unit_test(test_binary_is_for_channels_of_8_bits),
		cmocka_unit_test(test_leaves_get_the_shorter_encoding),
		cmocka_unit_test(
		    test_containers_get_the_label_of_what_they_hold),
		cmocka_unit_test(test_it_is_all_or_nothing),
		cmocka_unit_test(test_binary_stays_binary_or_is_base64),
		cmocka_unit_test(test_nul_and_cr_and_long_lines_are_reasons),
		cmocka_unit_test(
		    test_decoding_is_leaf_by_leaf_where_it_is_safe),
		cmocka_unit_test(test_plan_is_printed_part_by_part),
	};

	return TEST_RUN(tests);
}
