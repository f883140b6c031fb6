/*
 * test_launch.h - run things through the launcher's body.
 *
 * A test program that has arguments is the launcher itself, so that what is
 * tested is executed, as a program of its own, by the way sm takes: its path
 * is always /proc/self/exe. With "--connect PORT" it tries the network.
 */
#ifndef PROC_TEST_LAUNCH_H
#define PROC_TEST_LAUNCH_H

#include "base/test.h"
#include "proc/launch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEST_SELF "/proc/self/exe"
#define NOBODY	  54321 /* a number that nobody has */
#define AS_NOBODY "user=54321 group=54322"

extern char **environ;

struct ran {
	struct proc_result result;
	struct str output;
};

/* The words of a text, split at blanks; free() gives it all back. */
static inline char **split(const char *text)
{
	size_t len = strlen(text) + 1;
	char **words = calloc(len + 1, sizeof(*words));
	char *copy = malloc(len), *word, *rest;
	size_t n = 0;

	assert_non_null(words);
	assert_non_null(copy);
	memcpy(copy, text, len);
	for (word = strtok_r(copy, " ", &rest); word != NULL;
	     word = strtok_r(NULL, " ", &rest))
		words[n++] = word;
	words[len] = copy; /* behind the NULL: n < len */
	return words;
}

static inline void split_free(const char *text, char **words)
{
	free(words[strlen(text) + 1]);
	free(words);
}

static inline ssize_t no_input(void *context, struct str *to, struct err *err)
{
	(void)context;
	(void)to;
	(void)err;
	return 0;
}

static inline void run_command(const struct proc_command *command,
			       struct ran *ret)
{
	struct proc_command c = *command;

	c.envp = environ;
	c.output_max = 100000;
	c.timeout_ms = 30000;
	ret->output = STR_INIT;
	proc_run(&c, no_input, NULL, &ret->output, &ret->result);
}

/* Runs a shell script under limits, as sm runs a mailer. */
static inline void run_limited(const char *words, const char *script,
			       struct ran *ret)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };
	struct proc_command c = { .path = "/bin/sh",
				  .argv = argv,
				  .launcher = TEST_SELF,
				  .limits = split(words) };

	run_command(&c, ret);
	split_free(words, (char **)c.limits);
}

/* Runs the launcher by hand: these are all its arguments. */
static inline void run_zlaunch(const char *words, struct ran *ret)
{
	struct str text = STR_INIT;
	struct proc_command c = { .path = TEST_SELF };

	str_addf(&text, "zlaunch %s", words);
	c.argv = split(str_cstr(&text));
	run_command(&c, ret);
	split_free(str_cstr(&text), (char **)c.argv);
	str_done(&text);
}

static inline void check_exit(const struct ran *r, int code)
{
	if (r->result.end != PROC_EXITED || r->result.code != code)
		fail_msg("end %d, code %d, signal %d: %s, said: %s",
			 r->result.end, r->result.code, r->result.signal,
			 r->result.err.text, str_cstr(&r->output));
}

/* It exited so and said just that. */
static inline void check_said(struct ran *r, int code, const char *said)
{
	check_exit(r, code);
	assert_slice_is(str_slice(&r->output), said);
	str_done(&r->output);
}

/* Runs a script under limits, which must exit with 0 and say just that. */
static inline void check_script(const char *words, const char *script,
				const char *said)
{
	struct ran r;

	run_limited(words, script, &r);
	check_said(&r, 0, said);
}

/* "zlaunch WORDS --check" must fail with just this line. */
static inline void check_refused(const char *words, const char *why)
{
	struct str text = STR_INIT, want = STR_INIT;
	struct ran r;

	str_addf(&text, "%s --check", words);
	str_addf(&want, "zlaunch: %s\n", why);
	run_zlaunch(str_cstr(&text), &r);
	check_said(&r, 1, str_cstr(&want));
	str_done(&text);
	str_done(&want);
}

/* Skips, with a reason, what only root can be tested with. */
static inline void need_root(void)
{
	if (getuid() == 0)
		return;
	print_message("# only root can change ids\n");
	skip();
}

/* Skips, with a reason, what this kernel was built or told not to have. */
static inline void need_landlock(void)
{
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0)
		return;
	print_message("# no Landlock in this kernel: %s\n", strerror(errno));
	skip();
}

static inline void need_namespaces(bool as_user)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (as_user && getuid() == 0 &&
		    setresuid(NOBODY, NOBODY, NOBODY) < 0)
			_exit(1);
		_exit(unshare(CLONE_NEWNET | (as_user ? CLONE_NEWUSER : 0)) <
		      0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status == 0)
		return;
	print_message("# no %s namespaces here\n",
		      as_user ? "user" : "network");
	skip();
}

/* Runs check with the real ids of an ordinary user, which children get. */
static inline void as_ordinary_user(void (*check)(void))
{
	if (getuid() != 0) {
		check();
		return;
	}
	assert_int_equal(setresgid(NOBODY, NOBODY, 0), 0);
	assert_int_equal(setresuid(NOBODY, NOBODY, 0), 0);
	check();
	assert_int_equal(setresuid(0, 0, 0), 0);
	assert_int_equal(setresgid(0, 0, 0), 0);
}

/* Exits with errno: 0 if there is somebody to be reached. */
static inline int test_connect(const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons((uint16_t)atoi(port)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd >= 0 && connect(fd, (void *)&a, sizeof(a)) == 0 ? 0 : errno;
}

/* What main() begins with. */
static inline void test_launch_main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--connect") == 0)
		_exit(test_connect(argv[2]));
	if (argc > 1)
		_exit(launch_run(argv));
}

#endif
