/*
 * test_hosts.h - the whole agent, and a destination with several hosts, each
 * with a scripted server of its own. To be included by one source file of a
 * program only.
 */
#ifndef SMTPTA_TEST_HOSTS_H
#define SMTPTA_TEST_HOSTS_H

#include "net/test_names.h"
#include "smtpta/test_answers.h"
#include "smtpta/test_run.h"

enum { HOSTS = 4 };

/* The agent, and one server for each address of mx.example. */
struct hosts {
	struct run run; /* its server is the first */
	struct server others[HOSTS];
	size_t n;
};

static const char *const hosts_addresses[] = { "[127.0.0.1]", "[127.0.0.2]",
					       "[127.0.0.3]", "[127.0.0.4]" };

/* Records of one family, from literals. */
static inline void hosts_add_records(struct str *to, const char *type,
				     const char *const *literals, size_t n)
{
	struct slice begin = SLICE("[IPv6:");
	bool is_v6 = strcmp(type, "AAAA") == 0;
	struct str records = STR_INIT;

	for (size_t i = 0; i < n; i++) {
		struct slice text = slice_of(literals[i]);

		if (slice_starts(text, begin) != is_v6)
			continue;
		text = slice_from(text, is_v6 ? begin.len : 1);
		str_addf(&records, " %.*s",
			 SLICE_ARG(slice_head(text, text.len - 1)));
	}
	str_addf(to, "mx.example %s %s insecure network 5 -%s\n", type,
		 records.len > 0 ? "ok" : "nodata", str_cstr(&records));
	str_done(&records);
}

static inline struct dns_source *hosts_answers(const char *const *literals,
					       size_t n)
{
	struct str text = STR_INIT;
	struct dns_source *source;

	str_adds(&text, "mx.example MX nodata insecure network 5 -\n");
	hosts_add_records(&text, "A", literals, n);
	hosts_add_records(&text, "AAAA", literals, n);
	source = answers_of(str_cstr(&text));
	str_done(&text);
	return source;
}

/* The first address must be 127.0.0.1. */
static inline void hosts_begin_at(struct hosts *h, const char *const *literals,
				  const char *const *scripts, size_t n)
{
	struct err err;
	uint16_t port;

	assert_true(n <= HOSTS);
	run_begin_servers(&h->run, scripts[0]);
	h->n = n;
	port = net_addr_port(&h->run.server.addr);
	for (size_t i = 1; i < n; i++) {
		h->others[i] = (struct server){ 0 };
		assert_int_equal(net_literal_parse(slice_of(literals[i]), port,
						   &h->others[i].addr, &err),
				 0);
		server_start_at(&h->others[i], scripts[i]);
	}
	run_begin_input(&h->run);
	h->run.options.forced = SLICE("mx.example");
	h->run.options.port = port;
	h->run.options.dns.source = hosts_answers(literals, n);
}

static inline void hosts_begin(struct hosts *h, const char *const *scripts,
			       size_t n)
{
	hosts_begin_at(h, hosts_addresses, scripts, n);
}

/* Every server has followed its script to the end. */
static inline void hosts_end(struct hosts *h)
{
	for (size_t i = 1; i < h->n; i++) {
		server_end(&h->others[i]);
		server_done(&h->others[i]);
	}
	run_end(&h->run, NULL);
	service_clear();
}

#endif
