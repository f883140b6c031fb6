/*
 * deed.c - what mailq does: find it, ask whether it is meant, do it.
 */
#include "mailqb/run_internal.h"

#include "base/fd.h"

#include <sysexits.h>
#include <unistd.h>

static bool take_plan(void *context, const struct mailq_message *m)
{
	struct mailq_run *r = context;

	mailq_plan_take(&r->plan, m);
	return true;
}

/* Asks whoever sits there. */
static bool is_confirmed(struct mailq_run *r)
{
	struct str line = STR_INIT;
	bool is_yes = false;
	char c = '\n';

	mailq_plan_say(&line, &r->plan);
	str_adds(&line, "? [y/N] ");
	mailq_out_flush(&r->out);
	if (fd_write_all(r->w->out_fd, str_slice(&line)) == 0 &&
	    read(r->w->in_fd, &c, 1) == 1)
		is_yes = c == 'y' || c == 'Y';
	while (c != '\n' && read(r->w->in_fd, &c, 1) == 1)
		;
	str_done(&line);
	return is_yes;
}

/* Without any condition --all, or a yes, is wanted. */
static bool is_everything(const struct mailq_options *o)
{
	return mailq_filter_is_empty(&o->filter) && !o->has_all &&
	       !o->has_yes && !o->is_dry;
}

/*
 * Nobody loses a queue by leaving something out, nor by a glob that fits more
 * than was thought: at a terminal a yes is wanted also for what cannot be
 * undone and was asked for by conditions.
 */
static bool wants_yes(const struct mailq_run *r)
{
	const struct mailq_options *o = r->o;
	bool is_final = o->deed == MAILQ_EXPIRE || o->deed == MAILQ_DELETE ||
			o->deed == MAILQ_REDIRECT;

	if (o->has_all || o->has_yes || o->is_dry || r->plan.n_rcpts == 0)
		return false;
	return is_everything(o) ||
	       (is_final && r->w->is_in_tty && o->filter.ids == NULL);
}

/* Asks; whoever thinks long finds the connection closed. */
static int confirm(struct mailq_run *r, struct err *err)
{
	if (!is_confirmed(r)) {
		err_set(err, 0, "nothing was done");
		return EX_NOPERM;
	}
	mailq_client_free(r->client);
	if (mailq_connect(r->w, -1, &r->client, err) < 0 || r->client == NULL)
		return EX_UNAVAILABLE;
	return EX_OK;
}

/* ---- kicks of more than messages ---------------------------------------- */

static int take_place(void *context, const struct mailq_reply *row,
		      struct err *err)
{
	struct mailq_run *r = context;
	struct mailq_destination d;

	if (mailq_reply_destination(row, &d, err) < 0)
		return -1;
	if (d.jobs > d.fed && (d.waiting > 0 || d.until > 0) &&
	    mailq_filter_place(&r->filter, d.channel, d.host))
		mailq_plan_take_place(&r->plan, &d);
	return 0;
}

/* Whole destinations are kicked as such, and all that waits at once. */
static bool is_of_places(const struct mailq_options *o)
{
	struct mailq_filter others = o->filter;

	others.destinations = NULL;
	return o->deed == MAILQ_KICK && mailq_filter_is_empty(&others);
}

static int collect(struct mailq_run *r, struct err *err)
{
	if (is_of_places(r->o))
		return mailq_run_rows(r->client, SLICE("destinations"),
				      take_place, r, err);
	/* A dry run prints addresses. */
	r->walk.needs_files = r->o->is_dry;
	return mailq_run_walk(r, take_plan, err);
}

int mailq_act(struct mailq_run *r, struct err *err)
{
	const struct mailq_options *o = r->o;
	int code = EX_OK;

	if (is_everything(o) && !r->w->is_in_tty) {
		err_set(err, 0, "say which messages, or --all");
		return EX_USAGE;
	}
	if (r->client == NULL) {
		err_set(err, 0, "no scheduler runs: nothing can be changed");
		return EX_UNAVAILABLE;
	}
	r->plan = (struct mailq_plan){
		.o = o,
		.out = &r->out,
		.desk = &r->walk.desk,
		.is_shown = o->is_verbose || o->is_json,
		.is_of_places = is_of_places(o),
	};
	if (collect(r, err) < 0)
		return mailq_run_status(err);
	if (wants_yes(r))
		code = confirm(r, err);
	if (code != EX_OK)
		return code;
	if (mailq_plan_do(&r->plan, r->client, err) < 0)
		code = EX_TEMPFAIL;
	else
		err->text[0] = '\0'; /* each failure was told */
	mailq_plan_sum(&r->plan);
	return r->plan.n_failed > 0 ? EX_TEMPFAIL : code;
}
