/*
 * target.c - may this address be connected to?
 */
#include "policy/target.h"

#include "base/keyword.h"

#include <assert.h>
#include <string.h>

struct reason_row {
	const char *word, *text;
};

static const struct reason_row reasons[] = {
	[TARGET_OK] = { "ok", "" },
	[TARGET_OK_LITERAL] = { "literal", "" },
	[TARGET_OK_PORT] = { "port", "" },
	[TARGET_OK_ALLOWED] = { "allowed", "" },
	[TARGET_SELF] = { "self", "trying to talk with myself!" },
	[TARGET_LOOPBACK] = { "loopback",
			      "trying to talk to loopback (=myself)!" },
	[TARGET_INVALID] = { "invalid",
			     "trying to use invalid destination address" },
};

const char *target_reason_word(enum target_reason reason)
{
	assert((size_t)reason < COUNT(reasons));
	return reasons[reason].word;
}

const char *target_reason_text(enum target_reason reason)
{
	assert((size_t)reason < COUNT(reasons));
	return reasons[reason].text;
}

static enum target_reason judge_v4(const unsigned char *bytes)
{
	if (bytes[0] == 127)
		return TARGET_LOOPBACK;
	if (bytes[0] == 0 || bytes[0] >= 224)
		return TARGET_INVALID;
	return TARGET_OK;
}

static enum target_reason judge_v6(const unsigned char *bytes)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const unsigned char zeros[15];

	if (memcmp(bytes, mapped, sizeof(mapped)) == 0)
		return judge_v4(bytes + sizeof(mapped));
	if (memcmp(bytes, zeros, sizeof(zeros)) == 0 && bytes[15] <= 1)
		return bytes[15] == 1 ? TARGET_LOOPBACK : TARGET_INVALID;
	if (bytes[0] == 0xff)
		return TARGET_INVALID;
	return TARGET_OK;
}

static enum target_reason judge(const struct target_facts *facts)
{
	if (facts->is_literal)
		return TARGET_OK_LITERAL;
	if (facts->port != 25)
		return TARGET_OK_PORT;
	if (facts->is_local_allowed)
		return TARGET_OK_ALLOWED;
	if (facts->is_own)
		return TARGET_SELF;
	return facts->address.is_v6 ? judge_v6(facts->address.bytes)
				    : judge_v4(facts->address.bytes);
}

struct target_decision target_decide(const struct target_facts *facts)
{
	enum target_reason reason = judge(facts);

	return (struct target_decision){
		.may_connect = reason < TARGET_SELF,
		.reason = reason,
	};
}
