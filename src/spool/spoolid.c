/*
 * spoolid.c - the name of a message in logs and VERP senders.
 */
#include "spool/spoolid.h"

#include <time.h>

/* 65 characters; an index has six bits, so '=' is never used. */
static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123abcdefghijklmnopqrstuvwxyz4567890-=";

/* Adds `count` characters of six bits each, the highest first. */
static void add_bits(struct str *to, uint64_t bits, unsigned count)
{
	while (count-- > 0)
		str_addc(to, alphabet[bits >> (6 * count) & 63]);
}

void spoolid_print(struct str *to, uint64_t inode, int64_t seconds,
		   long nanoseconds)
{
	time_t time = seconds;
	struct tm tm = { 0 };

	/* Fails only where the year leaves the int; 1900-01-01 then. */
	if (gmtime_r(&time, &tm) == NULL)
		tm = (struct tm){ .tm_mday = 1 };
	str_addc(to, 'S');
	str_addu(to, inode);
	add_bits(to, (uint64_t)tm.tm_year + 1900, 3);
	add_bits(to, (uint64_t)tm.tm_mon, 1);
	add_bits(to, (uint64_t)tm.tm_mday - 1, 1);
	add_bits(to, (uint64_t)tm.tm_hour, 1);
	add_bits(to, (uint64_t)tm.tm_min, 1);
	add_bits(to, (uint64_t)tm.tm_sec, 1);
	if (nanoseconds != 0)
		add_bits(to, (uint64_t)nanoseconds, 5);
}
