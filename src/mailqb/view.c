/*
 * view.c - what mailq shows: the list, messages, totals, destinations.
 */
#include "mailqb/run_internal.h"

#include "mailqb/full.h"
#include "spool/spoolid.h"

#include <errno.h>
#include <sysexits.h>

enum { ATTEMPTS = 20, ALL_ATTEMPTS = 10000 };

/* ---- the list ----------------------------------------------------------- */

static bool take_list(void *context, const struct mailq_message *m)
{
	struct mailq_run *r = context;

	if (r->n_messages == 0 && !r->o->is_json)
		mailq_add_head(&r->out.text, &r->look);
	r->n_messages++;
	r->n_rcpts += m->n_rcpts;
	r->bytes += m->size;
	if (r->o->is_json)
		mailq_add_json(&r->out.text, m, r->look.now);
	else
		mailq_add_block(&r->out.text, m, &r->look);
	return mailq_out_item(&r->out);
}

static void add_counted(struct str *to, uint64_t n, const char *what)
{
	str_addf(to, "%ju %s%s", (uintmax_t)n, what, n == 1 ? "" : "s");
}

static void add_foot(struct mailq_run *r)
{
	struct str *to = &r->out.text;

	if (r->n_messages == 0) {
		str_adds(to, mailq_filter_is_empty(&r->o->filter)
				 ? "Mail queue is empty\n"
				 : "Nothing in the mail queue matches\n");
		return;
	}
	str_adds(to, "-- ");
	add_counted(to, (r->bytes + 1023) / 1024, "Kbyte");
	str_adds(to, " in ");
	add_counted(to, r->n_messages, "Request");
	str_adds(to, " to ");
	add_counted(to, r->n_rcpts, "recipient");
	str_adds(to, ".\n");
}

static int view_list(struct mailq_run *r, struct err *err)
{
	r->walk.needs_files = true;
	if (mailq_run_walk(r, take_list, err) < 0)
		return mailq_run_status(err);
	if (!r->o->is_json)
		add_foot(r);
	return EX_OK;
}

/* ---- messages in full --------------------------------------------------- */

/* Where the scheduler writes its event log, into the desk of nobody else. */
static int take_status(void *context, const struct mailq_reply *row,
		       struct err *err)
{
	struct str *path = context;
	struct slice text = mailq_reply_text(row, "events");

	(void)err;
	if (slice_starts(text, SLICE("/")) && !slice_has_control(text))
		str_add(path, text);
	return 0;
}

static void read_past(struct mailq_run *r, const struct mailq_message *m,
		      struct mailq_records **ret)
{
	size_t max = r->o->has_attempts ? ALL_ATTEMPTS : ATTEMPTS;
	struct str id = STR_INIT;
	struct err err;

	*ret = NULL;
	if (r->events == NULL)
		return;
	if (m->inode > 0)
		spoolid_print(&id, m->inode, m->mtime, m->mtime_ns);
	*ret =
	    mailq_history_read(r->events, m->name, str_slice(&id), max, &err);
	if (*ret == NULL)
		r->w->complain(err.text);
	str_done(&id);
}

static bool take_full(void *context, const struct mailq_message *m)
{
	struct mailq_run *r = context;
	struct mailq_past past = { .with_dialogue = r->o->has_attempts };
	struct mailq_records *records;

	r->n_messages++;
	read_past(r, m, &records);
	past.records = records;
	if (r->o->is_json)
		mailq_full_json(&r->out.text, m, &past, &r->look);
	else
		mailq_full_print(&r->out.text, m, &past, &r->look);
	mailq_history_free(records);
	return mailq_out_item(&r->out);
}

static int view_messages(struct mailq_run *r, struct err *err)
{
	struct str events = STR_INIT;
	int code = EX_OK;

	if (r->client != NULL && mailq_run_rows(r->client, SLICE("status"),
						take_status, &events, err) < 0)
		code = mailq_run_status(err);
	if (events.len > 0)
		r->events = str_cstr(&events);
	/* All of a message, done or not. */
	if (r->filter.states == 0)
		r->filter.states = (1U << MAILQ_STATES) - 1;
	r->walk.needs_files = r->walk.is_whole = true;
	if (code == EX_OK && mailq_run_walk(r, take_full, err) < 0)
		code = mailq_run_status(err);
	if (code == EX_OK && r->n_messages == 0) {
		err_set(err, 0, "there is no such message in the queue");
		code = EX_NOINPUT;
	}
	r->events = NULL;
	str_done(&events);
	return code;
}

/* ---- totals ------------------------------------------------------------- */

static bool take_total(void *context, const struct mailq_message *m)
{
	struct mailq_run *r = context;

	mailq_total_take(&r->total, m, r->look.now);
	return true;
}

static int take_count(void *context, const struct mailq_reply *row,
		      struct err *err)
{
	struct mailq_run *r = context;
	struct mailq_count count = mailq_reply_count(row);

	(void)err;
	if (r->o->is_json)
		mailq_count_json(&r->out.text, &count);
	else
		mailq_count_print(&r->out.text, &count);
	return 0;
}

static int view_summary(struct mailq_run *r, struct err *err)
{
	if (mailq_run_walk(r, take_total, err) < 0) {
		bool may_count = err->code == EACCES && r->client != NULL &&
				 mailq_filter_is_empty(&r->o->filter);

		if (may_count && mailq_run_rows(r->client, SLICE("count"),
						take_count, r, err) == 0)
			return EX_OK;
		return mailq_run_status(err);
	}
	if (r->o->is_json)
		mailq_total_json(&r->out.text, &r->total, &r->look);
	else
		mailq_total_print(&r->out.text, &r->total, &r->look);
	return EX_OK;
}

/* ---- destinations ------------------------------------------------------- */

static int take_destination(void *context, const struct mailq_reply *row,
			    struct err *err)
{
	struct mailq_run *r = context;
	struct mailq_destination d;

	if (mailq_reply_destination(row, &d, err) < 0)
		return -1;
	if (mailq_filter_place(&r->o->filter, d.channel, d.host))
		mailq_places_tell(&r->places, &d);
	return 0;
}

static bool take_place(void *context, const struct mailq_message *m)
{
	struct mailq_run *r = context;

	mailq_places_take(&r->places, m);
	return true;
}

static int view_destinations(struct mailq_run *r, struct err *err)
{
	struct mailq_filter others = r->o->filter;

	/* The scheduler counts for itself, but knows no other condition. */
	others.destinations = NULL;
	r->places.counts_itself =
	    r->client == NULL || !mailq_filter_is_empty(&others);
	if (r->client != NULL &&
	    mailq_run_rows(r->client, SLICE("destinations"), take_destination,
			   r, err) < 0)
		return mailq_run_status(err);
	if (r->places.counts_itself && mailq_run_walk(r, take_place, err) < 0)
		return mailq_run_status(err);
	if (r->o->is_json)
		mailq_places_json(&r->out.text, &r->places);
	else
		mailq_places_print(&r->out.text, &r->places, &r->look);
	return EX_OK;
}

int mailq_view(struct mailq_run *r, struct err *err)
{
	switch (r->o->view) {
	case MAILQ_VIEW_MESSAGES:
		return view_messages(r, err);
	case MAILQ_VIEW_SUMMARY:
		return view_summary(r, err);
	case MAILQ_VIEW_DESTINATIONS:
		return view_destinations(r, err);
	default:
		return view_list(r, err);
	}
}
