/*
 * metrics.c - numbers for Prometheus, in its text format 0.0.4.
 *
 *	line = "# HELP " name " " text / "# TYPE " name " " type
 *	     / name [ "{" label "=" quoted *( "," label "=" quoted ) "}" ]
 *	       " " number
 *
 * Everything is counted when it happens, in constant time; to print it looks
 * at these numbers and at what the queue counts, never at the mail. How many
 * series there are is bounded: 31 channels, then "all others"; 192 enhanced
 * status codes, then "other"; whatever agents and senders say.
 */
#include "base/fd.h"
#include "base/keyword.h"
#include "sched/histogram.h"
#include "sched/sched_internal.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	CHANNELS_MAX = 32,
	CHANNEL_BYTES = 64,
	STATUSES_MAX = 192,
	STATUS_SLOTS = 512, /* a power of 2 */
	STATUS_OTHER = 1
};

struct channel {
	struct str name;
	uint64_t fates[SCHED_FATES];
	uint64_t starts, ends, bad_ends;
};

/* Of an enhanced status code: class, subject and detail, as one number. */
struct status {
	uint32_t code; /* 0: free */
	uint64_t fates[SCHED_FATES];
};

struct sched_metrics {
	struct channel channels[CHANNELS_MAX]; /* the last: all others */
	unsigned n_channels;
	struct status statuses[STATUS_SLOTS];
	unsigned n_statuses;
	struct histogram delivery, attempt;
	uint64_t things[SCHED_THINGS];
	time_t started;
};

static const char *const fates[SCHED_FATES] = {
	[SCHED_DELIVERED] = "delivered", [SCHED_FAILED] = "failed",
	[SCHED_DEFERRED] = "deferred",	 [SCHED_HELD] = "held",
	[SCHED_EXPIRED] = "expired",	 [SCHED_DELETED] = "deleted",
};

/* ---- counting ----------------------------------------------------------- */

struct sched_metrics *sched_metrics_new(void)
{
	struct sched_metrics *m = mem_zero(1, sizeof(*m));

	m->started = time(NULL);
	return m;
}

void sched_metrics_free(struct sched_metrics *m)
{
	if (m == NULL)
		return;
	for (unsigned i = 0; i < m->n_channels; i++)
		str_done(&m->channels[i].name);
	free(m);
}

/* A name as a label can have it, so that no two rows have the same. */
static void print_name(struct str *to, struct slice channel)
{
	channel = slice_head(channel, CHANNEL_BYTES);
	for (size_t i = 0; i < channel.len; i++) {
		char c = channel.p[i];

		str_addc(to, c > ' ' && c < 0x7f ? c : '?');
	}
}

unsigned sched_metrics_channel(struct sched_metrics *m, struct slice channel)
{
	struct str name = STR_INIT;
	unsigned i = 0;

	print_name(&name, channel);
	while (i < m->n_channels &&
	       !slice_eq(str_slice(&m->channels[i].name), str_slice(&name)))
		i++;
	if (i == CHANNELS_MAX) {
		i = CHANNELS_MAX - 1;
	} else if (i == m->n_channels) {
		str_add(&m->channels[i].name, i + 1 < CHANNELS_MAX
						  ? str_slice(&name)
						  : SLICE("all others"));
		m->n_channels++;
	}
	str_done(&name);
	return i;
}

/* A part of a status code: one to three digits; false: none is there. */
static bool part(struct slice *rest, uint32_t *code)
{
	uint32_t n = 0;
	size_t i = 0;

	while (i < rest->len && i < 3 && rest->p[i] >= '0' && rest->p[i] <= '9')
		n = n * 10 + (uint32_t)(rest->p[i++] - '0');
	*code = *code << 10 | n;
	*rest = slice_from(*rest, i);
	return i > 0;
}

static bool dot(struct slice *rest)
{
	if (rest->len == 0 || rest->p[0] != '.')
		return false;
	*rest = slice_from(*rest, 1);
	return true;
}

/* RFC 3463 2: class "." subject "." detail; what else there is: 0. */
static uint32_t read_status(struct slice s)
{
	uint32_t code = 0;

	if (s.len == 0 || (s.p[0] != '2' && s.p[0] != '4' && s.p[0] != '5'))
		return 0;
	if (part(&s, &code) && code < 10 && dot(&s) && part(&s, &code) &&
	    dot(&s) && part(&s, &code) &&
	    (s.len == 0 || s.p[0] == ' ' || s.p[0] == '('))
		return code;
	return 0;
}

