/*
 * smtpta.c - the body of smtp(8).
 *
 * Lines are read ahead as far as the engine has room for their messages, so
 * that there is always a next message to send; they end in the order in which
 * they came. One connection is kept as long as the host stays the same. A
 * host that could not be spoken to is not tried again for a while
 * (smtpta/outage.h): jobs already fed for it are put off with the same words.
 */
#include "smtpta/smtpta.h"

#include "net/conn.h"
#include "smtpta/attempts.h"
#include "smtpta/deliver.h"
#include "smtpta/outage.h"
#include "smtpta/progress.h"
#include "smtpta/safety.h"

#include <dirent.h>
#include <sys/resource.h>

enum {
	/* Descriptors: of a job (control, message, log), of all else. */
	FDS_OF_JOB = 3,
	FDS_SPARE = 16
};

struct smtpta {
	struct deliver deliver;
	const struct smtpta_options *options;
	struct agent *agent;
	struct session *session; /* also the deliver's */
	struct dns_resolver *dns;
	struct safety *safety;
	bool is_dns_judged; /* what was wrong with it has been told */
	struct peers *peers;
	struct flight_list flights;
	size_t n_flights, flights_max;
	struct session_terms terms;
	struct str host; /* of the last job line that named one */
	bool has_host, is_stopping;
	bool is_idle; /* the last line said so */
	struct outage *outage;
};

/* ---- lines -------------------------------------------------------------- */

static unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n >= 3 ? n - 3 : 0; /* ".", "..", and the directory itself */
}

static struct flight *flight_of(struct smtpta *s, const struct jobline *line)
{
	if (line->kind != JOBLINE_JOB)
		return flight_of_line();
	if (line->has_host) {
		str_clear(&s->host);
		str_add(&s->host, line->host);
		s->has_host = true;
	}
	if (!s->has_host) {
		agent_add(s->agent, SLICE("# smtp needs defined host!\n"));
		return flight_of_line();
	}
	sesslog_job(s->deliver.log, line->name, str_slice(&s->host));
	if (s->options->debug >= 2)
		agent_comment(s->agent, "(fdcnt=%u, file:%.*s, host:%s)",
			      count_fds(), SLICE_ARG(line->name),
			      str_cstr(&s->host));
	return flight_of_job(line->name, str_slice(&s->host));
}

static bool has_waiting_flight(const struct smtpta *s)
{
	const struct flight *last = TAILQ_LAST(&s->flights, flight_list);

	return last != NULL && last->state == FLIGHT_WAITING;
}

/* Is there mail that must go, perhaps to another host, before more is taken? */
static bool has_waiting_batch(const struct smtpta *s)
{
	const struct flight *f;

	TAILQ_FOREACH (f, &s->flights, link)
		if (f->n_waiting > 0)
			return true;
	return false;
}

/* How many jobs may be open at once, by the limit of descriptors. */
static size_t flights_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	    limit.rlim_cur <= FDS_SPARE + FDS_OF_JOB)
		return 1;
	return (size_t)((limit.rlim_cur - FDS_SPARE) / FDS_OF_JOB);
}

/* Could the message of a further line be sent at once? */
static bool has_room(const struct smtpta *s)
{
	if (TAILQ_EMPTY(&s->flights))
		return true;
	return s->n_flights < s->flights_max && !has_waiting_flight(s) &&
	       !s->options->one_per_connection && session_is_open(s->session) &&
	       !session_is_stale(s->session) &&
	       smtp_is_busy(session_engine(s->session)) &&
	       smtp_has_room(session_engine(s->session)) &&
	       !has_waiting_batch(s);
}

static void take_line(struct smtpta *s)
{
	struct jobline line;
	struct flight *f;

	if (s->is_stopping || !agent_next_line(s->agent, &line))
		return;
	if (line.kind == JOBLINE_STOP) {
		s->is_stopping = true;
		return;
	}
	s->is_idle = line.kind == JOBLINE_IDLE;
	f = flight_of(s, &line);
	f->is_too_long = line.kind == JOBLINE_TOO_LONG;
	TAILQ_INSERT_TAIL(&s->flights, f, link);
	s->n_flights++;
}

/* ---- flights ------------------------------------------------------------ */

/* The host whose session is needed now: that of the flights that are open. */
static bool has_open_flight(const struct smtpta *s, struct slice *ret_host)
{
	const struct flight *f;

	TAILQ_FOREACH (f, &s->flights, link) {
		if (f->state != FLIGHT_OPEN)
			continue;
		*ret_host = f->host;
		return true;
	}
	return false;
}

/*
 * What belongs to one message goes into the log that it asked for; what
 * belongs to the session into those of all messages under way.
 */
