/*
 * tlsconf.c - smtp-tls.conf(5): what TLS is to be like, read once.
 *
 * A table says what each keyword does; values that the policy file knows too
 * are read by tlsterms. A word that begins with "#" or ";" where an argument
 * is wanted is a remark, not an argument.
 */
#include "conf/tlsconf.h"

#include "base/keyword.h"

#include <assert.h>
#include <string.h>

struct reader {
	struct textfile source;
	struct arena *arena;
	struct tlsterms_reader terms;
	struct tlsconf conf;
	unsigned line;
};

/* ---- single values ------------------------------------------------------ */

static const struct keyword caches[] = {
	{ "none", TLSCONF_CACHE_NONE },
	{ "memory", TLSCONF_CACHE_MEMORY },
	{ "shared", TLSCONF_CACHE_SHARED },
};

const char *tlsconf_cache_word(enum tlsconf_cache cache)
{
	assert((size_t)cache < COUNT(caches));
	return caches[cache].word;
}

/* A decimal number, with a sign if need be; beyond the ends it is the end. */
static int read_number(struct slice s, unsigned low, unsigned high,
		       unsigned *ret, struct err *err)
{
	bool is_negative = s.len > 1 && s.p[0] == '-';
	struct slice digits = is_negative ? slice_from(s, 1) : s;
	uint64_t n;

	for (size_t i = 0; i < digits.len; i++)
		if (!ascii_is_digit(digits.p[i]))
			return FAIL(err, "'%.*s' is no number", SLICE_ARG(s));
	if (!slice_uint(digits, high, &n))
		n = high; /* digits alone, and more than that */
	if (is_negative || n < low)
		n = low;
	*ret = (unsigned)n;
	return 0;
}

static int read_loglevel(struct reader *r, struct slice value, struct err *err)
{
	return read_number(value, 0, TLSCONF_LOGLEVEL_MAX, &r->conf.loglevel,
			   err);
}

static int read_timeout(struct reader *r, struct slice value, struct err *err)
{
	return read_number(value, 1, TLS_SESSION_SECONDS_MAX,
			   &r->terms.terms.settings.session_seconds, err);
}

static int read_cache(struct reader *r, struct slice value, struct err *err)
{
	const struct keyword *k = keyword_find(caches, COUNT(caches), value);

	if (k == NULL)
		return FAIL(err, "'%.*s' is none of none, memory, shared",
			    SLICE_ARG(value));
	r->conf.cache = (enum tlsconf_cache)k->value;
	return 0;
}

static int read_policy_file(struct reader *r, struct slice value,
			    struct err *err)
{
	/* the agent's folder is the spool's, and not the file's */
	if (value.p[0] != '/')
		return FAIL(err, "'%.*s' does not begin with /",
			    SLICE_ARG(value));
	r->conf.policy_file = arena_cstr(r->arena, value);
	return 0;
}

static int read_verify(struct reader *r, struct slice value, struct err *err)
{
	static const struct keyword words[] = { { "none", TLS_LEVEL_MAY },
						{ "may", TLS_LEVEL_MAY },
						{ "peer", TLS_LEVEL_VERIFY } };
	const struct keyword *k = keyword_find(words, COUNT(words), value);

	if (k == NULL)
		return FAIL(err, "'%.*s' is none of none, may, peer",
			    SLICE_ARG(value));
	r->terms.terms.rule.level = (enum tls_level)k->value;
	return 0;
}

static int ignore(struct reader *r, struct slice value, struct err *err)
{
	(void)r;
	(void)value;
	(void)err;
	return 0;
}

static int demand(struct reader *r, struct slice value, struct err *err)
{
	(void)value;
	(void)err;
	r->terms.terms.rule.is_demanded = true;
	return 0;
}

static int wrap(struct reader *r, struct slice value, struct err *err)
{
	r->conf.is_wrapper = true;
	/* there is no clear text to fall back to */
	return demand(r, value, err);
}

static int share(struct reader *r, struct slice value, struct err *err)
{
	(void)value;
	(void)err;
	r->conf.cache = TLSCONF_CACHE_SHARED;
	return 0;
}

/* ---- keywords ----------------------------------------------------------- */

