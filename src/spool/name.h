/*
 * name.h - the names of jobs and where their files lie.
 *
 * A job name is the control file's path below $POSTOFFICE/transport: nothing
 * or up to two hash directories (`A/`, `A/B/`), then a name that begins with
 * a digit. The message file lies at the same place below ../queue/.
 * Specification: control file format, section 1.1.
 */
#ifndef SPOOL_NAME_H
#define SPOOL_NAME_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct jobname {
	struct slice name; /* as received; borrowed */
	struct slice
	    prefix;	   /* up to and including the last '/'; may be empty */
	struct slice base; /* behind it; begins with a digit */
	uint64_t id;	   /* the decimal number at its start */
};

/*
 * Checks a job name and takes it apart. Refused (-1, err says why): empty,
 * absolute, a component that is empty, "." or "..", a control byte, a last
 * component that does not begin with a digit, a number over 2^64 - 1, more
 * than 255 bytes in a component or 1024 in all.
 */
MUST_USE int jobname_parse(struct slice name, struct jobname *ret,
			   struct err *err);

/*
 * The path of the message file, relative to the transport directory:
 * "../queue/" prefix `message_name`, in a. A message name that is empty or
 * holds '/' or a control byte, or is "." or "..", is refused.
 */
MUST_USE int jobname_message_path(const struct jobname *job,
				  struct slice message_name, struct arena *a,
				  const char **ret_path, struct err *err);

/*
 * Adds the hash directories of a file number: "" for 0 levels, "X/" for 1,
 * "X/Y/" for 2 (section 1.1).
 */
void jobname_add_hash(struct str *to, uint64_t number, unsigned levels);

#endif
