/*
 * way.h - where the mail for an address goes: by which channel, to which host.
 *
 * An address without a domain gets the mail name. Then routes.conf(5) is
 * asked, again and again while it gives another address; an address that it
 * does not know, or maps to itself, goes by channel smtp to its domain.
 *
 * What is submitted and what is reported to senders goes the same way.
 */
#ifndef CONF_WAY_H
#define CONF_WAY_H

#include "conf/routes.h"
#include "conf/zenv.h"
#include "smtp/address.h"

/* So often an address becomes another one; more is a loop. */
enum { WAY_STEPS_MAX = 16 };

/* What is known of the ways; all borrowed. */
struct way_map {
	struct slice host_name;	     /* of this machine */
	struct slice mail_name;	     /* behind '@' for want of another; or "" */
	const struct routes *routes; /* NULL: none */
};

struct way_end {
	struct slice channel; /* empty: none was named, so smtp */
	struct slice host;    /* in lower case; "-": none */
	struct slice user;
};

/*
 * Takes a recipient apart, with the mail name behind it if it has no domain
 * and there is one. Texts are borrowed from word or live in a. -1, err naming
 * it, if it is no address.
 */
MUST_USE int way_begin(const struct way_map *map, struct slice word,
		       struct arena *a, struct address *ret, struct err *err);

/*
 * Follows the routes from an address that has a domain. Texts are borrowed
 * from it, or live in a. -1 if they go round in circles or make of it what
 * cannot be used, err naming the line.
 */
MUST_USE int way_find(const struct way_map *map, const struct address *from,
		      struct arena *a, struct way_end *ret, struct err *err);

/* ---- names in zmailer.conf ---------------------------------------------- */

/* Where Debian and its kin keep the name behind '@' of local addresses. */
#define WAY_MAILNAME_FILE "/etc/mailname"

struct way_names {
	struct slice mail_name;	 /* may be empty */
	const char *routes_file; /* the path of routes.conf */
};

/*
 * MAILNAME, else the first word of the file, else host_name if that is a
 * domain; ROUTES, else routes.conf in MAILSHARE. Borrowed from z or in a. -1,
 * err naming the variable, if MAILNAME is no domain.
 */
MUST_USE int way_names_read(const struct zenv *z, struct slice host_name,
			    struct arena *a, struct way_names *ret,
			    struct err *err);

/* The first word of a file like that; empty: no file, or no domain in it. */
struct slice way_mailname_read(const char *file, struct arena *a);

#endif
