/*
 * explanation.h - how mail to somebody would go, as data.
 *
 * What is found out while the way of delivery is walked (explain/explain.h).
 * Text for people and JSON for programs are two printers of this one value;
 * each says all that the other says. Nothing in here is clean: the printers
 * make it so.
 */
#ifndef EXPLAIN_EXPLANATION_H
#define EXPLAIN_EXPLANATION_H

#include "base/str.h"
#include "smtp/caps.h"
#include "smtpta/security.h"

enum { EXPLANATION_SCHEMA = 1 };

/* What would be said; a sender that is not known is "...". */
struct explained_envelope {
	struct slice mail, rcpt; /* whole commands; empty: not said */
};

/* Where a connection to an address would come from. */
struct explained_source {
	bool is_chosen;	      /* false: the system chooses */
	struct net_addr addr; /* port 0 */
	struct slice trouble; /* why there is none; else empty */
};

/* What would become of a message (--message). */
struct explained_plan {
	struct slice summary;	/* in one line; see passage_print() */
	const char *conversion; /* as in the syslog line */
	const char *reason, *header;
	unsigned part;	       /* that gave the reason */
	bool is_unconvertible; /* and the server does not take it */
	struct slice *parts;   /* a line each */
	unsigned n_parts;
};

struct explained_content {
	const char *file;     /* NULL: none was given */
	struct slice trouble; /* why it cannot be read; else empty */
	/* For servers without 8BITMIME and with it; NULL: there is trouble. */
	const struct explained_plan *narrow, *wide;
};

struct explained_line {
	bool is_ours;	   /* we said it */
	struct slice text; /* one line of a reply, too */
};

/* One address that was connected to. */
struct explained_peer {
	struct slice host;
	struct net_addr addr, local;
	bool has_local;	    /* it came to a connection */
	int64_t ms;	    /* until it was ready or had failed */
	const char *reason; /* NULL: it was ready for mail */
	unsigned code;	    /* of a refusal; 0: none */
	struct slice why;   /* for people */
	struct explained_line *lines;
	size_t n_lines;
	bool is_cut; /* more was said than is kept */
	/* What the handshake came to: a JSON value, and lines; or empty. */
	struct slice tls, tls_lines;
	/* "FILE:LINE", and what AUTH would be said with; or empty, and NULL. */
	struct slice account;
	const char *mechanism;
	/* Only if it was ready. */
	struct caps caps; /* what we would make use of */
	struct explained_envelope envelope;
	const struct explained_plan *plan; /* NULL: no message */
	const struct diag *unsuited; /* why it cannot take the mail; or NULL */
};

struct explanation {
	struct slice subject;	 /* as it was asked for */
	bool has_recipient;	 /* it is an address, not only a host */
	bool is_smtputf8_needed; /* by the address */
	const struct diag *bad_recipient; /* NULL: it is good */
	struct slice destination; /* as a job of the scheduler would name it */
	bool is_forced;		  /* -F: whatever it names */
	struct slice offline; /* the file that answers came from; or empty */
	enum dns_mode mode;
	struct dns_check check; /* only if something was asked on the net */
	/* Every answer, as it was given. */
	struct dns_answer *answers;
	size_t n_answers, answers_cap;
	struct route route;
	struct explained_source *sources; /* one each of the route's addrs */
	struct security *security;	  /* decided of each of them; or NULL */
	/* To a server that offers nothing but SMTPUTF8 where it is needed. */
	struct explained_envelope envelope;
	struct explained_content content;
	bool does_connect; /* the peers were to be asked */
	struct explained_peer *peers;
	size_t n_peers, peers_cap;
	const struct diag *failure; /* why delivery cannot be tried; NULL */
	int status;		    /* of the program: 0, 68, 69 or 75 */
	struct arena *arena;
};

/* Empty, with an arena of its own; to be freed. */
struct explanation *explanation_new(void);

/* NULL is allowed. */
void explanation_free(struct explanation *e);

/* ---- printers ------------------------------------------------------------ */

/*
 * The text comes in parts, so that nobody waits in front of an empty screen:
 * who and what is asked; the route; each peer; the end. One fact a line.
 */
void explanation_print_subject(struct str *to, const struct explanation *e);
void explanation_print_answer(struct str *to, const struct dns_answer *answer);
void explanation_print_route(struct str *to, const struct explanation *e);
void explanation_print_peer(struct str *to, const struct explained_peer *peer);
void explanation_print_end(struct str *to, const struct explanation *e);

/* All of it as one JSON document: smtp(8), EXPLAIN. With a newline. */
void explanation_print_json(struct str *to, const struct explanation *e);

/* ---- words that both printers use -----------------------------------------
 */

/* Adds an address, plain, without its port. */
void explained_address(struct str *to, const struct net_addr *addr);
void explained_target(struct str *to, const struct target_address *address);

/* "try", "defer" or "fail": what can be done by the exit status. */
const char *explained_result(int status);

#endif
