/*
 * tls_settings.c - what the TLS library is told, as data.
 *
 *	key   = "min=" protocol " max=" protocol *( SP name "=" value )
 *	value = "-" / text			NULL, else text
 *
 * In text every byte that could end it, or pass for "-", is written as "%XX",
 * so that no two settings have the same key.
 */
#include "policy/tls_settings.h"

#include "base/keyword.h"

#include <assert.h>
#include <string.h>

static const struct keyword protocols[] = {
	/* by enum tls_protocol */
	{ "TLSv1", TLS_PROTOCOL_1_0 },
	{ "TLSv1.1", TLS_PROTOCOL_1_1 },
	{ "TLSv1.2", TLS_PROTOCOL_1_2 },
	{ "TLSv1.3", TLS_PROTOCOL_1_3 },
	/* other spellings */
	{ "TLSv1.0", TLS_PROTOCOL_1_0 },
};

const char *tls_protocol_word(enum tls_protocol protocol)
{
	assert(protocol < TLS_PROTOCOLS);
	return protocols[protocol].word;
}

bool tls_protocol_read(struct slice word, enum tls_protocol *ret)
{
	const struct keyword *k =
	    keyword_find(protocols, COUNT(protocols), word);

	if (k == NULL)
		return false;
	*ret = (enum tls_protocol)k->value;
	return true;
}

static void print_text(struct str *to, const char *name, const char *text)
{
	str_addf(to, " %s=", name);
	if (text == NULL) {
		str_addc(to, '-');
		return;
	}
	if (strcmp(text, "-") == 0) {
		str_adds(to, "%2D");
		return;
	}
	for (const char *p = text; *p != '\0'; p++)
		if (*p > ' ' && *p < 0x7f && *p != '%')
			str_addc(to, *p);
		else
			str_addf(to, "%%%02X", (unsigned char)*p);
}

void tls_settings_key_print(struct str *to, const struct tls_settings *s)
{
	assert(s->n_pairs <= TLS_PAIRS_MAX);
	str_addf(to, "min=%s max=%s", tls_protocol_word(s->min_protocol),
		 tls_protocol_word(s->max_protocol));
	print_text(to, "ciphers", s->cipher_list);
	print_text(to, "suites", s->cipher_suites);
	print_text(to, "groups", s->groups);
	print_text(to, "cafile", s->ca_file);
	print_text(to, "capath", s->ca_path);
	for (size_t i = 0; i < s->n_pairs; i++) {
		print_text(to, "cert", s->pairs[i].cert_file);
		print_text(to, "key", s->pairs[i].key_file);
	}
}

bool tls_settings_eq(const struct tls_settings *a, const struct tls_settings *b)
{
	struct str x = STR_INIT, y = STR_INIT;
	bool is_same;

	tls_settings_key_print(&x, a);
	tls_settings_key_print(&y, b);
	is_same = slice_eq(str_slice(&x), str_slice(&y));
	str_done(&x);
	str_done(&y);
	return is_same;
}
