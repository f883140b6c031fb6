/*
 * textfile.h - a configuration file, read whole.
 */
#ifndef CONF_TEXTFILE_H
#define CONF_TEXTFILE_H

#include "base/arena.h"
#include "base/err.h"

/* A configuration's text, and the name of its file for messages. */
struct textfile {
	struct slice text;
	const char *name;
};

/*
 * Reads the file `name` of at most max bytes; the text lives in a, the name is
 * borrowed. Never waits, whatever the file is. Returns 0, or -1 with err
 * naming the file.
 */
MUST_USE int textfile_read(const char *name, size_t max, struct arena *a,
			   struct textfile *ret, struct err *err);

/*
 * Cuts the next line off *rest, without its LF or CR LF, and counts it in
 * *number. False at the end.
 */
bool textfile_line(struct slice *rest, struct slice *ret_line,
		   unsigned *number);

#endif
