/*
 * textfile.c - a configuration file, read whole.
 */
#include "conf/textfile.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int textfile_read(const char *name, size_t max, struct arena *a,
		  struct textfile *ret, struct err *err)
{
	struct str text = STR_INIT;
	struct stat st;
	int r = -1, how = -1;
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 || fstat(fd, &st) < 0 ||
	    (how = fd_read_all(fd, (size_t)st.st_size, max, &text)) < 0) {
		r = FAIL_CODE(err, errno, "cannot open %s: %s", name,
			      strerror(errno));
		goto out;
	}
	if (how > 0) {
		r = FAIL_CODE(err, EFBIG, "%s: larger than %zu bytes", name,
			      max);
		goto out;
	}
	*ret = (struct textfile){ arena_dup(a, str_slice(&text)), name };
	r = 0;
out:
	fd_close(fd);
	str_done(&text);
	return r;
}

bool textfile_line(struct slice *rest, struct slice *ret_line, unsigned *number)
{
	if (!slice_cut(rest, '\n', ret_line))
		return false;
	if (ret_line->len > 0 && ret_line->p[ret_line->len - 1] == '\r')
		ret_line->len--;
	++*number;
	return true;
}
