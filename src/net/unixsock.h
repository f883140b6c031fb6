/*
 * unixsock.h - UNIX stream sockets between programs of one host.
 *
 * A socket is named by its directory and its name in it, so that the length of
 * the path does not matter. Who is at the other end the kernel says, not the
 * peer. Descriptors are close-on-exec. What fails gives -1 and err.
 */
#ifndef NET_UNIXSOCK_H
#define NET_UNIXSOCK_H

#include "base/err.h"
#include "base/slice.h"

#include <sys/types.h>

/*
 * Listens on dir/name, with the mode 0666: whoever reaches the directory may
 * connect. A socket that is there already is replaced; the caller must hold a
 * lock that says it is nobody's. Non-blocking.
 */
MUST_USE int unixsock_listen(const char *dir, const char *name,
			     struct err *err);

/* The same at a path of any length, which must not end in '/'. */
MUST_USE int unixsock_listen_at(const char *path, struct err *err);

/* Who connected: ids at the time of connecting. */
struct unixsock_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

/*
 * Accepts a connection, non-blocking, and tells whose it is. -1 with err->code
 * EAGAIN if there is none, EMFILE or the like if the system is short.
 */
MUST_USE int unixsock_accept(int fd, struct unixsock_peer *ret,
			     struct err *err);

/*
 * Connects, waiting at most `seconds` if the other side is busy. Non-blocking
 * then. err->code tells why not: ENOENT or ECONNREFUSED if nobody listens.
 */
MUST_USE int unixsock_connect(const char *dir, const char *name,
			      unsigned seconds, struct err *err);

/*
 * Tells a service manager a state such as "READY=1" (sd_notify(3)) by the
 * socket that NOTIFY_SOCKET names: a path, or a name of the abstract kind
 * behind '@'. NULL: there is none, and nothing is done.
 */
MUST_USE int unixsock_notify(const char *path, struct slice state,
			     struct err *err);

#endif
