/*
 * control_redirect.c - one recipient gets another address.
 *
 *	redirect NAME OFFSET CHANNEL HOST USER
 *
 * Control files are never rewritten, and a message file belongs to one of them
 * alone. So a new message is made, with that one recipient, the sender, header
 * and wishes of the old one and a copy of the message file. Order: the old
 * recipient is locked; the new message is durable; the old recipient is done.
 * A crash in between has both delivered, never neither.
 *
 * The words come from outside and end in a line that decides where mail goes:
 * no control byte may be among them, they must be read again from what was
 * made as they were meant, and some clause must serve them.
 */
#include "sched/control.h"

#include "spool/create.h"
#include "spool/message.h"

enum {
	WORD_MAX = 1024, /* of channel and host, as what is taken in */
	COPY_BYTES = 256 * 1024
};

/* The address that is wanted, each part as one token. */
struct target {
	struct slice name, offset;  /* which recipient is meant */
	const struct ctl_rcpt *old; /* that one */
	struct slice channel, host;
	struct str user;
};

static int read_words(struct slice words, struct target *t, struct err *err)
{
	if (slice_has_control(words))
		return FAIL(err, "a control character");
	if (!slice_word(&words, &t->name) || !slice_word(&words, &t->offset) ||
	    !ctl_token(&words, &t->channel) || !ctl_token(&words, &t->host))
		return FAIL(err, "a message, an offset, a channel, a host and "
				 "a user are wanted");
	words = slice_trim(words);
	if (words.len == 0)
		return FAIL(err, "a user is wanted");
	if (t->channel.len > WORD_MAX || t->host.len > WORD_MAX)
		return FAIL(err, "a channel or host longer than any can be");
	ctl_print_token(&t->user, words);
	return 0;
}

static int find_clause(struct sched *s, const struct target *t, struct err *err)
{
	struct str host = STR_INIT;
	int found;

	for (size_t i = 0; i < t->host.len; i++)
		str_addc(&host, ascii_lower(t->host.p[i]));
	found = schedconf_find(&s->config.conf, t->channel, str_slice(&host));
	str_done(&host);
	if (found < 0)
		return FAIL(err, "no clause is for %.*s/%.*s",
			    SLICE_ARG(t->channel), SLICE_ARG(t->host));
	return 0;
}

/* ---- the new message ---------------------------------------------------- */

/* All of the old message file. */
static int copy_message(struct sched *s, const struct sched_file *f,
			struct create *c, struct err *err)
{
	struct str path = STR_INIT, piece = STR_INIT;
	const char *relative;
	struct message m;
	ssize_t n = -1;

	if (jobname_message_path(&f->job, f->ctl.message_name, f->arena,
				 &relative, err) < 0)
		return -1;
	str_addf(&path, "%s/transport/%s", s->o->postoffice, relative);
	if (message_open(str_cstr(&path), 0, &m, err) != MESSAGE_OK)
		goto out;
	do {
		str_clear(&piece);
		n = message_read(&m, COPY_BYTES, &piece, err);
		if (n > 0 && create_write(c, str_slice(&piece), err) < 0)
			n = -1;
	} while (n > 0);
	message_close(&m);
out:
	str_done(&piece);
	str_done(&path);
	return n < 0 ? -1 : 0;
}

static void add_line(struct str *to, const char *field, struct slice value)
{
	if (value.len > 0)
		str_addf(to, "%s %.*s\n", field, SLICE_ARG(value));
}

/* A line of the old file as it is, from its letter to its LF. */
static void add_old_line(struct str *to, const struct sched_file *f,
			 size_t offset)
{
	struct slice rest = slice_from(str_slice(&f->text), offset);

	str_add(to, slice_head(rest, slice_find(rest, '\n')));
	str_addc(to, '\n');
}

