/*
 * auth_test.c - accounts, the choice of a mechanism, and what is remembered.
 *
 * The engine speaks to a script: "S: " lines are what the server says; "C: "
 * lines what must have been said.
 */
#include "smtpta/auth.h"

#include "base/keyword.h"
#include "base/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOST "mx.example.org"

static char folder[] = "/tmp/auth-test-XXXXXX";
static char path[200], program[200], counter[200];
static int64_t the_time = 1000;

static const struct auth_peer trusted = { .is_trusted = true,
					  .is_encrypted = true };

static int64_t now(void)
{
	return the_time;
}

/* ---- the file and the program ------------------------------------------- */

static void write_file(const char *name, mode_t mode, const char *text)
{
	int fd;

	(void)unlink(name);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

/* A program that prints text and counts how often. */
static void write_program(const char *text)
{
	struct str script = STR_INIT;

	str_addf(&script, "#!/bin/sh\nprintf x >> %s\nprintf '%s'\n", counter,
		 text);
	write_file(program, 0700, str_cstr(&script));
	str_done(&script);
}

static long runs(void)
{
	struct stat st;

	return stat(counter, &st) == 0 ? (long)st.st_size : 0;
}

static struct auth *start(const char *text)
{
	struct auth_options o = { .file = path,
				  .channel = SLICE("smtp"),
				  .now = now,
				  .command_ms = 20000 };

	if (text != NULL)
		write_file(path, 0600, text);
	(void)unlink(counter);
	return auth_new(&o);
}

/* "smtp HOST " and settings, %s being the program. */
static struct auth *start_with(const char *settings)
{
	struct str text = STR_INIT;
	const char *at = strstr(settings, "PROGRAM");
	struct auth *a;

	str_adds(&text, "smtp " HOST " ");
	if (at == NULL) {
		str_adds(&text, settings);
	} else {
		str_add(&text, slice_make(settings, (size_t)(at - settings)));
		str_adds(&text, program);
		str_adds(&text, at + strlen("PROGRAM"));
	}
	a = start(str_cstr(&text));
	str_done(&text);
	return a;
}

static int make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/secrets", folder);
	(void)snprintf(program, sizeof(program), "%s/program", folder);
	(void)snprintf(counter, sizeof(counter), "%s/counter", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)unlink(program);
	(void)unlink(counter);
	return rmdir(folder);
}

/* ---- asking ------------------------------------------------------------- */

static struct auth_dialogue *ready(struct auth *a)
{
	struct arena *arena = arena_new();
	struct auth_dialogue *d = NULL;
	const struct diag *why = NULL;

	if (auth_find(a, SLICE(HOST), arena, &d, &why) != AUTH_READY)
		fail_msg("%s", why != NULL
				   ? str_cstr(&(struct str){
					 .p = (char *)(uintptr_t)why->text.p })
				   : "no account");
	arena_free(arena);
	return d;
}

static void deferred(struct auth *a, const char *reason, const char *words)
{
	struct arena *arena = arena_new();
	struct auth_dialogue *d = NULL;
	const struct diag *why = NULL;

	assert_int_equal(auth_find(a, SLICE(HOST), arena, &d, &why),
			 AUTH_DEFERRED);
	assert_null(d);
	assert_int_equal(why->fate, FATE_DEFERRED_ALL);
	assert_string_equal(why->reason, reason);
	assert_true(why->status.len > 0 && why->status.p[0] == '4');
	if (slice_find_text(why->text, slice_of(words)) == why->text.len)
		fail_msg("%.*s", SLICE_ARG(why->text));
	assert_true(slice_find_text(why->text, SLICE("hush")) == why->text.len);
	arena_free(arena);
}

/* ---- talking ------------------------------------------------------------ */

struct talk {
	struct smtp_engine *engine;
	struct str heard, shown, failed;
	bool is_ready, is_closed;
};

static void trace(void *context, const struct smtp_said *said)
{
	struct talk *t = context;

	str_add(&t->shown, said->text);
	str_addc(&t->shown, '\n');
}

static void pump(struct talk *t)
{
	struct smtp_event ev;
	struct slice out = smtp_output(t->engine);

	str_add(&t->heard, out);
	smtp_sent(t->engine, out.len);
	while (smtp_event(t->engine, &ev)) {
		t->is_ready |= ev.kind == SMTP_EVENT_READY;
		if (ev.kind != SMTP_EVENT_FAILED)
			continue;
		str_addf(&t->failed, "%u %s %.*s", ev.code, ev.diag->reason,
			 SLICE_ARG(ev.diag->text));
		str_add(&t->shown, str_slice(&t->failed));
	}
}

