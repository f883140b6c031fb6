/*
 * draft.c - a report becomes a message in the spool, or a file in postman/.
 *
 * A report goes out with the null sender and NOTIFY=NEVER, so none is ever
 * made about a report. Its way is that of mail that is submitted: routes.conf,
 * else channel smtp to the domain.
 */
#include "base/fd.h"
#include "conf/way.h"
#include "sched/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { RANDOM_BYTES = 12 };

/* ---- the desk ----------------------------------------------------------- */

int sched_desk_open(struct sched *s, struct sched_desk *ret, struct err *err)
{
	struct sched_desk d = { .postman_dir = -1 };

	/* Before the first byte: trouble of the disk is told to who was there.
	 */
	if (create_office_open(s->o->postoffice, s->o->hash_levels, &d.office,
			       err) < 0)
		return -1;
	*ret = d;
	return 0;
}

void sched_desk_close(struct sched_desk *d)
{
	create_office_close(&d->office);
	fd_close(d->postman_dir);
	d->postman_dir = -1;
}

static int open_postman(struct sched *s, struct sched_desk *d, struct err *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

	if (d->postman_dir >= 0)
		return 0;
	d->postman_dir = openat(s->postoffice_dir, "postman", flags);
	if (d->postman_dir < 0 && errno == ENOENT &&
	    create_dir(s->postoffice_dir, "postman") == 0)
		d->postman_dir = openat(s->postoffice_dir, "postman", flags);
	return d->postman_dir < 0
		   ? FAIL_CODE(err, errno, "postman: %s", strerror(errno))
		   : 0;
}

/* ---- names -------------------------------------------------------------- */

static void add_random(struct str *to)
{
	unsigned char bytes[RANDOM_BYTES] = { 0 };

	if (getrandom(bytes, sizeof(bytes), 0) < 0)
		bytes[0] = (unsigned char)errno; /* checked for clashes */
	for (size_t i = 0; i < sizeof(bytes); i++)
		str_addf(to, "%02x", bytes[i]);
}

static bool holds(struct slice text, struct slice what)
{
	return text.len > 0 && slice_find_text(text, what) < text.len;
}

/* Makes id and boundary, which must not occur in what is returned. */
static void name_draft(struct notice *n, struct str *random, struct str *id)
{
	do {
		str_clear(random);
		str_adds(random, "zpost-");
		add_random(random);
		n->boundary = str_slice(random);
	} while (holds(n->header, n->boundary) || holds(n->body, n->boundary) ||
		 holds(n->remark, n->boundary));
	str_addf(id, "%s@%.*s", str_cstr(random), SLICE_ARG(n->domain));
	n->message_id = str_slice(id);
}

/* ---- a message ---------------------------------------------------------- */

/* Where mail to an address goes; false: it is none. */
static bool find_way(struct sched *s, struct slice address, struct arena *a,
		     struct way_end *ret)
{
	const struct way_map map = {
		.host_name = slice_of(s->o->host_name),
		.mail_name = slice_of(s->o->mail_name),
		.routes = s->config.routes,
	};
	struct address parsed;
	struct err err;

	if (way_begin(&map, address, a, &parsed, &err) < 0)
		return false;
	if (!parsed.has_domain) {
		*ret = (struct way_end){ .channel = SLICE("local"),
					 .host = SLICE("-"),
					 .user = parsed.text };
		return true;
	}
	if (way_find(&map, &parsed, a, ret, &err) == 0)
		return true;
	log_line(LOG_LEVEL_ERROR, "%s: a report goes to its domain", err.text);
	return way_find(&(struct way_map){ .routes = NULL }, &parsed, a, ret,
			&err) == 0;
}

/* The `r` lines; how many. */
static size_t add_rcpts(struct sched *s, const struct notice *n,
			struct arena *a, struct str *to)
{
	size_t found = 0;

