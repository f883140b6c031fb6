/*
 * walk.c - the messages that are asked for, one after the other.
 *
 * The scheduler shows jobs; those of one message follow each other. A message
 * is put together when the next one begins.
 */
#include "mailqb/walk.h"

#include "base/fd.h"
#include "base/mem.h"
#include "spool/name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The jobs of one message; what they point at lives in the desk's arena. */
struct batch {
	struct mailq_job *jobs;
	size_t n, cap;
	bool is_ended; /* nobody wants more */
};

/* ---- one message -------------------------------------------------------- */

static int by_offset(const void *a, const void *b)
{
	const struct mailq_rcpt *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* All recipients that the scheduler told of. */
static void join_rcpts(struct mailq_walk *w, const struct batch *b,
		       struct mailq_message *m)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++)
		n += b->jobs[i].n_rcpts;
	m->rcpts = arena_array(w->desk.arena, n + 1, sizeof(*m->rcpts));
	for (size_t i = 0; i < b->n; i++) {
		const struct mailq_job *job = &b->jobs[i];

		for (size_t k = 0; k < job->n_rcpts; k++)
			m->rcpts[m->n_rcpts++] = (struct mailq_rcpt){
				.offset = job->rcpts[k].offset,
				.channel = job->channel,
				.host = job->host,
				.state = job->rcpts[k].state,
				.job = job,
			};
	}
	qsort(m->rcpts, m->n_rcpts, sizeof(*m->rcpts), by_offset);
}

/* What the file says of them: addresses, and how those ended that are done. */
static void add_lines(struct mailq_message *m)
{
	for (size_t i = 0; i < m->n_rcpts; i++) {
		struct mailq_rcpt *r = &m->rcpts[i];

		r->line = mailq_letter_line(m->ctl, r->offset);
		if (r->line == NULL)
			continue;
		r->address = r->line->address.user;
		r->from = r->line->sender;
		if (r->state == MAILQ_DONE &&
		    mailq_state_is_over(mailq_letter_state(r->line->tag)))
			r->state = mailq_letter_state(r->line->tag);
	}
}

/* Those, too, that the scheduler does not know any more. */
static void add_others(struct mailq_walk *w, struct mailq_message *m)
{
	struct mailq_rcpt *told = m->rcpts;
	size_t n_told = m->n_rcpts, at = 0;

	mailq_letter_rcpts(&w->desk, m);
	for (size_t i = 0; i < m->n_rcpts; i++) {
		while (at < n_told && told[at].offset < m->rcpts[i].offset)
			at++;
		if (at < n_told && told[at].offset == m->rcpts[i].offset)
			m->rcpts[i] = told[at];
	}
}

/* Leaves only the recipients that fit; false: there are none. */
static bool sift(const struct mailq_walk *w, struct mailq_message *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_rcpts; i++)
		if (mailq_filter_rcpt(w->filter, &m->rcpts[i])) {
			if (w->is_whole)
				return true;
			m->rcpts[n++] = m->rcpts[i];
		}
	m->n_rcpts = n;
	return n > 0;
}

/* Could any fit, as far as one knows without the file? */
static bool is_hopeless(const struct mailq_walk *w,
			const struct mailq_message *m)
{
	struct mailq_filter known = *w->filter;

	if (!mailq_filter_message(&known, m, w->now))
		return true;
	known.senders = known.rcpts = NULL;
	/* How those ended that are done only the file knows. */
	if ((known.states >> MAILQ_DELIVERED & 1) != 0 ||
	    (known.states >> MAILQ_FAILED & 1) != 0)
		known.states |= 1U << MAILQ_DONE;
	for (size_t i = 0; i < m->n_rcpts; i++)
		if (mailq_filter_rcpt(&known, &m->rcpts[i]))
			return false;
	return true;
}

static bool wants_file(const struct mailq_walk *w)
{
	return w->needs_files || mailq_filter_needs_files(w->filter) ||
	       (w->filter->states &
		(1U << MAILQ_DELIVERED | 1U << MAILQ_FAILED)) != 0;
}

