/*
 * sched_internal.h - what the scheduler's files share; for room sched alone.
 */
#ifndef SCHED_SCHED_INTERNAL_H
#define SCHED_SCHED_INTERNAL_H

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "conf/routes.h"
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

/* How much of what an agent says may go into the log. */
struct sched_quota {
	int64_t at; /* since when, ms */
	unsigned n; /* lines since then */
	uint64_t lost;
};

/* How far an agent said it was with a message that takes long. */
struct sched_progress {
	struct str message;   /* empty: it said nothing */
	uint64_t bytes, size; /* size 0: not known */
};

/* An agent's process. */
struct sched_worker {
	UT_hash_handle hh; /* by id */
	struct sched *sched;
	uint32_t id; /* the queue's */
	struct spawned child;
	struct event *out_event, *in_event; /* what it says; we can write */
	struct str to_write, line;	    /* line: the start of one */
	struct sched_worker *next_fed;	    /* of those with lines to write */
	size_t written;
	bool is_line_cut; /* it is too long: skipped */
	bool is_fed;	  /* among those with lines to write */
	bool is_stopping; /* its input is closed once all is written */
	bool is_killed, has_ended, is_bound;
	int status;	    /* of waitpid(2) */
	char *name;	    /* of the program, for the log; owned */
	struct str channel; /* that it serves */
	unsigned row;	    /* of the channel in the metrics */
	int64_t started;    /* ms */
	struct sched_quota quota;
	struct sched_progress progress;
};

/* The name of a control file that cannot be used, and that was logged. */
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

/* The submission service, if it is ours to run. */
struct sched_service {
	struct event *start_event; /* the next try; NULL: it is not ours */
	pid_t pid;		   /* 0: it does not run */
	int64_t started;	   /* by sched_now() */
	unsigned wait;		   /* seconds before the next try */
};

/* The texts of a clause's forms; empty: none. */
struct sched_forms {
	struct slice delivery, expiry;
};

/* The configuration in force, and what it lives in. */
struct sched_config {
	struct arena *arena;
	struct schedconf conf;
	struct queue_clause *clauses;
	const struct routes *routes;
	struct sched_forms *forms; /* of each clause */
	struct slice usual_form;   /* where there is no clause */
};

struct evconnlistener;
struct sched_client;
struct logfile;
struct notary;
struct report;
struct sched_expiries;
struct sched_reports;

struct sched {
	const struct sched_options *o;
	struct event_base *base;
	struct queue *queue;
	struct sched_config config, old_config;
	struct sched_worker *workers, *fed;
	int postoffice_dir, transport_dir, lock_fd;
	/* Whose the spool is; see distrust() in intake.c. */
	uid_t office_uid, transport_uid;
	gid_t transport_gid;
	int notify_fd; /* -1: there is no inotify to be had */
	struct sched_watch *watches;
	bool is_blind; /* not all directories are watched, which was told */
	struct sched_aside *asides, *begun; /* begun: see scan.c */
	struct sweep *sweep;		    /* NULL: it is over */
	struct event *sweep_event;
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
	int64_t started; /* ms */
	struct sched_service service;
	struct sched_expiries *expiries;
	struct sched_reports *reports;
	struct sched_events *events; /* NULL: no event log */
	struct logfile *statistics;  /* NULL: none */
	struct sched_recent *recent; /* the message told of last, or NULL */
	struct sched_metrics *metrics;
	struct sched_scrape *scrape; /* NULL: no HTTP */
	bool is_ending;
};

/* ---- clock -------------------------------------------------------------- */

/*
 * Milliseconds since 1970 by a clock that never goes back and never jumps: a
 * wrong clock that is set right must not make a queue's mail expire.
 */
int64_t sched_now(struct sched *s);

/* The time of day that belongs to a time of that clock. */
int64_t sched_wall(const struct sched *s, int64_t queue_ms);

/*
 * A sign of life: what that clock says, for the next scheduler, as the time of
 * the pid's file.
 */
void sched_beat(struct sched *s);

/* ---- sched.c ------------------------------------------------------------ */

/* Carries out what the queue wants, until it wants nothing. */
void sched_settle(struct sched *s);

/* Reads the configuration again; a bad one leaves all as it is. */
MUST_USE int sched_reload(struct sched *s, struct err *err);

