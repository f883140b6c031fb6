/*
 * tls_test.c - settings, what can come instead of a handshake, and what is told
 * of one.
 */
#include "net/tls.h"

#include "net/test_certs.h"

/* ---- settings ----------------------------------------------------------- */

static void test_settings_reach_openssl(void **state)
{
	static const struct {
		enum tls_protocol min, max;
		const char *ciphers, *suites, *groups;
		const char *protocol, *cipher, *group;
	} rows[] = {
		{ TLS_PROTOCOL_1_2, TLS_PROTOCOL_1_3, NULL, NULL, NULL,
		  "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519" },
		{ TLS_PROTOCOL_1_2, TLS_PROTOCOL_1_2, NULL, NULL, NULL,
		  "TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384", "x25519" },
		{ TLS_PROTOCOL_1_0, TLS_PROTOCOL_1_0, NULL, NULL, NULL, "TLSv1",
		  "ECDHE-ECDSA-AES256-SHA", "x25519" },
		{ TLS_PROTOCOL_1_2, TLS_PROTOCOL_1_2,
		  "ECDHE-ECDSA-AES128-GCM-SHA256", NULL, "P-384:P-256",
		  "TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256", "secp384r1" },
		{ TLS_PROTOCOL_1_3, TLS_PROTOCOL_1_3, NULL,
		  "TLS_CHACHA20_POLY1305_SHA256", "P-256", "TLSv1.3",
		  "TLS_CHACHA20_POLY1305_SHA256", "secp256r1" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tls_settings s = world.settings;
		struct tls_decision d = { .need = TLS_NEED_MAY };
		struct tls_how how = { .decision = &d, .settings = &s };
		struct tls_outcome o;

		s.min_protocol = rows[i].min;
		s.max_protocol = rows[i].max;
		s.cipher_list = rows[i].ciphers;
		s.cipher_suites = rows[i].suites;
		s.groups = rows[i].groups;
		if (!shake(GOOD, &how, &o))
			fail_msg("row %zu: %.*s", i, SLICE_ARG(o.text));
		assert_string_equal(o.protocol, rows[i].protocol);
		assert_string_equal(o.cipher, rows[i].cipher);
		assert_string_equal(o.group, rows[i].group);
		assert_true(o.bits >= 128);
	}
}

/* TLS 1.0 signs with SHA-1; only who authenticates nobody may take that. */
static void test_old_parameters_only_where_nobody_is_authenticated(void **state)
{
	struct tls_settings s = world.settings;
	struct slice name = SLICE(HOST);
	struct tls_decision d = { .need = TLS_NEED_NAME,
				  .names = &name,
				  .n_names = 1 };
	struct tls_how how = { .decision = &d, .settings = &s };
	struct tls_outcome o;

	(void)state;
	s.min_protocol = s.max_protocol = TLS_PROTOCOL_1_0;
	assert_false(shake(GOOD, &how, &o));
	assert_int_equal(o.fault, TLS_FAULT_HANDSHAKE);
	d.need = TLS_NEED_ENCRYPT;
	assert_true(shake(GOOD, &how, &o));
}

static void test_settings_that_are_no_good_are_our_fault(void **state)
{
	static const struct {
		struct tls_settings settings;
		const char *text;
	} rows[] = {
		{ { .max_protocol = TLS_PROTOCOL_1_3,
		    .cipher_list = "nonsense" },
		  "cipher list nonsense: no cipher match" },
		{ { .max_protocol = TLS_PROTOCOL_1_3, .cipher_suites = "no" },
		  "cipher suites no: no cipher match" },
		{ { .max_protocol = TLS_PROTOCOL_1_3, .groups = "P-0" },
		  "groups P-0: passed invalid argument" },
		{ { .max_protocol = TLS_PROTOCOL_1_3,
		    .ca_file = "/nonexistent" },
		  "CA file /nonexistent: No such file or directory" },
		{ { .max_protocol = TLS_PROTOCOL_1_3, .ca_file = "/dev/null" },
		  "CA file /dev/null: no certificate or crl found" },
		{ { .max_protocol = TLS_PROTOCOL_1_3,
		    .n_pairs = 1,
		    .pairs = { { "/nonexistent", "/nonexistent" } } },
		  "certificate /nonexistent: No such file or directory" },
	};
	struct tls_decision d = { .need = TLS_NEED_MAY };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tls_how how = { .decision = &d,
				       .settings = &rows[i].settings };
		struct tls_outcome o;
		struct err err;
		struct pair p;

		assert_int_equal(
		    tls_client_check(world.tls, &rows[i].settings, &err), -1);
		assert_string_equal(err.text, rows[i].text);
		pair_make(&p);
		assert_false(
		    tls_start(world.tls, p.conn, &how, world.arena, &o));
		assert_int_equal(o.fault, TLS_FAULT_SETTINGS);
		assert_slice_is(o.text, err.text);
		assert_null(tls_fault_report(o.fault));
		pair_close(&p);
	}
}

