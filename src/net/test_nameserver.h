/*
 * test_nameserver.h - a name server that does as a table says, in a child
 * process, over UDP and TCP of a port of its own on 127.0.0.1. To be included
 * by one source file of a program only.
 */
#ifndef NET_TEST_NAMESERVER_H
#define NET_TEST_NAMESERVER_H

#include "base/keyword.h"
#include "base/test.h"
#include "net/addr.h"
#include "net/dns_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is wrong with an answer. */
enum {
	NS_AD = 1,	      /* the bit is set */
	NS_DROP = 2,	      /* there is none */
	NS_DROP_FIRST = 4,    /* none to the first question */
	NS_TRUNCATE = 8,      /* over UDP TC is set and the records are gone */
	NS_DROP_TCP = 16,     /* TCP connections are closed at once */
	NS_WRONG_ID = 32,     /* another comes before it, with a wrong id */
	NS_OTHER_NAME = 64,   /* another comes before it, for another name */
	NS_GARBAGE = 128,     /* rubbish instead */
	NS_NO_EDNS = 256,     /* FORMERR if the question has an OPT record */
	NS_CUT = 512,	      /* the message ends early */
	NS_STRIP = 1024,      /* of the message in hexadecimal: no records */
	NS_FAIL_FIRST = 2048, /* SERVFAIL to the first question */
	NS_PIECES = 4096,     /* over TCP byte by byte */
	NS_HEAD_ALONE = 8192  /* the head, and not even the question */
};

struct ns_rule {
	const char *name; /* "*": any */
	int type;	  /* 0: any */
	/*
	 * Records of the answer, ';' between: "OWNER TTL TYPE RDATA", the
	 * types being A, AAAA, MX, CNAME, TXT, and SOA for the authority
	 * section ("OWNER TTL SOA MINIMUM").
	 */
	const char *records;
	unsigned rcode, flags;
	const char *message; /* if set: the whole message in hexadecimal */
};

struct ns_shared {
	int asked[64]; /* for each rule */
	int udp, tcp;
	char last[300];
};

struct ns {
	pid_t pid;
	struct net_addr addr;
	const struct ns_rule *rules;
	size_t n;
	struct ns_shared *shared;
	int udp, tcp;
};

/* ---- making an answer --------------------------------------------------- */

static inline void ns_add16(struct str *to, unsigned n)
{
	str_addc(to, (char)(n >> 8));
	str_addc(to, (char)(n & 0xff));
}

static inline void ns_add_name(struct str *to, struct slice text)
{
	struct dns_name name;

	assert_true(dns_name_read(text, &name));
	str_add(to, slice_make((const char *)name.bytes, name.len));
}

static inline unsigned ns_number(struct slice text)
{
	uint64_t n = 0;

	assert_true(slice_uint(text, UINT32_MAX, &n));
	return (unsigned)n;
}

static inline void ns_add_rdata(struct str *to, enum dns_type type,
				struct slice rest)
{
	char text[300] = "", bytes[16];
	struct slice word = { 0 };

	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		rest = slice_trim(rest);
		memcpy(text, rest.p, rest.len);
		assert_int_equal(
		    inet_pton(type == DNS_A ? AF_INET : AF_INET6, text, bytes),
		    1);
		str_add(to, slice_make(bytes, type == DNS_A ? 4 : 16));
		break;
	case DNS_MX:
		assert_true(slice_word(&rest, &word));
		ns_add16(to, ns_number(word));
		ns_add_name(to, slice_trim(rest));
		break;
	case DNS_SOA:
		ns_add_name(to, SLICE("ns.example"));
		ns_add_name(to, SLICE("host.example"));
		for (size_t i = 0; i < 4; i++)
			str_add(to, SLICE("\0\0\0\1"));
		ns_add16(to, 0);
		ns_add16(to, ns_number(slice_trim(rest)));
		break;
	case DNS_TXT:
		rest = slice_trim(rest);
		str_addc(to, (char)rest.len);
		str_add(to, rest);
		break;
	default:
		ns_add_name(to, slice_trim(rest));
	}
}

/* Adds a record; returns whether it is one of the authority section. */
static inline bool ns_add_record(struct str *to, struct slice text)
{
	struct slice owner = { 0 }, ttl = { 0 }, word = { 0 };
	struct str rdata = STR_INIT;
	enum dns_type type = DNS_A;

	assert_true(slice_word(&text, &owner) && slice_word(&text, &ttl) &&
		    slice_word(&text, &word) && dns_type_read(word, &type));
	ns_add_name(to, owner);
	ns_add16(to, type);
	ns_add16(to, 1);
	ns_add16(to, ns_number(ttl) >> 16);
	ns_add16(to, ns_number(ttl) & 0xffff);
	ns_add_rdata(&rdata, type, text);
	ns_add16(to, (unsigned)rdata.len);
	str_add(to, str_slice(&rdata));
	str_done(&rdata);
	return type == DNS_SOA;
}