/* ---- control.c: others ask and command ---------------------------------- */

/* Opens the socket; and takes it away. */
void sched_control_begin(struct sched *s);
/* Opens it if that was not possible before. */
void sched_control_listen(struct sched *s);
void sched_control_end(struct sched *s);

/* ---- manager.c ---------------------------------------------------------- */

/* Tells the service manager, if there is one: "READY=1". */
void sched_tell_manager(const struct sched *s, const char *state);

/* ---- scan.c: which files are there -------------------------------------- */

/* Begins to watch the spool and looks at all of it; and ends that. */
void sched_scan_begin(struct sched *s);
/* Nothing of it is left. */
void sched_scan_end(struct sched *s);

/* Looks at every control file once; those that are known are left alone. */
void sched_scan_all(struct sched *s);

/* ---- orphans.c: what nobody will ask for again -------------------------- */

/* Begins to remove it; and ends that, done or not. */
void sched_orphans_begin(struct sched *s);
void sched_orphans_end(struct sched *s);

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
/* The same for a file that was opened before: with fewer system calls. */
MUST_USE enum sched_opened sched_file_reopen(struct sched *s, struct slice name,
					     struct sched_file *ret,
					     struct err *err);
/* Also of one that could not be opened. */
void sched_file_close(struct sched_file *f);
/* The recipient whose `r` is at offset; NULL: there is none. */
const struct ctl_rcpt *sched_file_rcpt(const struct sched_file *f,
				       uint64_t offset);

/* Reads the file of this name and tells the queue of it. */
void sched_look(struct sched *s, struct slice name);

/* The log is told why a file is of no use, once. */
void sched_set_aside(struct sched *s, struct slice name, const char *why);

/* Forgets of which files the log has been told. */
void sched_asides_free(struct sched *s);

/* ---- worker.c: processes ------------------------------------------------ */

/* Starts it, or tells the queue that it is gone. */
void sched_worker_start(struct sched *s, const struct queue_action *a);
/* Gives it a job line, with the next sched_workers_flush(). */
void sched_worker_feed(struct sched *s, const struct queue_action *a);
/* Asks it to finish: an empty line, and no more input. */
void sched_worker_stop(struct sched *s, uint32_t id);
/* Writes the lines that were given, as far as agents take them. */
void sched_workers_flush(struct sched *s);
/* TERM to its process group; the second time KILL. */
void sched_worker_kill(struct sched *s, uint32_t id);

/* Takes the exit status of whoever has ended. */
void sched_workers_reap(struct sched *s);

/* Ends all at once, unasked. */
void sched_workers_free(struct sched *s);

/* ---- service.c: the submission service as a child ----------------------- */

/* Starts it, if the options name its program; it is kept running. */
void sched_service_begin(struct sched *s);
/* Takes its exit status, if it has ended. */
void sched_service_reap(struct sched *s);
/* Has it read its configuration again; one that waits is started now. */
void sched_service_reload(struct sched *s);
/* Asks it to finish what was begun; it is not started again. */
void sched_service_stop(struct sched *s);
/* Ends it at once, unasked. */
void sched_service_end(struct sched *s);

/* ---- answer.c: what agents say ------------------------------------------ */

/* One line of an agent, without its LF; sched_settle() is to follow. */
void sched_answer(struct sched *s, struct sched_worker *w, struct slice line);

/* ---- progress.c --------------------------------------------------------- */

/* Keeps what is said behind "#progress ". False: it is not of that form. */
MUST_USE bool sched_progress_take(struct sched_worker *w, struct slice text);

/* ---- finish.c: how messages end ----------------------------------------- */

/* All of it is done: what is to be told is told, and the files go. */
void sched_finish(struct sched *s, struct slice name);

/* ---- expire.c: whose time is up ----------------------------------------- */

/* A try that the queue remembers; borrowed. */
struct sched_last {
	struct slice status, remote_mta, text;
};

/* Takes it apart: status ^A remote MTA ^A text. */
struct sched_last sched_last_words(struct slice why);

/* Recipients fail: soon they have `d` line and mark, and are settled. */
void sched_expire(struct sched *s, const struct queue_action *a);

