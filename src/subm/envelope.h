/*
 * envelope.h - who sends what to whom, and how the spool's files say it.
 *
 * From the words of a command line to the texts that go into the message file
 * and the control file (specification: control file format, sections 1.2 and
 * 2 to 6). Pure: all that is taken from the system is handed in.
 */
#ifndef SUBM_ENVELOPE_H
#define SUBM_ENVELOPE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* What was asked for. */
struct subm_request {
	bool has_sender; /* -f */
	struct slice sender;
	struct slice login;	/* who asks; the sender without -f */
	struct slice host_name; /* this machine's, for a sender without one */
	uint64_t uid;		/* the privilege of sender and recipients */
	struct slice channel;	/* -c, or "smtp" */
	bool has_host;		/* -h */
	struct slice host;
	const struct slice *rcpts; /* as given, in order */
	size_t n_rcpts;
};

struct subm_rcpt {
	struct slice address; /* without angle brackets */
	struct slice host;    /* in lower case; "-": none */
};

struct subm_envelope {
	struct slice sender; /* empty: the null path */
	struct slice channel;
	uint64_t uid;
	struct subm_rcpt *rcpts;
	size_t n_rcpts;
};

/*
 * Checks a request and makes its envelope, in a. Returns EX_OK; EX_USAGE if
 * there is no recipient, or one has no domain and no -h helps; EX_DATAERR for
 * an address, channel or host that cannot be used; EX_NOUSER or EX_CONFIG if
 * the sender needs a login or host name and there is none to use. err names
 * the word.
 */
MUST_USE int subm_envelope_make(const struct subm_request *request,
				struct arena *a, struct subm_envelope *ret,
				struct err *err);

/* Adds the envelope lines that begin the message file. */
void subm_envelope_print(struct str *to, const struct subm_envelope *e);

/* What the control file needs besides the envelope. */
struct subm_content {
	struct slice name;     /* of the message file, for the `i` line */
	uint64_t body_offset;  /* `o` */
	struct slice identity; /* `l` */
	struct slice fields;   /* the header; each line ended by LF */
};

/* Adds the whole control file. */
void subm_control_print(struct str *to, const struct subm_envelope *e,
			const struct subm_content *content);

/*
 * Adds the log identity of a message: its Message-ID, unfolded and made
 * clean, at most 998 bytes; or, if it has none, "<SPOOLID@HOST>".
 */
void subm_identity_print(struct str *to, struct slice fields,
			 struct slice spool_id, struct slice host_name);

#endif