static void finish_message(struct mailq_walk *w, struct batch *b)
{
	struct mailq_message m = { 0 };
	struct err err;

	m.name = b->jobs[0].message;
	m.arrived = b->jobs[0].arrived;
	join_rcpts(w, b, &m);
	if (is_hopeless(w, &m))
		return;
	if (wants_file(w)) {
		struct slice name = m.name;

		switch (mailq_letter_read(&w->desk, name, &m, &err)) {
		case MAILQ_LETTER_GONE:
			return;
		case MAILQ_LETTER_SKIPPED:
			w->complain(err.text);
			if (!mailq_filter_spool_id(w->filter, &m))
				return;
			break;
		case MAILQ_LETTER_READ:
			if (!mailq_filter_spool_id(w->filter, &m))
				return;
			/* Ages are the scheduler's, whose clock is steady. */
			if (b->jobs[0].arrived != 0)
				m.arrived = b->jobs[0].arrived;
			add_lines(&m);
			if (w->is_whole)
				add_others(w, &m);
			break;
		}
	}
	if (sift(w, &m))
		b->is_ended = !w->take(w->context, &m);
}

/* ---- from the scheduler ------------------------------------------------- */

static int take_row(struct mailq_walk *w, struct batch *b,
		    const struct mailq_reply *row, struct err *err)
{
	if (b->n > 0 &&
	    !slice_eq(mailq_reply_message(row), b->jobs[0].message)) {
		finish_message(w, b);
		b->n = 0;
	}
	if (b->n == 0)
		arena_reset(w->desk.arena);
	b->jobs = mem_grow(b->jobs, &b->cap, b->n + 1, sizeof(*b->jobs));
	if (mailq_reply_job(row, w->desk.arena, &b->jobs[b->n], err) < 0)
		return -1;
	b->n++;
	return 0;
}

static int take_line(struct mailq_walk *w, struct batch *b, struct slice line,
		     struct err *err)
{
	struct mailq_reply *row = mailq_reply_new(line, err);
	int r = row != NULL ? take_row(w, b, row, err) : -1;

	mailq_reply_free(row);
	return r;
}

/* The answer to one request, to its end. */
static int show(struct mailq_walk *w, struct mailq_client *c,
		struct slice request, struct err *err)
{
	struct batch b = { 0 };
	enum mailq_heard heard;
	struct slice line;
	int r = mailq_client_ask(c, request, err);

	while (r == 0 && !b.is_ended) {
		heard = mailq_client_next(c, &line, err);
		if (heard == MAILQ_OK)
			break;
		if (heard == MAILQ_INTERRUPTED)
			r = FAIL_CODE(err, EINTR, "interrupted");
		else if (heard != MAILQ_LINE)
			r = -1;
		else
			r = take_line(w, &b, line, err);
	}
	if (r == 0 && b.n > 0 && !b.is_ended)
		finish_message(w, &b);
	if (b.is_ended)
		r = 1;
	free(b.jobs);
	return r;
}

/* The name of an id that may lack its hash directories; else as it is. */
static void find_name(const struct mailq_walk *w, struct slice id,
		      struct str *ret)
{
	struct jobname job;

	id = mailq_id_name(id);
	for (unsigned levels = 0; levels <= 2; levels++) {
		str_clear(ret);
		if (jobname_parse(id, &job, NULL) == 0 && job.prefix.len == 0)
			jobname_add_hash(ret, job.id, levels);
		str_add(ret, id);
		if (faccessat(w->desk.transport_fd, str_cstr(ret), F_OK, 0) ==
		    0)
			return;
	}
	str_clear(ret);
	str_add(ret, id);
}

/* One that is gone by now is none of what is asked for. */
static int show_ids(struct mailq_walk *w, struct mailq_client *c,
		    struct err *err)
{
	const struct mailq_words *id = w->filter->ids;
	struct str name = STR_INIT, request = STR_INIT;
	int r = 0;

