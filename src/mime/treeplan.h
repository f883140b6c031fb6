/*
 * treeplan.h - what becomes of each part of a message on its way.
 *
 * A value made of facts: the header's label, the table of the parts
 * (mime/tree.h), the channel. It extends the plan of mime/plan.h, which holds
 * the message's own header and says the outcome in one mode and one reason,
 * by a choice for each part, its reason, and the part that decided. Nothing
 * is changed here; mime/treeconv.h does that.
 *
 *  * To a 7-bit channel, leaves with 8-bit text are made quoted-printable or
 *    base64, whichever is shorter; for text quoted-printable may be a quarter
 *    and a line longer, since people can read it. Lines, NULs and CRs that
 *    the channel does not take are a reason too. What contains them is
 *    labelled 7bit.
 *  * It is all or nothing: if 8-bit bytes stay somewhere, since a part is
 *    signed, cannot be read, or has them where no encoding is possible,
 *    nothing is converted for their sake, and is_unconvertible and the reason
 *    say so. What an 8-bit channel would harm too, is.
 *  * Leaves labelled binary stay as they are for a channel that takes that,
 *    and are made base64 for all others.
 *  * Plain text that is quoted-printable is decoded if that is asked for and
 *    can be sent, and what contains it is labelled 8bit. Within a multipart
 *    only for an 8-bit channel.
 *  * Header fields of parts with 8-bit text get encoded-words and extended
 *    parameters (mime/rfc2231.h) on a 7-bit channel.
 */
#ifndef MIME_TREEPLAN_H
#define MIME_TREEPLAN_H

#include "mime/tree.h"

/* What becomes of a part. */
enum part_action {
	PART_KEEP,    /* nothing */
	PART_RELABEL, /* its label says 7bit or 8bit; the body stays */
	PART_TO_QP,
	PART_TO_BASE64,
	PART_DECODE, /* from quoted-printable */
	PART_RAW,    /* stays, and is sent without any line ends made */
};

struct part_choice {
	enum part_action action;
	enum mime_reason reason;
	bool is_exact;	      /* base64 of the bytes, not of canonical text */
	bool labels_8bit;     /* with PART_RELABEL: 8bit, else 7bit */
	bool encodes_header;  /* 8-bit text in its header */
	bool folds_header;    /* lines of it that the channel does not take */
	bool adds_version;    /* its message gets MIME-Version ... */
	bool adds_type;	      /* ... and Content-Type, in this charset */
	struct slice charset; /* borrowed from the channel, or constant */
};

struct tree_plan {
	struct mime_plan message;    /* the outcome, and the header's edits */
	unsigned decisive;	     /* the part that gave the reason */
	bool sends_binary;	     /* BODY=BINARYMIME */
	struct part_choice *choices; /* one for each part */
	unsigned n_choices;
};

/*
 * Must the parts be known for the plan? If not, mime_plan_make() does, with
 * what mime_plan_needs() asks for, and the body is sent by mime/convert.h.
 */
bool tree_plan_needs(const struct mime_label *label,
		     const struct mime_channel *channel);

/* Shall the tree make trials: may the plan decode something? */
bool tree_plan_needs_trials(const struct mime_label *label,
			    const struct mime_channel *channel);

/*
 * Decides. The tree has ended; it was begun with this label, and with trials
 * if they are needed. Ends with tree_plan_done(); slices are borrowed from
 * the channel.
 */
void tree_plan_make(const struct tree *t, const struct mime_label *label,
		    const struct mime_channel *channel, struct tree_plan *ret);
void tree_plan_done(struct tree_plan *p);

/* Is anything in the part's own header changed but its label? */
bool part_choice_edits_header(const struct part_choice *c);

/* An action's code word: "keep", "base64". */
const char *part_action_word(enum part_action action);

/*
 * Adds a line for people, of one part: its number, type, label, what becomes
 * of it and why; "2 text/plain 8bit quoted-printable (8bit)". No LF.
 */
void tree_plan_print(struct str *to, const struct tree *t,
		     const struct tree_plan *p, unsigned part);

#endif
