/*
 * sweep.c - remove what was left in the spool by who died on the way.
 *
 * First transport/ for its temporary files and what is staged, then queue/ with
 * its hash directories for both kinds. Orphans are only noted on the way, and
 * looked at once more when they are removed: a control file may have come
 * meanwhile.
 */
#include "spool/sweep.h"

#include "base/fd.h"
#include "base/keyword.h"
#include "base/mem.h"
#include "base/slice.h"
#include "base/str.h"
#include "spool/create.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DIR_FLAGS = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW };
enum { DEPTH = 3 }; /* queue/, queue/A/, queue/A/B/ */

struct sweep {
	int root, queue_dir, transport_dir;
	int64_t orphan_age, begun;
	DIR *dirs[DEPTH]; /* that are being read, each within the one before */
	char prefix[2 * DEPTH];
	size_t depth; /* of them open */
	bool is_queue, is_walked;
	struct str orphans; /* names, each with a NUL behind it */
	struct str staged;  /* likewise, what .ready- is followed by */
	size_t n_orphans, n_mail, at;
	struct swept done;
};

/* ---- judging ------------------------------------------------------------ */

/* Was it there before the sweep began? */
static bool was_there(const struct sweep *w, int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (int64_t)st.st_ctim.tv_sec < w->begun;
}

/*
 * Is it temporary, and whoever made it dead? Our own number is that of one who
 * had it before us, unless it is a file that we are just writing.
 */
static bool is_stale(const struct sweep *w, int dir, const char *name)
{
	struct slice rest = slice_of(name), pid;
	uint64_t n;

	if (!slice_starts(rest, SLICE(CREATE_NEW)))
		return false;
	rest = slice_from(rest, sizeof(CREATE_NEW) - 1);
	pid = slice_head(rest, slice_find(rest, '-'));
	if (!slice_uint(pid, INT_MAX, &n) || n == 0)
		return false;
	if ((pid_t)n == getpid())
		return was_there(w, dir, name);
	return kill((pid_t)n, 0) < 0 && errno == ESRCH;
}

/* Is a control file of this name staged? Behind the name stand lengths. */
static bool is_staged(const struct sweep *w, struct slice name)
{
	struct slice rest = str_slice(&w->staged), one;

	while (slice_cut(&rest, '\0', &one))
		if (slice_starts(one, name) && one.len > name.len &&
		    one.p[name.len] == '.')
			return true;
	return false;
}

