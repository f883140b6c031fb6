/*
 * replay.c - runs a fuzz target over the files of its corpus, as TAP.
 *
 * usage: TARGET_replay DIRECTORY
 *
 * Each file is one test; the empty input is always tried too. A broken
 * invariant or a sanitizer's finding ends the program, which prove reports.
 */
#include "base/fd.h"
#include "base/fuzz.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void run(const char *name, struct slice input, int number)
{
	char *bytes = malloc(input.len > 0 ? input.len : 1);

	if (bytes == NULL)
		abort();
	if (input.len > 0)
		memcpy(bytes, input.p, input.len);
	LLVMFuzzerTestOneInput((const uint8_t *)bytes, input.len);
	printf("ok %d - %s\n", number, name);
	free(bytes);
}

static int run_file(int dirfd, const char *name, int number)
{
	struct str text = STR_INIT;
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fd_read_all(fd, 0, SIZE_MAX - 1, &text) < 0) {
		printf("not ok %d - %s: cannot be read\n", number, name);
		fd_close(fd);
		return -1;
	}
	run(name, str_slice(&text), number);
	str_done(&text);
	fd_close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	struct dirent *entry;
	DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
	int count = 0, failed = 0;

	if (dir == NULL) {
		printf("Bail out! usage: %s DIRECTORY\n", argv[0]);
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	run("(empty)", slice_make(NULL, 0), ++count);
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			failed |= run_file(dirfd(dir), entry->d_name, ++count);
	closedir(dir);
	printf("1..%d\n", count);
	return failed != 0;
}
