/*
 * create.c - put a new message into the spool so that no crash can lose it.
 *
 *	queue/X/INODE		written without a name, then given it
 *	transport/.new-PID-N	written
 *	fsync of queue/X/INODE, of queue/X and of transport/.new-PID-N
 *	transport/X/INODE	renamed to, fsync of transport/X: accepted
 *
 * Where there are no files without a name it is queue/.new-PID-N, renamed.
 * Both files are written before the first wait, and the disk is asked to begin
 * with both, so that a file system's journal is written twice in all.
 *
 * A failure takes the steps back in the opposite order, so that a control
 * file without its message file is never seen.
 *
 * In a group the names are
 *
 *	transport/.staged/.ready-NAME.M.C	written; M and C bytes are in
 *						both
 *	queue/X/INODE				given its name
 *	syncfs, once for all
 *	transport/X/INODE		renamed to: accepted
 *
 * or, if nobody recovers what is staged, transport/.new-PID-N instead, and
 * after a second syncfs it is accepted. What is staged has a directory of its
 * own, since in a small one names cost less, and nobody watches it.
 *
 * File systems write a file's bytes before its size (ext4's data=ordered, XFS,
 * Btrfs), so that files of the lengths in the name are whole.
 */
#include "spool/create.h"

#include "base/fd.h"
#include "spool/ctl.h"
#include "spool/name.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MODE = 0600, DIR_MODE = 0700, TRIES_MAX = 1000 };

enum { DIR_FLAGS = O_RDONLY | O_DIRECTORY | O_CLOEXEC };

/* ---- names -------------------------------------------------------------- */

static const int new_flags =
    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;

/* If we are root: gives the file to the owner of dir. -1 with errno set. */
static int give(int dir, int fd)
{
	struct stat st;

	if (geteuid() != 0)
		return 0;
	if (fstat(dir, &st) < 0)
		return -1;
	return st.st_uid == 0 ? 0 : fchown(fd, st.st_uid, st.st_gid);
}

/* A new file in dir; fd or -1 with errno set. */
static int open_new(int dir, const char *name)
{
	int fd = openat(dir, name, new_flags, FILE_MODE), code;

	if (fd < 0 || give(dir, fd) == 0)
		return fd;
	code = errno;
	fd_close(fd);
	if (unlinkat(dir, name, 0) < 0) {
		/* Left behind it would be clutter, not harm. */
	}
	errno = code;
	return -1;
}

/*
 * Creates a file of a name nobody has, from the serial number on; adds that
 * to *name. fd or -1.
 */
static int open_temporary(int dir, unsigned serial, struct str *name)
{
	int fd = -1;

	for (unsigned n = 0; fd < 0 && n < TRIES_MAX; n++) {
		str_clear(name);
		str_addf(name, CREATE_NEW "%d-%u", (int)getpid(), serial + n);
		fd = open_new(dir, str_cstr(name));
		if (fd < 0 && errno != EEXIST)
			break;
	}
	return fd;
}

/* Is there anything of this name? 1, 0, or -1 with errno set. */
static int exists(int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : -1;
}

/* Fills c->name with a name free in both directories. */
static int choose_name(struct create *c, struct err *err)
{
	for (unsigned n = 0; n < TRIES_MAX; n++) {
		int in_queue, in_transport;

		str_clear(&c->name);
		jobname_add_hash(&c->name, c->inode, c->hash_levels);
		str_addu(&c->name, c->inode);
		if (n > 0)
			str_addf(&c->name, "-%u", n);
		in_queue = exists(c->queue_dir, str_cstr(&c->name));
		if (in_queue < 0)
			return FAIL_CODE(err, errno, "queue/%s: %s",
					 str_cstr(&c->name), strerror(errno));
		in_transport = exists(c->transport_dir, str_cstr(&c->name));
		if (in_transport < 0)
			return FAIL_CODE(err, errno, "transport/%s: %s",
					 str_cstr(&c->name), strerror(errno));
		if (!in_queue && !in_transport)
			return 0;
	}
	return FAIL(err, "queue/%s: no free name", str_cstr(&c->name));
}

