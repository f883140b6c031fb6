/*
 * scan.c - find control files: by inotify at once, by a slow look for what was
 * missed.
 *
 * A control file appears by a rename, or by its last close; both are seen. Its
 * name goes to a list, which is worked off some names at a time, so that a
 * spool of a million files does not keep agents waiting for answers. Hash
 * directories are watched as they appear.
 */
#include "base/fd.h"
#include "sched/sched_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { BATCH = 200 /* files before agents are listened to again */ };

static bool is_hash_dir(struct slice name)
{
	return name.len == 1 && name.p[0] >= 'A' && name.p[0] <= 'Z';
}

/* ---- the list ----------------------------------------------------------- */

/* Remembers to look at a file; its name begins with a digit. */
static void find_name(struct sched *s, const char *prefix, struct slice name)
{
	if (name.len == 0 || !ascii_is_digit(name.p[0]) ||
	    slice_has_control(name))
		return;
	if (s->found.len == s->found_at)
		event_active(s->batch_event, EV_TIMEOUT, 0);
	str_adds(&s->found, prefix);
	str_add(&s->found, name);
	str_addc(&s->found, '\n');
}

static void on_batch(evutil_socket_t fd, short what, void *context)
{
	struct sched *s = context;

	(void)fd;
	(void)what;
	for (int i = 0; i < BATCH && s->found_at < s->found.len; i++) {
		struct slice rest =
				 slice_from(str_slice(&s->found), s->found_at),
			     name;
		struct str copy = STR_INIT;

		(void)slice_cut(&rest, '\n', &name);
		s->found_at += name.len + 1;
		str_add(&copy, name);
		if (!queue_has(s->queue, str_slice(&copy)))
			sched_look(s, str_slice(&copy));
		str_done(&copy);
	}
	if (s->found_at > s->found.len / 2) {
		str_shift(&s->found, s->found_at);
		s->found_at = 0;
	}
	if (s->found_at < s->found.len) {
		event_active(s->batch_event, EV_TIMEOUT, 0);
	}
	sched_settle(s);
}

/* ---- directories -------------------------------------------------------- */

/* Watches the directory of this prefix, if that is not done yet. */
static void watch(struct sched *s, const char *prefix)
{
	struct sched_watch *w;
	struct str path = STR_INIT;
	int id;

	str_addf(&path, "%s/transport/%s", s->o->postoffice, prefix);
	id = inotify_add_watch(s->notify_fd, str_cstr(&path),
			       IN_MOVED_TO | IN_CLOSE_WRITE | IN_CREATE |
				   IN_ONLYDIR);
	if (id < 0) {
		log_line(LOG_LEVEL_WARNING,
			 "%s: cannot be watched (%s): new mail there waits "
			 "for the next look, every %u s",
			 str_cstr(&path), strerror(errno), s->o->scan_seconds);
		goto out;
	}
	HASH_FIND(hh, s->watches, &id, sizeof(id), w);
	if (w == NULL) {
		w = mem_zero(1, sizeof(*w));
		w->id = id;
		memcpy(w->prefix, prefix, strlen(prefix) + 1);
		HASH_ADD(hh, s->watches, id, sizeof(w->id), w);
	}
out:
	str_done(&path);
}

/* Reads a directory; hash directories in it, two levels deep, likewise. */
static void scan_dir(struct sched *s, const char *prefix)
{
	char inner[8];
	struct dirent *entry;
	size_t len = strlen(prefix);
	int fd = openat(s->transport_dir, len > 0 ? prefix : ".",
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (dir == NULL) {
		log_line(LOG_LEVEL_ERROR, "transport/%s: %s", prefix,
			 strerror(errno));
		fd_close(fd);
		return;
	}
	watch(s, prefix);
	while ((entry = readdir(dir)) != NULL) {
		struct slice name = slice_of(entry->d_name);

		if (is_hash_dir(name) && len < 4) {
			memcpy(inner, prefix, len);
			inner[len] = name.p[0];
			inner[len + 1] = '/';
			inner[len + 2] = '\0';
			scan_dir(s, inner);
		} else {
			find_name(s, prefix, name);
		}
	}
	closedir(dir);
}

void sched_scan_all(struct sched *s)
{
	scan_dir(s, "");
}

/* ---- inotify ------------------------------------------------------------ */

static void on_change(struct sched *s, const struct inotify_event *e)
{
	struct sched_watch *w;
	struct slice name = slice_of(e->len > 0 ? e->name : "");
	struct str prefix = STR_INIT;

	if ((e->mask & IN_Q_OVERFLOW) != 0) {
		log_line(LOG_LEVEL_WARNING,
			 "more changes than the kernel keeps: looking at all");
		sched_scan_all(s);
		return;
	}
	HASH_FIND(hh, s->watches, &e->wd, sizeof(e->wd), w);
	if (w == NULL)
		return;
	if ((e->mask & IN_IGNORED) != 0) { /* the directory is gone */
		HASH_DELETE(hh, s->watches, w);
		free(w);
		return;
	}
	if ((e->mask & IN_ISDIR) != 0) {
		str_addf(&prefix, "%s%.*s/", w->prefix, SLICE_ARG(name));
		if (is_hash_dir(name) && strlen(w->prefix) < 4)
			scan_dir(s, str_cstr(&prefix));
	} else if ((e->mask & (IN_MOVED_TO | IN_CLOSE_WRITE)) != 0) {
		find_name(s, w->prefix, name);
	}
	str_done(&prefix);
}

static void on_notify(evutil_socket_t fd, short what, void *context)
{
	static _Alignas(struct inotify_event) char buffer[64 * 1024];
	struct sched *s = context;
	ssize_t n = read(fd, buffer, sizeof(buffer));

	(void)what;
	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *e = (void *)(buffer + at);

		at += (ssize_t)sizeof(*e) + (ssize_t)e->len;
		on_change(s, e);
	}
}

static void on_slow_scan(evutil_socket_t fd, short what, void *context)
{
	struct sched *s = context;

	(void)fd;
	(void)what;
	if (s->found.len == 0) /* the last look is over */
		sched_scan_all(s);
}

int sched_scan_begin(struct sched *s, struct err *err)
{
	struct timeval period = { (time_t)s->o->scan_seconds, 0 };

	s->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (s->notify_fd < 0)
		return FAIL_CODE(err, errno, "inotify: %s", strerror(errno));
	s->notify_event = event_new(s->base, s->notify_fd, EV_READ | EV_PERSIST,
				    on_notify, s);
	s->batch_event = event_new(s->base, -1, 0, on_batch, s);
	s->scan_event = event_new(s->base, -1, EV_PERSIST, on_slow_scan, s);
	if (s->notify_event == NULL || s->batch_event == NULL ||
	    s->scan_event == NULL)
		mem_exhausted();
	event_add(s->notify_event, NULL);
	event_add(s->scan_event, &period);
	sched_scan_all(s);
	return 0;
}

void sched_scan_end(struct sched *s)
{
	struct sched_watch *w = s->watches, *next;

	HASH_CLEAR(hh, s->watches);
	for (; w != NULL; w = next) {
		next = w->hh.next;
		free(w);
	}
	if (s->notify_event != NULL)
		event_free(s->notify_event);
	if (s->batch_event != NULL)
		event_free(s->batch_event);
	if (s->scan_event != NULL)
		event_free(s->scan_event);
	s->notify_event = s->batch_event = s->scan_event = NULL;
	fd_close(s->notify_fd);
	s->notify_fd = -1;
	str_done(&s->found);
}
