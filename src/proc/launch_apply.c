/*
 * launch_apply.c - do to this process what the words of zlaunch ask for.
 *
 * The order of the steps matters. Names are looked up first, while the name
 * service can still be reached. Namespaces, Landlock and a better niceness
 * need root, so ids come behind them, and groups before the group before the
 * user, since each step takes away the right to the one before. What belongs
 * to the new user (the count of processes, the way into the directory) comes
 * behind the ids. Memory is last: nothing more can be asked for then.
 */
#include "proc/launch_internal.h"

#include "base/fd.h"
#include "base/keyword.h"
#include "base/mem.h"
#include "proc/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whose ids the process is to have; is_set is false without user and group. */
struct ids {
	bool is_set;
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* supplementary; owned */
	size_t n_groups;
};

/* FAIL for a word: "WORD: reason". */
static int fail_word(struct err *err, const char *name, const char *value)
{
	int code = errno;

	return FAIL_CODE(err, code, "%s%s%s: %s", name,
			 value != NULL ? "=" : "", value != NULL ? value : "",
			 strerror(code));
}

/* ---- who --------------------------------------------------------------- */

/* errno after a look-up that found nothing: 0 and these mean just that. */
static int fail_lookup(struct err *err, const char *name, const char *value)
{
	switch (errno) {
	case 0:
	case ENOENT:
	case ESRCH:
	case EBADF:
	case EPERM:
		return FAIL(err, "%s=%s: there is no such %s", name, value,
			    name);
	default:
		return fail_word(err, name, value);
	}
}

/* All groups that the user belongs to, gid among them. */
static void find_groups(struct ids *ids, const char *user)
{
	int n = 0;

	getgrouplist(user, ids->gid, NULL, &n);
	do {
		free(ids->groups);
		ids->groups = mem_zero((size_t)n + 1, sizeof(*ids->groups));
	} while (getgrouplist(user, ids->gid, ids->groups, &n) < 0);
	ids->n_groups = (size_t)n;
}

static int find_group(const struct launch_plan *p, struct ids *ids,
		      struct err *err)
{
	const struct group *group;
	uint64_t number;

	if (p->group == NULL)
		return 0;
	if (slice_uint(slice_of(p->group), UINT32_MAX - 1, &number)) {
		ids->gid = (gid_t)number;
		return 0;
	}
	errno = 0;
	group = getgrnam(p->group);
	if (group == NULL)
		return fail_lookup(err, "group", p->group);
	ids->gid = group->gr_gid;
	return 0;
}

/* A number that nobody has is good too, if the group is given as well. */
static int find_user(const struct launch_plan *p, struct ids *ids,
		     const struct passwd **ret, struct err *err)
{
	uint64_t number;
	bool is_number = slice_uint(slice_of(p->user), UINT32_MAX - 1, &number);

	errno = 0;
	*ret = is_number ? getpwuid((uid_t)number) : getpwnam(p->user);
	if (*ret == NULL && !is_number)
		return fail_lookup(err, "user", p->user);
	if (*ret == NULL && p->group == NULL)
		return FAIL(err,
			    "user=%s: nobody has this number, so that a group "
			    "must be given too",
			    p->user);
	ids->uid = *ret != NULL ? (*ret)->pw_uid : (uid_t)number;
	if (*ret != NULL)
		ids->gid = (*ret)->pw_gid;
	return 0;
}

static int find_ids(const struct launch_plan *p, struct ids *ids,
		    struct err *err)
{
	const struct passwd *user = NULL;

	ids->is_set = p->user != NULL || p->group != NULL;
	ids->uid = getuid();
	if (!ids->is_set)
		return 0;
	if (getuid() != 0 || geteuid() != 0)
		return FAIL_CODE(err, EPERM, "%s: only root can set it",
				 p->user != NULL ? "user" : "group");
	if (p->user != NULL && find_user(p, ids, &user, err) < 0)
		return -1;
	if (find_group(p, ids, err) < 0)
		return -1;
	if (user != NULL)
		find_groups(ids, user->pw_name);
	return 0;
}

/* Having given root up, nothing may bring it back. */
static int verify_ids(const struct ids *ids, struct err *err)
{
	uid_t uid[3];
	gid_t gid[3];

	if (getresuid(&uid[0], &uid[1], &uid[2]) < 0 ||
	    getresgid(&gid[0], &gid[1], &gid[2]) < 0)
		return fail_word(err, "user", NULL);
	for (size_t i = 0; i < 3; i++)
		if (uid[i] != ids->uid || gid[i] != ids->gid)
			return FAIL(err, "user: the ids are not what was set");
	if (getgroups(0, NULL) != (int)ids->n_groups)
		return FAIL(err, "group: the groups are not what was set");
	if (ids->uid != 0 && (setresuid((uid_t)-1, 0, (uid_t)-1) == 0 ||
			      setresuid(0, (uid_t)-1, (uid_t)-1) == 0))
		return FAIL(err, "user: root can be had back");
	if (ids->uid != 0 &&
	    (setgroups(0, NULL) == 0 ||
	     (ids->gid != 0 && setresgid((gid_t)-1, 0, (gid_t)-1) == 0)))
		return FAIL(err, "group: other groups can be had");
	return 0;
}

static int set_ids(const struct launch_plan *p, const struct ids *ids,
		   struct err *err)
{
	if (!ids->is_set)
		return 0;
	if (setgroups(ids->n_groups, ids->groups) < 0 ||
	    setresgid(ids->gid, ids->gid, ids->gid) < 0)
		return fail_word(err, "group", p->group);
	if (setresuid(ids->uid, ids->uid, ids->uid) < 0)
		return fail_word(err, "user", p->user);
	return verify_ids(ids, err);
}

