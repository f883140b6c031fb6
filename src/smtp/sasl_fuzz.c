/*
 * sasl_fuzz.c - any user, secret and challenges, for each plain mechanism.
 *
 * The first byte is the mechanism; then come user, secret, host and the
 * challenges, a line each. No more is ever said than a mechanism has to say,
 * no error shows what is secret, and what a token's message holds cannot be
 * read as anything else.
 */
#include "base/fuzz.h"
#include "smtp/sasl.h"

#include <string.h>

static const enum sasl_mechanism mechanisms[] = {
	SASL_PLAIN,    SASL_LOGIN,   SASL_CRAM_MD5,
	SASL_EXTERNAL, SASL_XOAUTH2, SASL_OAUTHBEARER,
};

static size_t count(struct slice text, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += text.p[i] == c;
	return n;
}

static void check_initial(const struct sasl *s, struct slice initial)
{
	if (s->mechanism == SASL_PLAIN)
		FUZZ_CHECK(count(initial, '\0') == 2);
	if (s->mechanism == SASL_XOAUTH2)
		FUZZ_CHECK(count(initial, '\001') == 3);
	if (s->mechanism == SASL_OAUTHBEARER) {
		FUZZ_CHECK(count(initial, '\001') <= 4);
		FUZZ_CHECK(
		    count(slice_head(initial, slice_find(initial, '\001')),
			  ',') == 2);
	}
}

static void check_error(const struct sasl *s, const struct err *err)
{
	FUZZ_CHECK(err->text[0] != '\0');
	if (s->secret.len > 12)
		FUZZ_CHECK(slice_find_text(slice_of(err->text), s->secret) ==
			   strlen(err->text));
}

FUZZ(data, size)
{
	struct slice in = slice_make((const char *)data, size), line;
	struct str out = STR_INIT;
	struct sasl s = { 0 };
	bool has_initial;
	struct err err = { 0 };

	if (size == 0)
		return 0;
	s.mechanism = mechanisms[data[0] % 6];
	in = slice_from(in, 1);
	(void)slice_cut(&in, '\n', &s.user);
	(void)slice_cut(&in, '\n', &s.secret);
	(void)slice_cut(&in, '\n', &s.host);
	if (sasl_begin(&s, &has_initial, &out, &err) < 0) {
		check_error(&s, &err);
		FUZZ_CHECK(out.len == 0);
		in = slice_make(NULL, 0);
	} else if (has_initial) {
		check_initial(&s, str_slice(&out));
	}
	while (slice_cut(&in, '\n', &line)) {
		str_clear(&out);
		if (sasl_step(&s, line, &out, &err) == 0)
			continue;
		check_error(&s, &err);
		FUZZ_CHECK(out.len == 0);
	}
	FUZZ_CHECK(s.n_steps <= 2);
	str_wipe(&out);
	return 0;
}
