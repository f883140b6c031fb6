/*
 * way.c - where the mail for an address goes: by which channel, to which host.
 */
#include "conf/way.h"

#include "conf/textfile.h"
#include "smtp/path.h"

enum { MAILNAME_FILE_MAX = 4096 };

static struct slice lower(struct slice s, struct arena *a)
{
	char *p = arena_alloc(a, s.len + 1);

	for (size_t i = 0; i < s.len; i++)
		p[i] = ascii_lower(s.p[i]);
	return slice_make(p, s.len);
}

int way_begin(const struct way_map *map, struct slice word, struct arena *a,
	      struct address *ret, struct err *err)
{
	struct slice whole;

	if (address_parse(word, "recipient", false, ret, err) < 0)
		return -1;
	if (ret->has_domain || map->mail_name.len == 0)
		return 0;
	whole = arena_printf(a, "%.*s@%.*s", SLICE_ARG(ret->text),
			     SLICE_ARG(map->mail_name));
	return address_parse(whole, "recipient", false, ret, err);
}

static bool is_here(const struct way_map *map, struct slice domain)
{
	return slice_eq_nocase(domain, map->mail_name) ||
	       slice_eq_nocase(domain, map->host_name) ||
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
static int bad_line(const struct way_map *map, const struct routes_match *m,
		    struct err *err)
{
	return FAIL(err, "%s:%u: %s", routes_name(map->routes), m->line,
		    err != NULL ? err->text : "");
}

/* An address on its way. */
struct walk {
	const struct way_map *map;
	struct arena *a;
	struct address now;
	bool is_changed; /* by the last step */
	bool is_done;	 /* end is complete */
	struct way_end end;
};

/* The end of the way: channel, host, user. */
static int take_quad(struct walk *w, const struct routes_match *m,
		     const struct routes_address *in, struct err *err)
{
	struct way_end *end = &w->end;

	w->is_done = true;
	end->channel = m->channel;
	end->host = lower(expand(m->host, in, w->a), w->a);
	end->user = expand(m->user, in, w->a);
	if (address_channel_check(end->channel, err) < 0 ||
	    address_host_check(end->host, err) < 0)
		return bad_line(w->map, m, err);
	if (slice_has_control(end->user)) {
		err_set(err, 0, "the user holds a control byte");
		return bad_line(w->map, m, err);
	}
	return 0;
}

/* One step: to the end, to another address, or nowhere. */
static int step(struct walk *w, struct err *err)
{
	struct routes_address in = {
		.address = w->now.text,
		.local = w->now.local,
		.domain = w->now.domain,
		.is_here = is_here(w->map, w->now.domain),
	};
	struct address next;
	struct routes_match m;
	struct slice text;

	w->is_changed = false;
	if (w->map->routes == NULL || !routes_find(w->map->routes, &in, &m))
		return 0;
	if (!m.is_address)
		return take_quad(w, &m, &in, err);
	text = expand(m.target, &in, w->a);
	if (way_begin(w->map, text, w->a, &next, err) < 0)
		return bad_line(w->map, &m, err);
	if (!next.has_domain) {
		err_set(err, 0, "'%.*s' has no domain", SLICE_ARG(next.text));
		return bad_line(w->map, &m, err);
	}
	w->is_changed = !slice_eq(next.local, w->now.local) ||
			!slice_eq_nocase(next.domain, w->now.domain);
	w->now = next;
	return 0;
}

int way_find(const struct way_map *map, const struct address *from,
	     struct arena *a, struct way_end *ret, struct err *err)
{
	struct walk w = { .map = map, .a = a, .now = *from };

	for (unsigned n = 0; n < WAY_STEPS_MAX; n++) {
		if (step(&w, err) < 0)
			return -1;
		if (!w.is_done && !w.is_changed) {
			w.is_done = true;
			w.end.user = w.now.text;
			w.end.host = lower(w.now.domain, a);
		}
		if (w.is_done) {
			*ret = w.end;
			return 0;
		}
	}
	return FAIL(err,
		    "%s: '%.*s' goes round in circles: %d steps did not end at"
		    " '%.*s'",
		    routes_name(map->routes), SLICE_ARG(from->text),
		    WAY_STEPS_MAX, SLICE_ARG(w.now.text));
}

/* ---- names -------------------------------------------------------------- */

struct slice way_mailname_read(const char *file, struct arena *a)
{
	static const struct slice none = { 0 };
	struct textfile text;
	struct slice line, name;

	if (textfile_read(file, MAILNAME_FILE_MAX, a, &text, NULL) < 0 ||
	    !slice_cut(&text.text, '\n', &line))
		return none;
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	if (!slice_word(&line, &name) || !helo_name_valid(name))
		return none;
	return name;
}

int way_names_read(const struct zenv *z, struct slice host_name,
		   struct arena *a, struct way_names *ret, struct err *err)
{
	const char *share = zenv_cstr(z, "MAILSHARE");
	struct way_names names = { .routes_file = zenv_cstr(z, "ROUTES") };

	if (!zenv_get(z, "MAILNAME", &names.mail_name) ||
	    names.mail_name.len == 0)
		names.mail_name = way_mailname_read(WAY_MAILNAME_FILE, a);
	else if (!helo_name_valid(names.mail_name))
		return FAIL(err, "%s: MAILNAME is '%.*s', not a domain",
			    zenv_file(z), SLICE_ARG(names.mail_name));
	if (names.mail_name.len == 0 && helo_name_valid(host_name))
		names.mail_name = host_name;
	if (names.routes_file == NULL || names.routes_file[0] == '\0')
		names.routes_file = arena_printf(a, "%s/routes.conf",
						 share != NULL ? share : "")
					.p;
	*ret = names;
	return 0;
}
