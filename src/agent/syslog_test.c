/*
 * syslog_test.c - the line for a report in both forms, its cuts, what cannot
 * be forged in it; and the hand, before daemons of all kinds.
 */
#include "agent/syslog.h"

#include "base/fd.h"
#include "base/test.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* ---- SYSLOGFLG ---------------------------------------------------------- */

static void test_flag_letters_choose_the_form(void **state)
{
	static const struct {
		const char *flags;
		enum syslog_form want;
	} rows[] = {
		{ SYSLOG_FLAGS, SYSLOG_CLASSIC },
		{ "", SYSLOG_NONE },
		{ "T", SYSLOG_CLASSIC },
		{ "RT", SYSLOG_CLASSIC },
		{ "t", SYSLOG_TABS },
		{ "SRtC", SYSLOG_TABS },
		{ "Tt", SYSLOG_TABS },
		{ "SRC", SYSLOG_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(syslog_form_of(slice_of(rows[i].flags)),
				 rows[i].want);
}

/* ---- the line ----------------------------------------------------------- */

/* A delivery of which everything is known. */
static struct diag delivered(void)
{
	return (struct diag){
		.fate = FATE_RELAYED,
		.remote_mta = SLICE("dns; mx.example (192.0.2.1)"),
		.connection = SLICE("192.0.2.1|25|192.0.2.2|4711"),
		.conversion = "NONE",
		.text = SLICE("\r<<- RCPT\r->> 250 2.0.0 queued"),
	};
}

static struct syslog_entry make_entry(const struct diag *d)
{
	return (struct syslog_entry){
		.spool_id = SLICE("S1"),
		.recipient = SLICE("bob@x"),
		.channel = SLICE("smtp"),
		.delay = 3661,
		.xdelay = 2,
		.diag = d,
		.status = STATUS_OK3,
		.has_conversion = true,
	};
}

static void check(const struct syslog_entry *e, enum syslog_form form,
		  const char *want)
{
	struct str got = STR_INIT;

	syslog_print(&got, e, form);
	assert_slice_is(str_slice(&got), want);
	str_done(&got);
}

static void test_line_in_both_forms(void **state)
{
	struct diag d = delivered();
	struct syslog_entry e = make_entry(&d);

	(void)state;
	check(&e, SYSLOG_CLASSIC,
	      "S1: to=<bob@x>, delay=01:01:01, xdelay=00:00:02, mailer=smtp, "
	      "relay=mx.example ([192.0.2.1|25|192.0.2.2|4711]), "
	      "stat=ok3 ->> 250 2.0.0 queued cvt=NONE");
	check(&e, SYSLOG_TABS,
	      "S1:\tto=<bob@x>\tdelay=01:01:01\txdelay=00:00:02\tmailer=smtp\t"
	      "relay=mx.example ([192.0.2.1|25|192.0.2.2|4711])\t"
	      "stat=ok3 ->> 250 2.0.0 queued cvt=NONE");
}

static void test_what_is_unknown_is_left_out(void **state)
{
	struct diag d = { .text = SLICE("mailer says 0") };
	struct syslog_entry e = make_entry(&d);

	(void)state;
	e.has_conversion = false;
	check(&e, SYSLOG_CLASSIC,
	      "S1: to=<bob@x>, delay=01:01:01, xdelay=00:00:02, mailer=smtp, "
	      "stat=ok3 mailer says 0");
	d.text = SLICE("");
	check(&e, SYSLOG_CLASSIC,
	      "S1: to=<bob@x>, delay=01:01:01, xdelay=00:00:02, mailer=smtp, "
	      "stat=ok3");
	e.has_conversion = true;
	d.connection = SLICE("192.0.2.1|25"); /* of no named host */
	check(&e, SYSLOG_CLASSIC,
	      "S1: to=<bob@x>, delay=01:01:01, xdelay=00:00:02, mailer=smtp, "
	      "stat=ok3 cvt=UNKNOWN");
}

static void test_relay_without_its_type(void **state)
{
	static const struct {
		const char *remote_mta, *connection, *want;
	} rows[] = {
		{ "dns; mx.example", "", "relay=mx.example, " },
		{ "dns; mx.example (192.0.2.1)", "",
		  "relay=mx.example ([192.0.2.1]), " },
		{ "X-IP-addr; [192.0.2.1] (192.0.2.1)", "192.0.2.1|25",
		  "relay=[192.0.2.1] ([192.0.2.1|25]), " },
		{ "dns; localhost (UNIX:/a)", "UNIX:/a",
		  "relay=localhost ([UNIX:/a]), " },
		{ "mx.example", "", "relay=mx.example, " },
		{ "dns;", "", "" },
		{ "dns; (192.0.2.1)", "", "" },
	};
	struct diag d = { 0 };
	struct syslog_entry e = make_entry(&d);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str got = STR_INIT, want = STR_INIT;

		d.remote_mta = slice_of(rows[i].remote_mta);
		d.connection = slice_of(rows[i].connection);
		syslog_print(&got, &e, SYSLOG_CLASSIC);
		str_addf(&want, "mailer=smtp, %sstat=ok3", rows[i].want);
		if (strstr(str_cstr(&got), str_cstr(&want)) == NULL)
			fail_msg("'%s' has no '%s'", str_cstr(&got),
				 str_cstr(&want));
		str_done(&got);
		str_done(&want);
	}
}

static void test_times(void **state)
{
	static const struct {
		int64_t seconds;
		const char *want;
	} rows[] = {
		{ 0, "00:00:00" },
		{ 59, "00:00:59" },
		{ 60, "00:01:00" },
		{ 86400, "24:00:00" },
		{ 432000 + 1, "120:00:01" },
		{ -5, "00:00:00" },
		{ INT64_MAX, "2562047788015215:30:07" },
	};
	struct diag d = { 0 };
	struct syslog_entry e = make_entry(&d);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str want = STR_INIT;

		e.delay = e.xdelay = rows[i].seconds;
		str_addf(&want,
			 "S1: to=<bob@x>, delay=%s, xdelay=%s, mailer=smtp, "
			 "stat=ok3 cvt=UNKNOWN",
			 rows[i].want, rows[i].want);
		check(&e, SYSLOG_CLASSIC, str_cstr(&want));
		str_done(&want);
	}
}