/* ---- where ------------------------------------------------------------- */

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r, code;

	if (fd < 0)
		return -1;
	r = fd_write_all(fd, slice_of(text));
	code = errno;
	fd_close(fd);
	errno = code;
	return r;
}

/* Without root: in a user namespace in which we are who we are. */
static int leave_network_as_user(uid_t uid, gid_t gid)
{
	char users[64], groups[64];

	snprintf(users, sizeof(users), "%lu %lu 1\n", (unsigned long)uid,
		 (unsigned long)uid);
	snprintf(groups, sizeof(groups), "%lu %lu 1\n", (unsigned long)gid,
		 (unsigned long)gid);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 ||
	    write_file("/proc/self/setgroups", "deny") < 0 ||
	    write_file("/proc/self/gid_map", groups) < 0)
		return -1;
	return write_file("/proc/self/uid_map", users);
}

/* set-id programs would not be themselves in a user namespace: see above. */
static int leave_network(const struct launch_plan *p, struct err *err)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (!p->no_network || unshare(CLONE_NEWNET) == 0)
		return 0;
	if (errno != EPERM)
		return fail_word(err, "no-network", NULL);
	if (!p->no_new_privileges)
		return FAIL_CODE(err, EPERM,
				 "no-network: needs root, or no-new-privileges "
				 "too: %s",
				 strerror(EPERM));
	if (leave_network_as_user(uid, gid) < 0)
		return fail_word(err, "no-network: user namespace", NULL);
	return 0;
}

static int forbid_writing(const struct launch_plan *p, const char **ret_gap,
			  struct err *err)
{
	if (!p->read_only)
		return 0;
	return landlock_forbid_writing(p->read_write, p->n_read_write, ret_gap,
				       err);
}

/* ---- how much ---------------------------------------------------------- */

static rlim_t stricter(rlim_t in_force, uint64_t asked)
{
	return in_force != RLIM_INFINITY && in_force < asked ? in_force
							     : (rlim_t)asked;
}

static int set_limit(__rlimit_resource_t resource, const char *name,
		     const struct launch_limit *limit, struct err *err)
{
	/* XCPU at the soft limit says more than the hard limit's KILL. */
	uint64_t beyond = resource == RLIMIT_CPU ? 1 : 0;
	struct rlimit r;

	if (!limit->is_set)
		return 0;
	if (getrlimit(resource, &r) < 0)
		return fail_word(err, name, NULL);
	r.rlim_max = stricter(r.rlim_max, limit->value + beyond);
	r.rlim_cur = stricter(r.rlim_cur, limit->value);
	if (setrlimit(resource, &r) < 0)
		return fail_word(err, name, NULL);
	return 0;
}

/*
 * The kernel does not hold everybody to this limit, root for one. Whether it
 * holds us is found out by trying.
 */
static int set_processes(const struct launch_plan *p, struct err *err)
{
	struct rlimit before, none;
	pid_t pid;

	if (!p->processes.is_set)
		return 0;
	if (set_limit(RLIMIT_NPROC, "processes", &p->processes, err) < 0)
		return -1;
	if (getrlimit(RLIMIT_NPROC, &before) < 0)
		return fail_word(err, "processes", NULL);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
	if (setrlimit(RLIMIT_NPROC, &none) < 0)
		return fail_word(err, "processes", NULL);
	pid = fork();
	if (pid == 0)
		_exit(0);
	if (setrlimit(RLIMIT_NPROC, &before) < 0)
		return fail_word(err, "processes", NULL);
	if (pid < 0)
		return 0;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	return FAIL(err,
		    "processes: this user is not held to the limit; another "
		    "user must be given too");
}

/* ---- all together ------------------------------------------------------ */

static int apply(const struct launch_plan *p, struct ids *ids,
		 const char **ret_gap, struct err *err)
{
	if (find_ids(p, ids, err) < 0)
		return -1;
	if (p->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail_word(err, "no-new-privileges", NULL);
	if (leave_network(p, err) < 0 || forbid_writing(p, ret_gap, err) < 0)
		return -1;
	if (p->has_nice && setpriority(PRIO_PROCESS, 0, p->nice) < 0)
		return fail_word(err, "nice", NULL);
	if (set_ids(p, ids, err) < 0 || set_processes(p, err) < 0 ||
	    set_limit(RLIMIT_CPU, "cpu", &p->cpu, err) < 0 ||
	    set_limit(RLIMIT_FSIZE, "file-size", &p->file_size, err) < 0)
		return -1;
	if (p->has_umask)
		umask(p->umask);
	if (p->directory != NULL && chdir(p->directory) < 0)
		return fail_word(err, "directory", p->directory);
	return set_limit(RLIMIT_AS, "memory", &p->memory, err);
}

/*
 * The kernel forgets which signal the parent's death is to send when ids or
 * rights change, so it is asked for again; in between the parent may have
 * died.
 */
int launch_apply(const struct launch_plan *plan, const char **ret_gap,
		 struct err *err)
{
	struct ids ids = { .is_set = false };
	const char *gap = NULL;
	pid_t parent = getppid();
	int death_signal = 0, r;

	if (prctl(PR_GET_PDEATHSIG, &death_signal) < 0)
		death_signal = 0;
	r = apply(plan, &ids, &gap, err);
	free(ids.groups);
	if (r < 0)
		return -1;
	if (death_signal != 0 &&
	    (prctl(PR_SET_PDEATHSIG, death_signal) < 0 || getppid() != parent))
		return FAIL(err, "the parent is gone");
	*ret_gap = gap;
	return 0;
}
