/*
 * walk_fuzz.c - any file of answers, for anybody.
 *
 * Input: a byte of options, a line with who is meant, a file of answers.
 * Invariants: the walk ends with a route or with a reason that there is none;
 * both printers are harmless to a terminal, and JSON is one line; what was
 * answered, written down, gives the same walk.
 */
#include "base/fuzz.h"
#include "explain/walk.h"
#include "net/dns_record.h"
#include "smtpta/safety.h"

enum { PORT = 2525 }; /* any but 25: our own name is not looked for */

static void on_answer(void *context, const struct dns_answer *answer)
{
	walk_answer(context, answer);
}

static int64_t wall_time(void)
{
	return 0;
}

static void complain(void *context, const char *text)
{
	(void)context;
	FUZZ_CHECK(text == NULL); /* there is nothing to complain of */
}

static struct explanation *walk(const struct smtpta_options *options,
				struct slice subject, struct slice answers)
{
	struct smtpta_options all = *options;
	const struct smtpta_options *o = &all;
	struct explanation *e = explanation_new();
	struct dns_options dns = { .on_answer = on_answer, .context = e };
	struct walk_draws draws = { 0 };
	struct walk_scene scene = { .options = o, .draws = &draws };
	struct safety_setup setup = { .options = o,
				      .wall_time = wall_time,
				      .complain = complain,
				      .only_looks = true };
	struct safety *safety;
	struct err err;

	if (dns_recorded(answers, "FUZZ", &dns.source, &err) < 0) {
		explanation_free(e);
		return NULL;
	}
	e->subject = arena_dup(e->arena, subject);
	e->offline = SLICE("FUZZ");
	scene.resolver = setup.dns = dns_new(&dns);
	all.dns.source = dns.source;
	safety = safety_new(&setup);
	scene.safety = safety_of_sessions(safety);
	walk_subject(o, e);
	walk_route(&scene, e);
	walk_end(e);
	safety_free(safety);
	dns_free(scene.resolver);
	return e;
}

static void print_text(struct str *to, const struct explanation *e)
{
	explanation_print_subject(to, e);
	for (size_t i = 0; i < e->n_answers; i++)
		explanation_print_answer(to, &e->answers[i]);
	explanation_print_route(to, e);
	explanation_print_end(to, e);
}

static void check(const struct explanation *e)
{
	struct str text = STR_INIT, json = STR_INIT;

	FUZZ_CHECK((e->route.n == 0) == (e->route.failure != NULL));
	FUZZ_CHECK((e->status == 0) == (e->failure == NULL));
	print_text(&text, e);
	for (size_t i = 0; i < text.len; i++)
		FUZZ_CHECK(
		    text.p[i] == '\n' ||
		    ((unsigned char)text.p[i] >= 0x20 && text.p[i] != 0x7f));
	explanation_print_json(&json, e);
	FUZZ_CHECK(slice_find(str_slice(&json), '\n') == json.len - 1);
	FUZZ_CHECK(
	    !slice_has_control(slice_head(str_slice(&json), json.len - 1)));
	str_done(&text);
	str_done(&json);
}

/* A walk over the answers of the first one is the same. */
static void check_again(const struct smtpta_options *o,
			const struct explanation *e)
{
	struct str record = STR_INIT, first = STR_INIT, second = STR_INIT;
	struct explanation *again;

	for (size_t i = 0; i < e->n_answers; i++)
		dns_record_print(&record, &e->answers[i]);
	again = walk(o, e->subject, str_slice(&record));
	FUZZ_CHECK(again != NULL);
	print_text(&first, e);
	print_text(&second, again);
	FUZZ_CHECK(slice_eq(str_slice(&first), str_slice(&second)));
	explanation_free(again);
	str_done(&record);
	str_done(&first);
	str_done(&second);
}

FUZZ(data, size)
{
	struct slice rest = slice_make((const char *)data, size), subject;
	unsigned bits = size > 0 ? data[0] : 0;
	struct smtpta_options o = {
		.port = PORT,
		.no_mx = (bits & 1) != 0,
		.v6_first = (bits & 2) != 0,
		.check_wks = (bits & 4) != 0,
		.allow_local = (bits & 8) != 0,
		.is_lmtp = (bits & 16) != 0,
	};
	struct explanation *e;

	rest = slice_from(rest, 1);
	if (!slice_cut(&rest, '\n', &subject))
		return 0;
	e = walk(&o, subject, rest);
	if (e != NULL) {
		check(e);
		check_again(&o, e);
	}
	explanation_free(e);
	return 0;
}
