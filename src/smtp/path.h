/*
 * path.h - may this text be sent to a server?
 *
 * Envelope addresses and parameter values come from control files and are
 * hostile: a CR would end the command, a '>' or a blank would add parameters.
 * Only what RFC 5321's grammar allows passes, with these liberties:
 *  - dots may stand anywhere in a local part ("a..b", "a."): such mailboxes are
 *    in daily use (Japanese telephones) and receivers take them;
 *  - a local part may stand alone ("postmaster", "host!user");
 *  - '_' in a domain;
 *  - a local part over the 64 bytes of 4.5.3.1.1: in daily use too.
 * A source route before the mailbox ("@a,@b:user@c") passes, and is sent as it
 * stands, if it is well-formed. A domain has no empty label, so no dot at its
 * end, and a literal must name an address, or a form with a tag (4.1.3). What
 * is no atext needs quotes: ',', ';', ':', '(', ')', '[', ']', a second '@'.
 * Lengths: a path has at most 254 bytes between its angle brackets (RFC 5321
 * 4.5.3.1.3), a domain 255.
 */
#ifndef SMTP_PATH_H
#define SMTP_PATH_H

#include "base/slice.h"

enum path_verdict {
	PATH_OK,
	PATH_EMPTY,
	PATH_BAD_SYNTAX, /* not in the grammar above, control bytes */
	PATH_TOO_LONG,
	PATH_NEEDS_SMTPUTF8 /* bytes above 0x7f (RFC 6531) */
};

enum { PATH_MAX_BYTES = 254, PATH_DOMAIN_MAX = 255 };

/* Judges an address as it stands between '<' and '>'. */
enum path_verdict path_check(struct slice address);

/*
 * Length of what stands before the '@' of the domain, in an address that is
 * PATH_OK or needs SMTPUTF8: the local part, with a source route before it.
 */
size_t path_local_length(struct slice address);

/* A verdict in words, for reports: "address is too long". */
const char *path_verdict_text(enum path_verdict verdict);

/* Is s a value for ENVID= (RFC 3461 4.4: xtext, at most 100 bytes)? */
bool envid_valid(struct slice s);

/* Is s a value for ORCPT= (RFC 3461 4.2: type ";" xtext, at most 500)? */
bool orcpt_valid(struct slice s);

/*
 * Is s what may stand behind EHLO: a domain or an address literal
 * (RFC 5321 4.1.3), at most 255 bytes?
 */
bool helo_name_valid(struct slice s);

#endif
