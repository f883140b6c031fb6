/*
 * tls_settings.h - what the TLS library is told for a destination, as data.
 *
 * conf reads it from smtp-tls.conf and the policy file, net gives it to
 * OpenSSL; the two are blind to each other and meet here. What a server must
 * prove is not here but in struct tls_decision (policy/tls.h), and so are the
 * names to compare and the one that the server is told (SNI).
 *
 * Plain data: everything is borrowed from whoever read it, which is the
 * configuration's arena and lives as long as the agent. Text is NUL
 * terminated, since OpenSSL wants it so; it has been checked for control
 * bytes, and that is all: whether OpenSSL knows a cipher is OpenSSL's to say.
 */
#ifndef POLICY_TLS_SETTINGS_H
#define POLICY_TLS_SETTINGS_H

#include "base/str.h"

/* In order. Versions before 1.2 (RFC 8996) only where somebody wrote them. */
enum tls_protocol {
	TLS_PROTOCOL_1_0,
	TLS_PROTOCOL_1_1,
	TLS_PROTOCOL_1_2,
	TLS_PROTOCOL_1_3,
	TLS_PROTOCOLS /* how many there are */
};

enum {
	TLS_PAIRS_MAX = 2,		 /* two key types, as RSA and ECDSA */
	TLS_SESSION_SECONDS = 3600,	 /* the default of session_seconds */
	TLS_SESSION_SECONDS_MAX = 604800 /* RFC 8446 4.6.1: seven days */
};

/* A client certificate: PEM files. */
struct tls_pair {
	const char *cert_file; /* the chain, our own certificate first */
	const char *key_file;  /* may be the same file; never NULL */
};

struct tls_settings {
	enum tls_protocol min_protocol, max_protocol; /* min <= max */
	/*
	 * OpenSSL's strings; NULL is net's own choice, which depends on the
	 * need: a peer with old parameters is better than clear text only
	 * where clear text would do as well (RFC 7435 3).
	 */
	const char *cipher_list;   /* up to TLS 1.2 */
	const char *cipher_suites; /* TLS 1.3 */
	const char *groups;	   /* key exchange, "X25519:P-256" */
	/*
	 * Trust anchors: a PEM file, a folder in OpenSSL's hashed form, or
	 * both together. Both NULL: those of the system.
	 */
	const char *ca_file, *ca_path;
	/* The client certificates; a server picks the type it knows. */
	struct tls_pair pairs[TLS_PAIRS_MAX];
	size_t n_pairs;
	/* May sessions be kept and resumed, and for how long at most? */
	bool is_cached;
	unsigned session_seconds;
};

/* What holds where nobody configured anything. */
#define TLS_SETTINGS_DEFAULT                        \
	((struct tls_settings){                     \
	    .min_protocol = TLS_PROTOCOL_1_2,       \
	    .max_protocol = TLS_PROTOCOL_1_3,       \
	    .is_cached = true,                      \
	    .session_seconds = TLS_SESSION_SECONDS, \
	})

/*
 * Adds the settings as one canonical line of printable ASCII. Two settings
 * give the same line exactly if OpenSSL is told the same (is_cached and
 * session_seconds apart, which it is not told): it is the key under which
 * contexts are kept, and the first part of the key of a session that is
 * shared; see tls_decision_key_print() for the other. Files stand in it by
 * name: whoever keeps keys longer than a process must see to it that a file
 * may have changed.
 */
void tls_settings_key_print(struct str *to, const struct tls_settings *s);

/* Does OpenSSL have to be told the same? Just what the key says. */
bool tls_settings_eq(const struct tls_settings *a,
		     const struct tls_settings *b);

/* "TLSv1.2"; OpenSSL's and Postfix's spelling, 1.0 being "TLSv1". */
const char *tls_protocol_word(enum tls_protocol protocol);

/* Any case; "TLSv1.0" is "TLSv1". False, leaving *ret alone, if unknown. */
bool tls_protocol_read(struct slice word, enum tls_protocol *ret);

#endif
