/*
 * conn_test.c - connections over loopback and UNIX sockets: to those that
 * answer, refuse, keep silent, hang up, reset, or never read.
 */
#include "net/conn.h"

#include "base/fd.h"
#include "base/keyword.h"
#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* ---- the other side ----------------------------------------------------- */

static struct net_addr loopback(const char *literal)
{
	struct net_addr addr;
	struct err err;

	assert_int_equal(net_literal_parse(slice_of(literal), 0, &addr, &err),
			 0);
	return addr;
}

/* A bound socket; *addr learns its port. It listens if backlog >= 0. */
static int bind_to(struct net_addr *addr, int backlog)
{
	int fd = socket(addr->u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &addr->u.any, addr->len), 0);
	assert_int_equal(getsockname(fd, &addr->u.any, &addr->len), 0);
	if (backlog >= 0)
		assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

/* The path of a UNIX socket in a directory of its own. */
struct place {
	char dir[32];
	struct net_addr addr;
};

static void place_make(struct place *p)
{
	struct err err;
	char path[64];

	snprintf(p->dir, sizeof(p->dir), "/tmp/zpost-conn-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(path, sizeof(path), "%s/socket", p->dir);
	assert_int_equal(net_unix_addr(slice_of(path), &p->addr, &err), 0);
}

static void place_remove(struct place *p)
{
	unlink(p->addr.u.local.sun_path);
	assert_int_equal(rmdir(p->dir), 0);
}

/* Both ends of a TCP connection. */
struct pair {
	struct conn *conn;
	int fd;	  /* conn's descriptor, for a look at it */
	int peer; /* the other end */
};

static struct conn *dial(const struct net_addr *addr)
{
	struct conn *c;
	struct err err;

	if (conn_dial(addr, 5000, NULL, &c, &err) < 0)
		fail_msg("%s", err.text);
	return c;
}

static void pair_make_at(struct pair *p, struct net_addr *addr)
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

static void pair_make(struct pair *p)
{
	struct net_addr addr = loopback("[127.0.0.1]");

	pair_make_at(p, &addr);
}

static void pair_close(struct pair *p)
{
	conn_close(p->conn);
	fd_close(p->peer);
}

/* The peer ends the connection with a RST. */
static void reset_by_peer(struct pair *p)
{
	struct linger at_once = { .l_onoff = 1 };

	assert_int_equal(setsockopt(p->peer, SOL_SOCKET, SO_LINGER, &at_once,
				    sizeof(at_once)),
			 0);
	fd_close(p->peer);
	p->peer = -1;
}

static void say(const struct pair *p, const char *text)
{
	assert_int_equal(fd_write_all(p->peer, slice_of(text)), 0);
}

/* ---- signals ------------------------------------------------------------ */

static volatile sig_atomic_t alarms;

static void on_alarm(int number)
{
	(void)number;
	alarms = alarms + 1;
}

/* A signal comes in ms and, should that one come too soon, ever again. */
static void alarm_in(int ms)
{
	struct itimerval timer = { .it_value.tv_usec = ms * 1000,
				   .it_interval.tv_usec = ms * 1000 };
	struct sigaction act = { .sa_handler = on_alarm };

	alarms = 0;
	assert_int_equal(sigaction(SIGALRM, &act, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void alarm_off(void)
{
	struct itimerval none = { 0 };

	assert_int_equal(setitimer(ITIMER_REAL, &none, NULL), 0);
}

static bool yes(void)
{
	return true;
}

static bool no(void)
{
	return false;
}

/* ---- dialing ------------------------------------------------------------ */

static int option_of(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void test_tcp_connection_has_nodelay_and_keepalive(void **state)
{
	struct pair p;

	(void)state;
	pair_make(&p);
	assert_int_equal(option_of(p.fd, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option_of(p.fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(fcntl(p.fd, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(p.fd, F_GETFD), FD_CLOEXEC);
	pair_close(&p);
	assert_int_equal(fcntl(p.fd, F_GETFD), -1);
}

static void test_both_ends_are_known(void **state)
{
	struct net_addr other = { .len = sizeof(other.u) };
	struct pair p;

	(void)state;
	pair_make(&p);
	assert_int_equal(getpeername(p.peer, &other.u.any, &other.len), 0);
	assert_true(net_addr_same_host(conn_local(p.conn), &other));
	assert_int_equal(net_addr_port(conn_local(p.conn)),
			 net_addr_port(&other));
	other.len = sizeof(other.u);
	assert_int_equal(getsockname(p.peer, &other.u.any, &other.len), 0);
	assert_int_equal(net_addr_port(conn_peer(p.conn)),
			 net_addr_port(&other));
	pair_close(&p);
}

/* Echoes through a connection at the given address. */
static void check_talk(struct net_addr *addr)
{
	struct str got = STR_INIT;
	struct pair p;
	char c;

	pair_make_at(&p, addr);
	say(&p, "220 hi");
	assert_int_equal(conn_read(p.conn, 100, &got, conn_now() + 5000),
			 CONN_OK);
	assert_slice_is(str_slice(&got), "220 hi");
	assert_int_equal(conn_write(p.conn, SLICE("Q")), 1);
	assert_int_equal(read(p.peer, &c, 1), 1);
	assert_int_equal(c, 'Q');
	str_done(&got);
	pair_close(&p);
}

static void test_every_family_of_address_can_be_dialed(void **state)
{
	struct net_addr v4 = loopback("[127.0.0.1]");
	struct net_addr v6 = loopback("[IPv6:::1]");
	struct place p;

	(void)state;
	check_talk(&v4);
	check_talk(&v6);
	place_make(&p);
	check_talk(&p.addr);
	place_remove(&p);
}

/* Dials and expects an errno value, and no descriptor left open. */
static void check_no_dial(const struct net_addr *addr, int64_t timeout_ms,
			  bool (*should_stop)(void), int want)
{
	struct conn *c = NULL;
	struct err err;
	int before = dup(0), after;

	fd_close(before);
	assert_int_equal(conn_dial(addr, timeout_ms, should_stop, &c, &err),
			 -1);
	if (err.code != want)
		fail_msg("%s", err.text);
	assert_non_null(strstr(err.text, strerror(want)));
	assert_null(c);
	after = dup(0);
	fd_close(after);
	assert_int_equal(after, before);
}

static void test_closed_port_refuses(void **state)
{
	struct net_addr addr = loopback("[127.0.0.1]");
	int fd;

	(void)state;
	fd = bind_to(&addr, -1);
	check_no_dial(&addr, 5000, NULL, ECONNREFUSED);
	fd_close(fd);
}

static void test_unix_socket_that_is_not_there_or_has_no_listener(void **state)
{
	struct place p;
	int fd;

	(void)state;
	place_make(&p);
	check_no_dial(&p.addr, 5000, NULL, ENOENT);
	fd = bind_to(&p.addr, -1);
	check_no_dial(&p.addr, 5000, NULL, ECONNREFUSED);
	fd_close(fd);
	check_no_dial(&p.addr, 5000, NULL, ECONNREFUSED);
	place_remove(&p);
}

static void test_impossible_address_family_is_an_error(void **state)
{
	struct net_addr addr = { .len = sizeof(addr.u.any) };

	(void)state;
	addr.u.any.sa_family = AF_MAX;
	check_no_dial(&addr, 5000, NULL, EAFNOSUPPORT);
}

/* A listener whose queue is full, and those that fill it. */
struct crowd {
	int listener, clients[64];
	size_t n;
};

/* Fills the queue until a connection is not taken any more. */
static void crowd_make(struct crowd *w, struct net_addr *addr)
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

static void crowd_close(struct crowd *w)
{
	while (w->n > 0)
		fd_close(w->clients[--w->n]);
	fd_close(w->listener);
}

static void test_connect_ends_at_its_timeout(void **state)
{
	struct net_addr addr = loopback("[127.0.0.1]");
	int64_t begin, took;
	struct crowd w;

	(void)state;
	crowd_make(&w, &addr);
	begin = conn_now();
	check_no_dial(&addr, 300, NULL, ETIMEDOUT);
	took = conn_now() - begin;
	assert_true(took >= 300);
	assert_true(took < 4000);
	crowd_close(&w);
}

static void test_full_unix_socket_is_an_error_at_once(void **state)
{
	struct crowd w;
	struct place p;

	(void)state;
	place_make(&p);
	crowd_make(&w, &p.addr);
	check_no_dial(&p.addr, 60000, NULL, EAGAIN);
	crowd_close(&w);
	place_remove(&p);
}

static void test_signal_ends_a_connect_if_we_are_to_stop(void **state)
{
	struct net_addr addr = loopback("[127.0.0.1]");
	struct crowd w;

	(void)state;
	crowd_make(&w, &addr);
	alarm_in(50);
	check_no_dial(&addr, 60000, yes, EINTR);
	assert_true(alarms > 0);
	/* Any other signal is none of its business. */
	alarms = 0;
	check_no_dial(&addr, 300, no, ETIMEDOUT);
	assert_true(alarms > 0);
	alarms = 0;
	check_no_dial(&addr, 300, NULL, ETIMEDOUT);
	assert_true(alarms > 0);
	alarm_off();
	crowd_close(&w);
}

/* ---- reading ------------------------------------------------------------ */

static void test_read_takes_what_is_there_and_no_more_than_max(void **state)
{
	struct str got = STR_INIT;
	struct pair p;

	(void)state;
	pair_make(&p);
	str_adds(&got, "kept ");
	say(&p, "abcdef");
	assert_int_equal(conn_read(p.conn, 4, &got, conn_now() + 5000),
			 CONN_OK);
	assert_slice_is(str_slice(&got), "kept abcd");
	assert_string_equal(str_cstr(&got), "kept abcd");
	assert_int_equal(conn_read(p.conn, 4, &got, INT64_MAX), CONN_OK);
	assert_slice_is(str_slice(&got), "kept abcdef");
	str_done(&got);
	pair_close(&p);
}

static void test_read_ends_at_its_deadline(void **state)
{
	struct str got = STR_INIT;
	int64_t begin, took;
	struct pair p;

	(void)state;
	pair_make(&p);
	for (int64_t ms = -1000; ms <= 200; ms += 200) {
		begin = conn_now();
		assert_int_equal(conn_read(p.conn, 10, &got, begin + ms),
				 CONN_TIMEOUT);
		took = conn_now() - begin;
		assert_true(took >= ms);
		assert_true(took < 4000);
	}
	assert_int_equal(got.len, 0);
	str_done(&got);
	pair_close(&p);
}

/* An agent that was stopped for a while must not lose what came meanwhile. */
static void test_bytes_that_are_there_are_read_past_the_deadline(void **state)
{
	struct pollfd there;
	struct str got = STR_INIT;
	struct pair p;

	(void)state;
	pair_make(&p);
	say(&p, "250 ok");
	there = (struct pollfd){ .fd = p.fd, .events = POLLIN };
	assert_int_equal(poll(&there, 1, 5000), 1);
	assert_int_equal(conn_read(p.conn, 10, &got, conn_now() - 1), CONN_OK);
	assert_slice_is(str_slice(&got), "250 ok");
	assert_int_equal(conn_read(p.conn, 10, &got, conn_now() - 1),
			 CONN_TIMEOUT);
	str_done(&got);
	pair_close(&p);
}

static void test_end_of_file_is_told_after_the_last_bytes(void **state)
{
	struct str got = STR_INIT;
	struct pair p;

	(void)state;
	pair_make(&p);
	say(&p, "421 bye");
	fd_close(p.peer);
	p.peer = -1;
	assert_int_equal(conn_read(p.conn, 100, &got, conn_now() + 5000),
			 CONN_OK);
	assert_int_equal(conn_read(p.conn, 100, &got, conn_now() + 5000),
			 CONN_END);
	assert_int_equal(conn_read(p.conn, 100, &got, conn_now() - 1),
			 CONN_END);
	assert_slice_is(str_slice(&got), "421 bye");
	str_done(&got);
	pair_close(&p);
}

static void test_reset_is_a_failure_with_its_errno(void **state)
{
	struct str got = STR_INIT;
	struct pair p;

	(void)state;
	pair_make(&p);
	reset_by_peer(&p);
	assert_int_equal(conn_read(p.conn, 100, &got, conn_now() + 5000),
			 CONN_FAILED);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(got.len, 0);
	str_done(&got);
	pair_close(&p);
}

static void test_signal_ends_a_read(void **state)
{
	struct str got = STR_INIT;
	int64_t begin = conn_now();
	struct pair p;

	(void)state;
	pair_make(&p);
	alarm_in(50);
	assert_int_equal(conn_read(p.conn, 10, &got, begin + 60000),
			 CONN_INTERRUPTED);
	alarm_off();
	assert_true(conn_now() - begin < 4000);
	str_done(&got);
	pair_close(&p);
}

/* ---- writing ------------------------------------------------------------ */

static char block[64 * 1024];

/* Writes until the socket is full; returns what it took. */
static size_t fill_up(struct pair *p)
{
	size_t total = 0;
	unsigned ready;
	ssize_t n;

	/* What is full may make room a moment later. */
	do {
		while ((n = conn_write(p->conn,
				       slice_make(block, sizeof(block)))) > 0)
			total += (size_t)n;
		assert_int_equal(n, 0);
	} while (conn_wait(p->conn, CONN_WRITABLE, -1, conn_now() + 200,
			   &ready) == CONN_OK);
	return total;
}

static void drain(struct pair *p, size_t total)
{
	while (total > 0) {
		ssize_t n = read(p->peer, block, sizeof(block));

		assert_true(n > 0);
		total -= (size_t)n;
	}
}

static void test_full_socket_takes_nothing_until_the_peer_reads(void **state)
{
	unsigned ready = 0;
	size_t total;
	struct pair p;

	(void)state;
	pair_make(&p);
	total = fill_up(&p);
	assert_true(total > 0);
	drain(&p, total);
	assert_int_equal(
	    conn_wait(p.conn, CONN_WRITABLE, -1, conn_now() + 5000, &ready),
	    CONN_OK);
	assert_int_equal(ready, CONN_WRITABLE);
	assert_int_equal(conn_write(p.conn, SLICE("x")), 1);
	pair_close(&p);
}

/* SIGPIPE has its default disposition here: it would end the test. */
static void test_write_to_a_lost_connection_fails_without_signal(void **state)
{
	unsigned ready = 0;
	struct pair p;

	(void)state;
	pair_make(&p);
	reset_by_peer(&p);
	assert_int_equal(
	    conn_wait(p.conn, CONN_READABLE, -1, conn_now() + 5000, &ready),
	    CONN_OK);
	assert_int_equal(conn_write(p.conn, SLICE("QUIT\r\n")), -1);
	assert_true(errno == ECONNRESET || errno == EPIPE);
	assert_int_equal(conn_write(p.conn, SLICE("QUIT\r\n")), -1);
	assert_int_equal(errno, EPIPE);
	pair_close(&p);
}

/* ---- waiting ------------------------------------------------------------ */

static unsigned wait_for(struct pair *p, unsigned wanted, int other,
			 enum conn_result want)
{
	unsigned ready = 0;

	assert_int_equal(
	    conn_wait(p->conn, wanted, other, conn_now() + 100, &ready), want);
	return ready;
}

static void test_wait_tells_only_of_what_was_asked_for(void **state)
{
	struct pair p;

	(void)state;
	pair_make(&p);
	assert_int_equal(wait_for(&p, CONN_READABLE, -1, CONN_TIMEOUT), 0);
	assert_int_equal(
	    wait_for(&p, CONN_READABLE | CONN_WRITABLE, -1, CONN_OK),
	    CONN_WRITABLE);
	say(&p, "x");
	assert_int_equal(wait_for(&p, CONN_READABLE, -1, CONN_OK),
			 CONN_READABLE);
	assert_int_equal(wait_for(&p, CONN_WRITABLE, -1, CONN_OK),
			 CONN_WRITABLE);
	assert_int_equal(
	    wait_for(&p, CONN_READABLE | CONN_WRITABLE, -1, CONN_OK),
	    CONN_READABLE | CONN_WRITABLE);
	pair_close(&p);
}

static void test_wait_watches_another_descriptor_too(void **state)
{
	int fds[2];
	struct pair p;

	(void)state;
	pair_make(&p);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(wait_for(&p, CONN_READABLE, fds[0], CONN_TIMEOUT), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(wait_for(&p, CONN_READABLE, fds[0], CONN_OK),
			 CONN_OTHER_READABLE);
	say(&p, "x");
	while (wait_for(&p, CONN_READABLE, -1, CONN_OK) != CONN_READABLE)
		;
	assert_int_equal(wait_for(&p, CONN_READABLE, fds[0], CONN_OK),
			 CONN_READABLE | CONN_OTHER_READABLE);
	pair_close(&p);
	/* Its end is something to be read as well. */
	pair_make(&p);
	assert_int_equal(read(fds[0], block, 1), 1);
	fd_close(fds[1]);
	assert_int_equal(wait_for(&p, CONN_READABLE, fds[0], CONN_OK),
			 CONN_OTHER_READABLE);
	fd_close(fds[0]);
	pair_close(&p);
}

static void test_wait_sees_a_lost_connection_as_readable(void **state)
{
	struct pair p;

	(void)state;
	pair_make(&p);
	fd_close(p.peer);
	p.peer = -1;
	assert_int_equal(wait_for(&p, CONN_READABLE, -1, CONN_OK),
			 CONN_READABLE);
	pair_close(&p);
	pair_make(&p);
	fill_up(&p);
	reset_by_peer(&p);
	/* Though only room was asked for: else it would be waited for. */
	assert_true(wait_for(&p, CONN_WRITABLE, -1, CONN_OK) & CONN_READABLE);
	pair_close(&p);
}

static void test_signal_ends_a_wait(void **state)
{
	int64_t begin = conn_now();
	unsigned ready;
	struct pair p;

	(void)state;
	pair_make(&p);
	alarm_in(50);
	assert_int_equal(
	    conn_wait(p.conn, CONN_READABLE, -1, INT64_MAX, &ready),
	    CONN_INTERRUPTED);
	alarm_off();
	assert_true(conn_now() - begin < 4000);
	pair_close(&p);
}

/* ---- all that waits, when a signal came too soon ------------------------ */

/*
 * A signal that arrives just before a system call that waits does not end it.
 * So nothing waits for longer than a few seconds in one call.
 */
static void test_no_wait_is_deaf_for_longer_than_some_seconds(void **state)
{
	struct str got = STR_INIT;
	int64_t begin;
	unsigned ready;
	struct pair p;

	(void)state;
	pair_make(&p);
	begin = conn_now();
	assert_int_equal(conn_read(p.conn, 10, &got, INT64_MAX),
			 CONN_INTERRUPTED);
	assert_true(conn_now() - begin < 10000);
	begin = conn_now();
	assert_int_equal(
	    conn_wait(p.conn, CONN_READABLE, -1, INT64_MAX, &ready),
	    CONN_INTERRUPTED);
	assert_true(conn_now() - begin < 10000);
	str_done(&got);
	pair_close(&p);
}

static void test_closing_nothing_is_allowed(void **state)
{
	(void)state;
	conn_close(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp_connection_has_nodelay_and_keepalive),
		cmocka_unit_test(test_both_ends_are_known),
		cmocka_unit_test(test_every_family_of_address_can_be_dialed),
		cmocka_unit_test(test_closed_port_refuses),
		cmocka_unit_test(
		    test_unix_socket_that_is_not_there_or_has_no_listener),
		cmocka_unit_test(test_impossible_address_family_is_an_error),
		cmocka_unit_test(test_connect_ends_at_its_timeout),
		cmocka_unit_test(test_full_unix_socket_is_an_error_at_once),
		cmocka_unit_test(test_signal_ends_a_connect_if_we_are_to_stop),
		cmocka_unit_test(
		    test_read_takes_what_is_there_and_no_more_than_max),
		cmocka_unit_test(test_read_ends_at_its_deadline),
		cmocka_unit_test(
		    test_bytes_that_are_there_are_read_past_the_deadline),
		cmocka_unit_test(test_end_of_file_is_told_after_the_last_bytes),
		cmocka_unit_test(test_reset_is_a_failure_with_its_errno),
		cmocka_unit_test(test_signal_ends_a_read),
		cmocka_unit_test(
		    test_full_socket_takes_nothing_until_the_peer_reads),
		cmocka_unit_test(
		    test_write_to_a_lost_connection_fails_without_signal),
		cmocka_unit_test(test_wait_tells_only_of_what_was_asked_for),
		cmocka_unit_test(test_wait_watches_another_descriptor_too),
		cmocka_unit_test(test_wait_sees_a_lost_connection_as_readable),
		cmocka_unit_test(test_signal_ends_a_wait),
		cmocka_unit_test(
		    test_no_wait_is_deaf_for_longer_than_some_seconds),
		cmocka_unit_test(test_closing_nothing_is_allowed),
	};

	return TEST_RUN(tests);
}
