/*
 * tls.h - what security does this host need before it may be given this mail?
 *
 * A decision as data: (need, reason, evidence) from facts that others found:
 * what the DNS said and how far it is to be believed (RFC 7672), the domain's
 * MTA-STS policy (RFC 8461), what the postmaster wrote, what the message asks
 * for (RFC 8689). Whoever makes the connection enforces the need and never
 * weakens it: no MAIL before it holds, a new connection before clear text.
 *
 * The rules are one table, tls_rows, which smtp-tls.conf(5) prints: the first
 * row that fits the facts decides. Three things stand beside it:
 * demand-tls-mode makes at least TLS_NEED_ENCRYPT of whatever the table says; a
 * host with an account that would get TLS from anybody has to prove its name;
 * and a need that compares names or fingerprints, of which there are none,
 * cannot be met.
 */
#ifndef POLICY_TLS_H
#define POLICY_TLS_H

#include "base/arena.h"
#include "base/str.h"
#include "policy/dane.h"
#include "policy/sts.h"

/* ---- what the postmaster wrote ------------------------------------------ */

enum tls_level {
	TLS_LEVEL_AUTO, /* dane, else the domain's MTA-STS policy, else may */
	TLS_LEVEL_NONE,
	TLS_LEVEL_MAY,
	TLS_LEVEL_ENCRYPT,
	TLS_LEVEL_DANE,
	TLS_LEVEL_DANE_ONLY,
	TLS_LEVEL_FINGERPRINT,
	TLS_LEVEL_VERIFY,
	TLS_LEVEL_SECURE,
	TLS_LEVELS /* how many there are */
};

struct tls_rule {
	enum tls_level level;
	bool is_demanded; /* at least TLS_NEED_ENCRYPT, whatever the level */
	/*
	 * For verify and secure: names, ".example.org" for all below it, and
	 * the words hostname, nexthop, dot-nexthop. None: the level's own.
	 */
	const struct slice *match;
	size_t n_match;
	/* SHA2-256 or -512 of a certificate or its key: 32 or 64 bytes. */
	const struct slice *fingerprints;
	size_t n_fingerprints;
	/*
	 * What the server is told it is called (SNI), where neither DANE nor
	 * MTA-STS says it: a name, or hostname, or nexthop. Empty: hostname.
	 */
	struct slice servername;
};

/* ---- the facts ---------------------------------------------------------- */

enum tls_path { TLS_PATH_NETWORK, TLS_PATH_LOOPBACK, TLS_PATH_UNIX };

/* How the host became the next one. */
enum tls_next {
	TLS_NEXT_MX,	 /* the MX records of the domain name it */
	TLS_NEXT_DOMAIN, /* the domain has none and is its own host */
	TLS_NEXT_FORCED, /* the postmaster named it, and it has no MX */
	TLS_NEXT_LITERAL /* an address; the host has no name */
};

/* Does DNSSEC validation work here? (dns_trust of net, in three words) */
enum tls_dnssec {
	TLS_DNSSEC_WORKS,
	TLS_DNSSEC_OFF, /* never did: as if everything were unsigned */
	TLS_DNSSEC_LOST /* did once: what needs it has to wait */
};

/* What the message asks for (RFC 8689). */
enum tls_request {
	TLS_ASKS_NOTHING,
	TLS_ASKS_REQUIRED, /* MAIL came with REQUIRETLS */
	TLS_ASKS_OPTIONAL  /* header field TLS-Required: No */
};

/* All zero: level auto, nothing known. Slices are borrowed. */
struct tls_facts {
	struct tls_rule rule;
	enum tls_request request;
	enum tls_path path;
	enum tls_next next;
	enum tls_dnssec dnssec;
	struct slice domain; /* the next hop: the recipient's domain */
	struct slice host;   /* empty for a literal and a UNIX socket */
	/* Secrets would be sent to this very host, if it is who it says. */
	bool has_account;
	enum dane_dns mx; /* of the MX answer, also of there being none */
	enum dane_dns addresses; /* dane_addresses() */
	enum dane_result tlsa;
	struct slice tlsa_base; /* where the TLSA records stood */
	size_t n_tlsa, n_tlsa_used;
	/* The policy that is in force, or NULL. */
	const struct sts_policy *sts;
	struct slice sts_id;
};

