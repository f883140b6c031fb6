/*
 * report.h - lines from an agent to the scheduler.
 *
 *	line = "#hungry" LF
 *	     | "#resync" SP spool-name LF
 *	     | "#" text LF
 *	     | id "/" offset TAB notary TAB status SP message LF
 *
 * Specification: the scheduler protocol, sections 3 to 6.
 */
#ifndef TAPROTO_REPORT_H
#define TAPROTO_REPORT_H

#include "taproto/notary.h"

enum report_kind {
	REPORT_HUNGRY,	/* one input line has been dealt with */
	REPORT_RESYNC,	/* re-read the control file `name` */
	REPORT_COMMENT, /* for the log: `message` */
	REPORT_RESULT,	/* what became of a recipient */
	REPORT_MALFORMED
};

enum report_status {
	STATUS_OK,     /* delivered; the scheduler writes the `d` line */
	STATUS_OK2,    /* delivered; the agent has written it */
	STATUS_OK3,    /* delivered; no report is due */
	STATUS_ERROR,  /* failed; the scheduler writes the `d` line */
	STATUS_ERROR2, /* failed; the agent has written it */
	STATUS_DEFERRED,
	STATUS_RETRYAT, /* with a time */
	STATUS_DEFERALL,
	STATUS_DEFERBACK,
	STATUS_UNKNOWN /* a word that the protocol does not know */
};

struct report {
	enum report_kind kind;
	struct slice name;   /* REPORT_RESYNC: raw, never empty */
	uint64_t id, offset; /* REPORT_RESULT: of the `r` line */
	struct slice notary; /* raw; notary_parse() splits it */
	enum report_status status;
	bool has_retry;		/* STATUS_RETRYAT: */
	bool retry_is_relative; /* a '+' stood before the number */
	uint64_t retry;		/* seconds */
	struct slice message;	/* raw; CR separates lines */
	struct slice line;	/* all of it, without LF */
};

/*
 * Reads one line (without its LF). Never fails: what the protocol does not
 * allow is REPORT_MALFORMED. Slices are borrowed from line.
 */
void report_parse(struct slice line, struct report *ret);

/* The word of a status ("ok3"); "" for STATUS_UNKNOWN. */
const char *report_status_word(enum report_status status);

/*
 * The status under which an agent reports a diag: success is STATUS_OK2 when
 * NOTIFY has SUCCESS and the next hop did not take over the DSN duty, else
 * STATUS_OK3; a failure is STATUS_ERROR2. For OK2 and ERROR2 a `d` line must
 * have been written before. A retry time of 0 is none: STATUS_DEFERRED.
 */
enum report_status report_status_of(const struct diag *d, bool notify_success);

/* Must the agent write a `d` line before it reports this status? */
bool report_status_has_dline(enum report_status status);

/* "#hungry" LF. */
void report_print_hungry(struct str *to);

/* "#resync NAME" LF; the name is the spool name as received, made clean. */
void report_print_resync(struct str *to, struct slice name);

/* "# TEXT" LF, made clean; CR and LF in text become blanks. */
void report_print_comment(struct str *to, struct slice text);

/* What became of one recipient, as a line is made of it; all borrowed. */
struct report_result {
	uint64_t id;		/* at the start of the control file's name */
	uint64_t offset;	/* of the `r` line */
	struct slice recipient; /* its user part */
	const struct diag *diag;
	enum report_status status; /* not STATUS_UNKNOWN */
	struct slice ta_id;	   /* empty: left out together with its ^A */
};

/*
 * One result line. The notary field is filled for deferrals and empty
 * otherwise (section 5.1). LF in the message becomes CR; every other control
 * byte but CR is made harmless.
 */
void report_print_result(struct str *to, const struct report_result *r);

/*
 * Adds the message part of a report or `d` line: LF becomes CR, other
 * control bytes but CR are made harmless, at most max bytes.
 */
void report_add_message(struct str *to, struct slice text, size_t max);

#endif
