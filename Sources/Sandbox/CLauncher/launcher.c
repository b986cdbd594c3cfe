#include "CLauncher.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// The child shares the parent's memory until exec (the parent's thread waits in clone), so it writes its failure straight
// into the result. It must not use glibc's wrappers of set*id: those tell every thread of the *parent* to follow.
struct child {
    const struct claunch_request *request;
    struct claunch_result *result;
    pid_t parent;
    int is_born;  // where it belongs: it need not move into its v2 cgroup
};

enum { STACK = 256 * 1024, MOVED = 64, DESCRIPTORS = 16 };

#define FAIL(name, code)               \
    do {                               \
        child->result->step = (name);  \
        child->result->error = (code); \
        _exit(127);                    \
    } while (0)
#define MUST(name, call)         \
    do {                         \
        if ((call) < 0) {        \
            FAIL((name), errno); \
        }                        \
    } while (0)

// The server ignores SIGPIPE and blocks what it handles elsewhere; both would survive exec.
static void reset_signals(struct child *child) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    for (int signal = 1; signal < 32; signal++) {
        if (signal != SIGKILL && signal != SIGSTOP) {
            MUST(CLAUNCH_SIGNALS, sigaction(signal, &action, NULL));
        }
    }
    for (int signal = SIGRTMIN; signal <= SIGRTMAX; signal++) {
        MUST(CLAUNCH_SIGNALS, sigaction(signal, &action, NULL));
    }
}

// Sources are first moved above every target, so that no dup2 closes a source that is still to come.
static void place_descriptors(struct child *child) {
    const struct claunch_request *request = child->request;
    int moved[DESCRIPTORS];
    for (size_t index = 0; index < request->descriptor_count; index++) {
        moved[index] = fcntl(request->descriptors[index], F_DUPFD_CLOEXEC, MOVED);
        MUST(CLAUNCH_DESCRIPTORS, moved[index]);
    }
    for (size_t index = 0; index < request->descriptor_count; index++) {
        MUST(CLAUNCH_DESCRIPTORS, dup2(moved[index], (int)index));
    }
}

static void drop_privileges(struct child *child) {
    const struct claunch_request *request = child->request;
    uid_t uid = request->uid;
    if (request->drop) {
        for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++) {
            MUST(CLAUNCH_CAPABILITIES, prctl(PR_CAPBSET_DROP, capability, 0, 0, 0));
        }
        MUST(CLAUNCH_GROUPS, syscall(SYS_setgroups, 0, NULL));
        MUST(CLAUNCH_USER, syscall(SYS_setresgid, uid, uid, uid));
        MUST(CLAUNCH_USER, syscall(SYS_setresuid, uid, uid, uid));
        uid_t real = 0, effective = 0, saved = 0;
        MUST(CLAUNCH_USER, syscall(SYS_getresuid, &real, &effective, &saved));
        if (real != uid || effective != uid || saved != uid || syscall(SYS_getgroups, 0, NULL) != 0) {
            FAIL(CLAUNCH_USER, EPERM);
        }
    }
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct none[2];
    memset(none, 0, sizeof none);
    MUST(CLAUNCH_CAPABILITIES, syscall(SYS_capset, &header, none));
    MUST(CLAUNCH_PRIVILEGES, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static int run_child(void *pointer) {
    struct child *child = pointer;
    const struct claunch_request *request = child->request;
    reset_signals(child);
    MUST(CLAUNCH_SESSION, setsid());
    for (size_t index = 0; index < request->cgroup_count; index++) {
        MUST(CLAUNCH_CGROUP, write(request->cgroups[index], "0", 1));
    }
    if (!child->is_born && request->birth_procs >= 0) {
        MUST(CLAUNCH_CGROUP, write(request->birth_procs, "0", 1));
    }
    MUST(CLAUNCH_DIRECTORY, chdir("/"));
    umask(077);
    place_descriptors(child);
    drop_privileges(child);
    // After the change of user, which clears it. The thread may have ended before: then nobody would ever send it.
    MUST(CLAUNCH_PARENT, prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));
    if (getppid() != child->parent) {
        FAIL(CLAUNCH_PARENT, ESRCH);
    }
    MUST(CLAUNCH_DESCRIPTORS, syscall(SYS_close_range, (unsigned)request->descriptor_count, ~0U, 0));
    for (size_t index = 0; index < request->limit_count; index++) {
        struct rlimit limit = {request->limits[index].soft, request->limits[index].hard};
        MUST(CLAUNCH_RLIMITS, syscall(SYS_prlimit64, 0, request->limits[index].resource, &limit, NULL));
    }
    sigset_t none;
    sigemptyset(&none);
    MUST(CLAUNCH_SIGNALS, sigprocmask(SIG_SETMASK, &none, NULL));
    static char *const nothing[] = {NULL};
    execve(request->path, request->arguments, nothing);
    FAIL(CLAUNCH_EXEC, errno);
}

