/*
 * tls_text.c - words for verdicts and faults, and lines for logs.
 */
#include "base/keyword.h"
#include "net/tls.h"

#include <assert.h>
#include <time.h>

static const char *const verdicts[TLS_VERDICTS] = {
	[TLS_VERDICT_NONE] = "none",
	[TLS_UNTRUSTED] = "untrusted",
	[TLS_TRUSTED_UNNAMED] = "trusted-unnamed",
	[TLS_MATCHED_NAME] = "matched-name",
	[TLS_MATCHED_FINGERPRINT] = "matched-fingerprint",
	[TLS_MATCHED_DANE] = "matched-dane",
};

/* The result types of RFC 8460 4.3; X.7.5 is cryptographic failure. */
static const struct {
	const char *word, *report, *status;
} faults[TLS_FAULTS] = {
	[TLS_FAULT_NONE] = { "none", NULL, "2.0.0" },
	[TLS_FAULT_SETTINGS] = { "tls-settings", NULL, "4.3.5" },
	[TLS_FAULT_STOPPED] = { "stopped", NULL, "4.3.2" },
	[TLS_FAULT_TIMEOUT] = { "tls-timeout", "validation-failure", "4.7.5" },
	[TLS_FAULT_CLOSED] = { "tls-closed", "validation-failure", "4.7.5" },
	[TLS_FAULT_GARBAGE] = { "tls-garbage", "validation-failure", "4.7.5" },
	[TLS_FAULT_PROTOCOL] = { "tls-protocol", "validation-failure",
				 "4.7.5" },
	[TLS_FAULT_ALERT] = { "tls-alert", "validation-failure", "4.7.5" },
	[TLS_FAULT_HANDSHAKE] = { "tls-handshake", "validation-failure",
				  "4.7.5" },
	[TLS_FAULT_ANONYMOUS] = { "no-certificate", "validation-failure",
				  "4.7.5" },
	[TLS_FAULT_NOT_TRUSTED] = { "certificate-not-trusted",
				    "certificate-not-trusted", "4.7.5" },
	[TLS_FAULT_EXPIRED] = { "certificate-expired", "certificate-expired",
				"4.7.5" },
	[TLS_FAULT_NOT_YET] = { "certificate-not-yet-valid",
				"validation-failure", "4.7.5" },
	[TLS_FAULT_NAME] = { "certificate-host-mismatch",
			     "certificate-host-mismatch", "4.7.5" },
	[TLS_FAULT_CHAIN] = { "certificate-unacceptable", "validation-failure",
			      "4.7.5" },
	[TLS_FAULT_TLSA] = { "tlsa-mismatch", "validation-failure", "4.7.5" },
	[TLS_FAULT_TLSA_INVALID] = { "tlsa-invalid", "tlsa-invalid", "4.7.5" },
	[TLS_FAULT_FINGERPRINT] = { "fingerprint-mismatch",
				    "validation-failure", "4.7.5" },
};

static const char *const bindings[TLS_BINDINGS] = {
	[TLS_BINDING_EXPORTER] = "tls-exporter",
	[TLS_BINDING_UNIQUE] = "tls-unique",
	[TLS_BINDING_END_POINT] = "tls-server-end-point",
};

const char *tls_verdict_word(enum tls_verdict verdict)
{
	assert(verdict < TLS_VERDICTS);
	return verdicts[verdict];
}

const char *tls_fault_word(enum tls_fault fault)
{
	assert(fault < TLS_FAULTS);
	return faults[fault].word;
}

const char *tls_fault_report(enum tls_fault fault)
{
	assert(fault < TLS_FAULTS);
	return faults[fault].report;
}

const char *tls_fault_status(enum tls_fault fault)
{
	assert(fault < TLS_FAULTS);
	return faults[fault].status;
}

const char *tls_binding_word(enum tls_binding kind)
{
	assert(kind < TLS_BINDINGS);
	return bindings[kind];
}

/* ---- lines -------------------------------------------------------------- */

