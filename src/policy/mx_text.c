/*
 * mx_text.c - what the reasons of mx.h are called, and what follows from them.
 *
 * The table is the one of the specification; deferrals have codes of class 4.
 */
#include "policy/mx.h"

#include "base/keyword.h"

#include <assert.h>

struct row {
	const char *word;
	enum mx_choice choice;
	const char *status;
	const char *text; /* "%" stands for the domain */
};

static const struct row rows[MX_REASONS] = {
	[MX_FOUND] = { "found", MX_TRY, "", "" },

	[MX_BAD_NAME] = { "bad-name", MX_DEFER, "4.4.3 (DNS-failure)",
			  "466 (no DNS query can be made for host: %)" },
	[MX_TIMEOUT] = { "timeout", MX_DEFER, "4.4.3 (DNS-failure)",
			 "466 (No DNS response for host: %)" },
	[MX_SERVFAIL] = { "servfail", MX_DEFER, "4.4.3 (DNS lookup report)",
			  "466 (DNS: server failure: %)" },
	[MX_REFUSED] = { "refused", MX_DEFER, "4.4.3 (DNS lookup report)",
			 "466 (DNS: unsupported query: %)" },
	[MX_RCODE] = { "rcode", MX_DEFER, "4.4.3 (DNS lookup report)",
		       "466 (DNS: unknown error, MX info unavailable: %)" },
	[MX_MALFORMED] = { "malformed", MX_DEFER, "4.4.3 (DNS lookup report)",
			   "466 (DNS: answer cannot be read: %)" },
	[MX_TRUNCATED] = { "truncated", MX_DEFER, "4.4.3 (DNS-failure)",
			   "466 (DNS: answer was cut off, and TCP failed: "
			   "%)" },
	[MX_BOGUS] = { "bogus", MX_DEFER, "4.4.3 (DNS lookup report)",
		       "466 (DNS: answer does not validate: %)" },
	[MX_INTERRUPTED] = { "interrupted", MX_DEFER, "4.4.3 (DNS-failure)",
			     "466 (DNS: lookup interrupted: %)" },
	[MX_UNAVAILABLE] = { "unavailable", MX_DEFER, "4.4.3 (DNS-failure)",
			     "466 (DNS: no resolver can be asked: %)" },

	[MX_NXDOMAIN] = { "nxdomain", MX_FAIL, "5.4.4 (DNS lookup report)",
			  "500 (DNS: no such domain: %)" },
	[MX_LOOP] = { "alias-loop", MX_FAIL, "5.4.3 (Recursive DNS CNAME)",
		      "500 (DNS: Recursive CNAME on '%')" },
	[MX_NULL] = { "null-mx", MX_FAIL, "5.1.10 (null MX)",
		      "556 (domain takes no mail: %)" },

	[MX_BEST_IS_SELF] = { "best-mx-is-self", MX_FAIL,
			      "5.4.6 (best MX is this host)",
			      "500 (best MX is this host but the domain is "
			      "not local: %)" },
	[MX_EXCHANGERS_AGAIN] = { "exchangers-again", MX_DEFER,
				  "4.4.3 (dns lookup 'try again')",
				  "466 (DNS: no address of an exchanger now: "
				  "%)" },
	[MX_NO_EXCHANGER_ADDRESS] = { "no-exchanger-address", MX_FAIL,
				      "5.4.4 (DNS lookup report)",
				      "500 (DNS: no exchanger has an address: "
				      "%)" },
	[MX_NO_SMTP_SERVICE] = { "no-smtp-service", MX_FAIL,
				 "5.4.4 (WKS Checks: no SMTP reception "
				 "capability registered)",
				 "550 (WKS checks: no SMTP reception "
				 "capability registered for host %)" },

	[MX_ADDRESS_AGAIN] = { "address-again", MX_DEFER,
			       "4.4.3 (dns lookup 'try again')",
			       "466 (getaddrinfo<%>: try later)" },
	[MX_NO_DATA] = { "no-data", MX_FAIL, "5.4.3 (dns lookup 'no data')",
			 "500 (getaddrinfo<%>: No data)" },
	[MX_NO_NAME] = { "no-name", MX_DEFER,
			 "4.4.4 (nameserver data inconsistency)",
			 "466 (nameserver data inconsistency. No MX, no "
			 "address: '%' (NONAME))" },
	[MX_UNDERSCORE] = { "underscore", MX_FAIL,
			    "5.4.4 (nameserver data inconsistency)",
			    "500 (Hostname with illegal [to the DNS] "
			    "underscore in it: '%')" },
	[MX_FORBIDDEN] = { "mx-forbidden", MX_FAIL,
			   "5.4.4 (nameserver data inconsistency)",
			   "500 (configuration inconsistency. MX usage "
			   "forbidden, no address in the DNS: '%')" },

	[MX_NO_FAMILY] = { "no-family", MX_DEFER,
			   "4.4.1 (no usable address family)",
			   "466 (no address of a family that is in use here: "
			   "%)" },
	[MX_TO_SELF] = { "self", MX_FAIL, "5.4.6 (trying to talk with myself!)",
			 "500 (Trying to talk with myself!)" },
	[MX_TO_LOOPBACK] = { "loopback", MX_FAIL,
			     "5.4.6 (trying to talk to loopback (=myself)!)",
			     "500 (Trying to talk to loopback (=myself)!)" },
	[MX_TO_INVALID] = { "invalid", MX_FAIL,
			    "5.4.6 (trying to use invalid destination "
			    "address)",
			    "500 (Trying to use invalid destination network "
			    "address!)" },
	[MX_TO_LINK_LOCAL] = { "link-local", MX_FAIL,
			       "5.4.6 (trying to use link-local destination "
			       "address)",
			       "500 (Trying to use link-local destination "
			       "address!)" },
};

static const char *const fates[MX_FATES] = {
	[MX_KEPT] = "kept",
	[MX_IS_SELF] = "self",
	[MX_IS_BEHIND_SELF] = "behind-self",
	[MX_IS_NULL] = "null",
	[MX_IS_UNKNOWN] = "unknown",
	[MX_IS_ABSENT] = "no-address",
	[MX_IS_UNUSABLE] = "unusable",
	[MX_IS_WITHOUT_SMTP] = "no-smtp-service",
	[MX_IS_LOOPBACK] = "loopback",
	[MX_IS_INVALID] = "invalid",
	[MX_IS_LINK_LOCAL] = "link-local",
	[MX_IS_OF_NO_FAMILY] = "no-family",
	[MX_IS_TOO_MUCH] = "too-much",
};

const char *mx_reason_word(enum mx_reason reason)
{
	assert((size_t)reason < COUNT(rows));
	return rows[reason].word;
}

enum mx_choice mx_reason_choice(enum mx_reason reason)
{
	assert((size_t)reason < COUNT(rows));
	return rows[reason].choice;
}

const char *mx_reason_status(enum mx_reason reason)
{
	assert((size_t)reason < COUNT(rows));
	return rows[reason].status;
}

const char *mx_fate_word(enum mx_fate fate)
{
	assert((size_t)fate < COUNT(fates));
	return fates[fate];
}

void mx_reason_print(struct str *to, enum mx_reason reason, struct slice domain)
{
	assert((size_t)reason < COUNT(rows));
	for (const char *p = rows[reason].text; *p != '\0'; p++) {
		if (*p == '%')
			str_add_clean(to, domain, SIZE_MAX);
		else
			str_addc(to, *p);
	}
}
