/*
 * where.c - which channel, host and user a recipient means.
 */
#include "subm/where.h"

#include "subm/address.h"

#include <sysexits.h>

static struct slice lower(struct slice s, struct arena *a)
{
	char *p = arena_alloc(a, s.len + 1);

	for (size_t i = 0; i < s.len; i++)
		p[i] = ascii_lower(s.p[i]);
	return slice_make(p, s.len);
}

/* Parses an address that may need the mail name behind it. */
static int parse(const struct subm_request *r, struct slice word,
		 struct arena *a, struct subm_address *ret, struct err *err)
{
	struct slice whole;

	if (subm_address_parse(word, "recipient", false, ret, err) < 0)
		return -1;
	if (ret->has_domain || r->mail_name.len == 0)
		return 0;
	whole = arena_printf(a, "%.*s@%.*s", SLICE_ARG(ret->text),
			     SLICE_ARG(r->mail_name));
	return subm_address_parse(whole, "recipient", false, ret, err);
}

static bool is_here(const struct subm_request *r, struct slice domain)
{
	return slice_eq_nocase(domain, r->mail_name) ||
	       slice_eq_nocase(domain, r->host_name) ||
	       slice_eq_nocase(domain, SLICE("localhost"));
}

static struct slice expand(struct slice word, const struct routes_address *in,
			   struct arena *a)
{
	struct str text = STR_INIT;
	struct slice copy;

	routes_expand(word, in, &text);
	copy = arena_dup(a, str_slice(&text));
	str_done(&text);
	return copy;
}

/* What a line made of the address cannot be used. */
static int bad_line(const struct routes *routes, const struct routes_match *m,
		    struct err *err)
{
	err_set(err, 0, "%s:%u: %s", routes_name(routes), m->line,
		err != NULL ? err->text : "");
	return EX_CONFIG;
}

/* An address on its way through routes.conf. */
struct way {
	const struct subm_request *r;
	struct arena *a;
	struct subm_address now;
	bool is_changed; /* by the last step */
	bool is_done;	 /* rcpt is complete */
	struct subm_rcpt *rcpt;
};

/* The end of the way: channel, host, user. */
static int take_quad(struct way *w, const struct routes_match *m,
		     const struct routes_address *in, struct err *err)
{
	struct subm_rcpt *rcpt = w->rcpt;

	w->is_done = true;
	rcpt->channel = m->channel;
	rcpt->host = lower(expand(m->host, in, w->a), w->a);
	rcpt->address = expand(m->user, in, w->a);
	if (subm_channel_check(rcpt->channel, err) < 0 ||
	    subm_host_check(rcpt->host, err) < 0)
		return bad_line(w->r->routes, m, err);
	if (slice_has_control(rcpt->address)) {
		err_set(err, 0, "the user holds a control byte");
		return bad_line(w->r->routes, m, err);
	}
	return EX_OK;
}

/* One step: to the end, to another address, or nowhere. */
static int step(struct way *w, struct err *err)
{
	struct routes_address in = {
		.address = w->now.text,
		.local = w->now.local,
		.domain = w->now.domain,
		.is_here = is_here(w->r, w->now.domain),
	};
	struct subm_address next;
	struct routes_match m;
	struct slice text;

	w->is_changed = false;
	if (!routes_find(w->r->routes, &in, &m))
		return EX_OK;
	if (!m.is_address)
		return take_quad(w, &m, &in, err);
	text = expand(m.target, &in, w->a);
	if (parse(w->r, text, w->a, &next, err) < 0)
		return bad_line(w->r->routes, &m, err);
	if (!next.has_domain) {
		err_set(err, 0, "'%.*s' has no domain", SLICE_ARG(next.text));
		return bad_line(w->r->routes, &m, err);
	}
	w->is_changed = !slice_eq(next.local, w->now.local) ||
			!slice_eq_nocase(next.domain, w->now.domain);
	w->now = next;
	return EX_OK;
}

/* Follows routes.conf. */
static int follow(struct way *w, struct err *err)
{
	struct slice first = w->now.text;

	for (unsigned n = 0; n < SUBM_WHERE_STEPS_MAX; n++) {
		int code = step(w, err);

		if (code != EX_OK || w->is_done)
			return code;
		if (!w->is_changed) {
			w->rcpt->address = w->now.text;
			w->rcpt->host = lower(w->now.domain, w->a);
			return EX_OK;
		}
	}
	err_set(err, 0,
		"%s: '%.*s' goes round in circles: %d steps did not end at"
		" '%.*s'",
		routes_name(w->r->routes), SLICE_ARG(first),
		SUBM_WHERE_STEPS_MAX, SLICE_ARG(w->now.text));
	return EX_CONFIG;
}

int subm_where(const struct subm_request *r, struct slice word, struct arena *a,
	       struct subm_rcpt *ret, struct err *err)
{
	bool is_chosen = r->channel.p != NULL || r->has_host;
	struct subm_rcpt rcpt = { .host = r->host };
	struct subm_address address;
	int code = EX_OK;

	if (r->has_host) { /* a host may know users without a domain */
		if (subm_address_parse(word, "recipient", false, &address,
				       err) < 0)
			return EX_DATAERR;
		rcpt.host = lower(r->host, a);
	} else if (parse(r, word, a, &address, err) < 0) {
		return EX_DATAERR;
	} else if (!address.has_domain) {
		err_set(err, 0,
			"recipient '%.*s' has no domain; name the host"
			" with -h",
			SLICE_ARG(address.text));
		return EX_USAGE;
	} else {
		rcpt.host = lower(address.domain, a);
	}
	rcpt.address = rcpt.original = address.text;
	if (!is_chosen && r->routes != NULL)
		code = follow(
		    &(struct way){
			.r = r, .a = a, .now = address, .rcpt = &rcpt },
		    err);
	if (code == EX_OK)
		*ret = rcpt;
	return code;
}
