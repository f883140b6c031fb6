/*
 * dns_trial.c - can validation work here, and did it ever?
 *
 * What is remembered is one small file for each configuration, as the
 * postmaster wrote it: mode, resolvers named or the system's, trust anchor.
 * Whoever can change what resolv.conf says must not be able to make us forget.
 * The file appears whole or not at all (written beside, synced, renamed) and
 * never changes, so that agents need no lock. Its name ends in a hash, and its
 * text is compared too.
 */
#include "base/fd.h"
#include "net/conn.h"
#include "net/dns_source.h"
#include "net/dns_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MEMORY_MAX = 16 * 1024, ANCHOR_FILE_MAX = 1024 * 1024 };

/* ---- memory ------------------------------------------------------------- */

/* The configuration as text; what the file holds. */
static struct slice describe(const struct dns_options *o, struct arena *a)
{
	return arena_printf(a,
			    "DNSSEC validation has worked here with\n"
			    "mode %s\nresolvers %s\ntrust anchor %s\n",
			    o->mode == DNS_TRUSTED ? "trusted" : "validate",
			    o->servers != NULL ? o->servers : "of the system",
			    o->anchor_file != NULL ? o->anchor_file
						   : "of the root");
}

/* FNV-1a. */
static uint64_t hash(struct slice s)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
	return h;
}

static const char *memory_path(const struct dns_options *o, struct arena *a)
{
	return arena_printf(a, "%s/dnssec-%016llx", o->memory_dir,
			    (unsigned long long)hash(describe(o, a)))
	    .p;
}

static bool has_worked(const struct dns_options *o, struct arena *a)
{
	struct str text = STR_INIT;
	bool has_it = false;
	int fd;

	if (o->memory_dir == NULL)
		return false;
	fd = open(memory_path(o, a),
		  O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0 && fd_read_all(fd, 0, MEMORY_MAX, &text) == 0)
		has_it = slice_eq(str_slice(&text), describe(o, a));
	fd_close(fd);
	str_done(&text);
	return has_it;
}

/* Makes the entry in a directory durable. */
static int sync_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd >= 0 ? fsync(fd) : -1;

	fd_close(fd);
	return r;
}

static int write_memory(const struct dns_options *o, const char *path,
			const char *beside, struct arena *a)
{
	int fd = open(
	    beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	bool is_written =
	    fd >= 0 && fd_write_all(fd, describe(o, a)) == 0 && fsync(fd) == 0;

	if (is_written && rename(beside, path) < 0)
		is_written = false;
	if (!is_written && fd >= 0) {
		int saved = errno;

		unlink(beside);
		errno = saved;
	}
	fd_close(fd);
	return is_written ? sync_dir(o->memory_dir) : -1;
}

/* Returns why it cannot be remembered, or an empty text. */
static struct slice remember(const struct dns_options *o, struct arena *a)
{
	const char *path, *beside;

	if (o->memory_dir == NULL || has_worked(o, a))
		return (struct slice){ 0 };
	path = memory_path(o, a);
	beside = arena_printf(a, "%s.%ld", path, (long)getpid()).p;
	unlink(beside); /* of a process that was killed here and had our pid */
	if (write_memory(o, path, beside, a) == 0)
		return (struct slice){ 0 };
	return arena_printf(a, "%s: %s", path, strerror(errno));
}

/* ---- trial -------------------------------------------------------------- */

struct dns_check dns_trial_failed(const struct dns_options *o, struct slice why,
				  struct arena *a)
{
	return (struct dns_check){
		.trust = has_worked(o, a) ? DNS_TRUST_LOST : DNS_TRUST_NEVER,
		.why = arena_dup(a, why),
	};
}

/* The zone that the trust anchor is for: the owner of the first record. */
static struct slice anchor_zone(const struct dns_options *o, struct arena *a)
{
	struct str text = STR_INIT;
	struct slice rest, line, word, zone = SLICE(".");
	struct dns_name name;
	int fd = -1;

	if (o->anchor_file != NULL)
		fd = open(o->anchor_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0 && fd_read_all(fd, 0, ANCHOR_FILE_MAX, &text) < 0)
		str_clear(&text);
	rest = str_slice(&text);
	while (slice_cut(&rest, '\n', &line))
		if (slice_word(&line, &word) && word.p[0] != ';' &&
		    word.p[0] != '$' && dns_name_read(word, &name)) {
			zone = dns_name_text(&name, a);
			break;
		}
	fd_close(fd);
	str_done(&text);
	return zone;
}

static struct dns_answer ask(struct dns_source *source, struct slice name,
			     enum dns_type type, int64_t deadline,
			     struct arena *a)
{
	struct dns_answer answer = { .name = name, .type = type };

	source->ask(source, &answer, 1, deadline, a);
	return answer;
}

/* The verdict on an answer of DNSKEY that is not secure. */
static struct slice why_not(const struct dns_options *o,
			    const struct dns_answer *key, struct arena *a)
{
	if (key->verdict == DNS_BOGUS)
		return arena_printf(a,
				    "the key of the trust anchor '%.*s' does "
				    "not validate: %.*s",
				    SLICE_ARG(key->name),
				    SLICE_ARG(key->detail));
	if (dns_is_temporary(key->verdict))
		return arena_printf(a,
				    "the resolvers answer, but give no key of "
				    "'%.*s': %.*s",
				    SLICE_ARG(key->name),
				    SLICE_ARG(key->detail));
	if (key->verdict != DNS_OK)
		return arena_printf(a, "'%.*s' has no key: %s",
				    SLICE_ARG(key->name),
				    dns_verdict_word(key->verdict));
	return o->mode == DNS_TRUSTED
		   ? SLICE("the resolver does not validate (no AD bit)")
		   : SLICE("the trust anchor does not fit its zone");
}

struct dns_check dns_trial(struct dns_source *source, struct dns_source *plain,
			   const struct dns_options *o, int64_t deadline,
			   struct arena *a)
{
	/* Some of the time is left to learn whether anybody answers at all. */
	int64_t key_deadline = deadline - (deadline - conn_now()) / 3;
	struct slice zone = anchor_zone(o, a);
	struct dns_answer key = ask(source, zone, DNS_DNSKEY, key_deadline, a);
	struct dns_answer soa;

	if (key.verdict == DNS_OK && key.status == DNS_SECURE)
		return (struct dns_check){ .trust = DNS_TRUST_WORKS,
					   .warning = remember(o, a) };
	if (dns_is_temporary(key.verdict) && key.verdict != DNS_BOGUS) {
		soa = ask(plain, zone, DNS_SOA, deadline, a);
		if (dns_is_temporary(soa.verdict))
			return (struct dns_check){
				.trust = DNS_TRUST_UNKNOWN,
				.why = arena_dup(a, soa.detail),
			};
	}
	return dns_trial_failed(o, why_not(o, &key, a), a);
}
