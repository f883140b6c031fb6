/*
 * client.h - messages to the process that may write the spool.
 *
 * What is sent is collected and goes out while answers are read, so that
 * neither side waits for the other. It connects once there is a good part of a
 * message, or its end: whoever types a message holds no connection meanwhile.
 * If nobody listens then, it waits some seconds: the service may be starting.
 */
#ifndef SUBM_CLIENT_H
#define SUBM_CLIENT_H

#include "subm/target.h"

struct subm_client; /* opaque */

/*
 * A client of the socket below postoffice. stop_fd: readable when to give up;
 * -1: none. Given to the caller, who calls subm_client_free().
 */
struct subm_client *subm_client_new(const char *postoffice, int stop_fd);

/*
 * Its functions. Trouble with the socket is EX_TEMPFAIL and err->code EPIPE,
 * or EINTR if stop_fd became readable.
 */
struct subm_target subm_client_target(struct subm_client *c);

/* Does anybody listen? Connects at once, or not at all. */
MUST_USE int subm_client_connect(struct subm_client *c, struct err *err);

/* Closes; what was not answered may have been accepted all the same. */
void subm_client_free(struct subm_client *c);

#endif
