/*
 * options.h - what the command line of mailq(1) says, as one struct.
 *
 * Texts are borrowed from it, lists live in the arena. Pure.
 */
#ifndef MAILQB_OPTIONS_H
#define MAILQB_OPTIONS_H

#include "mailqb/filter.h"

enum mailq_view {
	MAILQ_VIEW_LIST,     /* a block a message */
	MAILQ_VIEW_MESSAGES, /* each in full: ids were given */
	MAILQ_VIEW_SUMMARY,
	MAILQ_VIEW_DESTINATIONS,
	MAILQ_VIEW_LIVE,
	MAILQ_VIEW_VERSION
};

enum mailq_deed {
	MAILQ_NOTHING,
	MAILQ_HOLD,
	MAILQ_RELEASE,
	MAILQ_KICK,
	MAILQ_EXPIRE,
	MAILQ_DELETE,
	MAILQ_REDIRECT
};

struct mailq_options {
	enum mailq_view view;
	enum mailq_deed deed;
	struct slice channel, host, user; /* --redirect; user may be empty */
	struct mailq_filter filter;
	bool is_json, is_dry, has_all, has_yes, is_verbose, has_attempts;
	unsigned seconds;		    /* --live */
	const char *zenv_file, *postoffice; /* -Z, -P; or NULL */
};

/*
 * Reads argv, which is reordered. -1 with err: it makes no sense.
 */
MUST_USE int mailq_options_read(int argc, char **argv, struct arena *a,
				struct mailq_options *ret, struct err *err);

/* The lines of the usage. */
const char *mailq_options_usage(void);

/* The i-th long option, or NULL behind the last; for those who walk them. */
const char *mailq_options_name(size_t i);

#endif
