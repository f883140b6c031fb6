/*
 * walk_envelope.c - what would be said, by the engine that would say it.
 *
 * An engine of its own is told what a server with these capabilities would
 * say, and is given a transaction; what it puts out is caught and goes nowhere.
 */
#include "explain/walk.h"

#include "smtp/engine.h"
#include "smtpta/envelope.h"

/* Nobody knows the sender. */
#define SENDER "..."

struct caught {
	struct arena *arena;
	struct explained_envelope envelope;
};

static void catch_line(void *context, const struct smtp_said *said)
{
	struct caught *c = context;

	if (said->direction != 'w')
		return;
	if (slice_starts(said->text, SLICE("MAIL ")))
		c->envelope.mail = arena_dup(c->arena, said->text);
	else if (slice_starts(said->text, SLICE("RCPT ")))
		c->envelope.rcpt = arena_dup(c->arena, said->text);
}

/* What it has to say is written, and what it has to tell is taken. */
static void settle(struct smtp_engine *engine)
{
	struct smtp_event event;

	while (smtp_event(engine, &event))
		continue;
	smtp_sent(engine, smtp_output(engine).len);
}

static void hear(struct smtp_engine *engine, struct slice text)
{
	settle(engine);
	smtp_input(engine, text);
	settle(engine);
}

/* The reply to EHLO with the keywords of these capabilities, or to HELO. */
static void hear_greetings(struct smtp_engine *engine, const struct caps *caps)
{
	struct str set = STR_INIT, reply = STR_INIT;
	struct slice rest, word;

	caps_print_set(&set, caps_set(caps));
	rest = str_slice(&set);
	while (slice_word(&rest, &word))
		str_addf(&reply, "250-%.*s\r\n", SLICE_ARG(word));
	str_adds(&reply, "250 end\r\n");
	hear(engine, SLICE("220 server ESMTP\r\n"));
	if (caps->is_extended)
		hear(engine, SLICE("250-server\r\n"));
	hear(engine,
	     caps->is_extended ? str_slice(&reply) : SLICE("250 server\r\n"));
	str_done(&reply);
	str_done(&set);
}

struct explained_envelope walk_envelope(const struct smtpta_options *o,
					const struct explanation *e,
					const struct caps *caps)
{
	struct caught caught = { .arena = e->arena };
	struct smtp_config config = {
		.is_lmtp = o->is_lmtp,
		.no_esmtp = !caps->is_extended && !o->is_lmtp,
		.helo_name = SLICE("client"),
		.trace = catch_line,
		.trace_context = &caught,
	};
	struct ctl_rcpt rcpt = { .address.user = e->subject };
	struct smtp_rcpt said;
	struct smtp_transaction t = { .arena = e->arena,
				      .sender = SLICE(SENDER),
				      .needs_smtputf8 = e->is_smtputf8_needed,
				      .rcpts = &said,
				      .n_rcpts = 1 };
	struct smtp_engine *engine;
	struct slice path;

	if (!e->has_recipient ||
	    envelope_recipient(&rcpt, e->arena, &path) != NULL)
		return caught.envelope;
	said = envelope_rcpt(&rcpt, path, t.needs_smtputf8, false, e->arena);
	engine = smtp_new(&config);
	hear_greetings(engine, caps);
	smtp_add(engine, &t);
	settle(engine);
	if (caught.envelope.rcpt.len == 0)
		hear(engine, SLICE("250 sender ok\r\n"));
	smtp_free(engine);
	return caught.envelope;
}