/* What the facts mean for a host, before anybody's wishes count. */
enum tls_dane {
	TLS_DANE_NONE,	   /* does not apply */
	TLS_DANE_USABLE,   /* by a secure MX, or a host with a good name */
	TLS_DANE_OPEN,	   /* records, but the MX is insecure */
	TLS_DANE_UNUSABLE, /* records, none of which counts */
	TLS_DANE_BROKEN,   /* no answer, or a forged one, about TLSA */
	TLS_DANE_LOST,	   /* validation does not work here any more */
	TLS_DANE_FORGED,   /* a forged answer about MX or addresses */
	TLS_DANES	   /* how many there are */
};

enum tls_sts {
	TLS_STS_NONE, /* none in force, or mode none */
	TLS_STS_TESTING,
	TLS_STS_ENFORCE,
	TLS_STS_MISMATCH, /* mode enforce, and the host is not among its mx */
	TLS_STSES	  /* how many there are */
};

/* ---- the decision ------------------------------------------------------- */

/* From DANE on the server is authenticated. */
enum tls_need {
	TLS_NEED_NOTHING, /* TLS is not even tried */
	TLS_NEED_MAY,	  /* TLS if it works, else clear text */
	TLS_NEED_ENCRYPT, /* TLS, whoever the server is */
	TLS_NEED_DANE,
	TLS_NEED_FINGERPRINT,
	TLS_NEED_NAME,	     /* a trusted chain, and one of the names */
	TLS_NEED_IMPOSSIBLE, /* this host gets no mail now */
	TLS_NEEDS	     /* how many there are */
};

/* Why; each row of the table has its own. */
enum tls_reason {
	TLS_LOCAL,
	TLS_FORGED,
	TLS_DNSSEC_GONE,
	TLS_TLSA_BROKEN,
	TLS_REQUIRED_LOCAL,
	TLS_REQUIRED_FINGERPRINT,
	TLS_REQUIRED_SECURE,
	TLS_REQUIRED_DANE,
	TLS_REQUIRED_DANE_ONLY,
	TLS_REQUIRED_MISMATCH,
	TLS_REQUIRED_VERIFY,
	TLS_REQUIRED_NAME,
	TLS_REQUIRED_UNKNOWN_HOST,
	TLS_BY_NONE,
	TLS_BY_MAY,
	TLS_BY_ENCRYPT,
	TLS_BY_FINGERPRINT,
	TLS_BY_VERIFY,
	TLS_BY_SECURE,
	TLS_BY_DANE_ONLY,
	TLS_DANE_ONLY_MISSING,
	TLS_OPTIONAL,
	TLS_BY_DANE,
	TLS_BY_STS,
	TLS_STS_NO_MATCH,
	TLS_BY_DANE_OPEN,
	TLS_BY_DANE_UNUSABLE,
	TLS_BY_STS_TESTING,
	TLS_OPPORTUNISTIC,
	TLS_ROWS, /* how many rows the table has */
	/* Beside the table. */
	TLS_DEMANDED = TLS_ROWS,
	TLS_ACCOUNT,
	TLS_NO_NAMES,
	TLS_NO_FINGERPRINTS,
	TLS_REASONS /* how many there are */
};

