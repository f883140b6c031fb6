/*
 * job.c - one message's recipients, from the lock to the report.
 */
#include "agent/job.h"

#include "base/fd.h"
#include "base/mem.h"
#include "spool/dline.h"
#include "spool/lock.h"
#include "spool/spoolid.h"
#include "taproto/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static void job_comment(struct agent *a, struct agent_job *job,
			const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void job_comment(struct agent *a, struct agent_job *job,
			const char *format, ...)
{
	const struct agent_options *o = agent_options(a);
	struct str text = STR_INIT;
	char *said = NULL;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&said, format, ap);
	va_end(ap);
	if (n < 0)
		mem_exhausted();
	str_addf(&text, "%s:%ld: %s", o->program, (long)o->pid, said);
	report_print_comment(&job->out, str_slice(&text));
	free(said);
	str_done(&text);
}

/* Says what is wrong with the job. */
static void complain(struct agent *a, struct agent_job *job,
		     const struct err *err)
{
	job_comment(a, job, "%.*s: %s", SLICE_ARG(job->name.name), err->text);
}

/* ---- opening ----------------------------------------------------------- */

/* Is it we who lack something, with nothing wrong about the job? */
static bool is_shortage(int code)
{
	return code == EMFILE || code == ENFILE || code == ENOMEM;
}

/* What the first read of a control file asks for; most files are smaller. */
enum { CONTROL_STEP = 32 * 1024 };

static int not_usable(const struct stat *st, struct err *err)
{
	if (!S_ISREG(st->st_mode))
		return FAIL(err, "not a regular file");
	if (st->st_size > CTL_SIZE_MAX)
		return FAIL(err, "larger than %d bytes", CTL_SIZE_MAX);
	return 0;
}

/* Reads the rest of a control file that is larger than one step. */
static int read_large_control(struct agent_job *job, struct err *err)
{
	struct stat st;

	if (fstat(job->fd, &st) < 0)
		return FAIL_CODE(err, errno, "%s", strerror(errno));
	if (not_usable(&st, err) < 0)
		return -1;
	str_clear(&job->text);
	switch (fd_read_all(job->fd, (size_t)st.st_size, CTL_SIZE_MAX,
			    &job->text)) {
	case 0:
		return 0;
	case 1:
		return FAIL(err, "larger than %d bytes", CTL_SIZE_MAX);
	default:
		return FAIL_CODE(err, errno, "%s", strerror(errno));
	}
}

/*
 * Reads the control file into job->text; -1 with err filled. A small file
 * costs one system call beside open(2): pread(2) works on nothing that could
 * make us wait, and what is no regular file but gives bytes all the same (a
 * device) is never a control file either.
 */
static int read_control(struct agent_job *job, struct err *err)
{
	const char *path = arena_cstr(job->arena, job->name.name);
	ssize_t n;

	/* Not to wait for the writer of a FIFO that somebody put there. */
	job->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (job->fd < 0)
		return FAIL_CODE(err, errno, "%s", strerror(errno));
	str_reserve(&job->text, CONTROL_STEP);
	n = pread(job->fd, job->text.p, CONTROL_STEP, 0);
	if (n < 0 && errno == ESPIPE)
		return FAIL(err, "not a regular file");
	if (n < 0)
		return FAIL_CODE(err, errno, "%s", strerror(errno));
	if (n == CONTROL_STEP)
		return read_large_control(job, err);
	job->text.len = (size_t)n;
	job->text.p[n] = '\0';
	return 0;
}

static bool channel_matches(const struct agent_options *o,
			    const struct ctl_rcpt *r)
{
	return !o->has_channel || slice_eq(o->channel, r->address.channel);
}

/* Takes what is ours; false if the file could not be written to. */
static bool take_rcpts(struct agent *a, struct agent_job *job,
		       const struct agent_request *request)
{
	const struct agent_options *o = agent_options(a);
	bool has_host = request->has_host;
	struct err err;

	job->rcpts =
	    arena_array(job->arena, job->ctl.n_rcpts, sizeof(*job->rcpts));
	for (size_t i = 0; i < job->ctl.n_rcpts; i++) {
		const struct ctl_rcpt *r = &job->ctl.rcpts[i];

		if (r->tag != CTL_TAG_TODO || !channel_matches(o, r))
			continue;
		if (has_host && !slice_eq_nocase(job->host, r->address.host))
			continue;
		switch (lock_take(job->fd, r, o->slot_pid, &err)) {
		case LOCK_TAKEN:
			job->rcpts[job->n_rcpts++].ctl = r;
			break;
		case LOCK_BUSY:
			continue;
		case LOCK_ERROR:
			complain(a, job, &err);
			/* One that nobody can lock must not hinder others. */
			if (!r->has_pid_slot)
				continue;
			return false;
		}
		if (!has_host && request->select == AGENT_SELECT_STICKY) {
			job->host = r->address.host;
			has_host = true;
		}
	}
	return true;
}

