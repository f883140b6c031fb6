/*
 * idn.c - internationalized domain names as the DNS has them.
 */
#include "net/idn.h"

#include <idn2.h>

/* A longer text cannot become a domain of 255 bytes. */
enum { IDN_SOURCE_MAX = 1024 };

int net_idn_ascii(struct slice domain, struct str *to, struct err *err)
{
	struct str source = STR_INIT;
	uint8_t *name = NULL;
	int r = 0, code;

	if (!slice_has_8bit(domain)) {
		str_add(to, domain);
		return 0;
	}
	if (domain.len > IDN_SOURCE_MAX || slice_has(domain, '\0'))
		return FAIL(err, "no domain name");
	str_add(&source, domain);
	code = idn2_lookup_u8((const uint8_t *)str_cstr(&source), &name,
			      IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (code == IDN2_OK)
		str_adds(to, (const char *)name);
	else
		r = FAIL(err, "no domain name: %s", idn2_strerror_name(code));
	idn2_free(name);
	str_done(&source);
	return r;
}
