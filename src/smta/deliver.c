/*
 * deliver.c - one job's recipients through runs of the mailer.
 *
 * A run is: arguments, stream, program, outcome. Its recipients share the
 * outcome. Recipients that may not be given to the mailer are settled before
 * and do not hinder the others of their group.
 */
#include "smta/deliver.h"

#include "base/keyword.h"
#include "base/mem.h"
#include "proc/proc.h"
#include "smta/environment.h"
#include "smta/flags.h"
#include "smta/loop.h"
#include "smta/refuse.h"
#include "smta/result.h"
#include "smta/stream.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
	OUTPUT_MAX = 16 * 1024,	  /* bytes of a mailer's output that count */
	COMMENTS_MAX = 20,	  /* lines of it that go to the log */
	LONG_ADDRESS = 100 * 1000 /* near what the kernel takes as one word */
};

/* Recipients of one run, as indices into the job's. */
struct batch {
	const size_t *rcpts;
	size_t n;
	const struct ctl_rcpt **ctl; /* the same, in full */
	struct expand_argv args;
};

/* ---- facts ------------------------------------------------------------- */

static const struct ctl_rcpt *ctl_of(const struct deliver *d, size_t rcpt)
{
	return d->job->rcpts[rcpt].ctl;
}

static ssize_t read_body(void *context, size_t max, struct str *to,
			 struct err *err)
{
	return message_read(context, max, to, err);
}

static void rewind_body(void *context)
{
	message_rewind(context);
}

static struct content_wish wish_of(const struct deliver *d)
{
	return (struct content_wish){
		.flags = d->mailer->flags,
		.keeps_headers = d->options->keep_8bit_headers,
		.is_narrow = d->options->narrow_qp,
		.expand_tabs = d->mailer->expand_tabs,
		.charset = d->mailer->charset,
	};
}

/* The date of a From_ line: as ctime(3) writes it, local time. */
static struct slice local_date(int64_t now, struct arena *a)
{
	time_t t = (time_t)now;
	struct tm tm = { 0 };
	char text[64];

	localtime_r(&t, &tm);
	return arena_dup(
	    a, slice_make(text, strftime(text, sizeof(text),
					 "%a %b %e %H:%M:%S %Y", &tm)));
}

static struct stream_facts facts_of(struct deliver *d, const struct batch *b,
				    const struct content_plan *plan,
				    struct str *trace)
{
	const struct ctl *ctl = &d->job->ctl;
	uint64_t size = d->job->message.size + (uint64_t)plan->growth;
	int64_t now = agent_options(d->agent)->wall_time();

	return (struct stream_facts){
		.flags = d->mailer->flags,
		.sender = b->ctl[0]->sender,
		.rcpts = b->ctl,
		.n_rcpts = b->n,
		.header = plan->header,
		.passage = &plan->passage,
		.sends_8bit = plan->sends_8bit,
		.envid = ctl->envid,
		.ret = ctl->ret,
		.date = local_date(now, d->job->arena),
		.host_name = slice_of(d->options->host_name),
		.size = ctl_size_estimate(ctl, size),
		.now = now,
		.has_for_clause = d->mailer->has_for_clause,
		.expand_tabs = d->mailer->expand_tabs &&
			       !passage_is_untouchable(&plan->passage),
		.loop_guard = d->options->loop_guard,
		.body = content_read,
		.body_context = &d->content,
		.trace = trace,
	};
}

static struct expand_argv expand_for(const struct deliver *d,
				     const struct ctl_rcpt *const *rcpts,
				     size_t n)
{
	struct arena *a = d->job->arena;
	struct expand_rcpt *list = arena_array(a, n, sizeof(*list));
	struct expand_facts f = { .mailer = &d->mailer->entry,
				  .zenv = d->options->zenv,
				  .flags = d->mailer->flags,
				  .sender = stream_sender(rcpts[0]->sender),
				  .rcpts = list,
				  .n_rcpts = n };

	for (size_t i = 0; i < n; i++)
		list[i] =
		    (struct expand_rcpt){ .host = rcpts[i]->address.host,
					  .user = rcpts[i]->address.user };
	return expand_make(&f, a);
}

static char *const *environment_for(const struct deliver *d,
				    const struct ctl_rcpt *rcpt)
{
	const struct smta_list *settings = &d->options->environment;
	struct arena *a = d->job->arena;
	struct environment_facts f;

	if (settings->n == 0)
		return d->options->envp;
	f = (struct environment_facts){
		.sender = stream_sender(rcpt->sender),
		.recipient = rcpt->address.user,
		.original_recipient = environment_original_recipient(rcpt, a),
		.spool_id = str_slice(&d->job->spool_id),
		.envid = environment_envid(d->job->ctl.envid, a),
	};
	return environment_make(d->options->envp, settings->items, settings->n,
				&f, a);
}

/* Does flag m hold, or is the environment one recipient's alone? */
static bool takes_many(const struct deliver *d)
{
	const struct smta_list *settings = &d->options->environment;

	for (size_t i = 0; i < settings->n; i++)
		if (environment_names_recipient(settings->items[i]))
			return false;
	return (d->mailer->flags & SMTA_MANY) != 0;
}

