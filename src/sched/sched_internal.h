/*
 * sched_internal.h - what the scheduler's files share; for room sched alone.
 */
#ifndef SCHED_SCHED_INTERNAL_H
#define SCHED_SCHED_INTERNAL_H

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "conf/schedconf.h"
#include "proc/spawn.h"
#include "queue/queue.h"
#include "sched/sched.h"
#include "spool/ctl.h"
#include "spool/name.h"
#include "taproto/jobline.h"

#include <sys/queue.h>

#include <event2/event.h>

#define uthash_fatal(message) mem_exhausted()
#include <uthash.h>

/* An agent's process. */
struct sched_worker {
	UT_hash_handle hh; /* by id */
	struct sched *sched;
	uint32_t id; /* the queue's */
	struct spawned child;
	struct event *out_event, *in_event; /* what it says; we can write */
	struct str to_write, line;	    /* line: the start of one */
	size_t written;
	bool is_line_cut; /* it is too long: skipped */
	bool is_stopping; /* its input is closed once all is written */
	bool is_killed, has_ended, is_bound;
	int status; /* of waitpid(2) */
	char *name; /* of the program, for the log; owned */
};

/* A control file that cannot be used, of which the log has been told. */
struct sched_aside {
	UT_hash_handle hh;
	char name[];
};

/* A directory that inotify watches. */
struct sched_watch {
	UT_hash_handle hh;
	int id;
	char prefix[8]; /* "", "A/", "A/B/" */
};

/* The configuration in force, and what it lives in. */
struct sched_config {
	struct arena *arena;
	struct schedconf conf;
	struct queue_clause *clauses;
};

/* Since the start. */
struct sched_counts {
	uint64_t results[QUEUE_HELD + 1]; /* by enum queue_outcome */
	uint64_t expired, reports, agents;
};

struct evconnlistener;
struct sched_client;

struct sched {
	const struct sched_options *o;
	struct event_base *base;
	struct queue *queue;
	struct sched_config config, old_config;
	struct sched_worker *workers;
	int postoffice_dir, transport_dir, lock_fd;
	int notify_fd;
	struct sched_watch *watches;
	struct sched_aside *asides;
	struct event *notify_event, *scan_event, *wake_event, *batch_event;
	struct event *signals[5];
	struct str
	    found; /* names that are to be looked at, each ending in LF */
	size_t found_at;
	int64_t clock_offset, clock_gap; /* see sched_now() */
	struct evconnlistener *listener;
	struct str socket_path;
	LIST_HEAD(, sched_client) clients;
	unsigned n_clients;
	struct sched_counts counts;
	int events_fd;
	bool is_ending;
};

/* ---- clock -------------------------------------------------------------- */

/*
 * Milliseconds since 1970 by a clock that never goes back and never jumps: a
 * wrong clock that is set right must not make a queue's mail expire.
 */
int64_t sched_now(struct sched *s);

/* ---- sched.c ------------------------------------------------------------ */

/* Carries out what the queue wants, until it wants nothing. */
void sched_settle(struct sched *s);

/* Reads the configuration again; a bad one leaves all as it is. */
MUST_USE int sched_reload(struct sched *s, struct err *err);

/* ---- control.c: others ask and command ---------------------------------- */

/* Opens the socket; and takes it away. */
MUST_USE int sched_control_begin(struct sched *s, struct err *err);
void sched_control_end(struct sched *s);

/* Tells the service manager, if there is one: "READY=1". */
void sched_tell_manager(const struct sched *s, const char *state);

/* ---- scan.c: which files are there -------------------------------------- */

/* Begins to watch the spool and looks at all of it; and ends that. */
MUST_USE int sched_scan_begin(struct sched *s, struct err *err);
/* Nothing of it is left. */
void sched_scan_end(struct sched *s);

/* Looks at every control file once; those that are known are left alone. */
void sched_scan_all(struct sched *s);

/* ---- intake.c: one file ------------------------------------------------- */

