/*
 * tlsrpt.h - reports about TLS (RFC 8460): who wants them, what they count,
 * and the aggregate report as JSON.
 *
 * Pure: TXT records and counts come in, destinations and text go out. The
 * records, and whatever a server has said, are wholly untrusted.
 *
 *	domain		whose mail was to be delivered, or the next host that
 *			a postmaster named; its TXT record says who wants to
 *know policy		what the session was held against, DANE or MTA-STS
 *	session		one attempt to speak TLS as a policy wants it
 */
#ifndef POLICY_TLSRPT_H
#define POLICY_TLSRPT_H

#include "base/arena.h"
#include "base/str.h"
#include "policy/dane.h"
#include "policy/sts.h"

enum {
	TLSRPT_RECORD_MAX = 64 * 1024, /* bytes of a record; more: bad */
	TLSRPT_DESTINATIONS_MAX = 10,  /* that are reported to */
	TLSRPT_DOMAIN_MAX = 253,       /* bytes */
	TLSRPT_TEXT_MAX = 256,	       /* bytes of a text of a failure */
	TLSRPT_STRINGS_MAX = 4096, /* bytes of a policy's strings, or its mx */
	TLSRPT_JSON_MAX = 4 * 1024 * 1024 /* bytes of a report */
};

/* Is it a name with dots that may stand in headers and file names? */
bool tlsrpt_is_domain(struct slice s);

/*
 * Is it an address, a dot-atom (RFC 5322), "@" and a domain? One that is
 * quoted is nobody's.
 */
bool tlsrpt_is_address(struct slice s);

/* ---- the TXT record (3) ------------------------------------------------- */

enum tlsrpt_txt {
	TLSRPT_TXT_NONE, /* there is no such record */
	TLSRPT_TXT_MANY, /* more than one: as if there were none */
	TLSRPT_TXT_BAD,	 /* one that cannot be read: the same */
	TLSRPT_TXT_OK,
	TLSRPT_TXTS /* how many there are */
};

enum tlsrpt_way { TLSRPT_MAILTO, TLSRPT_HTTPS };

struct tlsrpt_destination {
	enum tlsrpt_way way;
	/* The address, decoded; or the whole URI. Printable ASCII. */
	struct slice target;
};

/*
 * The record among the TXT records of a name (the strings of each joined).
 * With TLSRPT_TXT_OK *ret holds its destinations in order, each once, at most
 * TLSRPT_DESTINATIONS_MAX, all in a; else it is left alone. A comma, '!' or
 * ';' within a URI makes a record bad. A good URI that is of no use is passed
 * over: another scheme, a mailto: without a plain address (what stands behind
 * '?' does not count), an https: without a host or with a user; so a good
 * record may have no destinations.
 */
enum tlsrpt_txt tlsrpt_txt_find(const struct slice *records, size_t n,
				struct arena *a,
				struct tlsrpt_destination **ret, size_t *ret_n);

/* Adds where the record of a domain is. */
void tlsrpt_txt_name_print(struct str *to, struct slice domain);

/* ---- one session -------------------------------------------------------- */

/* What became of it (4.3). */
enum tlsrpt_type {
	TLSRPT_SUCCESS, /* not in the RFC's list: as the policy wants it */
	TLSRPT_STARTTLS_NOT_SUPPORTED,
	TLSRPT_CERTIFICATE_HOST_MISMATCH,
	TLSRPT_CERTIFICATE_EXPIRED,
	TLSRPT_CERTIFICATE_NOT_TRUSTED,
	TLSRPT_VALIDATION_FAILURE, /* anything else; say in reason what */
	TLSRPT_TLSA_INVALID,	   /* no record of the RRset is usable */
	TLSRPT_DNSSEC_INVALID,	   /* no validated answer for TLSA */
	TLSRPT_DANE_REQUIRED,	   /* dane-only, and no TLSA records */
	TLSRPT_STS_POLICY_FETCH_ERROR,
	TLSRPT_STS_POLICY_INVALID,
	TLSRPT_STS_WEBPKI_INVALID, /* certificate of the policy's server */
	TLSRPT_TYPES		   /* how many there are */
};

