/*
 * syslog.h - one line in syslog for each final report, of both agents.
 *
 *	SPOOLID: to=<USER>, delay=HH:MM:SS, xdelay=HH:MM:SS, mailer=CHANNEL,
 *	relay=HOST ([IPINFO]), stat=STATUS MESSAGE cvt=MODE
 *
 * syslog_print() makes the line and is pure; struct syslog is the hand that
 * sends it. It speaks to the daemon's socket itself instead of through
 * syslog(3), which would wait for a daemon that does not read for as long as
 * that takes. Mail never waits for longer than a moment, and never fails,
 * because of syslog: lines are lost then, and how many is told later.
 */
#ifndef AGENT_SYSLOG_H
#define AGENT_SYSLOG_H

#include "base/str.h"
#include "taproto/report.h"

#include <sys/types.h>

/* Where a syslog daemon listens. */
#define SYSLOG_PATH "/dev/log"

enum syslog_form {
	SYSLOG_NONE,	/* nothing is logged */
	SYSLOG_CLASSIC, /* ", " between the fields */
	SYSLOG_TABS	/* a TAB between the fields */
};

/* What SYSLOGFLG means if it is not set. */
#define SYSLOG_FLAGS "T"

/* What SYSLOGFLG asks for; other letters concern other programs. */
enum syslog_form syslog_form_of(struct slice flags);

/* What became of one recipient; all borrowed, nothing need be clean. */
struct syslog_entry {
	struct slice spool_id;	 /* or what else names the message */
	struct slice recipient;	 /* its user part */
	struct slice channel;	 /* its channel */
	int64_t delay;		 /* seconds since the mail arrived */
	int64_t xdelay;		 /* seconds since the attempt began */
	const struct diag *diag; /* host, connection, text, conversion */
	enum report_status status;
	bool has_conversion; /* this agent converts: cvt= is there */
};

/*
 * Adds the line, without a newline. Control bytes are made harmless, '<' and
 * '>' in the recipient too, so that no field can be forged. Fields are cut:
 * user and relay 200 bytes, channel, address and status 80, message 400 (200
 * without relay), never within a character of UTF-8.
 */
void syslog_print(struct str *to, const struct syslog_entry *e,
		  enum syslog_form form);

/* Whom the lines are given to. */
struct syslog_sink {
	enum syslog_form form; /* SYSLOG_NONE: lines are not even made */
	bool has_conversion;
	void (*send)(void *context, struct slice line);
	void *context;
};

struct syslog; /* opaque */

/*
 * A way to the daemon that listens at path; path and ident are borrowed. The
 * socket is opened when it is first needed. Given to the caller.
 */
struct syslog *syslog_new(const char *path, const char *ident, pid_t pid);
void syslog_free(struct syslog *s);

/*
 * Sends one line with facility mail and priority info: one system call, be the
 * daemon's socket for datagrams or a stream, where NUL ends the line. A
 * daemon that is slow is waited for at most SYSLOG_WAIT; then, or without a
 * daemon, lines are dropped for SYSLOG_PAUSE and counted.
 */
void syslog_send(struct syslog *s, struct slice line);

/*
 * The same with another severity, LOG_ERR to LOG_DEBUG of syslog(3), and for
 * somebody who cannot wait: a daemon that is slow loses the line at once.
 */
void syslog_send_as(struct syslog *s, int severity, struct slice line);

/* Milliseconds. */
enum { SYSLOG_WAIT = 200, SYSLOG_PAUSE = 10 * 1000 };

#endif
