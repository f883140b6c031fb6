/*
 * schedconf_words.c - keywords of scheduler.conf and what they may be.
 *
 * One row a keyword: its word, how its value is read, and where it goes.
 */
#include "conf/schedconf_words.h"

#include "base/interval.h"
#include "base/keyword.h"
#include "base/str.h"

#include <stddef.h>
#include <string.h>

struct row;
typedef int set_value(const struct row *row, struct schedconf_target *t,
		      struct slice value, struct err *err);

struct row {
	const char *word;
	set_value *set;
	size_t at;    /* offset of the member in clause or conf */
	int min, max; /* numbers */
	int other;    /* what a limit of zero or less means */
	size_t also;  /* offset of a bool: the keyword stood there; 0: none */
	bool needs_no_value;
};

/* The member of the clause, or without one of the whole configuration. */
static void *member(const struct schedconf_target *t, size_t at)
{
	char *base = t->clause != NULL ? (char *)t->clause : (char *)t->conf;

	return base + at;
}

/* A decimal number that may have a sign. */
static bool read_number(struct slice value, int *ret)
{
	bool is_negative = slice_starts(value, SLICE("-"));
	uint64_t n;

	if (is_negative || slice_starts(value, SLICE("+")))
		value = slice_from(value, 1);
	if (!slice_uint(value, INTERVAL_MAX, &n))
		return false;
	*ret = is_negative ? -(int)n : (int)n;
	return true;
}

static int set_interval(const struct row *row, struct schedconf_target *t,
			struct slice value, struct err *err)
{
	unsigned seconds;

	if (value.len == 0 || !interval_parse(value, &seconds) ||
	    seconds < (unsigned)row->min)
		return FAIL(err,
			    "'%.*s': expected an interval%s, such as 1h30m",
			    SLICE_ARG(value),
			    row->min > 0 ? " of at least a second" : "");
	*(unsigned *)member(t, row->at) = seconds;
	return 0;
}

/* A limit: zero and less mean something else. */
static int set_limit(const struct row *row, struct schedconf_target *t,
		     struct slice value, struct err *err)
{
	int n;

	if (!read_number(value, &n))
		return FAIL(err, "'%.*s': expected a number", SLICE_ARG(value));
	*(unsigned *)member(t, row->at) = (unsigned)(n <= 0 ? row->other : n);
	return 0;
}

static int set_number(const struct row *row, struct schedconf_target *t,
		      struct slice value, struct err *err)
{
	int n;

	if (!read_number(value, &n) || n < row->min || n > row->max)
		return FAIL(err, "'%.*s': expected a number from %d to %d",
			    SLICE_ARG(value), row->min, row->max);
	*(int *)member(t, row->at) = n;
	if (row->also > 0)
		*(bool *)member(t, row->also) = true;
	return 0;
}

static int set_text(const struct row *row, struct schedconf_target *t,
		    struct slice value, struct err *err)
{
	if (value.len == 0)
		return FAIL(err, "expected a value");
	*(struct slice *)member(t, row->at) = value;
	return 0;
}

static int set_flag(const struct row *row, struct schedconf_target *t,
		    struct slice value, struct err *err)
{
	if (value.len > 0)
		return FAIL(err, "'%.*s': expected no value", SLICE_ARG(value));
	*(bool *)member(t, row->at) = true;
	return 0;
}

/* By old configurations; what it said has no effect. */
static int set_nothing(const struct row *row, struct schedconf_target *t,
		       struct slice value, struct err *err)
{
	(void)row;
	(void)t;
	(void)value;
	(void)err;
	return 0;
}

static int set_max_agents(const struct row *row, struct schedconf_target *t,
			  struct slice value, struct err *err)
{
	int n;

	(void)row;
	if (!read_number(value, &n))
		return FAIL(err, "'%.*s': expected a number", SLICE_ARG(value));
	t->conf->max_agents = n <= 0 ? SCHEDCONF_UNLIMITED : (unsigned)n;
	return 0;
}

static int set_retries(const struct row *row, struct schedconf_target *t,
		       struct slice value, struct err *err)
{
	unsigned *factors =
	    arena_array(t->arena, SCHEDCONF_RETRIES_MAX, sizeof(*factors));
	struct slice word;
	size_t n = 0;
	uint64_t factor;

	(void)row;
	while (slice_word(&value, &word)) {
		if (!slice_uint(word, 1000000, &factor) || factor == 0)
			return FAIL(err,
				    "'%.*s': expected factors of the interval, "
				    "from 1 to 1000000",
				    SLICE_ARG(word));
		if (n == SCHEDCONF_RETRIES_MAX)
			return FAIL(err, "more than %d factors",
				    SCHEDCONF_RETRIES_MAX);
		factors[n++] = (unsigned)factor;
	}
	if (n == 0)
		return FAIL(err, "expected factors of the interval");
	t->clause->queue.retries = factors;
	t->clause->queue.n_retries = n;
	return 0;
}

