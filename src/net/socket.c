/*
 * socket.c - one socket on its way to one address.
 */
#include "net/socket.h"

#include "base/fd.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>

/* The ports that -r takes from the last to the first. */
enum { RESERVED_FIRST = 512, RESERVED_LAST = 1023 };

static void set_options(int fd, const struct conn_options *o)
{
	int on = 1, size = (int)o->send_buffer;

	/* Failing to set these costs speed or notice, never mail. */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (size > 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static bool is_wildcard(const struct net_addr *local)
{
	if (local->u.any.sa_family == AF_INET)
		return local->u.v4.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&local->u.v6.sin6_addr);
}

/* Any address of a family. */
static struct net_addr wildcard(sa_family_t family)
{
	struct net_addr a = { 0 };

	a.u.any.sa_family = family;
	a.len = family == AF_INET6 ? sizeof(a.u.v6) : sizeof(a.u.v4);
	return a;
}

static void set_port(struct net_addr *addr, uint16_t port)
{
	if (addr->u.any.sa_family == AF_INET6)
		addr->u.v6.sin6_port = htons(port);
	else
		addr->u.v4.sin_port = htons(port);
}

/* The first free reserved port of an address; 0 or an errno value. */
static int bind_reserved(int fd, struct net_addr local)
{
	for (uint16_t port = RESERVED_LAST; port >= RESERVED_FIRST; port--) {
		set_port(&local, port);
		if (bind(fd, &local.u.any, local.len) == 0)
			return 0;
		if (errno != EADDRINUSE)
			return errno;
	}
	return EADDRINUSE;
}

/* Binds to an address alone; 0 or an errno value. */
static int bind_address(int fd, const struct net_addr *local)
{
	int on = 1;

	if (local->len == 0 || is_wildcard(local))
		return 0;
	/*
	 * The port is chosen when the other end is known, so that connections
	 * to different hosts can share it. Without this there are fewer ports.
	 */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, &local->u.any, local->len) == 0 ? 0 : errno;
}

static int bind_local(int fd, sa_family_t family, const struct net_addr *local,
		      const struct conn_options *o)
{
	if (!o->from_reserved_port)
		return bind_address(fd, local);
	return bind_reserved(fd, local->len > 0 ? *local : wildcard(family));
}

static int bind_failed(int code, const struct conn_options *o, struct err *err)
{
	bool is_port = o->from_reserved_port && code == EADDRINUSE;

	err_set(err, code, "bind: %s", strerror(code));
	return is_port ? CONN_NO_PORT : CONN_NO_BIND;
}

static int failed(int code, struct err *err)
{
	err_set(err, code, "%s", strerror(code));
	return CONN_NO_CONNECTION;
}

int socket_begin(const struct net_addr *addr, const struct net_addr *local,
		 const struct conn_options *o, bool *ret_has_arrived,
		 struct err *err)
{
	sa_family_t family = addr->u.any.sa_family;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int code = 0, r;

	if (fd < 0)
		return failed(errno, err);
	if (family != AF_UNIX) {
		set_options(fd, o);
		code = bind_local(fd, family, local, o);
	}
	if (code != 0) {
		r = bind_failed(code, o, err);
		goto out;
	}
	*ret_has_arrived = connect(fd, &addr->u.any, addr->len) == 0;
	/* A full UNIX socket says EAGAIN and offers nothing to wait for. */
	if (!*ret_has_arrived && errno != EINPROGRESS && errno != EINTR) {
		r = failed(errno, err);
		goto out;
	}
	r = fd;
	fd = -1; /* given to the caller */
out:
	fd_close(fd);
	return r;
}

int socket_arrive(int fd, struct err *err)
{
	int code = 0, off = 0;
	socklen_t len = sizeof(code);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
		code = errno;
	if (code == 0 && ioctl(fd, FIONBIO, &off) < 0)
		code = errno;
	return code == 0 ? 0 : failed(code, err);
}
