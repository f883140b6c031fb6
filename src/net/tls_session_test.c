/*
 * tls_session_test.c - sessions are resumed, and a resumed one never says more
 * than a full handshake would say today.
 */
#include "net/tls.h"

#include "net/test_tls.h"

#define HERE "[192.0.2.1]:25"

/* ---- the world ---------------------------------------------------------- */

static struct issued ca, own, self;
static struct arena *arena;
static char folder[32];
static const char *ca_file;
static int64_t ahead; /* seconds that the client's clock is ahead */

static int64_t clock_ahead(void)
{
	return (int64_t)time(NULL) + ahead;
}

/* A shelf in memory. */
struct memory {
	struct {
		char key[32];
		struct str text;
		int64_t expires;
	} items[64];
	size_t n, n_takes;
};

static struct memory memory;

static bool memory_take(void *context, struct slice key, struct str *to)
{
	struct memory *m = context;

	assert_int_equal(key.len, 32);
	m->n_takes++;
	for (size_t i = 0; i < m->n; i++)
		if (memcmp(m->items[i].key, key.p, 32) == 0) {
			str_add(to, str_slice(&m->items[i].text));
			str_done(&m->items[i].text);
			m->items[i] = m->items[--m->n];
			return true;
		}
	return false;
}

static void memory_put(void *context, struct slice key, struct slice session,
		       int64_t expires)
{
	struct memory *m = context;

	assert_int_equal(key.len, 32);
	assert_true(m->n < COUNT(m->items));
	assert_true(expires > clock_ahead());
	memcpy(m->items[m->n].key, key.p, 32);
	m->items[m->n].text = STR_INIT;
	m->items[m->n].expires = expires;
	str_add(&m->items[m->n++].text, session);
}

static void memory_clear(void)
{
	while (memory.n > 0)
		str_done(&memory.items[--memory.n].text);
	memory.n_takes = 0;
}

static const struct tls_shelf shelf = { &memory, memory_take, memory_put };

static int set_up(void **state)
{
	static const struct recipe root = { .cn = "CA", .is_ca = true };
	static const struct recipe leaf = {
		.cn = "leaf", .sans = "DNS:" HOST, .from = -1, .to = 1
	};

	(void)state;
	ca = issue(&root, NULL);
	own = issue(&leaf, &ca);
	self = issue(&leaf, NULL);
	arena = arena_new();
	strcpy(folder, "/tmp/tls-test.XXXXXX");
	assert_non_null(mkdtemp(folder));
	ca_file = pem_file(folder, "ca.pem", &ca, false);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	issued_free(&ca);
	issued_free(&own);
	issued_free(&self);
	arena_free(arena);
	unlink(ca_file);
	rmdir(folder);
	return 0;
}

/* ---- one server, and what a client wants of it -------------------------- */

struct visit {
	struct server server;
	struct tls_client *client;
	struct tls_settings settings;
	struct slice name;
	struct tls_decision decision;
	struct dane_record record;
	struct tls_how how;
	const char *address;
	struct tls_outcome o;
};

static void visit_init(struct visit *v, const struct issued *certificate,
		       enum tls_need need, enum tls_protocol protocol)
{
	*v = (struct visit){ .name = SLICE(HOST), .address = HERE };
	ahead = 0;
	server_init(&v->server, certificate, NULL);
	SSL_CTX_set_timeout(v->server.ctx, 7 * DAY);
	v->client = tls_client_new(&shelf, clock_ahead);
	v->settings = TLS_SETTINGS_DEFAULT;
	v->settings.min_protocol = v->settings.max_protocol = protocol;
	v->settings.ca_file = ca_file;
	v->settings.session_seconds = 7 * DAY;
	v->decision = (struct tls_decision){ .need = need, .sni = SLICE(HOST) };
	if (need != TLS_NEED_MAY) {
		v->decision.names = &v->name;
		v->decision.n_names = 1;
	}
	v->record = (struct dane_record){ 3, 1, 1,
					  tlsa_data(arena, certificate, 1, 1) };
	v->how.settings = &v->settings;
	v->how.decision = &v->decision;
	v->how.host = SLICE(HOST);
	if (need == TLS_NEED_DANE) {
		v->how.records = &v->record;
		v->how.n_records = 1;
	}
}

