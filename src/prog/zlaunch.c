/*
 * zlaunch.c - the helper that sets limits before a mailer is executed.
 */
#include "proc/launch.h"

#include <unistd.h>

int main(int argc, char **argv)
{
	(void)argc;
	/* By now nothing may be asked of the system that a limit forbids. */
	_exit(launch_run(argv));
}
