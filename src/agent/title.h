/*
 * title.h - progress in the process title (smtp -s), for ps(1).
 *
 *	">" IPINFO SP HOST TEXT			connected
 *	">[" IPINFO "] " HOST SP TEXT		not connected
 *
 * The text is made here; the hand that shows it is given by prog. Without it
 * nothing is made at all.
 */
#ifndef AGENT_TITLE_H
#define AGENT_TITLE_H

#include "base/str.h"

/* Receives a whole title, printable; borrowed for the call. */
typedef void title_show(const char *title);

/* Zero, or with `show` set, is a good title; ends with title_done(). */
struct title {
	title_show *show; /* NULL: nobody looks */
	struct str address, host;
	bool is_connected;
	struct str text; /* the last title */
};

/* Frees what it holds. */
void title_done(struct title *t);

/* Is anybody looking? Saves making texts that nobody sees. */
bool title_is_shown(const struct title *t);

/*
 * Who is spoken to from now on: address as for our own log
 * ("192.0.2.1|25|192.0.2.2|4711"), or empty.
 */
void title_set_peer(struct title *t, struct slice address, struct slice host,
		    bool is_connected);

/* Shows a text, made printable. */
void title_say(struct title *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The whole title; address and host are cut to 30 bytes each. */
void title_print(struct str *to, const struct title *t, struct slice text);

#endif
