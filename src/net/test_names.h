/*
 * test_names.h - the system's name service, replaced by one that answers from
 * tables, so that no test depends on the network of the machine. To be
 * included by one source file of a program only.
 */
#ifndef NET_TEST_NAMES_H
#define NET_TEST_NAMES_H

#include "base/test.h"
#include "net/addr.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

enum { ANSWERS_MAX = 8 };

struct answer {
	struct addrinfo info;
	struct net_addr addr;
};

static struct {
	/* What is answered: an error code, or literals. */
	int code;
	const char *literals[ANSWERS_MAX + 1]; /* ended by NULL */
	const char *canonical, *node;	       /* NULL: none, uname() fails */
	struct ifaddrs *interfaces;	       /* NULL: getifaddrs() fails */
	/* What was asked. */
	int asked, unfreed;
	char name[300];
	struct addrinfo hints;
} service;

static inline void service_clear(void)
{
	assert_int_equal(service.unfreed, 0);
	memset(&service, 0, sizeof(service));
}

static inline struct addrinfo *answer_new(const char *literal,
					  struct addrinfo *next)
{
	struct answer *a = calloc(1, sizeof(*a));
	struct err err;

	assert_non_null(a);
	/* "-" stands for an address of a family that nobody asked for. */
	if (strcmp(literal, "-") == 0)
		assert_int_equal(net_unix_addr(SLICE("/x"), &a->addr, &err), 0);
	else
		assert_int_equal(
		    net_literal_parse(slice_of(literal), 7, &a->addr, &err), 0);
	a->info = (struct addrinfo){
		.ai_family = a->addr.u.any.sa_family,
		.ai_addr = &a->addr.u.any,
		.ai_addrlen = a->addr.len,
		.ai_next = next,
	};
	return &a->info;
}

int getaddrinfo(const char *name, const char *port,
		const struct addrinfo *hints, struct addrinfo **ret)
{
	struct addrinfo *list = NULL;
	size_t n = 0;

	service.asked++;
	assert_null(port);
	assert_true(strlen(name) < sizeof(service.name));
	strcpy(service.name, name);
	service.hints = *hints;
	if (service.code != 0)
		return service.code;
	while (service.literals[n] != NULL)
		n++;
	while (n-- > 0)
		list = answer_new(service.literals[n], list);
	if (list != NULL && service.canonical != NULL)
		list->ai_canonname = strdup(service.canonical);
	service.unfreed += list != NULL;
	*ret = list;
	return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
	assert_non_null(list);
	service.unfreed--;
	while (list != NULL) {
		struct addrinfo *next = list->ai_next;

		free(list->ai_canonname);
		free(list); /* the first member of a struct answer */
		list = next;
	}
}

int uname(struct utsname *u)
{
	if (service.node == NULL)
		return -1;
	memset(u, 0, sizeof(*u));
	strncpy(u->nodename, service.node, sizeof(u->nodename) - 1);
	return 0;
}

int getifaddrs(struct ifaddrs **ret)
{
	if (service.interfaces == NULL) {
		errno = ENOMEM;
		return -1;
	}
	service.unfreed++;
	*ret = service.interfaces;
	return 0;
}

void freeifaddrs(struct ifaddrs *list)
{
	assert_ptr_equal(list, service.interfaces);
	service.unfreed--;
}

#endif