/* The list of those is empty to begin with. */
MUST_USE int sched_expiries_begin(struct sched *s, struct err *err);
/* What was not begun is forgotten: its time will still be up. */
void sched_expiries_end(struct sched *s);

/* ---- report.c: what senders are told; see sched/report.h ---------------- */

/*
 * In the delay slot of a recipient: how many times its sender was told of its
 * age, and this more if of a deadline.
 */
enum { SCHED_DELAYS_DEADLINE = 10 };

/* Senders are soon told that these are late. */
void sched_delay(struct sched *s, const struct queue_action *a);
/* What has failed so far is told soon. */
void sched_report(struct sched *s, struct slice name);

/* Nothing is due to begin with. */
MUST_USE int sched_reports_begin(struct sched *s, struct err *err);
/* Writes a last batch; what is left is found at the next start. */
void sched_reports_end(struct sched *s);

/* ---- forms.c: the postmaster's own words -------------------------------- */

/* Reads the forms that the clauses name; those that cannot be are logged. */
void sched_forms_load(struct sched_config *c, const struct zenv *z);

/* ---- told.c ------------------------------------------------------------- */

/* Adds a `d` line and syncs it. */
MUST_USE int sched_add_dline(struct sched_file *f, const struct ctl_rcpt *rcpt,
			     struct slice notary, struct slice message,
			     struct err *err);

/* ---- event.c: what happened, as JSON lines ------------------------------- */

struct json;

/*
 * Begins a line of the event log, with its event, schema and time; NULL: there
 * is no log, and nothing is to be done. What is added to it until
 * sched_event_close() are its members, as zpost-events(5) has them.
 */
MUST_USE struct json *sched_event_open(struct sched *s, const char *event);
void sched_event_close(struct sched *s);

/* A whole line of texts: key and text pairs, ending in NULL; empty: left out.
 */
void sched_event(struct sched *s, const char *event, ...)
    __attribute__((sentinel));

/* A whole record, made elsewhere, and known to be one JSON object. */
void sched_event_record(struct sched *s, struct slice json);

/* Opens the log that was asked for, and closes it. */
MUST_USE int sched_event_begin(struct sched *s, struct err *err);
/* Closes what was opened; what waits is written before. */
void sched_event_end(struct sched *s);
/* Opens it anew, since it may have been rotated. */
void sched_event_reopen(struct sched *s);

struct sched_event_counts {
	uint64_t lines, lost;
};
/* Since the start. */
struct sched_event_counts sched_event_counts(const struct sched *s);

/* ---- tell.c: what happened, to whom it concerns -------------------------- */

/*
 * Each of these writes the line of the event log, counts what metrics show,
 * and writes the statistics line, as far as there is one.
 */

struct stat;

/* A message was found that is new to the queue; st is of its message file. */
void sched_tell_queued(struct sched *s, const struct sched_file *f,
		       const struct stat *st, int64_t arrived);

/* What an agent said became of a recipient. */
struct sched_result {
	const struct sched_worker *worker;
	struct slice name;
	int64_t arrived; /* ms since 1970 */
	unsigned tries;	 /* before this one */
	enum queue_outcome outcome;
	const struct report *report;
	const struct notary *notary;
	struct slice text; /* the last reply, or the agent's words */
};
/* It is counted, and told. */
void sched_tell_result(struct sched *s, const struct sched_result *r);

/* A recipient failed for its age, its deadline or by command; why: what the
 * queue remembers of the last try. */
void sched_tell_expired(struct sched *s, struct slice name, size_t offset,
			enum queue_expiry expiry, struct slice why);

/* All is done, and the files of this message are gone; before the queue
 * forgets it. */
void sched_tell_finished(struct sched *s, struct slice name);

/* What somebody commanded and was done; what is empty or NULL is left out. */
struct sched_command {
	uid_t by;
	const char *word;
	struct slice words;	       /* behind it, if it is of no recipient */
	const struct sched_file *file; /* of the recipient */
	const struct ctl_rcpt *rcpt;
	struct slice as; /* redirected: the new message */
};
/* It is counted, and told. */
void sched_tell_command(struct sched *s, const struct sched_command *c);

/* An agent runs; could not be started, which the log says; is gone. */
void sched_tell_agent_start(struct sched *s, struct sched_worker *w,
			    const struct queue_action *a);
