/*
 * test_model.h - a random server for engine_model_test.c, and its memory.
 *
 * It reads what the client writes, decides at random about every command
 * (yes, 4xx, 5xx, nonsense, 421, hang up), and remembers what it took: sender,
 * recipient, content, parameters. Servers differ in what they offer, in what
 * they offer and refuse, and in what they keep of a transaction that was
 * refused, or after a RSET that they refused. A client that breaks a rule of
 * SMTP fails the test on the spot.
 *
 * With STARTTLS it becomes another server, as chance will have it; some say
 * something in clear behind their 220. With AUTH some ask once more, or often.
 *
 * Senders are "m<message>@x", recipients "r<message>.<number>@y", and content
 * begins with "M<message>" and '8' or '7' for its bytes.
 */
#ifndef SMTP_TEST_MODEL_H
#define SMTP_TEST_MODEL_H

#include "base/keyword.h"
#include "base/test.h"
#include "smtp/caps.h"

#include <stdio.h>
#include <string.h>

enum { MESSAGES = 5, RCPTS_MAX = 4 };

/* What a message needs; the server sees to it that it gets it. */
struct want {
	bool has_8bit, needs_utf8, has_by, is_by_return, has_notify;
	bool needs_tls; /* REQUIRETLS */
};

struct server {
	/* what it is */
	bool is_lmtp;
	bool keeps_state;	/* of a transaction that was refused */
	bool merges_mail;	/* a second MAIL only replaces the sender */
	bool keeps_at_rset;	/* a RSET that it refuses is not done */
	bool takes_rcpt_alone;	/* RCPT and DATA without a MAIL */
	bool goes_on_alone;	/* 354 without a recipient */
	bool has_bdat;		/* offers CHUNKING, perhaps without it */
	bool skips_unknown;	/* does not know BDAT, but counts its bytes */
	bool drops_input;	/* whatever stands behind a command */
	unsigned offers, hates; /* extensions; hated ones are refused */
	unsigned allowed;	/* what the client may use of them */
	unsigned trouble;	/* per thousand commands */
	unsigned mailmax;	/* 0: none */
	bool wants_tls, wants_auth; /* the client does: no MAIL without */
	unsigned ignored;	    /* by the client */
	const struct want *wants;
	/* where it is */
	struct str in, out;
	bool is_at_handshake, is_in_tls, is_in_auth, has_auth;
	bool is_gone, is_deaf, is_last_of_group;
	bool is_confused; /* reads content as commands */
	bool is_astray;	  /* in a transaction that a refused RSET left */
	size_t n_kept;	  /* recipients of that one */
	/*
	 * It hung up, said what means nothing, or went deaf: what is not
	 * answered cannot be known. It never has to be but for that.
	 */
	bool may_lose;
	unsigned n_lines; /* commands, and what it took for some */
	unsigned n_mails, mails_seen[MESSAGES];
	bool has_mail, is_in_data;
	int sender; /* number of the message that MAIL named */
	unsigned mail_params;
	int rcpts[RCPTS_MAX * MESSAGES];
	bool has_notify[RCPTS_MAX * MESSAGES];
	size_t n_rcpts;
	size_t chunk_left;
	bool is_chunk_last, is_chunk_refused, is_at_chunk;
	struct str content;
	/* what it holds */
	int held[MESSAGES][RCPTS_MAX]; /* how often each was taken */
	bool held_notify[MESSAGES][RCPTS_MAX];
	int held_astray[MESSAGES][RCPTS_MAX]; /* under another's sender */
	bool is_held_wrongly;
};

/* ---- chance ------------------------------------------------------------ */

static uint64_t chance_state;

static unsigned chance(unsigned below)
{
	chance_state =
	    chance_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(chance_state >> 33) % below;
}

static bool one_in(unsigned n)
{
	return chance(n) == 0;
}

enum decision { YES, NO_FOR_NOW, NO, NONSENSE, GOODBYE, HANG_UP };

