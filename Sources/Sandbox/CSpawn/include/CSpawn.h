#ifndef CSPAWN_H
#define CSPAWN_H

#include <stddef.h>
#include <sys/types.h>

/// A program to start.
struct cspawn_request {
    /// Of the executable: absolute, or relative to `directory`. There is no search.
    const char *path;
    /// Both end with NULL. The child has no other environment.
    char *const *arguments;
    char *const *environment;
    const char *directory;
    /// Descriptor `i` of the child is a copy of `descriptors[i]`; every other one is closed. At most ``CSPAWN_DESCRIPTORS_MAX``.
    const int *descriptors;
    size_t descriptor_count;
    /// Sent to the child when the *thread* that called ends; 0 for none.
    int death_signal;
};

/// Nobody passes more; it bounds the copies that the child makes.
enum { CSPAWN_DESCRIPTORS_MAX = 16 };

/// Starts the program in a session and process group of its own (both have its process id), with default signal handling and an
/// empty signal mask. Returns once the program runs, or has failed to.
///
/// Returns 0, or the `errno` of the step that failed; then there is no child. Safe in a process of many threads: between fork and
/// exec the child calls async-signal-safe functions alone.
int cspawn(const struct cspawn_request *request, pid_t *pid);

/// A pipe whose ends no other program inherits. `ends[0]` is read from. Returns 0 or `errno`.
int cspawn_pipe(int ends[2]);

/// Waits until the process ended and leaves it unreaped, so that its id still names it. Blocks. Returns 0 or `errno`.
int cspawn_await(pid_t pid);

/// Reaps the process, which must have ended. `*status` is as of `waitpid`. Returns 0 or `errno`.
int cspawn_reap(pid_t pid, int *status);

#endif
