/*
 * idn.h - internationalized domain names as the DNS has them.
 *
 * Pure, but for the library: no lookup is made. The mapping is that of
 * UTS 46 without its transitional part, which is IDNA2008 (RFC 5891) for
 * every name that somebody can have registered.
 */
#ifndef NET_IDN_H
#define NET_IDN_H

#include "base/err.h"
#include "base/str.h"

/*
 * Adds a domain to *to with A-labels ("xn--...") in place of its U-labels;
 * one that is ASCII already is added as it is. -1, with err filled and *to as
 * it was, for what is not UTF-8 or no possible name.
 *
 * The mapping turns some wide characters into ASCII ones, '>' and '@' among
 * them: the result must be checked like any other text from outside.
 */
MUST_USE int net_idn_ascii(struct slice domain, struct str *to,
			   struct err *err);

#endif
