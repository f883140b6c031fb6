/*
 * settings.h - what zmailer.conf says to submit.
 *
 *	POSTOFFICE        where the spool lies
 *	SCHEDULERDIRHASH  0, 1 or 2 levels of hash directories; unset: 0
 *	TRUSTEDUSER       names or uids, separated by commas or blanks, of users
 *	                  that may do what root may
 *	MAILNAME          the name behind '@' where there is none; else the
 *first line of /etc/mailname, else the name of the host ROUTES            the
 *file routes.conf(5); unset: in MAILSHARE SUBMITMAXSIZE     bytes of a message;
 *for all, 0 being no limit SUBMITMAXRCPTS    recipients of a message; the same
 *	SUBMITMAXCONN     connections of one ordinary user at a time
 *	SUBMITTIMEOUT     how long one may keep silent, an interval
 */
#ifndef SUBM_SETTINGS_H
#define SUBM_SETTINGS_H

#include "conf/zenv.h"

#include <sys/types.h>

/* What a user may do at most; 0: no limit. */
struct subm_limits {
	uint64_t size;	/* bytes of a message */
	uint64_t rcpts; /* of a message */
	uint64_t connections;
	unsigned silence; /* seconds without a byte */
	unsigned total;	  /* seconds for one message */
};

struct subm_settings {
	const char *postoffice; /* an absolute path */
	unsigned hash_levels;
	struct slice trusted;	/* TRUSTEDUSER as it stands */
	struct slice mail_name; /* MAILNAME; empty: not set */
	const char *routes;	/* the path of routes.conf */
	struct subm_limits privileged, ordinary;
};

/*
 * Reads the settings; all is borrowed from z or lives in a. Returns -1, err
 * naming the variable, if one cannot be used.
 */
MUST_USE int subm_settings_read(const struct zenv *z, struct arena *a,
				struct subm_settings *ret, struct err *err);

/*
 * The first word of a file like /etc/mailname, in a; empty if it is not there
 * or holds no domain.
 */
struct slice subm_mailname_read(const char *file, struct arena *a);

/* Finds the uid of a user name; false if there is no such user. */
typedef bool subm_find_uid(void *context, const char *name, uid_t *ret);

/*
 * May this user submit? Root may; others if `trusted` holds their uid or a
 * name that find_uid() says is theirs. A name nobody has lets nobody in.
 */
bool subm_is_trusted(struct slice trusted, uid_t uid, subm_find_uid *find_uid,
		     void *context);

#endif
