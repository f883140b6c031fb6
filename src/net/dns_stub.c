/*
 * dns_stub.c - asking resolvers, and believing them as far as we are told.
 *
 * Each question is a talk: one socket with a port and an id of its own chance
 * (RFC 5452), connected, so that nobody else's packets come through. A server
 * that fails, refuses or cannot be reached makes way for the next at once,
 * one that is silent after a while that doubles. A failure is the answer once
 * there were as many as servers, or after two rounds if the others were silent;
 * where all are silent they are asked until the deadline. An answer that was
 * cut off is asked for over TCP, whose silence is a failure.
 */
#include "net/dns_source.h"

#include "base/fd.h"
#include "base/mem.h"
#include "net/conn.h"
#include "net/dns_wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
	TALKS_AT_ONCE = 32,
	FIRST_WAIT = 1000, /* milliseconds for the first try; doubles */
	LONGEST_WAIT = 8000,
	TCP_WAIT = 5000,
	ROUNDS = 2,    /* tries of each server before a failure is told */
	HOPS_MAX = 3,  /* questions for the target of an alias */
	SLICE_MS = 200 /* longest wait before should_stop is asked */
};

struct stub {
	struct dns_source source; /* the first, so that one is the other */
	struct dns_upstream up;
};

enum state { WAITING, TALKING, DONE };

struct talk {
	enum state state;
	struct dns_answer *answer; /* the caller's */
	struct dns_answer asked;   /* what is being asked now */
	struct dns_name name;
	unsigned hops, tries, failures;
	bool has_edns, is_tcp, was_heard;
	bool was_cut; /* over UDP, and TCP failed */
	uint16_t id;
	int fd;
	struct str out, in;
	size_t sent;
	int64_t retry_at;
};

/* All talks of one call. */
struct round {
	struct stub *stub;
	struct talk *talks;
	size_t n;
	struct arena *arena;
};

int64_t dns_slice_end(int64_t deadline)
{
	int64_t end = conn_now() + SLICE_MS;

	return end < deadline ? end : deadline;
}

static void begin_try(struct round *r, struct talk *t);

static void finish(struct talk *t)
{
	fd_close(t->fd);
	t->fd = -1;
	t->state = DONE;
}

/* The weaker of two. */
static enum dns_status weaker(enum dns_status a, enum dns_status b)
{
	return a < b ? a : b;
}

/* Adds what was just heard to what the caller gets. */
static void give(struct round *r, struct talk *t, enum dns_status status)
{
	struct dns_answer *to = t->answer, *from = &t->asked;
	struct slice *chain =
	    arena_array(r->arena, DNS_ALIASES_MAX, sizeof(*chain));
	size_t n = 0;

	for (size_t i = 0; i < to->n_chain && n < DNS_ALIASES_MAX; i++)
		chain[n++] = to->chain[i];
	for (size_t i = 0; i < from->n_chain && n < DNS_ALIASES_MAX; i++)
		chain[n++] = from->chain[i];
	to->status = t->hops > 0 ? weaker(to->status, status) : status;
	to->ttl = t->hops > 0 && to->ttl < from->ttl ? to->ttl : from->ttl;
	to->chain = chain;
	to->n_chain = n;
	to->verdict = from->verdict;
	to->canonical = from->canonical;
	to->records = from->records;
	to->n = from->n;
	to->detail = from->detail;
}

/* Goes on to the next server, unless none is left to say anything else. */
static void next_server(struct round *r, struct talk *t)
{
	size_t n = r->stub->up.servers.n;

	t->tries++;
	t->is_tcp = false;
	t->has_edns = true;
	if (t->failures >= n || (t->failures > 0 && t->tries >= ROUNDS * n)) {
		give(r, t, DNS_INDETERMINATE);
		finish(t);
		return;
	}
	begin_try(r, t);
}

static void note_failure(struct round *r, struct talk *t, const char *what,
			 int error)
{
	t->failures++;
	t->was_cut |= t->is_tcp;
	/* A server that spoke, however badly, knows more than a socket. */
	if (!t->was_heard) {
		t->asked.verdict = t->was_cut ? DNS_TRUNCATED : DNS_UNAVAILABLE;
		t->asked.canonical = t->asked.name;
		t->asked.detail = arena_printf(
		    r->arena, "%s%s: %s",
		    t->is_tcp ? "the answer was cut off, and over TCP " : "",
		    what, strerror(error));
	}
	next_server(r, t);
}