static void test_client_certificate_is_shown_if_asked_for(void **state)
{
	const char *file =
	    pem_file(world.folder, "client.pem", &world.client, true);
	struct tls_decision d = { .need = TLS_NEED_MAY, .sni = SLICE(HOST) };

	(void)state;
	for (int has_pair = 0; has_pair <= 1; has_pair++)
		for (int asks = 0; asks <= 1; asks++) {
			struct tls_settings settings = world.settings;
			struct tls_how how = { .decision = &d,
					       .settings = &settings,
					       .deadline = conn_now() + 20000 };
			struct tls_outcome o;
			struct server s;
			struct conn *c;

			settings.n_pairs = (size_t)has_pair;
			settings.pairs[0] = (struct tls_pair){ file, file };
			server_init(&s, &world.own[GOOD], NULL);
			SSL_CTX_set_verify(
			    s.ctx, asks ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
			    NULL);
			X509_STORE_add_cert(SSL_CTX_get_cert_store(s.ctx),
					    world.ca.x);
			c = server_begin(&s);
			assert_true(
			    tls_start(world.tls, c, &how, world.arena, &o));
			conn_close(c);
			server_join(&s);
			assert_int_equal(o.wanted_certificate, asks);
			assert_int_equal(s.has_client_certificate,
					 asks && has_pair);
			assert_string_equal(s.sni, HOST);
			assert_true(s.heard_close);
			server_done(&s);
		}
}

/* ---- no handshake ------------------------------------------------------- */

static bool stop(void)
{
	return alarms > 0;
}

/* Handshakes with a peer that has said `bytes`, and perhaps hung up. */
static void shake_with_bytes(struct slice bytes, bool hangs_up, int ms,
			     bool (*should_stop)(void), struct tls_outcome *o)
{
	struct tls_decision d = { .need = TLS_NEED_MAY };
	struct tls_how how = { .decision = &d,
			       .settings = &world.settings,
			       .deadline = conn_now() + ms,
			       .should_stop = should_stop };
	struct pair p;

	pair_make(&p);
	assert_int_equal(fd_write_all(p.peer, bytes), 0);
	if (hangs_up)
		assert_int_equal(shutdown(p.peer, SHUT_WR), 0);
	assert_false(tls_start(world.tls, p.conn, &how, world.arena, o));
	assert_false(tls_is_up(p.conn));
	assert_false(o->is_ok);
	assert_int_equal(o->verdict, TLS_VERDICT_NONE);
	assert_int_equal(o->n_chain, 0);
	assert_null(o->protocol);
	assert_true(o->text.len > 0);
	pair_close(&p);
}

