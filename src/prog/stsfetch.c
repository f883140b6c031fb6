/*
 * stsfetch.c - the helper that speaks HTTPS: MTA-STS policies (RFC 8461 3.3)
 * and reports about TLS (RFC 8460 5.4).
 *
 * It is a program of its own so that no agent carries an HTTPS client. What a
 * server says is untrusted: only https, no redirect, no proxy, no cookie, no
 * compression, bounded in size and time, the certificate always checked for
 * the name in the URL; no connection to loopback or to what is no host.
 * Nothing is printed before all of it has been read and found good.
 */
#include "base/fd.h"
#include "base/keyword.h"
#include "base/mem.h"
#include "policy/sts.h"
#include "policy/target.h"
#include "store/stspolicies.h"
#include "version.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum {
	TIMEOUT = 60,		 /* seconds, of -O timeout= */
	TIMEOUT_MAX = 3600,	 /* seconds */
	ALARM_AFTER = 10,	 /* seconds beyond it, should libcurl hang */
	HEADERS_MAX = 64 * 1024, /* bytes of all the lines before a body */
	POST_MAX = 16 * 1024 * 1024, /* bytes of a report */
	LEASE = 2 * TIMEOUT,	     /* seconds of a claim, at least */
	DUE_AT_ONCE = 100,	     /* domains that are looked up together */
	HOST_MAX = 253 - 8	     /* bytes of a domain, below "mta-sts." */
};

struct settings {
	const char *ca_file, *ca_path; /* NULL: the system's */
	const char *connect;	       /* NULL: where DNS and URL say */
	const char *store;
	unsigned timeout; /* seconds, of one exchange */
	bool is_background, is_verbose;
};

/* What went wrong, as the caller is told. */
enum fault {
	FAULT_NONE,
	FAULT_LATER,	   /* no answer, or one that may change */
	FAULT_REFUSED,	   /* an answer, and not what is wanted */
	FAULT_CERTIFICATE, /* it is not that server, for all we know */
	FAULT_POLICY,	   /* it came, and is no policy */
	FAULT_CONFIG,	   /* an option of ours */
	FAULT_LOCAL	   /* this host */
};

/* The word is the result type of RFC 8460 4.3. */
static const struct {
	const char *word;
	int status;
} faults[] = {
	[FAULT_NONE] = { "", EX_OK },
	[FAULT_LATER] = { "sts-policy-fetch-error", EX_TEMPFAIL },
	[FAULT_REFUSED] = { "sts-policy-fetch-error", EX_UNAVAILABLE },
	[FAULT_CERTIFICATE] = { "sts-webpki-invalid", EX_NOPERM },
	[FAULT_POLICY] = { "sts-policy-invalid", EX_DATAERR },
	[FAULT_CONFIG] = { "local", EX_CONFIG },
	[FAULT_LOCAL] = { "local", EX_OSERR },
};

/* ---- one exchange ------------------------------------------------------- */

struct exchange {
	const struct settings *settings;
	CURL *curl;
	struct curl_slist *lines, *connect;
	struct str body;     /* at most body_max bytes */
	size_t body_max;     /* 0: it is not kept */
	size_t headers;	     /* bytes */
	const char *stopped; /* why we ended it; NULL: we did not */
	char text[CURL_ERROR_SIZE];
};

static size_t on_header(char *p, size_t size, size_t n, void *context)
{
	struct exchange *x = context;

	(void)p;
	x->headers += size * n;
	if (x->headers <= HEADERS_MAX)
		return size * n;
	x->stopped = "header too large";
	return 0;
}

static size_t on_body(char *p, size_t size, size_t n, void *context)
{
	struct exchange *x = context;

	if (x->body_max == 0)
		return size * n;
	if (size * n > x->body_max - x->body.len) {
		x->stopped = "too large";
		return 0;
	}
	str_add(&x->body, slice_make(p, size * n));
	return size * n;
}

/* What a stranger's DNS points at is not always meant for us. */
static bool may_connect(const struct sockaddr *to)
{
	struct target_facts facts = { .port = 25 };

	if (to->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)to;

		memcpy(facts.address.bytes, &v4->sin_addr, 4);
	} else if (to->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)to;

		facts.address.is_v6 = true;
		memcpy(facts.address.bytes, &v6->sin6_addr, 16);
	} else {
		return false;
	}
	return target_decide(&facts).may_connect;
}

static curl_socket_t on_socket(void *context, curlsocktype purpose,
			       struct curl_sockaddr *to)
{
	struct exchange *x = context;