void tls_outcome_print(struct str *to, const struct tls_outcome *o)
{
	if (o->protocol == NULL)
		return;
	str_addf(to, "%s with cipher %s (%d/%d bits)", o->protocol, o->cipher,
		 o->bits, o->cipher_bits);
	if (o->group[0] != '\0')
		str_addf(to, ", group %s", o->group);
	str_addf(to, ", %s%s", tls_verdict_word(o->verdict),
		 o->was_resumed ? ", resumed" : "");
}

/* Where lines go. */
struct sink {
	void (*line)(void *context, struct slice text);
	void *context;
	struct str text;
};

/* Gives the line away, and begins the next. */
static void end_line(struct sink *s)
{
	s->line(s->context, str_slice(&s->text));
	str_clear(&s->text);
}

static void print_peer(struct sink *s, const struct tls_outcome *o)
{
	const struct tls_certificate *c;

	if (o->fault != TLS_FAULT_NONE) {
		str_addf(&s->text, "TLS: %s: %.*s", tls_fault_word(o->fault),
			 SLICE_ARG(o->text));
		end_line(s);
	}
	if (o->n_chain == 0)
		return;
	for (size_t i = o->n_chain; i-- > 0;) {
		str_addf(&s->text, "Peer cert verify depth=%zu %.*s", i,
			 SLICE_ARG(o->chain[i].subject));
		end_line(s);
	}
	c = &o->chain[0];
	str_addf(&s->text, "%s: subject_CN=%.*s, issuer=%.*s, %s",
		 o->verdict > TLS_UNTRUSTED ? "Verified" : "Unverified",
		 SLICE_ARG(c->common_name), SLICE_ARG(c->issuer),
		 tls_verdict_word(o->verdict));
	if (o->matched.len > 0)
		str_addf(&s->text, " %.*s", SLICE_ARG(o->matched));
	if (o->verdict == TLS_MATCHED_DANE)
		str_addf(&s->text, " depth=%d", o->depth);
	end_line(s);
	if (o->audit != TLS_FAULT_NONE) {
		str_addf(&s->text, "TLS: testing: %s: %.*s",
			 tls_fault_word(o->audit), SLICE_ARG(o->audit_text));
		end_line(s);
	}
}

/* A day, as people who look for an expired certificate want it. */
static void add_day(struct str *to, int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (seconds == INT64_MAX || gmtime_r(&t, &tm) == NULL) {
		str_adds(to, "never");
		return;
	}
	str_addf(to, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
		 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void print_chain(struct sink *s, const struct tls_outcome *o)
{
	for (size_t i = 0; i < o->n_chain; i++) {
		const struct tls_certificate *c = &o->chain[i];

		str_addf(&s->text, "Peer cert depth=%zu issuer=%.*s", i,
			 SLICE_ARG(c->issuer));
		end_line(s);
		str_addf(&s->text, "Peer cert depth=%zu key=%.*s valid=", i,
			 SLICE_ARG(c->key));
		add_day(&s->text, c->not_before);
		str_addc(&s->text, '/');
		add_day(&s->text, c->not_after);
		str_addf(&s->text, " names=%.*s", SLICE_ARG(c->names));
		end_line(s);
		str_addf(&s->text,
			 "Peer cert depth=%zu sha256=%.*s key-sha256=%.*s", i,
			 SLICE_ARG(c->sha256), SLICE_ARG(c->key_sha256));
		end_line(s);
		if (c->trouble.len > 0) {
			str_addf(&s->text, "Peer cert depth=%zu error: %.*s", i,
				 SLICE_ARG(c->trouble));
			end_line(s);
		}
	}
}

void tls_outcome_lines(const struct tls_outcome *o, unsigned level,
		       void (*line)(void *context, struct slice text),
		       void *context)
{
	struct sink s = { .line = line, .context = context };

	if (level >= 3)
		for (size_t i = 0; i < o->n_trace; i++) {
			str_addf(&s.text, "TLS %.*s", SLICE_ARG(o->trace[i]));
			end_line(&s);
		}
	if (level >= 2)
		print_chain(&s, o);
	if (level >= 1)
		print_peer(&s, o);
	str_done(&s.text);
}
