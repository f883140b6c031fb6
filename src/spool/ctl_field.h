/*
 * ctl_field.h - the values of single control-file fields; for ctl.c alone.
 *
 * Everything is borrowed from the text given. Nothing here knows where in the
 * file a field stands.
 */
#ifndef SPOOL_CTL_FIELD_H
#define SPOOL_CTL_FIELD_H

#include "spool/ctl.h"

/*
 * Reads channel, host, user and privilege. False unless all four are there.
 * The privilege is not judged: it is text that only `sm` prints.
 */
MUST_USE bool ctl_read_address(struct slice value, struct ctl_address *ret);

/*
 * Reads the `@` line's mask in C's notation: 0x and hexadecimal digits, 0 and
 * octal digits, or decimal digits. False for anything else, signs among it,
 * and for what does not fit 32 bits.
 */
MUST_USE bool ctl_read_flags(struct slice value, unsigned *ret);

/*
 * Takes an `r` line (whole, from its letter, without its LF) apart: the tag
 * byte, the slots and the address quad behind them. flags is the file's mask.
 *
 * If the mask promises a slot, or the byte behind the tag is a blank or a
 * digit, the pid slot is there; otherwise the line is of the ancient form
 * without slots. The delay slot is there if the mask says so or the byte
 * behind the pid slot is a blank or a digit. A slot that is there holds
 * nothing but blanks and digits. False, with *ret_why a phrase, otherwise.
 */
MUST_USE bool ctl_read_rcpt(struct slice line, unsigned flags,
			    struct ctl_rcpt *ret, const char **ret_why);

/* `R`: FULL or HDRS in any case; anything else is CTL_RET_NONE. */
enum ctl_ret ctl_read_ret(struct slice value);

/*
 * Reads the items of an `N` line over the defaults in *dsn. Unknown items and
 * a BY= that cannot be read are skipped; of a repeated item the last counts.
 */
void ctl_read_dsn(struct slice value, struct ctl_dsn *dsn);

#endif