static void tell_verbose_logs(void *context, char type, struct slice line,
			      const struct smtp_transaction *t)
{
	const struct smtpta *s = context;
	const struct batch *b;
	const struct flight *f;

	if (t != NULL) {
		b = t->owner;
		verbose_line(b->flight->job.verbose, type, line);
		return;
	}
	TAILQ_FOREACH (f, &s->flights, link)
		if (f->state == FLIGHT_OPEN)
			verbose_line(f->job.verbose, type, line);
}

/*
 * Nothing is wrong with the job: it waits until those before it are closed. If
 * there are none, it is left to the scheduler to feed it again.
 */
static void on_busy(const struct smtpta *s, struct flight *f)
{
	if (f == TAILQ_FIRST(&s->flights))
		return;
	str_clear(&f->job.out);
	agent_job_close(s->agent, &f->job);
	f->state = FLIGHT_WAITING;
}

/* The file of -S cannot be used: nobody knows what may go in clear text. */
static const struct diag *tls_unknown(const struct smtpta *s,
				      const struct flight *f)
{
	struct diag *d = ARENA_NEW(f->job.arena, struct diag);

	d->fate = FATE_DEFERRED_ALL;
	d->reason = "tls-config";
	d->status = SLICE("4.3.5 (TLS configuration)");
	d->diagnostic = arena_printf(f->job.arena, "x-local; 400 (%.*s)",
				     SLICE_ARG(s->options->tls_trouble));
	d->text = d->diagnostic;
	return d;
}

static void open_flight(struct smtpta *s, struct flight *f)
{
	struct agent_request request = { .name = f->name,
					 .has_host = true,
					 .host = f->host,
					 .select = AGENT_SELECT_HOST };
	const struct diag *why;

	f->state = FLIGHT_OVER;
	switch (agent_job_open(s->agent, &f->job, &request)) {
	case AGENT_OPENED:
		break;
	case AGENT_UNKNOWN_FORMAT:
		agent_stop(s->agent);
		f->must_resync = true;
		return;
	case AGENT_RESYNC:
		f->must_resync = true;
		return;
	case AGENT_BUSY:
		on_busy(s, f);
		return;
	}
	sesslog_printf(s->deliver.log, "%.*s: %.*s",
		       SLICE_ARG(f->job.name.base),
		       SLICE_ARG(f->job.ctl.log_identity));
	body_begin(&f->body, &f->job.message);
	f->state = FLIGHT_OPEN;
	outage_turn_to(s->outage, f->host);
	flight_make_batches(s->agent, f);
	if (f->state == FLIGHT_OPEN && s->options->tls_trouble.len > 0)
		deliver_unreachable(&s->deliver, f, tls_unknown(s, f), true);
	why = outage_of(s->outage, f->host, f->request);
	if (f->state == FLIGHT_OPEN && why != NULL)
		deliver_unreachable(&s->deliver, f, why, false);
}

/* Opens the flights whose turn has come: those to the host of the open ones. */
static void open_flights(struct smtpta *s)
{
	struct slice host = { 0 };
	struct flight *f;

	TAILQ_FOREACH (f, &s->flights, link) {
		if (f->state != FLIGHT_WAITING)
			continue;
		if (has_open_flight(s, &host) &&
		    !slice_eq_nocase(host, f->host))
			return;
		open_flight(s, f);
		if (f->state == FLIGHT_WAITING)
			return;
	}
}

/* Ends the flights whose turn it is, in the order of their lines. */
static void end_flights(struct smtpta *s)
{
	struct flight *f = TAILQ_FIRST(&s->flights);

	for (; f != NULL && f->state == FLIGHT_OVER;
	     f = TAILQ_FIRST(&s->flights)) {
		bool is_job = f->is_job;
		bool must_resync = f->must_resync;

		TAILQ_REMOVE(&s->flights, f, link);
		s->n_flights--;
		recorder_job_over(s->deliver.recorder, &f->job);
		agent_job_say(s->agent, &f->job);
		if (f->is_too_long)
			agent_comment(s->agent, JOBLINE_WARNING, JOBLINE_MAX);
		if (must_resync) {
			agent_job_close(s->agent, &f->job);
			agent_resync(s->agent, f->name);
		}
		flight_free(s->agent, f);
		agent_hungry(s->agent);
		if (is_job && s->options->one_per_connection)
			session_close(s->session, "one message only");
	}
	/* The first one's reports need not wait for its end. */
	if (f != NULL && f->job.arena != NULL)
		agent_job_say(s->agent, &f->job);
}

/* ---- the connection ---------------------------------------------------- */

static void on_unreachable(struct smtpta *s, struct slice host,
			   enum tls_request request, const struct diag *why)
{
	bool is_first = true;
	struct flight *f;

	why = outage_begin(s->outage, host, request, why);
	TAILQ_FOREACH (f, &s->flights, link) {
		if (f->state != FLIGHT_OPEN || f->request != request)
			continue;
		deliver_unreachable(&s->deliver, f, why, is_first);
		is_first = false;
	}
}

