/*
 * scram_fuzz.c - any messages of a server: it is never believed by chance.
 *
 * The first byte is the mechanism; each line is a challenge. A '*' in front of
 * the second stands for the nonce that we chose, so that it can be answered.
 * Nobody who does not know the secret makes the signature that proves it.
 */
#include "base/fuzz.h"
#include "base/keyword.h"
#include "smtpta/scram.h"

#include <string.h>

static const struct scram_setup setups[] = {
	{ "SCRAM-SHA-1", { "user", 4 }, { "pencil", 6 }, 0, { NULL, 0 } },
	{ "SCRAM-SHA-256", { "user", 4 }, { "pencil", 6 }, 0, { NULL, 0 } },
	{ "SCRAM-SHA-256-PLUS",
	  { "a,=b", 4 },
	  { "pencil", 6 },
	  SCRAM_BINDING_TLS_EXPORTER,
	  { "bound", 5 } },
};

/* The value of "r=" in what we said first. */
static struct slice nonce_of(struct slice said)
{
	return slice_from(said, slice_find_text(said, SLICE(",r=")) + 3);
}

FUZZ(data, size)
{
	struct slice in = slice_make((const char *)data, size), line;
	struct str said = STR_INIT, nonce = STR_INIT, message = STR_INIT;
	struct err err = { 0 };
	struct scram *s;

	if (size == 0)
		return 0;
	s = scram_new(&setups[data[0] % COUNT(setups)], &err);
	FUZZ_CHECK(s != NULL);
	FUZZ_CHECK(scram_step(s, SLICE(""), &said, &err) == 0);
	str_add(&nonce, nonce_of(str_slice(&said)));
	in = slice_from(in, 1);
	while (slice_cut(&in, '\n', &line)) {
		/* Rounds cost time; that there is a limit others test. */
		if (slice_find_text(line, SLICE("i=")) + 7 < line.len)
			continue;
		str_clear(&message);
		if (slice_starts(line, SLICE("*"))) {
			str_adds(&message, "r=");
			str_add(&message, str_slice(&nonce));
			line = slice_from(line, 1);
		}
		str_add(&message, line);
		if (scram_step(s, str_slice(&message), &said, &err) < 0)
			FUZZ_CHECK(said.len == 0 && err.text[0] != '\0' &&
				   strstr(err.text, "pencil") == NULL);
	}
	FUZZ_CHECK(!scram_is_proved(s));
	scram_free(s);
	str_done(&said);
	str_done(&nonce);
	str_done(&message);
	return 0;
}