	(void)purpose;
	if (x->settings->connect == NULL && !may_connect(&to->addr)) {
		x->stopped = "its address is of no other host";
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static struct curl_slist *add_line(struct curl_slist *list, const char *text)
{
	list = curl_slist_append(list, text);
	if (list == NULL)
		mem_exhausted();
	return list;
}

static void set_limits(struct exchange *x)
{
	CURL *c = x->curl;

	curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)x->settings->timeout);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, x);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, x->text);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(c, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "zpost/" ZPOST_VERSION);
}

/* False: this libcurl cannot do what safety asks for. */
static bool set_security(struct exchange *x)
{
	const struct settings *s = x->settings;
	CURL *c = x->curl;

	if (curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https") != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_SSLVERSION,
			     (long)CURL_SSLVERSION_TLSv1_2) != CURLE_OK)
		return false;
	if (s->ca_file == NULL && s->ca_path == NULL)
		return true;
	/* What is not named is not trusted beside what is. */
	return curl_easy_setopt(c, CURLOPT_CAINFO, s->ca_file) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_CAPATH, s->ca_path) == CURLE_OK;
}

static bool begin_exchange(struct exchange *x, const struct settings *s,
			   const char *url)
{
	struct str to = STR_INIT;

	*x = (struct exchange){ .settings = s, .curl = curl_easy_init() };
	if (x->curl == NULL)
		return false;
	set_limits(x);
	if (s->connect != NULL) {
		str_addf(&to, "::%s", s->connect);
		x->connect = add_line(NULL, str_cstr(&to));
		curl_easy_setopt(x->curl, CURLOPT_CONNECT_TO, x->connect);
		str_done(&to);
	}
	return set_security(x) &&
	       curl_easy_setopt(x->curl, CURLOPT_URL, url) == CURLE_OK;
}

static void end_exchange(struct exchange *x)
{
	curl_easy_cleanup(x->curl);
	curl_slist_free_all(x->connect);
	curl_slist_free_all(x->lines);
	str_done(&x->body);
}

static enum fault fault_of(CURLcode code)
{
	static const struct {
		CURLcode code;
		enum fault fault;
	} rows[] = {
		{ CURLE_PEER_FAILED_VERIFICATION, FAULT_CERTIFICATE },
		{ CURLE_SSL_ISSUER_ERROR, FAULT_CERTIFICATE },
		{ CURLE_SSL_INVALIDCERTSTATUS, FAULT_CERTIFICATE },
		{ CURLE_SSL_CACERT_BADFILE, FAULT_CONFIG },
		{ CURLE_SETOPT_OPTION_SYNTAX, FAULT_CONFIG },
		{ CURLE_FAILED_INIT, FAULT_LOCAL },
		{ CURLE_OUT_OF_MEMORY, FAULT_LOCAL },
		{ CURLE_UNSUPPORTED_PROTOCOL, FAULT_REFUSED }, /* no HTTP */
		{ CURLE_URL_MALFORMAT, FAULT_CONFIG },
		{ CURLE_LOGIN_DENIED, FAULT_CONFIG }, /* a user in the URL */
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].code == code)
			return rows[i].fault;
	return FAULT_LATER;
}

/* Runs it; with FAULT_NONE *ret_status is what the server said. */
static enum fault exchange_run(struct exchange *x, long *ret_status,
			       struct err *err)
{
	CURLcode code;

	alarm(x->settings->timeout + ALARM_AFTER);
	code = curl_easy_perform(x->curl);
	alarm(0);
	if (code == CURLE_OK) {
		curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, ret_status);
		return FAULT_NONE;
	}
	if (x->stopped != NULL) {
		err_set(err, 0, "%s", x->stopped);
		return FAULT_REFUSED;
	}
	err_set(err, 0, "%s",
		x->text[0] != '\0' ? x->text : curl_easy_strerror(code));
	return fault_of(code);
}

/* Is this what the server is asked for? */
static enum fault judge_status(long status, bool is_good, struct err *err)
{
	if (is_good)
		return FAULT_NONE;
	err_set(err, 0, "HTTP status %ld%s", status,
		status / 100 == 3 ? " (redirects are not followed)" : "");
	return status / 100 == 5 || status == 408 || status == 429
		   ? FAULT_LATER
		   : FAULT_REFUSED;
}

/* ---- policies ----------------------------------------------------------- */

