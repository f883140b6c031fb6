/*
 * engine_open_test.c - STARTTLS and REQUIRETLS, as dialogues.
 */
#include "base/keyword.h"
#include "smtp/test_scene.h"

/* ---- STARTTLS ---------------------------------------------------------------
 */

static void test_starttls_is_said_where_it_is_offered(void **state)
{
	(void)state;
	PLAY(MAY, .text = HELLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nC.\n"
				"S: 220 go\nT:\nC: EHLO me\nS: 250 mx\n" MAIL);
	PLAY(REQUIRED, .text =
			   HELLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\n"
				 "S: 220 go\nT:\nC: EHLO me\nS: 250 mx\n" MAIL);
	PLAY(MAY, .config.is_lmtp = true,
	     .text =
		 "S: 220 mx\nC: LHLO me\nS: 250-mx\nS: 250 STARTTLS\n"
		 "C: STARTTLS\nS: 220 go\nT:\nC: LHLO me\nS: 250 mx\n" MAIL);
}

static void test_starttls_is_not_said_where_it_is_not_wanted(void **state)
{
	(void)state;
	PLAY(.text = HELLO "S: 250-mx\nS: 250 STARTTLS\n" MAIL);
	PLAY(MAY, .text = HELLO "S: 250 mx\n" MAIL);
	PLAY(MAY, .config.ignored = SMTP_EXT_STARTTLS,
	     .text = HELLO "S: 250-mx\nS: 250 STARTTLS\n" MAIL);
	PLAY(REQUIRED, .config.is_tls = true,
	     .text = HELLO "S: 250-mx\nS: 250 STARTTLS\n" MAIL);
}

/* Even to one that pipelines and has messages waiting. */
static void test_nothing_goes_with_or_behind_starttls(void **state)
{
	(void)state;
	PLAY(MAY, .config.window = 5,
	     .text =
		 HELLO "S: 250-mx\nS: 250-PIPELINING\nS: 250 STARTTLS\n"
		       "C: STARTTLS\nC.\nS: 220 go\nC.\nT:\nC: EHLO me\nC.\n"
		       "S: 250-mx\nS: 250 PIPELINING\n" MAIL
		       "\nC: RCPT TO:<b@y.example>\nC: DATA");
}

/* Extensions, limits, mechanisms: RFC 3207 4.2. */
static void test_what_was_heard_in_clear_is_forgotten(void **state)
{
	(void)state;
	PLAY(MAY, .mechanisms = "PLAIN",
	     .text = HELLO
	     "S: 250-mx\nS: 250-PIPELINING\nS: 250-CHUNKING\nS: 250-SIZE 5\n"
	     "S: 250-ENHANCEDSTATUSCODES\nS: 250-AUTH PLAIN\n"
	     "S: 250-REQUIRETLS\nS: 250-LIMITS MAILMAX=1\nS: 250 STARTTLS\n"
	     "C: STARTTLS\nS: 220 go\nT:\nC: EHLO me\nS: 250 mx\nC: QUIT",
	     .failed = "auth 0 auth-failed 4.7.8");
	PLAY(MAY,
	     .text = HELLO
	     "S: 250-mx\nS: 250-PIPELINING\nS: 250-CHUNKING\nS: 250-SIZE\n"
	     "S: 250-LIMITS MAILMAX=1\nS: 250 STARTTLS\nC: STARTTLS\n"
	     "S: 220 go\nT:\nC: EHLO me\nS: 250 mx\n" MAIL "\nC.\n"
	     "S: 250 ok\nC: RCPT TO:<b@y.example>\nC.\nS: 250 ok\nC: DATA");
}

static void test_starttls_offered_inside_tls_is_not_said(void **state)
{
	(void)state;
	PLAY(REQUIRED, .text = HELLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\n"
				     "S: 220 go\nT:\nC: EHLO me\nS: 250-mx\n"
				     "S: 250 STARTTLS\n" MAIL);
}

