/*
 * serve.c - the trusted process that queues what ordinary users submit.
 *
 * One round of the loop: epoll tells which connections have something; of each
 * one buffer is read and understood, which may stage messages; then all that
 * are staged are settled together and answered. While the disk is written the
 * next messages gather in the sockets: the busier, the larger the groups.
 *
 * A connection that has much to be told and does not read is not read either.
 */
#include "subm/serve.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/unixsock.h"
#include "spool/recover.h"
#include "subm/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum {
	READ_MAX = 256 * 1024,
	OUT_MAX = 64 * 1024, /* answers that nobody reads */
	EVENTS_MAX = 256,
	CONNECTIONS_MAX = 400, /* of all; each may hold two descriptors */
	ORDINARY_MAX = 350,    /* of all but the privileged */
	TICK_MS = 1000,
};

enum state {
	OPTIONS, /* before a message, or in its options */
	CONTENT,
	CLOSING, /* answers are sent, nothing is read */
};

struct connection {
	struct connection *next;
	int fd;
	uint64_t id; /* for messages that wait to be answered */
	uid_t uid;
	bool is_privileged;
	struct subm_site site; /* with this user's limits */
	struct slice login, name;
	struct arena *user_arena, *a; /* a: the message under way */
	enum state state;
	struct wire wire;
	struct wire_request request;
	struct subm_intake *intake; /* NULL: none, or refused */
	int refused;		    /* exit code of the message under way */
	struct err why;
	struct str out;
	size_t n_waiting;     /* staged, not answered */
	unsigned events;      /* that epoll looks for */
	int64_t heard, begun; /* seconds of the monotonic clock; 0: not */
};

/* A message that ended: staged, or refused and waiting for its turn. */
struct ended {
	uint64_t connection;
	struct subm_intake *intake;
	struct arena *a;
	int code;
	struct slice text;
};

struct server {
	const struct subm_serve_options *o;
	struct create_office office;
	int listener, epoll;
	struct connection *first;
	size_t n_connections;
	uint64_t last_id;
	struct ended *ended; /* in the order in which they did */
	size_t n_ended, cap_ended;
	char *buffer; /* READ_MAX bytes */
	bool is_full; /* no more connections for now */
};

static int64_t seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec;
}

/* ---- connections -------------------------------------------------------- */

static void forget_message(struct connection *c)
{
	subm_intake_free(c->intake);
	c->intake = NULL;
	subm_list_done(&c->request.rcpts);
	c->request = (struct wire_request){
		.max = wire_request_max(c->site.rcpts_max),
	};
	c->refused = EX_OK;
	c->begun = 0;
	c->state = OPTIONS;
	arena_reset(c->a);
}

static void close_connection(struct server *s, struct connection *c)
{
	struct connection **at = &s->first;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	s->n_connections--;
	s->is_full = false;
	forget_message(c);
	fd_close(c->fd);
	wire_done(&c->wire);
	str_done(&c->out);
	arena_free(c->a);
	arena_free(c->user_arena);
	free(c);
}

static struct connection *find_connection(struct server *s, uint64_t id)
{
	struct connection *c = s->first;

	while (c != NULL && c->id != id)
		c = c->next;
	return c;
}

/* Tells epoll what is wanted now; false: it cannot be. */
static void watch(struct server *s, struct connection *c)
{
	struct epoll_event event = { .data.u64 = c->id };

	if (c->state != CLOSING && c->out.len < OUT_MAX)
		event.events |= EPOLLIN;
	if (c->out.len > 0)
		event.events |= EPOLLOUT;
	if (event.events == c->events)
		return;
	if (epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->fd, &event) == 0)
		c->events = event.events;
}

