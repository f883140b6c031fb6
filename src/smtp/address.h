/*
 * address.h - may this be the sender or a recipient of a message?
 *
 * What stands on a command line ends in a control file, where a line end
 * would begin another field, and on the wire. The grammar and its limits are
 * smtp/path.h's, so that what is accepted can also be sent. Pure.
 */
#ifndef SMTP_ADDRESS_H
#define SMTP_ADDRESS_H

#include "base/err.h"
#include "base/slice.h"

struct address {
	struct slice text;  /* without angle brackets; empty: the null path */
	struct slice local; /* with its quotes */
	bool has_domain;
	struct slice domain; /* as written; maybe an address literal */
};

/*
 * Takes an address, or one in a pair of angle brackets, apart. Slices are
 * borrowed from text. `what` ("recipient") begins the error's text, which
 * names the address and what is wrong with it. The empty address is refused
 * unless may_be_null.
 */
MUST_USE int address_parse(struct slice text, const char *what,
			   bool may_be_null, struct address *ret,
			   struct err *err);

/*
 * May this be the host (or, likewise, the channel) of a recipient? Neither is
 * empty, longer than 255 bytes, or holds blanks, control bytes, quotes,
 * backslashes or angle brackets; a channel holds no '/' either.
 */
MUST_USE int address_host_check(struct slice host, struct err *err);
MUST_USE int address_channel_check(struct slice channel, struct err *err);

#endif
