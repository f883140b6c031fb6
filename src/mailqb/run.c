/*
 * run.c - the body of mailq(1): who is asked, and what comes back.
 */
#include "mailqb/run_internal.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* Where it lies below the postoffice if nobody says otherwise. */
#define USUAL_SOCKET ".scheduler.socket"

/* Errno values that tell that nobody serves the postoffice. */
static bool is_unserved(int code)
{
	return code == ENOENT || code == ECONNREFUSED || code == ENOTDIR;
}

int mailq_connect(const struct mailq_world *w, int key_fd,
		  struct mailq_client **ret, struct err *err)
{
	struct str dir = STR_INIT;
	const char *name = USUAL_SOCKET;
	size_t slash = slice_find_last(w->socket, '/');

	str_adds(&dir, w->postoffice);
	if (slash < w->socket.len) {
		str_clear(&dir);
		str_add(&dir, slice_head(w->socket, slash > 0 ? slash : 1));
		name = w->socket.p + slash + 1;
	}
	*ret = mailq_client_new(str_cstr(&dir), name, key_fd, err);
	str_done(&dir);
	return *ret == NULL && !is_unserved(err->code) ? -1 : 0;
}

int mailq_run_status(const struct err *err)
{
	if (err->code == EACCES || err->code == EPERM)
		return EX_NOPERM;
	return err->code == EPIPE ? EX_TEMPFAIL : EX_SOFTWARE;
}

int mailq_run_walk(struct mailq_run *r,
		   bool (*take)(void *run, const struct mailq_message *m),
		   struct err *err)
{
	r->walk.take = take;
	r->walk.context = r;
	if (r->client == NULL)
		return mailq_walk_files(&r->walk, err);
	return mailq_walk_scheduler(&r->walk, r->client, err);
}

int mailq_run_rows(struct mailq_client *c, struct slice question,
		   int (*take)(void *context, const struct mailq_reply *row,
			       struct err *err),
		   void *context, struct err *err)
{
	struct mailq_reply *row;
	struct slice line;
	int r = mailq_client_ask(c, question, err);

	while (r == 0)
		switch (mailq_client_next(c, &line, err)) {
		case MAILQ_LINE:
			row = mailq_reply_new(line, err);
			r = row != NULL ? take(context, row, err) : -1;
			mailq_reply_free(row);
			break;
		case MAILQ_OK:
			return 0;
		case MAILQ_INTERRUPTED:
			return FAIL_CODE(err, EINTR, "interrupted");
		case MAILQ_REFUSED:
		case MAILQ_LOST:
			return -1;
		}
	return -1;
}

static int open_transport(const struct mailq_world *w, struct err *err)
{
	struct str path = STR_INIT;
	int fd;

	str_addf(&path, "%s/transport", w->postoffice);
	fd = open(str_cstr(&path), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		err_set(err, errno, "%s: %s", str_cstr(&path), strerror(errno));
	str_done(&path);
	return fd;
}

static int do_it(struct mailq_run *r, struct err *err)
{
	if (r->o->view == MAILQ_VIEW_LIVE)
		return mailq_live(r, err);
	if (mailq_connect(r->w, -1, &r->client, err) < 0)
		return EX_TEMPFAIL;
	if (r->o->deed != MAILQ_NOTHING)
		return mailq_act(r, err);
	if (r->client == NULL)
		r->w->complain("no scheduler runs; this is what the files "
			       "say");
	return mailq_view(r, err);
}

int mailq_run(const struct mailq_options *o, const struct mailq_world *w)
{
	struct mailq_run r = {
		.o = o,
		.w = w,
		.filter = o->filter,
		.look = { w->now(), w->width },
		.out = { .fd = w->out_fd },
	};
	struct err err = { 0 };
	int code = EX_OSFILE;

	r.walk = (struct mailq_walk){ .filter = &r.filter,
				      .now = r.look.now,
				      .complain = w->complain };
	r.walk.desk.arena = arena_new();
	r.walk.desk.transport_fd = open_transport(w, &err);
	if (r.walk.desk.transport_fd >= 0)
		code = do_it(&r, &err);
	mailq_out_flush(&r.out);
	if (code != EX_OK && err.text[0] != '\0')
		w->complain(err.text);
	mailq_client_free(r.client);
	mailq_total_done(&r.total);
	mailq_places_done(&r.places);
	mailq_plan_done(&r.plan);
	fd_close(r.walk.desk.transport_fd);
	str_done(&r.walk.desk.text);
	str_done(&r.out.text);
	arena_free(r.walk.desk.arena);
	return code;
}
