/*
 * address_fuzz.c - an address that passes can harm neither file nor wire, and
 * agents read it back from the control file as it was given.
 */
#include "smtp/address.h"

#include "base/fuzz.h"
#include "spool/ctl.h"
#include "subm/envelope.h"

#include <sysexits.h>

/* Outside quotes there is no blank and no bracket; quotes are closed. */
static void check_local(struct slice local)
{
	bool is_quoted = false;

	for (size_t i = 0; i < local.len; i++) {
		char c = local.p[i];

		FUZZ_CHECK((unsigned char)c >= ' ' && c != '\177');
		if (c == '\\') {
			FUZZ_CHECK(is_quoted && ++i < local.len);
			continue;
		}
		if (c == '"')
			is_quoted = !is_quoted;
		else if (!is_quoted)
			FUZZ_CHECK(c != ' ' && c != '<' && c != '>');
	}
	FUZZ_CHECK(!is_quoted && local.len > 0);
}

static void check_domain(struct slice domain)
{
	FUZZ_CHECK(domain.len > 0 && domain.len <= 255);
	for (size_t i = 0; i < domain.len; i++)
		FUZZ_CHECK((unsigned char)domain.p[i] > ' ' &&
			   domain.p[i] != '<' && domain.p[i] != '>' &&
			   domain.p[i] != '"' && domain.p[i] != '@' &&
			   domain.p[i] != '\\');
}

/* As sender and recipient alike, through the control file and back. */
static void check_control(struct slice word, struct slice address)
{
	struct subm_request request = {
		.has_sender = true,
		.sender = word,
		.host_name = SLICE("host"),
		.channel = SLICE("smtp"),
		.has_host = true,
		.host = SLICE("-"),
		.rcpts = &word,
		.n_rcpts = 1,
	};
	struct subm_content content = { .name = SLICE("1"),
					.identity = SLICE("x"),
					.fields = SLICE("") };
	struct arena *a = arena_new();
	struct str text = STR_INIT;
	struct subm_envelope envelope;
	struct ctl ctl;

	if (subm_envelope_make(&request, a, &envelope, NULL) == EX_OK) {
		subm_control_print(&text, &envelope, &content);
		FUZZ_CHECK(ctl_parse(str_slice(&text), a, &ctl, NULL) ==
			   CTL_OK);
		FUZZ_CHECK(ctl.n_rcpts == 1);
		FUZZ_CHECK(slice_eq(ctl.rcpts[0].address.user, address));
		FUZZ_CHECK(slice_eq(ctl.rcpts[0].sender->address.user,
				    envelope.sender));
	}
	str_done(&text);
	arena_free(a);
}

FUZZ(data, size)
{
	struct slice word = slice_make((const char *)data, size);
	struct address address;
	struct err err = { 0 };

	if (address_parse(word, "recipient", false, &address, &err) < 0) {
		FUZZ_CHECK(err.text[0] != '\0');
		return 0;
	}
	check_local(address.local);
	FUZZ_CHECK(address.text.len <= 254);
	FUZZ_CHECK(address.text.len ==
		   address.local.len +
		       (address.has_domain ? 1 + address.domain.len : 0));
	if (address.has_domain)
		check_domain(address.domain);
	check_control(word, address.text);
	return 0;
}
