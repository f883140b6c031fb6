/*
 * engine_internal.h - the engine's own parts; only engine*.c include it.
 *
 * A command object moves from the send queue to the wait list when its bytes
 * are put into the output, and dies with its last reply. A transaction moves
 * from `queued` to `active` when its MAIL is put into the send queue.
 */
#ifndef SMTP_ENGINE_INTERNAL_H
#define SMTP_ENGINE_INTERNAL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "smtp/engine.h"

#include <sys/queue.h>

enum command_kind {
	CMD_GREETING, /* not sent: stands for the reply to connecting */
	CMD_EHLO,
	CMD_HELO,
	CMD_STARTTLS,
	CMD_AUTH,
	CMD_RESPONSE, /* to a challenge of AUTH */
	CMD_MAIL,
	CMD_RCPT,
	CMD_DATA,
	CMD_END,  /* the content and the dot behind it */
	CMD_BDAT, /* one chunk of content (RFC 3030) */
	CMD_RSET,
	CMD_QUIT
};

struct command {
	TAILQ_ENTRY(command) link;
	enum command_kind kind;
	uint64_t number; /* the how manieth on this connection, for trace */
	struct smtp_transaction *t; /* NULL for those of the session */
	size_t rcpt;		    /* CMD_RCPT */
	size_t replies;		    /* still to come */
	uint64_t end;		    /* offset in the stream behind its bytes */
	bool is_last;		    /* CMD_BDAT: the last chunk */
	bool is_behind;		    /* sent while other replies were due */
};
TAILQ_HEAD(command_list, command);

enum rcpt_state {
	RCPT_OPEN,     /* not answered */
	RCPT_ACCEPTED, /* answered with yes */
	RCPT_ENDED     /* its event was given */
};

struct rcpt_progress {
	enum rcpt_state state;
	struct slice command, reply; /* for the transcript */
	/*
	 * What the refusal of MAIL means for it, while the content that left
	 * with it is not answered. See engine_end_refused().
	 */
	const struct diag *verdict;
	bool is_taken_anyway; /* answered with yes although MAIL was not */
	unsigned params;      /* extensions whose parameters it had */
	bool has_dsn;	      /* DSN was offered when it was sent */
};

struct smtp_progress {
	TAILQ_ENTRY(smtp_progress) link;
	struct smtp_transaction *t;
	struct slice mail_command, mail_reply, data_command, data_reply;
	bool is_mail_refused;
	/*
	 * MAIL was refused by a server that may have been in a transaction of
	 * another sender: what it did with the content is not known from that.
	 */
	bool is_stray;
	bool is_chunked;    /* by BDAT */
	bool is_end_queued; /* the end is in the output, up to end_at */
	uint64_t begin_at;  /* offset in the stream of its MAIL */
	uint64_t end_at;
	bool is_end_answered; /* in part, perhaps (LMTP) */
	bool is_chunk_taken;  /* an earlier chunk was answered with yes */
	int64_t seconds_left; /* with BY=, when MAIL is sent */
	unsigned relies_on;   /* extensions it cannot be sent without */
	unsigned mail_params; /* extensions whose parameters MAIL had */
	unsigned refused;     /* RETURNED: extensions to be remembered */
	const char *returned; /* why it is to be handed back; NULL: it is not */
	const char *returned_why;  /* the same in words */
	size_t n_commands;	   /* in the send queue or the wait list */
	size_t n_rcpt_waiting;	   /* RCPTs not answered yet */
	size_t n_accepted, n_open; /* open: not RCPT_ENDED */
	struct rcpt_progress *rcpts;
};
TAILQ_HEAD(progress_list, smtp_progress);

enum engine_state {
	ENGINE_OPENING, /* greeting, EHLO */
	ENGINE_READY,
	ENGINE_QUITTING, /* QUIT is in the output, or will be */
	ENGINE_CLOSED
};

/*
 * AUTH, as far as it came. What is said lies in `line` until it is put into
 * the output.
 */
struct engine_auth {
	struct str offered; /* mechanisms, as struct smtp_auth has them */
	const char *mechanism;
	unsigned tries; /* begun */
	struct str line;
	const char *shown;   /* the line, as it may be shown */
	struct str held;     /* an initial response too long for AUTH's line */
	bool is_held;	     /* it may be empty */
	bool is_cancelled;   /* we said "*", */
	struct err why;	     /* because of this */
	bool is_done;	     /* the server took us */
	bool is_in_output;   /* the output holds something secret */
	struct str readable; /* what may be shown of a reply */
};

