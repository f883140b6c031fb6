/*
 * settings.h - what zmailer.conf says to submit.
 *
 *	POSTOFFICE        where the spool lies
 *	SCHEDULERDIRHASH  0, 1 or 2 levels of hash directories; unset: 0
 *	TRUSTEDUSER       names or uids, separated by commas or blanks, of users
 *	                  that may do what root may
 *	SUBMITMAXSIZE     bytes of a message; for all, 0 being no limit
 *	SUBMITMAXRCPTS    recipients of a message; the same
 *	SUBMITMAXCONN     connections of one ordinary user at a time
 *	SUBMITTIMEOUT     how long one may keep silent, an interval
 *	SUBMITMINFREE     bytes of the spool that have to stay free
 *	SUBMITMINFREEINODES  and inodes
 *
 * MAILNAME and ROUTES are read by conf/way.h.
 */
#ifndef SUBM_SETTINGS_H
#define SUBM_SETTINGS_H

#include "conf/zenv.h"
#include "spool/room.h"

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
	struct slice trusted; /* TRUSTEDUSER as it stands */
	struct subm_limits privileged, ordinary;
	struct spool_reserve reserve;
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
