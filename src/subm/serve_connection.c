/*
 * serve_connection.c - who is connected to the submission socket.
 *
 * A connection that has much to be told and does not read is not read either.
 * Somebody who closes before all answers are there does not want them.
 */
#include "subm/serve_internal.h"

#include "base/fd.h"
#include "base/mem.h"
#include "net/unixsock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sysexits.h>

enum { SLOT_BITS = 16 };

/* Of eight places ordinary users get seven. */
static size_t max_ordinary(const struct serve *s)
{
	return s->o->max_connections - s->o->max_connections / 8;
}

struct serve_connection *serve_find(const struct serve *s, uint64_t id)
{
	size_t slot = id & ((1U << SLOT_BITS) - 1);
	struct serve_connection *c = slot < s->n_slots ? s->slots[slot] : NULL;

	return c != NULL && c->id == id ? c : NULL;
}

void serve_touch(struct serve *s, struct serve_connection *c)
{
	if (c->is_touched)
		return;
	c->is_touched = true;
	c->next_touched = s->touched;
	s->touched = c;
}

static void forget_touch(struct serve *s, struct serve_connection *c)
{
	struct serve_connection **at = &s->touched;

	if (!c->is_touched)
		return;
	while (*at != c)
		at = &(*at)->next_touched;
	*at = c->next_touched;
}

static void set_rest(struct serve *s, struct serve_connection *c,
		     struct slice rest)
{
	s->n_delayed -= c->rest.len > 0;
	s->n_delayed += rest.len > 0;
	if (rest.len > 0)
		str_add(&c->rest, rest);
	else
		str_done(&c->rest);
}

void serve_close(struct serve *s, struct serve_connection *c)
{
	forget_touch(s, c);
	set_rest(s, c, SLICE(""));
	s->slots[c->slot] = NULL;
	s->n_connections--;
	s->is_full = false;
	c->person->n_connections--;
	serve_forget(s, c);
	fd_close(c->fd);
	wire_done(&c->wire);
	str_done(&c->out);
	arena_free(c->a);
	serve_rules_drop(c->rules);
	free(c);
}

/* ---- reading ------------------------------------------------------------ */

void serve_refuse(struct serve *s, struct serve_connection *c, int code,
		  const char *why)
{
	serve_log(s, c->person, "refused: %s", why);
	wire_add_answer(&c->out, code, slice_of(why));
	serve_forget(s, c);
	set_rest(s, c, SLICE(""));
	c->state = SERVE_CLOSING;
	serve_touch(s, c);
}

/* Where the turn is over while bytes are left, these wait for the next one. */
static void take(struct serve *s, struct serve_connection *c,
		 struct slice bytes)
{
	struct err err = { 0 };

	c->heard = s->now;
	if (serve_take(s, c, &bytes, &err) < 0)
		serve_refuse(s, c, EX_DATAERR, err.text);
	else
		set_rest(s, c, bytes);
}

void serve_read(struct serve *s, struct serve_connection *c)
{
	ssize_t n;

	if (c->rest.len > 0 || !serve_has_turn(s, c))
		return; /* the next round sees to it */
	n = recv(c->fd, s->buffer, SERVE_READ_MAX, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		serve_forget(s, c);
		c->state = SERVE_CLOSING;
		if (n < 0)
			str_clear(&c->out); /* nobody can be told */
		serve_touch(s, c);
		return;
	}
	take(s, c, slice_make(s->buffer, (size_t)n));
}

void serve_resume(struct serve *s)
{
	for (size_t i = 0; s->n_delayed > 0 && i < s->n_slots; i++) {
		/* Not always the same is first. */
		struct serve_connection *c =
		    s->slots[(i + s->round) % s->n_slots];
		struct str rest;

		if (c == NULL || c->rest.len == 0 || !serve_has_turn(s, c))
			continue;
		rest = c->rest;
		c->rest = STR_INIT;
		s->n_delayed--;
		take(s, c, str_slice(&rest));
		str_done(&rest);
		serve_touch(s, c);
	}
}

/* ---- tending ------------------------------------------------------------ */

/* Tells epoll what is wanted now. */
static void watch(struct serve *s, struct serve_connection *c)
{
	struct epoll_event event = { .data.u64 = c->id };

	if (c->state != SERVE_CLOSING && c->out.len < SERVE_OUT_MAX &&
	    c->rest.len == 0)
		event.events |= EPOLLIN;
	if (c->out.len > 0)
		event.events |= EPOLLOUT;
	if (event.events == c->events)
		return;
	if (epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->fd, &event) == 0)
		c->events = event.events;
}