/* "text/plain", perhaps with parameters (RFC 8461 3.2). */
static bool is_plain_text(const char *type)
{
	struct slice s = slice_of(type);

	return slice_eq_nocase(slice_trim(slice_head(s, slice_find(s, ';'))),
			       SLICE("text/plain"));
}

/* A policy as it came, and what it says, which lives in the arena. */
struct fetched {
	struct arena *arena;
	struct sts_policy policy;
	struct str text;
};

static enum fault judge_policy(struct exchange *x, long status,
			       struct fetched *ret, struct err *err)
{
	enum fault fault = judge_status(status, status == 200, err);
	const char *type = NULL;

	if (fault != FAULT_NONE)
		return fault;
	curl_easy_getinfo(x->curl, CURLINFO_CONTENT_TYPE, &type);
	if (type == NULL || !is_plain_text(type)) {
		err_set(err, 0, "Content-Type is %.100s, not text/plain",
			type != NULL ? type : "missing");
		return FAULT_REFUSED;
	}
	if (sts_policy_parse(str_slice(&x->body), ret->arena, &ret->policy,
			     err) < 0)
		return FAULT_POLICY;
	str_add(&ret->text, str_slice(&x->body));
	return FAULT_NONE;
}

static enum fault fetch(const struct settings *s, struct slice domain,
			struct fetched *ret, struct err *err)
{
	struct str url = STR_INIT;
	struct exchange x;
	enum fault fault = FAULT_LOCAL;
	long status = 0;

	sts_url_print(&url, domain);
	if (!begin_exchange(&x, s, str_cstr(&url))) {
		err_set(err, 0, "libcurl cannot be used");
		goto out;
	}
	x.body_max = STS_POLICY_MAX;
	fault = exchange_run(&x, &status, err);
	if (fault == FAULT_NONE)
		fault = judge_policy(&x, status, ret, err);
out:
	end_exchange(&x);
	str_done(&url);
	return fault;
}

/* It becomes part of a URL: letters, digits, hyphens, dots, "_". */
static bool read_domain(const char *text, struct slice *ret)
{
	struct slice s = slice_of(text), rest, label;

	if (s.len > 1 && s.p[s.len - 1] == '.')
		s.len--;
	for (rest = s; slice_cut(&rest, '.', &label);) {
		if (label.len == 0 || label.len > 63)
			return false;
		for (size_t i = 0; i < label.len; i++)
			if (!ascii_is_alpha(label.p[i]) &&
			    !ascii_is_digit(label.p[i]) && label.p[i] != '-' &&
			    label.p[i] != '_')
				return false;
	}
	*ret = s;
	return s.len > 0 && s.p[s.len - 1] != '.' && s.len <= HOST_MAX;
}

static int tell(enum fault fault, const char *word, const struct err *err)
{
	if (fault != FAULT_NONE)
		fprintf(stderr, "%s: %s\n", word, err->text);
	return faults[fault].status;
}

/* Each line of a policy is printable by now, but for odd characters. */
static int print_policy(struct slice text)
{
	struct str clean = STR_INIT;
	struct slice line;
	int r;

	while (text.len > 0 && slice_cut(&text, '\n', &line)) {
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		str_add_clean(&clean, line, SIZE_MAX);
		str_addc(&clean, '\n');
	}
	r = fd_write_all(STDOUT_FILENO, str_slice(&clean));
	if (r < 0)
		fprintf(stderr, "local: %s\n", strerror(errno));
	str_done(&clean);
	return r < 0 ? EX_IOERR : EX_OK;
}

static int do_policy(const struct settings *s, char **words)
{
	struct fetched got = { .arena = arena_new() };
	struct slice domain;
	enum fault fault = FAULT_CONFIG;
	struct err err;
	int status;

	if (read_domain(words[0], &domain))
		fault = fetch(s, domain, &got, &err);
	else
		err_set(&err, 0, "'%.80s' is no domain", words[0]);
	status = tell(fault, faults[fault].word, &err);
	if (fault == FAULT_NONE)
		status = print_policy(str_slice(&got.text));
	str_done(&got.text);
	arena_free(got.arena);
	return status;
}

/* ---- reports ------------------------------------------------------------ */

/* *type becomes the field's line; false: it could end the line early. */
static bool add_type(struct exchange *x, const char *type)
{
	struct str line = STR_INIT;

	if (slice_has_control(slice_of(type)))
		return false;
	str_addf(&line, "Content-Type: %s", type);
	x->lines = add_line(NULL, str_cstr(&line));
	x->lines = add_line(x->lines, "Expect:");
	str_done(&line);
	return true;
}

