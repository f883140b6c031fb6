/*
 * md5.h - MD5 (RFC 1321) and HMAC-MD5 (RFC 2104), for CRAM-MD5 alone.
 *
 * MD5 is broken where collisions count. HMAC-MD5 is not known to be, but
 * nothing new is to be built on it.
 */
#ifndef SMTP_MD5_H
#define SMTP_MD5_H

#include "base/slice.h"

enum { MD5_SIZE = 16 };

/* The digest of a text. */
void md5_digest(struct slice text, unsigned char ret[MD5_SIZE]);

/* The keyed digest of a text; nothing of the key is left in memory. */
void md5_hmac(struct slice key, struct slice text, unsigned char ret[MD5_SIZE]);

#endif
