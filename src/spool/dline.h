/*
 * dline.h - `d` lines: diagnostics kept in the control file.
 *
 *	d SP id ":" headeroffset ":" drptoffset ":" unused ":" time
 *	TAB notary TAB message LF
 *
 * Specification: control file format, section 8.
 */
#ifndef SPOOL_DLINE_H
#define SPOOL_DLINE_H

#include "base/str.h"
#include "spool/ctl.h"

/* Longest message part; longer ones are cut. */
enum { DLINE_MESSAGE_MAX = 8160 };

struct dline {
	char tag;	       /* ' ' or '+' (already reported in a DSN) */
	uint64_t rcpt_offset;  /* id: offset of the `r` line */
	int64_t header_offset; /* -1 if none */
	int64_t dsn_offset;    /* of the `N` line, -1 if none */
	int64_t time;	       /* Unix time of the diagnostic */
	struct slice notary;   /* no TAB, no LF */
	struct slice message;  /* CR separates lines */
};

/* The dline of a recipient; everything borrowed. */
struct dline dline_of_rcpt(const struct ctl_rcpt *rcpt, int64_t now,
			   struct slice notary, struct slice message);

/*
 * Adds the whole line. In notary and message LF becomes CR and NUL '?', TAB
 * in the notary a blank; the message is cut to DLINE_MESSAGE_MAX bytes.
 */
void dline_print(struct str *to, const struct dline *d);

/* Reads one line without its LF; slices borrowed. -1 and err if malformed. */
MUST_USE int dline_parse(struct slice line, struct dline *ret, struct err *err);

/*
 * Appends lines (whole, as dline_print() made them) to the control file with
 * one write, after a LF of its own should the file end within a line. fd is
 * open for reading and writing. If fewer bytes are written they are taken
 * back and -1 is returned with err filled: the file is cut to its former
 * length, or, if somebody has appended meanwhile, the bytes are overwritten
 * by a line of a type that readers skip. Does not sync.
 */
MUST_USE int dline_append(int fd, struct slice lines, struct err *err);

#endif
