/*
 * run.c - the body of tlsrpt(8).
 *
 * One page of domains at a time: their TXT records are asked for together,
 * then each report is taken, made and sent.
 */
#include "tlsrpt/run.h"

#include "base/fd.h"
#include "base/log.h"
#include "net/conn.h"
#include "store/tlsresults.h"
#include "tlsrpt/send.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { TOKEN_BYTES = 8 };

struct run {
	const struct tlsrpt_options *options;
	const struct tlsrpt_world *world;
	struct store *store;
	struct dns_resolver *dns;
	bool was_no_filter; /* an address was passed over for want of one */
	int status;
};

/* One report on its way. */
struct job {
	struct run *run;
	struct arena *arena;
	const struct tlsresults_key *key;
	const struct dns_answer *answer; /* about its TXT record */
	struct tlsresults_claim claim;
	struct tlsrpt_destination *to;
	size_t n_to;
	struct tlsrpt_report report;
	struct str json, gzip;
	bool is_again; /* something is left to be tried again */
};

/* ---- what is said ------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void
tell(const struct job *j, enum log_level level, const char *format, ...)
{
	struct str day = STR_INIT;
	char text[ERR_TEXT_MAX];
	va_list args;

	if (level == LOG_LEVEL_INFO && !j->run->options->is_verbose &&
	    !j->run->options->is_dry)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	tlsrpt_day_print(&day, j->key->day);
	log_line(level, "%.*s %s: %s", SLICE_ARG(j->key->domain),
		 str_cstr(&day), text);
	str_done(&day);
}

/* The store failed in the middle: whoever comes next tries again. */
static void tell_store(struct job *j, const struct err *err)
{
	tell(j, LOG_LEVEL_ERROR, "%s", err->text);
	j->run->status = EX_TEMPFAIL;
}

/* ---- the report --------------------------------------------------------- */

/* Fills claim.token by chance; it counts at the first try only. */
static struct slice make_token(const struct run *r, struct arena *a)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[TOKEN_BYTES];
	char text[2 * TOKEN_BYTES];

	r->world->random(bytes, sizeof(bytes));
	for (size_t i = 0; i < TOKEN_BYTES; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	return arena_dup(a, slice_make(text, sizeof(text)));
}

/* False: the store failed. */
static bool make_report(struct job *j)
{
	const struct tlsrpt_options *o = j->run->options;
	struct str id = STR_INIT;
	struct err err;

	if (tlsresults_read(j->run->store, j->key, j->arena, &j->report, &err) <
	    0) {
		tell_store(j, &err);
		return false;
	}
	message_id_print(&id, j->key->day, j->claim.token, o->submitter);
	j->report.id = arena_dup(j->arena, str_slice(&id));
	str_done(&id);
	j->report.organization = o->organization;
	j->report.contact = o->contact;
	j->report.domain = j->key->domain;
	j->report.day = j->key->day;
	tlsrpt_json_print(&j->json, &j->report);
	return true;
}

/* ---- who wants it ------------------------------------------------------- */

enum wanted { WANTED, NOT_WANTED, NOT_KNOWN };

/* Fills the destinations from the answer. */
static enum wanted find_destinations(struct job *j)
{
	const struct dns_answer *answer = j->answer;
	struct slice *records;
	enum tlsrpt_txt txt;

	if (dns_is_temporary(answer->verdict)) {
		tell(j, LOG_LEVEL_WARNING, "TXT %.*s: %s %.*s",
		     SLICE_ARG(answer->name), dns_verdict_word(answer->verdict),
		     SLICE_ARG(answer->detail));
		return NOT_KNOWN;
	}
	records = arena_array(j->arena, answer->n, sizeof(*records));
	for (size_t i = 0; i < answer->n; i++)
		records[i] = answer->records[i].data;
	txt = tlsrpt_txt_find(records, answer->n, j->arena, &j->to, &j->n_to);
	if (txt == TLSRPT_TXT_OK)
		return WANTED;
	if (txt == TLSRPT_TXT_NONE)
		tell(j, LOG_LEVEL_INFO, "nobody wants a report");
	else
		tell(j, LOG_LEVEL_INFO, "TXT %.*s: %s", SLICE_ARG(answer->name),
		     txt == TLSRPT_TXT_MANY ? "more than one record"
					    : "a record that cannot be read");
	return NOT_WANTED;
}