struct slice create_base(const struct create *c)
{
	struct slice name = str_slice(&c->name);
	size_t slash = slice_find_last(name, '/');

	return slice_from(name, slash < name.len ? slash + 1 : 0);
}

/* ---- directories -------------------------------------------------------- */

/*
 * To the file system we are the owner of parent meanwhile: a crash never leaves
 * a directory that only root can use. These calls tell of no failure; without
 * the right for them the directory is what it would have been anyway.
 */
int create_dir(int parent, const char *path)
{
	struct stat st = { 0 };
	int r, code;

	if (geteuid() == 0 && fstat(parent, &st) < 0)
		return -1;
	if (st.st_uid != 0) {
		(void)setfsgid(st.st_gid);
		(void)setfsuid(st.st_uid);
	}
	r = mkdirat(parent, path, DIR_MODE);
	code = errno;
	if (st.st_uid != 0) {
		(void)setfsuid(geteuid());
		(void)setfsgid(getegid());
	}
	errno = code;
	return r;
}

/*
 * Opens one hash directory below parent, making it if need be. A new one is
 * synced into its parent before anything is put into it.
 */
static int enter(int parent, char letter)
{
	const char name[] = { letter, '\0' };
	int fd = openat(parent, name, DIR_FLAGS | O_NOFOLLOW);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	if (create_dir(parent, name) < 0 && errno != EEXIST)
		return -1;
	if (fsync(parent) < 0)
		return -1;
	return openat(parent, name, DIR_FLAGS | O_NOFOLLOW);
}

/* Opens the directory that holds root's file `name`; -1 with errno set. */
static int open_parent(int root, struct slice name)
{
	int dir = openat(root, ".", DIR_FLAGS);
	struct slice letter;

	while (dir >= 0 && slice_has(name, '/') &&
	       slice_cut(&name, '/', &letter)) {
		int inner = enter(dir, letter.p[0]);

		fd_close(dir);
		dir = inner;
	}
	return dir;
}

/*
 * Renames without ever replacing. Where the file system cannot do that in
 * one step a link can, and leaves for a moment a second, hidden name.
 */
static int rename_new(int from_dir, const char *from, int to_dir,
		      const char *to)
{
	if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (linkat(from_dir, from, to_dir, to, 0) < 0)
		return -1;
	/* Left behind it would be clutter, not harm. */
	(void)unlinkat(from_dir, from, 0);
	return 0;
}

/* Gives the file a name that there is not yet. */
static int link_new(int fd, int to_dir, const char *to)
{
	struct str path = STR_INIT;
	int r = linkat(fd, "", to_dir, to, AT_EMPTY_PATH);

	if (r == 0 || errno != ENOENT)
		return r;
	/* Who may not do it like that is told that there is nothing. */
	str_addf(&path, "/proc/self/fd/%d", fd);
	r = linkat(AT_FDCWD, str_cstr(&path), to_dir, to, AT_SYMLINK_FOLLOW);
	str_done(&path);
	return r;
}

/*
 * Root's file of this temporary name or, if that is empty, the nameless fd
 * gets a name below root. *ret_linked is set once it is visible.
 */
static int publish(int root, const char *temporary, int fd, struct slice name,
		   bool *ret_linked)
{
	size_t slash = slice_find_last(name, '/');
	bool is_below = slash < name.len;
	const char *base = name.p + (is_below ? slash + 1 : 0);
	int dir = is_below ? open_parent(root, name) : root, r;

	if (dir < 0)
		return -1;
	r = temporary[0] != '\0' ? rename_new(root, temporary, dir, base)
				 : link_new(fd, dir, base);
	if (r == 0)
		*ret_linked = true;
	if (is_below)
		fd_close(dir);
	return r;
}