struct smtp_engine {
	struct smtp_config config;
	struct arena *arena;
	enum engine_state state;
	struct caps caps;
	bool is_tls;	   /* TLS is up */
	bool is_restarted; /* by STARTTLS */
	bool is_at_tls;	   /* 220 came: the handshake is due */
	bool is_tls_told;  /* by SMTP_EVENT_STARTTLS */
	struct engine_auth auth;
	struct reply_parser parser;
	struct command_list to_send, waiting, spare;
	struct progress_list queued, active;
	size_t n_active;
	struct command *body; /* the CMD_END or CMD_BDAT that is being filled */
	struct str chunk;     /* of a CMD_BDAT */
	unsigned window;      /* as it is now */
	bool needs_rset, is_quit_sent;
	bool is_draining;
	bool is_bdat_unknown; /* it may read content as commands */
	bool is_astray; /* RSET was refused, or MAIL by 503; none taken since */
	/* engine_part() was called: what the rest comes back with. */
	const char *parting_reason, *parting_why;
	bool is_used;		/* a transaction has ended on this connection */
	bool is_group_answered; /* the server reads on behind a command */
	uint64_t n_mails;	/* MAIL commands said, whatever came of them */
	bool has_taken;		/* a message was accepted */
	bool is_full;		/* 452 to MAIL behind that: no more messages */
	bool is_dismissed;	/* by 421: no extension is to blame for that */
	unsigned suspects;	/* of smtp_suspects(), when it was lost */
	const char *lost_reason, *lost_why; /* of smtp_lost() */
	struct str out;
	size_t out_taken;    /* bytes of out already sent */
	uint64_t n_replies;  /* heard */
	uint64_t n_commands; /* ever made */
	uint64_t sent_total; /* bytes ever sent */
	struct smtp_event *events;
	size_t n_events, events_taken, events_cap;
};

/* How a command behaves; one row per command. */
struct step {
	const char *verb;
	bool may_be_followed; /* RFC 2920 3.1: others may go in its group */
	enum smtp_wait wait;
	enum smtp_phase phase;
	void (*print)(struct smtp_engine *e, struct command *c);
	void (*on_reply)(struct smtp_engine *e, struct command *c,
			 const struct reply *r);
};

extern const struct step engine_steps[];

/* engine.c */
struct command *engine_command(struct smtp_engine *e, enum command_kind kind,
			       struct smtp_transaction *t);
void engine_command_drop(struct smtp_engine *e, struct command *c);
void engine_drop_list(struct smtp_engine *e, struct command_list *list);
struct command *engine_push(struct smtp_engine *e, enum command_kind kind,
			    struct smtp_transaction *t);
void engine_push_first(struct smtp_engine *e, enum command_kind kind,
		       struct smtp_transaction *t);
void engine_drop_unsent(struct smtp_engine *e, struct smtp_transaction *t);
void engine_trace_partial(const struct smtp_engine *e);
void engine_trace(const struct smtp_engine *e, const struct command *c,
		  struct slice text, const struct reply *reply, char direction);

/* Traces that the session (t is NULL) or a transaction of it is lost. */
void engine_trace_loss(const struct smtp_engine *e,
		       const struct smtp_transaction *t, const char *reason,
		       const char *why);
void engine_put_line(struct smtp_engine *e, const struct command *c,
		     struct slice line);
void engine_tell(struct smtp_engine *e, struct smtp_event event);
void engine_end_rcpt(struct smtp_engine *e, struct smtp_transaction *t,
		     size_t rcpt, const struct diag *d, unsigned extensions);

/* Tells that a transaction is over once nothing of it is on its way. */
void engine_finish(struct smtp_engine *e, struct smtp_transaction *t);

/* engine_open.c */
void engine_print_hello(struct smtp_engine *e, struct command *c);
void engine_on_greeting(struct smtp_engine *e, struct command *c,
			const struct reply *r);
void engine_on_ehlo(struct smtp_engine *e, struct command *c,
		    const struct reply *r);
void engine_on_helo(struct smtp_engine *e, struct command *c,
		    const struct reply *r);
void engine_on_starttls(struct smtp_engine *e, struct command *c,
			const struct reply *r);

/* The session is open, if it was not ended meanwhile. */
void engine_become_ready(struct smtp_engine *e);

/* Bytes came in clear where the handshake is due. */
void engine_lose_injected(struct smtp_engine *e, struct slice bytes);

/* engine_auth.c */

/* EHLO or HELO was answered, and TLS is as it must be: AUTH, or ready. */
void engine_auth_begin(struct smtp_engine *e);
void engine_print_auth(struct smtp_engine *e, struct command *c);
void engine_on_auth(struct smtp_engine *e, struct command *c,
		    const struct reply *r);

