/*
 * recorder_fuzz.c - the recorder, told anything in any order.
 *
 * The input is a program: a byte says what is told, the next how long the text
 * is that follows. Invariants: a record is one line of bounded length, begins
 * and ends as an object, its braces and brackets pair outside of its strings;
 * a transaction that was begun has exactly one.
 */
#include "smtpta/recorder.h"

#include "base/fuzz.h"
#include "smtpta/attempt.h"

enum { SLOTS = 4, RCPTS = 3, RECORD_MOST = 4 * 1024 * 1024 };

struct told {
	struct recorder *recorder;
	struct agent_job job;
	struct smtp_transaction t[SLOTS];
	bool is_open[SLOTS];
	size_t n_begun, n_taken;
	int64_t now;
};

static struct told *current; /* for the clock, which has no context */

static int64_t get_now(void)
{
	return current->now;
}

/* Everything outside of strings, which may hold brackets of their own. */
static void check_pairs(struct slice json)
{
	char open[32]; /* deeper than any record */
	size_t depth = 0;
	bool is_string = false;

	for (size_t i = 0; i < json.len; i++) {
		char c = json.p[i];

		if (is_string && c == '\\')
			i++;
		else if (c == '"')
			is_string = !is_string;
		else if (!is_string && (c == '{' || c == '[')) {
			FUZZ_CHECK(depth < sizeof(open));
			open[depth++] = c;
		} else if (!is_string && (c == '}' || c == ']')) {
			FUZZ_CHECK(depth > 0);
			FUZZ_CHECK(open[--depth] == (c == '}' ? '{' : '['));
		}
	}
	FUZZ_CHECK(depth == 0 && !is_string);
}

static void take(void *context, struct agent_job *job, struct slice json)
{
	struct told *told = context;

	FUZZ_CHECK(job == &told->job);
	FUZZ_CHECK(json.len < RECORD_MOST && !slice_has_control(json));
	FUZZ_CHECK(slice_starts(json, SLICE("{\"event\":\"attempt\",")));
	check_pairs(json);
	told->n_taken++;
}

static void tell_said(struct told *told, unsigned how, struct slice text)
{
	struct reply reply = { .code = 200 + how, .text = text };
	struct smtp_said said = {
		.direction = "wrx"[how % 3],
		.text = text,
		.lost = "lost",
		.reply = how % 2 == 0 ? &reply : NULL,
		.transaction = how % 8 < SLOTS ? &told->t[how % SLOTS] : NULL,
		.command = how % 16 == 15 ? SMTP_NO_COMMAND : how / 16,
	};

	/* What the engine says in a transaction begins so. */
	if (said.direction == 'w' && said.transaction != NULL &&
	    !slice_starts(text, SLICE("MAIL FROM:<>")))
		said.text = SLICE("RCPT TO:<x@x>");
	if (said.direction == 'w' && text.len == 0)
		return;
	recorder_said(told->recorder, &said);
}

static void tell_of_connection(struct told *told, unsigned how,
			       struct slice text)
{
	struct net_addr addr = { .u.v4.sin_family = AF_INET,
				 .len = sizeof(addr.u.v4) };
	struct diag why = { .reason = "why", .diagnostic = text };

	if (how % 5 == 0) {
		recorder_destination(told->recorder, text);
		for (size_t i = 0; i < SLOTS; i++)
			told->is_open[i] = false;
	} else if (how % 5 == 1) {
		recorder_try(told->recorder, text, &addr,
			     told->now - (int64_t)(how / 5));
	} else if (how % 5 == 2) {
		recorder_connected(told->recorder, &addr);
	} else if (how % 5 == 3) {
		recorder_ready(told->recorder);
	} else {
		recorder_failed(told->recorder, &why, how);
	}
}

static void tell_of_transaction(struct told *told, unsigned how,
				struct slice text)
{
	struct diag d = { .fate = how % (FATE_DEFERRED_BACK + 1),
			  .reason = "reason",
			  .status = text,
			  .diagnostic = text,
			  .remote_mta = text };
	struct smtp_transaction *t = &told->t[how % SLOTS];
	bool *is_open = &told->is_open[how % SLOTS];

	if (!*is_open) {
		recorder_begin(told->recorder, &told->job, t);
		told->n_begun++;
		*is_open = true;
	} else if (how % 3 == 0) {
		recorder_end(told->recorder, t);
		*is_open = false;
	} else {
		recorder_outcome(told->recorder, t, &told->job,
				 (struct agent_outcome){ how % RCPTS, &d },
				 how % 7 == 0 ? "now" : NULL);
		/* Its texts live until the end. */
		recorder_end(told->recorder, t);
		*is_open = false;
	}
}

static void run(struct told *told, struct slice in)
{
	while (in.len >= 3) {
		unsigned what = (unsigned char)in.p[0];
		unsigned how = (unsigned char)in.p[1];
		size_t len = (unsigned char)in.p[2];
		struct slice text = slice_head(slice_from(in, 3), len);

		in = slice_from(in, 3 + text.len);
		told->now += what;
		if (what % 4 == 0)
			tell_of_connection(told, how, text);
		else if (what % 4 == 1)
			tell_of_transaction(told, how, text);
		else
			tell_said(told, how, text);
	}
}

FUZZ(data, size)
{
	struct slice in = slice_make((const char *)data, size);
	struct ctl_sender sender = { .address.user = slice_head(in, 9) };
	struct ctl_rcpt ctl[RCPTS];
	struct agent_rcpt rcpts[RCPTS];
	struct told told = { 0 };
	struct recorder_setup setup = { .program = "smtp",
					.now = get_now,
					.wall = get_now,
					.take = take,
					.context = &told };

	current = &told;
	for (size_t i = 0; i < RCPTS; i++) {
		ctl[i] = (struct ctl_rcpt){ .address.user = in,
					    .address.host = in,
					    .sender = &sender };
		rcpts[i] = (struct agent_rcpt){ .ctl = &ctl[i] };
	}
	told.job.rcpts = rcpts;
	told.job.n_rcpts = RCPTS;
	told.recorder = recorder_new(&setup);
	run(&told, in);
	recorder_job_over(told.recorder, &told.job);
	FUZZ_CHECK(told.n_taken == told.n_begun);
	recorder_free(told.recorder);
	return 0;
}
