/*
 * ctl.h - read a message's control file.
 *
 * ctl_parse() is pure: bytes in, a struct of slices out. The slices are
 * borrowed from the text, the arrays live in the arena. Unknown field letters
 * are skipped; what cannot be understood is refused whole, since a file that
 * was half understood could lose a recipient. Specification: control file
 * format, sections 2 to 6.
 */
#ifndef SPOOL_CTL_H
#define SPOOL_CTL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* Largest control file that is read; a larger one is refused. */
enum { CTL_SIZE_MAX = 64 * 1024 * 1024 };

/* The `@` line (section 3). */
enum {
	CTL_FLAG_PID = 1,
	CTL_FLAG_DELAY = 2,
	CTL_FLAG_MIMESTRUCT = 4,
	CTL_FLAGS_KNOWN = 7
};

/* Widths of the slots behind an `r` line's tag byte (section 4). */
enum { CTL_PID_WIDTH = 6, CTL_DELAY_WIDTH = 4 };

/* Tag bytes (section 2.2). */
enum {
	CTL_TAG_TODO = ' ',
	CTL_TAG_LOCKED = '~',
	CTL_TAG_DONE = '+',
	CTL_TAG_FAILED = '-'
};

/* NOTIFY (RFC 3461 4.1); the values of the original's internals. */
enum {
	NOTIFY_SUCCESS = 1,
	NOTIFY_FAILURE = 2,
	NOTIFY_DELAY = 4,
	NOTIFY_NEVER = 8,
	NOTIFY_TRACE = 16
};

/* channel SP host SP user SP privilege (section 4.1). */
struct ctl_address {
	struct slice channel, host, user;
	struct slice privilege; /* to the end of the line, trimmed */
};

/* An `e` line: a list of mailboxes that hear of failures instead. */
struct ctl_errors {
	struct slice value;
	const struct ctl_errors *next; /* NULL: the last */
};

struct ctl_sender {
	size_t offset; /* of the `s` */
	struct ctl_address address;
	bool is_null; /* channel `error`: the reverse path is empty */
	/* The `e` lines since the `s` before, in order; NULL: none. */
	const struct ctl_errors *errors;
};

/* An `m` block (section 5). */
struct ctl_header {
	size_t offset;	   /* of the first header byte: `m` + 2 */
	struct slice text; /* the fields, each ended by LF; no empty line */
};

/* RET on the `R` line. */
enum ctl_ret { CTL_RET_NONE, CTL_RET_FULL, CTL_RET_HDRS };

/*
 * RFC 2852, from BY= on an `N` line; `deadline` is absolute Unix time. With
 * neither R nor N do_notify is set; both may be.
 */
struct ctl_deliverby {
	bool is_set;
	int64_t deadline;
	bool do_return, do_notify, do_trace;
};

/* An `N` line (section 6). */
struct ctl_dsn {
	bool is_present;
	size_t offset;	 /* of the `N`; only if present */
	bool has_notify; /* NOTIFY= stood there, even empty */
	unsigned notify; /* NOTIFY_...; default NOTIFY_FAILURE */
	struct slice orcpt, inrcpt, infrom; /* raw values; may be empty */
	struct slice ezmlm;
	struct ctl_deliverby by;
	bool requires_tls; /* REQUIRETLS (RFC 8689): the word alone */
};

struct ctl_rcpt {
	size_t offset; /* of the `r` */
	size_t span;   /* bytes up to the next `r` line's `r`; 0: the last */
	char tag;
	bool has_pid_slot; /* else of the ancient form: it cannot be locked */
	bool has_delay_slot;
	unsigned delays;       /* the number in the delay slot; 0: none */
	struct slice pid_slot; /* 6 bytes, as read; empty without a slot */
	struct ctl_address address;
	const struct ctl_sender *sender; /* the `s` in force; never NULL */
	const struct ctl_header *header; /* the next `m`; never NULL */
	struct ctl_dsn dsn;
};

struct ctl {
	unsigned flags;		   /* the `@` line's mask */
	struct slice message_name; /* `i` */
	uint64_t body_offset;	   /* `o` */
	struct slice log_identity; /* `l`; may be empty */
	struct slice verbose_file; /* `v`; may be empty */
	struct slice envid;	   /* `n`; may be empty */
	enum ctl_ret ret;	   /* `R` */
	struct ctl_rcpt *rcpts;	   /* in file order, whatever their tags */
	size_t n_rcpts;
	size_t largest_block; /* longest `m` block from its letter (sect. 10) */
};

enum ctl_verdict {
	CTL_OK,
	CTL_REFUSED,	 /* not a control file we can use; err says why */
	CTL_UNSUPPORTED, /* `@` has unknown bits, in ret->flags: stop working */
	CTL_TURN	 /* first byte `T`: not a mail job, refuse silently */
};

/*
 * Reads a whole control file. *ret is filled for CTL_OK (and its flags for
 * CTL_UNSUPPORTED); err otherwise, naming the byte but not the file. Refused:
 * fewer than four fields, no `i` or `o` or two of them, a bad number in `@`
 * or `o`, an `r` before any `s` or without its slots, an address without its
 * four parts, a recipient without a header block behind it, a header block
 * without its empty line, an over-long file, a NUL outside a block, a last
 * line without its LF (but for letters that are skipped, such as a `d` line
 * that somebody is just appending).
 *
 * Of repeated `@`, `l`, `v`, `R` and `n` lines the last counts. An `N` line
 * belongs to the `r` line before it, if nothing but `R` and `n` stands
 * between; any other is skipped. A file may have no recipient at all.
 */
MUST_USE enum ctl_verdict ctl_parse(struct slice text, struct arena *a,
				    struct ctl *ret, struct err *err);

/*
 * Cuts the next token off *rest by the rule of section 4.1: blanks are
 * skipped; '\' protects the next byte; '"' toggles quoting; outside quotes a
 * blank or TAB ends it. Quotes and backslashes stay in the token. False if
 * nothing is left.
 */
bool ctl_token(struct slice *rest, struct slice *ret_token);

/*
 * Adds text as one token that ctl_token() gives back whole: a token that
 * would not survive is put into double quotes, an empty one becomes "-". A LF
 * or NUL cannot stand in a line at all: the caller must have refused them.
 */
void ctl_print_token(struct str *to, struct slice text);

/*
 * The size that SIZE= announces (section 10): what lies behind the body
 * offset, plus the largest header block or 80, plus three percent.
 */
uint64_t ctl_size_estimate(const struct ctl *ctl, uint64_t message_file_size);

#endif
