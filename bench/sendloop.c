/*
 * sendloop.c - the bare loop that smtp(8) is measured against: ready-made
 * bytes into a socket.
 *
 * usage: sendloop [-t] [-r] [-n COUNT] ADDRESS PORT FILE
 *
 * Speaks SMTP to the server and sends the bytes of FILE as content: they are in
 * memory before it connects, have their CRLF and doubled dots already, and end
 * in the dot. With -n it does so COUNT times, each over a connection of its
 * own; with -t over TLS, after STARTTLS, without a look at the certificate, and
 * with -r each connection resumes the session of the one before. Exits 1 if
 * anything fails.
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
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_STEP = 4096, RECORD = 16384 };

struct loop {
	struct sockaddr_in to;
	struct slice content;
	bool does_resume;
	SSL_CTX *ctx; /* NULL: clear text */
	SSL_SESSION *session;
};

/* One connection. */
struct line {
	int fd;
	SSL *ssl; /* NULL: clear text */
};

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
static int expect(const struct line *l, const char *code, struct err *err)
{
	struct str reply = STR_INIT;
	struct slice rest, line = { 0 };
	int r = -1;

	/* The last line is the one with a blank behind its code. */
	while (line.len < 4 || line.p[3] != ' ' ||
	       reply.p[reply.len - 1] != '\n') {
		ssize_t n;

		str_reserve(&reply, READ_STEP);
		n = l->ssl == NULL
			? read(l->fd, reply.p + reply.len, READ_STEP)
			: SSL_read(l->ssl, reply.p + reply.len, READ_STEP);
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

static int send_all(const struct line *l, struct slice what, struct err *err)
{
	if (l->ssl == NULL && fd_write_all(l->fd, what) < 0)
		return FAIL_CODE(err, errno, "write: %s", strerror(errno));
	while (l->ssl != NULL && what.len > 0) {
		int n = SSL_write(l->ssl, what.p,
				  what.len > RECORD ? RECORD : (int)what.len);

		if (n <= 0)
			return FAIL(err, "no write over TLS");
		what = slice_from(what, (size_t)n);
	}
	return 0;
}

static int say(const struct line *l, struct slice what, const char *code,
	       struct err *err)
{
	if (send_all(l, what, err) < 0)
		return -1;
	return expect(l, code, err);
}

static int start_tls(const struct loop *loop, struct line *l, struct err *err)
{
	if (say(l, SLICE("STARTTLS\r\n"), "220", err) < 0)
		return -1;
	l->ssl = SSL_new(loop->ctx);
	if (l->ssl == NULL || SSL_set_fd(l->ssl, l->fd) != 1 ||
	    (loop->session != NULL &&
	     SSL_set_session(l->ssl, loop->session) != 1) ||
	    SSL_connect(l->ssl) != 1)
		return FAIL(err, "no handshake");
	return say(l, SLICE("EHLO bench\r\n"), "250", err);
}

/* Of TLS 1.3 there is one only when something was read. */
static void keep_session(struct loop *loop, const struct line *l)
{
	if (l->ssl == NULL || !loop->does_resume)
		return;
	SSL_SESSION_free(loop->session);
	loop->session = SSL_get1_session(l->ssl);
}

static int transfer(struct loop *loop, struct err *err)
{
	struct line l = { .fd =
			      socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	int r = -1, on = 1;

	if (l.fd < 0 || connect(l.fd, (const struct sockaddr *)&loop->to,
				sizeof(loop->to)) < 0) {
		r = FAIL_CODE(err, errno, "connect: %s", strerror(errno));
		goto out;
	}
	setsockopt(l.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (expect(&l, "220", err) < 0 ||
	    say(&l, SLICE("EHLO bench\r\n"), "250", err) < 0 ||
	    (loop->ctx != NULL && start_tls(loop, &l, err) < 0) ||
	    say(&l,
		SLICE("MAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nDATA\r\n"),
		"354", err) < 0 ||
	    say(&l, loop->content, "250", err) < 0 ||
	    send_all(&l, SLICE("QUIT\r\n"), err) < 0)
		goto out;
	keep_session(loop, &l);
	if (l.ssl != NULL)
		SSL_shutdown(l.ssl); /* close_notify, no more */
	r = 0;
out:
	SSL_free(l.ssl);
	fd_close(l.fd);
	return r;
}

static bool load_tls(struct loop *loop)
{
	loop->ctx = SSL_CTX_new(TLS_client_method());
	return loop->ctx != NULL;
}

static bool read_options(int argc, char **argv, struct loop *loop,
			 uint64_t *ret_count)
{
	int c;

	*ret_count = 1;
	while ((c = getopt(argc, argv, "trn:")) != -1) {
		if (c == 't' && !load_tls(loop))
			return false;
		loop->does_resume |= c == 'r';
		if (c == '?' ||
		    (c == 'n' &&
		     !slice_uint(slice_of(optarg), UINT32_MAX, ret_count)))
			return false;
	}
	return argc - optind == 3;
}

int main(int argc, char **argv)
{
	struct loop loop = { .to.sin_family = AF_INET };
	uint64_t port, count;
	struct err err;

	if (!read_options(argc, argv, &loop, &count) ||
	    inet_pton(AF_INET, argv[optind], &loop.to.sin_addr) != 1 ||
	    !slice_uint(slice_of(argv[optind + 1]), UINT16_MAX, &port)) {
		fprintf(stderr, "usage: sendloop [-t] [-r] [-n COUNT] "
				"ADDRESS PORT FILE\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	loop.to.sin_port = htons((uint16_t)port);
	if (load(argv[optind + 2], &loop.content, &err) < 0) {
		fprintf(stderr, "sendloop: %s\n", err.text);
		return 1;
	}
	for (; count > 0; count--)
		if (transfer(&loop, &err) < 0) {
			fprintf(stderr, "sendloop: %s\n", err.text);
			return 1;
		}
	SSL_SESSION_free(loop.session);
	SSL_CTX_free(loop.ctx);
	return 0;
}
