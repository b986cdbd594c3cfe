#include "CSpawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/// Tells the parent why and ends. The parent reads 4 bytes or, after a successful exec, none.
static void give_up(int report, int error)
{
    ssize_t written;
    do {
        written = write(report, &error, sizeof error);
    } while (written < 0 && errno == EINTR);
    _exit(127);
}

/// Handlers would be reset by exec, but ignored signals stay ignored.
static void reset_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &action, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/// Puts `descriptors` at 0, 1, … and closes all others but the report, which exec closes. Returns the report's new place.
static int place_descriptors(const struct cspawn_request *request, int report)
{
    const int count = (int)request->descriptor_count;
    int copies[CSPAWN_DESCRIPTORS_MAX];
    // First above all targets: a source may be the target of another.
    const int moved = fcntl(report, F_DUPFD_CLOEXEC, count);
    if (moved < 0)
        give_up(report, errno);
    for (int i = 0; i < count; i++) {
        copies[i] = fcntl(request->descriptors[i], F_DUPFD_CLOEXEC, count);
        if (copies[i] < 0)
            give_up(moved, errno);
    }
    for (int i = 0; i < count; i++)
        if (dup2(copies[i], i) < 0)
            give_up(moved, errno);
    if (moved > count && syscall(SYS_close_range, (unsigned)count, (unsigned)moved - 1, 0) != 0)
        give_up(moved, errno);
    if (syscall(SYS_close_range, (unsigned)moved + 1, UINT32_MAX, 0) != 0)
        give_up(moved, errno);
    return moved;
}

static void run_child(const struct cspawn_request *request, int report, pid_t parent)
{
    if (setsid() < 0)
        give_up(report, errno);
    if (request->death_signal != 0) {
        if (prctl(PR_SET_PDEATHSIG, request->death_signal) != 0)
            give_up(report, errno);
        // The parent may have ended before the call.
        if (getppid() != parent)
            give_up(report, ESRCH);
    }
    report = place_descriptors(request, report);
    if (chdir(request->directory) != 0)
        give_up(report, errno);
    umask(077);
    reset_signals();
    execve(request->path, request->arguments, request->environment);
    give_up(report, errno);
}

/// The child's `errno`, or 0 when the report's other end was closed by exec.
static int read_report(int report)
{
    int error = 0;
    ssize_t count;
    do {
        count = read(report, &error, sizeof error);
    } while (count < 0 && errno == EINTR);
    return count == (ssize_t)sizeof error ? error : 0;
}

int cspawn(const struct cspawn_request *request, pid_t *pid)
{
    if (request->descriptor_count > CSPAWN_DESCRIPTORS_MAX)
        return EINVAL;
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0)
        return errno;
    // No handler of the parent may run in the child.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child == 0) {
        run_child(request, report[1], parent);
        _exit(127);
    }
    int error = child < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(report[1]);
    if (error == 0) {
        error = read_report(report[0]);
        if (error != 0) {
            int status;
            while (waitpid(child, &status, 0) < 0 && errno == EINTR)
                continue;
        }
    }
    close(report[0]);
    if (error == 0)
        *pid = child;
    return error;
}

int cspawn_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno; }

int cspawn_await(pid_t pid)
{
    siginfo_t info;
    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) != 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

int cspawn_reap(pid_t pid, int *status)
{
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return errno;
    return 0;
}
