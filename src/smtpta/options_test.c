/*
 * options_test.c - the values of -T, -O, -L and -F, right and wrong.
 */
#include "smtpta/options.h"

#include "base/keyword.h"
#include "base/test.h"

#include <string.h>

/* ---- defaults ----------------------------------------------------------- */

static void test_defaults_are_those_of_the_manual(void **state)
{
	struct smtpta_options o = smtpta_options_default();

	(void)state;
	assert_string_equal(o.program, "smtp");
	assert_slice_is(o.channel, "smtp");
	assert_int_equal(o.port, 25);
	assert_int_equal(o.timeouts.conn, 180);
	assert_int_equal(o.timeouts.tcpw, 300);
	assert_int_equal(o.timeouts.cmd, 300);
	assert_int_equal(o.timeouts.data, 120);
	assert_int_equal(o.timeouts.dot, 1200);
	assert_int_equal(o.forced.len, 0);
	assert_int_equal(o.helo_name.len, 0);
	assert_int_equal(o.window, 100);
	assert_int_equal(o.window_bytes, 4 * 1024 * 1024);
	assert_int_equal(o.idle, 150);
	assert_int_equal(o.probe_after, 20);
	assert_int_equal(o.signal_grace, 60);
	assert_string_equal(o.syslog_path, "/dev/log");
	assert_int_equal(o.local.form, LOCAL_NONE);
	assert_int_equal(o.sources.len, 0);
	assert_int_equal(o.send_buffer, 0);
	assert_int_equal(o.verbose, 0);
	assert_null(o.show_title);
	assert_false(o.seven_bit || o.eight_bit || o.no_esmtp ||
		     o.connect_test || o.keep_headers || o.reserved_port ||
		     o.ignore_ezmlm);
	assert_null(o.log_file);
	assert_int_equal(o.debug, 0);
	assert_false(o.one_per_connection || o.esmtp_if_greeted || o.is_lmtp ||
		     o.no_pipelining || o.no_mx || o.allow_local ||
		     o.sync_always);
}

/* ---- -T ----------------------------------------------------------------- */

/* All five, as "conn tcpw cmd data dot". */
static void check_timeouts(const char *value, const char *want)
{
	struct smtpta_options o = smtpta_options_default();
	struct str text = STR_INIT;
	struct err err;

	if (smtpta_options_timeout(&o, slice_of(value), &err) < 0)
		fail_msg("%s: %s", value, err.text);
	str_addf(&text, "%u %u %u %u %u", o.timeouts.conn, o.timeouts.tcpw,
		 o.timeouts.cmd, o.timeouts.data, o.timeouts.dot);
	assert_slice_is(str_slice(&text), want);
	str_done(&text);
}

static void test_each_timeout_can_be_set_down_to_its_minimum(void **state)
{
	(void)state;
	check_timeouts("conn=10", "10 300 300 120 1200");
	check_timeouts("tcpw=10s", "180 10 300 120 1200");
	check_timeouts("cmd=5", "180 300 5 120 1200");
	check_timeouts("data=10", "180 300 300 10 1200");
	check_timeouts("dot=10", "180 300 300 120 10");
	check_timeouts("5", "180 300 5 120 1200");
	check_timeouts("1h1m1s", "180 300 3661 120 1200");
	check_timeouts("dot=2d", "180 300 300 120 172800");
	check_timeouts("conn=2147483647", "2147483647 300 300 120 1200");
}

static void test_timeouts_add_up_over_options(void **state)
{
	struct smtpta_options o = smtpta_options_default();
	struct err err;

	(void)state;
	assert_int_equal(smtpta_options_timeout(&o, SLICE("conn=1m"), &err), 0);
	assert_int_equal(smtpta_options_timeout(&o, SLICE("dot=1m"), &err), 0);
	assert_int_equal(smtpta_options_timeout(&o, SLICE("conn=2m"), &err), 0);
	assert_int_equal(o.timeouts.conn, 120);
	assert_int_equal(o.timeouts.dot, 60);
}

