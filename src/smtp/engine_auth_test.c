/*
 * engine_auth_test.c - AUTH, as dialogues.
 */
#include "base/b64.h"
#include "base/keyword.h"
#include "smtp/test_scene.h"

#define OFFER "S: 250-mx\nS: 250 AUTH PLAIN LOGIN\n"

static void test_auth_with_an_initial_response(void **state)
{
	(void)state;
	PLAY(.mechanisms = "PLAIN", .initial = "hush",
	     .text = HELLO OFFER "C: AUTH PLAIN aHVzaA==\nC.\nS: 235 ok\n" MAIL,
	     .mechanism = "PLAIN", .said = "w AUTH PLAIN ***\nr 235 ok\n");
	PLAY(.mechanisms = "PLAIN", .initial = "",
	     .text = HELLO OFFER "C: AUTH PLAIN =\nS: 235 ok\n" MAIL,
	     .mechanism = "PLAIN", .said = "w AUTH PLAIN ***\n");
	PLAY(.mechanisms = "LOGIN", .initial = "hush", .config.is_lmtp = true,
	     .text = "S: 220 mx\nC: LHLO me\n" OFFER
		     "C: AUTH LOGIN aHVzaA==\nS: 235 ok\n" MAIL,
	     .mechanism = "LOGIN");
}

static void test_auth_with_challenges(void **state)
{
	(void)state;
	PLAY(.mechanisms = "LOGIN",
	     .text = HELLO OFFER
	     "C: AUTH LOGIN\nS: 334 aHVzaA==\nC: cmU6aHVzaA==\n"
	     "S: 334 \nC: cmU6\nS: 334\nC: cmU6\nS: 235 2.7.0 ok\n" MAIL,
	     .mechanism = "LOGIN",
	     .said = "w AUTH LOGIN\nr 334 ***\nw ***\nr 334 ***\nw ***\n"
		     "r 334 ***\nw ***\nr 235 2.7.0 ok\n");
}

/* AUTH over TLS goes by what was offered there. */
static void test_auth_comes_behind_starttls(void **state)
{
	(void)state;
	PLAY(MAY, .mechanisms = "LOGIN PLAIN", .initial = "hush",
	     .text = HELLO "S: 250-mx\nS: 250-AUTH LOGIN\nS: 250 STARTTLS\n"
			   "C: STARTTLS\nS: 220 go\nT:\nC: EHLO me\n"
			   "S: 250-mx\nS: 250 AUTH=PLAIN\n"
			   "C: AUTH PLAIN aHVzaA==\nS: 235 ok\n" MAIL,
	     .mechanism = "PLAIN");
}

static void test_no_mail_without_the_authentication_that_is_wanted(void **state)
{
	static const char failed[] = "auth 0 auth-failed 4.7.8";

	(void)state;
	PLAY(.mechanisms = "PLAIN", .text = HELLO "S: 250 mx\nC: QUIT",
	     .failed = failed, .said = "no mechanism in common");
	PLAY(.mechanisms = "OTHER", .text = HELLO OFFER "C: QUIT",
	     .failed = failed);
	PLAY(.mechanisms = "PLAIN", .config.ignored = SMTP_EXT_AUTH,
	     .text = HELLO OFFER "C: QUIT", .failed = failed);
	PLAY(.mechanisms = "PLAIN", .config.no_esmtp = true,
	     .text = "S: 220 mx\nC: HELO me\nS: 250 mx\nC: QUIT",
	     .failed = failed);
	/* One that wants none goes on without. */
	PLAY(.mechanisms = "-", .text = HELLO OFFER MAIL);
}

