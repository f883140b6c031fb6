/*
 * environment.h - variables that a mailer is given beside those of sm.
 *
 * -O environment=NAME=VALUE sets or replaces one. NAME is letters, digits and
 * '_', not beginning with a digit. In VALUE
 *
 *	$SENDER              the sender; "<>" for the empty reverse path
 *	$RECIPIENT           the recipient, as $u in an argument
 *	$ORIGINAL_RECIPIENT  the recipient as first written (RFC 3461 ORCPT)
 *	$SPOOLID             the message's name in logs
 *	$ENVID               the sender's name for the message (RFC 3461)
 *	$$                   a dollar sign
 *
 * are replaced, also written ${SENDER} and so on; any other '$' is an error at
 * start. In a scheduler's command= braces are the scheduler's own. What comes
 * from a message has its control characters replaced: no variable holds one.
 * Nothing is expanded twice, and no shell is involved.
 */
#ifndef SMTA_ENVIRONMENT_H
#define SMTA_ENVIRONMENT_H

#include "base/arena.h"
#include "base/err.h"
#include "spool/ctl.h"

/* What one run's variables are made of; all borrowed, none need be clean. */
struct environment_facts {
	struct slice sender, recipient, original_recipient, spool_id, envid;
};

/* Is this a good NAME=VALUE? -1 with err saying what is wrong with it. */
MUST_USE int environment_check(struct slice setting, struct err *err);

/* Would the variable differ between recipients of the same message? */
bool environment_names_recipient(struct slice setting);

/*
 * The environment of one run: `inherited` (ends in NULL) with n settings that
 * have passed environment_check(); of settings for one NAME the last counts.
 * Ends in NULL; array and new strings live in a.
 */
char *const *environment_make(char *const *inherited,
			      const struct slice *settings, size_t n,
			      const struct environment_facts *facts,
			      struct arena *a);

/*
 * $ORIGINAL_RECIPIENT: the address of ORCPT, decoded, if its type is rfc822;
 * of another type TYPE;ADDRESS. Without a good ORCPT the recipient. Lives in
 * a, or as long as r.
 */
struct slice environment_original_recipient(const struct ctl_rcpt *r,
					    struct arena *a);

/* $ENVID: decoded; empty if there is none or it is not xtext. In a. */
struct slice environment_envid(struct slice xtext, struct arena *a);

#endif