/* Makes the name durable. */
static int sync_name(int root, struct slice name)
{
	int dir, r;

	if (!slice_has(name, '/'))
		return fsync(root);
	dir = open_parent(root, name);
	r = dir < 0 ? -1 : fsync(dir);
	fd_close(dir);
	return r;
}

static int publish_message(struct create *c)
{
	return publish(c->queue_dir, str_cstr(&c->temporary), c->fd,
		       str_slice(&c->name), &c->is_message_linked);
}

static int publish_control(const struct create *c, const char *temporary,
			   bool *ret_linked)
{
	return publish(c->transport_dir, temporary, -1, str_slice(&c->name),
		       ret_linked);
}

/* ---- the message file --------------------------------------------------- */

static int open_dirs(const char *postoffice, int *queue_dir, int *transport_dir,
		     struct err *err)
{
	int root = open(postoffice, DIR_FLAGS), r = 0;

	if (root < 0)
		return FAIL_CODE(err, errno, "%s: %s", postoffice,
				 strerror(errno));
	*queue_dir = openat(root, "queue", DIR_FLAGS);
	if (*queue_dir < 0)
		r = FAIL_CODE(err, errno, "%s/queue: %s", postoffice,
			      strerror(errno));
	else
		*transport_dir = openat(root, "transport", DIR_FLAGS);
	if (r == 0 && *transport_dir < 0)
		r = FAIL_CODE(err, errno, "%s/transport: %s", postoffice,
			      strerror(errno));
	fd_close(root);
	return r;
}

/* A file without a name, which nobody has to remove; -1: not here. */
static int open_nameless(int dir)
{
	int fd = openat(dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, FILE_MODE);

	if (fd < 0 || give(dir, fd) == 0)
		return fd;
	fd_close(fd);
	return -1;
}

static int open_message(struct create *c, unsigned serial, struct err *err)
{
	struct stat st;

	c->fd = open_nameless(c->queue_dir);
	if (c->fd < 0)
		c->fd = open_temporary(c->queue_dir, serial, &c->temporary);
	if (c->fd < 0 || fstat(c->fd, &st) < 0)
		return FAIL_CODE(err, errno, "queue/%s: %s",
				 str_cstr(&c->temporary), strerror(errno));
	c->inode = st.st_ino;
	return choose_name(c, err);
}

/*
 * Removes a staged control file. Should it be seen after all, under the name
 * it was to have, its message stays.
 */
static void retract_staged(struct create *c)
{
	(void)unlinkat(c->transport_dir, str_cstr(&c->ready), 0);
	if (exists(c->transport_dir, str_cstr(&c->name)) != 0)
		c->is_done = true;
}

/* Closes everything, removes what is not committed. */
static void abandon(struct create *c)
{
	const struct str *name =
	    c->is_message_linked ? &c->name : &c->temporary;

	if (c->ready.len > 0 && !c->is_done)
		retract_staged(c);
	if (name->len > 0 && (c->fd >= 0 || c->is_message_linked) &&
	    !c->is_done)
		(void)unlinkat(c->queue_dir, str_cstr(name), 0);
	fd_close(c->fd);
	if (c->office == NULL) {
		fd_close(c->queue_dir);
		fd_close(c->transport_dir);
	}
	str_done(&c->temporary);
	str_done(&c->name);
	str_done(&c->ready);
	*c = (struct create){ 0 };
}

void create_end(struct create *c)
{
	if (c->name.len > 0)
		abandon(c);
}

int create_begin(const char *postoffice, unsigned hash_levels,
		 struct create *ret, struct err *err)
{
	struct create c = {
		.queue_dir = -1,
		.transport_dir = -1,
		.fd = -1,
		.hash_levels = hash_levels,
	};

	assert(hash_levels <= 2);
	if (open_dirs(postoffice, &c.queue_dir, &c.transport_dir, err) < 0 ||
	    open_message(&c, 0, err) < 0) {
		abandon(&c);
		return -1;
	}
	*ret = c;
	return 0;
}

