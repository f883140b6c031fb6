/*
 * recover.c - end what was begun when the system went down or was killed.
 *
 *	.ready-NAME.M.C		NAME as in an `i` line, M and C lengths
 *	.new-PID-N
 */
#include "spool/recover.h"

#include "base/fd.h"
#include "base/keyword.h"
#include "spool/ctl.h"
#include "spool/name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DIR_FLAGS = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW };
enum { HASH_LEVELS_MAX = 2 };

struct recovery {
	const struct create_office *office;
	int root; /* $POSTOFFICE */
	int64_t now, orphan_age;
	struct recovered done;
};

/* ---- walking ------------------------------------------------------------ */

/* Called for each name in a directory; -1 ends the walk. */
typedef int visit(struct recovery *r, int dir, const char *prefix,
		  const char *name, struct err *err);

static DIR *open_list(int dir, const char *path)
{
	int fd = openat(dir, path, DIR_FLAGS);
	DIR *list = fd >= 0 ? fdopendir(fd) : NULL;

	if (list == NULL)
		fd_close(fd);
	return list;
}

static int walk(struct recovery *r, int dir, const char *prefix, visit *each,
		struct err *err)
{
	DIR *list = open_list(dir, prefix[0] != '\0' ? prefix : ".");
	const struct dirent *entry;
	int code = 0;

	if (list == NULL)
		return FAIL_CODE(err, errno, "reading the spool: %s",
				 strerror(errno));
	while (code == 0 && (errno = 0, entry = readdir(list)) != NULL)
		code = each(r, dir, prefix, entry->d_name, err);
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
static bool is_whole(struct recovery *r, const char *name,
		     const struct ready *ready)
{
	struct str text = STR_INIT;
	struct ctl ctl = { 0 };
	struct arena *a = arena_new();
	bool is = false;
	int fd = -1;

	if (has_size(r->office->transport_dir, name, ready->control_size, true))
		fd = openat(r->office->transport_dir, name,
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

/* Finds the message file, whatever SCHEDULERDIRHASH was; false: nowhere. */
static bool find_message(struct recovery *r, const struct ready *ready,
			 struct str *ret_path)
{
	for (unsigned levels = 0; levels <= HASH_LEVELS_MAX; levels++) {
		str_clear(ret_path);
		jobname_add_hash(ret_path, ready->number, levels);
		str_add(ret_path, ready->name);
		if (has_size(r->office->queue_dir, str_cstr(ret_path),
			     ready->message_size, false))
			return true;
	}
	return false;
}

/* Makes the folders of the path and moves the control file there. */
static int make_visible(const struct recovery *r, const char *name,
			struct str *path)
{
	int dir = r->office->transport_dir;

	for (size_t i = 0; i < path->len; i++)
		if (path->p[i] == '/') {
			path->p[i] = '\0';
			(void)mkdirat(dir, path->p, 0700);
			path->p[i] = '/';
		}
	/* Never replaces; one that is there already is the same file's work. */
	if (linkat(dir, name, dir, str_cstr(path), 0) < 0 && errno != EEXIST)
		return -1;
	return unlinkat(dir, name, 0);
}

static int visit_ready(struct recovery *r, int dir, const char *prefix,
		       const char *name, struct err *err)
{
	struct str path = STR_INIT;
	struct ready ready;
	int code = 0;

	(void)prefix;
	if (!slice_starts(slice_of(name), SLICE(CREATE_READY)))
		return 0;
	if (!parse_ready(slice_of(name), &ready) ||
	    !find_message(r, &ready, &path)) {
		remove_file(r, dir, name);
	} else if (!is_whole(r, name, &ready)) {
		remove_file(r, dir, name);
		remove_file(r, r->office->queue_dir, str_cstr(&path));
	} else if (make_visible(r, name, &path) < 0) {
		code = FAIL_CODE(err, errno, "transport/%s: %s", name,
				 strerror(errno));
	} else {
		r->done.published++;
	}
	str_done(&path);
	return code;
}

/* ---- temporary files ---------------------------------------------------- */

static int visit_temporary(struct recovery *r, int dir, const char *prefix,
			   const char *name, struct err *err)
{
	struct slice rest = slice_of(name), pid;
	uint64_t n;

	(void)prefix;
	(void)err;
	if (!slice_starts(rest, SLICE(CREATE_NEW)))
		return 0;
	rest = slice_from(rest, sizeof(CREATE_NEW) - 1);
	pid = slice_head(rest, slice_find(rest, '-'));
	if (!slice_uint(pid, INT_MAX, &n) || n == 0)
		return 0;
	if ((pid_t)n == getpid() || (kill((pid_t)n, 0) < 0 && errno == ESRCH))
		remove_file(r, dir, name);
	return 0;
}

/* ---- message files without a control file ------------------------------- */

/* Where a control file may lie, or be put aside. */
static bool has_control(const struct recovery *r, const char *path,
			const char *name)
{
	static const char *const aside[] = { "postman", "deferred", "freezer" };
	struct str other = STR_INIT;
	struct stat st;
	bool has;

	has = fstatat(r->office->transport_dir, path, &st,
		      AT_SYMLINK_NOFOLLOW) == 0 ||
	      errno != ENOENT;
	for (size_t i = 0; !has && i < COUNT(aside); i++) {
		str_clear(&other);
		str_addf(&other, "%s/%s", aside[i], name);
		has = fstatat(r->root, str_cstr(&other), &st,
			      AT_SYMLINK_NOFOLLOW) == 0;
	}
	str_done(&other);
	return has;
}

static bool is_hash_folder(const char *name)
{
	return name[0] >= 'A' && name[0] <= 'Z' && name[1] == '\0';
}

static int visit_message(struct recovery *r, int dir, const char *prefix,
			 const char *name, struct err *err)
{
	struct str path = STR_INIT;
	struct stat st;
	int code = 0;

	str_addf(&path, "%s%s", prefix, name);
	if (is_hash_folder(name) && path.len < (size_t)HASH_LEVELS_MAX * 2) {
		str_addc(&path, '/');
		code = walk(r, dir, str_cstr(&path), visit_message, err);
	} else if (ascii_is_digit(name[0]) &&
		   !has_control(r, str_cstr(&path), name) &&
		   fstatat(dir, str_cstr(&path), &st, AT_SYMLINK_NOFOLLOW) ==
		       0 &&
		   S_ISREG(st.st_mode) &&
		   (int64_t)st.st_ctim.tv_sec + r->orphan_age <= r->now) {
		remove_file(r, dir, str_cstr(&path));
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

int spool_recover(const char *postoffice, const struct create_office *o,
		  int64_t orphan_age, struct recovered *ret, struct err *err)
{
	struct recovery r = {
		.office = o,
		.root = open(postoffice, O_PATH | O_DIRECTORY | O_CLOEXEC),
		.now = (int64_t)time(NULL),
		.orphan_age = orphan_age,
	};
	int code = -1;

	if (r.root < 0)
		return FAIL_CODE(err, errno, "%s: %s", postoffice,
				 strerror(errno));
	/* What was staged by a process that was killed is not on disk yet. */
	if (sync_disks(o, err) == 0 &&
	    walk(&r, o->transport_dir, "", visit_ready, err) == 0 &&
	    walk(&r, o->transport_dir, "", visit_temporary, err) == 0 &&
	    walk(&r, o->queue_dir, "", visit_temporary, err) == 0 &&
	    walk(&r, o->queue_dir, "", visit_message, err) == 0 &&
	    sync_disks(o, err) == 0) {
		*ret = r.done;
		code = 0;
	}
	fd_close(r.root);
	return code;
}
