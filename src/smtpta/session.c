/*
 * session.c - the engine over a connection.
 *
 * Deadlines: each awaited reply has one of its own, for all of it; it starts
 * anew when a reply is whole or something was written. A blocked write has
 * the `tcpw` timeout. Both directions are polled while output is pending.
 *
 * A signal: ends of data that were sent are waited for, at most signal_grace
 * (options.h) together; everything else is given up.
 */
#include "smtpta/session.h"

#include "agent/agent.h"
#include "base/mem.h"
#include "smtpta/session_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	READ_STEP = 4096,
	TELL_EVERY = 1000,	 /* ms between two words to the watcher */
	OUTPUT_MAX = 512 * 1024, /* content is added up to here, then sent */
	QUIT_GRACE = 1000	 /* for QUIT to leave a full socket */
};

struct session *session_new(const struct smtpta_options *o,
			    struct dns_resolver *dns, struct sesslog *log,
			    session_fill *fill)
{
	struct session *s = mem_zero(1, sizeof(*s));

	s->options = o;
	s->dns = dns;
	s->reach = reach_new();
	s->log = log;
	s->fill = fill;
	s->title.show = o->show_title;
	s->arena = arena_new();
	return s;
}

void session_drop(struct session *s)
{
	recorder_closed(s->recorder);
	conn_close(s->conn);
	s->conn = NULL;
	smtp_free(s->engine);
	s->engine = NULL;
	auth_dialogue_free(s->auth);
	s->auth = NULL;
	s->content_of = NULL;
	s->content_done = 0;
	title_set_peer(&s->title, slice_make(NULL, 0), s->host, false);
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

struct slice session_connection(const struct session *s)
{
	return s->connection;
}

struct title *session_title(struct session *s)
{
	return &s->title;
}

void session_listen(struct session *s, session_said *listener, void *context)
{
	s->listener = listener;
	s->listener_context = context;
}

void session_record(struct session *s, struct recorder *recorder)
{
	s->recorder = recorder;
}

void session_watch(struct session *s, const struct session_watcher *watcher)
{
	s->watcher = watcher;
}

void session_remark(struct session *s, const char *format, ...)
{
	char *said = NULL;
	va_list ap;
	int n;

	if (s->log == NULL && s->listener == NULL)
		return;
	va_start(ap, format);
	n = vasprintf(&said, format, ap);
	va_end(ap);
	if (n < 0)
		mem_exhausted();
	sesslog_line(s->log, '#', slice_make(said, (size_t)n));
	if (s->listener != NULL)
		s->listener(s->listener_context, '#',
			    slice_make(said, (size_t)n), NULL);
	free(said);
}

bool session_is_stale(const struct session *s)
{
	return s->conn != NULL &&
	       conn_now() - s->opened_at >= (int64_t)s->options->reuse * 1000;
}

int64_t session_last_used(const struct session *s)
{
	return s->last_used;
}

bool session_is_detour(const struct session *s)
{
	return s->is_detour;
}

void session_secure(struct session *s, const struct session_safety *safety)
{
	s->safety = safety;
}

enum tls_request session_request(const struct session *s)
{
	return s->request;
}

const struct net_addr *session_passed(const struct session *s, size_t *ret_n)
{
	*ret_n = s->n_passed;
	return s->passed;
}

bool session_has_next(const struct session *s, const struct tried *avoid)
{
	struct tried passed = { .addrs = s->passed, .n = s->n_passed };

	for (size_t i = 0; i < s->route.n; i++)
		if (!tried_has(avoid, &s->route.addrs[i]) &&
		    !tried_has(&passed, &s->route.addrs[i]))
			return true;
	return false;
}

const struct route *session_route(const struct session *s)
{
	return &s->route;
}

struct slice session_exchanger(const struct session *s)
{
	return s->conn != NULL && s->route.way != NULL
		   ? s->route.hosts[s->at].name
		   : slice_make(NULL, 0);
}

unsigned session_number(const struct session *s)
{
	return s->number;
}

bool session_saw_outage(const struct session *s)
{
	return s->saw_outage;
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

void session_restart_clock(struct session *s)
{
	s->wait_since = conn_now();
	s->replies_heard = smtp_replies_heard(s->engine);
}

static int64_t deadline(struct session *s)
{
	int64_t until, last;

	if (smtp_replies_heard(s->engine) != s->replies_heard)
		session_restart_clock(s);
	until = s->wait_since + (int64_t)timeout_seconds(s) * 1000;
	if (s->signalled_at == 0)
		return until;
	last = s->signalled_at + (int64_t)s->options->signal_grace * 1000;
	return until < last ? until : last;
}

static void lost_by_timeout(struct session *s)
{
	struct str why = STR_INIT;

	s->was_silent = s->signalled_at == 0;

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
	const char *trouble = code == EPROTO ? tls_trouble(s->conn) : NULL;
	struct str why = STR_INIT;

	str_addf(&why, "%s: %s", what,
		 trouble != NULL ? trouble : strerror(code));
	smtp_lost(s->engine, "connection-lost", str_cstr(&why));
	str_done(&why);
}

static void take_input(struct session *s, enum conn_result result)
{
	switch (result) {
	case CONN_OK:
		s->last_used = conn_now();
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

/* -v: how long the other side let us wait. */
static void log_wait(const struct session *s, const char *what, int64_t since,
		     size_t n)
{
	if (s->options->verbose == 0)
		return;
	sesslog_printf(s->log, "(waited %lld ms for %s, %zu bytes came)",
		       (long long)(conn_now() - since), what, n);
}

static void read_some(struct session *s)
{
	int64_t until = deadline(s);
	int64_t since = conn_now();
	enum conn_result result;

	sesslog_flush(s->log); /* shows what is waited for */
	str_clear(&s->in);
	result = conn_read(s->conn, READ_STEP, &s->in, until);
	log_wait(s, "a reply", since, s->in.len);
	take_input(s, result);
}

/* The socket is full: wait for room, or for what the server has to say. */
static void wait_for_room(struct session *s)
{
	int64_t since = conn_now();
	unsigned ready = 0;
	enum conn_result result;

	sesslog_flush(s->log);
	result = conn_wait(s->conn, CONN_READABLE | CONN_WRITABLE, -1,
			   deadline(s), &ready);
	log_wait(s, "room", since, 0);
	if (result == CONN_OK && (ready & CONN_READABLE) != 0)
		read_some(s);
	else if (result != CONN_OK)
		take_input(s, result);
}

/* What the server has said, 421 and replies, may still lie there. */
static void hear_last_words(struct session *s)
{
	do {
		str_clear(&s->in);
		if (conn_read(s->conn, READ_STEP, &s->in, conn_now()) !=
		    CONN_OK)
			return;
		smtp_input(s->engine, str_slice(&s->in));
	} while (smtp_wants(s->engine) != 0);
}

/* Something was written: the watcher may be due to hear of it. */
static void tell_watcher(struct session *s)
{
	size_t left = smtp_output(s->engine).len;

	if (s->wait_since - s->told_at >= TELL_EVERY) {
		s->told_at = s->wait_since;
		s->watcher->tell(s->watcher->context, session_host_name(s),
				 s->content_done > left ? s->content_done - left
							: 0);
	}
	if (s->content_of == NULL && left == 0)
		s->content_done = 0;
}

static void write_some(struct session *s)
{
	ssize_t n = conn_write(s->conn, smtp_output(s->engine));

	if (n > 0) {
		if (s->options->verbose > 0)
			sesslog_printf(s->log, "(wrote %zd bytes)", n);
		smtp_sent(s->engine, (size_t)n);
		session_restart_clock(s);
		s->last_used = s->wait_since;
		if (s->watcher != NULL && s->content_done > 0)
			tell_watcher(s);
	} else if (n == 0) {
		wait_for_room(s);
	} else if (errno == EPIPE || errno == ECONNRESET) {
		int code = errno;

		hear_last_words(s);
		lost_by_error(s, "write to remote", code);
	} else {
		lost_by_error(s, "write to remote", errno);
	}
}

/* So many bytes of a message are on their way; its size was an estimate. */
static void note_content(struct session *s, const struct smtp_transaction *t,
			 size_t n)
{
	if (s->content_of == NULL || s->content_of != t) {
		s->content_of = t;
		s->content_done = 0;
		s->told_at = conn_now();
		if (s->watcher != NULL)
			s->watcher->begin(s->watcher->context, t);
	}
	s->content_done += n;
	if (title_is_shown(&s->title) && t->size > 0)
		title_say(
		    &s->title, "DATA %llu/%llu (%llu%%)",
		    (unsigned long long)s->content_done,
		    (unsigned long long)t->size,
		    (unsigned long long)(s->content_done * 100 / t->size));
}

static void add_content(struct session *s)
{
	struct smtp_transaction *t = smtp_body_owner(s->engine);
	struct str *sink = smtp_body_sink(s->engine);
	size_t before = sink->len;
	struct err err;
	int r = s->fill(t, smtp_body_needs_dots(s->engine), sink, &err);

	recorder_content(s->recorder, t, sink->len - before);
	if (s->watcher != NULL || title_is_shown(&s->title))
		note_content(s, t, sink->len - before);
	if (r != 0)
		s->content_of = NULL; /* another one may have its place */
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
	int64_t since = conn_now();
	unsigned ready = 0;
	enum conn_result result;

	sesslog_flush(s->log);
	result =
	    conn_wait(s->conn, CONN_READABLE, other_fd, deadline(s), &ready);
	log_wait(s, "a reply or a job", since, 0);
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

unsigned session_suspects(const struct session *s, bool *ret_was_silent)
{
	*ret_was_silent = s->was_silent;
	return s->engine == NULL ? 0 : smtp_suspects(s->engine);
}

/* ---- closing ----------------------------------------------------------- */

void session_abandon(struct session *s, const char *remark)
{
	if (s->conn == NULL)
		return;
	sesslog_printf(s->log, "(closed %s channel - %s)",
		       s->options->is_lmtp ? "LMTP" : "SMTP", remark);
	session_drop(s);
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
	title_done(&s->title);
	secret_done(&s->secret);
	str_done(&s->in);
	str_done(&s->own_name);
	reach_free(s->reach);
	arena_free(s->arena);
	free(s);
}
