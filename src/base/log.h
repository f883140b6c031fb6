/*
 * log.h - the log sink: the one mutable global of the house.
 *
 * Programs' bodies log; rooms below `agent` return what they have to say.
 * prog chooses where lines go; until it does they go to standard error.
 * Each line is made printable first, so that nothing from outside can forge
 * another line or drive a terminal.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/slice.h"

enum log_level {
	LOG_LEVEL_ERROR,   /* something a postmaster must mend */
	LOG_LEVEL_WARNING, /* something a postmaster should know */
	LOG_LEVEL_INFO,	   /* what happened */
	LOG_LEVEL_DEBUG,   /* how it happened; only when asked for */
};

/* Receives one printable line without a newline; borrowed for the call. */
typedef void log_sink(void *context, enum log_level level, struct slice line);

/* Sends lines to sink from now on; NULL: to standard error again. */
void log_to(log_sink *sink, void *context);

/* Logs one line; keeps errno. */
void log_line(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
