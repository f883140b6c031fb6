/*
 * engine.h - the SMTP and LMTP client as a pure state machine.
 *
 * Bytes from the server go in, bytes for the server and events come out. No
 * socket, clock, file or log: the session (smtpta/session.h) pumps it.
 *
 *	for (;;) {
 *		take every smtp_event();
 *		while smtp_wants() has SMTP_WANTS_BODY: fill smtp_body_sink();
 *		write smtp_output(), tell smtp_sent();
 *		read, tell smtp_input();
 *	}
 *
 * Commands wait in a send queue until the rules of RFC 2920 let them go, and
 * then in a wait list until their reply has come; replies are matched
 * strictly in order. Each recipient of a transaction ends with exactly one
 * SMTP_EVENT_RCPT or is handed back with SMTP_EVENT_RETURNED.
 *
 * With STARTTLS (RFC 3207) the caller makes the handshake when
 * SMTP_EVENT_STARTTLS came, and says smtp_tls_started(); with AUTH (RFC 4954)
 * the engine asks a struct smtp_auth. Both are part of opening the session:
 * SMTP_EVENT_READY comes behind them, or SMTP_EVENT_FAILED. No MAIL is said
 * before.
 *
 * Addresses and parameter values must have passed smtp/path.h.
 */
#ifndef SMTP_ENGINE_H
#define SMTP_ENGINE_H

#include "base/err.h"
#include "dsn/diag.h"
#include "smtp/caps.h"
#include "smtp/outcome.h"

struct smtp_engine; /* opaque */

/*
 * Something said or heard, for logs and records; never content. Borrowed for
 * the call.
 */
struct smtp_said {
	/* 'w': we said it; 'r': we heard it; 'x': the connection is lost */
	char direction;
	/* Without CRLF; lines of a reply have LF between; 'x': why. */
	struct slice text;
	const char *lost; /* 'x': why, as a reason of a diag */
	/* 'r': the whole reply; NULL: a part of one, or what is none. */
	const struct reply *reply;
	/* Whose command it is, or is the reply to; NULL: the session's. */
	const struct smtp_transaction *transaction;
	/* Which command on this connection; SMTP_NO_COMMAND: heard unasked. */
	uint64_t command;
};

#define SMTP_NO_COMMAND UINT64_MAX

/* ---- security ----------------------------------------------------------- */

enum smtp_tls {
	SMTP_TLS_NONE,	  /* STARTTLS is not said */
	SMTP_TLS_MAY,	  /* said where it is offered */
	SMTP_TLS_REQUIRED /* nothing is said in clear but EHLO and STARTTLS */
};

/*
 * How a client authenticates: functions that the engine asks when EHLO (the
 * one over TLS, if there is TLS) or HELO was answered. What they answer is
 * plain; base64 is the engine's. Nothing that is secret, and no name of a user,
 * may stand in any `why`: it is shown. The engine wipes what it holds of the
 * answers.
 */
enum smtp_auth_choice {
	SMTP_AUTH_SKIP, /* go on without */
	SMTP_AUTH_USE,	/* say AUTH with *ret */
	SMTP_AUTH_FAIL	/* the session fails; why says it in a few words */
};

struct smtp_auth_start {
	const char *mechanism; /* in capitals; lives as long as the engine */
	bool has_initial;      /* RFC 4422 3: the client begins */
	struct str initial;    /* all zero before; the engine wipes it */
};

enum smtp_auth_end {
	SMTP_AUTH_DONE,	 /* authenticated */
	SMTP_AUTH_OTHER, /* ask begin() once more: for another mechanism */
	SMTP_AUTH_FAILED /* why may be left alone: then the reply says it */
};

