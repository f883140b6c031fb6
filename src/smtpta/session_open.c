/*
 * session_open.c - reaching a host: from its addresses to an open session.
 *
 * The addresses of one preference race for the connection (net/race.h) until
 * one gives a usable greeting and takes EHLO (or HELO), then those of the
 * next; what each came to is remembered for the report.
 */
#include "agent/agent.h"
#include "net/lookup.h"
#include "net/race.h"
#include "smtp/path.h"
#include "smtpta/dial.h"
#include "smtpta/session_internal.h"

/* All addresses together have so many times the time of one. */
enum { CONNECT_TIMES = 4 };

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

/* What one address came to. */
struct attempt {
	bool is_ready;
	const struct diag *diag; /* why not; in the session's arena */
	unsigned code;		 /* of a refusal; 0: none came */
	enum smtp_phase phase;
};

/* The search for a session, over all addresses. */
struct search {
	struct session *s;
	int64_t time_left; /* for connecting, milliseconds */
	bool all_refuse_for_good;
	struct attempt last; /* that failed */
	/* The race that is on: its addresses, and their places in the route. */
	struct net_addr *addrs;
	size_t *places;
	size_t n;
	int64_t winner_began;
};

/* A diag that outlives the engine it came from. */
static const struct diag *keep_diag(struct session *s, const struct diag *d)
{
	struct diag *copy = diag_copy(d, s->arena);

	copy->remote_mta = s->remote_mta;
	copy->connection = s->connection;
	return copy;
}

/* Whose the address is that is tried, for reports. */
static struct slice host_name(const struct session *s)
{
	return s->route.way != NULL ? s->route.hosts[s->at].name : s->host;
}