/* Sends what can be sent; false: the connection is done with. */
static bool send_answers(struct connection *c)
{
	ssize_t n;

	if (c->out.len == 0)
		return c->state != CLOSING;
	n = send(c->fd, c->out.p, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	str_shift(&c->out, (size_t)n);
	return c->out.len > 0 || c->state != CLOSING;
}

/* The whole connection is refused. */
static void refuse_connection(struct connection *c, int code, const char *why)
{
	wire_add_answer(&c->out, code, slice_of(why));
	forget_message(c);
	c->state = CLOSING;
}

static size_t count_connections(const struct server *s, uid_t uid)
{
	size_t n = 0;

	for (const struct connection *c = s->first; c != NULL; c = c->next)
		n += c->uid == uid;
	return n;
}

static void fill_identity(struct server *s, struct connection *c)
{
	const struct subm_limits *limits = &s->o->limits;

	c->site = *s->o->site;
	if (!c->is_privileged) {
		c->site.size_max = limits->size;
		c->site.rcpts_max = limits->rcpts;
	}
	c->request.max = wire_request_max(c->site.rcpts_max);
	if (!s->o->find_user(c->uid, c->user_arena, &c->login, &c->name)) {
		c->login = (struct slice){ 0 };
		c->name = (struct slice){ 0 };
	}
}

static void add_connection(struct server *s, int fd, uid_t uid)
{
	struct connection *c = mem_zero(1, sizeof(*c));
	struct epoll_event event = { .events = EPOLLIN };
	uint64_t limit = s->o->limits.connections;

	*c = (struct connection){
		.next = s->first,
		.fd = fd,
		.id = ++s->last_id,
		.uid = uid,
		.user_arena = arena_new(),
		.a = arena_new(),
		.heard = seconds_now(),
		.events = EPOLLIN,
	};
	c->is_privileged =
	    subm_is_trusted(s->o->trusted, uid, s->o->find_uid, NULL);
	s->first = c;
	s->n_connections++;
	event.data.u64 = c->id;
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		close_connection(s, c);
		return;
	}
	if (!c->is_privileged &&
	    ((limit > 0 && count_connections(s, uid) > limit) ||
	     s->n_connections > ORDINARY_MAX)) {
		refuse_connection(c, EX_TEMPFAIL,
				  "too many connections; try"
				  " again later");
		if (!send_answers(c))
			close_connection(s, c);
		return;
	}
	fill_identity(s, c);
}

static void accept_all(struct server *s)
{
	struct unixsock_peer peer;
	struct err err;

	while (s->n_connections < CONNECTIONS_MAX) {
		int fd = unixsock_accept(s->listener, &peer, &err);

		if (fd >= 0) {
			add_connection(s, fd, peer.uid);
			continue;
		}
		if (err.code != EAGAIN && err.code != EINTR &&
		    err.code != ECONNABORTED) {
			log_line(LOG_LEVEL_ERROR, "submission: %s", err.text);
			s->is_full = true; /* until one has ended */
		}
		return;
	}
	s->is_full = true;
}

/* ---- messages ----------------------------------------------------------- */

static void refuse(struct connection *c, int code)
{
	subm_intake_free(c->intake);
	c->intake = NULL;
	c->refused = code;
}

static void on_begin(struct server *s, struct connection *c)
{
	struct subm_request *r = &c->request.request;
	int code;

	c->state = CONTENT;
	r->uid = c->uid;
	r->login = c->login;
	if (r->full_name.len == 0 && !r->has_sender)
		r->full_name = c->name;
	r->may_not_choose = !c->is_privileged;
	c->intake = subm_intake_new(&c->site, &s->office, r);
	code = subm_intake_begin(c->intake, &c->why);
	if (code != EX_OK)
		refuse(c, code);
}

static void on_data(struct connection *c, struct slice bytes)
{
	int code;

	if (c->refused != EX_OK)
		return;
	code = subm_intake_feed(c->intake, bytes, &c->why);
	if (code != EX_OK)
		refuse(c, code);
}

/* The message waits for its answer, with all that its request lies in. */
static void on_end(struct server *s, struct connection *c)
{
	struct ended ended = { .connection = c->id };

	if (c->refused == EX_OK) {
		int code = subm_intake_end(c->intake, &c->why);

		if (code != EX_OK)
			refuse(c, code);
	}
	ended.a = c->a;
	c->a = arena_new();
	ended.code = c->refused;
	if (ended.code != EX_OK)
		ended.text = arena_dup(ended.a, slice_of(c->why.text));
	ended.intake = c->intake;
	c->intake = NULL;
	s->ended = mem_grow(s->ended, &s->cap_ended, s->n_ended + 1,
			    sizeof(*s->ended));
	s->ended[s->n_ended++] = ended;
	c->n_waiting++;
	forget_message(c);
}

/* One frame in the place where the connection is; -1: not possible there. */
static int on_frame(struct server *s, struct connection *c,
		    const struct wire_frame *frame, struct err *err)
{
	bool is_content = c->state == CONTENT;

	switch ((enum wire_type)frame->type) {
	case WIRE_OPTION:
	case WIRE_RCPT:
		if (is_content)
			return FAIL(err, "an option within a message");
		return wire_take(&c->request, frame, c->a, err);
	case WIRE_BEGIN:
		if (is_content)
			return FAIL(err, "a message within a message");
		on_begin(s, c);
		return 0;
	case WIRE_DATA:
	case WIRE_END:
		if (!is_content)
			return FAIL(err, "content without a message");
		if (frame->type == WIRE_DATA)
			on_data(c, frame->payload);
		else
			on_end(s, c);
		return 0;
	case WIRE_DROP:
		forget_message(c);
		return 0;
	case WIRE_ACCEPTED:
	case WIRE_REFUSED:
		break;
	}
	return FAIL(err, "an answer from a client");
}

