/*
 * rfc2047_field.c - which words of a field are to be encoded.
 *
 *	phrase   = 1*(atom / quoted-string / encoded-word)
 *	mailbox  = addr-spec / [phrase] "<" addr-spec ">"
 *	group    = phrase ":" [mailbox-list] ";"
 *
 * (RFC 5322 3.4, 3.2.5). An element of an address field is looked at twice:
 * first for what ends it, which tells a phrase from an address, then again to
 * hand its words over.
 */
#include "mime/rfc2047.h"

#include "base/keyword.h"
#include "mime/rfc2047_internal.h"
#include "mime/token.h"

static const char phrase_fields[] =
    "From Sender Reply-To To Cc Bcc Resent-From Resent-Sender Resent-Reply-To "
    "Resent-To Resent-Cc Resent-Bcc Return-Receipt-To Errors-To "
    "Disposition-Notification-To Apparently-To Mail-Reply-To "
    "Mail-Followup-To Mail-Copies-To In-Reply-To References List-Id";

static const char comment_fields[] =
    "Received Return-Path Date Resent-Date Message-ID Resent-Message-ID "
    "MIME-Version Content-Type Content-Transfer-Encoding Content-ID "
    "Content-Disposition Content-Language Content-Location Content-Base "
    "Content-MD5 Content-Duration Delivered-To Original-Recipient "
    "X-Envelope-To X-Envelope-From X-Original-To X-Orcpt Envelope-Id X-Envid "
    "List-Help List-Unsubscribe List-Subscribe List-Post List-Owner "
    "List-Archive List-Unsubscribe-Post DKIM-Signature "
    "Authentication-Results Received-SPF ARC-Seal ARC-Message-Signature "
    "ARC-Authentication-Results Auto-Submitted Precedence Importance "
    "Priority Sensitivity Expires Expiry-Date Reply-By Deferred-Delivery "
    "Autocrypt OpenPGP";

static bool is_listed(struct slice name, const char *list)
{
	struct slice rest = slice_of(list), word;

	while (slice_word(&rest, &word))
		if (slice_eq_nocase(word, name))
			return true;
	return false;
}

enum rfc2047_place rfc2047_place_of(struct slice name)
{
	if (is_listed(name, phrase_fields))
		return RFC2047_PHRASES;
	if (is_listed(name, comment_fields))
		return RFC2047_COMMENTS;
	if (slice_eq_nocase(name, SLICE("Keywords")) ||
	    slice_eq_nocase(name, SLICE("Resent-Keywords")))
		return RFC2047_KEYWORDS;
	return RFC2047_TEXT;
}

/* ---- text and comments ---------------------------------------------- */

static size_t space_len(struct slice s)
{
	size_t n = 0;

	while (n < s.len && token_is_space(s.p[n]))
		n++;
	return n;
}

static void convert_text(struct words *w, struct slice body)
{
	while (body.len > 0) {
		size_t n = space_len(body);
		struct slice word;

		if (n > 0)
			words_space(w, slice_head(body, n));
		body = slice_from(body, n);
		n = 0;
		while (n < body.len && !token_is_space(body.p[n]))
			n++;
		word = slice_head(body, n);
		if (slice_has_8bit(word))
			words_encode(w, word, WORDS_TEXT, 0);
		else if (n > 0)
			words_plain(w, word, 0);
		body = slice_from(body, n);
	}
}

/* Length of a word of a comment: up to white space or a parenthesis. */
static size_t comment_word_len(struct slice s)
{
	size_t n = 0;

	while (n < s.len && !token_is_space(s.p[n]) && s.p[n] != '(' &&
	       s.p[n] != ')')
		n += s.p[n] == '\\' && n + 1 < s.len ? 2 : 1;
	return n;
}

static void add_comment_word(struct words *w, struct slice word, size_t behind)
{
	struct str text = STR_INIT;

	if (!slice_has_8bit(word)) {
		words_plain(w, word, behind);
		return;
	}
	for (size_t i = 0; i < word.len; i++) {
		if (word.p[i] == '\\' && i + 1 < word.len)
			i++;
		str_addc(&text, word.p[i]);
	}
	words_encode(w, str_slice(&text), WORDS_COMMENT, behind);
	str_done(&text);
}

/* A comment with its parentheses; those within are words' ends only. */
static void convert_comment(struct words *w, struct slice s)
{
	while (s.len > 0) {
		size_t n = space_len(s), behind = 0;

		if (n > 0) {
			words_space(w, slice_head(s, n));
		} else if (s.p[0] == '(') {
			words_open(w, slice_head(s, n = 1));
		} else if (s.p[0] == ')') {
			words_delimiter(w, slice_head(s, n = 1), 0);
		} else {
			n = comment_word_len(s);
			while (n + behind < s.len && s.p[n + behind] == ')')
				behind++;
			add_comment_word(w, slice_head(s, n), behind);
		}
		s = slice_from(s, n);
	}
}