static enum decision decide(const struct server *s)
{
	static const enum decision troubles[] = {
		NO_FOR_NOW, NO_FOR_NOW, NO_FOR_NOW, NO,	    NO,
		NO,	    NONSENSE,	GOODBYE,    HANG_UP
	};

	if (chance(1000) >= s->trouble)
		return YES;
	return troubles[chance(9)];
}

/* ---- answers ------------------------------------------------------------ */

static void say(struct server *s, const char *reply)
{
	str_addf(&s->out, "%s\r\n", reply);
}

static const char *any_of(const char *const *words, size_t n)
{
	return words[chance((unsigned)n)];
}

/* Answers by a decision; true for yes. */
static bool answer(struct server *s, enum decision d, const char *yes)
{
	static const char *const not_now[] = { "450 wait", "451-not\r\n451 now",
					       "452 4.5.3 no more",
					       "455 4.5.4 not so" };
	static const char *const never[] = { "550 5.1.1 never", "552 full",
					     "501 5.5.4 what?", "555 no",
					     "554-no\r\n554 5.7.1 no" };
	static const char *const nonsense[] = { "999 what", "oh", "150 well",
						"354 go on" };

	const char *word;

	switch (d) {
	case YES:
		say(s, yes);
		return true;
	case NO_FOR_NOW:
		say(s, any_of(not_now, 4));
		return false;
	case NO:
		word = any_of(never, 5);
		say(s, word);
		/* As one says that does not know BDAT, and may not count. */
		s->may_lose |= s->is_at_chunk && word[2] == '1';
		return false;
	case NONSENSE:
		s->may_lose = true;
		/* To DATA the last of them would be none. */
		say(s, any_of(nonsense, yes[0] == '3' ? 3 : 4));
		return false;
	case GOODBYE:
		say(s, "421 goodbye");
		break;
	case HANG_UP:
		s->may_lose = true;
		break;
	}
	s->is_gone = true;
	return false;
}

static void forget(struct server *s)
{
	s->has_mail = s->is_astray = false;
	s->n_rcpts = 0;
	str_clear(&s->content);
}

/* ---- content ------------------------------------------------------------ */

/* Was what came with MAIL enough for this content and this message? */
static bool is_declared(const struct server *s)
{
	const struct want *w = &s->wants[s->sender];
	bool has_8bit = s->content.len > 2 && s->content.p[2] == '8';

	if (has_8bit && (s->mail_params & SMTP_EXT_8BITMIME) == 0)
		return false;
	if (w->needs_utf8 && (s->mail_params & SMTP_EXT_SMTPUTF8) == 0)
		return false;
	if (w->needs_tls &&
	    (!s->is_in_tls || (s->mail_params & SMTP_EXT_REQUIRETLS) == 0))
		return false;
	return !w->is_by_return || (s->mail_params & SMTP_EXT_DELIVERBY) != 0;
}

/*
 * Behind a refused RSET it is the sender, and perhaps some recipients, of
 * another message. Those get what nobody meant for them, which nobody can
 * help; the message's own are to be told of. (Its own first attempt may be
 * that other message.)
 */
static void take(struct server *s, size_t which)
{
	int rcpt = s->rcpts[which], content = -1;

	if (s->content.len > 1 && s->content.p[0] == 'M')
		content = s->content.p[1] - '0';
	if (s->is_astray) {
		if (content == rcpt / RCPTS_MAX && which >= s->n_kept)
			s->held_astray[content][rcpt % RCPTS_MAX]++;
		return;
	}
	if (!s->has_mail || content != s->sender ||
	    rcpt / RCPTS_MAX != s->sender || !is_declared(s)) {
		s->is_held_wrongly = true;
		return;
	}
	s->held[s->sender][rcpt % RCPTS_MAX]++;
	s->held_notify[s->sender][rcpt % RCPTS_MAX] = s->has_notify[which];
}

