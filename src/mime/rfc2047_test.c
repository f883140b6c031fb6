/*
 * rfc2047_test.c - encoded-words: rows, and a slow decoder that must find the
 * text of the field again.
 */
#include "mime/rfc2047.h"

#include "base/keyword.h"
#include "base/test.h"
#include "mime/charset.h"
#include "mime/token.h"

#include <string.h>

/* ---- a reader of encoded-words
 * ------------------------------------------------ */

static int base64_value(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";

	return (int)(strchr(digits, c) - digits);
}

static void decode_b(struct str *to, struct slice s)
{
	assert_int_equal(s.len % 4, 0);
	for (size_t i = 0; i < s.len; i += 4) {
		uint32_t bits = 0;
		size_t n = 0;

		while (n < 4 && s.p[i + n] != '=')
			bits = bits << 6 | (uint32_t)base64_value(s.p[i + n++]);
		assert_true(n == 4 || i + 4 == s.len);
		bits <<= 6 * (4 - n);
		for (size_t k = 0; k + 1 < n; k++)
			str_addc(to, (char)(bits >> (16 - 8 * k)));
	}
}

static void decode_q(struct str *to, struct slice s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '_') {
			str_addc(to, ' ');
		} else if (s.p[i] == '=') {
			size_t high = (size_t)(strchr(hex, s.p[i + 1]) - hex);
			size_t low = (size_t)(strchr(hex, s.p[i + 2]) - hex);

			str_addc(to, (char)(high << 4 | low));
			i += 2;
		} else {
			str_addc(to, s.p[i]);
		}
	}
}

/* The text of an encoded-word; UTF-8 must come in whole characters. */
static void decode_word(struct str *to, struct slice word)
{
	struct slice rest = slice_from(word, 2), charset, encoding, text;
	struct str plain = STR_INIT;

	assert_true(slice_cut(&rest, '?', &charset));
	assert_true(slice_cut(&rest, '?', &encoding));
	assert_true(slice_cut(&rest, '?', &text));
	if (ascii_lower(encoding.p[0]) == 'q')
		decode_q(&plain, text);
	else
		decode_b(&plain, text);
	if (slice_eq(charset, SLICE("UTF-8"))) {
		struct utf8 u;

		utf8_begin(&u);
		utf8_push(&u, str_slice(&plain));
		assert_true(!u.is_bad && u.need == 0);
	}
	str_add(to, str_slice(&plain));
	str_done(&plain);
}

/* Text being read: white space between encoded-words is not text. */
struct text {
	struct str out, space;
	bool is_after_word;
};

static void add_space(struct text *t, struct slice space)
{
	for (size_t i = 0; i < space.len; i++)
		if (space.p[i] != '\n' && space.p[i] != '\r')
			str_addc(&t->space, space.p[i]);
}

static void add_piece(struct text *t, struct slice piece)
{
	bool is_word = rfc2047_is_word(piece);

	if (!is_word || !t->is_after_word)
		str_add(&t->out, str_slice(&t->space));
	str_clear(&t->space);
	if (is_word)
		decode_word(&t->out, piece);
	else
		str_add(&t->out, piece);
	t->is_after_word = is_word;
}

static void read_text(struct text *t, struct slice body)
{
	while (body.len > 0) {
		size_t n = 0;
		bool is_space = token_is_space(body.p[0]);

		while (n < body.len && token_is_space(body.p[n]) == is_space)
			n++;
		if (is_space)
			add_space(t, slice_head(body, n));
		else
			add_piece(t, slice_head(body, n));
		body = slice_from(body, n);
	}
}