static const char *const bad_timeouts[][2] = {
	{ "", "-T : expected an interval" },
	{ "conn", "-T conn: expected an interval" },
	{ "conn=", "-T conn=: expected an interval" },
	{ "conn=x", "-T conn=x: expected an interval" },
	{ "conn=1x", "-T conn=1x: expected an interval" },
	{ "conn=-60", "-T conn=-60: expected an interval" },
	{ "conn= 60", "-T conn= 60: expected an interval" },
	{ "conn==60", "-T conn==60: expected an interval" },
	{ "conn=2147483648", "-T conn=2147483648: expected an interval" },
	{ "conn=9", "-T conn=9: at least 10 seconds" },
	{ "tcpw=9", "-T tcpw=9: at least 10 seconds" },
	{ "cmd=4", "-T cmd=4: at least 5 seconds" },
	{ "0", "-T 0: at least 5 seconds" },
	{ "data=9", "-T data=9: at least 10 seconds" },
	{ "dot=9", "-T dot=9: at least 10 seconds" },
	{ "=60", "-T =60: expected conn, tcpw, cmd, data, dot or tls" },
	{ "con=60", "-T con=60: expected conn, tcpw, cmd, data, dot or tls" },
	{ "CONN=60", "-T CONN=60: expected conn, tcpw, cmd, data, dot or tls" },
	{ "conn =60",
	  "-T conn =60: expected conn, tcpw, cmd, data, dot or tls" },
};

static void test_bad_timeouts_are_refused_with_what_was_expected(void **state)
{
	const struct smtpta_timeouts standard =
	    smtpta_options_default().timeouts;
	struct smtpta_options o = smtpta_options_default();
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(bad_timeouts); i++) {
		struct slice in = slice_of(bad_timeouts[i][0]);
		struct slice want = slice_of(bad_timeouts[i][1]);

		assert_int_equal(smtpta_options_timeout(&o, in, &err), -1);
		if (!slice_starts(slice_of(err.text), want))
			fail_msg("'%s': %s", bad_timeouts[i][0], err.text);
		assert_memory_equal(&o.timeouts, &standard, sizeof(standard));
	}
}

/* ---- -O ----------------------------------------------------------------- */

static void test_sync_is_always_or_auto(void **state)
{
	struct smtpta_options o = smtpta_options_default();
	struct err err;

	(void)state;
	assert_int_equal(smtpta_options_own(&o, SLICE("sync=always"), &err), 0);
	assert_true(o.sync_always);
	assert_int_equal(smtpta_options_own(&o, SLICE("sync=maybe"), &err), -1);
	assert_string_equal(err.text, "-O sync=maybe: expected always or auto");
	assert_int_equal(smtpta_options_own(&o, SLICE("sync"), &err), -1);
	assert_int_equal(smtpta_options_own(&o, SLICE("sync="), &err), -1);
	assert_true(o.sync_always);
	assert_int_equal(smtpta_options_own(&o, SLICE("sync=auto"), &err), 0);
	assert_false(o.sync_always);
}

static void test_unknown_own_option_is_refused_by_name(void **state)
{
	static const char *const unknown[] = { "sink", "", "Sync", "sync ",
					       "windows" };
	struct smtpta_options o = smtpta_options_default();
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(unknown); i++) {
		struct str value = STR_INIT, want = STR_INIT;

		str_addf(&value, "%s=always", unknown[i]);
		str_addf(&want, "-O %s: unknown key", unknown[i]);
		assert_int_equal(
		    smtpta_options_own(&o, str_slice(&value), &err), -1);
		assert_string_equal(err.text, str_cstr(&want));
		str_done(&value);
		str_done(&want);
	}
	assert_false(o.sync_always);
}

static void check_window(const char *value, unsigned window, uint64_t bytes)
{
	struct smtpta_options o = smtpta_options_default();
	struct err err;

	if (smtpta_options_own(&o, slice_of(value), &err) < 0)
		fail_msg("%s: %s", value, err.text);
	assert_int_equal(o.window, window);
	assert_int_equal(o.window_bytes, bytes);
}

static void test_window_has_messages_and_perhaps_bytes(void **state)
{
	(void)state;
	check_window("window=1", 1, 4 * 1024 * 1024);
	check_window("window=10000", 10000, 4 * 1024 * 1024);
	check_window("window=7,65536", 7, 65536);
	check_window("window=7,0", 7, 0);
	check_window("window=7,4294967295", 7, UINT32_MAX);
}

static void test_bad_windows_are_refused(void **state)
{
	static const char *const bad[] = {
		"window",	"window=",    "window=0",
		"window=10001", "window=-1",  "window=x",
		"window=1,",	"window=,1",  "window=1,x",
		"window=1,-1",	"window=1 2", "window=1,4294967296",
	};
	struct smtpta_options o = smtpta_options_default();
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (smtpta_options_own(&o, slice_of(bad[i]), &err) == 0)
			fail_msg("%s", bad[i]);
		assert_non_null(strstr(err.text, ": expected MESSAGES or "
						 "MESSAGES,BYTES"));
	}
	assert_int_equal(o.window, 100);
	assert_int_equal(o.window_bytes, 4 * 1024 * 1024);
}

