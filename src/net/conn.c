/*
 * conn.c - one connection.
 *
 * The socket stays blocking: a read that may wait is then one recv() with
 * SO_RCVTIMEO instead of poll() and read(). Writes use MSG_DONTWAIT. No call
 * waits for longer than CONN_WAIT_SLICE, so that a signal that arrives just
 * before it is noticed soon all the same.
 */
#include "net/conn.h"

#include "base/fd.h"
#include "base/mem.h"
#include "net/conn_internal.h"
#include "net/race.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int64_t conn_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int conn_wait_ms(int64_t deadline)
{
	int64_t left = deadline - conn_now();

	if (left <= 0)
		return 0;
	return left < CONN_WAIT_SLICE ? (int)left : CONN_WAIT_SLICE;
}

struct conn *conn_adopt(int fd, const struct net_addr *peer)
{
	struct conn *c = mem_zero(1, sizeof(*c));

	c->fd = fd;
	c->peer = *peer;
	c->local.len = sizeof(c->local.u);
	if (getsockname(c->fd, &c->local.u.any, &c->local.len) < 0)
		c->local = (struct net_addr){ 0 };
	return c;
}

int conn_dial(const struct net_addr *addr, const struct conn_options *o,
	      struct conn **ret, struct err *err)
{
	struct race_options how = { .conn = *o };
	struct race *race = race_new(addr, 1, &how);
	size_t index;
	int r = 0;

	if (race_next(race, ret, &index) != RACE_WON)
		r = race_failure(race, err);
	race_free(race);
	return r;
}

void conn_close(struct conn *c)
{
	if (c == NULL)
		return;
	if (c->layer != NULL)
		c->layer->close(c);
	fd_close(c->fd);
	free(c);
}

int conn_set_receive_timeout(struct conn *c, int wanted)
{
	struct timeval tv = { .tv_sec = wanted / 1000,
			      .tv_usec = wanted % 1000 * 1000 };

	if (wanted == c->receive_timeout)
		return 0;
	if (setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0)
		return -1;
	c->receive_timeout = wanted;
	return 0;
}

/*
 * A server that has not turned off Nagle's algorithm and answers a group of
 * commands in two pieces keeps the second back until then, and we would let it
 * wait for as long as an acknowledgement may be delayed: 40 ms a message.
 */
void conn_acknowledge(struct conn *c)
{
	int on = 1;

	if (c->owes_ack && c->peer.u.any.sa_family != AF_UNIX)
		setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
	c->owes_ack = false;
}

enum conn_result conn_read(struct conn *c, size_t max, struct str *to,
			   int64_t deadline)
{
	if (c->layer != NULL)
		return c->layer->read(c, max, to, deadline);
	str_reserve(to, max);
	conn_acknowledge(c);
	for (;;) {
		int wait = conn_wait_ms(deadline);
		ssize_t n;

		if (wait > 0 && conn_set_receive_timeout(c, wait) < 0)
			return CONN_FAILED;
		/* What came in time is read even if we are late ourselves. */
		n = recv(c->fd, to->p + to->len, max,
			 wait > 0 ? 0 : MSG_DONTWAIT);
		if (n > 0) {
			to->len += (size_t)n;
			to->p[to->len] = '\0';
			c->owes_ack = true;
			return CONN_OK;
		}
		if (n == 0)
			return CONN_END;
		if (errno == EINTR)
			return CONN_INTERRUPTED;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return CONN_FAILED;
		if (wait == 0)
			return CONN_TIMEOUT;
		/* A slice is over; a signal may have come before recv(). */
		if (wait == CONN_WAIT_SLICE)
			return CONN_INTERRUPTED;
	}
}

ssize_t conn_write(struct conn *c, struct slice bytes)
{
	if (c->layer != NULL)
		return c->layer->write(c, bytes);
	for (;;) {
		ssize_t n = send(c->fd, bytes.p, bytes.len,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0) {
			c->owes_ack = false;
			return n;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return 0;
		if (errno != EINTR)
			return -1;
	}
}

enum conn_result conn_wait(struct conn *c, unsigned wanted, int other_fd,
			   int64_t deadline, unsigned *ret_ready)
{
	struct pollfd p[2] = { { .fd = c->fd },
			       { .fd = other_fd, .events = POLLIN } };
	unsigned ready = 0;
	int n;

	if (c->layer != NULL)
		return c->layer->wait(c, wanted, other_fd, deadline, ret_ready);
	if ((wanted & CONN_READABLE) != 0)
		p[0].events |= POLLIN;
	if ((wanted & CONN_WRITABLE) != 0)
		p[0].events |= POLLOUT;
	conn_acknowledge(c);
	n = poll(p, 2, conn_wait_ms(deadline));
	if (n < 0)
		return errno == EINTR ? CONN_INTERRUPTED : CONN_FAILED;
	if (n == 0)
		return conn_now() < deadline ? CONN_INTERRUPTED : CONN_TIMEOUT;
	/* An error or hang-up shows itself to whoever reads next. */
	if ((p[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
		ready |= CONN_READABLE;
	if ((p[0].revents & POLLOUT) != 0)
		ready |= CONN_WRITABLE;
	if (p[1].revents != 0)
		ready |= CONN_OTHER_READABLE;
	*ret_ready = ready;
	return CONN_OK;
}

const struct net_addr *conn_peer(const struct conn *c)
{
	return &c->peer;
}

const struct net_addr *conn_local(const struct conn *c)
{
	return &c->local;
}
