/*
 * head.h - find the header of a message that comes in chunks.
 *
 * A message is what RFC 5322 2.1 calls one: fields, an empty line, a body.
 * What people pipe in is looser, and nothing of it may get lost:
 *
 *  * a first line that begins with "From " and is no field (the separator of
 *    a mailbox file) is dropped;
 *  * if the first line of the header ends in CR LF, so do the message's
 *    lines: each CR LF becomes LF, in the body too (crlf.h). Else every byte
 *    stays as it is;
 *  * the header ends at the empty line, which belongs to neither part, or
 *    before the first line that is neither a field nor the continuation of
 *    one: that line begins the body. So a text without a header is all body.
 *
 * Blanks between a field's name and its colon are taken (RFC 5322 4.5).
 */
#ifndef SUBM_HEAD_H
#define SUBM_HEAD_H

#include "base/err.h"
#include "base/parse.h"
#include "base/str.h"

/* Longest header, in bytes, its lines ended by LF. */
enum { SUBM_HEAD_MAX = 1024 * 1024 };

struct subm_head {
	struct str text;    /* whole lines, then the one being collected */
	size_t size;	    /* bytes of whole header lines in text */
	bool has_separator; /* a "From " line was dropped */
	bool is_crlf;	    /* CR LF becomes LF, in the body too */
};

#define SUBM_HEAD_INIT ((struct subm_head){ .text = STR_INIT })

/* Frees what h holds and makes it ready for another message. */
void subm_head_done(struct subm_head *h);

/*
 * Takes bytes off *in until the header has ended. PARSE_DONE: it has; what
 * is left of *in belongs to the body, behind subm_head_rest(). PARSE_BAD: the
 * header holds a NUL or is longer than SUBM_HEAD_MAX.
 */
MUST_USE enum parse subm_head_feed(struct subm_head *h, struct slice *in,
				   struct err *err);

/*
 * The input has ended before subm_head_feed() was done: what there is becomes
 * header or body by the same rules. PARSE_DONE or PARSE_BAD.
 */
MUST_USE enum parse subm_head_end(struct subm_head *h, struct err *err);

/*
 * After PARSE_DONE: the fields, each line ended by LF, without the empty
 * line; and the first bytes of the body that were taken to tell. The latter
 * still hold their CR LF. Both are borrowed from h.
 */
struct slice subm_head_fields(const struct subm_head *h);
struct slice subm_head_rest(const struct subm_head *h);

/*
 * The value of the first field of a name (any case) in what
 * subm_head_fields() gave: all behind the colon, folds kept, without its last
 * LF. Borrowed. False if there is none.
 */
bool subm_head_find(struct slice fields, struct slice name,
		    struct slice *ret_value);

#endif