/* ---- structured fields ---------------------------------------------- */

static bool next(struct slice *rest, struct token *ret)
{
	return token_next(rest, token_mail_specials, ret);
}

static bool is_special(const struct token *t, char c)
{
	return t->kind == TOKEN_SPECIAL && t->text.p[0] == c;
}

/* Does t end an element of an address list, or its phrase? */
static bool is_end(const struct token *t)
{
	return is_special(t, '<') || is_special(t, ':') || is_special(t, ',') ||
	       is_special(t, ';');
}

/* Has every token and every '<' its end? */
static bool is_whole(struct slice rest)
{
	bool is_angle = false;
	struct token t;

	while (next(&rest, &t)) {
		if (t.kind == TOKEN_BAD)
			return false;
		if (is_special(&t, '<'))
			is_angle = true;
		else if (is_special(&t, '>'))
			is_angle = false;
	}
	return !is_angle;
}

/* Do the words before what ends this element form a phrase? */
static bool is_phrase(struct slice rest, enum rfc2047_place place)
{
	struct token t;

	if (place == RFC2047_KEYWORDS)
		return true;
	if (place == RFC2047_COMMENTS)
		return false;
	while (next(&rest, &t))
		if (is_end(&t))
			return is_special(&t, '<') || is_special(&t, ':');
	return false;
}

/* Does something follow without white space? */
static bool is_touched(struct slice rest)
{
	return rest.len > 0 && !token_is_space(rest.p[0]);
}

/* Adds "<...>", whose '<' has been read. */
static void add_angle(struct words *w, struct slice *rest, struct token t)
{
	struct slice all = t.text;

	while (!is_special(&t, '>') && next(rest, &t))
		all.len += t.text.len;
	words_delimiter(w, all, is_touched(*rest));
}

/* Adds words that touch one another, the first of which has been read. */
static void add_words(struct words *w, struct slice *rest, struct token t,
		      enum rfc2047_place place, bool is_in_phrase)
{
	struct slice all = { .p = t.text.p };
	struct str content = STR_INIT;
	struct slice behind;

	for (;;) {
		all.len += t.text.len;
		if (t.kind == TOKEN_QUOTED)
			token_add_unquoted(&content, t.text);
		else
			str_add(&content, t.text);
		behind = *rest;
		if (!next(&behind, &t) || t.kind == TOKEN_SPACE ||
		    t.kind == TOKEN_COMMENT ||
		    (place != RFC2047_COMMENTS && is_end(&t)))
			break;
		*rest = behind;
	}
	if (is_in_phrase && slice_has_8bit(all))
		words_encode(w, str_slice(&content), WORDS_PHRASE,
			     is_touched(*rest));
	else
		words_plain(w, all, is_touched(*rest));
	str_done(&content);
}

static void convert_structured(struct words *w, struct slice rest,
			       enum rfc2047_place place)
{
	bool is_in_phrase = is_phrase(rest, place);
	struct token t;

	while (next(&rest, &t)) {
		if (t.kind == TOKEN_SPACE) {
			words_space(w, t.text);
		} else if (t.kind == TOKEN_COMMENT) {
			convert_comment(w, t.text);
		} else if (place != RFC2047_COMMENTS && is_special(&t, '<')) {
			add_angle(w, &rest, t);
			is_in_phrase = false;
		} else if (place != RFC2047_COMMENTS && is_end(&t)) {
			words_delimiter(w, t.text, 0);
			is_in_phrase = is_phrase(rest, place);
		} else {
			add_words(w, &rest, t, place, is_in_phrase);
		}
	}
}

bool rfc2047_convert(struct str *to, struct slice field, struct slice charset)
{
	struct header_field f = header_field_of(field);
	enum rfc2047_place place = rfc2047_place_of(f.name);
	size_t begin = to->len, name_end = (size_t)(f.body.p - field.p);
	struct words w;
	bool is_changed;

	if (f.name.len == 0 || slice_has_8bit(f.name) ||
	    !slice_has_8bit(f.body) || slice_has(field, '\r') ||
	    slice_has(field, '\0') ||
	    (place != RFC2047_TEXT && !is_whole(f.body)))
		return false;
	str_add(to, slice_head(field, name_end));
	words_begin(&w, to, charset, name_end);
	if (place == RFC2047_TEXT)
		convert_text(&w, f.body);
	else
		convert_structured(&w, f.body, place);
	words_end(&w);
	is_changed = w.n_runs > 0;
	if (!is_changed)
		str_cut(to, begin);
	words_done(&w);
	return is_changed;
}