/*
 * Once a name was asked for it is known whether validation works here. If not
 * that is told once, since whoever wants it must know; so is a trial that got
 * no answer when it has come to an end.
 */
static void judge_dns(struct smtpta *s)
{
	const struct dns_check *check;

	if (s->is_dns_judged || session_route(s->session)->way == NULL)
		return;
	check = dns_check(s->dns, 0); /* no further trial */
	if (check->trust == DNS_TRUST_UNKNOWN)
		return;
	s->is_dns_judged = true;
	if (check->trust == DNS_TRUST_NEVER)
		agent_comment(s->agent, "no DNSSEC here: %.*s",
			      SLICE_ARG(check->why));
	if (check->trust == DNS_TRUST_LOST)
		agent_comment(s->agent, "no DNSSEC here any more: %.*s",
			      SLICE_ARG(check->why));
	if (check->warning.len > 0)
		agent_comment(s->agent,
			      "that DNSSEC works cannot be remembered: %.*s",
			      SLICE_ARG(check->warning));
}

/* The batch that decides which host is needed: the first that waits. */
static struct batch *first_waiting(const struct smtpta *s)
{
	struct batch *b, *detour = NULL;
	struct flight *f;

	TAILQ_FOREACH (f, &s->flights, link) {
		if (f->state != FLIGHT_OPEN || f->n_waiting == 0)
			continue;
		TAILQ_FOREACH (b, &f->batches, link) {
			if (b->state != BATCH_WAITING)
				continue;
			if (b->tried.n == 0)
				return b;
			if (detour == NULL)
				detour = b;
		}
	}
	return detour;
}

/* Ends a session at rest that is of no use to what waits. */
static void leave_unsuited(struct smtpta *s)
{
	const struct batch *first;

	if (!session_is_open(s->session))
		return;
	/* What came back from it is waiting again. */
	deliver_take_events(&s->deliver);
	first = first_waiting(s);
	if (!session_is_open(s->session))
		return;
	if (!smtp_has_room(session_engine(s->session)))
		session_close(s->session, "limit of messages");
	else if (session_is_stale(s->session))
		session_close(s->session, "as old as it may become");
	else if (first != NULL && !deliver_suits(&s->deliver, first))
		session_close(s->session, "another host");
}

/*
 * Opens the session that the open flights need; false if it cannot be had.
 * Mail for the hosts that come first goes before mail for further ones.
 */
static bool connect_for(struct smtpta *s, struct slice host)
{
	struct peer *peer = peers_get(s->peers, host);
	struct batch *first;
	const struct diag *why;
	bool is_open;

	if (session_is_for(s->session, host) && peer == s->deliver.peer &&
	    smtp_is_busy(session_engine(s->session)))
		return true;
	leave_unsuited(s);
	first = first_waiting(s);
	if (first == NULL)
		return false; /* its end was what there was to be heard */
	s->terms = (struct session_terms){
		.ignored = peer->ignored | peer->doubted | first->without,
		.window = peer->no_window || s->options->no_pipelining ||
				  s->options->one_per_connection
			      ? 1
			      : s->options->window,
		.window_bytes = s->options->window_bytes,
		.wall_time = agent_options(s->agent)->wall_time,
	};
	s->terms.avoid = first->tried;
	s->terms.request = first->flight->request;
	s->terms.is_tls_report = first->flight->is_tls_report;
	if (peer->has_greylisted)
		s->terms.first = &peer->greylisted;
	if (!session_is_for(s->session, host)) {
		s->deliver.n_ended = s->deliver.rcpt_limit = 0;
		s->deliver.doubted = peer->doubted;
		peer->doubted = 0;
	}
	s->deliver.peer = peer;
	is_open = session_open(s->session, host, &s->terms, &why);
	judge_dns(s);
	safety_tell(s->safety);
	if (!is_open) {
		if (first->tried.n > 0)
			deliver_no_further(&s->deliver, first, why);
		else
			on_unreachable(s, host, s->terms.request, why);
		return false;
	}
	outage_end(s->outage);
	return true;
}

static void add_batches(struct smtpta *s)
{
	struct flight *f;

	TAILQ_FOREACH (f, &s->flights, link)
		if (f->state == FLIGHT_OPEN)
			deliver_add(&s->deliver, f);
}

/* One step of whatever is under way. */
static void fly(struct smtpta *s, struct slice host)
{
	int other_fd = -1;

	if (!connect_for(s, host))
		return;
	add_batches(s);
	if (has_room(s) && !s->is_stopping && !agent_has_line(s->agent))
		other_fd = agent_options(s->agent)->in_fd;
	if (smtp_is_busy(session_engine(s->session)) &&
	    session_step(s->session, other_fd))
		agent_read(s->agent);
	/* Also from a session that was lost before it was of any use. */
	deliver_take_events(&s->deliver);
}

