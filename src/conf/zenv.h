/*
 * zenv.h - the ZENV variables of zmailer.conf(5).
 *
 * One file is read once, at start. Lines `NAME=value` count, from column 0;
 * the first of a name wins; everything else is a comment. NAME is letters,
 * digits and underscores, not beginning with a digit. Blanks around the value
 * and a CR at its end go, one pair of quotes around the whole value is
 * stripped, ${NAME} of the same file is expanded (at most 8 levels; an unknown
 * name is empty). Nothing is taken from the process environment but the path
 * of the file itself (ZCONFIG), which prog hands in.
 */
#ifndef CONF_ZENV_H
#define CONF_ZENV_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define ZENV_DEFAULT_FILE "/etc/zmailer/zmailer.conf"

/* Bounds that keep a hostile or broken file harmless. */
enum {
	ZENV_FILE_MAX = 1024 * 1024, /* bytes of a file */
	ZENV_VALUE_MAX = 64 * 1024,  /* bytes of an expanded value */
	ZENV_DEPTH_MAX = 8,	     /* ${} within ${} */
	ZENV_USES_MAX = 1000	     /* ${} expanded for one value in all */
};

struct zenv;

/*
 * Reads text as if it were the file `name` (for messages). Never fails: what
 * is wrong with a value (nested too deep, too long, a "${" without "}") cuts
 * it there and is told by zenv_warning().
 */
struct zenv *zenv_parse(struct slice text, const char *name, struct arena *a);

/*
 * Reads the file that ZCONFIG names (zconfig, may be NULL or empty), or, if
 * that cannot be read, ZENV_DEFAULT_FILE. If neither is there the compiled
 * defaults hold. *ret lives in a. Returns 0; 1 if it worked but err holds a
 * warning for the log (file unreadable, something wrong in it, or writable by
 * others while we are root); -1 never: an agent must run without the file.
 */
int zenv_load(const char *zconfig, struct arena *a, struct zenv **ret,
	      struct err *err);

/*
 * The value of a variable, expanded; compiled defaults for MAILBIN,
 * MAILSHARE, MAILVAR, POSTOFFICE, LOGDIR and ZCONFIG. False if it is not set.
 * A variable that is set to nothing is set. Borrowed; lives with the arena.
 */
bool zenv_get(const struct zenv *z, const char *name, struct slice *ret);

/* The same for a name that is a slice. */
bool zenv_find(const struct zenv *z, struct slice name, struct slice *ret);

/* The same as a C string; NULL if not set. */
const char *zenv_cstr(const struct zenv *z, const char *name);

/*
 * Adds text with every ${NAME} replaced by its value. Returns false if a name
 * is unknown (it adds nothing for it) or a "${" has no "}" (kept as it is).
 */
bool zenv_expand(const struct zenv *z, struct slice text, struct str *to);

/* The file that was read, or "" if the compiled defaults are in force. */
const char *zenv_file(const struct zenv *z);

/* The first thing wrong in the text, with file and line; "" if nothing is. */
const char *zenv_warning(const struct zenv *z);

#endif
