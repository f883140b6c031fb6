/*
 * test_wire.h - is a line that the engine writes a well-formed command?
 *
 *	"MAIL FROM:<" path ">" *( SP keyword [ "=" value ] )
 *	keyword = ( ALPHA / DIGIT ) *( ALPHA / DIGIT / "-" )
 *	value   = 1*( %d33-60 / %d62-126 )	; RFC 5321 4.1.2
 *
 * Written without the engine's own code, so that it can judge it.
 */
#ifndef SMTP_TEST_WIRE_H
#define SMTP_TEST_WIRE_H

#include "base/slice.h"

/* Length of a path up to its '>', quoted strings observed; or rest.len. */
static inline size_t wire_path_length(struct slice rest)
{
	bool is_quoted = false;

	for (size_t i = 0; i < rest.len; i++) {
		if (is_quoted && rest.p[i] == '\\')
			i++;
		else if (rest.p[i] == '"')
			is_quoted = !is_quoted;
		else if (rest.p[i] == '>' && !is_quoted)
			return i;
		else if ((rest.p[i] == ' ' || rest.p[i] == '<') && !is_quoted)
			return rest.len;
	}
	return rest.len;
}

static inline bool wire_is_param(struct slice word)
{
	size_t at = slice_find(word, '=');

	if (at == 0 || at + 1 == word.len || word.p[0] == '-')
		return false;
	for (size_t i = 0; i < word.len; i++) {
		unsigned char c = (unsigned char)word.p[i];

		if (i < at && !ascii_is_alpha(word.p[i]) &&
		    !ascii_is_digit(word.p[i]) && c != '-')
			return false;
		if (i > at && (c < 33 || c > 126 || c == '='))
			return false;
	}
	return true;
}

/* BY=t;M[T], 1 to 9 digits; with R there is time left (RFC 2852 4). */
static inline bool wire_is_by(struct slice value)
{
	size_t at = slice_find(value, ';');
	struct slice time = slice_head(value, at);
	struct slice mode = slice_from(value, at + 1);
	bool is_past = time.len > 0 && time.p[0] == '-';
	uint64_t n = 0;

	if (!slice_uint(slice_from(time, is_past), 999999999, &n))
		return false;
	if (mode.len == 0 || mode.len > 2 ||
	    (mode.len == 2 && mode.p[1] != 'T'))
		return false;
	return mode.p[0] == 'N' || (mode.p[0] == 'R' && !is_past && n > 0);
}

static inline bool wire_is_envelope(struct slice rest)
{
	size_t n = wire_path_length(rest);
	struct slice param;

	if (n == rest.len)
		return false;
	rest = slice_from(rest, n + 1);
	while (rest.len > 0) {
		if (rest.p[0] != ' ')
			return false;
		rest = slice_from(rest, 1);
		param = slice_head(rest, slice_find(rest, ' '));
		if (!wire_is_param(param))
			return false;
		if (slice_starts(param, SLICE("BY=")) &&
		    !wire_is_by(slice_from(param, 3)))
			return false;
		rest = slice_from(rest, param.len);
	}
	return true;
}

static inline bool wire_is_bdat(struct slice rest)
{
	size_t at = slice_find(rest, ' ');
	uint64_t n = 0;

	return slice_uint(slice_head(rest, at), UINT32_MAX, &n) &&
	       (at == rest.len ||
		slice_eq(slice_from(rest, at), SLICE(" LAST")));
}

/* Letters of base64 and its padding, as far as their kind goes. */
static inline bool wire_is_base64(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!ascii_is_alpha(text.p[i]) && !ascii_is_digit(text.p[i]) &&
		    text.p[i] != '+' && text.p[i] != '/' && text.p[i] != '=')
			return false;
	return text.len % 4 == 0 && text.len <= 12288;
}

/* "AUTH" SP mechanism [ SP ( "=" / base64 ) ], within 512 with CRLF. */
static inline bool wire_is_auth(struct slice line)
{
	struct slice words = slice_from(line, 5), word;

	if (line.len > 510 || !slice_word(&words, &word) || word.len > 20)
		return false;
	if (words.len == 0)
		return true;
	words = slice_from(words, 1);
	return slice_eq(words, SLICE("=")) ||
	       (words.len > 0 && wire_is_base64(words));
}

/* Is a line a response to a challenge, or breaks the dialogue off? */
static inline bool wire_is_response(struct slice line)
{
	return slice_eq(line, SLICE("*")) || wire_is_base64(line);
}

/* Is a line, without its CRLF, a whole command of ours? */
static inline bool wire_is_command(struct slice line)
{
	if (slice_has_control(line))
		return false;
	if (slice_starts(line, SLICE("MAIL FROM:<")))
		return wire_is_envelope(slice_from(line, 11));
	if (slice_starts(line, SLICE("RCPT TO:<")))
		return wire_is_envelope(slice_from(line, 9));
	if (slice_starts(line, SLICE("BDAT ")))
		return wire_is_bdat(slice_from(line, 5));
	if (slice_starts(line, SLICE("EHLO ")) ||
	    slice_starts(line, SLICE("LHLO ")) ||
	    slice_starts(line, SLICE("HELO ")))
		return line.len > 5;
	if (slice_starts(line, SLICE("AUTH ")))
		return wire_is_auth(line);
	return slice_eq(line, SLICE("STARTTLS")) ||
	       slice_eq(line, SLICE("DATA")) || slice_eq(line, SLICE("RSET")) ||
	       slice_eq(line, SLICE("QUIT"));
}

#endif