/* ---- what is said ------------------------------------------------------ */

static void tell_nulls(const struct deliver *d, const struct expand_argv *args)
{
	for (size_t i = 0; i < args->n_nulls; i++)
		agent_comment(d->agent,
			      "Null value for %.*s (%s) (msgfile: %.*s)!",
			      SLICE_ARG(args->nulls[i]), d->options->mailer,
			      SLICE_ARG(d->job->ctl.message_name));
}

/* Is somebody looking: the one who gave -v, or the one who sent the mail? */
static bool is_watched(const struct deliver *d)
{
	return d->options->is_verbose || d->job->verbose != NULL;
}

static void remark(const struct deliver *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* For -v a comment, for the message's own log a line. */
static void remark(const struct deliver *d, const char *format, ...)
{
	char *said = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&said, format, ap) < 0)
		mem_exhausted();
	va_end(ap);
	if (d->options->is_verbose)
		agent_comment(d->agent, "%s", said);
	verbose_line(d->job->verbose, '#', slice_of(said));
	free(said);
}

/* Whose ids, which arguments. */
static void tell_arguments(const struct deliver *d,
			   const struct expand_argv *args)
{
	bool keep = d->mailer->flags & SMTA_KEEP_IDS;
	char *const *limit = d->mailer->limits;
	struct str text = STR_INIT;

	for (size_t i = 0; i < args->argc; i++)
		str_addf(&text, " \"%s\"", args->argv[i]);
	if (limit != NULL)
		str_adds(&text, " LIMITS =");
	for (; limit != NULL && *limit != NULL; limit++)
		str_addf(&text, " %s", *limit);
	remark(d, "To run UID=%ld GID=%ld PATH=%s ARGV[] =%s",
	       (long)(keep ? geteuid() : getuid()),
	       (long)(keep ? getegid() : getgid()), d->mailer->path,
	       str_cstr(&text));
	str_done(&text);
}

/* What is converted, and why, or why not. */
static void tell_conversion(const struct deliver *d,
			    const struct passage *passage)
{
	struct str text = STR_INIT;

	passage_print(&text, passage);
	remark(d, "cvt=%s", str_cstr(&text));
	str_done(&text);
}

/* What stood before the body. */
static void tell_trace(const struct deliver *d, const struct str *trace)
{
	struct slice rest = str_slice(trace), line;

	while (result_next_line(&rest, &line))
		remark(d, "> %.*s", SLICE_ARG(line));
}

/* All that the mailer said behind its first line, within bounds. */
static void tell_output(const struct deliver *d, const struct str *output,
			const struct proc_result *run)
{
	struct slice rest = str_slice(output), line;
	unsigned n = 0;

	if (!result_next_line(&rest, &line))
		return;
	while (n < COMMENTS_MAX && result_next_line(&rest, &line)) {
		line = slice_head(line, RESULT_TEXT_MAX);
		agent_comment(d->agent, "%s: %.*s", d->options->mailer,
			      SLICE_ARG(line));
		n++;
	}
	if (rest.len > 0 || run->output_cut)
		agent_comment(d->agent, "%s: (more output is not shown)",
			      d->options->mailer);
}

/* A filter may stop reading and be right; the postmaster may wonder. */
static void tell_early_close(const struct deliver *d,
			     const struct proc_result *run)
{
	if (run->closed_early && run->end == PROC_EXITED && run->code == 0)
		agent_comment(d->agent,
			      "%s: exited with 0 without reading the whole "
			      "message %.*s",
			      d->options->mailer,
			      SLICE_ARG(d->job->ctl.message_name));
}

/* ---- one run ----------------------------------------------------------- */

static ssize_t next_piece(void *context, struct str *to, struct err *err)
{
	return stream_next(context, to, err);
}

/* Runs the mailer once, with what is planned for it. */
static void run_planned(struct deliver *d, const struct batch *b,
			const struct content_plan *plan, struct str *output,
			struct proc_result *ret_run)
{
	const struct smta_mailer *m = d->mailer;
	bool keep = m->flags & SMTA_KEEP_IDS;
	struct str trace = STR_INIT;
	struct stream_facts facts =
	    facts_of(d, b, plan, is_watched(d) ? &trace : NULL);
	struct proc_command command = {
		.path = m->path,
		.argv = b->args.argv,
		.launcher = m->limits != NULL ? d->options->launcher : NULL,
		.limits = m->limits,
		.envp = environment_for(d, b->ctl[0]),
		.ids = keep ? PROC_IDS_KEEP : PROC_IDS_REAL,
		.timeout_ms = d->options->timeout * 1000,
		.output_max = OUTPUT_MAX,
		.ignored_signals = d->ignored_signals,
	};
	struct stream stream;

	stream_begin(&stream, &facts);
	agent_flush(d->agent); /* what is finished waits for no mailer */
	proc_run(&command, next_piece, &stream, output, ret_run);
	stream_done(&stream);
	tell_trace(d, &trace);
	str_done(&trace);
}

