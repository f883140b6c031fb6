/*
 * spawn.c - the bare loop that sm(8) is measured against.
 *
 * usage: spawn RUNS BYTES PROGRAM [ARG...]
 *
 * Runs PROGRAM, one after the other, with BYTES bytes of text on its standard
 * input: two pipes, vfork(2) and exec, write, read to the end of the output,
 * waitpid(2), and nothing else. argv[0] is the last part of PROGRAM's name.
 * Prints the seconds that all of it took; exits 1 if anything fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Both ends of the pipes are close-on-exec; the child's are made 0, 1, 2. */
static pid_t start(const char *path, char *const *argv, const int in[2],
		   const int out[2])
{
	pid_t pid = vfork();

	if (pid == 0) {
		if (dup2(in[0], STDIN_FILENO) == STDIN_FILENO &&
		    dup2(out[1], STDOUT_FILENO) == STDOUT_FILENO &&
		    dup2(out[1], STDERR_FILENO) == STDERR_FILENO)
			execv(path, argv);
		_exit(127);
	}
	return pid;
}

/* A program that does not want its input may close it. */
static bool feed(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0)
			return errno == EPIPE;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

static bool drain(int fd)
{
	char chunk[16 * 1024];
	ssize_t n;

	do
		n = read(fd, chunk, sizeof(chunk));
	while (n > 0);
	return n == 0;
}

static bool run(const char *path, char *const *argv, const char *text,
		size_t len)
{
	int in[2], out[2], status = 0;
	bool good;
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		return false;
	pid = start(path, argv, in, out);
	close(in[0]);
	close(out[1]);
	good = pid > 0 && feed(in[1], text, len);
	close(in[1]);
	good = good && drain(out[0]);
	close(out[0]);
	return pid > 0 && waitpid(pid, &status, 0) == pid && good &&
	       WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
	long runs = argc > 3 ? atol(argv[1]) : 0;
	long bytes = argc > 3 ? atol(argv[2]) : 0;
	char *text, *path;
	double begin;

	if (runs <= 0 || bytes <= 0) {
		fprintf(stderr, "usage: spawn RUNS BYTES PROGRAM [ARG...]\n");
		return 64;
	}
	text = malloc((size_t)bytes);
	if (text == NULL)
		return 1;
	memset(text, 'x', (size_t)bytes);
	path = argv[3];
	if (strrchr(path, '/') != NULL)
		argv[3] = strrchr(path, '/') + 1;
	signal(SIGPIPE, SIG_IGN);
	begin = now();
	for (long i = 0; i < runs; i++) {
		if (!run(path, argv + 3, text, (size_t)bytes)) {
			fprintf(stderr, "spawn: run %ld failed\n", i);
			return 1;
		}
	}
	printf("%.6f\n", now() - begin);
	free(text);
	return 0;
}
