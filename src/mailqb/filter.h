/*
 * filter.h - which recipients are asked for.
 *
 * A recipient fits if each kind of condition that was given fits; of several
 * of one kind any is enough. Globs have `*`, `?` and `[a-z]`, case apart, and
 * match the whole text. Pure.
 */
#ifndef MAILQB_FILTER_H
#define MAILQB_FILTER_H

#include "mailqb/message.h"

/* Texts of one kind; a list in an arena. */
struct mailq_words {
	struct mailq_words *next;
	struct slice text;
};

enum mailq_than { MAILQ_ANY_AGE, MAILQ_OLDER, MAILQ_YOUNGER };

struct mailq_filter {
	struct mailq_words *ids, *senders, *rcpts, *destinations, *statuses;
	struct mailq_words *reasons;
	unsigned states; /* bits by enum mailq_state; 0: any that is not over */
	enum mailq_than than;
	unsigned age; /* seconds */
};

/* Does the glob match the whole text? */
bool mailq_glob(struct slice glob, struct slice text);

/*
 * Does a reason hold the text somewhere, case apart? A glob if it has `*` or
 * `?`, and then it is to match all of it.
 */
bool mailq_reason_fits(struct slice wanted, struct slice reason);

/* ">2h", "<10m", "90" (older than): false, and nothing set, otherwise. */
MUST_USE bool mailq_age_parse(struct slice text, struct mailq_filter *f);

/* "held,waiting". False if one of the words is no state; *ret names it. */
MUST_USE bool mailq_states_parse(struct slice text, struct mailq_filter *f,
				 struct slice *ret_bad);

/* Is anything asked for but everything? */
bool mailq_filter_is_empty(const struct mailq_filter *f);

/*
 * The name of the control file that an id means, perhaps without its hash
 * directories: the inode number that a spool id begins with, else the id.
 */
struct slice mailq_id_name(struct slice id);

/*
 * Are senders, addresses or spool ids asked for, which only the files of a
 * message know?
 */
bool mailq_filter_needs_files(const struct mailq_filter *f);

/*
 * Does the name of a message fit, with or without its hash directories? Of a
 * spool id only the inode number is looked at.
 */
bool mailq_filter_name(const struct mailq_filter *f, struct slice name);

/*
 * Is a message whose name fits, and whose files were read, the one that is
 * meant? An inode number comes again: a spool id must be that of its file.
 */
bool mailq_filter_spool_id(const struct mailq_filter *f,
			   const struct mailq_message *m);

/* Does a message fit, by its name and age? */
bool mailq_filter_message(const struct mailq_filter *f,
			  const struct mailq_message *m, int64_t now);

/* Does a recipient fit, its message apart? */
bool mailq_filter_rcpt(const struct mailq_filter *f,
		       const struct mailq_rcpt *r);

/* Does a destination fit: its channel and host, or its host alone? */
bool mailq_filter_place(const struct mailq_filter *f, struct slice channel,
			struct slice host);

#endif