/* The row of a code; all that are too many share that of STATUS_OTHER. */
static struct status *status_of(struct sched_metrics *m, uint32_t code)
{
	uint32_t at = code * 2654435761u >> 16;
	struct status *row;

	for (;; at++) {
		row = &m->statuses[at % STATUS_SLOTS];
		if (row->code == code)
			return row;
		if (row->code != 0)
			continue;
		if (m->n_statuses >= STATUSES_MAX && code != STATUS_OTHER)
			return status_of(m, STATUS_OTHER);
		row->code = code;
		m->n_statuses++;
		return row;
	}
}

void sched_metrics_fate(struct sched_metrics *m, unsigned channel,
			enum sched_fate fate, struct slice status, int64_t age)
{
	uint32_t code = read_status(status);

	m->channels[channel].fates[fate]++;
	if (code != 0)
		status_of(m, code)->fates[fate]++;
	if (fate == SCHED_DELIVERED)
		histogram_observe(&m->delivery, age);
}

void sched_metrics_attempt(struct sched_metrics *m, int64_t ms)
{
	histogram_observe(&m->attempt, ms);
}

void sched_metrics_agent_start(struct sched_metrics *m, unsigned channel)
{
	m->channels[channel].starts++;
}

void sched_metrics_agent_end(struct sched_metrics *m, unsigned channel,
			     bool is_bad)
{
	m->channels[channel].ends++;
	m->channels[channel].bad_ends += is_bad;
}

void sched_metrics_count(struct sched_metrics *m, enum sched_thing thing)
{
	m->things[thing]++;
}

/* ---- printing ----------------------------------------------------------- */

/* The two lines above the series of a name. */
static void head(struct str *to, const char *name, const char *type,
		 const char *help)
{
	str_addf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(struct str *to, const char *name, const char *type,
		const char *help, uint64_t n)
{
	head(to, name, type, help);
	str_addf(to, "%s %ju\n", name, (uintmax_t)n);
}

/* A label; the value is printable ASCII. */
static void label(struct str *to, const char *key, struct slice value)
{
	str_addf(to, "%s=\"", key);
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] == '\\' || value.p[i] == '"')
			str_addc(to, '\\');
		str_addc(to, value.p[i]);
	}
	str_addc(to, '"');
}

static void labelled(struct str *to, const char *name, const char *key,
		     const char *value, uint64_t n)
{
	str_addf(to, "%s{", name);
	label(to, key, slice_of(value));
	str_addf(to, "} %ju\n", (uintmax_t)n);
}

static void print_queue(struct sched *s, struct str *to)
{
	struct queue_count c = queue_count(s->queue);
	const char *name = "zpost_queue_recipients";

	one(to, "zpost_queue_messages", "gauge", "Messages in the queue.",
	    c.messages);
	head(to, name, "gauge", "Recipients that are not done.");
	labelled(to, name, "state", "open", c.open);
	labelled(to, name, "state", "held", c.held);
	name = "zpost_queue_jobs";
	head(to, name, "gauge",
	     "Jobs: the recipients of one message at one destination.");
	labelled(to, name, "state", "ready", c.ready);
	labelled(to, name, "state", "waiting", c.waiting);
	labelled(to, name, "state", "fed", c.fed);
	one(to, "zpost_queue_unrouted_jobs", "gauge",
	    "Jobs that no clause of scheduler.conf is for.", c.unrouted);
	one(to, "zpost_queue_destinations", "gauge",
	    "Channels and hosts that are known.", c.threads);
	one(to, "zpost_queue_destinations_suspended", "gauge",
	    "Those of them that cannot be reached.", c.suspended);
	one(to, "zpost_queue_sites", "gauge", "Sites that are known.", c.sites);
}

struct channel_sums {
	struct sched_metrics *metrics;
	size_t open[CHANNELS_MAX], held[CHANNELS_MAX];
};

static void add_channel(void *context, struct slice channel, size_t n_open,
			size_t n_held)
{
	struct channel_sums *sums = context;
	unsigned row = sched_metrics_channel(sums->metrics, channel);

	sums->open[row] += n_open;
	sums->held[row] += n_held;
}

static void print_channels(struct sched *s, struct str *to)
{
	const char *name = "zpost_queue_channel_recipients";
	struct channel_sums sums = { .metrics = s->metrics };

	queue_channels(s->queue, add_channel, &sums);
	head(to, name, "gauge", "Recipients that are not done, by channel.");
	for (unsigned i = 0; i < s->metrics->n_channels; i++) {
		struct slice channel = str_slice(&s->metrics->channels[i].name);

		str_addf(to, "%s{", name);
		label(to, "channel", channel);
		str_addf(to, ",state=\"open\"} %zu\n%s{", sums.open[i], name);
		label(to, "channel", channel);
		str_addf(to, ",state=\"held\"} %zu\n", sums.held[i]);
	}
}