static void test_status_is_the_reported_word(void **state)
{
	static const struct {
		enum report_status status;
		const char *want;
	} rows[] = {
		{ STATUS_OK, " stat=ok go" },
		{ STATUS_OK2, " stat=ok2 go" },
		{ STATUS_ERROR2, " stat=error2 go" },
		{ STATUS_DEFERRED, " stat=deferred go" },
		{ STATUS_DEFERALL, " stat=deferall go" },
		{ STATUS_DEFERBACK, " stat=deferback go" },
		{ STATUS_RETRYAT, " stat=retryat +60 go" },
	};
	struct diag d = { .text = SLICE("a\rb\r\ngo\r\n"), .retry_after = 60 };
	struct syslog_entry e = make_entry(&d);

	(void)state;
	e.has_conversion = false;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str got = STR_INIT;
		size_t at;

		e.status = rows[i].status;
		syslog_print(&got, &e, SYSLOG_CLASSIC);
		at = slice_find_text(str_slice(&got), SLICE(" stat="));
		assert_slice_is(slice_from(str_slice(&got), at), rows[i].want);
		str_done(&got);
	}
}

/* n bytes of one letter, and a NUL. */
static const char *many(char c, size_t n)
{
	static char text[2][2000];
	static unsigned turn;
	char *p = text[turn++ % 2];

	memset(p, c, n);
	p[n] = '\0';
	return p;
}

/* Does the line hold just n letters in a row, and not one more? */
static void check_run(const struct syslog_entry *e, char c, size_t n)
{
	struct str got = STR_INIT, more = STR_INIT;

	syslog_print(&got, e, SYSLOG_CLASSIC);
	str_adds(&more, many(c, n));
	assert_non_null(strstr(str_cstr(&got), str_cstr(&more)));
	str_addc(&more, c);
	assert_null(strstr(str_cstr(&got), str_cstr(&more)));
	str_done(&got);
	str_done(&more);
}

static void test_each_field_is_cut(void **state)
{
	struct diag d = delivered();
	struct syslog_entry e = make_entry(&d);

	(void)state;
	e.recipient = slice_of(many('U', 900));
	check_run(&e, 'U', 200);
	e.recipient = SLICE("u");
	e.channel = slice_of(many('C', 900));
	check_run(&e, 'C', 80);
	e.channel = SLICE("c");
	d.connection = slice_of(many('A', 900));
	check_run(&e, 'A', 80);
	d.connection = SLICE("a");
	d.text = slice_of(many('M', 900));
	check_run(&e, 'M', 400);
	d.remote_mta = SLICE("");
	check_run(&e, 'M', 200);
	d.remote_mta = slice_of(many('R', 900));
	d.text = SLICE("m");
	check_run(&e, 'R', 200);
}