/* Without its message file a job can only be failed or put off. */
static void settle_without_message(struct agent *a, struct agent_job *job,
				   enum message_verdict verdict,
				   const char *why)
{
	struct diag d = { .fate = FATE_FAILED,
			  .reason = "message-missing",
			  .status = SLICE("5.3.0 (message file is missing)"),
			  .diagnostic = SLICE("x-local; 500 (message file is "
					      "missing)") };

	switch (verdict) {
	case MESSAGE_MISSING:
		d.text = SLICE("message file is missing(!) -- possibly due to "
			       "delivery scheduler restart.  Consider "
			       "resending your message");
		break;
	case MESSAGE_IRREGULAR:
		d.text = SLICE("Message file is not a regular file!");
		break;
	default:
		d.fate = FATE_DEFERRED;
		d.reason = "message-unreadable";
		d.status = SLICE("4.3.0 (message file cannot be read)");
		d.diagnostic = SLICE("x-local; 400 (message file cannot be "
				     "read)");
		d.text = arena_printf(job->arena,
				      "message file cannot be read: %s", why);
		break;
	}
	agent_job_settle_rest(a, job, &d);
}

/* A log that is refused is said so once; the mail goes on without. */
static void open_verbose(struct agent *a, struct agent_job *job)
{
	const struct agent_options *o = agent_options(a);
	struct slice file = job->ctl.verbose_file;
	struct verbose_request request = {
		.path = arena_cstr(job->arena, file),
		.message_fd = job->message.fd,
		.program = o->program,
		.pid = o->pid,
	};
	struct err err;

	if (file.len > 0 && verbose_open(&request, &job->verbose, &err) < 0)
		job_comment(a, job, "verbose log \"%.*s\": %s", SLICE_ARG(file),
			    err.text);
}

static void put_back_rcpt(struct agent *a, struct agent_job *job, size_t rcpt)
{
	const struct ctl_rcpt *r = job->rcpts[rcpt].ctl;
	struct err err;

	if (lock_mark(job->fd, r, LOCK_MARK_TODO, &err) < 0)
		complain(a, job, &err);
}

/* Gives back what was taken, as if it never had been. */
static void put_back(struct agent *a, struct agent_job *job)
{
	for (size_t i = 0; i < job->n_rcpts; i++)
		put_back_rcpt(a, job, i);
	job->n_rcpts = 0;
}

void agent_job_put_back(struct agent *a, struct agent_job *job, size_t rcpt)
{
	struct agent_rcpt *r = &job->rcpts[rcpt];

	if (!r->is_guest || r->is_settled)
		return;
	put_back_rcpt(a, job, rcpt);
	lock_release(job->fd, r->ctl);
	r->is_settled = true;
}

bool agent_job_take(struct agent *a, struct agent_job *job, size_t i,
		    size_t *ret)
{
	const struct ctl_rcpt *r = &job->ctl.rcpts[i];
	struct err err;

	if (r->tag != CTL_TAG_TODO || !r->has_pid_slot ||
	    !channel_matches(agent_options(a), r))
		return false;
	for (size_t k = 0; k < job->n_rcpts; k++)
		if (job->rcpts[k].ctl == r)
			return false;
	switch (lock_take(job->fd, r, agent_options(a)->slot_pid, &err)) {
	case LOCK_TAKEN:
		break;
	case LOCK_BUSY:
		return false;
	case LOCK_ERROR:
		complain(a, job, &err);
		return false;
	}
	*ret = job->n_rcpts++; /* there is room for each of the file */
	job->rcpts[*ret] = (struct agent_rcpt){ .ctl = r, .is_guest = true };
	return true;
}

