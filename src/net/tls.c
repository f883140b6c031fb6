/*
 * tls.c - clients, contexts, and the handshake.
 *
 * A context of OpenSSL costs 6 ms, so there is one for each kind of settings,
 * made when it is first needed and kept as long as the client.
 *
 * The handshake never fails because of the peer's certificate: it is judged
 * afterwards (tls_verify.c), so that the outcome tells all of it.
 */
#include "net/tls.h"

#include "base/keyword.h"
#include "base/mem.h"
#include "net/tls_internal.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/*
 * Ours, if the settings have none: without what nobody uses with mail, so that
 * the first message is small; the server's key to encrypt with (no forward
 * secrecy) comes last.
 */
static const char default_ciphers[] =
    "DEFAULT:!PSK:!SRP:!DSS:!CAMELLIA:!ARIA:!SEED:!IDEA:!AESCCM:+kRSA";

/* ---- the client --------------------------------------------------------- */

struct tls_client *tls_client_new(const struct tls_shelf *shelf,
				  int64_t (*clock)(void))
{
	struct tls_client *client = mem_zero(1, sizeof(*client));

	if (shelf != NULL)
		client->shelf = *shelf;
	client->clock = clock;
	return client;
}

void tls_client_free(struct tls_client *client)
{
	if (client == NULL)
		return;
	tls_session_spill(client);
	while (client->contexts != NULL) {
		struct tls_context *context = client->contexts;

		client->contexts = context->next;
		SSL_CTX_free(context->ctx);
		str_done(&context->key);
		str_done(&context->stamp);
		free(context);
	}
	BIO_meth_free(client->method);
	free(client);
}

int64_t tls_client_now(const struct tls_client *client)
{
	return client->clock != NULL ? client->clock() : (int64_t)time(NULL);
}

/* ---- contexts ----------------------------------------------------------- */

/* Fails with what OpenSSL says of `what`. */
static int fail_by_openssl(struct err *err, const char *what, const char *value)
{
	struct str why = STR_INIT;

	tls_link_error(&why);
	err_set(err, 0, "%s%s%s: %s", what, value != NULL ? " " : "",
		value != NULL ? value : "",
		why.len > 0 ? str_cstr(&why) : "OpenSSL refuses it");
	str_done(&why);
	return -1;
}

/* A key that wants a password is no use to a daemon. */
static int no_password(char *to, int size, int is_writing, void *data)
{
	(void)to;
	(void)size;
	(void)is_writing;
	(void)data;
	return -1;
}

static int load_anchors(SSL_CTX *ctx, const struct tls_settings *s,
			struct err *err)
{
	/* A folder is looked into when needed; the system's file takes 45 ms */
	const char *folder = s->ca_path;

	if (s->ca_file == NULL && s->ca_path == NULL)
		folder = X509_get_default_cert_dir();
	if (s->ca_file != NULL &&
	    SSL_CTX_load_verify_file(ctx, s->ca_file) != 1)
		return fail_by_openssl(err, "CA file", s->ca_file);
	if (folder != NULL && SSL_CTX_load_verify_dir(ctx, folder) != 1)
		return fail_by_openssl(err, "CA folder", folder);
	return 0;
}

static int load_pair(SSL_CTX *ctx, const struct tls_pair *pair, struct err *err)
{
	if (SSL_CTX_use_certificate_chain_file(ctx, pair->cert_file) != 1)
		return fail_by_openssl(err, "certificate", pair->cert_file);
	if (SSL_CTX_use_PrivateKey_file(ctx, pair->key_file,
					SSL_FILETYPE_PEM) != 1)
		return fail_by_openssl(err, "key", pair->key_file);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return fail_by_openssl(err, "key", pair->key_file);
	return 0;
}

static int set_up(SSL_CTX *ctx, const struct tls_settings *s, struct err *err)
{
	static const int versions[TLS_PROTOCOLS] = {
		[TLS_PROTOCOL_1_0] = TLS1_VERSION,
		[TLS_PROTOCOL_1_1] = TLS1_1_VERSION,
		[TLS_PROTOCOL_1_2] = TLS1_2_VERSION,
		[TLS_PROTOCOL_1_3] = TLS1_3_VERSION,
	};
	const char *ciphers =
	    s->cipher_list != NULL ? s->cipher_list : default_ciphers;

	/* An end of file without close_notify is an end of file. */
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION |
				     SSL_OP_NO_RENEGOTIATION |
				     SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
						SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, tls_session_new);
	SSL_CTX_set_default_passwd_cb(ctx, no_password);
	if (SSL_CTX_dane_enable(ctx) != 1 ||
	    SSL_CTX_set_min_proto_version(ctx, versions[s->min_protocol]) !=
		1 ||
	    SSL_CTX_set_max_proto_version(ctx, versions[s->max_protocol]) != 1)
		return fail_by_openssl(err, "TLS", NULL);
	if (SSL_CTX_set_cipher_list(ctx, ciphers) != 1)
		return fail_by_openssl(err, "cipher list", ciphers);
	if (s->cipher_suites != NULL &&
	    SSL_CTX_set_ciphersuites(ctx, s->cipher_suites) != 1)
		return fail_by_openssl(err, "cipher suites", s->cipher_suites);
	if (s->groups != NULL && SSL_CTX_set1_groups_list(ctx, s->groups) != 1)
		return fail_by_openssl(err, "groups", s->groups);
	if (load_anchors(ctx, s, err) < 0)
		return -1;
	for (size_t i = 0; i < s->n_pairs; i++)
		if (load_pair(ctx, &s->pairs[i], err) < 0)
			return -1;
	return 0;
}