static enum fault post(const struct settings *s, char **words,
		       struct slice report, struct err *err)
{
	struct exchange x;
	enum fault fault = FAULT_LOCAL;
	long status = 0;

	if (!begin_exchange(&x, s, words[0])) {
		err_set(err, 0, "libcurl cannot be used");
		goto out;
	}
	fault = FAULT_CONFIG;
	if (!slice_starts_nocase(slice_of(words[0]), SLICE("https://"))) {
		err_set(err, 0, "the URL is not https://...");
		goto out;
	}
	if (!add_type(&x, words[1])) {
		err_set(err, 0, "a type with control characters");
		goto out;
	}
	curl_easy_setopt(x.curl, CURLOPT_HTTPHEADER, x.lines);
	curl_easy_setopt(x.curl, CURLOPT_POST, 1L);
	curl_easy_setopt(x.curl, CURLOPT_POSTFIELDS,
			 report.len > 0 ? report.p : "");
	curl_easy_setopt(x.curl, CURLOPT_POSTFIELDSIZE_LARGE,
			 (curl_off_t)report.len);
	fault = exchange_run(&x, &status, err);
	if (fault == FAULT_NONE)
		fault = judge_status(status, status / 100 == 2, err);
out:
	end_exchange(&x);
	return fault;
}

static int do_post(const struct settings *s, char **words)
{
	struct str report = STR_INIT;
	enum fault fault;
	struct err err;
	int r = fd_read_all(STDIN_FILENO, 0, POST_MAX, &report);

	if (r < 0) {
		err_set(&err, errno, "standard input: %s", strerror(errno));
		fault = FAULT_LOCAL;
	} else if (r > 0) {
		err_set(&err, 0, "more than %d bytes on standard input",
			(int)POST_MAX);
		fault = FAULT_CONFIG;
	} else {
		fault = post(s, words, str_slice(&report), &err);
	}
	str_done(&report);
	return tell(fault, "post", &err);
}

/* ---- renewing what the store has ---------------------------------------- */

struct renewal {
	const struct settings *settings;
	struct store *store;
	unsigned n_failed; /* fetches */
};

static void tell_renewal(struct renewal *r, struct slice domain,
			 enum fault fault, const struct err *err)
{
	if (fault != FAULT_NONE)
		fprintf(stderr, "%.*s: %s: %s\n", SLICE_ARG(domain),
			faults[fault].word, err->text);
	else if (r->settings->is_verbose)
		printf("%.*s: renewed\n", SLICE_ARG(domain));
	r->n_failed += fault != FAULT_NONE;
}

/*
 * The policy is kept under the id that it had: who finds another one at the
 * next delivery fetches again.
 */
static int fetch_and_save(struct renewal *r, struct slice domain,
			  struct sts_entry *e, struct arena *a, struct err *err)
{
	struct fetched got = { .arena = a };
	struct err why;
	enum fault fault = fetch(r->settings, domain, &got, &why);
	int64_t now = time(NULL);

	tell_renewal(r, domain, fault, &why);
	str_done(&got.text);
	if (fault == FAULT_NONE)
		sts_entry_fetched(e, &got.policy, e->id, now);
	else if (fault != FAULT_CONFIG && fault != FAULT_LOCAL)
		sts_entry_failed(e, now);
	else
		return stspolicies_release(r->store, domain, err);
	return stspolicies_save(r->store, domain, e, now, err);
}

/* 0, or -1 when the store cannot be used. */
static int renew(struct renewal *r, struct slice domain, struct err *err)
{
	unsigned lease = r->settings->timeout + LEASE;
	struct arena *a = arena_new();
	struct sts_entry e;
	int done = stspolicies_claim(r->store, domain, time(NULL), lease, err);

	if (done <= 0)
		goto out;
	done = stspolicies_load(r->store, domain, a, &e, err);
	if (done < 0)
		goto out;
	if (sts_entry_is_due(&e, time(NULL)))
		done = fetch_and_save(r, domain, &e, a, err);
	else /* another has come first */
		done = stspolicies_release(r->store, domain, err);
out:
	arena_free(a);
	return done < 0 ? -1 : 0;
}

static int renew_named(struct renewal *r, char **words, struct err *err)
{
	struct slice domain;

	for (; *words != NULL; words++) {
		if (!read_domain(*words, &domain))
			return FAIL(err, "'%.80s' is no domain", *words);
		if (renew(r, domain, err) < 0)
			return -1;
	}
	return 0;
}

