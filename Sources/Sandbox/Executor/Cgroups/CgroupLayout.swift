/// Which kind of cgroups caps the sandboxes of this machine.
public enum CgroupKind: String, Sendable, Hashable, CaseIterable {
    case v2
    /// A tree for each controller, and perhaps the unified one beside them for killing.
    case v1
    case none
}

/// Where this process is in the kernel's trees of cgroups, read from /proc/self/mountinfo and /proc/self/cgroup. Pure.
struct CgroupLayout: Sendable, Hashable {
    /// The process's own directory in the tree of each v1 controller.
    var controllers: [String: String] = [:]
    /// And in the unified tree.
    var unified: String?

    /// - Parameter root: only mounts at or below this path count.
    init(mounts: String, membership: String, root: String) {
        var paths: [String: String] = [:]
        for line in membership.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            // The unified tree's line has no controller.
            for name in parts[1].isEmpty ? [""] : parts[1].split(separator: ",") { paths[String(name)] = String(parts[2]) }
        }
        for line in mounts.split(separator: "\n") {
            let halves = line.split(separator: " - ", maxSplits: 1)
            guard halves.count == 2 else { continue }
            let left = halves[0].split(separator: " "), right = halves[1].split(separator: " ")
            guard left.count > 4, right.count > 2 else { continue }
            let mount = String(left[4])
            guard mount == root || mount.hasPrefix(root.hasSuffix("/") ? root : root + "/") else { continue }
            switch right[0] {
            case "cgroup2":
                unified = Self.place(paths[""], from: String(left[3]), at: mount)
            case "cgroup":
                for option in right[2].split(separator: ",") {
                    guard let path = paths[String(option)] else { continue }
                    controllers[String(option)] = Self.place(path, from: String(left[3]), at: mount)
                }
            default: break
            }
        }
    }

    /// A path of a tree, of which a mount shows the part from `top`.
    private static func place(_ path: String?, from top: String, at mount: String) -> String {
        guard let path, path != "/", path != top else { return mount }
        if top == "/" { return mount + path }
        return path.hasPrefix(top + "/") ? mount + path.dropFirst(top.count) : mount
    }
}
