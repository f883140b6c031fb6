/*
 * wait.h - waits for the disk while the event loop goes on; for room sched.
 *
 * A file system that is busy takes long to sync, and agents cannot be kept
 * waiting for it. So the one call that waits is made by a thread of its own,
 * which touches nothing but what it was given; what follows is done by the
 * event loop again. If no thread can be had, the caller waits.
 */
#ifndef SCHED_WAIT_H
#define SCHED_WAIT_H

#include "sched/sched_internal.h"

#include <pthread.h>

typedef void sched_wait_step(void *context);

/* One wait at a time. */
struct sched_wait {
	int fd; /* of an eventfd: it is over */
	struct event *event;
	sched_wait_step *work, *done;
	void *context;
	pthread_t thread;
	bool has_thread, is_busy;
};

/* To be called once before all others; and at the end, if it is not busy. */
MUST_USE int sched_wait_open(struct sched_wait *w, struct sched *s,
			     struct err *err);
/* May be called on one that is all zero. */
void sched_wait_close(struct sched_wait *w);

/*
 * Has work() done by a thread, then done() by the event loop; both get the
 * context, which is the thread's until then. Not while it is busy.
 */
void sched_wait_begin(struct sched_wait *w, sched_wait_step *work,
		      sched_wait_step *done, void *context);

/* Waits until it is over, if it is busy; done() is not called. */
void sched_wait_finish(struct sched_wait *w);

#endif
