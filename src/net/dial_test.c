/*
 * dial_test.c - connections that are made, refused, or never come about.
 */
#include "net/conn.h"

#include "net/test_peer.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

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
	struct conn_options how = { .timeout_ms = timeout_ms,
				    .should_stop = should_stop };
	struct conn *c = NULL;
	struct err err;
	int before = dup(0), after;

	fd_close(before);
	assert_int_equal(conn_dial(addr, &how, &c, &err), CONN_NO_CONNECTION);
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

/* ---- the options -------------------------------------------------------- */

/* Dials with these options; the new descriptor is *ret_fd. */
static struct conn *dial_with(const struct net_addr *addr,
			      const struct conn_options *how, int *ret_fd)
{
	struct conn *c;
	struct err err;

	*ret_fd = dup(0);
	fd_close(*ret_fd);
	if (conn_dial(addr, how, &c, &err) < 0)
		fail_msg("%s", err.text);
	return c;
}

static void test_send_buffer_is_set(void **state)
{
	struct conn_options how = { .timeout_ms = 5000 };
	struct net_addr addr = loopback("[127.0.0.1]");
	int listener, fd, standard;
	struct conn *c;

	(void)state;
	listener = bind_to(&addr, 4);
	c = dial_with(&addr, &how, &fd);
	standard = option_of(fd, SOL_SOCKET, SO_SNDBUF);
	conn_close(c);
	how.send_buffer = 5000;
	c = dial_with(&addr, &how, &fd);
	/* The kernel doubles it for its own needs. */
	assert_int_equal(option_of(fd, SOL_SOCKET, SO_SNDBUF), 10000);
	assert_int_not_equal(standard, 10000);
	conn_close(c);
	fd_close(listener);
}

static void test_unix_socket_has_no_buffer_size_and_no_port(void **state)
{
	struct conn_options how = { .timeout_ms = 5000,
				    .send_buffer = 5000,
				    .from_reserved_port = true };
	struct conn *c;
	struct place p;
	int listener, fd;

	(void)state;
	place_make(&p);
	listener = bind_to(&p.addr, 4);
	c = dial_with(&p.addr, &how, &fd);
	assert_int_not_equal(option_of(fd, SOL_SOCKET, SO_SNDBUF), 10000);
	conn_close(c);
	fd_close(listener);
	place_remove(&p);
}

static void check_reserved(const char *literal)
{
	struct conn_options how = { .timeout_ms = 5000,
				    .from_reserved_port = true };
	struct net_addr addr = loopback(literal);
	int listener, fd;
	struct conn *first, *second;
	uint16_t port;

	listener = bind_to(&addr, 4);
	first = dial_with(&addr, &how, &fd);
	port = net_addr_port(conn_local(first));
	assert_in_range(port, 513, 1023);
	/* That one is taken now. */
	second = dial_with(&addr, &how, &fd);
	assert_in_range(net_addr_port(conn_local(second)), 512, port - 1);
	conn_close(first);
	conn_close(second);
	fd_close(listener);
}

static void test_reserved_ports_are_taken_from_the_top(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	check_reserved("[127.0.0.1]");
	check_reserved("[IPv6:::1]");
}

/* bind(2) in the child of a test; 0: as it is. */
static int bind_errno;
static unsigned binds;

int bind(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len)
{
	binds++;
	if (bind_errno == 0)
		return (int)syscall(SYS_bind, fd, addr.__sockaddr__, len);
	errno = bind_errno;
	return -1;
}

static void check_bind_fails(int code, int want, unsigned want_binds)
{
	struct conn_options how = { .timeout_ms = 5000,
				    .from_reserved_port = true };
	struct net_addr addr = loopback("[127.0.0.1]");
	struct conn *c = NULL;
	struct err err;
	int before = dup(0), after;

	fd_close(before);
	bind_errno = code;
	binds = 0;
	assert_int_equal(conn_dial(&addr, &how, &c, &err), want);
	bind_errno = 0;
	assert_int_equal(err.code, code);
	assert_int_equal(binds, want_binds);
	assert_null(c);
	after = dup(0);
	fd_close(after);
	assert_int_equal(after, before);
}

static void test_reserved_port_that_cannot_be_had(void **state)
{
	(void)state;
	check_bind_fails(EADDRINUSE, CONN_NO_PORT, 512);
	check_bind_fails(EACCES, CONN_NO_BIND, 1);
}

/* ---- our end ------------------------------------------------------------ */

static struct conn_options from_end(const char *text)
{
	struct conn_options how = { .timeout_ms = 5000 };
	struct err err;

	if (local_parse(slice_of(text), &how.from.end, &err) < 0)
		fail_msg("%s", err.text);
	return how;
}

