/*
 * control.c - a UNIX socket where others ask and command.
 *
 *	request  = command LF
 *	command  = "count" / "metrics" / "show" [ SP limit ] / "reload"
 *		 / "kick" SP channel SP host
 *		 / ( "hold" / "release" / "expire" ) SP name SP offset
 *	answer   = *( line LF ), then the end
 *
 * count answers one JSON object, show one for each job (at most `limit`, 1000
 * without it), metrics Prometheus text; a command answers "ok". What cannot be
 * done is "error: TEXT". Anybody may ask for count and metrics; for all else
 * the kernel must say that the other side is root, or runs as we do.
 */
#include "base/json.h"
#include "base/keyword.h"
#include "sched/sched_internal.h"
#include "spool/dlines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

enum {
	CLIENTS_MAX = 32,
	REQUEST_MAX = 4096,
	SECONDS_MAX = 30, /* that a client may be silent or not read */
	SHOW_LIMIT = 1000
};

struct sched_client {
	LIST_ENTRY(sched_client) link;
	struct sched *sched;
	struct bufferevent *bev;
	uid_t uid;
	bool is_answered;
};

/* ---- answers ------------------------------------------------------------ */

static void answer_count(struct sched *s, struct str *to)
{
	struct queue_count c = queue_count(s->queue);
	struct json j;

	json_begin(&j, to);
	json_object(&j, NULL);
	json_uint(&j, "messages", c.messages);
	json_uint(&j, "jobs", c.jobs);
	json_uint(&j, "threads", c.threads);
	json_uint(&j, "sites", c.sites);
	json_uint(&j, "agents", c.agents);
	json_uint(&j, "recipients", c.open);
	json_uint(&j, "held", c.held);
	json_uint(&j, "ready", c.ready);
	json_uint(&j, "waiting", c.waiting);
	json_uint(&j, "fed", c.fed);
	json_uint(&j, "suspended", c.suspended);
	json_uint(&j, "unrouted", c.unrouted);
	json_close(&j);
	str_addc(to, '\n');
}

static void add_metric(struct str *to, const char *name, const char *type,
		       const char *help, uint64_t n)
{
	str_addf(to, "# HELP zpost_%s %s\n# TYPE zpost_%s %s\nzpost_%s %ju\n",
		 name, help, name, type, name, (uintmax_t)n);
}

static void answer_metrics(struct sched *s, struct str *to)
{
	struct queue_count c = queue_count(s->queue);
	const struct sched_counts *n = &s->counts;

	add_metric(to, "queue_messages", "gauge", "Messages in the queue.",
		   c.messages);
	add_metric(to, "queue_recipients", "gauge",
		   "Recipients that are to be delivered.", c.open);
	add_metric(to, "queue_held", "gauge", "Recipients that are held.",
		   c.held);
	add_metric(to, "queue_jobs_ready", "gauge", "Jobs that may go.",
		   c.ready);
	add_metric(to, "queue_jobs_waiting", "gauge",
		   "Jobs that wait for another try.", c.waiting);
	add_metric(to, "queue_jobs_fed", "gauge", "Jobs that agents have.",
		   c.fed);
	add_metric(to, "queue_suspended", "gauge",
		   "Destinations that cannot be reached.", c.suspended);
	add_metric(to, "agents", "gauge", "Agents that run.", c.agents);
	add_metric(to, "agents_started_total", "counter", "Agents started.",
		   n->agents);
	str_addf(to,
		 "# HELP zpost_results_total What tries came to.\n"
		 "# TYPE zpost_results_total counter\n"
		 "zpost_results_total{outcome=\"delivered\"} %ju\n"
		 "zpost_results_total{outcome=\"failed\"} %ju\n"
		 "zpost_results_total{outcome=\"deferred\"} %ju\n"
		 "zpost_results_total{outcome=\"held\"} %ju\n"
		 "zpost_results_total{outcome=\"expired\"} %ju\n",
		 (uintmax_t)n->results[QUEUE_DELIVERED],
		 (uintmax_t)n->results[QUEUE_FAILED],
		 (uintmax_t)(n->results[QUEUE_DEFERRED] +
			     n->results[QUEUE_DEFERRED_ALL]),
		 (uintmax_t)n->results[QUEUE_HELD], (uintmax_t)n->expired);
	add_metric(to, "reports_total", "counter", "Reports to senders.",
		   n->reports);
}

struct show {
	struct str *to;
	uint64_t left;
};