/* A session must not outlive the anchors that its chain was judged by. */
static void stamp_file(struct str *to, const char *name)
{
	struct stat st;

	if (name == NULL || stat(name, &st) < 0)
		return;
	str_addf(to, " %ju-%ju-%jd-%jd.%09ld", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino, (intmax_t)st.st_size,
		 (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static void stamp(struct str *to, const struct tls_settings *s)
{
	stamp_file(to, s->ca_file);
	stamp_file(to, s->ca_path);
	if (s->ca_file == NULL && s->ca_path == NULL)
		stamp_file(to, X509_get_default_cert_dir());
	for (size_t i = 0; i < s->n_pairs; i++)
		stamp_file(to, s->pairs[i].cert_file);
}

static struct tls_context *find_context(struct tls_client *client,
					const struct tls_settings *s,
					struct err *err)
{
	struct tls_context *context = client->contexts;
	struct str key = STR_INIT;
	SSL_CTX *ctx;

	tls_settings_key_print(&key, s);
	while (context != NULL &&
	       !slice_eq(str_slice(&context->key), str_slice(&key)))
		context = context->next;
	if (context != NULL)
		goto out;
	ERR_clear_error();
	if (client->method == NULL)
		client->method = tls_link_method();
	ctx = SSL_CTX_new(TLS_client_method());
	if (ctx == NULL || client->method == NULL) {
		fail_by_openssl(err, "TLS", NULL);
		goto out;
	}
	context = mem_zero(1, sizeof(*context));
	stamp(&context->stamp, s);
	if (set_up(ctx, s, err) < 0) {
		SSL_CTX_free(ctx);
		str_done(&context->stamp);
		free(context);
		context = NULL;
		goto out;
	}
	context->ctx = ctx;
	context->key = key;
	key = STR_INIT;
	context->next = client->contexts;
	client->contexts = context;
out:
	str_done(&key);
	return context;
}

int tls_client_check(struct tls_client *client,
		     const struct tls_settings *settings, struct err *err)
{
	return find_context(client, settings, err) != NULL ? 0 : -1;
}

/* ---- the handshake ------------------------------------------------------ */

static void fail(struct tls_outcome *o, struct arena *a, enum tls_fault fault,
		 const char *text)
{
	o->is_ok = false;
	o->fault = fault;
	o->text = arena_dup(a, slice_of(text));
}

/* OpenSSL calls it when the server has asked for our certificate. */
static int note_wanted(SSL *ssl, void *link)
{
	struct tls_link *l = link;

	(void)ssl;
	l->wanted_certificate = true;
	return 1;
}

/* Tells OpenSSL what this one connection needs. */
static bool prepare(struct tls_link *l, enum tls_fault *ret_fault,
		    const char **ret_text)
{
	const struct tls_how *how = l->how;
	const struct tls_decision *d = how->decision;

	if (d->sni.len > 0) {
		struct str name = STR_INIT;
		bool is_set;

		str_add(&name, d->sni);
		is_set = !slice_has_control(d->sni) &&
			 SSL_set_tlsext_host_name(l->ssl, str_cstr(&name)) == 1;
		str_done(&name);
		if (!is_set) {
			*ret_fault = TLS_FAULT_SETTINGS;
			*ret_text = "the name for SNI is none";
			return false;
		}
	}
	if (d->need < TLS_NEED_DANE) {
		/* Nobody is authenticated: better old than in clear. */
		SSL_set_security_level(l->ssl, 0);
		SSL_set_options(l->ssl, SSL_OP_LEGACY_SERVER_CONNECT);
	}
	if (!how->settings->is_cached)
		SSL_set_options(l->ssl, SSL_OP_NO_TICKET);
	SSL_set_cert_cb(l->ssl, note_wanted, l);
	if (how->wants_trace) {
		SSL_set_msg_callback(l->ssl, tls_info_trace);
		SSL_set_msg_callback_arg(l->ssl, l);
	}
	return tls_verify_prepare(l, ret_fault, ret_text);
}

/* What a reason code of OpenSSL means for us. */
static enum tls_fault classify(int reason)
{
	switch (reason) {
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
	case SSL_R_BAD_RECORD_TYPE:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
		return TLS_FAULT_GARBAGE;
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_VERSION_TOO_LOW:
	case SSL_R_VERSION_TOO_HIGH:
	case SSL_R_WRONG_SSL_VERSION:
	case SSL_R_NO_PROTOCOLS_AVAILABLE:
	case SSL_AD_REASON_OFFSET + SSL_AD_PROTOCOL_VERSION:
		return TLS_FAULT_PROTOCOL;
	default:
		return tls_link_is_alert(reason) ? TLS_FAULT_ALERT
						 : TLS_FAULT_HANDSHAKE;
	}
}

static void fail_handshake(struct tls_link *l, struct arena *a,
			   struct tls_outcome *o)
{
	static const char *const starts[TLS_FAULTS] = {
		[TLS_FAULT_GARBAGE] = "remote does not speak TLS",
		[TLS_FAULT_PROTOCOL] = "no TLS version in common",
		[TLS_FAULT_ALERT] = "remote refused the TLS handshake",
		[TLS_FAULT_HANDSHAKE] = "TLS handshake failed",
	};
	struct str why = STR_INIT;
	int reason = tls_link_error(&why);
	enum tls_fault fault;

	if (l->read_errno != 0 || l->saw_end) {
		fail(o, a, TLS_FAULT_CLOSED,
		     "remote hung up in the TLS handshake");
		if (l->read_errno != 0)
			o->text = arena_printf(
			    a, "connection lost in the TLS handshake: %s",
			    strerror(l->read_errno));
	} else {
		fault = classify(reason);
		fail(o, a, fault, starts[fault]);
		if (why.len > 0)
			o->text = arena_printf(a, "%s (%s)", starts[fault],
					       str_cstr(&why));
	}
	str_done(&why);
}

/* Shakes hands until the deadline. */
static bool shake(struct tls_link *l, struct arena *a, struct tls_outcome *o)
{
	const struct tls_how *how = l->how;

	for (;;) {
		enum conn_result idle;
		int r, e;

		tls_link_begin(l, how->deadline);
		ERR_clear_error();
		r = SSL_connect(l->ssl);
		e = SSL_get_error(l->ssl, r);
		if (r == 1) {
			tls_link_hold(l);
			return true;
		}
		tls_link_send(l);
		if (e != SSL_ERROR_WANT_READ) {
			fail_handshake(l, a, o);
			return false;
		}
		idle = tls_link_idle(l);
		if (idle != CONN_OK && how->should_stop != NULL &&
		    how->should_stop()) {
			fail(o, a, TLS_FAULT_STOPPED,
			     "stopped in the TLS handshake");
			return false;
		}
		if (conn_now() >= how->deadline) {
			fail(o, a, TLS_FAULT_TIMEOUT,
			     "no end of the TLS handshake in time");
			return false;
		}
	}
}

/* The link only remembers what the call borrowed while the call lasts. */
static void let_go(struct tls_link *l, struct tls_outcome *o)
{
	o->wanted_certificate = l->wanted_certificate;
	o->trace = l->trace;
	o->n_trace = l->n_trace;
	SSL_set_msg_callback(l->ssl, NULL);
	SSL_set_cert_cb(l->ssl, NULL, NULL);
	SSL_set_verify(l->ssl, SSL_VERIFY_NONE, NULL);
	l->how = NULL;
	l->arena = NULL;
}

bool tls_start(struct tls_client *client, struct conn *c,
	       const struct tls_how *how, struct arena *a,
	       struct tls_outcome *ret)
{
	struct tls_outcome o = { .record = SIZE_MAX };
	struct tls_context *context;
	struct tls_link *l;
	const char *text = "";
	struct err err;

	assert(how->decision->need >= TLS_NEED_MAY &&
	       how->decision->need <= TLS_NEED_NAME);
	assert(c->layer == NULL);
	*ret = o;
	context = find_context(client, how->settings, &err);
	if (context == NULL) {
		fail(ret, a, TLS_FAULT_SETTINGS, err.text);
		return false;
	}
	l = tls_link_new(client, context, c);
	if (l == NULL) {
		fail(ret, a, TLS_FAULT_SETTINGS, "TLS: no memory");
		return false;
	}
	l->how = how;
	l->arena = a;
	if (!prepare(l, &o.fault, &text)) {
		fail(&o, a, o.fault, text);
		goto out;
	}
	tls_session_key(l, context);
	o.was_offered = tls_session_offer(l);
	if (!shake(l, a, &o)) {
		if (o.was_offered && o.fault != TLS_FAULT_STOPPED)
			tls_session_forget(l);
		goto out;
	}
	tls_info_fill(l, a, &o);
	tls_verify_judge(l, a, &o);
	l->is_shaken = true;
	l->is_up = o.is_ok;
	if (l->is_up)
		tls_session_accept(l);
out:
	let_go(l, &o);
	*ret = o;
	return o.is_ok;
}
