// The part of a launch that runs between clone and exec, where nothing but raw system calls is allowed, and the few
// calls of Linux that Swift does not see. No function here keeps anything: what it opens is its caller's.
#ifndef CLAUNCHER_H
#define CLAUNCHER_H

#include <stddef.h>
#include <stdint.h>

// Where a launch failed. The names are those of `LaunchError.Step`.
enum claunch_step {
    CLAUNCH_NONE = 0,
    CLAUNCH_CLONE,
    CLAUNCH_SIGNALS,
    CLAUNCH_SESSION,
    CLAUNCH_CGROUP,
    CLAUNCH_DESCRIPTORS,
    CLAUNCH_DIRECTORY,
    CLAUNCH_RLIMITS,
    CLAUNCH_GROUPS,
    CLAUNCH_USER,
    CLAUNCH_CAPABILITIES,
    CLAUNCH_PRIVILEGES,
    CLAUNCH_PARENT,
    CLAUNCH_EXEC,
};

struct claunch_rlimit {
    int resource;
    uint64_t soft;
    uint64_t hard;
};

struct claunch_request {
    const char *path;
    char *const *arguments;  // ends with NULL; the environment is always empty
    const int *descriptors;  // the child's 0, 1, 2, ...; everything above is closed
    size_t descriptor_count;
    const int *cgroups;  // open files of v1 trees that the child writes itself into
    size_t cgroup_count;
    int birth;        // open directory of the v2 cgroup that the child is born in; -1 for none
    int birth_procs;  // its cgroup.procs, for a kernel or a processor where it cannot be
    const struct claunch_rlimit *limits;
    size_t limit_count;
    int drop;  // change to uid and gid, without groups and capabilities
    uint32_t uid;
};

struct claunch_result {
    int32_t pid;
    int32_t pidfd;
    int32_t step;   // a claunch_step; CLAUNCH_NONE is success
    int32_t error;  // errno of the step
};

// Starts the program as the request says. Any step that fails ends the child. The child dies with the calling thread.
// Returns 0, or -1 with the step and its errno in the result.
int claunch_spawn(const struct claunch_request *request, struct claunch_result *result);

// Descriptors of a sandbox: the supervisor's ends are non-blocking, all are close-on-exec.
struct claunch_ends {
    int32_t channel, channel_inside;
    int32_t out, out_inside;
    int32_t err, err_inside;
    int32_t nothing;
};

// Returns 0, or errno with nothing open.
int claunch_open(struct claunch_ends *ends);

// A file in memory with these bytes, read from its start. Returns the descriptor, or -1 with errno.
int claunch_memory(const void *bytes, size_t count);

// Returns 0 or errno.
int claunch_mount(const char *path, const char *options);
int claunch_unmount(const char *path);

// SIGKILL to every process of a uid, from a child that becomes that uid. Returns 0 or errno; needs root.
int claunch_kill_user(uint32_t uid);

// Waits for readability: bit i of `ready` for descriptor i. Returns what poll returns.
int claunch_poll(const int *descriptors, size_t count, unsigned char *ready, int timeout_ms);

// This process becomes the parent of its descendants' orphans. Returns 0 or errno.
int claunch_adopt_orphans(void);

// The version of Landlock's interface; 0 is none.
int claunch_landlock(void);

// Takes a lock on an open file that ends with its description. Returns 0 or errno.
int claunch_lock(int descriptor);

// Lets go of it at once, although a child between clone and exec may still have the descriptor. Returns 0 or errno.
int claunch_unlock(int descriptor);

// Removes a directory with all that is below; never follows a link nor goes into a mount. Returns 0 or errno.
int claunch_remove_tree(const char *path);

#endif
