/*
 * scrape.c - the metrics by HTTP, for Prometheus.
 *
 *	where = "unix:" path / address ":" port / "[" address "]:" port
 *
 * One request for one connection (RFC 9112, "Connection: close"): GET or HEAD
 * of /metrics, of which only the first line is looked at. So little of HTTP is
 * spoken here, instead of by libevent, because its server cannot bound how
 * many connections there are nor how long one lives, and the descriptors that
 * a stranger holds are those that mail needs.
 *
 * An address is spelled out; there is no name and no "all", so that nobody
 * opens the page to the world without having written that down.
 */
#include "base/fd.h"
#include "net/unixsock.h"
#include "sched/sched_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

enum {
	VISITORS_MAX = 8,
	HEAD_MAX = 8192,   /* bytes of a request */
	SECONDS_MAX = 10,  /* that one may take, in all */
	PAUSE_SECONDS = 1, /* when there are no descriptors */
	BACKLOG = 16
};

struct visitor {
	LIST_ENTRY(visitor) link;
	struct sched *sched;
	struct bufferevent *bev;
	struct event *limit;
	bool is_answered, has_ended; /* it says no more */
};

struct sched_scrape {
	struct evconnlistener *listener;
	struct event *pause;
	char *path; /* of a UNIX socket, removed at the end; or NULL */
	LIST_HEAD(, visitor) visitors;
	unsigned n_visitors;
};

/* ---- one request -------------------------------------------------------- */

static void drop(struct visitor *v)
{
	struct sched_scrape *p = v->sched->scrape;

	LIST_REMOVE(v, link);
	if (p->n_visitors-- == VISITORS_MAX)
		evconnlistener_enable(p->listener);
	event_free(v->limit);
	bufferevent_free(v->bev);
	free(v);
}

static void on_limit(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	drop(context);
}

static size_t n_to_write(struct visitor *v)
{
	return evbuffer_get_length(bufferevent_get_output(v->bev));
}

/* Its end, behind which it may still read; or an error. */
static void on_trouble(struct bufferevent *bev, short what, void *context)
{
	struct visitor *v = context;

	(void)bev;
	v->has_ended = true;
	if ((what & BEV_EVENT_EOF) == 0 || !v->is_answered ||
	    n_to_write(v) == 0)
		drop(v);
}

/* All is written: it has to go, and what it still says is not heard. */
static void on_written(struct bufferevent *bev, void *context)
{
	struct visitor *v = context;

	if (!v->is_answered || n_to_write(v) > 0)
		return;
	if (v->has_ended)
		drop(v);
	else
		(void)shutdown(bufferevent_getfd(bev), SHUT_WR);
}

struct page {
	const char *status, *more; /* further fields, each with its CR LF */
	struct str body;
	bool is_head;
};

static void send_page(struct visitor *v, const struct page *p)
{
	struct evbuffer *out = bufferevent_get_output(v->bev);

	evbuffer_add_printf(
	    out,
	    "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4; "
	    "charset=utf-8\r\nContent-Length: %zu\r\n%sConnection: close\r\n"
	    "Cache-Control: no-store\r\n\r\n",
	    p->status, p->body.len, p->more);
	if (!p->is_head)
		evbuffer_add(out, str_cstr(&p->body), p->body.len);
	v->is_answered = true;
}

/* method SP target SP "HTTP/1." DIGIT; a query is allowed and ignored. */
static void choose_page(struct sched *s, struct slice line, struct page *p)
{
	struct slice method, target;
	bool is_http = slice_cut(&line, ' ', &method) &&
		       slice_cut(&line, ' ', &target) && line.len == 8 &&
		       slice_starts(line, SLICE("HTTP/1."));

	p->more = "";
	if (!is_http) {
		p->status = "400 Bad Request";
		str_adds(&p->body, "This is no request of HTTP/1.\n");
		return;
	}
	p->is_head = slice_eq(method, SLICE("HEAD"));
	if (!p->is_head && !slice_eq(method, SLICE("GET"))) {
		p->status = "405 Method Not Allowed";
		p->more = "Allow: GET, HEAD\r\n";
		str_adds(&p->body, "Only GET and HEAD are served.\n");
		return;
	}
	target = slice_head(target, slice_find(target, '?'));
	if (!slice_eq(target, SLICE("/metrics"))) {
		p->status = "404 Not Found";
		str_adds(&p->body, "Only /metrics is here.\n");
		return;
	}
	p->status = "200 OK";
	sched_metrics_print(s, &p->body);
}

/* The head ends with an empty line; until then nothing is answered. */
static bool is_whole(struct slice head)
{
	return slice_find_text(head, SLICE("\r\n\r\n")) < head.len ||
	       slice_find_text(head, SLICE("\n\n")) < head.len;
}

static void on_request(struct bufferevent *bev, void *context)
{
	struct visitor *v = context;
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t len = evbuffer_get_length(in);
	struct page page = { .more = "" };
	struct slice head, line;

	if (v->is_answered) {
		evbuffer_drain(in, len);
		return;
	}
	head = slice_make((const char *)evbuffer_pullup(in, -1), len);
	if (len <= HEAD_MAX && !is_whole(head))
		return;
	line = slice_head(head, slice_find(head, '\n'));
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	if (len > HEAD_MAX) {
		page.status = "431 Request Header Fields Too Large";
		str_adds(&page.body, "The request is too long.\n");
	} else {
		choose_page(v->sched, line, &page);
	}
	evbuffer_drain(in, len);
	send_page(v, &page);
	str_done(&page.body);
}

