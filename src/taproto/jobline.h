/*
 * jobline.h - lines from the scheduler to an agent.
 *
 *	job-line  = spool-name [ TAB host ] LF
 *	idle-line = "#idle" LF
 *	stop-line = LF
 *
 * Any other line that begins with '#' is to be ignored (and answered with
 * #hungry). Specification: the scheduler protocol, section 2; zpost's
 * manual smtp(8), section INTERFACE.
 */
#ifndef TAPROTO_JOBLINE_H
#define TAPROTO_JOBLINE_H

#include "base/err.h"
#include "base/str.h"

enum jobline_kind {
	JOBLINE_JOB,	 /* work: name, perhaps with a host */
	JOBLINE_IDLE,	 /* nothing to do; answer #hungry */
	JOBLINE_STOP,	 /* finish */
	JOBLINE_IGNORED, /* unknown '#' line; answer #hungry */
	JOBLINE_TOO_LONG /* over JOBLINE_MAX: skipped; answer #hungry */
};

struct jobline {
	enum jobline_kind kind;
	struct slice name; /* spool-name as received, unchecked */
	bool has_host;
	struct slice host; /* bytes behind the first TAB */
	struct slice line; /* without its LF; the start of one too long */
};

/* Longest line that is kept; no host or spool name comes near it. */
enum { JOBLINE_MAX = 8192 };

/* What an agent says about one that is too long; takes JOBLINE_MAX. */
#define JOBLINE_WARNING "job line of over %d bytes ignored"

/*
 * Collects bytes from the scheduler. All zero is a fresh one. Of a line that
 * is too long only its start is kept, however long it goes on.
 */
struct jobline_reader {
	struct str buffer;
	size_t taken;	/* bytes of buffer already handed out */
	size_t partial; /* kept bytes of the unfinished last line */
};

/* Frees what the reader holds. */
void jobline_reader_done(struct jobline_reader *r);

/* Adds bytes from the scheduler, in any chunking. */
void jobline_feed(struct jobline_reader *r, struct slice bytes);

/*
 * Takes the next whole line. Returns false if there is none yet. The slices
 * of *ret are borrowed until the next jobline_feed(). Bytes without LF at the
 * end of input never become a line: they are to be discarded.
 */
MUST_USE bool jobline_next(struct jobline_reader *r, struct jobline *ret);

/* Is there a whole line waiting? */
bool jobline_ready(const struct jobline_reader *r);

/*
 * Adds the line that the scheduler sends. A name or host that holds TAB, LF
 * or another control byte, a name that is empty or begins with '#', or a line
 * over JOBLINE_MAX is refused: -1, err filled, nothing added.
 */
MUST_USE int jobline_print_job(struct str *to, struct slice name, bool has_host,
			       struct slice host, struct err *err);

/* Adds the idle line, and the line that asks the agent to finish. */
void jobline_print_idle(struct str *to);
void jobline_print_stop(struct str *to);

#endif
