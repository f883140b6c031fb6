/*
 * socket.h - one socket on its way to one address.
 *
 * The system calls of connecting, none of which waits; net/race.h does the
 * waiting.
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "net/conn.h"

/*
 * Makes a socket, which does not block, binds it to `local` (len 0: to
 * nothing) and to a reserved port if o wants one, and sets it off towards
 * addr. Returns the descriptor, given to the caller, and whether it has
 * arrived already; or one of the values of a dial that failed, with err
 * filled.
 */
MUST_USE int socket_begin(const struct net_addr *addr,
			  const struct net_addr *local,
			  const struct conn_options *o, bool *ret_has_arrived,
			  struct err *err);

/*
 * What came of a socket that has arrived, or that poll(2) says can be written:
 * 0, and it blocks from now on; or -1, err filled with the errno value.
 */
MUST_USE int socket_arrive(int fd, struct err *err);

#endif