static void read_comment(struct text *t, struct slice s)
{
	struct str word = STR_INIT;

	for (size_t i = 0; i <= s.len; i++) {
		char c = i < s.len ? s.p[i] : ')';

		if (c == '\\' && i + 1 < s.len) {
			str_addc(&word, s.p[++i]);
			continue;
		}
		if (!token_is_space(c) && c != '(' && c != ')') {
			str_addc(&word, c);
			continue;
		}
		if (word.len > 0)
			add_piece(t, str_slice(&word));
		str_clear(&word);
		if (i < s.len && token_is_space(c))
			add_space(t, slice_make(&c, 1));
		else if (i < s.len)
			add_piece(t, slice_make(&c, 1));
	}
	str_done(&word);
}

/* What a reader shows of a structured field, comments included. */
static void read_structured(struct text *t, struct slice body)
{
	struct str plain = STR_INIT;
	struct token token;

	while (token_next(&body, token_mail_specials, &token)) {
		str_clear(&plain);
		if (token.kind == TOKEN_SPACE) {
			add_space(t, token.text);
		} else if (token.kind == TOKEN_COMMENT) {
			read_comment(t, token.text);
		} else if (token.kind == TOKEN_QUOTED) {
			token_add_unquoted(&plain, token.text);
			/* not an encoded-word, whatever it looks like */
			str_add(&t->out, str_slice(&t->space));
			str_clear(&t->space);
			str_add(&t->out, str_slice(&plain));
			t->is_after_word = false;
		} else {
			add_piece(t, token.text);
		}
	}
	str_done(&plain);
}

/* What a field means; to be freed. */
static struct str meaning(struct slice field)
{
	struct header_field f = header_field_of(field);
	struct text t = { 0 };

	if (rfc2047_place_of(f.name) == RFC2047_TEXT)
		read_text(&t, f.body);
	else
		read_structured(&t, f.body);
	str_add(&t.out, str_slice(&t.space));
	str_done(&t.space);
	return t.out;
}

/* ---- rows
 * --------------------------------------------------------------------- */

struct row {
	const char *in, *want; /* NULL: not converted */
};

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct str got = STR_INIT;
		bool is_changed;

		str_adds(&got, "before|");
		is_changed = rfc2047_convert(&got, slice_of(rows[i].in),
					     SLICE("ISO-8859-1"));
		assert_int_equal(is_changed, rows[i].want != NULL);
		assert_slice_is(slice_from(str_slice(&got), 7),
				is_changed ? rows[i].want : "");
		str_done(&got);
	}
}