static void test_what_comes_instead_of_a_handshake(void **state)
{
#define BYTES(lit) lit, sizeof(lit) - 1
	static const struct {
		const char *bytes;
		size_t n;
		bool hangs_up;
		enum tls_fault fault;
		const char *text;
	} rows[] = {
		{ BYTES("220 mx.example.org ESMTP\r\n"), false,
		  TLS_FAULT_GARBAGE,
		  "remote does not speak TLS (wrong version number)" },
		{ BYTES("HTTP/1.1 400 Bad Request\r\n\r\n"), false,
		  TLS_FAULT_GARBAGE, NULL },
		{ BYTES("\x15\x03\x03\x00\x02\x02\x28"), false, TLS_FAULT_ALERT,
		  "remote refused the TLS handshake (alert: handshake "
		  "failure)" },
		{ BYTES("\x15\x03\x01\x00\x02\x02\x46"), false,
		  TLS_FAULT_PROTOCOL,
		  "no TLS version in common (alert: protocol version)" },
		{ BYTES("\x15\x03\x01\x00\x02\x02\x50"), true, TLS_FAULT_ALERT,
		  "remote refused the TLS handshake (alert: internal error)" },
		{ BYTES(""), true, TLS_FAULT_CLOSED,
		  "remote hung up in the TLS handshake" },
		{ BYTES("\x16\x03\x03\x00\x7a\x02\x00"), true, TLS_FAULT_CLOSED,
		  NULL },
		{ BYTES("\x16\x03\x03\x00\x04\x02\x00\x00\x00"), false,
		  TLS_FAULT_HANDSHAKE, NULL },
		{ BYTES("\x17\x03\x03\x00\x01x"), false, TLS_FAULT_HANDSHAKE,
		  NULL },
		{ BYTES("\x16\x03\x03\x00\x7a\x02\x00"), false,
		  TLS_FAULT_TIMEOUT, "no end of the TLS handshake in time" },
		{ BYTES(""), false, TLS_FAULT_TIMEOUT, NULL },
	};
#undef BYTES

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool is_late = rows[i].fault == TLS_FAULT_TIMEOUT;
		struct tls_outcome o;

		shake_with_bytes(slice_make(rows[i].bytes, rows[i].n),
				 rows[i].hangs_up, is_late ? 100 : 20000, NULL,
				 &o);
		if (o.fault != rows[i].fault)
			fail_msg("row %zu: %s (%.*s)", i,
				 tls_fault_word(o.fault), SLICE_ARG(o.text));
		if (rows[i].text != NULL)
			assert_slice_is(o.text, rows[i].text);
		assert_string_equal(tls_fault_report(o.fault),
				    "validation-failure");
	}
}

static void test_deadline_that_has_passed_ends_the_handshake(void **state)
{
	struct tls_outcome o;

	(void)state;
	shake_with_bytes(SLICE(""), false, -5000, NULL, &o);
	assert_int_equal(o.fault, TLS_FAULT_TIMEOUT);
}

/* Says one byte of a long record after the other, until nobody listens. */
static void *drip_for_ever(void *context)
{
	const int *fd = context;
	char c = '\x16';

	for (size_t n = 0; send(*fd, &c, 1, MSG_NOSIGNAL) == 1; n++) {
		c = "\x03\x03\x3f\xff"[n < 4 ? n : 3];
		poll(NULL, 0, 5);
	}
	return NULL;
}

static void test_dripping_does_not_hold_up_the_deadline(void **state)
{
	struct tls_decision d = { .need = TLS_NEED_MAY };
	struct tls_how how = { .decision = &d,
			       .settings = &world.settings,
			       .deadline = conn_now() + 300 };
	struct tls_outcome o;
	pthread_t thread;
	struct pair p;

	(void)state;
	pair_make(&p);
	assert_int_equal(pthread_create(&thread, NULL, drip_for_ever, &p.peer),
			 0);
	assert_false(tls_start(world.tls, p.conn, &how, world.arena, &o));
	assert_int_equal(o.fault, TLS_FAULT_TIMEOUT);
	conn_close(p.conn);
	p.conn = NULL;
	pthread_join(thread, NULL);
	pair_close(&p);
}

static void test_stop_ends_the_handshake(void **state)
{
	struct tls_outcome o;

	(void)state;
	alarm_in(50);
	shake_with_bytes(SLICE(""), false, 60000, stop, &o);
	alarm_off();
	assert_int_equal(o.fault, TLS_FAULT_STOPPED);
	assert_null(tls_fault_report(o.fault));
}

/* ---- what is told ------------------------------------------------------- */

static void add_line(void *context, struct slice text)
{
	struct str *lines = context;

	assert_false(slice_has_control(text));
	str_add(lines, text);
	str_addc(lines, '\n');
}

