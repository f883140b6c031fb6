/*
 * options.c - what the command line of smtp(8) says, as one struct.
 */
#include "smtpta/options.h"

#include "agent/syslog.h"
#include "base/interval.h"
#include "base/keyword.h"
#include "base/log.h"
#include "mime/charset.h"
#include "net/addr.h"
#include "net/dns_files.h"

#include <limits.h>
#include <stddef.h>

enum {
	WINDOW_MAX = 10000,
	DNS_TIMEOUT_STANDARD = 60,
	DNS_TIMEOUT_LEAST = 5,
	DNS_TIMEOUT_MOST = 3600,
	IDLE_STANDARD = 150,
	REUSE_STANDARD = 300,
	IDLE_MAX = 20 * 24 * 3600 /* fits 31 bits of milliseconds */
};

struct timeout {
	const char *name;
	size_t offset; /* in struct smtpta_timeouts */
	unsigned minimum, standard;
};

#define FIELD(name) offsetof(struct smtpta_timeouts, name)

static const struct timeout timeout_rows[] = {
	{ "conn", FIELD(conn), 10, 3 * 60 },
	{ "tcpw", FIELD(tcpw), 10, 5 * 60 },
	{ "cmd", FIELD(cmd), 5, 5 * 60 },
	{ "data", FIELD(data), 10, 2 * 60 },
	{ "dot", FIELD(dot), 10, 20 * 60 },
	{ "tls", FIELD(tls), 5, 60 },
};

static unsigned *field_of(struct smtpta_timeouts *t, const struct timeout *row)
{
	return (unsigned *)(void *)((char *)t + row->offset);
}

struct smtpta_options smtpta_options_default(void)
{
	struct smtpta_options o = { .program = "smtp",
				    .channel = SLICE("smtp"),
				    .port = 25,
				    .window = 100,
				    .window_bytes = 4 * 1024 * 1024,
				    .dns_timeout = DNS_TIMEOUT_STANDARD,
				    .expand_tabs = true,
				    .has_for_clause = true,
				    .idle = IDLE_STANDARD,
				    .reuse = REUSE_STANDARD,
				    .probe_after = 20,
				    .signal_grace = 60,
				    .syslog_path = SYSLOG_PATH };

	for (size_t i = 0; i < COUNT(timeout_rows); i++)
		*field_of(&o.timeouts, &timeout_rows[i]) =
		    timeout_rows[i].standard;
	return o;
}

int smtpta_options_timeout(struct smtpta_options *o, struct slice value,
			   struct err *err)
{
	size_t at = slice_find(value, '=');
	struct slice name = SLICE("cmd"), text = value;
	unsigned seconds;

	if (at < value.len) {
		name = slice_head(value, at);
		text = slice_from(value, at + 1);
	}
	for (size_t i = 0; i < COUNT(timeout_rows); i++) {
		const struct timeout *row = &timeout_rows[i];

		if (!slice_eq(name, slice_of(row->name)))
			continue;
		if (text.len == 0 || !interval_parse(text, &seconds))
			return FAIL(err,
				    "-T %.*s: expected an interval such as "
				    "3m or 90s",
				    SLICE_ARG(value));
		if (seconds < row->minimum)
			return FAIL(err, "-T %.*s: at least %u seconds",
				    SLICE_ARG(value), row->minimum);
		*field_of(&o->timeouts, row) = seconds;
		return 0;
	}
	return FAIL(err, "-T %.*s: expected conn, tcpw, cmd, data, dot or tls",
		    SLICE_ARG(value));
}

void smtpta_options_bits(struct smtpta_options *o, char letter)
{
	if (letter == '7' && o->has_seven)
		o->no_esmtp = true;
	o->has_seven |= letter == '7';
	o->seven_bit = letter == '7';
	o->eight_bit = letter == '8';
}

int smtpta_options_send_buffer(struct smtpta_options *o, struct slice value,
			       struct err *err)
{
	uint64_t bytes;