static enum agent_open open_message(struct agent *a, struct agent_job *job,
				    const char *path)
{
	struct err err;
	enum message_verdict verdict =
	    message_open(path, job->ctl.body_offset, &job->message, &err);

	if (verdict == MESSAGE_OK) {
		spoolid_print(&job->spool_id, job->message.inode,
			      job->message.mtime, job->message.mtime_ns);
		open_verbose(a, job);
		return AGENT_OPENED;
	}
	if (is_shortage(err.code)) {
		complain(a, job, &err);
		put_back(a, job);
		return AGENT_BUSY;
	}
	settle_without_message(a, job, verdict, err.text);
	return AGENT_RESYNC;
}

/* Reads and understands the control file; finds the message file's path. */
static enum agent_open load(struct agent *a, struct agent_job *job,
			    const char **ret_path)
{
	const struct agent_options *o = agent_options(a);
	struct err err;

	if (read_control(job, &err) < 0) {
		job_comment(a, job,
			    "cannot open control file \"%.*s\" for "
			    "\"%.*s/%.*s\" as uid %ld: %s",
			    SLICE_ARG(job->name.name), SLICE_ARG(o->channel),
			    SLICE_ARG(job->host), (long)geteuid(), err.text);
		return is_shortage(err.code) ? AGENT_BUSY : AGENT_RESYNC;
	}
	switch (ctl_parse(str_slice(&job->text), job->arena, &job->ctl, &err)) {
	case CTL_OK:
		if (jobname_message_path(&job->name, job->ctl.message_name,
					 job->arena, ret_path, &err) == 0)
			return AGENT_OPENED;
		complain(a, job, &err);
		break;
	case CTL_UNSUPPORTED:
		job_comment(a, job,
			    "Unsupported SCHEDULER file format flags seen: "
			    "0x%x at file '%.*s'",
			    job->ctl.flags, SLICE_ARG(job->name.name));
		return AGENT_UNKNOWN_FORMAT;
	case CTL_REFUSED:
		complain(a, job, &err);
		break;
	case CTL_TURN:
		break;
	}
	return AGENT_RESYNC;
}

enum agent_open agent_job_open(struct agent *a, struct agent_job *job,
			       const struct agent_request *request)
{
	enum agent_open verdict;
	const char *message_path;
	struct slice name;
	struct err err;

	*job = (struct agent_job){ .arena = arena_new(), .fd = -1 };
	job->message.fd = -1;
	job->opened_at = agent_options(a)->wall_time();
	job->host = arena_dup(job->arena, request->host);
	name = arena_dup(job->arena, request->name);
	if (jobname_parse(name, &job->name, &err) < 0) {
		job_comment(a, job, "bad job name \"%.*s\": %s",
			    SLICE_ARG(name), err.text);
		return AGENT_RESYNC;
	}
	verdict = load(a, job, &message_path);
	if (verdict != AGENT_OPENED)
		return verdict;
	if (!take_rcpts(a, job, request) || job->n_rcpts == 0)
		return AGENT_RESYNC; /* close() defers what was taken */
	return open_message(a, job, message_path);
}

size_t agent_job_group(const struct agent_job *job, size_t *at)
{
	const struct ctl_rcpt *first;
	size_t n = 0;

	if (*at >= job->n_rcpts)
		return 0;
	first = job->rcpts[*at].ctl;
	while (*at + n < job->n_rcpts &&
	       job->rcpts[*at + n].ctl->sender == first->sender &&
	       job->rcpts[*at + n].ctl->header == first->header)
		n++;
	*at += n;
	return n;
}

/* ---- settling ---------------------------------------------------------- */

static enum lock_mark mark_of(const struct diag *d)
{
	if (fate_is_success(d->fate))
		return LOCK_MARK_DONE;
	return d->fate == FATE_FAILED ? LOCK_MARK_FAILED : LOCK_MARK_TODO;
}

static enum report_status status_of(const struct agent_rcpt *r,
				    const struct diag *d)
{
	if (d->fate == FATE_RELAYED && r->tells_relay)
		return STATUS_OK2;
	return report_status_of(d, (r->ctl->dsn.notify & NOTIFY_SUCCESS) != 0);
}

/* A copy of a diag whose status fits its fate, in the job's arena. */
static struct diag fitted(struct agent_job *job, const struct diag *d)
{
	struct diag copy = *d;

	diag_fit_status(&copy, job->arena);
	return copy;
}

/* Collects the `d` lines of those who need one. */
static void collect_dlines(struct agent *a, struct agent_job *job,
			   const struct agent_outcome *outcomes, size_t n,
			   struct str *lines)
{
	const struct agent_options *o = agent_options(a);

