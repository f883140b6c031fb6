/*
 * report.h - reports to senders, step by step; for room sched alone.
 *
 *	forms.c	  the postmaster's own words
 *	told.c	  what a control file has to tell: its `d` lines
 *	bounce.c  who is told what, and in what words
 *	draft.c	  a report becomes a message in the spool, or a file in postman/
 *	report.c  what is due, and the batches in which it is done
 *
 * Order of writes, so that no crash loses a report: a report is in the spool,
 * durable, before its `d` lines are marked as reported; and only then the
 * control file goes, and after it the message file. A crash in between repeats
 * a report.
 */
#ifndef SCHED_REPORT_H
#define SCHED_REPORT_H

#include "dsn/notice.h"
#include "sched/sched_internal.h"
#include "spool/create.h"

/* ---- told.c ------------------------------------------------------------- */

/* What is to be told of a recipient. Slices are of the file or its arena. */
struct sched_told {
	const struct ctl_rcpt *rcpt;
	size_t dline; /* offset of the `d` line; SIZE_MAX: none */
	int64_t time; /* of the last try, Unix time; 0: unknown */
	struct slice notary, message;
	int64_t until; /* late mail will fail then, Unix time; 0: unknown */
};

struct sched_told_list {
	struct sched_told *items; /* given */
	size_t n, cap;
};

/* An item more, all zero, to be filled at once. */
struct sched_told *sched_told_add(struct sched_told_list *list);

/*
 * Adds all `d` lines of a file that are not reported yet, and that what became
 * of the recipient bears out: the last of each. The list is empty before.
 */
void sched_told_collect(const struct sched_file *f,
			struct sched_told_list *list);

/* Adds recipients that failed and have no `d` line, reported or not. */
void sched_told_collect_mute(const struct sched_file *f,
			     struct sched_told_list *list);

/* ---- forms.c ------------------------------------------------------------ */

/* What the clause that served a recipient adds to a report; may be empty. */
struct slice sched_form(const struct sched *s, const struct ctl_rcpt *rcpt,
			bool is_expired);

/* ---- draft.c ------------------------------------------------------------ */

/* A report that is written, but not durable yet. */
struct sched_draft {
	STAILQ_ENTRY(sched_draft) link;
	enum notice_kind kind;
	struct create file; /* staged; closed if it is stored instead */
	struct str stored;  /* its place below the postoffice */
	struct str message_id;
	bool is_done; /* nothing can lose it any more */
};

STAILQ_HEAD(sched_drafts, sched_draft);

/* The spool while a batch of reports is written; at most one at a time. */
struct sched_desk {
	struct create_office office;
	int postman_dir; /* -1: not needed so far */
};

/* Opens the spool for a batch; -1, err saying why, if that cannot be. */
MUST_USE int sched_desk_open(struct sched *s, struct sched_desk *ret,
			     struct err *err);
/* Once all that was written there is settled, or given up. */
void sched_desk_close(struct sched_desk *d);

/*
 * Writes a notice, its message_id and boundary still empty, and adds it to
 * *to: staged in the spool for those it is for, or, if it is for nobody, in
 * postman/ if the configuration wants that. -1: it cannot be written.
 */
MUST_USE int sched_draft_write(struct sched *s, struct sched_desk *desk,
			       struct notice *n, struct sched_drafts *to,
			       struct err *err);

/*
 * One wait for the disk makes all of them durable, and seen: is_done says
 * which. err says what is wrong if some are not.
 */
void sched_drafts_settle(struct sched_desk *desk, struct sched_draft **drafts,
			 size_t n, struct err *err);

/* Frees them; what is not done leaves nothing behind. */
void sched_drafts_free(struct sched *s, struct sched_drafts *drafts);

/* ---- bounce.c ----------------------------------------------------------- */

/*
 * Writes the reports about these recipients to their senders, as far as they
 * want to hear of it, and adds them to *to. -1 with err: not all of them are.
 */
MUST_USE int sched_bounce(struct sched *s, const struct sched_file *f,
			  const struct sched_told_list *list,
			  struct sched_drafts *to, struct err *err);

/* ---- report.c ----------------------------------------------------------- */

/* The desk of the batch that is being written. */
struct sched_desk *sched_reports_desk(struct sched *s);

/* All is told of this message: its files are to go. */
void sched_report_last(struct sched *s, struct slice name);

/* ---- finish.c ----------------------------------------------------------- */

/*
 * Removes the files of a message, paths below transport/; the message file may
 * be NULL. The control file first: what is left without it is clutter.
 */
MUST_USE int sched_remove(struct sched *s, const char *control,
			  const char *message, struct err *err);

/*
 * It is removed, or that failed and is to be tried again: tells the queue and,
 * unless err is NULL, the log.
 */
void sched_finished(struct sched *s, struct slice name, bool is_done,
		    const struct err *err);

#endif
