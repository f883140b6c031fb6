/*
 * bounce.c - reports to senders (RFC 3461, 3464): who is told what, and how
 * the report itself becomes a message.
 *
 * A report goes out with the null sender, so none is ever made about a report.
 * What fails without a sender to be told goes to postman/, where the
 * postmaster finds it, if store-error-on-error is set.
 */
#include "base/fd.h"
#include "dsn/notice.h"
#include "sched/sched_internal.h"
#include "spool/create.h"
#include "spool/message.h"
#include "taproto/notary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
	BODY_MAX = 64 * 1024, /* of a message that is returned whole */
	HEADER_MAX = 64 * 1024,
	RANDOM_BYTES = 12
};

/* ---- who is told what --------------------------------------------------- */

static enum notice_kind kind_of(struct slice action)
{
	if (slice_eq(action, SLICE("failed")))
		return NOTICE_FAILED;
	if (slice_eq(action, SLICE("delayed")))
		return NOTICE_DELAYED;
	return NOTICE_DELIVERED;
}

/* Does the sender want to hear of this (RFC 3461 4.1)? */
static bool is_wanted(const struct ctl_rcpt *rcpt, enum notice_kind kind)
{
	static const unsigned words[] = {
		[NOTICE_FAILED] = NOTIFY_FAILURE,
		[NOTICE_DELAYED] = NOTIFY_DELAY,
		[NOTICE_DELIVERED] = NOTIFY_SUCCESS,
	};
	unsigned notify = rcpt->dsn.notify;

	/* By RFC 2852 4.1.4.1, who asks for N hears of the delay, but for
	 * NOTIFY=NEVER. */
	if (kind == NOTICE_DELAYED && rcpt->dsn.by.is_set &&
	    rcpt->dsn.by.do_notify && (notify & NOTIFY_NEVER) == 0)
		return true;
	return (notify & words[kind]) != 0;
}

/* A transcript without its arrows: the last line is what counts. */
static struct slice reason(struct slice message)
{
	size_t cr = slice_find_last(message, '\r');
	struct slice last =
	    slice_trim(slice_from(message, cr < message.len ? cr + 1 : 0));

	if (slice_starts(last, SLICE("->> ")) ||
	    slice_starts(last, SLICE("<<- ")))
		last = slice_from(last, 4);
	return last;
}

/* Names and addresses of ours are nobody's business: cuts "|PORT|..." off. */
static struct slice outward_mta(struct slice mta, struct arena *a)
{
	size_t bar = slice_find(mta, '|');
	struct slice part = slice_head(mta, bar);

	if (bar == mta.len)
		return mta;
	return slice_has(part, '(') ? arena_printf(a, "%.*s)", SLICE_ARG(part))
				    : part;
}

static struct notice_rcpt make_rcpt(const struct sched_told *t,
				    const struct notary *n, struct arena *a)
{
	return (struct notice_rcpt){
		.address = t->rcpt->address.user,
		.orcpt = t->rcpt->dsn.orcpt,
		.action = n->action,
		.status = n->status,
		.remote_mta = outward_mta(n->remote_mta, a),
		.diagnostic = n->diagnostic,
		.text = reason(t->message),
		.attempted = t->time,
	};
}

/* ---- what is returned --------------------------------------------------- */

/* The body of the message, if RET=FULL and it is not too large. */
static bool read_body(struct sched *s, const struct sched_file *f,
		      struct str *to)
{
	struct str path = STR_INIT;
	const char *relative;
	struct message m;
	struct err err;
	bool has_body = false;

	if (f->ctl.ret != CTL_RET_FULL ||
	    jobname_message_path(&f->job, f->ctl.message_name, f->arena,
				 &relative, &err) < 0)
		return false;
	str_addf(&path, "%s/transport/%s", s->o->postoffice, relative);
	if (message_open(str_cstr(&path), f->ctl.body_offset, &m, &err) ==
	    MESSAGE_OK) {
		has_body = message_body_size(&m) <= BODY_MAX &&
			   message_read(&m, BODY_MAX, to, &err) >= 0;
		message_close(&m);
	}
	str_done(&path);
	return has_body;
}

