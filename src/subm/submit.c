/*
 * submit.c - read messages from a descriptor and submit them.
 */
#include "subm/submit.h"

#include "base/keyword.h"
#include "base/mem.h"
#include "subm/bsmtp.h"
#include "subm/lonedot.h"
#include "subm/names.h"
#include "subm/params.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024 };

/* ---- reading ------------------------------------------------------------ */

/* Waits until there is input. EX_OK, or an exit code and err. */
static int wait_for_input(const struct subm_input *input, struct err *err)
{
	struct pollfd fds[] = {
		{ .fd = input->in_fd, .events = POLLIN },
		{ .fd = input->stop_fd, .events = POLLIN },
	};

	while (poll(fds, COUNT(fds), -1) < 0)
		if (errno != EINTR && errno != EAGAIN) {
			err_set(err, errno, "waiting for the message: %s",
				strerror(errno));
			return EX_IOERR;
		}
	if (fds[1].revents == 0)
		return EX_OK;
	err_set(err, EINTR, "interrupted; nothing was queued");
	return EX_TEMPFAIL;
}

/* Reads the next chunk into *to; it is empty at the end of the input. */
static int read_chunk(const struct subm_input *input, struct str *to,
		      struct err *err)
{
	ssize_t n;

	str_clear(to);
	str_reserve(to, CHUNK);
	do {
		int code = wait_for_input(input, err);

		if (code != EX_OK)
			return code;
		n = read(input->in_fd, to->p, CHUNK);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n < 0) {
		err_set(err, errno, "reading the message: %s", strerror(errno));
		return EX_IOERR;
	}
	to->len = (size_t)n;
	return EX_OK;
}

/* ---- one message -------------------------------------------------------- */

/* Copies the input to the target. */
static int copy(const struct subm_input *input,
		const struct subm_target *target, struct err *err)
{
	struct subm_lonedot dot = SUBM_LONEDOT_INIT;
	struct str in = STR_INIT, out = STR_INIT;
	int code = EX_OK;

	while (code == EX_OK && !dot.is_ended) {
		code = read_chunk(input, &in, err);
		if (code != EX_OK || in.len == 0)
			break;
		if (!input->ends_at_dot) {
			code =
			    target->feed(target->context, str_slice(&in), err);
			continue;
		}
		str_clear(&out);
		subm_lonedot_push(&dot, str_slice(&in), &out);
		code = target->feed(target->context, str_slice(&out), err);
	}
	str_done(&in);
	str_done(&out);
	return code;
}

int subm_submit(const struct subm_input *input, struct subm_request *request,
		const struct subm_target *target, const struct subm_ear *ear,
		struct err *err)
{
	int code = target->begin(target->context, request, err);

	if (code == EX_OK)
		code = copy(input, target, err);
	if (code == EX_OK)
		code = target->end(target->context, err);
	if (code != EX_OK) {
		target->drop(target->context);
		return code;
	}
	return target->finish(target->context, ear, err);
}

/* ---- a batch ------------------------------------------------------------ */

struct batch {
	const struct subm_request *base;
	const struct subm_target *target;
	const struct subm_ear *ear;
	struct arena *a; /* of the message under way */
	struct subm_request request;
	struct subm_list rcpts;
	struct subm_wish *wishes; /* as many as recipients */
	size_t cap_wishes;
	bool has_mail, is_open, is_spoilt, is_quit;
	int worst; /* the first exit code that is not EX_OK */
	struct err why;
};

static void reset(struct batch *b)
{
	if (b->is_open)
		b->target->drop(b->target->context);
	b->is_open = b->has_mail = b->is_spoilt = false;
	b->rcpts.n = 0;
	arena_reset(b->a);
}

/* What the caller is told of also decides the exit code. */
static void tell(void *context, int code, struct slice text)
{
	struct batch *b = context;

	if (code != EX_OK && b->worst == EX_OK) {
		b->worst = code;
		err_set(&b->why, 0, "%.*s", SLICE_ARG(text));
	}
	b->ear->tell(b->ear->context, code, text);
}

/* The message under way cannot be accepted; its other parts are skipped. */
static void spoil(struct batch *b, int code, const struct err *err)
{
	if (!b->is_spoilt)
		tell(b, code, slice_of(err->text));
	if (b->is_open)
		b->target->drop(b->target->context);
	b->is_open = false;
	b->is_spoilt = true;
}

static void on_mail(struct batch *b, const struct subm_bsmtp_event *e)
{
	struct err err;

	reset(b);
	b->has_mail = true;
	b->request = *b->base;
	b->request.has_sender = true;
	b->request.sender = arena_dup(b->a, e->path);
	if (subm_params_mail(e->params, b->a, &b->request, &err) < 0)
		spoil(b, EX_DATAERR, &err);
}

