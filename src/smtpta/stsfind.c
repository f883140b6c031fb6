/*
 * stsfind.c - which MTA-STS policy is in force for a domain.
 *
 *	reason = type ":" SP text LF		; stsfetch(8), when it fails
 *
 * What is remembered of a domain is the entry as the store or a fetch gave it,
 * none among them; after STSFIND_MEMORY_S it is read again, since other agents
 * and stsfetch write there.
 */
#include "smtpta/stsfind.h"

#include "agent/agent.h"
#include "base/keyword.h"
#include "base/mem.h"
#include "net/conn.h"
#include "proc/proc.h"
#include "store/stspolicies.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	LOOKUP_MS = 5 * 1000, /* for the TXT record */
	START_MS = 5 * 1000,  /* for stsfetch to go to the background */
	LEAST_MS = 2 * 1000,  /* of the caller's, or no fetch is begun */
	OUTPUT_MAX = STS_POLICY_MAX + 4096
};

/* What is remembered of a domain. */
struct memory {
	struct str domain;
	struct arena *arena; /* of the entry */
	struct sts_entry entry;
	bool is_known;		/* the entry counts */
	int64_t read_at;	/* conn_now(): when the store was asked */
	int64_t used_at;	/* conn_now() */
	int64_t renew_at;	/* conn_now(): not earlier */
	enum sts_origin origin; /* of the entry, when it came */
	/* Of the last fetch by this agent, if it failed. */
	enum tlsrpt_type failure;
	struct str reason;
};

struct stsfinder {
	struct stsfind_options o;
	struct memory **memories;
	size_t n, cap;
};

struct stsfinder *stsfinder_new(const struct stsfind_options *o)
{
	struct stsfinder *f = mem_zero(1, sizeof(*f));

	f->o = *o;
	return f;
}

static void forget(struct memory *m)
{
	str_done(&m->domain);
	str_done(&m->reason);
	arena_free(m->arena);
	free(m);
}

void stsfinder_free(struct stsfinder *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->n; i++)
		forget(f->memories[i]);
	free(f->memories);
	free(f);
}

/* ---- memory ------------------------------------------------------------- */

/* Makes room for one more: the one that was not used for longest goes. */
static void make_room(struct stsfinder *f)
{
	size_t oldest = 0;

	if (f->n < STSFIND_DOMAINS_MAX)
		return;
	for (size_t i = 1; i < f->n; i++)
		if (f->memories[i]->used_at < f->memories[oldest]->used_at)
			oldest = i;
	forget(f->memories[oldest]);
	f->memories[oldest] = f->memories[--f->n];
}

static struct memory *memory_of(struct stsfinder *f, struct slice domain)
{
	struct memory *m;

	for (size_t i = 0; i < f->n; i++)
		if (slice_eq_nocase(str_slice(&f->memories[i]->domain), domain))
			return f->memories[i];
	make_room(f);
	f->memories =
	    mem_grow(f->memories, &f->cap, f->n + 1, sizeof(struct memory *));
	m = mem_zero(1, sizeof(*m));
	m->arena = arena_new();
	m->renew_at = INT64_MIN;
	str_add(&m->domain, domain);
	f->memories[f->n++] = m;
	return m;
}

static void copy_entry(struct sts_entry *to, const struct sts_entry *from,
		       struct arena *a)
{
	*to = *from;
	to->id = arena_dup(a, from->id);
	to->policy.mx = arena_array(a, from->policy.n_mx, sizeof(struct slice));
	for (size_t i = 0; i < from->policy.n_mx; i++)
		to->policy.mx[i] = arena_dup(a, from->policy.mx[i]);
}

/* The entry may lie in m's own arena. */
static void remember(struct memory *m, const struct sts_entry *e,
		     enum sts_origin origin)
{
	struct arena *a = arena_new();
	struct sts_entry copy;

	copy_entry(&copy, e, a);
	arena_free(m->arena);
	m->arena = a;
	m->entry = copy;
	m->is_known = true;
	m->origin = origin;
	m->read_at = conn_now();
}

static int64_t wall(const struct stsfinder *f)
{
	return f->o.wall != NULL ? f->o.wall() : (int64_t)time(NULL);
}

/* ---- one search --------------------------------------------------------- */

struct search {
	struct stsfinder *f;
	struct memory *m;
	struct sts_found *found;
	int64_t deadline;
	struct arena *arena;
};