// Moving into a v2 cgroup waits until every processor has seen it, ten milliseconds and more; being born there does not. glibc's clone
// cannot say where, and its wrappers of clone3 are its own. Returns a negative errno where it cannot be done.
static long clone_into(struct clone_args *arguments, int (*start)(void *), void *argument) {
#if defined(__x86_64__)
    long result;
    register int (*function)(void *) __asm__("r12") = start;
    register void *given __asm__("r13") = argument;
    __asm__ volatile(
        "syscall\n\t"
        "testq %%rax, %%rax\n\t"
        "jnz 1f\n\t"
        "xorl %%ebp, %%ebp\n\t"  // the outermost frame
        "movq %%r13, %%rdi\n\t"
        "callq *%%r12\n\t"
        "hlt\n"  // the function never returns
        "1:"
        : "=a"(result)
        : "0"((long)SYS_clone3), "D"(arguments), "S"(sizeof *arguments), "r"(function), "r"(given)
        : "rcx", "r11", "memory");
    return result;
#else
    (void)arguments, (void)start, (void)argument;
    return -ENOSYS;
#endif
}

static pid_t clone_child(struct child *child, char *stack, int *pidfd) {
    const struct claunch_request *request = child->request;
    if (request->birth >= 0) {
        struct clone_args arguments = {
            .flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_INTO_CGROUP,
            .pidfd = (uintptr_t)pidfd,
            .exit_signal = SIGCHLD,
            .stack = (uintptr_t)stack,
            .stack_size = STACK,
            .cgroup = (uint64_t)request->birth,
        };
        child->is_born = 1;
        long pid = clone_into(&arguments, run_child, child);
        if (pid > 0) {
            return (pid_t)pid;
        }
        child->is_born = 0;
    }
    return clone(run_child, stack + STACK, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, child, pidfd);
}

static int refuse(struct claunch_result *result, int step, int code) {
    result->step = step;
    result->error = code;
    return -1;
}

int claunch_spawn(const struct claunch_request *request, struct claunch_result *result) {
    *result = (struct claunch_result){.pid = -1, .pidfd = -1};
    if (request->descriptor_count > DESCRIPTORS) {
        return refuse(result, CLAUNCH_DESCRIPTORS, EMFILE);
    }
    struct child child = {.request = request, .result = result, .parent = getpid()};
    char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) {
        return refuse(result, CLAUNCH_CLONE, errno);
    }
    // A handler of the parent must not run in the child while it has the parent's memory.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int pidfd = -1;
    pid_t pid = clone_child(&child, stack, &pidfd);
    int code = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    munmap(stack, STACK);
    if (pid < 0) {
        return refuse(result, CLAUNCH_CLONE, code);
    }
    if (result->step != CLAUNCH_NONE) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
        close(pidfd);
        return -1;
    }
    result->pid = pid;
    result->pidfd = pidfd;
    return 0;
}

int claunch_kill_user(uint32_t uid) {
    if (uid == 0 || geteuid() != 0) {
        return EPERM;
    }
    pid_t pid = fork();
    if (pid < 0) {
        return errno;
    }
    if (pid == 0) {
        // Between fork and _exit of a process with threads: raw calls only.
        if (syscall(SYS_setresuid, uid, uid, uid) < 0) {
            _exit(errno);
        }
        _exit(kill(-1, SIGKILL) < 0 && errno != ESRCH ? errno : 0);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return errno;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}
