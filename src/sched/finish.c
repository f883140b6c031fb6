/*
 * finish.c - how messages end.
 *
 * Most have nothing to tell: their control file is opened, read, closed and
 * removed, and so is the message file, five system calls in all. What has
 * something to tell goes to report.c.
 */
#include "sched/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Is everybody's end on disk, or just being written by who reported it? */
static bool is_done_on_disk(const struct sched_file *f)
{
	for (size_t i = 0; i < f->ctl.n_rcpts; i++) {
		char tag = f->ctl.rcpts[i].tag;

		if (tag != CTL_TAG_DONE && tag != CTL_TAG_FAILED &&
		    tag != CTL_TAG_LOCKED)
			return false;
	}
	return true;
}

/* Is there anything that nobody was told of? */
static bool has_news(const struct sched_file *f)
{
	struct sched_told_list list = { 0 };
	bool has;

	sched_told_collect(f, &list);
	sched_told_collect_mute(f, &list);
	has = list.n > 0;
	free(list.items);
	return has;
}

int sched_remove(struct sched *s, const char *control, const char *message,
		 struct err *err)
{
	if (unlinkat(s->transport_dir, control, 0) < 0 && errno != ENOENT)
		return FAIL_CODE(err, errno, "%s: %s", control,
				 strerror(errno));
	if (message != NULL && unlinkat(s->transport_dir, message, 0) < 0 &&
	    errno != ENOENT)
		log_line(LOG_LEVEL_WARNING, "%s: %s", message, strerror(errno));
	return 0;
}

void sched_finished(struct sched *s, struct slice name, bool is_done,
		    const struct err *err)
{
	if (is_done) {
		sched_tell_finished(s, name);
		queue_forget(s->queue, name, sched_now(s));
	} else {
		if (err != NULL)
			log_line(LOG_LEVEL_ERROR, "%s: it is kept", err->text);
		queue_reported(s->queue, name, false, sched_now(s));
	}
}

/* Nothing is to be told: the files go at once. */
static void remove_now(struct sched *s, struct sched_file *f)
{
	const char *message;
	struct err err;

	if (jobname_message_path(&f->job, f->ctl.message_name, f->arena,
				 &message, &err) < 0)
		message = NULL;
	sched_finished(s, f->job.name,
		       sched_remove(s, f->path, message, &err) == 0, &err);
}

void sched_finish(struct sched *s, struct slice name)
{
	struct sched_file f;
	struct err err;

	switch (sched_file_reopen(s, name, &f, &err)) {
	case SCHED_OPENED:
		if (!is_done_on_disk(&f)) {
			log_line(LOG_LEVEL_WARNING,
				 "%s: an agent said it was done, which the "
				 "file does not",
				 f.path);
			sched_look(s, name);
		} else if (has_news(&f)) {
			sched_report_last(s, name);
		} else {
			remove_now(s, &f);
		}
		break;
	case SCHED_GONE:
		queue_forget(s->queue, name, sched_now(s));
		break;
	case SCHED_UNREADABLE:
	case SCHED_USELESS:
		sched_finished(s, name, false, &err);
		break;
	}
	sched_file_close(&f);
}
