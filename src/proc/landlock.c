/*
 * landlock.c - forbid this process, and all that come from it, to write.
 *
 * By bare system calls: no C library has wrappers. The rights that came after
 * the first version have names of ours, since the headers that we are built
 * with may be older than the kernel that we run on, which is asked.
 */
#include "proc/landlock.h"

#include "base/fd.h"
#include "base/keyword.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint64_t right_refer = 1ULL << 13;	   /* version 2, Linux 5.19 */
static const uint64_t right_truncate = 1ULL << 14; /* version 3, Linux 6.2 */

enum { ABI_REFER = 2, ABI_TRUNCATE = 3 };

/* Written to by nearly every program, and nothing is kept by them. */
static const char *const devices[] = { "/dev/null", "/dev/zero", "/dev/full",
				       "/dev/tty", "/dev/pts" };

uint64_t landlock_rights(int abi, bool is_directory)
{
	uint64_t rights = LANDLOCK_ACCESS_FS_WRITE_FILE;

	if (abi >= ABI_TRUNCATE)
		rights |= right_truncate;
	if (!is_directory)
		return rights;
	/* Moving between directories is forbidden unless it is granted. */
	if (abi >= ABI_REFER)
		rights |= right_refer;
	return rights | LANDLOCK_ACCESS_FS_REMOVE_DIR |
	       LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
	       LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
	       LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
	       LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;
}

const char *landlock_gap(int abi)
{
	if (abi >= ABI_TRUNCATE)
		return NULL;
	return "this kernel cannot forbid to truncate files (Linux 6.2 can)";
}

static int version(struct err *err)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
			   LANDLOCK_CREATE_RULESET_VERSION);

	if (abi >= 1)
		return (int)abi;
	return FAIL_CODE(err, errno,
			 "read-only: Landlock is not there, or not enabled, in "
			 "this kernel: %s",
			 strerror(errno));
}

/* Grants all rights below a path; 1 if there is no such path. */
static int grant(int rules, int abi, const char *path, struct err *err)
{
	struct landlock_path_beneath_attr beneath = { 0 };
	struct stat st;
	int fd = open(path, O_PATH | O_CLOEXEC), r = -1, code;

	if (fd >= 0 && fstat(fd, &st) == 0) {
		beneath.parent_fd = fd;
		beneath.allowed_access =
		    landlock_rights(abi, S_ISDIR(st.st_mode));
		r = (int)syscall(SYS_landlock_add_rule, rules,
				 LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
	}
	code = errno;
	fd_close(fd);
	if (r == 0)
		return 0;
	err_set(err, code, "read-write=%s: %s", path, strerror(code));
	return code == ENOENT ? 1 : -1;
}

static int grant_all(int rules, int abi, const char *const *paths, size_t n,
		     struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (grant(rules, abi, paths[i], err) != 0)
			return -1;
	for (size_t i = 0; i < COUNT(devices); i++)
		if (grant(rules, abi, devices[i], err) < 0)
			return -1;
	return 0;
}

int landlock_forbid_writing(const char *const *paths, size_t n,
			    const char **ret_gap, struct err *err)
{
	struct landlock_ruleset_attr attr = { 0 };
	int abi = version(err), rules = -1, r = -1;

	if (abi < 0)
		return -1;
	attr.handled_access_fs = landlock_rights(abi, true);
	/* Only the first member: the struct may have grown in the header. */
	rules = (int)syscall(SYS_landlock_create_ruleset, &attr,
			     sizeof(attr.handled_access_fs), 0);
	if (rules < 0) {
		err_set(err, errno, "read-only: %s", strerror(errno));
		goto out;
	}
	if (grant_all(rules, abi, paths, n, err) < 0)
		goto out;
	if (syscall(SYS_landlock_restrict_self, rules, 0) < 0) {
		err_set(err, errno, "read-only: %s%s",
			errno == EPERM
			    ? "needs root, or no-new-privileges too: "
			    : "",
			strerror(errno));
		goto out;
	}
	*ret_gap = landlock_gap(abi);
	r = 0;
out:
	fd_close(rules);
	return r;
}
