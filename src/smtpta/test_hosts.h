/*
 * test_hosts.h - the whole agent, and a destination with several hosts, each
 * with a scripted server of its own. To be included by one source file of a
 * program only.
 */
#ifndef SMTPTA_TEST_HOSTS_H
#define SMTPTA_TEST_HOSTS_H

#include "net/test_names.h"
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

static inline void hosts_begin(struct hosts *h, const char *const *scripts,
			       size_t n)
{
	struct err err;
	uint16_t port;

	assert_true(n <= HOSTS);
	run_begin_servers(&h->run, scripts[0]);
	h->n = n;
	port = net_addr_port(&h->run.server.addr);
	for (size_t i = 0; i < n; i++) {
		service.literals[i] = hosts_addresses[i];
		if (i == 0)
			continue;
		h->others[i] = (struct server){ 0 };
		assert_int_equal(net_literal_parse(slice_of(hosts_addresses[i]),
						   port, &h->others[i].addr,
						   &err),
				 0);
		server_start_at(&h->others[i], scripts[i]);
	}
	run_begin_input(&h->run);
	h->run.options.forced = SLICE("mx.example");
	h->run.options.port = port;
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
