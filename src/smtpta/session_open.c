/*
 * session_open.c - reaching a host: from its addresses to an open session.
 *
 * Addresses are tried in order until one gives a usable greeting and takes
 * EHLO (or HELO); what each came to is remembered for the report.
 */
#include "agent/agent.h"
#include "net/lookup.h"
#include "smtp/path.h"
#include "smtpta/dial.h"
#include "smtpta/session_internal.h"

enum { PROBE_AFTER = 20 * 1000 };

/* What is waited for, as ps(1) shows it. */
static void show_command(struct session *s, struct slice command)
{
	s->content_of = NULL; /* what comes next begins afresh */
	if (slice_eq(command, SLICE("RSET")))
		title_say(&s->title, "RSET wait");
	else if (slice_eq(command, SLICE(".")))
		title_say(&s->title, "DATA-dot wait");
	else if (slice_starts(command, SLICE("BDAT ")))
		title_say(&s->title, "%.*s", SLICE_ARG(command));
}

static void trace(void *context, const struct smtp_said *said)
{
	struct session *s = context;
	struct smtp_said shown = secret_mask(&s->secret, said);
	struct slice rest = shown.text, line;

	recorder_said(s->recorder, &shown);
	if (shown.direction == 'x')
		return;
	while (slice_cut(&rest, '\n', &line)) {
		sesslog_line(s->log, shown.direction, line);
		if (s->listener != NULL)
			s->listener(s->listener_context, shown.direction, line,
				    shown.transaction);
	}
	if (title_is_shown(&s->title) && shown.direction == 'w')
		show_command(s, shown.text);
}

static struct slice helo_name(struct session *s)
{
	struct str literal = STR_INIT;
	struct slice name = s->options->helo_name;

	if (name.len == 0)
		name = net_own_name(s->arena);
	if (helo_name_valid(name))
		return name;
	net_addr_print_literal(&literal, conn_local(s->conn));
	name = arena_dup(s->arena, str_slice(&literal));
	str_done(&literal);
	return name;
}

/* What one address came to. */
struct attempt {
	bool is_ready;
	const struct diag *diag; /* why not; in the session's arena */
	unsigned code;		 /* of a refusal; 0: none came */
	enum smtp_phase phase;
};

/* A diag that outlives the engine it came from. */
static const struct diag *keep_diag(struct session *s, const struct diag *d)
{
	struct diag *copy = diag_copy(d, s->arena);

	copy->remote_mta = s->remote_mta;
	copy->connection = s->connection;
	return copy;
}

static struct attempt dial_failed(struct session *s, const char *address,
				  int failure, const struct err *err)
{
	struct diag d = { 0 };
	struct attempt failed = { .phase = SMTP_PHASE_CONNECT };

	dial_judge(failure, err, &d);
	d.diagnostic =
	    arena_printf(s->arena, "smtp; 466 (connect to %.*s [%s]: %s)",
			 SLICE_ARG(s->host), address, err->text);
	d.text = d.diagnostic;
	session_remark(s, "(connect to %s: %s)", address, err->text);
	title_say(&s->title, "[%s]: %s", address, err->text);
	failed.diag = keep_diag(s, &d);
	return failed;
}

/* Pumps until the engine is ready or has failed. */
static struct attempt say_hello(struct session *s)
{
	struct attempt result = { 0 };
	struct smtp_event event;

	for (;; session_step(s, -1)) {
		while (smtp_event(s->engine, &event)) {
			if (event.kind == SMTP_EVENT_READY) {
				result.is_ready = true;
				return result;
			}
			if (event.kind == SMTP_EVENT_FAILED) {
				result.diag = keep_diag(s, event.diag);
				result.phase = event.phase;
				result.code = event.code;
			}
			if (event.kind == SMTP_EVENT_CLOSED)
				return result;
		}
	}
}