static void test_refused_auth_is_told_by_its_reply(void **state)
{
	static const struct {
		const char *reply, *failed, *said;
	} rows[] = {
		{ "535 5.7.8 no", "auth 535 auth-failed 4.7.8",
		  "535 5.7.8 no" },
		{ "535 no", "auth 535 auth-failed 4.7.8", "535 no" },
		{ "454 4.7.0 later", "auth 454 auth-failed 4.7.0", "later" },
		{ "534-5.7.9 go\nS: 534 5.7.9 away",
		  "auth 534 auth-failed 4.7.9", "away" },
		{ "535 5.7.8 not hush, not you", "auth 535 auth-failed 4.7.8",
		  "r 535 5.7.8 not ***, not you\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str text = STR_INIT;

		str_addf(&text,
			 HELLO OFFER "C: AUTH PLAIN aHVzaA==\nS: %s\n"
				     "C: QUIT",
			 rows[i].reply);
		PLAY(.mechanisms = "PLAIN", .initial = "hush",
		     .text = str_cstr(&text), .failed = rows[i].failed,
		     .said = rows[i].said);
		str_done(&text);
	}
	PLAY(.mechanisms = "PLAIN", .initial = "hush",
	     .text = HELLO OFFER "C: AUTH PLAIN aHVzaA==\nS: 421 bye\nC.",
	     .failed = "auth 421 auth-failed 4.3.2");
}

static void test_another_mechanism_is_tried_once(void **state)
{
	(void)state;
	PLAY(.mechanisms = "PLAIN LOGIN", .initial = "hush",
	     .text = HELLO OFFER "C: AUTH PLAIN aHVzaA==\nS: 504 no\n"
				 "C: AUTH LOGIN aHVzaA==\nS: 235 ok\n" MAIL,
	     .mechanism = "LOGIN");
	PLAY(.mechanisms = "PLAIN LOGIN PLAIN", .initial = "hush",
	     .text = HELLO OFFER "C: AUTH PLAIN aHVzaA==\nS: 504 no\n"
				 "C: AUTH LOGIN aHVzaA==\nS: 504 no\nC: QUIT",
	     .failed = "auth 504 auth-failed 4.5.4");
	PLAY(.mechanisms = "PLAIN -", .initial = "hush",
	     .text = HELLO OFFER "C: AUTH PLAIN aHVzaA==\nS: 504 no\nC: QUIT",
	     .failed = "auth 0 auth-failed 4.7.8");
}

static void test_malformed_challenge_is_cancelled(void **state)
{
	static const struct {
		const char *challenge, *said;
	} rows[] = {
		{ "334 no base64", "malformed challenge" },
		{ "334 hus", "malformed challenge" },
		{ "334-aGk=\nS: 334 aGk=", "malformed challenge" },
		{ "334 YmFk", "not a challenge" },
		{ "334 bG9uZw==", "too long" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (unsigned yes = 0; yes < 2; yes++) {
			struct str text = STR_INIT;

			str_addf(&text,
				 HELLO OFFER "C: AUTH LOGIN\nS: %s\nC: *\nC.\n"
					     "S: %s\nC: QUIT",
				 rows[i].challenge,
				 yes ? "235 fine" : "501 cancelled");
			PLAY(.mechanisms = "LOGIN", .text = str_cstr(&text),
			     .failed = "auth 0 auth-failed 4.7.8",
			     .said = rows[i].said);
			str_done(&text);
		}
	PLAY(.mechanisms = "LOGIN",
	     .text = HELLO OFFER "C: AUTH LOGIN\nS: 334 YmFk\nC: *\n"
				 "S: 334 YmFk\nC.",
	     .failed = "auth 0 protocol-error 4.4.2");
}

static void test_reply_that_means_nothing_to_auth_ends_it(void **state)
{
	static const char failed[] = "auth 0 protocol-error 4.4.2";

	(void)state;
	PLAY(.mechanisms = "LOGIN",
	     .text = HELLO OFFER "C: AUTH LOGIN\nS: 354 go\nC.",
	     .failed = failed);
	PLAY(.mechanisms = "LOGIN",
	     .text = HELLO OFFER "C: AUTH LOGIN\nS: hush\nC.", .failed = failed,
	     .said = "r ***\n");
	PLAY(.mechanisms = "LOGIN", .is_whole = true,
	     .text =
		 HELLO OFFER "C: AUTH LOGIN\nS: 334 aGk=\nS: 235 too early\nC.",
	     .failed = failed);
}

static void test_yes_that_is_not_believed_is_no(void **state)
{
	(void)state;
	PLAY(.mechanisms = "LOGIN", .is_unproved = true,
	     .text = HELLO OFFER "C: AUTH LOGIN\nS: 235 welcome\nC: QUIT",
	     .failed = "auth 235 auth-failed 4.7.8",
	     .said = "remote did not prove itself");
}

/* RFC 4954 4: AUTH keeps to the length of commands; responses do not. */
static void test_long_initial_response_waits_for_a_challenge(void **state)
{
	struct str initial = STR_INIT, text = STR_INIT;

	(void)state;
	for (unsigned i = 0; i < 400; i++)
		str_adds(&initial, "hush");
	str_adds(&text, HELLO OFFER "C: AUTH PLAIN\nS: 334 \nC: ");
	b64_add(&text, str_slice(&initial));
	str_adds(&text, "\nS: 235 ok\n" MAIL);
	PLAY(.mechanisms = "PLAIN", .initial = str_cstr(&initial),
	     .text = str_cstr(&text), .mechanism = "PLAIN",
	     .said = "w AUTH PLAIN\nr 334 ***\nw ***\nr 235 ok\n");
	PLAY(.mechanisms = "PLAIN", .initial = str_cstr(&initial),
	     .text = HELLO OFFER "C: AUTH PLAIN\nS: 334 aGk=\nC: *\n"
				 "S: 501 ok\nC: QUIT",
	     .failed = "auth 0 auth-failed 4.7.8");
	str_done(&initial);
	str_done(&text);
}

static void test_challenge_of_the_longest_kind_is_answered(void **state)
{
	struct str challenge = STR_INIT, text = STR_INIT;

	(void)state;
	while (challenge.len < 12288 / 4 * 3)
		str_addc(&challenge, 'x');
	str_adds(&text, HELLO OFFER "C: AUTH LOGIN\nS: 334 ");
	b64_add(&text, str_slice(&challenge));
	str_adds(&text, "\nC: *\nS: 501 ok\nC: QUIT");
	/* "re:" makes the response too long; the challenge itself was not. */
	PLAY(.mechanisms = "LOGIN", .text = str_cstr(&text),
	     .failed = "auth 0 auth-failed 4.7.8", .said = "too long for AUTH");
	str_cut(&text, slice_find_text(str_slice(&text), SLICE("\nC: *")));
	str_adds(&text, "xxxxxxxxxxxx\nC.");
	PLAY(.mechanisms = "LOGIN", .text = str_cstr(&text),
	     .failed = "auth 0 protocol-error 4.4.2");
	str_done(&challenge);
	str_done(&text);
}

static void test_quit_in_the_midst_of_auth(void **state)
{
	static const char *const ends[] = { "S: 334 aGk=\nC.",
					    "S: 235 ok\nC: QUIT",
					    "S: 535 no\nC: QUIT" };

	(void)state;
	for (size_t i = 0; i < COUNT(ends); i++) {
		struct str text = STR_INIT;
		struct scene scene = { .mechanisms = "LOGIN" };
		struct play p = { 0 };

		str_addf(&text, HELLO OFFER "C: AUTH LOGIN\nQ:\n%s", ends[i]);
		begin_play(&p, &scene, 0);
		play_text(&p, str_cstr(&text));
		assert_true(p.is_closed);
		assert_int_equal(p.n_ready + p.n_done, 0);
		end_play(&p);
		str_done(&text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_auth_with_an_initial_response),
		cmocka_unit_test(test_auth_with_challenges),
		cmocka_unit_test(test_auth_comes_behind_starttls),
		cmocka_unit_test(
		    test_no_mail_without_the_authentication_that_is_wanted),
		cmocka_unit_test(test_refused_auth_is_told_by_its_reply),
		cmocka_unit_test(test_another_mechanism_is_tried_once),
		cmocka_unit_test(test_malformed_challenge_is_cancelled),
		cmocka_unit_test(test_reply_that_means_nothing_to_auth_ends_it),
		cmocka_unit_test(test_yes_that_is_not_believed_is_no),
		cmocka_unit_test(
		    test_long_initial_response_waits_for_a_challenge),
		cmocka_unit_test(
		    test_challenge_of_the_longest_kind_is_answered),
		cmocka_unit_test(test_quit_in_the_midst_of_auth),
	};

	return TEST_RUN(tests);
}
