/*
 * session_tls.c - a session's security: decided, enforced, told.
 *
 * What a host needs is decided in smtpta/security.h; here it is carried out.
 * Nothing of a mail is said before the need is met: the engine is told to
 * require STARTTLS, and net/tls.h lets no connection pass that does not meet
 * it. What fails is the word of this host alone; the next one is asked, and at
 * the end the mail waits: 4.7.x, never clear text, never a bounce.
 */
#include "agent/agent.h"
#include "base/json.h"
#include "base/keyword.h"
#include "smtpta/security_json.h"
#include "smtpta/session_internal.h"
#include "smtpta/tlsnotes.h"

/* As much as people can read: no messages of the handshake. */
enum { EXPLAINED_LEVEL = 2 };

static const struct security_host *host_of(const struct session *s)
{
	return s->security == NULL ? NULL : security_of(s->security, s->at);
}

/* ---- the decision ---------------------------------------------------------
 */

void session_begin_destination(struct session *s)
{
	s->security = NULL;
	if (s->safety == NULL || s->route.n == 0)
		return;
	tlsnotes_pause(s->safety->notes, s->terms->is_tls_report);
	s->security = security_new(&s->safety->scene, s->host, &s->route,
				   s->request, s->arena);
	tlsnotes_policy(s->safety->notes, s->security);
}

/* Tells what was decided of an address of a host that was not judged yet. */
static void tell_decision(struct session *s, size_t place)
{
	const struct security_host *host = security_of(s->security, place);
	struct str text = STR_INIT;

	if (s->log == NULL && s->listener == NULL)
		return;
	tls_evidence_print(&text, &host->facts, &host->decision);
	session_remark(s, "(TLS for %.*s: %.*s)",
		       SLICE_ARG(s->route.hosts[place].name), (int)text.len,
		       str_cstr(&text));
	str_done(&text);
}

void session_judge(struct session *s, const size_t *places, size_t n)
{
	if (s->security == NULL)
		return;
	security_judge(s->security, places, n);
	for (size_t i = 0; i < n; i++) {
		size_t before = 0;

		while (before < i && security_of(s->security, places[before]) !=
					 security_of(s->security, places[i]))
			before++;
		if (before == i)
			tell_decision(s, places[i]);
	}
}

/* A try that comes to nothing for lack of security. */
static struct session_try unsafe(struct session *s, const char *reason,
				 const char *status, struct slice what)
{
	const struct diag *d =
	    security_unmet(s->security, s->at, reason, status, what);

	return (struct session_try){ .phase = SMTP_PHASE_STARTTLS,
				     .diag = session_keep_diag(s, d) };
}

/* The account of the address at hand; false, with *ret filled: no mail now. */
static bool find_account(struct session *s, struct session_try *ret)
{
	const struct diag *why;

	if (s->security == NULL || s->safety->scene.auth == NULL ||
	    auth_find(s->safety->scene.auth, s->route.hosts[s->at].name,
		      s->arena, &s->auth, &why) != AUTH_DEFERRED)
		return true;
	*ret = (struct session_try){ .phase = SMTP_PHASE_AUTH,
				     .diag = session_keep_diag(s, why) };
	return false;
}

bool session_may_dial(struct session *s, size_t place, struct session_try *ret)
{
	const struct security_host *host;
	bool may;

	if (s->security == NULL)
		return true;
	session_set_address(s, place);
	host = security_of(s->security, place);
	if (host->decision.need != TLS_NEED_IMPOSSIBLE) {
		may = find_account(s, ret);
		auth_dialogue_free(s->auth);
		s->auth = NULL;
		return may;
	}
	*ret = (struct session_try){
		.phase = SMTP_PHASE_STARTTLS,
		.diag =
		    session_keep_diag(s, security_refusal(s->security, place))
	};
	session_remark(s, "(%.*s)", SLICE_ARG(ret->diag->text));
	tlsnotes_impossible(s->safety->notes, s->security, place);
	return false;
}

