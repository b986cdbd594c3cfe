internal import Glibc

/// An exclusive lock on `counters.lock` beside the database, for as long as this value lives. The system frees it when
/// the process dies, however it dies.
final class CounterLock: Sendable {
    private let descriptor: Int32

    init(besides databasePath: String) throws(EmbeddedDatabaseError) {
        let directory = databasePath.lastIndex(of: "/").map { String(databasePath[..<$0]) } ?? "."
        let path = "\(directory)/counters.lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .cannotOpen("\(path): \(String(cString: strerror(errno)))") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw .inUse(path: path)
        }
    }

    deinit { close(descriptor) }
}
