/*
 * screen.c - the terminal of the live view, keys and signals.
 */
#include "mailqb/screen.h"

#include "base/fd.h"
#include "base/keyword.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { ROWS = 24, COLUMNS = 80 };

/* Nobody is left to be told if the terminal does not take it. */
static void say(const struct mailq_screen *s, struct slice text)
{
	if (fd_write_all(s->out_fd, text) < 0) {
		/* the next key or signal ends us */
	}
}

/* Another screen without a cursor; keys one by one, unseen. */
static void take(struct mailq_screen *s)
{
	struct termios raw = s->saved;

	if (!s->is_full || s->is_taken)
		return;
	s->is_taken = true;
	if (s->in_fd >= 0) {
		raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
		raw.c_cc[VMIN] = 1;
		raw.c_cc[VTIME] = 0;
		(void)tcsetattr(s->in_fd, TCSANOW, &raw);
	}
	say(s, SLICE("\033[?1049h\033[?25l\033[2J"));
}

static void give_back(struct mailq_screen *s)
{
	if (!s->is_taken)
		return;
	s->is_taken = false;
	say(s, SLICE("\033[m\033[?25h\033[?1049l"));
	if (s->in_fd >= 0)
		(void)tcsetattr(s->in_fd, TCSANOW, &s->saved);
}

static int watch(struct mailq_screen *s, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(s->event_fd, EPOLL_CTL_ADD, fd, &e);
}

int mailq_screen_begin(struct mailq_screen *s, int in_fd, int out_fd,
		       bool is_full, struct err *err)
{
	static const int wanted[] = { SIGINT,  SIGTERM, SIGHUP,
				      SIGQUIT, SIGTSTP, SIGWINCH };

	*s = (struct mailq_screen){ .in_fd = -1,
				    .out_fd = out_fd,
				    .is_full = is_full,
				    .signal_fd = -1,
				    .event_fd = -1 };
	sigemptyset(&s->signals);
	for (size_t i = 0; i < COUNT(wanted); i++)
		sigaddset(&s->signals, wanted[i]);
	if (!is_full) /* it stops and goes on as anything else */
		sigdelset(&s->signals, SIGTSTP);
	sigprocmask(SIG_BLOCK, &s->signals, &s->old_signals);
	s->signal_fd = signalfd(-1, &s->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	s->event_fd = epoll_create1(EPOLL_CLOEXEC);
	if (is_full && tcgetattr(in_fd, &s->saved) == 0)
		s->in_fd = in_fd;
	if (s->signal_fd < 0 || s->event_fd < 0 || watch(s, s->signal_fd) < 0 ||
	    (s->in_fd >= 0 && watch(s, s->in_fd) < 0))
		return FAIL_CODE(err, errno, "events: %s", strerror(errno));
	take(s);
	return 0;
}

void mailq_screen_end(struct mailq_screen *s)
{
	give_back(s);
	fd_close(s->signal_fd);
	fd_close(s->event_fd);
	sigprocmask(SIG_SETMASK, &s->old_signals, NULL);
}

int mailq_screen_fd(const struct mailq_screen *s)
{
	return s->event_fd;
}

void mailq_screen_size(const struct mailq_screen *s, unsigned *ret_rows,
		       unsigned *ret_columns)
{
	struct winsize size;

	*ret_rows = ROWS;
	*ret_columns = COLUMNS;
	if (ioctl(s->out_fd, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 &&
	    size.ws_col > 0) {
		*ret_rows = size.ws_row;
		*ret_columns = size.ws_col;
	}
}

/* ^Z: the shell gets its terminal, and we stand still until it lets us. */
static void stop(struct mailq_screen *s)
{
	sigset_t stop_set;

	give_back(s);
	sigemptyset(&stop_set);
	sigaddset(&stop_set, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &stop_set, NULL); /* stops here */
	sigprocmask(SIG_BLOCK, &stop_set, NULL);
	take(s);
}

static enum mailq_event take_signal(struct mailq_screen *s)
{
	struct signalfd_siginfo info;

	if (read(s->signal_fd, &info, sizeof(info)) != sizeof(info))
		return MAILQ_TIME_OVER;
	switch (info.ssi_signo) {
	case SIGWINCH:
		return MAILQ_REDRAW;
	case SIGTSTP:
		stop(s);
		return MAILQ_REDRAW;
	default:
		return MAILQ_QUIT;
	}
}

static enum mailq_event take_key(struct mailq_screen *s)
{
	char key;
	ssize_t n = read(s->in_fd, &key, 1);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return MAILQ_TIME_OVER;
	/* ^D is no key here but the end, as is a terminal that is gone. */
	if (n <= 0 || key == 'q' || key == 'Q' || key == '\004')
		return MAILQ_QUIT;
	return MAILQ_REDRAW;
}

enum mailq_event mailq_screen_wait(struct mailq_screen *s, int ms)
{
	struct pollfd fds[] = {
		{ .fd = s->signal_fd, .events = POLLIN },
		{ .fd = s->in_fd, .events = POLLIN },
	};

	if (poll(fds, 2, ms) <= 0)
		return MAILQ_TIME_OVER;
	if (fds[0].revents != 0)
		return take_signal(s);
	return take_key(s);
}