static void note_trouble(struct search *s, const char *text)
{
	if (s->found->trouble.len == 0)
		s->found->trouble = arena_dup(s->arena, slice_of(text));
}

static void ask_record(struct search *s)
{
	int64_t end = conn_now() + LOOKUP_MS;
	struct str name = STR_INIT;
	struct dns_answer answer;
	struct slice *records;

	s->found->verdict = DNS_UNAVAILABLE;
	if (s->f->o.dns == NULL)
		return;
	sts_txt_name_print(&name, s->found->domain);
	answer = dns_ask(s->f->o.dns, str_slice(&name), DNS_TXT,
			 end < s->deadline ? end : s->deadline, s->arena);
	str_done(&name);
	s->found->verdict = answer.verdict;
	s->found->txt = STS_TXT_NONE;
	if (answer.verdict == DNS_OK) {
		records = arena_array(s->arena, answer.n, sizeof(*records));
		for (size_t i = 0; i < answer.n; i++)
			records[i] = answer.records[i].data;
		s->found->txt =
		    sts_txt_find(records, answer.n, &s->found->txt_id);
	} else if (answer.verdict != DNS_BAD_NAME &&
		   dns_is_temporary(answer.verdict)) {
		s->found->txt = STS_TXT_UNKNOWN;
	}
}

/* A store that fails leaves what is remembered, however old. */
static void read_store(struct search *s)
{
	struct arena *a;
	struct sts_entry e;
	struct err err;
	int r;

	if (s->f->o.store == NULL)
		return;
	a = arena_new();
	r = stspolicies_load(s->f->o.store, s->found->domain, a, &e, &err);
	if (r < 0)
		note_trouble(s, err.text);
	else
		remember(s->m, &e, r > 0 ? STS_FROM_STORE : STS_FROM_NOWHERE);
	s->found->origin = s->m->origin;
	arena_free(a);
}

static void look_up(struct search *s)
{
	struct memory *m = s->m;

	if (m->is_known && (s->f->o.store == NULL ||
			    conn_now() - m->read_at < STSFIND_MEMORY_S * 1000))
		s->found->origin = m->origin == STS_FROM_NOWHERE
				       ? STS_FROM_NOWHERE
				       : STS_FROM_MEMORY;
	else
		read_store(s);
}

static enum sts_step next_step(struct search *s)
{
	return sts_entry_step(&s->m->entry, s->found->txt, s->found->txt_id,
			      wall(s->f));
}

/* Another agent may have done meanwhile what memory says is to be done. */
static enum sts_step choose_step(struct search *s)
{
	enum sts_step step = next_step(s);

	if (step == STS_USE || s->found->origin != STS_FROM_MEMORY)
		return step;
	read_store(s);
	return next_step(s);
}

/* What is known now, for all agents. False: it could not be kept. */
static bool keep(struct search *s, const struct sts_entry *e)
{
	struct err err;

	if (s->f->o.store == NULL)
		return false;
	if (stspolicies_save(s->f->o.store, s->found->domain, e, wall(s->f),
			     &err) == 0)
		return true;
	note_trouble(s, err.text);
	return false;
}

/* ---- stsfetch ----------------------------------------------------------- */

static ssize_t no_input(void *context, struct str *to, struct err *err)
{
	(void)context;
	(void)to;
	(void)err;
	return 0;
}

/* Its words: of the options, then `more`, which end in NULL. */
static char **arguments(const struct search *s, char *const *more)
{
	char *const *words = s->f->o.words;
	size_t n = 1, n_more = 0;
	char **argv;

	while (words != NULL && words[n - 1] != NULL)
		n++;
	while (more[n_more] != NULL)
		n_more++;
	argv = arena_array(s->arena, n + n_more + 1, sizeof(char *));
	argv[0] = strcpy(arena_alloc(s->arena, sizeof("stsfetch")), "stsfetch");
	for (size_t i = 1; i < n; i++)
		argv[i] = words[i - 1];
	for (size_t i = 0; i < n_more; i++)
		argv[n + i] = more[i];
	return argv;
}

static char *word(struct search *s, const char *format, struct slice value)
{
	struct str text = STR_INIT;
	char *copy;

	str_adds(&text, format);
	str_add(&text, value);
	copy = arena_alloc(s->arena, text.len + 1);
	memcpy(copy, str_cstr(&text), text.len + 1);
	str_done(&text);
	return copy;
}