/* Dials, and expects to be seen to come from there. */
static void check_from(const struct conn_options *how, const char *to,
		       const char *want, unsigned want_binds)
{
	struct net_addr addr = loopback(to), seen = { .len = sizeof(seen.u) };
	struct str text = STR_INIT;
	int listener, peer, fd;
	struct conn *c;

	listener = bind_to(&addr, 4);
	binds = 0;
	c = dial_with(&addr, how, &fd);
	/* A port may be taken, or have been until a moment ago. */
	if (!how->from_reserved_port)
		assert_int_equal(binds, want_binds);
	peer = accept4(listener, &seen.u.any, &seen.len, SOCK_CLOEXEC);
	assert_true(peer >= 0);
	net_addr_print(&text, &seen);
	assert_slice_is(str_slice(&text), want);
	assert_true(net_addr_same_host(conn_local(c), &seen));
	assert_int_equal(net_addr_port(conn_local(c)), net_addr_port(&seen));
	assert_int_equal(net_addr_port(&seen) < 1024, how->from_reserved_port);
	conn_close(c);
	fd_close(peer);
	fd_close(listener);
	str_done(&text);
}

static void test_connection_comes_from_the_address_asked_for(void **state)
{
	struct conn_options how = from_end("[127.0.0.5]");
	struct conn_options v6 = from_end("[IPv6:::1]");

	(void)state;
	check_from(&how, "[127.0.0.1]", "127.0.0.5", 1);
	check_from(&v6, "[IPv6:::1]", "ipv6 ::1", 1);
	/* What does not fit the family says nothing. */
	check_from(&how, "[IPv6:::1]", "ipv6 ::1", 0);
	check_from(&v6, "[127.0.0.1]", "127.0.0.1", 0);
}

static void test_any_address_needs_no_bind(void **state)
{
	struct conn_options any = from_end("any"), any6 = from_end("any6");

	(void)state;
	check_from(&any, "[127.0.0.1]", "127.0.0.1", 0);
	check_from(&any6, "[IPv6:::1]", "ipv6 ::1", 0);
}

static void test_destination_chooses_from_a_pool(void **state)
{
	struct conn_options how = { .timeout_ms = 5000 };

	(void)state;
	how.from.pool = SLICE("127.0.0.5,127.0.0.6,::1");
	how.from.destination = SLICE("a.example");
	check_from(&how, "[127.0.0.1]", "127.0.0.6", 1);
	check_from(&how, "[IPv6:::1]", "ipv6 ::1", 1);
	how.from.destination = SLICE("c.example");
	check_from(&how, "[127.0.0.1]", "127.0.0.5", 1);
}

static void test_reserved_port_and_address_go_together(void **state)
{
	struct conn_options how = from_end("[127.0.0.5]");

	(void)state;
	if (geteuid() != 0)
		skip();
	how.from_reserved_port = true;
	check_from(&how, "[127.0.0.1]", "127.0.0.5", 1);
	how = from_end("any6");
	how.from_reserved_port = true;
	check_from(&how, "[IPv6:::1]", "ipv6 ::1", 1);
}

/* An address more on loopback, under a name of its own. */
static void add_alias(const char *name, const char *address)
{
	struct ifreq request = { 0 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(inet_pton(AF_INET, address, &in.sin_addr), 1);
	memcpy(&request.ifr_addr, &in, sizeof(in));
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	assert_int_equal(ioctl(fd, SIOCSIFADDR, &request), 0);
	fd_close(fd);
}

static void test_connection_comes_from_an_interface(void **state)
{
	struct conn_options how;

	(void)state;
	if (!has_own_network)
		skip();
	add_alias("lo:7", "127.0.0.7");
	how = from_end("iface:LO:7");
	check_from(&how, "[127.0.0.1]", "127.0.0.7", 1);
	how = from_end("iface:v4:lo");
	check_from(&how, "[127.0.0.1]", "127.0.0.1", 1);
	how = from_end("iface:v6:lo");
	check_from(&how, "[IPv6:::1]", "ipv6 ::1", 1);
}

static void check_no_end(const char *end, const char *want)
{
	struct conn_options how = from_end(end);
	struct net_addr addr = loopback("[127.0.0.1]");
	struct conn *c = NULL;
	struct err err;
	int before = dup(0), after;

	fd_close(before);
	assert_int_equal(conn_dial(&addr, &how, &c, &err), CONN_NO_BIND);
	assert_string_equal(err.text, want);
	assert_int_equal(err.code, EADDRNOTAVAIL);
	assert_null(c);
	after = dup(0);
	fd_close(after);
	assert_int_equal(after, before);
}

static void test_end_that_is_not_ours_is_an_error(void **state)
{
	(void)state;
	check_no_end("[198.51.100.9]", "bind: Cannot assign requested address");
	check_no_end("iface:nosuch0",
		     "bind: no address of the local interface");
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
		cmocka_unit_test(test_send_buffer_is_set),
		cmocka_unit_test(
		    test_unix_socket_has_no_buffer_size_and_no_port),
		cmocka_unit_test(test_reserved_ports_are_taken_from_the_top),
		cmocka_unit_test(test_reserved_port_that_cannot_be_had),
		cmocka_unit_test(
		    test_connection_comes_from_the_address_asked_for),
		cmocka_unit_test(test_any_address_needs_no_bind),
		cmocka_unit_test(test_destination_chooses_from_a_pool),
		cmocka_unit_test(test_reserved_port_and_address_go_together),
		cmocka_unit_test(test_connection_comes_from_an_interface),
		cmocka_unit_test(test_end_that_is_not_ours_is_an_error),
	};

	make_network();
	return TEST_RUN(tests);
}