static void on_visitor(struct evconnlistener *listener, evutil_socket_t fd,
		       struct sockaddr *address, int len, void *context)
{
	const struct timeval limit = { SECONDS_MAX, 0 };
	struct sched *s = context;
	struct sched_scrape *p = s->scrape;
	struct visitor *v = mem_zero(1, sizeof(*v));

	(void)address;
	(void)len;
	v->sched = s;
	v->bev = bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
	v->limit = evtimer_new(s->base, on_limit, v);
	if (v->bev == NULL || v->limit == NULL)
		mem_exhausted();
	LIST_INSERT_HEAD(&p->visitors, v, link);
	/* Others wait in the kernel, where they cost us nothing. */
	if (++p->n_visitors == VISITORS_MAX)
		evconnlistener_disable(listener);
	evtimer_add(v->limit, &limit);
	bufferevent_setcb(v->bev, on_request, on_written, on_trouble, v);
	bufferevent_setwatermark(v->bev, EV_READ, 0, HEAD_MAX + 1);
	bufferevent_enable(v->bev, EV_READ | EV_WRITE);
}

/* No descriptor is left: those that come wait until some are. */
static void on_no_visitor(struct evconnlistener *listener, void *context)
{
	const struct timeval pause = { PAUSE_SECONDS, 0 };
	struct sched *s = context;

	log_line(LOG_LEVEL_WARNING, "metrics: %s", strerror(errno));
	evconnlistener_disable(listener);
	evtimer_add(s->scrape->pause, &pause);
}

static void on_pause_over(evutil_socket_t fd, short what, void *context)
{
	struct sched_scrape *p = context;

	(void)fd;
	(void)what;
	if (p->n_visitors < VISITORS_MAX)
		evconnlistener_enable(p->listener);
}

/* ---- begin and end ------------------------------------------------------ */

static int listen_unix(struct sched_scrape *p, const char *path,
		       struct err *err)
{
	struct stat st;
	int fd;

	/* One that was left there goes, and nothing else. */
	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return FAIL(err, "metrics: %s: there is another file", path);
	fd = unixsock_listen_at(path, err);
	if (fd >= 0) {
		p->path = strdup(path);
		if (p->path == NULL)
			mem_exhausted();
	}
	return fd;
}

/* False: that is no address with a port. */
static bool read_address(const char *where, struct sockaddr_storage *ret,
			 int *ret_len)
{
	struct sockaddr *any = (struct sockaddr *)ret;
	in_port_t port = 0;

	*ret_len = (int)sizeof(*ret);
	if (evutil_parse_sockaddr_port(where, any, ret_len) < 0)
		return false;
	if (any->sa_family == AF_INET)
		port = ((struct sockaddr_in *)(void *)ret)->sin_port;
	else if (any->sa_family == AF_INET6)
		port = ((struct sockaddr_in6 *)(void *)ret)->sin6_port;
	return port != 0;
}

bool sched_metrics_is_place(const char *where)
{
	struct slice text = slice_of(where), prefix = SLICE("unix:/");
	struct sockaddr_storage address = { 0 };
	int len;

	if (slice_starts(text, prefix))
		return text.len > prefix.len && text.p[text.len - 1] != '/';
	return read_address(where, &address, &len);
}

static int listen_port(const char *where, struct err *err)
{
	struct sockaddr_storage address = { 0 };
	const int on = 1;
	int len, fd;

	if (!read_address(where, &address, &len))
		return FAIL(err, "metrics: '%s' is no address and port", where);
	fd = socket(address.ss_family,
		    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, (socklen_t)len) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		err_set(err, errno, "metrics: %s: %s", where, strerror(errno));
		fd_close(fd);
		return -1;
	}
	return fd;
}

int sched_scrape_begin(struct sched *s, struct err *err)
{
	const char *where = s->o->metrics;
	struct slice prefix = SLICE("unix:");
	struct sched_scrape *p;
	int fd;

	if (where == NULL)
		return 0;
	p = s->scrape = mem_zero(1, sizeof(*p));
	LIST_INIT(&p->visitors);
	fd = slice_starts(slice_of(where), prefix)
		 ? listen_unix(p, where + prefix.len, err)
		 : listen_port(where, err);
	if (fd < 0)
		return -1;
	p->listener = evconnlistener_new(
	    s->base, on_visitor, s,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	p->pause = evtimer_new(s->base, on_pause_over, p);
	if (p->listener == NULL || p->pause == NULL)
		mem_exhausted();
	evconnlistener_set_error_cb(p->listener, on_no_visitor);
	return 0;
}

void sched_scrape_end(struct sched *s)
{
	struct sched_scrape *p = s->scrape;
	struct visitor *v, *next;

	if (p == NULL)
		return;
	for (v = LIST_FIRST(&p->visitors); v != NULL; v = next) {
		next = LIST_NEXT(v, link);
		drop(v);
	}
	if (p->listener != NULL)
		evconnlistener_free(p->listener);
	if (p->pause != NULL)
		event_free(p->pause);
	if (p->path != NULL && unlink(p->path) < 0) {
		/* The next start does it. */
	}
	free(p->path);
	free(p);
	s->scrape = NULL;
}
