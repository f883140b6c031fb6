/*
 * client.c - the scheduler's socket, from the asking side.
 */
#include "mailqb/client.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/unixsock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	CONNECT_SECONDS = 10,
	ANSWER_MS = 60 * 1000, /* between two parts of an answer */
	READ_SIZE = 64 * 1024,
	/* Jobs of very many recipients come in several rows. */
	LINE_MAX_SIZE = 8 * 1024 * 1024
};

struct mailq_client {
	int fd, key_fd;
	struct str in; /* what was read; from `at` on not yet used */
	size_t at, searched;
};

struct mailq_client *mailq_client_new(const char *dir, const char *name,
				      int key_fd, struct err *err)
{
	int fd = unixsock_connect(dir, name, CONNECT_SECONDS, err);
	struct mailq_client *c;

	if (fd < 0)
		return NULL;
	c = mem_zero(1, sizeof(*c));
	c->fd = fd;
	c->key_fd = key_fd;
	return c;
}

void mailq_client_free(struct mailq_client *c)
{
	if (c == NULL)
		return;
	fd_close(c->fd);
	str_done(&c->in);
	free(c);
}

static int lost(struct err *err, const char *why)
{
	return FAIL_CODE(err, EPIPE, "the scheduler: %s", why);
}

/* Waits until the socket is ready for any of it. MAILQ_LINE: it is. */
static enum mailq_heard await(struct mailq_client *c, short events,
			      struct err *err)
{
	struct pollfd fds[] = {
		{ .fd = c->fd, .events = events },
		{ .fd = c->key_fd, .events = POLLIN },
	};
	int n = poll(fds, 2, ANSWER_MS);

	if (n < 0 && errno == EINTR)
		return MAILQ_INTERRUPTED;
	if (n < 0)
		return (void)lost(err, strerror(errno)), MAILQ_LOST;
	if (n == 0)
		return (void)lost(err, "does not answer"), MAILQ_LOST;
	return fds[0].revents != 0 ? MAILQ_LINE : MAILQ_INTERRUPTED;
}

/* What is there, without waiting. MAILQ_LINE: there was something. */
static enum mailq_heard receive(struct mailq_client *c, struct err *err)
{
	ssize_t n;

	str_shift(&c->in, c->at);
	c->at = 0;
	if (c->in.len > LINE_MAX_SIZE)
		return (void)lost(err, "a line without an end"), MAILQ_LOST;
	str_reserve(&c->in, READ_SIZE);
	n = recv(c->fd, c->in.p + c->in.len, READ_SIZE, 0);
	if (n > 0) {
		c->in.len += (size_t)n;
		c->in.p[c->in.len] = '\0';
		return MAILQ_LINE;
	}
	if (n == 0)
		return (void)lost(err, "has closed the connection"), MAILQ_LOST;
	if (errno == EAGAIN || errno == EINTR)
		return MAILQ_INTERRUPTED;
	return (void)lost(err, strerror(errno)), MAILQ_LOST;
}

/*
 * Waits until something can be written. Answers are read meanwhile: whoever
 * cannot get rid of those reads no more requests.
 */
static int await_room(struct mailq_client *c, struct err *err)
{
	enum mailq_heard heard = await(c, POLLOUT | POLLIN, err);

	if (heard == MAILQ_LOST || receive(c, err) == MAILQ_LOST)
		return -1;
	if (heard == MAILQ_INTERRUPTED && c->key_fd >= 0)
		return FAIL_CODE(err, EINTR, "interrupted");
	return 0;
}

int mailq_client_ask(struct mailq_client *c, struct slice request,
		     struct err *err)
{
	struct str line = STR_INIT;
	size_t sent = 0;
	int r = -1;

	if (slice_has_control(request))
		return FAIL(err, "a control character in what is asked for");
	str_add(&line, request);
	str_addc(&line, '\n');
	while (sent < line.len) {
		ssize_t n =
		    send(c->fd, line.p + sent, line.len - sent, MSG_NOSIGNAL);

		if (n >= 0) {
			sent += (size_t)n;
		} else if (errno == EAGAIN) {
			if (await_room(c, err) < 0)
				goto out;
		} else if (errno != EINTR) {
			r = lost(err, strerror(errno));
			goto out;
		}
	}
	r = 0;
out:
	str_done(&line);
	return r;
}

/* The next whole line of what was read, without its LF. */
static bool take_line(struct mailq_client *c, struct slice *ret)
{
	struct slice rest = slice_from(str_slice(&c->in), c->at + c->searched);
	size_t len = slice_find(rest, '\n');

	if (len == rest.len) {
		c->searched += len;
		return false;
	}
	*ret = slice_make(c->in.p + c->at, c->searched + len);
	c->at += ret->len + 1;
	c->searched = 0;
	return true;
}

/* Waits for more of it. MAILQ_LINE: look again. */
static enum mailq_heard read_more(struct mailq_client *c, struct err *err)
{
	enum mailq_heard heard = receive(c, err);

	return heard == MAILQ_INTERRUPTED ? await(c, POLLIN, err) : heard;
}

enum mailq_heard mailq_client_next(struct mailq_client *c, struct slice *ret,
				   struct err *err)
{
	const struct slice refusal = SLICE("error: "),
			   only_root = SLICE("error: only root");
	enum mailq_heard heard = MAILQ_LINE;
	struct slice line;

	while (!take_line(c, &line)) {
		heard = read_more(c, err);
		if (heard != MAILQ_LINE)
			return heard;
	}
	if (slice_eq(line, SLICE("ok")))
		return MAILQ_OK;
	if (slice_starts(line, refusal)) {
		bool is_forbidden = slice_starts(line, only_root);

		line = slice_from(line, refusal.len);
		err_set(err, is_forbidden ? EACCES : ENOENT, "%.*s",
			SLICE_ARG(line));
		return MAILQ_REFUSED;
	}
	*ret = line;
	return MAILQ_LINE;
}
