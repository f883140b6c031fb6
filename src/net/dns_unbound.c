/*
 * dns_unbound.c - libunbound as a source that validates.
 *
 * Its event API runs everything in this process: no thread, no child. The
 * loop turns only while questions wait for answers. The library has no
 * deadline of its own worth the name (half a minute for a dead server), so
 * ours cancels; what was cancelled ends in some later turn of the loop, and
 * tells nobody. An answer that comes before its question was even put back
 * into our hands is one that it had kept.
 *
 * SERVFAIL, REFUSED and silence all arrive as rcode 2. A bogus answer arrives
 * with its data, which nobody gets to see.
 */
#include "net/dns_source.h"

#include "base/keyword.h"
#include "base/mem.h"
#include "net/conn.h"
#include "net/dns_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unbound-event.h>
#include <unbound.h>
#include <unistd.h>

/* The keys of the root zone: <https://data.iana.org/root-anchors/>. */
static const char *const root_anchors[] = {
	". DS 20326 8 2 "
	"E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
	". DS 38696 8 2 "
	"683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
};

static const struct {
	const char *name, *value;
} settings[] = {
	{ "module-config:", "validator iterator" },
	{ "do-not-query-localhost:", "no" }, /* resolvers on this host */
	/* What is answered here and never asked is ours to say: dns_files.c. */
	{ "unblock-lan-zones:", "yes" },
	{ "insecure-lan-zones:", "yes" },
	/* Who has a choice makes it; the same question has the same answer. */
	{ "rrset-roundrobin:", "no" },
	/* One user, few names: memory for about a thousand answers. */
	{ "msg-cache-size:", "512k" },
	{ "rrset-cache-size:", "1m" },
	{ "key-cache-size:", "256k" },
	{ "neg-cache-size:", "128k" },
	{ "infra-cache-numhosts:", "100" },
	{ "msg-cache-slabs:", "1" },
	{ "rrset-cache-slabs:", "1" },
	{ "infra-cache-slabs:", "1" },
	{ "key-cache-slabs:", "1" },
	{ "outgoing-range:", "64" },
	/* As Linux chooses ports itself: no service of ours, less to list. */
	{ "outgoing-port-avoid:", "0-32767" },
	{ "outgoing-port-avoid:", "61000-65535" },
	{ "num-queries-per-thread:", "512" },
	{ "outgoing-num-tcp:", "4" },
	/* A server that was away may be asked again soon. */
	{ "infra-host-ttl:", "60" },
	{ "infra-keep-probing:", "yes" },
	/* No questions of its own about whose key we have. */
	{ "trust-anchor-signaling:", "no" },
	{ "root-key-sentinel:", "no" },
};

struct validator {
	struct dns_source source; /* the first, so that one is the other */
	struct dns_upstream up;
	struct event_base *base;
	struct event *timer;
	struct ub_ctx *ctx;
};

/* A question that is under way. */
struct pending {
	struct dns_answer *answer;
	struct arena *arena;
	int id; /* for ub_cancel() */
	bool is_done;
};

static void withhold(struct dns_answer *answer, enum dns_verdict verdict,
		     struct slice detail)
{
	answer->verdict = verdict;
	answer->canonical = answer->name;
	answer->detail = detail;
	answer->records = NULL;
	answer->chain = NULL;
	answer->n = answer->n_chain = 0;
	answer->ttl = 0;
}

/* Reads the packet of an answer. */
static void take_packet(struct pending *p, struct slice packet, int security,
			const char *why)
{
	struct dns_answer *answer = p->answer;
	struct dns_head head;

	if (!dns_message_read(packet, answer, &head, p->arena)) {
		withhold(answer, DNS_MALFORMED,
			 SLICE("the answer cannot be read"));
	} else if (security == 1) {
		withhold(answer, DNS_BOGUS, arena_dup(p->arena, slice_of(why)));
		answer->status = DNS_FORGED;
	} else {
		answer->status = security == 2 ? DNS_SECURE : DNS_INSECURE;
	}
}

static void on_answer(void *context, int rcode, void *packet, int len,
		      int security, char *why, int was_limited)
{
	struct pending *p = context;

	(void)was_limited;
	p->is_done = true;
	if (rcode == 0 && packet != NULL && len > 0)
		take_packet(p, slice_make(packet, (size_t)len), security, why);
	else
		withhold(p->answer, DNS_SERVFAIL,
			 why != NULL
			     ? arena_dup(p->arena, slice_of(why))
			     : SLICE("the resolvers failed or did not answer"));
}

static void on_timer(evutil_socket_t fd, short events, void *context)
{
	(void)fd;
	(void)events;
	event_base_loopbreak(context);
}

static void ask_one(struct validator *v, struct pending *p)
{
	struct dns_name name;
	int r;

	if (!dns_name_read(p->answer->name, &name)) {
		withhold(p->answer, DNS_BAD_NAME, SLICE("not a name"));
		p->is_done = true;
		return;
	}
	r = ub_resolve_event(v->ctx, dns_name_text(&name, p->arena).p,
			     (int)p->answer->type, 1, p, on_answer, &p->id);
	if (p->is_done)
		p->answer->origin = DNS_FROM_CACHE;
	if (r == 0 || p->is_done)
		return;
	withhold(p->answer, DNS_UNAVAILABLE,
		 arena_printf(p->arena, "libunbound: %s", ub_strerror(r)));
	p->is_done = true;
}

static bool are_done(const struct pending *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!p[i].is_done)
			return false;
	return true;
}

