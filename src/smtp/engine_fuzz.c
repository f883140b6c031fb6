/*
 * engine_fuzz.c - the engine as a whole against random servers.
 *
 * The first bytes choose the configuration, the messages and the chunking;
 * the rest is what the server says. Invariants: each recipient ends at most
 * once, each message exactly once; nothing follows CLOSED; what is written
 * are whole lines without stray control bytes; an end of data is claimed as
 * accepted only if it was written.
 */
#include "base/fuzz.h"
#include "smtp/engine.h"

#include <string.h>

enum { MESSAGES = 3, RCPTS = 3 };

struct message {
	struct smtp_transaction t;
	struct smtp_rcpt rcpts[RCPTS];
	int ended[RCPTS], done, returned;
	bool is_end_written;
};

struct run {
	struct arena *arena;
	struct smtp_engine *engine;
	struct message messages[MESSAGES];
	struct smtp_transaction *body_of; /* whose content was given last */
	bool is_closed;
};

static void on_rcpt(struct run *r, const struct smtp_event *ev)
{
	struct message *m = ev->transaction->owner;

	FUZZ_CHECK(ev->diag != NULL && ev->diag->reason != NULL);
	FUZZ_CHECK(ev->rcpt < m->t.n_rcpts);
	FUZZ_CHECK(++m->ended[ev->rcpt] == 1);
	if (fate_is_success(ev->diag->fate))
		FUZZ_CHECK(m->is_end_written);
	(void)r;
}

static void take_events(struct run *r)
{
	struct smtp_event ev;

	while (smtp_event(r->engine, &ev)) {
		FUZZ_CHECK(!r->is_closed);
		if (ev.kind == SMTP_EVENT_RCPT)
			on_rcpt(r, &ev);
		else if (ev.kind == SMTP_EVENT_DONE)
			((struct message *)ev.transaction->owner)->done++;
		else if (ev.kind == SMTP_EVENT_RETURNED)
			((struct message *)ev.transaction->owner)->returned++;
		else if (ev.kind == SMTP_EVENT_CLOSED)
			r->is_closed = true;
	}
}

static void check_output(struct slice out)
{
	for (size_t i = 0; i < out.len; i++) {
		if (out.p[i] == '\n')
			FUZZ_CHECK(i > 0 && out.p[i - 1] == '\r');
		else if (out.p[i] == '\r')
			FUZZ_CHECK(i + 1 < out.len && out.p[i + 1] == '\n');
		else
			FUZZ_CHECK((unsigned char)out.p[i] >= 0x20);
	}
	FUZZ_CHECK(out.len == 0 || out.p[out.len - 1] == '\n');
}

static void pump(struct run *r)
{
	take_events(r);
	while ((smtp_wants(r->engine) & SMTP_WANTS_BODY) != 0) {
		r->body_of = smtp_body_owner(r->engine);
		str_add(smtp_body_sink(r->engine), SLICE("x\r\n..\r\n"));
		smtp_body_filled(r->engine, true);
	}
	if ((smtp_wants(r->engine) & SMTP_WANTS_WRITE) != 0) {
		struct slice out = smtp_output(r->engine);

		check_output(out);
		if (r->body_of != NULL)
			((struct message *)r->body_of->owner)->is_end_written =
			    true;
		smtp_sent(r->engine, out.len);
	}
	take_events(r);
}

static void begin(struct run *r, uint8_t flags, uint8_t shape)
{
	static const char *const senders[MESSAGES] = { "s@a.example", "",
						       "t@b.example" };
	struct smtp_config config = {
		.is_lmtp = (flags & 1) != 0,
		.no_esmtp = (flags & 2) != 0,
		.esmtp_only_if_greeted = (flags & 4) != 0,
		.ignored = (flags & 8) != 0 ? SMTP_EXT_PIPELINING : 0,
		.window = 1 + ((unsigned)flags >> 4 & 3),
		.helo_name = SLICE("client.example"),
	};

	r->arena = arena_new();
	r->engine = smtp_new(&config);
	for (size_t i = 0; i < MESSAGES; i++) {
		struct message *m = &r->messages[i];

		m->t.arena = r->arena;
		m->t.sender = slice_of(senders[i]);
		m->t.size = 10;
		m->t.owner = m;
		m->t.rcpts = m->rcpts;
		m->t.n_rcpts = 1 + ((unsigned)shape >> (2 * i) & 3) % RCPTS;
		for (size_t k = 0; k < m->t.n_rcpts; k++)
			m->rcpts[k].path = SLICE("r@c.example");
		smtp_add(r->engine, &m->t);
	}
}

FUZZ(data, size)
{
	struct slice in = slice_make((const char *)data, size);
	struct run r = { 0 };
	size_t step;

	if (size < 3)
		return 0;
	begin(&r, data[0], data[1]);
	step = data[2] == 0 ? size : data[2];
	in = slice_from(in, 3);
	while (in.len > 0) {
		smtp_input(r.engine, slice_head(in, step));
		in = slice_from(in, step);
		pump(&r);
	}
	smtp_lost(r.engine, "connection-lost", "end of fuzz input");
	take_events(&r);
	FUZZ_CHECK(r.is_closed);
	for (size_t i = 0; i < MESSAGES; i++) {
		struct message *m = &r.messages[i];

		FUZZ_CHECK(m->done + m->returned == 1);
		for (size_t k = 0; k < m->t.n_rcpts && m->done == 1; k++)
			FUZZ_CHECK(m->ended[k] == 1);
	}
	smtp_free(r.engine);
	arena_free(r.arena);
	return 0;
}
