/*
 * dns_files_test.c - lists of resolvers, hosts, and names that stay here.
 */
#include "net/dns_files.h"

#include "base/fd.h"
#include "base/keyword.h"
#include "base/test.h"
#include "net/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "192.0.2.1:53 ..." */
static struct slice servers_text(const struct dns_servers *s, struct arena *a)
{
	struct str text = STR_INIT;
	struct slice r;

	for (size_t i = 0; i < s->n; i++) {
		str_adds(&text, i > 0 ? " " : "");
		net_addr_print_literal(&text, &s->addrs[i]);
		str_addf(&text, ":%u", net_addr_port(&s->addrs[i]));
	}
	r = arena_dup(a, str_slice(&text));
	str_done(&text);
	return r;
}

static void test_list_of_resolvers_is_read(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "192.0.2.1", "[192.0.2.1]:53" },
		{ "  192.0.2.1,2001:db8::1\t[127.0.0.1]:5353 ,",
		  "[192.0.2.1]:53 [IPv6:2001:db8::1]:53 [127.0.0.1]:5353" },
		{ "[IPv6:2001:db8::1]:54", "[IPv6:2001:db8::1]:54" },
		{ "1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 "
		  "1.1.1.8",
		  "[1.1.1.1]:53 [1.1.1.2]:53 [1.1.1.3]:53 [1.1.1.4]:53 "
		  "[1.1.1.5]:53 [1.1.1.6]:53 [1.1.1.7]:53 [1.1.1.8]:53" },
	};
	static const char *const bad[] = {
		"",
		" , ",
		"resolver.example",
		"192.0.2.1:53",
		"192.0.2.256",
		"[192.0.2.1]:0",
		"192.0.2.1 x",
		"192.0.2.1%eth0",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc",
		"fe80::1%an-interface-with-a-long-name",
		"/run/socket",
		"1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 ::7 ::8 ::9",
	};
	struct arena *a = arena_new();
	struct dns_servers s;
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(
		    dns_servers_read(slice_of(rows[i].in), &s, &err), 0);
		assert_slice_is(servers_text(&s, a), rows[i].want);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		s.n = 77;
		if (dns_servers_read(slice_of(bad[i]), &s, &err) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(s.n, 77);
		assert_true(err.text[0] != '\0');
	}
	arena_free(a);
}

static void test_resolv_conf_is_read(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "", "[127.0.0.1]:53" },
		{ "search example.org\noptions edns0\n", "[127.0.0.1]:53" },
		{ "nameserver 192.0.2.1\nnameserver\t2001:db8::1\r\n",
		  "[192.0.2.1]:53 [IPv6:2001:db8::1]:53" },
		{ "# nameserver 192.0.2.1\n;nameserver 192.0.2.2\n"
		  "nameserver nonsense\nnameserver\nnameservers 192.0.2.4\n"
		  "  nameserver 192.0.2.3 # a comment",
		  "[192.0.2.3]:53" },
		{ "nameserver fe80::1%lo\n", "[IPv6:fe80::1]:53" },
		{ "nameserver 1.1.1.1\nnameserver 1.1.1.2\n"
		  "nameserver 1.1.1.3\nnameserver 1.1.1.4\n"
		  "nameserver 1.1.1.5\nnameserver 1.1.1.6\n"
		  "nameserver 1.1.1.7\nnameserver 1.1.1.8\n"
		  "nameserver 1.1.1.9\n",
		  "[1.1.1.1]:53 [1.1.1.2]:53 [1.1.1.3]:53 [1.1.1.4]:53 "
		  "[1.1.1.5]:53 [1.1.1.6]:53 [1.1.1.7]:53 [1.1.1.8]:53" },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dns_servers s;

		dns_resolv_conf_read(slice_of(rows[i].in), &s);
		assert_slice_is(servers_text(&s, a), rows[i].want);
	}
	arena_free(a);
}

static void test_zone_of_an_address_is_kept(void **state)
{
	struct dns_servers s;

	(void)state;
	dns_resolv_conf_read(SLICE("nameserver fe80::1%lo\n"), &s);
	assert_int_equal(s.n, 1);
	assert_int_not_equal(s.addrs[0].u.v6.sin6_scope_id, 0);
}