static void print_ages(struct sched *s, struct str *to)
{
	struct queue_age rows[] = {
		{ .age = 60000 },     { .age = 300000 },    { .age = 900000 },
		{ .age = 3600000 },   { .age = 14400000 },  { .age = 86400000 },
		{ .age = 172800000 }, { .age = 432000000 },
	};
	const char *name = "zpost_queue_messages_older_than";
	int64_t oldest = queue_ages(s->queue, sched_now(s), rows, COUNT(rows));

	head(to, name, "gauge",
	     "Messages in the queue that are at least so old.");
	for (size_t i = 0; i < COUNT(rows); i++)
		str_addf(to, "%s{seconds=\"%lld\"} %zu\n", name,
			 (long long)(rows[i].age / 1000), rows[i].n_older);
	one(to, "zpost_queue_oldest_message_age_seconds", "gauge",
	    "Age of the oldest message, to 16 seconds, eight days at most.",
	    (uint64_t)oldest / 1000);
}

static void print_results(const struct sched_metrics *m, struct str *to)
{
	const char *name = "zpost_results_total";

	head(to, name, "counter", "What became of recipients, in each try.");
	for (unsigned i = 0; i < m->n_channels; i++)
		for (unsigned f = 0; f < SCHED_FATES; f++) {
			str_addf(to, "%s{", name);
			label(to, "channel", str_slice(&m->channels[i].name));
			str_addf(to, ",outcome=\"%s\"} %ju\n", fates[f],
				 (uintmax_t)m->channels[i].fates[f]);
		}
	name = "zpost_results_by_status_total";
	head(to, name, "counter",
	     "The same by enhanced status code, where there was one.");
	for (unsigned i = 0; i < STATUS_SLOTS; i++) {
		const struct status *row = &m->statuses[i];

		for (unsigned f = 0; f < SCHED_FATES; f++) {
			if (row->fates[f] == 0)
				continue;
			str_addf(to, "%s{outcome=\"%s\",status=\"", name,
				 fates[f]);
			if (row->code == STATUS_OTHER)
				str_adds(to, "other");
			else
				str_addf(to, "%u.%u.%u", row->code >> 20,
					 row->code >> 10 & 1023,
					 row->code & 1023);
			str_addf(to, "\"} %ju\n", (uintmax_t)row->fates[f]);
		}
	}
}

static uint64_t agents_running(const struct channel *c)
{
	return c->starts - c->ends;
}

static uint64_t agents_started(const struct channel *c)
{
	return c->starts;
}

static uint64_t agents_ended(const struct channel *c)
{
	return c->ends;
}

static uint64_t agents_ended_badly(const struct channel *c)
{
	return c->bad_ends;
}

static void print_agents(const struct sched_metrics *m, struct str *to)
{
	static const struct {
		const char *name, *type, *help;
		uint64_t (*number)(const struct channel *c);
	} rows[] = {
		{ "zpost_agents", "gauge", "Agents that run.", agents_running },
		{ "zpost_agents_started_total", "counter", "Agents started.",
		  agents_started },
		{ "zpost_agents_ended_total", "counter", "Agents that ended.",
		  agents_ended },
		{ "zpost_agents_ended_badly_total", "counter",
		  "Those that ended by a signal, with a failure, or could not "
		  "be started.",
		  agents_ended_badly },
	};

	for (size_t r = 0; r < COUNT(rows); r++) {
		head(to, rows[r].name, rows[r].type, rows[r].help);
		for (unsigned i = 0; i < m->n_channels; i++) {
			str_addf(to, "%s{", rows[r].name);
			label(to, "channel", str_slice(&m->channels[i].name));
			str_addf(to, "} %ju\n",
				 (uintmax_t)rows[r].number(&m->channels[i]));
		}
	}
}

