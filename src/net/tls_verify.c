/*
 * tls_verify.c - what the peer must prove, and whether it did.
 *
 * OpenSSL builds and checks the chain, compares names and TLSA records (RFC
 * 7671, 7672); it is told to go on whatever it finds, and every complaint is
 * noted. A need is met only if there was none; and, for DANE, if OpenSSL names
 * the record that matched. Fingerprints are compared here.
 */
#include "base/keyword.h"
#include "base/mem.h"
#include "net/tls_internal.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

enum { USAGE_TA = 2, SELECTOR_KEY = 1, MATCHING_FULL = 0 };
enum { COMPLAINTS_MAX = 64 }; /* more of one chain say nothing new */

/* Names from subjectAltName alone; "*" only as a whole label. */
enum {
	NAME_FLAGS = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
		     X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS
};

/* ---- before ------------------------------------------------------------- */

/* OpenSSL's call for each thing it finds; always goes on. */
static int note_complaint(int is_good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(
	    store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_link *l = SSL_get_app_data(ssl);
	struct tls_complaints *all = &l->complaints;

	if (is_good != 0 || all->n == COMPLAINTS_MAX)
		return 1;
	all->items =
	    mem_grow(all->items, &all->cap, all->n + 1, sizeof(*all->items));
	all->items[all->n++] =
	    (struct tls_complaint){ X509_STORE_CTX_get_error_depth(store),
				    X509_STORE_CTX_get_error(store) };
	return 1;
}

/* A name that OpenSSL can compare: a C string, and not empty. */
static bool is_name(struct slice name)
{
	return name.len > 0 && !slice_has_control(name);
}

static bool compares_names(const struct tls_decision *d)
{
	return d->need == TLS_NEED_NAME || d->need == TLS_NEED_DANE ||
	       d->is_audited;
}

/* Returns how many names there are, or -1. */
static int add_names(SSL *ssl, const struct tls_decision *d)
{
	int n = 0;

	SSL_set_hostflags(ssl, NAME_FLAGS);
	for (size_t i = 0; i < d->n_names; i++) {
		struct str name = STR_INIT;
		int r;

		if (!is_name(d->names[i]))
			continue;
		str_add(&name, d->names[i]);
		r = n == 0 ? SSL_set1_host(ssl, str_cstr(&name))
			   : SSL_add1_host(ssl, str_cstr(&name));
		str_done(&name);
		if (r != 1)
			return -1;
		n++;
	}
	return n;
}

bool tls_verify_is_used(const struct tls_how *how, size_t record)
{
	return how->uses == NULL || how->uses[record] == DANE_USED;
}

/*
 * Returns how many records OpenSSL takes, or -1. Without names a record of
 * usage DANE-TA would let everybody in whom that authority knows.
 */
static int add_records(struct tls_link *l, bool has_names)
{
	const struct tls_how *how = l->how;
	int n = 0;

	for (size_t i = 0; i < how->n_records; i++) {
		const struct dane_record *r = &how->records[i];
		int added;

		if (!tls_verify_is_used(how, i) ||
		    (r->usage == USAGE_TA && !has_names))
			continue;
		added = SSL_dane_tlsa_add(
		    l->ssl, r->usage, r->selector, r->matching,
		    (const unsigned char *)r->data.p, r->data.len);
		if (added < 0)
			return -1;
		n += added;
	}
	ERR_clear_error(); /* what was not taken */
	return n;
}

static bool prepare_dane(struct tls_link *l, enum tls_fault *ret_fault,
			 const char **ret_text)
{
	const struct tls_decision *d = l->how->decision;
	const char *sni = SSL_get_servername(l->ssl, TLSEXT_NAMETYPE_host_name);
	int n, n_names;

	/* It takes its argument for SNI and for a name; both come after. */
	if (SSL_dane_enable(l->ssl, sni) != 1)
		goto failed;
	SSL_dane_set_flags(l->ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	if (SSL_set1_host(l->ssl, NULL) != 1)
		goto failed;
	n_names = add_names(l->ssl, d);
	if (n_names < 0)
		goto failed;
	n = add_records(l, n_names > 0);
	if (n > 0)
		return true;
	*ret_fault = TLS_FAULT_TLSA_INVALID;
	*ret_text = "none of the TLSA records can be used";
	return false;
failed:
	*ret_fault = TLS_FAULT_SETTINGS;
	*ret_text = "DANE cannot be prepared";
	return false;
}

bool tls_verify_prepare(struct tls_link *l, enum tls_fault *ret_fault,
			const char **ret_text)
{
	const struct tls_decision *d = l->how->decision;

	SSL_set_verify(l->ssl, SSL_VERIFY_NONE, note_complaint);
	if (l->client->clock != NULL)
		X509_VERIFY_PARAM_set_time(SSL_get0_param(l->ssl),
					   (time_t)tls_client_now(l->client));
	if (d->need == TLS_NEED_DANE)
		return prepare_dane(l, ret_fault, ret_text);
	if (compares_names(d)) {
		int n = add_names(l->ssl, d);

		if (n < 0 || (n == 0 && d->need == TLS_NEED_NAME)) {
			*ret_fault = TLS_FAULT_SETTINGS;
			*ret_text = "there is no name to compare";
			return false;
		}
	}
	return true;
}

bool tls_is_record_usable(const struct dane_record *r)
{
	const unsigned char *p = (const unsigned char *)r->data.p;
	const unsigned char *end = p + r->data.len;
	bool is_usable;

	if (r->matching != MATCHING_FULL)
		return true;
	if (r->data.len > LONG_MAX)
		return false;
	ERR_clear_error();
	if (r->selector == SELECTOR_KEY) {
		EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)r->data.len);

		is_usable = key != NULL && p == end;
		EVP_PKEY_free(key);
	} else {
		X509 *x = d2i_X509(NULL, &p, (long)r->data.len);

		is_usable =
		    x != NULL && p == end && X509_get0_pubkey(x) != NULL;
		X509_free(x);
	}
	ERR_clear_error();
	return is_usable;
}