/* ---- the connection -------------------------------------------------------
 */

void session_record_security(struct session *s)
{
	const struct security_host *host = host_of(s);
	struct str text = STR_INIT;
	struct json j;

	if (s->recorder == NULL || host == NULL)
		return;
	json_begin(&j, &text);
	security_json(&j, NULL, s->security, host);
	recorder_security(s->recorder, str_slice(&text));
	str_done(&text);
}

static void add_line(void *context, struct slice line)
{
	struct str *to = context;

	if (to->len > 0)
		str_addc(to, '\n');
	str_add(to, line);
}

static void record_tls(struct session *s)
{
	struct str text = STR_INIT, lines = STR_INIT;
	struct json j;

	if (s->recorder == NULL)
		return;
	json_begin(&j, &text);
	security_json_tls(&j, NULL, &s->tls);
	if (s->safety->wants_chain) {
		tls_outcome_print(&lines, &s->tls);
		tls_outcome_lines(&s->tls, EXPLAINED_LEVEL, add_line, &lines);
	}
	recorder_tls(s->recorder, str_slice(&text), str_slice(&lines));
	str_done(&text);
	str_done(&lines);
}

/* Whom the secrets of an account would be sent to. */
static void tell_auth(struct session *s)
{
	static const struct {
		enum tls_binding tls;
		enum scram_binding scram;
	} bindings[] = {
		{ TLS_BINDING_EXPORTER, SCRAM_BINDING_TLS_EXPORTER },
		{ TLS_BINDING_UNIQUE, SCRAM_BINDING_TLS_UNIQUE },
	};
	enum tls_path path = security_path(&s->route, s->at);
	struct auth_peer peer = { .is_encrypted = s->is_over_tls };
	struct str binding = STR_INIT;

	peer.is_trusted =
	    path != TLS_PATH_NETWORK ||
	    (s->is_over_tls &&
	     tls_is_trusted(&host_of(s)->facts, &host_of(s)->decision,
			    s->tls.matched));
	peer.has_certificate = s->tls.wanted_certificate &&
			       s->security->terms.settings.n_pairs > 0;
	for (size_t i = 0; i < COUNT(bindings) && s->is_over_tls; i++) {
		if (!tls_channel_binding(s->conn, bindings[i].tls, &binding))
			continue;
		peer.binding_kind = bindings[i].scram;
		peer.binding = str_slice(&binding);
		break;
	}
	auth_secured(s->auth, &peer);
	str_done(&binding);
}

bool session_begin_security(struct session *s, struct session_try *ret)
{
	s->is_over_tls = false;
	s->tls = (struct tls_outcome){ 0 };
	session_record_security(s);
	if (!find_account(s, ret))
		return false;
	if (s->auth != NULL)
		tell_auth(s);
	if (s->auth != NULL && s->safety->only_looks)
		auth_only_look(s->auth);
	return true;
}

void session_record_auth(struct session *s)
{
	if (s->auth != NULL)
		recorder_auth(s->recorder, auth_where(s->auth),
			      auth_mechanism(s->auth));
}

const struct smtp_auth *session_auth(const struct session *s)
{
	return s->auth == NULL ? NULL : auth_smtp(s->auth);
}

enum smtp_tls session_wants_tls(const struct session *s, bool in_clear)
{
	const struct security_host *host = host_of(s);

	if (host == NULL)
		return SMTP_TLS_NONE;
	if (!tls_is_clear_allowed(&host->decision))
		return SMTP_TLS_REQUIRED;
	return in_clear || host->decision.need == TLS_NEED_NOTHING
		   ? SMTP_TLS_NONE
		   : SMTP_TLS_MAY;
}

bool session_is_wrapped(const struct session *s)
{
	return s->security != NULL && s->safety->scene.conf->is_wrapper;
}