/*
 * The end of content: decides, and answers before or after it takes. If it is
 * refused, a server may keep the transaction: behind a chunk, since RFC 3030
 * 4.2 wants a RSET, and behind a dot, against RFC 5321 4.1.1.4, if it is
 * Postfix.
 */
static void on_content(struct server *s)
{
	size_t n = s->is_lmtp ? s->n_rcpts : 1;
	bool has_taken = false;

	if (s->n_rcpts == 0 && (s->is_lmtp || s->content.len > 0))
		fail_msg("content without a recipient");
	if (s->n_rcpts > 0 && !s->has_mail)
		fail_msg("content without a sender");
	for (size_t i = 0; i < n && !s->is_gone; i++) {
		enum decision d = decide(s);
		/* To one mailbox; what of those behind it? */
		bool is_early = d == GOODBYE && i + 1 < n;
		bool takes = d == YES || (d == HANG_UP && one_in(2));

		for (size_t r = 0; takes && r < s->n_rcpts; r++)
			if (!s->is_lmtp || r == i)
				take(s, r);
		s->may_lose |= is_early;
		for (size_t r = i + 1; is_early && r < s->n_rcpts; r++)
			if (one_in(2))
				take(s, r);
		has_taken |= answer(s, d, "250 taken");
	}
	str_clear(&s->content);
	if (has_taken || !s->keeps_state)
		forget(s);
}

/* ---- commands ------------------------------------------------------------ */

static int number_behind(struct slice line, const char *prefix)
{
	size_t at = slice_find_text(line, slice_of(prefix));

	at += strlen(prefix);
	return at < line.len ? line.p[at] - '0' : -1;
}

/* BY=t;M[T]: with R there must be time left. */
static void check_by(struct slice value)
{
	size_t at = slice_find(value, ';');
	struct slice mode = slice_from(value, at + 1);
	struct slice digits = slice_head(value, at);
	uint64_t n = 0;
	bool is_past = digits.len > 0 && digits.p[0] == '-';

	if (is_past)
		digits = slice_from(digits, 1);
	if (!slice_uint(digits, 999999999, &n) ||
	    (!slice_eq(mode, SLICE("R")) && !slice_eq(mode, SLICE("N")) &&
	     !slice_eq(mode, SLICE("RT")) && !slice_eq(mode, SLICE("NT"))))
		fail_msg("bad BY=%.*s", SLICE_ARG(value));
	if (mode.p[0] == 'R' && (is_past || n == 0))
		fail_msg("sent too late");
}

/* The extensions whose parameters a command has; none but allowed ones. */
static unsigned params_of(const struct server *s, struct slice line)
{
	struct slice words = slice_from(line, slice_find(line, '>') + 1), word;
	unsigned set = 0;

	while (slice_word(&words, &word)) {
		struct slice name = slice_head(word, slice_find(word, '='));

		if (slice_eq(name, SLICE("BODY")))
			set |= SMTP_EXT_8BITMIME;
		else if (slice_eq(name, SLICE("SIZE")))
			set |= SMTP_EXT_SIZE;
		else if (slice_eq(name, SLICE("SMTPUTF8")))
			set |= SMTP_EXT_SMTPUTF8;
		else if (slice_eq(name, SLICE("REQUIRETLS")))
			set |= SMTP_EXT_REQUIRETLS;
		else if (slice_eq(name, SLICE("BY")))
			set |= SMTP_EXT_DELIVERBY;
		else
			set |= SMTP_EXT_DSN;
		if (slice_eq(name, SLICE("BY")))
			check_by(slice_from(word, 3));
	}
	if ((set & ~s->allowed) != 0)
		fail_msg("parameter not offered: %.*s", SLICE_ARG(line));
	return set;
}

