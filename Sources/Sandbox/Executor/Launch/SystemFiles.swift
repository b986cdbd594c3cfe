import CLauncher
import Glibc

/// The text of an error number.
func describe(_ code: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
        guard let start = buffer.baseAddress, strerror_r(code, start, buffer.count) == 0 else { return "errno \(code)" }
        return String(cString: start)
    }
}

/// Small files of the kernel and of a launch. Calls block for as long as the file system does: only on a ``Lane``.
enum SystemFiles {
    /// Of a file that is read whole. Files of /proc and of cgroups that are read here are smaller.
    static let readMax = 4 << 20

    static func bytes(_ path: String) -> Result<[UInt8], Errno> {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return .failure(.current) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count < readMax {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return .failure(.current) }
            if count == 0 { break }
            bytes.append(contentsOf: chunk[..<count])
        }
        return .success(bytes)
    }

    static func text(_ path: String) -> String? { (try? bytes(path).get()).map { String(decoding: $0, as: UTF8.self) } }

    /// Writes into a file that exists: a switch of the kernel.
    static func set(_ path: String, _ value: String) -> Errno? {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return .current }
        defer { close(descriptor) }
        let bytes = Array(value.utf8)
        return write(descriptor, bytes, bytes.count) == bytes.count ? nil : .current
    }

    /// Writes a new file for others to read; an older one goes.
    static func create(_ path: String, _ bytes: [UInt8], mode: mode_t) -> Errno? {
        unlink(path)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { return .current }
        defer { close(descriptor) }
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return .current }
            done += count
        }
        // The mask of the process must not decide whether a sandbox can read it.
        return fchmod(descriptor, mode) == 0 ? nil : .current
    }

    /// A directory with exactly this mode; one that is there is taken if it is a directory of ours.
    static func makeDirectory(_ path: String, mode: mode_t) -> Errno? {
        if mkdir(path, mode) != 0 {
            guard errno == EEXIST else { return .current }
            var facts = stat()
            guard lstat(path, &facts) == 0 else { return .current }
            guard facts.st_mode & S_IFMT == S_IFDIR else { return Errno(ENOTDIR) }
            guard facts.st_uid == geteuid() else { return Errno(EPERM) }
        }
        return chmod(path, mode) == 0 ? nil : .current
    }

    static func names(in path: String) -> [String] {
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    static func isDirectory(_ path: String) -> Bool {
        var facts = stat()
        return stat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFDIR
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The path without links.
    static func resolved(_ path: String) -> String? {
        guard let text = realpath(path, nil) else { return nil }
        defer { free(text) }
        return String(cString: text)
    }
}

/// An error number of the C library.
struct Errno: Error, Sendable, Hashable, CustomStringConvertible {
    let code: Int32
    init(_ code: Int32) { self.code = code }
    static var current: Errno { Errno(errno) }
    var description: String { describe(code) }
}
