/*
 * session_greet.c - one address: from a connection to an open session.
 *
 * Greeting, EHLO, TLS as the decision about the host wants it, EHLO again,
 * AUTH. What went wrong may go better in another way, on a new connection: in
 * the clear, if the decision allows it, and with HELO.
 */
#include "agent/agent.h"
#include "net/lookup.h"
#include "smtp/path.h"
#include "smtpta/dial.h"
#include "smtpta/session_internal.h"

/* ---- names and printers -------------------------------------------------- */

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

/*
 * This host's name, if it is one that says something to others (RFC 5321
 * 4.1.1.1); or empty. Found out once: the resolver may be slow or dead.
 */
static struct slice own_name(struct session *s)
{
	struct slice name;

	if (!s->knows_own_name) {
		name = net_own_name(s->arena);
		if (helo_name_valid(name) && slice_find(name, '.') < name.len)
			str_add(&s->own_name, name);
		s->knows_own_name = true;
	}
	return str_slice(&s->own_name);
}

static struct slice helo_name(struct session *s)
{
	struct str literal = STR_INIT;
	struct slice name = s->options->helo_name;

	if (name.len == 0)
		name = own_name(s);
	if (helo_name_valid(name))
		return name;
	net_addr_print_literal(&literal, conn_local(s->conn));
	name = arena_dup(s->arena, str_slice(&literal));
	str_done(&literal);
	return name;
}

/* ---- where we are ---------------------------------------------------------
 */

const struct diag *session_keep_diag(struct session *s, const struct diag *d)
{
	struct diag *copy = diag_copy(d, s->arena);

	copy->remote_mta = s->remote_mta;
	copy->connection = s->connection;
	return copy;
}

struct slice session_host_name(const struct session *s)
{
	return s->route.way != NULL ? s->route.hosts[s->at].name : s->host;
}

struct session_try session_dial_failed(struct session *s, int failure,
				       const struct err *err)
{
	struct diag d = { 0 };
	struct session_try failed = { .phase = SMTP_PHASE_CONNECT };
	struct str address = STR_INIT;
	const char *shown;

	net_addr_print(&address, &s->route.addrs[s->at]);
	shown = str_cstr(&address);
	dial_judge(failure, err, &d);
	d.diagnostic =
	    arena_printf(s->arena, "smtp; 466 (connect to %.*s [%s]: %s)",
			 SLICE_ARG(session_host_name(s)), shown, err->text);
	d.text = d.diagnostic;
	session_remark(s, "(connect to %s: %s)", shown, err->text);
	title_say(&s->title, "[%s]: %s", shown, err->text);
	failed.diag = session_keep_diag(s, &d);
	str_done(&address);
	return failed;
}

void session_set_address(struct session *s, size_t place)
{
	struct str end = STR_INIT;

	s->at = place;
	s->remote_mta = route_remote_mta(&s->route, place, s->arena);
	dial_print_end(&end, &s->route.addrs[place]);
	s->connection = arena_dup(s->arena, str_slice(&end));
	str_done(&end);
}

void session_before_dial(struct session *s, size_t place)
{
	struct str address = STR_INIT;

	session_set_address(s, place);
	net_addr_print(&address, &s->route.addrs[place]);
	title_set_peer(&s->title, s->connection, s->host, false);
	title_say(&s->title, "connecting to [%s]", str_cstr(&address));
	session_remark(s, "(Connecting to `%.*s' [%.*s])",
		       SLICE_ARG(session_host_name(s)),
		       SLICE_ARG(s->connection));
	sesslog_flush(s->log);
	str_done(&address);
}

static void after_dial(struct session *s)
{
	struct str ends = STR_INIT;

	dial_print_ends(&ends, s->conn);
	s->connection = arena_dup(s->arena, str_slice(&ends));
	title_set_peer(&s->title, str_slice(&ends), s->host, true);
	str_done(&ends);
	recorder_connected(s->recorder, conn_local(s->conn));
}

void session_record_try(struct session *s, int64_t began)
{
	recorder_try(s->recorder, s->route.hosts[s->at].name,
		     &s->route.addrs[s->at], began);
}

static int64_t tell_time(void *context)
{
	const struct session *s = context;

	return s->wall_time();
}

/* ---- in which manner ------------------------------------------------------
 */

/* Ways to speak to a server; more than one may be tried, one a connection. */
struct manner {
	bool no_esmtp; /* HELO */
	bool in_clear; /* though TLS would be welcome */
	bool is_fresh; /* no session of TLS is left to be offered */
};

static struct smtp_config engine_config(struct session *s, struct manner how)
{
	const struct smtpta_options *o = s->options;
	unsigned ignored = s->terms->ignored;

	if (o->no_pipelining)
		ignored |= SMTP_EXT_PIPELINING;
	if (o->seven_bit)
		ignored |= SMTP_EXT_8BITMIME | SMTP_EXT_SMTPUTF8;
	return (struct smtp_config){
		.is_lmtp = o->is_lmtp,
		.no_esmtp = how.no_esmtp && !o->is_lmtp,
		.esmtp_only_if_greeted = o->esmtp_if_greeted,
		.tls = session_wants_tls(s, how.in_clear),
		.is_tls = session_is_wrapped(s),
		.auth = session_auth(s),
		.ignored = ignored,
		.window = s->terms->window,
		.window_bytes = s->terms->window_bytes,
		.trace = trace,
		.trace_context = s,
		.wall_time = s->terms->wall_time != NULL ? tell_time : NULL,
		.wall_time_context = s,
		.helo_name = helo_name(s),
	};
}

