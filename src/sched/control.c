/*
 * control.c - a UNIX socket where others ask and command: its connections.
 *
 *	request = command LF
 *	answer  = *( line LF ) last LF
 *	last    = "ok" / "error: " text
 *
 * A connection takes any number of requests and answers them in their order,
 * one at a time: the next line is read when all of the answer before it has
 * been written. So what is kept for a client is bounded, however long answers
 * are and however slowly they are read; each turn of the event loop does one
 * request, or one piece of an answer, for a client, and then whatever else
 * there is to do. A line without its LF is no request, also at the end.
 *
 * Anybody may connect, to ask what control_do() lets anybody ask. Those who
 * are neither root nor run as we do get few places, so that they can never
 * keep out those who are, and have to rest between two requests, so that they
 * can never keep us busy.
 */
#include "sched/control.h"

#include "net/unixsock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

enum {
	CLIENTS_MAX = 32,
	STRANGERS_MAX = 12, /* of them all together */
	STRANGER_MAX = 4,   /* of one user */
	REQUEST_MAX = 16384,
	STRANGER_SECONDS = 30, /* that one may be silent, or not read */
	FRIEND_SECONDS = 300,
	REST_US = 10000, /* of strangers, before each request */
	ACCEPT_AGAIN = 1 /* seconds, when there was no descriptor left */
};

struct sched_client {
	LIST_ENTRY(sched_client) link;
	struct sched *sched;
	struct bufferevent *bev;
	struct event *again; /* the next piece, in the next turn */
	struct control_work work;
	uid_t uid;
	bool is_at_end; /* no more requests come */
	bool must_rest; /* before the next request; and: it does */
	bool is_resting;
};

static bool is_friend(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

/* ---- requests ----------------------------------------------------------- */

static void drop(struct sched_client *c)
{
	LIST_REMOVE(c, link);
	c->sched->n_clients--;
	control_work_end(&c->work);
	event_free(c->again);
	bufferevent_free(c->bev);
	free(c);
}

/* Answers the next whole line. False: there is none. */
static bool next_request(struct sched_client *c, struct str *to)
{
	struct control_request r = { .uid = c->uid,
				     .work = &c->work,
				     .to = to };
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t len;
	char *line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);

	if (line == NULL && evbuffer_get_length(in) <= REQUEST_MAX)
		return false;
	if (line == NULL || len > REQUEST_MAX) {
		/* Where its end is nobody knows: no more is read. */
		str_adds(to, "error: a request of over 16384 bytes\n");
		evbuffer_drain(in, evbuffer_get_length(in));
		c->is_at_end = true;
	} else {
		control_do(c->sched, slice_make(line, len), &r);
	}
	free(line);
	return true;
}

/* Makes the next piece of an answer. */
static void go_on(struct sched_client *c, struct str *to)
{
	if (c->work.go(c->sched, &c->work, to))
		return;
	control_work_end(&c->work);
	str_adds(to, "ok\n");
}

/* No more is read until all of it is written. */
static void answer(struct sched_client *c, const struct str *to)
{
	bufferevent_disable(c->bev, EV_READ);
	bufferevent_write(c->bev, to->p, to->len);
}

/* on_again() comes. */
static void call_again(struct sched_client *c, suseconds_t us)
{
	const struct timeval then = { 0, us };

	bufferevent_disable(c->bev, EV_READ);
	event_add(c->again, &then);
}

/* Does one thing for the client, if it is time for that. */
static void serve(struct sched_client *c)
{
	struct str to = STR_INIT;

	if (c->is_resting ||
	    evbuffer_get_length(bufferevent_get_output(c->bev)) > 0)
		return; /* on_again() comes, or on_written() */
	if (c->work.go != NULL) {
		go_on(c, &to);
	} else if (c->must_rest) {
		c->must_rest = false;
		c->is_resting = true;
		call_again(c, REST_US);
		return;
	} else if (!next_request(c, &to)) {
		if (c->is_at_end)
			drop(c);
		else
			bufferevent_enable(c->bev, EV_READ);
		return;
	}
	c->must_rest = !is_friend(c->uid);
	if (to.len == 0)
		call_again(c, 0);
	else
		answer(c, &to);
	str_done(&to);
}

/* ---- what the event loop tells ------------------------------------------ */

static void on_written(struct bufferevent *bev, void *context)
{
	struct sched *s = ((struct sched_client *)context)->sched;

	(void)bev;
	serve(context);
	sched_settle(s);
}

static void on_request(struct bufferevent *bev, void *context)
{
	on_written(bev, context);
}

static void on_again(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	((struct sched_client *)context)->is_resting = false;
	on_written(NULL, context);
}