static void visit_done(struct visit *v)
{
	tls_client_free(v->client);
	server_done(&v->server);
	memory_clear();
}

/* A connection, a word and an echo, so that tickets arrive. Resumed? */
static bool visit(struct visit *v)
{
	struct conn *c = server_begin_at(&v->server, v->address);
	struct str got = STR_INIT;

	v->how.deadline = conn_now() + 20000;
	if (tls_start(v->client, c, &v->how, arena, &v->o)) {
		assert_int_equal(conn_write(c, SLICE("x")), 1);
		while (got.len == 0) {
			enum conn_result r =
			    conn_read(c, 10, &got, conn_now() + 20000);

			assert_true(r == CONN_OK || r == CONN_INTERRUPTED);
		}
	}
	str_done(&got);
	conn_close(c);
	server_join(&v->server);
	assert_int_equal(v->server.was_resumed, v->o.was_resumed);
	return v->o.was_resumed;
}

/* ---- resuming ----------------------------------------------------------- */

static void test_second_connection_resumes_and_says_the_same(void **state)
{
	static const enum tls_need needs[] = { TLS_NEED_MAY, TLS_NEED_NAME,
					       TLS_NEED_DANE };
	static const enum tls_verdict verdicts[] = { TLS_TRUSTED_UNNAMED,
						     TLS_MATCHED_NAME,
						     TLS_MATCHED_DANE };

	(void)state;
	for (size_t i = 0; i < COUNT(needs); i++)
		for (int p = TLS_PROTOCOL_1_2; p <= TLS_PROTOCOL_1_3; p++) {
			struct visit v;

			visit_init(&v, &own, needs[i], (enum tls_protocol)p);
			assert_false(visit(&v));
			for (int n = 0; n < 4; n++) {
				assert_int_equal(v.o.verdict, verdicts[i]);
				assert_true(v.o.is_ok);
				assert_slice_is(v.o.matched,
						needs[i] == TLS_NEED_NAME ? HOST
									  : "");
				assert_int_equal(
				    v.o.record,
				    needs[i] == TLS_NEED_DANE ? 0 : SIZE_MAX);
				assert_int_equal(v.o.n_chain, 1);
				assert_slice_is(v.o.chain[0].common_name,
						"leaf");
				assert_true(visit(&v));
			}
			visit_done(&v);
		}
}

static void test_settings_can_forbid_it(void **state)
{
	struct visit v;

	(void)state;
	visit_init(&v, &own, TLS_NEED_NAME, TLS_PROTOCOL_1_3);
	v.settings.is_cached = false;
	assert_false(visit(&v));
	assert_false(visit(&v));
	assert_int_equal(memory.n, 0);
	assert_int_equal(memory.n_takes, 0);
	visit_done(&v);
}

/* ---- the key ------------------------------------------------------------ */

/* Changes one thing on which a verdict depends. */
static void change(struct visit *v, int what)
{
	static const struct slice other = { "other.example.org", 17 };

	switch (what) {
	case 0:
		v->how.host = other;
		break;
	case 1:
		v->address = "[192.0.2.2]:25";
		break;
	case 2:
		v->address = "[192.0.2.1]:26";
		break;
	case 3:
		v->decision.sni = other;
		break;
	case 4:
		v->decision.need = TLS_NEED_ENCRYPT;
		break;
	case 5:
		v->decision.names = &other;
		v->decision.n_names = 1;
		break;
	case 6:
		v->decision.need = TLS_NEED_NAME;
		v->decision.names = &v->name;
		v->decision.n_names = 1;
		break;
	case 7:
		v->settings.cipher_list = "HIGH";
		break;
	case 8:
		v->settings.ca_file = NULL;
		break;
	case 9:
		v->decision.need = TLS_NEED_DANE;
		v->how.records = &v->record;
		v->how.n_records = 1;
		break;
	}
}

static void test_another_question_is_another_session(void **state)
{
	(void)state;
	for (int what = 0; what < 10; what++) {
		struct visit v;

		visit_init(&v, &own, TLS_NEED_MAY, TLS_PROTOCOL_1_2);
		assert_false(visit(&v));
		assert_true(visit(&v));
		change(&v, what);
		if (visit(&v))
			fail_msg("change %d", what);
		visit_done(&v);
	}
}

