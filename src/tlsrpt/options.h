/*
 * options.h - what the command line of tlsrpt(8) says, as one struct.
 *
 * prog fills it once; a const pointer travels down.
 */
#ifndef TLSRPT_OPTIONS_H
#define TLSRPT_OPTIONS_H

#include "base/arena.h"
#include "base/err.h"
#include "net/dns.h"

struct tlsrpt_options {
	struct slice contact;	   /* -O contact= */
	struct slice submitter;	   /* its domain, lower case */
	struct slice organization; /* -O organization=; else the submitter */
	const char *filter;	   /* -O report-filter=; or NULL */
	const char *submit;	   /* the program */
	const char *stsfetch;	   /* the program */
	const char *store;	   /* -O store=: the folder */
	struct dns_options dns;	   /* whom to ask for names, and how */
	bool has_dns_mode;	   /* -O dns= was there */
	unsigned dns_timeout;	   /* seconds, for a page of names */
	unsigned timeout;	   /* -O timeout=: seconds of a program */
	unsigned spread;	   /* --spread: seconds */
	bool is_dry;		   /* --dry-run */
	bool has_day;		   /* --day */
	int64_t day;		   /* counted from 1970 */
	struct slice domain;	   /* --domain; or empty */
	bool is_verbose;	   /* -v */
	char *const *envp;	   /* for the programs that are run */
};

/* The defaults of every option. */
struct tlsrpt_options tlsrpt_options_default(void);

/*
 * Reads one -O value, "KEY=VALUE"; it must be followed by a NUL and live as
 * long as *o. -1, with err naming the key, for an unknown key or a value it
 * does not have.
 */
MUST_USE int tlsrpt_options_own(struct tlsrpt_options *o, struct slice text,
				struct err *err);

/* The keys, one by one: the i-th, or NULL. For those who walk them. */
const char *tlsrpt_options_key(size_t i);

/* --day, --domain and --spread. -1, with err filled. */
MUST_USE int tlsrpt_options_day(struct tlsrpt_options *o, struct slice text,
				struct err *err);
MUST_USE int tlsrpt_options_domain(struct tlsrpt_options *o, struct slice text,
				   struct err *err);
MUST_USE int tlsrpt_options_spread(struct tlsrpt_options *o, struct slice text,
				   struct err *err);

/*
 * Fills in what was not given: contact (postmaster at this host, if that has
 * a full name), organization, submitter. -1, with err filled, if there is
 * nobody to name as contact.
 */
MUST_USE int tlsrpt_options_finish(struct tlsrpt_options *o,
				   struct slice host_name, struct arena *a,
				   struct err *err);

#endif
