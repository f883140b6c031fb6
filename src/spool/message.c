/*
 * message.c - the message file: where the body comes from.
 *
 * Read with pread(), never mapped: a file that shrinks must be an error, not
 * a signal.
 */
#include "spool/message.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Why open() failed, if it was not for want of the file. */
static enum message_verdict judge_unopened(const char *path, int code,
					   struct err *err)
{
	struct stat st;

	if (code == ENOENT) {
		err_set(err, code, "%s: %s", path, strerror(code));
		return MESSAGE_MISSING;
	}
	/* A link gives ELOOP here, a socket ENXIO; both can mean others. */
	if ((code == ELOOP || code == ENXIO) && lstat(path, &st) == 0 &&
	    !S_ISREG(st.st_mode)) {
		err_set(err, code, "%s: not a regular file", path);
		return MESSAGE_IRREGULAR;
	}
	err_set(err, code, "%s: %s", path, strerror(code));
	return MESSAGE_UNREADABLE;
}

static enum message_verdict judge_opened(const char *path, uint64_t body_offset,
					 const struct stat *st, struct err *err)
{
	if (!S_ISREG(st->st_mode)) {
		err_set(err, 0, "%s: not a regular file", path);
		return MESSAGE_IRREGULAR;
	}
	if (body_offset > (uint64_t)st->st_size) {
		err_set(err, 0, "%s: body offset %ju beyond its end at %ju",
			path, (uintmax_t)body_offset, (uintmax_t)st->st_size);
		return MESSAGE_UNREADABLE;
	}
	return MESSAGE_OK;
}

enum message_verdict message_open(const char *path, uint64_t body_offset,
				  struct message *ret, struct err *err)
{
	const int flags =
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	enum message_verdict verdict;
	struct stat st;
	int fd = open(path, flags);

	if (fd < 0)
		return judge_unopened(path, errno, err);
	if (fstat(fd, &st) < 0) {
		err_set(err, errno, "%s: %s", path, strerror(errno));
		verdict = MESSAGE_UNREADABLE;
	} else {
		verdict = judge_opened(path, body_offset, &st, err);
	}
	if (verdict != MESSAGE_OK) {
		fd_close(fd);
		return verdict;
	}
	*ret = (struct message){
		.fd = fd,
		.inode = st.st_ino,
		.size = (uint64_t)st.st_size,
		.mtime = st.st_mtim.tv_sec,
		.mtime_ns = st.st_mtim.tv_nsec,
		.body_offset = body_offset,
		.position = body_offset,
	};
	return MESSAGE_OK;
}

/* Reads `want` bytes, no fewer, into `into`. */
static int read_exactly(const struct message *m, char *into, size_t want,
			struct err *err)
{
	size_t got = 0;

	while (got < want) {
		ssize_t n = pread(m->fd, into + got, want - got,
				  (off_t)(m->position + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return FAIL_CODE(err, errno, "message file: %s",
					 strerror(errno));
		if (n == 0)
			return FAIL(err,
				    "message file has shrunk from %ju to at "
				    "most %ju bytes",
				    (uintmax_t)m->size,
				    (uintmax_t)(m->position + got));
		got += (size_t)n;
	}
	return 0;
}

ssize_t message_read(struct message *m, size_t max, struct str *to,
		     struct err *err)
{
	uint64_t left = m->size - m->position;
	size_t want = left < max ? (size_t)left : max, before = to->len;

	str_reserve(to, want);
	if (read_exactly(m, to->p + before, want, err) < 0) {
		str_cut(to, before);
		return -1;
	}
	to->len += want;
	to->p[to->len] = '\0';
	m->position += want;
	return (ssize_t)want;
}

uint64_t message_body_size(const struct message *m)
{
	return m->size - m->body_offset;
}

void message_rewind(struct message *m)
{
	m->position = m->body_offset;
}

void message_close(struct message *m)
{
	if (m->inode > 0) /* a zero one has never been opened */
		fd_close(m->fd);
	m->fd = -1;
}