/* What the session was held against. */
enum tlsrpt_kind {
	TLSRPT_NO_POLICY, /* neither: opportunistic TLS */
	TLSRPT_TLSA,
	TLSRPT_STS,
	TLSRPT_KINDS /* how many there are */
};

struct tlsrpt_policy {
	enum tlsrpt_kind kind;
	/*
	 * Of MTA-STS and of none the domain of the report, as A-labels; of
	 * DANE the TLSA base domain, so the host or where its alias leads.
	 */
	struct slice domain;
	/* Its text in strings; see tlsrpt_sts_strings(), tlsrpt_tlsa_string().
	 * None if it could not be had. */
	const struct slice *strings;
	size_t n_strings;
	const struct slice *mx; /* patterns of MTA-STS, as they stand there */
	size_t n_mx;
};

/* Addresses as inet_ntop(3) prints them; what is not known is empty. */
struct tlsrpt_failure {
	enum tlsrpt_type type;
	struct slice sending_ip, receiving_ip;
	struct slice mx_host;	  /* the name that was connected to */
	struct slice mx_helo;	  /* what its greeting or EHLO calls itself */
	struct slice information; /* a URI with more */
	struct slice reason;	  /* code or text: "self-signed certificate" */
};

/*
 * A session; one that was held against two policies is two of these. With
 * TLSRPT_SUCCESS the rest of the failure does not count.
 */
struct tlsrpt_result {
	struct slice domain; /* whose report it belongs to */
	struct tlsrpt_policy policy;
	struct tlsrpt_failure failure;
};

/* The strings of an MTA-STS policy ("mode: enforce"...); all in a. */
const struct slice *tlsrpt_sts_strings(const struct sts_policy *policy,
				       struct arena *a, size_t *ret_n);

/* The string of a TLSA record, "3 1 1 0123...". Lives in a. */
struct slice tlsrpt_tlsa_string(const struct dane_record *record,
				struct arena *a);

/*
 * Is a message with this header, lines ended by LF or CR LF, a report about
 * TLS, so that its session is not to be counted and its delivery must not
 * wait for TLS (3, 5.3)? It is if it has a field TLS-Report-Domain.
 */
bool tlsrpt_is_report(struct slice header);

/* ---- the aggregate report (4) ------------------------------------------- */

struct tlsrpt_detail {
	struct tlsrpt_failure failure;
	uint64_t count; /* sessions */
};

/* What was counted for one policy. */
struct tlsrpt_group {
	struct tlsrpt_policy policy;
	uint64_t n_good, n_failed; /* sessions */
	const struct tlsrpt_detail *details;
	size_t n_details;
};

struct tlsrpt_report {
	struct slice organization;
	struct slice contact; /* an address */
	struct slice id;      /* "left@right" */
	struct slice domain;
	int64_t day; /* UTC, counted from 1970 */
	const struct tlsrpt_group *groups;
	size_t n_groups;
};

/*
 * Adds the report: one line of I-JSON (RFC 7493), at most TLSRPT_JSON_MAX
 * bytes, whatever the texts hold. Texts are cut at TLSRPT_TEXT_MAX, a policy's
 * strings at TLSRPT_STRINGS_MAX. Groups that do not fit are left out, and of
 * the last that does the details that do not.
 */
void tlsrpt_json_print(struct str *to, const struct tlsrpt_report *r);

/* The first second of a day, and the last; seconds since 1970. */
int64_t tlsrpt_day_begin(int64_t day);
int64_t tlsrpt_day_end(int64_t day);

/* The day that a second is in. */
int64_t tlsrpt_day_of(int64_t second);

/* Adds a day, "2026-11-22". Years from 1 to 9999; else "1970-01-01". */
void tlsrpt_day_print(struct str *to, int64_t day);

/* The same backwards. False, leaving *ret alone, if there is no such day. */
bool tlsrpt_day_read(struct slice text, int64_t *ret);

/* Stable words: "tlsa-invalid" and so on as the RFC has them, "success". */
const char *tlsrpt_type_word(enum tlsrpt_type type);
const char *tlsrpt_kind_word(enum tlsrpt_kind kind);
const char *tlsrpt_txt_word(enum tlsrpt_txt txt);

#endif
