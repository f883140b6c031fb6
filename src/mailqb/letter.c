/*
 * letter.c - the control file of one message of the queue.
 */
#include "mailqb/letter.h"

#include "base/fd.h"
#include "spool/dlines.h"
#include "spool/name.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* Into the desk's text. 1: there is no such file. */
static int read_file(struct mailq_desk *desk, const char *path,
		     struct stat *ret, struct err *err)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = openat(desk->transport_fd, path, flags), r = -1;

	str_clear(&desk->text);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 1;
	if (fd < 0 || fstat(fd, ret) < 0)
		err_set(err, errno, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(ret->st_mode))
		err_set(err, 0, "%s: not a regular file", path);
	else if (fd_read_all(fd, (size_t)ret->st_size, CTL_SIZE_MAX,
			     &desk->text) != 0)
		err_set(err, errno, "%s: too large, or %s", path,
			strerror(errno));
	else
		r = 0;
	fd_close(fd);
	return r;
}

/* Size and time of the message file; of the control file, if there is none. */
static void look_at_message(struct mailq_desk *desk, const struct jobname *job,
			    const struct stat *control, struct mailq_message *m)
{
	const char *path;
	struct stat st;

	if (jobname_message_path(job, m->ctl->message_name, desk->arena, &path,
				 NULL) == 0 &&
	    fstatat(desk->transport_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		m->size = (uint64_t)st.st_size;
		m->inode = st.st_ino;
		m->mtime = st.st_mtim.tv_sec;
		m->mtime_ns = st.st_mtim.tv_nsec;
		m->arrived = m->mtime > 0 ? m->mtime : 0;
	} else if (m->arrived == 0) {
		m->arrived = control->st_mtim.tv_sec;
	}
}

enum mailq_letter mailq_letter_read(struct mailq_desk *desk, struct slice name,
				    struct mailq_message *m, struct err *err)
{
	const char *path = arena_cstr(desk->arena, name);
	struct ctl *ctl = ARENA_NEW(desk->arena, struct ctl);
	enum ctl_verdict verdict;
	struct jobname job;
	struct stat st;
	int r;

	if (jobname_parse(slice_of(path), &job, err) < 0)
		return MAILQ_LETTER_SKIPPED;
	r = read_file(desk, path, &st, err);
	if (r != 0)
		return r > 0 ? MAILQ_LETTER_GONE : MAILQ_LETTER_SKIPPED;
	verdict = ctl_parse(str_slice(&desk->text), desk->arena, ctl, err);
	if (verdict != CTL_OK) {
		if (verdict == CTL_REFUSED)
			err_set(err, 0, "%s: %s", path, err->text);
		else
			err_set(err, 0, "%s: not a control file", path);
		return MAILQ_LETTER_SKIPPED;
	}
	m->name = job.name;
	m->ctl = ctl;
	m->text = str_slice(&desk->text);
	m->has_file = true;
	if (ctl->n_rcpts > 0 && !ctl->rcpts[0].sender->is_null)
		m->sender = ctl->rcpts[0].sender->address.user;
	look_at_message(desk, &job, &st, m);
	return MAILQ_LETTER_READ;
}

enum mailq_state mailq_letter_state(char tag)
{
	switch (tag) {
	case CTL_TAG_TODO:
		return MAILQ_QUEUED;
	case CTL_TAG_LOCKED:
		return MAILQ_BUSY;
	case CTL_TAG_DONE:
		return MAILQ_DELIVERED;
	case CTL_TAG_FAILED:
		return MAILQ_FAILED;
	default: /* as the scheduler takes it */
		return MAILQ_HELD;
	}
}

const struct ctl_rcpt *mailq_letter_line(const struct ctl *ctl, uint64_t offset)
{
	size_t low = 0, high = ctl->n_rcpts;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (ctl->rcpts[mid].offset < offset)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < ctl->n_rcpts && ctl->rcpts[low].offset == offset)
		return &ctl->rcpts[low];
	return NULL;
}

void mailq_letter_rcpts(struct mailq_desk *desk, struct mailq_message *m)
{
	m->rcpts =
	    arena_array(desk->arena, m->ctl->n_rcpts + 1, sizeof(*m->rcpts));
	m->n_rcpts = m->ctl->n_rcpts;
	for (size_t i = 0; i < m->n_rcpts; i++) {
		const struct ctl_rcpt *line = &m->ctl->rcpts[i];

		m->rcpts[i] = (struct mailq_rcpt){
			.offset = line->offset,
			.address = line->address.user,
			.channel = line->address.channel,
			.host = line->address.host,
			.state = mailq_letter_state(line->tag),
			.line = line,
			.from = line->sender,
		};
	}
}
