/*
 * sysexits.c - what the exit code of a mailer means, one row a code.
 *
 * The texts are the original's; the rows of deferrals have class 4.
 */
#include "dsn/sysexits.h"

#include "base/keyword.h"

#include <sysexits.h>

/* clang-format off */
static const struct sysexit rows[] = {
	{ EX_OK, EX_OK, "",
	  FATE_RELAYED, "2.5.0", "smtp;250 (Delivered)", false },
	{ EX_USAGE, EX_TEMPFAIL, "command line usage error",
	  FATE_DEFERRED, "4.3.0", "x-local; 500 (Command line usage error)",
	  false },
	{ EX_DATAERR, EX_DATAERR, "data format error",
	  FATE_FAILED, "5.3.0", "x-local; 500 (Data format error)", false },
	{ EX_NOINPUT, EX_TEMPFAIL, "cannot open input",
	  FATE_DEFERRED, "4.3.0", "x-local; 530 (Cannot open input)", false },
	{ EX_NOUSER, EX_NOUSER, "addressee unknown",
	  FATE_FAILED, "5.1.1", "x-local; 521 (No such target user)", false },
	{ EX_NOHOST, EX_NOHOST, "host name unknown",
	  FATE_FAILED, "5.3.0", "x-local; 500 (Target host unknown)", false },
	{ EX_UNAVAILABLE, EX_UNAVAILABLE, "service unavailable",
	  FATE_FAILED, "5.3.0", "x-local; 500 (Service unavailable)", false },
	{ EX_SOFTWARE, EX_TEMPFAIL, "internal software error",
	  FATE_DEFERRED, "4.3.0", "x-local; 500 (Internal software error)",
	  false },
	{ EX_OSERR, EX_TEMPFAIL, "system error",
	  FATE_DEFERRED, "4.3.0", "x-local; 500 (System error)", false },
	{ EX_OSFILE, EX_TEMPFAIL, "critical OS file missing",
	  FATE_DEFERRED, "4.3.0", "x-local; 500 (Critical OS file missing)",
	  false },
	{ EX_CANTCREAT, EX_TEMPFAIL, "can't create output file",
	  FATE_DEFERRED, "4.2.1", "x-local; 500 (Can't create output file)",
	  false },
	{ EX_IOERR, EX_TEMPFAIL, "input/output error",
	  FATE_DEFERRED, "4.2.2", "x-local; 500 (Input/Output error)", false },
	{ EX_TEMPFAIL, EX_TEMPFAIL, "temporary failure",
	  FATE_DEFERRED, "4.3.0", "x-local; 500 (Temporary failure)", false },
	{ EX_PROTOCOL, EX_TEMPFAIL, "remote error in protocol",
	  FATE_DEFERRED, "4.3.0", "x-local; 500 (Remote error in protocol)",
	  false },
	{ EX_NOPERM, EX_NOPERM, "permission denied",
	  FATE_FAILED, "5.2.0", "x-local; 520 (Permission denied)", true },
};
/* clang-format on */

const struct sysexit *sysexit_find(int code)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].code == code)
			return &rows[i];
	return NULL;
}