struct tls_decision {
	enum tls_need need;
	enum tls_reason reason;
	/* What was made of the facts. */
	enum tls_dane dane;
	enum tls_sts sts;
	struct slice sts_pattern; /* the mx that matched; may be empty */
	/*
	 * Names that the certificate may have, of which one must match: of
	 * TLS_NEED_NAME, and of TLS_NEED_DANE for usage DANE-TA (RFC 7672
	 * 3.2.2). One that begins with a dot stands for all below it. If
	 * is_audited they are what only a report asks for.
	 */
	const struct slice *names;
	size_t n_names;
	/* Of TLS_NEED_FINGERPRINT: those of the rule, one must match. */
	const struct slice *fingerprints;
	size_t n_fingerprints;
	struct slice sni; /* what the server is told; may be empty */
	/* After EHLO over TLS the server must offer REQUIRETLS. */
	bool is_requiretls;
	/*
	 * MTA-STS in mode testing: whether a chain with one of the names would
	 * have been there is only to be reported. The need is below
	 * TLS_NEED_DANE then.
	 */
	bool is_audited;
};

/* Decides; what is not borrowed from the facts lives in a. */
struct tls_decision tls_decide(const struct tls_facts *facts, struct arena *a);

enum { TLS_WANTS_DANE = 1, TLS_WANTS_STS = 2 };

/* What must be looked up before tls_decide() can be asked. */
unsigned tls_wants(enum tls_level level, enum tls_request request);

/* May mail go in clear text, if TLS cannot be had? */
bool tls_is_clear_allowed(const struct tls_decision *d);

/*
 * May secrets be sent, and to this server (RFC 4954 4)? Over a UNIX socket or
 * loopback, or once the need was met in a way that authenticates the host
 * itself. matched is the name of the certificate that was found good, "*."
 * for any label in front; empty if none was compared, as with DANE-EE and
 * fingerprints. One that only proves the recipient's domain is no leave to get
 * the account of a host that the domain's MX names.
 */
bool tls_is_trusted(const struct tls_facts *f, const struct tls_decision *d,
		    struct slice matched);

/*
 * Adds one canonical line of printable ASCII that says what the server has to
 * prove and what it is told (SNI). A session may be resumed only where it is
 * the same, since a resumed handshake proves nothing anew; to be used together
 * with tls_settings_key_print(), the host, its address and port, and the TLSA
 * records of TLS_NEED_DANE, which are not part of the decision.
 */
void tls_decision_key_print(struct str *to, const struct tls_decision *d);

/* ---- the table ---------------------------------------------------------- */

/* A set of values of an enum, a bit each. */
#define TLS_SET(value) (1u << (unsigned)(value))

enum { TLS_ANY = 0xffff };

struct tls_row {
	const char *word;			 /* of the reason */
	unsigned levels, requests, danes, stses; /* sets; TLS_ANY */
	enum tls_need need;
	bool is_unix;	   /* fits only UNIX sockets */
	bool is_good_name; /* fits only if the host's name is to be believed */
	const char *text;  /* why, for people */
};

/* By enum tls_reason, in the order of trying. */
extern const struct tls_row tls_rows[TLS_ROWS];

/* ---- words -------------------------------------------------------------- */

/* Stable words: "dane-only", "encrypt", "sts-mismatch"... */
const char *tls_level_word(enum tls_level level);
const char *tls_need_word(enum tls_need need);
const char *tls_reason_word(enum tls_reason reason);

/* The two verdicts: "usable", "mx-insecure"; "enforce", "mismatch"... */
const char *tls_dane_word(enum tls_dane dane);
const char *tls_sts_word(enum tls_sts sts);

/* Why, for people, in one clause without a full stop. */
const char *tls_reason_text(enum tls_reason reason);

/* A level by its word, any case. False, leaving *ret alone, if unknown. */
bool tls_level_read(struct slice word, enum tls_level *ret);

/*
 * Adds the evidence on one line, made printable: level, what the DNS and the
 * policy said, what follows: "level=auto mx=secure addresses=secure
 * tlsa=usable 1/2 at mx.example.org sts=none need=dane reason=dane".
 */
void tls_evidence_print(struct str *to, const struct tls_facts *facts,
			const struct tls_decision *d);

#endif
