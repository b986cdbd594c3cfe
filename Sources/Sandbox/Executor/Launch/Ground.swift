import Glibc

/// What every launch of a launcher stands on, found once: the interpreter's closure, the cgroups, the boot files.
struct Ground: Sendable {
    let closure: InterpreterClosure
    let cgroups: Cgroups
    let boot: [InterpreterClosure.Bind]
    let landlock: LandlockLayer
    let shape: SandboxShape
    /// Root: may mount, change to private uids, and write the cgroups.
    let isPrivileged: Bool

    /// Prepares the directory and writes the boot files into a folder of it. Blocks.
    init(_ settings: SandboxSettings, files: [String: [UInt8]], home: String, shape: SandboxShape = .namespaces) throws(LaunchError) {
        self.shape = shape
        isPrivileged = geteuid() == 0
        try Self.prepare(settings.directory, isPrivileged: isPrivileged)
        guard shape == .bare || access(settings.bubblewrap, X_OK) == 0 else {
            throw LaunchError(.isolation, errno: errno, settings.bubblewrap)
        }
        guard !SeccompFilter.words.isEmpty else { throw LaunchError(.seccomp, "there is no filter for this processor") }
        landlock = LandlockLayer.find(settings)
        if case .used = landlock {
            closure = try InterpreterClosure(python: settings.python, helper: LandlockLayer.path(settings))
        } else {
            closure = try InterpreterClosure(python: settings.python)
        }
        cgroups = Cgroups.detect(root: settings.cgroups)
        if let code = SystemFiles.makeDirectory(home, mode: 0o711) { throw LaunchError(.directory, errno: code.code, home) }
        var boot: [InterpreterClosure.Bind] = []
        for (name, bytes) in files.sorted(by: { $0.key < $1.key }) {
            let path = "\(home)/\(name)"
            if let code = SystemFiles.create(path, bytes, mode: 0o444) { throw LaunchError(.directory, errno: code.code, path) }
            boot.append(InterpreterClosure.Bind(source: path, destination: "/boot/\(name)"))
        }
        self.boot = boot
    }

    /// Whether all of it still is: an update of the machine may have taken a library away, or a cgroup is gone.
    var isThere: Bool {
        (closure.binds + boot).allSatisfy { SystemFiles.exists($0.source) } && cgroups.parents.values.allSatisfy(SystemFiles.isDirectory)
    }

    /// The directory, which users of sandboxes pass through and nobody lists.
    private static func prepare(_ directory: String, isPrivileged: Bool) throws(LaunchError) {
        if let code = SystemFiles.makeDirectory(directory, mode: 0o711) { throw LaunchError(.directory, errno: code.code, directory) }
        guard isPrivileged else { return }
        var path = ""
        for part in directory.split(separator: "/").dropLast() {
            path += "/\(part)"
            var facts = stat()
            guard stat(path, &facts) == 0 else { throw LaunchError(.directory, errno: errno, path) }
            guard facts.st_mode & 0o001 != 0 else {
                throw LaunchError(.directory, "\(path) is closed to other users: choose another place, or chmod o+x it")
            }
        }
    }

    /// Whether a launch keeps what the level promises.
    func check(_ minimum: IsolationLevel) throws(LaunchError) {
        if shape == .bare {
            guard minimum <= .basic else { throw LaunchError(.isolation, "a sandbox without namespaces is of the level basic") }
            guard isPrivileged else { throw LaunchError(.isolation, "a private uid for each sandbox needs root") }
            if case .absent(let reason) = landlock { throw LaunchError(.isolation, reason) }
            guard LandlockLayer.version >= BareCommand.oldestLandlock else {
                throw LaunchError(.isolation, "Landlock has version \(LandlockLayer.version), and needs \(BareCommand.oldestLandlock)")
            }
        }
        guard minimum == .full else { return }
        if cgroups.kind == .none { throw LaunchError(.isolation, "no cgroup can cap memory and processes: \(cgroups.reason)") }
        if !isPrivileged { throw LaunchError(.isolation, "a private uid for each sandbox needs root") }
    }
}