static void print_control(const struct sched_file *f, const struct target *t,
			  const struct create *c, struct str *to)
{
	static const char *const rets[] = { [CTL_RET_NONE] = "",
					    [CTL_RET_FULL] = "FULL",
					    [CTL_RET_HDRS] = "HDRS" };
	const struct ctl_rcpt *old = t->old;

	str_addf(to, "@ 0x%08x\n", (unsigned)CTL_FLAGS_KNOWN);
	add_line(to, "v", f->ctl.verbose_file);
	add_line(to, "i", create_base(c));
	str_addf(to, "o %ju\n", (uintmax_t)f->ctl.body_offset);
	add_line(to, "l", f->ctl.log_identity);
	add_old_line(to, f, old->sender->offset);
	str_adds(to, "r           ");
	str_add(to, t->channel);
	str_addc(to, ' ');
	str_add(to, t->host);
	str_addc(to, ' ');
	str_add(to, str_slice(&t->user));
	str_adds(to, " 65534\n"); /* whoever had rights had them as another */
	if (old->dsn.is_present)
		add_old_line(to, f, old->dsn.offset);
	add_line(to, "R", slice_of(rets[f->ctl.ret]));
	add_line(to, "n", f->ctl.envid);
	str_adds(to, "m\n");
	str_add(to, old->header->text);
	str_addc(to, '\n');
}

/* Does the file say what it is to say, and to nobody else? */
static int check_control(struct slice text, const struct target *t,
			 struct arena *a, struct err *err)
{
	const struct ctl_address *is;
	struct ctl ctl;

	if (ctl_parse(text, a, &ctl, err) != CTL_OK)
		return -1;
	is = &ctl.rcpts[0].address;
	if (ctl.n_rcpts != 1 || !slice_eq(is->channel, t->channel) ||
	    !slice_eq(is->host, t->host) ||
	    !slice_eq(is->user, str_slice(&t->user)) ||
	    !slice_eq(is->privilege, SLICE("65534")))
		return FAIL(err, "no such address can stand in a control file");
	return 0;
}

/* *ret_name is its name, which lives in f's arena. */
static int make_message(struct sched *s, struct sched_file *f,
			const struct target *t, struct slice *ret_name,
			struct err *err)
{
	struct str control = STR_INIT;
	struct create c;
	int r = -1;

	if (create_begin(s->o->postoffice, s->o->hash_levels, &c, err) < 0)
		return -1;
	print_control(f, t, &c, &control);
	if (check_control(str_slice(&control), t, f->arena, err) == 0 &&
	    copy_message(s, f, &c, err) == 0 &&
	    create_commit(&c, str_slice(&control), err) == 0) {
		*ret_name = arena_dup(f->arena, str_slice(&c.name));
		r = 0;
	}
	create_end(&c);
	str_done(&control);
	return r;
}

/* ---- the command -------------------------------------------------------- */

static int redirect(struct sched *s, struct sched_file *f, struct target *t,
		    const struct control_request *req, struct err *err)
{
	struct slice name = SLICE("");
	uint64_t at;
	int r;

	if (slice_uint(t->offset, UINT32_MAX, &at))
		t->old = sched_file_rcpt(f, at);
	if (t->old == NULL)
		return FAIL(err, "%s: no recipient at byte %.*s", f->path,
			    SLICE_ARG(t->offset));
	if (control_take(s, f, t->old, err) < 0)
		return -1;
	r = make_message(s, f, t, &name, err);
	if (control_give_back(f, t->old, r == 0, r == 0 ? err : NULL) < 0)
		r = -1;
	if (r < 0 || control_sync(f, err) < 0)
		return -1;
	control_tell(s, req, f, t->old, name);
	if (!queue_remove(s->queue, f->job.name, at, sched_now(s)))
		log_line(LOG_LEVEL_WARNING, "%s: not in the queue", f->path);
	return 0; /* the new one is found as any other */
}

int control_redirect(struct sched *s, struct control_request *r,
		     struct err *err)
{
	struct target t = { 0 };
	struct sched_file f;
	int done = -1;

	if (read_words(r->words, &t, err) < 0 || find_clause(s, &t, err) < 0)
		goto out;
	if (control_open(s, t.name, &f, err) == 0)
		done = redirect(s, &f, &t, r, err);
	sched_file_close(&f);
out:
	str_done(&t.user);
	return done;
}
