/*
 * tree.h - what a message is made of, part by part, in one pass.
 *
 * Push the body in any chunks; get a table of its parts in the order in which
 * they begin, each before those inside it. It is pure data: what becomes of
 * the parts is mime/treeplan.h's to say. Memory does not depend on the size
 * of the message: a part's header, one line and the table are kept, each with
 * a limit. What goes beyond a limit, or could be read in two ways, is an
 * opaque part, which says why; nothing can fail.
 *
 * A delimiter (RFC 2046 5.1.1) is a line of "--", a boundary, perhaps "--",
 * and blanks. That of an outer multipart ends all that is inside it (5.1.2).
 * The line end before a delimiter belongs to it, and so does one at the end of
 * a body whose last delimiter is missing. A message/rfc822 is looked into, a
 * multipart/digest has messages. Signed or encrypted parts are opaque, so is
 * everything inside a message with DKIM or ARC fields. Lines end in LF or CR
 * LF; a CR or NUL elsewhere in a part's header makes the part opaque.
 */
#ifndef MIME_TREE_H
#define MIME_TREE_H

#include "mime/part.h"

enum {
	TREE_DEPTH_MAX = 64,	     /* parts deeper than this are opaque */
	TREE_PARTS_MAX = 4096,	     /* the last of them is the rest */
	TREE_HEADER_MAX = 64 * 1024, /* bytes of a part's header */
	TREE_LINE_MAX = 1000,	     /* of a delimiter, RFC 5322 2.1.1 */
};

/* Lines of text that are compared with the delimiters around it. */
struct tree_watch {
	char line[2 + PART_BOUNDARY_MAX];
	unsigned n;	 /* of it */
	bool is_over;	 /* the rest of the line does not matter */
	bool has_struck; /* a line began as a delimiter does */
};

enum tree_hold {
	TREE_HOLD_NONE, /* within a line */
	TREE_HOLD_CR,	/* a CR is held back, which may begin a line end */
	TREE_HOLD_LINE, /* a line end is, and the line that may delimit */
};

struct tree {
	/* The table; whole after tree_end(). parts[0] is the message. */
	struct part *parts;
	unsigned n_parts;
	uint64_t size; /* of the body */
	/* Where the reader is. */
	struct arena *arena;
	size_t cap;
	bool makes_trials;
	unsigned open[TREE_DEPTH_MAX + 1]; /* multiparts and messages */
	unsigned n_open;
	unsigned n_delimiting; /* of them: multiparts not closed */
	unsigned current;      /* the part whose text is read */
	bool in_header;
	bool has_ended;	    /* so has the last text */
	struct str header;  /* as far as it is read */
	size_t header_line; /* where its last line begins */
	enum tree_hold hold;
	char held[2 + TREE_LINE_MAX + 2];
	size_t n_held, n_eol;
	uint64_t held_at; /* offset of held[0] */
	struct scan scan; /* the text of the current part */
	struct part_facts facts;
	struct qp_decoder trial;
	struct str decoded;
	struct tree_watch watch;
};

/*
 * Begins a body whose header says what `label` holds, which is copied. The
 * table's slices are put into the arena. With makes_trials plain text that is
 * quoted-printable is decoded to see whether it can be.
 */
void tree_begin(struct tree *t, const struct mime_label *label,
		bool makes_trials, struct arena *a);

/* Takes the next bytes. */
void tree_push(struct tree *t, struct slice in);

/* Ends the body; the table is then whole. */
void tree_end(struct tree *t);

/* Frees the table; its slices stay the arena's. */
void tree_done(struct tree *t);

/*
 * What all of the body is made of: its texts, and whether a part's header has
 * 8-bit bytes.
 */
struct part_facts tree_facts(const struct tree *t);

#endif