static inline void ns_set16(struct str *in, size_t at, unsigned n)
{
	in->p[at] = (char)(n >> 8);
	in->p[at + 1] = (char)(n & 0xff);
}

/* The message of a rule, to a question without its OPT record. */
static inline void ns_answer(struct str *to, const struct ns_rule *rule,
			     struct slice question, bool is_udp)
{
	struct slice rest = slice_of(rule->records), part;
	unsigned n[2] = { 0, 0 };

	str_add(to, question);
	ns_set16(to, 2, 0x8180 | rule->rcode | (rule->flags & NS_AD ? 32 : 0));
	ns_set16(to, 10, 0);
	if (is_udp && (rule->flags & NS_TRUNCATE) != 0) {
		to->p[2] |= 2;
		rest.len = 0;
	}
	while (rest.len > 0 && slice_cut(&rest, ';', &part))
		n[ns_add_record(to, part)]++;
	ns_set16(to, 6, n[0]);
	ns_set16(to, 8, n[1]);
	if ((rule->flags & NS_CUT) != 0)
		str_cut(to, to->len - 3);
}

static inline void ns_answer_hex(struct str *to, const struct ns_rule *rule,
				 struct slice question)
{
	const char *p = rule->message;
	char byte[3] = "";

	for (; *p != '\0'; p += 2) {
		byte[0] = p[0];
		byte[1] = p[1];
		str_addc(to, (char)strtol(byte, NULL, 16));
	}
	to->p[0] = question.p[0];
	to->p[1] = question.p[1];
	if ((rule->flags & NS_STRIP) != 0) {
		str_clear(to);
		str_add(to, question);
		ns_set16(to, 2, 0x8180);
		ns_set16(to, 10, 0);
	}
}

/* ---- the child ---------------------------------------------------------- */

static inline const struct ns_rule *ns_find(const struct ns *ns,
					    struct slice name, int type)
{
	for (size_t i = 0; i < ns->n; i++) {
		const struct ns_rule *r = &ns->rules[i];

		if ((strcmp(r->name, "*") == 0 ||
		     slice_eq_nocase(slice_of(r->name), name)) &&
		    (r->type == 0 || r->type == type))
			return r;
	}
	return NULL;
}

/* Cuts the question out of a query; sets what it asks for. */
static inline struct slice ns_read(struct slice query, struct slice *ret_name,
				   int *ret_type, struct arena *a)
{
	struct dns_name name = { .len = 0 };
	size_t at = 12;

	assert_true(query.len > 17);
	while (query.p[at] != 0)
		at += 1 + (unsigned char)query.p[at];
	name.len = at + 1 - 12;
	assert_true(name.len <= sizeof(name.bytes) && at + 5 <= query.len);
	memcpy(name.bytes, query.p + 12, name.len);
	*ret_name = dns_name_text(&name, a);
	*ret_type = (unsigned char)query.p[at + 1] << 8 |
		    (unsigned char)query.p[at + 2];
	return slice_head(query, at + 5);
}

/* Sends: with the length in front if over TCP, perhaps byte by byte. */
static inline void ns_send(int fd, const struct str *message,
			   const struct sockaddr_in *to, bool in_pieces)
{
	struct str all = STR_INIT;
	size_t step;
	int on = 1;

	if (to != NULL) {
		sendto(fd, message->p, message->len, 0,
		       (const struct sockaddr *)to, sizeof(*to));
		return;
	}
	ns_add16(&all, (unsigned)message->len);
	str_add(&all, str_slice(message));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	step = in_pieces ? 1 : all.len;
	for (size_t i = 0; i < all.len; i += step) {
		send(fd, all.p + i, step, MSG_NOSIGNAL);
		if (in_pieces)
			poll(NULL, 0, 1);
	}
	str_done(&all);
}

