/*
 * race.c - a race for a connection to one of several addresses.
 *
 * `waiting` holds those not yet tried, in the order of their start, and
 * `running` those under way, in the order they were started; between calls of
 * race_next() nothing is under way. With a single address it all comes down to
 * one connect(2) and one poll(2).
 */
#include "net/race.h"

#include "base/fd.h"
#include "base/mem.h"
#include "net/socket.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

struct runner {
	size_t index;
	int fd;
	bool is_ready; /* for a look at what came of it */
	int64_t began;
};

/* Where the sockets of a family come from, found out when it is needed. */
struct origin {
	bool is_known;
	int result; /* of local_choose() */
	struct net_addr addr;
	struct err err;
};

struct race {
	struct race_options o;
	struct net_addr *addrs;
	size_t *waiting, n_waiting;
	struct runner running[RACE_RUNNERS_MAX];
	size_t n_running;
	size_t max_running; /* fewer once descriptors have run out */
	int64_t next_start;
	struct origin v4, v6, other;
	int failure; /* of the last that failed, and why */
	struct err err;
};

struct race *race_new(const struct net_addr *addrs, size_t n,
		      const struct race_options *o)
{
	struct race *r = mem_zero(1, sizeof(*r));

	r->o = *o;
	if (r->o.stagger_ms == 0)
		r->o.stagger_ms = RACE_STAGGER_MS;
	if (r->o.deadline == 0)
		r->o.deadline = INT64_MAX;
	r->addrs = mem_zero(n, sizeof(*r->addrs));
	memcpy(r->addrs, addrs, n * sizeof(*addrs));
	r->waiting = mem_zero(n, sizeof(*r->waiting));
	r->n_waiting = n;
	r->max_running = RACE_RUNNERS_MAX;
	reach_order(o->reach, addrs, n, conn_now(), r->waiting);
	return r;
}

void race_free(struct race *r)
{
	if (r == NULL)
		return;
	free(r->addrs);
	free(r->waiting);
	free(r);
}

/* ---- local ends --------------------------------------------------------- */

static const struct origin *origin_of(struct race *r, sa_family_t family)
{
	struct origin *o = family == AF_INET	? &r->v4
			   : family == AF_INET6 ? &r->v6
						: &r->other;

	if (!o->is_known)
		o->result =
		    local_choose(&r->o.conn.from, family, &o->addr, &o->err);
	o->is_known = true;
	return o;
}

/* ---- beginning and ending ----------------------------------------------- */

static void tell(struct race *r, const struct runner *x, enum race_state state)
{
	const struct net_addr *addr = &r->addrs[x->index];
	const struct origin *from = origin_of(r, addr->u.any.sa_family);
	struct race_news news = {
		.state = state,
		.index = x->index,
		.addr = addr,
		.local = from->addr.len > 0 ? &from->addr : NULL,
		.began = x->began,
		.ended = state == RACE_BEGUN ? x->began : conn_now(),
	};

	if (state == RACE_FAILED) {
		news.failure = r->failure;
		news.err = &r->err;
	}
	if (r->o.tell != NULL)
		r->o.tell(r->o.context, &news);
}

static void note_failure(struct race *r, const struct runner *x, int code)
{
	if (r->o.reach != NULL)
		reach_failed(r->o.reach, &r->addrs[x->index], code, conn_now());
}

/* It has failed, for the reason in r->err. The next may start at once. */
static void fail(struct race *r, const struct runner *x, int failure)
{
	fd_close(x->fd);
	r->failure = failure;
	if (failure == CONN_NO_CONNECTION)
		note_failure(r, x, r->err.code);
	r->next_start = conn_now();
	r->max_running = RACE_RUNNERS_MAX;
	tell(r, x, RACE_FAILED);
}

static void fail_with(struct race *r, const struct runner *x, int code)
{
	err_set(&r->err, code, "%s", strerror(code));
	fail(r, x, CONN_NO_CONNECTION);
}

static void remove_runner(struct race *r, size_t i)
{
	r->n_running--;
	memmove(&r->running[i], &r->running[i + 1],
		(r->n_running - i) * sizeof(r->running[0]));
}

static void fail_all(struct race *r, int code)
{
	while (r->n_running > 0) {
		struct runner x = r->running[0];

		remove_runner(r, 0);
		fail_with(r, &x, code);
	}
}

static size_t take_first(struct race *r)
{
	size_t index = r->waiting[0];

	r->n_waiting--;
	memmove(r->waiting, r->waiting + 1,
		r->n_waiting * sizeof(r->waiting[0]));
	return index;
}

static void put_first(struct race *r, size_t index)
{
	memmove(r->waiting + 1, r->waiting,
		r->n_waiting * sizeof(r->waiting[0]));
	r->waiting[0] = index;
	r->n_waiting++;
}

/* A descriptor, or a value of a dial that failed with r->err filled. */
static int begin(struct race *r, const struct net_addr *addr,
		 bool *ret_has_arrived)
{
	const struct origin *from = origin_of(r, addr->u.any.sa_family);

	if (from->result < 0) {
		err_set(&r->err, from->err.code, "bind: %s", from->err.text);
		return CONN_NO_BIND;
	}
	return socket_begin(addr, &from->addr, &r->o.conn, ret_has_arrived,
			    &r->err);
}

