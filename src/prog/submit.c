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
#include "base/log.h"
#include "conf/way.h"
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
#include <time.h>
#include <unistd.h>

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

/* Warnings of whoever sends a message: as all that it says. */
static void log_to_caller(void *context, enum log_level level,
			  struct slice line)
{
	struct str text = STR_INIT;

	(void)context;
	(void)level;
	str_add(&text, line);
	complain(str_cstr(&text));
	str_done(&text);
}

/* The log of the service: with a time, unless the journal adds its own. */
static void log_for_postmaster(void *context, enum log_level level,
			       struct slice line)
{
	static const char *const words[] = { "error: ", "warning: ", "", "" };
	time_t now = time(NULL);
	char text[32] = "";
	struct str out = STR_INIT;
	struct tm tm;

	(void)context;
	if (getenv("JOURNAL_STREAM") == NULL && localtime_r(&now, &tm) != NULL)
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S ", &tm);
	str_addf(&out, "%ssubmit: %s%.*s\n", text, words[level],
		 SLICE_ARG(line));
	if (fd_write_all(STDERR_FILENO, str_slice(&out)) < 0) {
		/* nobody is left to be told */
	}
	str_done(&out);
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

/* The signals that end a program, as input. */
struct signals {
	sigset_t caught; /* and blocked */
	int stop_fd;	 /* readable when one has come; -1: not yet */
};

/* All but those that are ignored. */
static int catch_signals(struct signals *ret, struct err *err)
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
	*ret = (struct signals){ caught, fd };
	return 0;
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

/* All that configuration says, but for routes.conf; the arena is given. */
static int read_office(struct subm_rules *ret, struct err *err)
{
	struct arena *a = arena_new();
	struct slice host_name = { 0 };
	struct subm_settings s;
	struct way_names names;
	struct utsname machine;
	struct zenv *z;

	if (zenv_load(secure_getenv("ZCONFIG"), a, &z, err) > 0)
		log_line(LOG_LEVEL_WARNING, "%s", err->text);
	if (uname(&machine) == 0)
		host_name = arena_dup(a, slice_of(machine.nodename));
	if (subm_settings_read(z, &s, err) < 0 ||
	    way_names_read(z, host_name, a, &names, err) < 0) {
		arena_free(a);
		return EX_CONFIG;
	}
	*ret = (struct subm_rules){
		.arena = a,
		.site = { .postoffice = s.postoffice,
			  .hash_levels = s.hash_levels,
			  .host_name = host_name,
			  .mail_name = names.mail_name,
			  .size_max = s.privileged.size,
			  .rcpts_max = s.privileged.rcpts,
			  .reserve = s.reserve },
		.routes_file = names.routes_file,
		.trusted = s.trusted,
		.limits = s.ordinary,
	};
	return EX_OK;
}

/* For who writes the spool: others may not even read the file. */
static int read_routes(struct subm_rules *o, struct err *err)
{
	return routes_load(o->routes_file, o->arena, &o->site.routes, err) < 0
		   ? EX_CONFIG
		   : EX_OK;
}

static int read_rules(void *context, struct subm_rules *ret, struct err *err)
{
	struct subm_rules rules;
	int code = read_office(&rules, err);

	(void)context;
	if (code != EX_OK)
		return code;
	code = read_routes(&rules, err);
	if (code == EX_OK)
		*ret = rules;
	else
		arena_free(rules.arena);
	return code;
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

/* The privileged, when nobody serves the spool. */
static int send_alone(struct subm_rules *office, struct subm_options *o,
		      int stop_fd, struct err *err)
{
	int code = read_routes(office, err);

	if (code != EX_OK)
		return code;
	add_identity(&o->request, office->arena);
	return send_direct(&office->site, o, stop_fd, err);
}

/*
 * Through the service if there is one, since its messages share the waits for
 * the disk. Without it the privileged write themselves; of others it is the
 * only way, and they connect when their message is there.
 */
static int send_by(struct subm_rules *office, struct subm_options *o,
		   int stop_fd, struct err *err)
{
	bool is_privileged =
	    subm_is_trusted(office->trusted, getuid(), find_uid, NULL);
	struct subm_client *client =
	    subm_client_new(office->site.postoffice, stop_fd);
	struct subm_target target = subm_client_target(client);
	int code;

	if (!is_privileged || subm_client_connect(client, err) == 0) {
		code = send_to(&target, o, stop_fd, err);
		subm_client_free(client);
		return code;
	}
	subm_client_free(client);
	if (is_unserved(err->code))
		return send_alone(office, o, stop_fd, err);
	err->code = 0;
	return EX_TEMPFAIL;
}

static int send_mail(struct subm_options *o, int stop_fd, struct err *err)
{
	struct subm_rules office;
	int code = read_office(&office, err);

	if (code != EX_OK)
		return code;
	code = send_by(&office, o, stop_fd, err);
	arena_free(office.arena);
	return code;
}

/* ---- other modes -------------------------------------------------------- */

/* Of each connection: itself, its message's two files. And some others. */
enum { FDS_OF_CONNECTION = 3, FDS_SPARE = 64, CONNECTIONS_MAX = 1500 };

/* As many connections as there can be files. */
static size_t max_connections(void)
{
	struct rlimit limit;
	rlim_t n = CONNECTIONS_MAX;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return CONNECTIONS_MAX / FDS_OF_CONNECTION;
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
		(void)getrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur < n * FDS_OF_CONNECTION + FDS_SPARE)
		n = limit.rlim_cur > FDS_SPARE + FDS_OF_CONNECTION
			? (limit.rlim_cur - FDS_SPARE) / FDS_OF_CONNECTION
			: 1;
	return (size_t)n;
}

/* HUP does not end a service: a descriptor that becomes readable with it. */
static int divert_hup(const struct signals *signals, struct err *err)
{
	sigset_t ending = signals->caught, hup;
	int fd;

	sigemptyset(&hup);
	sigaddset(&hup, SIGHUP);
	sigdelset(&ending, SIGHUP);
	fd = signalfd(-1, &hup, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0 || sigprocmask(SIG_BLOCK, &hup, NULL) < 0 ||
	    signalfd(signals->stop_fd, &ending, SFD_CLOEXEC) < 0) {
		fd_close(fd);
		return FAIL_CODE(err, errno, "signals: %s", strerror(errno));
	}
	return fd;
}

static int serve(const struct signals *signals, struct err *err)
{
	struct subm_serve_options o = {
		.read_rules = read_rules,
		.people = { .find_uid = find_uid, .find_user = find_user },
		.stop_fd = signals->stop_fd,
		.reload_fd = divert_hup(signals, err),
		.manager_socket = getenv("NOTIFY_SOCKET"),
		.max_connections = max_connections(),
	};
	int code;

	if (o.reload_fd < 0)
		return EX_OSERR;
	log_to(log_for_postmaster, NULL);
	code = subm_serve(&o, err);
	if (code != EX_OK)
		log_line(LOG_LEVEL_ERROR, "%s", err->text);
	err->text[0] = '\0'; /* it was said */
	fd_close(o.reload_fd);
	return code;
}

/*
 * Another program's business: beside this one, or where people's programs are
 * if this lies in sbin. Signals are again what they are for everybody.
 */
static int list_queue(struct arena *a, struct err *err)
{
	static const char *const places[] = { "mailq", "../bin/mailq" };
	char *const argv[] = { (char *)(uintptr_t) "mailq", NULL };
	struct stat mine, other;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	for (size_t i = 0; i < COUNT(places); i++) {
		const char *path = setup_beside(places[i], a);

		if (stat("/proc/self/exe", &mine) == 0 &&
		    stat(path, &other) == 0 &&
		    (mine.st_ino != other.st_ino ||
		     mine.st_dev != other.st_dev))
			execv(path, argv);
	}
	err_set(err, 0, "the queue is listed by mailq, which is not installed");
	return EX_UNAVAILABLE;
}

static int run(int argc, char **argv, const struct signals *signals,
	       struct arena *a, struct err *err)
{
	struct subm_options o;
	int code = subm_options_read(argc, argv, a, &o, err);

	if (code != EX_OK)
		return code;
	switch (o.mode) {
	case SUBM_MODE_MESSAGE:
	case SUBM_MODE_BATCH:
		return send_mail(&o, signals->stop_fd, err);
	case SUBM_MODE_LIST_QUEUE:
		return list_queue(a, err);
	case SUBM_MODE_SERVE:
		return serve(signals, err);
	case SUBM_MODE_NOTHING:
		break;
	}
	return EX_OK;
}

int main(int argc, char **argv)
{
	struct arena *a = arena_new();
	struct err err = { 0 };
	struct signals signals = { .stop_fd = -1 };
	int code = check_descriptors(&err);

	sigemptyset(&signals.caught);
	log_to(log_to_caller, NULL);
	if (code == EX_OK && catch_signals(&signals, &err) < 0)
		code = EX_OSERR;
	if (code == EX_OK)
		code = run(argc, argv, &signals, a, &err);
	/* Of a batch's messages each was told of. */
	if (code != EX_OK && err.text[0] != '\0')
		complain(err.text);
	arena_free(a);
	if (code == EX_TEMPFAIL && err.code == EINTR)
		sigprocmask(SIG_UNBLOCK, &signals.caught, NULL); /* ends us */
	return code;
}
