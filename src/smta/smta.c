/*
 * smta.c - the body of sm(8): jobs in, programs run, reports out.
 */
#include "smta/smta.h"

#include "agent/job.h"
#include "base/keyword.h"
#include "base/log.h"
#include "mime/charset.h"
#include "proc/proc.h"
#include "smta/deliver.h"
#include "smta/expand.h"
#include "smta/flags.h"
#include "smta/limits.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* ---- set-up ------------------------------------------------------------ */

/* $MAILSHARE/sm.conf, or, where only that is there, sm.cf. */
static int load_entry(const struct smta_options *o, struct arena *a,
		      struct smconf_mailer *ret, const char **ret_file,
		      struct err *err)
{
	static const char *const names[] = { "sm.conf", "sm.cf" };
	struct slice mailer = slice_of(o->mailer);
	struct err first = { 0 };
	int r = -1;

	*ret_file = o->config_file;
	if (o->config_file != NULL)
		return smconf_load(o->config_file, mailer, a, ret, err);
	for (size_t i = 0; i < COUNT(names); i++) {
		*ret_file =
		    arena_printf(a, "%s/%s", zenv_cstr(o->zenv, "MAILSHARE"),
				 names[i])
			.p;
		r = smconf_load(*ret_file, mailer, a, ret, err);
		if (r == 0 || err->code != ENOENT)
			return r;
		if (i == 0)
			first = *err;
	}
	*err = first; /* the name that should be there */
	return r;
}

/* ${NAME} first, then: absolute, or below $MAILBIN. */
static int expand_path(const struct smta_options *o, struct arena *a,
		       struct slice written, const char **ret_path,
		       struct err *err)
{
	struct str path = STR_INIT;
	int r = 0;

	if (!zenv_expand(o->zenv, written, &path))
		r = FAIL(err, "path '%.*s': unknown variable or no \"}\"",
			 SLICE_ARG(written));
	else if (slice_starts(str_slice(&path), SLICE("/")))
		*ret_path = arena_cstr(a, str_slice(&path));
	else
		*ret_path =
		    arena_printf(a, "%s/%s", zenv_cstr(o->zenv, "MAILBIN"),
				 str_cstr(&path))
			.p;
	str_done(&path);
	return r;
}

static void log_complaints(const struct str *complaints)
{
	struct slice rest = str_slice(complaints), line;

	while (slice_cut(&rest, '\n', &line) && line.len > 0)
		log_line(LOG_LEVEL_WARNING, "%.*s", SLICE_ARG(line));
}

/* Is the program a shell that is told to run the recipient's address? */
static bool runs_address(const struct smta_mailer *m)
{
	static const char *const shells[] = { "sh",  "bash", "dash",
					      "ksh", "zsh",  "csh" };
	const char *slash = strrchr(m->path, '/');
	const struct smconf_mailer *e = &m->entry;
	bool is_shell = false, has_c = false;

	for (size_t i = 0; i < COUNT(shells); i++)
		is_shell |= slash != NULL && strcmp(slash + 1, shells[i]) == 0;
	for (size_t i = 1; i < e->argc && is_shell; i++) {
		if (has_c &&
		    (slice_find_text(e->argv[i], SLICE("$u")) <
			 e->argv[i].len ||
		     slice_find_text(e->argv[i], SLICE("$U")) < e->argv[i].len))
			return true;
		has_c |= slice_eq(e->argv[i], SLICE("-c"));
	}
	return false;
}

static void warn_of_dangers(const struct smta_options *o,
			    const struct smta_mailer *m)
{
	bool keep = m->flags & SMTA_KEEP_IDS;
	struct slice user = limits_user(o);

	if ((keep ? geteuid() : getuid()) == 0 &&
	    (user.len == 0 || slice_eq(user, SLICE("root")) ||
	     slice_eq(user, SLICE("0"))))
		log_line(LOG_LEVEL_WARNING, "mailer '%s' is run as root",
			 o->mailer);
	if (runs_address(m))
		log_line(LOG_LEVEL_WARNING,
			 "mailer '%s' runs recipients' addresses as commands",
			 o->mailer);
}

