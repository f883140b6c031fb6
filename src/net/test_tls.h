/*
 * test_tls.h - certificates made on the spot, and a server in a thread, for the
 * tests of TLS. To be included by one source file of a program only.
 */
#ifndef NET_TEST_TLS_H
#define NET_TEST_TLS_H

#include "base/arena.h"
#include "net/test_peer.h"
#include "net/tls.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define HOST "mx.example.org"

enum { DAY = 24 * 3600 };

/* ---- certificates ------------------------------------------------------- */

struct issued {
	X509 *x;
	EVP_PKEY *key;
};

struct recipe {
	const char *cn;
	const char *sans; /* as openssl.cnf has them, NULL: none */
	int from, to;	  /* days from now; both 0: valid */
	bool is_ca;
	bool is_ed25519;
	unsigned rsa_bits; /* 0: P-256 */
};

static inline void add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *e;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

/* Signed by `by`, NULL: by itself. */
static inline struct issued issue(const struct recipe *r,
				  const struct issued *by)
{
	static long serial = 1;
	struct issued c = { X509_new(), NULL };
	X509_NAME *name = X509_get_subject_name(c.x);
	EVP_PKEY *signer;
	int to = r->from == 0 && r->to == 0 ? 30 : r->to;
	int from = r->from == 0 && r->to == 0 ? -1 : r->from;

	c.key = r->is_ed25519	  ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
		: r->rsa_bits > 0 ? EVP_RSA_gen(r->rsa_bits)
				  : EVP_EC_gen("P-256");
	assert_non_null(c.key);
	signer = by != NULL ? by->key : c.key;
	X509_set_version(c.x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c.x), serial++);
	X509_gmtime_adj(X509_getm_notBefore(c.x), (long)from * DAY);
	X509_gmtime_adj(X509_getm_notAfter(c.x), (long)to * DAY);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
				   (const unsigned char *)r->cn, -1, -1, 0);
	X509_set_issuer_name(c.x,
			     by != NULL ? X509_get_subject_name(by->x) : name);
	X509_set_pubkey(c.x, c.key);
	add_extension(c.x, NID_basic_constraints,
		      r->is_ca ? "critical,CA:TRUE" : "CA:FALSE");
	if (r->sans != NULL)
		add_extension(c.x, NID_subject_alt_name, r->sans);
	assert_true(X509_sign(c.x, signer,
			      EVP_PKEY_get_id(signer) == EVP_PKEY_ED25519
				  ? NULL
				  : EVP_sha256()) > 0);
	return c;
}

static inline void issued_free(struct issued *c)
{
	X509_free(c->x);
	EVP_PKEY_free(c->key);
	*c = (struct issued){ 0 };
}

/* A file of certificates and keys, in a folder that the test removes. */
static inline const char *pem_file(const char *folder, const char *name,
				   const struct issued *c, bool with_key)
{
	static char path[8][256];
	static unsigned turn;
	char *p = path[turn++ % COUNT(path)];
	FILE *f;

	snprintf(p, sizeof(path[0]), "%s/%s", folder, name);
	f = fopen(p, "we");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, c->x), 1);
	if (with_key)
		assert_int_equal(
		    PEM_write_PrivateKey(f, c->key, NULL, NULL, 0, NULL, NULL),
		    1);
	fclose(f);
	return p;
}

/* The digest a TLSA record has; given, 32 or 64 bytes or all of it. */
static inline struct slice tlsa_data(struct arena *a, const struct issued *c,
				     int selector, int matching)
{
	unsigned char *der = NULL, md[EVP_MAX_MD_SIZE];
	struct slice data;
	unsigned n = 0;
	int len = selector == 0
		      ? i2d_X509(c->x, &der)
		      : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->x), &der);

	assert_true(len > 0);
	if (matching == 0) {
		data = arena_dup(a, slice_make((char *)der, (size_t)len));
	} else {
		EVP_Digest(der, (size_t)len, md, &n,
			   matching == 1 ? EVP_sha256() : EVP_sha512(), NULL);
		data = arena_dup(a, slice_make((char *)md, n));
	}
	OPENSSL_free(der);
	return data;
}

/* ---- a server ----------------------------------------------------------- */

/*
 * Serves one connection: says every byte back that it reads, but for the
 * first byte of a record being
 *	S	shuts down, and closes
 *	C	closes without a word
 *	K	asks for new keys both ways, then says it back
 *	W	reads nothing for a moment
 */
struct server {
	SSL_CTX *ctx;
	BIO_METHOD *method; /* byte by byte */
	bool is_dripping;
	int fd;
	pthread_t thread;
	bool is_running;
	SSL *ssl; /* while it serves */
	/* To be read once it was joined. */
	bool has_shaken, was_resumed, has_client_certificate, heard_close;
	char sni[256];
};