static void on_rcpt(struct batch *b, const struct subm_bsmtp_event *e)
{
	struct subm_wish wish = { 0 };
	struct err err;

	if (!b->has_mail) {
		err_set(&err, 0, "RCPT without MAIL");
		spoil(b, EX_DATAERR, &err);
	}
	if (subm_params_rcpt(e->params, b->a, &wish, &err) < 0)
		spoil(b, EX_DATAERR, &err);
	b->wishes = mem_grow(b->wishes, &b->cap_wishes, b->rcpts.n + 1,
			     sizeof(*b->wishes));
	b->wishes[b->rcpts.n] = wish;
	subm_list_add(&b->rcpts, arena_dup(b->a, e->path));
}

static void on_data(struct batch *b)
{
	struct err err = { 0 };
	int code;

	if (b->is_spoilt)
		return;
	if (!b->has_mail) {
		err_set(&err, 0, "DATA without MAIL");
		spoil(b, EX_DATAERR, &err);
		return;
	}
	b->request.rcpts = b->rcpts.items;
	b->request.n_rcpts = b->request.n_wishes = b->rcpts.n;
	b->request.wishes = b->wishes;
	b->is_open = true;
	code = b->target->begin(b->target->context, &b->request, &err);
	if (code != EX_OK)
		spoil(b, code, &err);
}

/* TEXT or END; errors spoil just this message, but for a lost target. */
static int on_content(struct batch *b, const struct subm_bsmtp_event *e,
		      struct err *err)
{
	bool is_end = e->kind == SUBM_BSMTP_END;
	int code = EX_OK;

	err->code = 0;
	if (b->is_open && !is_end)
		code = b->target->feed(b->target->context, e->text, err);
	else if (b->is_open)
		code = b->target->end(b->target->context, err);
	if (code != EX_OK)
		spoil(b, code, err);
	if (is_end) {
		b->is_open = false;
		reset(b);
	}
	return code != EX_OK && err->code == EPIPE ? code : EX_OK;
}

static int on_event(struct batch *b, const struct subm_bsmtp_event *e,
		    struct err *err)
{
	switch (e->kind) {
	case SUBM_BSMTP_MAIL:
		on_mail(b, e);
		break;
	case SUBM_BSMTP_RCPT:
		on_rcpt(b, e);
		break;
	case SUBM_BSMTP_DATA:
		on_data(b);
		break;
	case SUBM_BSMTP_TEXT:
	case SUBM_BSMTP_END:
		return on_content(b, e, err);
	case SUBM_BSMTP_RESET:
		reset(b);
		break;
	case SUBM_BSMTP_QUIT:
		reset(b);
		b->is_quit = true;
		break;
	}
	return EX_OK;
}

/* All events of one chunk. */
static int take_chunk(struct batch *b, struct subm_bsmtp *parser,
		      struct slice in, struct err *err)
{
	struct subm_bsmtp_event event;
	int code = EX_OK;

	while (code == EX_OK && !b->is_quit) {
		switch (subm_bsmtp_next(parser, &in, &event, err)) {
		case PARSE_DONE:
			code = on_event(b, &event, err);
			break;
		case PARSE_MORE:
			return EX_OK;
		case PARSE_BAD:
			spoil(b, EX_DATAERR, err);
			if (err->code == EMSGSIZE)
				return EX_DATAERR;
			break;
		}
	}
	return code;
}

static int read_batch(struct batch *b, const struct subm_input *input,
		      struct err *err)
{
	struct subm_bsmtp parser = SUBM_BSMTP_INIT;
	struct str in = STR_INIT;
	int code = EX_OK;

	while (code == EX_OK && !b->is_quit) {
		code = read_chunk(input, &in, err);
		if (code == EX_OK && in.len == 0) {
			if (subm_bsmtp_end(&parser, err) < 0)
				spoil(b, EX_DATAERR, err);
			break;
		}
		if (code == EX_OK)
			code = take_chunk(b, &parser, str_slice(&in), err);
	}
	subm_bsmtp_done(&parser);
	str_done(&in);
	return code;
}

int subm_submit_batch(const struct subm_input *input,
		      const struct subm_request *base,
		      const struct subm_target *target,
		      const struct subm_ear *ear, struct err *err)
{
	struct batch b = {
		.base = base,
		.target = target,
		.ear = ear,
		.a = arena_new(),
	};
	const struct subm_ear own = { .context = &b, .tell = tell };
	int code = read_batch(&b, input, err);

	reset(&b);
	if (code == EX_OK || err->code == EMSGSIZE)
		code = target->finish(target->context, &own, err);
	if (b.worst != EX_OK) {
		code = b.worst;
		*err = b.why;
	}
	subm_list_done(&b.rcpts);
	free(b.wishes);
	arena_free(b.a);
	return code;
}