static bool is_tabs_kept(const struct zenv *z)
{
	struct slice value;

	return zenv_get(z, "RFC822TABS", &value) && value.len > 0 &&
	       !slice_eq(value, SLICE("0"));
}

/* DEFCHARSET, or nothing. */
static struct slice default_charset(const struct zenv *z)
{
	struct slice value;

	if (!zenv_get(z, "DEFCHARSET", &value) || value.len == 0)
		return (struct slice){ 0 };
	if (charset_is_name(value))
		return value;
	log_line(LOG_LEVEL_WARNING,
		 "DEFCHARSET '%.*s' is no name of a character set",
		 SLICE_ARG(value));
	return (struct slice){ 0 };
}

int smta_setup(const struct smta_options *o, struct arena *a,
	       struct smta_mailer *ret, struct err *err)
{
	struct smta_mailer m = { 0 };
	struct str complaints = STR_INIT;
	struct err why;
	struct slice value;
	const char *file;

	if (load_entry(o, a, &m.entry, &file, err) < 0)
		return -1;
	if (expand_path(o, a, m.entry.path, &m.path, &why) < 0 ||
	    expand_check(&m.entry, &why) < 0)
		return FAIL(err, "%s:%u: mailer '%s': %s", file, m.entry.line,
			    o->mailer, why.text);
	m.flags = smta_flags_parse(m.entry.flags, &complaints);
	if (o->is_8bit)
		m.flags |= SMTA_8BIT | SMTA_DECODE;
	m.limits = limits_words(o, a);
	m.expand_tabs = !is_tabs_kept(o->zenv);
	m.has_for_clause = !zenv_get(o->zenv, "NORECEIVEDFORCLAUSE", &value);
	m.charset = default_charset(o->zenv);
	log_complaints(&complaints);
	str_done(&complaints);
	warn_of_dangers(o, &m);
	*ret = m;
	return 0;
}

/* ---- the loop ---------------------------------------------------------- */

/* The host that jobs without one are for: the last that was named. */
struct current_host {
	bool is_set;
	struct str name;
};

static void do_job(struct deliver *d, const struct jobline *line,
		   struct current_host *host)
{
	struct agent_job job = { 0 };
	struct agent_request request;
	enum agent_open verdict;

	if (line->has_host) {
		str_clear(&host->name);
		str_add(&host->name, line->host);
		host->is_set = true;
	}
	d->job = &job;
	request = (struct agent_request){ .name = line->name,
					  .has_host = host->is_set,
					  .host = str_slice(&host->name),
					  .select = AGENT_SELECT_STICKY };
	verdict = agent_job_open(d->agent, &job, &request);
	if (verdict == AGENT_OPENED)
		deliver_job(d);
	if (verdict == AGENT_UNKNOWN_FORMAT)
		agent_stop(d->agent);
	agent_job_close(d->agent, &job);
	if (verdict == AGENT_RESYNC || verdict == AGENT_UNKNOWN_FORMAT)
		agent_resync(d->agent, line->name);
	d->job = NULL;
}

int smta_run(struct agent *agent, const struct smta_options *o,
	     const struct smta_mailer *mailer)
{
	struct deliver d = { .agent = agent,
			     .options = o,
			     .mailer = mailer,
			     .ignored_signals = proc_ignored_signals() };
	struct current_host host = { .is_set = o->has_host };
	struct jobline line = { .kind = JOBLINE_IGNORED };

	str_add(&host.name, o->host);
	while (line.kind != JOBLINE_STOP) {
		if (!agent_next_line(agent, &line)) {
			agent_wait(agent, -1);
			continue;
		}
		if (line.kind == JOBLINE_JOB)
			do_job(&d, &line, &host);
		if (line.kind == JOBLINE_TOO_LONG)
			agent_comment(agent, JOBLINE_WARNING, JOBLINE_MAX);
		if (line.kind != JOBLINE_STOP)
			agent_hungry(agent);
	}
	agent_flush(agent);
	str_done(&host.name);
	return agent_exit_status(agent);
}
