// The compiler finds `stat` in whichever of these it has read first.
internal import CDispatch
internal import Dispatch
internal import Foundation
internal import Glibc

/// What a name stands for, without following it.
struct FileStatus: Sendable {
    let isLink: Bool
    let size: Int64

    /// Nil where there is nothing of this name.
    init?(_ path: String) {
        var info = stat()
        guard lstat(path, &info) == 0 else { return nil }
        isLink = info.st_mode & S_IFMT == S_IFLNK
        size = Int64(info.st_size)
    }
}

/// Files that are whole or not there. All of it blocks: not for an event loop, nor for the cooperative pool.
enum DurableFile {
    private static let draftPrefix = ".kdcube-"

    /// Nil of what cannot be read.
    static func contents(_ path: String) -> [UInt8]? { FileManager.default.contents(atPath: path).map { Array($0) } }

    /// Puts a file in the place of another, or where there is none: under another, hidden name until its content is on the disk.
    static func write(_ bytes: [UInt8], to name: String, in directory: String) throws(PublicationFault) {
        let draft = try stage(bytes, beside: name, in: directory)
        guard rename(draft, "\(directory)/\(name)") == 0 else {
            let code = errno
            unlink(draft)
            throw .unwritable(name, code)
        }
        sync(folderOf: "\(directory)/\(name)")
    }

    /// - Returns: the path of a file with this content, on the disk, that has not got its name yet.
    static func stage(_ bytes: [UInt8], beside name: String, in directory: String) throws(PublicationFault) -> String {
        let target = "\(directory)/\(name)"
        let folder = target[..<(target.lastIndex(of: "/") ?? target.startIndex)]
        let draft = "\(folder)/\(draftPrefix)\(RandomText.urlSafe(bytes: 9))"
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else { throw .unwritable(name, errno) }
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done) }
            guard count > 0 || count < 0 && errno == EINTR else { break }
            done += max(0, count)
        }
        let isWritten = done == bytes.count && fsync(descriptor) == 0
        let code = errno
        guard close(descriptor) == 0, isWritten else {
            unlink(draft)
            throw .unwritable(name, code)
        }
        return draft
    }

    /// Removes what a process has left that was killed while it wrote. For whoever is the only one that writes.
    static func removeDrafts(in directory: String) {
        for name in (try? FileManager.default.subpathsOfDirectory(atPath: directory)) ?? [] {
            if name.split(separator: "/").last?.hasPrefix(draftPrefix) ?? false { unlink("\(directory)/\(name)") }
        }
    }

    static func remove(_ name: String, in directory: String) throws(PublicationFault) {
        guard unlink("\(directory)/\(name)") == 0 || errno == ENOENT else { throw .unwritable(name, errno) }
        sync(folderOf: "\(directory)/\(name)")
    }

    static func makeFolders(of name: String, in directory: String) throws(PublicationFault) {
        var path = directory
        for part in name.split(separator: "/").dropLast() {
            path += "/\(part)"
            guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw .unwritable(name, errno) }
        }
    }

    /// A name is on the disk when its folder is.
    static func sync(folderOf path: String) {
        let folder = path[..<(path.lastIndex(of: "/") ?? path.startIndex)]
        let descriptor = open(String(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}
