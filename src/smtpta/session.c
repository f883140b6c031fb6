/*
 * session.c - the engine over a connection.
 *
 * Deadlines: each awaited reply has one of its own, for all of it; it starts
 * anew when a reply is whole or something was written. A blocked write has
 * the `tcpw` timeout. Both directions are polled while output is pending.
 *
 * A signal: an end of data that was sent is waited for, at most
 * SIGNAL_GRACE together; everything else is given up.
 */
#include "smtpta/session.h"

#include "agent/agent.h"
#include "base/mem.h"
#include "net/conn.h"
#include "net/lookup.h"
#include "smtp/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	READ_STEP = 4096,
	OUTPUT_MAX = 128 * 1024, /* content is added up to here, then sent */
	SIGNAL_GRACE = 60 * 1000,
	QUIT_GRACE = 1000, /* for QUIT to leave a full socket */
	PROBE_AFTER = 20 * 1000
};

struct session {
	const struct smtpta_options *options;
	struct sesslog *log;
	session_fill *fill;
	struct arena *arena; /* of this destination */
	struct slice host;
	struct slice remote_mta;
	struct conn *conn;
	struct smtp_engine *engine;
	struct str in;
	int64_t wait_since, last_used, signalled_at;
	uint64_t replies_heard; /* when wait_since was set */
	const struct diag *failure;
	const struct session_terms *terms; /* of the connection being opened */
	bool is_chunking_suspect;
};

struct session *session_new(const struct smtpta_options *o, struct sesslog *log,
			    session_fill *fill)
{
	struct session *s = mem_zero(1, sizeof(*s));

	s->options = o;
	s->log = log;
	s->fill = fill;
	s->arena = arena_new();
	return s;
}

static void drop_connection(struct session *s)
{
	conn_close(s->conn);
	s->conn = NULL;
	smtp_free(s->engine);
	s->engine = NULL;
}

bool session_is_open(const struct session *s)
{
	return s->conn != NULL;
}

bool session_is_for(const struct session *s, struct slice host)
{
	return s->conn != NULL && slice_eq_nocase(s->host, host);
}

struct smtp_engine *session_engine(struct session *s)
{
	return s->engine;
}

struct slice session_remote_mta(const struct session *s)
{
	return s->remote_mta;
}

int64_t session_last_used(const struct session *s)
{
	return s->last_used;
}

/* ---- pumping ----------------------------------------------------------- */

static unsigned timeout_seconds(const struct session *s)
{
	const struct smtpta_timeouts *t = &s->options->timeouts;

	switch (smtp_wait(s->engine)) {
	case SMTP_WAIT_WRITE:
		return t->tcpw;
	case SMTP_WAIT_DATA:
		return t->data;
	case SMTP_WAIT_END:
		return t->dot;
	case SMTP_WAIT_COMMAND:
	case SMTP_WAIT_NONE:
		break;
	}
	return t->cmd;
}

static void restart_clock(struct session *s)
{
	s->wait_since = conn_now();
	s->replies_heard = smtp_replies_heard(s->engine);
}

static int64_t deadline(struct session *s)
{
	int64_t until;

	if (smtp_replies_heard(s->engine) != s->replies_heard)
		restart_clock(s);
	until = s->wait_since + (int64_t)timeout_seconds(s) * 1000;
	if (s->signalled_at != 0 && until > s->signalled_at + SIGNAL_GRACE)
		until = s->signalled_at + SIGNAL_GRACE;
	return until;
}

static void lost_by_timeout(struct session *s)
{
	struct str why = STR_INIT;

	s->is_chunking_suspect = smtp_waits_for_bdat(s->engine);

	if (s->signalled_at != 0)
		str_adds(&why, "interrupted by signal");
	else if (smtp_wait(s->engine) == SMTP_WAIT_WRITE)
		str_addf(&why, "write to remote blocked for %u sec",
			 timeout_seconds(s));
	else
		str_addf(&why,
			 "Timeout of %u sec while waiting responses from "
			 "remote",
			 timeout_seconds(s));
	smtp_lost(s->engine, s->signalled_at != 0 ? "interrupted" : "timeout",
		  str_cstr(&why));
	str_done(&why);
}

static void lost_by_error(struct session *s, const char *what, int code)
{
	struct str why = STR_INIT;

	str_addf(&why, "%s: %s", what, strerror(code));
	smtp_lost(s->engine, "connection-lost", str_cstr(&why));
	str_done(&why);
}