/* Sends what can be sent; false: the connection is done with. */
static bool send_answers(struct serve_connection *c)
{
	ssize_t n;

	if (c->out.len == 0)
		return c->state != SERVE_CLOSING || c->n_waiting > 0;
	n = send(c->fd, c->out.p, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		c->state = SERVE_CLOSING;
		str_clear(&c->out);
	} else if (n > 0) {
		str_shift(&c->out, (size_t)n);
	}
	return c->out.len > 0 || c->n_waiting > 0 || c->state != SERVE_CLOSING;
}

/* So long one may be silent, or busy with one message, at the end. */
enum { LAST_SILENCE = 2, LAST_TOTAL = 30 };

static bool is_late(const struct serve *s, const struct serve_connection *c)
{
	const struct subm_limits *limits = &s->rules->r.limits;
	int64_t silence = s->now - c->heard;

	if (s->stopping != 0)
		return silence > LAST_SILENCE ||
		       s->now - s->stopping > LAST_TOTAL;
	if (c->person->is_trusted && c->state != SERVE_CLOSING)
		return false;
	if (limits->silence > 0 && silence > limits->silence)
		return true;
	return limits->total > 0 && c->begun > 0 &&
	       s->now - c->begun > limits->total;
}

static void tend_one(struct serve *s, struct serve_connection *c)
{
	if (c->state == SERVE_CLOSING && is_late(s, c)) {
		serve_close(s, c);
		return;
	}
	if (c->state != SERVE_CLOSING && is_late(s, c)) {
		serve_refuse(s, c, EX_TEMPFAIL,
			     s->stopping != 0
				 ? "the service ends; try again later"
				 : "the message came too slowly");
		c->heard = s->now; /* time to read that */
	} else if (s->stopping != 0 && c->begun == 0 && s->now > s->stopping) {
		set_rest(s, c, SLICE(""));
		c->state = SERVE_CLOSING;
	}
	if (send_answers(c))
		watch(s, c);
	else
		serve_close(s, c);
}

void serve_tend(struct serve *s, bool of_all)
{
	for (size_t i = 0; of_all && i < s->n_slots; i++)
		if (s->slots[i] != NULL)
			serve_touch(s, s->slots[i]);
	while (s->touched != NULL) {
		struct serve_connection *c = s->touched;

		s->touched = c->next_touched;
		c->is_touched = false;
		tend_one(s, c);
	}
}

/* ---- coming ------------------------------------------------------------- */

/* There is one, since there are fewer connections than slots. */
static size_t free_slot(struct serve *s)
{
	size_t slot = 0;

	while (s->slots[slot] != NULL)
		slot++;
	if (slot >= s->n_slots)
		s->n_slots = slot + 1;
	return slot;
}

static struct serve_connection *new_connection(struct serve *s, int fd,
					       uid_t uid)
{
	struct serve_connection *c = mem_zero(1, sizeof(*c));

	c->slot = free_slot(s);
	c->id = ++s->last_serial << SLOT_BITS | c->slot;
	c->fd = fd;
	c->person = subm_people_find(&s->people, uid, s->now);
	c->person->n_connections++;
	c->a = arena_new();
	c->heard = s->now;
	c->events = EPOLLIN;
	s->slots[c->slot] = c;
	s->n_connections++;
	return c;
}

static void add_connection(struct serve *s, int fd, uid_t uid)
{
	struct serve_connection *c = new_connection(s, fd, uid);
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = c->id };
	uint64_t limit = s->rules->r.limits.connections;

	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		serve_close(s, c);
		return;
	}
	if (c->person->is_trusted ||
	    ((limit == 0 || c->person->n_connections <= limit) &&
	     s->n_connections <= max_ordinary(s))) {
		serve_read(s, c); /* mostly it is there already */
		return;
	}
	serve_refuse(s, c, EX_TEMPFAIL,
		     "too many connections; try again later");
	tend_one(s, c); /* mostly the end of it: others need the place */
}

void serve_accept(struct serve *s, size_t most)
{
	struct unixsock_peer peer;
	struct err err;

	for (; s->n_connections < s->o->max_connections; most--) {
		int fd;

		if (most == 0)
			return; /* they come without end */
		fd = unixsock_accept(s->listener, &peer, &err);
		if (fd >= 0) {
			add_connection(s, fd, peer.uid);
			continue;
		}
		if (err.code != EAGAIN && err.code != EINTR &&
		    err.code != ECONNABORTED) {
			serve_log(s, NULL, "%s", err.text);
			s->is_full = true; /* until one has ended */
		}
		return;
	}
	s->is_full = true;
}