/* Refuses hated parameters, by name or without a word; true if it did. */
static bool refuse_params(struct server *s, unsigned params)
{
	struct str names = STR_INIT;

	params &= s->hates;
	if (params == 0)
		return false;
	if (one_in(2)) {
		static const char *const codes[] = { "555", "501 5.5.4",
						     "504" };

		caps_print_set(&names, params);
		str_addf(&s->out, "%s unknown option: %s\r\n", any_of(codes, 3),
			 str_cstr(&names));
		str_done(&names);
		/* Whoever waits for each answer has no excuse any more. */
		if ((s->allowed & SMTP_EXT_PIPELINING) == 0)
			s->allowed &= ~params;
	} else {
		say(s, one_in(2) ? "555 no such thing" : "501 Syntax error");
	}
	return true;
}

static void on_mail(struct server *s, struct slice line)
{
	unsigned params = params_of(s, line);
	int sender = number_behind(line, "<m");

	if ((s->wants_tls && !s->is_in_tls) || (s->wants_auth && !s->has_auth))
		fail_msg("MAIL before the session was as it must be");
	s->mails_seen[sender]++;
	if (++s->n_mails > s->mailmax && s->mailmax > 0)
		fail_msg("more MAIL than MAILMAX allows");
	if (s->has_mail && !s->merges_mail) {
		say(s, "503 nested MAIL");
		return;
	}
	if (refuse_params(s, params) || !answer(s, decide(s), "250 ok"))
		return;
	s->has_mail = true;
	s->mail_params = params;
	s->sender = sender;
}

static void on_rcpt(struct server *s, struct slice line)
{
	int message = number_behind(line, "<r"), which;
	unsigned params = params_of(s, line);

	if (!s->has_mail && !s->takes_rcpt_alone) {
		say(s, "503 no MAIL");
		return;
	}
	which = line.p[slice_find(line, '.') + 1] - '0';
	if (refuse_params(s, params) || !answer(s, decide(s), "250 ok"))
		return;
	assert_true(s->n_rcpts < COUNT(s->rcpts));
	s->has_notify[s->n_rcpts] = params != 0;
	s->rcpts[s->n_rcpts++] = message * RCPTS_MAX + which;
}

static void on_data(struct server *s)
{
	bool may_go_on = s->n_rcpts > 0 ? s->has_mail || s->takes_rcpt_alone
					: s->goes_on_alone;

	s->is_last_of_group = true;
	if (!may_go_on) {
		say(s, "554 no valid recipients");
		if (!s->keeps_state)
			forget(s);
		return;
	}
	s->is_in_data = answer(s, decide(s), "354 go");
	if (!s->is_in_data && !s->keeps_state)
		forget(s);
}

static void on_bdat(struct server *s, struct slice line)
{
	struct slice words = slice_from(line, 5), size = { 0 };
	uint64_t n = 0;

	if ((s->allowed & SMTP_EXT_CHUNKING) == 0)
		fail_msg("BDAT without CHUNKING");
	if (s->is_lmtp && s->n_rcpts == 0)
		fail_msg("LMTP content without a recipient");
	if (!s->has_bdat && !s->skips_unknown) {
		s->is_confused = s->may_lose = true;
		say(s, "500 what?");
		return;
	}
	if (!slice_word(&words, &size) || !slice_uint(size, 1000000, &n))
		fail_msg("bad BDAT");
	s->chunk_left = n;
	s->is_chunk_last = slice_has(words, 'L');
	s->is_chunk_refused = !s->has_mail || s->n_rcpts == 0;
}

static void end_chunk(struct server *s)
{
	s->chunk_left = SIZE_MAX;
	s->is_at_chunk = true;
	if (!s->has_bdat) {
		s->may_lose = true; /* who knows that it counted? */
		say(s, one_in(2) ? "503 use DATA" : "502 not implemented");
		str_clear(&s->content);
	} else if (s->is_chunk_refused) {
		say(s, "503 no valid recipients");
		str_clear(&s->content);
		if (!s->keeps_state)
			forget(s);
	} else if (s->is_chunk_last) {
		on_content(s);
	} else if (!answer(s, decide(s), "250 chunk")) {
		str_clear(&s->content);
		if (!s->keeps_state)
			forget(s);
		else
			s->n_rcpts = 0;
	}
	s->is_at_chunk = false;
}

