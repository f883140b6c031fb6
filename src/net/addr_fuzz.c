/*
 * addr_fuzz.c - any text as an address literal and as the path of a UNIX
 * socket.
 *
 * Invariants: what is taken has a port, looks like a literal and, printed,
 * reads back as the same host; the chosen port counts only where the text has
 * none; the path of a UNIX socket stays as it was; what is refused leaves the
 * result alone and gives a text without control bytes.
 */
#include "base/fuzz.h"
#include "net/addr.h"

#include <string.h>

static void check_refused(const struct net_addr *addr, const struct err *err)
{
	FUZZ_CHECK(addr->len == 0);
	FUZZ_CHECK(err->text[0] != '\0');
	FUZZ_CHECK(!slice_has_control(slice_of(err->text)));
}

static void check_target(const struct net_addr *addr)
{
	struct target_address t;

	FUZZ_CHECK(net_addr_target(addr, &t));
	FUZZ_CHECK(t.is_v6 == (addr->u.any.sa_family == AF_INET6));
}

static void check_read_back(const struct net_addr *addr)
{
	struct net_addr again = { 0 };
	struct str text = STR_INIT;
	struct err err;

	net_addr_print_literal(&text, addr);
	FUZZ_CHECK(!slice_has_control(str_slice(&text)));
	FUZZ_CHECK(net_literal_parse(str_slice(&text), 1, &again, &err) == 0);
	FUZZ_CHECK(again.len == addr->len);
	FUZZ_CHECK(net_addr_same_host(&again, addr));
	FUZZ_CHECK(net_addr_same_host(addr, &again));
	FUZZ_CHECK(net_addr_port(&again) == 1);
	str_done(&text);
}

static void check_literal(struct slice text)
{
	struct net_addr addr = { 0 }, other = { 0 };
	struct err err;
	bool has_port;

	if (net_literal_parse(text, 25, &addr, &err) < 0) {
		check_refused(&addr, &err);
		FUZZ_CHECK(net_literal_parse(text, 26, &other, &err) < 0);
		return;
	}
	FUZZ_CHECK(net_literal_looks(text));
	FUZZ_CHECK(net_literal_parse(text, 26, &other, &err) == 0);
	has_port = slice_find_text(text, SLICE("]:")) < text.len;
	FUZZ_CHECK((net_addr_port(&addr) == net_addr_port(&other)) == has_port);
	FUZZ_CHECK(net_addr_port(&addr) > 0);
	check_target(&addr);
	check_read_back(&addr);
}

static void check_unix(struct slice path)
{
	struct net_addr addr = { 0 };
	struct err err;

	if (net_unix_addr(path, &addr, &err) < 0) {
		check_refused(&addr, &err);
		return;
	}
	FUZZ_CHECK(slice_eq(slice_of(addr.u.local.sun_path), path));
	FUZZ_CHECK((size_t)addr.len <= sizeof(addr.u.local));
	FUZZ_CHECK(net_addr_port(&addr) == 0);
	FUZZ_CHECK(net_addr_same_host(&addr, &addr));
}

FUZZ(data, size)
{
	struct slice text = slice_make((const char *)data, size);

	check_literal(text);
	check_unix(text);
	return 0;
}
