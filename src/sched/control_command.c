/*
 * control_command.c - commands: which words there are and who may say them;
 * and those that make mail go.
 *
 *	count, metrics, status			anybody
 *	show [ message NAME / destination CHANNEL HOST ], destinations, agents
 *	kick NAME, kick CHANNEL HOST, flush
 *	hold / release / expire / delete NAME OFFSET *( SP OFFSET )
 *	redirect NAME OFFSET CHANNEL HOST USER
 *	reload
 *
 * What many jobs are to do is done in pieces.
 */
#include "sched/control.h"

#include "base/keyword.h"

#include <unistd.h>

enum { KICKS_AT_ONCE = 500 };

/* ---- destinations and messages ------------------------------------------ */

struct queue_cursor *
control_destination(struct sched *s, struct control_request *r, struct err *err)
{
	struct slice channel = SLICE("");
	struct str host = STR_INIT;
	struct queue_cursor *c = NULL;

	(void)slice_word(&r->words, &channel);
	/* As it stands in the control file, where blanks may be quoted. */
	str_add(&host, slice_trim(r->words));
	for (size_t i = 0; i < host.len; i++)
		host.p[i] = ascii_lower(host.p[i]);
	if (channel.len == 0 || host.len == 0) {
		err_set(err, 0, "a channel and a host are wanted");
	} else {
		c = queue_cursor_destination(s->queue, channel,
					     str_slice(&host));
		if (c == NULL)
			err_set(err, 0, "nothing waits for %.*s/%s",
				SLICE_ARG(channel), str_cstr(&host));
	}
	str_done(&host);
	return c;
}

static bool more_kicks(struct sched *s, struct control_work *w, struct str *to)
{
	(void)to;
	return queue_cursor_kick(w->cursor, KICKS_AT_ONCE, sched_now(s));
}

static int do_kick(struct sched *s, struct control_request *r, struct err *err)
{
	struct slice said = r->words, rest = said, name = SLICE("");

	(void)slice_word(&rest, &name);
	if (name.len > 0 && slice_trim(rest).len == 0) {
		r->work->cursor = queue_cursor_message(s->queue, name);
		if (r->work->cursor == NULL)
			return FAIL(err, "the queue has no message '%.*s'",
				    SLICE_ARG(name));
	} else {
		r->work->cursor = control_destination(s, r, err);
		if (r->work->cursor == NULL)
			return -1;
	}
	r->work->go = more_kicks;
	log_line(LOG_LEVEL_INFO, "kick%.*s by uid %lu", SLICE_ARG(said),
		 (unsigned long)r->uid);
	sched_tell_command(s, &(struct sched_command){ .by = r->uid,
						       .word = "kick",
						       .words = said });
	return 0;
}

static int do_flush(struct sched *s, struct control_request *r, struct err *err)
{
	(void)err;
	log_line(LOG_LEVEL_INFO, "flush by uid %lu", (unsigned long)r->uid);
	r->work->cursor = queue_cursor_all(s->queue);
	r->work->go = more_kicks;
	sched_tell_command(
	    s, &(struct sched_command){ .by = r->uid, .word = "flush" });
	return 0;
}

/* ---- all ---------------------------------------------------------------- */

static int do_reload(struct sched *s, struct control_request *r,
		     struct err *err)
{
	sched_tell_command(
	    s, &(struct sched_command){ .by = r->uid, .word = "reload" });
	return sched_reload(s, err);
}

static const struct {
	const char *word;
	control_fn *answer;
	bool is_for_all; /* anybody may ask */
	enum control_deed deed;
} commands[] = {
	{ "count", control_count, true, 0 },
	{ "metrics", control_metrics, true, 0 },
	{ "status", control_status, true, 0 },
	{ "show", control_show, false, 0 },
	{ "destinations", control_destinations, false, 0 },
	{ "agents", control_agents, false, 0 },
	{ "kick", do_kick, false, 0 },
	{ "flush", do_flush, false, 0 },
	{ "hold", control_rcpts, false, CONTROL_HOLD },
	{ "release", control_rcpts, false, CONTROL_RELEASE },
	{ "expire", control_rcpts, false, CONTROL_EXPIRE },
	{ "delete", control_rcpts, false, CONTROL_DELETE },
	{ "redirect", control_redirect, false, 0 },
	{ "reload", do_reload, false, 0 },
};

void control_do(struct sched *s, struct slice line, struct control_request *r)
{
	bool may_all = r->uid == 0 || r->uid == geteuid();
	struct slice word = SLICE("");
	struct err err;
	size_t i = 0;

	r->words = line;
	(void)slice_word(&r->words, &word);
	while (i < COUNT(commands) &&
	       !slice_eq(word, slice_of(commands[i].word)))
		i++;
	if (!may_all && (i == COUNT(commands) || !commands[i].is_for_all)) {
		str_adds(r->to, "error: only root may ask for that\n");
		return;
	}
	if (i < COUNT(commands)) {
		r->word = commands[i].word;
		r->deed = commands[i].deed;
	}
	if (i == COUNT(commands)) {
		str_adds(r->to, "error: unknown command\n");
	} else if (commands[i].answer(s, r, &err) < 0) {
		str_clear(r->to);
		str_addf(r->to, "error: %s\n", err.text);
	} else if (r->work->go == NULL) {
		str_adds(r->to, "ok\n");
	}
}
