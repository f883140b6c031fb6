/*
 * names.h - the addresses in a field of the header (RFC 5322 3.4).
 *
 *	address-list = address *("," address)
 *	address      = mailbox / phrase ":" [ mailbox-list ] ";"
 *	mailbox      = [ phrase ] "<" addr-spec ">" / addr-spec
 *
 * Comments, phrases and the names of groups are dropped, so are blanks and
 * comments within an address beside '.' and '@' (RFC 5322 4.4). What is no
 * address at all, such as two words without a comma, is handed on as it is, so
 * that the check of addresses refuses it by name: a recipient must not get
 * lost because it was mistyped. Pure.
 */
#ifndef SUBM_NAMES_H
#define SUBM_NAMES_H

#include "base/arena.h"
#include "base/str.h"

struct subm_list {
	struct slice *items; /* given; the texts live in the arena */
	size_t n, cap;
};

/* Adds an item, borrowed, to a list that began all zero. */
void subm_list_add(struct subm_list *list, struct slice item);

/* Frees the list; its texts are the arena's. */
void subm_list_done(struct subm_list *list);

/* Adds the addresses of one field's body. */
void subm_names_add(struct subm_list *list, struct slice body, struct arena *a);

/*
 * Adds the recipients that a header names: To, Cc and Bcc or, if it has any
 * of these fields with Resent- before their names, those (RFC 5322 3.6.6).
 */
void subm_names_of_header(struct subm_list *list, struct slice fields,
			  struct arena *a);

#endif