/* ---- making it a message ------------------------------------------------ */

struct draft {
	struct sched *s;
	struct notice notice;
	struct str random, message_id, fields, body;
};

static void add_random(struct str *to)
{
	unsigned char bytes[RANDOM_BYTES] = { 0 };

	if (getrandom(bytes, sizeof(bytes), 0) < 0)
		bytes[0] = (unsigned char)errno; /* checked for clashes */
	for (size_t i = 0; i < sizeof(bytes); i++)
		str_addf(to, "%02x", bytes[i]);
}

/* Makes id and boundary, which must not occur in what is returned. */
static void name_draft(struct draft *d)
{
	struct notice *n = &d->notice;

	do {
		str_clear(&d->random);
		str_adds(&d->random, "zpost-");
		add_random(&d->random);
		n->boundary = str_slice(&d->random);
	} while (slice_find_text(n->header, n->boundary) < n->header.len ||
		 slice_find_text(n->body, n->boundary) < n->body.len);
	str_addf(&d->message_id, "%s@%s", str_cstr(&d->random),
		 d->s->o->host_name);
	n->message_id = str_slice(&d->message_id);
}

static void free_draft(struct draft *d)
{
	str_done(&d->random);
	str_done(&d->message_id);
	str_done(&d->fields);
	str_done(&d->body);
}

/* Where mail to an address goes: to its domain by smtp, else it is local. */
static void add_quad(struct str *to, struct slice address)
{
	size_t at = slice_find_last(address, '@');

	if (at == address.len) {
		str_adds(to, "local - ");
	} else {
		str_adds(to, "smtp ");
		for (size_t i = at + 1; i < address.len; i++)
			str_addc(to, ascii_lower(address.p[i]));
		str_addc(to, ' ');
	}
	ctl_print_token(to, address);
	str_adds(to, " 65534\n");
}

static void print_control(const struct draft *d, const struct create *c,
			  size_t body_offset, struct str *to)
{
	str_addf(to, "@ 0x%08x\ni %.*s\no %zu\nl <%s>\ns error - - 65534\n",
		 (unsigned)CTL_FLAGS_KNOWN, SLICE_ARG(create_base(c)),
		 body_offset, str_cstr(&d->message_id));
	str_adds(to, "r           ");
	add_quad(to, d->notice.to);
	str_adds(to, "N NOTIFY=NEVER\nm\n");
	str_add(to, str_slice(&d->fields));
	str_addc(to, '\n');
}

static int queue_draft(struct draft *d, struct err *err)
{
	const struct sched_options *o = d->s->o;
	struct str front = STR_INIT, control = STR_INIT;
	struct create c;
	int r = -1;

	if (create_begin(o->postoffice, o->hash_levels, &c, err) < 0)
		return -1;
	str_adds(&front, "channel error\nto <");
	str_add_clean(&front, d->notice.to, SIZE_MAX);
	str_adds(&front, ">\nenv-end\n");
	str_add(&front, str_slice(&d->fields));
	str_addc(&front, '\n');
	print_control(d, &c, front.len, &control);
	if (create_write(&c, str_slice(&front), err) == 0 &&
	    create_write(&c, str_slice(&d->body), err) == 0 &&
	    create_commit(&c, str_slice(&control), err) == 0)
		r = 0;
	d->s->counts.reports += r == 0;
	if (r == 0)
		sched_event(d->s, "report", "message", str_cstr(&c.name),
			    "message_id", str_cstr(&d->message_id), NULL);
	create_end(&c);
	str_done(&control);
	str_done(&front);
	return r;
}

/* Nobody can be told: the postmaster finds it. */
static int store_draft(struct draft *d, struct err *err)
{
	struct str path = STR_INIT;
	int fd, r = 0;

	log_line(LOG_LEVEL_WARNING, "a report about a report: %s",
		 d->s->config.conf.store_error_on_error ? "kept in postman/"
							: "dropped");
	if (!d->s->config.conf.store_error_on_error)
		return 0;
	str_addf(&path, "postman/%s", str_cstr(&d->random));
	fd = openat(d->s->postoffice_dir, str_cstr(&path),
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || fd_write_all(fd, str_slice(&d->fields)) < 0 ||
	    fd_write_all(fd, SLICE("\n")) < 0 ||
	    fd_write_all(fd, str_slice(&d->body)) < 0 || fsync(fd) < 0)
		r = FAIL_CODE(err, errno, "%s: %s", str_cstr(&path),
			      strerror(errno));
	fd_close(fd);
	str_done(&path);
	return r;
}

