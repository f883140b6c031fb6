/*
 * conn_test.c - connections over loopback to those that answer, keep silent,
 * hang up, reset, or never read.
 */
#include "net/conn.h"

#include "net/test_peer.h"

#include <poll.h>

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

/* ---- reading ------------------------------------------------------------ */

static void test_read_takes_what_is_there_and_no_more_than_max(void **state)
{
	struct str got = STR_INIT;
	struct pair p;

	(void)state;
	pair_make(&p);
	str_adds(&got, "kept, and what was there");
	str_cut(&got, 5);
	say(&p, "abcdef");
	assert_int_equal(conn_read(p.conn, 4, &got, conn_now() + 5000),
			 CONN_OK);
	assert_slice_is(str_slice(&got), "kept,abcd");
	assert_string_equal(str_cstr(&got), "kept,abcd");
	assert_int_equal(conn_read(p.conn, 4, &got, INT64_MAX), CONN_OK);
	assert_slice_is(str_slice(&got), "kept,abcdef");
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
