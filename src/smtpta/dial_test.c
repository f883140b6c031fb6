/*
 * dial_test.c - how a dial that failed is judged, how ends are printed, and
 * what the connect test says.
 */
#include "smtpta/dial.h"

#include "base/fd.h"
#include "base/keyword.h"
#include "base/test.h"
#include "smtpta/test_answers.h"

#include <errno.h>
#include <string.h>

struct judged {
	int failure, code;
	enum fate fate;
	const char *reason, *status;
};

static const struct judged judged_rows[] = {
	{ CONN_NO_CONNECTION, ECONNREFUSED, FATE_DEFERRED_ALL, "connect-failed",
	  "4.4.1 (TCP/IP-connection failure)" },
	{ CONN_NO_CONNECTION, ETIMEDOUT, FATE_DEFERRED_ALL, "connect-failed",
	  "4.4.1 (TCP/IP-connection failure)" },
	/* Policy of a network, and a family that is missing here. */
	{ CONN_NO_CONNECTION, EACCES, FATE_DEFERRED_ALL, "connect-failed",
	  "4.4.1 (TCP/IP-connection failure)" },
	{ CONN_NO_CONNECTION, EAFNOSUPPORT, FATE_DEFERRED_ALL, "connect-failed",
	  "4.4.1 (TCP/IP-connection failure)" },
	/* The host is not to blame. */
	{ CONN_NO_CONNECTION, EMFILE, FATE_DEFERRED, "no-resources",
	  "4.3.0 (out of system resources)" },
	{ CONN_NO_CONNECTION, ENOMEM, FATE_DEFERRED, "no-resources",
	  "4.3.0 (out of system resources)" },
	{ CONN_NO_PORT, EADDRINUSE, FATE_DEFERRED, "no-reserved-port",
	  "4.4.0 (internal error, too many busy ports)" },
	{ CONN_NO_BIND, EACCES, FATE_DEFERRED_ALL, "bind-failed",
	  "4.4.0 (internal error, bind)" },
};

static void test_failures_defer_the_host_or_this_mail_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(judged_rows); i++) {
		const struct judged *row = &judged_rows[i];
		struct err err = { .code = row->code };
		struct diag d = { 0 };

		dial_judge(row->failure, &err, &d);
		assert_int_equal(d.fate, row->fate);
		assert_string_equal(d.reason, row->reason);
		assert_slice_is(d.status, row->status);
	}
}

/* A socket that listens; *addr learns its port. */
static int listen_at(const char *literal, struct net_addr *addr)
{
	struct err err;
	int fd;

	if (literal[0] == '/')
		assert_int_equal(net_unix_addr(slice_of(literal), addr, &err),
				 0);
	else
		assert_int_equal(
		    net_literal_parse(slice_of(literal), 0, addr, &err), 0);
	fd = socket(addr->u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &addr->u.any, addr->len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, &addr->u.any, &addr->len), 0);
	return fd;
}

static void check_ends(const char *literal, const char *printed)
{
	struct smtpta_options o = smtpta_options_default();
	struct str got = STR_INIT, want = STR_INIT;
	struct net_addr addr;
	int listener = listen_at(literal, &addr);
	struct conn_options how = dial_options(&o, SLICE("x"));
	struct conn *c;
	struct err err;

	assert_int_equal(conn_dial(&addr, &how, &c, &err), 0);
	dial_print_ends(&got, c);
	str_addf(&want, "%s|%u|%s|%u", printed, (unsigned)net_addr_port(&addr),
		 printed, (unsigned)net_addr_port(conn_local(c)));
	assert_slice_is(str_slice(&got), str_cstr(&want));
	str_clear(&got);
	str_clear(&want);
	dial_print_end(&got, &addr);
	str_addf(&want, "%s|%u", printed, (unsigned)net_addr_port(&addr));
	assert_slice_is(str_slice(&got), str_cstr(&want));
	conn_close(c);
	fd_close(listener);
	str_done(&got);
	str_done(&want);
}

static void test_both_ends_are_printed_with_their_ports(void **state)
{
	struct net_addr addr;
	struct str got = STR_INIT;
	struct err err;

	(void)state;
	check_ends("[127.0.0.1]", "127.0.0.1");
	check_ends("[IPv6:::1]", "ipv6 ::1");
	assert_int_equal(net_unix_addr(SLICE("/run/lmtp"), &addr, &err), 0);
	dial_print_end(&got, &addr);
	assert_slice_is(str_slice(&got), "UNIX:/run/lmtp");
	str_done(&got);
}

