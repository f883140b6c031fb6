/*
 * send.h - hand a report to the programs that take it away: the signer and
 * submit(8) for mail, stsfetch(8) for https.
 */
#ifndef TLSRPT_SEND_H
#define TLSRPT_SEND_H

#include "tlsrpt/message.h"
#include "tlsrpt/options.h"

/*
 * Queues a message for all of its recipients, signed by the filter, which
 * must be there. Returns 0, or -1 with err filled: then it is queued for
 * none.
 */
MUST_USE int send_mail(const struct tlsrpt_options *o, const struct message *m,
		       struct err *err);

/* Posts a report. Returns 0 if the server took it, or -1 with err filled. */
MUST_USE int send_https(const struct tlsrpt_options *o, struct slice gzip,
			struct slice url, struct err *err);

#endif
