/*
 * landlock_test.c - what can be written, and kernels in which it, or another
 * limit, cannot be had.
 */
#include "proc/landlock.h"

#include "base/fd.h"
#include "base/keyword.h"
#include "proc/test_launch.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- writing ----------------------------------------------------------- */

/* A folder with two folders and a file in each. */
struct tree {
	char top[32];
	struct str words, script;
};

static void tree_make(struct tree *t)
{
	struct str text = STR_INIT;

	*t = (struct tree){ .top = "/tmp/launch_testXXXXXX" };
	assert_non_null(mkdtemp(t->top));
	str_addf(&text,
		 "cd %s && mkdir a b && chmod 777 . a b && echo old >a/f && "
		 "echo old >b/f && chmod 666 a/f b/f",
		 t->top);
	assert_int_equal(system(str_cstr(&text)), 0);
	str_done(&text);
}

static void tree_remove(struct tree *t)
{
	struct str text = STR_INIT;

	str_addf(&text, "rm -r %s", t->top);
	assert_int_equal(system(str_cstr(&text)), 0);
	str_done(&text);
	str_done(&t->words);
	str_done(&t->script);
}

/* Does the script, run in the tree, succeed under these words? */
static void tree_check(struct tree *t, const char *words, const char *script,
		       bool succeeds)
{
	struct ran r;

	str_clear(&t->words);
	str_clear(&t->script);
	str_addf(&t->words, "directory=%s %s", t->top, words);
	str_addf(&t->script, "exec 2>/dev/null; %s", script);
	run_limited(str_cstr(&t->words), str_cstr(&t->script), &r);
	if (r.result.end != PROC_EXITED || (r.result.code == 0) != succeeds)
		fail_msg("%s, %s: end %d, code %d: %s", words, script,
			 r.result.end, r.result.code, r.result.err.text);
	str_done(&r.output);
}

#define MAKE_SOCKET                          \
	"socket S, AF_UNIX, SOCK_STREAM, 0;" \
	"bind S, pack_sockaddr_un \"a/s\" or exit 1; unlink \"a/s\""

/* Every way to change a file system that Landlock covers. */
static const char *const changes[] = {
	"echo new >>a/f",
	": >a/f",
	": >a/new && rm a/new",
	"mkdir a/d && rmdir a/d",
	"rm a/f && echo old >a/f",
	"mv a/f a/g && mv a/g a/f",
	"ln a/f a/g && rm a/g",
	"ln -s f a/l && rm a/l",
	"mkfifo a/p && rm a/p",
	"perl -e 'truncate \"a/f\", 1 or exit 1'",
	"perl -MSocket -e '" MAKE_SOCKET "'",
};

static void only_reading(void)
{
	struct tree t;

	tree_make(&t);
	for (size_t i = 0; i < COUNT(changes); i++) {
		tree_check(&t, "no-new-privileges", changes[i], true);
		tree_check(&t, "no-new-privileges read-only", changes[i],
			   false);
	}
	tree_check(&t, "no-new-privileges read-only",
		   "cat a/f && ls b && /bin/true", true);
	tree_remove(&t);
}

static void test_nothing_can_be_written_by_a_user(void **state)
{
	(void)state;
	need_landlock();
	as_ordinary_user(only_reading);
}

static void test_nothing_can_be_written_by_root(void **state)
{
	struct tree t;

	(void)state;
	need_root();
	need_landlock();
	tree_make(&t);
	for (size_t i = 0; i < COUNT(changes); i++) {
		tree_check(&t, "read-only", changes[i], false);
		tree_check(&t, "read-only " AS_NOBODY, changes[i], false);
		tree_check(&t, AS_NOBODY, changes[i], true);
	}
	tree_remove(&t);
}

static void test_devices_that_keep_nothing_can_be_written(void **state)
{
	(void)state;
	need_landlock();
	check_script("no-new-privileges read-only",
		     "echo x >/dev/null && echo x >/dev/zero &&"
		     "echo said >/dev/stdout && echo too >/proc/self/fd/2",
		     "said\ntoo\n");
}

static void test_only_the_given_paths_can_be_written(void **state)
{
	struct tree t;
	struct str words = STR_INIT;

	(void)state;
	need_landlock();
	tree_make(&t);
	str_addf(&words, "no-new-privileges read-write=%s/a", t.top);
	for (size_t i = 0; i < COUNT(changes); i++)
		tree_check(&t, str_cstr(&words), changes[i], true);
	tree_check(&t, str_cstr(&words), "echo new >>b/f", false);
	tree_check(&t, str_cstr(&words), ": >b/new", false);
	tree_check(&t, str_cstr(&words),
		   "perl -e 'rename \"a/f\", \"b/g\" or exit 1'", false);
	/* a file alone; what is behind a link; between two paths */
	str_addf(&words, " read-write=%s/b/f", t.top);
	tree_check(&t, str_cstr(&words), "echo new >>b/f && : >b/f", true);
	tree_check(&t, str_cstr(&words), "rm b/f", false);
	str_addf(&words, " read-write=%s/b", t.top);
	tree_check(&t, str_cstr(&words),
		   "perl -e 'rename(\"a/f\", \"b/g\") &&"
		   " rename(\"b/g\", \"a/f\") or exit 1'",
		   true);
	str_done(&words);
	tree_remove(&t);
}

