import CLauncher
import Glibc

/// What a sweep found of servers that are no more.
struct SweepReport: Sendable, Hashable {
    var cgroups = 0
    var processes = 0
    var folders = 0
    /// What could not be removed: an operator must look.
    var left: [String] = []
}

extension Launcher {
    /// Removes what servers of this machine left that no longer run: their sandboxes' processes, cgroups, mounts and folders.
    /// What a live server owns, this one included, is not touched.
    func sweep() async -> SweepReport {
        await keepers.run {
            var report = SweepReport()
            for (name, leaf) in Cgroups.detect(root: self.settings.cgroups).leaves() where !name.owner.isAlive() {
                Self.sweep(leaf, name, &report)
            }
            for text in SystemFiles.names(in: self.settings.directory) {
                guard let name = SandboxName(text), !name.owner.isAlive() else { continue }
                let path = "\(self.settings.directory)/\(text)"
                // Without a namespace, and without a cgroup that says which they are, its uid is what they have in common.
                var facts = stat()
                if stat("\(path)/work", &facts) == 0 { self.slots.killLeft(of: facts.st_uid) }
                if let code = Self.clear(folder: path, hasMounts: geteuid() == 0) {
                    report.left.append("\(path): \(code)")
                } else {
                    report.folders += 1
                }
            }
            return report
        }
    }

    private static func sweep(_ leaf: CgroupLeaf, _ name: SandboxName, _ report: inout SweepReport) {
        let end = ContinuousClock.now + killMax
        var processes = leaf.processes()
        report.processes += processes.count
        var left: Errno?
        repeat {
            if !processes.isEmpty { leaf.kill() }
            left = leaf.remove()
            if left == nil { break }
            usleep(5_000)
            processes = leaf.processes()
        } while ContinuousClock.now < end
        if let left { report.left.append("\(name): \(left)") } else { report.cgroups += 1 }
    }
}