static void set_remote_mta(struct session *s, const struct route *route,
			   const struct net_addr *addr)
{
	struct str text = STR_INIT;

	net_addr_print(&text, addr);
	if (route->remote_mta.len == 0)
		s->remote_mta = arena_printf(s->arena, "dns; localhost (%s)",
					     str_cstr(&text));
	else
		s->remote_mta =
		    arena_printf(s->arena, "%.*s (%s)",
				 SLICE_ARG(route->remote_mta), str_cstr(&text));
	str_done(&text);
}

static void before_dial(struct session *s, const struct net_addr *addr,
			const char *address)
{
	struct str end = STR_INIT;

	dial_print_end(&end, addr);
	s->connection = arena_dup(s->arena, str_slice(&end));
	title_set_peer(&s->title, str_slice(&end), s->host, false);
	title_say(&s->title, "connecting to [%s]", address);
	session_remark(s, "(Connecting to `%.*s' [%s])", SLICE_ARG(s->host),
		       str_cstr(&end));
	sesslog_flush(s->log);
	str_done(&end);
}

static void after_dial(struct session *s)
{
	struct str ends = STR_INIT;

	dial_print_ends(&ends, s->conn);
	s->connection = arena_dup(s->arena, str_slice(&ends));
	title_set_peer(&s->title, str_slice(&ends), s->host, true);
	str_done(&ends);
}

static int64_t tell_time(void *context)
{
	const struct session *s = context;

	return s->wall_time();
}

static struct attempt try_once(struct session *s, const struct net_addr *addr,
			       bool no_esmtp)
{
	struct smtp_config config = {
		.is_lmtp = s->options->is_lmtp,
		.no_esmtp = no_esmtp && !s->options->is_lmtp,
		.esmtp_only_if_greeted = s->options->esmtp_if_greeted,
		.ignored =
		    (s->options->no_pipelining ? SMTP_EXT_PIPELINING : 0u) |
		    (s->options->seven_bit
			 ? SMTP_EXT_8BITMIME | SMTP_EXT_SMTPUTF8
			 : 0u) |
		    s->terms->ignored,
		.window = s->terms->window,
		.window_bytes = s->terms->window_bytes,
		.trace = trace,
		.trace_context = s,
		.wall_time = s->terms->wall_time != NULL ? tell_time : NULL,
		.wall_time_context = s,
	};
	struct str address = STR_INIT;
	struct attempt result;
	struct err err;
	int failure;

	s->wall_time = s->terms->wall_time;
	net_addr_print(&address, addr);
	before_dial(s, addr, str_cstr(&address));
	recorder_try(s->recorder, s->host, addr);
	failure = dial_address(s->options, addr, &s->conn, &err);
	if (failure < 0) {
		result = dial_failed(s, str_cstr(&address), failure, &err);
	} else {
		after_dial(s);
		recorder_connected(s->recorder, conn_local(s->conn));
		config.helo_name = helo_name(s);
		secret_done(&s->secret);
		s->engine = smtp_new(&config);
		session_restart_clock(s);
		s->last_used = s->wait_since;
		result = say_hello(s);
		if (!result.is_ready)
			session_drop(s);
	}
	if (result.is_ready)
		recorder_ready(s->recorder);
	else
		recorder_failed(s->recorder, result.diag, result.code);
	str_done(&address);
	return result;
}

/*
 * A server that drops the connection or says 4xx at EHLO may be one that
 * chokes on it: once more on a new connection, with HELO.
 */
static bool deserves_helo(const struct session *s, const struct attempt *a)
{
	bool is_temporary = a->code == 0 || (a->code >= 400 && a->code <= 499);

	return a->phase == SMTP_PHASE_HELLO && is_temporary &&
	       !s->options->no_esmtp && !s->options->is_lmtp &&
	       !agent_is_interrupted();
}

/* RFC 7504: hosts that say they never take mail, every one of them. */
static bool never_takes_mail(const struct attempt *a)
{
	return a->phase == SMTP_PHASE_GREETING &&
	       (a->code == 521 || a->code == 556);
}

