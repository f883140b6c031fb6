/*
 * tls_link_test.c - reading, writing, waiting and closing through TLS: the same
 * contracts as in clear text (conn_test.c); and channel bindings.
 */
#include "net/tls.h"

#include "net/test_tls.h"
#include "net/tls_internal.h"

#include <openssl/err.h>

static struct issued own, odd;
static struct tls_client *client;
static struct arena *arena;

static int set_up(void **state)
{
	static const struct recipe r = { .cn = "server", .sans = "DNS:" HOST };
	static const struct recipe ed = { .cn = "odd",
					  .sans = "DNS:" HOST,
					  .is_ed25519 = true };

	(void)state;
	own = issue(&r, NULL);
	odd = issue(&ed, NULL);
	client = tls_client_new(NULL, NULL);
	arena = arena_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	issued_free(&own);
	issued_free(&odd);
	tls_client_free(client);
	arena_free(arena);
	return 0;
}

/* ---- both ends ---------------------------------------------------------- */

/* A connection over TLS to a server in a thread. */
struct talk {
	struct server server;
	struct conn *c;
	struct str got;
};

static void talk_begin(struct talk *t, const struct issued *certificate,
		       enum tls_protocol protocol, bool is_dripping)
{
	struct tls_settings settings = TLS_SETTINGS_DEFAULT;
	struct tls_decision d = { .need = TLS_NEED_MAY };
	struct tls_how how = { .settings = &settings,
			       .decision = &d,
			       .deadline = conn_now() + 60000 };
	struct tls_outcome o;

	settings.min_protocol = settings.max_protocol = protocol;
	settings.is_cached = false;
	server_init(&t->server, certificate, NULL);
	t->server.is_dripping = is_dripping;
	t->got = STR_INIT;
	t->c = server_begin(&t->server);
	if (!tls_start(client, t->c, &how, arena, &o))
		fail_msg("%.*s", SLICE_ARG(o.text));
}

static void talk_end(struct talk *t)
{
	conn_close(t->c);
	server_join(&t->server);
	server_done(&t->server);
	str_done(&t->got);
}

static void write_all(struct talk *t, struct slice bytes)
{
	unsigned ready;

	while (bytes.len > 0) {
		ssize_t n = conn_write(t->c, bytes);

		assert_true(n >= 0);
		bytes = slice_from(bytes, (size_t)n);
		if (n == 0)
			assert_int_equal(conn_wait(t->c, CONN_WRITABLE, -1,
						   conn_now() + 20000, &ready),
					 CONN_OK);
	}
}

/* Reads until it has n bytes. */
static void read_all(struct talk *t, size_t n)
{
	int64_t deadline = conn_now() + 60000;

	str_clear(&t->got);
	while (t->got.len < n) {
		enum conn_result r =
		    conn_read(t->c, n - t->got.len, &t->got, deadline);

		assert_true(r == CONN_OK || r == CONN_INTERRUPTED);
	}
}

static const enum tls_protocol protocols[] = { TLS_PROTOCOL_1_2,
					       TLS_PROTOCOL_1_3 };

/* ---- the end of the handshake ------------------------------------------- */

enum first { FIRST_WRITE, FIRST_READ, FIRST_WAIT, FIRST_CLOSE, FIRSTS };

/* In TLS 1.3 the last word is ours, and the server waits for it. */
static void test_last_word_of_a_handshake_goes_with_what_is_next(void **state)
{
	(void)state;
	for (int first = 0; first < FIRSTS; first++) {
		unsigned ready;
		struct talk t;

		talk_begin(&t, &own, TLS_PROTOCOL_1_3, false);
		assert_true(t.c->tls->out.len > 0);
		if (first == FIRST_WRITE)
			assert_int_equal(conn_write(t.c, SLICE("x")), 1);
		else if (first == FIRST_READ)
			assert_int_equal(
			    conn_read(t.c, 10, &t.got, conn_now() + 1),
			    CONN_TIMEOUT);
		else if (first == FIRST_WAIT)
			assert_int_equal(conn_wait(t.c, CONN_WRITABLE, -1,
						   conn_now() + 20000, &ready),
					 CONN_OK);
		if (first != FIRST_CLOSE)
			assert_int_equal(t.c->tls->out.len, 0);
		if (first == FIRST_WRITE)
			read_all(&t, 1);
		conn_close(t.c);
		t.c = NULL;
		server_join(&t.server);
		assert_true(t.server.has_shaken);
		assert_true(t.server.heard_close);
		server_done(&t.server);
		str_done(&t.got);
	}
}

