/*
 * sesslog.c - the session log of smtp -l.
 */
#include "smtpta/sesslog.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct sesslog {
	int fd;
	time_t start;
	unsigned count; /* lines; the tag shows it modulo 10000 */
	struct str text;
};

int sesslog_open(const char *file, struct sesslog **ret, struct err *err)
{
	int fd = open(
	    file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
	struct sesslog *log;
	struct tm tm;
	char date[64]; /* an RFC 5322 date has at most 31 bytes */

	if (fd < 0)
		return FAIL(err, "cannot open logfile \"%s\": %s", file,
			    strerror(errno));
	log = mem_zero(1, sizeof(*log));
	log->fd = fd;
	log->start = time(NULL);
	if (localtime_r(&log->start, &tm) != NULL &&
	    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S %z", &tm) > 0)
		sesslog_printf(log, "Start time: %s", date);
	*ret = log;
	return 0;
}

void sesslog_flush(struct sesslog *log)
{
	if (log == NULL || log->text.len == 0)
		return;
	/* A full disk must not stop the mail; the lines are lost. */
	if (fd_write_all(log->fd, str_slice(&log->text)) < 0)
		str_clear(&log->text);
	str_clear(&log->text);
}

void sesslog_close(struct sesslog *log)
{
	if (log == NULL)
		return;
	sesslog_flush(log);
	fd_close(log->fd);
	str_done(&log->text);
	free(log);
}

void sesslog_line(struct sesslog *log, char type, struct slice text)
{
	if (log == NULL)
		return;
	str_addf(&log->text, "%05ld%04X-%04u-%04u%c\t", (long)getpid(),
		 (unsigned)(log->start & 0xffff), log->count++ % 10000,
		 (unsigned)((time(NULL) - log->start) % 10000), type);
	str_add_clean(&log->text, text, SIZE_MAX);
	str_addc(&log->text, '\n');
}

void sesslog_printf(struct sesslog *log, const char *format, ...)
{
	char *said = NULL;
	va_list ap;
	int n;

	if (log == NULL)
		return;
	va_start(ap, format);
	n = vasprintf(&said, format, ap);
	va_end(ap);
	if (n < 0)
		mem_exhausted();
	sesslog_line(log, '#', slice_make(said, (size_t)n));
	free(said);
}