static void run(struct search *s, char *const *more, unsigned timeout_ms,
		struct str *output, struct proc_result *ret)
{
	static char path[] = "PATH=/usr/bin:/bin";
	char *envp[] = { path, NULL };
	struct proc_command command = {
		.path = s->f->o.program,
		.argv = arguments(s, more),
		.envp = envp,
		.ids = PROC_IDS_KEEP,
		.timeout_ms = timeout_ms,
		.kill_after_ms = 100,
		.should_stop = agent_is_interrupted,
		.ignored_signals = s->f->o.ignored_signals,
		.output_max = OUTPUT_MAX,
	};

	proc_run(&command, no_input, NULL, output, ret);
}

enum tlsrpt_type stsfind_read_reason(struct slice output,
				     struct slice *ret_text)
{
	static const struct keyword types[] = {
		{ "sts-policy-fetch-error", TLSRPT_STS_POLICY_FETCH_ERROR },
		{ "sts-policy-invalid", TLSRPT_STS_POLICY_INVALID },
		{ "sts-webpki-invalid", TLSRPT_STS_WEBPKI_INVALID },
	};
	struct slice line = slice_head(output, slice_find(output, '\n'));
	size_t colon = slice_find(line, ':');
	const struct keyword *k =
	    keyword_find(types, COUNT(types), slice_head(line, colon));

	*ret_text = slice_trim(k != NULL ? slice_from(line, colon + 1) : line);
	return k != NULL ? (enum tlsrpt_type)k->value : TLSRPT_SUCCESS;
}

/* Why there is no policy, when stsfetch did not end with one. */
static enum tlsrpt_type judge_end(const struct proc_result *ran,
				  struct slice output, struct str *reason)
{
	enum tlsrpt_type type;
	struct slice text;

	str_clear(reason);
	switch (ran->end) {
	case PROC_EXITED:
		type = stsfind_read_reason(output, &text);
		str_add_clean(reason, text, TLSRPT_TEXT_MAX);
		if (text.len == 0)
			str_addf(reason, "stsfetch ended with status %d",
				 ran->code);
		return type;
	case PROC_TIMED_OUT:
		str_adds(reason, "no policy within the time for it");
		return TLSRPT_STS_POLICY_FETCH_ERROR;
	case PROC_SIGNALED:
		str_addf(reason, "stsfetch was ended by signal %d",
			 ran->signal);
		return TLSRPT_SUCCESS;
	default:
		str_adds(reason, ran->err.text);
		return TLSRPT_SUCCESS;
	}
}

/* How long a fetch may take; 0: it is not to be begun. */
static unsigned time_for_fetch(const struct search *s)
{
	int64_t left = s->deadline - conn_now();
	unsigned most =
	    s->f->o.fetch_ms > 0 ? s->f->o.fetch_ms : STSFIND_FETCH_MS;

	if (left >= most)
		return most;
	return left < LEAST_MS ? 0 : (unsigned)left;
}

static void on_fetched(struct search *s, const struct sts_policy *policy)
{
	struct sts_entry e = { 0 };

	sts_entry_fetched(&e, policy, s->found->txt_id, wall(s->f));
	(void)keep(s, &e);
	remember(s->m, &e, STS_FROM_FETCH);
	s->found->origin = STS_FROM_FETCH;
	s->m->failure = TLSRPT_SUCCESS;
	str_clear(&s->m->reason);
}

/* Our own fault is no other agent's business, but not to be repeated. */
static void on_failure(struct search *s, enum tlsrpt_type failure)
{
	struct sts_entry *e = &s->m->entry;

	sts_entry_failed(e, wall(s->f));
	s->m->is_known = true;
	s->m->read_at = conn_now();
	s->m->origin = STS_FROM_FETCH;
	s->m->failure = failure;
	if (failure == TLSRPT_SUCCESS)
		note_trouble(s, str_cstr(&s->m->reason));
	else if (keep(s, e))
		read_store(s); /* another agent may have succeeded */
}

