public import Accounting
internal import Glibc

/// The boards of all processes that share a data directory. Blocks for file operations: not on an event loop.
public struct BoardFolder: Sendable {
    private let path: String
    private let boot: String

    /// Makes the folder if it is not there.
    public init(path: String) throws(BoardFileError) {
        self.path = path
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .failed("\(path) cannot be made", code: errno) }
        boot = Self.bootID()
    }

    /// A board for this process.
    public func makeBoard(for holder: LeaseHolder) throws(BoardFileError) -> MappedBoard {
        let file = try BoardFile(path: "\(path)/\(holder.node)-\(holder.fence)\(Self.suffix)", create: true)
        return try MappedBoard(file, boot: boot, holder: holder)
    }

    /// A board whose process has ended. It stays ours, and away from others, until it is released or discarded.
    public final class Orphan: Sendable {
        public let left: LeftBehind
        /// False when the machine was started again since: its last notes may be missing.
        public let isOfThisBoot: Bool
        private let file: BoardFile

        fileprivate init(_ file: BoardFile, _ reading: BoardReading, boot: String) {
            self.file = file
            left = reading.left
            isOfThisBoot = reading.boot == boot
        }

        /// Its leases are settled.
        public func discard() { file.remove() }
    }

    /// The boards that nobody holds, and what is there but is none.
    public func orphans() throws(BoardFileError) -> (found: [Orphan], unreadable: [String]) {
        var found: [Orphan] = []
        var unreadable: [String] = []
        for name in try names() {
            guard let file = try? BoardFile(path: "\(path)/\(name)", create: false) else { continue }
            do {
                let bytes = try file.contents()
                // Its process ended before it had written anything.
                guard bytes.contains(where: { $0 != 0 }) else {
                    file.remove()
                    continue
                }
                found.append(Orphan(file, try BoardReading(bytes), boot: boot))
            } catch {
                unreadable.append(name)
            }
        }
        return (found, unreadable)
    }

    private static let suffix = ".board"

    private func names() throws(BoardFileError) -> [String] {
        guard let directory = opendir(path) else { throw .failed("\(path) cannot be listed", code: errno) }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name.hasSuffix(Self.suffix) { names.append(name) }
        }
        return names.sorted()
    }

    /// Different after every start of the machine (proc(5)).
    private static func bootID() -> String {
        guard let file = fopen("/proc/sys/kernel/random/boot_id", "r") else { return "" }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 36)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
