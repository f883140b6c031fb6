/*
 * submit.c - submit(8): puts a message into the spool.
 *
 * Also called sendmail, newaliases and, for -bp, the way to mailq.
 *
 * Collects what the rest is not allowed to look for: options, ids, names, the
 * configuration, signals. A signal that would end the program is taken as
 * input instead, so that nothing is left behind, and ends it afterwards.
 */
#include "subm/submit.h"
#include "base/fd.h"
#include "base/keyword.h"
#include "conf/zenv.h"
#include "prog/setup.h"
#include "smtp/path.h"
#include "subm/client.h"
#include "subm/direct.h"
#include "subm/options.h"
#include "subm/serve.h"
#include "subm/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sysexits.h>
#include <unistd.h>

/* Where Debian and its kin keep the name behind '@' of local addresses. */
#define MAILNAME_FILE "/etc/mailname"

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

static bool find_uid(void *context, const char *name, uid_t *ret)
{
	const struct passwd *user = getpwnam(name);

	(void)context;
	if (user == NULL)
		return false;
	*ret = user->pw_uid;
	return true;
}

/* Login name and, from the fifth field of passwd(5), the full name. */
static bool find_user(uid_t uid, struct arena *a, struct slice *ret_login,
		      struct slice *ret_name)
{
	const struct passwd *user = getpwuid(uid);
	struct slice gecos;

	if (user == NULL)
		return false;
	*ret_login = arena_dup(a, slice_of(user->pw_name));
	gecos = slice_of(user->pw_gecos);
	gecos = slice_head(gecos, slice_find(gecos, ','));
	*ret_name = arena_dup(a, gecos);
	return true;
}

/* Who asks; a name given on the command line stays. */
static void add_identity(struct subm_request *r, struct arena *a)
{
	struct slice login, name;

	r->uid = getuid();
	if (!find_user(getuid(), a, &login, &name))
		return;
	r->login = login;
	if (r->full_name.len == 0 && !r->has_sender)
		r->full_name = name;
}

/* ---- what is read ------------------------------------------------------- */

/* All that holds for every message, whoever sends it. */
struct office {
	struct subm_settings settings;
	struct subm_site site;
};

static int read_office(struct arena *a, struct office *ret, struct err *err)
{
	struct subm_settings *s = &ret->settings;
	struct utsname machine;
	struct zenv *z;

	if (zenv_load(getenv("ZCONFIG"), a, &z, err) > 0)
		complain(err->text);
	if (subm_settings_read(z, a, s, err) < 0)
		return EX_CONFIG;
	ret->site = (struct subm_site){
		.postoffice = s->postoffice,
		.hash_levels = s->hash_levels,
		.mail_name = s->mail_name,
		.size_max = s->privileged.size,
		.rcpts_max = s->privileged.rcpts,
	};
	if (uname(&machine) == 0)
		ret->site.host_name = arena_dup(a, slice_of(machine.nodename));
	if (ret->site.mail_name.len == 0)
		ret->site.mail_name = subm_mailname_read(MAILNAME_FILE, a);
	if (ret->site.mail_name.len == 0 &&
	    helo_name_valid(ret->site.host_name))
		ret->site.mail_name = ret->site.host_name;
	return EX_OK;
}

/* For who writes the spool: others may not even read the file. */
static int read_routes(struct arena *a, struct office *o, struct err *err)
{
	return routes_load(o->settings.routes, a, &o->site.routes, err) < 0
		   ? EX_CONFIG
		   : EX_OK;
}

/* ---- sending ------------------------------------------------------------ */

/* What is said of each message. */
struct voice {
	bool is_quiet, is_batch;
	bool has_complained;
};

/*
 * The message is accepted, whatever becomes of the id on its way out: an exit
 * code that says otherwise would have the caller send it again.
 */
static void print_id(struct slice id)
{
	struct str line = STR_INIT;

	str_add(&line, id);
	str_addc(&line, '\n');
	if (fd_write_all(STDOUT_FILENO, str_slice(&line)) < 0)
		complain("the message is queued, but its id could not be"
			 " printed");
	str_done(&line);
}

static void told(void *context, int code, struct slice text)
{
	struct voice *voice = context;
	struct str line = STR_INIT;

	if (code == EX_OK && !voice->is_quiet)
		print_id(text);
	if (code != EX_OK && voice->is_batch) {
		str_add_clean(&line, text, SIZE_MAX);
		complain(str_cstr(&line));
		voice->has_complained = true;
	}
	str_done(&line);
}

