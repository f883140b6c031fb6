/*
 * schedconf_glob.c - the patterns of scheduler.conf.
 *
 * A star that does not fit is given one byte more; only the last star is gone
 * back to, so the time is at most the product of both lengths.
 */
#include "conf/schedconf.h"

/* The length of the item at the head of glob: "[abc]", "\x" or one byte. */
static size_t item_len(struct slice glob)
{
	size_t end;

	if (glob.p[0] == '\\' && glob.len > 1)
		return 2;
	if (glob.p[0] != '[')
		return 1;
	end = slice_find(slice_from(glob, 1), ']') + 1;
	return end < glob.len ? end + 1 : 1;
}

/* Does one byte match the item? */
static bool item_fits(struct slice item, char c)
{
	struct slice set;

	if (item.p[0] == '\\' && item.len == 2)
		return c == item.p[1];
	if (item.len == 1)
		return item.p[0] == '?' || item.p[0] == c;
	set = slice_head(slice_from(item, 1), item.len - 2);
	if (slice_starts(set, SLICE("^")))
		return !slice_has(slice_from(set, 1), c);
	return slice_has(set, c);
}

/* "{a,b}" at the very end of a glob. */
static bool is_choice(struct slice glob)
{
	return glob.len > 1 && glob.p[0] == '{' && glob.p[glob.len - 1] == '}';
}

static bool choice_fits(struct slice glob, struct slice text)
{
	struct slice rest = slice_head(slice_from(glob, 1), glob.len - 2), one;

	while (slice_cut(&rest, ',', &one))
		if (slice_eq(one, text))
			return true;
	return false;
}

bool schedconf_glob(struct slice glob, struct slice text)
{
	struct slice star_glob = { 0 }, star_text = { 0 };
	bool has_star = false;

	for (;;) {
		if (glob.len > 0 && glob.p[0] == '*') {
			glob = slice_from(glob, 1);
			star_glob = glob;
			star_text = text;
			has_star = true;
			continue;
		}
		if (is_choice(glob) ? choice_fits(glob, text)
				    : glob.len == 0 && text.len == 0)
			return true;
		if (glob.len > 0 && text.len > 0 && !is_choice(glob)) {
			size_t n = item_len(glob);

			if (item_fits(slice_head(glob, n), text.p[0])) {
				glob = slice_from(glob, n);
				text = slice_from(text, 1);
				continue;
			}
		}
		if (!has_star || star_text.len == 0)
			return false;
		star_text = slice_from(star_text, 1);
		glob = star_glob;
		text = star_text;
	}
}