/* ---- reading ------------------------------------------------------------ */

static void test_read_takes_what_is_there_and_no_more_than_max(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(protocols); i++) {
		struct talk t;

		talk_begin(&t, &own, protocols[i], false);
		write_all(&t, SLICE("abcdef"));
		str_adds(&t.got, "kept,");
		assert_int_equal(conn_read(t.c, 4, &t.got, conn_now() + 20000),
				 CONN_OK);
		assert_slice_is(str_slice(&t.got), "kept,abcd");
		assert_string_equal(str_cstr(&t.got), "kept,abcd");
		/* The rest is here already, past any deadline. */
		assert_int_equal(conn_read(t.c, 4, &t.got, conn_now() - 1),
				 CONN_OK);
		assert_slice_is(str_slice(&t.got), "kept,abcdef");
		assert_int_equal(conn_read(t.c, 4, &t.got, conn_now() - 1),
				 CONN_TIMEOUT);
		talk_end(&t);
		assert_true(t.server.heard_close);
	}
}

static void test_all_sizes_come_back_whole_and_byte_by_byte(void **state)
{
	static const size_t sizes[] = { 1,     2,     100,   16383,
					16384, 16385, 40000, 200000 };
	static char bytes[200000];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)('a' + i % 7 + i / 1000 % 17);
	for (size_t i = 0; i < COUNT(protocols); i++)
		for (int drips = 0; drips <= 1; drips++) {
			struct talk t;

			talk_begin(&t, &own, protocols[i], drips);
			for (size_t j = 0; j < COUNT(sizes) - 2 * (size_t)drips;
			     j++) {
				struct slice s = slice_make(bytes, sizes[j]);

				write_all(&t, s);
				read_all(&t, s.len);
				assert_true(slice_eq(str_slice(&t.got), s));
			}
			talk_end(&t);
		}
}

static void test_read_ends_at_its_deadline_and_by_a_signal(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t, &own, TLS_PROTOCOL_1_3, false);
	for (int64_t ms = -200; ms <= 200; ms += 200)
		assert_int_equal(conn_read(t.c, 10, &t.got, conn_now() + ms),
				 CONN_TIMEOUT);
	alarm_in(50);
	assert_int_equal(conn_read(t.c, 10, &t.got, conn_now() + 60000),
			 CONN_INTERRUPTED);
	alarm_off();
	assert_int_equal(alarms > 0, 1);
	assert_int_equal(t.got.len, 0);
	/* No signal: it comes back all the same. */
	assert_int_equal(conn_read(t.c, 10, &t.got, INT64_MAX),
			 CONN_INTERRUPTED);
	talk_end(&t);
}

static void test_end_with_and_without_close_notify(void **state)
{
	static const char *const ends[] = { "S", "C" };

	(void)state;
	for (size_t i = 0; i < COUNT(protocols); i++)
		for (size_t j = 0; j < COUNT(ends); j++) {
			enum conn_result r;
			struct talk t;

			talk_begin(&t, &own, protocols[i], false);
			write_all(&t, slice_of(ends[j]));
			do
				r = conn_read(t.c, 10, &t.got,
					      conn_now() + 20000);
			while (r == CONN_INTERRUPTED);
			assert_int_equal(r, CONN_END);
			assert_int_equal(
			    conn_read(t.c, 10, &t.got, conn_now() - 1),
			    CONN_END);
			assert_int_equal(t.got.len, 0);
			talk_end(&t);
		}
}

