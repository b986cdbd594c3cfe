/// How a sandbox is made.
package enum SandboxShape: Sendable, Hashable {
    /// bubblewrap, with namespaces and mounts of its own.
    case namespaces
    /// On the host's own files: Landlock, the filter, a private uid and rlimits alone. The level `basic`.
    case bare
}

/// The command of a sandbox without namespaces: `sandbox-init` itself, which shuts itself in and becomes the interpreter. Pure.
struct BareCommand {
    var closure: InterpreterClosure
    var boot: [InterpreterClosure.Bind]
    /// The host's folder that is the sandbox's own.
    var work: String

    /// As the launcher's C part executes it: the bytes that were looked at, wherever they came from.
    static let program = "/proc/self/fd/\(BubblewrapOptions.initDescriptor)"
    /// The first version of Landlock that keeps signals and abstract sockets inside.
    static let oldestLandlock = 6

    var arguments: [String] {
        // The loader's cache only names libraries.
        let files = closure.binds.map { ("x", $0.source) } + [("r", "/etc/ld.so.cache")].filter { SystemFiles.exists($0.1) }
        let devices = [("d", "/dev/null"), ("d", "/dev/zero"), ("d", "/dev/full"), ("r", "/dev/random"), ("r", "/dev/urandom")]
        let own = [("c", work), ("w", work), ("f", String(BubblewrapOptions.filterDescriptor))]
        let rules = files + boot.map { ("r", $0.source) } + devices + own
        let entry = boot.first { $0.destination == BubblewrapOptions.entry }?.source ?? ""
        return [LandlockLayer.name] + rules.flatMap { [$0.0, $0.1] } + ["--"] + closure.command(entry)
    }
}