static void test_other_tlsa_records_are_another_session(void **state)
{
	struct dane_record two[2];
	struct visit v;

	(void)state;
	visit_init(&v, &own, TLS_NEED_DANE, TLS_PROTOCOL_1_2);
	two[0] = v.record;
	two[1] = (struct dane_record){ 3, 1, 1, tlsa_data(arena, &ca, 1, 1) };
	v.how.records = two;
	v.how.n_records = 2;
	assert_false(visit(&v));
	assert_int_equal(v.o.record, 0);
	/* Their order means nothing. */
	two[0] = two[1];
	two[1] = v.record;
	assert_true(visit(&v));
	assert_int_equal(v.o.record, 1);
	/* Without the one that matched there is nothing left. */
	v.how.n_records = 1;
	assert_false(visit(&v));
	assert_int_equal(v.o.fault, TLS_FAULT_TLSA);
	visit_done(&v);
}

/* ---- time --------------------------------------------------------------- */

static void test_certificate_that_expired_meanwhile_is_seen(void **state)
{
	(void)state;
	for (int p = TLS_PROTOCOL_1_2; p <= TLS_PROTOCOL_1_3; p++) {
		struct visit v;

		visit_init(&v, &own, TLS_NEED_NAME, (enum tls_protocol)p);
		assert_false(visit(&v));
		assert_true(visit(&v));
		ahead = 2 * DAY;
		assert_false(visit(&v));
		assert_int_equal(v.o.fault, TLS_FAULT_EXPIRED);
		visit_done(&v);
	}
}

/* Tickets that come of a resumed session do not begin anew. */
static void test_chain_is_judged_anew_after_the_time_allowed(void **state)
{
	(void)state;
	for (int p = TLS_PROTOCOL_1_2; p <= TLS_PROTOCOL_1_3; p++) {
		struct visit v;

		visit_init(&v, &own, TLS_NEED_NAME, (enum tls_protocol)p);
		v.settings.session_seconds = 1000;
		assert_false(visit(&v));
		for (ahead = 300; ahead < 1000; ahead += 300)
			assert_true(visit(&v));
		ahead = 1100;
		assert_false(visit(&v));
		assert_true(v.o.is_ok);
		assert_true(visit(&v));
		visit_done(&v);
	}
}

static void test_clock_that_went_back_resumes_nothing(void **state)
{
	struct visit v;

	(void)state;
	visit_init(&v, &own, TLS_NEED_NAME, TLS_PROTOCOL_1_2);
	assert_false(visit(&v));
	ahead = -3600;
	assert_false(visit(&v));
	visit_done(&v);
}

/* ---- who leaves a session ----------------------------------------------- */

static void test_peer_that_was_refused_leaves_no_session(void **state)
{
	(void)state;
	for (int p = TLS_PROTOCOL_1_2; p <= TLS_PROTOCOL_1_3; p++) {
		struct visit v;

		visit_init(&v, &self, TLS_NEED_NAME, (enum tls_protocol)p);
		for (int i = 0; i < 3; i++) {
			assert_false(visit(&v));
			assert_int_equal(v.o.fault, TLS_FAULT_NOT_TRUSTED);
		}
		tls_client_free(v.client);
		v.client = NULL;
		assert_int_equal(memory.n, 0);
		visit_done(&v);
	}
}

static void test_audit_that_fails_is_told_each_time(void **state)
{
	(void)state;
	for (int p = TLS_PROTOCOL_1_2; p <= TLS_PROTOCOL_1_3; p++) {
		struct visit v;

		visit_init(&v, &self, TLS_NEED_MAY, (enum tls_protocol)p);
		v.decision.names = &v.name;
		v.decision.n_names = 1;
		v.decision.is_audited = true;
		for (int i = 0; i < 3; i++) {
			assert_false(visit(&v));
			assert_true(v.o.is_ok);
			assert_int_equal(v.o.audit, TLS_FAULT_NOT_TRUSTED);
		}
		visit_done(&v);
		visit_init(&v, &own, TLS_NEED_MAY, (enum tls_protocol)p);
		v.decision.names = &v.name;
		v.decision.n_names = 1;
		v.decision.is_audited = true;
		assert_false(visit(&v));
		assert_true(visit(&v));
		assert_int_equal(v.o.audit, TLS_FAULT_NONE);
		visit_done(&v);
	}
}

