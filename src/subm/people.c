/*
 * people.c - who the users of the submission service are.
 *
 * The log is paid for in time: each line costs SUBM_LOG_SECONDS, and somebody
 * may be in debt for SUBM_LOG_BURST lines.
 */
#include "subm/people.h"

#include <stdlib.h>

enum { ASK_SECONDS = 60, FORGET_SECONDS = 300 };

static void free_person(struct subm_people *p, struct subm_person *person)
{
	HASH_DEL(p->all, person);
	arena_free(person->arena);
	free(person);
}

void subm_people_done(struct subm_people *p)
{
	struct subm_person *person, *next;

	HASH_ITER(hh, p->all, person, next)
	free_person(p, person);
}

struct subm_person *subm_people_find(struct subm_people *p, uid_t uid,
				     int64_t now)
{
	struct subm_person *person;

	HASH_FIND(hh, p->all, &uid, sizeof(uid), person);
	if (person == NULL) {
		person = mem_zero(1, sizeof(*person));
		person->uid = uid;
		person->arena = arena_new();
		HASH_ADD(hh, p->all, uid, sizeof(uid), person);
	}
	if (person->trust_asked == 0 ||
	    now - person->trust_asked >= ASK_SECONDS) {
		person->is_trusted =
		    subm_is_trusted(p->trusted, uid, p->source.find_uid, NULL);
		person->trust_asked = now;
	}
	person->seen = now;
	return person;
}

void subm_person_ask_names(const struct subm_people *p,
			   struct subm_person *person, int64_t now)
{
	if (person->names_asked != 0 && now - person->names_asked < ASK_SECONDS)
		return;
	arena_reset(person->arena);
	if (!p->source.find_user(person->uid, person->arena, &person->login,
				 &person->name))
		person->login = person->name = (struct slice){ 0 };
	person->names_asked = now;
}

void subm_people_renew(struct subm_people *p, struct slice trusted)
{
	p->trusted = trusted;
	for (struct subm_person *person = p->all; person != NULL;
	     person = person->hh.next)
		person->trust_asked = person->names_asked = 0;
}

bool subm_person_may_log(struct subm_person *person, int64_t now,
			 uint64_t *ret_unsaid)
{
	if (person->log_paid < now)
		person->log_paid = now;
	if (person->log_paid - now >= SUBM_LOG_BURST * SUBM_LOG_SECONDS) {
		person->n_unsaid++;
		return false;
	}
	person->log_paid += SUBM_LOG_SECONDS;
	*ret_unsaid = person->n_unsaid;
	person->n_unsaid = 0;
	return true;
}

void subm_people_tidy(struct subm_people *p, int64_t now,
		      void (*tell)(uid_t uid, uint64_t n_unsaid))
{
	struct subm_person *person, *next;

	HASH_ITER(hh, p->all, person, next)
	{
		if (person->n_connections > 0 ||
		    now - person->seen < FORGET_SECONDS)
			continue;
		if (person->n_unsaid > 0)
			tell(person->uid, person->n_unsaid);
		free_person(p, person);
	}
}
