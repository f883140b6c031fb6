/*
 * screen.h - the terminal of the live view, keys and signals.
 *
 * Signals come as events, by signalfd(2): nothing happens behind anybody's
 * back, and the terminal is given back on every way out. A stop (^Z) gives it
 * back, too, and takes it again afterwards.
 */
#ifndef MAILQB_SCREEN_H
#define MAILQB_SCREEN_H

#include "base/err.h"
#include "base/slice.h"

#include <signal.h>
#include <termios.h>

struct mailq_screen {
	int in_fd, out_fd; /* in_fd: -1 if it is no terminal */
	bool is_full;	   /* the whole terminal is ours */
	bool is_taken;
	int signal_fd, event_fd;
	sigset_t signals, old_signals;
	struct termios saved;
};

/*
 * Begins: signals become events. is_full: takes the terminal of out_fd; keys
 * are read from in_fd, if that is one. -1, with err. mailq_screen_end() is
 * called in any case.
 */
MUST_USE int mailq_screen_begin(struct mailq_screen *s, int in_fd, int out_fd,
				bool is_full, struct err *err);

/* Gives the terminal and the signals back. */
void mailq_screen_end(struct mailq_screen *s);

enum mailq_event {
	MAILQ_TIME_OVER,
	MAILQ_REDRAW, /* the size has changed, or a key wants it */
	MAILQ_QUIT    /* "q", a signal, or the terminal is gone */
};

/* Waits for at most ms, or until there is an event. 0: only looks. */
enum mailq_event mailq_screen_wait(struct mailq_screen *s, int ms);

/* The terminal's size; 24 lines of 80 if it does not tell. */
void mailq_screen_size(const struct mailq_screen *s, unsigned *ret_rows,
		       unsigned *ret_columns);

/*
 * A descriptor that is readable when there is an event: for waits that must
 * not keep a key waiting.
 */
int mailq_screen_fd(const struct mailq_screen *s);

#endif
