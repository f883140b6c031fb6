/*
 * people.h - who the users of the submission service are.
 *
 * What the system knows of a user is asked for once a minute at most, since
 * it may take its time; how many connections a user has, and how much of the
 * log is theirs, is kept as long as it matters. Memory is bounded by the users
 * that were there within the last minutes.
 */
#ifndef SUBM_PEOPLE_H
#define SUBM_PEOPLE_H

#include "base/arena.h"
#include "base/mem.h"
#include "subm/settings.h"

#define uthash_fatal(message) mem_exhausted()
#include <uthash.h>

/* Lines that one user can cause in the log at once, and in a minute. */
enum { SUBM_LOG_BURST = 10, SUBM_LOG_SECONDS = 6 };

/* How the system knows them. */
struct subm_people_source {
	subm_find_uid *find_uid;
	/* Fills login and full name of a user, in a; false: there is none. */
	bool (*find_user)(uid_t uid, struct arena *a, struct slice *ret_login,
			  struct slice *ret_name);
};

struct subm_person {
	UT_hash_handle hh;
	uid_t uid;
	uint64_t n_connections;
	uint64_t round, n_taken; /* messages begun in that round of service */
	bool is_trusted;
	struct slice login, name;		/* empty: none */
	struct arena *arena;			/* of the two */
	int64_t trust_asked, names_asked, seen; /* seconds; 0: never */
	int64_t log_paid;  /* seconds up to which lines were written */
	uint64_t n_unsaid; /* lines that were not */
};

/* Begin with the source and all else zero; end with subm_people_done(). */
struct subm_people {
	struct subm_people_source source;
	struct slice trusted; /* TRUSTEDUSER; borrowed */
	struct subm_person *all;
};

/* Frees all; no connection may be left. */
void subm_people_done(struct subm_people *p);

/*
 * The person with this uid; `now` is in seconds of a clock that never goes
 * back. Stays until subm_people_tidy() finds no connection of theirs.
 */
struct subm_person *subm_people_find(struct subm_people *p, uid_t uid,
				     int64_t now);

/* Asks for login and full name, unless that was done just now. */
void subm_person_ask_names(const struct subm_people *p,
			   struct subm_person *person, int64_t now);

/* What is known is asked for anew: another TRUSTEDUSER, borrowed, holds. */
void subm_people_renew(struct subm_people *p, struct slice trusted);

/*
 * May a line about this person be logged? *ret_unsaid gets the number of those
 * that could not since the last that could.
 */
bool subm_person_may_log(struct subm_person *person, int64_t now,
			 uint64_t *ret_unsaid);

/*
 * Forgets who has not been there for a while. Called once in a while, with
 * what is to be told of the lines that were not logged.
 */
void subm_people_tidy(struct subm_people *p, int64_t now,
		      void (*tell)(uid_t uid, uint64_t n_unsaid));

#endif