static void print_things(const struct sched_metrics *m, struct str *to)
{
	static const struct {
		const char *name, *help;
		enum sched_thing thing;
	} rows[] = {
		{ "zpost_messages_found_total",
		  "Messages that were found in the spool.", SCHED_ARRIVED },
		{ "zpost_messages_finished_total",
		  "Messages of which nothing is left to do.", SCHED_FINISHED },
		{ "zpost_suspensions_total",
		  "Times that a destination was found out of reach.",
		  SCHED_SUSPENDED },
		{ "zpost_resumptions_total", "Times that one answered again.",
		  SCHED_RESUMED },
		{ "zpost_agent_lines_refused_total",
		  "Lines of agents that made no sense.", SCHED_UNHEARD },
		{ "zpost_submit_starts_total",
		  "Starts of the submission service.", SCHED_SUBMIT_STARTS },
		{ "zpost_submit_ends_total", "Times that it ended unasked.",
		  SCHED_SUBMIT_ENDS },
		{ "zpost_scrapes_total", "Questions for these numbers.",
		  SCHED_SCRAPES },
	};
	const char *name = "zpost_reports_total";

	for (size_t i = 0; i < COUNT(rows); i++)
		one(to, rows[i].name, "counter", rows[i].help,
		    m->things[rows[i].thing]);
	head(to, name, "counter", "Reports to senders.");
	labelled(to, name, "kind", "failed", m->things[SCHED_REPORTS_FAILED]);
	labelled(to, name, "kind", "delayed", m->things[SCHED_REPORTS_DELAYED]);
	labelled(to, name, "kind", "delivered",
		 m->things[SCHED_REPORTS_DELIVERED]);
	labelled(to, name, "kind", "kept", m->things[SCHED_REPORTS_KEPT]);
}

static void print_times(const struct sched_metrics *m, struct str *to)
{
	const char *name = "zpost_delivery_seconds";

	head(to, name, "histogram",
	     "From a message's arrival to its delivery to a recipient.");
	histogram_print(to, name, &m->delivery);
	name = "zpost_attempt_seconds";
	head(to, name, "histogram",
	     "How long attempts took, as agents recorded them.");
	histogram_print(to, name, &m->attempt);
}

static void print_events(const struct sched *s, struct str *to)
{
	struct sched_event_counts c = sched_event_counts(s);

	one(to, "zpost_events_total", "counter",
	    "Lines that the event log took.", c.lines);
	one(to, "zpost_events_lost_total", "counter",
	    "Lines that it could not take.", c.lost);
}

/* ---- the process -------------------------------------------------------- */

/* Pages: all, and in memory; 0 if the kernel does not say. */
static void read_memory(uint64_t *ret_all, uint64_t *ret_resident)
{
	struct str text = STR_INIT;
	struct slice rest, word;
	FILE *f = fopen("/proc/self/statm", "re");

	*ret_all = *ret_resident = 0;
	if (f == NULL)
		return;
	if (fd_read_all(fileno(f), 0, 200, &text) >= 0) {
		rest = str_slice(&text);
		if (!slice_word(&rest, &word) ||
		    !slice_uint(word, INT64_MAX, ret_all) ||
		    !slice_word(&rest, &word) ||
		    !slice_uint(word, INT64_MAX, ret_resident))
			*ret_all = *ret_resident = 0;
	}
	fclose(f);
	str_done(&text);
}

static uint64_t count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	uint64_t n = 0;

	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n - 1; /* the one that counts them */
}

/* Under the names that all client libraries use. */
static void print_process(const struct sched_metrics *m, struct str *to)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), all, resident;
	struct rusage used = { 0 };
	struct rlimit files = { 0 };
	uint64_t us;

	(void)getrusage(RUSAGE_SELF, &used);
	us = (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
	     (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
	head(to, "process_cpu_seconds_total", "counter",
	     "Processor time of the scheduler, without agents.");
	str_addf(to, "process_cpu_seconds_total %ju.%06ju\n",
		 (uintmax_t)(us / 1000000), (uintmax_t)(us % 1000000));
	read_memory(&all, &resident);
	one(to, "process_resident_memory_bytes", "gauge",
	    "Its memory that is in use.", resident * page);
	one(to, "process_virtual_memory_bytes", "gauge", "Its address space.",
	    all * page);
	one(to, "process_open_fds", "gauge", "Its open descriptors.",
	    count_descriptors());
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 &&
	    files.rlim_cur != RLIM_INFINITY)
		one(to, "process_max_fds", "gauge",
		    "How many it may have open.", files.rlim_cur);
	one(to, "process_start_time_seconds", "gauge",
	    "When it was started, Unix time.", (uint64_t)m->started);
}

void sched_metrics_print(struct sched *s, struct str *to)
{
	struct sched_metrics *m = s->metrics;

	sched_metrics_count(m, SCHED_SCRAPES);
	head(to, "zpost_build_info", "gauge", "Always 1; the version.");
	labelled(to, "zpost_build_info", "version", s->o->version, 1);
	print_queue(s, to);
	print_channels(s, to);
	print_ages(s, to);
	print_results(m, to);
	print_times(m, to);
	print_agents(m, to);
	print_things(m, to);
	print_events(s, to);
	print_process(m, to);
}
