/*
 * attempt.c - what happened in one delivery attempt, as data.
 *
 * A dialogue is an array whose last ATTEMPT_LAST_MAX places are a ring: the
 * beginning of a conversation and its end tell more than its middle.
 */
#include "smtpta/attempt.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>

enum { LINES_MAX = ATTEMPT_FIRST_MAX + ATTEMPT_LAST_MAX };

/* ---- dialogues ----------------------------------------------------------- */

static size_t place_of(size_t n)
{
	if (n < ATTEMPT_FIRST_MAX)
		return n;
	return ATTEMPT_FIRST_MAX + (n - ATTEMPT_FIRST_MAX) % ATTEMPT_LAST_MAX;
}

static struct attempt_line *add_line(struct attempt_dialogue *d,
				     uint64_t number)
{
	size_t at = place_of(d->n), had = d->cap;
	struct attempt_line *line;

	if (at >= d->cap) {
		d->lines =
		    mem_grow(d->lines, &d->cap, at + 1, sizeof(*d->lines));
		for (size_t i = had; i < d->cap; i++)
			d->lines[i] = (struct attempt_line){ 0 };
	}
	d->n++;
	d->is_cut |= d->n > LINES_MAX;
	line = &d->lines[at];
	str_clear(&line->said);
	str_clear(&line->heard);
	*line = (struct attempt_line){ .number = number,
				       .said_at = -1,
				       .heard_at = -1,
				       .said = line->said,
				       .heard = line->heard };
	return line;
}

/* The texts of the first lines share a limit, those of the last are few. */
static void keep_text(struct attempt_dialogue *d, const struct attempt_line *l,
		      struct str *to, struct slice text, size_t max)
{
	bool is_first = (size_t)(l - d->lines) < ATTEMPT_FIRST_MAX;
	size_t room = is_first && ATTEMPT_TEXT_MAX - d->bytes < max
			  ? ATTEMPT_TEXT_MAX - d->bytes
			  : max;
	struct slice kept = json_cut(text, room);

	str_add(to, kept);
	d->is_cut |= kept.len < text.len;
	if (is_first)
		d->bytes += kept.len;
}

void attempt_say(struct attempt_dialogue *d, const struct smtp_said *said,
		 int64_t now)
{
	struct attempt_line *line = add_line(d, said->command);

	line->said_at = now;
	d->n_said = said->command + 1;
	keep_text(d, line, &line->said, said->text, ATTEMPT_LINE_MAX);
}

/* The line of a command, or NULL; one that has no reply yet if there is. */
static struct attempt_line *find_line(struct attempt_dialogue *d,
				      uint64_t number)
{
	size_t n = d->n < LINES_MAX ? d->n : LINES_MAX;
	struct attempt_line *answered = NULL;

	for (size_t i = 0; i < n; i++) {
		if (d->lines[i].number != number)
			continue;
		if (d->lines[i].heard_at < 0)
			return &d->lines[i];
		answered = &d->lines[i];
	}
	return answered;
}

bool attempt_hear(struct attempt_dialogue *d, const struct smtp_said *said,
		  int64_t now)
{
	bool is_unasked = said->command >= d->n_said;
	struct attempt_line *line =
	    is_unasked ? NULL : find_line(d, said->command);
	bool is_answer = !is_unasked && (line == NULL || line->heard_at < 0);

	if (is_answer && line == NULL)
		return true; /* its command was left out */
	if (!is_answer)
		line = add_line(d, said->command);
	line->heard_at = now;
	keep_text(d, line, &line->heard, said->text, ATTEMPT_REPLY_MAX);
	line->is_whole = said->reply != NULL;
	if (said->reply != NULL) {
		line->code = said->reply->code;
		line->has_enhanced = said->reply->has_enhanced;
		line->enhanced = said->reply->enhanced;
	}
	return is_answer;
}

const struct attempt_line *attempt_line(const struct attempt_dialogue *d,
					size_t i)
{
	size_t left_out = d->n > LINES_MAX ? d->n - LINES_MAX : 0;

	if (i >= ATTEMPT_FIRST_MAX)
		i += left_out;
	return i < d->n ? &d->lines[place_of(i)] : NULL;
}

void attempt_dialogue_clear(struct attempt_dialogue *d)
{
	d->n = d->bytes = 0;
	d->n_said = 0;
	d->is_cut = false;
}

void attempt_dialogue_done(struct attempt_dialogue *d)
{
	for (size_t i = 0; i < d->cap; i++) {
		str_done(&d->lines[i].said);
		str_done(&d->lines[i].heard);
	}
	free(d->lines);
	*d = (struct attempt_dialogue){ 0 };
}

/* ---- the plan -------------------------------------------------------------
 */

void attempt_set_plan(struct attempt *a, const struct passage *passage)
{
	const struct tree_plan *from = &passage->plan;
	struct attempt_plan *p = &a->plan;
	unsigned n = from->n_choices;

	p->is_known = true;
	p->reason = from->message.reason;
	p->header_reason = from->message.header_reason;
	p->decisive = from->decisive;
	p->n_parts = n;
	str_clear(&p->parts);
	if (n > ATTEMPT_PARTS_MAX)
		n = ATTEMPT_PARTS_MAX;
	for (unsigned i = 0; i < n && passage_converts_body(passage); i++) {
		if (i > 0)
			str_addc(&p->parts, '\n');
		tree_plan_print(&p->parts, passage->tree, from, i);
	}
}

/* ---- recipients -----------------------------------------------------------
 */

void attempt_add_rcpt(struct attempt *a, size_t rcpt, const struct diag *d,
		      const char *again)
{
	bool is_good = again == NULL && fate_is_success(d->fate);
	size_t *n = is_good ? &a->n_good : &a->n_bad;

	if ((*n)++ >= ATTEMPT_RCPTS_MAX) {
		a->is_cut = true;
		return;
	}
	a->rcpts = mem_grow(a->rcpts, &a->rcpts_cap, a->n_rcpts + 1,
			    sizeof(*a->rcpts));
	a->rcpts[a->n_rcpts++] = (struct attempt_rcpt){
		.rcpt = &a->job->rcpts[rcpt], .diag = *d, .again = again
	};
}

void attempt_free(struct attempt *a)
{
	if (a == NULL)
		return;
	attempt_dialogue_done(&a->dialogue);
	str_done(&a->lost_why);
	str_done(&a->plan.parts);
	free(a->rcpts);
	free(a);
}
