import Glibc

/// What the kernel says of the sandboxes' processes.
enum Machine {
    private static let uids: Range<UInt32> = 1_940_000_000..<1_940_000_256

    /// The processes that have one of the benchmark's uids.
    static func sandboxes() -> [String] {
        names(in: "/proc").filter { pid in
            var facts = stat()
            return Int32(pid) != nil && stat("/proc/\(pid)", &facts) == 0 && uid(of: pid).map(uids.contains) == true
        }
    }

    /// The process's share of the memory that it has with others, and all of its own.
    static func proportionalKiB(of pid: String) -> Int {
        let line = text("/proc/\(pid)/smaps_rollup").split(separator: "\n").first { $0.hasPrefix("Pss:") } ?? ""
        return line.split(separator: " ").compactMap { Int($0) }.first ?? 0
    }

    static func names(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    private static func uid(of pid: String) -> UInt32? {
        let line = text("/proc/\(pid)/status").split(separator: "\n").first { $0.hasPrefix("Uid:") } ?? ""
        return line.split(separator: "\t").compactMap { UInt32($0) }.first
    }

    private static func text(_ path: String) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 16 << 10)
        let count = read(file, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
    }
}