static void play_line(struct talk *t, struct slice line)
{
	struct slice rest = slice_from(line, 3);
	size_t at;

	if (slice_starts(line, SLICE("S: "))) {
		struct str text = STR_INIT;

		str_add(&text, rest);
		str_adds(&text, "\r\n");
		smtp_input(t->engine, str_slice(&text));
		str_done(&text);
		pump(t);
		return;
	}
	at = slice_find_text(str_slice(&t->heard), SLICE("\r\n"));
	if (at == t->heard.len ||
	    !slice_eq(slice_head(str_slice(&t->heard), at), rest))
		fail_msg("wanted '%.*s', got '%s'", SLICE_ARG(rest),
			 str_cstr(&t->heard));
	str_shift(&t->heard, at + 2);
}

/*
 * Plays a script behind EHLO. failed: what must be in the failure; NULL: it
 * must become ready. Nothing secret may be shown.
 */
static void talk(struct auth_dialogue *d, const struct auth_peer *peer,
		 const char *script, const char *failed)
{
	struct talk t = { 0 };
	struct smtp_config config = { .helo_name = SLICE("me"),
				      .is_tls = peer->is_encrypted,
				      .auth = auth_smtp(d),
				      .trace = trace,
				      .trace_context = &t };
	struct slice rest = slice_of(script), line;

	auth_secured(d, peer);
	t.engine = smtp_new(&config);
	play_line(&t, SLICE("S: 220 mx"));
	play_line(&t, SLICE("C: EHLO me"));
	while (slice_cut(&rest, '\n', &line))
		play_line(&t, line);
	assert_int_equal(t.is_ready, failed == NULL);
	if (failed != NULL && strstr(str_cstr(&t.failed), failed) == NULL)
		fail_msg("wanted '%s', got '%s'", failed, str_cstr(&t.failed));
	if (strstr(str_cstr(&t.shown), "hush") != NULL ||
	    strstr(str_cstr(&t.shown), "aHVzaA") != NULL ||
	    strstr(str_cstr(&t.shown), "someone") != NULL)
		fail_msg("shown: %s", str_cstr(&t.shown));
	smtp_free(t.engine);
	str_done(&t.heard);
	str_done(&t.shown);
	str_done(&t.failed);
}

static void talk_once(struct auth *a, const char *script, const char *failed)
{
	struct auth_dialogue *d = ready(a);

	talk(d, &trusted, script, failed);
	auth_dialogue_free(d);
}

#define OFFER(words) "S: 250-mx\nS: 250 AUTH " words "\n"
#define PLAIN	     "C: AUTH PLAIN AHNvbWVvbmUAaHVzaA==\n"
#define ACCOUNT	     "c29tZW9uZQ== aHVzaA==\n" /* someone, hush */

/* ---- accounts ----------------------------------------------------------- */

static void test_host_without_an_account_has_none(void **state)
{
	struct auth_options none = { .channel = SLICE("smtp"), .now = now };
	struct arena *arena = arena_new();
	struct auth_dialogue *d = NULL;
	const struct diag *why = NULL;
	struct auth *a = auth_new(&none);

	(void)state;
	assert_int_equal(auth_find(a, SLICE(HOST), arena, &d, &why), AUTH_NONE);
	auth_free(a);
	a = start("lmtp " HOST " " ACCOUNT "smtp other " ACCOUNT);
	assert_int_equal(auth_find(a, SLICE(HOST), arena, &d, &why), AUTH_NONE);
	auth_free(a);
	arena_free(arena);
}

static void test_file_that_cannot_be_used_defers(void **state)
{
	struct auth *a = start("smtp " HOST " hush\n");

	(void)state;
	deferred(a, "auth-file", "secrets:1: ");
	write_file(path, 0644, "smtp " HOST " " ACCOUNT);
	deferred(a, "auth-file", "open to others");
	assert_int_equal(unlink(path), 0);
	deferred(a, "auth-file", "No such file");
	write_file(path, 0600,
		   "\nsmtp " HOST " user=someone secret=hush "
		   "mechanism=PLAIN,hush\n");
	deferred(a, "auth-file", "secrets:2: unknown mechanism");
	write_file(path, 0600,
		   "smtp " HOST " user=someone secret=hush "
		   "mechanism=PLAIN,XOAUTH2\n");
	deferred(a, "auth-file", "a token and some");
	write_file(path, 0600, "smtp " HOST " mechanism=EXTERNAL,PLAIN\n");
	deferred(a, "auth-file", "only mechanism=EXTERNAL");
	write_file(path, 0600, "smtp " HOST " " ACCOUNT);
	auth_dialogue_free(ready(a));
	auth_free(a);
}