static void start_one(struct race *r, int64_t now)
{
	struct runner x = { .index = take_first(r), .fd = -1, .began = now };
	int fd = begin(r, &r->addrs[x.index], &x.is_ready);

	/* What we lack is there again when one of the others has ended. */
	if (fd < 0 && reach_is_our_lack(r->err.code) && r->n_running > 0) {
		put_first(r, x.index);
		r->max_running = r->n_running;
		return;
	}
	tell(r, &x, RACE_BEGUN);
	if (fd < 0) {
		fail(r, &x, fd);
		return;
	}
	x.fd = fd;
	r->running[r->n_running++] = x;
	r->next_start = now + r->o.stagger_ms;
}

/* ---- waiting ------------------------------------------------------------ */

static int64_t deadline_of(const struct race *r, const struct runner *x)
{
	int64_t own = x->began + r->o.conn.timeout_ms;

	return own < r->o.deadline ? own : r->o.deadline;
}

static bool can_start(const struct race *r)
{
	return r->n_waiting > 0 && r->n_running < r->max_running;
}

/* Nobody starts any more beside one who may be there. */
static bool is_due(const struct race *r, int64_t now)
{
	for (size_t i = 0; i < r->n_running; i++)
		if (r->running[i].is_ready)
			return false;
	return can_start(r) && now >= r->next_start && now < r->o.deadline;
}

static bool should_stop(const struct race *r)
{
	return r->o.conn.should_stop != NULL && r->o.conn.should_stop();
}

/* Waits until something has to be done. False if it is to be dropped. */
static bool watch(struct race *r)
{
	struct pollfd p[RACE_RUNNERS_MAX];
	int64_t until = can_start(r) ? r->next_start : INT64_MAX;
	int n;

	for (size_t i = 0; i < r->n_running; i++) {
		int64_t end = deadline_of(r, &r->running[i]);

		p[i] = (struct pollfd){ .fd = r->running[i].fd,
					.events = POLLOUT };
		until = end < until ? end : until;
	}
	n = poll(p, r->n_running, conn_wait_ms(until));
	if (n < 0 && errno != EINTR)
		fail_all(r, errno);
	/* A signal may have come before poll(). */
	if (n <= 0)
		return !should_stop(r);
	for (size_t i = 0; i < r->n_running; i++)
		r->running[i].is_ready = p[i].revents != 0;
	return true;
}

/* The time of some is over; what came in time counts even if we are late. */
static void expire(struct race *r)
{
	int64_t now = conn_now();

	for (size_t i = 0; i < r->n_running;) {
		struct runner x = r->running[i];

		if (x.is_ready || now < deadline_of(r, &x)) {
			i++;
			continue;
		}
		remove_runner(r, i);
		fail_with(r, &x, ETIMEDOUT);
	}
}

/* ---- winning and losing ------------------------------------------------- */

/*
 * Ends all others. The first n_overtaken of them began before the winner:
 * those who had time enough to answer are remembered.
 */
static void end_losers(struct race *r, size_t n_overtaken)
{
	int64_t now = conn_now();

	for (size_t i = 0; i < n_overtaken; i++) {
		const struct runner *x = &r->running[i];

		r->waiting[r->n_waiting++] = x->index;
		if (now - x->began >= r->o.stagger_ms)
			note_failure(r, x, ETIMEDOUT);
	}
	for (size_t i = r->n_running; i > n_overtaken; i--)
		put_first(r, r->running[i - 1].index);
	for (size_t i = 0; i < r->n_running; i++) {
		fd_close(r->running[i].fd);
		tell(r, &r->running[i], RACE_LOST);
	}
	r->n_running = 0;
	r->max_running = RACE_RUNNERS_MAX;
}

/* Looks at those that are ready. True if one of them has won. */
static bool find_winner(struct race *r, struct runner *ret)
{
	for (size_t i = 0; i < r->n_running;) {
		struct runner x = r->running[i];

		if (!x.is_ready) {
			i++;
			continue;
		}
		remove_runner(r, i);
		if (socket_arrive(x.fd, &r->err) < 0) {
			fail(r, &x, CONN_NO_CONNECTION);
			continue;
		}
		if (r->o.reach != NULL)
			reach_worked(r->o.reach, &r->addrs[x.index]);
		tell(r, &x, RACE_CONNECTED);
		end_losers(r, i);
		*ret = x;
		return true;
	}
	return false;
}

enum race_result race_next(struct race *r, struct conn **ret_conn,
			   size_t *ret_index)
{
	struct runner winner;

	r->next_start = conn_now();
	while (r->n_running > 0 || r->n_waiting > 0) {
		if (r->n_running > 0 && !watch(r)) {
			fail_all(r, EINTR);
			return RACE_STOPPED;
		}
		expire(r);
		if (is_due(r, conn_now()))
			start_one(r, conn_now());
		if (find_winner(r, &winner)) {
			*ret_conn =
			    conn_adopt(winner.fd, &r->addrs[winner.index]);
			*ret_index = winner.index;
			return RACE_WON;
		}
		if (r->n_running > 0 || r->n_waiting == 0)
			continue;
		if (conn_now() >= r->o.deadline)
			return RACE_TIMEOUT;
		if (should_stop(r))
			return RACE_STOPPED;
	}
	return RACE_OVER;
}

void race_extend(struct race *r, int64_t ms)
{
	if (r->o.deadline <= INT64_MAX - ms)
		r->o.deadline += ms;
}

int race_failure(const struct race *r, struct err *err)
{
	if (r->failure != 0 && err != NULL)
		*err = r->err;
	return r->failure;
}

size_t race_left(const struct race *r)
{
	return r->n_waiting;
}
