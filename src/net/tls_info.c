/*
 * tls_info.c - what is known of a connection over TLS.
 *
 * Texts of certificates come from the peer, who may write into them what it
 * likes: all of them are made printable and cut.
 */
#include "base/keyword.h"
#include "base/mem.h"
#include "net/tls_internal.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

enum {
	NAME_SHOWN = 512,   /* bytes of a distinguished name */
	NAMES_SHOWN = 1024, /* bytes of all names of a certificate */
	CHAIN_SHOWN = 16,   /* certificates */
	TRACE_SHOWN = 100   /* messages */
};

/* ---- certificates ------------------------------------------------------- */

int64_t tls_info_time(const ASN1_TIME *t)
{
	struct tm tm;

	if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1)
		return INT64_MAX;
	return (int64_t)timegm(&tm);
}

static struct slice keep_clean(struct arena *a, struct slice text, size_t max)
{
	struct str clean = STR_INIT;
	struct slice kept;

	str_add_clean(&clean, text, max);
	kept = arena_dup(a, str_slice(&clean));
	str_done(&clean);
	return kept;
}

/* What was printed into a BIO. */
static struct slice bio_text(BIO *bio)
{
	char *p = NULL;
	long len = BIO_get_mem_data(bio, &p);

	return slice_make(p, len > 0 ? (size_t)len : 0);
}

static struct slice print_name(struct arena *a, const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct slice text = { 0 };

	if (bio != NULL &&
	    X509_NAME_print_ex(bio, name, 0,
			       XN_FLAG_RFC2253 &
				   ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0)
		text = keep_clean(a, bio_text(bio), NAME_SHOWN);
	BIO_free(bio);
	return text;
}

static struct slice print_common_name(struct arena *a, const X509_NAME *name)
{
	unsigned char *utf8 = NULL;
	struct slice text = { 0 };
	int at = -1, next, len;

	while ((next = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >=
	       0)
		at = next;
	if (at < 0)
		return text;
	len = ASN1_STRING_to_UTF8(
	    &utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (len > 0)
		text = keep_clean(a, slice_make((char *)utf8, (size_t)len),
				  NAME_SHOWN);
	if (len >= 0)
		OPENSSL_free(utf8);
	return text;
}

static struct slice print_names(struct arena *a, const X509 *x)
{
	GENERAL_NAMES *all =
	    X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	struct str names = STR_INIT;
	struct slice kept;

	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);

		if (g->type != GEN_DNS)
			continue;
		if (names.len > 0)
			str_addc(&names, ' ');
		str_add(&names,
			slice_make(
			    (const char *)ASN1_STRING_get0_data(g->d.dNSName),
			    (size_t)ASN1_STRING_length(g->d.dNSName)));
	}
	kept = keep_clean(a, str_slice(&names), NAMES_SHOWN);
	str_done(&names);
	GENERAL_NAMES_free(all);
	return kept;
}

static struct slice print_digest(struct arena *a, const unsigned char *der,
				 int len)
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned char digest[TLS_DIGEST];
	char text[3 * TLS_DIGEST], *p = text;

	if (len <= 0 ||
	    EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL) != 1)
		return slice_make(NULL, 0);
	for (size_t i = 0; i < TLS_DIGEST; i++) {
		*p++ = hex[digest[i] >> 4];
		*p++ = hex[digest[i] & 0xf];
		*p++ = ':';
	}
	return arena_dup(a, slice_make(text, sizeof(text) - 1));
}

static void fill_certificate(struct tls_certificate *c, X509 *x,
			     struct arena *a)
{
	const X509_NAME *subject = X509_get_subject_name(x);
	EVP_PKEY *key = X509_get0_pubkey(x);
	unsigned char *der = NULL, *key_der = NULL;
	int len = i2d_X509(x, &der);
	int key_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &key_der);

	c->subject = print_name(a, subject);
	c->common_name = print_common_name(a, subject);
	c->issuer = print_name(a, X509_get_issuer_name(x));
	c->names = print_names(a, x);
	c->sha256 = print_digest(a, der, len);
	c->key_sha256 = print_digest(a, key_der, key_len);
	c->not_before = tls_info_time(X509_get0_notBefore(x));
	c->not_after = tls_info_time(X509_get0_notAfter(x));
	if (key != NULL && EVP_PKEY_get0_type_name(key) != NULL)
		c->key = arena_printf(a, "%s %d", EVP_PKEY_get0_type_name(key),
				      EVP_PKEY_get_bits(key));
	OPENSSL_free(der);
	OPENSSL_free(key_der);
}