static void test_dialogue_outlives_its_line(void **state)
{
	struct auth *a = start_with(ACCOUNT);
	struct auth_dialogue *d = ready(a);

	(void)state;
	write_file(path, 0600, "# nobody\nsmtp " HOST " " ACCOUNT);
	auth_dialogue_free(ready(a));
	talk(d, &trusted, OFFER("PLAIN") PLAIN "S: 535 no\nC: QUIT", "535");
	auth_dialogue_free(d);
	/* What became of the old line says nothing about the new. */
	auth_dialogue_free(ready(a));
	auth_free(a);
}

/* ---- the choice --------------------------------------------------------- */

static void test_mechanism_is_the_strongest_that_can_be_used(void **state)
{
	static const struct auth_peer bound = {
		.is_trusted = true,
		.is_encrypted = true,
		.has_certificate = true,
		.binding_kind = SCRAM_BINDING_TLS_EXPORTER,
		.binding = { "0123456789", 10 }
	};
	static const struct auth_peer in_clear = { 0 },
				      local = { .is_trusted = true },
				      encrypted = { .is_encrypted = true };
	static const struct {
		const char *settings;
		const struct auth_peer *peer;
		const char *offered, *want; /* or a part of why not */
	} rows[] = {
		{ ACCOUNT, &bound, "PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-1-PLUS",
		  "SCRAM-SHA-256" },
		{ ACCOUNT, &bound, "SCRAM-SHA-256 SCRAM-SHA-256-PLUS",
		  "SCRAM-SHA-256-PLUS" },
		{ ACCOUNT, &trusted, "SCRAM-SHA-1 SCRAM-SHA-256-PLUS",
		  "SCRAM-SHA-1" },
		{ ACCOUNT, &bound, "EXTERNAL LOGIN", "LOGIN" },
		{ ACCOUNT, &bound, "XOAUTH2 OAUTHBEARER", "no mechanism" },
		{ ACCOUNT, &bound, "", "does not offer AUTH" },
		{ ACCOUNT, &local, "CRAM-MD5 PLAIN", "CRAM-MD5" },
		{ ACCOUNT, &encrypted, "PLAIN", "not verified TLS" },
		{ ACCOUNT, &in_clear, "SCRAM-SHA-256", "not verified TLS" },
		{ "user=u secret=s over=encrypted", &encrypted, "PLAIN",
		  "PLAIN" },
		{ "user=u secret=s over=encrypted", &in_clear, "PLAIN",
		  "in clear" },
		{ "user=u secret=s over=encrypted", &local, "PLAIN", "PLAIN" },
		{ "user=u secret=s over=clear", &in_clear, "PLAIN", "PLAIN" },
		{ "user=u secret=s mechanism=LOGIN,plain", &bound,
		  "SCRAM-SHA-256 LOGIN PLAIN", "PLAIN" },
		{ "user=u secret=s mechanism=SCRAM-SHA-256", &bound, "PLAIN",
		  "no mechanism" },
		{ "user=u secret=t mechanism=XOAUTH2,OAUTHBEARER", &trusted,
		  "PLAIN XOAUTH2", "XOAUTH2" },
		{ "mechanism=EXTERNAL", &bound, "PLAIN EXTERNAL", "EXTERNAL" },
		{ "mechanism=EXTERNAL", &trusted, "PLAIN EXTERNAL",
		  "no mechanism" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct auth *a = start_with(rows[i].settings);
		struct auth_dialogue *d = ready(a);
		struct err why = { 0 };
		const char *got;

		auth_secured(d, rows[i].peer);
		got = auth_would_use(d, slice_of(rows[i].offered), &why);
		if (strstr(got != NULL ? got : why.text, rows[i].want) == NULL)
			fail_msg("row %zu: %s", i,
				 got != NULL ? got : why.text);
		if (got != NULL)
			assert_string_equal(got, rows[i].want);
		auth_dialogue_free(d);
		auth_free(a);
	}
}

static void test_stranger_gets_no_secret(void **state)
{
	struct auth *a = start_with(ACCOUNT);
	struct auth_dialogue *d = ready(a);
	static const struct auth_peer stranger = { .is_encrypted = true };

	(void)state;
	talk(d, &stranger, OFFER("PLAIN") "C: QUIT", "not verified TLS");
	auth_dialogue_free(d);
	/* That is not the account's fault. */
	auth_dialogue_free(ready(a));
	auth_free(a);
}

/* ---- dialogues ---------------------------------------------------------- */

static void test_plain_login_and_cram_md5(void **state)
{
	struct auth *a = start_with(ACCOUNT);

	(void)state;
	talk_once(a, OFFER("PLAIN LOGIN") PLAIN "S: 235 ok", NULL);
	talk_once(a,
		  OFFER("LOGIN") "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\n"
				 "C: c29tZW9uZQ==\nS: 334 UGFzc3dvcmQ6\n"
				 "C: aHVzaA==\nS: 235 ok",
		  NULL);
	talk_once(a, "S: 250-mx\nS: 250 AUTH=LOGIN\nC: AUTH LOGIN\nS: 235 ok",
		  "unfinished");
	auth_free(a);
	a = start_with("user=tim secret=tanstaaftanstaaf");
	talk_once(a,
		  OFFER("CRAM-MD5") "C: AUTH CRAM-MD5\n"
				    "S: 334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2U"
				    "ucmVzdG9uLm1jaS5uZXQ+\n"
				    "C: dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzM"
				    "zNGQzODkw\nS: 235 ok",
		  NULL);
	auth_free(a);
}

static void test_external_says_equals_sign(void **state)
{
	struct auth_peer peer = trusted;
	struct auth *a = start_with("mechanism=EXTERNAL");
	struct auth_dialogue *d = ready(a);

	(void)state;
	peer.has_certificate = true;
	talk(d, &peer, OFFER("EXTERNAL") "C: AUTH EXTERNAL =\nS: 235 ok", NULL);
	assert_string_equal(auth_mechanism(d), "EXTERNAL");
	auth_dialogue_free(d);
	auth_free(a);
}

/* A server that knows no secret says yes. */
static void test_yes_of_a_server_that_proved_nothing_is_no(void **state)
{
	static const char *const scripts[] = {
		"S: 235 welcome\nC: QUIT",
		"S: 334 cj1vdGhlcixzPVFTWENSLGk9NDA5Ng==\nC: *\nS: 235 "
		"welcome\nC: QUIT",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(scripts); i++) {
		struct auth *a = start_with(ACCOUNT);
		struct auth_dialogue *d = ready(a);
		struct smtp_config config = { .helo_name = SLICE("me"),
					      .is_tls = true,
					      .auth = auth_smtp(d) };
		struct talk t = { .engine = smtp_new(&config) };
		struct slice rest = slice_of(scripts[i]), line;

		auth_secured(d, &trusted);
		play_line(&t, SLICE("S: 220 mx"));
		play_line(&t, SLICE("C: EHLO me"));
		play_line(&t, SLICE("S: 250-mx"));
		play_line(&t, SLICE("S: 250 AUTH SCRAM-SHA-256 PLAIN"));
		/* The nonce is chosen by chance. */
		assert_true(slice_starts(str_slice(&t.heard),
					 SLICE("AUTH SCRAM-SHA-256 ")));
		str_clear(&t.heard);
		while (slice_cut(&rest, '\n', &line))
			play_line(&t, line);
		assert_false(t.is_ready);
		assert_non_null(strstr(str_cstr(&t.failed), "auth-failed"));
		smtp_free(t.engine);
		str_done(&t.heard);
		str_done(&t.shown);
		str_done(&t.failed);
		auth_dialogue_free(d);
		deferred(a, "auth-failed", "not tried again");
		auth_free(a);
	}
}

static void test_unknown_mechanism_gives_way_to_the_next(void **state)
{
	struct auth *a = start_with(ACCOUNT);

	(void)state;
	talk_once(a,
		  OFFER("PLAIN LOGIN") PLAIN
		  "S: 504 5.5.4 what\nC: AUTH LOGIN\nS: 334 \n"
		  "C: c29tZW9uZQ==\nS: 334 \nC: aHVzaA==\nS: 235 ok",
		  NULL);
	talk_once(a, OFFER("PLAIN") PLAIN "S: 504 5.5.4 what\nC: QUIT", "504");
	deferred(a, "auth-failed", "504 5.5.4 what");
	auth_free(a);
}

static void test_server_that_repeats_secrets_is_not_repeated(void **state)
{
	struct auth *a = start_with(ACCOUNT);

	(void)state;
	talk_once(a,
		  OFFER("PLAIN") PLAIN
		  "S: 535-5.7.8 Someone with hush is not known\n"
		  "S: 535 5.7.8 AHNvbWVvbmUAaHVzaA== aHVzaA== c29tZW9uZQ==!\n"
		  "C: QUIT",
		  "535 auth-failed \r<<- AUTH\r->> 535-5.7.8 *** with *** is "
		  "not known\r->> 535 5.7.8 *** *** ***!");
	deferred(a, "auth-failed", "*** with *** is not known");
	auth_free(a);
	/* Short ones only as words of their own. */
	a = start_with("user=me secret=no");
	talk_once(a,
		  OFFER("LOGIN") "C: AUTH LOGIN\n"
				 "S: 535 5.7.8 me or some: no, not known\n"
				 "C: QUIT",
		  "5.7.8 *** or some: ***, not known");
	auth_free(a);
}

/* ---- memory ------------------------------------------------------------- */

static void test_refused_account_rests_longer_each_time(void **state)
{
	static const int64_t rests[] = { 60,  120,  240,  480,
					 960, 1920, 3600, 3600 };
	struct auth *a = start_with(ACCOUNT);

	(void)state;
	for (size_t i = 0; i < COUNT(rests); i++) {
		talk_once(
		    a, OFFER("PLAIN") PLAIN "S: 535 5.7.8 bad account\nC: QUIT",
		    "535 5.7.8 bad account");
		deferred(a, "auth-failed", "535 5.7.8 bad account");
		the_time += rests[i] * 1000 - 1;
		deferred(a, "auth-failed", "for 1 seconds");
		the_time++;
	}
	talk_once(a, OFFER("PLAIN") PLAIN "S: 235 ok", NULL);
	talk_once(a, OFFER("PLAIN") PLAIN "S: 454 4.7.0 later\nC: QUIT",
		  "454 4.7.0 later");
	deferred(a, "auth-failed", "for 60 seconds");
	/* Whoever mends the file need not wait. */
	write_file(path, 0600, "smtp " HOST " user=someone secret=other\n");
	auth_dialogue_free(ready(a));
	auth_free(a);
}

static void test_server_that_leaves_is_not_the_accounts_fault(void **state)
{
	struct auth *a = start_with(ACCOUNT);

	(void)state;
	talk_once(a, OFFER("PLAIN") PLAIN "S: 421 bye", "421");
	auth_dialogue_free(ready(a));
	auth_free(a);
}

/* ---- command= ----------------------------------------------------------- */

#define XOAUTH2	    "C: AUTH XOAUTH2 dXNlcj1zb21lb25lAWF1dGg9QmVhcmVyIGh1c2gxAQE=\n"
#define TOKEN_ENTRY "user=someone mechanism=XOAUTH2 command=\"PROGRAM x y\""

static void test_token_is_kept_until_it_expires(void **state)
{
	struct auth *a = start_with(TOKEN_ENTRY);

	(void)state;
	write_program("hush1\\nexpires-in 1000\\n");
	talk_once(a, OFFER("XOAUTH2") XOAUTH2 "S: 235 ok", NULL);
	talk_once(a, OFFER("XOAUTH2") XOAUTH2 "S: 235 ok", NULL);
	assert_int_equal(runs(), 1);
	the_time += 939 * 1000;
	talk_once(a, OFFER("XOAUTH2") XOAUTH2 "S: 235 ok", NULL);
	assert_int_equal(runs(), 1);
	the_time += 2 * 1000; /* a minute before */
	talk_once(a, OFFER("XOAUTH2") XOAUTH2 "S: 235 ok", NULL);
	assert_int_equal(runs(), 2);
	auth_free(a);
}

static void test_token_without_a_time_is_used_once(void **state)
{
	struct auth *a = start_with(TOKEN_ENTRY);

	(void)state;
	write_program("hush1\\n");
	talk_once(a, OFFER("XOAUTH2") XOAUTH2 "S: 235 ok", NULL);
	talk_once(a, OFFER("XOAUTH2") XOAUTH2 "S: 235 ok", NULL);
	assert_int_equal(runs(), 2);
	auth_free(a);
}

/* One that was called back costs a message a moment, not the account a rest. */
static void test_refused_token_from_before_is_got_anew(void **state)
{
	static const char refused[] =
	    OFFER("XOAUTH2") XOAUTH2 "S: 334 eyJzdGF0dXMiOiI0MDEifQ==\nC: \n"
				     "S: 535 5.7.8 expired\nC: QUIT";
	struct auth *a = start_with(TOKEN_ENTRY);

	(void)state;
	write_program("hush1\\nexpires-in 1000\\n");
	talk_once(a, OFFER("XOAUTH2") XOAUTH2 "S: 235 ok", NULL);
	talk_once(a, refused, "535 5.7.8 expired");
	assert_int_equal(runs(), 1);
	talk_once(a, refused, "535 5.7.8 expired");
	assert_int_equal(runs(), 2);
	deferred(a, "auth-failed", "535 5.7.8 expired");
	auth_free(a);
}

/* Nothing was said against the token then. */
static void test_put_off_token_is_kept_and_the_account_rests(void **state)
{
	struct auth *a = start_with(TOKEN_ENTRY);

	(void)state;
	write_program("hush1\\nexpires-in 1000\\n");
	talk_once(a, OFFER("XOAUTH2") XOAUTH2 "S: 235 ok", NULL);
	talk_once(a, OFFER("XOAUTH2") XOAUTH2 "S: 454 4.7.0 later\nC: QUIT",
		  "454 4.7.0 later");
	deferred(a, "auth-failed", "454 4.7.0 later");
	the_time += 60 * 1000;
	talk_once(a, OFFER("XOAUTH2") XOAUTH2 "S: 235 ok", NULL);
	assert_int_equal(runs(), 1);
	auth_free(a);
}

static void test_password_can_come_from_a_command(void **state)
{
	struct auth *a = start_with("user=someone command=PROGRAM");

	(void)state;
	write_program("hush\\r\\n");
	talk_once(a, OFFER("PLAIN") PLAIN "S: 235 ok", NULL);
	auth_free(a);
}

static void test_command_that_fails_defers_and_rests(void **state)
{
	static const char *const outputs[] = {
		"",
		"\\nhush\\n",
		"hush\\nhush\\n",
		"hush\\nexpires-in x\\n",
		"hu\\tsh\\n",
		"hush\\n'; exit 3; '",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(outputs); i++) {
		struct auth *a = start_with(TOKEN_ENTRY);

		write_program(outputs[i]);
		talk_once(a, OFFER("XOAUTH2") "C: QUIT",
			  "0 auth-failed command= ");
		deferred(a, "auth-failed", "command= ");
		assert_int_equal(runs(), 1);
		auth_free(a);
	}
}

static void test_command_that_is_missing_or_slow(void **state)
{
	struct auth_options o = { .file = path,
				  .channel = SLICE("smtp"),
				  .now = now,
				  .command_ms = 100 };
	struct auth *a = start_with(TOKEN_ENTRY);

	(void)state;
	assert_int_equal(unlink(program), 0);
	talk_once(a, OFFER("XOAUTH2") "C: QUIT", "could not be started");
	auth_free(a);
	write_file(program, 0700, "#!/bin/sh\nexec sleep 60\n");
	a = auth_new(&o);
	talk_once(a, OFFER("XOAUTH2") "C: QUIT", "took too long");
	auth_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host_without_an_account_has_none),
		cmocka_unit_test(test_file_that_cannot_be_used_defers),
		cmocka_unit_test(test_dialogue_outlives_its_line),
		cmocka_unit_test(
		    test_mechanism_is_the_strongest_that_can_be_used),
		cmocka_unit_test(test_stranger_gets_no_secret),
		cmocka_unit_test(test_plain_login_and_cram_md5),
		cmocka_unit_test(test_external_says_equals_sign),
		cmocka_unit_test(
		    test_yes_of_a_server_that_proved_nothing_is_no),
		cmocka_unit_test(test_unknown_mechanism_gives_way_to_the_next),
		cmocka_unit_test(
		    test_server_that_repeats_secrets_is_not_repeated),
		cmocka_unit_test(test_refused_account_rests_longer_each_time),
		cmocka_unit_test(
		    test_server_that_leaves_is_not_the_accounts_fault),
		cmocka_unit_test(test_token_is_kept_until_it_expires),
		cmocka_unit_test(test_token_without_a_time_is_used_once),
		cmocka_unit_test(test_refused_token_from_before_is_got_anew),
		cmocka_unit_test(
		    test_put_off_token_is_kept_and_the_account_rests),
		cmocka_unit_test(test_password_can_come_from_a_command),
		cmocka_unit_test(test_command_that_fails_defers_and_rests),
		cmocka_unit_test(test_command_that_is_missing_or_slow),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
