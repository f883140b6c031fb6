/*
 * conn.h - one connection: connect, read, write, wait, each with a deadline.
 *
 * Times are milliseconds of the monotonic clock (conn_now()). A wait ends
 * early when a signal arrives, so that its caller can look at its flags; and,
 * since one may arrive just before the wait begins, about once a second. TCP
 * connections have TCP_NODELAY and SO_KEEPALIVE; UNIX sockets get no options.
 *
 * After tls_start() (net/tls.h) all of it goes through TLS.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "net/local.h"

#include <sys/types.h>

struct conn; /* opaque */

/* Milliseconds of the monotonic clock. */
int64_t conn_now(void);

/* How to connect. UNIX sockets only heed the first two. */
struct conn_options {
	int64_t timeout_ms;
	bool (*should_stop)(void); /* asked when a signal may have come */
	unsigned send_buffer;	   /* SO_SNDBUF, bytes; 0: the system's */
	bool from_reserved_port;   /* 1023 down to 512; needs the privilege */
	struct local_from from;	   /* the address of our end */
};

/* What became of a dial that failed; all are negative. */
enum {
	CONN_NO_CONNECTION = -1, /* the other side, or the way there */
	CONN_NO_PORT = -2,	 /* every reserved port is taken */
	CONN_NO_BIND = -3	 /* our end cannot be what it should be */
};

/*
 * Connects to one address (net/race.h: to one of several). *ret is given to
 * the caller, who calls conn_close(). On failure one of the values above, err
 * filled, its code the errno value (ETIMEDOUT, EINTR...).
 */
MUST_USE int conn_dial(const struct net_addr *addr,
		       const struct conn_options *o, struct conn **ret,
		       struct err *err);

/*
 * Makes a connection of a socket that is connected to peer and blocks; the
 * descriptor is given. As conn_dial() gives it.
 */
struct conn *conn_adopt(int fd, const struct net_addr *peer);

/*
 * How long one wait may last until the deadline, in milliseconds: at most a
 * second, since a signal may come just before it; 0 once it has passed.
 */
int conn_wait_ms(int64_t deadline);

/*
 * Closes; NULL is allowed. Over TLS the peer is told so (close_notify), if
 * there is room for it; nobody waits for its answer.
 */
void conn_close(struct conn *c);

/* What a read or a wait came to. */
enum conn_result {
	CONN_OK,
	CONN_TIMEOUT,	  /* the deadline has passed */
	CONN_INTERRUPTED, /* a signal came, or may have come */
	CONN_END,	  /* the peer has closed, with or without a word */
	CONN_FAILED	  /* errno tells why; EPROTO: see tls_trouble() */
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
 * socket is full, -1 with errno set if the connection is gone. Over TLS some
 * of what was taken may lie here, encrypted, until there is room: each later
 * call, also one that reads or waits, sends it first.
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
