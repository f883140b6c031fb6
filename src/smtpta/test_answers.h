/*
 * test_answers.h - a resolver that answers from a text (net/dns_record.h), so
 * that no test depends on the name servers of the machine.
 */
#ifndef SMTPTA_TEST_ANSWERS_H
#define SMTPTA_TEST_ANSWERS_H

#include "base/test.h"
#include "net/dns_record.h"

/* A source for struct dns_options; the resolver frees it. */
static inline struct dns_source *answers_of(const char *text)
{
	struct dns_source *source = NULL;
	struct err err;

	if (dns_recorded(slice_of(text), "the test", &source, &err) < 0)
		fail_msg("%s", err.text);
	return source;
}

/* One that knows a single host without MX, and its IPv4 addresses. */
static inline struct dns_source *answers_of_host(const char *name,
						 const char *addresses)
{
	struct str text = STR_INIT;
	struct dns_source *source;

	str_addf(&text,
		 "%s MX nodata insecure network 5 -\n"
		 "%s A ok insecure network 5 - %s\n"
		 "%s AAAA nodata insecure network 5 -\n",
		 name, name, addresses, name);
	source = answers_of(str_cstr(&text));
	str_done(&text);
	return source;
}

#endif
