/*
 * place.h - destinations: a row for each channel and host.
 *
 * What is kept grows with the number of destinations, never with that of
 * messages. Rows own their texts.
 */
#ifndef MAILQB_PLACE_H
#define MAILQB_PLACE_H

#include "mailqb/message.h"
#include "mailqb/print.h"

struct mailq_place; /* opaque */

struct mailq_places {
	struct mailq_place *table;
	bool counts_itself; /* not what the scheduler counts, but messages */
};

/* Adds what the scheduler says of one. */
void mailq_places_tell(struct mailq_places *p,
		       const struct mailq_destination *d);

/* Counts a message's recipients. */
void mailq_places_take(struct mailq_places *p, const struct mailq_message *m);

/* Adds all with recipients, most of them first; or as lines of JSON. */
void mailq_places_print(struct str *to, struct mailq_places *p,
			const struct mailq_look *look);
void mailq_places_json(struct str *to, struct mailq_places *p);

/* Frees what it holds. */
void mailq_places_done(struct mailq_places *p);

#endif