static void test_injected_cleartext_ends_the_session(void **state)
{
	(void)state;
	PLAY(MAY, .is_whole = true,
	     .text = HELLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\n"
			   "S: 220 go\nS: 250 injected\nC.",
	     .failed = "starttls 0 starttls-injection 4.7.5",
	     .said = "remote sent \"250 injected\" in clear");
	PLAY(REQUIRED, .is_whole = true,
	     .text = HELLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\n"
			   "S: 220 go\nS\\: \nS\\: x\nC.",
	     .failed = "starttls 0 starttls-injection 4.7.5");
	/* Also if it comes a moment later. */
	PLAY(MAY,
	     .text = HELLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\n"
			   "S: 220 go\nC.\nS\\: x\nC.",
	     .failed = "starttls 0 starttls-injection 4.7.5");
}

/* One sent before STARTTLS was answers nothing. */
static void test_220_before_starttls_ends_the_session(void **state)
{
	(void)state;
	PLAY(MAY, .is_whole = true,
	     .text = HELLO "S: 250-mx\nS: 250 STARTTLS\nS: 220 go\nC.",
	     .failed = "starttls 0 protocol-error 4.4.2");
}

static void test_refused_starttls_is_not_gone_on_from(void **state)
{
	static const struct {
		const char *reply, *failed;
	} rows[] = {
		{ "454 4.7.0 TLS not available due to local problem",
		  "starttls 454 starttls-refused 4.7.0" },
		{ "454 no", "starttls 454 starttls-refused 4.7.5" },
		{ "501-no\nS: 501 no", "starttls 501 starttls-refused 4.5.2" },
		{ "502 what", "starttls 502 starttls-refused 4.5.1" },
		{ "554 5.7.3 no", "starttls 554 starttls-refused 4.7.3" },
		{ "250 ok", "starttls 250 starttls-refused 4.7.5" },
		{ "354 ok", "starttls 354 starttls-refused 4.5.0" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str text = STR_INIT;

		str_addf(&text,
			 HELLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\n"
			       "S: %s\nC: QUIT",
			 rows[i].reply);
		PLAY(MAY, .text = str_cstr(&text), .failed = rows[i].failed);
		PLAY(REQUIRED, .text = str_cstr(&text),
		     .failed = rows[i].failed);
		str_done(&text);
	}
	PLAY(MAY,
	     .text = HELLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\n"
			   "S: 421 4.3.2 bye\nC.",
	     .failed = "starttls 421 starttls-refused 4.3.2");
}

static void test_required_tls_that_is_not_offered_fails(void **state)
{
	static const char failed[] = "starttls 0 starttls-not-offered 4.7.5";

	(void)state;
	PLAY(REQUIRED, .text = HELLO "S: 250 mx\nC: QUIT", .failed = failed);
	PLAY(REQUIRED, .config.ignored = SMTP_EXT_STARTTLS,
	     .text = HELLO "S: 250-mx\nS: 250 STARTTLS\nC: QUIT",
	     .failed = failed);
	PLAY(REQUIRED, .config.no_esmtp = true,
	     .text = "S: 220 mx\nC: HELO me\nS: 250 mx\nC: QUIT",
	     .failed = failed);
	/* A greeting without ESMTP, which anybody can make, is no excuse. */
	PLAY(REQUIRED, .config.esmtp_only_if_greeted = true,
	     .text = "S: 220 mx\nC: EHLO me\nS: 250 mx\nC: QUIT",
	     .failed = failed);
}

static void test_no_helo_where_it_would_lose_what_is_needed(void **state)
{
	static const char failed[] = "hello 500 hello-refused 4.5.1";

	(void)state;
	PLAY(REQUIRED, .text = HELLO "S: 500 what\nC: QUIT", .failed = failed);
	PLAY(MAY, .mechanisms = "PLAIN", .text = HELLO "S: 500 what\nC: QUIT",
	     .failed = failed);
	PLAY(MAY,
	     .text = HELLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\n"
			   "S: 220 go\nT:\nC: EHLO me\nS: 500 what\nC: QUIT",
	     .failed = failed);
	PLAY(MAY, .text = HELLO "S: 500 what\nC: HELO me\nS: 250 mx\n" MAIL);
}

static void test_failed_handshake_is_told_as_such(void **state)
{
	(void)state;
	PLAY(MAY,
	     .text = HELLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\n"
			   "S: 220 go\nL: tls-handshake",
	     .failed = "starttls 0 tls-handshake 4.4.2");
}

/* Nothing in clear may get into the handshake. */
static void test_quit_is_not_said_into_a_handshake(void **state)
{
	static const char begin_text[] =
	    HELLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\n";
	struct str text = STR_INIT;
	const char *const ends[] = { "S: 220 go\nQ:\nC.", "Q:\nS: 220 go\nC.",
				     "Q:\nS: 454 no\nC: QUIT" };

	(void)state;
	for (size_t i = 0; i < COUNT(ends); i++)
		for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
			struct play p = { 0 };
			struct scene scene = { MAY };

			str_clear(&text);
			str_addf(&text, "%s%s", begin_text, ends[i]);
			begin_play(&p, &scene, seed);
			play_text(&p, str_cstr(&text));
			assert_true(p.is_closed);
			assert_int_equal(p.n_ready, 0);
			end_play(&p);
		}
	str_done(&text);
}

