/*
 * passage.h - one message on its way to one channel: what its header says,
 * the plan, and the header that is sent.
 *
 *	passage_begin()				reads the header
 *	passage_needs_tree()			read the body once for the tree
 *	passage_plan()				decides, and edits the header
 *	passage_converts_body()			send the body by
 *mime/treeconv.h, else as it is
 *
 * The plan is that of mime/treeplan.h, with or without a tree. Always begun
 * with the message as it came, never with what was made for another channel.
 * Nothing can fail.
 */
#ifndef MIME_PASSAGE_H
#define MIME_PASSAGE_H

#include "mime/glance.h"
#include "mime/treeplan.h"

struct passage {
	struct slice header;	 /* as it came; borrowed */
	struct str clean;	 /* the header as it came, made clean */
	struct mime_label label; /* borrows from it */
	const struct tree *tree; /* borrowed; NULL: not looked into */
	struct tree_plan plan;
	struct str edited; /* the header, if the plan edits it */
};

/*
 * Reads a header, borrowed for as long as *p lives: fields, each ended by LF,
 * in which a CR, a NUL or an empty line is of no account.
 */
void passage_begin(struct passage *p, struct slice header);

/* Frees what it holds; a zeroed one is allowed. */
void passage_done(struct passage *p);

/* Are the parts of the body to be known for the plan? With trials? */
bool passage_needs_tree(const struct passage *p,
			const struct mime_channel *channel);
bool passage_needs_trials(const struct passage *p,
			  const struct mime_channel *channel);

/*
 * The same, once a glance at the whole body has been taken, with the channel's
 * line_max. If no tree is needed then, passage_plan_glanced() decides.
 */
bool passage_needs_closer_look(const struct passage *p,
			       const struct mime_channel *channel,
			       const struct glance *glance);
void passage_plan_glanced(struct passage *p, const struct glance *glance,
			  const struct mime_channel *channel);

/*
 * Decides. The tree, begun with p->label, has ended and lives as long as *p;
 * NULL if it was not needed. May be called again for another channel; slices
 * are borrowed from the channel.
 */
void passage_plan(struct passage *p, const struct tree *tree,
		  const struct mime_channel *channel);

/* The header that is sent: fields, each ended by LF. Borrowed. */
struct slice passage_header(const struct passage *p);

/* Is the body changed on its way, or sent raw somewhere? */
bool passage_converts_body(const struct passage *p);

/* May not even white space of the header be changed, since it is signed? */
bool passage_is_untouchable(const struct passage *p);

/*
 * The plan for people, in one line: the mode, why, the part that decided and
 * the header; "MPQP (8bit, part 2), header converted (8bit)".
 */
void passage_print(struct str *to, const struct passage *p);

#endif