static void test_cut_leaves_characters_whole(void **state)
{
	struct diag d = { 0 };
	struct syslog_entry e = make_entry(&d);
	char user[204];
	struct str got = STR_INIT;

	(void)state;
	/* 199 letters, then a character of three bytes. */
	memset(user, 'u', 199);
	memcpy(user + 199, "\xe2\x82\xac", 4);
	e.recipient = slice_of(user);
	check_run(&e, 'u', 199);
	syslog_print(&got, &e, SYSLOG_CLASSIC);
	assert_false(slice_has_8bit(str_slice(&got)));
	str_done(&got);
	/* What is no UTF-8 at all is cut where it is cut. */
	memset(user, '\xbf', 203);
	e.recipient = slice_make(user, 203);
	check_run(&e, '\xbf', 200);
}

static void test_nothing_can_be_forged(void **state)
{
	struct diag d = { .remote_mta = SLICE("dns; a\nb\tc"),
			  .connection = SLICE("\x1b[2J"),
			  .text = SLICE("no\tsuch\x01user\x7f") };
	struct syslog_entry e = make_entry(&d);

	(void)state;
	e.spool_id = SLICE("S\n1");
	e.channel = SLICE("sm\ttp");
	e.recipient = SLICE("\"a>, stat=ok3\n\"@x");
	e.status = STATUS_ERROR2;
	check(&e, SYSLOG_TABS,
	      "S?1:\tto=<\"a?, stat=ok3?\"@x>\tdelay=01:01:01\t"
	      "xdelay=00:00:02\tmailer=sm tp\trelay=a?b c ([?[2J])\t"
	      "stat=error2 no such?user? cvt=UNKNOWN");
}

/* ---- the hand ----------------------------------------------------------- */

/* The clock of the hand, for the pause. */
static int64_t clock_ahead;

int clock_gettime(clockid_t which, struct timespec *t)
{
	(void)which;
	t->tv_sec = 1000 + clock_ahead / 1000;
	t->tv_nsec = 0;
	return 0;
}

struct daemon {
	char dir[32];
	char path[64];
	int fd;
};

static void daemon_start(struct daemon *d)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	strcpy(addr.sun_path, d->path);
	d->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(d->fd >= 0);
	assert_int_equal(bind(d->fd, (struct sockaddr *)&addr, sizeof(addr)),
			 0);
}

static void daemon_stop(struct daemon *d)
{
	fd_close(d->fd);
	assert_int_equal(unlink(d->path), 0);
}

static void place_make(struct daemon *d)
{
	strcpy(d->dir, "/tmp/zpost-syslog-XXXXXX");
	assert_non_null(mkdtemp(d->dir));
	strcpy(d->path, d->dir);
	strcat(d->path, "/log");
}

static void place_remove(struct daemon *d)
{
	assert_int_equal(rmdir(d->dir), 0);
}