static bool show_job(void *context, const struct queue_view *v)
{
	static const char *const states[] = {
		[QUEUE_JOB_READY] = "ready",
		[QUEUE_JOB_WAITING] = "waiting",
		[QUEUE_JOB_FED] = "fed",
		[QUEUE_JOB_RESTING] = "resting",
	};
	struct show *show = context;
	struct slice why = v->why, status = { 0 }, mta = { 0 };
	struct json j;

	if (show->left-- == 0)
		return false;
	(void)slice_cut(&why, '\001', &status);
	(void)slice_cut(&why, '\001', &mta);
	json_begin(&j, show->to);
	json_object(&j, NULL);
	json_text(&j, "message", v->name);
	json_text(&j, "channel", v->channel);
	json_text(&j, "host", v->host);
	json_text(&j, "state", slice_of(states[v->state]));
	json_bool(&j, "suspended", v->is_suspended);
	json_uint(&j, "recipients", v->n_open);
	json_uint(&j, "held", v->n_held);
	json_uint(&j, "tries", v->tries);
	json_int(&j, "arrived", v->arrived / 1000);
	if (v->until > 0)
		json_int(&j, "until", v->until / 1000);
	json_text_if(&j, "status", status);
	json_text_if(&j, "host_said", mta);
	json_text_if(&j, "why", why);
	json_close(&j);
	str_addc(show->to, '\n');
	return show->left > 0;
}

/* ---- commands ----------------------------------------------------------- */

/* What is done to one recipient by command. */
enum deed { HOLD, RELEASE, EXPIRE };

static const struct keyword deeds[] = {
	{ "hold", HOLD },
	{ "release", RELEASE },
	{ "expire", EXPIRE },
};

/* The file first; then the queue, which nothing can have come between. */
static int do_deed(struct sched *s, enum deed deed, struct sched_file *f,
		   uint64_t at, struct err *err)
{
	const struct ctl_rcpt *rcpt = sched_file_rcpt(f, at);
	struct slice name = f->job.name;
	int64_t now = sched_now(s);
	bool is_done;

	if (rcpt == NULL)
		return FAIL(err, "%s: no recipient at byte %ju", f->path,
			    (uintmax_t)at);
	if (deed != RELEASE && !queue_is_idle(s->queue, name, at))
		return FAIL(err,
			    "%s: the recipient is with an agent, or not "
			    "to be delivered",
			    f->path);
	if (deed != EXPIRE && dlines_hold(f->fd, rcpt, deed == HOLD, err) < 0)
		return -1;
	if (deed == HOLD)
		is_done = queue_hold(s->queue, name, at, now);
	else if (deed == RELEASE)
		is_done = queue_release(s->queue, name, at, now);
	else
		is_done = queue_give_up(s->queue, name, at, now);
	return is_done ? 0 : FAIL(err, "the queue knows of no such recipient");
}

static int change(struct sched *s, enum deed deed, struct slice name,
		  struct slice offset, struct err *err)
{
	struct sched_file f;
	uint64_t at;
	int r = -1;

	if (!slice_uint(offset, UINT32_MAX, &at))
		return FAIL(err, "'%.*s' is no offset", SLICE_ARG(offset));
	switch (sched_file_open(s, name, &f, err)) {
	case SCHED_OPENED:
		r = do_deed(s, deed, &f, at, err);
		break;
	case SCHED_GONE:
		err_set(err, 0, "there is no message '%.*s'", SLICE_ARG(name));
		break;
	case SCHED_UNREADABLE:
	case SCHED_USELESS:
		break;
	}
	sched_file_close(&f);
	return r;
}

/* Does what only some may ask for. */
static int command(struct sched *s, struct slice word, struct slice rest,
		   struct str *to, struct err *err)
{
	struct slice first = SLICE(""), second = SLICE("");
	uint64_t limit = SHOW_LIMIT;
	const struct keyword *deed = keyword_find(deeds, COUNT(deeds), word);
	bool has_both = slice_word(&rest, &first) && slice_word(&rest, &second);

	if (slice_eq(word, SLICE("show"))) {
		struct show show;

		if (first.len > 0 && !slice_uint(first, UINT32_MAX, &limit))
			return FAIL(err, "'%.*s' is no number",
				    SLICE_ARG(first));
		show = (struct show){ to, limit };
		queue_walk(s->queue, show_job, &show);
		return 0;
	}
	if (slice_eq(word, SLICE("reload"))) {
		if (sched_reload(s, err) < 0)
			return -1;
	} else if (slice_eq(word, SLICE("kick")) && has_both) {
		if (!queue_kick(s->queue, first, second, sched_now(s)))
			return FAIL(err, "nothing waits for %.*s/%.*s",
				    SLICE_ARG(first), SLICE_ARG(second));
	} else if (deed != NULL && has_both) {
		if (change(s, (enum deed)deed->value, first, second, err) < 0)
			return -1;
	} else {
		return FAIL(err, "unknown command, or words are missing");
	}
	str_adds(to, "ok\n");
	return 0;
}

