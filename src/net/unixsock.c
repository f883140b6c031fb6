/*
 * unixsock.c - UNIX stream sockets between programs of one host.
 *
 * sun_path takes 107 bytes; /proc/self/fd/N/NAME always fits.
 */
#include "net/unixsock.h"

#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024, SOCKET_MODE = 0666 };

/* Opens the directory and makes the address of a name in it. */
static int open_address(const char *dir, const char *name,
			struct sockaddr_un *ret, struct err *err)
{
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), n;

	if (fd < 0)
		return FAIL_CODE(err, errno, "%s: %s", dir, strerror(errno));
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(ret->sun_path, sizeof(ret->sun_path),
		     "/proc/self/fd/%d/%s", fd, name);
	if (n < 0 || (size_t)n >= sizeof(ret->sun_path)) {
		fd_close(fd);
		return FAIL(err, "%s/%s: the name is too long", dir, name);
	}
	return fd;
}

static int fail(const char *dir, const char *name, struct err *err)
{
	return FAIL_CODE(err, errno, "%s/%s: %s", dir, name, strerror(errno));
}

int unixsock_listen(const char *dir, const char *name, struct err *err)
{
	struct sockaddr_un address;
	int folder = open_address(dir, name, &address, err), fd, r;

	if (folder < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = fd;
	if (fd < 0 || (unlink(address.sun_path) < 0 && errno != ENOENT) ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(address.sun_path, SOCKET_MODE) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		r = fail(dir, name, err);
		fd_close(fd);
	}
	fd_close(folder);
	return r;
}

int unixsock_listen_at(const char *path, struct err *err)
{
	struct slice whole = slice_of(path);
	size_t slash = slice_find_last(whole, '/');
	struct str dir = STR_INIT;
	int fd;

	if (slash == whole.len)
		return unixsock_listen(".", path, err);
	str_add(&dir, slice_head(whole, slash > 0 ? slash : 1));
	fd = unixsock_listen(str_cstr(&dir), path + slash + 1, err);
	str_done(&dir);
	return fd;
}

int unixsock_accept(int fd, struct unixsock_peer *ret, struct err *err)
{
	struct ucred who;
	socklen_t len = sizeof(who);
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (peer < 0)
		return FAIL_CODE(err, errno, "accept: %s", strerror(errno));
	if (getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0) {
		err_set(err, errno, "peer credentials: %s", strerror(errno));
		fd_close(peer);
		return -1;
	}
	*ret = (struct unixsock_peer){ who.pid, who.uid, who.gid };
	return peer;
}

int unixsock_connect(const char *dir, const char *name, unsigned seconds,
		     struct err *err)
{
	const struct timeval limit = { .tv_sec = (time_t)seconds };
	struct sockaddr_un address;
	int folder = open_address(dir, name, &address, err), fd, r;

	if (folder < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	r = fd;
	/* The limit of sending is that of waiting for room in the backlog. */
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) <
		0 ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) <
		0 ||
	    fd_set_nonblocking(fd, true) < 0) {
		r = fail(dir, name, err);
		fd_close(fd);
	}
	fd_close(folder);
	return r;
}

int unixsock_notify(const char *path, struct slice state, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = path != NULL ? strlen(path) : 0;
	int fd, r = 0;

	if (path == NULL)
		return 0;
	if (len < 2 || len >= sizeof(address.sun_path))
		return FAIL(err, "NOTIFY_SOCKET: '%s' is no address", path);
	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
	    sendto(fd, state.p, state.len, MSG_NOSIGNAL,
		   (const struct sockaddr *)&address,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) <
		0)
		r = FAIL_CODE(err, errno, "NOTIFY_SOCKET: %s", strerror(errno));
	fd_close(fd);
	return r;
}
