/*
 * client.c - messages to the process that may write the spool.
 */
#include "subm/client.h"

#include "base/fd.h"
#include "base/keyword.h"
#include "base/mem.h"
#include "net/unixsock.h"
#include "subm/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

enum {
	OUT_MAX = 256 * 1024, /* so much is kept before it is sent */
	IN_MAX = 16 * 1024,
	CONNECT_SECONDS = 30,
	ANSWER_MS = 10 * 60 * 1000, /* the other side does not even read */
	START_MS = 5000,	    /* it is being started again */
	STEP_MS = 100,
};

struct subm_client {
	const char *postoffice;
	int fd, stop_fd;
	struct str out; /* not sent yet */
	size_t sent;	/* of it */
	bool has_sent;	/* anything ever */
	struct wire wire;
	struct str answers; /* frames, for finish() */
	size_t n_ended, n_answers;
};

struct subm_client *subm_client_new(const char *postoffice, int stop_fd)
{
	struct subm_client *c = mem_zero(1, sizeof(*c));

	c->postoffice = postoffice;
	c->fd = -1;
	c->stop_fd = stop_fd;
	return c;
}

void subm_client_free(struct subm_client *c)
{
	if (c == NULL)
		return;
	fd_close(c->fd);
	str_done(&c->out);
	str_done(&c->answers);
	wire_done(&c->wire);
	free(c);
}

int subm_client_connect(struct subm_client *c, struct err *err)
{
	if (c->fd >= 0)
		return 0;
	c->fd =
	    unixsock_connect(c->postoffice, WIRE_SOCKET, CONNECT_SECONDS, err);
	return c->fd < 0 ? -1 : 0;
}

/* ---- bytes -------------------------------------------------------------- */

static int lost(struct err *err, const char *why)
{
	err_set(err, EPIPE, "the submission service: %s", why);
	return EX_TEMPFAIL;
}

/* Keeps the answers in what was read. */
static int take_answers(struct subm_client *c, struct slice in, struct err *err)
{
	struct wire_frame frame;
	enum parse verdict;

	while ((verdict = wire_next(&c->wire, &in, "AN", &frame, err)) ==
	       PARSE_DONE) {
		wire_add(&c->answers, (enum wire_type)frame.type,
			 frame.payload);
		c->n_answers++;
	}
	return verdict == PARSE_BAD ? lost(err, err->text) : EX_OK;
}

/* The other side has closed; it may have said why. */
static int closed(struct subm_client *c, struct err *err)
{
	struct slice rest = str_slice(&c->answers), text;
	struct wire_frame frame;
	struct wire wire = { 0 };
	int code = EX_OK;

	while (wire_next(&wire, &rest, "AN", &frame, NULL) == PARSE_DONE)
		if (wire_read_answer(&frame, &code, &text) == 0 &&
		    code != EX_OK)
			err_set(err, EPIPE, "%.*s", SLICE_ARG(text));
	wire_done(&wire);
	if (code != EX_OK)
		return code;
	return lost(err, "the connection was closed without an answer; try"
			 " again later");
}