struct smtp_auth {
	void *context;
	/*
	 * offered: what the server offers, in capitals, a blank between;
	 * empty if it offers no AUTH. Asked once more after SMTP_AUTH_OTHER,
	 * and then never again.
	 */
	enum smtp_auth_choice (*begin)(void *context, struct slice offered,
				       bool is_tls, struct smtp_auth_start *ret,
				       struct err *why);
	/*
	 * Answers a challenge (334), decoded. False: the dialogue is
	 * cancelled and the session fails; why says it.
	 */
	bool (*step)(void *context, struct slice challenge,
		     struct str *ret_response, struct err *why);
	/*
	 * The server has decided, by 2xx to 5xx. What it said yes to may still
	 * be no: then it did not prove who it is. why is empty before.
	 */
	enum smtp_auth_end (*done)(void *context, const struct reply *reply,
				   struct err *why);
	/*
	 * Adds a text of the server's without the secrets and names that it
	 * might repeat: of a reply to AUTH, and of all that come after it was
	 * done(). NULL: nothing is hidden.
	 */
	void (*hide)(void *context, struct slice text, struct str *to);
};

/* ---- what the caller wants ----------------------------------------------- */

struct smtp_config {
	bool is_lmtp;  /* RFC 2033: LHLO, a reply per recipient */
	bool no_esmtp; /* HELO only (never with LMTP) */
	/* EHLO only if the greeting has ESMTP, or if TLS or AUTH need it. */
	bool esmtp_only_if_greeted;
	bool is_tls;	   /* TLS is up already; STARTTLS is never said */
	enum smtp_tls tls; /* in clear: what of STARTTLS */
	/* NULL: no AUTH. Borrowed as long as the engine lives. */
	const struct smtp_auth *auth;
	/*
	 * A set of enum smtp_ext (caps.h): the server is spoken to as if it
	 * did not offer these, and smtp_caps() does not show them.
	 */
	unsigned ignored;
	struct slice helo_name; /* borrowed as long as the engine lives */
	/*
	 * Transactions that may be begun and not finished, at most; 0 is 1.
	 * The window begins at 2 and grows with each content accepted.
	 */
	unsigned window;
	/* Bytes that may be unanswered, about; 0: no limit. */
	uint64_t window_bytes;
	/*
	 * Called with each command when it is put into the output, with each
	 * reply when it is heard, before its event is given, and with the
	 * loss of the connection: once for the session, then once for each
	 * transaction that was under way. May be NULL.
	 */
	void (*trace)(void *context, const struct smtp_said *said);
	void *trace_context;
	/*
	 * Unix time in seconds; the engine has no clock. Asked for when a
	 * MAIL with BY= is about to be sent; may be NULL if no transaction
	 * has a smtp_by.
	 */
	int64_t (*wall_time)(void *context);
	void *wall_time_context;
};

/*
 * Deliver by (RFC 2852). Where DELIVERBY is offered, MAIL gets
 * "BY=t;M[T]" with t = deadline - wall_time() at the moment it is put into
 * the output, within nine digits; where it is not, nothing is said. With mode
 * 'R' and t <= 0 nothing is sent at all: RETURNED, "deliver-by-expired".
 * Whether the server's min-by-time can be kept the caller has to judge.
 */
struct smtp_by {
	bool is_set;
	int64_t deadline; /* Unix time, seconds */
	char mode;	  /* 'R': return, 'N': notify */
	bool trace;
};

struct smtp_rcpt {
	struct slice path;   /* without angle brackets; borrowed */
	struct slice notify; /* value of NOTIFY=; empty: none */
	struct slice orcpt;  /* value of ORCPT=; empty: none */
};

struct smtp_progress; /* what the engine keeps of a transaction */

