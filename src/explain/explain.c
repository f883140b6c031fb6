/*
 * explain.c - `smtp --explain`: the way mail would go, step by step.
 *
 * Text is written as the steps are made, JSON when all are. The first thing
 * that cannot be written ends the writing, not the walk.
 */
#include "explain/explain.h"

#include "agent/agent.h"
#include "base/fd.h"
#include "base/log.h"
#include "explain/walk.h"
#include "net/dns_record.h"
#include "smtpta/safety.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

struct explaining {
	const struct explain_request *request;
	struct explanation *e;
	struct str record; /* of the answers, for --record */
	bool is_route_known;
	int out_fd;
	int write_code; /* errno of what could not be written */
};

/* Writes what a printer has made, and empties it. */
static void put(struct explaining *x, struct str *text)
{
	if (x->write_code == 0 && fd_write_all(x->out_fd, str_slice(text)) < 0)
		x->write_code = errno;
	str_done(text);
}

static void put_part(struct explaining *x,
		     void (*print)(struct str *to, const struct explanation *e))
{
	struct str text = STR_INIT;

	print(&text, x->e);
	put(x, &text);
}

/* Connections look everything up again; that has been told already. */
static void on_answer(void *context, const struct dns_answer *answer)
{
	struct explaining *x = context;
	struct str text = STR_INIT;

	if (x->is_route_known)
		return;
	walk_answer(x->e, answer);
	if (x->request->record != NULL)
		dns_record_print(&x->record, answer);
	if (x->request->is_json)
		return;
	explanation_print_answer(&text, answer);
	put(x, &text);
}

static void on_peer(void *context, const struct explained_peer *peer)
{
	struct explaining *x = context;
	struct str text = STR_INIT;

	if (x->request->is_json)
		return;
	explanation_print_peer(&text, peer);
	put(x, &text);
}

static void walk(struct explaining *x, const struct walk_scene *scene)
{
	const struct walk_listener listener = { on_peer, x };
	bool is_text = !x->request->is_json;

	walk_subject(scene->options, x->e);
	if (is_text)
		put_part(x, explanation_print_subject);
	walk_route(scene, x->e);
	x->is_route_known = true;
	walk_content(scene->options, x->e);
	if (is_text)
		put_part(x, explanation_print_route);
	if (x->request->does_connect)
		walk_peers(scene, x->e, &listener);
	walk_end(x->e);
	put_part(x, is_text ? explanation_print_end : explanation_print_json);
}

static int write_record(const char *path, struct slice text, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int r = 0;

	if (fd < 0 || fd_write_all(fd, text) < 0)
		r = FAIL_CODE(err, errno, "%s: %s", path, strerror(errno));
	fd_close(fd);
	return r;
}

static int open_offline(const char *path, struct dns_source **ret,
			struct err *err)
{
	if (path == NULL || dns_recorded_file(path, ret, err) == 0)
		return EX_OK;
	return err->code != 0 ? EX_NOINPUT : EX_DATAERR;
}

/* The answers that were given are kept, also of a walk that came to nothing. */
static int finish(struct explaining *x, struct err *err)
{
	const char *path = x->request->record;

	if (path != NULL && write_record(path, str_slice(&x->record), err) < 0)
		return EX_CANTCREAT;
	if (x->write_code != 0) {
		err_set(err, x->write_code, "the explanation: %s",
			strerror(x->write_code));
		return EX_IOERR;
	}
	return x->e->status;
}

static void complain(void *context, const char *text)
{
	(void)context;
	log_line(LOG_LEVEL_WARNING, "%s", text);
}

static int64_t wall_time(void)
{
	return (int64_t)time(NULL);
}

static struct safety *make_safety(const struct smtpta_options *o,
				  struct dns_resolver *dns)
{
	const struct safety_setup setup = { .options = o,
					    .dns = dns,
					    .wall_time = wall_time,
					    .complain = complain,
					    .only_looks = true };

	return safety_new(&setup);
}

int explain_run(const struct smtpta_options *o, const struct explain_request *q,
		int out_fd, struct err *err)
{
	struct explaining x = { .request = q, .out_fd = out_fd };
	struct smtpta_options options = *o;
	struct walk_draws draws = { .choose = o->choose,
				    .context = o->choose_context };
	struct walk_scene scene = { .options = &options, .draws = &draws };
	struct safety *safety;
	int status;

	*err = (struct err){ 0 };
	options.dns.should_stop = agent_is_interrupted;
	options.dns.on_answer = on_answer;
	options.dns.context = &x;
	status = open_offline(q->offline, &options.dns.source, err);
	if (status != EX_OK)
		return status;
	if (o->choose != NULL) {
		options.choose = walk_draw;
		options.choose_context = &draws;
	}
	x.e = explanation_new();
	x.e->subject = arena_dup(x.e->arena, q->subject);
	x.e->offline = slice_of(q->offline);
	x.e->content.file = q->message;
	scene.resolver = dns_new(&options.dns);
	safety = make_safety(&options, scene.resolver);
	scene.safety = safety_of_sessions(safety);
	walk(&x, &scene);
	status = finish(&x, err);
	safety_free(safety);
	dns_free(scene.resolver);
	explanation_free(x.e);
	walk_draws_done(&draws);
	str_done(&x.record);
	return status;
}