static int read_some(struct subm_client *c, struct err *err)
{
	char buffer[IN_MAX];
	ssize_t n = recv(c->fd, buffer, sizeof(buffer), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return EX_OK;
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return closed(c, err);
	if (n < 0)
		return lost(err, strerror(errno));
	return take_answers(c, slice_make(buffer, (size_t)n), err);
}

static int write_some(struct subm_client *c, struct err *err)
{
	struct slice rest = slice_from(str_slice(&c->out), c->sent);
	ssize_t n = send(c->fd, rest.p, rest.len, MSG_NOSIGNAL);

	if (n >= 0) {
		c->sent += (size_t)n;
		c->has_sent = true;
	} else if (errno == EPIPE || errno == ECONNRESET) {
		int code = read_some(c, err); /* maybe it says why */

		return code != EX_OK ? code : closed(c, err);
	} else if (errno != EAGAIN && errno != EINTR) {
		return lost(err, strerror(errno));
	}
	if (c->sent == c->out.len) {
		str_clear(&c->out);
		c->sent = 0;
	}
	return EX_OK;
}

/* Waits once, then reads and writes what can be. */
static int pump(struct subm_client *c, struct err *err)
{
	bool has_output = c->out.len > c->sent;
	struct pollfd fds[] = {
		{ .fd = c->fd,
		  .events = (short)(POLLIN | (has_output ? POLLOUT : 0)) },
		{ .fd = c->stop_fd, .events = POLLIN },
	};
	int n = poll(fds, COUNT(fds), ANSWER_MS), code = EX_OK;

	if (n < 0 && errno != EINTR)
		return lost(err, strerror(errno));
	if (n == 0)
		return lost(err, "no answer; try again later");
	if (n < 0)
		return EX_OK;
	if (fds[1].revents != 0) {
		err_set(err, EINTR,
			"interrupted; what was not acknowledged"
			" may have been queued");
		return EX_TEMPFAIL;
	}
	if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
		code = read_some(c, err);
	if (code == EX_OK && (fds[0].revents & POLLOUT) != 0)
		code = write_some(c, err);
	return code;
}

static int unreachable(struct err *err)
{
	err_set(err, EPIPE,
		"the submission service cannot be reached: %s; try"
		" again later",
		err->text);
	return EX_TEMPFAIL;
}

/* The caller's business: nothing was sent. */
static int interrupted(struct err *err)
{
	err_set(err, EINTR, "interrupted; nothing was queued");
	return EX_TEMPFAIL;
}

/* A service that is being started again is waited for. */
static int connect_patiently(struct subm_client *c, struct err *err)
{
	struct pollfd stop = { .fd = c->stop_fd, .events = POLLIN };

	for (int waited = 0; subm_client_connect(c, err) < 0;
	     waited += STEP_MS) {
		bool may_come =
		    err->code == ENOENT || err->code == ECONNREFUSED;

		if (!may_come || waited >= START_MS)
			return unreachable(err);
		if (poll(&stop, 1, STEP_MS) > 0)
			return interrupted(err);
	}
	return EX_OK;
}

/*
 * Whoever was connected while the message came, slowly perhaps, may have lost
 * that service: as long as it was sent nothing another one will do.
 */
static void leave_the_dead(struct subm_client *c)
{
	char byte;

	if (c->has_sent || c->fd < 0 ||
	    recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
		return;
	fd_close(c->fd);
	c->fd = -1;
}

/* Sends until at most `left` bytes are kept. */
static int drain(struct subm_client *c, size_t left, struct err *err)
{
	int code = EX_OK;

	if (c->out.len - c->sent <= left)
		return EX_OK;
	leave_the_dead(c);
	if (c->fd < 0)
		code = connect_patiently(c, err);
	while (code == EX_OK && c->out.len - c->sent > left)
		code = pump(c, err);
	return code;
}

/* ---- the target --------------------------------------------------------- */

static int begin(void *context, struct subm_request *request, struct err *err)
{
	struct subm_client *c = context;

	wire_add_request(&c->out, request);
	return drain(c, OUT_MAX, err);
}

static int feed(void *context, struct slice bytes, struct err *err)
{
	struct subm_client *c = context;

	if (bytes.len > 0)
		wire_add(&c->out, WIRE_DATA, bytes);
	return drain(c, OUT_MAX, err);
}

static int end(void *context, struct err *err)
{
	struct subm_client *c = context;

	wire_add(&c->out, WIRE_END, SLICE(""));
	c->n_ended++;
	return drain(c, OUT_MAX, err);
}

static void drop(void *context)
{
	struct subm_client *c = context;

	/* Lost, or not begun by then: there is nobody to tell. */
	if (c->fd >= 0 || c->out.len > 0)
		wire_add(&c->out, WIRE_DROP, SLICE(""));
}

static int finish(void *context, const struct subm_ear *ear, struct err *err)
{
	struct subm_client *c = context;
	int code = drain(c, 0, err), worst = EX_OK, one;
	struct wire_frame frame;
	struct wire wire = { 0 };
	struct slice rest, text;

	while (code == EX_OK && c->n_answers < c->n_ended)
		code = pump(c, err);
	rest = str_slice(&c->answers);
	while (wire_next(&wire, &rest, "AN", &frame, NULL) == PARSE_DONE) {
		if (wire_read_answer(&frame, &one, &text) < 0) {
			one = EX_TEMPFAIL;
			text = SLICE("the submission service: bad answer");
		}
		if (one != EX_OK && worst == EX_OK) {
			worst = one;
			err_set(err, 0, "%.*s", SLICE_ARG(text));
		}
		ear->tell(ear->context, one, text);
	}
	wire_done(&wire);
	str_clear(&c->answers);
	c->n_answers = c->n_ended = 0;
	return worst != EX_OK ? worst : code;
}

struct subm_target subm_client_target(struct subm_client *c)
{
	return (struct subm_target){
		.context = c,
		.begin = begin,
		.feed = feed,
		.end = end,
		.drop = drop,
		.finish = finish,
	};
}
