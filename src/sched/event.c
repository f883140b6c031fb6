/*
 * event.c - the event log: what happened, as JSON lines (zpost-events(5)).
 *
 * Without a log there is no struct, and a line costs one comparison.
 */
#include "base/json.h"
#include "sched/logfile.h"
#include "sched/sched_internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct sched_events {
	struct logfile *file;
	struct json json;
	time_t second; /* of `date` */
	char date[32]; /* "2026-11-22T02:25:50." */
};

/* ---- lines -------------------------------------------------------------- */

/* Time of day, UTC, as zpost-attempt(5) has it. */
static void add_time(struct sched_events *e)
{
	struct timespec now;
	char text[48];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != e->second || e->date[0] == '\0') {
		gmtime_r(&now.tv_sec, &tm);
		strftime(e->date, sizeof(e->date), "%Y-%m-%dT%H:%M:%S.", &tm);
		e->second = now.tv_sec;
	}
	snprintf(text, sizeof(text), "%s%03dZ", e->date,
		 (int)(now.tv_nsec / 1000000));
	json_text(&e->json, "time", slice_of(text));
}

struct json *sched_event_open(struct sched *s, const char *event)
{
	struct sched_events *e = s->events;

	if (e == NULL)
		return NULL;
	json_begin(&e->json, logfile_buffer(e->file));
	json_object(&e->json, NULL);
	json_text(&e->json, "event", slice_of(event));
	json_uint(&e->json, "schema", 1);
	add_time(e);
	return &e->json;
}

void sched_event_close(struct sched *s)
{
	struct sched_events *e = s->events;

	json_close(&e->json);
	str_addc(logfile_buffer(e->file), '\n');
	logfile_added(e->file, s->base);
}

void sched_event(struct sched *s, const char *event, ...)
{
	struct json *j = sched_event_open(s, event);
	const char *key;
	va_list list;

	if (j == NULL)
		return;
	va_start(list, event);
	while ((key = va_arg(list, const char *)) != NULL)
		json_text_if(j, key, slice_of(va_arg(list, const char *)));
	va_end(list);
	sched_event_close(s);
}

void sched_event_record(struct sched *s, struct slice json)
{
	struct sched_events *e = s->events;

	if (e == NULL)
		return;
	str_add(logfile_buffer(e->file), json);
	str_addc(logfile_buffer(e->file), '\n');
	logfile_added(e->file, s->base);
}

/* ---- begin and end ------------------------------------------------------ */

static void tell_lost(void *context, uint64_t n)
{
	struct json *j = sched_event_open(context, "lost");

	json_uint(j, "lines", n);
	sched_event_close(context);
}

int sched_event_begin(struct sched *s, struct err *err)
{
	struct logfile *file;

	if (s->o->events_file == NULL)
		return 0;
	if (logfile_open("event log", s->o->events_file, &file, err) < 0)
		return -1;
	logfile_on_lost(file, tell_lost, s);
	s->events = mem_zero(1, sizeof(*s->events));
	s->events->file = file;
	return 0;
}

void sched_event_reopen(struct sched *s)
{
	if (s->events != NULL)
		logfile_reopen(s->events->file);
}

struct sched_event_counts sched_event_counts(const struct sched *s)
{
	struct sched_event_counts c = { 0 };

	if (s->events != NULL)
		logfile_counts(s->events->file, &c.lines, &c.lost);
	return c;
}

void sched_event_end(struct sched *s)
{
	if (s->events == NULL)
		return;
	logfile_close(s->events->file);
	free(s->events);
	s->events = NULL;
}