static void check_own_refused(const char *value, const char *expected)
{
	struct smtpta_options o = smtpta_options_default();
	struct err err;

	if (smtpta_options_own(&o, slice_of(value), &err) == 0)
		fail_msg("%s", value);
	if (strstr(err.text, expected) == NULL)
		fail_msg("%s: '%s'", value, err.text);
	assert_int_equal(o.idle, 150);
	assert_false(o.ignore_ezmlm);
	assert_string_equal(o.syslog_path, "/dev/log");
}

static void test_time_for_names_is_an_interval(void **state)
{
	static const char *const bad[] = { "dns-timeout",    "dns-timeout=",
					   "dns-timeout=4",  "dns-timeout=1h1s",
					   "dns-timeout=-9", "dns-timeout=x" };
	struct smtpta_options o = smtpta_options_default();
	struct err err;

	(void)state;
	assert_int_equal(o.dns_timeout, 60);
	assert_int_equal(smtpta_options_own(&o, SLICE("dns-timeout=5"), &err),
			 0);
	assert_int_equal(o.dns_timeout, 5);
	assert_int_equal(smtpta_options_own(&o, SLICE("dns-timeout=1h"), &err),
			 0);
	assert_int_equal(o.dns_timeout, 3600);
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(smtpta_options_own(&o, slice_of(bad[i]), &err),
				 -1);
		assert_non_null(strstr(err.text, "from 5s to 1h"));
	}
	assert_int_equal(o.dns_timeout, 3600);
}

static void test_idle_time_is_an_interval(void **state)
{
	static const char *const bad[] = { "idle",    "idle=",	  "idle=0",
					   "idle=-1", "idle=21d", "idle=x" };
	struct smtpta_options o = smtpta_options_default();
	struct err err;

	(void)state;
	assert_int_equal(smtpta_options_own(&o, SLICE("idle=1"), &err), 0);
	assert_int_equal(o.idle, 1);
	assert_int_equal(smtpta_options_own(&o, SLICE("idle=2m30s"), &err), 0);
	assert_int_equal(o.idle, 150);
	assert_int_equal(smtpta_options_own(&o, SLICE("idle=20d"), &err), 0);
	assert_int_equal(o.idle, 1728000);
	for (size_t i = 0; i < COUNT(bad); i++)
		check_own_refused(bad[i], "expected an interval");
}

static void test_ignore_ezmlm_is_a_word_in_any_case(void **state)
{
	static const char *const good[] = { "ignore-ezmlm", "IGNORE-EZMLM",
					    "Ignore-Ezmlm" };

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct smtpta_options o = smtpta_options_default();
		struct err err;

		assert_int_equal(
		    smtpta_options_own(&o, slice_of(good[i]), &err), 0);
		assert_true(o.ignore_ezmlm);
	}
	check_own_refused("ignore-ezmlm=", "expected no value");
	check_own_refused("ignore-ezmlm=yes", "expected no value");
	check_own_refused("ignore_ezmlm", "unknown key");
}

static void test_attempts_go_to_a_file_or_stdout(void **state)
{
	struct smtpta_options o = smtpta_options_default();
	struct err err;

	(void)state;
	assert_null(o.attempts);
	assert_int_equal(smtpta_options_own(&o, SLICE("attempts=-"), &err), 0);
	assert_string_equal(o.attempts, "-");
	assert_int_equal(smtpta_options_own(&o, SLICE("attempts=a/b"), &err),
			 0);
	assert_string_equal(o.attempts, "a/b");
	check_own_refused("attempts", "a file, or -");
	check_own_refused("attempts=", "a file, or -");
}

static void test_syslog_has_an_absolute_path(void **state)
{
	struct smtpta_options o = smtpta_options_default();
	struct err err;

	(void)state;
	assert_int_equal(smtpta_options_own(&o, SLICE("syslog=/a/log"), &err),
			 0);
	assert_string_equal(o.syslog_path, "/a/log");
	check_own_refused("syslog", "absolute path");
	check_own_refused("syslog=", "absolute path");
	check_own_refused("syslog=log", "absolute path");
}

