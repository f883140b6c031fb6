/*
 * list.c - the list that everybody knows from other systems' mailq.
 *
 *	-Queue ID--- --Size-- ----Arrival Time---- -Sender/Recipient-----
 *	24700            1234 Sun Nov 22 08:42:45  alice@example.net
 *	 (waiting until 09:12:45, in 29m; tried once; mx: 450 later)
 *						   bob@example.com
 *
 * A star behind the id: an agent has some of it; "!": some of it is held. The
 * line in parentheses is about the recipients below it.
 */
#include "mailqb/print.h"

enum { ID_WIDTH = 12, RCPT_COLUMN = 43, RCPT_LEAST = 4 };

void mailq_add_head(struct str *to, const struct mailq_look *look)
{
	const struct slice head = SLICE("-Queue ID--- --Size-- ----Arrival "
					"Time---- -Sender/Recipient");
	size_t n = head.len;

	str_add(to, head);
	for (; n < look->width && n < 132; n++)
		str_addc(to, '-');
	str_addc(to, '\n');
}

static void add_id(struct str *to, const struct mailq_message *m)
{
	struct str id = STR_INIT;
	bool is_active = false, is_held = false;

	for (size_t i = 0; i < m->n_rcpts; i++) {
		is_active |= m->rcpts[i].state == MAILQ_ACTIVE;
		is_held |= m->rcpts[i].state == MAILQ_HELD;
	}
	mailq_add_text(&id, m->name);
	if (is_active || is_held)
		str_addc(&id, is_active ? '*' : '!');
	str_addf(to, "%-*s", (int)ID_WIDTH, str_cstr(&id));
	str_done(&id);
}

static void add_sender(struct str *to, const struct mailq_message *m)
{
	if (!m->has_file)
		str_adds(to, "(its file cannot be read)");
	else if (m->sender.len == 0)
		str_adds(to, "<>");
	else
		mailq_add_text(to, m->sender);
	str_addc(to, '\n');
}

/* As far to the right as it fits, and whole in any case. */
static void add_rcpt(struct str *to, const struct mailq_rcpt *r, size_t width)
{
	struct str address = STR_INIT;
	size_t column = RCPT_COLUMN, wide;

	if (r->address.len > 0)
		mailq_add_text(&address, r->address);
	else
		str_addf(&address, "(at byte %ju)", (uintmax_t)r->offset);
	wide = mailq_width(str_slice(&address));
	if (column + wide > width)
		column = width > wide + RCPT_LEAST ? width - wide : RCPT_LEAST;
	str_addf(to, "%*s%s\n", (int)column, "", str_cstr(&address));
	str_done(&address);
}

static bool is_same_case(const struct mailq_rcpt *a, const struct mailq_rcpt *b)
{
	return a->job == b->job && a->state == b->state;
}

static void add_case(struct str *to, const struct mailq_rcpt *r,
		     const struct mailq_look *look)
{
	struct str why = STR_INIT;

	mailq_add_why(&why, r, look->now);
	str_addc(&why, ')');
	str_adds(to, " (");
	mailq_add_wrapped(to, str_slice(&why), 2, 2, look->width);
	str_done(&why);
}

void mailq_add_block(struct str *to, const struct mailq_message *m,
		     const struct mailq_look *look)
{
	add_id(to, m);
	str_addf(to, " %8ju ", (uintmax_t)m->size);
	mailq_add_time(to, m->arrived, false);
	str_adds(to, "  ");
	add_sender(to, m);
	for (size_t i = 0; i < m->n_rcpts; i++) {
		const struct mailq_rcpt *r = &m->rcpts[i];
		bool is_new = i == 0 || !is_same_case(r, r - 1);

		if (is_new && r->state != MAILQ_QUEUED)
			add_case(to, r, look);
		add_rcpt(to, r, look->width);
	}
	str_addc(to, '\n');
}