	for (size_t i = 0; i < n->n_to; i++) {
		struct way_end end;

		if (!find_way(s, n->to[i], a, &end)) {
			log_line(LOG_LEVEL_WARNING,
				 "no report can be sent to '%.*s'",
				 SLICE_ARG(slice_head(n->to[i], 200)));
			continue;
		}
		if (end.channel.len == 0)
			end.channel = SLICE("smtp");
		str_addf(to, "r%*s", 1 + CTL_PID_WIDTH + CTL_DELAY_WIDTH, "");
		ctl_print_token(to, end.channel);
		str_addc(to, ' ');
		ctl_print_token(to, end.host);
		str_addc(to, ' ');
		ctl_print_token(to, end.user);
		str_adds(to, " 65534\nN NOTIFY=NEVER\n");
		found++;
	}
	return found;
}

static void print_front(const struct notice *n, struct slice fields,
			struct str *to)
{
	str_adds(to, "channel error\n");
	for (size_t i = 0; i < n->n_to; i++) {
		str_adds(to, "to <");
		str_add_clean(to, n->to[i], SIZE_MAX);
		str_adds(to, ">\n");
	}
	str_adds(to, "env-end\n");
	str_add(to, fields);
	str_addc(to, '\n');
}

/* A report as text. */
struct sheet {
	struct str fields, body, rcpts; /* header; MIME; `r` lines */
};

static int stage(struct sched_desk *desk, const struct notice *n,
		 const struct sheet *sheet, struct sched_draft *d,
		 struct err *err)
{
	struct str front = STR_INIT, control = STR_INIT;
	int r = -1;

	if (create_begin_in(&desk->office, &d->file, err) < 0)
		return -1;
	print_front(n, str_slice(&sheet->fields), &front);
	str_addf(&control,
		 "@ 0x%08x\ni %.*s\no %zu\nl <%s>\ns error - - 65534\n",
		 (unsigned)CTL_FLAGS_KNOWN, SLICE_ARG(create_base(&d->file)),
		 front.len, str_cstr(&d->message_id));
	str_add(&control, str_slice(&sheet->rcpts));
	str_adds(&control, "m\n");
	str_add(&control, str_slice(&sheet->fields));
	str_addc(&control, '\n');
	str_add(&front, str_slice(&sheet->body));
	if (create_write(&d->file, str_slice(&front), err) == 0 &&
	    create_stage(&d->file, str_slice(&control), err) == 0)
		r = 0;
	str_done(&control);
	str_done(&front);
	return r;
}

/* ---- nobody can be told ------------------------------------------------- */

/* The postmaster finds it in postman/. */
static int store(struct sched *s, struct sched_desk *desk,
		 const struct sheet *sheet, struct sched_draft *d,
		 struct err *err)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	struct slice id = str_slice(&d->message_id);
	int fd, r = 0;

	if (open_postman(s, desk, err) < 0)
		return -1;
	str_addf(&d->stored, "postman/%.*s",
		 SLICE_ARG(slice_head(id, slice_find(id, '@'))));
	fd = openat(s->postoffice_dir, str_cstr(&d->stored), flags, 0600);
	if (fd < 0 || fd_write_all(fd, str_slice(&sheet->fields)) < 0 ||
	    fd_write_all(fd, SLICE("\n")) < 0 ||
	    fd_write_all(fd, str_slice(&sheet->body)) < 0) {
		r = FAIL_CODE(err, errno, "%s: %s", str_cstr(&d->stored),
			      strerror(errno));
		if (fd < 0)
			str_clear(&d->stored); /* nothing to take back */
	}
	fd_close(fd);
	return r;
}