/* Is it still to be sent there? A store that fails means no. */
static bool is_open(struct job *j, struct slice target)
{
	struct err err;
	int r = tlsresults_was_sent(j->run->store, j->key, target, &err);

	if (r < 0) {
		tell_store(j, &err);
		j->is_again = true;
	}
	return r == 0;
}

/* ---- sending ------------------------------------------------------------ */

static void mark(struct job *j, const struct slice *targets, size_t n)
{
	struct err err;

	for (size_t i = 0; i < n; i++)
		tell(j, LOG_LEVEL_INFO, "sent to %.*s", SLICE_ARG(targets[i]));
	if (tlsresults_mark_sent(j->run->store, j->key, targets, n, &err) < 0)
		tell_store(j, &err);
}

static void post(struct job *j, struct slice url)
{
	struct err err;

	if (!is_open(j, url))
		return;
	if (send_https(j->run->options, str_slice(&j->gzip), url, &err) == 0) {
		mark(j, &url, 1);
		return;
	}
	tell(j, LOG_LEVEL_WARNING, "%.*s: %s", SLICE_ARG(url), err.text);
	j->is_again = true;
}

/* One message for all that have not got it. */
static void mail(struct job *j)
{
	struct slice to[TLSRPT_DESTINATIONS_MAX];
	struct message m = {
		.report = &j->report,
		.submitter = j->run->options->submitter,
		.token = j->claim.token,
		.gzip = str_slice(&j->gzip),
		.to = to,
		.now = j->run->world->now(),
	};
	struct err err;

	for (size_t i = 0; i < j->n_to; i++)
		if (j->to[i].way == TLSRPT_MAILTO &&
		    is_open(j, j->to[i].target))
			to[m.n_to++] = j->to[i].target;
	if (m.n_to == 0)
		return;
	if (j->run->options->filter == NULL) {
		j->run->was_no_filter = true;
		tell(j, LOG_LEVEL_INFO, "not mailed, without report-filter");
		return;
	}
	if (send_mail(j->run->options, &m, &err) == 0) {
		mark(j, to, m.n_to);
		return;
	}
	tell(j, LOG_LEVEL_WARNING, "mail to %.*s: %s", SLICE_ARG(to[0]),
	     err.text);
	j->is_again = true;
}

static void send_to_all(struct job *j)
{
	message_gzip(str_slice(&j->json), &j->gzip);
	for (size_t i = 0; i < j->n_to; i++)
		if (j->to[i].way == TLSRPT_HTTPS)
			post(j, j->to[i].target);
	mail(j);
}

/* Nothing is left to be done, or too much time has passed. */
static void finish(struct job *j)
{
	int64_t age = j->run->world->now() - j->claim.first;
	struct err err;

	if (j->is_again && age < TLSRPT_TRY_FOR) {
		j->run->status = EX_TEMPFAIL;
		return;
	}
	if (j->is_again)
		tell(j, LOG_LEVEL_WARNING,
		     "given up after 24 hours, at try number %u",
		     j->claim.tries);
	if (tlsresults_mark_done(j->run->store, j->key, &err) < 0)
		tell_store(j, &err);
}

static void send_report(struct job *j)
{
	const struct run *r = j->run;
	struct tlsresults_try try = {
		.token = make_token(r, j->arena),
		.now = r->world->now(),
		.is_hurry = r->options->domain.len > 0,
		.arena = j->arena,
	};
	struct err err;
	int taken = tlsresults_take(r->store, j->key, &try, &j->claim, &err);
	enum wanted wanted;

	if (taken < 0)
		tell_store(j, &err);
	if (taken <= 0)
		return;
	wanted = find_destinations(j);
	j->is_again = wanted == NOT_KNOWN;
	if (wanted == WANTED) {
		if (!make_report(j))
			return;
		send_to_all(j);
	}
	finish(j);
}