/* A record that was changed on its way. */
static void test_forged_record_is_a_failure(void **state)
{
	static const char record[] = "\x17\x03\x03\x00\x20"
				     "0123456789abcdef0123456789abcdef";

	(void)state;
	for (size_t i = 0; i < COUNT(protocols); i++) {
		enum conn_result r;
		struct talk t;

		talk_begin(&t, &own, protocols[i], false);
		/* Behind the server's back, once its tickets are read. */
		write_all(&t, SLICE("x"));
		read_all(&t, 1);
		assert_int_equal(
		    fd_write_all(t.server.fd,
				 slice_make(record, sizeof(record) - 1)),
		    0);
		do
			r = conn_read(t.c, 10, &t.got, conn_now() + 20000);
		while (r == CONN_INTERRUPTED);
		assert_int_equal(r, CONN_FAILED);
		assert_int_equal(errno, EPROTO);
		assert_non_null(tls_trouble(t.c));
		assert_int_equal(conn_write(t.c, SLICE("x")), -1);
		talk_end(&t);
	}
}

/* In TLS 1.3 a server refuses a client's certificate when all seems over. */
static void test_late_alert_is_told(void **state)
{
	struct tls_settings settings = TLS_SETTINGS_DEFAULT;
	struct tls_decision d = { .need = TLS_NEED_MAY };
	struct tls_how how = { .settings = &settings,
			       .decision = &d,
			       .deadline = conn_now() + 60000 };
	struct talk t = { .got = STR_INIT };
	struct tls_outcome o;
	enum conn_result r;

	(void)state;
	server_init(&t.server, &own, NULL);
	SSL_CTX_set_verify(t.server.ctx,
			   SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
			   NULL);
	t.c = server_begin(&t.server);
	assert_true(tls_start(client, t.c, &how, arena, &o));
	assert_true(o.wanted_certificate);
	do
		r = conn_read(t.c, 10, &t.got, conn_now() + 20000);
	while (r == CONN_INTERRUPTED);
	assert_int_equal(r, CONN_FAILED);
	assert_int_equal(errno, EPROTO);
	assert_string_equal(tls_trouble(t.c), "alert: certificate required");
	talk_end(&t);
}

/* ---- writing ------------------------------------------------------------ */

static void test_full_socket_takes_nothing_until_the_peer_reads(void **state)
{
	static char block[65536];
	size_t total = 0;
	unsigned ready = 0;
	struct talk t;
	ssize_t n;

	(void)state;
	memset(block, 'x', sizeof(block));
	talk_begin(&t, &own, TLS_PROTOCOL_1_3, false);
	/* The server says all of it back, so that it stops reading too. */
	do {
		while ((n = conn_write(t.c, slice_make(block, sizeof(block)))) >
		       0)
			total += (size_t)n;
		assert_int_equal(n, 0);
	} while (conn_wait(t.c, CONN_WRITABLE, -1, conn_now() + 500, &ready) ==
		 CONN_OK);
	assert_true(total > 0);
	/* Reading alone sends what lies here, and all of it comes back. */
	read_all(&t, total);
	for (size_t i = 0; i < total; i++)
		if (t.got.p[i] != 'x')
			fail_msg("byte %zu", i);
	assert_int_equal(
	    conn_wait(t.c, CONN_WRITABLE, -1, conn_now() + 20000, &ready),
	    CONN_OK);
	assert_int_equal(ready, CONN_WRITABLE);
	talk_end(&t);
}

/* SIGPIPE has its default disposition here: it would end the test. */
static void test_write_to_a_lost_connection_fails_without_signal(void **state)
{
	struct talk t;
	ssize_t n = 0;

	(void)state;
	talk_begin(&t, &own, TLS_PROTOCOL_1_3, false);
	write_all(&t, SLICE("C"));
	for (int i = 0; i < 1000 && n >= 0; i++) {
		n = conn_write(t.c, SLICE("QUIT\r\n"));
		poll(NULL, 0, 1);
	}
	assert_int_equal(n, -1);
	assert_true(errno == EPIPE || errno == ECONNRESET);
	talk_end(&t);
}

static void test_new_keys_in_the_middle(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t, &own, TLS_PROTOCOL_1_3, false);
	for (int i = 0; i < 5; i++) {
		write_all(&t, SLICE("Keys, please"));
		read_all(&t, 12);
		assert_slice_is(str_slice(&t.got), "Keys, please");
	}
	talk_end(&t);
	assert_true(t.server.heard_close);
}

