/*
 * settings.h - what zmailer.conf says to submit.
 *
 *	POSTOFFICE        where the spool lies
 *	SCHEDULERDIRHASH  0, 1 or 2 levels of hash directories; unset: 0
 *	TRUSTEDUSER       names or uids, separated by commas or blanks, of users
 *	                  that may submit besides root
 */
#ifndef SUBM_SETTINGS_H
#define SUBM_SETTINGS_H

#include "conf/zenv.h"

#include <sys/types.h>

struct subm_settings {
	const char *postoffice; /* an absolute path */
	unsigned hash_levels;
	struct slice trusted; /* TRUSTEDUSER as it stands */
};

/*
 * Reads the settings; all is borrowed from z. Returns -1, err naming the
 * variable, if one cannot be used.
 */
MUST_USE int subm_settings_read(const struct zenv *z, struct subm_settings *ret,
				struct err *err);

/* Finds the uid of a user name; false if there is no such user. */
typedef bool subm_find_uid(void *context, const char *name, uid_t *ret);

/*
 * May this user submit? Root may; others if `trusted` holds their uid or a
 * name that find_uid() says is theirs. A name nobody has lets nobody in.
 */
bool subm_is_trusted(struct slice trusted, uid_t uid, subm_find_uid *find_uid,
		     void *context);

#endif
