/*
 * scan.c - find control files: by inotify at once, by a slow look for what was
 * missed.
 *
 * A control file appears by a rename, or by its last close; both are seen. Of
 * closes only those of files count that were created under their name or could
 * not be used before: agents close the files of all messages. Names go to a
 * list, which is worked off some at a time, so that a spool of a million files
 * does not keep agents waiting for answers. Hash directories are watched as
 * they appear.
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

enum {
	BATCH = 200, /* files before agents are listened to again */
	NEW = '!'    /* before a name in the list: it appeared just now */
};

static bool is_hash_dir(struct slice name)
{
	return name.len == 1 && name.p[0] >= 'A' && name.p[0] <= 'Z';
}

/* ---- the list ----------------------------------------------------------- */

/* No line of an agent can hold it, nor the list. */
static void refuse_name(struct sched *s, const char *prefix, struct slice name)
{
	struct str whole = STR_INIT, why = STR_INIT;

	str_adds(&whole, prefix);
	str_add(&whole, name);
	str_add_clean(&why, str_slice(&whole), SIZE_MAX);
	str_adds(&why, ": a control byte in its name");
	sched_set_aside(s, str_slice(&whole), str_cstr(&why));
	str_done(&why);
	str_done(&whole);
}

/*
 * Remembers to look at a file; its name begins with a digit. Of one that is
 * new we may know another that had its name.
 */
static void find_name(struct sched *s, const char *prefix, struct slice name,
		      bool is_new)
{
	if (name.len == 0 || !ascii_is_digit(name.p[0]))
		return;
	if (slice_has_control(name)) {
		refuse_name(s, prefix, name);
		return;
	}
	if (s->found.len == s->found_at)
		event_active(s->batch_event, EV_TIMEOUT, 0);
	if (is_new)
		str_addc(&s->found, NEW);
	str_adds(&s->found, prefix);
	str_add(&s->found, name);
	str_addc(&s->found, '\n');
}

/* ---- files that are written in place ------------------------------------- */

static void begin_file(struct sched *s, struct slice name)
{
	struct sched_aside *x;

	HASH_FIND(hh, s->begun, name.p, name.len, x);
	if (x != NULL)
		return;
	x = mem_zero(1, sizeof(*x) + name.len);
	memcpy(x->name, name.p, name.len);
	HASH_ADD(hh, s->begun, name, name.len, x);
}

/* Is the file that was closed to be looked at? */
static bool is_news(struct sched *s, struct slice name)
{
	struct sched_aside *x;

	HASH_FIND(hh, s->begun, name.p, name.len, x);
	if (x == NULL) {
		HASH_FIND(hh, s->asides, name.p, name.len, x);
		return x != NULL;
	}
	HASH_DELETE(hh, s->begun, x);
	free(x);
	return true;
}

static void forget_begun(struct sched *s)
{
	struct sched_aside *x = s->begun, *next;

	HASH_CLEAR(hh, s->begun);
	for (; x != NULL; x = next) {
		next = x->hh.next;
		free(x);
	}
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
		bool is_new;

		(void)slice_cut(&rest, '\n', &name);
		s->found_at += name.len + 1;
		is_new = name.p[0] == NEW;
		str_add(&copy, slice_from(name, is_new));
		if (is_new || !queue_has(s->queue, str_slice(&copy)))
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

/* Told once: there may be hundreds of them, and that every minute. */
static void tell_blind(struct sched *s, const char *path, int code)
{
	if (!s->is_blind)
		log_line(LOG_LEVEL_WARNING,
			 "%s: cannot be watched (%s): new mail there, and "
			 "perhaps elsewhere, waits for the next look, every "
			 "%u s; see fs.inotify in sysctl",
			 path, strerror(code), s->o->scan_seconds);
	s->is_blind = true;
}

/* Watches the directory of this prefix, if that is not done yet. */
static void watch(struct sched *s, const char *prefix)
{
	struct sched_watch *w;
	struct str path = STR_INIT;
	int id;

	if (s->notify_fd < 0)
		return;
	str_addf(&path, "%s/transport/%s", s->o->postoffice, prefix);
	id = inotify_add_watch(s->notify_fd, str_cstr(&path),
			       IN_MOVED_TO | IN_CLOSE_WRITE | IN_CREATE |
				   IN_ONLYDIR);
	if (id < 0) {
		tell_blind(s, str_cstr(&path), errno);
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
	while ((errno = 0, entry = readdir(dir)) != NULL) {
		struct slice name = slice_of(entry->d_name);

		if (is_hash_dir(name) && len < 4) {
			memcpy(inner, prefix, len);
			inner[len] = name.p[0];
			inner[len + 1] = '/';
			inner[len + 2] = '\0';
			scan_dir(s, inner);
		} else {
			find_name(s, prefix, name, false);
		}
	}
	if (errno != 0)
		log_line(LOG_LEVEL_ERROR, "transport/%s: %s", prefix,
			 strerror(errno));
	closedir(dir);
}

void sched_scan_all(struct sched *s)
{
	forget_begun(s); /* who still writes is found the next time */
	scan_dir(s, "");
}

/* ---- inotify ------------------------------------------------------------ */

/* Something happened to a file, not to a directory. */
static void on_file(struct sched *s, const struct sched_watch *w,
		    struct slice name, uint32_t mask)
{
	struct str whole = STR_INIT;

	if ((mask & IN_MOVED_TO) != 0) {
		find_name(s, w->prefix, name, true);
		return;
	}
	if (name.len == 0 || !ascii_is_digit(name.p[0]))
		return;
	str_adds(&whole, w->prefix);
	str_add(&whole, name);
	if ((mask & IN_CREATE) != 0)
		begin_file(s, str_slice(&whole));
	else if (is_news(s, str_slice(&whole)))
		find_name(s, w->prefix, name, false);
	str_done(&whole);
}

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
	} else if ((e->mask & (IN_MOVED_TO | IN_CLOSE_WRITE | IN_CREATE)) !=
		   0) {
		on_file(s, w, name, e->mask);
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
	sched_beat(s);
	if (s->found.len == 0) /* the last look is over */
		sched_scan_all(s);
}

void sched_scan_begin(struct sched *s)
{
	struct timeval period = { (time_t)s->o->scan_seconds, 0 };

	s->batch_event = event_new(s->base, -1, 0, on_batch, s);
	s->scan_event = event_new(s->base, -1, EV_PERSIST, on_slow_scan, s);
	if (s->batch_event == NULL || s->scan_event == NULL)
		mem_exhausted();
	event_add(s->scan_event, &period);
	s->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (s->notify_fd < 0) {
		tell_blind(s, "transport", errno);
	} else {
		s->notify_event = event_new(s->base, s->notify_fd,
					    EV_READ | EV_PERSIST, on_notify, s);
		if (s->notify_event == NULL)
			mem_exhausted();
		event_add(s->notify_event, NULL);
	}
	sched_scan_all(s);
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
	forget_begun(s);
	str_done(&s->found);
}
