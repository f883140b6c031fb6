/*
 * tls_session.c - sessions: their keys, and where they are kept.
 *
 * A resumed handshake shows no certificate, so it can only repeat what a full
 * one has shown. It may, if everything that the verdict came from is the same:
 * that is the key. What a key cannot hold is time, so that a session is kept
 * with its proof: when the chain was judged, and until when it is valid.
 * Sessions that come of a resumed one inherit its proof, or a chain once judged
 * would be good for ever. Only a peer that met the need leaves a session.
 *
 * Each session is used once (RFC 8446 C.4); of TLS 1.2 it is put back. Servers
 * hand out two of TLS 1.3: the first stays in memory for this agent, the others
 * go to the shelf for all of them.
 *
 * A session as text:
 *
 *	"zs1" verdict depth has-record record judged-at not-after
 *	matched-length matched DER
 *
 * one byte each for verdict, depth and has-record, 32 for the digest of a
 * record, 8 for a time and 2 for a length, big end first.
 */
#include "base/mem.h"
#include "net/tls_internal.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/opensslv.h>
#include <stdlib.h>
#include <string.h>

enum {
	PURSE_MAX = 256,   /* sessions in memory */
	OFFERS_MAX = 8,	   /* of a shelf, looked at for one handshake */
	TEXT_MAX = 65536,  /* more is no session */
	MATCHED_MAX = 255, /* a name of the DNS */
	KEPT_MAX = 4,	   /* of one connection: a peer may send any number */
};

void tls_proof_done(struct tls_proof *proof)
{
	str_done(&proof->matched);
	*proof = (struct tls_proof){ 0 };
}

/* ---- keys --------------------------------------------------------------- */

static int compare_digests(const void *a, const void *b)
{
	return memcmp(a, b, TLS_DIGEST);
}

/* The records that are used, in whatever order they came. */
static void add_records(struct str *to, const struct tls_how *how)
{
	unsigned char(*all)[TLS_DIGEST] =
	    mem_zero(how->n_records + 1, sizeof(*all));
	size_t n = 0;

	for (size_t i = 0; i < how->n_records; i++)
		if (tls_verify_is_used(how, i))
			tls_verify_record_digest(&how->records[i], all[n++]);
	qsort(all, n, sizeof(*all), compare_digests);
	str_add(to, slice_make((const char *)all, n * sizeof(*all)));
	free(all);
}

void tls_session_key(struct tls_link *l, const struct tls_context *context)
{
	const struct tls_how *how = l->how;
	const struct net_addr *peer = conn_peer(l->conn);
	struct str text = STR_INIT;

	l->seconds =
	    how->settings->is_cached ? how->settings->session_seconds : 0;
	str_addf(&text, "%lx %u\n", (unsigned long)OPENSSL_VERSION_NUMBER,
		 l->seconds);
	str_add(&text, str_slice(&context->key));
	str_add(&text, str_slice(&context->stamp));
	str_addc(&text, '\n');
	tls_decision_key_print(&text, how->decision);
	str_addc(&text, '\n');
	for (size_t i = 0; i < how->host.len; i++)
		str_addc(&text, ascii_lower(how->host.p[i]));
	str_addc(&text, '\n');
	net_addr_print(&text, peer);
	str_addf(&text, " %u\n", net_addr_port(peer));
	if (how->decision->need == TLS_NEED_DANE)
		add_records(&text, how);
	if (EVP_Digest(text.p, text.len, l->key, NULL, EVP_sha256(), NULL) != 1)
		l->seconds = 0; /* no key: nothing is kept */
	str_done(&text);
}

/* ---- sessions as text --------------------------------------------------- */

static void put_number(struct str *to, uint64_t value, int bytes)
{
	while (bytes-- > 0)
		str_addc(to, (char)(value >> (8 * bytes) & 0xff));
}

static void print_session(struct str *to, const struct tls_proof *proof,
			  SSL_SESSION *session)
{
	unsigned char *der = NULL;
	int len = i2d_SSL_SESSION(session, &der);

	if (len <= 0)
		return;
	str_adds(to, "zs1");
	put_number(to, proof->verdict, 1);
	put_number(to, (uint64_t)proof->depth, 1);
	put_number(to, proof->has_record, 1);
	str_add(to, slice_make((const char *)proof->record, TLS_DIGEST));
	put_number(to, (uint64_t)proof->judged_at, 8);
	put_number(to, (uint64_t)proof->not_after, 8);
	put_number(to, proof->matched.len, 2);
	str_add(to, str_slice(&proof->matched));
	str_add(to, slice_make((const char *)der, (size_t)len));
	OPENSSL_free(der);
}

/* Cuts a number off; false if there are not so many bytes. */
static bool get_number(struct slice *rest, int bytes, uint64_t *ret)
{
	uint64_t value = 0;

	if (rest->len < (size_t)bytes)
		return false;
	for (int i = 0; i < bytes; i++)
		value = value << 8 | (unsigned char)rest->p[i];
	*rest = slice_from(*rest, (size_t)bytes);
	*ret = value;
	return true;
}