static void test_only_this_host_is_local(void **state)
{
	static const struct {
		const char *list;
		bool want;
	} rows[] = {
		{ "127.0.0.1", true },
		{ "127.0.0.53", true },
		{ "::1", true },
		{ "127.0.0.1 ::1", true },
		{ "[127.0.0.1]:5353", true },
		{ "192.0.2.1", false },
		{ "127.0.0.1 192.0.2.1", false },
		{ "2001:db8::1", false },
		{ "0.0.0.0", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct dns_servers s;
		struct err err;

		assert_int_equal(
		    dns_servers_read(slice_of(rows[i].list), &s, &err), 0);
		assert_int_equal(dns_servers_are_local(&s), rows[i].want);
	}
}

/* ---- files -------------------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, slice_of(text)), 0);
	close(fd);
}

static void test_file_is_read_again_when_it_has_changed(void **state)
{
	char dir[] = "/tmp/zpost-files-XXXXXX", path[64];
	struct dns_file f = { .path = path };

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/hosts", dir);
	assert_true(dns_file_refresh(&f, 1000)); /* not there: empty */
	assert_false(dns_file_refresh(&f, 1000));
	assert_int_equal(f.text.len, 0);
	write_file(path, "one");
	assert_true(dns_file_refresh(&f, 1000));
	assert_string_equal(str_cstr(&f.text), "one");
	assert_false(dns_file_refresh(&f, 1000));
	write_file(path, "four");
	assert_true(dns_file_refresh(&f, 1000));
	assert_string_equal(str_cstr(&f.text), "four");
	assert_int_equal(unlink(path), 0);
	assert_true(dns_file_refresh(&f, 1000));
	assert_int_equal(f.text.len, 0);
	/* What is no file is an empty one. */
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(dns_file_refresh(&f, 1000));
	assert_int_equal(f.text.len, 0);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_true(dns_file_refresh(&f, 1000));
	assert_int_equal(f.text.len, 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	dns_file_done(&f);
}

/* ---- rules and hosts ---------------------------------------------------- */

/* "ok canonical addresses..." or a verdict alone; "-" if there is no say. */
static struct slice told(bool is_told, const struct dns_answer *answer,
			 struct arena *a)
{
	struct str text = STR_INIT;
	struct slice s;

	if (!is_told)
		return SLICE("-");
	str_adds(&text, dns_verdict_word(answer->verdict));
	if (answer->n > 0)
		str_addf(&text, " %.*s", SLICE_ARG(answer->canonical));
	for (size_t i = 0; i < answer->n; i++) {
		const struct target_address *t = &answer->records[i].address;

		str_addf(&text, " %s%u", t->is_v6 ? "v6/" : "",
			 t->bytes[t->is_v6 ? 15 : 3]);
	}
	assert_int_equal(answer->status, DNS_INDETERMINATE);
	s = arena_dup(a, str_slice(&text));
	str_done(&text);
	return s;
}

static void test_some_names_never_leave_the_host(void **state)
{
	static const struct {
		const char *name, *v4, *v6, *mx;
	} rows[] = {
		{ "localhost", "ok localhost 1", "ok localhost v6/1",
		  "nodata" },
		{ "LocalHost.", "ok LocalHost. 1", "ok LocalHost. v6/1",
		  "nodata" },
		{ "a.b.localhost", "ok a.b.localhost 1",
		  "ok a.b.localhost v6/1", "nodata" },
		{ "invalid", "nxdomain", "nxdomain", "nxdomain" },
		{ "a.INVALID", "nxdomain", "nxdomain", "nxdomain" },
		{ "abc.onion.", "nxdomain", "nxdomain", "nxdomain" },
		{ "localhost.example", "-", "-", "-" },
		{ "notlocalhost", "-", "-", "-" },
		{ "example.test", "-", "-", "-" },
		{ ".", "-", "-", "-" },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < 3 * COUNT(rows); i++) {
		static const enum dns_type types[] = { DNS_A, DNS_AAAA,
						       DNS_MX };
		const char *const want[] = { rows[i / 3].v4, rows[i / 3].v6,
					     rows[i / 3].mx };
		struct dns_answer answer = {
			.name = slice_of(rows[i / 3].name),
			.type = types[i % 3],
		};
		bool is_told = dns_rule_answer(&answer, a);

		assert_slice_is(told(is_told, &answer, a), want[i % 3]);
		if (is_told)
			assert_int_equal(answer.origin, DNS_FROM_RULE);
	}
	arena_free(a);
}

static void test_hosts_file_is_the_truth_about_its_names(void **state)
{
	static const char text[] = "# a comment\n"
				   "192.0.2.1\tmail.example mail # Mail\n"
				   "\n"
				   "2001:db8::2 mail.example\r\n"
				   "192.0.2.3 other mail.example\n"
				   "192.0.2.4 four.example # five.example\n"
				   "nonsense six.example\n"
				   "192.0.2.7\n"
				   "  192.0.2.8   Eight.Example\n"
				   "2001:db8::9 nine.example";
	static const struct {
		const char *name, *v4, *v6;
	} rows[] = {
		{ "mail.example", "ok mail.example 1 3",
		  "ok mail.example v6/2" },
		{ "MAIL.example.", "ok mail.example 1 3",
		  "ok mail.example v6/2" },
		{ "mail", "ok mail.example 1", "nodata" },
		{ "other", "ok other 3", "nodata" },
		{ "four.example", "ok four.example 4", "nodata" },
		{ "five.example", "-", "-" },
		{ "six.example", "-", "-" },
		{ "192.0.2.7", "-", "-" },
		{ "eight.example", "ok Eight.Example 8", "nodata" },
		{ "nine.example", "nodata", "ok nine.example v6/9" },
		{ "mail.exampl", "-", "-" },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		struct dns_answer answer = {
			.name = slice_of(rows[i / 2].name),
			.type = i % 2 == 0 ? DNS_A : DNS_AAAA,
		};
		bool is_told = dns_hosts_answer(slice_of(text), &answer, a);

		assert_slice_is(told(is_told, &answer, a),
				i % 2 == 0 ? rows[i / 2].v4 : rows[i / 2].v6);
		if (is_told)
			assert_int_equal(answer.origin, DNS_FROM_HOSTS);
		answer.type = DNS_MX;
		assert_false(dns_hosts_answer(slice_of(text), &answer, a));
	}
	arena_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_of_resolvers_is_read),
		cmocka_unit_test(test_resolv_conf_is_read),
		cmocka_unit_test(test_zone_of_an_address_is_kept),
		cmocka_unit_test(test_only_this_host_is_local),
		cmocka_unit_test(test_file_is_read_again_when_it_has_changed),
		cmocka_unit_test(test_some_names_never_leave_the_host),
		cmocka_unit_test(test_hosts_file_is_the_truth_about_its_names),
	};

	return TEST_RUN(tests);
}
