/*
 * launch_limits_test.c - each limit, seen from a program that runs under it.
 */
#include "proc/launch.h"

#include "base/fd.h"
#include "base/keyword.h"
#include "proc/test_launch.h"

#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define NOBODY	  54321 /* a number that nobody has */
#define AS_NOBODY "user=54321 group=54322"

/* ---- how much ---------------------------------------------------------- */

static void test_memory_is_limited(void **state)
{
	static const char script[] =
	    "dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null";
	struct ran r;

	(void)state;
	run_limited("memory=1G", script, &r);
	check_said(&r, 0, "");
	run_limited("memory=100M", script, &r);
	check_said(&r, 1, "");
	check_script("memory=100M", "ulimit -v; ulimit -Hv",
		     "102400\n102400\n");
}

static void test_processor_time_is_limited(void **state)
{
	struct ran r;

	(void)state;
	run_limited("cpu=1", "ulimit -c 0; while :; do :; done", &r);
	assert_int_equal(r.result.end, PROC_SIGNALED);
	assert_int_equal(r.result.signal, SIGXCPU);
	str_done(&r.output);
}

static void test_processor_time_cannot_be_had_by_ignoring_a_signal(void **state)
{
	struct ran r;

	(void)state;
	run_limited("cpu=1", "trap '' XCPU; while :; do :; done", &r);
	assert_int_equal(r.result.end, PROC_SIGNALED);
	assert_int_equal(r.result.signal, SIGKILL);
	str_done(&r.output);
}

static void test_file_size_is_limited(void **state)
{
	char name[] = "/tmp/launch_testXXXXXX";
	int fd = mkstemp(name);
	struct str script = STR_INIT;
	struct stat st;
	struct ran r;

	(void)state;
	assert_true(fd >= 0);
	str_addf(&script,
		 "ulimit -c 0; exec dd if=/dev/zero of=%s bs=1000 count=20 "
		 "2>/dev/null",
		 name);
	run_limited("file-size=20000", str_cstr(&script), &r);
	check_said(&r, 0, "");
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 20000);
	run_limited("file-size=10K", str_cstr(&script), &r);
	assert_int_equal(r.result.end, PROC_SIGNALED);
	assert_int_equal(r.result.signal, SIGXFSZ);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 10240);
	/* pipes are no files */
	check_script("file-size=0", "echo through", "through\n");
	close(fd);
	unlink(name);
	str_done(&script);
	str_done(&r.output);
}

static void check_processes(const char *words, bool may_fork)
{
	struct ran r;

	run_limited(words, "/bin/true && echo forked", &r);
	if (may_fork)
		check_exit(&r, 0);
	else
		assert_true(r.result.end == PROC_EXITED && r.result.code != 0);
	assert_int_equal(
	    slice_find_text(str_slice(&r.output), SLICE("forked")) == 0,
	    may_fork);
	str_done(&r.output);
}

static void ordinary_processes(void)
{
	check_processes("processes=1", false);
	check_processes("processes=100000", true);
}

static void test_processes_are_limited(void **state)
{
	(void)state;
	as_ordinary_user(ordinary_processes);
	need_root();
	check_processes(AS_NOBODY " processes=1", false);
	check_processes(AS_NOBODY " processes=100000", true);
}

static void test_processes_of_root_cannot_be_limited(void **state)
{
	(void)state;
	need_root();
	check_refused("processes=10",
		      "processes: this user is not held to the limit; another "
		      "user must be given too");
	check_refused("user=root processes=10",
		      "processes: this user is not held to the limit; another "
		      "user must be given too");
}

static void test_niceness_is_set(void **state)
{
	(void)state;
	check_script("nice=7", "nice", "7\n");
	need_root();
	check_script("nice=-7", "nice", "-7\n");
	check_script("nice=-7 " AS_NOBODY, "nice; id -u", "-7\n54321\n");
}

static void negative_niceness(void)
{
	check_refused("nice=-1", "nice: Permission denied");
}

static void test_better_niceness_needs_root(void **state)
{
	(void)state;
	as_ordinary_user(negative_niceness);
}

static void test_last_word_counts(void **state)
{
	(void)state;
	check_script("umask=022 nice=3 umask=0027 cpu=10 nice=5 cpu=20",
		     "umask; nice; ulimit -t", "0027\n5\n20\n");
}