/* A control file that is open, read and understood. */
struct sched_file {
	struct arena *arena;
	struct jobname job;
	const char *path; /* below transport/ */
	int fd;
	struct str text;
	struct ctl ctl;
};

enum sched_opened {
	SCHED_OPENED,
	SCHED_GONE,	  /* there is no such file */
	SCHED_UNREADABLE, /* for now; err says why */
	SCHED_USELESS	  /* not a control file that we can use; err */
};

/* Opens and parses; the caller calls sched_file_close() in any case. */
MUST_USE enum sched_opened sched_file_open(struct sched *s, struct slice name,
					   struct sched_file *ret,
					   struct err *err);
/* Also of one that could not be opened. */
void sched_file_close(struct sched_file *f);
/* The recipient whose `r` is at offset; NULL: there is none. */
const struct ctl_rcpt *sched_file_rcpt(const struct sched_file *f,
				       uint64_t offset);

/* Reads the file of this name and tells the queue of it. */
void sched_look(struct sched *s, struct slice name);

/* Forgets of which files the log has been told. */
void sched_asides_free(struct sched *s);

/* ---- worker.c: processes ------------------------------------------------ */

/* Starts it, or tells the queue that it is gone. */
void sched_worker_start(struct sched *s, const struct queue_action *a);
/* Gives it a job line, as soon as it takes it. */
void sched_worker_feed(struct sched *s, const struct queue_action *a);
/* Asks it to finish: an empty line, and no more input. */
void sched_worker_stop(struct sched *s, uint32_t id);
/* TERM to its process group; the second time KILL. */
void sched_worker_kill(struct sched *s, uint32_t id);

/* Takes the exit status of whoever has ended. */
void sched_workers_reap(struct sched *s);

/* Ends all at once, unasked. */
void sched_workers_free(struct sched *s);

/* ---- answer.c: what agents say ------------------------------------------ */

/* One line of an agent, without its LF. */
void sched_answer(struct sched *s, struct sched_worker *w, struct slice line);

/* ---- finish.c: how messages end ----------------------------------------- */

/* Recipients fail: `d` line, mark, sync; each is settled. */
void sched_expire(struct sched *s, const struct queue_action *a);
/* Their senders are told that they are late. */
void sched_delay(struct sched *s, const struct queue_action *a);
/* What has failed so far is told. */
void sched_report(struct sched *s, struct slice name);
/* All is told, and the files go; or it is done later. */
void sched_finish(struct sched *s, struct slice name);

/* Adds a `d` line and syncs it. */
MUST_USE int sched_add_dline(struct sched_file *f, const struct ctl_rcpt *rcpt,
			     struct slice notary, struct slice message,
			     struct err *err);

/* ---- bounce.c: reports to senders --------------------------------------- */

/* What is to be told of a recipient. */
struct sched_told {
	const struct ctl_rcpt *rcpt;
	size_t dline; /* offset of the `d` line; SIZE_MAX: none */
	int64_t time;
	struct slice notary, message;
};

struct sched_bounce {
	const struct sched_told *told;
	size_t n;
	int64_t until; /* late mail will fail then, Unix time; 0: unknown */
};

/*
 * Queues the reports about these recipients to their senders, as far as they
 * want to hear of it: durable before it returns 0. -1 with err: not all are.
 */
MUST_USE int sched_bounce(struct sched *s, const struct sched_file *f,
			  const struct sched_bounce *b, struct err *err);

/* ---- event.c: what happened --------------------------------------------- */

/* A line of the event log: key and text pairs, ending in NULL. */
void sched_event(struct sched *s, const char *event, ...)
    __attribute__((sentinel));

/* A whole record, made elsewhere. */
void sched_event_record(struct sched *s, struct slice json);

/* Opens the logs that were asked for, and closes them. */
MUST_USE int sched_event_begin(struct sched *s, struct err *err);
/* Closes what was opened. */
void sched_event_end(struct sched *s);

#endif
