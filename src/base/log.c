/*
 * log.c - the log sink.
 */
#include "base/log.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void to_stderr(void *context, enum log_level level, struct slice line)
{
	struct str out = STR_INIT;

	(void)context;
	(void)level;
	str_adds(&out, "# ");
	str_add(&out, line);
	str_addc(&out, '\n');
	if (fd_write_all(STDERR_FILENO, str_slice(&out)) < 0) {
		/* nobody is left to be told */
	}
	str_done(&out);
}

static struct {
	log_sink *sink;
	void *context;
} log_now = { to_stderr, NULL };

void log_to(log_sink *sink, void *context)
{
	log_now.sink = sink != NULL ? sink : to_stderr;
	log_now.context = sink != NULL ? context : NULL;
}

void log_line(enum log_level level, const char *format, ...)
{
	struct str line = STR_INIT;
	char *text = NULL;
	int saved = errno;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	if (n < 0)
		mem_exhausted();
	str_add_clean(&line, slice_make(text, (size_t)n), SIZE_MAX);
	log_now.sink(log_now.context, level, str_slice(&line));
	str_done(&line);
	free(text);
	errno = saved;
}