	if (!slice_uint(value, INT_MAX, &bytes))
		return FAIL(err, "-w %.*s: expected a number of bytes",
			    SLICE_ARG(value));
	o->send_buffer = (unsigned)bytes;
	return 0;
}

static int set_local(struct smtpta_options *o, const char *what,
		     struct slice value, struct err *err)
{
	struct err why;

	if (local_parse(value, &o->local, &why) < 0)
		return FAIL(err, "%s %s", what, why.text);
	return 0;
}

int smtpta_options_local(struct smtpta_options *o, struct slice value,
			 struct err *err)
{
	return set_local(o, "-L", value, err);
}

int smtpta_options_bindaddr(struct smtpta_options *o, struct slice value,
			    struct err *err)
{
	if (o->local.form != LOCAL_NONE || value.len == 0)
		return 0;
	return set_local(o, "BINDADDR", value, err);
}

/* ---- names ---------------------------------------------------------------
 */

static int set_dns_mode(struct smtpta_options *o, struct slice text)
{
	o->has_dns_mode = dns_mode_read(text, &o->dns.mode);
	return o->has_dns_mode ? 0 : -1;
}

static int set_dns_servers(struct smtpta_options *o, struct slice text)
{
	struct dns_servers servers;
	struct err err;

	if (text.p == NULL || dns_servers_read(text, &servers, &err) < 0)
		return -1;
	o->dns.servers = text.p; /* to the NUL behind it */
	return 0;
}

/* Files are looked for by agents, whose folder is not the administrator's. */
static int set_path(const char **to, struct slice text)
{
	if (!slice_starts(text, SLICE("/")))
		return -1;
	*to = text.p; /* to the NUL behind it */
	return 0;
}

static int set_dns_anchor(struct smtpta_options *o, struct slice text)
{
	return set_path(&o->dns.anchor_file, text);
}

static int set_dns_hosts(struct smtpta_options *o, struct slice text)
{
	return set_path(&o->dns.hosts, text);
}

static int set_dns_resolv(struct smtpta_options *o, struct slice text)
{
	return set_path(&o->dns.resolv_conf, text);
}

#define MODES	"validate, trusted or off"
#define SERVERS "IP addresses, or literals with ports"
#define PATH	"an absolute path"

int smtpta_options_dns_mode(struct smtpta_options *o, struct slice value,
			    struct err *err)
{
	if (value.len == 0 || o->has_dns_mode || set_dns_mode(o, value) == 0)
		return 0;
	return FAIL(err, "DNSMODE %.*s: expected " MODES, SLICE_ARG(value));
}

int smtpta_options_dns_servers(struct smtpta_options *o, struct slice value,
			       struct err *err)
{
	if (value.len == 0 || o->dns.servers != NULL ||
	    set_dns_servers(o, value) == 0)
		return 0;
	return FAIL(err, "DNSSERVERS %.*s: expected " SERVERS,
		    SLICE_ARG(value));
}

int smtpta_options_dns_anchor(struct smtpta_options *o, struct slice value,
			      struct err *err)
{
	if (value.len == 0 || o->dns.anchor_file != NULL ||
	    set_dns_anchor(o, value) == 0)
		return 0;
	return FAIL(err, "DNSANCHOR %.*s: expected " PATH, SLICE_ARG(value));
}

int smtpta_options_mailvar(struct smtpta_options *o, struct slice value,
			   struct err *err)
{
	if (value.len == 0 || set_path(&o->dns.memory_dir, value) == 0)
		return 0;
	return FAIL(err, "MAILVAR %.*s: expected " PATH, SLICE_ARG(value));
}

bool smtpta_options_address(struct slice word, struct net_addr *ret)
{
	static const char *const begins[] = { "[", "[IPv6:" };
	struct str literal = STR_INIT;
	bool is_good = net_literal_looks(word);
	struct err err;

	if (is_good)
		return net_literal_parse(word, 0, ret, &err) == 0;
	for (size_t i = 0; !is_good && i < COUNT(begins); i++) {
		str_clear(&literal);
		str_addf(&literal, "%s%.*s]", begins[i], SLICE_ARG(word));
		is_good =
		    net_literal_parse(str_slice(&literal), 0, ret, &err) == 0;
	}
	str_done(&literal);
	return is_good;
}