static void test_dns_keys_say_whom_to_ask(void **state)
{
	struct smtpta_options o = smtpta_options_default();
	struct err err;

	(void)state;
	assert_int_equal(o.dns.mode, DNS_VALIDATE);
	assert_int_equal(smtpta_options_own(&o, SLICE("dns=Off"), &err), 0);
	assert_int_equal(o.dns.mode, DNS_OFF);
	assert_int_equal(smtpta_options_own(&o, SLICE("dns=trusted"), &err), 0);
	assert_int_equal(o.dns.mode, DNS_TRUSTED);
	assert_int_equal(
	    smtpta_options_own(
		&o, SLICE("dns-servers=192.0.2.1,[IPv6:::1]:54 127.0.0.1"),
		&err),
	    0);
	assert_string_equal(o.dns.servers, "192.0.2.1,[IPv6:::1]:54 127.0.0.1");
	assert_int_equal(smtpta_options_own(&o, SLICE("dns-anchor=/a"), &err),
			 0);
	assert_string_equal(o.dns.anchor_file, "/a");
	assert_int_equal(smtpta_options_own(&o, SLICE("dns-hosts=/h"), &err),
			 0);
	assert_string_equal(o.dns.hosts, "/h");
	assert_int_equal(smtpta_options_own(&o, SLICE("dns-resolv=/r"), &err),
			 0);
	assert_string_equal(o.dns.resolv_conf, "/r");
	check_own_refused("dns", "expected validate, trusted or off");
	check_own_refused("dns=yes", "expected validate, trusted or off");
	check_own_refused("dns-servers", "expected IP addresses, or literals");
	check_own_refused("dns-servers=", "expected IP addresses, or literals");
	check_own_refused("dns-servers=ns.example", "expected IP addresses");
	check_own_refused("dns-anchor=root.key", "expected an absolute path");
	check_own_refused("dns-hosts=", "expected an absolute path");
	check_own_refused("dns-resolv", "expected an absolute path");
}

struct variable {
	int (*read)(struct smtpta_options *o, struct slice value,
		    struct err *err);
	const char *value;
	bool is_good;
};

static void test_variables_say_what_options_did_not(void **state)
{
	struct smtpta_options o = smtpta_options_default();
	struct smtpta_options told = smtpta_options_default();
	struct err err;
	static const struct variable rows[] = {
		{ smtpta_options_dns_mode, "off", true },
		{ smtpta_options_dns_servers, "192.0.2.2", true },
		{ smtpta_options_dns_anchor, "/b", true },
		{ smtpta_options_mailvar, "/var/mail", true },
	};

	(void)state;
	assert_int_equal(smtpta_options_own(&told, SLICE("dns=trusted"), &err),
			 0);
	assert_int_equal(
	    smtpta_options_own(&told, SLICE("dns-servers=192.0.2.1"), &err), 0);
	assert_int_equal(
	    smtpta_options_own(&told, SLICE("dns-anchor=/a"), &err), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice value = slice_of(rows[i].value);

		assert_int_equal(rows[i].read(&o, value, &err), 0);
		assert_int_equal(rows[i].read(&told, value, &err), 0);
	}
	assert_int_equal(o.dns.mode, DNS_OFF);
	assert_string_equal(o.dns.servers, "192.0.2.2");
	assert_string_equal(o.dns.anchor_file, "/b");
	assert_string_equal(o.dns.memory_dir, "/var/mail");
	assert_int_equal(told.dns.mode, DNS_TRUSTED);
	assert_string_equal(told.dns.servers, "192.0.2.1");
	assert_string_equal(told.dns.anchor_file, "/a");
	assert_string_equal(told.dns.memory_dir, "/var/mail");
}

