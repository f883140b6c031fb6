/*
 * walk_content.c - what would become of a message on its way (--message).
 *
 * The plan is that of delivery (smtpta/transit.h), made for servers that offer
 * this or that, from a file as it would be submitted: header, empty line,
 * body.
 */
#include "explain/walk.h"

#include "mime/passage.h"
#include "smtpta/transit.h"
#include "spool/message.h"

#include <string.h>

enum { PARTS_SHOWN = 100 };

/* How many bytes of a text are its header and the empty line behind it? */
static size_t header_length(struct slice text)
{
	size_t lf = slice_find_text(text, SLICE("\n\n"));
	size_t crlf = slice_find_text(text, SLICE("\n\r\n"));

	if (text.len > 0 && text.p[0] == '\n')
		return 1;
	if (lf < crlf)
		return lf + 2;
	return crlf < text.len ? crlf + 3 : text.len;
}

/* Reads the header, and opens the message at its body. */
static int open_content(const char *path, struct str *header,
			struct message *ret, struct err *err)
{
	struct message m;
	ssize_t n = 1;
	size_t end;

	if (message_open(path, 0, &m, err) != MESSAGE_OK)
		return -1;
	while (n > 0 && header_length(str_slice(header)) == header->len)
		n = message_read(&m, CONTENT_CHUNK, header, err);
	message_close(&m);
	if (n < 0)
		return -1;
	end = header_length(str_slice(header));
	if (message_open(path, end, ret, err) != MESSAGE_OK)
		return -1;
	if (header->len > 0)
		str_cut(header, end > 0 ? end - 1 : 0);
	return 0;
}

/* The plan as data that lives in e's arena. */
static struct explained_plan *keep_plan(struct explanation *e,
					const struct transit *t)
{
	const struct tree_plan *from = &t->passage.plan;
	struct explained_plan *plan =
	    ARENA_NEW(e->arena, struct explained_plan);
	struct str line = STR_INIT;
	unsigned n = from->n_choices;

	passage_print(&line, &t->passage);
	plan->summary = arena_dup(e->arena, str_slice(&line));
	plan->conversion = mime_mode_word(from->message.mode);
	plan->reason = mime_reason_word(from->message.reason);
	plan->header = mime_reason_word(from->message.header_reason);
	plan->part = from->decisive;
	plan->is_unconvertible = transit_is_unconvertible(t);
	plan->n_parts = n < PARTS_SHOWN ? n : PARTS_SHOWN;
	plan->parts =
	    arena_array(e->arena, plan->n_parts + 1, sizeof(*plan->parts));
	for (unsigned i = 0; i < plan->n_parts; i++) {
		str_clear(&line);
		tree_plan_print(&line, t->passage.tree, from, i);
		plan->parts[i] = arena_dup(e->arena, str_slice(&line));
	}
	str_done(&line);
	return plan;
}

struct explained_plan *walk_plan(const struct smtpta_options *o,
				 struct explanation *e, const struct caps *caps)
{
	struct transit_way way = { .options = o,
				   .caps = caps,
				   .is_smtputf8 = e->is_smtputf8_needed };
	struct explained_plan *plan = NULL;
	struct transit t = { 0 };
	struct str header = STR_INIT;
	struct message m = { .fd = -1 };
	struct body body;
	struct err err;

	if (e->content.file == NULL || e->content.trouble.len > 0)
		return NULL;
	if (open_content(e->content.file, &header, &m, &err) < 0) {
		e->content.trouble = arena_dup(e->arena, slice_of(err.text));
		str_done(&header);
		return NULL;
	}
	body_begin(&body, &m);
	if (transit_plan(&t, &way, str_slice(&header), &body, &err) < 0)
		e->content.trouble = arena_dup(e->arena, slice_of(err.text));
	else
		plan = keep_plan(e, &t);
	transit_done(&t);
	body_done(&body);
	message_close(&m);
	str_done(&header);
	return plan;
}

void walk_content(const struct smtpta_options *o, struct explanation *e)
{
	struct caps narrow = { .is_extended = true }, wide = narrow;

	wide.eightbitmime = !o->seven_bit;
	e->content.narrow = walk_plan(o, e, &narrow);
	e->content.wide = walk_plan(o, e, &wide);
}
