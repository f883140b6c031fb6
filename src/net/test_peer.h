/*
 * test_peer.h - the other end of a connection, and signals, for the tests of
 * conn.c. To be included by one source file of a program only.
 */
#ifndef NET_TEST_PEER_H
#define NET_TEST_PEER_H

#include "base/fd.h"
#include "base/keyword.h"
#include "base/test.h"
#include "net/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

/* ---- the other side ----------------------------------------------------- */

static inline struct net_addr loopback(const char *literal)
{
	struct net_addr addr;
	struct err err;

	assert_int_equal(net_literal_parse(slice_of(literal), 0, &addr, &err),
			 0);
	return addr;
}

/* A bound socket; *addr learns its port. It listens if backlog >= 0. */
static inline int bind_to(struct net_addr *addr, int backlog)
{
	int fd = socket(addr->u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &addr->u.any, addr->len), 0);
	assert_int_equal(getsockname(fd, &addr->u.any, &addr->len), 0);
	if (backlog >= 0)
		assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

/* Both ends of a TCP connection. */
struct pair {
	struct conn *conn;
	int fd;	  /* conn's descriptor, for a look at it */
	int peer; /* the other end */
};

static inline struct conn *dial(const struct net_addr *addr)
{
	struct conn_options how = { .timeout_ms = 5000 };
	struct conn *c;
	struct err err;

	if (conn_dial(addr, &how, &c, &err) < 0)
		fail_msg("%s", err.text);
	return c;
}

static inline void pair_make_at(struct pair *p, struct net_addr *addr)
{
	int listener = bind_to(addr, 1);

	/* The next descriptor is the lowest that is free. */
	p->fd = dup(listener);
	fd_close(p->fd);
	p->conn = dial(addr);
	p->peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(p->peer >= 0);
	fd_close(listener);
}

static inline void pair_make(struct pair *p)
{
	struct net_addr addr = loopback("[127.0.0.1]");

	pair_make_at(p, &addr);
}

static inline void pair_close(struct pair *p)
{
	conn_close(p->conn);
	fd_close(p->peer);
}

static inline void say(const struct pair *p, const char *text)
{
	assert_int_equal(fd_write_all(p->peer, slice_of(text)), 0);
}

/* ---- a network --------------------------------------------------------- */

static bool has_own_network;

/* A network of the test's own, if it may; loopback is down there. */
static inline void make_network(void)
{
	struct ifreq request = { .ifr_name = "lo",
				 .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd, flags = CLONE_NEWNET;

	if (geteuid() != 0)
		flags |= CLONE_NEWUSER;
	if (unshare(flags) < 0)
		return;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	has_own_network = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
	fd_close(fd);
}

/* ---- a black hole ------------------------------------------------------ */

/* A listener whose queue is full, and those that fill it. */
struct crowd {
	int listener, clients[64];
	size_t n;
};

/* Fills the queue until a connection is not taken any more. */
static inline void crowd_make(struct crowd *w, struct net_addr *addr)
{
	bool is_full = false;

	w->listener = bind_to(addr, 0);
	for (w->n = 0; !is_full && w->n < COUNT(w->clients); w->n++) {
		int fd = socket(addr->u.any.sa_family,
				SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		struct pollfd p = { .fd = fd, .events = POLLOUT };

		assert_true(fd >= 0);
		w->clients[w->n] = fd;
		if (connect(fd, &addr->u.any, addr->len) < 0)
			is_full = errno == EAGAIN || poll(&p, 1, 100) == 0;
	}
	assert_true(is_full);
}

static inline void crowd_close(struct crowd *w)
{
	while (w->n > 0)
		fd_close(w->clients[--w->n]);
	fd_close(w->listener);
}

/* ---- signals ------------------------------------------------------------ */

static volatile sig_atomic_t alarms;

static inline void on_alarm(int number)
{
	(void)number;
	alarms = alarms + 1;
}

/* A signal comes in ms and, should that one come too soon, ever again. */
static inline void alarm_in(int ms)
{
	struct itimerval timer = { .it_value.tv_usec = ms * 1000,
				   .it_interval.tv_usec = ms * 1000 };
	struct sigaction act = { .sa_handler = on_alarm };

	alarms = 0;
	assert_int_equal(sigaction(SIGALRM, &act, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static inline void alarm_off(void)
{
	struct itimerval none = { 0 };

	assert_int_equal(setitimer(ITIMER_REAL, &none, NULL), 0);
}

#endif