/* ---- waiting ------------------------------------------------------------ */

static void test_wait_sees_what_is_inside_and_what_is_outside(void **state)
{
	unsigned ready = 0;
	struct talk t;
	int fds[2];

	(void)state;
	talk_begin(&t, &own, TLS_PROTOCOL_1_3, false);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	/* Tickets are nothing to read. */
	assert_int_equal(
	    conn_wait(t.c, CONN_READABLE, fds[0], conn_now() + 200, &ready),
	    CONN_TIMEOUT);
	assert_int_equal(conn_wait(t.c, CONN_READABLE | CONN_WRITABLE, fds[0],
				   conn_now() + 200, &ready),
			 CONN_OK);
	assert_int_equal(ready, CONN_WRITABLE);
	write_all(&t, SLICE("abcdef"));
	assert_int_equal(
	    conn_wait(t.c, CONN_READABLE, fds[0], conn_now() + 20000, &ready),
	    CONN_OK);
	assert_int_equal(ready, CONN_READABLE);
	assert_int_equal(conn_read(t.c, 2, &t.got, conn_now()), CONN_OK);
	/* What is left lies inside; the socket has nothing. */
	assert_int_equal(
	    conn_wait(t.c, CONN_READABLE, fds[0], conn_now() - 1, &ready),
	    CONN_OK);
	assert_int_equal(ready, CONN_READABLE);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(conn_wait(t.c, CONN_READABLE | CONN_WRITABLE, fds[0],
				   conn_now() + 20000, &ready),
			 CONN_OK);
	assert_int_equal(ready,
			 CONN_READABLE | CONN_WRITABLE | CONN_OTHER_READABLE);
	assert_int_equal(conn_read(t.c, 100, &t.got, conn_now()), CONN_OK);
	assert_slice_is(str_slice(&t.got), "abcdef");
	assert_int_equal(
	    conn_wait(t.c, CONN_READABLE, fds[0], conn_now() + 200, &ready),
	    CONN_OK);
	assert_int_equal(ready, CONN_OTHER_READABLE);
	fd_close(fds[0]);
	fd_close(fds[1]);
	talk_end(&t);
}

static void test_wait_sees_the_end_and_is_ended_by_a_signal(void **state)
{
	enum conn_result r;
	unsigned ready = 0;
	struct talk t;

	(void)state;
	talk_begin(&t, &own, TLS_PROTOCOL_1_2, false);
	alarm_in(50);
	assert_int_equal(
	    conn_wait(t.c, CONN_READABLE, -1, conn_now() + 60000, &ready),
	    CONN_INTERRUPTED);
	alarm_off();
	assert_int_equal(conn_wait(t.c, CONN_READABLE, -1, INT64_MAX, &ready),
			 CONN_INTERRUPTED);
	write_all(&t, SLICE("S"));
	do
		r = conn_wait(t.c, CONN_READABLE, -1, conn_now() + 20000,
			      &ready);
	while (r == CONN_INTERRUPTED);
	assert_int_equal(r, CONN_OK);
	assert_int_equal(ready, CONN_READABLE);
	assert_int_equal(conn_read(t.c, 10, &t.got, conn_now()), CONN_END);
	talk_end(&t);
}

/* A record of which only a part is here must not be waited for in circles. */
static void test_part_of_a_record_is_nothing_to_read(void **state)
{
	static const char part[] = "\x17\x03\x03\x00\x20"
				   "0123456789";
	unsigned ready = 0;
	struct talk t;

	(void)state;
	talk_begin(&t, &own, TLS_PROTOCOL_1_3, false);
	write_all(&t, SLICE("x"));
	read_all(&t, 1);
	assert_int_equal(
	    fd_write_all(t.server.fd, slice_make(part, sizeof(part) - 1)), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    conn_wait(t.c, CONN_READABLE, -1, conn_now() + 100, &ready),
		    CONN_TIMEOUT);
	assert_int_equal(conn_read(t.c, 10, &t.got, conn_now() + 100),
			 CONN_TIMEOUT);
	talk_end(&t);
}