static int renew_due(struct renewal *r, struct err *err)
{
	struct stspolicies_list list = { .arena = arena_new(),
					 .max = DUE_AT_ONCE,
					 .n = DUE_AT_ONCE };
	struct slice domain, after = SLICE("");
	int done = 0;

	while (done == 0 && list.n == list.max) {
		done = stspolicies_due(r->store, after, time(NULL), &list, err);
		for (size_t i = 0; done == 0 && i < list.n; i++) {
			after = list.domains[i];
			if (read_domain(arena_cstr(list.arena, after), &domain))
				done = renew(r, domain, err);
		}
	}
	arena_free(list.arena);
	return done;
}

/* Goes on alone, so that whoever called need not wait. */
static int go_to_background(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid = null < 0 ? -1 : fork();

	if (pid < 0)
		return -1;
	if (pid > 0)
		_exit(EX_OK);
	setsid();
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (dup2(null, fd) < 0)
			return -1;
	return 0;
}

static int do_refresh(const struct settings *s, char **words)
{
	struct renewal r = { .settings = s };
	struct err err;
	int done;

	if (s->store == NULL) {
		fprintf(stderr, "local: refresh needs -O store=DIR\n");
		return EX_USAGE;
	}
	if (s->is_background && go_to_background() < 0) {
		fprintf(stderr, "local: %s\n", strerror(errno));
		return EX_OSERR;
	}
	r.store = store_new(s->store);
	done =
	    *words != NULL ? renew_named(&r, words, &err) : renew_due(&r, &err);
	if (done < 0)
		fprintf(stderr, "local: %s\n", err.text);
	store_free(r.store);
	if (done < 0)
		return EX_CANTCREAT;
	return r.n_failed > 0 ? EX_TEMPFAIL : EX_OK;
}

/* ---- command line ------------------------------------------------------- */

enum option { CA_FILE, CA_PATH, CONNECT, STORE, SECONDS, BACKGROUND };

static const struct keyword options[] = {
	{ "background", BACKGROUND }, { "ca-file", CA_FILE },
	{ "ca-path", CA_PATH },	      { "connect", CONNECT },
	{ "store", STORE },	      { "timeout", SECONDS },
};

static const struct {
	const char *word;
	int least, most; /* words behind it; most -1: any number */
	int (*run)(const struct settings *s, char **words);
} modes[] = {
	{ "policy", 1, 1, do_policy },
	{ "post", 2, 2, do_post },
	{ "refresh", 0, -1, do_refresh },
};

static bool set_option(struct settings *s, const char *text)
{
	struct slice word = slice_of(text);
	size_t equals = slice_find(word, '=');
	const char *value = equals < word.len ? text + equals + 1 : NULL;
	const struct keyword *k =
	    keyword_find(options, COUNT(options), slice_head(word, equals));
	uint64_t n;

	if (k == NULL || (value == NULL) != (k->value == BACKGROUND) ||
	    (value != NULL && *value == '\0'))
		return false;
	switch ((enum option)k->value) {
	case CA_FILE:
		s->ca_file = value;
		break;
	case CA_PATH:
		s->ca_path = value;
		break;
	case CONNECT:
		s->connect = value;
		break;
	case STORE:
		s->store = value;
		break;
	case SECONDS:
		if (!slice_uint(slice_of(value), TIMEOUT_MAX, &n) || n == 0)
			return false;
		s->timeout = (unsigned)n;
		break;
	case BACKGROUND:
		s->is_background = true;
		break;
	}
	return true;
}

static int usage(void)
{
	fprintf(stderr, "usage: stsfetch [-v] [-O option[=value]] "
			"policy domain | post url type | refresh [domain ...]\n"
			"options:");
	for (size_t i = 0; i < COUNT(options); i++)
		fprintf(stderr, " %s", options[i].word);
	fprintf(stderr, "\n");
	return EX_USAGE;
}

int main(int argc, char **argv)
{
	struct settings s = { .timeout = TIMEOUT };
	int c, n;

	while ((c = getopt(argc, argv, "+O:v")) != -1) {
		if (c == 'v')
			s.is_verbose = true;
		else if (c != 'O' || !set_option(&s, optarg))
			return usage();
	}
	n = argc - optind - 1;
	for (size_t i = 0; n >= 0 && i < COUNT(modes); i++) {
		if (strcmp(argv[optind], modes[i].word) != 0)
			continue;
		if (n < modes[i].least ||
		    (modes[i].most >= 0 && n > modes[i].most))
			return usage();
		return modes[i].run(&s, argv + optind + 1);
	}
	return usage();
}