/* Has the message a control file, or was that put aside? */
static bool has_control(const struct sweep *w, const char *path)
{
	static const char *const aside[] = { "postman", "deferred", "freezer" };
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	struct str other = STR_INIT;
	struct stat st;
	bool has =
	    fstatat(w->transport_dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
	    errno != ENOENT || is_staged(w, slice_of(name));

	for (size_t i = 0; !has && i < COUNT(aside); i++) {
		str_clear(&other);
		str_addf(&other, "%s/%s", aside[i], name);
		has = fstatat(w->root, str_cstr(&other), &st,
			      AT_SYMLINK_NOFOLLOW) == 0;
	}
	str_done(&other);
	return has;
}

static bool is_old(const struct sweep *w, const char *path)
{
	struct stat st;

	return fstatat(w->queue_dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) &&
	       (int64_t)st.st_ctim.tv_sec + w->orphan_age <=
		   (int64_t)time(NULL);
}

/* ---- walking ------------------------------------------------------------ */

static int enter(struct sweep *w, int parent, const char *name, struct err *err)
{
	int fd = openat(parent, name, DIR_FLAGS);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (dir == NULL) {
		fd_close(fd);
		return FAIL_CODE(err, errno, "sweeping %s: %s", name,
				 strerror(errno));
	}
	w->dirs[w->depth++] = dir;
	return 0;
}

static bool is_hash_folder(const char *name)
{
	return name[0] >= 'A' && name[0] <= 'Z' && name[1] == '\0';
}

static void remove_file(struct sweep *w, int dir, const char *name)
{
	if (unlinkat(dir, name, 0) == 0)
		w->done.removed++;
}

/* A name in the innermost directory. */
static int visit(struct sweep *w, const char *name, struct err *err)
{
	const struct slice ready = SLICE(CREATE_READY);
	int dir = dirfd(w->dirs[w->depth - 1]);
	struct str path = STR_INIT;

	if (is_stale(w, dir, name)) {
		remove_file(w, dir, name);
	} else if (!w->is_queue && strcmp(name, CREATE_STAGED) == 0) {
		return enter(w, dir, name, err);
	} else if (!w->is_queue && slice_starts(slice_of(name), ready)) {
		str_add(&w->staged, slice_from(slice_of(name), ready.len));
		str_addc(&w->staged, '\0');
		w->done.staged++;
	} else if (w->is_queue && is_hash_folder(name) && w->depth < DEPTH) {
		w->prefix[2 * w->depth - 2] = name[0];
		w->prefix[2 * w->depth - 1] = '/';
		w->prefix[2 * w->depth] = '\0';
		return enter(w, dir, name, err);
	} else if (w->is_queue && ascii_is_digit(name[0])) {
		str_addf(&path, "%s%s", w->prefix, name);
		if (has_control(w, str_cstr(&path))) {
			w->n_mail++;
		} else if (is_old(w, str_cstr(&path))) {
			str_add(&w->orphans, str_slice(&path));
			str_addc(&w->orphans, '\0');
			w->n_orphans++;
		}
	}
	str_done(&path);
	return 0;
}

static void leave(struct sweep *w)
{
	closedir(w->dirs[--w->depth]);
	if (w->depth > 0)
		w->prefix[2 * w->depth - 2] = '\0';
}

/* Looks at one name; is_walked is set behind the last. */
static int walk_one(struct sweep *w, struct err *err)
{
	const struct dirent *entry;

	if (w->depth == 0) {
		w->is_walked = w->is_queue;
		if (w->is_walked)
			return 0;
		w->is_queue = true;
		return enter(w, w->queue_dir, ".", err);
	}
	errno = 0;
	entry = readdir(w->dirs[w->depth - 1]);
	if (entry != NULL)
		return visit(w, entry->d_name, err);
	if (errno != 0)
		return FAIL_CODE(err, errno, "sweeping the spool: %s",
				 strerror(errno));
	leave(w);
	return 0;
}

/* ------------------------------------------------------------------------- */

struct sweep *sweep_new(const char *postoffice, int64_t orphan_age,
			struct err *err)
{
	struct sweep *w = mem_zero(1, sizeof(*w));
	struct timespec now;

	w->orphan_age = orphan_age;
	/* Not time(2), which may be behind the times that files are given. */
	clock_gettime(CLOCK_REALTIME, &now);
	w->begun = (int64_t)now.tv_sec;
	w->queue_dir = w->transport_dir = -1;
	w->root = open(postoffice, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->root >= 0)
		w->queue_dir = openat(w->root, "queue", DIR_FLAGS);
	if (w->queue_dir >= 0)
		w->transport_dir = openat(w->root, "transport", DIR_FLAGS);
	if (w->transport_dir >= 0) {
		if (enter(w, w->transport_dir, ".", err) == 0)
			return w;
	} else {
		err_set(err, errno, "sweeping %s: %s", postoffice,
			strerror(errno));
	}
	sweep_free(w);
	return NULL;
}

void sweep_free(struct sweep *w)
{
	if (w == NULL)
		return;
	while (w->depth > 0)
		leave(w);
	fd_close(w->root);
	fd_close(w->queue_dir);
	fd_close(w->transport_dir);
	str_done(&w->orphans);
	str_done(&w->staged);
	free(w);
}

/* Removes the next of the orphans. */
static void remove_one(struct sweep *w)
{
	const char *path = w->orphans.p + w->at;

	if (!has_control(w, path) && is_old(w, path))
		remove_file(w, w->queue_dir, path);
	w->at += strlen(path) + 1;
}

int sweep_some(struct sweep *w, size_t n, struct swept *ret, struct err *err)
{
	for (; n > 0 && !w->is_walked; n--)
		if (walk_one(w, err) < 0)
			return -1;
	if (!w->is_walked)
		return 1;
	if (w->n_mail == 0 && w->n_orphans > SWEEP_DOUBT) {
		w->done.left = w->n_orphans;
		w->at = w->orphans.len;
	}
	for (; n > 0 && w->at < w->orphans.len; n--)
		remove_one(w);
	if (w->at < w->orphans.len)
		return 1;
	*ret = w->done;
	return 0;
}
