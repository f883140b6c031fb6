/*
 * submit.c - submit(8): puts a message into the spool.
 *
 * usage: submit [-f sender] [-c channel] [-h host] [--] recipient...
 *
 * Collects what the rest is not allowed to look for: options, ids, names, the
 * configuration, signals. A signal that would end the program is taken as
 * input instead, so that nothing is left behind, and ends it afterwards.
 */
#include "subm/submit.h"
#include "base/fd.h"
#include "base/keyword.h"
#include "conf/zenv.h"
#include "subm/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <sysexits.h>
#include <unistd.h>

static const char usage_text[] =
    "usage: submit [-f sender] [-c channel] [-h host] [--] recipient...";

/* One line on standard error. */
static void complain(const char *text)
{
	struct str line = STR_INIT;

	str_addf(&line, "submit: %s\n", text);
	if (fd_write_all(STDERR_FILENO, str_slice(&line)) < 0) {
		/* nobody is left to be told; the exit code tells */
	}
	str_done(&line);
}

/*
 * A descriptor below 3 that is not open would be given to the message file.
 * Standard input must be there; the others may go nowhere.
 */
static int check_descriptors(struct err *err)
{
	if (fcntl(STDIN_FILENO, F_GETFD) < 0) {
		err_set(err, errno, "standard input is closed");
		return EX_NOINPUT;
	}
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) {
			err_set(err, errno, "/dev/null: %s", strerror(errno));
			return EX_OSERR;
		}
	return EX_OK;
}

/*
 * Blocks the signals that end a program, but for those that are ignored, and
 * returns a descriptor that becomes readable when one has come.
 */
static int catch_signals(sigset_t *ret_caught, struct err *err)
{
	static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	sigset_t caught;
	int fd;

	sigemptyset(&caught);
	for (size_t i = 0; i < COUNT(ending); i++) {
		struct sigaction action;

		if (sigaction(ending[i], NULL, &action) == 0 &&
		    action.sa_handler != SIG_IGN)
			sigaddset(&caught, ending[i]);
	}
	fd = signalfd(-1, &caught, SFD_CLOEXEC);
	if (fd < 0 || sigprocmask(SIG_BLOCK, &caught, NULL) < 0) {
		fd_close(fd);
		return FAIL_CODE(err, errno, "signals: %s", strerror(errno));
	}
	/* Told by write(2) instead: a closed pipe, a file size limit. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	*ret_caught = caught;
	return fd;
}

static int parse_options(int argc, char **argv, struct subm_request *r,
			 struct arena *a)
{
	struct slice *rcpts;
	int option;

	r->channel = SLICE("smtp");
	opterr = 0; /* getopt's own words would not say "usage" */
	while ((option = getopt(argc, argv, "+f:c:h:")) != -1) {
		switch (option) {
		case 'f':
			r->has_sender = true;
			r->sender = slice_of(optarg);
			break;
		case 'c':
			r->channel = slice_of(optarg);
			break;
		case 'h':
			r->has_host = true;
			r->host = slice_of(optarg);
			break;
		default:
			return EX_USAGE;
		}
	}
	if (optind == argc)
		return EX_USAGE;
	r->n_rcpts = (size_t)(argc - optind);
	rcpts = arena_array(a, r->n_rcpts, sizeof(*rcpts));
	for (size_t i = 0; i < r->n_rcpts; i++)
		rcpts[i] = slice_of(argv[optind + (int)i]);
	r->rcpts = rcpts;
	return EX_OK;
}

static bool find_uid(void *context, const char *name, uid_t *ret)
{
	const struct passwd *user = getpwnam(name);

	(void)context;
	if (user == NULL)
		return false;
	*ret = user->pw_uid;
	return true;
}

static int read_settings(struct arena *a, struct subm_settings *ret,
			 struct err *err)
{
	struct zenv *z;

	if (zenv_load(getenv("ZCONFIG"), a, &z, err) > 0)
		complain(err->text);
	if (subm_settings_read(z, ret, err) < 0)
		return EX_CONFIG;
	if (subm_is_trusted(ret->trusted, getuid(), find_uid, NULL))
		return EX_OK;
	err_set(err, 0,
		"permission denied: only root and the users that TRUSTEDUSER"
		" in zmailer.conf names may submit");
	return EX_NOPERM;
}

/* Adds to the request who asks, and where. */
static void add_identity(struct subm_request *r, struct arena *a)
{
	const struct passwd *user = getpwuid(getuid());
	struct utsname machine;

	r->uid = getuid();
	if (user != NULL)
		r->login = arena_dup(a, slice_of(user->pw_name));
	if (uname(&machine) == 0)
		r->host_name = arena_dup(a, slice_of(machine.nodename));
}

/*
 * The message is accepted, whatever becomes of the id on its way out: an exit
 * code that says otherwise would have the caller send it again.
 */
static void print_id(struct str *spool_id)
{
	str_addc(spool_id, '\n');
	if (fd_write_all(STDOUT_FILENO, str_slice(spool_id)) < 0)
		complain("the message is queued, but its id could not be"
			 " printed");
}

static int run(int argc, char **argv, int stop_fd, struct arena *a,
	       struct err *err)
{
	struct subm_request request = { 0 };
	struct subm_settings settings;
	struct subm_envelope envelope;
	struct str spool_id = STR_INIT;
	struct subm_job job = { .in_fd = STDIN_FILENO, .stop_fd = stop_fd };
	int code = parse_options(argc, argv, &request, a);

	if (code != EX_OK) {
		err_set(err, 0, "%s", usage_text);
		return code;
	}
	code = read_settings(a, &settings, err);
	if (code != EX_OK)
		return code;
	add_identity(&request, a);
	code = subm_envelope_make(&request, a, &envelope, err);
	if (code != EX_OK)
		return code;
	job.envelope = &envelope;
	job.postoffice = settings.postoffice;
	job.hash_levels = settings.hash_levels;
	job.host_name = request.host_name;
	code = subm_submit(&job, &spool_id, err);
	if (code == EX_OK)
		print_id(&spool_id);
	str_done(&spool_id);
	return code;
}

int main(int argc, char **argv)
{
	struct arena *a = arena_new();
	struct err err = { 0 };
	sigset_t caught = { 0 };
	int code = check_descriptors(&err), stop_fd = -1;

	if (code == EX_OK) {
		stop_fd = catch_signals(&caught, &err);
		code = stop_fd < 0 ? EX_OSERR : EX_OK;
	}
	if (code == EX_OK)
		code = run(argc, argv, stop_fd, a, &err);
	if (code != EX_OK)
		complain(err.text);
	arena_free(a);
	if (code == EX_TEMPFAIL && err.code == EINTR)
		sigprocmask(SIG_UNBLOCK, &caught, NULL); /* ends us now */
	return code;
}
