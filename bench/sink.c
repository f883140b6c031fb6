/*
 * sink.c - a light SMTP server for benchmarks: accepts and forgets.
 *
 * usage: sink PORT-FILE
 *
 * Listens on 127.0.0.1 at a free port, which it writes into PORT-FILE, and
 * answers each connection in a process of its own until it is terminated.
 * Offers PIPELINING and 8BITMIME and believes everything it is told; all
 * replies that one read makes due leave in one write. Only for loopback.
 */
#include "base/fd.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_STEP = 256 * 1024 };

struct session {
	int fd;
	struct str in, out;
	bool is_in_data, is_over;
};

static void on_command(struct session *s, struct slice line)
{
	if (slice_starts_nocase(line, SLICE("EHLO"))) {
		str_adds(&s->out,
			 "250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n");
	} else if (slice_starts_nocase(line, SLICE("DATA"))) {
		str_adds(&s->out, "354 go\r\n");
		s->is_in_data = true;
	} else if (slice_starts_nocase(line, SLICE("QUIT"))) {
		str_adds(&s->out, "221 bye\r\n");
		s->is_over = true;
	} else {
		str_adds(&s->out, "250 ok\r\n");
	}
}

/* Takes content up to its end; false if the end has not come. */
static bool skip_content(struct session *s, struct slice *rest)
{
	size_t at = slice_find_text(*rest, SLICE("\r\n.\r\n"));

	if (at == rest->len) {
		*rest = slice_from(*rest, rest->len > 4 ? rest->len - 4 : 0);
		return false;
	}
	*rest = slice_from(*rest, at + 5);
	s->is_in_data = false;
	str_adds(&s->out, "250 ok\r\n");
	return true;
}

static void take(struct session *s)
{
	struct slice rest = str_slice(&s->in);

	while (rest.len > 0 && !s->is_over) {
		size_t at;

		if (s->is_in_data) {
			if (!skip_content(s, &rest))
				break;
			continue;
		}
		at = slice_find(rest, '\n');
		if (at == rest.len)
			break;
		on_command(s, slice_head(rest, at));
		rest = slice_from(rest, at + 1);
	}
	str_shift(&s->in, s->in.len - rest.len);
}

static void serve(int fd)
{
	struct session s = { .fd = fd };
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	str_adds(&s.out, "220 sink ESMTP\r\n");
	while (fd_write_all(fd, str_slice(&s.out)) == 0 && !s.is_over) {
		ssize_t n;

		str_clear(&s.out);
		str_reserve(&s.in, READ_STEP);
		n = read(fd, s.in.p + s.in.len, READ_STEP);
		if (n <= 0)
			break;
		s.in.len += (size_t)n;
		take(&s);
	}
	str_done(&s.in);
	str_done(&s.out);
}

static int listen_somewhere(const char *port_file)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FILE *f;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(fd, 128) < 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		return -1;
	f = fopen(port_file, "w");
	if (f == NULL || fprintf(f, "%u\n", ntohs(addr.sin_port)) < 0 ||
	    fclose(f) != 0)
		return -1;
	return fd;
}

int main(int argc, char **argv)
{
	int fd = argc == 2 ? listen_somewhere(argv[1]) : -1;

	if (fd < 0) {
		fprintf(stderr, "sink: %s\n",
			argc == 2 ? strerror(errno) : "usage: sink PORT-FILE");
		return 1;
	}
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int connection = accept(fd, NULL, NULL);

		if (connection < 0)
			continue;
		if (fork() == 0) {
			close(fd);
			serve(connection);
			_exit(0);
		}
		close(connection);
	}
}