/* ---- digests ------------------------------------------------------------ */

void tls_verify_record_digest(const struct dane_record *r,
			      unsigned char ret[TLS_DIGEST])
{
	struct str text = STR_INIT;

	str_addf(&text, "%u %u %u ", r->usage, r->selector, r->matching);
	str_add(&text, r->data);
	if (EVP_Digest(text.p, text.len, ret, NULL, EVP_sha256(), NULL) != 1)
		mem_exhausted();
	str_done(&text);
}

/* Is it the digest, by its length, of these bytes? */
static bool is_digest_of(struct slice digest, const unsigned char *der, int len)
{
	unsigned char got[EVP_MAX_MD_SIZE];
	const EVP_MD *md = digest.len == 64 ? EVP_sha512() : EVP_sha256();
	unsigned n = 0;

	return len > 0 &&
	       EVP_Digest(der, (size_t)len, got, &n, md, NULL) == 1 &&
	       n == digest.len && memcmp(got, digest.p, n) == 0;
}

static bool has_fingerprint(X509 *x, const struct tls_decision *d)
{
	unsigned char *der = NULL, *key = NULL;
	int len = i2d_X509(x, &der);
	int key_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &key);
	bool found = false;

	for (size_t i = 0; i < d->n_fingerprints && !found; i++)
		found = is_digest_of(d->fingerprints[i], der, len) ||
			is_digest_of(d->fingerprints[i], key, key_len);
	OPENSSL_free(der);
	OPENSSL_free(key);
	return found;
}

static bool has_name(X509 *x, const struct tls_decision *d)
{
	for (size_t i = 0; i < d->n_names; i++)
		if (is_name(d->names[i]) &&
		    X509_check_host(x, d->names[i].p, d->names[i].len,
				    NAME_FLAGS, NULL) == 1)
			return true;
	return false;
}

/* Index of the record with this digest among those that are used. */
static size_t find_record(const struct tls_how *how,
			  const unsigned char digest[TLS_DIGEST])
{
	unsigned char other[TLS_DIGEST];

	for (size_t i = 0; i < how->n_records; i++) {
		if (!tls_verify_is_used(how, i))
			continue;
		tls_verify_record_digest(&how->records[i], other);
		if (memcmp(other, digest, TLS_DIGEST) == 0)
			return i;
	}
	return SIZE_MAX;
}

bool tls_verify_still(const struct tls_how *how, X509 *certificate,
		      const struct tls_proof *proof)
{
	const struct tls_decision *d = how->decision;

	switch (d->need) {
	case TLS_NEED_DANE:
		return proof->verdict == TLS_MATCHED_DANE &&
		       proof->has_record &&
		       find_record(how, proof->record) != SIZE_MAX;
	case TLS_NEED_FINGERPRINT:
		return proof->verdict == TLS_MATCHED_FINGERPRINT &&
		       certificate != NULL && has_fingerprint(certificate, d);
	case TLS_NEED_NAME:
		return proof->verdict == TLS_MATCHED_NAME &&
		       certificate != NULL && has_name(certificate, d);
	default:
		return true;
	}
}