struct smtp_transaction {
	struct arena *arena; /* results live here; must outlive the events */
	struct slice sender; /* without angle brackets; empty: <> */
	uint64_t size;	     /* for SIZE=; 0: unknown */
	bool is_8bit;	     /* content has bytes above 0x7f: BODY= */
	/*
	 * Some of it is binary (RFC 3030): BODY=BINARYMIME. As with
	 * needs_smtputf8, BINARYMIME is offered, and so is CHUNKING.
	 */
	bool is_binary;
	/*
	 * Adds SMTPUTF8 to MAIL (RFC 6531 3.4). Whoever adds the transaction
	 * made sure that it is offered; if it is not (any more) when MAIL is
	 * due, the transaction comes back as "parameter-refused".
	 */
	bool needs_smtputf8;
	/* Likewise: adds REQUIRETLS to MAIL (RFC 8689 4.2.1). */
	bool needs_requiretls;
	struct smtp_by by;
	struct slice envid; /* value of ENVID=; empty: none */
	struct slice ret;   /* value of RET=; empty: none */
	struct smtp_rcpt *rcpts;
	size_t n_rcpts;			/* at least 1 */
	void *owner;			/* the caller's */
	struct smtp_progress *progress; /* the engine's; NULL before */
};

enum smtp_event_kind {
	/*
	 * The server awaits the handshake: make it, and say smtp_tls_started();
	 * or smtp_lost(), since the connection is of no further use.
	 */
	SMTP_EVENT_STARTTLS,
	SMTP_EVENT_READY,    /* the session is open; smtp_caps() tells */
	SMTP_EVENT_RCPT,     /* `rcpt` of `transaction` ended with `diag` */
	SMTP_EVENT_DONE,     /* every recipient of it has ended */
	SMTP_EVENT_RETURNED, /* it may be sent again: nothing was accepted */
	SMTP_EVENT_FAILED,   /* the session could not be opened: phase, diag */
	SMTP_EVENT_CLOSED    /* close the connection; nothing follows */
};

/*
 * Reasons of diags by which the caller has to act, apart from those that
 * smtp_lost() was given:
 *
 * "starttls-not-offered" (FAILED, phase SMTP_PHASE_STARTTLS)
 *	With SMTP_TLS_REQUIRED.
 * "starttls-refused" (FAILED, phase SMTP_PHASE_STARTTLS)
 *	STARTTLS was answered with something else than 220: `code`. The
 *	connection is not used any further, whatever SMTP_TLS_... says.
 * "starttls-injection" (FAILED, phase SMTP_PHASE_STARTTLS)
 *	Something came in clear behind the 220 (RFC 3207 6): an attack, or as
 *	good as one.
 * "auth-failed" (FAILED, phase SMTP_PHASE_AUTH)
 *	`code` is 0 unless a reply refused it. Nothing is sent without.
 * "rcpt-limit" (RCPT)
 *	The server takes no more recipients in this transaction: this one
 *	goes in the next.
 * "parameter-refused" (RETURNED; RCPT: only that recipient)
 *	The server offers the event's `extensions` and refused a parameter of
 *	theirs. They are taken off smtp_caps() for the rest of the connection.
 *	Judge again by the caps and add it once more: no loop, as a set can
 *	only shrink. A transaction not begun comes back so too, if its content
 *	or addresses relied on an extension that was lost since it was added.
 * "chunking-refused" (RETURNED)
 *	BDAT is not known after all; the next goes with DATA.
 * "mail-limit" (RETURNED)
 *	The server takes no more messages here: another connection. See
 *	smtp_is_used_up(). Begun only if its MAIL was what the server said so
 *	to.
 * "deliver-by-expired" (RETURNED, not begun)
 *	The deadline has passed and the mode is R: it must not be sent.
 * "message-unreadable", "connection-given-up" (RETURNED)
 *	See smtp_body_failed().
 * "outcome-unknown", "mail-out-of-sequence" (RCPT)
 *	No window with this peer any more; see also smtp_is_out_of_step().
 */
struct smtp_event {
	enum smtp_event_kind kind;
	struct smtp_transaction *transaction;
	size_t rcpt;
	const struct diag *diag; /* lives in the transaction's arena, or, for
				    FAILED and RETURNED, in the engine */
	enum smtp_phase phase;	 /* FAILED: how far it came */
	unsigned code;		 /* FAILED: of the refusal, 0 if none came */
	bool was_begun;		 /* RETURNED: its MAIL had been sent */
	/*
	 * RETURNED and RCPT: extensions that this server offers and does not
	 * keep (enum smtp_ext), to be remembered; 0: none.
	 */
	unsigned extensions;
};

