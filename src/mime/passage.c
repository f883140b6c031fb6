/*
 * passage.c - one message on its way to one channel.
 */
#include "mime/passage.h"

#include "mime/convert.h"

void passage_begin(struct passage *p, struct slice header)
{
	*p = (struct passage){ .header = header };
	convert_clean_header(&p->clean, header, false);
	mime_label_read(&p->label, str_slice(&p->clean));
}

void passage_done(struct passage *p)
{
	tree_plan_done(&p->plan);
	str_done(&p->clean);
	str_done(&p->edited);
	*p = (struct passage){ 0 };
}

bool passage_needs_tree(const struct passage *p,
			const struct mime_channel *channel)
{
	return tree_plan_needs(&p->label, channel);
}

bool passage_needs_trials(const struct passage *p,
			  const struct mime_channel *channel)
{
	return tree_plan_needs_trials(&p->label, channel);
}

bool passage_needs_closer_look(const struct passage *p,
			       const struct mime_channel *channel,
			       const struct glance *glance)
{
	bool is_7bit = mime_is_7bit_channel(&p->label, channel);

	/* what is labelled so may have parts that are, or have to be */
	if (p->label.encoding == CTE_BINARY ||
	    (is_7bit && p->label.encoding == CTE_8BIT))
		return true;
	return tree_plan_needs_trials(&p->label, channel) ||
	       (is_7bit && glance->has_8bit) ||
	       (channel->encodes_nul && glance->has_nul) ||
	       channel->encodes_cr || glance->may_be_long;
}

static void plan(struct passage *p, const struct tree *tree,
		 const struct scan *scan, const struct mime_channel *channel)
{
	const struct mime_plan *m = &p->plan.message;

	tree_plan_done(&p->plan);
	str_clear(&p->edited);
	p->tree = tree;
	if (tree != NULL)
		tree_plan_make(tree, &p->label, channel, &p->plan);
	else
		mime_plan_make(&p->label, channel, scan, NULL,
			       &p->plan.message);
	if (m->edits_header)
		convert_header(&p->edited, str_slice(&p->clean), m);
}

void passage_plan(struct passage *p, const struct tree *tree,
		  const struct mime_channel *channel)
{
	plan(p, tree, NULL, channel);
}

void passage_plan_glanced(struct passage *p, const struct glance *glance,
			  const struct mime_channel *channel)
{
	struct scan scan = { .size = glance->size,
			     .has_8bit = glance->has_8bit,
			     .has_nul = glance->has_nul };

	plan(p, NULL, &scan, channel);
}

struct slice passage_header(const struct passage *p)
{
	return str_slice(p->plan.message.edits_header ? &p->edited : &p->clean);
}

bool passage_converts_body(const struct passage *p)
{
	for (unsigned i = 0; i < p->plan.n_choices; i++) {
		const struct part_choice *c = &p->plan.choices[i];
		bool is_message = i == 0;

		if (part_choice_edits_header(c) && !is_message)
			return true;
		if (c->action == PART_RELABEL ? !is_message
					      : c->action != PART_KEEP)
			return true;
	}
	return false;
}

bool passage_is_untouchable(const struct passage *p)
{
	return p->label.is_untouchable;
}

void passage_print(struct str *to, const struct passage *p)
{
	const struct mime_plan *m = &p->plan.message;

	str_addf(to, "%s (%s", mime_mode_word(m->mode),
		 mime_reason_word(m->reason));
	if (p->plan.decisive > 0)
		str_addf(to, ", part %u", p->plan.decisive);
	str_addf(to, "), header %s (%s)",
		 m->converts_headers ? "converted" : "kept",
		 mime_reason_word(m->header_reason));
}