static int set_report_times(const struct row *row, struct schedconf_target *t,
			    struct slice value, struct err *err)
{
	unsigned *times =
	    arena_array(t->arena, SCHEDCONF_REPORTS_MAX, sizeof(*times));
	struct slice word;
	size_t n = 0;

	(void)row;
	while (slice_word(&value, &word)) {
		if (n == SCHEDCONF_REPORTS_MAX)
			return FAIL(err, "more than %d intervals",
				    SCHEDCONF_REPORTS_MAX);
		if (!interval_parse(word, &times[n]) || times[n] == 0 ||
		    (n > 0 && times[n] <= times[n - 1]))
			return FAIL(err,
				    "'%.*s': expected intervals, each longer "
				    "than the one before",
				    SLICE_ARG(word));
		n++;
	}
	if (n == 0)
		return FAIL(err, "expected intervals, such as \"4h 1d\"");
	t->clause->queue.report_times = times;
	t->clause->queue.n_report_times = n;
	return 0;
}

/* N "/" [ N ] unit, or 0 for no limit. */
static int set_rate(const struct row *row, struct schedconf_target *t,
		    struct slice value, struct err *err)
{
	struct queue_rate *rate = member(t, row->at);
	struct slice rest = value, number;
	struct str per = STR_INIT;
	unsigned seconds = 0;
	uint64_t n = 0;
	bool is_good = slice_cut(&rest, '/', &number) &&
		       slice_uint(number, INTERVAL_MAX, &n);

	if (is_good && n > 0 && rest.len > 0) {
		/* "m" alone is "1m" */
		str_adds(&per, ascii_is_digit(rest.p[0]) ? "" : "1");
		str_add(&per, rest);
		is_good =
		    interval_parse(str_slice(&per), &seconds) && seconds > 0;
	} else {
		is_good = is_good && n == 0 && rest.len == 0;
	}
	str_done(&per);
	if (!is_good)
		return FAIL(err,
			    "'%.*s': expected messages in a time, such as "
			    "100/m or 20/10s, or 0 for no limit",
			    SLICE_ARG(value));
	*rate = (struct queue_rate){ (unsigned)n, seconds };
	return 0;
}

/* A PARAM's text, its ${NAME} replaced. */
static int set_expanded(const struct row *row, struct schedconf_target *t,
			struct slice value, struct err *err)
{
	struct str text = STR_INIT;
	int r = 0;

	if (value.len == 0 || !zenv_expand(t->zenv, value, &text))
		r = FAIL(err,
			 "'%.*s': expected text, with ${NAME} only of "
			 "variables that are set",
			 SLICE_ARG(value));
	else
		*(struct slice *)member(t, row->at) =
		    arena_dup(t->arena, str_slice(&text));
	str_done(&text);
	return r;
}

#define CLAUSE(m) offsetof(struct schedconf_clause, m)
#define CONF(m)	  offsetof(struct schedconf, m)