/* ---- complaints --------------------------------------------------------- */

static enum tls_fault fault_of(int code)
{
	switch (code) {
	case X509_V_ERR_DANE_NO_MATCH:
		return TLS_FAULT_TLSA;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_UNTRUSTED:
	case X509_V_ERR_CERT_REJECTED:
		return TLS_FAULT_NOT_TRUSTED;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return TLS_FAULT_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TLS_FAULT_NOT_YET;
	case X509_V_ERR_HOSTNAME_MISMATCH:
		return TLS_FAULT_NAME;
	default:
		return TLS_FAULT_CHAIN;
	}
}

/* Of several faults the first of these is told. */
static const enum tls_fault order[] = {
	TLS_FAULT_TLSA,	   TLS_FAULT_NOT_TRUSTED, TLS_FAULT_EXPIRED,
	TLS_FAULT_NOT_YET, TLS_FAULT_CHAIN,	  TLS_FAULT_NAME,
};

static const struct tls_complaint *find_complaint(const struct tls_link *l,
						  enum tls_fault fault)
{
	for (size_t i = 0; i < l->complaints.n; i++)
		if (fault_of(l->complaints.items[i].code) == fault)
			return &l->complaints.items[i];
	return NULL;
}

/* The fault that counts; names apart if they were not needed. */
static enum tls_fault worst_fault(const struct tls_link *l, bool with_names)
{
	for (size_t i = 0; i < COUNT(order); i++)
		if (find_complaint(l, order[i]) != NULL &&
		    (with_names || order[i] != TLS_FAULT_NAME))
			return order[i];
	if (l->complaints.n == 0 && SSL_get_verify_result(l->ssl) != X509_V_OK)
		return TLS_FAULT_CHAIN;
	return TLS_FAULT_NONE;
}

/* "a, b or c" */
static void add_wanted(struct str *to, const struct tls_decision *d)
{
	for (size_t i = 0; i < d->n_names; i++) {
		if (i > 0)
			str_adds(to, i + 1 == d->n_names ? " or " : ", ");
		str_add_clean(to, d->names[i], SIZE_MAX);
	}
}

/* One clause about a chain that is no good. */
static struct slice explain(const struct tls_link *l, enum tls_fault fault,
			    const struct tls_outcome *o, struct arena *a)
{
	static const char *const starts[TLS_FAULTS] = {
		[TLS_FAULT_TLSA] = "no TLSA record matches the certificate",
		[TLS_FAULT_NOT_TRUSTED] = "the certificate is not trusted",
		[TLS_FAULT_EXPIRED] = "the certificate has expired",
		[TLS_FAULT_NOT_YET] = "the certificate is not valid yet",
		[TLS_FAULT_CHAIN] = "the certificate is not acceptable",
		[TLS_FAULT_NAME] = "the certificate is not one of ",
	};
	const struct tls_complaint *c = find_complaint(l, fault);
	struct str text = STR_INIT;
	struct slice kept;

	str_adds(&text, starts[fault]);
	if (fault == TLS_FAULT_NAME) {
		add_wanted(&text, l->how->decision);
		if (o->n_chain > 0 && o->chain[0].names.len > 0) {
			str_adds(&text, " but of ");
			str_add(&text, o->chain[0].names);
		} else {
			str_adds(&text, ", it has no names at all");
		}
	} else if (c != NULL && fault != TLS_FAULT_TLSA) {
		str_addf(&text, " (%s, depth %d)",
			 X509_verify_cert_error_string(c->code), c->depth);
	}
	kept = arena_dup(a, str_slice(&text));
	str_done(&text);
	return kept;
}

/* ---- the verdict -------------------------------------------------------- */

/* The first moment at which one of the chain is no longer valid. */
static int64_t chain_end(const struct tls_link *l)
{
	STACK_OF(X509) *chain = SSL_get0_verified_chain(l->ssl);
	int64_t end = INT64_MAX;

	for (int i = 0; i < sk_X509_num(chain); i++) {
		int64_t t =
		    tls_info_time(X509_get0_notAfter(sk_X509_value(chain, i)));

		end = t < end ? t : end;
	}
	return end;
}

