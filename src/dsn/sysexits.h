/*
 * sysexits.h - what the exit code of a mailer means (sysexits(3)).
 *
 * The rule: EX_OK is success, under the action "relayed", since what becomes
 * of the mail is the program's affair; EX_DATAERR, EX_NOUSER, EX_NOHOST,
 * EX_UNAVAILABLE and EX_NOPERM are permanent; every other code, listed or
 * not, is temporary.
 */
#ifndef DSN_SYSEXITS_H
#define DSN_SYSEXITS_H

#include "dsn/diag.h"

struct sysexit {
	int code;	  /* what the program said */
	int mapped;	  /* what we make of it: itself or EX_TEMPFAIL */
	const char *text; /* "addressee unknown" */
	enum fate fate;
	const char *status;	/* "5.1.1" */
	const char *diagnostic; /* "x-local; 521 (No such target user)" */
	bool is_abnormal;	/* a sign of bad configuration */
};

/*
 * The row of EX_OK or of a code from EX_USAGE to EX_NOPERM; NULL for any
 * other, which is temporary too (the printers then show the code itself). The
 * row of EX_OK has an empty text.
 */
const struct sysexit *sysexit_find(int code);

#endif
