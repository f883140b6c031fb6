/*
 * environment_fuzz.c - any setting with any message: one variable of its own
 * name comes out, without a control character, and nothing else changes.
 *
 * Input, in lines: the setting, the sender, the recipient, ORCPT, ENVID.
 */
#include "smta/environment.h"

#include "base/fuzz.h"

#include <string.h>

static struct slice next_line(struct slice *rest)
{
	struct slice line = { 0 };

	if (!slice_cut(rest, '\n', &line))
		line.len = 0;
	return line;
}

FUZZ(data, size)
{
	static char path[] = "PATH=/bin", home[] = "HOME=/";
	char *const inherited[] = { path, home, NULL };
	struct slice rest = slice_make((const char *)data, size);
	struct slice setting = next_line(&rest), name, made;
	struct arena *a = arena_new();
	struct environment_facts f = { .sender = next_line(&rest) };
	struct ctl_rcpt r = { 0 };
	char *const *envp;
	struct err err;
	size_t n = 0;

	f.recipient = r.address.user = next_line(&rest);
	r.dsn.orcpt = next_line(&rest);
	f.original_recipient = environment_original_recipient(&r, a);
	f.envid = environment_envid(next_line(&rest), a);
	if (environment_check(setting, &err) < 0) {
		FUZZ_CHECK(err.text[0] != '\0');
		arena_free(a);
		return 0;
	}
	envp = environment_make(inherited, &setting, 1, &f, a);
	name = slice_head(setting, slice_find(setting, '=') + 1);
	while (envp[n] != NULL) {
		made = slice_of(envp[n]);
		FUZZ_CHECK(!slice_has_control(made));
		FUZZ_CHECK(slice_starts(made, name) || envp[n] == path ||
			   envp[n] == home);
		n++;
	}
	FUZZ_CHECK(n == 2 || (n == 3 && slice_starts(slice_of(envp[2]), name)));
	if (!slice_has(setting, '$')) {
		made = slice_of(envp[0]);
		for (size_t i = 0; i < n; i++)
			if (slice_starts(slice_of(envp[i]), name))
				made = slice_of(envp[i]);
		FUZZ_CHECK(slice_eq(made, setting));
	}
	arena_free(a);
	return 0;
}