/* What smtp_wants() asks for; a set. */
enum {
	SMTP_WANTS_READ = 1,  /* a reply is awaited */
	SMTP_WANTS_WRITE = 2, /* smtp_output() is not empty */
	SMTP_WANTS_BODY = 4,  /* content of smtp_body_owner() is to be added */
	SMTP_WANTS_TLS = 8    /* the handshake, and then smtp_tls_started() */
};

/* Which timeout holds now (RFC 5321 4.5.3.2). */
enum smtp_wait {
	SMTP_WAIT_NONE, /* nothing is awaited */
	SMTP_WAIT_WRITE,
	SMTP_WAIT_COMMAND, /* greeting, EHLO, STARTTLS, AUTH, MAIL, RCPT, RSET
			    */
	SMTP_WAIT_DATA,	   /* 354 */
	SMTP_WAIT_END	   /* the reply to the end of data */
};

/* A new engine that awaits the greeting. config is copied. */
struct smtp_engine *smtp_new(const struct smtp_config *config);
void smtp_free(struct smtp_engine *e);

/*
 * Queues a message. t is borrowed until DONE or RETURNED came for it. On a
 * connection that is lost already it is RETURNED at once, behind CLOSED.
 */
void smtp_add(struct smtp_engine *e, struct smtp_transaction *t);

/*
 * Bytes from the server. Whatever they hold, the engine copes. While
 * SMTP_WANTS_TLS these are bytes in clear, and end it ("starttls-injection"):
 * all that was read of the connection before the handshake must be given to
 * the engine, not to TLS.
 */
void smtp_input(struct smtp_engine *e, struct slice bytes);

/*
 * The handshake that SMTP_WANTS_TLS asked for is done, and the server is
 * acceptable. Whatever was heard in clear is forgotten (RFC 3207 4.2), and
 * EHLO said again. A server that now refuses it is not greeted with HELO.
 */
void smtp_tls_started(struct smtp_engine *e);

/* Is what is said and heard inside TLS? */
bool smtp_is_tls(const struct smtp_engine *e);

/* The mechanism that was authenticated with, or NULL if none was. */
const char *smtp_auth_mechanism(const struct smtp_engine *e);

/*
 * The connection is gone, or its state is unknown (timeout, error, end of
 * file, a local reason): why says so in a few words. Unanswered ends of data
 * become FATE_DEFERRED_BACK, "outcome-unknown"; everything else is RETURNED;
 * then CLOSED.
 *
 * The engine itself ends the connection
 *  - with 421, behind which a server takes nothing (RFC 5321 3.8): messages
 *    behind it are RETURNED, even if their ends were sent;
 *  - with a reply that means nothing, at once: what follows it may belong to
 *    anything; so too when RSET or MAIL of a server goes wrong that did not
 *    know BDAT and may read content as commands;
 *  - when a server is out of step, as soon as every end of data that was sent
 *    is answered: see smtp_is_out_of_step().
 */
void smtp_lost(struct smtp_engine *e, const char *reason, const char *why);

/*
 * Bytes to write next, borrowed until the next call that changes e; none once
 * the connection is lost.
 */
struct slice smtp_output(const struct smtp_engine *e);

/* The first n bytes of smtp_output() are on their way. */
void smtp_sent(struct smtp_engine *e, size_t n);

/* What the engine needs now: a set of SMTP_WANTS_...; 0 once it is closed. */
unsigned smtp_wants(const struct smtp_engine *e);

/* Which timeout class holds for the next thing to happen. */
enum smtp_wait smtp_wait(const struct smtp_engine *e);

/*
 * While SMTP_WANTS_BODY: whose content is to be added. Every transaction is
 * asked for its content from the start to the end, once.
 */