/* An address that was passed over would let mail go round in a loop. */
int smtpta_options_self(struct smtpta_options *o, struct slice value,
			struct err *err)
{
	struct slice rest = value, word;
	struct net_addr addr;

	while (slice_cut(&rest, ',', &word)) {
		word = slice_trim(word);
		if (net_literal_looks(word) &&
		    !smtpta_options_address(word, &addr))
			return FAIL(err,
				    "SELFADDRESSES %.*s: expected an IP "
				    "address in the brackets",
				    SLICE_ARG(word));
	}
	o->self_addresses = value;
	return 0;
}

/* ---- content --------------------------------------------------------------
 */

int smtpta_options_charset(struct smtpta_options *o, struct slice value,
			   struct err *err)
{
	(void)err;
	if (charset_is_name(value))
		o->charset = value;
	else if (value.len > 0)
		log_line(LOG_LEVEL_WARNING,
			 "DEFCHARSET '%.*s' is no name of a character set",
			 SLICE_ARG(value));
	return 0;
}

int smtpta_options_tabs(struct smtpta_options *o, struct slice value,
			struct err *err)
{
	(void)err;
	o->expand_tabs = value.len == 0 || slice_eq(value, SLICE("0"));
	return 0;
}

int smtpta_options_no_for_clause(struct smtpta_options *o, struct slice value,
				 struct err *err)
{
	(void)value;
	(void)err;
	o->has_for_clause = false;
	return 0;
}

/* ---- -O ----------------------------------------------------------------- */

static int set_attempts(struct smtpta_options *o, struct slice text)
{
	if (text.len == 0)
		return -1;
	o->attempts = text.p; /* to the NUL behind it */
	return 0;
}

static int set_dns_timeout(struct smtpta_options *o, struct slice text)
{
	unsigned seconds;

	if (text.len == 0 || !interval_parse(text, &seconds) ||
	    seconds < DNS_TIMEOUT_LEAST || seconds > DNS_TIMEOUT_MOST)
		return -1;
	o->dns_timeout = seconds;
	return 0;
}

/* From a second on; 31 bits of milliseconds must hold it. */
static int read_lasting(struct slice text, unsigned *ret)
{
	unsigned seconds;

	if (text.len == 0 || !interval_parse(text, &seconds) ||
	    seconds > IDLE_MAX || seconds == 0)
		return -1;
	*ret = seconds;
	return 0;
}

static int set_idle(struct smtpta_options *o, struct slice text)
{
	return read_lasting(text, &o->idle);
}

static int set_reuse(struct smtpta_options *o, struct slice text)
{
	return read_lasting(text, &o->reuse);
}

static int set_ignore_ezmlm(struct smtpta_options *o, struct slice text)
{
	if (text.p != NULL)
		return -1;
	o->ignore_ezmlm = true;
	return 0;
}

static int set_source(struct smtpta_options *o, struct slice text)
{
	if (local_pool_check(text, NULL) < 0)
		return -1;
	o->sources = text;
	return 0;
}

static int set_syslog(struct smtpta_options *o, struct slice text)
{
	if (!slice_starts(text, SLICE("/")))
		return -1;
	o->syslog_path = text.p; /* to the NUL behind it */
	return 0;
}

static int set_stsfetch(struct smtpta_options *o, struct slice text)
{
	return set_path(&o->stsfetch, text);
}

static int set_sync(struct smtpta_options *o, struct slice text)
{
	bool is_always = slice_eq(text, SLICE("always"));

	if (!is_always && !slice_eq(text, SLICE("auto")))
		return -1;
	o->sync_always = is_always;
	return 0;
}