static void on_rset(struct server *s)
{
	enum decision d = decide(s);

	if (s->keeps_at_rset && s->has_mail && one_in(3))
		d = NO;
	if (answer(s, d, "250 reset") || !s->keeps_at_rset)
		forget(s);
	s->is_astray = s->has_mail;
	s->n_kept = s->n_rcpts;
}

static void on_hello(struct server *s)
{
	struct str words = STR_INIT;
	struct slice rest, word;

	caps_print_set(&words, s->offers);
	rest = str_slice(&words);
	str_adds(&s->out, "250-server\r\n");
	while (slice_word(&rest, &word)) {
		str_addf(&s->out, "250-%.*s", SLICE_ARG(word));
		if (slice_eq(word, SLICE("LIMITS")))
			str_addf(&s->out, " MAILMAX=%u RCPTMAX=9", s->mailmax);
		if (slice_eq(word, SLICE("AUTH")))
			str_adds(&s->out, one_in(4) ? " OTHER" : " SAME ONE");
		str_adds(&s->out, "\r\n");
	}
	str_adds(&s->out, "250 HELP\r\n");
	str_done(&words);
	s->is_last_of_group = true;
}

/* ---- STARTTLS and AUTH --------------------------------------------------- */

static void on_starttls(struct server *s)
{
	if ((s->allowed & SMTP_EXT_STARTTLS) == 0 || s->is_in_tls)
		fail_msg("STARTTLS that was not offered");
	s->is_last_of_group = true;
	s->is_at_handshake = answer(s, decide(s), "220 go");
	if (s->is_at_handshake && one_in(10))
		say(s, "250 injected");
}

/* The line "AUTH ...", or a response. */
static void on_auth(struct server *s, struct slice line)
{
	if ((s->allowed & SMTP_EXT_AUTH) == 0 || s->has_auth)
		fail_msg("AUTH that was not offered");
	s->is_last_of_group = true;
	if (slice_eq(line, SLICE("*"))) {
		say(s, "501 cancelled");
		s->is_in_auth = false;
	} else if (one_in(2)) {
		s->is_in_auth = true;
		say(s, one_in(20) ? "334 nonsense" : "334 b25lIG1vcmU=");
	} else {
		s->is_in_auth = false;
		s->has_auth = answer(s, decide(s), "235 ok");
	}
}

static void on_line(struct server *s, struct slice line)
{
	if (s->is_in_data) {
		if (slice_eq(line, SLICE("."))) {
			s->is_in_data = s->is_last_of_group = false;
			on_content(s);
		} else {
			str_add(&s->content, line);
		}
		return;
	}
	if (!s->is_confused && s->out.len > 0 &&
	    (s->is_last_of_group || (s->allowed & SMTP_EXT_PIPELINING) == 0))
		fail_msg("said too early: %.*s", SLICE_ARG(line));
	s->is_last_of_group = false;
	s->n_lines++;
	if (s->is_in_auth || slice_starts(line, SLICE("AUTH "))) {
		on_auth(s, line);
	} else if (slice_eq(line, SLICE("STARTTLS"))) {
		on_starttls(s);
	} else if (slice_starts(line, SLICE("EHLO")) ||
		   slice_starts(line, SLICE("LHLO"))) {
		on_hello(s);
	} else if (slice_starts(line, SLICE("MAIL FROM:<"))) {
		on_mail(s, line);
	} else if (slice_starts(line, SLICE("RCPT TO:<"))) {
		on_rcpt(s, line);
	} else if (slice_eq(line, SLICE("DATA"))) {
		on_data(s);
	} else if (slice_starts(line, SLICE("BDAT "))) {
		on_bdat(s, line);
	} else if (slice_eq(line, SLICE("RSET"))) {
		on_rset(s);
	} else if (slice_eq(line, SLICE("QUIT"))) {
		s->is_gone = true;
	} else if (!s->is_confused) {
		fail_msg("not a command: %.*s", SLICE_ARG(line));
	} else {
		say(s, "500 what?");
	}
}

