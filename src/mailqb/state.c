/*
 * state.c - what a recipient of the queue is waiting for, as words.
 */
#include "mailqb/state.h"

static const char *const words[MAILQ_STATES] = {
	[MAILQ_READY] = "ready",	 [MAILQ_WAITING] = "waiting",
	[MAILQ_SUSPENDED] = "suspended", [MAILQ_ACTIVE] = "active",
	[MAILQ_HELD] = "held",		 [MAILQ_BUSY] = "busy",
	[MAILQ_EXPIRING] = "expiring",	 [MAILQ_QUEUED] = "queued",
	[MAILQ_DELIVERED] = "delivered", [MAILQ_FAILED] = "failed",
	[MAILQ_DONE] = "done",
};

const char *mailq_state_word(enum mailq_state state)
{
	return words[state];
}

enum mailq_state mailq_state_find(struct slice word)
{
	int i = 0;

	while (i < MAILQ_STATES && !slice_eq_nocase(slice_of(words[i]), word))
		i++;
	return (enum mailq_state)i;
}

bool mailq_state_is_over(enum mailq_state state)
{
	return state >= MAILQ_DELIVERED;
}
