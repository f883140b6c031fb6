/*
 * transit.h - what a message becomes on its way to one server.
 *
 * Planned each time a transaction is made, by what the server offers then, and
 * always from the message as it came. The header that is sent has its
 * encoded-words, the "for" clause of its first Received field (RFC 5321 4.4),
 * its TABs and over-long lines in order; of a signed message nothing but that
 * clause is touched. The body is converted while it is sent (smtpta/content.h).
 */
#ifndef SMTPTA_TRANSIT_H
#define SMTPTA_TRANSIT_H

#include "dsn/diag.h"
#include "smtp/caps.h"
#include "smtpta/content.h"
#include "smtpta/options.h"

struct transit {
	struct passage passage;
	struct str header; /* that is sent: fields, each ended by LF */
	uint64_t size;	   /* of what is sent, if the body is converted; or 0 */
	size_t more;	   /* bytes that the header has more than it had */
	bool is_8bit;	   /* header or body, as they are sent */
	bool is_binary;	   /* some of it is: BODY=BINARYMIME */
	bool is_utf8;	   /* the header has UTF-8 that must stay */
};

/* What the way is like. */
struct transit_way {
	const struct smtpta_options *options;
	const struct caps *caps;
	bool is_smtputf8; /* an address needs it, so headers may stay */
	struct slice only_recipient; /* for the "for" clause; or empty */
};

/* The channel that a way is, for plans. Borrows from the way. */
struct mime_channel transit_channel(const struct transit_way *way);

/*
 * Plans for a message with this header, which lives as long as *t, as the body
 * does. A body that is converted is run through the conversion once, to know
 * its size. -1, err filled, if the body cannot be read. What *t held before is
 * freed, so it must have been zero or planned.
 */
MUST_USE int transit_plan(struct transit *t, const struct transit_way *way,
			  struct slice header, struct body *body,
			  struct err *err);

/* Frees what it holds; a zeroed one is allowed. */
void transit_done(struct transit *t);

/*
 * Are there 8-bit bytes that the server does not take and that must not or
 * cannot be encoded?
 */
bool transit_is_unconvertible(const struct transit *t);

/* What becomes of a message because of that, if nobody takes it (5.6.3). */
const struct diag *transit_unconvertible(const struct transit *t,
					 struct arena *a);

/* The tag cvt= of the syslog line. */
const char *transit_mode(const struct transit *t);

#endif