static bool get_proof(struct slice *rest, struct tls_proof *p)
{
	uint64_t verdict, depth, has_record, judged_at, not_after, len;

	if (!slice_starts(*rest, SLICE("zs1")))
		return false;
	*rest = slice_from(*rest, 3);
	if (!get_number(rest, 1, &verdict) || verdict >= TLS_VERDICTS ||
	    !get_number(rest, 1, &depth) || !get_number(rest, 1, &has_record) ||
	    rest->len < TLS_DIGEST)
		return false;
	memcpy(p->record, rest->p, TLS_DIGEST);
	*rest = slice_from(*rest, TLS_DIGEST);
	if (!get_number(rest, 8, &judged_at) || judged_at > INT64_MAX ||
	    !get_number(rest, 8, &not_after) || not_after > INT64_MAX ||
	    !get_number(rest, 2, &len) || len > MATCHED_MAX || len > rest->len)
		return false;
	p->verdict = (enum tls_verdict)verdict;
	p->depth = (int)depth;
	p->has_record = has_record != 0;
	p->judged_at = (int64_t)judged_at;
	p->not_after = (int64_t)not_after;
	str_add_clean(&p->matched, slice_head(*rest, len), SIZE_MAX);
	*rest = slice_from(*rest, len);
	return true;
}

/* The session of a text with its proof; NULL if it is none. */
static SSL_SESSION *read_session(struct slice text, struct tls_proof *proof)
{
	const unsigned char *p;
	SSL_SESSION *session;

	if (text.len > TEXT_MAX || !get_proof(&text, proof))
		return NULL;
	ERR_clear_error();
	p = (const unsigned char *)text.p;
	session = d2i_SSL_SESSION(NULL, &p, (long)text.len);
	ERR_clear_error();
	return session;
}

/* ---- the purse: in memory ----------------------------------------------- */

static void purse_remove(struct tls_purse *purse, size_t i)
{
	struct tls_ticket *t = &purse->items[i];

	SSL_SESSION_free(t->session);
	tls_proof_done(&t->proof);
	purse->n--;
	memmove(t, t + 1, (purse->n - i) * sizeof(*t));
}

static bool purse_has(const struct tls_purse *purse, const unsigned char *key)
{
	for (size_t i = 0; i < purse->n; i++)
		if (memcmp(purse->items[i].key, key, TLS_DIGEST) == 0)
			return true;
	return false;
}

/* Takes the newest of a key with its proof, for the caller; NULL: none. */
static SSL_SESSION *purse_take(struct tls_purse *purse,
			       const unsigned char *key,
			       struct tls_proof *proof)
{
	for (size_t i = purse->n; i-- > 0;) {
		struct tls_ticket *t = &purse->items[i];
		SSL_SESSION *session = t->session;

		if (memcmp(t->key, key, TLS_DIGEST) != 0)
			continue;
		*proof = t->proof;
		t->session = NULL;
		t->proof = (struct tls_proof){ 0 };
		purse_remove(purse, i);
		return session;
	}
	return NULL;
}

static void copy_proof(struct tls_proof *to, const struct tls_proof *from)
{
	*to = *from;
	to->matched = STR_INIT;
	str_add(&to->matched, str_slice(&from->matched));
}

static void purse_put(struct tls_purse *purse, const unsigned char *key,
		      SSL_SESSION *session, const struct tls_proof *proof,
		      int64_t expires)
{
	struct tls_ticket *t;

	if (SSL_SESSION_up_ref(session) != 1)
		return;
	if (purse->n == PURSE_MAX)
		purse_remove(purse, 0);
	purse->items = mem_grow(purse->items, &purse->cap, purse->n + 1,
				sizeof(*purse->items));
	t = &purse->items[purse->n++];
	*t = (struct tls_ticket){ .session = session, .expires = expires };
	memcpy(t->key, key, TLS_DIGEST);
	copy_proof(&t->proof, proof);
}

/* ---- keeping ------------------------------------------------------------ */

static struct slice key_slice(const unsigned char *key)
{
	return slice_make((const char *)key, TLS_DIGEST);
}

static void shelve(const struct tls_client *client, const unsigned char *key,
		   SSL_SESSION *session, const struct tls_proof *proof,
		   int64_t expires)
{
	struct str text = STR_INIT;

	if (client->shelf.put == NULL || expires <= tls_client_now(client))
		return;
	print_session(&text, proof, session);
	if (text.len > 0 && text.len <= TEXT_MAX)
		client->shelf.put(client->shelf.context, key_slice(key),
				  str_slice(&text), expires);
	str_done(&text);
}

