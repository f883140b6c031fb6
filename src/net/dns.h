/*
 * dns.h - questions to the DNS, and what their answers are worth.
 *
 * One resolver serves an agent for its life. It costs nothing until the first
 * name is asked for; then, where it validates, some milliseconds and 4 MB,
 * elsewhere a millisecond and 1 MB (docs/performance.md). A question goes, in
 * this order, to the rules for names that never leave the host (RFC 6761,
 * RFC 7686), to /etc/hosts, which is the whole truth about the addresses of the
 * names it lists, and to a source:
 *
 *	DNS_VALIDATE	libunbound in this process validates (RFC 4033-4035),
 *			with a trust anchor of its own, forwarding to servers
 *	DNS_TRUSTED	a resolver on this host validates: its AD bit is
 *			believed (RFC 6840 5.8), of any other host it is not
 *	DNS_OFF		nobody validates
 *
 * Before the first answer is given in the first two modes a question for the
 * key of the trust anchor tells whether validation can work here at all; what
 * follows from that is enum dns_trust. An answer is always data, never an
 * error: a verdict, records, and what is known of their authenticity. It is
 * as secure as the weakest part of the way to it; whoever must know about the
 * first step of a chain of aliases asks for the CNAME of the name.
 *
 * Names are text (RFC 4343 2.1): no dot at the end, "." for the root; a byte
 * that is not a letter, digit or one of -_*+/= is written \. \\ or \DDD.
 * Times are milliseconds of conn_now(). Calls block until they have an
 * answer, the deadline passes, or should_stop says so (asked when a signal
 * may have come, and a few times a second).
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include "base/arena.h"
#include "base/err.h"
#include "policy/target.h"

enum dns_type {
	DNS_A = 1,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_WKS = 11,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_DS = 43,
	DNS_DNSKEY = 48,
	DNS_TLSA = 52
};

/* Only the first three are answers; all others are temporary but DNS_LOOP. */
enum dns_verdict {
	DNS_OK,		 /* records are there */
	DNS_NODATA,	 /* the name exists and has no such record */
	DNS_NXDOMAIN,	 /* there is no such name */
	DNS_LOOP,	 /* aliases that lead nowhere */
	DNS_SERVFAIL,	 /* the servers failed; see the detail */
	DNS_REFUSED,	 /* FORMERR, NOTIMP or REFUSED */
	DNS_RCODE,	 /* another error code; see the detail */
	DNS_MALFORMED,	 /* an answer that cannot be read */
	DNS_TRUNCATED,	 /* it was cut off, and TCP failed; see the detail */
	DNS_TIMEOUT,	 /* none by the deadline */
	DNS_BOGUS,	 /* validation failed; the records are withheld */
	DNS_INTERRUPTED, /* should_stop said so */
	DNS_BAD_NAME,	 /* the name does not fit into a question */
	DNS_UNAVAILABLE	 /* nobody to ask; see the detail */
};

/* RFC 4035 4.3. */
enum dns_status {
	DNS_INDETERMINATE, /* nobody has looked */
	DNS_INSECURE, /* proven, or said by a trusted one, to be unsigned */
	DNS_SECURE,   /* so are NODATA and NXDOMAIN that were proven */
	DNS_FORGED    /* only with DNS_BOGUS */
};

enum dns_origin {
	DNS_FROM_NETWORK,
	DNS_FROM_CACHE, /* of this process */
	DNS_FROM_HOSTS, /* /etc/hosts */
	DNS_FROM_RULE	/* a name that never leaves the host */
};

struct dns_mx {
	uint16_t preference;
	struct slice exchanger; /* "." in a null MX (RFC 7505) */
};

struct dns_tlsa {
	uint8_t usage, selector, matching;
	struct slice data;
};

struct dns_wks {
	unsigned char address[4];
	uint8_t protocol;   /* 6: TCP */
	struct slice ports; /* a bit a port, the first is the highest bit */
};

/* A record; which part counts depends on the type asked for. */
struct dns_record {
	struct target_address address; /* A, AAAA */
	struct dns_mx mx;
	struct dns_tlsa tlsa;
	struct dns_wks wks;
	struct slice name; /* CNAME, PTR */
	struct slice data; /* TXT: its strings joined; others: the rdata */
};

enum { DNS_ALIASES_MAX = 16 }; /* of a chain that is followed */

/* name and type are the question; everything lives in the arena. */
struct dns_answer {
	struct slice name;
	enum dns_type type;
	enum dns_verdict verdict;
	enum dns_status status;
	enum dns_origin origin;
	bool is_recorded; /* from a file of answers, not asked now */
	uint32_t ttl;	  /* seconds; of a negative answer too (RFC 2308) */
	/* Where the aliases lead; the name itself if it is none. */
	struct slice canonical;
	struct slice *chain; /* the aliases' targets, in order */
	size_t n_chain;
	struct dns_record *records; /* with DNS_OK only */
	size_t n;
	struct slice detail; /* for people: why there is no answer */
};