static void on_trouble(struct bufferevent *bev, short what, void *context)
{
	struct sched_client *c = context;

	(void)bev;
	if ((what & BEV_EVENT_EOF) == 0) {
		drop(c); /* an error, or it is too slow */
		return;
	}
	c->is_at_end = true;
	on_written(NULL, c);
}

/* May one more of this user come in? */
static bool has_place(const struct sched *s, uid_t uid)
{
	const struct sched_client *c;
	unsigned n = 0, n_strangers = 0;

	LIST_FOREACH(c, &s->clients, link)
	{
		n += c->uid == uid;
		n_strangers += !is_friend(c->uid);
	}
	if (s->n_clients >= CLIENTS_MAX)
		return false;
	return is_friend(uid) ||
	       (n < STRANGER_MAX && n_strangers < STRANGERS_MAX);
}

static void on_client(struct evconnlistener *listener, evutil_socket_t fd,
		      struct sockaddr *address, int len, void *context)
{
	static const char full[] = "error: too many connections\n";
	struct timeval limit = { 0, 0 };
	struct sched *s = context;
	struct ucred peer;
	socklen_t size = sizeof(peer);
	struct sched_client *c;

	(void)listener;
	(void)address;
	(void)len;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
	    !has_place(s, peer.uid)) {
		if (send(fd, full, sizeof(full) - 1,
			 MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
			/* It sees the end. */
		}
		close(fd);
		return;
	}
	c = mem_zero(1, sizeof(*c));
	c->sched = s;
	c->uid = peer.uid;
	c->must_rest = !is_friend(peer.uid);
	c->bev = bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
	c->again = event_new(s->base, -1, 0, on_again, c);
	if (c->bev == NULL || c->again == NULL)
		mem_exhausted();
	LIST_INSERT_HEAD(&s->clients, c, link);
	s->n_clients++;
	limit.tv_sec = is_friend(c->uid) ? FRIEND_SECONDS : STRANGER_SECONDS;
	bufferevent_setcb(c->bev, on_request, on_written, on_trouble, c);
	bufferevent_set_timeouts(c->bev, &limit, &limit);
	bufferevent_setwatermark(c->bev, EV_READ, 0, REQUEST_MAX + 1);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

static void on_listen_again(evutil_socket_t fd, short what, void *context)
{
	struct sched *s = context;

	(void)fd;
	(void)what;
	if (s->listener != NULL)
		evconnlistener_enable(s->listener);
}

/* Most likely there is no descriptor left: not again and again at once. */
static void on_listen_trouble(struct evconnlistener *listener, void *context)
{
	const struct timeval later = { ACCEPT_AGAIN, 0 };
	struct sched *s = context;

	log_line(LOG_LEVEL_WARNING, "%s: %s", str_cstr(&s->socket_path),
		 strerror(errno));
	evconnlistener_disable(listener);
	event_base_once(s->base, -1, EV_TIMEOUT, on_listen_again, s, &later);
}

/* ---- begin and end ------------------------------------------------------ */

/* Of PARAMmailqsock="UNIX:PATH", or below the postoffice. */
static void choose_path(struct sched *s)
{
	struct slice said = s->config.conf.mailq_socket,
		     prefix = SLICE("UNIX:");

	if (slice_starts_nocase(said, prefix))
		str_add(&s->socket_path, slice_from(said, prefix.len));
	else
		str_addf(&s->socket_path, "%s/" SCHED_SOCKET, s->o->postoffice);
}

/* Mail is more than the commands about it: it goes without the socket too. */
void sched_control_listen(struct sched *s)
{
	const unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC;
	struct err err;
	int fd;

	if (s->listener != NULL)
		return;
	fd = unixsock_listen_at(str_cstr(&s->socket_path), &err);
	if (fd < 0) {
		log_line(LOG_LEVEL_ERROR,
			 "%s: no commands are taken until the configuration is "
			 "read again",
			 err.text);
		return;
	}
	s->listener = evconnlistener_new(s->base, on_client, s, flags, 0, fd);
	if (s->listener == NULL)
		mem_exhausted();
	evconnlistener_set_error_cb(s->listener, on_listen_trouble);
}

void sched_control_begin(struct sched *s)
{
	LIST_INIT(&s->clients);
	s->started = sched_now(s);
	choose_path(s);
	sched_control_listen(s);
}

void sched_control_end(struct sched *s)
{
	struct sched_client *c = LIST_FIRST(&s->clients), *next;

	for (; c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		drop(c);
	}
	if (s->listener != NULL) {
		evconnlistener_free(s->listener);
		s->listener = NULL;
		if (unlink(str_cstr(&s->socket_path)) < 0) {
			/* The next scheduler does it. */
		}
	}
	str_done(&s->socket_path);
}