/* ---- the loop ---------------------------------------------------------- */

/* Until when to wait for input: an open session is not kept idle for ever. */
static int wait_ms(const struct smtpta *s)
{
	int64_t left;

	if (!session_is_open(s->session))
		return -1;
	left = session_last_used(s->session) +
	       (int64_t)s->options->idle * 1000 - conn_now();
	return left > 0 ? (int)left : 0;
}

static void wait_for_line(struct smtpta *s)
{
	int timeout = wait_ms(s);

	sesslog_flush(s->deliver.log);
	title_say(session_title(s->session), s->is_idle ? "#idle" : "#hungry");
	if (timeout == 0)
		session_close(s->session, "idle");
	else
		(void)agent_wait(s->agent, timeout);
}

/* Takes lines as long as their messages can be given to the engine. */
static void read_ahead(struct smtpta *s)
{
	struct slice host = { 0 };

	while (has_room(s) && !s->is_stopping && agent_has_line(s->agent)) {
		take_line(s);
		open_flights(s);
		if (has_open_flight(s, &host) &&
		    session_is_for(s->session, host) &&
		    smtp_is_busy(session_engine(s->session)))
			add_batches(s);
	}
}

static void run(struct smtpta *s)
{
	struct slice host = { 0 };

	for (;;) {
		read_ahead(s);
		open_flights(s);
		end_flights(s);
		if (has_open_flight(s, &host)) {
			agent_flush(s->agent);
			fly(s, host);
		} else if (TAILQ_EMPTY(&s->flights)) {
			if (s->is_stopping)
				return;
			if (!agent_has_line(s->agent))
				wait_for_line(s);
		}
	}
}

static void log_settled(void *context, const struct agent_settled *done)
{
	const struct smtpta *s = context;

	sesslog_settled(s->deliver.log, done, agent_options(s->agent)->ta_id);
}

static void tell_log_trouble(void *context, const char *text)
{
	agent_comment(context, "%s", text);
}

static bool may_share(void *context, struct slice domain)
{
	return session_may_share(context, domain);
}

static struct guests *new_guests(const struct smtpta *s, struct sesslog *log)
{
	return guests_new(&(struct guests_setup){
	    .options = s->options,
	    .agent = s->agent,
	    .session = s->session,
	    .may_share = may_share,
	    .context = s->session,
	    .dns = s->dns,
	    .log = log,
	});
}

static struct safety *make_safety(struct smtpta *s)
{
	const struct safety_setup setup = {
		.options = s->options,
		.dns = s->dns,
		.wall_time = agent_options(s->agent)->wall_time,
		.complain = tell_log_trouble,
		.context = s->agent,
	};

	return safety_new(&setup);
}

int smtpta_run(const struct smtpta_options *o, struct agent *a)
{
	const struct agent_options *ao = agent_options(a);
	struct smtpta s = { .options = o, .agent = a };
	struct sesslog *log = NULL;
	struct dns_options dns = o->dns;
	struct attempts *attempts;
	struct progress *progress;
	struct err err;

	if (o->log_file != NULL && sesslog_open(o->log_file, &log, &err) < 0)
		agent_comment(a, "%s", err.text);
	TAILQ_INIT(&s.flights);
	s.flights_max = flights_max();
	s.outage = outage_new(conn_now);
	s.peers = peers_new();
	dns.should_stop = agent_is_interrupted;
	s.dns = dns_new(&dns);
	s.session = session_new(o, s.dns, log, deliver_fill);
	s.safety = make_safety(&s);
	session_secure(s.session, safety_of_sessions(s.safety));
	attempts = attempts_new(o, a);
	session_record(s.session, attempts_recorder(attempts));
	progress = progress_new(o, a);
	session_watch(s.session, progress_watcher(progress));
	s.has_host = ao->has_host;
	str_add(&s.host, ao->host);
	s.deliver = (struct deliver){
		.options = o,
		.agent = a,
		.log = log,
		.session = s.session,
		.recorder = attempts_recorder(attempts),
	};
	s.deliver.guests = o->takes_guests ? new_guests(&s, log) : NULL;
	session_listen(s.session, tell_verbose_logs, &s);
	sesslog_listen(log, tell_log_trouble, a);
	agent_listen(a, log_settled, &s);
	run(&s);
	agent_listen(a, NULL, NULL);
	agent_flush(a);
	guests_free(s.deliver.guests);
	session_free(s.session);
	safety_free(s.safety);
	dns_free(s.dns);
	attempts_free(attempts);
	progress_free(progress);
	sesslog_close(log);
	peers_free(s.peers);
	outage_free(s.outage);
	str_done(&s.host);
	return agent_exit_status(a);
}