/* The engine's word that the session could not be opened. */
static void take_failure(struct session *s, const struct smtp_event *event,
			 struct session_try *t)
{
	t->phase = event->phase;
	t->code = event->code;
	t->diag = session_keep_diag(s, event->diag);
	if (t->phase == SMTP_PHASE_STARTTLS)
		session_tls_refused(s, t);
}

/* Pumps until the engine is ready or it will not do. */
static struct session_try say_hello(struct session *s)
{
	struct session_try t = { 0 };
	struct smtp_event event;

	for (;; session_step(s, -1)) {
		while (smtp_event(s->engine, &event)) {
			switch (event.kind) {
			case SMTP_EVENT_READY:
				session_check_ready(s, &t);
				return t;
			case SMTP_EVENT_STARTTLS:
				if (!session_handshake(s, &t))
					return t;
				smtp_tls_started(s->engine);
				session_restart_clock(s);
				break;
			case SMTP_EVENT_FAILED:
				take_failure(s, &event, &t);
				break;
			case SMTP_EVENT_CLOSED:
				return t;
			default:
				break;
			}
		}
	}
}

/* From a connection to a session. */
static struct session_try greet(struct session *s, struct manner how)
{
	struct smtp_config config;
	struct session_try t = { 0 };

	s->wall_time = s->terms->wall_time;
	after_dial(s);
	secret_done(&s->secret);
	if (session_begin_security(s, &t) &&
	    (!session_is_wrapped(s) || session_handshake(s, &t))) {
		config = engine_config(s, how);
		s->engine = smtp_new(&config);
		session_restart_clock(s);
		s->last_used = s->wait_since;
		t = say_hello(s);
	}
	session_record_auth(s);
	if (t.is_ready) {
		s->opened_at = conn_now();
		recorder_ready(s->recorder);
		return t;
	}
	session_drop(s);
	recorder_failed(s->recorder, t.diag, t.code);
	return t;
}

/* The same address once more. */
static struct session_try greet_anew(struct session *s, struct manner manner)
{
	struct conn_options how = dial_options(s->options, s->host);
	struct session_try t;
	struct err err;
	int failure;

	dial_resolve(&how, s->dns);
	session_before_dial(s, s->at);
	session_record_try(s, conn_now());
	failure = conn_dial(&s->route.addrs[s->at], &how, &s->conn, &err);
	if (failure == 0)
		return greet(s, manner);
	t = session_dial_failed(s, failure, &err);
	recorder_failed(s->recorder, t.diag, 0);
	return t;
}

/*
 * A server that drops the connection or says 4xx at EHLO may be one that
 * chokes on it: once more on a new connection, with HELO.
 */
static bool deserves_helo(const struct session *s, const struct session_try *t)
{
	bool is_temporary = t->code == 0 || (t->code >= 400 && t->code <= 499);

	return t->phase == SMTP_PHASE_HELLO && is_temporary &&
	       !s->is_over_tls && !s->options->is_lmtp &&
	       session_is_clear_allowed(s) && session_auth(s) == NULL;
}

/* Was it perhaps the session that was offered, and not the server? */
static bool choked_on_session(const struct session *s,
			      const struct session_try *t)
{
	return t->is_tls_trouble && s->tls.was_offered &&
	       s->tls.protocol == NULL && s->tls.fault != TLS_FAULT_TIMEOUT;
}

/*
 * A handshake of TLS 1.3 may be over for us while the server refuses it, for
 * want of a certificate of ours perhaps; and there are servers that cannot go
 * on behind theirs. To whom clear text would do, that is no TLS.
 */
static bool is_lost_in_tls(const struct session *s, const struct session_try *t)
{
	return s->is_over_tls && t->phase == SMTP_PHASE_HELLO && t->code == 0;
}

/* Is there a manner left that may do better? */
static bool change_manner(struct session *s, const struct session_try *t,
			  struct manner *how)
{
	if (agent_is_interrupted())
		return false;
	if (!how->is_fresh && choked_on_session(s, t)) {
		session_remark(s, "(once more, with a full handshake)");
		how->is_fresh = true;
		return true;
	}
	if ((t->is_tls_trouble || is_lost_in_tls(s, t)) && !how->in_clear &&
	    session_is_clear_allowed(s)) {
		session_remark(s, "(once more, in the clear)");
		how->in_clear = true;
		return true;
	}
	if (!how->no_esmtp && deserves_helo(s, t)) {
		how->no_esmtp = true;
		return true;
	}
	return false;
}

struct session_try session_greet(struct session *s)
{
	struct manner how = { .no_esmtp = s->options->no_esmtp };
	struct session_try t = greet(s, how);

	while (!t.is_ready && change_manner(s, &t, &how))
		t = greet_anew(s, how);
	return t;
}
