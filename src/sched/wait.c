/*
 * wait.c - waits for the disk while the event loop goes on.
 */
#include "sched/wait.h"

#include "base/fd.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The thread: works, and says so. */
static void *run(void *context)
{
	struct sched_wait *w = context;

	w->work(w->context);
	/* An eventfd that counts to one takes it at once. */
	if (eventfd_write(w->fd, 1) < 0)
		return NULL;
	return NULL;
}

void sched_wait_finish(struct sched_wait *w)
{
	eventfd_t n;

	if (!w->is_busy)
		return;
	if (w->has_thread)
		pthread_join(w->thread, NULL);
	/* That it is over is known: the next time begins anew. */
	if (eventfd_read(w->fd, &n) < 0)
		log_line(LOG_LEVEL_WARNING, "eventfd: %s", strerror(errno));
	w->is_busy = false;
}

static void on_done(evutil_socket_t fd, short what, void *context)
{
	struct sched_wait *w = context;

	(void)fd;
	(void)what;
	sched_wait_finish(w);
	w->done(w->context);
}

int sched_wait_open(struct sched_wait *w, struct sched *s, struct err *err)
{
	*w = (struct sched_wait){ .fd = eventfd(0, EFD_CLOEXEC) };
	if (w->fd < 0)
		return FAIL_CODE(err, errno, "eventfd: %s", strerror(errno));
	w->event = event_new(s->base, w->fd, EV_READ | EV_PERSIST, on_done, w);
	if (w->event == NULL)
		mem_exhausted();
	event_add(w->event, NULL);
	return 0;
}

void sched_wait_close(struct sched_wait *w)
{
	if (w->event == NULL)
		return;
	assert(!w->is_busy);
	event_free(w->event);
	w->event = NULL;
	fd_close(w->fd);
}

void sched_wait_begin(struct sched_wait *w, sched_wait_step *work,
		      sched_wait_step *done, void *context)
{
	sigset_t all, old;

	assert(!w->is_busy);
	w->work = work;
	w->done = done;
	w->context = context;
	w->is_busy = true;
	/* Signals are the event loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	w->has_thread = pthread_create(&w->thread, NULL, run, w) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!w->has_thread)
		(void)run(w);
}
