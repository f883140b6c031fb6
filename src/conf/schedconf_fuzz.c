/*
 * schedconf_fuzz.c - any bytes as scheduler.conf: what is read holds its
 * promises, and a command's words are whole.
 */
#include "conf/schedconf.h"

#include "base/fuzz.h"

static void check_command(const struct schedconf_clause *c,
			  const struct zenv *z, struct arena *a)
{
	const struct schedconf_for who = { z, SLICE("smtp"),
					   SLICE("mx.example") };
	struct schedconf_command command;
	size_t n = 0;
	struct err err;

	if (schedconf_command(c->command, &who, a, &command, &err) < 0)
		return;
	FUZZ_CHECK(command.argv[0] != NULL && command.argv[0][0] != '\0');
	while (command.argv[n] != NULL)
		n++;
	for (size_t i = 0; command.environment[i] != NULL; i++, n++)
		FUZZ_CHECK(slice_has(slice_of(command.environment[i]), '='));
	FUZZ_CHECK(n <= SCHEDCONF_WORDS_MAX);
}

FUZZ(data, size)
{
	struct slice text = slice_make((const char *)data, size);
	struct arena *a = arena_new();
	struct zenv *z = zenv_parse(SLICE("LOGDIR=/l\nEMPTY=\n"), "Z", a);
	struct schedconf conf;
	struct err err;

	if (schedconf_parse((struct textfile){ text, "F" }, z, a, &conf,
			    &err) == 0) {
		for (size_t i = 0; i < conf.n_clauses; i++) {
			const struct schedconf_clause *c = &conf.clauses[i];

			FUZZ_CHECK(c->line > 0 && c->queue.interval > 0);
			FUZZ_CHECK(c->queue.maxthr > 0 && c->queue.expiry2 > 0);
			FUZZ_CHECK(c->command.len > 0 ||
				   c->queue.is_queue_only);
			(void)schedconf_glob(c->host, c->channel);
			check_command(c, z, a);
		}
		(void)schedconf_find(&conf, SLICE("smtp"), SLICE("a.example"));
	} else {
		FUZZ_CHECK(err.text[0] == 'F' && err.text[1] == ':');
	}
	arena_free(a);
	return 0;
}
