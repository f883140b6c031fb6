/*
 * conn.h - one connection: connect, read, write, wait, each with a deadline.
 *
 * Times are milliseconds of the monotonic clock (conn_now()). A wait ends
 * early when a signal arrives, so that its caller can look at its flags; and,
 * since one may arrive just before the wait begins, about once a second. TCP
 * connections have TCP_NODELAY and SO_KEEPALIVE; UNIX sockets get no options.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "net/addr.h"

#include <sys/types.h>

struct conn; /* opaque */

/* Milliseconds of the monotonic clock. */
int64_t conn_now(void);

/*
 * Connects within timeout_ms. should_stop (may be NULL) is asked whenever a
 * signal may have come. *ret is given to the caller, who calls conn_close(). On
 * failure -1, err filled, its code the errno value (ETIMEDOUT, EINTR...).
 */
MUST_USE int conn_dial(const struct net_addr *addr, int64_t timeout_ms,
		       bool (*should_stop)(void), struct conn **ret,
		       struct err *err);

/* Closes; NULL is allowed. */
void conn_close(struct conn *c);

/* What a read or a wait came to. */
enum conn_result {
	CONN_OK,
	CONN_TIMEOUT,	  /* the deadline has passed */
	CONN_INTERRUPTED, /* a signal came, or may have come */
	CONN_END,	  /* the peer has closed */
	CONN_FAILED	  /* errno tells why */
};

/*
 * Waits for bytes until the deadline, reads once and adds them, at most max,
 * to *to. What is there already is read even past the deadline. One system
 * call when bytes are there or come soon.
 */
MUST_USE enum conn_result conn_read(struct conn *c, size_t max, struct str *to,
				    int64_t deadline);

/*
 * Writes what can be written at once. Returns the number of bytes, 0 if the
 * socket is full, -1 with errno set if the connection is gone.
 */
MUST_USE ssize_t conn_write(struct conn *c, struct slice bytes);

/* Conditions to wait for, and what has come: a set. */
enum { CONN_READABLE = 1, CONN_WRITABLE = 2, CONN_OTHER_READABLE = 4 };

/*
 * Waits until the deadline (INT64_MAX: for ever) for any of the conditions;
 * other_fd (-1: none) is a further descriptor to be read. Sets *ret_ready.
 */
MUST_USE enum conn_result conn_wait(struct conn *c, unsigned wanted,
				    int other_fd, int64_t deadline,
				    unsigned *ret_ready);

/* Both ends of the connection; borrowed. */
const struct net_addr *conn_peer(const struct conn *c);
const struct net_addr *conn_local(const struct conn *c);

#endif