static void answer(struct sched_client *c, struct slice line, struct str *to)
{
	struct sched *s = c->sched;
	struct slice word = SLICE("");
	struct err err;

	if (!slice_word(&line, &word))
		word = SLICE("");
	if (slice_eq(word, SLICE("count"))) {
		answer_count(s, to);
	} else if (slice_eq(word, SLICE("metrics"))) {
		answer_metrics(s, to);
	} else if (c->uid != 0 && c->uid != geteuid()) {
		str_adds(to, "error: only root may ask for that\n");
	} else if (command(s, word, line, to, &err) < 0) {
		str_clear(to);
		str_addf(to, "error: %s\n", err.text);
	}
}

/* ---- clients ------------------------------------------------------------ */

static void drop(struct sched_client *c)
{
	LIST_REMOVE(c, link);
	c->sched->n_clients--;
	bufferevent_free(c->bev);
	free(c);
}

static void on_written(struct bufferevent *bev, void *context)
{
	struct sched_client *c = context;

	if (c->is_answered &&
	    evbuffer_get_length(bufferevent_get_output(bev)) == 0)
		drop(c);
}

static void on_request(struct bufferevent *bev, void *context)
{
	struct sched_client *c = context;
	struct sched *s = c->sched;
	struct evbuffer *in = bufferevent_get_input(bev);
	struct str to = STR_INIT;
	size_t len;
	char *line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);

	if (c->is_answered ||
	    (line == NULL && evbuffer_get_length(in) <= REQUEST_MAX)) {
		free(line);
		return;
	}
	c->is_answered = true;
	if (line == NULL)
		str_adds(&to, "error: too long\n");
	else
		answer(c, slice_make(line, len), &to);
	free(line);
	bufferevent_disable(bev, EV_READ);
	if (to.len > 0)
		bufferevent_write(bev, str_cstr(&to), to.len);
	else
		drop(c);
	str_done(&to);
	sched_settle(s);
}

static void on_trouble(struct bufferevent *bev, short what, void *context)
{
	(void)bev;
	(void)what;
	drop(context); /* its end, an error, or too slow */
}

static void on_client(struct evconnlistener *listener, evutil_socket_t fd,
		      struct sockaddr *address, int len, void *context)
{
	const struct timeval limit = { SECONDS_MAX, 0 };
	struct sched *s = context;
	struct ucred peer;
	socklen_t size = sizeof(peer);
	struct sched_client *c;

	(void)listener;
	(void)address;
	(void)len;
	if (s->n_clients >= CLIENTS_MAX ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
		close(fd);
		return;
	}
	c = mem_zero(1, sizeof(*c));
	c->sched = s;
	c->uid = peer.uid;
	c->bev = bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (c->bev == NULL)
		mem_exhausted();
	LIST_INSERT_HEAD(&s->clients, c, link);
	s->n_clients++;
	bufferevent_setcb(c->bev, on_request, on_written, on_trouble, c);
	bufferevent_set_timeouts(c->bev, &limit, &limit);
	bufferevent_setwatermark(c->bev, EV_READ, 0, REQUEST_MAX + 1);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
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

int sched_control_begin(struct sched *s, struct err *err)
{
	const unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path;

	LIST_INIT(&s->clients);
	choose_path(s);
	path = str_cstr(&s->socket_path);
	if (s->socket_path.len >= sizeof(address.sun_path)) {
		/* Mail is more than the commands about it. */
		log_line(LOG_LEVEL_ERROR,
			 "%s: longer than a socket's name can be: no commands "
			 "are taken",
			 path);
		return 0;
	}
	memcpy(address.sun_path, path, s->socket_path.len + 1);
	/* What is left of one before us; only one has the lock. */
	if (unlink(path) < 0 && errno != ENOENT)
		return FAIL_CODE(err, errno, "%s: %s", path, strerror(errno));
	s->listener = evconnlistener_new_bind(s->base, on_client, s, flags, -1,
					      (struct sockaddr *)&address,
					      (int)sizeof(address));
	if (s->listener == NULL || chmod(path, 0666) < 0)
		return FAIL_CODE(err, errno, "%s: %s", path, strerror(errno));
	return 0;
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

/* ---- systemd ------------------------------------------------------------ */

void sched_tell_manager(const struct sched *s, const char *state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = s->o->manager_socket;
	size_t len = path != NULL ? strlen(path) : 0;
	int fd;

	if (len < 2 || len >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, len);
	if (path[0] == '@') /* an abstract name */
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		   (struct sockaddr *)&address,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) <
		0)
		log_line(LOG_LEVEL_WARNING, "NOTIFY_SOCKET: %s",
			 strerror(errno));
	if (fd >= 0)
		close(fd);
}
