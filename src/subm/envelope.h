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
#include "conf/routes.h"
#include "spool/ctl.h"

/* A deadline that is asked for (RFC 2852). */
struct subm_by {
	bool is_set;
	uint32_t seconds;	  /* from now */
	bool do_return, do_trace; /* R (else N), T */
};

enum subm_body { SUBM_BODY_UNKNOWN, SUBM_BODY_7BIT, SUBM_BODY_8BITMIME };

/* What is asked for one recipient. */
struct subm_wish {
	bool has_notify; /* else the request's */
	unsigned notify;
	struct slice orcpt; /* type ";" xtext; empty: the recipient as given */
};

/* What was asked for. */
struct subm_request {
	bool has_sender; /* -f */
	struct slice sender;
	struct slice full_name; /* of the sender, for a From field; or empty */
	struct slice login;	/* who asks; the sender without -f */
	struct slice host_name; /* this machine's, for a sender without one */
	struct slice mail_name; /* the same for any address; empty: none */
	uint64_t uid;		/* the privilege of sender and recipients */
	bool may_not_choose;	/* an ordinary user: -c, -h, raw are refused */
	struct slice channel;	/* -c, or all zero: routes say, or "smtp" */
	bool has_host;		/* -h */
	struct slice host;
	const struct slice *rcpts; /* as given, in order */
	size_t n_rcpts;
	const struct subm_wish *wishes; /* of the first n_wishes of them */
	size_t n_wishes;
	uint64_t size;	  /* bytes that the message will have; 0: not said */
	bool reads_rcpts; /* -t: recipients are in the header too */
	bool is_raw;	  /* the header stays as it is */
	const struct routes *routes; /* not asked with -c or -h; may be NULL */
	bool has_notify;	     /* -N */
	unsigned notify;	     /* NOTIFY_... */
	enum ctl_ret ret;	     /* -R */
	struct slice envid;	     /* -V: xtext; or empty */
	struct subm_by by;
	int64_t now; /* for the deadline */
	bool requires_tls;
	enum subm_body body; /* -B */
};

struct subm_rcpt {
	struct slice address;  /* without angle brackets */
	struct slice host;     /* in lower case; "-": none */
	struct slice channel;  /* empty: the envelope's */
	struct slice original; /* what was asked for; empty: the address */
	const struct subm_wish *wish; /* NULL: none */
};

struct subm_envelope {
	struct slice sender; /* empty: the null path */
	struct slice channel;
	uint64_t uid;
	struct subm_rcpt *rcpts;
	size_t n_rcpts;
	const struct subm_request *request; /* for all that concerns reports */
};

/*
 * Checks a request and makes its envelope, in a. Recipients for the same
 * channel, host and user become one. Returns EX_OK; EX_USAGE if there is no
 * recipient, or one has no domain and neither a mail name nor -h helps;
 * EX_DATAERR for an address, channel or host that cannot be used; EX_NOPERM if
 * this user may not ask for that; EX_NOUSER or EX_CONFIG if the sender needs a
 * login or host name and there is none to use, or routes.conf leads nowhere.
 * err names the word. The request must live as long as the envelope.
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
