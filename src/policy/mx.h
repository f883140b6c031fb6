/*
 * mx.h - which hosts, in which order, take the mail of a domain?
 *
 * A decision as data, from facts that somebody else fetched: the MX records of
 * the domain (RFC 5321 5.1, RFC 7505), and what is known of the addresses of
 * each exchanger, or of the domain itself where it has no MX. The result is
 * every address in the order in which it should be tried, and for each host
 * and address that is not among them why; or why there is none, and whether
 * that is for good. Specification: smtp(8), ROUTING.
 *
 * For good is only what the DNS says with authority: a name that does not
 * exist, an empty answer, a null MX, this host as the best exchanger. Whatever
 * was not answered, not believed or not asked can only defer.
 *
 * Facts come in steps, since nobody wants the addresses of a hundred
 * exchangers of which five are tried:
 *
 *	facts.lookup, facts.hosts = ...		names and preferences
 *	plan = mx_plan_new(&facts, &options, arena)
 *	while ((n = mx_plan_wants(plan, &hosts)) > 0)
 *		look up the addresses of those n hosts
 *	decision = mx_plan_decide(plan)
 */
#ifndef POLICY_MX_H
#define POLICY_MX_H

#include "base/arena.h"
#include "base/str.h"
#include "policy/target.h"

enum {
	MX_RECORDS_MAX = 127,	 /* exchangers that are looked at */
	MX_HOSTS_DEFAULT = 10,	 /* hosts that are tried */
	MX_ADDRESSES_DEFAULT = 8 /* addresses of one host that are tried */
};

/* What a question to the DNS came to. */
enum mx_lookup {
	MX_LOOKUP_NONE, /* not asked */
	MX_LOOKUP_OK,
	/* Said with authority. */
	MX_LOOKUP_NODATA,
	MX_LOOKUP_NXDOMAIN,
	MX_LOOKUP_LOOP, /* aliases that lead nowhere */
	/* Anything may be true. */
	MX_LOOKUP_SERVFAIL,
	MX_LOOKUP_REFUSED, /* FORMERR, NOTIMP, REFUSED */
	MX_LOOKUP_RCODE,   /* another error code */
	MX_LOOKUP_MALFORMED,
	MX_LOOKUP_TRUNCATED, /* and TCP, which has the rest, failed */
	MX_LOOKUP_TIMEOUT,
	MX_LOOKUP_BOGUS,
	MX_LOOKUP_INTERRUPTED,
	MX_LOOKUP_BAD_NAME,
	MX_LOOKUP_UNAVAILABLE
};

/* What the well known services of a host say (-W; RFC 1035 3.4.2). */
enum mx_wks {
	MX_WKS_NONE,	/* nothing, or not asked: SMTP is assumed */
	MX_WKS_SMTP,	/* TCP port 25 is among them */
	MX_WKS_NO_SMTP, /* it is not */
	MX_WKS_AGAIN	/* no answer now */
};

/* What is known of a host. */
struct mx_host {
	struct slice name;
	uint16_t preference;
	struct slice canonical; /* where its aliases lead; may be empty */
	enum mx_lookup v4, v6;	/* of A and of AAAA */
	const struct target_address *addresses; /* of both, A first */
	size_t n;
	enum mx_wks wks;
};

struct mx_facts {
	struct slice domain;
	enum mx_lookup lookup; /* of MX; NONE where it is forbidden (-x) */
	struct mx_host *hosts; /* the exchangers, as they were answered */
	size_t n;
	struct mx_host itself; /* the domain, should it count as a host */
	bool is_in_hosts;      /* /etc/hosts knows the domain */
	/* What is this host: names, and addresses of its interfaces. */
	const struct slice *own_names;
	size_t n_own_names;
	const struct target_address *own_addresses;
	size_t n_own_addresses;
};

struct mx_options {
	uint16_t port;
	bool is_mx_forbidden;		   /* -x */
	bool is_local_allowed;		   /* -X, which counts only with -x */
	bool is_v6_first;		   /* -6 */
	bool is_wks_wanted;		   /* -W */
	bool is_v4_useless, is_v6_useless; /* no such family here */
	size_t max_hosts;		   /* 0: MX_HOSTS_DEFAULT */
	size_t max_addresses; /* of one host; 0: MX_ADDRESSES_DEFAULT */
	/* A number below n (at least 1) by chance; NULL: none is wanted. */
	size_t (*choose)(void *context, size_t n);
	void *context;
};

enum mx_choice { MX_TRY, MX_DEFER, MX_FAIL };

