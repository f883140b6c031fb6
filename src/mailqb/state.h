/*
 * state.h - what a recipient of the queue is waiting for, as words.
 */
#ifndef MAILQB_STATE_H
#define MAILQB_STATE_H

#include "base/slice.h"

enum mailq_state {
	MAILQ_READY,	 /* it goes as soon as an agent is free */
	MAILQ_WAITING,	 /* it was put off, and waits for its time */
	MAILQ_SUSPENDED, /* its whole destination waits */
	MAILQ_ACTIVE,	 /* an agent has it */
	MAILQ_HELD,	 /* until it is released */
	MAILQ_BUSY,	 /* locked by a process that the scheduler knows not */
	MAILQ_EXPIRING,	 /* it is about to fail */
	MAILQ_QUEUED,	 /* to be delivered; no scheduler tells more */
	MAILQ_DELIVERED, /* done; others of its message are not */
	MAILQ_FAILED,	 /* likewise, and its sender is told */
	MAILQ_DONE,	 /* one of these two */
	MAILQ_STATES
};

/* The word for a state, for people and programs alike. */
const char *mailq_state_word(enum mailq_state state);

/* The state of a word; MAILQ_STATES: there is none. */
enum mailq_state mailq_state_find(struct slice word);

/* Is it over for the recipient? Lists leave these out. */
bool mailq_state_is_over(enum mailq_state state);

#endif