struct smtp_transaction *smtp_body_owner(const struct smtp_engine *e);

/* Must dots at the start of lines be doubled? (With DATA, not with BDAT.) */
bool smtp_body_needs_dots(const struct smtp_engine *e);

/*
 * Where to add content: whole wire text (mime/wire.h), in pieces of any size;
 * after each piece smtp_body_filled() says so. With is_last the content is
 * complete; it must then end in CRLF or be empty.
 */
struct str *smtp_body_sink(struct smtp_engine *e);
void smtp_body_filled(struct smtp_engine *e, bool is_last);

/*
 * The content cannot be had. Its message comes back with the reason
 * "message-unreadable"; with DATA the connection is given up without a dot,
 * and what else was under way comes back as "connection-given-up".
 */
void smtp_body_failed(struct smtp_engine *e, const char *why);

/* The next event, oldest first. */
MUST_USE bool smtp_event(struct smtp_engine *e, struct smtp_event *ret);

/*
 * What the server offers and the engine uses: without the ignored extensions,
 * and without those it turned out not to keep. Meaningful after READY.
 */
const struct caps *smtp_caps(const struct smtp_engine *e);

/* Could another transaction be begun now? Not once smtp_is_used_up(). */
bool smtp_has_room(const struct smtp_engine *e);

/* Replies heard so far: a deadline starts anew when this changes. */
uint64_t smtp_replies_heard(const struct smtp_engine *e);

/* Is a transaction queued or begun and not yet finished? */
bool smtp_is_busy(const struct smtp_engine *e);

/*
 * Has the server's MAILMAX (RFC 9422) been used up, or did it answer 452 (plain
 * or with x.5.3) to MAIL although it had taken a message? Then nothing more is
 * begun: what is queued or added comes back with the reason "mail-limit", and
 * once nothing is under way the session is to be ended with smtp_quit().
 */
bool smtp_is_used_up(const struct smtp_engine *e);

/*
 * If the server fell silent, hung up or talked nonsense just now: which
 * extensions it had better be spoken to without, as a set of enum smtp_ext.
 * CHUNKING while the reply to a BDAT is the one that is awaited; PIPELINING
 * while replies to a group of commands are missing, and no group was ever
 * answered on this connection; none after 421, by which a server leaves. Once
 * the connection is closed: what was true when it was lost.
 */
unsigned smtp_suspects(const struct smtp_engine *e);

/*
 * Did the server refuse RSET, answer 503 to MAIL, or take content behind a
 * MAIL that it had refused? It may then be in a transaction that we do not
 * know of, with another sender. Nothing more is said to it; each message
 * whose end was sent is judged by the answers to its own commands:
 *  - MAIL accepted: as ever, since that ends any other transaction;
 *  - MAIL refused, and recipient or content too: by that refusal;
 *  - MAIL refused, recipient and content accepted: it may have been delivered
 *    under the sender of another message. Outcome unknown: neither delivered
 *    nor to be sent again at once.
 * What was not sent whole is RETURNED. No window with this peer any more; so
 * ask this when CLOSED came.
 */
bool smtp_is_out_of_step(const struct smtp_engine *e);

/* Is an end of data sent and unanswered? */
bool smtp_has_unanswered_end(const struct smtp_engine *e);

/*
 * Begin nothing more and send no further command or content: only replies to
 * what was sent are still taken. smtp_lost() ends it.
 */
void smtp_drain(struct smtp_engine *e);

/*
 * The session was idle for a while: a RSET goes before the next MAIL, which
 * tells a dead connection from a live one at no cost when pipelined.
 */
void smtp_probe(struct smtp_engine *e);

/*
 * Says QUIT as soon as nothing is awaited any more; the reply is not waited
 * for: CLOSED comes once QUIT is written. What is queued and not begun comes
 * back at once.
 */
void smtp_quit(struct smtp_engine *e);

#endif
