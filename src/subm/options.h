/*
 * options.h - the command line of submit, sendmail, newaliases and mailq.
 *
 * As sendmail(8) of other systems has it, as far as programs that send mail
 * use it. What only concerned the insides of the original sendmail is taken
 * and does nothing. Pure: words in, a request out.
 */
#ifndef SUBM_OPTIONS_H
#define SUBM_OPTIONS_H

#include "subm/envelope.h"

enum subm_mode {
	SUBM_MODE_MESSAGE,    /* one message */
	SUBM_MODE_BATCH,      /* -bS */
	SUBM_MODE_LIST_QUEUE, /* -bp, mailq */
	SUBM_MODE_NOTHING,    /* -bi, newaliases; -q: nothing to be done */
	SUBM_MODE_SERVE,      /* --serve */
};

struct subm_options {
	enum subm_mode mode;
	struct subm_request request; /* login, names, uid, ... are not filled */
	bool is_quiet;	  /* the name is sendmail: no ids are printed */
	bool ends_at_dot; /* a line with a lone dot ends the message */
};

/*
 * Reads argv, argv[0] being the name. Texts are borrowed from it, lists live
 * in a. Returns EX_OK, or EX_USAGE or EX_UNAVAILABLE and err.
 */
MUST_USE int subm_options_read(int argc, char **argv, struct arena *a,
			       struct subm_options *ret, struct err *err);

/* "usage: ..." in one line. */
const char *subm_options_usage(void);

#endif
