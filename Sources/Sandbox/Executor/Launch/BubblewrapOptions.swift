/// The options of bubblewrap for one sandbox, in the order in which it takes them. Pure.
///
/// They travel through a descriptor (`--args`), as a command line can be read in /proc by all of the host.
struct BubblewrapOptions {
    var closure: InterpreterClosure
    /// The host's directory of the sandbox's three mounts or folders.
    var directory: String
    /// Host's file and its name in `/boot`.
    var boot: [InterpreterClosure.Bind]
    /// Where the first file of the interpreter is, inside.
    static let entry = "/boot/bootstrap.py"

    /// Whether `/tmp` and `/dev/shm` are mounts made by us, with a cap on names; otherwise bubblewrap's, with a size alone.
    var hasMounts: Bool
    /// Whether the interpreter is started by the program that puts Landlock around it.
    var hasLandlock = false
    var temporaryBytes: Int64

    /// Descriptors of the child besides 0 to 3.
    static let argumentsDescriptor = 4
    static let filterDescriptor = 5
    /// With Landlock alone.
    static let initDescriptor = 6

    var arguments: [String] {
        var list = [
            "--unshare-user", "--disable-userns", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup",
            "--hostname", "sandbox",
        ]
        for link in closure.links { list += ["--symlink", link.source, link.destination] }
        for bind in closure.binds + boot { list += ["--ro-bind", bind.source, bind.destination] }
        // From a descriptor and not from its place: that may be closed to the sandbox's uid, or a mount that executes nothing.
        if hasLandlock { list += ["--perms", "0555", "--file", String(Self.initDescriptor), LandlockLayer.entry] }
        list += ["--dir", "/etc", "--dev", "/dev"]
        if hasMounts {
            list += ["--bind", "\(directory)/scratch/tmp", "/tmp", "--bind", "\(directory)/scratch/shm", "/dev/shm"]
        } else {
            let size = String(temporaryBytes / 2)
            list += ["--size", size, "--tmpfs", "/tmp", "--size", size, "--tmpfs", "/dev/shm"]
        }
        // Without /proc: it would tell of the host's kernel, and of bubblewrap's own process.
        list += ["--bind", "\(directory)/work", "/w", "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/w"]
        list += ["--cap-drop", "ALL", "--new-session", "--die-with-parent", "--seccomp", String(Self.filterDescriptor)]
        return list
    }

    /// As `--args` wants them: each ends with a zero byte.
    var bytes: [UInt8] { arguments.flatMap { Array($0.utf8) + [0] } }

    /// What bubblewrap executes inside.
    var command: [String] {
        (hasLandlock ? [LandlockLayer.entry] + LandlockLayer.rules(closure) : [])
            + closure.command(Self.entry)
    }
}