static void test_options_say_how_to_connect(void **state)
{
	struct smtpta_options o = smtpta_options_default();
	struct conn_options how;
	struct err err;

	(void)state;
	o.timeouts.conn = 17;
	o.send_buffer = 2000;
	o.reserved_port = true;
	assert_int_equal(smtpta_options_local(&o, SLICE("any"), &err), 0);
	assert_int_equal(smtpta_options_own(&o, SLICE("source=::1"), &err), 0);
	how = dial_options(&o, SLICE("example.com"));
	assert_int_equal(how.timeout_ms, 17000);
	assert_int_equal(how.send_buffer, 2000);
	assert_true(how.from_reserved_port);
	assert_non_null(how.should_stop);
	assert_int_equal(how.from.end.form, LOCAL_ADDRESS);
	assert_slice_is(how.from.pool, "::1");
	assert_slice_is(how.from.destination, "example.com");
}

static void test_local_end_that_cannot_be_had_puts_mail_off(void **state)
{
	struct smtpta_options o = smtpta_options_default();
	struct diag d = { 0 };
	struct net_addr addr;
	struct conn_options how;
	struct conn *c;
	struct err err;
	int listener = listen_at("[127.0.0.1]", &addr), failure;

	(void)state;
	assert_int_equal(smtpta_options_local(&o, SLICE("iface:nosuch0"), &err),
			 0);
	how = dial_options(&o, SLICE("x"));
	failure = conn_dial(&addr, &how, &c, &err);
	assert_int_equal(failure, CONN_NO_BIND);
	dial_judge(failure, &err, &d);
	assert_string_equal(d.reason, "bind-failed");
	assert_int_equal(d.fate, FATE_DEFERRED_ALL);
	fd_close(listener);
}

static void test_own_end_by_name_is_found_by_the_resolver(void **state)
{
	struct smtpta_options o = smtpta_options_default();
	struct dns_options dns = { .source = answers_of_host("out.example",
							     "127.0.0.9") };
	struct dns_resolver *r = dns_new(&dns);
	struct str text = STR_INIT;
	struct conn_options how;
	struct net_addr end;
	struct err err;

	(void)state;
	assert_int_equal(smtpta_options_local(&o, SLICE("out.example"), &err),
			 0);
	how = dial_options(&o, SLICE("x"));
	dial_resolve(&how, r);
	assert_int_equal(local_choose(&how.from, AF_INET, &end, &err), 0);
	net_addr_print(&text, &end);
	assert_slice_is(str_slice(&text), "127.0.0.9");
	assert_int_equal(smtpta_options_local(&o, SLICE("no.example"), &err),
			 0);
	how.from.end = o.local;
	assert_int_equal(local_choose(&how.from, AF_INET, &end, &err), -1);
	str_done(&text);
	dns_free(r);
}

/* ---- the connect test --------------------------------------------------- */

static struct str said;

static void say(const char *line)
{
	str_adds(&said, line);
	str_addc(&said, '\n');
}

static void check_said(const struct smtpta_options *o, const char *host,
		       const char *want)
{
	struct dns_options dns = { .mode = DNS_OFF };
	struct dns_resolver *r = dns_new(&dns);

	dial_try_host(o, r, slice_of(host), say);
	dns_free(r);
	assert_slice_is(str_slice(&said), want);
	str_done(&said);
}

static void test_connect_test_says_a_line_for_each_address(void **state)
{
	struct smtpta_options o = smtpta_options_default();
	struct net_addr addr;
	int listener = listen_at("[127.0.0.1]", &addr);

	(void)state;
	o.port = net_addr_port(&addr);
	check_said(&o, "[127.0.0.1]",
		   "Trying [127.0.0.1] [127.0.0.1] ... connected!\n");
	fd_close(listener);
	check_said(&o, "[127.0.0.1]",
		   "Trying [127.0.0.1] [127.0.0.1] ... Connection refused\n");
	o.forced = SLICE("UNIX:/no/such/socket");
	check_said(&o, "a\x1b.example",
		   "Trying a?.example [UNIX:/no/such/socket] ... No such file "
		   "or directory\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_failures_defer_the_host_or_this_mail_alone),
		cmocka_unit_test(test_options_say_how_to_connect),
		cmocka_unit_test(
		    test_local_end_that_cannot_be_had_puts_mail_off),
		cmocka_unit_test(test_both_ends_are_printed_with_their_ports),
		cmocka_unit_test(test_own_end_by_name_is_found_by_the_resolver),
		cmocka_unit_test(
		    test_connect_test_says_a_line_for_each_address),
	};

	return TEST_RUN(tests);
}