int create_begin_in(struct create_office *o, struct create *ret,
		    struct err *err)
{
	struct create c = {
		.queue_dir = o->queue_dir,
		.transport_dir = o->transport_dir,
		.fd = -1,
		.office = o,
		.hash_levels = o->hash_levels,
	};

	if (open_message(&c, o->serial++, err) < 0) {
		abandon(&c);
		return -1;
	}
	*ret = c;
	return 0;
}

int create_write(struct create *c, struct slice bytes, struct err *err)
{
	if (fd_write_all(c->fd, bytes) < 0)
		return FAIL_CODE(err, errno, "queue/%s: %s", str_cstr(&c->name),
				 strerror(errno));
	c->size += bytes.len;
	return 0;
}

/* ---- committing --------------------------------------------------------- */

/* Would an agent be able to deliver this? */
static int check_control(const struct create *c, struct slice control,
			 struct err *err)
{
	struct arena *a = arena_new();
	struct ctl ctl = { 0 };
	int r = ctl_parse(control, a, &ctl, err) == CTL_OK ? 0 : -1;

	if (r == 0 && !slice_eq(ctl.message_name, create_base(c)))
		r = FAIL(err, "control file names the message '%.*s'",
			 SLICE_ARG(ctl.message_name));
	if (r == 0 && ctl.body_offset > c->size)
		r = FAIL(err, "control file: body offset beyond the message");
	arena_free(a);
	return r;
}

/*
 * Should a control file that is seen already resist its removal, the message
 * stays as well: sent twice is better than announced and not there.
 */
static void retract_control(struct create *c, bool is_linked,
			    const struct str *temporary)
{
	const struct str *name = is_linked ? &c->name : temporary;

	if (unlinkat(c->transport_dir, str_cstr(name), 0) < 0 && is_linked)
		c->is_done = true;
}

