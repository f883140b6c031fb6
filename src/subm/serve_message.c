/*
 * serve_message.c - the messages on the submission socket.
 *
 * A frame is judged by the place where its connection is. Messages that have
 * ended wait, staged, until all of them are settled together. Each is taken
 * under the rules that held when it began.
 */
#include "subm/serve_internal.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <sysexits.h>

/* ---- one message -------------------------------------------------------- */

static void begin_clock(struct serve *s, struct serve_connection *c)
{
	if (c->begun != 0)
		return;
	c->begun = s->now;
	s->n_begun++;
}

void serve_forget(struct serve *s, struct serve_connection *c)
{
	subm_intake_free(c->intake);
	c->intake = NULL;
	wire_request_done(&c->request);
	c->request.max = wire_request_max(c->site.rcpts_max);
	c->refused = EX_OK;
	if (c->begun != 0)
		s->n_begun--;
	c->begun = 0;
	c->state = SERVE_OPTIONS;
	arena_reset(c->a);
}

static void refuse(struct serve_connection *c, int code)
{
	subm_intake_free(c->intake);
	c->intake = NULL;
	c->refused = code;
}

/* Before its first byte: other rules may hold by now. */
static void take_rules(struct serve *s, struct serve_connection *c)
{
	const struct subm_limits *limits = &s->rules->r.limits;

	if (c->rules == s->rules)
		return;
	serve_rules_drop(c->rules);
	c->rules = serve_rules_use(s->rules);
	c->site = c->rules->r.site;
	c->person = subm_people_find(&s->people, c->person->uid, s->now);
	if (!c->person->is_trusted) {
		c->site.size_max = limits->size;
		c->site.rcpts_max = limits->rcpts;
	}
	c->request.max = wire_request_max(c->site.rcpts_max);
}

bool serve_has_turn(const struct serve *s, const struct serve_connection *c)
{
	return c->state != SERVE_OPTIONS || c->person->round != s->round ||
	       c->person->n_taken < SERVE_TURN;
}

static void count_turn(const struct serve *s, struct subm_person *person)
{
	if (person->round != s->round)
		person->n_taken = 0;
	person->round = s->round;
	person->n_taken++;
}

static void on_begin(struct serve *s, struct serve_connection *c)
{
	struct subm_request *r = &c->request.request;
	int code;

	count_turn(s, c->person);
	c->state = SERVE_CONTENT;
	r->uid = c->person->uid;
	if (!r->has_sender) {
		subm_person_ask_names(&s->people, c->person, s->now);
		r->login = arena_dup(c->a, c->person->login);
		if (r->full_name.len == 0)
			r->full_name = arena_dup(c->a, c->person->name);
	}
	r->may_not_choose = !c->person->is_trusted;
	c->intake = subm_intake_new(&c->site, &s->office, r);
	code = subm_intake_begin(c->intake, &c->why);
	if (code != EX_OK)
		refuse(c, code);
}

static void on_data(struct serve_connection *c, struct slice bytes)
{
	int code;

	if (c->refused != EX_OK)
		return;
	code = subm_intake_feed(c->intake, bytes, &c->why);
	if (code != EX_OK)
		refuse(c, code);
}

/* The message waits for its answer. */
static void on_end(struct serve *s, struct serve_connection *c)
{
	struct serve_ended ended = { .connection = c->id };

	if (c->refused == EX_OK) {
		int code = subm_intake_end(c->intake, &c->why);

		if (code != EX_OK)
			refuse(c, code);
	}
	ended.code = c->refused;
	if (ended.code != EX_OK) {
		str_adds(&ended.reason, c->why.text);
		serve_log(s, c->person, "refused: %s", c->why.text);
	}
	ended.intake = c->intake;
	c->intake = NULL;
	s->ended = mem_grow(s->ended, &s->cap_ended, s->n_ended + 1,
			    sizeof(*s->ended));
	s->ended[s->n_ended++] = ended;
	c->n_waiting++;
	serve_forget(s, c);
}

/* ---- frames ------------------------------------------------------------- */

/* One frame in the place where the connection is; -1: not possible there. */
static int on_frame(struct serve *s, struct serve_connection *c,
		    const struct wire_frame *frame, struct err *err)
{
	bool is_content = c->state == SERVE_CONTENT;

	if (!is_content && frame->type != WIRE_DROP) {
		take_rules(s, c);
		begin_clock(s, c);
	}
	switch ((enum wire_type)frame->type) {
	case WIRE_OPTION:
	case WIRE_RCPT:
		if (is_content)
			return FAIL(err, "an option within a message");
		return wire_take(&c->request, frame, c->a, err);
	case WIRE_BEGIN:
		if (is_content)
			return FAIL(err, "a message within a message");
		on_begin(s, c);
		return 0;
	case WIRE_DATA:
	case WIRE_END:
		if (!is_content)
			return FAIL(err, "content without a message");
		if (frame->type == WIRE_DATA)
			on_data(c, frame->payload);
		else
			on_end(s, c);
		return 0;
	case WIRE_DROP:
		serve_forget(s, c);
		return 0;
	case WIRE_ACCEPTED:
	case WIRE_REFUSED:
		break;
	}
	return FAIL(err, "an answer from a client");
}

int serve_take(struct serve *s, struct serve_connection *c, struct slice *bytes,
	       struct err *err)
{
	struct wire_frame frame;
	enum parse verdict = PARSE_DONE;

	while (verdict == PARSE_DONE && serve_has_turn(s, c)) {
		verdict = wire_next(&c->wire, bytes, "ORBDEX", &frame, err);
		if (verdict == PARSE_DONE && on_frame(s, c, &frame, err) < 0)
			verdict = PARSE_BAD;
	}
	if (c->wire.frame.len > 0 && !c->wire.is_used)
		begin_clock(s, c); /* half a frame */
	return verdict == PARSE_BAD ? -1 : 0;
}

/* ---- groups ------------------------------------------------------------- */

static void answer(struct serve *s, struct serve_ended *e,
		   const struct err *trouble)
{
	struct serve_connection *c = serve_find(s, e->connection);
	struct slice text = str_slice(&e->reason);

	if (e->intake != NULL && subm_intake_file(e->intake)->is_done) {
		text = subm_intake_id(e->intake);
	} else if (e->intake != NULL) {
		e->code = subm_spool_trouble(trouble);
		text = slice_of(trouble->text);
	}
	if (c != NULL) {
		c->n_waiting--;
		wire_add_answer(&c->out, e->code, text);
		serve_touch(s, c);
	}
	subm_intake_free(e->intake);
	str_done(&e->reason);
}

/* An error is everybody's: whatever is not done is told so. */
void serve_settle(struct serve *s)
{
	struct create **files = mem_zero(s->n_ended, sizeof(*files));
	struct err err = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < s->n_ended; i++)
		if (s->ended[i].intake != NULL)
			files[n++] = subm_intake_file(s->ended[i].intake);
	if (n > 0 && create_settle(&s->office, files, n, &err) < 0)
		serve_log(s, NULL, "%s", err.text);
	for (size_t i = 0; i < s->n_ended; i++)
		answer(s, &s->ended[i], &err);
	s->n_ended = 0;
	free(files);
}