/* The next packet behind its date must be this; NULL: there is none. */
static void check_heard(struct daemon *d, const char *want)
{
	char text[500];
	ssize_t n = recv(d->fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	struct slice got;

	if (want == NULL) {
		assert_int_equal(n, -1);
		return;
	}
	assert_true(n > 0);
	got = slice_make(text, (size_t)n);
	assert_true(slice_starts(got, SLICE("<22>")));
	/* "Mmm dd hh:mm:ss " */
	assert_int_equal(got.p[4 + 3], ' ');
	assert_int_equal(got.p[4 + 9], ':');
	assert_slice_is(slice_from(got, 4 + 16), want);
}

static void test_line_arrives_with_priority_date_and_pid(void **state)
{
	struct daemon d;
	struct syslog *s;

	(void)state;
	place_make(&d);
	daemon_start(&d);
	s = syslog_new(d.path, "smtp", 4711);
	syslog_send(s, SLICE("one"));
	syslog_send(s, SLICE("two"));
	check_heard(&d, "smtp[4711]: one");
	check_heard(&d, "smtp[4711]: two");
	check_heard(&d, NULL);
	syslog_free(s);
	daemon_stop(&d);
	place_remove(&d);
}

/* Some daemons want a stream, where NUL ends each line. */
static void test_daemon_with_a_stream_is_spoken_to(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct syslog *s;
	struct daemon d;

	(void)state;
	place_make(&d);
	strcpy(addr.sun_path, d.path);
	d.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(d.fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(d.fd, 1), 0);
	s = syslog_new(d.path, "smtp", 4711);
	for (int i = 0; i < 2; i++) { /* the second time it was started anew */
		static const char want[] = "smtp[4711]: one\0<22>";
		char text[200];
		ssize_t n;
		int peer;

		syslog_send(s, SLICE("one"));
		syslog_send(s, SLICE("two"));
		peer = accept(d.fd, NULL, NULL);
		assert_true(peer >= 0);
		n = recv(peer, text, sizeof(text), MSG_DONTWAIT);
		fd_close(peer);
		assert_int_equal(n, 2 * (4 + 16 + 15 + 1));
		assert_memory_equal(text, "<22>", 4);
		assert_memory_equal(text + 4 + 16, want, sizeof(want) - 1);
		assert_memory_equal(text + n - 4, "two", 4);
	}
	syslog_free(s);
	daemon_stop(&d);
	place_remove(&d);
}

static void test_daemon_that_was_started_anew_is_found(void **state)
{
	struct daemon d;
	struct syslog *s;

	(void)state;
	place_make(&d);
	daemon_start(&d);
	s = syslog_new(d.path, "smtp", 1);
	syslog_send(s, SLICE("one"));
	daemon_stop(&d);
	daemon_start(&d);
	syslog_send(s, SLICE("two"));
	check_heard(&d, "smtp[1]: two");
	syslog_free(s);
	daemon_stop(&d);
	place_remove(&d);
}

static void test_without_a_daemon_lines_are_counted(void **state)
{
	struct daemon d;
	struct syslog *s;

	(void)state;
	place_make(&d);
	s = syslog_new(d.path, "smtp", 1);
	syslog_send(s, SLICE("one"));
	daemon_start(&d);
	syslog_send(s, SLICE("two")); /* within the pause */
	check_heard(&d, NULL);
	clock_ahead += SYSLOG_PAUSE;
	syslog_send(s, SLICE("three"));
	check_heard(&d, "smtp[1]: 2 lines were lost: syslog did not take them");
	check_heard(&d, "smtp[1]: three");
	syslog_free(s);
	daemon_stop(&d);
	place_remove(&d);
}

static void test_daemon_that_does_not_read_holds_nobody_up(void **state)
{
	struct daemon d;
	struct syslog *s;
	size_t n = 0;
	char text[500];

	(void)state;
	place_make(&d);
	daemon_start(&d);
	s = syslog_new(d.path, "smtp", 1);
	alarm(20); /* seconds: it would wait for ever */
	for (int i = 0; i < 5000; i++)
		syslog_send(s, SLICE("line"));
	alarm(0);
	while (recv(d.fd, text, sizeof(text), MSG_DONTWAIT) > 0)
		n++;
	assert_true(n > 0 && n < 5000);
	clock_ahead += SYSLOG_PAUSE;
	syslog_send(s, SLICE("last"));
	assert_true(recv(d.fd, text, sizeof(text), MSG_DONTWAIT) > 0);
	check_heard(&d, "smtp[1]: last");
	syslog_free(s);
	daemon_stop(&d);
	place_remove(&d);
}

static void test_path_that_is_too_long_is_no_daemon(void **state)
{
	struct syslog *s = syslog_new(many('p', 300), "smtp", 1);

	(void)state;
	syslog_send(s, SLICE("line"));
	syslog_free(s);
	syslog_free(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flag_letters_choose_the_form),
		cmocka_unit_test(test_line_in_both_forms),
		cmocka_unit_test(test_what_is_unknown_is_left_out),
		cmocka_unit_test(test_relay_without_its_type),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_status_is_the_reported_word),
		cmocka_unit_test(test_each_field_is_cut),
		cmocka_unit_test(test_cut_leaves_characters_whole),
		cmocka_unit_test(test_nothing_can_be_forged),
		cmocka_unit_test(test_line_arrives_with_priority_date_and_pid),
		cmocka_unit_test(test_daemon_with_a_stream_is_spoken_to),
		cmocka_unit_test(test_daemon_that_was_started_anew_is_found),
		cmocka_unit_test(test_without_a_daemon_lines_are_counted),
		cmocka_unit_test(
		    test_daemon_that_does_not_read_holds_nobody_up),
		cmocka_unit_test(test_path_that_is_too_long_is_no_daemon),
	};

	return TEST_RUN(tests);
}
