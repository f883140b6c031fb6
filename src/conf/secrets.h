/*
 * secrets.h - zpost-secrets(5): accounts at hosts, the file of smtp -A.
 *
 *	line	= channel WS host WS ( old / 1*( WS setting ) )
 *	old	= base64 WS base64 [ WS ignored ]	; user, secret
 *	setting = keyword "=" value
 *	keyword = "user" / "secret" / "command" / "mechanism" / "over"
 *	value	= *VCHAR / <"> *( char / "\" char ) <">
 *
 * Empty lines, and lines whose first byte that is no blank is '#', are
 * ignored. The first line of a channel ("*" is any) and a host (any case)
 * counts, and only that is judged. What is secret lies in strings that are
 * wiped, and in no text of an error.
 */
#ifndef CONF_SECRETS_H
#define CONF_SECRETS_H

#include "base/err.h"
#include "base/str.h"

#include <sys/stat.h>

/* The file's text, and which state of the file it is. */
struct secrets {
	const char *file; /* borrowed */
	struct str text;
	struct stat state; /* all zero: there was no file */
};

/* What a connection must be before the secret may go over it. */
enum secrets_over {
	SECRETS_OVER_VERIFIED,	/* TLS with a server that is who it should be */
	SECRETS_OVER_ENCRYPTED, /* TLS, whoever it is with */
	SECRETS_OVER_CLEAR	/* anything */
};

struct secrets_entry {
	unsigned line;
	struct str user;   /* empty: none */
	struct str secret; /* empty: none, or what command prints */
	/* An absolute path and arguments, with blanks between; or empty. */
	struct str command;
	struct str mechanisms; /* names, with blanks between; empty: any */
	enum secrets_over over;
};

/*
 * Reads a file: a regular one, not by a symbolic link, of root's or ours, that
 * nobody else may read or write. Never waits. Returns 0, *ret being given to
 * the caller, who calls secrets_done(); or -1 with err naming the file.
 */
MUST_USE int secrets_read(const char *file, struct secrets *ret,
			  struct err *err);

/* Is the file still as it was read? */
bool secrets_is_current(const struct secrets *s);

/* Wipes and frees; all zero is allowed, and is what it becomes. */
void secrets_done(struct secrets *s);

/*
 * Finds the entry of a channel and a host. Returns 1, *ret being given to the
 * caller, who calls secrets_entry_done(); 0 if there is none; -1 with err
 * naming file and line if it is not as it must be.
 */
MUST_USE int secrets_find(const struct secrets *s, struct slice channel,
			  struct slice host, struct secrets_entry *ret,
			  struct err *err);

/* Wipes and frees; all zero is allowed, and is what it becomes. */
void secrets_entry_done(struct secrets_entry *e);

#endif