static void fetch(struct search *s)
{
	static char policy_word[] = "policy";
	char *more[] = { policy_word, word(s, "", s->found->domain), NULL };
	unsigned time = time_for_fetch(s);
	struct str output = STR_INIT;
	struct sts_policy policy;
	struct proc_result ran;
	struct err err;
	enum tlsrpt_type failure;

	if (s->f->o.program == NULL || time == 0)
		return;
	run(s, more, time, &output, &ran);
	if (ran.end != PROC_EXITED || ran.code != 0) {
		failure = judge_end(&ran, str_slice(&output), &s->m->reason);
		on_failure(s, failure);
	} else if (sts_policy_parse(str_slice(&output), s->arena, &policy,
				    &err) < 0) {
		str_clear(&s->m->reason);
		str_add_clean(&s->m->reason, slice_of(err.text),
			      TLSRPT_TEXT_MAX);
		on_failure(s, TLSRPT_STS_POLICY_INVALID);
	} else {
		on_fetched(s, &policy);
	}
	str_done(&output);
}

/*
 * stsfetch leaves its parent at once; whatever comes of it is in the store
 * when that is asked again.
 */
static void renew(struct search *s)
{
	static char option[] = "-O", background[] = "background",
		    refresh[] = "refresh";
	char *more[] = {
		option,	 background,
		option,	 word(s, "store=", slice_of(s->f->o.store_dir)),
		refresh, word(s, "", s->found->domain),
		NULL
	};
	struct str output = STR_INIT;
	struct proc_result ran;

	if (s->f->o.program == NULL || conn_now() < s->m->renew_at)
		return;
	s->m->renew_at = conn_now() + STS_RETRY_MIN * 1000;
	run(s, more, START_MS, &output, &ran);
	s->found->is_renewed = ran.end == PROC_EXITED && ran.code == 0;
	if (!s->found->is_renewed) {
		struct str reason = STR_INIT;

		(void)judge_end(&ran, str_slice(&output), &reason);
		note_trouble(s, str_cstr(&reason));
		str_done(&reason);
	}
	str_done(&output);
}

/* ---- the result --------------------------------------------------------- */

static void conclude(struct search *s)
{
	struct sts_found *found = s->found;
	struct sts_entry *e = ARENA_NEW(s->arena, struct sts_entry);
	int64_t now = wall(s->f);

	copy_entry(e, &s->m->entry, s->arena);
	found->failures = e->failures;
	if (e->failures > 0) {
		found->failure = s->m->reason.len > 0
				     ? s->m->failure
				     : TLSRPT_STS_POLICY_FETCH_ERROR;
		found->reason = arena_dup(s->arena, str_slice(&s->m->reason));
	}
	if (!sts_entry_is_live(e, now))
		return;
	found->policy = &e->policy;
	found->id = e->id;
	found->age = now > e->fetched ? now - e->fetched : 0;
}

struct sts_found stsfind(struct stsfinder *f, struct slice domain,
			 int64_t deadline, struct arena *a)
{
	struct sts_found found = { .domain = arena_dup(a, domain) };
	struct search s = { .f = f,
			    .m = memory_of(f, domain),
			    .found = &found,
			    .deadline = deadline,
			    .arena = a };

	s.m->used_at = conn_now();
	ask_record(&s);
	look_up(&s);
	found.step = choose_step(&s);
	if (found.step == STS_RENEW && f->o.store != NULL)
		renew(&s);
	else if (found.step != STS_USE)
		fetch(&s);
	conclude(&s);
	return found;
}

/* ---- words -------------------------------------------------------------- */

void stsfind_print(struct str *to, const struct sts_found *found)
{
	if (found->policy != NULL) {
		str_adds(to, sts_mode_word(found->policy->mode));
		str_adds(to, " id=");
		str_add_clean(to, found->id, STS_ID_MAX);
		str_addf(to, " from=%s age=%lld",
			 sts_origin_word(found->origin), (long long)found->age);
	} else {
		str_adds(to, "no policy");
	}
	str_addf(to, " txt=%s step=%s", sts_txt_word(found->txt),
		 sts_step_word(found->step));
	if (found->failures > 0 && found->reason.len > 0) {
		str_addf(to, " failures=%u (", found->failures);
		str_add_clean(to, found->reason, TLSRPT_TEXT_MAX);
		str_addc(to, ')');
	} else if (found->failures > 0) {
		str_addf(to, " failures=%u", found->failures);
	}
}

const char *sts_origin_word(enum sts_origin origin)
{
	static const char *const words[STS_ORIGINS] = {
		[STS_FROM_NOWHERE] = "nowhere",
		[STS_FROM_MEMORY] = "memory",
		[STS_FROM_STORE] = "store",
		[STS_FROM_FETCH] = "fetch",
	};

	assert((size_t)origin < COUNT(words));
	return words[origin];
}
