/*
 * run.h - the body of mailq(1): what the options ask for is found and printed,
 * or done.
 */
#ifndef MAILQB_RUN_H
#define MAILQB_RUN_H

#include "mailqb/options.h"

/* Where everything is; prog fills it in. */
struct mailq_world {
	const char *postoffice;
	struct slice socket; /* PARAMmailqsock's path; empty: the usual one */
	int in_fd, out_fd;
	bool is_in_tty;	 /* somebody can be asked */
	bool has_screen; /* output goes to a terminal that can be drawn on */
	unsigned width;	 /* columns to print in */
	int64_t (*now)(void);		    /* Unix time */
	void (*complain)(const char *text); /* a line on standard error */
};

/* Gives what the program is to exit with, a number of sysexits.h. */
MUST_USE int mailq_run(const struct mailq_options *o,
		       const struct mailq_world *w);

#endif