static void test_variables_that_are_wrong_are_named(void **state)
{
	static const struct {
		const char *name;
		struct variable v;
	} rows[] = {
		{ "DNSMODE", { smtpta_options_dns_mode, "on", false } },
		{ "DNSMODE", { smtpta_options_dns_mode, "", true } },
		{ "DNSSERVERS", { smtpta_options_dns_servers, "ns", false } },
		{ "DNSSERVERS", { smtpta_options_dns_servers, "", true } },
		{ "DNSANCHOR", { smtpta_options_dns_anchor, "a", false } },
		{ "DNSANCHOR", { smtpta_options_dns_anchor, "", true } },
		{ "MAILVAR", { smtpta_options_mailvar, "var", false } },
		{ "MAILVAR", { smtpta_options_mailvar, "", true } },
		{ "SELFADDRESSES",
		  { smtpta_options_self, "a,[1.2.3]", false } },
		{ "SELFADDRESSES", { smtpta_options_self, "[::1]", false } },
		{ "SELFADDRESSES",
		  { smtpta_options_self, "[IPv6:::1], a,::2,1.2.3.4,", true } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct smtpta_options o = smtpta_options_default();
		struct err err;
		int r = rows[i].v.read(&o, slice_of(rows[i].v.value), &err);

		assert_int_equal(r, rows[i].v.is_good ? 0 : -1);
		if (r < 0)
			assert_int_equal(strncmp(err.text, rows[i].name,
						 strlen(rows[i].name)),
					 0);
	}
}

static void test_source_is_a_pool_of_addresses(void **state)
{
	struct smtpta_options o = smtpta_options_default();
	struct err err;

	(void)state;
	assert_int_equal(
	    smtpta_options_own(&o, SLICE("source=192.0.2.1,2001:db8::1"), &err),
	    0);
	assert_slice_is(o.sources, "192.0.2.1,2001:db8::1");
	check_own_refused("source", "expected IP addresses with commas");
	check_own_refused("source=", "expected IP addresses with commas");
	check_own_refused("source=192.0.2.1,", "expected IP addresses");
	check_own_refused("source=mail.example", "expected IP addresses");
}

/* ---- -L, BINDADDR ------------------------------------------------------- */

static void test_local_end_wins_over_bindaddr(void **state)
{
	struct smtpta_options o = smtpta_options_default();
	struct err err;

	(void)state;
	assert_int_equal(smtpta_options_bindaddr(&o, SLICE(""), &err), 0);
	assert_int_equal(o.local.form, LOCAL_NONE);
	assert_int_equal(smtpta_options_bindaddr(&o, SLICE("iface:eth0"), &err),
			 0);
	assert_int_equal(o.local.form, LOCAL_INTERFACE);
	assert_int_equal(smtpta_options_local(&o, SLICE("[192.0.2.1]"), &err),
			 0);
	assert_int_equal(smtpta_options_bindaddr(&o, SLICE("any"), &err), 0);
	assert_int_equal(o.local.addr.u.v4.sin_addr.s_addr, htonl(0xc0000201));
}

static void test_bad_local_ends_are_refused_by_the_name_of_the_option(void **st)
{
	struct smtpta_options o = smtpta_options_default();
	struct err err;

	(void)st;
	assert_int_equal(smtpta_options_local(&o, SLICE("[x]"), &err), -1);
	assert_non_null(strstr(err.text, "-L [x]: expected any, any6"));
	assert_int_equal(smtpta_options_bindaddr(&o, SLICE("[x]"), &err), -1);
	assert_non_null(strstr(err.text, "BINDADDR [x]: expected any, any6"));
	assert_int_equal(o.local.form, LOCAL_NONE);
}

/* ---- -7, -8, -w --------------------------------------------------------- */

struct bits {
	const char *letters;
	bool seven, eight, no_esmtp;
};

static const struct bits bits_rows[] = {
	{ "", false, false, false },	{ "7", true, false, false },
	{ "8", false, true, false },	{ "77", true, false, true },
	{ "777", true, false, true },	{ "88", false, true, false },
	{ "78", false, true, false },	{ "87", true, false, false },
	{ "778", false, true, true },	{ "877", true, false, true },
	{ "787", true, false, true },	{ "7788", false, true, true },
	{ "77878", false, true, true },
};

static void test_last_of_7_and_8_counts_and_77_stays(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bits_rows); i++) {
		const struct bits *row = &bits_rows[i];
		struct smtpta_options o = smtpta_options_default();

		for (const char *c = row->letters; *c != '\0'; c++)
			smtpta_options_bits(&o, *c);
		if (o.seven_bit != row->seven || o.eight_bit != row->eight ||
		    o.no_esmtp != row->no_esmtp)
			fail_msg("-%s: %d %d %d", row->letters, o.seven_bit,
				 o.eight_bit, o.no_esmtp);
	}
}

static void test_send_buffer_is_a_number_of_bytes(void **state)
{
	static const char *const bad[] = { "",	    "x",  "-1",
					   "2000 ", "2k", "2147483648" };
	struct smtpta_options o = smtpta_options_default();
	struct err err;

	(void)state;
	assert_int_equal(smtpta_options_send_buffer(&o, SLICE("2000"), &err),
			 0);
	assert_int_equal(o.send_buffer, 2000);
	for (size_t i = 0; i < COUNT(bad); i++)
		if (smtpta_options_send_buffer(&o, slice_of(bad[i]), &err) == 0)
			fail_msg("'%s'", bad[i]);
	assert_int_equal(o.send_buffer, 2000);
	assert_int_equal(smtpta_options_send_buffer(&o, SLICE("0"), &err), 0);
	assert_int_equal(o.send_buffer, 0);
}

