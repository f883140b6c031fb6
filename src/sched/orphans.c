/*
 * orphans.c - at the start, remove what nobody will ever ask for again.
 *
 * It happens beside everything else, some files at a time.
 */
#include "sched/sched_internal.h"
#include "spool/sweep.h"

enum { BATCH = 100 /* names before agents are listened to again */ };

void sched_orphans_end(struct sched *s)
{
	sweep_free(s->sweep);
	s->sweep = NULL;
	if (s->sweep_event != NULL)
		event_free(s->sweep_event);
	s->sweep_event = NULL;
}

static void tell(const struct swept *done)
{
	if (done->removed > 0)
		log_line(LOG_LEVEL_INFO,
			 "%zu files removed that others had left behind",
			 done->removed);
	if (done->left > 0)
		log_line(LOG_LEVEL_ERROR,
			 "%zu message files without a control file, and no "
			 "other: left alone; is transport/ what it should be?",
			 done->left);
	if (done->staged > 0)
		log_line(LOG_LEVEL_INFO,
			 "%zu messages are being submitted, or wait for submit "
			 "--serve to recover them",
			 done->staged);
}

static void later(struct sched *s, unsigned seconds)
{
	struct timeval wait = { .tv_sec = (time_t)seconds };

	event_add(s->sweep_event, &wait);
}

static void on_sweep(evutil_socket_t fd, short what, void *context)
{
	struct sched *s = context;
	struct swept done;
	struct err err;

	(void)fd;
	(void)what;
	switch (sweep_some(s->sweep, BATCH, &done, &err)) {
	case 1:
		later(s, 0);
		return;
	case 0:
		tell(&done);
		break;
	default:
		log_line(LOG_LEVEL_WARNING, "%s", err.text);
		break;
	}
	sched_orphans_end(s);
}

void sched_orphans_begin(struct sched *s)
{
	struct err err;

	s->sweep = sweep_new(s->o->postoffice, SWEEP_ORPHAN_AGE, &err);
	if (s->sweep == NULL) {
		log_line(LOG_LEVEL_WARNING, "%s", err.text);
		return;
	}
	s->sweep_event = event_new(s->base, -1, 0, on_sweep, s);
	if (s->sweep_event == NULL)
		mem_exhausted();
	later(s, 1);
}
