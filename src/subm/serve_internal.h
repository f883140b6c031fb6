/*
 * serve_internal.h - what the service's files share; for them alone.
 */
#ifndef SUBM_SERVE_INTERNAL_H
#define SUBM_SERVE_INTERNAL_H

#include "subm/serve.h"
#include "subm/wire.h"

enum {
	SERVE_READ_MAX = 256 * 1024,
	SERVE_OUT_MAX = 64 * 1024, /* answers that nobody reads */
	SERVE_SLOTS = 2048,
	SERVE_TURN = 256,    /* messages of one user in one round */
	SERVE_ACCEPTS = 256, /* connections in one round */
};

/* The rules as they were read; gone when nobody uses them any more. */
struct serve_rules {
	struct subm_rules r;
	size_t n_users;
};

enum serve_state {
	SERVE_OPTIONS, /* before a message, or in its options */
	SERVE_CONTENT,
	SERVE_CLOSING, /* answers are sent, nothing is read */
};

struct serve_connection {
	size_t slot;
	uint64_t id; /* its slot in the lowest bits; for epoll and answers */
	int fd;
	struct subm_person *person;
	struct serve_rules *rules; /* of the message under way */
	struct subm_site site;	   /* of these, with this user's limits */
	struct arena *a;	   /* the message under way */
	enum serve_state state;
	struct wire wire;
	struct str rest; /* read, but its user's turn was over */
	struct wire_request request;
	struct subm_intake *intake; /* NULL: none, or refused */
	int refused;		    /* exit code of the message under way */
	struct err why;
	struct str out;
	size_t n_waiting;     /* staged, not answered */
	unsigned events;      /* that epoll looks for */
	int64_t heard, begun; /* seconds of the monotonic clock; 0: not */
	struct serve_connection *next_touched;
	bool is_touched;
};

/* A message that ended: staged, or refused and waiting for its turn. */
struct serve_ended {
	uint64_t connection;
	struct subm_intake *intake; /* NULL: refused */
	int code;
	struct str reason; /* of the refusal */
};

struct serve {
	const struct subm_serve_options *o;
	struct serve_rules *rules; /* for the next message */
	struct subm_people people;
	struct subm_person self; /* pays for lines about the service */
	struct create_office office;
	int listener, epoll;
	struct serve_connection *slots[SERVE_SLOTS];
	size_t n_connections, n_slots; /* slots that were ever used */
	struct serve_connection *touched;
	uint64_t last_serial;
	struct serve_ended *ended; /* in the order in which they did */
	size_t n_ended, cap_ended;
	size_t n_begun;	  /* connections within a message */
	size_t n_delayed; /* connections with a rest */
	uint64_t round;	  /* of the loop; turns are counted in it */
	char *buffer;	  /* SERVE_READ_MAX bytes */
	int64_t now;	  /* seconds of the monotonic clock, of this round */
	bool is_full;	  /* no more connections for now */
	int64_t stopping; /* since then; 0: it serves */
};

/* ---- serve.c ------------------------------------------------------------ */

/* Rules that one more, or one less, uses. */
struct serve_rules *serve_rules_use(struct serve_rules *rules);
void serve_rules_drop(struct serve_rules *rules);

/*
 * A line about a user, unless there are too many; NULL: about the service
 * itself, which has its own limit.
 */
void serve_log(struct serve *s, struct subm_person *person, const char *format,
	       ...) __attribute__((format(printf, 3, 4)));

/* ---- serve_connection.c: who is there ----------------------------------- */

/* Lets in who waits, but so many at most, as far as there is room. */
void serve_accept(struct serve *s, size_t most);

/* The one of this id; NULL: it is gone. */
struct serve_connection *serve_find(const struct serve *s, uint64_t id);

/* Reads once what is there, and understands it, unless it is not its turn. */
void serve_read(struct serve *s, struct serve_connection *c);

/* Goes on, in a new round, where turns were over. */
void serve_resume(struct serve *s);

/* It is looked at by the next serve_tend(). */
void serve_touch(struct serve *s, struct serve_connection *c);

/*
 * Sends answers, closes what is done with: of those that were touched, or all,
 * with those that are too slow.
 */
void serve_tend(struct serve *s, bool of_all);

/* The whole connection is refused, which is logged. */
void serve_refuse(struct serve *s, struct serve_connection *c, int code,
		  const char *why);

/* Ends it at once. */
void serve_close(struct serve *s, struct serve_connection *c);

/* ---- serve_message.c: what they say ------------------------------------- */

/* The message under way, if there is one, never was. */
void serve_forget(struct serve *s, struct serve_connection *c);

/* May it begin a message in this round? Whoever floods waits for others. */
bool serve_has_turn(const struct serve *s, const struct serve_connection *c);

/*
 * Takes what was read apart, as long as it is its turn; what is left stays in
 * *bytes. -1, err saying why: it is no protocol.
 */
MUST_USE int serve_take(struct serve *s, struct serve_connection *c,
			struct slice *bytes, struct err *err);

/* Makes all that has ended durable, and answers. */
void serve_settle(struct serve *s);

#endif