enum dns_mode { DNS_VALIDATE, DNS_TRUSTED, DNS_OFF };

/* Does validation work here? */
enum dns_trust {
	DNS_TRUST_UNKNOWN, /* not tried yet, or the trial got no answer */
	DNS_TRUST_OFF,	   /* nobody wants it */
	DNS_TRUST_WORKS,
	DNS_TRUST_NEVER, /* no, nor did it ever: answers as with DNS_OFF */
	DNS_TRUST_LOST	 /* no, but it did: what needs it is to be deferred */
};

struct dns_check {
	enum dns_trust trust;
	struct slice why; /* why it does not work; lives with the resolver */
	struct slice warning; /* why that cannot be remembered, or empty */
};

/*
 * Whom questions are put to. ask() fills all of n answers, whose names are
 * good, and sets every verdict; free() frees the source itself.
 */
struct dns_source {
	void (*ask)(struct dns_source *source, struct dns_answer *answers,
		    size_t n, int64_t deadline, struct arena *a);
	void (*free)(struct dns_source *source);
};

/* All text is borrowed for the life of the resolver. */
struct dns_options {
	enum dns_mode mode;
	/*
	 * Addresses and literals with ports, separated by blanks or commas
	 * ("192.0.2.1 [127.0.0.1]:5353 2001:db8::1"); NULL: resolv_conf's.
	 */
	const char *servers;
	const char *resolv_conf;   /* NULL: /etc/resolv.conf */
	const char *hosts;	   /* NULL: /etc/hosts; "": none */
	const char *anchor_file;   /* NULL: the keys of the root (IANA) */
	const char *memory_dir;	   /* $MAILVAR; NULL: remember nothing */
	bool (*should_stop)(void); /* may be NULL */
	/*
	 * If set, it is asked instead of everything else, and given to the
	 * resolver, which frees it.
	 */
	struct dns_source *source;
	/* Sees each answer that is given; may be NULL. */
	void (*on_answer)(void *context, const struct dns_answer *answer);
	void *context;
};

struct dns_resolver; /* opaque */

/* A resolver; o is copied. No file is read and no socket made yet. */
struct dns_resolver *dns_new(const struct dns_options *o);

/* NULL is allowed. */
void dns_free(struct dns_resolver *r);

/* Asks one question. The name may end in a dot, in any case of letters. */
struct dns_answer dns_ask(struct dns_resolver *r, struct slice name,
			  enum dns_type type, int64_t deadline,
			  struct arena *a);

/*
 * Asks n questions at once: name and type of each answer are set by the
 * caller, the rest is filled in.
 */
void dns_ask_all(struct dns_resolver *r, struct dns_answer *answers, size_t n,
		 int64_t deadline, struct arena *a);

/*
 * Does /etc/hosts list the name? Then its addresses come from there, whatever
 * the DNS says about the name. A source that was handed in is asked for an
 * address, and whether that came from there; on_answer() is not told.
 */
bool dns_is_in_hosts(struct dns_resolver *r, struct slice name,
		     int64_t deadline, struct arena *a);

/*
 * Whether validation works here, tried now if it is not known yet (at most
 * until the deadline). Borrowed until the next question.
 */
const struct dns_check *dns_check(struct dns_resolver *r, int64_t deadline);

/* Is this no answer, but one may come later? */
bool dns_is_temporary(enum dns_verdict verdict);

/* Stable words, for records and explanations: "nxdomain", "secure"... */
const char *dns_verdict_word(enum dns_verdict verdict);
const char *dns_status_word(enum dns_status status);
const char *dns_origin_word(enum dns_origin origin);
const char *dns_trust_word(enum dns_trust trust);
const char *dns_mode_word(enum dns_mode mode);

/* The same backwards, any case. False, leaving *ret alone, if unknown. */
bool dns_verdict_read(struct slice word, enum dns_verdict *ret);
bool dns_status_read(struct slice word, enum dns_status *ret);
bool dns_origin_read(struct slice word, enum dns_origin *ret);
bool dns_mode_read(struct slice word, enum dns_mode *ret);

/* "MX"; "TYPE99" for a type we know nothing of. Lives in a. */
struct slice dns_type_text(enum dns_type type, struct arena *a);

/* The same backwards. False, leaving *ret alone, if it is no type. */
bool dns_type_read(struct slice word, enum dns_type *ret);

#endif