static void begin_try(struct round *r, struct talk *t)
{
	const struct dns_servers *servers = &r->stub->up.servers;
	const struct net_addr *to = &servers->addrs[t->tries % servers->n];
	unsigned round = t->tries / (unsigned)servers->n;
	int64_t wait = FIRST_WAIT << (round < 3 ? round : 3);

	fd_close(t->fd);
	str_clear(&t->out);
	str_clear(&t->in);
	t->sent = 0;
	t->state = TALKING;
	if (getrandom(&t->id, sizeof(t->id), 0) != sizeof(t->id))
		t->id = (uint16_t)conn_now();
	if (t->is_tcp)
		str_add(&t->out, SLICE("\0\0"));
	dns_question_print(&t->out, &t->name, t->asked.type, t->id,
			   t->has_edns);
	if (t->is_tcp) {
		t->out.p[0] = (char)((t->out.len - 2) >> 8);
		t->out.p[1] = (char)((t->out.len - 2) & 0xff);
	}
	t->retry_at = conn_now() + (t->is_tcp		  ? TCP_WAIT
				    : wait < LONGEST_WAIT ? wait
							  : LONGEST_WAIT);
	t->fd = socket(to->u.any.sa_family,
		       (t->is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK |
			   SOCK_CLOEXEC,
		       0);
	if (t->fd < 0)
		note_failure(r, t, "socket", errno);
	else if (connect(t->fd, &to->u.any, to->len) < 0 &&
		 errno != EINPROGRESS)
		note_failure(r, t, "no way to the resolver", errno);
}

/* Asks for `name` anew; a longer name than fits cannot come from a message. */
static void begin_talk(struct round *r, struct talk *t, struct slice name)
{
	t->asked = (struct dns_answer){ .name = name, .type = t->answer->type };
	t->tries = t->failures = 0;
	t->is_tcp = t->was_heard = t->was_cut = false;
	t->has_edns = true;
	if (!dns_name_read(name, &t->name)) {
		t->answer->verdict = DNS_BAD_NAME;
		finish(t);
		return;
	}
	begin_try(r, t);
}

/* An answer with a verdict that stands, or an alias to be followed. */
static void accept_answer(struct round *r, struct talk *t,
			  const struct dns_head *head)
{
	enum dns_status status = DNS_INDETERMINATE;

	if (r->stub->up.is_ad_believed)
		status = head->is_authentic ? DNS_SECURE : DNS_INSECURE;
	give(r, t, status);
	if (!head->is_unfinished) {
		finish(t);
		return;
	}
	if (++t->hops <= HOPS_MAX) {
		begin_talk(r, t, t->asked.canonical);
		return;
	}
	t->answer->verdict = DNS_LOOP;
	t->answer->detail = SLICE("aliases without end");
	finish(t);
}

/* A whole message has come. False if it is none for us. */
static bool hear(struct round *r, struct talk *t, struct slice message)
{
	struct dns_answer heard = t->asked;
	struct dns_head head;

	if (!dns_message_read(message, &heard, &head, r->arena) ||
	    head.id != t->id)
		return false;
	if (head.is_truncated && !t->is_tcp) {
		t->is_tcp = true;
		begin_try(r, t);
		return true;
	}
	t->asked = heard;
	t->was_heard = true;
	if (!dns_is_temporary(heard.verdict)) {
		accept_answer(r, t, &head);
	} else if (t->has_edns && (head.rcode == 1 || head.rcode == 4)) {
		t->has_edns = false; /* a server from before RFC 2671 */
		begin_try(r, t);
	} else {
		t->failures++;
		next_server(r, t);
	}
	return true;
}

static void read_udp(struct round *r, struct talk *t)
{
	ssize_t n;

	str_reserve(&t->in, UINT16_MAX);
	n = recv(t->fd, t->in.p, UINT16_MAX, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		note_failure(r, t, "the resolver does not answer", errno);
	else
		hear(r, t, slice_make(t->in.p, (size_t)n));
}

static void read_tcp(struct round *r, struct talk *t)
{
	size_t wanted;
	ssize_t n;

	str_reserve(&t->in, UINT16_MAX + 2 - t->in.len);
	n = recv(t->fd, t->in.p + t->in.len, UINT16_MAX + 2 - t->in.len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		note_failure(r, t, "the resolver closed the connection",
			     n < 0 ? errno : ECONNRESET);
		return;
	}
	t->in.len += (size_t)n;
	if (t->in.len < 2)
		return;
	wanted = (size_t)((unsigned char)t->in.p[0] << 8 |
			  (unsigned char)t->in.p[1]);
	if (t->in.len - 2 < wanted)
		return;
	if (!hear(r, t, slice_make(t->in.p + 2, wanted)))
		note_failure(r, t, "the resolver answers something else",
			     EBADMSG);
}

static void write_some(struct round *r, struct talk *t)
{
	ssize_t n =
	    send(t->fd, t->out.p + t->sent, t->out.len - t->sent, MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		note_failure(r, t, "the resolver cannot be asked", errno);
	else
		t->sent += (size_t)n;
}

/* Waits for the talks that are under way, and lets them go on. */
static void step(struct round *r, int64_t until)
{
	struct pollfd polls[TALKS_AT_ONCE];
	struct talk *talks[TALKS_AT_ONCE];
	int64_t now = conn_now();
	nfds_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		struct talk *t = &r->talks[i];

		if (t->state != TALKING)
			continue;
		polls[n] = (struct pollfd){
			.fd = t->fd,
			.events = t->sent < t->out.len ? POLLOUT : POLLIN,
		};
		talks[n++] = t;
		if (t->retry_at < until)
			until = t->retry_at;
	}
	if (poll(polls, n, until > now ? (int)(until - now) : 0) < 0)
		return;
	now = conn_now();
	for (nfds_t i = 0; i < n; i++) {
		struct talk *t = talks[i];

		if (polls[i].revents != 0 && t->sent < t->out.len)
			write_some(r, t);
		else if (polls[i].revents != 0 && t->is_tcp)
			read_tcp(r, t);
		else if (polls[i].revents != 0)
			read_udp(r, t);
		else if (now >= t->retry_at && t->is_tcp)
			note_failure(r, t, "the resolver does not answer",
				     ETIMEDOUT);
		else if (now >= t->retry_at)
			next_server(r, t);
	}
}

/* Begins talks while there is room. True while any is not done. */
static bool begin_more(struct round *r)
{
	size_t n_talking = 0;
	bool is_more = false;

	for (size_t i = 0; i < r->n; i++)
		n_talking += r->talks[i].state == TALKING;
	for (size_t i = 0; i < r->n; i++) {
		struct talk *t = &r->talks[i];

		if (t->state == WAITING && n_talking < TALKS_AT_ONCE) {
			begin_talk(r, t, t->answer->name);
			n_talking += t->state == TALKING;
		}
		is_more = is_more || t->state != DONE;
	}
	return is_more;
}

/* Those that have no answer yet get this one. */
static void give_up(struct round *r, enum dns_verdict verdict,
		    struct slice detail)
{
	for (size_t i = 0; i < r->n; i++) {
		struct talk *t = &r->talks[i];

		if (t->state == DONE)
			continue;
		finish(t);
		if (t->was_heard && verdict == DNS_TIMEOUT) {
			give(r, t, DNS_INDETERMINATE);
			continue;
		}
		t->answer->verdict = verdict;
		t->answer->canonical = t->answer->name;
		t->answer->n = 0;
		t->answer->detail = detail;
	}
}

static void stub_ask(struct dns_source *source, struct dns_answer *answers,
		     size_t n, int64_t deadline, struct arena *a)
{
	struct stub *s = (struct stub *)source;
	struct round r = { .stub = s, .n = n, .arena = a };

	r.talks = mem_zero(n > 0 ? n : 1, sizeof(*r.talks));
	for (size_t i = 0; i < n; i++) {
		r.talks[i].answer = &answers[i];
		r.talks[i].fd = -1;
	}
	while (begin_more(&r)) {
		step(&r, dns_slice_end(deadline));
		if (s->up.should_stop != NULL && s->up.should_stop())
			give_up(&r, DNS_INTERRUPTED, SLICE("interrupted"));
		else if (conn_now() >= deadline)
			give_up(&r, DNS_TIMEOUT,
				SLICE("no answer in the time allowed"));
	}
	for (size_t i = 0; i < n; i++) {
		str_done(&r.talks[i].out);
		str_done(&r.talks[i].in);
	}
	free(r.talks);
}

static void stub_free(struct dns_source *source)
{
	free(source);
}

struct dns_source *dns_stub_new(const struct dns_upstream *up)
{
	struct stub *s = mem_zero(1, sizeof(*s));

	s->source.ask = stub_ask;
	s->source.free = stub_free;
	s->up = *up;
	return &s->source;
}