void sched_tell_agent_failed(struct sched *s, const struct queue_action *a);
void sched_tell_agent_end(struct sched *s, const struct sched_worker *w);

/* The submission service was started; or, with a status, it has ended. */
void sched_tell_service(struct sched *s, pid_t pid, const int *status);

/* A destination is suspended, or answers again; context is the sched. */
void sched_tell_news(void *context, const struct queue_news *news);

/* Forgets what it knew of the last message. */
void sched_tell_end(struct sched *s);

/* ---- attempt.c: records of agents ---------------------------------------- */

/* What the scheduler wants of a record; borrowed from it, as it is there. */
struct sched_attempt {
	struct slice site; /* its key; empty: not known */
	int64_t ms;	   /* how long it took; -1: not said */
};

/*
 * Reads a record, whole and strictly (RFC 8259): one object with the event
 * "attempt", in UTF-8, on one line, no name twice. False otherwise, with why.
 */
MUST_USE bool sched_attempt_read(struct slice text, struct sched_attempt *ret,
				 const char **ret_why);

/* ---- statistics.c: the log of -l ----------------------------------------- */

struct sched_statistics {
	struct slice spool_id, channel, host;
	int64_t router_ms, delivery_ms;
	const char *state;
};
/* Adds the line to the file of -l, if there is one. */
void sched_statistics(struct sched *s, const struct sched_statistics *line);
/* Opens the file, if one was asked for. */
MUST_USE int sched_statistics_begin(struct sched *s, struct err *err);

/* ---- metrics.c: numbers for Prometheus ----------------------------------- */

struct sched_metrics;

/* What can become of a recipient, for counts. */
enum sched_fate {
	SCHED_DELIVERED,
	SCHED_FAILED,
	SCHED_DEFERRED,
	SCHED_HELD,
	SCHED_EXPIRED,
	SCHED_DELETED,
	SCHED_FATES
};

/* Nothing has happened yet. Given. */
struct sched_metrics *sched_metrics_new(void);
/* NULL is allowed. */
void sched_metrics_free(struct sched_metrics *m);

/* The row of a channel; there are few, all further ones share the last. */
unsigned sched_metrics_channel(struct sched_metrics *m, struct slice channel);

/* One recipient's fate; status is an enhanced code, or anything; the age in ms
 * counts for SCHED_DELIVERED. */
void sched_metrics_fate(struct sched_metrics *m, unsigned channel,
			enum sched_fate fate, struct slice status, int64_t age);
void sched_metrics_attempt(struct sched_metrics *m, int64_t ms);
/* An agent of a channel begins, or ends: badly, unless it exited with 0. */
void sched_metrics_agent_start(struct sched_metrics *m, unsigned channel);
void sched_metrics_agent_end(struct sched_metrics *m, unsigned channel,
			     bool is_bad);
/* Things that are only counted. */
enum sched_thing {
	SCHED_ARRIVED,	      /* messages found */
	SCHED_FINISHED,	      /* messages done with */
	SCHED_SUSPENDED,      /* destinations, each time */
	SCHED_RESUMED,	      /* likewise */
	SCHED_UNHEARD,	      /* lines of agents that were not understood */
	SCHED_REPORTS_FAILED, /* reports to senders, by kind */
	SCHED_REPORTS_DELAYED,
	SCHED_REPORTS_DELIVERED,
	SCHED_REPORTS_KEPT,  /* reports about reports, or dropped */
	SCHED_SUBMIT_STARTS, /* of the submission service */
	SCHED_SUBMIT_ENDS,   /* of it, unasked */
	SCHED_SCRAPES,
	SCHED_THINGS
};
/* One more of them. */
void sched_metrics_count(struct sched_metrics *m, enum sched_thing thing);

/* Adds all of it, in the text format 0.0.4. */
void sched_metrics_print(struct sched *s, struct str *to);

/* ---- scrape.c: metrics by HTTP ------------------------------------------- */

/* Listens where -O metrics says, if it does; ends that. */
MUST_USE int sched_scrape_begin(struct sched *s, struct err *err);
/* Every connection is closed. */
void sched_scrape_end(struct sched *s);

#endif