static void test_words_of_text_are_encoded_where_they_stand(void **state)
{
	static const struct row rows[] = {
		{ "Subject: gr\xfc\xdf"
		  "e aus K\xf6ln",
		  "Subject: =?ISO-8859-1?B?Z3L832U=?= aus "
		  "=?ISO-8859-1?Q?K=F6ln?=" },
		{ "Subject: only ASCII here", NULL },
		{ "Subject: =?utf-8?q?done?=", NULL },
		{ "Subject:", NULL },
		{ "no colon \xfc", NULL },
		{ "Subj\xfc"
		  "ct: \xfc",
		  NULL },
		{ "Subject:\xfc", "Subject: =?ISO-8859-1?Q?=FC?=" },
		{ "X-Any:  a  \xfc  b ",
		  "X-Any:  a  =?ISO-8859-1?Q?=FC?=  b " },
		{ "Subject: \xfc\n a", "Subject: =?ISO-8859-1?Q?=FC?=\n a" },
		{ "Comments: a_b?=\xfc(\"x\")",
		  "Comments: =?ISO-8859-1?B?YV9iPz38KCJ4Iik=?=" },
		{ "Comments: abcdef(\"ghi\")jklm\xfc",
		  "Comments: =?ISO-8859-1?Q?abcdef(\"ghi\")jklm=FC?=" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_white_space_between_encoded_words_goes_into_them(void **state)
{
	static const struct row rows[] = {
		{ "Subject: \xfc \xf6", "Subject: =?ISO-8859-1?B?/CD2?=" },
		{ "Subject: K\xf6ln  K\xf6ln K\xf6ln",
		  "Subject: =?ISO-8859-1?B?S/ZsbiAgS/ZsbiBL9mxu?=" },
		{ "Subject: K\xf6ln\n\tK\xf6ln",
		  "Subject: =?ISO-8859-1?B?S/ZsbglL9mxu?=" },
		{ "Subject: =?utf-8?q?x?= K\xf6ln",
		  "Subject: =?utf-8?q?x?= =?ISO-8859-1?Q?_K=F6ln?=" },
		{ "Subject: K\xf6ln  =?utf-8?q?x?=",
		  "Subject: =?ISO-8859-1?B?S/ZsbiAg?= =?utf-8?q?x?=" },
		{ "Subject: =?utf-8?q?x?=\n K\xf6ln =?utf-8?q?y?= z",
		  "Subject: =?utf-8?q?x?= =?ISO-8859-1?B?IEv2bG4g?= "
		  "=?utf-8?q?y?= z" },
		{ "Subject: =?x?= K\xf6ln",
		  "Subject: =?x?= =?ISO-8859-1?Q?K=F6ln?=" },
		{ "Subject: K\xf6ln a K\xf6ln",
		  "Subject: =?ISO-8859-1?Q?K=F6ln?= a "
		  "=?ISO-8859-1?Q?K=F6ln?=" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_phrases_are_encoded_by_their_content(void **state)
{
	static const struct row rows[] = {
		{ "From: J\xf6rn <s@e.org>",
		  "From: =?ISO-8859-1?Q?J=F6rn?= <s@e.org>" },
		{ "From: \"J\xf6rn D\" <j@e.org>",
		  "From: =?ISO-8859-1?B?SvZybiBE?= <j@e.org>" },
		{ "From: \"J\xf6rn \\\"Dee\\\"\" <j@e.org>",
		  "From: =?ISO-8859-1?B?SvZybiAiRGVlIg==?= <j@e.org>" },
		{ "To: \"Dr. M\xfcller\" Karl <a@b>",
		  "To: =?ISO-8859-1?Q?Dr=2E_M=FCller?= Karl <a@b>" },
		{ "To: \"Karl\" M\xfcller <a@b>",
		  "To: \"Karl\" =?ISO-8859-1?B?TfxsbGVy?= <a@b>" },
		{ "To: \"Karl\"M\xfcller <a@b>",
		  "To: =?ISO-8859-1?Q?KarlM=FCller?= <a@b>" },
		{ "To: a@b, M\xfcller<c@d>,M\xfcller\n <e@f>",
		  "To: a@b, =?ISO-8859-1?B?TfxsbGVy?= <c@d>, "
		  "=?ISO-8859-1?B?TfxsbGVy?=\n <e@f>" },
		{ "Cc: Gr\xfcppe: a@b, M\xfcller <c@d>;",
		  "Cc: =?ISO-8859-1?B?R3L8cHBl?= : a@b, "
		  "=?ISO-8859-1?B?TfxsbGVy?= <c@d>;" },
		{ "Bcc: M\xfcller(x)<a@b>",
		  "Bcc: =?ISO-8859-1?B?TfxsbGVy?= (x)<a@b>" },
		{ "Reply-To: =?utf-8?q?x?= M\xfcller <a@b>",
		  "Reply-To: =?utf-8?q?x?= =?ISO-8859-1?Q?_M=FCller?= <a@b>" },
		{ "To: \"=?utf-8?q?x?=\" M\xfcller <a@b>",
		  "To: \"=?utf-8?q?x?=\" =?ISO-8859-1?B?TfxsbGVy?= <a@b>" },
		{ "Keywords: gr\xfcn, \"bl\xe4u, rot\", x",
		  "Keywords: =?ISO-8859-1?Q?gr=FCn?= , "
		  "=?ISO-8859-1?B?YmzkdSwgcm90?= , x" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_comments_are_encoded_word_by_word(void **state)
{
	static const struct row rows[] = {
		{ "To: x@y (K\xf6ln comment)",
		  "To: x@y (=?ISO-8859-1?Q?K=F6ln?= comment)" },
		{ "To: x@y (in K\xf6ln)",
		  "To: x@y (in =?ISO-8859-1?Q?K=F6ln?=)" },
		{ "To: x@y (a(K\xf6ln K\xf6ln)b)",
		  "To: x@y (a(=?ISO-8859-1?B?S/ZsbiBL9mxu?=)b)" },
		{ "To: x@y (K\xf6ln\\)abcd \\\"b)",
		  "To: x@y (=?ISO-8859-1?B?S/ZsbilhYmNk?= \\\"b)" },
		{ "Date: Mon, 1 Jan 2024 00:00:00 +0100 (\xf6stlich)",
		  "Date: Mon, 1 Jan 2024 00:00:00 +0100 "
		  "(=?ISO-8859-1?Q?=F6stlich?=)" },
		{ "Message-ID: <a@b> (\xf6\xf6)",
		  "Message-ID: <a@b> (=?ISO-8859-1?B?9vY=?=)" },
		{ "To: (K\xf6ln)M\xfcller <a@b>",
		  "To: (=?ISO-8859-1?Q?K=F6ln?=) "
		  "=?ISO-8859-1?B?TfxsbGVy?= <a@b>" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_addresses_ids_dates_and_parameters_stay_raw(void **state)
{
	static const struct row rows[] = {
		{ "To: j\xf6rn@example.com", NULL },
		{ "To: <j\xf6rn@ex\xe4mple.com>", NULL },
		{ "To: \"J\xf6rn\"@example.com", NULL },
		{ "To: J\xf6rn", NULL },
		{ "To: a@b, j\xf6rn@x, c@d", NULL },
		{ "Message-ID: <\xf6@x>", NULL },
		{ "References: <\xf6@x>", NULL },
		{ "In-Reply-To: <\xf6@x>", NULL },
		{ "Date: M\xf6n, 1 Jan 2024", NULL },
		{ "Received: from \xf6 by x; Mon", NULL },
		{ "Content-Type: text/plain; name=\"\xf6\"", NULL },
		{ "Content-Disposition: attachment; filename=\"(\xf6)\"",
		  NULL },
		{ "Return-Path: <\xf6@x>", NULL },
		{ "X-Envelope-To: <\xf6@x>", NULL },
		{ "To: \"x\" <j\xf6rn@x> M\xfcller, \"\xf6\" <a@b>",
		  "To: \"x\" <j\xf6rn@x> M\xfcller, "
		  "=?ISO-8859-1?Q?=F6?= <a@b>" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_broken_syntax_is_left_alone(void **state)
{
	static const struct row rows[] = {
		{ "From: \"J\xf6rn <a@b>", NULL },
		{ "From: J\xf6rn <a@b", NULL },
		{ "From: J\xf6rn (x <a@b>", NULL },
		{ "From: J\xf6rn <a@[1.2>", NULL },
		{ "Received: by x (\xf6", NULL },
		/* in text there is no syntax to break */
		{ "Subject: \"\xf6 (", "Subject: =?ISO-8859-1?B?IvY=?= (" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

static void test_control_bytes_become_question_marks(void **state)
{
	static const struct row rows[] = {
		{ "Subject: \xfc\x1b[31m\x01\x7f",
		  "Subject: =?ISO-8859-1?B?/D9bMzFtPz8=?=" },
		{ "Subject: \xfc\r\xf6", NULL },
		{ "Subject: \xfc\r\n \xf6", NULL },
		{ "Subject: \x1b$B\x1b(B", NULL },
		{ "Subject: \x1b \xfc", "Subject: \x1b =?ISO-8859-1?Q?=FC?=" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

/* ---- character sets and lengths
 * -------------------------------------------------- */

static void test_charset_is_utf8_if_it_can_be(void **state)
{
	static const struct {
		const char *in, *charset, *want;
	} rows[] = {
		{ "S: K\xc3\xb6ln", "KOI8-R", "S: =?UTF-8?B?S8O2bG4=?=" },
		{ "S: K\xf6ln", "KOI8-R", "S: =?KOI8-R?Q?K=F6ln?=" },
		{ "S: K\xf6ln", "UNKNOWN-8BIT",
		  "S: =?UNKNOWN-8BIT?Q?K=F6ln?=" },
		{ "S: K\xf6ln", "", "S: =?ISO-8859-1?Q?K=F6ln?=" },
		{ "S: K\xf6ln", "no?good", "S: =?ISO-8859-1?Q?K=F6ln?=" },
		/* each run for itself */
		{ "S: K\xc3\xb6ln a K\xf6ln", "",
		  "S: =?UTF-8?B?S8O2bG4=?= a =?ISO-8859-1?Q?K=F6ln?=" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str got = STR_INIT;

		assert_true(rfc2047_convert(&got, slice_of(rows[i].in),
					    slice_of(rows[i].charset)));
		assert_slice_is(str_slice(&got), rows[i].want);
		str_done(&got);
	}
}

/* Checks lengths of lines and words; returns how many words there are. */
static size_t check_words(struct slice field)
{
	struct slice line, word;
	size_t n = 0;

	while (slice_cut(&field, '\n', &line)) {
		size_t before = n;
		struct slice rest = line;

		while (slice_word(&rest, &word)) {
			while (word.len > 0 &&
			       slice_has(SLICE("(),"), word.p[0]))
				word = slice_from(word, 1);
			while (word.len > 0 &&
			       slice_has(SLICE("(),:;"), word.p[word.len - 1]))
				word.len--;
			if (!rfc2047_is_word(word))
				continue;
			assert_in_range(word.len, 8, 75);
			n++;
		}
		if (n > before && line.len > 76)
			fail_msg("%zu columns: %.*s", line.len,
				 SLICE_ARG(line));
	}
	return n;
}

static void test_long_text_is_split_between_characters(void **state)
{
	static const struct {
		const char *unit, *charset;
	} rows[] = {
		{ "\xd0\xb6", "" },
		{ "\xe2\x82\xac", "" },
		{ "\xf0\x9f\x98\x80", "" },
		{ "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80", "" },
		{ "\xfc", "ISO-8859-1" },
		{ "xxxxxxxxxx\xfc", "ISO-8859-1" },
		{ "\xa4\xa2", "EUC-JP" },
		{ "a\x8f\xb0\xa1", "EUC-JP" },
		{ "\x82\xa0", "Shift_JIS" },
		{ "\x81\x30\x81\x30", "GB18030" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str in = STR_INIT, got = STR_INIT;
		struct str want, have;

		str_adds(&in, "Subject: ");
		while (in.len < 1000)
			str_adds(&in, rows[i].unit);
		assert_true(rfc2047_convert(&got, str_slice(&in),
					    slice_of(rows[i].charset)));
		assert_in_range(check_words(str_slice(&got)), 10, 100);
		assert_false(slice_has_8bit(str_slice(&got)));
		want = meaning(str_slice(&in));
		have = meaning(str_slice(&got));
		assert_true(slice_eq(str_slice(&have), str_slice(&want)));
		str_done(&in);
		str_done(&got);
		str_done(&want);
		str_done(&have);
	}
}

/* Each word of a long EUC-JP text, by itself, is whole characters. */
static void test_words_of_multibyte_sets_hold_whole_characters(void **state)
{
	struct str in = STR_INIT, got = STR_INIT, plain = STR_INIT;
	struct slice rest, word;

	(void)state;
	str_adds(&in, "Subject: ");
	for (int i = 0; i < 400; i++)
		str_adds(&in, i % 3 ? "\xa4\xa2" : "\x8f\xb0\xa1");
	assert_true(rfc2047_convert(&got, str_slice(&in), SLICE("EUC-JP")));
	rest = slice_from(str_slice(&got), sizeof("Subject:"));
	while (slice_cut(&rest, '\n', &word)) {
		struct slice text;

		str_clear(&plain);
		decode_word(&plain, slice_trim(word));
		for (text = str_slice(&plain); text.len > 0;) {
			size_t n = charset_char_len(SLICE("EUC-JP"), text);

			assert_in_range(n, 2, 3);
			text = slice_from(text, n);
		}
	}
	str_done(&in);
	str_done(&got);
	str_done(&plain);
}

static void test_line_is_folded_where_there_is_white_space(void **state)
{
	static const struct row rows[] = {
		{ "Subject: a word, another word, and some more words until it "
		  "is K\xf6ln here and further on",
		  "Subject: a word, another word, and some more words until it "
		  "is\n =?ISO-8859-1?Q?K=F6ln?= here and further on" },
		{ "Subject: K\xf6ln a word, another word, and some more words "
		  "until the line is full and over",
		  "Subject: =?ISO-8859-1?Q?K=F6ln?= a word, another word, and "
		  "some more words\n until the line is full and over" },
		{ "To: someone.with.a.long.name@example.com, "
		  "another.one@example.com (K\xf6ln)",
		  "To: someone.with.a.long.name@example.com, "
		  "another.one@example.com\n (=?ISO-8859-1?Q?K=F6ln?=)" },
		{ "X-A-Name-That-Is-Longer-Than-Any-Name-Has-A-Right-To-Be-At"
		  "-All: K\xf6ln",
		  "X-A-Name-That-Is-Longer-Than-Any-Name-Has-A-Right-To-Be-At"
		  "-All:\n =?ISO-8859-1?Q?K=F6ln?=" },
	};

	(void)state;
	check_rows(rows, COUNT(rows));
}

/* ---- properties
 * ------------------------------------------------------------------ */

static uint64_t random_state = 2047;

static size_t random_below(size_t n)
{
	random_state =
	    random_state * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(random_state >> 33) % n;
}

static const char *const spaces[] = {
	" ", " ", " ", "  ", "\t", "\n ", "\n\t "
};

static void random_field(struct str *to, const char *name,
			 const char *const *words, size_t n_words)
{
	str_clear(to);
	str_adds(to, name);
	for (size_t n = 1 + random_below(25); n > 0; n--) {
		str_adds(to, spaces[random_below(COUNT(spaces))]);
		str_adds(to, words[random_below(n_words)]);
	}
}

static void check_meaning(struct slice in)
{
	struct str got = STR_INIT, again = STR_INIT, want, have;
	struct header_field f;
	struct slice rest;

	if (!rfc2047_convert(&got, in, SLICE("ISO-8859-1"))) {
		assert_int_equal(got.len, 0);
		str_done(&got);
		return;
	}
	want = meaning(in);
	have = meaning(str_slice(&got));
	if (!slice_eq(str_slice(&have), str_slice(&want)))
		fail_msg("in '%.*s'\ngot '%.*s'\nmeans '%.*s'\nnot '%.*s'",
			 SLICE_ARG(in), SLICE_ARG(str_slice(&got)),
			 SLICE_ARG(str_slice(&have)),
			 SLICE_ARG(str_slice(&want)));
	check_words(str_slice(&got));
	rest = str_slice(&got);
	assert_true(header_next(&rest, &f));
	assert_int_equal(rest.len, 0);
	assert_false(
	    rfc2047_convert(&again, str_slice(&got), SLICE("ISO-8859-1")));
	str_done(&got);
	str_done(&again);
	str_done(&want);
	str_done(&have);
}

static void test_text_comes_back_with_every_blank(void **state)
{
	static const char *const words[] = {
		"word",
		"gr\374\337e",
		"K\xc3\xb6ln",
		"=?utf-8?q?x_y?=",
		"=?utf-8?b?w7w=?=",
		"=?x?=",
		"a_b=c?",
		"(\xfc)",
		"\"\xf6\"",
		"\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6",
		"a",
		"longer-word-without-meaning",
		"\xe2\x82\xac",
		",",
		"<x>",
	};
	struct str in = STR_INIT;

	(void)state;
	for (int round = 0; round < 5000; round++) {
		random_field(&in, "Subject:", words, COUNT(words));
		check_meaning(str_slice(&in));
	}
	str_done(&in);
}

static void test_addresses_come_back_with_every_blank(void **state)
{
	static const char *const words[] = {
		"word",
		"J\xf6rn",
		"\"M\xfcller, K\\\"\"",
		"\"clean one\"",
		"K\xc3\xb6ln",
		"=?utf-8?q?x_y?=",
		"<a@b>",
		"<j\xf6rn@x>",
		",",
		"(comment)",
		"(K\xf6ln (\xfc x\\) \xf6) a)",
		"a@b,",
		"<\"\xfc>\"@x>,",
		";",
		"Dr.",
		"(=?utf-8?q?x?= \xfc)",
	};
	struct str in = STR_INIT;

	(void)state;
	for (int round = 0; round < 5000; round++) {
		random_field(&in, round % 2 ? "To:" : "Keywords:", words,
			     COUNT(words));
		check_meaning(str_slice(&in));
	}
	str_done(&in);
}

static void test_comments_come_back_with_every_blank(void **state)
{
	static const char *const words[] = {
		"from",
		"J\xf6rn",
		"\"(\xfc)\"",
		"(K\xf6ln (\xfc x\\) \xf6) a)",
		"(=?utf-8?q?x?= \xfc)",
		"[1.2.3.4]",
		"<\xfc@x>",
		"Mon,",
		"a:b;",
		"(\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6 \xd0\xb6\xd0\xb6\xd0\xb6)",
	};
	struct str in = STR_INIT;

	(void)state;
	for (int round = 0; round < 5000; round++) {
		random_field(&in, "Received:", words, COUNT(words));
		check_meaning(str_slice(&in));
	}
	str_done(&in);
}

static void test_encoded_words_are_recognised(void **state)
{
	static const char *const good[] = { "=?utf-8?q?x?=", "=?a?B?\?=",
					    "=?utf-8*en?Q?a=20b?=" };
	static const char *const bad[] = {
		"",	      "=?",	    "=?\?=",
		"=?a?q?=",    "=?a?x?b?=",  "=?a?qq?b?=",
		"=?\?q?b?=",  "=?a?q?b",    "=?a?q?b?c?=",
		"x=?a?q?b?=", "=?a?q?b?=,",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(rfc2047_is_word(slice_of(good[i])));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(rfc2047_is_word(slice_of(bad[i])));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_words_of_text_are_encoded_where_they_stand),
		cmocka_unit_test(
		    test_white_space_between_encoded_words_goes_into_them),
		cmocka_unit_test(test_phrases_are_encoded_by_their_content),
		cmocka_unit_test(test_comments_are_encoded_word_by_word),
		cmocka_unit_test(
		    test_addresses_ids_dates_and_parameters_stay_raw),
		cmocka_unit_test(test_broken_syntax_is_left_alone),
		cmocka_unit_test(test_control_bytes_become_question_marks),
		cmocka_unit_test(test_charset_is_utf8_if_it_can_be),
		cmocka_unit_test(test_long_text_is_split_between_characters),
		cmocka_unit_test(
		    test_words_of_multibyte_sets_hold_whole_characters),
		cmocka_unit_test(
		    test_line_is_folded_where_there_is_white_space),
		cmocka_unit_test(test_text_comes_back_with_every_blank),
		cmocka_unit_test(test_addresses_come_back_with_every_blank),
		cmocka_unit_test(test_comments_come_back_with_every_blank),
		cmocka_unit_test(test_encoded_words_are_recognised),
	};

	return TEST_RUN(tests);
}