/* What OpenSSL found wrong at each depth; the first of each. */
static void fill_troubles(const struct tls_link *l, struct tls_outcome *o,
			  struct arena *a)
{
	for (size_t i = l->complaints.n; i-- > 0;) {
		const struct tls_complaint *c = &l->complaints.items[i];

		if (c->depth >= 0 && (size_t)c->depth < o->n_chain)
			o->chain[c->depth].trouble = arena_dup(
			    a,
			    slice_of(X509_verify_cert_error_string(c->code)));
	}
}

static void fill_chain(struct tls_link *l, struct arena *a,
		       struct tls_outcome *o)
{
	STACK_OF(X509) *chain = NULL;
	X509 *first = SSL_get0_peer_certificate(l->ssl);
	int n = 1;

	if (first == NULL)
		return;
	if (l->how->wants_chain) {
		/* As judged; and if nothing above was looked at, as sent. */
		chain = SSL_get0_verified_chain(l->ssl);
		if (sk_X509_num(chain) < 2)
			chain = SSL_get_peer_cert_chain(l->ssl);
		n = sk_X509_num(chain);
		n = n < 1 ? 1 : n > CHAIN_SHOWN ? CHAIN_SHOWN : n;
	}
	o->chain = arena_array(a, (size_t)n, sizeof(*o->chain));
	fill_certificate(&o->chain[0], first, a);
	for (int i = 1; i < n; i++)
		fill_certificate(&o->chain[i], sk_X509_value(chain, i), a);
	o->n_chain = (size_t)n;
	fill_troubles(l, o, a);
}

/* ---- the connection ----------------------------------------------------- */

static const char *group_name(struct tls_link *l, struct arena *a)
{
	int id = (int)SSL_get_negotiated_group(l->ssl);
	const char *name = id > 0 ? SSL_group_to_name(l->ssl, id) : NULL;
	EVP_PKEY *key = NULL;
	struct slice text = { 0 };

	if (name != NULL)
		return arena_cstr(a, slice_of(name));
	if (SSL_get_peer_tmp_key(l->ssl, &key) == 1 && key != NULL &&
	    EVP_PKEY_get0_type_name(key) != NULL)
		text = arena_printf(a, "%s %d", EVP_PKEY_get0_type_name(key),
				    EVP_PKEY_get_bits(key));
	EVP_PKEY_free(key);
	ERR_clear_error();
	return text.len > 0 ? text.p : "";
}

void tls_info_fill(struct tls_link *l, struct arena *a, struct tls_outcome *o)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(l->ssl);

	o->was_resumed = SSL_session_reused(l->ssl) != 0;
	o->protocol = SSL_get_version(l->ssl);
	o->cipher = SSL_CIPHER_get_name(cipher);
	o->bits = SSL_CIPHER_get_bits(cipher, &o->cipher_bits);
	o->group = group_name(l, a);
	fill_chain(l, a, o);
}

/* ---- the trace ---------------------------------------------------------- */

static const struct keyword messages[] = {
	{ "HelloRequest", SSL3_MT_HELLO_REQUEST },
	{ "ClientHello", SSL3_MT_CLIENT_HELLO },
	{ "ServerHello", SSL3_MT_SERVER_HELLO },
	{ "NewSessionTicket", SSL3_MT_NEWSESSION_TICKET },
	{ "EncryptedExtensions", SSL3_MT_ENCRYPTED_EXTENSIONS },
	{ "Certificate", SSL3_MT_CERTIFICATE },
	{ "ServerKeyExchange", SSL3_MT_SERVER_KEY_EXCHANGE },
	{ "CertificateRequest", SSL3_MT_CERTIFICATE_REQUEST },
	{ "ServerHelloDone", SSL3_MT_SERVER_DONE },
	{ "CertificateVerify", SSL3_MT_CERTIFICATE_VERIFY },
	{ "ClientKeyExchange", SSL3_MT_CLIENT_KEY_EXCHANGE },
	{ "Finished", SSL3_MT_FINISHED },
	{ "CertificateStatus", SSL3_MT_CERTIFICATE_STATUS },
	{ "KeyUpdate", SSL3_MT_KEY_UPDATE },
};

