/*
 * session_open.c - reaching a host: from its addresses to an open session.
 *
 * The addresses of one preference race for the connection (net/race.h) until
 * one gives a usable greeting and takes EHLO (or HELO), then those of the
 * next; what each came to is remembered for the report.
 */
#include "agent/agent.h"
#include "net/race.h"
#include "smtpta/dial.h"
#include "smtpta/session_internal.h"

/* All addresses together have so many times the time of one. */
enum { CONNECT_TIMES = 4 };

/* The search for a session, over all addresses. */
struct search {
	struct session *s;
	int64_t time_left; /* for connecting, milliseconds */
	bool all_refuse_for_good, all_lack_requiretls;
	struct session_try last; /* that failed */
	/* The race that is on: its addresses, and their places in the route. */
	struct net_addr *addrs;
	size_t *places;
	size_t n;
	int64_t winner_began;
};

/* RFC 7504: hosts that say they never take mail, every one of them. */
static bool never_takes_mail(const struct session_try *a)
{
	return a->phase == SMTP_PHASE_GREETING &&
	       (a->code == 521 || a->code == 556);
}

static void refuse_for_good(struct session *s, const struct session_try *last)
{
	struct diag *d = ARENA_NEW(s->arena, struct diag);

	*d = *last->diag;
	d->fate = FATE_FAILED;
	d->status = last->code == 556 ? SLICE("5.1.10") : SLICE("5.3.2");
	s->failure = d;
}

/*
 * RFC 8689 4.2.1: every host was asked, over verified TLS, and none would keep
 * the promise.
 */
static void refuse_requiretls(struct session *s, const struct session_try *last)
{
	struct diag *d = ARENA_NEW(s->arena, struct diag);

	*d = *last->diag;
	d->fate = FATE_FAILED;
	d->status = SLICE("5.7.30 (REQUIRETLS support required)");
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

static void note_failure(struct search *search, struct session_try failed)
{
	struct session *s = search->s;

	pass(s);
	search->last = failed;
	search->all_refuse_for_good &= never_takes_mail(&failed);
	search->all_lack_requiretls &= failed.lacks_requiretls;
	s->failure = failed.diag;
	s->saw_outage = true;
}

/* What happens to the addresses of a race, but for its winner. */
static void on_news(void *context, const struct race_news *news)
{
	struct search *search = context;
	struct session *s = search->s;
	struct session_try failed;

	if (news->state == RACE_CONNECTED) {
		search->winner_began = news->began;
		return;
	}
	if (news->state == RACE_BEGUN) {
		session_before_dial(s, search->places[news->index]);
		return;
	}
	session_set_address(s, search->places[news->index]);
	session_record_try(s, news->began);
	if (news->state == RACE_LOST) {
		session_remark(s, "(%.*s: another was faster)",
			       SLICE_ARG(s->connection));
		recorder_overtaken(s->recorder);
		return;
	}
	failed = session_dial_failed(s, news->failure, news->err);
	recorder_failed(s->recorder, failed.diag, 0);
	note_failure(search, failed);
}

/* True if the winner of a race takes mail. */
static bool try_winner(struct search *search, size_t index)
{
	struct session *s = search->s;
	struct session_try a;

	session_set_address(s, search->places[index]);
	session_record_try(s, search->winner_began);
	a = session_greet(s);
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
	if (race_left(race) > 0)
		search->all_refuse_for_good = search->all_lack_requiretls =
		    false;
	race_free(race);
	return is_open;
}

/* Passes over the addresses in line whose hosts must not get this mail. */
static void judge_line(struct search *search)
{
	struct session *s = search->s;
	struct session_try failed;
	size_t kept = 0;

	session_judge(s, search->places, search->n);
	for (size_t i = 0; i < search->n; i++) {
		if (session_may_dial(s, search->places[i], &failed)) {
			search->addrs[kept] = search->addrs[i];
			search->places[kept++] = search->places[i];
			continue;
		}
		session_record_try(s, conn_now());
		session_record_security(s);
		recorder_failed(s->recorder, failed.diag, 0);
		note_failure(search, failed);
	}
	search->n = kept;
}

/*
 * Are all hosts of the destination on the route? One whose addresses nobody
 * tells now, or that was one too many, might do what all others will not.
 */
static bool is_whole(const struct route *r)
{
	const struct mx_decision *d;

	if (r->way == NULL)
		return true;
	d = &r->way->decision;
	for (size_t i = 0; i < d->n_hosts; i++)
		if (d->hosts[i].fate == MX_IS_UNKNOWN ||
		    d->hosts[i].fate == MX_IS_TOO_MUCH)
			return false;
	return true;
}

static bool try_route(struct session *s)
{
	const struct route *route = &s->route;
	bool is_all = s->terms->avoid.n == 0 && is_whole(route);
	struct search search = {
		.s = s,
		.time_left =
		    CONNECT_TIMES * 1000 * (int64_t)s->options->timeouts.conn,
		.all_refuse_for_good = is_all,
		.all_lack_requiretls = is_all,
		.addrs = arena_array(s->arena, route->n, sizeof(*search.addrs)),
		.places =
		    arena_array(s->arena, route->n, sizeof(*search.places)),
	};
	unsigned last_level = route->hosts[route->n - 1].level;

	log_route(s, route);
	s->passed = arena_array(s->arena, route->n, sizeof(*s->passed));
	for (unsigned level = 0; level <= last_level; level++) {
		line_up(&search, level);
		judge_line(&search);
		if (search.n == 0)
			continue;
		if (agent_is_interrupted())
			return false;
		if (try_level(&search))
			return true;
	}
	if (search.last.diag != NULL && search.all_refuse_for_good)
		refuse_for_good(s, &search.last);
	if (search.last.diag != NULL && search.all_lack_requiretls)
		refuse_requiretls(s, &search.last);
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

	return session_keep_diag(s, &d);
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
	s->request = terms->request;
	s->saw_outage = false;
	s->at = s->n_passed = 0;
	title_set_peer(&s->title, slice_make(NULL, 0), host, false);
	title_say(&s->title, "MX-lookup: %.*s", SLICE_ARG(host));
	s->route = route_find(s->options, s->dns, host, s->arena);
	record_site(s);
	session_begin_destination(s);
	if (s->route.n == 0)
		s->remote_mta = route_remote_mta(&s->route, 0, s->arena);
	if (s->route.failure != NULL)
		s->failure = session_keep_diag(s, s->route.failure);
	else if (try_route(s)) {
		s->number++;
		return true;
	}
	/* That we are leaving says nothing about the host. */
	if (agent_is_interrupted())
		s->failure = interrupted(s);
	*ret_why = s->failure;
	return false;
}