	for (; id != NULL && r == 0; id = id->next) {
		str_clear(&request);
		find_name(w, id->text, &name);
		str_addf(&request, "show message %s", str_cstr(&name));
		r = show(w, c, str_slice(&request), err);
		if (r < 0 && err->code == ENOENT)
			r = 0; /* the scheduler does not know it */
	}
	str_done(&name);
	str_done(&request);
	return r;
}

/* The one destination that is asked for, as a request; else empty. */
static void name_destination(const struct mailq_filter *f, struct str *to)
{
	struct slice text, channel;

	if (f->destinations == NULL || f->destinations->next != NULL)
		return;
	text = f->destinations->text;
	for (size_t i = 0; i < text.len; i++)
		if (slice_has(SLICE("*?[\\ \t"), text.p[i]))
			return;
	channel = slice_head(text, slice_find(text, '/'));
	if (channel.len == 0 || channel.len + 1 >= text.len)
		return;
	str_addf(to, " destination %.*s ", SLICE_ARG(channel));
	for (size_t i = channel.len + 1; i < text.len; i++)
		str_addc(to, ascii_lower(text.p[i]));
}

int mailq_walk_scheduler(struct mailq_walk *w, struct mailq_client *c,
			 struct err *err)
{
	struct str request = STR_INIT;
	int r;

	if (w->filter->ids != NULL) {
		r = show_ids(w, c, err);
	} else {
		str_adds(&request, "show");
		name_destination(w->filter, &request);
		r = show(w, c, str_slice(&request), err);
		if (r < 0 && err->code == ENOENT && request.len > 4)
			r = 0; /* nothing goes there */
	}
	str_done(&request);
	return r < 0 ? -1 : 0;
}

/* ---- from the files ----------------------------------------------------- */

/*
 * One control file. 0: nobody wants more; 1: go on. One that only others may
 * read is not alone: a list without them all would be none.
 */
static int read_letter(struct mailq_walk *w, struct slice name, struct err *err)
{
	struct mailq_message m = { 0 };

	arena_reset(w->desk.arena);
	if (!mailq_filter_name(w->filter, name))
		return 1;
	err_set(err, 0, "%s", "");
	switch (mailq_letter_read(&w->desk, name, &m, err)) {
	case MAILQ_LETTER_GONE:
		return 1;
	case MAILQ_LETTER_SKIPPED:
		if (err->code == EACCES || err->code == EPERM)
			return -1;
		w->complain(err->text);
		return 1;
	case MAILQ_LETTER_READ:
		if (!mailq_filter_spool_id(w->filter, &m))
			return 1;
		break;
	}
	mailq_letter_rcpts(&w->desk, &m);
	if (!mailq_filter_message(w->filter, &m, w->now) || !sift(w, &m))
		return 1;
	return w->take(w->context, &m) ? 1 : 0;
}

static bool is_hash_dir(const char *name)
{
	return name[0] >= 'A' && name[0] <= 'Z' && name[1] == '\0';
}

/* A directory, and the hash directories in it. 0: no more; 1: go on. */
static int read_dir(struct mailq_walk *w, const char *prefix, struct err *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(w->desk.transport_fd, prefix[0] != '\0' ? prefix : ".",
			flags);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct str name = STR_INIT;
	struct dirent *entry;
	int r = 1;

	if (dir == NULL) {
		fd_close(fd);
		return FAIL_CODE(err, errno, "transport/%s: %s", prefix,
				 strerror(errno));
	}
	while (r > 0 && (entry = readdir(dir)) != NULL) {
		str_clear(&name);
		str_addf(&name, "%s%s", prefix, entry->d_name);
		if (is_hash_dir(entry->d_name) && strlen(prefix) < 4) {
			str_addc(&name, '/');
			r = read_dir(w, str_cstr(&name), err);
		} else if (ascii_is_digit(entry->d_name[0])) {
			r = read_letter(w, str_slice(&name), err);
		}
	}
	closedir(dir);
	str_done(&name);
	return r;
}

int mailq_walk_files(struct mailq_walk *w, struct err *err)
{
	return read_dir(w, "", err) < 0 ? -1 : 0;
}
