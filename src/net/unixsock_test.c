/*
 * unixsock_test.c - sockets with any path, and who is at the other end.
 */
#include "net/unixsock.h"

#include "base/fd.h"
#include "base/str.h"
#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[] = "/tmp/zpost-unixsock_test-XXXXXX";
static struct str deep; /* a directory whose path fits no sun_path */

static int set_up(void **state)
{
	(void)state;
	memset(folder + strlen(folder) - 6, 'X', 6);
	assert_non_null(mkdtemp(folder));
	str_adds(&deep, folder);
	str_addc(&deep, '/');
	for (int i = 0; i < 200; i++)
		str_addc(&deep, 'd');
	return mkdir(deep.p, 0700);
}

static int tear_down(void **state)
{
	(void)state;
	(void)rmdir(deep.p);
	str_done(&deep);
	return rmdir(folder);
}

static void remove_name(const char *name)
{
	struct str path = STR_INIT;

	str_addf(&path, "%s/%s", deep.p, name);
	assert_int_equal(unlink(path.p), 0);
	str_done(&path);
}

static void test_peer_is_known_and_bytes_pass(void **state)
{
	struct unixsock_peer peer = { 0 };
	struct err err = { 0 };
	int listener = unixsock_listen(deep.p, "s", &err), client, server;
	char byte;

	(void)state;
	assert_true(listener >= 0);
	assert_int_equal(unixsock_accept(listener, &peer, &err), -1);
	assert_int_equal(err.code, EAGAIN);
	client = unixsock_connect(deep.p, "s", 5, &err);
	assert_true(client >= 0);
	server = unixsock_accept(listener, &peer, &err);
	assert_true(server >= 0);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.gid, getegid());
	assert_int_equal(fd_write_all(client, SLICE("x")), 0);
	assert_int_equal(read(server, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	/* Both ends do not wait, and are not handed to children. */
	assert_int_equal(read(client, &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_true((fcntl(server, F_GETFD) & FD_CLOEXEC) != 0);
	assert_true((fcntl(client, F_GETFD) & FD_CLOEXEC) != 0);
	fd_close(client);
	fd_close(server);
	fd_close(listener);
	remove_name("s");
}

static void test_path_to_listen_at_may_be_long(void **state)
{
	struct str path = STR_INIT;
	struct err err = { 0 };
	int listener, client;

	(void)state;
	str_addf(&path, "%s/s", deep.p);
	listener = unixsock_listen_at(path.p, &err);
	assert_true(listener >= 0);
	client = unixsock_connect(deep.p, "s", 5, &err);
	assert_true(client >= 0);
	fd_close(client);
	fd_close(listener);
	remove_name("s");
	assert_int_equal(unixsock_listen_at("/nonexistent/s", &err), -1);
	assert_int_equal(err.code, ENOENT);
	str_done(&path);
}

static void test_nobody_who_listens_is_told_from_trouble(void **state)
{
	struct err err = { 0 };
	int listener;

	(void)state;
	assert_int_equal(unixsock_connect(deep.p, "s", 5, &err), -1);
	assert_int_equal(err.code, ENOENT);
	listener = unixsock_listen(deep.p, "s", &err);
	fd_close(listener);
	assert_int_equal(unixsock_connect(deep.p, "s", 5, &err), -1);
	assert_int_equal(err.code, ECONNREFUSED);
	/* What the dead have left is replaced. */
	listener = unixsock_listen(deep.p, "s", &err);
	assert_true(listener >= 0);
	fd_close(listener);
	remove_name("s");
	assert_int_equal(unixsock_listen("/nonexistent", "s", &err), -1);
	assert_int_equal(err.code, ENOENT);
	assert_int_equal(unixsock_connect("/nonexistent", "s", 5, &err), -1);
	assert_int_equal(unixsock_listen(deep.p, deep.p, &err), -1);
}

/* A manager that listens at an address; its path or abstract name is given. */
static int listen_as_manager(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	memcpy(address.sun_path, name, strlen(name));
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	assert_int_equal(
	    bind(fd, (const struct sockaddr *)&address,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			     strlen(name))),
	    0);
	return fd;
}

static void test_manager_is_told_at_a_path_or_abstract_name(void **state)
{
	struct str path = STR_INIT, abstract = STR_INIT;
	char heard[100];
	struct err err;

	(void)state;
	str_addf(&path, "%s/m", folder);
	str_addf(&abstract, "@%s", folder);
	for (int i = 0; i < 2; i++) {
		const char *name = i == 0 ? path.p : abstract.p;
		int fd = listen_as_manager(name);

		assert_int_equal(unixsock_notify(name, SLICE("READY=1"), &err),
				 0);
		assert_int_equal(recv(fd, heard, sizeof(heard), 0), 7);
		assert_memory_equal(heard, "READY=1", 7);
		fd_close(fd);
	}
	assert_int_equal(unlink(path.p), 0);
	assert_int_equal(unixsock_notify(path.p, SLICE("x"), &err), -1);
	assert_non_null(strstr(err.text, "NOTIFY_SOCKET: "));
	assert_int_equal(unixsock_notify("", SLICE("x"), &err), -1);
	assert_int_equal(unixsock_notify(deep.p, SLICE("x"), &err), -1);
	assert_int_equal(unixsock_notify(NULL, SLICE("x"), &err), 0);
	str_done(&path);
	str_done(&abstract);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_peer_is_known_and_bytes_pass, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_path_to_listen_at_may_be_long, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_nobody_who_listens_is_told_from_trouble, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    test_manager_is_told_at_a_path_or_abstract_name, set_up,
		    tear_down),
	};

	return TEST_RUN(tests);
}
