/*
 * sts.h - MTA-STS (RFC 8461): the TXT record, the policy, and for how long a
 * policy that was fetched is to be used.
 *
 * Pure: text that others fetched comes in, values go out; the time is handed
 * in, in seconds of any one clock. Policy and record are wholly untrusted.
 *
 *	txt = sts_txt_find(records, n, &id)	at sts_txt_name_print()
 *	what = sts_entry_step(entry, txt, id, now)
 *	STS_FETCH, STS_RENEW: fetch sts_url_print(), sts_policy_parse(),
 *		sts_entry_fetched() or sts_entry_failed()
 *	the policy is in force while sts_entry_is_live()
 */
#ifndef POLICY_STS_H
#define POLICY_STS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum {
	STS_ID_MAX = 32,	     /* bytes of an id */
	STS_POLICY_MAX = 64 * 1024,  /* bytes of a policy */
	STS_MAX_AGE_MAX = 31557600,  /* seconds: a year */
	STS_RENEW_AFTER = 24 * 3600, /* seconds, or half of max_age */
	STS_RETRY_MIN = 5 * 60,	     /* seconds after the first failure */
	STS_RETRY_MAX = 60 * 60	     /* and at most */
};

/* ---- the TXT record (3.1) ----------------------------------------------- */

enum sts_txt {
	STS_TXT_UNKNOWN, /* the question has no answer now */
	STS_TXT_NONE,	 /* there is no such record */
	STS_TXT_MANY,	 /* more than one: as if there were none */
	STS_TXT_BAD,	 /* one that cannot be read: the same */
	STS_TXT_OK,
	STS_TXTS /* how many there are */
};

/*
 * The record among the TXT records of a name (the strings of each joined).
 * With STS_TXT_OK *ret_id is its id, borrowed; else it is left alone. Never
 * gives STS_TXT_UNKNOWN.
 */
enum sts_txt sts_txt_find(const struct slice *records, size_t n,
			  struct slice *ret_id);

/* Adds where the record and the policy of a domain are. */
void sts_txt_name_print(struct str *to, struct slice domain);
void sts_url_print(struct str *to, struct slice domain);

/* ---- the policy (3.2) --------------------------------------------------- */

enum sts_mode { STS_MODE_NONE, STS_MODE_TESTING, STS_MODE_ENFORCE };

struct sts_policy {
	enum sts_mode mode;
	uint32_t max_age; /* seconds, at most STS_MAX_AGE_MAX */
	struct slice *mx; /* "mx.example.org" or "*.example.org" */
	size_t n_mx;	  /* 0 only in mode none */
};

/*
 * Reads a policy; all of *ret lives in a. Lines end in LF or CR LF; of fields
 * that may stand once the first counts; unknown ones are skipped; a max_age
 * over a year is a year. Returns 0, or -1 with err naming the line.
 */
MUST_USE int sts_policy_parse(struct slice text, struct arena *a,
			      struct sts_policy *ret, struct err *err);

/*
 * Does a pattern of the policy match the host (4.1)? "*." stands for exactly
 * one label. A dot at the end of the host does not matter. The pattern, if
 * ret_pattern is not NULL, is borrowed from the policy.
 */
bool sts_policy_matches(const struct sts_policy *policy, struct slice host,
			struct slice *ret_pattern);

/* ---- how long (3.3, 5.1, 10.2) ------------------------------------------ */

/* What is kept of a domain. All zero: nothing is known. */
struct sts_entry {
	bool has_policy;
	struct slice id; /* of the record when the policy was fetched */
	struct sts_policy policy;
	int64_t fetched;   /* when */
	int64_t tried;	   /* the last fetch that failed */
	unsigned failures; /* in a row since a fetch succeeded */
};

/* What to do before mail for the domain is sent. */
enum sts_step {
	STS_USE,   /* what is kept, if that is live; nothing else */
	STS_FETCH, /* fetch first: nothing live is kept, or it has changed */
	STS_RENEW, /* use what is kept, and fetch when there is time */
	STS_STEPS  /* how many there are */
};

/*
 * Is the policy still in force? Until max_age seconds after it was fetched;
 * a clock that went back beyond that moment counts as that moment.
 */
bool sts_entry_is_live(const struct sts_entry *e, int64_t now);

/* When a fetch may be tried again; INT64_MIN if none failed. */
int64_t sts_entry_retry(const struct sts_entry *e);

/* id counts with STS_TXT_OK only. */
enum sts_step sts_entry_step(const struct sts_entry *e, enum sts_txt txt,
			     struct slice id, int64_t now);

/* The same without a look at the DNS, for whoever renews ahead of need. */
bool sts_entry_is_due(const struct sts_entry *e, int64_t now);

/* A fetch succeeded: its policy, under the id of the record; borrowed. */
void sts_entry_fetched(struct sts_entry *e, const struct sts_policy *policy,
		       struct slice id, int64_t now);

/* A fetch failed; a policy that is live stays so. */
void sts_entry_failed(struct sts_entry *e, int64_t now);

/* Stable words: "enforce"; "none", "many", "bad"; "use", "fetch". */
const char *sts_mode_word(enum sts_mode mode);
const char *sts_txt_word(enum sts_txt txt);
const char *sts_step_word(enum sts_step step);

#endif