/* Why: one word, status and text each. */
enum mx_reason {
	MX_FOUND,
	/* The question for MX had no answer. */
	MX_BAD_NAME,
	MX_TIMEOUT,
	MX_SERVFAIL,
	MX_REFUSED,
	MX_RCODE,
	MX_MALFORMED,
	MX_TRUNCATED,
	MX_BOGUS,
	MX_INTERRUPTED,
	MX_UNAVAILABLE,
	/* It had one, and that is the end. */
	MX_NXDOMAIN,
	MX_LOOP,
	MX_NULL,
	/* Of the exchangers none can be tried. */
	MX_BEST_IS_SELF,
	MX_EXCHANGERS_AGAIN,
	MX_NO_EXCHANGER_ADDRESS,
	MX_NO_SMTP_SERVICE,
	/* Nor can the domain as a host. */
	MX_ADDRESS_AGAIN,
	MX_NO_DATA,
	MX_NO_NAME,
	MX_UNDERSCORE,
	MX_FORBIDDEN,
	/* There are addresses, but none to go to. */
	MX_NO_FAMILY,
	MX_TO_SELF,
	MX_TO_LOOPBACK,
	MX_TO_INVALID,
	MX_TO_LINK_LOCAL,
	MX_REASONS /* how many there are */
};

/* What became of a host or an address. */
enum mx_fate {
	MX_KEPT,
	MX_IS_SELF,	    /* this host */
	MX_IS_BEHIND_SELF,  /* no better than this host */
	MX_IS_NULL,	    /* an exchanger "." among others */
	MX_IS_UNKNOWN,	    /* no answer now */
	MX_IS_ABSENT,	    /* has no address */
	MX_IS_UNUSABLE,	    /* has none that can be used */
	MX_IS_WITHOUT_SMTP, /* says its WKS record */
	MX_IS_LOOPBACK,	    /* the address: 127/8, ::1 */
	MX_IS_INVALID,	    /* 0/8, ::, 224/4 and above, ff00::/8 */
	MX_IS_LINK_LOCAL,   /* 169.254/16, fe80::/10 */
	MX_IS_OF_NO_FAMILY, /* that this host can use */
	MX_IS_TOO_MUCH,	    /* beyond the bound */
	MX_FATES	    /* how many there are */
};

struct mx_judged {
	const struct mx_host *host;
	enum mx_fate fate;
	const enum mx_fate *addresses; /* one each of host->addresses */
};

/* An address to be tried. */
struct mx_try {
	struct target_address address;
	const struct mx_host *host;
	unsigned level; /* 0 for the best preference, 1 for the next... */
};

struct mx_decision {
	enum mx_choice choice;
	enum mx_reason reason;
	bool is_implicit;	 /* the domain counts as its own host */
	struct mx_judged *hosts; /* all, in the order of trying */
	size_t n_hosts;
	struct mx_try *tries; /* with MX_TRY only, in order */
	size_t n_tries;
};

struct mx_plan; /* opaque */

/*
 * Sorts the exchangers, by chance among equals. Facts and options are
 * borrowed for the life of the plan, which lives in a.
 */
struct mx_plan *mx_plan_new(const struct mx_facts *facts,
			    const struct mx_options *options, struct arena *a);

/*
 * The hosts whose addresses (and WKS, if wanted) must be looked up next: those
 * with v4 and v6 MX_LOOKUP_NONE, whole levels of preference at a time. The
 * caller fills them in. 0 when enough is known; so it is if one is asked for
 * twice and comes back as it was.
 */
size_t mx_plan_wants(struct mx_plan *plan, struct mx_host ***ret);

/* Decides; what was wanted and is not known makes for a deferral at worst. */
struct mx_decision mx_plan_decide(struct mx_plan *plan);

/*
 * Is host among the best exchangers of a domain, so that its mail may go over
 * a connection to that host (-e)? Only if the lookup had an answer, and not if
 * one of facts->own_names is among them too: mail must not go round.
 */
bool mx_is_best(const struct mx_facts *facts, struct slice host);

/* Stable words ("null-mx", "kept"), for records and explanations. */
const char *mx_reason_word(enum mx_reason reason);
const char *mx_fate_word(enum mx_fate fate);

/* What follows from a reason, whoever it is about. */
enum mx_choice mx_reason_choice(enum mx_reason reason);

/* Status and its comment, "5.1.10 (null MX)"; "" for MX_FOUND. */
const char *mx_reason_status(enum mx_reason reason);

/* Adds the words of a diagnostic, "500 (DNS: no such domain: example.org)". */
void mx_reason_print(struct str *to, enum mx_reason reason,
		     struct slice domain);

#endif