static int send_to(const struct subm_target *target, struct subm_options *o,
		   int stop_fd, struct err *err)
{
	const struct subm_input input = {
		.in_fd = STDIN_FILENO,
		.stop_fd = stop_fd,
		.ends_at_dot = o->ends_at_dot,
	};
	struct voice voice = {
		.is_quiet = o->is_quiet,
		.is_batch = o->mode == SUBM_MODE_BATCH,
	};
	const struct subm_ear ear = { .context = &voice, .tell = told };

	if (voice.is_batch) {
		int code =
		    subm_submit_batch(&input, &o->request, target, &ear, err);

		if (voice.has_complained)
			err->text[0] = '\0'; /* it was said already */
		return code;
	}
	return subm_submit(&input, &o->request, target, &ear, err);
}

static int send_direct(const struct subm_site *site, struct subm_options *o,
		       int stop_fd, struct err *err)
{
	struct subm_direct *d =
	    subm_direct_new(site, o->mode == SUBM_MODE_BATCH, err);
	struct subm_target target;
	int code;

	if (d == NULL)
		return subm_spool_trouble(err);
	target = subm_direct_target(d);
	code = send_to(&target, o, stop_fd, err);
	subm_direct_free(d);
	return code;
}

/* Errno values that tell that nobody serves this spool. */
static bool is_unserved(int code)
{
	return code == ENOENT || code == ECONNREFUSED || code == ENOTDIR;
}

/*
 * Through the service if there is one, since its messages share the waits for
 * the disk. Without it the privileged write themselves; of others it is the
 * only way, and they connect when their message is there.
 */
static int send_mail(struct subm_options *o, int stop_fd, struct arena *a,
		     struct err *err)
{
	struct office office = { 0 };
	struct subm_client *client = NULL;
	struct subm_target target;
	bool is_privileged;
	int code = read_office(a, &office, err);

	if (code != EX_OK)
		return code;
	is_privileged =
	    subm_is_trusted(office.settings.trusted, getuid(), find_uid, NULL);
	client = subm_client_new(office.site.postoffice, stop_fd);
	target = subm_client_target(client);
	if (is_privileged && subm_client_connect(client, err) < 0) {
		subm_client_free(client);
		if (!is_unserved(err->code)) {
			err->code = 0;
			return EX_TEMPFAIL;
		}
		code = read_routes(a, &office, err);
		if (code != EX_OK)
			return code;
		add_identity(&o->request, a);
		return send_direct(&office.site, o, stop_fd, err);
	}
	code = send_to(&target, o, stop_fd, err);
	subm_client_free(client);
	return code;
}

/* ---- other modes -------------------------------------------------------- */

/* Raises the limit of files that may be open as far as it goes. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int serve(int stop_fd, struct arena *a, struct err *err)
{
	struct office office = { 0 };
	struct subm_serve_options o = {
		.site = &office.site,
		.find_uid = find_uid,
		.find_user = find_user,
		.stop_fd = stop_fd,
	};
	int code = read_office(a, &office, err);

	if (code == EX_OK)
		code = read_routes(a, &office, err);
	if (code != EX_OK)
		return code;
	o.trusted = office.settings.trusted;
	o.limits = office.settings.ordinary;
	raise_fd_limit();
	return subm_serve(&o, err);
}

/* Another program's business, if there is one beside this. */
static int list_queue(struct arena *a, struct err *err)
{
	const char *path = setup_beside("mailq", a);
	char *const argv[] = { (char *)(uintptr_t) "mailq", NULL };
	struct stat mine, other;

	if (stat("/proc/self/exe", &mine) == 0 && stat(path, &other) == 0 &&
	    (mine.st_ino != other.st_ino || mine.st_dev != other.st_dev))
		execv(path, argv);
	err_set(err, 0, "the queue is listed by mailq, which is not installed");
	return EX_UNAVAILABLE;
}

static int run(int argc, char **argv, int stop_fd, struct arena *a,
	       struct err *err)
{
	struct subm_options o;
	int code = subm_options_read(argc, argv, a, &o, err);

	if (code != EX_OK)
		return code;
	switch (o.mode) {
	case SUBM_MODE_MESSAGE:
	case SUBM_MODE_BATCH:
		return send_mail(&o, stop_fd, a, err);
	case SUBM_MODE_LIST_QUEUE:
		return list_queue(a, err);
	case SUBM_MODE_SERVE:
		return serve(stop_fd, a, err);
	case SUBM_MODE_NOTHING:
		break;
	}
	return EX_OK;
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
	/* Of a batch's messages each was told of. */
	if (code != EX_OK && err.text[0] != '\0')
		complain(err.text);
	arena_free(a);
	if (code == EX_TEMPFAIL && err.code == EINTR)
		sigprocmask(SIG_UNBLOCK, &caught, NULL); /* ends us now */
	return code;
}
