/// How well this machine can shut a sandbox in, as its probes found it. Ordered: more is safer.
///
/// Source: the levels L0 to L4 of the threat model (docs/threat-model.md).
public enum IsolationLevel: String, Sendable, Hashable, CaseIterable, Comparable {
    /// Code is not run.
    case none
    /// No namespaces: Landlock, seccomp, rlimits and a private uid, on the host's own file system.
    case basic
    /// Namespaces, seccomp, rlimits and a private uid, but no cgroup to cap memory and processes together.
    case limited
    /// All of it.
    case full

    public static func < (left: IsolationLevel, right: IsolationLevel) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .none: 0
        case .basic: 1
        case .limited: 2
        case .full: 3
        }
    }
}
