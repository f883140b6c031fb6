/*
 * test_certs.h - certificates of all sorts, and handshakes with servers that
 * show them. To be included by one source file of a program only.
 */
#ifndef NET_TEST_CERTS_H
#define NET_TEST_CERTS_H

#include "net/test_tls.h"

/* Certificates of servers. */
enum {
	GOOD,
	EXPIRED,
	NOT_YET,
	WRONG_NAME,
	NO_SAN,
	WILDCARD,
	HIGH_WILDCARD,
	PARTIAL_WILDCARD,
	SELF,
	STRANGE,
	HOSTILE,
	OLD_ISSUER,
	DEEP,
	SMALL_KEY,
	CERTIFICATES
};

static const struct recipe recipes[CERTIFICATES] = {
	[GOOD] = { .cn = "good", .sans = "DNS:" HOST ",DNS:other.example.org" },
	[EXPIRED] = { .cn = "expired",
		      .sans = "DNS:" HOST,
		      .from = -30,
		      .to = -1 },
	[NOT_YET] = { .cn = "not yet",
		      .sans = "DNS:" HOST,
		      .from = 1,
		      .to = 30 },
	[WRONG_NAME] = { .cn = HOST, .sans = "DNS:www.example.net" },
	[NO_SAN] = { .cn = HOST },
	[WILDCARD] = { .cn = "wildcard", .sans = "DNS:*.example.org" },
	[HIGH_WILDCARD] = { .cn = "high", .sans = "DNS:*.org" },
	[PARTIAL_WILDCARD] = { .cn = "part", .sans = "DNS:m*.example.org" },
	[SELF] = { .cn = "self", .sans = "DNS:" HOST },
	[STRANGE] = { .cn = "strange", .sans = "DNS:" HOST },
	[HOSTILE] = { .cn = "a\nb\033[31m\xe2\x80\xae",
		      .sans = "DNS:\r\n250 ok" },
	[OLD_ISSUER] = { .cn = "below", .sans = "DNS:" HOST },
	[DEEP] = { .cn = "deep", .sans = "DNS:" HOST },
	[SMALL_KEY] = { .cn = "small", .sans = "DNS:" HOST, .rsa_bits = 1024 },
};

static struct {
	struct issued ca, strange_ca, old_ca, middle_ca;
	struct issued own[CERTIFICATES], client;
	struct arena *arena;
	struct tls_client *tls;
	char folder[32];
	struct tls_settings settings;
} world;

static inline const struct issued *issuer_of(int which)
{
	switch (which) {
	case SELF:
		return NULL;
	case STRANGE:
		return &world.strange_ca;
	case OLD_ISSUER:
		return &world.old_ca;
	case DEEP:
		return &world.middle_ca;
	default:
		return &world.ca;
	}
}

static inline int set_up(void **state)
{
	static const struct recipe ca = { .cn = "our CA", .is_ca = true };
	static const struct recipe strange = { .cn = "strange CA",
					       .is_ca = true };
	static const struct recipe old = {
		.cn = "old CA", .from = -30, .to = -1, .is_ca = true
	};
	static const struct recipe middle = { .cn = "middle CA",
					      .is_ca = true };
	static const struct recipe client = { .cn = "client" };

	(void)state;
	world.ca = issue(&ca, NULL);
	world.strange_ca = issue(&strange, NULL);
	world.old_ca = issue(&old, &world.ca);
	world.middle_ca = issue(&middle, &world.ca);
	for (int i = 0; i < CERTIFICATES; i++)
		world.own[i] = issue(&recipes[i], issuer_of(i));
	world.client = issue(&client, &world.ca);
	world.arena = arena_new();
	world.tls = tls_client_new(NULL, NULL);
	strcpy(world.folder, "/tmp/tls-test.XXXXXX");
	assert_non_null(mkdtemp(world.folder));
	world.settings = TLS_SETTINGS_DEFAULT;
	world.settings.is_cached = false;
	world.settings.ca_file =
	    pem_file(world.folder, "ca.pem", &world.ca, false);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	issued_free(&world.ca);
	issued_free(&world.strange_ca);
	issued_free(&world.old_ca);
	issued_free(&world.middle_ca);
	for (int i = 0; i < CERTIFICATES; i++)
		issued_free(&world.own[i]);
	issued_free(&world.client);
	arena_free(world.arena);
	tls_client_free(world.tls);
	for (size_t i = 0; i < 2; i++) {
		static const char *const files[] = { "ca.pem", "client.pem" };
		char path[64];

		snprintf(path, sizeof(path), "%s/%s", world.folder, files[i]);
		unlink(path);
	}
	rmdir(world.folder);
	return 0;
}

static inline const struct issued *above_of(int which)
{
	if (which == OLD_ISSUER)
		return &world.old_ca;
	if (which == DEEP)
		return &world.middle_ca;
	return issuer_of(which);
}

/* A handshake with a server that shows this certificate. */
static inline bool shake(int which, struct tls_how *how, struct tls_outcome *o)
{
	struct server s;
	struct conn *c;
	bool is_ok;

	server_init(&s, &world.own[which], above_of(which));
	c = server_begin(&s);
	if (how->settings == NULL)
		how->settings = &world.settings;
	if (how->deadline == 0)
		how->deadline = conn_now() + 20000;
	is_ok = tls_start(world.tls, c, how, world.arena, o);
	assert_int_equal(is_ok, o->is_ok);
	assert_int_equal(is_ok, o->fault == TLS_FAULT_NONE);
	assert_int_equal(is_ok, o->text.len == 0);
	assert_int_equal(is_ok, tls_is_up(c));
	if (!is_ok) {
		struct str got = STR_INIT;

		assert_int_equal(conn_write(c, SLICE("MAIL")), -1);
		assert_int_equal(conn_read(c, 10, &got, conn_now() + 1000),
				 CONN_FAILED);
		str_done(&got);
	}
	conn_close(c);
	server_join(&s);
	server_done(&s);
	return is_ok;
}

#endif
