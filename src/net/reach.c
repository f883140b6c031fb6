/*
 * reach.c - which addresses and families fail, and the order that follows.
 *
 * The addresses stand in one array, which is searched from end to end: it is
 * short, and asked once per race.
 */
#include "net/reach.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct doubted {
	struct target_address host;
	uint16_t port;
	int64_t since;
};

struct family {
	unsigned strikes;
	int64_t since; /* the last of them */
};

struct reach {
	struct doubted *doubted;
	size_t n, cap;
	struct family v4, v6;
};

struct reach *reach_new(void)
{
	return mem_zero(1, sizeof(struct reach));
}

void reach_free(struct reach *r)
{
	if (r == NULL)
		return;
	free(r->doubted);
	free(r);
}

bool reach_is_our_lack(int code)
{
	return code == EINTR || code == ENOMEM || code == ENOBUFS ||
	       code == EMFILE || code == ENFILE;
}

/* The network, or our side of it, had nothing to say for the family. */
static bool is_silence(int code)
{
	return code == ETIMEDOUT || code == ENETUNREACH || code == ENETDOWN ||
	       code == EADDRNOTAVAIL || code == EAFNOSUPPORT;
}

/* The host itself has answered. */
static bool is_answer(int code)
{
	return code == 0 || code == ECONNREFUSED || code == ECONNRESET;
}

static struct doubted *find(const struct reach *r, const struct net_addr *addr)
{
	struct target_address host;

	if (!net_addr_target(addr, &host))
		return NULL;
	for (size_t i = 0; i < r->n; i++) {
		struct doubted *d = &r->doubted[i];

		if (d->port == net_addr_port(addr) &&
		    d->host.is_v6 == host.is_v6 &&
		    memcmp(d->host.bytes, host.bytes, sizeof(host.bytes)) == 0)
			return d;
	}
	return NULL;
}

/* A row for one address more; the oldest gives way. */
static struct doubted *new_row(struct reach *r)
{
	struct doubted *oldest;

	if (r->n < REACH_ADDRESSES_MAX) {
		r->doubted = mem_grow(r->doubted, &r->cap, r->n + 1,
				      sizeof(*r->doubted));
		return &r->doubted[r->n++];
	}
	oldest = &r->doubted[0];
	for (size_t i = 1; i < r->n; i++)
		if (r->doubted[i].since < oldest->since)
			oldest = &r->doubted[i];
	return oldest;
}

static struct family *family_of(struct reach *r, const struct net_addr *addr)
{
	return addr->u.any.sa_family == AF_INET6 ? &r->v6 : &r->v4;
}

static bool is_recent(int64_t since, int64_t now)
{
	return now - since < REACH_FORGIVE_MS;
}

static void strike(struct family *f, int64_t now)
{
	if (!is_recent(f->since, now))
		f->strikes = 0;
	if (f->strikes < REACH_STRIKES)
		f->strikes++;
	f->since = now;
}

void reach_failed(struct reach *r, const struct net_addr *addr, int code,
		  int64_t now)
{
	struct doubted row = { .port = net_addr_port(addr), .since = now };
	struct doubted *d = find(r, addr);

	if (reach_is_our_lack(code) || !net_addr_target(addr, &row.host))
		return;
	if (is_answer(code))
		family_of(r, addr)->strikes = 0;
	/* One dead host, tried again and again, says nothing of the others. */
	else if (is_silence(code) && (d == NULL || !is_recent(d->since, now)))
		strike(family_of(r, addr), now);
	if (d == NULL)
		d = new_row(r);
	*d = row;
}

void reach_worked(struct reach *r, const struct net_addr *addr)
{
	struct doubted *d = find(r, addr);

	if (addr->u.any.sa_family == AF_UNIX)
		return;
	family_of(r, addr)->strikes = 0;
	if (d != NULL)
		*d = r->doubted[--r->n];
}

bool reach_doubts_address(const struct reach *r, const struct net_addr *addr,
			  int64_t now)
{
	const struct doubted *d = find(r, addr);

	return d != NULL && is_recent(d->since, now);
}

bool reach_doubts_family(const struct reach *r, sa_family_t family, int64_t now)
{
	const struct family *f = family == AF_INET6 ? &r->v6 : &r->v4;

	return f->strikes >= REACH_STRIKES && is_recent(f->since, now);
}

/* ---- the order ---------------------------------------------------------- */

enum {
	RANK_FAMILY = 1,  /* its family fails, and the other does not */
	RANK_ADDRESS = 2, /* it failed itself: that is the better evidence */
	RANKS = 4
};

/* The doubted family when the other is not; else AF_UNSPEC. */
static sa_family_t worse_family(const struct reach *r, int64_t now)
{
	bool v4 = reach_doubts_family(r, AF_INET, now);
	bool v6 = reach_doubts_family(r, AF_INET6, now);

	if (v4 == v6)
		return AF_UNSPEC;
	return v4 ? AF_INET : AF_INET6;
}

/*
 * An address has a lane: two of them a rank, the first for the family that
 * begins.
 */
static size_t seek(const unsigned char *lanes, size_t n, size_t at,
		   unsigned lane)
{
	while (at < n && lanes[at] != lane)
		at++;
	return at;
}

static unsigned char lane_of(const struct reach *r, const struct net_addr *addr,
			     sa_family_t first, int64_t now)
{
	sa_family_t family = addr->u.any.sa_family;
	unsigned rank = 0;

	if (r != NULL && family == worse_family(r, now))
		rank += RANK_FAMILY;
	if (r != NULL && reach_doubts_address(r, addr, now))
		rank += RANK_ADDRESS;
	return (unsigned char)(2 * rank + (family != first));
}

void reach_order(const struct reach *r, const struct net_addr *addrs, size_t n,
		 int64_t now, size_t *order)
{
	unsigned char *lanes = mem_alloc(n + 1);

	for (size_t i = 0; i < n; i++)
		lanes[i] = lane_of(r, &addrs[i], addrs[0].u.any.sa_family, now);
	for (unsigned lane = 0; lane < 2 * RANKS; lane += 2) {
		size_t a = seek(lanes, n, 0, lane);
		size_t b = seek(lanes, n, 0, lane + 1);

		while (a < n || b < n) {
			if (a < n) {
				*order++ = a;
				a = seek(lanes, n, a + 1, lane);
			}
			if (b < n) {
				*order++ = b;
				b = seek(lanes, n, b + 1, lane + 1);
			}
		}
	}
	free(lanes);
}