/* --dry-run: the report on standard output, where it would go in the log. */
static void show_report(struct job *j)
{
	j->claim.token = SLICE("dryrun");
	if (!make_report(j))
		return;
	if (find_destinations(j) == WANTED)
		for (size_t i = 0; i < j->n_to; i++)
			tell(j, LOG_LEVEL_INFO, "would go to %.*s%s",
			     SLICE_ARG(j->to[i].target),
			     j->to[i].way == TLSRPT_MAILTO &&
				     j->run->options->filter == NULL
				 ? ", but there is no report-filter"
				 : "");
	str_addc(&j->json, '\n');
	if (fd_write_all(j->run->world->out_fd, str_slice(&j->json)) < 0)
		j->run->status = EX_IOERR;
}

/* ---- all reports -------------------------------------------------------- */

static void do_page(struct run *r, const struct tlsresults_key *keys, size_t n,
		    struct arena *a)
{
	struct dns_answer *answers = arena_array(a, n, sizeof(*answers));

	for (size_t i = 0; i < n; i++) {
		struct str name = STR_INIT;

		tlsrpt_txt_name_print(&name, keys[i].domain);
		answers[i].name = arena_dup(a, str_slice(&name));
		answers[i].type = DNS_TXT;
		str_done(&name);
	}
	dns_ask_all(r->dns, answers, n,
		    conn_now() + r->options->dns_timeout * INT64_C(1000), a);
	for (size_t i = 0; i < n && r->status != EX_IOERR; i++) {
		struct job j = { .run = r,
				 .arena = arena_new(),
				 .key = &keys[i],
				 .answer = &answers[i] };

		if (r->options->is_dry)
			show_report(&j);
		else
			send_report(&j);
		str_done(&j.json);
		str_done(&j.gzip);
		arena_free(j.arena);
	}
}

static struct tlsresults_query query_of(const struct run *r)
{
	const struct tlsrpt_options *o = r->options;
	int64_t now = r->world->now();
	/* A day that is not over may be looked at, and that is all. */
	bool is_open_day = o->is_dry && o->has_day;

	return (struct tlsresults_query){
		.before = tlsrpt_day_of(now - TLSRPT_MARGIN) + is_open_day,
		.has_day = o->has_day,
		.day = o->day,
		.is_all = o->is_dry || o->domain.len > 0,
		.domain = o->domain,
		.now = now,
	};
}

/* -1: the store failed. */
static int do_all(struct run *r, struct err *err)
{
	struct tlsresults_query query = query_of(r);
	struct tlsresults_key keys[TLSRESULTS_LIST_MAX], last;
	struct str domain = STR_INIT;
	struct arena *a = arena_new();
	int n;

	while ((n = tlsresults_list(r->store, &query, a, keys, err)) > 0) {
		do_page(r, keys, (size_t)n, a);
		if (r->status == EX_IOERR)
			break;
		last = keys[n - 1];
		str_clear(&domain);
		str_add(&domain, last.domain);
		last.domain = str_slice(&domain);
		query.after = &last;
		arena_reset(a);
	}
	arena_free(a);
	str_done(&domain);
	return n < 0 ? -1 : 0;
}

static int use_store(struct run *r, struct err *err)
{
	int64_t today = tlsrpt_day_of(r->world->now());
	struct err mended;

	if (store_open(r->store, err) < 0)
		return -1;
	if (store_was_mended(r->store, &mended))
		log_line(LOG_LEVEL_ERROR, "%s", mended.text);
	if (do_all(r, err) < 0)
		return -1;
	if (r->options->is_dry)
		return 0;
	return tlsresults_expire(r->store, today - TLSRESULTS_KEEP_DAYS, err);
}

int tlsrpt_run(const struct tlsrpt_options *o, const struct tlsrpt_world *w)
{
	struct run r = {
		.options = o,
		.world = w,
		.store = store_new(o->store),
		.dns = dns_new(&o->dns),
		.status = EX_OK,
	};
	struct err err;

	if (use_store(&r, &err) < 0) {
		log_line(LOG_LEVEL_ERROR, "%s", err.text);
		r.status = EX_TEMPFAIL;
	}
	if (r.was_no_filter)
		log_line(LOG_LEVEL_WARNING,
			 "reports were not mailed, since mail has to be signed "
			 "and -O report-filter= names no program that does it");
	dns_free(r.dns);
	store_free(r.store);
	return r.status;
}