static void take_input(struct session *s, enum conn_result result)
{
	switch (result) {
	case CONN_OK:
		smtp_input(s->engine, str_slice(&s->in));
		break;
	case CONN_TIMEOUT:
		lost_by_timeout(s);
		break;
	case CONN_END:
		smtp_lost(s->engine, "connection-lost", "remote hung up on us");
		break;
	case CONN_FAILED:
		lost_by_error(s, "read from remote", errno);
		break;
	case CONN_INTERRUPTED:
		break;
	}
}

static void read_some(struct session *s)
{
	int64_t until = deadline(s);

	sesslog_flush(s->log); /* shows what is waited for */
	str_clear(&s->in);
	take_input(s, conn_read(s->conn, READ_STEP, &s->in, until));
}

/* The socket is full: wait for room, or for what the server has to say. */
static void wait_for_room(struct session *s)
{
	unsigned ready = 0;
	enum conn_result result;

	sesslog_flush(s->log);
	result = conn_wait(s->conn, CONN_READABLE | CONN_WRITABLE, -1,
			   deadline(s), &ready);
	if (result == CONN_OK && (ready & CONN_READABLE) != 0)
		read_some(s);
	else if (result != CONN_OK)
		take_input(s, result);
}

static void write_some(struct session *s)
{
	ssize_t n = conn_write(s->conn, smtp_output(s->engine));

	if (n > 0) {
		smtp_sent(s->engine, (size_t)n);
		restart_clock(s);
		s->last_used = s->wait_since;
	} else if (n == 0) {
		wait_for_room(s);
	} else if (errno == EPIPE || errno == ECONNRESET) {
		/* A last word, such as 421, may still lie there to be read. */
		int code = errno;

		read_some(s);
		lost_by_error(s, "write to remote", code);
	} else {
		lost_by_error(s, "write to remote", errno);
	}
}

static void add_content(struct session *s)
{
	struct smtp_transaction *t = smtp_body_owner(s->engine);
	struct err err;
	int r = s->fill(t, smtp_body_needs_dots(s->engine),
			smtp_body_sink(s->engine), &err);

	if (r < 0)
		smtp_body_failed(s->engine, err.text);
	else
		smtp_body_filled(s->engine, r > 0);
}

/* True if the signal ended everything that was under way. */
static bool heed_signal(struct session *s)
{
	if (!agent_is_interrupted())
		return false;
	if (s->signalled_at == 0)
		s->signalled_at = conn_now();
	if (smtp_has_unanswered_end(s->engine)) {
		smtp_drain(s->engine);
		return false;
	}
	smtp_lost(s->engine, "interrupted", "interrupted by signal");
	return true;
}

/* Waits for a reply or the other descriptor; true if that can be read. */
static bool read_either(struct session *s, int other_fd)
{
	unsigned ready = 0;
	enum conn_result result;

	sesslog_flush(s->log);
	result =
	    conn_wait(s->conn, CONN_READABLE, other_fd, deadline(s), &ready);

	if (result != CONN_OK)
		take_input(s, result);
	else if ((ready & CONN_READABLE) != 0)
		read_some(s);
	return (ready & CONN_OTHER_READABLE) != 0;
}

bool session_step(struct session *s, int other_fd)
{
	unsigned wants;

	if (heed_signal(s))
		return false;
	while ((smtp_wants(s->engine) & SMTP_WANTS_BODY) != 0 &&
	       smtp_output(s->engine).len < OUTPUT_MAX)
		add_content(s);
	wants = smtp_wants(s->engine);
	if ((wants & SMTP_WANTS_WRITE) != 0)
		write_some(s);
	else if ((wants & SMTP_WANTS_READ) != 0 && other_fd >= 0)
		return read_either(s, other_fd);
	else if ((wants & SMTP_WANTS_READ) != 0)
		read_some(s);
	return false;
}

bool session_is_chunking_suspect(const struct session *s)
{
	return s->is_chunking_suspect;
}

/* ---- closing ----------------------------------------------------------- */

void session_abandon(struct session *s, const char *remark)
{
	if (s->conn == NULL)
		return;
	sesslog_printf(s->log, "(closed %s channel - %s)",
		       s->options->is_lmtp ? "LMTP" : "SMTP", remark);
	drop_connection(s);
}

/* Lets QUIT out. The reply is not waited for (RFC 5321 4.1.1.10 allows). */
static void say_quit(struct session *s)
{
	unsigned ready;
	int64_t until = conn_now() + QUIT_GRACE;

	smtp_quit(s->engine);
	while ((smtp_wants(s->engine) & SMTP_WANTS_WRITE) != 0) {
		ssize_t n = conn_write(s->conn, smtp_output(s->engine));

		if (n < 0)
			return;
		smtp_sent(s->engine, (size_t)n);
		if (n == 0 && conn_wait(s->conn, CONN_WRITABLE, -1, until,
					&ready) != CONN_OK)
			return;
	}
}

