import Glibc

/// The cgroups of this process, below which each sandbox gets a leaf. Its calls block for microseconds: only on a ``Lane``.
struct Cgroups: Sendable, Hashable {
    let kind: CgroupKind
    /// Directories in which a leaf is made: one with v2, one for each controller's tree with v1.
    let parents: [String: String]
    /// Why the kind is none, for an operator.
    let reason: String

    private static let needed = ["memory", "pids"]
    private static let unifiedKey = "unified"

    /// Finds what this process may use, and switches controllers on where v2 asks for that.
    static func detect(root: String) -> Cgroups {
        guard let mounts = SystemFiles.text("/proc/self/mountinfo"), let membership = SystemFiles.text("/proc/self/cgroup") else {
            return Cgroups(kind: .none, parents: [:], reason: "/proc does not tell of cgroups")
        }
        let layout = CgroupLayout(mounts: mounts, membership: membership, root: root)
        func present(_ path: String) -> String { SystemFiles.isDirectory(path) ? path : Self.mountPoint(of: path) }
        var refusal = "no cgroup is mounted below \(root)"
        if let unified = layout.unified.map(present) {
            switch delegate(unified) {
            case .success(let parent): return Cgroups(kind: .v2, parents: [unifiedKey: parent], reason: "")
            case .failure(let error): refusal = error.text
            }
        }
        guard needed.allSatisfy({ layout.controllers[$0] != nil }) else { return Cgroups(kind: .none, parents: [:], reason: refusal) }
        var parents: [String: String] = [:]
        for name in needed + ["cpu", "cpuacct"] { parents[name] = layout.controllers[name].map(present) }
        parents[unifiedKey] = layout.unified.map(present)
        for (name, path) in parents {
            if access(path, W_OK) == 0 { continue }
            guard needed.contains(name) else {
                parents[name] = nil
                continue
            }
            return Cgroups(kind: .none, parents: [:], reason: "\(path) cannot be written (\(describe(errno)))")
        }
        return Cgroups(kind: .v1, parents: parents, reason: "")
    }

    private struct Refusal: Error { let text: String }

    /// Makes the controllers usable for children of the process's own v2 cgroup. Where the cgroup has processes, which v2
    /// forbids beside children with controllers, this process first moves into a child of its own.
    private static func delegate(_ own: String) -> Result<String, Refusal> {
        let parent = own.hasSuffix("/\(server)") ? String(own.dropLast(server.count + 1)) : own
        let offered = words(SystemFiles.text("\(parent)/cgroup.controllers"))
        guard needed.allSatisfy(offered.contains) else {
            return .failure(Refusal(text: "\(parent) offers no controllers for memory and pids"))
        }
        let wanted = (needed + ["cpu"]).filter(offered.contains)
        let switches = "\(parent)/cgroup.subtree_control"
        func missing() -> [String] {
            let on = words(SystemFiles.text(switches))
            return wanted.filter { !on.contains($0) }
        }
        if missing().isEmpty { return .success(parent) }
        let order = missing().map { "+\($0)" }.joined(separator: " ")
        var code = SystemFiles.set(switches, order)
        if code?.code == EBUSY {
            _ = SystemFiles.makeDirectory("\(parent)/\(server)", mode: 0o755)
            _ = SystemFiles.set("\(parent)/\(server)/cgroup.procs", "0")
            code = SystemFiles.set(switches, order)
        }
        guard code == nil, missing().isEmpty else {
            return .failure(Refusal(text: "\(switches) cannot be written\(code.map { " (\($0))" } ?? "")"))
        }
        return .success(parent)
    }

    /// As systemd's `DelegateSubgroup=` would call it.
    private static let server = "server"

    private static func words(_ text: String?) -> [String] {
        (text ?? "").split { $0 == " " || $0 == "\n" }.map(String.init)
    }

    /// The nearest directory above that exists.
    private static func mountPoint(of path: String) -> String {
        var path = path
        while !SystemFiles.isDirectory(path), let end = path.lastIndex(of: "/"), end > path.startIndex { path = String(path[..<end]) }
        return path
    }

    /// Makes a leaf with its limits; nil without cgroups. What was made is gone again after an error.
    func make(_ name: String, _ limits: SandboxLimits) throws(LaunchError) -> CgroupLeaf? {
        guard kind != .none else { return nil }
        let leaf = CgroupLeaf(kind: kind, directories: parents.mapValues { "\($0)/\(name)" })
        do throws(LaunchError) {
            for path in leaf.unique where mkdir(path, 0o755) != 0 { throw LaunchError(.cgroup, errno: errno, path) }
            try leaf.limit(limits)
        } catch {
            leaf.remove()
            throw error
        }
        return leaf
    }

    /// Leaves that are there, by their names.
    func leaves() -> [SandboxName: CgroupLeaf] {
        var found: [SandboxName: CgroupLeaf] = [:]
        for path in Set(parents.values) {
            for name in SystemFiles.names(in: path).compactMap({ SandboxName($0) }) {
                found[name] = CgroupLeaf(kind: kind, directories: parents.mapValues { "\($0)/\(name)" })
            }
        }
        return found
    }
}