/* MESSAGES [ "," BYTES ] */
static int set_window(struct smtpta_options *o, struct slice text)
{
	size_t at = slice_find(text, ',');
	uint64_t messages, bytes = o->window_bytes;

	if (!slice_uint(slice_head(text, at), WINDOW_MAX, &messages) ||
	    messages == 0)
		return -1;
	if (at < text.len &&
	    !slice_uint(slice_from(text, at + 1), UINT32_MAX, &bytes))
		return -1;
	o->window = (unsigned)messages;
	o->window_bytes = bytes;
	return 0;
}

struct own {
	const char *key, *expected;
	/* text.p is NULL without a "="; -1 if it is not as expected. */
	int (*set)(struct smtpta_options *o, struct slice text);
};

static int set_unknown_outcome(struct smtpta_options *o, struct slice text)
{
	o->hold_unknown = slice_eq_nocase(text, SLICE("hold"));
	return o->hold_unknown || slice_eq_nocase(text, SLICE("retry")) ? 0
									: -1;
}

static int set_unconvertible(struct smtpta_options *o, struct slice text)
{
	o->fails_unconvertible = slice_eq_nocase(text, SLICE("fail"));
	return o->fails_unconvertible || slice_eq_nocase(text, SLICE("raw"))
		   ? 0
		   : -1;
}

static const struct own own_rows[] = {
	{ "attempts", "a file, or -", set_attempts },
	{ "dns", MODES, set_dns_mode },
	{ "dns-anchor", PATH, set_dns_anchor },
	{ "dns-hosts", PATH, set_dns_hosts },
	{ "dns-resolv", PATH, set_dns_resolv },
	{ "dns-servers", SERVERS, set_dns_servers },
	{ "dns-timeout", "an interval from 5s to 1h, such as 60s",
	  set_dns_timeout },
	{ "idle", "an interval from 1s to 20d, such as 150s", set_idle },
	{ "ignore-ezmlm", "no value", set_ignore_ezmlm },
	{ "reuse", "an interval from 1s to 20d, such as 5m", set_reuse },
	{ "source", "IP addresses with commas between", set_source },
	{ "stsfetch", PATH, set_stsfetch },
	{ "sync", "always or auto", set_sync },
	{ "syslog", "the absolute path of a socket", set_syslog },
	{ "unconvertible", "raw or fail", set_unconvertible },
	{ "unknown-outcome", "retry or hold", set_unknown_outcome },
	{ "window", "MESSAGES or MESSAGES,BYTES", set_window },
};

int smtpta_options_own(struct smtpta_options *o, struct slice value,
		       struct err *err)
{
	size_t at = slice_find(value, '=');
	struct slice key = slice_head(value, at);
	struct slice text = { 0 };

	if (at < value.len)
		text = slice_from(value, at + 1);
	/* The original's only keyword, which it takes in any case. */
	if (slice_eq_nocase(key, SLICE("ignore-ezmlm")))
		key = SLICE("ignore-ezmlm");
	for (size_t i = 0; i < COUNT(own_rows); i++) {
		if (!slice_eq(key, slice_of(own_rows[i].key)))
			continue;
		if (own_rows[i].set(o, text) == 0)
			return 0;
		return FAIL(err, "-O %.*s: expected %s", SLICE_ARG(value),
			    own_rows[i].expected);
	}
	return FAIL(err, "-O %.*s: unknown key", SLICE_ARG(key));
}

struct slice smtpta_unix_path(struct slice forced)
{
	if (!slice_starts(forced, SLICE("UNIX:")))
		return slice_make(NULL, 0);
	return slice_from(forced, 5);
}

int smtpta_options_check(const struct smtpta_options *o, struct err *err)
{
	struct slice path = smtpta_unix_path(o->forced);
	struct net_addr addr;

	/* Taken for a host name it would defer or even fail all mail. */
	if (slice_starts(o->forced, SLICE("UNIX:")) &&
	    net_unix_addr(path, &addr, err) < 0)
		return -1;
	if (o->is_lmtp && o->port == 25 && path.len == 0)
		return FAIL(err, "-M (LMTP) needs a port other than 25, or "
				 "-F UNIX:/path");
	return 0;
}
