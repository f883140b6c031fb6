/*
 * attempt.h - what happened in one delivery attempt, as data.
 *
 * An attempt is one transaction: recipients of one message over one
 * connection to one address; or the same for recipients whose transaction
 * never began. The recorder (smtpta/recorder.h) fills it, printers make text
 * of it. Its memory is bounded whatever a server says: what is beyond the
 * limits here is counted, left out, and is_cut says so.
 *
 * Times are milliseconds of the recorder's clock, -1 for none.
 */
#ifndef SMTPTA_ATTEMPT_H
#define SMTPTA_ATTEMPT_H

#include "agent/job.h"
#include "mime/passage.h"
#include "net/addr.h"
#include "smtp/engine.h"

#include <sys/queue.h>

enum {
	ATTEMPT_SCHEMA = 1,
	ATTEMPT_TRIES_MAX = 32,	  /* addresses */
	ATTEMPT_SITE_MAX = 32,	  /* addresses of a site */
	ATTEMPT_FIRST_MAX = 240,  /* commands: the first */
	ATTEMPT_LAST_MAX = 16,	  /* and the last */
	ATTEMPT_LINE_MAX = 1024,  /* bytes of one command */
	ATTEMPT_REPLY_MAX = 4096, /* bytes of one reply */
	ATTEMPT_TEXT_MAX = 65536, /* of all the first commands and replies */
	ATTEMPT_RCPTS_MAX = 200,  /* that succeeded; as many that did not */
	ATTEMPT_PARTS_MAX = 32,	  /* of a message, in a plan */
	ATTEMPT_WORDS_MAX = 1024, /* bytes of an address, an explanation */
	ATTEMPT_LOST_WHY_MAX = 512
};

/* A command and its reply, either of which may be missing. */
struct attempt_line {
	uint64_t number; /* of the command; SMTP_NO_COMMAND: unasked */
	int64_t said_at, heard_at;
	struct str said, heard; /* bounded */
	bool is_whole;		/* heard is a whole reply; code holds */
	unsigned code;
	bool has_enhanced;
	struct status enhanced;
};

/* The first lines and the last; those between are only counted. */
struct attempt_dialogue {
	struct attempt_line *lines;
	size_t cap;
	size_t n;	 /* ever added */
	uint64_t n_said; /* behind the number of the last command */
	size_t bytes;	 /* of the first lines' texts */
	bool is_cut;
};

/* One address that was tried for a connection. */
struct attempt_try {
	struct str host;
	struct net_addr addr, local;
	bool has_local;	    /* it got as far as a connection */
	int64_t at, took;   /* took: until it was ready or had failed */
	bool is_overtaken;  /* by another one, in a race */
	const char *reason; /* it failed; NULL: it was ready, or overtaken */
	unsigned code;	    /* of a refusal; 0: none */
	struct str why;	    /* for humans */
	struct str security, tls;	 /* JSON values; empty: null */
	struct str tls_lines;		 /* of the latter, for people */
	struct str account;		 /* "FILE:LINE"; empty: none */
	const char *mechanism;		 /* of AUTH, or NULL; static */
	struct attempt_dialogue opening; /* greeting, EHLO, HELO */
};

struct attempt_rcpt {
	const struct agent_rcpt *rcpt; /* borrowed from the job */
	struct diag diag;	       /* texts borrowed till the end */
	/* Where it goes on to in this attempt; NULL: the diag is its end. */
	const char *again;
};

/* What was planned for the content; see mime/passage.h. */
struct attempt_plan {
	bool is_known;
	enum mime_reason reason, header_reason;
	unsigned decisive; /* the part that gave the reason */
	unsigned n_parts;  /* 0: the body was not looked into */
	struct str parts;  /* the first of them, a line each, if any changes */
};

struct attempt {
	TAILQ_ENTRY(attempt) link;
	const void *key;       /* the transaction, or the job without one */
	struct agent_job *job; /* borrowed */
	int64_t wall_at;       /* Unix milliseconds of `at` */
	int64_t at, ended_at;
	bool has_transaction, has_connection, has_tries;
	size_t n_before; /* transactions begun before on the connection */
	unsigned used;	 /* extensions: a set of enum smtp_ext */
	struct attempt_plan plan;
	uint64_t content; /* bytes of content put into the output */
	struct attempt_dialogue dialogue;
	struct attempt_rcpt *rcpts;
	size_t n_rcpts, rcpts_cap; /* those that are kept */
	size_t n_good, n_bad;	   /* successes; others, counted all */
	const char *lost;	   /* why the connection was lost; NULL */
	struct str lost_why;
	bool is_cut; /* of rcpts */
};
TAILQ_HEAD(attempt_list, attempt);

/* Adds a line that is said. */
void attempt_say(struct attempt_dialogue *d, const struct smtp_said *said,
		 int64_t now);

/*
 * Adds what is heard to the line of its command, or, if that has its reply or
 * was never said, as a line of its own. True if it was the first answer.
 */
bool attempt_hear(struct attempt_dialogue *d, const struct smtp_said *said,
		  int64_t now);

/* The i'th line that is kept, in order; NULL behind the last. */
const struct attempt_line *attempt_line(const struct attempt_dialogue *d,
					size_t i);

/* Empties; keeps the memory. */
void attempt_dialogue_clear(struct attempt_dialogue *d);
void attempt_dialogue_done(struct attempt_dialogue *d);

/* Keeps what is planned for the content. */
void attempt_set_plan(struct attempt *a, const struct passage *passage);

/* What became of one recipient (index into the job's); see attempt_rcpt. */
void attempt_add_rcpt(struct attempt *a, size_t rcpt, const struct diag *d,
		      const char *again);

/* Frees it and what it owns. */
void attempt_free(struct attempt *a);

/* What a printer needs to know beside the attempt. */
struct attempt_scene {
	const char *program;
	pid_t pid;
	struct slice channel;
	bool is_lmtp;
	struct slice destination;
	struct slice site; /* empty: not known */
	const struct net_addr *site_addrs;
	size_t n_site_addrs;
	const struct attempt_try *tries; /* of the last connection opened */
	size_t n_tries;			 /* kept */
	size_t n_tries_ever;
	const struct attempt_try *connection; /* that was used; NULL: none */
	unsigned offered;		      /* its extensions, as a set */
};

/* Adds the attempt as one JSON object, without a line feed: zpost-attempt(5).
 */
void attempt_print(struct str *to, const struct attempt *a,
		   const struct attempt_scene *scene);

#endif