static void test_stricter_limit_in_force_stays(void **state)
{
	char *argv[] = { (char *)"zlaunch",
			 (char *)"cpu=1000",
			 (char *)"file-size=1G",
			 (char *)"memory=9T",
			 (char *)"--",
			 (char *)"/bin/sh",
			 (char *)"sh",
			 (char *)"-c",
			 (char *)"ulimit -t; ulimit -Ht; ulimit -Hf",
			 NULL };
	char *limits[] = { (char *)"cpu=20", (char *)"file-size=512K", NULL };
	struct proc_command c = { .path = TEST_SELF,
				  .argv = argv,
				  .launcher = TEST_SELF,
				  .limits = limits };
	struct ran r;

	(void)state;
	run_command(&c, &r);
	check_said(&r, 0, "20\n21\n1024\n");
}

/* ---- where ------------------------------------------------------------- */

static void test_umask_and_directory_are_set(void **state)
{
	(void)state;
	check_script("umask=0", "umask", "0000\n");
	check_script("umask=777 directory=/usr", "umask; pwd -P",
		     "0777\n/usr\n");
}

static void test_directory_is_entered_as_the_new_user(void **state)
{
	char name[] = "/tmp/launch_testXXXXXX";
	struct str words = STR_INIT, why = STR_INIT;

	(void)state;
	need_root();
	assert_non_null(mkdtemp(name));
	str_addf(&words, AS_NOBODY " directory=%s", name);
	str_addf(&why, "directory=%s: Permission denied", name);
	check_refused(str_cstr(&words), str_cstr(&why));
	assert_int_equal(chown(name, NOBODY, 0), 0);
	check_script(str_cstr(&words), "touch x && rm x", "");
	rmdir(name);
	str_done(&words);
	str_done(&why);
}

/* Is 127.0.0.1 reached, under these words? What connect(2) says. */
static void check_network(const char *words, int want)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char port[16];
	char *argv[] = { (char *)"x", (char *)"--connect", port, NULL };
	struct proc_command c = { .path = TEST_SELF,
				  .argv = argv,
				  .launcher = TEST_SELF,
				  .limits = split(words) };
	struct ran r;

	assert_int_equal(bind(fd, (void *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (void *)&a, &len), 0);
	snprintf(port, sizeof(port), "%u", (unsigned)ntohs(a.sin_port));
	run_command(&c, &r);
	check_said(&r, want, "");
	split_free(words, (char **)c.limits);
	close(fd);
}

static void user_without_network(void)
{
	check_refused("no-network",
		      "no-network: needs root, or no-new-privileges too: "
		      "Operation not permitted");
	check_network("no-new-privileges", 0);
	check_network("no-network no-new-privileges", ENETUNREACH);
	/* it has no rights in its namespace */
	check_script("no-network no-new-privileges",
		     "grep CapEff /proc/self/status",
		     "CapEff:\t0000000000000000\n");
}

static void test_network_is_taken_away_from_a_user(void **state)
{
	(void)state;
	need_namespaces(true);
	as_ordinary_user(user_without_network);
}

static void user_is_itself(void)
{
	struct str want = STR_INIT;

	str_addf(&want, "%d\n%d\n", (int)getuid(), (int)getgid());
	check_script("no-network no-new-privileges", "id -u; id -g",
		     str_cstr(&want));
	str_done(&want);
}

static void test_user_without_network_is_who_it_was(void **state)
{
	(void)state;
	need_namespaces(true);
	as_ordinary_user(user_is_itself);
}

static void test_network_is_taken_away_by_root(void **state)
{
	(void)state;
	need_root();
	need_namespaces(false);
	check_network("cpu=60", 0);
	check_network("no-network", ENETUNREACH);
	check_script("no-network " AS_NOBODY, "id -u; wc -l </proc/net/dev",
		     "54321\n3\n"); /* two lines of heading, and lo */
}

/* ---- who --------------------------------------------------------------- */

/* All four ids, and the groups, of a process under these words. */
static void check_ids(const char *words, const char *want)
{
	check_script(words,
		     "while read name rest; do case $name in Uid:|Gid:|Groups:)"
		     " set -- $rest; echo $*;; esac; done </proc/self/status",
		     want);
}

