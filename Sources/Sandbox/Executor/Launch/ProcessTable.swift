/// Looks through /proc. Blocks: only on a ``Lane``.
enum ProcessTable {
    /// Whether any process has this real uid.
    static func hasProcess(of uid: UInt32) -> Bool {
        SystemFiles.names(in: "/proc").contains { name in
            guard let pid = Int32(name), let text = SystemFiles.text("/proc/\(pid)/status") else { return false }
            guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("Uid:") }) else { return false }
            let words = line.split { $0 == "\t" || $0 == " " }
            return words.count > 1 && UInt32(words[1]) == uid
        }
    }
}