	for (size_t i = 0; i < n; i++) {
		struct agent_rcpt *r = &job->rcpts[outcomes[i].rcpt];
		struct diag d = fitted(job, outcomes[i].diag);
		struct str field = STR_INIT, text = STR_INIT;
		struct notary notary;
		struct dline line;

		if (r->is_settled || !report_status_has_dline(status_of(r, &d)))
			continue;
		notary = notary_of_diag(&d, r->ctl->address.user,
					o->ta_id.len > 0, o->ta_id);
		notary_print(&field, &notary);
		report_add_message(&text, d.text, DLINE_MESSAGE_MAX);
		line = dline_of_rcpt(r->ctl, o->wall_time(), str_slice(&field),
				     str_slice(&text));
		dline_print(lines, &line);
		str_done(&field);
		str_done(&text);
	}
}

/*
 * The control file cannot take a result: what failed is put off. Any other
 * result needs nothing of the file but its mark.
 */
static struct diag unwritten(struct agent_job *job, const struct diag *d,
			     const char *why)
{
	struct diag put_off = {
		.fate = FATE_DEFERRED,
		.reason = "spool-write-failed",
		.status = SLICE("4.3.0 (control file cannot be written)"),
		.diagnostic = SLICE("x-local; 400 (control file cannot be "
				    "written)"),
	};

	if (d->fate != FATE_FAILED)
		return *d;
	put_off.text =
	    arena_printf(job->arena, "%s: %.*s", why, SLICE_ARG(d->text));
	return put_off;
}

/* What was reported of one recipient. */
struct settled {
	const struct ctl_rcpt *ctl;
	struct diag diag;
	enum report_status status;
};

/*
 * Writes one mark and the report. A mark that cannot be written leaves `~`
 * with our pid, which the scheduler clears once we are gone.
 */
static struct settled settle_rcpt(struct agent *a, struct agent_job *job,
				  size_t rcpt, const struct diag *given,
				  const char *trouble)
{
	const struct agent_options *o = agent_options(a);
	struct agent_rcpt *r = &job->rcpts[rcpt];
	struct diag d = fitted(job, given);
	enum report_status status;
	struct err err;

	if (trouble != NULL)
		d = unwritten(job, &d, trouble);
	if (lock_mark(job->fd, r->ctl, mark_of(&d), &err) < 0) {
		job_comment(a, job, "HELP! %.*s: %s", SLICE_ARG(job->name.name),
			    err.text);
		/*
		 * The `d` line of a failure is there, so it is told as it is;
		 * but a mark that somebody else has made is not gainsaid.
		 */
		if (mark_of(&d) == LOCK_MARK_FAILED && err.code == 0)
			d = unwritten(job, &d, err.text);
	}
	status = status_of(r, &d);
	/* Without its `d` line the scheduler must write one itself. */
	if (trouble != NULL && status == STATUS_OK2)
		status = STATUS_OK;
	r->is_settled = true;
	report_print_result(
	    &job->out, &(struct report_result){ job->name.id, r->ctl->offset,
						r->ctl->address.user, &d,
						status, o->ta_id });
	return (struct settled){ r->ctl, d, status };
}

static void tell_syslog(struct agent *a, const struct agent_job *job,
			const struct settled *done)
{
	const struct agent_options *o = agent_options(a);
	int64_t now = o->wall_time();
	bool has_message = job->spool_id.len > 0;
	struct syslog_entry entry = {
		.spool_id =
		    has_message ? str_slice(&job->spool_id) : job->name.base,
		.recipient = done->ctl->address.user,
		.channel = done->ctl->address.channel,
		.delay = has_message ? now - job->message.mtime : 0,
		.xdelay = now - job->opened_at,
		.diag = &done->diag,
		.status = done->status,
		.has_conversion = o->syslog.has_conversion,
	};
	struct str line = STR_INIT;

	syslog_print(&line, &entry, o->syslog.form);
	o->syslog.send(o->syslog.context, str_slice(&line));
	str_done(&line);
}

