/*
 * told.c - what a control file has to tell: its `d` lines.
 */
#include "sched/report.h"
#include "spool/dlines.h"
#include "taproto/notary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int sched_add_dline(struct sched_file *f, const struct ctl_rcpt *rcpt,
		    struct slice notary, struct slice message, struct err *err)
{
	struct dline d =
	    dline_of_rcpt(rcpt, (int64_t)time(NULL), notary, message);
	struct str line = STR_INIT;
	int r;

	dline_print(&line, &d);
	r = dline_append(f->fd, str_slice(&line), err);
	str_done(&line);
	if (r == 0 && fdatasync(f->fd) < 0)
		r = FAIL_CODE(err, errno, "%s: %s", f->path, strerror(errno));
	return r;
}

struct sched_told *sched_told_add(struct sched_told_list *list)
{
	struct sched_told *told;

	list->items = mem_grow(list->items, &list->cap, list->n + 1,
			       sizeof(*list->items));
	told = &list->items[list->n++];
	*told = (struct sched_told){ 0 };
	return told;
}

/*
 * Did it come to what the `d` line says? Not if whoever wrote it died, or
 * could not write the mark, and the recipient was tried again.
 */
static bool is_so(const struct ctl_rcpt *rcpt, const struct dline *d)
{
	struct notary n;

	switch (rcpt->tag) {
	case CTL_TAG_DONE:
		return notary_parse(d->notary, &n, NULL) < 0 ||
		       !slice_eq(n.action, SLICE("failed"));
	case CTL_TAG_FAILED:
	case CTL_TAG_LOCKED:
		return true;
	default:
		return false;
	}
}

/* Takes out those that came to nothing. */
static void compact(struct sched_told_list *list)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].rcpt != NULL)
			list->items[n++] = list->items[i];
	list->n = n;
}

void sched_told_collect(const struct sched_file *f,
			struct sched_told_list *list)
{
	size_t *last = mem_zero(f->ctl.n_rcpts + 1, sizeof(*last));
	size_t at = 0, offset;
	struct dline d;

	while (dlines_next(str_slice(&f->text), &at, &offset, &d)) {
		const struct ctl_rcpt *rcpt = sched_file_rcpt(f, d.rcpt_offset);
		size_t *mine = rcpt != NULL ? &last[rcpt - f->ctl.rcpts] : NULL;

		if (mine == NULL)
			continue;
		if (*mine > 0) /* a later line is the one that counts */
			list->items[*mine - 1].rcpt = NULL;
		*mine = 0;
		if (d.tag != ' ' || !is_so(rcpt, &d))
			continue;
		*sched_told_add(list) = (struct sched_told){
			.rcpt = rcpt,
			.dline = offset,
			.time = d.time,
			.notary = d.notary,
			.message = d.message,
		};
		*mine = list->n;
	}
	compact(list);
	free(last);
}

void sched_told_collect_mute(const struct sched_file *f,
			     struct sched_told_list *list)
{
	size_t n = f->ctl.n_rcpts, at = 0, offset;
	bool *has_dline = mem_zero(n + 1, sizeof(*has_dline));
	struct dline d;

	while (dlines_next(str_slice(&f->text), &at, &offset, &d)) {
		const struct ctl_rcpt *rcpt = sched_file_rcpt(f, d.rcpt_offset);

		if (rcpt != NULL)
			has_dline[rcpt - f->ctl.rcpts] = true;
	}
	for (size_t i = 0; i < n; i++)
		if (f->ctl.rcpts[i].tag == CTL_TAG_FAILED && !has_dline[i])
			*sched_told_add(list) = (struct sched_told){
				.rcpt = &f->ctl.rcpts[i],
				.dline = SIZE_MAX,
				.notary = SLICE("\001failed\0015.0.0\001\001"),
				.message = SLICE("the reason was not kept"),
			};
	free(has_dline);
}