/* One report to one sender. */
static int send_one(struct sched *s, const struct sched_file *f,
		    const struct ctl_sender *sender, struct notice *n,
		    struct err *err)
{
	struct draft d = { .s = s, .notice = *n };
	struct str body = STR_INIT;
	int r;

	d.notice.has_body =
	    d.notice.kind == NOTICE_FAILED && read_body(s, f, &body);
	d.notice.body = str_slice(&body);
	name_draft(&d);
	notice_print_fields(&d.fields, &d.notice);
	notice_print_body(&d.body, &d.notice);
	if (!sender->is_null)
		r = queue_draft(&d, err);
	else if (d.notice.kind == NOTICE_FAILED)
		r = store_draft(&d, err);
	else
		r = 0;
	free_draft(&d);
	str_done(&body);
	return r;
}

/* ---- groups ------------------------------------------------------------- */

/* The recipients of one sender and kind among those told of. */
static size_t gather(const struct sched_bounce *b,
		     const struct ctl_sender *sender, enum notice_kind kind,
		     struct notice_rcpt *ret, struct arena *a)
{
	size_t found = 0;

	const struct sched_told *told = b->told;

	for (size_t i = 0; i < b->n; i++) {
		struct notary words;

		if (told[i].rcpt->sender != sender)
			continue;
		if (notary_parse(told[i].notary, &words, NULL) < 0)
			words = (struct notary){ .action = SLICE("failed"),
						 .status = SLICE("5.0.0") };
		if (kind_of(words.action) == kind &&
		    is_wanted(told[i].rcpt, kind))
			ret[found++] = make_rcpt(&told[i], &words, a);
	}
	return found;
}

static bool is_first_of_sender(const struct sched_told *told, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (told[k].rcpt->sender == told[i].rcpt->sender)
			return false;
	return true;
}

static int64_t arrived(struct sched *s, const struct sched_file *f)
{
	struct str path = STR_INIT;
	const char *relative;
	struct message m;
	struct err err;
	int64_t at = 0;

	if (jobname_message_path(&f->job, f->ctl.message_name, f->arena,
				 &relative, &err) == 0) {
		str_addf(&path, "%s/transport/%s", s->o->postoffice, relative);
		if (message_open(str_cstr(&path), 0, &m, &err) == MESSAGE_OK) {
			at = m.mtime;
			message_close(&m);
		}
	}
	str_done(&path);
	return at;
}

int sched_bounce(struct sched *s, const struct sched_file *f,
		 const struct sched_bounce *b, struct err *err)
{
	static const enum notice_kind kinds[] = { NOTICE_FAILED, NOTICE_DELAYED,
						  NOTICE_DELIVERED };
	struct notice_rcpt *rcpts =
	    arena_array(f->arena, b->n + 1, sizeof(*rcpts));

	for (size_t i = 0; i < b->n; i++) {
		const struct ctl_rcpt *first = b->told[i].rcpt;

		if (!is_first_of_sender(b->told, i))
			continue;
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			struct notice n = {
				.kind = kinds[k],
				.host = slice_of(s->o->host_name),
				.to = first->sender->address.user,
				.envid = f->ctl.envid,
				.now = (int64_t)time(NULL),
				.arrived = arrived(s, f),
				.rcpts = rcpts,
				.header =
				    slice_head(first->header->text, HEADER_MAX),
			};

			n.n_rcpts =
			    gather(b, first->sender, kinds[k], rcpts, f->arena);
			for (size_t r = 0; r < n.n_rcpts; r++)
				rcpts[r].retry_until = b->until;
			if (n.n_rcpts > 0 &&
			    send_one(s, f, first->sender, &n, err) < 0)
				return -1;
		}
	}
	return 0;
}