/*
 * A reply as it may be shown: *r itself, or, within AUTH, a copy without what
 * is secret. Borrowed until the next call.
 */
struct reply engine_auth_readable(struct smtp_engine *e,
				  const struct command *c,
				  const struct reply *r);

/* Is it AUTH that a reply is awaited to? */
bool engine_is_in_auth(const struct smtp_engine *e);

/* Everything in the output is sent: forget what of it was secret. */
void engine_auth_sent(struct smtp_engine *e);
void engine_auth_done(struct smtp_engine *e);

/* engine_output.c */
extern const char engine_why_full[]; /* of "mail-limit" */

/* Puts into the output whatever may be said now. */
void engine_pump(struct smtp_engine *e);

/* engine_params.c */
void engine_print_mail(struct smtp_engine *e, struct command *c);
void engine_print_rcpt(struct smtp_engine *e, struct command *c);

/* The extensions without which t must not be sent, as things stand. */
unsigned engine_relies_on(const struct smtp_engine *e,
			  const struct smtp_transaction *t);

/* Must MAIL of t not be sent now? Then it is marked as to be returned. */
bool engine_is_unfit(struct smtp_engine *e, struct smtp_transaction *t);

/*
 * Does a reply refuse parameters? `used`: the extensions whose parameters the
 * command had. Returns those of them that it concerns; 0: it says no to
 * something else. 555 speaks of parameters (RFC 5321 4.1.1.11) unless its
 * enhanced code is about an address; 500, 501 and 504 may, unless the enhanced
 * code or, where that is vague, the words tell otherwise: one bad address must
 * not cost the others an extension. Parameters that the text names are taken
 * to be the ones meant; what stands in the command's own address does not
 * count.
 */
unsigned engine_params_refused(const struct reply *r, unsigned used,
			       struct slice address);

/* The same for RCPT, where any 5xx that names NOTIFY or ORCPT is about them. */
unsigned engine_rcpt_params_refused(const struct reply *r, unsigned used,
				    struct slice path);

/* "remote VERB KEYWORD...", in a. */
const char *engine_explain_refusal(struct arena *a, const char *verb,
				   unsigned set);

/* engine_end.c */
void engine_return(struct smtp_engine *e, struct smtp_progress *p,
		   const char *reason, const char *why);
void engine_return_queued(struct smtp_engine *e, const char *reason,
			  const char *why);
void engine_close(struct smtp_engine *e);

/*
 * The server is out of step: it may be in a transaction that we do not know
 * of. From here on nothing is said, and what is not sent yet is taken back;
 * only the answers to what was sent are heard, as long as an end of data is
 * among it. Then the connection is lost, by this reason. why is borrowed.
 * From a server that does not know BDAT nothing is heard any more: what looks
 * like an answer to a command may be one to a line of content.
 */
void engine_part(struct smtp_engine *e, const char *reason, const char *why);

/*
 * Ends the recipients of a transaction whose MAIL was refused, now that its
 * content is answered, or will not be: each by that refusal, but those that
 * were taken with the content (is_taken) by an unknown outcome. The sender
 * that the server had in mind was not theirs: that is no delivery, and what
 * somebody may have got must not be sent again as if nobody had.
 */
void engine_end_refused(struct smtp_engine *e, struct smtp_transaction *t,
			bool is_taken);

/*
 * The session cannot be opened. By a reply, whose meaning is given by the
 * phase, unless there is a reason of ours; or by losing the connection.
 */
void engine_fail_open(struct smtp_engine *e, enum smtp_phase phase,
		      const struct reply *reply, const char *reason,
		      const char *why);

/* engine_text.c */

/*
 * What was said about one recipient up to a phase, as lines "CR <<- command"
 * and "CR ->> reply", behind prefix; last_reply is what the end of data got.
 * Lives in t's arena.
 */
struct slice engine_transcript(const struct smtp_transaction *t, size_t rcpt,
			       const char *prefix, enum smtp_phase phase,
			       struct slice last_reply);

/* The same for the opening of the session; lives in e's arena. */
struct slice engine_hello_transcript(const struct smtp_engine *e,
				     enum smtp_phase phase, struct slice reply);

/* The diag of a recipient from the reply that decided it. */
const struct diag *engine_diag(const struct smtp_engine *e,
			       const struct smtp_transaction *t, size_t rcpt,
			       enum smtp_phase phase, const struct reply *r);

/* The diag of what was lost: unknown outcome, or simply to be sent again. */
const struct diag *engine_lost_diag(const struct smtp_transaction *t,
				    size_t rcpt, bool is_end_sent,
				    const char *reason, const char *why);

#endif
