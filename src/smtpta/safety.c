/*
 * safety.c - all that makes an agent's connections secure, in one piece.
 */
#include "smtpta/safety.h"

#include "base/mem.h"
#include "net/conn.h"
#include "smtpta/auth.h"
#include "smtpta/tlsnotes.h"
#include "store/tlssessions.h"

#include <stdlib.h>
#include <unistd.h>

struct safety {
	struct safety_setup setup;
	struct store *store; /* NULL: nothing is shared */
	struct str store_dir;
	struct tlsconf plain; /* where the postmaster wrote nothing */
	struct stsfinder *sts;
	struct session_safety of_sessions;
	bool has_complained;
};

/* One line for all that goes wrong with what is only shared. */
static void complain(struct safety *s, const struct err *err)
{
	if (s->has_complained)
		return;
	s->has_complained = true;
	s->setup.complain(s->setup.context, err->text);
}

/* ---- TLS sessions, shared -------------------------------------------------
 */

static bool take_session(void *context, struct slice key, struct str *to)
{
	struct safety *s = context;
	struct err err;
	int r = tlssessions_take(s->store, key, s->setup.wall_time(), to, &err);

	if (r < 0)
		complain(s, &err);
	return r > 0;
}

static void put_session(void *context, struct slice key, struct slice session,
			int64_t expires)
{
	struct tlssession kept = { key, session, expires };
	struct safety *s = context;
	struct err err;

	if (tlssessions_save(s->store, &kept, s->setup.wall_time(), &err) < 0)
		complain(s, &err);
}

/* ---- the whole ------------------------------------------------------------
 */

static void on_note_trouble(void *context, const char *text)
{
	struct safety *s = context;
	struct err err;

	err_set(&err, 0, "%s", text);
	complain(s, &err);
}

/*
 * Whoever only looks makes no store; and where the answers are handed in,
 * nothing else is known.
 */
static bool may_open(const struct safety *s)
{
	struct str path = STR_INIT;
	bool may = true;

	if (s->setup.only_looks) {
		str_addf(&path, "%s/store.db", str_cstr(&s->store_dir));
		may = s->setup.options->dns.source == NULL &&
		      access(str_cstr(&path), F_OK) == 0;
	}
	str_done(&path);
	return may;
}

static void open_store(struct safety *s)
{
	const char *mailvar = s->setup.options->dns.memory_dir;

	if (mailvar == NULL)
		return;
	str_addf(&s->store_dir, "%s/zpost", mailvar);
	if (may_open(s))
		s->store = store_new(str_cstr(&s->store_dir));
}

static struct tls_client *make_client(struct safety *s,
				      const struct tlsconf *conf)
{
	const struct tls_shelf shelf = { .context = s,
					 .take = take_session,
					 .put = put_session };
	bool is_shared = s->store != NULL && !s->setup.only_looks &&
			 conf->cache == TLSCONF_CACHE_SHARED;

	return tls_client_new(is_shared ? &shelf : NULL, s->setup.wall_time);
}

static struct stsfinder *make_finder(struct safety *s)
{
	const struct smtpta_options *o = s->setup.options;
	struct stsfind_options how = {
		.dns = s->setup.dns,
		.store = s->store,
		.store_dir = s->store == NULL ? NULL : str_cstr(&s->store_dir),
		.program = s->setup.only_looks ? NULL : o->stsfetch,
		.wall = s->setup.wall_time,
	};

	return stsfinder_new(&how);
}

struct safety *safety_new(const struct safety_setup *setup)
{
	const struct smtpta_options *o = setup->options;
	struct safety *s = mem_zero(1, sizeof(*s));
	const struct auth_options accounts = { .file = o->auth_file,
					       .channel = o->channel,
					       .now = conn_now };
	struct session_safety *out = &s->of_sessions;

	s->setup = *setup;
	open_store(s);
	tlsconf_init(&s->plain);
	s->sts = make_finder(s);
	out->scene = (struct security_scene){
		.options = o,
		.conf = o->tls != NULL ? o->tls : &s->plain,
		.dns = setup->dns,
		.sts = s->sts,
	};
	out->tls = make_client(s, out->scene.conf);
	out->wants_chain = out->only_looks = setup->only_looks;
	if (s->store != NULL && !setup->only_looks)
		out->notes = tlsnotes_new(s->store, setup->wall_time,
					  on_note_trouble, s);
	if (o->auth_file != NULL)
		out->scene.auth = auth_new(&accounts);
	return s;
}

void safety_free(struct safety *s)
{
	if (s == NULL)
		return;
	auth_free(s->of_sessions.scene.auth);
	tlsnotes_free(s->of_sessions.notes);
	tls_client_free(s->of_sessions.tls);
	stsfinder_free(s->sts);
	store_free(s->store);
	str_done(&s->store_dir);
	free(s);
}

void safety_tell(struct safety *s)
{
	struct err err;

	if (s->store != NULL && store_was_mended(s->store, &err))
		s->setup.complain(s->setup.context, err.text);
}

const struct session_safety *safety_of_sessions(const struct safety *s)
{
	return &s->of_sessions;
}