/* Plans and runs; fills *ret_run and adds to *output. */
static void run_mailer(struct deliver *d, const struct batch *b,
		       struct str *output, struct proc_result *ret_run)
{
	struct content_wish wish = wish_of(d);
	struct content_plan plan;
	struct proc_result failed = { .end = PROC_SOURCE_FAILED };

	if (content_make_plan(&d->content, &wish, b->ctl[0]->header->text,
			      &plan, &failed.err) < 0) {
		*ret_run = failed;
		return;
	}
	if (is_watched(d))
		tell_conversion(d, &plan.passage);
	run_planned(d, b, &plan, output, ret_run);
	content_plan_done(&plan);
}

static void settle_batch(struct deliver *d, const struct batch *b,
			 const struct diag *diag)
{
	struct agent_outcome *outcomes =
	    arena_array(d->job->arena, b->n, sizeof(*outcomes));

	for (size_t i = 0; i < b->n; i++)
		outcomes[i] =
		    (struct agent_outcome){ .rcpt = b->rcpts[i], .diag = diag };
	agent_job_settle(d->agent, d->job, outcomes, b->n);
	agent_job_say(d->agent, d->job);
}

static void deliver_batch(struct deliver *d, const size_t *rcpts, size_t n);

/* The arguments are too many for the kernel: half of them may not be. */
static bool split_batch(struct deliver *d, const struct batch *b,
			const struct proc_result *run)
{
	if (run->end != PROC_NOT_STARTED || run->err.code != E2BIG || b->n < 2)
		return false;
	deliver_batch(d, b->rcpts, b->n / 2);
	deliver_batch(d, b->rcpts + b->n / 2, b->n - b->n / 2);
	return true;
}

/* One address alone that is more than a program can be given. */
static bool is_too_long(const struct batch *b, const struct proc_result *run)
{
	return run->end == PROC_NOT_STARTED && run->err.code == E2BIG &&
	       (b->ctl[0]->address.user.len > LONG_ADDRESS ||
		b->ctl[0]->sender->address.user.len > LONG_ADDRESS);
}

/* One run for recipients that have passed refuse_hostile(). */
static void deliver_batch(struct deliver *d, const size_t *rcpts, size_t n)
{
	struct arena *a = d->job->arena;
	struct batch b = { .rcpts = rcpts, .n = n };
	struct str output = STR_INIT;
	struct proc_result run;
	struct diag diag;

	b.ctl = arena_array(a, n, sizeof(*b.ctl));
	for (size_t i = 0; i < n; i++)
		b.ctl[i] = ctl_of(d, rcpts[i]);
	b.args = expand_for(d, b.ctl, n);
	tell_nulls(d, &b.args);
	if (is_watched(d))
		tell_arguments(d, &b.args);
	run_mailer(d, &b, &output, &run);
	if (!split_batch(d, &b, &run)) {
		tell_output(d, &output, &run);
		tell_early_close(d, &run);
		diag = result_of_run(&run, str_slice(&output), a);
		if (is_too_long(&b, &run))
			diag = refuse_too_long();
		settle_batch(d, &b, &diag);
	}
	str_done(&output);
}

/* ---- a job ------------------------------------------------------------- */

static bool is_loop(const struct deliver *d, const struct ctl_rcpt *r,
		    struct diag *ret)
{
	return d->options->loop_guard &&
	       loop_is_closed(r, slice_of(d->options->host_name), d->job->arena,
			      ret);
}

/* Settles a recipient that no mailer may be run for. */
static bool refuse_hostile(struct deliver *d, size_t rcpt)
{
	const struct ctl_rcpt *r = ctl_of(d, rcpt);
	struct diag diag;

	if (!refuse_addresses(d->mailer->flags, r->sender, r, &diag) &&
	    !is_loop(d, r, &diag)) {
		struct expand_argv args = expand_for(d, &r, 1);

		if (args.option_like.len == 0)
			return false;
		diag = refuse_option_like(args.option_like, d->job->arena);
	}
	agent_job_settle_one(d->agent, d->job, rcpt, &diag);
	agent_job_say(d->agent, d->job);
	return true;
}

/* n neighbours of the same sender and header, from `first` on. */
static void deliver_group(struct deliver *d, size_t first, size_t n)
{
	size_t *good = arena_array(d->job->arena, n, sizeof(*good));
	size_t n_good = 0, per_run = 1;

	for (size_t i = first; i < first + n; i++)
		if (!refuse_hostile(d, i))
			good[n_good++] = i;
	if (takes_many(d))
		per_run = n_good;
	for (size_t i = 0; i < n_good; i += per_run)
		deliver_batch(d, good + i, per_run);
}

void deliver_job(struct deliver *d)
{
	struct message *m = &d->job->message;
	struct content_source source = { .read = read_body,
					 .rewind = rewind_body,
					 .context = m,
					 .size = message_body_size(m) };
	size_t at = 0, n;

	content_begin(&d->content, &source);
	while ((n = agent_job_group(d->job, &at)) > 0)
		deliver_group(d, at - n, n);
	content_done(&d->content);
}