static inline int drip(BIO *bio, const char *bytes, int len)
{
	int fd = (int)(intptr_t)BIO_get_data(bio);

	for (int i = 0; i < len; i++) {
		if (send(fd, bytes + i, 1, MSG_NOSIGNAL) != 1)
			return -1;
		sched_yield();
	}
	return len;
}

static inline int sip(BIO *bio, char *to, int max)
{
	int fd = (int)(intptr_t)BIO_get_data(bio);

	return (int)recv(fd, to, (size_t)max, 0);
}

static inline long sip_control(BIO *bio, int command, long n, void *p)
{
	(void)bio;
	(void)n;
	(void)p;
	return command == BIO_CTRL_FLUSH;
}

static inline void serve_lines(struct server *s, SSL *ssl)
{
	static _Thread_local char bytes[16384];
	int n;

	while ((n = SSL_read(ssl, bytes, sizeof(bytes))) > 0) {
		if (bytes[0] == 'C')
			return;
		if (bytes[0] == 'S') {
			SSL_shutdown(ssl);
			return;
		}
		if (bytes[0] == 'W')
			poll(NULL, 0, 200);
		if (bytes[0] == 'K')
			SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
		if (SSL_write(ssl, bytes, n) <= 0)
			return;
	}
	s->heard_close = SSL_get_error(ssl, n) == SSL_ERROR_ZERO_RETURN;
	SSL_shutdown(ssl);
}

static inline void *serve(void *context)
{
	struct server *s = context;
	SSL *ssl = s->ssl = SSL_new(s->ctx);
	const char *sni;

	if (s->is_dripping) {
		BIO *bio = BIO_new(s->method);

		BIO_set_data(bio, (void *)(intptr_t)s->fd);
		BIO_set_init(bio, 1);
		SSL_set_bio(ssl, bio, bio);
	} else {
		SSL_set_fd(ssl, s->fd);
	}
	if (SSL_accept(ssl) == 1) {
		s->has_shaken = true;
		s->was_resumed = SSL_session_reused(ssl) != 0;
		s->has_client_certificate =
		    SSL_get0_peer_certificate(ssl) != NULL;
		sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
		snprintf(s->sni, sizeof(s->sni), "%s", sni != NULL ? sni : "");
		serve_lines(s, ssl);
	}
	SSL_free(ssl);
	fd_close(s->fd);
	return NULL;
}

/* A server that shows `own`, and `above` with it (may be NULL). */
static inline void server_init(struct server *s, const struct issued *own,
			       const struct issued *above)
{
	*s = (struct server){ .ctx = SSL_CTX_new(TLS_server_method()) };
	SSL_CTX_set_security_level(s->ctx, 0);
	SSL_CTX_set_min_proto_version(s->ctx, TLS1_VERSION);
	assert_int_equal(SSL_CTX_use_certificate(s->ctx, own->x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(s->ctx, own->key), 1);
	if (above != NULL)
		assert_int_equal(SSL_CTX_add1_chain_cert(s->ctx, above->x), 1);
	SSL_CTX_set_session_id_context(s->ctx, (const unsigned char *)"t", 1);
	s->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "drip");
	BIO_meth_set_write(s->method, drip);
	BIO_meth_set_read(s->method, sip);
	BIO_meth_set_ctrl(s->method, sip_control);
}

/* Serves one connection, with the other end of it in p->conn. */
static inline struct conn *server_run(struct server *s, struct pair *p)
{
	sigset_t all, old;

	s->fd = p->peer;
	s->has_shaken = s->was_resumed = s->has_client_certificate = false;
	s->heard_close = false;
	/* Signals are for the client. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	s->is_running = true;
	return p->conn;
}

/* Begins to serve one connection, whose other end is returned. */
static inline struct conn *server_begin(struct server *s)
{
	struct pair p;

	pair_make(&p);
	return server_run(s, &p);
}

/* The same, as if the server had this address. */
static inline struct conn *server_begin_at(struct server *s,
					   const char *literal)
{
	struct net_addr addr = loopback(literal);
	struct pair p;
	int fds[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	p.conn = conn_adopt(fds[0], &addr);
	p.peer = fds[1];
	return server_run(s, &p);
}

/* The connection of the client must be closed. */
static inline void server_join(struct server *s)
{
	assert_true(s->is_running);
	pthread_join(s->thread, NULL);
	s->is_running = false;
}

static inline void server_done(struct server *s)
{
	SSL_CTX_free(s->ctx);
	BIO_meth_free(s->method);
}

#endif