/* ---- REQUIRETLS -------------------------------------------------------------
 */

static void test_requiretls_is_said_with_mail(void **state)
{
	(void)state;
	PLAY(REQUIRED, .needs_requiretls = true,
	     .text = HELLO "S: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\n"
			   "S: 220 go\nT:\nC: EHLO me\nS: 250-mx\n"
			   "S: 250 REQUIRETLS\n" MAIL " REQUIRETLS");
	PLAY(.config.is_tls = true, .needs_requiretls = true,
	     .text = HELLO "S: 250-mx\nS: 250 REQUIRETLS\n" MAIL " REQUIRETLS");
}

static void returned(const struct scene *scene)
{
	for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
		struct play p = { 0 };

		begin_play(&p, scene, seed);
		play_text(&p, scene->text);
		assert_non_null(p.returned);
		assert_string_equal(p.returned, "parameter-refused");
		assert_false(smtp_caps(p.engine)->requiretls);
		end_play(&p);
	}
}

/* RFC 8689 2: in clear the word means nothing, whoever said it. */
static void test_requiretls_offered_in_clear_does_not_count(void **state)
{
	(void)state;
	returned(&(const struct scene){ .needs_requiretls = true,
					.text = HELLO
					"S: 250-mx\nS: 250 REQUIRETLS\nC." });
}

static void test_requiretls_that_is_missing_or_refused_comes_back(void **state)
{
	(void)state;
	returned(&(const struct scene){ .needs_requiretls = true,
					.config.is_tls = true,
					.text = HELLO "S: 250 mx\nC." });
	returned(&(const struct scene){
	    .needs_requiretls = true,
	    .config.is_tls = true,
	    .text = HELLO "S: 250-mx\nS: 250 REQUIRETLS\n" MAIL
			  " REQUIRETLS\nS: 555 5.5.4 unknown REQUIRETLS\nC." });
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_starttls_is_said_where_it_is_offered),
		cmocka_unit_test(
		    test_starttls_is_not_said_where_it_is_not_wanted),
		cmocka_unit_test(test_nothing_goes_with_or_behind_starttls),
		cmocka_unit_test(test_what_was_heard_in_clear_is_forgotten),
		cmocka_unit_test(test_starttls_offered_inside_tls_is_not_said),
		cmocka_unit_test(test_injected_cleartext_ends_the_session),
		cmocka_unit_test(test_220_before_starttls_ends_the_session),
		cmocka_unit_test(test_refused_starttls_is_not_gone_on_from),
		cmocka_unit_test(test_required_tls_that_is_not_offered_fails),
		cmocka_unit_test(
		    test_no_helo_where_it_would_lose_what_is_needed),
		cmocka_unit_test(test_failed_handshake_is_told_as_such),
		cmocka_unit_test(test_quit_is_not_said_into_a_handshake),
		cmocka_unit_test(test_requiretls_is_said_with_mail),
		cmocka_unit_test(
		    test_requiretls_offered_in_clear_does_not_count),
		cmocka_unit_test(
		    test_requiretls_that_is_missing_or_refused_comes_back),
	};

	return TEST_RUN(tests);
}
