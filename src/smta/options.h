/*
 * options.h - what the command line of sm(8) says, as one struct.
 *
 * prog fills it once; a const pointer travels down.
 */
#ifndef SMTA_OPTIONS_H
#define SMTA_OPTIONS_H

#include "base/err.h"
#include "conf/zenv.h"

/* What was given more than once, in order. */
struct smta_list {
	struct slice *items;
	size_t n, cap;
};

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
	unsigned timeout;	 /* -O timeout: seconds a run; 0: no limit */
	bool sync_always;	 /* -O sync=always */
	const char *syslog_path; /* -O syslog: where syslogd listens */
	bool loop_guard;	 /* -O loop-guard */
	struct smta_list limits; /* -O cpu=3 and so on: for zlaunch */
	struct smta_list environment; /* -O environment: NAME=VALUE */
	const char *launcher;	      /* the path of zlaunch */
	const struct zenv *zenv;
	const char *host_name; /* of this machine */
	char *const *envp;     /* given to mailers, with `environment` */
};

/* The defaults of every option. */
struct smta_options smta_options_default(void);

/* Frees the lists. */
void smta_options_done(struct smta_options *o);

/* One -O. */
struct smta_own {
	struct slice all; /* "KEY=VALUE", or "KEY" */
	bool has_value;
	struct slice value;
};

/* One key of -O. */
struct smta_own_key {
	const char *key;
	const char *expected; /* what its value looks like; NULL: set says */
	/* False, and if expected is NULL err filled, if it does not. */
	bool (*set)(struct smta_options *o, const struct smta_own *own,
		    struct err *err);
};

/* The registry, for those who walk it. */
const struct smta_own_key *smta_own_keys(size_t *ret_n);

/*
 * Reads what stands behind one -O, "KEY=VALUE" or "KEY"; it must live as long
 * as *o. -1, with err naming the key, for an unknown key or a value it does
 * not take.
 */
MUST_USE int smta_options_own(struct smta_options *o, struct slice text,
			      struct err *err);

/* Checks what the options say together: -c or -h must be there. */
MUST_USE int smta_options_check(const struct smta_options *o, struct err *err);

#endif