/* All frames in what was read. */
static void take_bytes(struct server *s, struct connection *c, struct slice in)
{
	struct wire_frame frame;
	struct err err = { 0 };
	enum parse verdict = PARSE_DONE;

	while (verdict == PARSE_DONE) {
		verdict = wire_next(&c->wire, &in, "ORBDEX", &frame, &err);
		if (verdict == PARSE_DONE && on_frame(s, c, &frame, &err) < 0)
			verdict = PARSE_BAD;
	}
	if (verdict == PARSE_BAD) {
		log_line(LOG_LEVEL_WARNING, "submission: uid %ju: %s",
			 (uintmax_t)c->uid, err.text);
		refuse_connection(c, EX_DATAERR, err.text);
	}
}

/*
 * What is readable; false: the connection is done with. Somebody who closes
 * before all answers are there does not want them.
 */
static bool read_bytes(struct server *s, struct connection *c)
{
	ssize_t n = recv(c->fd, s->buffer, READ_MAX, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0 && c->n_waiting == 0 && c->out.len == 0)
		return false;
	if (n == 0) {
		forget_message(c);
		c->state = CLOSING;
		return true;
	}
	c->heard = seconds_now();
	if (c->begun == 0)
		c->begun = c->heard;
	take_bytes(s, c, slice_make(s->buffer, (size_t)n));
	return true;
}

/* ---- groups ------------------------------------------------------------- */

static void answer(struct server *s, struct ended *e)
{
	struct connection *c = find_connection(s, e->connection);

	if (c != NULL) {
		c->n_waiting--;
		wire_add_answer(&c->out, e->code, e->text);
	}
	subm_intake_free(e->intake);
	arena_free(e->a);
}

/* Makes all that is staged durable; an error is everybody's. */
static void settle(struct server *s)
{
	struct create **files = mem_zero(s->n_ended, sizeof(*files));
	struct err err = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < s->n_ended; i++)
		if (s->ended[i].intake != NULL)
			files[n++] = subm_intake_file(s->ended[i].intake);
	if (n > 0 && create_settle(&s->office, files, n, &err) < 0)
		log_line(LOG_LEVEL_ERROR, "submission: %s", err.text);
	for (size_t i = 0; i < s->n_ended; i++) {
		struct ended *e = &s->ended[i];

		if (e->intake == NULL)
			continue;
		if (subm_intake_file(e->intake)->is_done) {
			e->text = subm_intake_id(e->intake);
		} else {
			e->code = subm_spool_trouble(&err);
			e->text = slice_of(err.text);
		}
	}
	for (size_t i = 0; i < s->n_ended; i++)
		answer(s, &s->ended[i]);
	s->n_ended = 0;
	free(files);
}

/* ---- the loop ----------------------------------------------------------- */

static bool is_late(const struct server *s, const struct connection *c,
		    int64_t now)
{
	const struct subm_limits *limits = &s->o->limits;

	if (c->is_privileged && c->state != CLOSING)
		return false;
	if (limits->silence > 0 && now - c->heard > limits->silence)
		return true;
	return limits->total > 0 && c->begun > 0 &&
	       now - c->begun > limits->total;
}

/* Sends answers, closes what is done with or too slow. */
static void tend(struct server *s)
{
	int64_t now = seconds_now();
	struct connection *c = s->first, *next;

	for (; c != NULL; c = next) {
		next = c->next;
		if (is_late(s, c, now) && c->state != CLOSING) {
			refuse_connection(c, EX_TEMPFAIL,
					  "the message came too slowly");
			c->heard = now; /* time to read that */
		} else if (is_late(s, c, now)) {
			close_connection(s, c);
			continue;
		}
		if (!send_answers(c) && c->n_waiting == 0)
			close_connection(s, c);
		else
			watch(s, c);
	}
}

/* Marks the events of the listener and of the end. */
enum { TAG_LISTENER, TAG_STOP };

static int watch_fd(struct server *s, int fd, uint64_t tag, struct err *err)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = tag };

	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return FAIL_CODE(err, errno, "epoll: %s", strerror(errno));
	return 0;
}

/* A listener that is not listened to would wake us without end. */
static void watch_listener(struct server *s, bool *is_watched)
{
	struct epoll_event event = { .data.u64 = TAG_LISTENER };

	if (*is_watched == !s->is_full)
		return;
	event.events = s->is_full ? 0 : EPOLLIN;
	if (epoll_ctl(s->epoll, EPOLL_CTL_MOD, s->listener, &event) == 0)
		*is_watched = !s->is_full;
}

