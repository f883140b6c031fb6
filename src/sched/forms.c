/*
 * forms.c - the postmaster's own words in reports.
 *
 *	form = *( ("HDR" / "SUB") SP ... LF ) [ LF ] text
 *
 * A form is a file in $MAILSHARE/forms. Lines that set header fields in the
 * original are skipped: how a report is marked and addressed is no matter of
 * taste. The text behind them stands below what happened.
 */
#include "conf/textfile.h"
#include "sched/report.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { FORM_MAX = 16 * 1024, LINE_MAX_BYTES = 900 };

static bool is_header(struct slice line)
{
	return slice_starts(line, SLICE("HDR")) ||
	       slice_starts(line, SLICE("SUB"));
}

/* The text of a form, made harmless, in a. */
static struct slice clean_form(struct slice rest, struct arena *a)
{
	struct str text = STR_INIT;
	struct slice line, kept;
	bool was_header = false, is_text = false;

	while (slice_cut(&rest, '\n', &line)) {
		if (!is_text && is_header(line)) {
			was_header = true;
			continue;
		}
		if (!is_text && was_header && line.len == 0) {
			is_text = true; /* the line between them */
			continue;
		}
		is_text = true;
		str_add_clean(&text, line, LINE_MAX_BYTES);
		str_addc(&text, '\n');
	}
	while (text.len > 0 && text.p[text.len - 1] == '\n')
		str_cut(&text, text.len - 1);
	str_force_utf8(&text);
	kept = arena_dup(a, str_slice(&text));
	str_done(&text);
	return kept;
}

/* A form that is named must be there; the usual one need not. */
static struct slice read_form(const struct zenv *z, struct slice name,
			      bool is_named, struct arena *a)
{
	const char *share = zenv_cstr(z, "MAILSHARE");
	const char *path =
	    arena_printf(a, "%s/forms/%.*s", share != NULL ? share : "",
			 SLICE_ARG(name))
		.p;
	struct textfile file;
	struct err err;

	if (slice_has(name, '/') || slice_starts(name, SLICE("."))) {
		log_line(LOG_LEVEL_WARNING,
			 "form '%.*s': not the name of a file in forms/",
			 SLICE_ARG(name));
		return SLICE("");
	}
	if (textfile_read(path, FORM_MAX, a, &file, &err) == 0)
		return clean_form(file.text, a);
	if (is_named || access(path, F_OK) == 0)
		log_line(LOG_LEVEL_WARNING, "%s: reports go without this text",
			 err.text);
	return SLICE("");
}

void sched_forms_load(struct sched_config *c, const struct zenv *z)
{
	struct slice usual = read_form(z, SLICE("delivery"), false, c->arena);
	const struct schedconf *conf = &c->conf;

	c->usual_form = usual;
	c->forms =
	    arena_array(c->arena, conf->n_clauses + 1, sizeof(*c->forms));
	for (size_t i = 0; i < conf->n_clauses; i++) {
		const struct schedconf_clause *clause = &conf->clauses[i];
		struct sched_forms *f = &c->forms[i];

		f->delivery = f->expiry = usual;
		if (clause->delivery_form.len > 0)
			f->delivery = f->expiry =
			    read_form(z, clause->delivery_form, true, c->arena);
		if (clause->expiry_form.len > 0)
			f->expiry =
			    read_form(z, clause->expiry_form, true, c->arena);
	}
}

struct slice sched_form(const struct sched *s, const struct ctl_rcpt *rcpt,
			bool is_expired)
{
	const struct sched_config *c = &s->config;
	struct str host = STR_INIT;
	int i;

	for (size_t k = 0; k < rcpt->address.host.len; k++)
		str_addc(&host, ascii_lower(rcpt->address.host.p[k]));
	i = schedconf_find(&c->conf, rcpt->address.channel, str_slice(&host));
	str_done(&host);
	if (i < 0)
		return c->usual_form;
	return is_expired ? c->forms[i].expiry : c->forms[i].delivery;
}