static void give_up(struct validator *v, struct pending *p, size_t n,
		    enum dns_verdict verdict)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i].is_done)
			continue;
		ub_cancel(v->ctx, p[i].id);
		p[i].is_done = true;
		withhold(p[i].answer, verdict,
			 verdict == DNS_TIMEOUT
			     ? SLICE("no answer in the time allowed")
			     : SLICE("interrupted"));
	}
}

/* Lets the library work for a while. */
static void turn(struct validator *v, int64_t until)
{
	int64_t wait = until - conn_now();
	struct timeval tv = { 0 };

	if (wait > 0) {
		tv.tv_sec = wait / 1000;
		tv.tv_usec = wait % 1000 * 1000;
	}
	event_add(v->timer, &tv);
	event_base_loop(v->base, EVLOOP_ONCE);
	event_del(v->timer);
}

static void validator_ask(struct dns_source *source, struct dns_answer *answers,
			  size_t n, int64_t deadline, struct arena *a)
{
	struct validator *v = (struct validator *)source;
	struct pending *p = mem_zero(n > 0 ? n : 1, sizeof(*p));

	for (size_t i = 0; i < n; i++) {
		p[i] = (struct pending){ .answer = &answers[i], .arena = a };
		ask_one(v, &p[i]);
	}
	while (!are_done(p, n)) {
		turn(v, dns_slice_end(deadline));
		if (v->up.should_stop != NULL && v->up.should_stop())
			give_up(v, p, n, DNS_INTERRUPTED);
		else if (conn_now() >= deadline)
			give_up(v, p, n, DNS_TIMEOUT);
	}
	free(p);
}

static void validator_free(struct dns_source *source)
{
	struct validator *v = (struct validator *)source;

	if (v->ctx != NULL)
		ub_ctx_delete(v->ctx);
	if (v->timer != NULL)
		event_free(v->timer);
	if (v->base != NULL)
		event_base_free(v->base);
	free(v);
}

/* ---- making it ---------------------------------------------------------- */

static int set_servers(struct validator *v, struct err *err)
{
	struct str text = STR_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < v->up.servers.n; i++) {
		const struct net_addr *addr = &v->up.servers.addrs[i];
		bool is_v6 = addr->u.any.sa_family == AF_INET6;
		char host[INET6_ADDRSTRLEN] = "";

		inet_ntop(addr->u.any.sa_family,
			  is_v6 ? (const void *)&addr->u.v6.sin6_addr
				: (const void *)&addr->u.v4.sin_addr,
			  host, sizeof(host));
		str_clear(&text);
		str_adds(&text, host);
		if (is_v6 && addr->u.v6.sin6_scope_id != 0)
			str_addf(&text, "%%%u", addr->u.v6.sin6_scope_id);
		str_addf(&text, "@%u", net_addr_port(addr));
		r = ub_ctx_set_fwd(v->ctx, str_cstr(&text));
		if (r != 0)
			r = FAIL(err, "resolver %s: %s", str_cstr(&text),
				 ub_strerror(r));
	}
	str_done(&text);
	return r;
}

static int set_anchors(struct validator *v, struct err *err)
{
	const char *file = v->up.anchor_file;
	int r = 0;

	if (file != NULL) {
		if (access(file, R_OK) < 0)
			return FAIL_CODE(err, errno, "trust anchor %s: %s",
					 file, strerror(errno));
		r = ub_ctx_add_ta_file(v->ctx, file);
	}
	for (size_t i = 0; file == NULL && r == 0 && i < COUNT(root_anchors);
	     i++)
		r = ub_ctx_add_ta(v->ctx, root_anchors[i]);
	if (r != 0)
		return FAIL(err, "trust anchor: %s", ub_strerror(r));
	return 0;
}

static int set_up(struct validator *v, struct err *err)
{
	int r;

	v->base = event_base_new();
	if (v->base == NULL)
		return FAIL(err, "libevent cannot make a loop");
	v->timer = evtimer_new(v->base, on_timer, v->base);
	v->ctx = ub_ctx_create_event(v->base);
	if (v->timer == NULL || v->ctx == NULL)
		return FAIL(err, "libunbound cannot be started");
	ub_ctx_debugout(v->ctx, NULL); /* not on our standard error */
	for (size_t i = 0; i < COUNT(settings); i++) {
		r = ub_ctx_set_option(v->ctx, settings[i].name,
				      settings[i].value);
		if (r != 0)
			return FAIL(err, "libunbound: %s %s", settings[i].name,
				    ub_strerror(r));
	}
	if (set_servers(v, err) < 0 || set_anchors(v, err) < 0)
		return -1;
	/*
	 * It would deny these names, which laboratories use. This is also
	 * where it reads the trust anchor.
	 */
	r = ub_ctx_zone_remove(v->ctx, "test.");
	if (r != 0)
		return FAIL(err, "libunbound: %s%s%s", ub_strerror(r),
			    v->up.anchor_file != NULL
				? "; is this a trust anchor: "
				: "",
			    v->up.anchor_file != NULL ? v->up.anchor_file : "");
	return 0;
}

int dns_validator_new(const struct dns_upstream *up, struct dns_source **ret,
		      struct err *err)
{
	struct validator *v = mem_zero(1, sizeof(*v));

	v->source.ask = validator_ask;
	v->source.free = validator_free;
	v->up = *up;
	if (set_up(v, err) < 0) {
		validator_free(&v->source);
		return -1;
	}
	*ret = &v->source;
	return 0;
}