static const struct row keywords[] = {
	{ .word = "ageorder",
	  .set = set_flag,
	  .at = CLAUSE(queue.is_age_order),
	  .needs_no_value = true },
	{ .word = "bychannel", .set = set_nothing, .needs_no_value = true },
	{ .word = "channelrate",
	  .set = set_rate,
	  .at = CLAUSE(queue.channel_rate) },
	{ .word = "command", .set = set_text, .at = CLAUSE(command) },
	{ .word = "deliveryform",
	  .set = set_text,
	  .at = CLAUSE(delivery_form) },
	{ .word = "expiry", .set = set_interval, .at = CLAUSE(queue.expiry) },
	{ .word = "expiry2", .set = set_interval, .at = CLAUSE(queue.expiry2) },
	{ .word = "expiryform", .set = set_text, .at = CLAUSE(expiry_form) },
	{ .word = "group", .set = set_text, .at = CLAUSE(group) },
	{ .word = "idlemax", .set = set_interval, .at = CLAUSE(queue.idlemax) },
	{ .word = "interval",
	  .set = set_interval,
	  .at = CLAUSE(queue.interval),
	  .min = 1 },
	{ .word = "maxchannel",
	  .set = set_limit,
	  .at = CLAUSE(queue.maxchannel),
	  .other = SCHEDCONF_UNLIMITED },
	{ .word = "maxchannels",
	  .set = set_limit,
	  .at = CLAUSE(queue.maxchannel),
	  .other = SCHEDCONF_UNLIMITED },
	{ .word = "maxring",
	  .set = set_limit,
	  .at = CLAUSE(queue.maxring),
	  .other = SCHEDCONF_UNLIMITED },
	{ .word = "maxrings",
	  .set = set_limit,
	  .at = CLAUSE(queue.maxring),
	  .other = SCHEDCONF_UNLIMITED },
	{ .word = "maxsite",
	  .set = set_limit,
	  .at = CLAUSE(queue.maxsite),
	  .other = SCHEDCONF_UNLIMITED },
	{ .word = "maxta", .set = set_max_agents },
	{ .word = "maxthr",
	  .set = set_limit,
	  .at = CLAUSE(queue.maxthr),
	  .other = 1 },
	{ .word = "maxtransport", .set = set_max_agents },
	{ .word = "maxtransports", .set = set_max_agents },
	{ .word = "nice",
	  .set = set_number,
	  .at = CLAUSE(nice),
	  .min = -40,
	  .max = 39,
	  .also = CLAUSE(has_nice) },
	{ .word = "overfeed", .set = set_limit, .at = CLAUSE(queue.overfeed) },
	{ .word = "priority",
	  .set = set_number,
	  .at = CLAUSE(priority),
	  .min = -20,
	  .max = 19,
	  .also = CLAUSE(has_priority) },
	{ .word = "queueonly",
	  .set = set_flag,
	  .at = CLAUSE(queue.is_queue_only),
	  .needs_no_value = true },
	{ .word = "rate", .set = set_rate, .at = CLAUSE(queue.rate) },
	{ .word = "reporttimes", .set = set_report_times },
	{ .word = "retries", .set = set_retries },
	{ .word = "siterate", .set = set_rate, .at = CLAUSE(queue.site_rate) },
	{ .word = "skew",
	  .set = set_limit,
	  .at = CLAUSE(queue.skew),
	  .other = 1 },
	{ .word = "sysnice",
	  .set = NULL,
	  .at = CONF(sysnice),
	  .min = -40,
	  .max = 39,
	  .also = CONF(has_sysnice) },
	{ .word = "syspriority",
	  .set = NULL,
	  .at = CONF(syspriority),
	  .min = -20,
	  .max = 19,
	  .also = CONF(has_syspriority) },
	{ .word = "user", .set = set_text, .at = CLAUSE(user) },
	{ .word = "wakeuprestartonly",
	  .set = set_nothing,
	  .needs_no_value = true },
};

static const struct row params[] = {
	{ .word = "authfile", .set = set_expanded, .at = CONF(auth_file) },
	{ .word = "global-report-interval",
	  .set = set_interval,
	  .at = CONF(report_interval) },
	{ .word = "mailqpath", .set = set_expanded, .at = CONF(mailq_socket) },
	{ .word = "mailqsock", .set = set_expanded, .at = CONF(mailq_socket) },
	{ .word = "msgwriteasync", .set = set_nothing, .needs_no_value = true },
	{ .word = "notifysock",
	  .set = set_expanded,
	  .at = CONF(notify_socket) },
	{ .word = "store-error-on-error",
	  .set = set_flag,
	  .at = CONF(store_error_on_error),
	  .needs_no_value = true },
};

const char *schedconf_keyword(size_t i)
{
	return i < COUNT(keywords) ? keywords[i].word : NULL;
}

const char *schedconf_param(size_t i)
{
	return i < COUNT(params) ? params[i].word : NULL;
}

static const struct row *find(const struct row *rows, size_t n,
			      struct slice word)
{
	for (size_t i = 0; i < n; i++)
		if (slice_eq_nocase(slice_of(rows[i].word), word))
			return &rows[i];
	return NULL;
}

int schedconf_set(struct schedconf_target *t, struct slice word,
		  const struct slice *value, struct err *err)
{
	bool is_param = t->clause == NULL;
	const struct row *row = is_param
				    ? find(params, COUNT(params), word)
				    : find(keywords, COUNT(keywords), word);
	struct schedconf_target whole = { t->conf, NULL, t->arena, t->zenv };
	struct slice given = value != NULL ? *value : SLICE("");
	int r;

	if (row == NULL)
		return FAIL(err, "unknown %s '%.*s'",
			    is_param ? "PARAM" : "keyword", SLICE_ARG(word));
	if (value == NULL && !row->needs_no_value)
		return FAIL(err, "%s: expected a '=' and a value", row->word);
	/* What is said of the scheduler itself is no clause's. */
	r = row->set == NULL ? set_number(row, &whole, given, err)
			     : row->set(row, t, given, err);
	return r < 0 ? FAIL(err, "%s: %s", row->word, err->text) : 0;
}
