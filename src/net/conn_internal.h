/*
 * conn_internal.h - a connection from inside: for conn.c, and for what is laid
 * between a caller and the socket (TLS).
 */
#ifndef NET_CONN_INTERNAL_H
#define NET_CONN_INTERNAL_H

#include "net/conn.h"

enum { CONN_WAIT_SLICE = 1000 }; /* milliseconds; the longest single wait */

/* Takes the place of conn.c's own functions; same contracts. */
struct conn_layer {
	enum conn_result (*read)(struct conn *c, size_t max, struct str *to,
				 int64_t deadline);
	ssize_t (*write)(struct conn *c, struct slice bytes);
	enum conn_result (*wait)(struct conn *c, unsigned wanted, int other_fd,
				 int64_t deadline, unsigned *ret_ready);
	void (*close)(struct conn *c); /* before the socket is closed */
};

struct conn {
	int fd;
	int receive_timeout; /* SO_RCVTIMEO as it is set now */
	bool owes_ack;	     /* something was read and nothing written since */
	const struct conn_layer *layer; /* NULL: clear text */
	struct tls_link *tls;		/* of the layer */
	struct net_addr peer, local;
};

/*
 * Makes the next recv() give up after `wanted` milliseconds. Returns 0, or -1
 * with errno set.
 */
MUST_USE int conn_set_receive_timeout(struct conn *c, int wanted);

/*
 * Acknowledges at once what was read, if nothing we write does it in passing.
 * To be called before anything waits.
 */
void conn_acknowledge(struct conn *c);

#endif
