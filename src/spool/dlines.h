/*
 * dlines.h - the scheduler's side of a control file: walk over its `d` lines,
 * say which of them were reported, hold recipients, remember delays.
 *
 * A held recipient has the tag `h`, which no agent takes; it survives a restart
 * of the scheduler. Recipients are held and released while no agent has them.
 */
#ifndef SPOOL_DLINES_H
#define SPOOL_DLINES_H

#include "spool/dline.h"

enum { CTL_TAG_HELD = 'h' };

/*
 * The next well-formed `d` line of a control file's text from *at on (0 to
 * begin with); *ret_offset is where it begins. What stands within header
 * blocks is none. Slices borrowed from text. False at the end.
 */
MUST_USE bool dlines_next(struct slice text, size_t *at, size_t *ret_offset,
			  struct dline *ret);

/* Marks the `d` line at offset as reported. -1 with err filled: it is not. */
MUST_USE int dlines_mark_reported(int fd, size_t offset, struct err *err);

/*
 * Holds a recipient that is to be done, or makes a held one to be done. -1
 * with err filled: its tag is neither, or the file cannot be written.
 */
MUST_USE int dlines_hold(int fd, const struct ctl_rcpt *rcpt, bool is_held,
			 struct err *err);

/*
 * Writes a number, at most 9999, into a delay slot: what the sender was told
 * of the delay. Nothing happens if the recipient has no such slot.
 */
MUST_USE int dlines_set_delays(int fd, const struct ctl_rcpt *rcpt,
			       unsigned delays, struct err *err);

/* A held recipient is done; no agent could have it. -1 with err: as above. */
MUST_USE int dlines_end_held(int fd, const struct ctl_rcpt *rcpt,
			     struct err *err);

#endif