static const struct verb {
	const char *word;
	bool has_argument;
	/* What it does, or the key of tlsterms. */
	int (*read)(struct reader *r, struct slice value, struct err *err);
	const char *key;
} verbs[] = {
	/* of the original */
	{ "tls-cert-file", true, NULL, "cert" },
	{ "tls-key-file", true, NULL, "key" },
	{ "tls-dcert-file", true, NULL, "dcert" },
	{ "tls-dkey-file", true, NULL, "dkey" },
	{ "tls-CAfile", true, NULL, "CAfile" },
	{ "tls-CApath", true, NULL, "CApath" },
	{ "tls-loglevel", true, read_loglevel, NULL },
	{ "tls-random-source", true, ignore, NULL },
	{ "tls-cipher-list", true, NULL, "ciphers" },
	{ "tls-strict-rfc2487", false, ignore, NULL },
	{ "tls-use-scache", false, share, NULL },
	{ "tls-scache-timeout", true, read_timeout, NULL },
	{ "no-tls-readahead", false, ignore, NULL },
	{ "demand-tls-mode", false, demand, NULL },
	/* ours */
	{ "tls-level", true, NULL, "level" },
	{ "tls-verify", true, read_verify, NULL },
	{ "tls-match", true, NULL, "match" },
	{ "tls-fingerprint", true, NULL, "fingerprint" },
	{ "tls-servername", true, NULL, "servername" },
	{ "tls-policy-file", true, read_policy_file, NULL },
	{ "tls-min-protocol", true, NULL, "min-protocol" },
	{ "tls-cipher-suites", true, NULL, "ciphersuites" },
	{ "tls-groups", true, NULL, "groups" },
	{ "tls-session-cache", true, read_cache, NULL },
	{ "tls-wrapper", false, wrap, NULL },
};

const char *tlsconf_keyword(size_t i)
{
	return i < COUNT(verbs) ? verbs[i].word : NULL;
}

static bool is_remark(struct slice s)
{
	return s.len > 0 && (s.p[0] == '#' || s.p[0] == ';');
}

/* The words that smtp has always used, and where. */
static int fail_verb(const struct reader *r, struct slice word,
		     const char *missing, struct err *err)
{
	struct str clean = STR_INIT;

	str_add_clean(&clean, word, 64);
	err_set(err, 0,
		"TLS config file, line %u verb: '%s' unknown or missing "
		"parameters! (%s:%u: %s)",
		r->line, str_cstr(&clean), r->source.name, r->line, missing);
	str_done(&clean);
	return -1;
}

static int read_line(struct reader *r, struct slice line, struct err *err)
{
	const struct verb *v = verbs;
	const struct verb *end = verbs + COUNT(verbs);
	struct slice word, value = { 0 };
	struct err why;
	int status;

	if (!slice_word(&line, &word) || is_remark(word))
		return 0;
	while (v < end && !slice_eq_nocase(slice_of(v->word), word))
		v++;
	if (v == end)
		return fail_verb(r, word, "no such keyword", err);
	if (v->has_argument && (!slice_word(&line, &value) || is_remark(value)))
		return fail_verb(r, word, "an argument is missing", err);
	if (slice_has_control(value))
		return FAIL(err, "%s:%u: %s: a control byte in the argument",
			    r->source.name, r->line, v->word);
	status = v->read != NULL
		     ? v->read(r, value, &why)
		     : tlsterms_set(&r->terms, slice_of(v->key), value, &why);
	if (status < 0)
		return FAIL(err, "%s:%u: %s: %s", r->source.name, r->line,
			    v->word, why.text);
	return 0;
}

/* ---- the file ----------------------------------------------------------- */

void tlsconf_init(struct tlsconf *ret)
{
	*ret = (struct tlsconf){ .file = "",
				 .terms = tlsterms_default(),
				 .cache = TLSCONF_CACHE_MEMORY };
}

int tlsconf_parse(struct textfile source, struct arena *a, struct tlsconf *ret,
		  struct err *err)
{
	struct reader r = { .source = source, .arena = a };
	struct slice line;
	struct err why;

	tlsconf_init(&r.conf);
	r.conf.file = source.name;
	tlsterms_begin(&r.terms, a, TLSTERMS_OF_FILE, &r.conf.terms);
	while (textfile_line(&source.text, &line, &r.line))
		if (read_line(&r, line, err) < 0)
			return -1;
	r.terms.terms.settings.is_cached = r.conf.cache != TLSCONF_CACHE_NONE;
	if (tlsterms_end(&r.terms, &r.conf.terms, &why) < 0)
		return FAIL(err, "%s: %s", source.name, why.text);
	*ret = r.conf;
	return 0;
}

int tlsconf_load(const char *name, struct arena *a, struct tlsconf *ret,
		 struct err *err)
{
	struct textfile source;
	struct tlsconf conf;

	if (textfile_read(name, TLSCONF_FILE_MAX, a, &source, err) < 0 ||
	    tlsconf_parse(source, a, &conf, err) < 0)
		return -1;
	if (conf.policy_file != NULL &&
	    (textfile_read(conf.policy_file, TLSPOLICY_FILE_MAX, a, &source,
			   err) < 0 ||
	     tlspolicy_parse(source, &conf.terms, a, &conf.policy, err) < 0))
		return -1;
	*ret = conf;
	return 0;
}

struct tlsconf_found tlsconf_find(const struct tlsconf *conf,
				  struct slice destination)
{
	const struct tlspolicy_entry *e =
	    tlspolicy_find(&conf->policy, destination);
	const struct tlsterms *terms = e != NULL ? &e->terms : &conf->terms;

	return (struct tlsconf_found){ terms->rule, terms->settings, e };
}