static void refuse_for_good(struct session *s, const struct attempt *last)
{
	struct diag *d = ARENA_NEW(s->arena, struct diag);

	*d = *last->diag;
	d->fate = FATE_FAILED;
	d->status = last->code == 556 ? SLICE("5.1.10") : SLICE("5.3.2");
	s->failure = d;
}

/* -d: which addresses, in which order. */
static void log_route(struct session *s, const struct route *route)
{
	struct str text = STR_INIT;

	if (s->options->debug == 0)
		return;
	for (size_t i = 0; i < route->n; i++) {
		str_addc(&text, ' ');
		net_addr_print_literal(&text, &route->addrs[i]);
	}
	sesslog_printf(s->log, "(%.*s: %zu addresses:%s)", SLICE_ARG(s->host),
		       route->n, str_cstr(&text));
	str_done(&text);
}

static bool try_route(struct session *s, const struct route *route)
{
	bool all_refuse_for_good = s->terms->avoid.n == 0;
	struct attempt a = { 0 };

	log_route(s, route);
	for (size_t i = 0; i < route->n && !agent_is_interrupted(); i++) {
		if (tried_has(&s->terms->avoid, &route->addrs[i]))
			continue;
		s->at = i;
		set_remote_mta(s, route, &route->addrs[i]);
		a = try_once(s, &route->addrs[i], s->options->no_esmtp);
		if (!a.is_ready && deserves_helo(s, &a))
			a = try_once(s, &route->addrs[i], true);
		if (a.is_ready)
			return true;
		s->failure = a.diag;
		s->saw_outage = true;
		all_refuse_for_good &= never_takes_mail(&a);
	}
	if (a.diag != NULL && all_refuse_for_good)
		refuse_for_good(s, &a);
	return false;
}

static const struct diag *interrupted(struct session *s)
{
	struct diag d = {
		.fate = FATE_DEFERRED,
		.reason = "interrupted",
		.status = SLICE("4.3.2 (interrupted by signal)"),
		.diagnostic = SLICE("x-local; 400 (interrupted by signal)"),
		.text = SLICE("interrupted by signal"),
	};

	return keep_diag(s, &d);
}

/*
 * Has the server ended a session at rest, or said something unasked, which is
 * 421 and nothing else? Found out before anything is sent there: content that
 * goes out with its commands would never be answered.
 */
static bool was_ended_by_server(struct session *s)
{
	unsigned ready = 0;

	if (smtp_is_busy(s->engine))
		return false;
	return conn_wait(s->conn, CONN_READABLE, -1, conn_now(), &ready) ==
	       CONN_OK;
}

bool session_open(struct session *s, struct slice host,
		  const struct session_terms *terms,
		  const struct diag **ret_why)
{
	if (session_is_for(s, host) && was_ended_by_server(s))
		session_abandon(s, "ended by the server");
	if (session_is_for(s, host)) {
		if (conn_now() - s->last_used > PROBE_AFTER)
			smtp_probe(s->engine);
		return true;
	}
	title_say(&s->title, "NewDomain: %.*s", SLICE_ARG(host));
	session_close(s, "new host");
	arena_reset(s->arena);
	s->host = arena_dup(s->arena, host);
	recorder_destination(s->recorder, s->host);
	s->terms = terms;
	s->was_silent = false;
	s->remote_mta = s->connection = slice_make(NULL, 0);
	s->failure = interrupted(s);
	s->is_detour = terms->avoid.n > 0;
	s->saw_outage = false;
	s->at = 0;
	title_set_peer(&s->title, slice_make(NULL, 0), host, false);
	title_say(&s->title, "MX-lookup: %.*s", SLICE_ARG(host));
	s->route = route_find(s->options, host, s->arena);
	s->remote_mta = s->route.remote_mta;
	if (s->route.failure != NULL)
		s->failure = keep_diag(s, s->route.failure);
	else if (try_route(s, &s->route))
		return true;
	/* That we are leaving says nothing about the host. */
	if (agent_is_interrupted())
		s->failure = interrupted(s);
	*ret_why = s->failure;
	return false;
}