static void test_chain_and_lines_tell_what_was_judged(void **state)
{
	struct slice name = SLICE(HOST);
	struct tls_decision d = { .need = TLS_NEED_NAME,
				  .names = &name,
				  .n_names = 1 };
	struct tls_how how = { .decision = &d,
			       .wants_chain = true,
			       .wants_trace = true };
	struct str lines = STR_INIT;
	struct tls_outcome o;

	(void)state;
	assert_true(shake(DEEP, &how, &o));
	assert_int_equal(o.n_chain, 3);
	assert_slice_is(o.chain[0].subject, "CN=deep");
	assert_slice_is(o.chain[0].issuer, "CN=middle CA");
	assert_slice_is(o.chain[0].names, HOST);
	assert_slice_is(o.chain[0].key, "EC 256");
	assert_slice_is(o.chain[2].subject, "CN=our CA");
	assert_int_equal(o.chain[0].sha256.len, 32 * 3 - 1);
	assert_slice_is(o.matched, HOST);
	tls_outcome_lines(&o, 0, add_line, &lines);
	assert_int_equal(lines.len, 0);
	tls_outcome_lines(&o, 1, add_line, &lines);
	assert_slice_is(str_slice(&lines),
			"Peer cert verify depth=2 CN=our CA\n"
			"Peer cert verify depth=1 CN=middle CA\n"
			"Peer cert verify depth=0 CN=deep\n"
			"Verified: subject_CN=deep, issuer=CN=middle CA, "
			"matched-name " HOST "\n");
	str_clear(&lines);
	tls_outcome_lines(&o, 4, add_line, &lines);
	assert_true(slice_find_text(str_slice(&lines),
				    SLICE("TLS sent ClientHello, ")) <
		    lines.len);
	assert_true(slice_find_text(str_slice(&lines),
				    SLICE("TLS received Finished, ")) <
		    lines.len);
	str_clear(&lines);
	tls_outcome_print(&lines, &o);
	assert_slice_is(str_slice(&lines),
			"TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 "
			"bits), group x25519, matched-name");
	str_clear(&lines);
	how.deadline = 0;
	assert_false(shake(STRANGE, &how, &o));
	tls_outcome_lines(&o, 2, add_line, &lines);
	assert_true(slice_find_text(str_slice(&lines),
				    SLICE("Unverified: subject_CN=strange")) <
		    lines.len);
	assert_true(slice_find_text(str_slice(&lines),
				    SLICE("TLS: certificate-not-trusted: ")) <
		    lines.len);
	str_done(&lines);
}

static void test_every_word_is_its_own(void **state)
{
	static const char *const reports[] = {
		"certificate-expired", "certificate-host-mismatch",
		"certificate-not-trusted", "tlsa-invalid", "validation-failure"
	};

	(void)state;
	for (int i = 0; i < TLS_FAULTS; i++) {
		const char *report = tls_fault_report((enum tls_fault)i);
		size_t known = 0;

		for (int j = 0; j < i; j++)
			assert_string_not_equal(
			    tls_fault_word((enum tls_fault)i),
			    tls_fault_word((enum tls_fault)j));
		while (report != NULL && known < COUNT(reports) &&
		       strcmp(report, reports[known]) != 0)
			known++;
		assert_true(known < COUNT(reports));
		assert_int_equal(report == NULL, i < TLS_FAULT_TIMEOUT);
		if (i != TLS_FAULT_NONE)
			assert_int_equal(tls_fault_status((enum tls_fault)i)[0],
					 '4');
	}
	for (int i = 0; i < TLS_VERDICTS; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(
			    tls_verdict_word((enum tls_verdict)i),
			    tls_verdict_word((enum tls_verdict)j));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings_reach_openssl),
		cmocka_unit_test(
		    test_old_parameters_only_where_nobody_is_authenticated),
		cmocka_unit_test(test_settings_that_are_no_good_are_our_fault),
		cmocka_unit_test(test_client_certificate_is_shown_if_asked_for),
		cmocka_unit_test(test_what_comes_instead_of_a_handshake),
		cmocka_unit_test(
		    test_deadline_that_has_passed_ends_the_handshake),
		cmocka_unit_test(test_dripping_does_not_hold_up_the_deadline),
		cmocka_unit_test(test_stop_ends_the_handshake),
		cmocka_unit_test(test_chain_and_lines_tell_what_was_judged),
		cmocka_unit_test(test_every_word_is_its_own),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
