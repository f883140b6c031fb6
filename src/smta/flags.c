/*
 * flags.c - the flag letters of a mailer's entry in sm.conf(5).
 */
#include "smta/flags.h"

#include "base/keyword.h"

/* clang-format off */
static const struct smta_flag table[] = {
	{ '-', FLAG_USED, 0, 0, "no flags" },
	{ '7', FLAG_USED, SMTA_STRIP8, 0, "clear bit 8 of the body" },
	{ '8', FLAG_USED, SMTA_8BIT, 0, "the mailer takes 8-bit bodies" },
	{ '9', FLAG_USED, SMTA_DECODE, 0, "decode quoted-printable" },
	{ 'b', FLAG_USED, SMTA_BSMTP | SMTA_DOTS, 0, "batched SMTP" },
	{ 'B', FLAG_USED, SMTA_BSMTP | SMTA_DOTS | SMTA_BSMTP_SIZE,
	  SMTA_BSMTP_DSN, "batched ESMTP; twice: with DSN parameters" },
	{ 'e', FLAG_USED, SMTA_ENVELOPE | SMTA_ORIGINAL_RCPT, 0,
	  "add envelope headers" },
	{ 'E', FLAG_USED, SMTA_ESCAPE_FROM, 0, "'>' before \"From \"" },
	{ 'f', FLAG_USED, SMTA_ARG_F, 0, "add -f SENDER" },
	{ 'H', FLAG_USED, SMTA_HELO, 0, "HELO and QUIT around a batch" },
	{ 'm', FLAG_USED, SMTA_MANY, 0, "many recipients a run" },
	{ 'n', FLAG_USED, SMTA_NO_FROM_LINE, 0, "no From_ line" },
	{ 'O', FLAG_USED, SMTA_ORIGINAL_RCPT, 0, "add Original-Recipient" },
	{ 'P', FLAG_USED, SMTA_RETURN_PATH, 0, "add Return-Path" },
	{ 'r', FLAG_USED, SMTA_ARG_R, 0, "add -r SENDER" },
	{ 'R', FLAG_USED, SMTA_CRLF, 0, "lines end in CR LF" },
	{ 'S', FLAG_USED, SMTA_KEEP_IDS, 0, "keep the effective ids" },
	{ 'U', FLAG_USED, SMTA_REMOTE_FROM, 0, "From_ line for UUCP" },
	{ 'X', FLAG_USED, SMTA_DOTS, 0, "double leading dots" },

	{ 'A', FLAG_SENSELESS, 0, 0, NULL },
	{ 'C', FLAG_SENSELESS, 0, 0, NULL },
	{ 'h', FLAG_SENSELESS, 0, 0, NULL },
	{ 'I', FLAG_SENSELESS, 0, 0, NULL },
	{ 'l', FLAG_SENSELESS, 0, 0, NULL },
	{ 'L', FLAG_SENSELESS, 0, 0, NULL },
	{ 'M', FLAG_SENSELESS, 0, 0, NULL },
	{ 'p', FLAG_SENSELESS, 0, 0, NULL },
	{ 'u', FLAG_SENSELESS, 0, 0, NULL },
	{ 'x', FLAG_SENSELESS, 0, 0, NULL },

	{ ':', FLAG_SILENT, 0, 0, NULL }, { '|', FLAG_SILENT, 0, 0, NULL },
	{ '/', FLAG_SILENT, 0, 0, NULL }, { '%', FLAG_SILENT, 0, 0, NULL },
	{ '@', FLAG_SILENT, 0, 0, NULL }, { '0', FLAG_SILENT, 0, 0, NULL },
	{ '1', FLAG_SILENT, 0, 0, NULL }, { '2', FLAG_SILENT, 0, 0, NULL },
	{ '3', FLAG_SILENT, 0, 0, NULL }, { '4', FLAG_SILENT, 0, 0, NULL },
	{ '5', FLAG_SILENT, 0, 0, NULL }, { '6', FLAG_SILENT, 0, 0, NULL },
	{ 'a', FLAG_SILENT, 0, 0, NULL }, { 'c', FLAG_SILENT, 0, 0, NULL },
	{ 'd', FLAG_SILENT, 0, 0, NULL }, { 'D', FLAG_SILENT, 0, 0, NULL },
	{ 'F', FLAG_SILENT, 0, 0, NULL }, { 'g', FLAG_SILENT, 0, 0, NULL },
	{ 'G', FLAG_SILENT, 0, 0, NULL }, { 'i', FLAG_SILENT, 0, 0, NULL },
	{ 'j', FLAG_SILENT, 0, 0, NULL }, { 'J', FLAG_SILENT, 0, 0, NULL },
	{ 'k', FLAG_SILENT, 0, 0, NULL }, { 'K', FLAG_SILENT, 0, 0, NULL },
	{ 'o', FLAG_SILENT, 0, 0, NULL }, { 'q', FLAG_SILENT, 0, 0, NULL },
	{ 'Q', FLAG_SILENT, 0, 0, NULL }, { 's', FLAG_SILENT, 0, 0, NULL },
	{ 't', FLAG_SILENT, 0, 0, NULL }, { 'T', FLAG_SILENT, 0, 0, NULL },
	{ 'v', FLAG_SILENT, 0, 0, NULL }, { 'V', FLAG_SILENT, 0, 0, NULL },
	{ 'w', FLAG_SILENT, 0, 0, NULL }, { 'W', FLAG_SILENT, 0, 0, NULL },
	{ 'y', FLAG_SILENT, 0, 0, NULL }, { 'Y', FLAG_SILENT, 0, 0, NULL },
	{ 'z', FLAG_SILENT, 0, 0, NULL }, { 'Z', FLAG_SILENT, 0, 0, NULL },
};
/* clang-format on */

const struct smta_flag *smta_flag_table(size_t *ret_n)
{
	*ret_n = COUNT(table);
	return table;
}

static const struct smta_flag *find(char letter)
{
	for (size_t i = 0; i < COUNT(table); i++)
		if (table[i].letter == letter)
			return &table[i];
	return NULL;
}

static void complain(struct str *complaints, char letter, bool is_known)
{
	struct slice shown = slice_make(&letter, 1);

	str_adds(complaints,
		 is_known ? "the '" : "unknown sendmail mailer option '");
	str_add_clean(complaints, shown, 1);
	str_adds(complaints, is_known ? "' sendmail mailer option does not "
					"make sense in this environment\n"
				      : "'\n");
}

unsigned smta_flags_parse(struct slice letters, struct str *complaints)
{
	unsigned flags = 0;

	for (size_t i = 0; i < letters.len; i++) {
		const struct smta_flag *f = find(letters.p[i]);

		if (f == NULL || f->kind == FLAG_SENSELESS)
			complain(complaints, letters.p[i], f != NULL);
		else if (slice_has(slice_head(letters, i), f->letter))
			flags |= f->bits_twice;
		else
			flags |= f->bits;
	}
	return flags;
}
