/*
 * explanation.c - how mail to somebody would go, as data.
 */
#include "explain/explanation.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sysexits.h>

struct explanation *explanation_new(void)
{
	struct explanation *e = mem_zero(1, sizeof(*e));

	e->arena = arena_new();
	return e;
}

void explanation_free(struct explanation *e)
{
	if (e == NULL)
		return;
	free(e->answers);
	free(e->peers);
	arena_free(e->arena);
	free(e);
}

void explained_address(struct str *to, const struct net_addr *addr)
{
	struct str text = STR_INIT;

	net_addr_print_plain(&text, addr);
	str_add_clean(to, str_slice(&text), SIZE_MAX);
	str_done(&text);
}

void explained_target(struct str *to, const struct target_address *address)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(address->is_v6 ? AF_INET6 : AF_INET, address->bytes, text,
		  sizeof(text));
	str_adds(to, text);
}

const char *explained_result(int status)
{
	if (status == EX_OK)
		return "try";
	return status == EX_TEMPFAIL ? "defer" : "fail";
}