static void on_event(struct server *s, const struct epoll_event *event)
{
	struct connection *c = find_connection(s, event->data.u64);

	if (c == NULL)
		return;
	if ((event->events & (EPOLLERR | EPOLLHUP)) != 0 &&
	    (event->events & EPOLLIN) == 0) {
		close_connection(s, c); /* gone; its messages that ended stay */
		return;
	}
	if ((event->events & EPOLLIN) != 0 && c->state != CLOSING &&
	    !read_bytes(s, c))
		close_connection(s, c);
}

static int loop(struct server *s, struct err *err)
{
	struct epoll_event events[EVENTS_MAX];
	bool is_watched = true, is_stopped = false;

	while (!is_stopped) {
		int n =
		    epoll_wait(s->epoll, events, EVENTS_MAX,
			       s->first != NULL || s->is_full ? TICK_MS : -1);

		if (n < 0 && errno != EINTR) {
			err_set(err, errno, "epoll: %s", strerror(errno));
			return EX_OSERR;
		}
		for (int i = 0; i < n; i++) {
			if (events[i].data.u64 == TAG_LISTENER)
				accept_all(s);
			else if (events[i].data.u64 == TAG_STOP)
				is_stopped = true;
			else
				on_event(s, &events[i]);
		}
		if (s->n_ended > 0)
			settle(s);
		tend(s);
		if (n == 0 && s->n_connections < CONNECTIONS_MAX)
			s->is_full = false; /* once a tick it is tried again */
		watch_listener(s, &is_watched);
	}
	return EX_OK;
}

/* ---- beginning and end -------------------------------------------------- */

/* Only one may serve a spool, and clean it. */
static int lock_office(const char *postoffice, int *ret_fd, struct err *err)
{
	int dir = open(postoffice, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	if (dir < 0) {
		err_set(err, errno, "%s: %s", postoffice, strerror(errno));
		return EX_CANTCREAT;
	}
	fd = openat(dir, "submit.lock",
		    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	fd_close(dir);
	if (fd < 0) {
		err_set(err, errno, "%s/submit.lock: %s", postoffice,
			strerror(errno));
		return EX_CANTCREAT;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		err_set(err, errno, "%s: another process serves this spool",
			postoffice);
		fd_close(fd);
		return EX_TEMPFAIL;
	}
	*ret_fd = fd;
	return EX_OK;
}

static int start(struct server *s, struct err *err)
{
	const struct subm_site *site = s->o->site;
	struct recovered done;

	if (create_office_open(site->postoffice, site->hash_levels, &s->office,
			       err) < 0 ||
	    spool_recover(site->postoffice, &s->office, RECOVER_ORPHAN_AGE,
			  &done, err) < 0)
		return EX_CANTCREAT;
	if (done.published + done.removed > 0)
		log_line(LOG_LEVEL_INFO,
			 "submission: %zu messages recovered, %zu files"
			 " without one removed",
			 done.published, done.removed);
	s->office.is_recovered = true;
	s->listener = unixsock_listen(site->postoffice, WIRE_SOCKET, err);
	if (s->listener < 0)
		return EX_CANTCREAT;
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0) {
		err_set(err, errno, "epoll: %s", strerror(errno));
		return EX_OSERR;
	}
	if (watch_fd(s, s->listener, TAG_LISTENER, err) < 0 ||
	    watch_fd(s, s->o->stop_fd, TAG_STOP, err) < 0)
		return EX_OSERR;
	return EX_OK;
}

/* Nobody is to find a socket behind which there is nobody. */
static void remove_socket(const struct server *s)
{
	int dir = open(s->o->site->postoffice, O_PATH | O_CLOEXEC);

	if (dir >= 0)
		(void)unlinkat(dir, WIRE_SOCKET, 0);
	fd_close(dir);
}

int subm_serve(const struct subm_serve_options *o, struct err *err)
{
	struct server s = {
		.o = o,
		.office = { .queue_dir = -1, .transport_dir = -1 },
		.listener = -1,
		.epoll = -1,
		.last_id = TAG_STOP,
	};
	int lock = -1, code = lock_office(o->site->postoffice, &lock, err);

	if (code != EX_OK)
		return code;
	s.buffer = mem_alloc(READ_MAX);
	code = start(&s, err);
	if (code == EX_OK)
		code = loop(&s, err);
	if (s.listener >= 0)
		remove_socket(&s);
	while (s.first != NULL)
		close_connection(&s, s.first);
	fd_close(s.listener);
	fd_close(s.epoll);
	create_office_close(&s.office);
	free(s.ended);
	free(s.buffer);
	fd_close(lock);
	return code;
}