/* ---- -F and what options say together ----------------------------------- */

static void test_unix_path_is_what_stands_behind_its_word(void **state)
{
	(void)state;
	assert_slice_is(smtpta_unix_path(SLICE("UNIX:/run/lmtp")), "/run/lmtp");
	assert_slice_is(smtpta_unix_path(SLICE("UNIX:")), "");
	assert_slice_is(smtpta_unix_path(SLICE("UNIX")), "");
	assert_slice_is(smtpta_unix_path(SLICE("[192.0.2.1]")), "");
	assert_slice_is(smtpta_unix_path(SLICE("")), "");
	assert_slice_is(smtpta_unix_path(slice_make(NULL, 0)), "");
}

struct together {
	bool is_lmtp;
	uint16_t port;
	const char *forced;
	const char *why; /* NULL: allowed */
};

static const struct together togethers[] = {
	{ false, 25, "", NULL },
	{ false, 25, "mx.example", NULL },
	{ false, 25, "UNIX:/run/smtp", NULL },
	{ true, 24, "", NULL },
	{ true, 24, "mx.example", NULL },
	{ true, 25, "UNIX:/run/lmtp", NULL },
	{ true, 25, "", "-M (LMTP) needs a port other than 25" },
	{ true, 25, "mx.example", "-M (LMTP) needs a port other than 25" },
	{ true, 25, "[192.0.2.1]:24", "-M (LMTP) needs a port other than 25" },
	/* Taken for a name it would fail the mail. */
	{ false, 25, "UNIX:", "bad path of a UNIX socket: " },
	{ false, 25,
	  "UNIX:/a/path/that/is/longer/than/the/hundred/and/seven/bytes/that/"
	  "the/address/of/a/socket/has/room/for/in/every/system",
	  "bad path of a UNIX socket: /a/path" },
	{ true, 24, "UNIX:", "bad path of a UNIX socket: " },
};

static void test_options_are_checked_together(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(togethers); i++) {
		const struct together *row = &togethers[i];
		struct smtpta_options o = smtpta_options_default();
		struct err err = { .text = "" };
		int want = row->why != NULL ? -1 : 0;

		o.is_lmtp = row->is_lmtp;
		o.port = row->port;
		o.forced = slice_of(row->forced);
		if (smtpta_options_check(&o, &err) != want ||
		    !slice_starts(slice_of(err.text), slice_of(row->why)))
			fail_msg("row %zu: %s", i, err.text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_those_of_the_manual),
		cmocka_unit_test(
		    test_each_timeout_can_be_set_down_to_its_minimum),
		cmocka_unit_test(test_timeouts_add_up_over_options),
		cmocka_unit_test(
		    test_bad_timeouts_are_refused_with_what_was_expected),
		cmocka_unit_test(test_sync_is_always_or_auto),
		cmocka_unit_test(test_unknown_own_option_is_refused_by_name),
		cmocka_unit_test(test_window_has_messages_and_perhaps_bytes),
		cmocka_unit_test(test_bad_windows_are_refused),
		cmocka_unit_test(test_time_for_names_is_an_interval),
		cmocka_unit_test(test_idle_time_is_an_interval),
		cmocka_unit_test(test_ignore_ezmlm_is_a_word_in_any_case),
		cmocka_unit_test(test_attempts_go_to_a_file_or_stdout),
		cmocka_unit_test(test_syslog_has_an_absolute_path),
		cmocka_unit_test(test_last_of_7_and_8_counts_and_77_stays),
		cmocka_unit_test(test_dns_keys_say_whom_to_ask),
		cmocka_unit_test(test_variables_say_what_options_did_not),
		cmocka_unit_test(test_variables_that_are_wrong_are_named),
		cmocka_unit_test(test_source_is_a_pool_of_addresses),
		cmocka_unit_test(test_local_end_wins_over_bindaddr),
		cmocka_unit_test(
		    test_bad_local_ends_are_refused_by_the_name_of_the_option),
		cmocka_unit_test(test_send_buffer_is_a_number_of_bytes),
		cmocka_unit_test(test_unix_path_is_what_stands_behind_its_word),
		cmocka_unit_test(test_options_are_checked_together),
	};

	return TEST_RUN(tests);
}