static void tell_verbose(const struct agent_job *job,
			 const struct settled *done)
{
	const struct ctl_address *to = &done->ctl->address;
	const struct diag *d = &done->diag;

	verbose_printf(job->verbose,
		       "DIAG: C='%.*s' H='%.*s' U='%.*s' ID=%llu/%zu -- "
		       "stat='%s' reason='%s' status='%.*s' WTT='%.*s' "
		       "MSG='%.*s'",
		       SLICE_ARG(to->channel), SLICE_ARG(to->host),
		       SLICE_ARG(to->user), (unsigned long long)job->name.id,
		       done->ctl->offset, report_status_word(done->status),
		       d->reason, SLICE_ARG(d->status),
		       SLICE_ARG(d->remote_mta), SLICE_ARG(d->text));
}

/* The logs, which hear of it last. */
static void tell(struct agent *a, const struct agent_job *job,
		 const struct settled *done, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (agent_options(a)->syslog.form != SYSLOG_NONE)
			tell_syslog(a, job, &done[i]);
		if (job->verbose != NULL)
			tell_verbose(job, &done[i]);
		agent_tell(a, &(struct agent_settled){ job, done[i].ctl,
						       &done[i].diag,
						       done[i].status });
	}
}

void agent_job_settle(struct agent *a, struct agent_job *job,
		      const struct agent_outcome *outcomes, size_t n)
{
	struct str lines = STR_INIT;
	const char *trouble = NULL;
	bool must_sync = agent_options(a)->sync_always;
	struct settled *done = arena_array(job->arena, n, sizeof(*done));
	size_t n_done = 0;
	struct err err;

	collect_dlines(a, job, outcomes, n, &lines);
	if (lines.len > 0) {
		must_sync = true;
		if (dline_append(job->fd, str_slice(&lines), &err) < 0)
			trouble = err.text;
	}
	if (trouble != NULL) {
		job_comment(a, job,
			    "HELP! diagnostic writeout with bad results!: %s",
			    trouble);
		agent_give_up(a, EX_DATAERR);
	}
	/* The reports leave job->out only after the sync below. */
	for (size_t i = 0; i < n; i++)
		if (!job->rcpts[outcomes[i].rcpt].is_settled)
			done[n_done++] = settle_rcpt(a, job, outcomes[i].rcpt,
						     outcomes[i].diag, trouble);
	if (must_sync && fdatasync(job->fd) < 0) {
		job_comment(a, job, "HELP! %.*s: fdatasync: %s",
			    SLICE_ARG(job->name.name), strerror(errno));
		agent_give_up(a, EX_IOERR);
	}
	tell(a, job, done, n_done);
	str_done(&lines);
}

void agent_job_settle_one(struct agent *a, struct agent_job *job, size_t rcpt,
			  const struct diag *diag)
{
	struct agent_outcome one = { .rcpt = rcpt, .diag = diag };

	agent_job_settle(a, job, &one, 1);
}

void agent_job_settle_rest(struct agent *a, struct agent_job *job,
			   const struct diag *diag)
{
	struct agent_outcome *all =
	    arena_array(job->arena, job->n_rcpts, sizeof(*all));
	size_t n = 0;

	for (size_t i = 0; i < job->n_rcpts; i++) {
		agent_job_put_back(a, job, i);
		if (!job->rcpts[i].is_settled)
			all[n++] =
			    (struct agent_outcome){ .rcpt = i, .diag = diag };
	}
	if (n > 0)
		agent_job_settle(a, job, all, n);
}

void agent_job_say(struct agent *a, struct agent_job *job)
{
	agent_add(a, str_slice(&job->out));
	str_clear(&job->out);
}

void agent_job_close(struct agent *a, struct agent_job *job)
{
	struct diag d = {
		.fate = FATE_DEFERRED,
		.reason = "not-attempted",
		.status = SLICE("4.3.0 (delivery was not attempted)"),
		.diagnostic = SLICE("x-local; 400 (delivery was not "
				    "attempted)"),
		.text = SLICE("delivery was not attempted"),
	};

	if (job->arena == NULL)
		return;
	if (agent_is_interrupted()) {
		d.reason = "interrupted";
		d.text = SLICE("interrupted by signal");
		d.status = SLICE("4.3.2 (interrupted by signal)");
		d.diagnostic = SLICE("x-local; 400 (interrupted by signal)");
	}
	agent_job_settle_rest(a, job, &d);
	agent_job_say(a, job);
	verbose_close(job->verbose);
	message_close(&job->message);
	fd_close(job->fd);
	str_done(&job->text);
	str_done(&job->out);
	str_done(&job->spool_id);
	arena_free(job->arena);
	*job = (struct agent_job){ 0 };
}
