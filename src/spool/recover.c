/*
 * recover.c - end what was begun when the system went down or was killed.
 *
 *	.staged/.ready-NAME.M.C	NAME as in an `i` line, M and C lengths
 *
 * The rest is for sweep.c.
 */
#include "spool/recover.h"

#include "base/fd.h"
#include "spool/ctl.h"
#include "spool/name.h"
#include "spool/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIR_FLAGS = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW };
enum { HASH_LEVELS_MAX = 2 };

struct recovery {
	const struct create_office *office;
	struct recovered done;
};

/* ---- walking ------------------------------------------------------------ */

/* Called for each name in a directory; -1 ends the walk. */
typedef int visit(struct recovery *r, int dir, const char *name,
		  struct err *err);

static DIR *open_list(int dir)
{
	int fd = openat(dir, CREATE_STAGED, DIR_FLAGS);
	DIR *list = fd >= 0 ? fdopendir(fd) : NULL;

	if (list == NULL)
		fd_close(fd);
	return list;
}

static int walk(struct recovery *r, visit *each, struct err *err)
{
	DIR *list = open_list(r->office->transport_dir);
	const struct dirent *entry;
	int code = 0;

	if (list == NULL && errno == ENOENT)
		return 0; /* nothing was ever staged */
	if (list == NULL)
		return FAIL_CODE(err, errno, "reading the spool: %s",
				 strerror(errno));
	while (code == 0 && (errno = 0, entry = readdir(list)) != NULL)
		code = each(r, dirfd(list), entry->d_name, err);
	if (code == 0 && errno != 0)
		code = FAIL_CODE(err, errno, "reading the spool: %s",
				 strerror(errno));
	closedir(list);
	return code;
}

static void remove_file(struct recovery *r, int dir, const char *name)
{
	if (unlinkat(dir, name, 0) == 0)
		r->done.removed++;
}

/* ---- staged control files ----------------------------------------------- */

struct ready {
	struct slice name;
	uint64_t number, message_size, control_size;
};

/* Takes the name of a staged control file apart. */
static bool parse_ready(struct slice name, struct ready *ret)
{
	struct jobname job;
	struct slice part;
	size_t dot;

	if (!slice_starts(name, SLICE(CREATE_READY)))
		return false;
	name = slice_from(name, sizeof(CREATE_READY) - 1);
	dot = slice_find_last(name, '.');
	if (!slice_uint(slice_from(name, dot + 1), INT64_MAX,
			&ret->control_size))
		return false;
	name = slice_head(name, dot);
	dot = slice_find_last(name, '.');
	if (!slice_uint(slice_from(name, dot + 1), INT64_MAX,
			&ret->message_size))
		return false;
	part = slice_head(name, dot);
	if (jobname_parse(part, &job, NULL) < 0 || job.prefix.len > 0)
		return false;
	ret->name = part;
	ret->number = job.id;
	return true;
}

/* Is the file there with this length or, with may_be_longer, a greater? */
static bool has_size(int dir, const char *name, uint64_t size,
		     bool may_be_longer)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode))
		return false;
	return (uint64_t)st.st_size == size ||
	       (may_be_longer && (uint64_t)st.st_size > size);
}

/*
 * Can it be delivered? An agent may have worked on it under the name that got
 * lost, and appended to it.
 */
static bool is_whole(int dir, const char *name, const struct ready *ready)
{
	struct str text = STR_INIT;
	struct ctl ctl = { 0 };
	struct arena *a = arena_new();
	bool is = false;
	int fd = -1;

	if (has_size(dir, name, ready->control_size, true))
		fd = openat(dir, name,
			    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0 && fd_read_all(fd, 0, CTL_SIZE_MAX, &text) == 0 &&
	    ctl_parse(str_slice(&text), a, &ctl, NULL) == CTL_OK)
		is = slice_eq(ctl.message_name, ready->name) &&
		     ctl.body_offset <= ready->message_size;
	fd_close(fd);
	arena_free(a);
	str_done(&text);
	return is;
}

/*
 * Was the file at path written before the staged one was? Else it is another
 * message, which has got the number of one that was gone.
 */