bool session_is_clear_allowed(const struct session *s)
{
	const struct security_host *host = host_of(s);

	return host == NULL || tls_is_clear_allowed(&host->decision);
}

static void log_line(void *context, struct slice text)
{
	session_remark(context, "(%.*s)", SLICE_ARG(text));
}

static void log_handshake(struct session *s)
{
	struct str text = STR_INIT;

	tls_outcome_lines(&s->tls, s->safety->scene.conf->loglevel, log_line,
			  s);
	tls_outcome_print(&text, &s->tls);
	if (s->tls.is_ok)
		session_remark(s, "(TLS connection established: %s)",
			       str_cstr(&text));
	else
		session_remark(s, "(TLS failed: %.*s)", SLICE_ARG(s->tls.text));
	str_done(&text);
}

bool session_handshake(struct session *s, struct session_try *ret)
{
	const struct security_host *host = host_of(s);
	struct tls_how how = {
		.settings = &s->security->terms.settings,
		.decision = &host->decision,
		.records = host->records,
		.uses = host->uses,
		.n_records = host->n_records,
		.host = host->facts.host,
		.deadline =
		    conn_now() + (int64_t)s->options->timeouts.tls * 1000,
		.should_stop = agent_is_interrupted,
		.wants_chain = s->safety->wants_chain,
		.wants_trace = s->safety->scene.conf->loglevel >= 3,
	};

	title_say(&s->title, "TLS handshake");
	s->is_over_tls =
	    tls_start(s->safety->tls, s->conn, &how, s->arena, &s->tls);
	log_handshake(s);
	record_tls(s);
	if (s->tls.fault != TLS_FAULT_STOPPED)
		tlsnotes_handshake(s->safety->notes, s->security, s->at,
				   &s->tls, s->conn);
	if (s->is_over_tls && s->auth != NULL)
		tell_auth(s);
	if (s->is_over_tls)
		return true;
	*ret = unsafe(s, tls_fault_word(s->tls.fault),
		      tls_fault_status(s->tls.fault), s->tls.text);
	/* A word of the postmaster's that nobody understands is no way out. */
	ret->is_tls_trouble = s->tls.fault != TLS_FAULT_SETTINGS;
	return false;
}

void session_tls_refused(struct session *s, struct session_try *t)
{
	unsigned code = t->code;
	struct slice what = slice_of(t->diag->reason);

	if (code != 0)
		what = t->diag->text;
	tlsnotes_not_offered(s->safety->notes, s->security, s->at, s->conn);
	*t = unsafe(s, t->diag->reason, "4.7.4", what);
	t->code = code;
	t->is_tls_trouble = true;
}

bool session_may_share(struct session *s, struct slice domain)
{
	return s->security == NULL ||
	       security_may_share(s->security, s->at,
				  s->is_over_tls ? &s->tls : NULL, domain);
}

bool session_needs_requiretls(const struct session *s)
{
	const struct security_host *host = host_of(s);

	return host != NULL && host->decision.is_requiretls;
}

/* RFC 8689 4.2.1: over TLS, authenticated, the server must promise the same. */
static bool lacks_requiretls(const struct session *s)
{
	return session_needs_requiretls(s) && !smtp_caps(s->engine)->requiretls;
}

void session_check_ready(struct session *s, struct session_try *ret)
{
	const struct security_host *host = host_of(s);

	ret->is_ready = !lacks_requiretls(s);
	if (ret->is_ready) {
		/* One that offers it has failed, and was counted, before. */
		if (host != NULL && !s->is_over_tls &&
		    host->decision.need != TLS_NEED_NOTHING &&
		    !smtp_caps(s->engine)->starttls)
			tlsnotes_not_offered(s->safety->notes, s->security,
					     s->at, s->conn);
		return;
	}
	*ret = unsafe(s, "requiretls-not-offered", "4.7.30",
		      SLICE("it does not offer REQUIRETLS"));
	ret->lacks_requiretls = true;
	session_close(s, "no REQUIRETLS");
}
