/*
 * statistics.c - the log of -l: one line for each recipient that is done.
 *
 *	line  = spool-id SP router-delay SP delivery-delay SP state
 *	        SP channel "/" host LF
 *	state = "ok" / "ok2" / "ok3" / "error" / "error2" / "expire"
 *
 * Delays are whole seconds: from the arrival of the message to its control
 * file, and from that to the end.
 */
#include "sched/logfile.h"
#include "sched/sched_internal.h"

enum { NAME_BYTES = 255 };

int sched_statistics_begin(struct sched *s, struct err *err)
{
	if (s->o->statistics_file == NULL)
		return 0;
	return logfile_open("statistics log", s->o->statistics_file,
			    &s->statistics, err);
}

/* '-' where nothing is known, so that words stay where they are. */
static void add_word(struct str *to, struct slice word)
{
	str_add_clean(to, word.len > 0 ? word : SLICE("-"), NAME_BYTES);
}

static long long seconds(int64_t ms)
{
	return ms > 0 ? (long long)(ms / 1000) : 0;
}

void sched_statistics(struct sched *s, const struct sched_statistics *line)
{
	struct str *to;

	if (s->statistics == NULL)
		return;
	to = logfile_buffer(s->statistics);
	add_word(to, line->spool_id);
	str_addf(to, " %lld %lld %s ", seconds(line->router_ms),
		 seconds(line->delivery_ms), line->state);
	add_word(to, line->channel);
	str_addc(to, '/');
	add_word(to, line->host);
	str_addc(to, '\n');
	logfile_added(s->statistics, s->base);
}