/* Until when a session is of use. */
static int64_t expiry(const struct tls_link *l, const SSL_SESSION *session)
{
	int64_t end = l->proof.judged_at + (int64_t)l->seconds;
	int64_t own = (int64_t)SSL_SESSION_get_time(session) +
		      (int64_t)SSL_SESSION_get_timeout(session);
	unsigned long hint = SSL_SESSION_get_ticket_lifetime_hint(session);

	if (hint != 0)
		own = (int64_t)SSL_SESSION_get_time(session) + (int64_t)hint;
	end = own < end ? own : end;
	return l->proof.not_after < end ? l->proof.not_after : end;
}

static void keep(struct tls_link *l, SSL_SESSION *session)
{
	struct tls_client *client = l->client;
	int64_t expires;

	if (l->n_kept == KEPT_MAX || SSL_SESSION_is_resumable(session) == 0)
		return;
	expires = expiry(l, session);
	if (expires <= tls_client_now(client))
		return;
	l->n_kept++;
	if (!purse_has(&client->purse, l->key))
		purse_put(&client->purse, l->key, session, &l->proof, expires);
	else
		shelve(client, l->key, session, &l->proof, expires);
}

int tls_session_new(SSL *ssl, SSL_SESSION *session)
{
	struct tls_link *l = SSL_get_app_data(ssl);

	if (l->seconds == 0)
		return 0;
	if (l->may_keep) {
		keep(l, session);
		return 0;
	}
	if (l->early != NULL)
		return 0;
	l->early = session;
	return 1;
}

/* Is there nothing about this peer that has to be reported each time? */
static bool is_report_clean(const struct tls_link *l)
{
	return !l->how->decision->is_audited ||
	       l->proof.verdict == TLS_MATCHED_NAME;
}

void tls_session_accept(struct tls_link *l)
{
	if (l->seconds == 0 || !is_report_clean(l)) {
		l->seconds = 0;
		return;
	}
	l->may_keep = true;
	if (l->early != NULL)
		keep(l, l->early);
	else if (SSL_session_reused(l->ssl) != 0 &&
		 SSL_version(l->ssl) < TLS1_3_VERSION)
		keep(l, SSL_get0_session(l->ssl)); /* may serve again */
	SSL_SESSION_free(l->early);
	l->early = NULL;
}

/* ---- offering ----------------------------------------------------------- */

/* Cuts one of the shelf's off; false: it has none. */
static bool take_text(const struct tls_link *l, struct str *to)
{
	const struct tls_shelf *shelf = &l->client->shelf;

	str_clear(to);
	return shelf->take != NULL &&
	       shelf->take(shelf->context, key_slice(l->key), to);
}

/*
 * Takes a session of the key, for the caller, and its proof; *ret is NULL if
 * it was none. False: there are no more.
 */
static bool take_session(struct tls_link *l, SSL_SESSION **ret)
{
	struct str text = STR_INIT;
	bool has_text;

	*ret = purse_take(&l->client->purse, l->key, &l->proof);
	if (*ret != NULL)
		return true;
	has_text = take_text(l, &text);
	if (has_text)
		*ret = read_session(str_slice(&text), &l->proof);
	str_done(&text);
	return has_text;
}

/* Is its verdict what a full handshake would come to today? */
static bool is_good(const struct tls_link *l, SSL_SESSION *session,
		    const struct tls_proof *proof)
{
	int64_t now = tls_client_now(l->client);

	return SSL_SESSION_is_resumable(session) != 0 &&
	       now >= proof->judged_at &&
	       now - proof->judged_at < (int64_t)l->seconds &&
	       now < proof->not_after &&
	       tls_verify_still(l->how, SSL_SESSION_get0_peer(session), proof);
}

bool tls_session_offer(struct tls_link *l)
{
	bool was_offered = false;
	SSL_SESSION *session;

	if (l->seconds == 0 || l->how->wants_chain)
		return false;
	for (int i = 0; i < OFFERS_MAX && !was_offered; i++) {
		if (!take_session(l, &session))
			break;
		if (session != NULL && is_good(l, session, &l->proof))
			was_offered = SSL_set_session(l->ssl, session) == 1;
		SSL_SESSION_free(session);
		if (!was_offered)
			tls_proof_done(&l->proof);
	}
	return was_offered;
}

void tls_session_forget(struct tls_link *l)
{
	struct tls_proof proof = { 0 };
	struct str text = STR_INIT;
	SSL_SESSION *session;

	while ((session = purse_take(&l->client->purse, l->key, &proof)) !=
	       NULL) {
		SSL_SESSION_free(session);
		tls_proof_done(&proof);
	}
	for (int i = 0; i < PURSE_MAX && take_text(l, &text); i++)
		;
	str_done(&text);
}

void tls_session_spill(struct tls_client *client)
{
	struct tls_purse *purse = &client->purse;

	while (purse->n > 0) {
		const struct tls_ticket *t = &purse->items[0];

		shelve(client, t->key, t->session, &t->proof, t->expires);
		purse_remove(purse, 0);
	}
	free(purse->items);
	*purse = (struct tls_purse){ 0 };
}