/* What failed for nobody is dropped, or kept. */
static bool is_kept(const struct sched *s, const struct notice *n)
{
	const struct notice_rcpt *r = &n->rcpts[0];

	if (n->kind != NOTICE_FAILED)
		return false;
	log_line(LOG_LEVEL_WARNING, "%s: %s (to <%.*s>%s: %.*s)",
		 n->n_to == 0 ? "a report about a report"
			      : "a failure that nobody can be told of",
		 s->config.conf.store_error_on_error ? "kept in postman/"
						     : "dropped",
		 SLICE_ARG(slice_head(r->address, 200)),
		 n->n_rcpts > 1 ? " and others" : "",
		 SLICE_ARG(slice_head(r->text, 200)));
	return s->config.conf.store_error_on_error;
}

/* ---- both --------------------------------------------------------------- */

static void free_draft(struct sched *s, struct sched_draft *d)
{
	create_end(&d->file);
	if (d->stored.len > 0 && !d->is_done &&
	    unlinkat(s->postoffice_dir, str_cstr(&d->stored), 0) < 0)
		log_line(LOG_LEVEL_WARNING, "%s: %s", str_cstr(&d->stored),
			 strerror(errno));
	str_done(&d->stored);
	str_done(&d->message_id);
	free(d);
}

/* Writes it: 1 if something is to be waited for, 0, or -1. */
static int write_draft(struct sched *s, struct sched_desk *desk,
		       struct notice *n, struct sched_draft *d, struct err *err)
{
	struct slice postmaster;
	struct arena *a = arena_new();
	struct str random = STR_INIT;
	struct sheet sheet = { 0 };
	bool is_mail = add_rcpts(s, n, a, &sheet.rcpts) > 0;
	int r = 0;

	if (!is_mail && !is_kept(s, n))
		goto out;
	if (!is_mail) {
		postmaster =
		    arena_printf(a, "postmaster@%.*s", SLICE_ARG(n->domain));
		n->to = &postmaster;
		n->n_to = 1;
	}
	name_draft(n, &random, &d->message_id);
	notice_print_fields(&sheet.fields, n);
	notice_print_body(&sheet.body, n);
	r = is_mail ? stage(desk, n, &sheet, d, err)
		    : store(s, desk, &sheet, d, err);
	if (r == 0)
		r = 1;
out:
	str_done(&sheet.rcpts);
	str_done(&sheet.body);
	str_done(&sheet.fields);
	str_done(&random);
	arena_free(a);
	return r;
}

int sched_draft_write(struct sched *s, struct sched_desk *desk,
		      struct notice *n, struct sched_drafts *to,
		      struct err *err)
{
	struct sched_draft *d = mem_zero(1, sizeof(*d));
	int r;

	d->kind = n->kind;
	d->file.fd = -1;
	r = write_draft(s, desk, n, d, err);
	if (r <= 0) {
		free_draft(s, d);
		return r;
	}
	STAILQ_INSERT_TAIL(to, d, link);
	return 0;
}

void sched_drafts_settle(struct sched_desk *desk, struct sched_draft **drafts,
			 size_t n, struct err *err)
{
	struct create **staged = mem_zero(n + 1, sizeof(*staged));
	bool is_settled, is_kept_safe = true;
	size_t n_staged = 0;

	for (size_t i = 0; i < n; i++)
		if (drafts[i]->stored.len == 0)
			staged[n_staged++] = &drafts[i]->file;
	is_settled = n_staged == 0 ||
		     create_settle(&desk->office, staged, n_staged, err) == 0;
	if (n_staged < n && syncfs(desk->postman_dir) < 0) {
		err_set(err, errno, "syncing postman/: %s", strerror(errno));
		is_kept_safe = false;
	}
	for (size_t i = 0; i < n; i++)
		drafts[i]->is_done =
		    drafts[i]->stored.len > 0
			? is_kept_safe
			: is_settled && drafts[i]->file.is_done;
	free(staged);
}

void sched_drafts_free(struct sched *s, struct sched_drafts *drafts)
{
	struct sched_draft *d;

	while ((d = STAILQ_FIRST(drafts)) != NULL) {
		STAILQ_REMOVE_HEAD(drafts, link);
		free_draft(s, d);
	}
}
