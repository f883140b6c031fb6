/*
 * tls_flood_test.c - a peer that never ends: what it sends is all in order,
 * only without an end. It holds nobody up beyond a deadline, and fills no
 * memory and no shelf.
 */
#include "net/tls.h"

#include "net/test_tls.h"
#include "net/tls_internal.h"

static struct issued own;
static struct arena *arena;

static int set_up(void **state)
{
	static const struct recipe r = { .cn = "server", .sans = "DNS:" HOST };

	(void)state;
	own = issue(&r, NULL);
	arena = arena_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	issued_free(&own);
	arena_free(arena);
	return 0;
}

/* ---- floods -------------------------------------------------------------- */

/*
 * What sends without an end, until it is told that it was enough; or, so that
 * a test that fails ends too, by itself after some seconds.
 */
struct flood {
	int fd;
	SSL_CTX *ctx; /* NULL: in the clear */
	bool (*send_some)(SSL *ssl);
	atomic_bool is_enough;
	/* To be read once it was joined. */
	bool gave_up;
	size_t sent;
	pthread_t thread;
};

enum {
	FLOOD_MS = 8000,
	FLOOD_BUFFER = 4 * 1024 * 1024,
	/* Bytes; far less than what a second of it asks for. */
	UNSENT_MAX = 512 * 1024
};

static bool goes_on(struct flood *f, int64_t end)
{
	if (conn_now() < end)
		return !atomic_load(&f->is_enough);
	f->gave_up = true;
	return false;
}

/* RFC 5246 7.4.1.1: to be ignored while hands are shaken. */
static void flood_in_clear(struct flood *f, int64_t end)
{
	static const char hello_request[] = "\x16\x03\x03\x00\x04\x00\x00\x00";
	struct str block = STR_INIT;

	for (int i = 0; i < 20000; i++)
		str_add(&block,
			slice_make(hello_request, sizeof(hello_request)));
	while (goes_on(f, end) &&
	       send(f->fd, block.p, block.len, MSG_NOSIGNAL) > 0)
		f->sent++;
	str_done(&block);
}

static void flood_in_tls(struct flood *f, int64_t end)
{
	SSL *ssl = SSL_new(f->ctx);

	SSL_set_fd(ssl, f->fd);
	if (SSL_accept(ssl) == 1)
		while (goes_on(f, end) && f->send_some(ssl))
			f->sent++;
	SSL_free(ssl);
}

static void *run_flood(void *context)
{
	struct flood *f = context;
	int64_t end = conn_now() + FLOOD_MS;

	if (f->ctx == NULL)
		flood_in_clear(f, end);
	else
		flood_in_tls(f, end);
	shutdown(f->fd, SHUT_RDWR);
	return NULL;
}

static bool send_ticket(SSL *ssl)
{
	return SSL_new_session_ticket(ssl) == 1 && SSL_do_handshake(ssl) == 1;
}

static bool send_keys(SSL *ssl)
{
	return SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 &&
	       SSL_do_handshake(ssl) == 1;
}

/* Nothing is read: the answers stay where they are. */
static bool ask_for_keys(SSL *ssl)
{
	return SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1 &&
	       SSL_do_handshake(ssl) == 1;
}

static struct conn *flood_begin(struct flood *f, bool (*send_some)(SSL *ssl))
{
	struct net_addr addr = loopback("[127.0.0.1]");
	int most = FLOOD_BUFFER, least = 4096;
	struct pair p;

	*f = (struct flood){ .send_some = send_some };
	if (send_some != NULL) {
		f->ctx = SSL_CTX_new(TLS_server_method());
		SSL_CTX_set_min_proto_version(f->ctx, TLS1_3_VERSION);
		assert_int_equal(SSL_CTX_use_certificate(f->ctx, own.x), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(f->ctx, own.key), 1);
	}
	pair_make_at(&p, &addr);
	/* So much that the reader seldom finds nothing; the other way little.
	 */
	setsockopt(p.fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
	setsockopt(p.peer, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least));
	setsockopt(p.peer, SOL_SOCKET, SO_SNDBUF, &most, sizeof(most));
	setsockopt(p.fd, SOL_SOCKET, SO_RCVBUF, &most, sizeof(most));
	f->fd = p.peer;
	assert_int_equal(pthread_create(&f->thread, NULL, run_flood, f), 0);
	return p.conn;
}

