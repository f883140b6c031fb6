/*
 * bounce.c - who is told what, and in what words (RFC 3461, 3464, 6533).
 *
 * The recipients that are to be told of are sorted by sender and by what
 * became of them; each run of them is one report. Who gets it: the addresses
 * of the `e` lines before the sender's, else the sender; nobody, if the sender
 * is the null path, since that is a report itself.
 */
#include "mime/charset.h"
#include "mime/header.h"
#include "mime/rfc2047.h"
#include "sched/report.h"
#include "smtp/address.h"
#include "spool/message.h"
#include "taproto/notary.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	BODY_MAX = 64 * 1024, /* of a message that is returned whole */
	HEADER_MAX = 64 * 1024,
	RCPTS_MAX = 1000, /* of one report; more make another */
	TO_MAX = 100,	  /* addresses that hear of it */
	SUBJECT_MAX = 200,
	ID_MAX = 250
};

/* ---- who wants to hear of what ------------------------------------------ */

static enum notice_kind kind_of(const struct ctl_rcpt *rcpt,
				struct slice action)
{
	static const struct {
		const char *word;
		enum notice_kind kind;
	} words[] = {
		{ "failed", NOTICE_FAILED },
		{ "delayed", NOTICE_DELAYED },
		{ "delivered", NOTICE_DELIVERED },
		{ "relayed", NOTICE_DELIVERED },
		{ "expanded", NOTICE_DELIVERED },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_eq_nocase(action, slice_of(words[i].word)))
			return words[i].kind;
	/* An agent with words of its own: the mark says what it was. */
	return rcpt->tag == CTL_TAG_DONE ? NOTICE_DELIVERED : NOTICE_FAILED;
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

/* ---- one recipient ------------------------------------------------------ */

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

/* The word of RFC 3464 2.3.3 that the kind allows. */
static struct slice action_of(enum notice_kind kind, struct slice action)
{
	if (kind == NOTICE_FAILED)
		return SLICE("failed");
	if (kind == NOTICE_DELAYED)
		return SLICE("delayed");
	if (slice_eq_nocase(action, SLICE("relayed")))
		return SLICE("relayed");
	if (slice_eq_nocase(action, SLICE("expanded")))
		return SLICE("expanded");
	return SLICE("delivered");
}

/* A recipient, and into which report it goes. */
struct entry {
	const struct sched_told *told;
	enum notice_kind kind;
	struct notary words;
};

static struct notice_rcpt make_rcpt(const struct entry *e, struct arena *a)
{
	return (struct notice_rcpt){
		.address = e->told->rcpt->address.user,
		.orcpt = e->told->rcpt->dsn.orcpt,
		.action = action_of(e->kind, e->words.action),
		.status = e->words.status,
		.remote_mta = outward_mta(e->words.remote_mta, a),
		.diagnostic = e->words.diagnostic,
		.text = reason(e->told->message),
		.attempted = e->told->time,
		.retry_until = e->told->until,
	};
}

/* ---- the message -------------------------------------------------------- */

static const char *message_path(const struct sched_file *f)
{
	const char *path;
	struct err err;

	return jobname_message_path(&f->job, f->ctl.message_name, f->arena,
				    &path, &err) == 0
		   ? path
		   : NULL;
}

static int64_t arrived(const struct sched *s, const struct sched_file *f)
{
	const char *path = message_path(f);
	struct stat st;

	if (path == NULL ||
	    fstatat(s->transport_dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return (int64_t)st.st_mtim.tv_sec;
}

/* The body of the message, if RET=FULL and it is not too large. */
static void read_body(const struct sched *s, const struct sched_file *f,
		      struct str *to, struct notice *n)
{
	const char *relative = message_path(f);
	struct str path = STR_INIT;
	struct message m;
	struct err err;

	if (f->ctl.ret != CTL_RET_FULL || n->kind != NOTICE_FAILED ||
	    relative == NULL)
		return;
	str_addf(&path, "%s/transport/%s", s->o->postoffice, relative);
	if (message_open(str_cstr(&path), f->ctl.body_offset, &m, &err) ==
	    MESSAGE_OK) {
		n->is_too_large = message_body_size(&m) > BODY_MAX;
		n->has_body = !n->is_too_large &&
			      message_read(&m, BODY_MAX, to, &err) >= 0;
		message_close(&m);
	}
	str_done(&path);
	n->body = str_slice(to);
}

/* Whole fields, as many as there is room for. */
static struct slice bounded_header(struct slice header)
{
	struct slice head = slice_head(header, HEADER_MAX);
	size_t end;

	if (head.len == header.len)
		return head;
	end = slice_find_last(head, '\n');
	return slice_head(head, end < head.len ? end + 1 : 0);
}

/* A msg-id as it may stand in another field; empty: it is none. */
static struct slice clean_id(struct slice body)
{
	struct slice id = slice_trim(body);

	if (id.len < 3 || id.len > ID_MAX || id.p[0] != '<' ||
	    id.p[id.len - 1] != '>' || slice_has_control(id) ||
	    slice_has_8bit(id) || slice_has(id, ' '))
		return SLICE("");
	return id;
}

/* A subject that people can read as it stands; empty: it is none. */
static struct slice clean_subject(struct slice body)
{
	struct slice text = slice_trim(body);

	if (text.len > SUBJECT_MAX || slice_has_control(text) ||
	    slice_find_text(text, SLICE("=?")) < text.len ||
	    (slice_has_8bit(text) && !utf8_text_is_wide(text)))
		return SLICE("");
	return text;
}

static void describe(struct notice *n)
{
	struct slice rest = n->header;
	struct header_field field;

	while (header_next(&rest, &field))
		if (header_is(&field, "Message-ID") && n->about_id.len == 0)
			n->about_id = clean_id(field.body);
		else if (header_is(&field, "Subject") &&
			 n->about_subject.len == 0)
			n->about_subject = clean_subject(field.body);
}

/* ---- whom --------------------------------------------------------------- */

/* The addresses of an `e` line: separated by commas, perhaps with names. */
static size_t add_errors_to(struct slice list, struct slice *to, size_t n)
{
	bool is_quoted = false;
	size_t begin = 0;

	for (size_t i = 0; i <= list.len && n < TO_MAX; i++) {
		struct slice part = slice_from(slice_head(list, i), begin);
		size_t open = slice_find_last(part, '<');
		struct address parsed;

		if (i < list.len && list.p[i] == '"')
			is_quoted = !is_quoted;
		if (i < list.len && (list.p[i] != ',' || is_quoted))
			continue;
		begin = i + 1;
		if (open < part.len)
			part = slice_head(
			    slice_from(part, open + 1),
			    slice_find(slice_from(part, open + 1), '>'));
		if (address_parse(slice_trim(part), "", false, &parsed, NULL) ==
		    0)
			to[n++] = parsed.text;
	}
	return n;
}

static bool is_nobody(const struct ctl_sender *sender)
{
	return sender->is_null || slice_eq(sender->address.user, SLICE("-"));
}

static void choose_to(const struct ctl_sender *sender, struct arena *a,
		      struct notice *n)
{
	struct slice *to = arena_array(a, TO_MAX, sizeof(*to));

	n->to = to;
	n->n_to = 0;
	if (is_nobody(sender))
		return;
	for (const struct ctl_errors *e = sender->errors; e != NULL;
	     e = e->next)
		n->n_to = add_errors_to(e->value, to, n->n_to);
	if (n->n_to == 0)
		to[n->n_to++] = sender->address.user;
}

/* ---- runs --------------------------------------------------------------- */

/* 0: the same people hear of it. */
static int compare_senders(const struct ctl_sender *a,
			   const struct ctl_sender *b)
{
	const struct ctl_errors *left, *right;
	int order;

	if (a == b)
		return 0;
	order = is_nobody(a) - is_nobody(b);
	if (order == 0)
		order = slice_order(a->address.user, b->address.user);
	left = a->errors;
	right = b->errors;
	while (order == 0 && left != NULL && right != NULL) {
		order = slice_order(left->value, right->value);
		left = left->next;
		right = right->next;
	}
	return order != 0 ? order : (left != NULL) - (right != NULL);
}

static int compare_runs(const struct entry *a, const struct entry *b)
{
	int order =
	    compare_senders(a->told->rcpt->sender, b->told->rcpt->sender);

	return order != 0 ? order : (int)a->kind - (int)b->kind;
}

static int compare_entries(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	int order = compare_runs(a, b);

	if (order == 0)
		order = (a->told->rcpt->offset > b->told->rcpt->offset) -
			(a->told->rcpt->offset < b->told->rcpt->offset);
	return order;
}

/* Those of whom somebody is to hear, in the order of reports. */
static size_t make_entries(const struct sched_told_list *list,
			   struct entry *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		const struct sched_told *told = &list->items[i];
		struct entry e = { .told = told };

		if (notary_parse(told->notary, &e.words, NULL) < 0)
			e.words = (struct notary){ .status = SLICE("") };
		e.kind = kind_of(told->rcpt, e.words.action);
		/* A report that fails is the postmaster's, who asked for it. */
		if (is_wanted(told->rcpt, e.kind) ||
		    (e.kind == NOTICE_FAILED && is_nobody(told->rcpt->sender)))
			ret[n++] = e;
	}
	qsort(ret, n, sizeof(*ret), compare_entries);
	return n;
}

/* Has its time run out, or was it given up? */
static bool is_expired(const struct entry *e)
{
	return e->kind == NOTICE_FAILED &&
	       slice_starts(e->words.status, SLICE("5.4.7"));
}

/* The recipients of one report: of one sender and kind. */
struct run {
	const struct entry *first;
	size_t n;
};

static int write_run(struct sched *s, const struct sched_file *f,
		     const struct run *run, struct sched_drafts *to,
		     struct err *err)
{
	const struct ctl_rcpt *first = run->first->told->rcpt;
	struct notice_rcpt *rcpts =
	    arena_array(f->arena, run->n, sizeof(*rcpts));
	struct notice notice = {
		.kind = run->first->kind,
		.host = slice_of(s->o->host_name),
		.domain = slice_of(s->o->mail_name),
		.envid = f->ctl.envid,
		.now = (int64_t)time(NULL),
		.arrived = arrived(s, f),
		.rcpts = rcpts,
		.n_rcpts = run->n,
		.header = bounded_header(first->header->text),
	};
	struct str body = STR_INIT;
	int r;

	for (size_t i = 0; i < run->n; i++)
		rcpts[i] = make_rcpt(&run->first[i], f->arena);
	if (notice.kind != NOTICE_DELIVERED)
		notice.remark = sched_form(s, first, is_expired(run->first));
	choose_to(first->sender, f->arena, &notice);
	describe(&notice);
	read_body(s, f, &body, &notice);
	notice.is_utf8 = utf8_text_is_wide(notice.header);
	r = sched_draft_write(s, sched_reports_desk(s), &notice, to, err);
	str_done(&body);
	return r;
}

int sched_bounce(struct sched *s, const struct sched_file *f,
		 const struct sched_told_list *list, struct sched_drafts *to,
		 struct err *err)
{
	struct entry *entries = mem_zero(list->n + 1, sizeof(*entries));
	size_t n = make_entries(list, entries), i = 0, end;
	int r = 0;

	for (; r == 0 && i < n; i = end) {
		for (end = i + 1; end < n && end - i < RCPTS_MAX; end++)
			if (compare_runs(&entries[i], &entries[end]) != 0)
				break;
		r = write_run(s, f, &(struct run){ &entries[i], end - i }, to,
			      err);
	}
	free(entries);
	return r;
}