static void test_ids_are_set_and_groups_dropped(void **state)
{
	static const gid_t many[] = { 3, 4, 5, 0, 77 };
	gid_t before[1000];
	int n = getgroups(COUNT(before), before);

	(void)state;
	need_root();
	assert_true(n >= 0);
	assert_int_equal(setgroups(COUNT(many), many), 0);
	check_ids("cpu=60", "0 0 0 0\n0 0 0 0\n0 3 4 5 77\n");
	check_ids("user=54321 group=54322", "54321 54321 54321 54321\n"
					    "54322 54322 54322 54322\n\n");
	check_ids("group=54322", "0 0 0 0\n54322 54322 54322 54322\n\n");
	check_ids("user=daemon", "1 1 1 1\n1 1 1 1\n1\n");
	check_ids("user=1", "1 1 1 1\n1 1 1 1\n1\n");
	check_ids("user=daemon group=mail", "1 1 1 1\n8 8 8 8\n8\n");
	check_ids("group=mail user=daemon", "1 1 1 1\n8 8 8 8\n8\n");
	check_ids("user=daemon group=54322",
		  "1 1 1 1\n54322 54322 54322 54322\n54322\n");
	assert_int_equal(setgroups((size_t)n, before), 0);
}

/* A user with supplementary groups is not to be had; the system's own are. */
static void test_groups_are_those_of_the_user(void **state)
{
	const struct group *g;
	struct str words = STR_INIT;
	const struct passwd *user = NULL;

	(void)state;
	need_root();
	setgrent();
	while (user == NULL && (g = getgrent()) != NULL)
		if (g->gr_mem[0] != NULL)
			user = getpwnam(g->gr_mem[0]);
	endgrent();
	str_addf(&words, "user=%s", user != NULL ? user->pw_name : "daemon");
	check_script(str_cstr(&words),
		     "test \"$(id -G)\" = \"$(id -G $(id "
		     "-un))\" && echo same",
		     "same\n");
	str_done(&words);
}

static void test_there_is_no_way_back_to_root(void **state)
{
	(void)state;
	need_root();
	check_script(AS_NOBODY, "grep -E '^Cap(Prm|Eff|Amb)' /proc/self/status",
		     "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
		     "CapAmb:\t0000000000000000\n");
	check_script(AS_NOBODY,
		     "perl -e '$> = 0; $< = 0; $) = \"0 0\"; $( = 0;"
		     " print \"$< $> \", $( + 0, \" \", $) + 0, \"\\n\"'",
		     "54321 54321 54322 54322\n");
}

/* A process that keeps its rights when ids change could have root back. */
static void test_way_back_is_found_out(void **state)
{
	char *argv[] = { (char *)"zlaunch", (char *)"user=54321",
			 (char *)"group=54322", (char *)"--check", NULL };
	enum { NO_SETUID_FIXUP = 1 << 2 }; /* SECBIT_NO_SETUID_FIXUP */
	struct str said = STR_INIT;
	int fds[2], status;
	pid_t pid;

	(void)state;
	need_root();
	assert_int_equal(pipe(fds), 0);
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (dup2(fds[1], STDERR_FILENO) < 0 ||
		    prctl(PR_SET_SECUREBITS, NO_SETUID_FIXUP) < 0)
			_exit(99);
		_exit(launch_run(argv));
	}
	close(fds[1]);
	assert_int_equal(fd_read_all(fds[0], 0, 10000, &said), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_slice_is(str_slice(&said),
			"zlaunch: user: root can be had back\n");
	assert_int_equal(WEXITSTATUS(status), 1);
	close(fds[0]);
	str_done(&said);
}

static void ids_without_right(void)
{
	check_refused("user=nobody", "user: only root can set it");
	check_refused("group=mail", "group: only root can set it");
}

static void test_ids_need_root(void **state)
{
	(void)state;
	as_ordinary_user(ids_without_right);
}

/* Effective root on behalf of somebody else is not enough. */
static void test_ids_need_real_root(void **state)
{
	char *argv[] = { (char *)"zlaunch", (char *)"user=nobody",
			 (char *)"--check", NULL };
	struct proc_command c = { .path = TEST_SELF,
				  .argv = argv,
				  .ids = PROC_IDS_KEEP };
	struct ran r;

	(void)state;
	need_root();
	assert_int_equal(setresuid(NOBODY, 0, 0), 0);
	run_command(&c, &r);
	assert_int_equal(setresuid(0, 0, 0), 0);
	check_said(&r, 1, "zlaunch: user: only root can set it\n");
}