/* Closes the connection; the flood must have been under way until now. */
static void flood_end(struct flood *f, struct conn *c)
{
	atomic_store(&f->is_enough, true);
	signal(SIGPIPE, SIG_IGN);
	conn_close(c);
	pthread_join(f->thread, NULL);
	signal(SIGPIPE, SIG_DFL);
	fd_close(f->fd);
	SSL_CTX_free(f->ctx);
	assert_false(f->gave_up);
	assert_true(f->sent > 0);
}

/* ---- a shelf that counts ------------------------------------------------- */

static size_t n_put;

static bool take_none(void *context, struct slice key, struct str *to)
{
	(void)context;
	(void)key;
	(void)to;
	return false;
}

static void count_put(void *context, struct slice key, struct slice session,
		      int64_t expires)
{
	(void)context;
	(void)key;
	(void)session;
	(void)expires;
	n_put++;
}

static const struct tls_shelf shelf = { NULL, take_none, count_put };

/* ---- tests --------------------------------------------------------------- */

static bool shake(struct tls_client *client, struct conn *c, int64_t ms,
		  struct tls_outcome *ret)
{
	struct tls_settings settings = TLS_SETTINGS_DEFAULT;
	struct tls_decision d = { .need = TLS_NEED_MAY };
	struct tls_how how = { .settings = &settings,
			       .decision = &d,
			       .host = SLICE(HOST),
			       .deadline = conn_now() + ms };

	return tls_start(client, c, &how, arena, ret);
}

static void test_handshake_without_an_end_ends_at_its_deadline(void **state)
{
	struct tls_client *client = tls_client_new(NULL, NULL);
	struct tls_outcome o;
	struct flood f;
	struct conn *c = flood_begin(&f, NULL);

	(void)state;
	assert_false(shake(client, c, 300, &o));
	assert_int_equal(o.fault, TLS_FAULT_TIMEOUT);
	flood_end(&f, c);
	tls_client_free(client);
}

/* A read and a wait come back while it goes on. */
static void check_flood(bool (*send_some)(SSL *ssl), int64_t ms)
{
	struct tls_client *client = tls_client_new(&shelf, NULL);
	struct str got = STR_INIT;
	unsigned ready = 0;
	struct tls_outcome o;
	struct flood f;
	struct conn *c = flood_begin(&f, send_some);
	int64_t deadline;
	enum conn_result r;

	n_put = 0;
	if (!shake(client, c, 20000, &o))
		fail_msg("%.*s", SLICE_ARG(o.text));
	deadline = conn_now() + ms;
	do {
		r = conn_read(c, 1024, &got, deadline);
	} while (r == CONN_INTERRUPTED);
	assert_int_equal(r, CONN_TIMEOUT);
	r = conn_wait(c, CONN_READABLE, -1, conn_now() + 300, &ready);
	assert_true(r == CONN_TIMEOUT || r == CONN_INTERRUPTED);
	assert_in_range(c->tls->out.cap, 0, UNSENT_MAX);
	flood_end(&f, c);
	tls_client_free(client);
	assert_int_equal(got.len, 0);
	str_done(&got);
}

static void test_tickets_without_an_end_hold_nobody_up(void **state)
{
	(void)state;
	check_flood(send_ticket, 300);
	/* One in memory, which goes there at the end, and a few more. */
	assert_in_range(n_put, 1, 8);
}

static void test_new_keys_without_an_end_hold_nobody_up(void **state)
{
	(void)state;
	check_flood(send_keys, 300);
}

static void test_new_keys_asked_for_without_an_end_fill_no_memory(void **state)
{
	(void)state;
	check_flood(ask_for_keys, 2500);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_handshake_without_an_end_ends_at_its_deadline),
		cmocka_unit_test(test_tickets_without_an_end_hold_nobody_up),
		cmocka_unit_test(test_new_keys_without_an_end_hold_nobody_up),
		cmocka_unit_test(
		    test_new_keys_asked_for_without_an_end_fill_no_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
