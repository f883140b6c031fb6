/*
 * smconf.h - sm.conf(5): how each mailer is run.
 *
 *	line = mailer WS flags WS path WS argv0 *( WS arg ) LF
 *
 * Lines that begin with white space or '#' are ignored. No quoting, no
 * continuation, no limit on length or number of words.
 */
#ifndef CONF_SMCONF_H
#define CONF_SMCONF_H

#include "base/arena.h"
#include "base/err.h"

struct smconf_mailer {
	struct slice name;
	struct slice flags; /* letters as written; "-" is among them */
	struct slice path;  /* as written: ${NAME} not yet expanded */
	struct slice *argv; /* argv[0] and on, as written */
	size_t argc;	    /* at least 1 */
	unsigned line;	    /* where the entry stands */
};

/* A configuration's text, and the name of its file for messages. */
struct smconf_source {
	struct slice text;
	const char *file;
};

/*
 * Finds the first entry of `mailer` in a configuration's text. Returns 0 and
 * fills *ret (slices borrowed from the text, array in a); -1 with err naming
 * file and line if there is no such entry or it lacks a field.
 */
MUST_USE int smconf_find(struct smconf_source source, struct slice mailer,
			 struct arena *a, struct smconf_mailer *ret,
			 struct err *err);

/* Reads the file and finds the entry; what it borrows lives in a. */
MUST_USE int smconf_load(const char *file, struct slice mailer, struct arena *a,
			 struct smconf_mailer *ret, struct err *err);

#endif