/* Reads what there is, as far as it is whole. */
static void server_read(struct server *s)
{
	while (!s->is_gone && !s->is_deaf && s->in.len > 0) {
		struct slice in = str_slice(&s->in);
		size_t at = slice_find_text(in, SLICE("\r\n"));

		if (s->chunk_left != SIZE_MAX) {
			size_t n =
			    in.len < s->chunk_left ? in.len : s->chunk_left;

			str_add(&s->content, slice_head(in, n));
			str_shift(&s->in, n);
			s->chunk_left -= n;
			if (s->chunk_left == 0)
				end_chunk(s);
			continue;
		}
		if (at == in.len)
			return;
		if (s->is_at_handshake)
			fail_msg("said into the handshake");
		on_line(s, slice_head(in, at));
		str_shift(&s->in, at + 2);
		s->is_deaf = s->drops_input && !s->is_in_data &&
			     s->chunk_left == SIZE_MAX && s->in.len > 0;
		s->may_lose |= s->is_deaf;
	}
}

/* What it offers, and what of that it means. */
static void server_offer(struct server *s)
{
	unsigned ignored =
	    s->ignored |
	    (s->is_in_tls ? SMTP_EXT_STARTTLS : (unsigned)SMTP_EXT_REQUIRETLS);

	s->hates = 0;
	s->offers = chance(SMTP_EXT_ALL + 1);
	if (!one_in(4))
		s->offers |= SMTP_EXT_PIPELINING;
	/* Half of them are whole-hearted: what is fast is what is tried. */
	if (one_in(2))
		s->offers |= SMTP_EXT_PIPELINING | SMTP_EXT_CHUNKING;
	else if (one_in(2))
		s->hates = chance(SMTP_EXT_ALL + 1);
	s->mailmax = (s->offers & SMTP_EXT_LIMITS) != 0 && one_in(2)
			 ? 1 + chance(MESSAGES)
			 : 0;
	s->allowed = s->offers & ~ignored;
	if ((ignored & SMTP_EXT_LIMITS) != 0)
		s->mailmax = 0;
	/* With BDAT nobody could help mail that is taken without a sender. */
	s->takes_rcpt_alone =
	    (s->allowed & SMTP_EXT_CHUNKING) == 0 && one_in(4);
}

/* The handshake is done: all that it said before is forgotten. */
static void server_secure(struct server *s)
{
	s->is_at_handshake = false;
	s->is_in_tls = true;
	s->n_lines = 0;
	server_offer(s);
}

/* A server as chance will have it; wants is borrowed. */
static void server_begin(struct server *s, unsigned ignored,
			 const struct want *wants)
{
	s->wants = wants;
	s->ignored = ignored;
	s->keeps_state = one_in(2);
	s->merges_mail = one_in(4);
	/* Nobody could help one that breaks two rules at once. */
	s->keeps_at_rset = !s->merges_mail && one_in(2);
	s->goes_on_alone = one_in(4);
	server_offer(s);
	s->has_bdat = !one_in(6);
	s->skips_unknown = one_in(2);
	s->drops_input = one_in(15);
	s->trouble = one_in(3) ? 200 : one_in(2) ? 30 : 5;
	s->chunk_left = SIZE_MAX;
	str_adds(&s->out, "220 server ESMTP\r\n");
}

static void server_done(struct server *s)
{
	str_done(&s->in);
	str_done(&s->out);
	str_done(&s->content);
}

#endif
