/*
 * event.c - what happened, as JSON lines.
 *
 * Each line is written whole with one call, so that readers and other writers
 * of the file never see a part. Attempt records of agents go in as they came:
 * one schema for all (zpost-attempt(5)).
 */
#include "base/fd.h"
#include "base/json.h"
#include "sched/sched_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

static int open_log(const char *path, int *ret_fd, struct err *err)
{
	const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY;

	*ret_fd = -1;
	if (path == NULL)
		return 0;
	*ret_fd = open(path, flags, 0640);
	if (*ret_fd < 0)
		return FAIL_CODE(err, errno, "%s: %s", path, strerror(errno));
	return 0;
}

int sched_event_begin(struct sched *s, struct err *err)
{
	return open_log(s->o->events_file, &s->events_fd, err);
}

void sched_event_end(struct sched *s)
{
	fd_close(s->events_fd);
	s->events_fd = -1;
}

static void add_time(struct json *j, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct str text = STR_INIT;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	str_addf(&text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
		 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		 tm.tm_min, tm.tm_sec, (int)(ms % 1000));
	json_text(j, "time", str_slice(&text));
	str_done(&text);
}

static void write_line(int fd, struct str *line)
{
	str_addc(line, '\n');
	if (fd_write_all(fd, str_slice(line)) < 0)
		log_line(LOG_LEVEL_WARNING, "event log: %s", strerror(errno));
}

void sched_event(struct sched *s, const char *event, ...)
{
	struct str line = STR_INIT;
	struct json j;
	const char *key;
	va_list list;

	if (s->events_fd < 0)
		return;
	json_begin(&j, &line);
	json_object(&j, NULL);
	json_text(&j, "event", slice_of(event));
	json_uint(&j, "schema", 1);
	add_time(&j, sched_now(s));
	va_start(list, event);
	while ((key = va_arg(list, const char *)) != NULL)
		json_text_if(&j, key, slice_of(va_arg(list, const char *)));
	va_end(list);
	json_close(&j);
	write_line(s->events_fd, &line);
	str_done(&line);
}

void sched_event_record(struct sched *s, struct slice json)
{
	struct str line = STR_INIT;

	if (s->events_fd < 0)
		return;
	str_add(&line, json);
	write_line(s->events_fd, &line);
	str_done(&line);
}