void session_close(struct session *s, const char *remark)
{
	if (s->conn == NULL)
		return;
	if (!smtp_is_busy(s->engine))
		say_quit(s);
	session_abandon(s, remark);
}

void session_free(struct session *s)
{
	if (s == NULL)
		return;
	session_close(s, "final close");
	str_done(&s->in);
	arena_free(s->arena);
	free(s);
}

/* ---- opening ----------------------------------------------------------- */

static void trace(void *context, char direction, struct slice line)
{
	struct session *s = context;

	sesslog_line(s->log, direction, line);
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
	struct diag *copy = ARENA_NEW(s->arena, struct diag);

	*copy = *d;
	copy->status = arena_dup(s->arena, d->status);
	copy->diagnostic = arena_dup(s->arena, d->diagnostic);
	copy->text = arena_printf(s->arena, "%.*s", SLICE_ARG(d->text));
	copy->remote_mta = s->remote_mta;
	return copy;
}

static struct attempt dial_failed(struct session *s, const char *address,
				  const struct err *err)
{
	struct diag d = { .fate = FATE_DEFERRED_ALL,
			  .reason = "connect-failed",
			  .status =
			      SLICE("4.4.1 (TCP/IP-connection failure)") };
	struct attempt failed = { .phase = SMTP_PHASE_CONNECT };

	d.diagnostic =
	    arena_printf(s->arena, "smtp; 466 (connect to %.*s [%s]: %s)",
			 SLICE_ARG(s->host), address, err->text);
	d.text = d.diagnostic;
	sesslog_printf(s->log, "(connect to %s: %s)", address, err->text);
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

static struct attempt try_once(struct session *s, const struct net_addr *addr,
			       bool no_esmtp)
{
	struct smtp_config config = {
		.is_lmtp = s->options->is_lmtp,
		.no_esmtp = no_esmtp,
		.esmtp_only_if_greeted = s->options->esmtp_if_greeted,
		.no_pipelining = s->options->no_pipelining,
		.no_chunking = s->terms->no_chunking,
		.window = s->terms->window,
		.window_bytes = s->terms->window_bytes,
		.trace = s->log != NULL ? trace : NULL,
		.trace_context = s,
	};
	struct str address = STR_INIT;
	struct attempt result;
	struct err err;

	net_addr_print(&address, addr);
	sesslog_printf(s->log, "(Connecting to `%.*s' [%s|%u])",
		       SLICE_ARG(s->host), str_cstr(&address),
		       (unsigned)net_addr_port(addr));
	sesslog_flush(s->log);
	if (conn_dial(addr, (int64_t)s->options->timeouts.conn * 1000,
		      agent_is_interrupted, &s->conn, &err) < 0) {
		result = dial_failed(s, str_cstr(&address), &err);
	} else {
		config.helo_name = helo_name(s);
		s->engine = smtp_new(&config);
		restart_clock(s);
		s->last_used = s->wait_since;
		result = say_hello(s);
		if (!result.is_ready)
			drop_connection(s);
	}
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
	       !s->options->is_lmtp && !agent_is_interrupted();
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
	bool all_refuse_for_good = true;
	struct attempt a = { 0 };

	log_route(s, route);
	for (size_t i = 0; i < route->n && !agent_is_interrupted(); i++) {
		set_remote_mta(s, route, &route->addrs[i]);
		a = try_once(s, &route->addrs[i], false);
		if (!a.is_ready && deserves_helo(s, &a))
			a = try_once(s, &route->addrs[i], true);
		if (a.is_ready)
			return true;
		s->failure = a.diag;
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

bool session_open(struct session *s, struct slice host,
		  const struct session_terms *terms,
		  const struct diag **ret_why)
{
	struct route route;

	if (session_is_for(s, host)) {
		if (conn_now() - s->last_used > PROBE_AFTER)
			smtp_probe(s->engine);
		return true;
	}
	session_close(s, "new host");
	arena_reset(s->arena);
	s->host = arena_dup(s->arena, host);
	s->terms = terms;
	s->is_chunking_suspect = false;
	s->remote_mta = slice_make(NULL, 0);
	s->failure = interrupted(s);
	route = route_find(s->options, host, s->arena);
	s->remote_mta = route.remote_mta;
	if (route.failure != NULL)
		s->failure = keep_diag(s, route.failure);
	else if (try_route(s, &route))
		return true;
	/* That we are leaving says nothing about the host. */
	if (agent_is_interrupted())
		s->failure = interrupted(s);
	*ret_why = s->failure;
	return false;
}
