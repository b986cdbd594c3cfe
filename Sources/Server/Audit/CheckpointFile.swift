internal import Foundation
internal import Glibc

/// The file of checkpoints outside the database (`audit.checkpoints`): a line for each, only ever appended to.
///
/// All of it blocks: not for an event loop, nor for the cooperative pool.
enum CheckpointFile {
    /// Lines are on the disk when this returns. What a process left unfinished that was killed while it wrote is ended first.
    static func append(_ lines: [String], to path: String) throws(CommandFailure) {
        func failure(_ what: String) -> CommandFailure { CommandFailure("\(path) cannot be \(what): \(String(cString: strerror(errno)))") }
        let descriptor = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw failure("opened") }
        defer { close(descriptor) }
        var text = Array((lines.joined(separator: "\n") + "\n").utf8)
        let end = lseek(descriptor, 0, SEEK_END)
        var last: UInt8 = 0
        if end > 0, pread(descriptor, &last, 1, end - 1) == 1, last != UInt8(ascii: "\n") { text.insert(UInt8(ascii: "\n"), at: 0) }
        var done = 0
        while done < text.count {
            let count = text.withUnsafeBytes { write(descriptor, $0.baseAddress.map { $0 + done }, text.count - done) }
            guard count > 0 || (count < 0 && errno == EINTR) else { throw failure("written") }
            done += max(0, count)
        }
        guard fsync(descriptor) == 0 else { throw failure("brought to the disk") }
    }

    /// The lines in pages; of one that is too long only its beginning, which is no checkpoint.
    static func forEachPage(of path: String, lineBytes: Int, lines most: Int, _ body: ([[UInt8]]) async throws -> Void) async throws {
        guard let file = FileHandle(forReadingAtPath: path) else { throw CommandFailure("\(path) cannot be read") }
        defer { try? file.close() }
        var (page, line): ([[UInt8]], [UInt8]) = ([], [])
        while let data = try file.read(upToCount: 1 << 16), !data.isEmpty {
            for byte in data {
                guard byte == UInt8(ascii: "\n") else {
                    if line.count <= lineBytes { line.append(byte) }
                    continue
                }
                page.append(line)
                line.removeAll()
                if page.count == most {
                    try await body(page)
                    page.removeAll()
                }
            }
        }
        if !line.isEmpty { page.append(line) }
        if !page.isEmpty { try await body(page) }
    }
}
