/*
 * blame.h - what a refusal says it is about.
 */
#ifndef SMTPTA_BLAME_H
#define SMTPTA_BLAME_H

#include "base/slice.h"

/*
 * Does a server say that it refuses mail since it came over IPv6? Receivers
 * ask more of IPv6 senders than of others (M3AAWG's advice on mail over IPv6);
 * the text of their refusals is all there is to tell it by. text is that of a
 * diag; only what was heard counts, and no word that has to do with a mail
 * address.
 */
bool blame_is_on_ipv6(struct slice text);

#endif