static bool is_older(int dir, const char *path, int staged, const char *name)
{
	struct stat message, control;

	if (fstatat(dir, path, &message, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(staged, name, &control, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (message.st_mtim.tv_sec != control.st_mtim.tv_sec)
		return message.st_mtim.tv_sec < control.st_mtim.tv_sec;
	return message.st_mtim.tv_nsec <= control.st_mtim.tv_nsec;
}

/* Finds the message file, whatever SCHEDULERDIRHASH was; false: nowhere. */
static bool find_message(struct recovery *r, const struct ready *ready,
			 int staged, const char *name, struct str *ret_path)
{
	int queue = r->office->queue_dir;

	for (unsigned levels = 0; levels <= HASH_LEVELS_MAX; levels++) {
		str_clear(ret_path);
		jobname_add_hash(ret_path, ready->number, levels);
		str_add(ret_path, ready->name);
		if (has_size(queue, str_cstr(ret_path), ready->message_size,
			     false) &&
		    is_older(queue, str_cstr(ret_path), staged, name))
			return true;
	}
	return false;
}

/* One that is there is good. */
static int make_folder(int dir, const char *path)
{
	return create_dir(dir, path) < 0 && errno != EEXIST ? -1 : 0;
}

/* Makes the folders of the path and moves the control file there. */
static int make_visible(const struct recovery *r, int staged, const char *name,
			struct str *path)
{
	int dir = r->office->transport_dir, made = 0;

	for (size_t i = 0; made == 0 && i < path->len; i++)
		if (path->p[i] == '/') {
			path->p[i] = '\0';
			made = make_folder(dir, path->p);
			path->p[i] = '/';
		}
	if (made < 0)
		return -1;
	/* Never replaces; one that is there already is the same file's work. */
	if (linkat(staged, name, dir, str_cstr(path), 0) < 0 && errno != EEXIST)
		return -1;
	return unlinkat(staged, name, 0);
}

static int visit_ready(struct recovery *r, int dir, const char *name,
		       struct err *err)
{
	struct str path = STR_INIT;
	struct ready ready;
	int code = 0;

	if (!slice_starts(slice_of(name), SLICE(CREATE_READY)))
		return 0;
	if (!parse_ready(slice_of(name), &ready) ||
	    !find_message(r, &ready, dir, name, &path)) {
		remove_file(r, dir, name);
	} else if (!is_whole(dir, name, &ready)) {
		remove_file(r, dir, name);
		remove_file(r, r->office->queue_dir, str_cstr(&path));
	} else if (make_visible(r, dir, name, &path) < 0) {
		code = FAIL_CODE(err, errno, "transport/%s: %s", name,
				 strerror(errno));
	} else {
		r->done.published++;
	}
	str_done(&path);
	return code;
}

/* ------------------------------------------------------------------------- */

static int sync_disks(const struct create_office *o, struct err *err)
{
	if (syncfs(o->queue_dir) < 0 ||
	    (!o->is_one_disk && syncfs(o->transport_dir) < 0))
		return FAIL_CODE(err, errno, "syncing the spool: %s",
				 strerror(errno));
	return 0;
}

/* Temporary files, and message files that nobody knows of. */
static int sweep_all(struct recovery *r, const char *postoffice,
		     int64_t orphan_age, struct err *err)
{
	struct sweep *w = sweep_new(postoffice, orphan_age, err);
	struct swept done = { 0 };
	int code = w != NULL ? sweep_some(w, SIZE_MAX, &done, err) : -1;

	sweep_free(w);
	r->done.removed += done.removed;
	r->done.left = done.left;
	return code;
}

int spool_recover(const char *postoffice, const struct create_office *o,
		  int64_t orphan_age, struct recovered *ret, struct err *err)
{
	struct recovery r = { .office = o };

	/* What was staged by a process that was killed is not on disk yet. */
	if (sync_disks(o, err) < 0 || walk(&r, visit_ready, err) < 0 ||
	    sweep_all(&r, postoffice, orphan_age, err) < 0 ||
	    sync_disks(o, err) < 0)
		return -1;
	*ret = r.done;
	return 0;
}
