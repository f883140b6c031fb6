/*
 * sendloop.c - the bare loop that smtp(8) is measured against: ready-made
 * bytes into a socket.
 *
 * usage: sendloop ADDRESS PORT FILE
 *
 * Speaks SMTP to the server, one command at a time, and sends the bytes of
 * FILE as content: they are in memory before it connects, have their CRLF and
 * doubled dots already, and end in the dot. Exits 1 if anything fails.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/slice.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_STEP = 4096 };

/* All bytes of a file, in memory; they stay there. */
static int load(const char *path, struct slice *ret, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = -1;
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) < 0) {
		r = FAIL_CODE(err, errno, "%s: %s", path, strerror(errno));
		goto out;
	}
	p = mmap(NULL, (size_t)st.st_size, PROT_READ,
		 MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (p == MAP_FAILED) {
		r = FAIL_CODE(err, errno, "%s: %s", path, strerror(errno));
		goto out;
	}
	*ret = slice_make(p, (size_t)st.st_size);
	r = 0;
out:
	fd_close(fd);
	return r;
}

/* Waits for a whole reply, whose last line must have the code. */
static int expect(int fd, const char *code, struct err *err)
{
	struct str reply = STR_INIT;
	struct slice rest, line = { 0 };
	int r = -1;

	/* The last line is the one with a blank behind its code. */
	while (line.len < 4 || line.p[3] != ' ' ||
	       reply.p[reply.len - 1] != '\n') {
		ssize_t n;

		str_reserve(&reply, READ_STEP);
		n = read(fd, reply.p + reply.len, READ_STEP);
		if (n <= 0) {
			r = FAIL(err, "no reply");
			goto out;
		}
		reply.len += (size_t)n;
		rest = slice_head(str_slice(&reply), reply.len - 1);
		while (slice_cut(&rest, '\n', &line))
			;
	}
	if (!slice_starts(line, slice_of(code))) {
		r = FAIL(err, "expected %s, got %.*s", code, SLICE_ARG(line));
		goto out;
	}
	r = 0;
out:
	str_done(&reply);
	return r;
}

static int say(int fd, struct slice what, const char *code, struct err *err)
{
	if (fd_write_all(fd, what) < 0)
		return FAIL_CODE(err, errno, "write: %s", strerror(errno));
	return expect(fd, code, err);
}

static int transfer(const struct sockaddr_in *to, struct slice content,
		    struct err *err)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	int r = -1;

	if (fd < 0 ||
	    connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0) {
		r = FAIL_CODE(err, errno, "connect: %s", strerror(errno));
		goto out;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (expect(fd, "220", err) < 0 ||
	    say(fd, SLICE("EHLO bench\r\n"), "250", err) < 0 ||
	    say(fd, SLICE("MAIL FROM:<>\r\n"), "250", err) < 0 ||
	    say(fd, SLICE("RCPT TO:<a@example.com>\r\n"), "250", err) < 0 ||
	    say(fd, SLICE("DATA\r\n"), "354", err) < 0 ||
	    say(fd, content, "250", err) < 0)
		goto out;
	r = 0;
out:
	fd_close(fd);
	return r;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct slice content;
	uint64_t port;
	struct err err;

	if (argc != 4 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 ||
	    !slice_uint(slice_of(argv[2]), UINT16_MAX, &port)) {
		fprintf(stderr, "usage: sendloop ADDRESS PORT FILE\n");
		return 2;
	}
	to.sin_port = htons((uint16_t)port);
	if (load(argv[3], &content, &err) < 0 ||
	    transfer(&to, content, &err) < 0) {
		fprintf(stderr, "sendloop: %s\n", err.text);
		return 1;
	}
	return 0;
}