static inline void ns_reply(struct ns *ns, int fd, struct slice query,
			    const struct sockaddr_in *to)
{
	struct arena *a = arena_new();
	struct slice name, question;
	struct str out = STR_INIT;
	struct ns_rule rule;
	const struct ns_rule *found;
	int type = 0, times;

	question = ns_read(query, &name, &type, a);
	*(to != NULL ? &ns->shared->udp : &ns->shared->tcp) += 1;
	snprintf(ns->shared->last, sizeof(ns->shared->last), "%.*s %d",
		 SLICE_ARG(name), type);
	found = ns_find(ns, name, type);
	rule = found != NULL ? *found : (struct ns_rule){ .rcode = 3 };
	times = found != NULL ? ns->shared->asked[found - ns->rules]++ : 1;
	if ((rule.flags & NS_NO_EDNS) != 0 && query.len > question.len)
		rule = (struct ns_rule){ .rcode = 1,
					 .flags = rule.flags & NS_HEAD_ALONE };
	else if ((rule.flags & NS_NO_EDNS) != 0)
		rule.flags &= ~(unsigned)NS_HEAD_ALONE;
	if ((rule.flags & NS_FAIL_FIRST) != 0 && times == 0)
		rule = (struct ns_rule){ .rcode = 2 };
	if ((rule.flags & NS_DROP) != 0 ||
	    ((rule.flags & NS_DROP_FIRST) != 0 && times == 0))
		goto out;
	if ((rule.flags & NS_GARBAGE) != 0)
		str_add(&out, SLICE("\377\377\377\377 rubbish rubbish"));
	else if (rule.message != NULL)
		ns_answer_hex(&out, &rule, question);
	else
		ns_answer(&out, &rule, question, to != NULL);
	if ((rule.flags & NS_HEAD_ALONE) != 0) {
		str_cut(&out, 12);
		ns_set16(&out, 4, 0);
	}
	if ((rule.flags & NS_WRONG_ID) != 0) {
		out.p[0] ^= 0x55;
		ns_send(fd, &out, to, (rule.flags & NS_PIECES) != 0);
		out.p[0] ^= 0x55;
	}
	if ((rule.flags & NS_OTHER_NAME) != 0) {
		out.p[13] ^= 1;
		ns_send(fd, &out, to, (rule.flags & NS_PIECES) != 0);
		out.p[13] ^= 1;
	}
	ns_send(fd, &out, to, (rule.flags & NS_PIECES) != 0);
out:
	str_done(&out);
	arena_free(a);
}

static inline void ns_serve_udp(struct ns *ns)
{
	char query[4096];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(ns->udp, query, sizeof(query), 0,
			     (struct sockaddr *)&from, &len);

	if (n > 0)
		ns_reply(ns, ns->udp, slice_make(query, (size_t)n), &from);
}

static inline void ns_serve_tcp(struct ns *ns)
{
	struct timeval limit = { .tv_sec = 2 };
	unsigned char query[4096];
	int fd = accept(ns->tcp, NULL, NULL);
	size_t len;

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if ((ns->rules[0].flags & NS_DROP_TCP) == 0 &&
	    recv(fd, query, 2, MSG_WAITALL) == 2) {
		len = (size_t)(query[0] << 8 | query[1]);
		if (len <= sizeof(query) &&
		    recv(fd, query, len, MSG_WAITALL) == (ssize_t)len)
			ns_reply(ns, fd, slice_make((const char *)query, len),
				 NULL);
	}
	close(fd);
}

static inline _Noreturn void ns_serve(struct ns *ns)
{
	struct pollfd p[2] = { { .fd = ns->udp, .events = POLLIN },
			       { .fd = ns->tcp, .events = POLLIN } };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[0].revents != 0)
			ns_serve_udp(ns);
		if (p[1].revents != 0)
			ns_serve_tcp(ns);
	}
}

/* ---- the parent --------------------------------------------------------- */

static inline void ns_start(struct ns *ns, const struct ns_rule *rules,
			    size_t n)
{
	int port = 0;

	*ns = (struct ns){ .rules = rules, .n = n };
	ns->addr.len = sizeof(ns->addr.u.v4);
	ns->shared = mmap(NULL, sizeof(*ns->shared), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(ns->shared != MAP_FAILED && n < COUNT(ns->shared->asked));
	/* One port for both; what UDP gets may be taken for TCP. */
	for (int tries = 0; port == 0 && tries < 50; tries++) {
		ns->addr.u.v4 = (struct sockaddr_in){ .sin_family = AF_INET,
						      .sin_addr.s_addr = htonl(
							  INADDR_LOOPBACK) };
		ns->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		ns->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_true(ns->udp >= 0 && ns->tcp >= 0);
		assert_int_equal(bind(ns->udp, &ns->addr.u.any, ns->addr.len),
				 0);
		assert_int_equal(
		    getsockname(ns->udp, &ns->addr.u.any, &ns->addr.len), 0);
		if (bind(ns->tcp, &ns->addr.u.any, ns->addr.len) == 0 &&
		    listen(ns->tcp, 16) == 0) {
			port = net_addr_port(&ns->addr);
		} else {
			close(ns->udp);
			close(ns->tcp);
		}
	}
	assert_true(port > 0);
	ns->pid = fork();
	assert_true(ns->pid >= 0);
	if (ns->pid == 0)
		ns_serve(ns);
	close(ns->udp);
	close(ns->tcp);
}

static inline void ns_stop(struct ns *ns)
{
	kill(ns->pid, SIGKILL);
	assert_int_equal(waitpid(ns->pid, NULL, 0), ns->pid);
	munmap(ns->shared, sizeof(*ns->shared));
}

/* "[127.0.0.1]:PORT", in the arena. */
static inline const char *ns_text(const struct ns *ns, struct arena *a)
{
	return arena_printf(a, "[127.0.0.1]:%u", net_addr_port(&ns->addr)).p;
}

#endif
