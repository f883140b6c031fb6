/*
 * dial.c - connecting to one address as the options say.
 */
#include "smtpta/dial.h"

#include "agent/agent.h"
#include "base/keyword.h"
#include "net/reach.h"
#include "smtpta/route.h"

enum { LOOKUP_MAX = 10 * 1000 }; /* milliseconds, for our own end */

static enum lookup_verdict verdict_of(const struct dns_answer *answers)
{
	if (dns_is_temporary(answers[0].verdict) ||
	    dns_is_temporary(answers[1].verdict))
		return LOOKUP_AGAIN;
	return answers[0].verdict == DNS_NODATA ? LOOKUP_NO_DATA
						: LOOKUP_NO_NAME;
}

/* The addresses of a host name for -L: a resolver's, IPv4 first. */
static struct lookup look_up(void *context, struct slice name, struct arena *a)
{
	struct dns_answer answers[] = { { .name = name, .type = DNS_A },
					{ .name = name, .type = DNS_AAAA } };
	struct lookup found = { .verdict = LOOKUP_OK, .detail = "" };

	found.addrs = ARENA_NEW(a, struct net_addr);
	if (smtpta_options_address(name, found.addrs)) {
		found.n = 1;
		return found;
	}
	dns_ask_all(context, answers, COUNT(answers), conn_now() + LOOKUP_MAX,
		    a);
	found.addrs =
	    arena_array(a, answers[0].n + answers[1].n, sizeof(*found.addrs));
	for (size_t i = 0; i < COUNT(answers); i++)
		for (size_t k = 0; k < answers[i].n; k++)
			found.addrs[found.n++] =
			    net_addr_of(&answers[i].records[k].address, 0);
	if (found.n == 0)
		found.verdict = verdict_of(answers);
	return found;
}

struct conn_options dial_options(const struct smtpta_options *o,
				 struct slice destination)
{
	return (struct conn_options){
		.timeout_ms = (int64_t)o->timeouts.conn * 1000,
		.should_stop = agent_is_interrupted,
		.send_buffer = o->send_buffer,
		.from_reserved_port = o->reserved_port,
		.from = { .pool = o->sources,
			  .destination = destination,
			  .end = o->local },
	};
}

void dial_resolve(struct conn_options *how, struct dns_resolver *r)
{
	how->from.lookup = look_up;
	how->from.context = r;
}

void dial_judge(int failure, const struct err *err, struct diag *d)
{
	d->fate = FATE_DEFERRED_ALL;
	d->reason = "connect-failed";
	d->status = SLICE("4.4.1 (TCP/IP-connection failure)");
	if (failure == CONN_NO_BIND) {
		d->reason = "bind-failed";
		d->status = SLICE("4.4.0 (internal error, bind)");
	} else if (failure == CONN_NO_PORT) {
		d->fate = FATE_DEFERRED;
		d->reason = "no-reserved-port";
		d->status =
		    SLICE("4.4.0 (internal error, too many busy ports)");
	} else if (reach_is_our_lack(err->code)) {
		d->fate = FATE_DEFERRED;
		d->reason = "no-resources";
		d->status = SLICE("4.3.0 (out of system resources)");
	}
}

void dial_print_end(struct str *to, const struct net_addr *addr)
{
	net_addr_print(to, addr);
	if (addr->u.any.sa_family != AF_UNIX)
		str_addf(to, "|%u", (unsigned)net_addr_port(addr));
}

void dial_print_ends(struct str *to, const struct conn *c)
{
	dial_print_end(to, conn_peer(c));
	if (conn_peer(c)->u.any.sa_family == AF_UNIX || conn_local(c)->len == 0)
		return;
	str_addc(to, '|');
	dial_print_end(to, conn_local(c));
}

/* True if it answered. */
static bool try_address(const struct conn_options *how, struct slice host,
			const struct net_addr *addr,
			void (*say)(const char *line))
{
	struct str line = STR_INIT, raw = STR_INIT;
	struct conn *c = NULL;
	struct err err;
	bool is_connected;

	str_adds(&raw, "Trying ");
	str_add(&raw, host);
	str_adds(&raw, " [");
	net_addr_print(&raw, addr);
	str_adds(&raw, "] ... ");
	is_connected = conn_dial(addr, how, &c, &err) == 0;
	str_adds(&raw, is_connected ? "connected!" : err.text);
	str_add_clean(&line, str_slice(&raw), SIZE_MAX);
	say(str_cstr(&line));
	conn_close(c);
	str_done(&line);
	str_done(&raw);
	return is_connected;
}

void dial_try_host(const struct smtpta_options *o, struct dns_resolver *r,
		   struct slice host, void (*say)(const char *line))
{
	struct conn_options how = dial_options(o, host);
	struct arena *a = arena_new();
	struct route route = route_find(o, r, host, a);
	struct str line = STR_INIT;

	dial_resolve(&how, r);
	for (size_t i = 0; i < route.n && !agent_is_interrupted(); i++)
		if (try_address(&how,
				route.way != NULL ? route.hosts[i].name : host,
				&route.addrs[i], say))
			break;
	if (route.failure != NULL) {
		str_adds(&line, "Trying ");
		str_add_clean(&line, host, SIZE_MAX);
		str_adds(&line, " ... ");
		str_add_clean(&line, route.failure->text, SIZE_MAX);
		say(str_cstr(&line));
	}
	str_done(&line);
	arena_free(a);
}
