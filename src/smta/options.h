/*
 * options.h - what the command line of sm(8) says, as one struct.
 *
 * prog fills it once; a const pointer travels down.
 */
#ifndef SMTA_OPTIONS_H
#define SMTA_OPTIONS_H

#include "base/err.h"
#include "conf/zenv.h"

struct smta_options {
	const char *program;	 /* "sm" */
	const char *mailer;	 /* key into the configuration file */
	const char *config_file; /* -f; NULL: $MAILSHARE/sm.conf or sm.cf */
	bool is_8bit;		 /* -8: same as flags 8 and 9 */
	bool keep_8bit_headers;	 /* -H */
	bool narrow_qp;		 /* -Q */
	bool is_verbose;	 /* -v */
	bool has_channel;	 /* -c */
	bool has_host;		 /* -h */
	struct slice channel, host;
	unsigned timeout; /* -O timeout: seconds a run; 0: no limit */
	bool sync_always; /* -O sync=always */
	const struct zenv *zenv;
	const char *host_name; /* of this machine */
	char *const *envp;     /* given to mailers as it is */
};

/* The defaults of every option. */
struct smta_options smta_options_default(void);

/* One key of -O. */
struct smta_own_key {
	const char *key;
	const char *expected; /* what its value looks like */
	bool (*set)(struct smta_options *o, struct slice value);
};

/* The registry, for those who walk it. */
const struct smta_own_key *smta_own_keys(size_t *ret_n);

/*
 * Reads one -O value, "KEY=VALUE". -1, with err naming the key, for an
 * unknown key or a value it does not take.
 */
MUST_USE int smta_options_own(struct smta_options *o, struct slice value,
			      struct err *err);

/* Checks what the options say together: -c or -h must be there. */
MUST_USE int smta_options_check(const struct smta_options *o, struct err *err);

#endif