/* The disk may begin; that it has to end is said by fsync(). */
static void begin_writing(int fd)
{
	(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

/* All but the control file's name becomes durable. */
static int sync_files(struct create *c, int control_fd, struct err *err)
{
	if (publish_message(c) < 0)
		return FAIL_CODE(err, errno, "queue/%s: %s", str_cstr(&c->name),
				 strerror(errno));
	begin_writing(c->fd);
	begin_writing(control_fd);
	if (fsync(c->fd) < 0 ||
	    sync_name(c->queue_dir, str_slice(&c->name)) < 0)
		return FAIL_CODE(err, errno, "queue/%s: %s", str_cstr(&c->name),
				 strerror(errno));
	if (fsync(control_fd) < 0)
		return FAIL_CODE(err, errno, "transport/%s: %s",
				 str_cstr(&c->name), strerror(errno));
	return 0;
}

static int commit(struct create *c, struct slice control, struct err *err)
{
	struct str temporary = STR_INIT;
	bool is_linked = false;
	int r = 0;
	int fd = open_temporary(c->transport_dir, 0, &temporary);

	if (fd < 0 || fd_write_all(fd, control) < 0)
		r = FAIL_CODE(err, errno, "transport/%s: %s",
			      str_cstr(&c->name), strerror(errno));
	if (r == 0)
		r = sync_files(c, fd, err);
	if (r == 0 &&
	    (publish_control(c, str_cstr(&temporary), &is_linked) < 0 ||
	     sync_name(c->transport_dir, str_slice(&c->name)) < 0))
		r = FAIL_CODE(err, errno, "transport/%s: %s",
			      str_cstr(&c->name), strerror(errno));
	if (r == 0)
		c->is_done = true;
	else if (fd >= 0)
		retract_control(c, is_linked, &temporary);
	fd_close(fd);
	str_done(&temporary);
	return r;
}

int create_commit(struct create *c, struct slice control, struct err *err)
{
	assert(!c->is_message_linked && !c->is_done);
	return check_control(c, control, err) < 0 ? -1
						  : commit(c, control, err);
}

/* ---- groups ------------------------------------------------------------- */

int create_office_open(const char *postoffice, unsigned hash_levels,
		       struct create_office *ret, struct err *err)
{
	struct create_office o = {
		.queue_dir = -1,
		.transport_dir = -1,
		.hash_levels = hash_levels,
	};
	struct stat queue, transport;

	assert(hash_levels <= 2);
	if (open_dirs(postoffice, &o.queue_dir, &o.transport_dir, err) < 0)
		goto fail;
	if (fstat(o.queue_dir, &queue) < 0 ||
	    fstat(o.transport_dir, &transport) < 0) {
		err_set(err, errno, "%s: %s", postoffice, strerror(errno));
		goto fail;
	}
	o.is_one_disk = queue.st_dev == transport.st_dev;
	*ret = o;
	return 0;
fail:
	create_office_close(&o);
	return -1;
}

void create_office_close(struct create_office *o)
{
	fd_close(o->queue_dir);
	fd_close(o->transport_dir);
	*o = (struct create_office){ .queue_dir = -1, .transport_dir = -1 };
}

int create_office_recovers(struct create_office *o, struct err *err)
{
	int fd, r = 0;

	if (create_dir(o->transport_dir, CREATE_STAGED) < 0 && errno != EEXIST)
		return FAIL_CODE(err, errno, "transport/" CREATE_STAGED ": %s",
				 strerror(errno));
	fd = openat(o->transport_dir, CREATE_STAGED, DIR_FLAGS | O_NOFOLLOW);
	if (fd < 0 || fsync(o->transport_dir) < 0)
		r = FAIL_CODE(err, errno, "transport/" CREATE_STAGED ": %s",
			      strerror(errno));
	fd_close(fd);
	o->is_recovered = r == 0;
	return r;
}

/* Creates the control file under its name for the time of waiting. */
static int open_ready(struct create *c, uint64_t message_size,
		      uint64_t control_size)
{
	if (!c->office->is_recovered)
		return open_temporary(c->transport_dir, c->office->serial++,
				      &c->ready);
	str_addf(&c->ready, CREATE_STAGED "/" CREATE_READY "%.*s.%ju.%ju",
		 SLICE_ARG(create_base(c)), (uintmax_t)message_size,
		 (uintmax_t)control_size);
	return open_new(c->transport_dir, str_cstr(&c->ready));
}

static int write_ready(struct create *c, struct slice control)
{
	int fd = open_ready(c, c->size, control.len), r = -1;

	if (fd < 0)
		str_clear(&c->ready); /* nothing of ours to remove */
	else
		r = fd_write_all(fd, control);
	fd_close(fd);
	return r;
}

int create_stage(struct create *c, struct slice control, struct err *err)
{
	assert(c->office != NULL && !c->is_message_linked && c->ready.len == 0);
	if (check_control(c, control, err) < 0)
		return -1;
	if (write_ready(c, control) < 0)
		return FAIL_CODE(err, errno, "transport/.ready-%.*s: %s",
				 SLICE_ARG(create_base(c)), strerror(errno));
	if (publish_message(c) < 0)
		return FAIL_CODE(err, errno, "queue/%s: %s", str_cstr(&c->name),
				 strerror(errno));
	fd_close(c->fd);
	c->fd = -1;
	return 0;
}

/* One wait for all that was written. */
static int sync_office(const struct create_office *o, struct err *err)
{
	if (syncfs(o->queue_dir) < 0 ||
	    (!o->is_one_disk && syncfs(o->transport_dir) < 0))
		return FAIL_CODE(err, errno, "syncing the spool: %s",
				 strerror(errno));
	return 0;
}

int create_settle(struct create_office *o, struct create **staged, size_t n,
		  struct err *err)
{
	if (sync_office(o, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct create *c = staged[i];

		if (publish_control(c, str_cstr(&c->ready), &c->is_done) < 0)
			err_set(err, errno, "transport/%s: %s",
				str_cstr(&c->name), strerror(errno));
	}
	/* What is seen stays, even if this fails: it may be sent again. */
	return o->is_recovered ? 0 : sync_office(o, err);
}
