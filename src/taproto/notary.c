/*
 * notary.c - the notify-data field of a report.
 */
#include "taproto/notary.h"

static const char separator = '\001';

struct notary notary_of_diag(const struct diag *d, struct slice recipient,
			     bool has_ta_id, struct slice ta_id)
{
	return (struct notary){
		.final_recipient = recipient,
		.action = slice_of(fate_action(d->fate)),
		.status = d->status,
		.diagnostic = d->diagnostic,
		.remote_mta = d->remote_mta,
		.has_ta_id = has_ta_id,
		.ta_id = ta_id,
	};
}

void notary_print(struct str *to, const struct notary *n)
{
	const struct slice parts[] = {
		n->final_recipient, n->action,	   n->status,
		n->diagnostic,	    n->remote_mta, n->ta_id,
	};
	size_t count = n->has_ta_id ? 6 : 5;

	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			str_addc(to, separator);
		str_add_clean(to, parts[i], SIZE_MAX);
	}
}

int notary_parse(struct slice field, struct notary *ret, struct err *err)
{
	struct notary n = { 0 };
	struct slice *const parts[] = {
		&n.final_recipient, &n.action,	   &n.status,
		&n.diagnostic,	    &n.remote_mta, &n.ta_id,
	};
	struct slice part;
	size_t count = 0;

	if (field.len == 0) {
		*ret = n;
		return 0;
	}
	while (slice_cut(&field, separator, &part)) {
		if (count == 6)
			return FAIL(err, "notary: more than 6 sub-fields");
		*parts[count++] = part;
	}
	if (count < 5)
		return FAIL(err, "notary: %zu sub-fields, 5 or 6 expected",
			    count);
	n.has_ta_id = count == 6;
	*ret = n;
	return 0;
}