/* ---- channel bindings --------------------------------------------------- */

/* What the server says of the same connection is compared by hand. */
static void test_channel_bindings(void **state)
{
	static const struct {
		enum tls_protocol protocol;
		bool is_odd;
		size_t exporter, unique, end_point;
	} rows[] = {
		{ TLS_PROTOCOL_1_3, false, 32, 0, 32 },
		{ TLS_PROTOCOL_1_2, false, 32, 12, 32 },
		{ TLS_PROTOCOL_1_3, true, 32, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const size_t want[TLS_BINDINGS] = { rows[i].exporter,
						    rows[i].unique,
						    rows[i].end_point };
		unsigned char digest[EVP_MAX_MD_SIZE];
		unsigned n;
		struct talk t;

		talk_begin(&t, rows[i].is_odd ? &odd : &own, rows[i].protocol,
			   false);
		for (int kind = 0; kind < TLS_BINDINGS; kind++) {
			str_clear(&t.got);
			assert_int_equal(
			    tls_channel_binding(t.c, (enum tls_binding)kind,
						&t.got),
			    want[kind] > 0);
			assert_int_equal(t.got.len, want[kind]);
			if (kind != TLS_BINDING_END_POINT || want[kind] == 0)
				continue;
			X509_digest(own.x, EVP_sha256(), digest, &n);
			assert_memory_equal(t.got.p, digest, n);
		}
		talk_end(&t);
	}
}

/* Both ends must come to the same bytes, here over memory. */
static void test_exporter_is_what_the_other_end_has(void **state)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	unsigned char theirs[32];
	struct talk t;
	SSL *ssl;

	(void)state;
	talk_begin(&t, &own, TLS_PROTOCOL_1_3, false);
	write_all(&t, SLICE("x"));
	read_all(&t, 1); /* the server waits for more and touches nothing */
	str_clear(&t.got);
	assert_true(tls_channel_binding(t.c, TLS_BINDING_EXPORTER, &t.got));
	ssl = t.server.ssl;
	assert_int_equal(SSL_export_keying_material(ssl, theirs, sizeof(theirs),
						    label, sizeof(label) - 1,
						    NULL, 0, 0),
			 1);
	assert_memory_equal(t.got.p, theirs, sizeof(theirs));
	talk_end(&t);
}

static void test_clear_text_has_no_binding(void **state)
{
	struct str got = STR_INIT;
	struct pair p;

	(void)state;
	pair_make(&p);
	for (int kind = 0; kind < TLS_BINDINGS; kind++)
		assert_false(
		    tls_channel_binding(p.conn, (enum tls_binding)kind, &got));
	assert_false(tls_is_up(p.conn));
	assert_null(tls_trouble(p.conn));
	pair_close(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_last_word_of_a_handshake_goes_with_what_is_next),
		cmocka_unit_test(
		    test_read_takes_what_is_there_and_no_more_than_max),
		cmocka_unit_test(
		    test_all_sizes_come_back_whole_and_byte_by_byte),
		cmocka_unit_test(
		    test_read_ends_at_its_deadline_and_by_a_signal),
		cmocka_unit_test(test_end_with_and_without_close_notify),
		cmocka_unit_test(test_forged_record_is_a_failure),
		cmocka_unit_test(test_late_alert_is_told),
		cmocka_unit_test(
		    test_full_socket_takes_nothing_until_the_peer_reads),
		cmocka_unit_test(
		    test_write_to_a_lost_connection_fails_without_signal),
		cmocka_unit_test(test_new_keys_in_the_middle),
		cmocka_unit_test(
		    test_wait_sees_what_is_inside_and_what_is_outside),
		cmocka_unit_test(
		    test_wait_sees_the_end_and_is_ended_by_a_signal),
		cmocka_unit_test(test_part_of_a_record_is_nothing_to_read),
		cmocka_unit_test(test_channel_bindings),
		cmocka_unit_test(test_exporter_is_what_the_other_end_has),
		cmocka_unit_test(test_clear_text_has_no_binding),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