static const char *message_name(int type)
{
	for (size_t i = 0; i < COUNT(messages); i++)
		if (messages[i].value == type)
			return messages[i].word;
	return "unknown message";
}

void tls_info_trace(int is_sent, int version, int type, const void *bytes,
		    size_t len, SSL *ssl, void *link)
{
	struct tls_link *l = link;
	const unsigned char *p = bytes;
	const char *way = is_sent != 0 ? "sent" : "received";
	struct slice line;

	(void)version;
	(void)ssl;
	if (type == SSL3_RT_HANDSHAKE && len > 0)
		line = arena_printf(l->arena, "%s %s, %zu bytes", way,
				    message_name(p[0]), len);
	else if (type == SSL3_RT_ALERT && len == 2)
		line = arena_printf(l->arena, "%s alert %u: %s", way, p[1],
				    SSL_alert_desc_string_long(p[1]));
	else if (type == SSL3_RT_CHANGE_CIPHER_SPEC)
		line = arena_printf(l->arena, "%s ChangeCipherSpec", way);
	else
		return; /* records, which carry these */
	if (l->n_trace == TRACE_SHOWN)
		return;
	if (l->trace == NULL)
		l->trace =
		    arena_array(l->arena, TRACE_SHOWN, sizeof(*l->trace));
	l->trace[l->n_trace++] = line;
}

/* ---- channel bindings --------------------------------------------------- */

static bool bind_exporter(SSL *ssl, struct str *to)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	unsigned char key[32];

	if (SSL_export_keying_material(ssl, key, sizeof(key), label,
				       sizeof(label) - 1,
				       (const unsigned char *)"", 0, 1) != 1)
		return false;
	str_add(to, slice_make((const char *)key, sizeof(key)));
	return true;
}

/* The first Finished message: the client's, but if a session was resumed. */
static bool bind_unique(SSL *ssl, struct str *to)
{
	unsigned char finished[EVP_MAX_MD_SIZE];
	size_t n = SSL_session_reused(ssl) != 0
		       ? SSL_get_peer_finished(ssl, finished, sizeof(finished))
		       : SSL_get_finished(ssl, finished, sizeof(finished));

	if (n == 0 || n > sizeof(finished))
		return false;
	str_add(to, slice_make((const char *)finished, n));
	return true;
}

/* The digest that the certificate was signed with, SHA2-256 at the least. */
static bool bind_end_point(SSL *ssl, struct str *to)
{
	X509 *x = SSL_get0_peer_certificate(ssl);
	unsigned char digest[EVP_MAX_MD_SIZE];
	const EVP_MD *md;
	unsigned n;
	int nid;

	if (x == NULL ||
	    X509_get_signature_info(x, &nid, NULL, NULL, NULL) != 1 ||
	    nid == NID_undef)
		return false;
	if (nid == NID_md5 || nid == NID_sha1)
		nid = NID_sha256;
	md = EVP_get_digestbynid(nid);
	if (md == NULL || X509_digest(x, md, digest, &n) != 1)
		return false;
	str_add(to, slice_make((const char *)digest, n));
	return true;
}

bool tls_channel_binding(const struct conn *c, enum tls_binding kind,
			 struct str *to)
{
	bool is_new, is_safe, is_bound = false;
	SSL *ssl;

	if (!tls_is_up(c))
		return false;
	ssl = c->tls->ssl;
	is_new = SSL_version(ssl) >= TLS1_3_VERSION;
	is_safe = is_new || SSL_get_extms_support(ssl) == 1;
	ERR_clear_error();
	switch (kind) {
	case TLS_BINDING_EXPORTER:
		is_bound = is_safe && bind_exporter(ssl, to);
		break;
	case TLS_BINDING_UNIQUE:
		is_bound = is_safe && !is_new && bind_unique(ssl, to);
		break;
	case TLS_BINDING_END_POINT:
		is_bound = bind_end_point(ssl, to);
		break;
	case TLS_BINDINGS:
		break;
	}
	ERR_clear_error();
	return is_bound;
}