static void test_missing_path_is_an_error(void **state)
{
	(void)state;
	need_landlock();
	check_refused("no-new-privileges read-write=/nonexistent",
		      "read-write=/nonexistent: No such file or directory");
}

static void fence_without_right(void)
{
	check_refused("read-only", "read-only: needs root, or "
				   "no-new-privileges too: Operation not "
				   "permitted");
}

static void test_fence_of_a_user_needs_no_new_privileges(void **state)
{
	(void)state;
	need_landlock();
	as_ordinary_user(fence_without_right);
}

static void test_rights_follow_the_version_of_landlock(void **state)
{
	(void)state;
	/* files: write; from 3 truncate */
	assert_int_equal(landlock_rights(1, false), 1u << 1);
	assert_int_equal(landlock_rights(2, false), 1u << 1);
	assert_int_equal(landlock_rights(3, false), 1u << 1 | 1u << 14);
	/* directories: remove two and make seven as well; from 2 refer */
	assert_int_equal(landlock_rights(1, true), 0x1ff0u | 1u << 1);
	assert_int_equal(landlock_rights(2, true), 0x3ff0u | 1u << 1);
	assert_int_equal(landlock_rights(3, true), 0x7ff0u | 1u << 1);
	assert_int_equal(landlock_rights(99, true), landlock_rights(3, true));
	assert_non_null(landlock_gap(1));
	assert_non_null(landlock_gap(2));
	assert_null(landlock_gap(3));
	assert_null(landlock_gap(99));
}

/* ---- kernels that lack something --------------------------------------- */

/* The system call fails with this errno from now on. */
static bool forbid_call(unsigned number, unsigned code)
{
	struct sock_filter code_of[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | code),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { COUNT(code_of), code_of };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* What --check says where a system call fails. */
static void check_without(unsigned call, unsigned code, const char *word,
			  const char *want)
{
	char *argv[] = { (char *)"zlaunch", (char *)word, (char *)"--check",
			 NULL };
	struct str said = STR_INIT, line = STR_INIT;
	int fds[2], status;
	pid_t pid;

	str_addf(&line, "zlaunch: %s\n", want);
	assert_int_equal(pipe(fds), 0);
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (dup2(fds[1], STDERR_FILENO) < 0 || !forbid_call(call, code))
			_exit(99);
		_exit(launch_run(argv));
	}
	close(fds[1]);
	assert_int_equal(fd_read_all(fds[0], 0, 10000, &said), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_slice_is(str_slice(&said), str_cstr(&line));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	close(fds[0]);
	str_done(&said);
	str_done(&line);
}

static void test_what_the_kernel_lacks_is_an_error(void **state)
{
	static const char none[] = "read-only: Landlock is not there, or not "
				   "enabled, in this kernel: ";
	static const struct {
		unsigned call, code;
		const char *word, *why;
	} rows[] = {
		{ SYS_landlock_create_ruleset, ENOSYS, "read-only", none },
		{ SYS_landlock_create_ruleset, EOPNOTSUPP, "read-only", none },
		{ SYS_landlock_create_ruleset, EOPNOTSUPP, "read-write=/tmp",
		  none },
		{ SYS_landlock_restrict_self, E2BIG, "read-only",
		  "read-only: " },
		{ SYS_unshare, EINVAL, "no-network", "no-network: " },
		{ SYS_unshare, ENOSPC, "no-network", "no-network: " },
		{ SYS_prlimit64, EPERM, "cpu=3", "cpu: " },
		{ SYS_setpriority, EPERM, "nice=3", "nice: " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str want = STR_INIT;

		str_addf(&want, "%s%s", rows[i].why,
			 strerror((int)rows[i].code));
		check_without(rows[i].call, rows[i].code, rows[i].word,
			      str_cstr(&want));
		str_done(&want);
	}
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_can_be_written_by_a_user),
		cmocka_unit_test(test_nothing_can_be_written_by_root),
		cmocka_unit_test(test_devices_that_keep_nothing_can_be_written),
		cmocka_unit_test(test_only_the_given_paths_can_be_written),
		cmocka_unit_test(test_missing_path_is_an_error),
		cmocka_unit_test(test_fence_of_a_user_needs_no_new_privileges),
		cmocka_unit_test(test_rights_follow_the_version_of_landlock),
		cmocka_unit_test(test_what_the_kernel_lacks_is_an_error),
	};

	test_launch_main(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	return TEST_RUN(tests);
}