/* Which record matched; only OpenSSL knows. */
static bool match_record(struct tls_link *l)
{
	const unsigned char *data;
	struct dane_record r;
	size_t len;
	int depth = SSL_get0_dane_authority(l->ssl, NULL, NULL);

	if (depth < 0 || SSL_get0_dane_tlsa(l->ssl, &r.usage, &r.selector,
					    &r.matching, &data, &len) < 0)
		return false;
	r.data = slice_make((const char *)data, len);
	tls_verify_record_digest(&r, l->proof.record);
	l->proof.has_record = true;
	l->proof.depth = depth;
	return true;
}

/* What a full handshake has shown. */
static void prove(struct tls_link *l, X509 *certificate)
{
	const struct tls_decision *d = l->how->decision;
	struct tls_proof *p = &l->proof;
	const char *name = SSL_get0_peername(l->ssl);

	p->judged_at = tls_client_now(l->client);
	p->not_after = INT64_MAX;
	if (certificate == NULL)
		return;
	p->verdict = TLS_UNTRUSTED;
	if (d->need == TLS_NEED_DANE) {
		if (worst_fault(l, true) == TLS_FAULT_NONE && match_record(l))
			p->verdict = TLS_MATCHED_DANE;
		if (p->depth > 0)
			p->not_after = chain_end(l);
	} else if (d->need == TLS_NEED_FINGERPRINT &&
		   has_fingerprint(certificate, d)) {
		p->verdict = TLS_MATCHED_FINGERPRINT;
	} else if (worst_fault(l, false) == TLS_FAULT_NONE) {
		p->verdict =
		    name != NULL && worst_fault(l, true) == TLS_FAULT_NONE
			? TLS_MATCHED_NAME
			: TLS_TRUSTED_UNNAMED;
		p->not_after = chain_end(l);
	}
	if (name != NULL && p->verdict >= TLS_MATCHED_NAME)
		str_add_clean(&p->matched, slice_of(name), 255);
}

/* The fault of a full handshake in view of the need; audited: of names. */
static enum tls_fault find_fault(const struct tls_link *l, enum tls_need need)
{
	enum tls_fault fault;

	if (need < TLS_NEED_DANE)
		return TLS_FAULT_NONE;
	if (l->proof.verdict == TLS_VERDICT_NONE)
		return TLS_FAULT_ANONYMOUS;
	if (need == TLS_NEED_FINGERPRINT)
		return l->proof.verdict == TLS_MATCHED_FINGERPRINT
			   ? TLS_FAULT_NONE
			   : TLS_FAULT_FINGERPRINT;
	if (l->proof.verdict ==
	    (need == TLS_NEED_DANE ? TLS_MATCHED_DANE : TLS_MATCHED_NAME))
		return TLS_FAULT_NONE;
	fault = worst_fault(l, true);
	if (fault == TLS_FAULT_NONE) /* never: OpenSSL contradicts itself */
		fault = TLS_FAULT_CHAIN;
	return fault;
}

static struct slice tell_fault(const struct tls_link *l, enum tls_fault fault,
			       const struct tls_outcome *o, struct arena *a)
{
	switch (fault) {
	case TLS_FAULT_NONE:
		return (struct slice){ 0 };
	case TLS_FAULT_ANONYMOUS:
		return SLICE("remote has no certificate");
	case TLS_FAULT_FINGERPRINT:
		return SLICE("the certificate has none of the fingerprints");
	default:
		return explain(l, fault, o, a);
	}
}

void tls_verify_judge(struct tls_link *l, struct arena *a,
		      struct tls_outcome *o)
{
	const struct tls_decision *d = l->how->decision;

	/* What was resumed was found good when it was judged, or not kept. */
	if (!o->was_resumed) {
		X509 *certificate = SSL_get0_peer_certificate(l->ssl);

		tls_proof_done(&l->proof);
		prove(l, certificate);
		o->fault = find_fault(l, d->need);
		o->text = tell_fault(l, o->fault, o, a);
		if (d->is_audited) {
			o->audit = find_fault(l, TLS_NEED_NAME);
			o->audit_text = tell_fault(l, o->audit, o, a);
		}
	}
	o->is_ok = o->fault == TLS_FAULT_NONE;
	o->verdict = l->proof.verdict;
	o->depth = l->proof.depth;
	o->matched = arena_dup(a, str_slice(&l->proof.matched));
	if (l->proof.has_record)
		o->record = find_record(l->how, l->proof.record);
}