static struct attempt dial_failed(struct session *s, int failure,
				  const struct err *err)
{
	struct diag d = { 0 };
	struct attempt failed = { .phase = SMTP_PHASE_CONNECT };
	struct str address = STR_INIT;
	const char *shown;

	net_addr_print(&address, &s->route.addrs[s->at]);
	shown = str_cstr(&address);
	dial_judge(failure, err, &d);
	d.diagnostic =
	    arena_printf(s->arena, "smtp; 466 (connect to %.*s [%s]: %s)",
			 SLICE_ARG(host_name(s)), shown, err->text);
	d.text = d.diagnostic;
	session_remark(s, "(connect to %s: %s)", shown, err->text);
	title_say(&s->title, "[%s]: %s", shown, err->text);
	failed.diag = keep_diag(s, &d);
	str_done(&address);
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

/* What is said from now on is about this address of the route. */
static void set_address(struct session *s, size_t place)
{
	struct str end = STR_INIT;

	s->at = place;
	s->remote_mta = route_remote_mta(&s->route, place, s->arena);
	dial_print_end(&end, &s->route.addrs[place]);
	s->connection = arena_dup(s->arena, str_slice(&end));
	str_done(&end);
}

static void before_dial(struct session *s, size_t place)
{
	struct str address = STR_INIT;

	set_address(s, place);
	net_addr_print(&address, &s->route.addrs[place]);
	title_set_peer(&s->title, s->connection, s->host, false);
	title_say(&s->title, "connecting to [%s]", str_cstr(&address));
	session_remark(s, "(Connecting to `%.*s' [%.*s])",
		       SLICE_ARG(host_name(s)), SLICE_ARG(s->connection));
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

static void record_try(struct session *s, int64_t began)
{
	recorder_try(s->recorder, s->route.hosts[s->at].name,
		     &s->route.addrs[s->at], began);
}

static int64_t tell_time(void *context)
{
	const struct session *s = context;

	return s->wall_time();
}

static struct smtp_config engine_config(struct session *s, bool no_esmtp)
{
	const struct smtpta_options *o = s->options;
	unsigned ignored = s->terms->ignored;

	if (o->no_pipelining)
		ignored |= SMTP_EXT_PIPELINING;
	if (o->seven_bit)
		ignored |= SMTP_EXT_8BITMIME | SMTP_EXT_SMTPUTF8;
	return (struct smtp_config){
		.is_lmtp = o->is_lmtp,
		.no_esmtp = no_esmtp && !o->is_lmtp,
		.esmtp_only_if_greeted = o->esmtp_if_greeted,
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

/* From a connection to a session. */
static struct attempt greet(struct session *s, bool no_esmtp)
{
	struct smtp_config config;
	struct attempt result;

	s->wall_time = s->terms->wall_time;
	after_dial(s);
	config = engine_config(s, no_esmtp);
	secret_done(&s->secret);
	s->engine = smtp_new(&config);
	session_restart_clock(s);
	s->last_used = s->wait_since;
	result = say_hello(s);
	if (result.is_ready) {
		recorder_ready(s->recorder);
		return result;
	}
	session_drop(s);
	recorder_failed(s->recorder, result.diag, result.code);
	return result;
}

/* The same address once more, with HELO. */
static struct attempt greet_anew(struct session *s)
{
	struct conn_options how = dial_options(s->options, s->host);
	struct attempt result;
	struct err err;
	int failure;

	dial_resolve(&how, s->dns);
	before_dial(s, s->at);
	record_try(s, conn_now());
	failure = conn_dial(&s->route.addrs[s->at], &how, &s->conn, &err);
	if (failure == 0)
		return greet(s, true);
	result = dial_failed(s, failure, &err);
	recorder_failed(s->recorder, result.diag, 0);
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

/* An address was tried, and is not to be tried again. */
static void pass(struct session *s)
{
	s->passed[s->n_passed++] = s->route.addrs[s->at];
}

static void note_failure(struct search *search, struct attempt failed)
{
	struct session *s = search->s;

	pass(s);
	search->last = failed;
	search->all_refuse_for_good &= never_takes_mail(&failed);
	s->failure = failed.diag;
	s->saw_outage = true;
}

/* What happens to the addresses of a race, but for its winner. */
static void on_news(void *context, const struct race_news *news)
{
	struct search *search = context;
	struct session *s = search->s;
	struct attempt failed;

	if (news->state == RACE_CONNECTED) {
		search->winner_began = news->began;
		return;
	}
	if (news->state == RACE_BEGUN) {
		before_dial(s, search->places[news->index]);
		return;
	}
	set_address(s, search->places[news->index]);
	record_try(s, news->began);
	if (news->state == RACE_LOST) {
		session_remark(s, "(%.*s: another was faster)",
			       SLICE_ARG(s->connection));
		recorder_overtaken(s->recorder);
		return;
	}
	failed = dial_failed(s, news->failure, news->err);
	recorder_failed(s->recorder, failed.diag, 0);
	note_failure(search, failed);
}

/* True if the winner of a race takes mail. */
static bool try_winner(struct search *search, size_t index)
{
	struct session *s = search->s;
	struct attempt a;

	set_address(s, search->places[index]);
	record_try(s, search->winner_began);
	a = greet(s, s->options->no_esmtp);
	if (!a.is_ready && deserves_helo(s, &a))
		a = greet_anew(s);
	if (a.is_ready) {
		pass(s);
		return true;
	}
	reach_failed(s->reach, &s->route.addrs[s->at], 0, conn_now());
	note_failure(search, a);
	return false;
}

/* The i'th of the line goes to its head. */
static void put_first(struct search *search, size_t i)
{
	struct net_addr addr = search->addrs[i];
	size_t place = search->places[i];

	for (; i > 0; i--) {
		search->addrs[i] = search->addrs[i - 1];
		search->places[i] = search->places[i - 1];
	}
	search->addrs[0] = addr;
	search->places[0] = place;
}

/* Lines up the addresses of a level that may be tried. */
static void line_up(struct search *search, unsigned level)
{
	struct session *s = search->s;
	struct tried passed = { .addrs = s->passed, .n = s->n_passed };

	search->n = 0;
	for (size_t i = 0; i < s->route.n; i++) {
		const struct net_addr *addr = &s->route.addrs[i];
		struct tried in = { .addrs = search->addrs, .n = search->n };

		if (s->route.hosts[i].level != level || tried_has(&in, addr) ||
		    tried_has(&passed, addr) ||
		    tried_has(&s->terms->avoid, addr))
			continue;
		search->addrs[search->n] = *addr;
		search->places[search->n++] = i;
		if (s->terms->first != NULL &&
		    net_addr_same_host(addr, s->terms->first))
			put_first(search, search->n - 1);
	}
}

/* True if an address of the level took us. */
static bool try_level(struct search *search)
{
	struct session *s = search->s;
	struct race_options how = {
		.conn = dial_options(s->options, s->host),
		.deadline = conn_now() + search->time_left,
		.reach = s->reach,
		.tell = on_news,
		.context = search,
	};
	struct race *race;
	bool is_open = false;
	size_t winner;

	dial_resolve(&how.conn, s->dns);
	race = race_new(search->addrs, search->n, &how);
	while (!is_open && !agent_is_interrupted()) {
		int64_t began = conn_now(), connected;

		if (race_next(race, &s->conn, &winner) != RACE_WON) {
			search->time_left -= conn_now() - began;
			break;
		}
		connected = conn_now();
		search->time_left -= connected - began;
		is_open = try_winner(search, winner);
		race_extend(race, conn_now() - connected);
	}
	search->all_refuse_for_good &= race_left(race) == 0;
	race_free(race);
	return is_open;
}

static bool try_route(struct session *s)
{
	const struct route *route = &s->route;
	struct search search = {
		.s = s,
		.time_left =
		    CONNECT_TIMES * 1000 * (int64_t)s->options->timeouts.conn,
		.all_refuse_for_good = s->terms->avoid.n == 0,
		.addrs = arena_array(s->arena, route->n, sizeof(*search.addrs)),
		.places =
		    arena_array(s->arena, route->n, sizeof(*search.places)),
	};
	unsigned last_level = route->hosts[route->n - 1].level;

	log_route(s, route);
	s->passed = arena_array(s->arena, route->n, sizeof(*s->passed));
	for (unsigned level = 0; level <= last_level; level++) {
		line_up(&search, level);
		if (search.n == 0)
			continue;
		if (agent_is_interrupted())
			return false;
		if (try_level(&search))
			return true;
	}
	if (search.last.diag != NULL && search.all_refuse_for_good)
		refuse_for_good(s, &search.last);
	return false;
}

static void record_site(struct session *s)
{
	size_t n = 0;

	while (n < s->route.n && s->route.hosts[n].level == 0)
		n++;
	recorder_site(s->recorder, s->route.site, s->route.addrs, n);
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
		int64_t rest = conn_now() - s->last_used;

		if (rest > (int64_t)s->options->probe_after * 1000)
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
	s->at = s->n_passed = 0;
	title_set_peer(&s->title, slice_make(NULL, 0), host, false);
	title_say(&s->title, "MX-lookup: %.*s", SLICE_ARG(host));
	s->route = route_find(s->options, s->dns, host, s->arena);
	record_site(s);
	if (s->route.n == 0)
		s->remote_mta = route_remote_mta(&s->route, 0, s->arena);
	if (s->route.failure != NULL)
		s->failure = keep_diag(s, s->route.failure);
	else if (try_route(s))
		return true;
	/* That we are leaving says nothing about the host. */
	if (agent_is_interrupted())
		s->failure = interrupted(s);
	*ret_why = s->failure;
	return false;
}