/* ---- the shelf ---------------------------------------------------------- */

static void test_agents_share_and_use_each_ticket_once(void **state)
{
	struct tls_client *first;
	struct visit v;

	(void)state;
	visit_init(&v, &own, TLS_NEED_NAME, TLS_PROTOCOL_1_3);
	assert_false(visit(&v));
	assert_int_equal(memory.n, 1); /* of two, one stays with the agent */
	first = v.client;
	v.client = tls_client_new(&shelf, clock_ahead);
	assert_true(visit(&v));
	assert_int_equal(v.o.verdict, TLS_MATCHED_NAME);
	assert_int_equal(memory.n, 0);
	tls_client_free(v.client);
	assert_int_equal(memory.n, 1);
	memory_clear();
	v.client = tls_client_new(&shelf, clock_ahead);
	assert_false(visit(&v));
	tls_client_free(first); /* gives back what it has */
	assert_int_equal(memory.n, 2);
	visit_done(&v);
}

static void test_rubbish_on_the_shelf_is_no_session(void **state)
{
	struct str whole = STR_INIT;
	char key[32];
	struct visit v;

	(void)state;
	visit_init(&v, &own, TLS_NEED_NAME, TLS_PROTOCOL_1_3);
	assert_false(visit(&v));
	tls_client_free(v.client);
	assert_true(memory.n >= 1);
	memcpy(key, memory.items[0].key, 32);
	str_add(&whole, str_slice(&memory.items[0].text));
	for (size_t cut = 0; cut < whole.len;
	     cut += cut < 80 ? 1 : whole.len / 20) {
		memory_clear();
		v.client = tls_client_new(&shelf, clock_ahead);
		memory_put(&memory, slice_make(key, 32),
			   slice_head(str_slice(&whole), cut),
			   clock_ahead() + 100);
		assert_false(visit(&v));
		assert_true(v.o.is_ok);
		tls_client_free(v.client);
	}
	v.client = NULL;
	str_done(&whole);
	visit_done(&v);
}

/* A server that cannot bear what it gave out must not be asked again so. */
static void test_sessions_that_fail_are_forgotten(void **state)
{
	static const char alert[] = "\x15\x03\x03\x00\x02\x02\x50";
	struct net_addr addr = loopback(HERE);
	struct conn *c;
	struct visit v;
	int fds[2];

	(void)state;
	visit_init(&v, &own, TLS_NEED_NAME, TLS_PROTOCOL_1_3);
	assert_false(visit(&v));
	assert_int_equal(memory.n, 1);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	c = conn_adopt(fds[0], &addr);
	assert_int_equal(fd_write_all(fds[1], slice_make(alert, 7)), 0);
	v.how.deadline = conn_now() + 20000;
	assert_false(tls_start(v.client, c, &v.how, arena, &v.o));
	assert_int_equal(v.o.fault, TLS_FAULT_ALERT);
	conn_close(c);
	fd_close(fds[1]);
	assert_int_equal(memory.n, 0);
	assert_false(visit(&v));
	assert_true(v.o.is_ok);
	visit_done(&v);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_second_connection_resumes_and_says_the_same),
		cmocka_unit_test(test_settings_can_forbid_it),
		cmocka_unit_test(test_another_question_is_another_session),
		cmocka_unit_test(test_other_tlsa_records_are_another_session),
		cmocka_unit_test(
		    test_certificate_that_expired_meanwhile_is_seen),
		cmocka_unit_test(
		    test_chain_is_judged_anew_after_the_time_allowed),
		cmocka_unit_test(test_clock_that_went_back_resumes_nothing),
		cmocka_unit_test(test_peer_that_was_refused_leaves_no_session),
		cmocka_unit_test(test_audit_that_fails_is_told_each_time),
		cmocka_unit_test(test_agents_share_and_use_each_ticket_once),
		cmocka_unit_test(test_rubbish_on_the_shelf_is_no_session),
		cmocka_unit_test(test_sessions_that_fail_are_forgotten),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