static void test_unknown_users_and_groups_are_named(void **state)
{
	(void)state;
	need_root();
	check_refused("user=no-such-user",
		      "user=no-such-user: there is no such user");
	check_refused("group=no-such-group",
		      "group=no-such-group: there is no such group");
	check_refused("user=54321",
		      "user=54321: nobody has this number, so that a group "
		      "must be given too");
}

static void test_no_new_privileges_are_had(void **state)
{
	(void)state;
	check_script("cpu=60", "grep NoNewPrivs /proc/self/status",
		     "NoNewPrivs:\t0\n");
	check_script("no-new-privileges", "grep NoNewPrivs /proc/self/status",
		     "NoNewPrivs:\t1\n");
}

/* Starts a program under these words; it must end when we are killed. */
static void check_dies_with_us(const char *words, bool as_user)
{
	char name[] = "/tmp/launch_testXXXXXX", text[32] = "";
	struct str script = STR_INIT;
	int fd = mkstemp(name), status;
	struct pollfd end = { .events = POLLIN };
	pid_t us;

	assert_int_equal(fchmod(fd, 0666), 0);
	str_addf(&script, "echo $$ >%s; exec sleep 60", name);
	fflush(stdout);
	us = fork();
	assert_true(us >= 0);
	if (us == 0) {
		struct ran r;

		if (as_user && (setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
				setresuid(NOBODY, NOBODY, NOBODY) < 0))
			_exit(1);
		run_limited(words, str_cstr(&script), &r);
		_exit(0);
	}
	for (int i = 0; i < 500 && strchr(text, '\n') == NULL; i++) {
		usleep(10000);
		assert_true(pread(fd, text, sizeof(text) - 1, 0) >= 0);
	}
	assert_true(atoi(text) > 1);
	end.fd = (int)syscall(SYS_pidfd_open, atoi(text), 0);
	assert_true(end.fd >= 0);
	assert_int_equal(poll(&end, 1, 0), 0);
	kill(us, SIGKILL);
	assert_int_equal(poll(&end, 1, 10000), 1);
	assert_int_equal(waitpid(us, &status, 0), us);
	close(end.fd);
	close(fd);
	unlink(name);
	str_done(&script);
}

/* The kernel forgets the signal that is meant for it when ids change. */
static void test_program_of_another_user_dies_with_us(void **state)
{
	(void)state;
	need_root();
	check_dies_with_us(AS_NOBODY, false);
}

static void test_program_under_limits_dies_with_us(void **state)
{
	(void)state;
	check_dies_with_us("cpu=60", false);
	need_namespaces(true);
	check_dies_with_us("no-network no-new-privileges", getuid() == 0);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_is_limited),
		cmocka_unit_test(test_processor_time_is_limited),
		cmocka_unit_test(
		    test_processor_time_cannot_be_had_by_ignoring_a_signal),
		cmocka_unit_test(test_file_size_is_limited),
		cmocka_unit_test(test_processes_are_limited),
		cmocka_unit_test(test_processes_of_root_cannot_be_limited),
		cmocka_unit_test(test_niceness_is_set),
		cmocka_unit_test(test_better_niceness_needs_root),
		cmocka_unit_test(test_last_word_counts),
		cmocka_unit_test(test_stricter_limit_in_force_stays),
		cmocka_unit_test(test_umask_and_directory_are_set),
		cmocka_unit_test(test_directory_is_entered_as_the_new_user),
		cmocka_unit_test(test_network_is_taken_away_from_a_user),
		cmocka_unit_test(test_user_without_network_is_who_it_was),
		cmocka_unit_test(test_network_is_taken_away_by_root),
		cmocka_unit_test(test_ids_are_set_and_groups_dropped),
		cmocka_unit_test(test_groups_are_those_of_the_user),
		cmocka_unit_test(test_there_is_no_way_back_to_root),
		cmocka_unit_test(test_way_back_is_found_out),
		cmocka_unit_test(test_ids_need_root),
		cmocka_unit_test(test_ids_need_real_root),
		cmocka_unit_test(test_unknown_users_and_groups_are_named),
		cmocka_unit_test(test_no_new_privileges_are_had),
		cmocka_unit_test(test_program_of_another_user_dies_with_us),
		cmocka_unit_test(test_program_under_limits_dies_with_us),
	};

	test_launch_main(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	return TEST_RUN(tests);
}
