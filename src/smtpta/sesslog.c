/*
 * sesslog.c - the session log of smtp -l.
 */
#include "smtpta/sesslog.h"

#include "base/mem.h"
#include "net/conn.h"
#include "smtpta/appendfile.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct sesslog {
	const char *path;
	struct appendfile *file;
	bool has_failed;
	void (*complain)(void *context, const char *text);
	void *complain_context;
	time_t start;
	unsigned count; /* lines; the tag shows it modulo 10000 */
	struct str text;
};

int sesslog_open(const char *file, struct sesslog **ret, struct err *err)
{
	struct appendfile *f = appendfile_new(file, 0644);
	struct sesslog *log;
	struct tm tm;
	char date[64]; /* an RFC 5322 date has at most 31 bytes */

	if (appendfile_open(f, conn_now(), err) < 0) {
		appendfile_free(f);
		return FAIL_CODE(err, err->code,
				 "cannot open logfile \"%s\": %s", file,
				 strerror(err->code));
	}
	log = mem_zero(1, sizeof(*log));
	log->path = file;
	log->file = f;
	log->start = time(NULL);
	if (localtime_r(&log->start, &tm) != NULL &&
	    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S %z", &tm) > 0)
		sesslog_printf(log, "Start time: %s", date);
	*ret = log;
	return 0;
}

void sesslog_listen(struct sesslog *log,
		    void (*complain)(void *context, const char *text),
		    void *context)
{
	if (log == NULL)
		return;
	log->complain = complain;
	log->complain_context = context;
}

static void tell_trouble(struct sesslog *log, const struct err *why)
{
	struct str text = STR_INIT;

	str_addf(&text, "lines of logfile are lost: %s", why->text);
	log->complain(log->complain_context, str_cstr(&text));
	str_done(&text);
}

void sesslog_flush(struct sesslog *log)
{
	struct err err;
	int r;

	if (log == NULL || log->text.len == 0)
		return;
	r = appendfile_add(log->file, str_slice(&log->text), conn_now(), &err);
	if (r < 0 && !log->has_failed && log->complain != NULL)
		tell_trouble(log, &err);
	log->has_failed = r < 0;
	str_clear(&log->text);
}

void sesslog_close(struct sesslog *log)
{
	if (log == NULL)
		return;
	sesslog_flush(log);
	appendfile_free(log->file);
	str_done(&log->text);
	free(log);
}

static void begin_line(struct sesslog *log, char type)
{
	str_addf(&log->text, "%05ld%04X-%04u-%04u%c\t", (long)getpid(),
		 (unsigned)(log->start & 0xffff), log->count++ % 10000,
		 (unsigned)((time(NULL) - log->start) % 10000), type);
}

void sesslog_line(struct sesslog *log, char type, struct slice text)
{
	if (log == NULL)
		return;
	begin_line(log, type);
	str_add_clean(&log->text, text, SIZE_MAX);
	str_addc(&log->text, '\n');
}

void sesslog_job(struct sesslog *log, struct slice name, struct slice host)
{
	if (log == NULL)
		return;
	begin_line(log, '#');
	str_adds(&log->text, "jobspec: ");
	str_add_clean(&log->text, name, SIZE_MAX);
	str_addc(&log->text, '\t');
	str_add_clean(&log->text, host, SIZE_MAX);
	str_addc(&log->text, '\n');
}

static void add_quoted(struct str *to, const char *key, struct slice value)
{
	str_adds(to, key);
	str_adds(to, "='");
	str_add_clean(to, value, SIZE_MAX);
	str_addc(to, '\'');
}

void sesslog_settled(struct sesslog *log, const struct agent_settled *done,
		     struct slice ta_id)
{
	const struct ctl_address *to = &done->rcpt->address;
	const struct diag *d = done->diag;
	struct notary notary;
	struct str *text;

	if (log == NULL)
		return;
	notary = notary_of_diag(d, to->user, ta_id.len > 0, ta_id);
	text = &log->text;
	begin_line(log, '#');
	add_quoted(text, "DIAG: C", to->channel);
	add_quoted(text, " H", to->host);
	add_quoted(text, " U", to->user);
	add_quoted(text, " P", to->privilege);
	str_addf(text, " ID=%llu/%llu L=0 -- stat='%s",
		 (unsigned long long)done->job->name.id,
		 (unsigned long long)done->rcpt->offset,
		 report_status_word(done->status));
	if (done->status == STATUS_RETRYAT)
		str_addf(text, " +%u", d->retry_after);
	str_adds(text, "' notary='");
	notary_print(text, &notary);
	str_addc(text, '\'');
	add_quoted(text, " WTT", d->remote_mta);
	str_adds(text, "  MSG='");
	report_add_message(text, d->text, SIZE_MAX);
	str_adds(text, "'\n");
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
