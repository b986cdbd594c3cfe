// The compiler finds `stat` in whichever of these it has read first.
internal import CDispatch
internal import Dispatch
internal import Glibc

/// What tells one content of a file from another without reading it: which file it is, how long, and when it was changed.
///
/// A file that is moved into the place of another has another inode, also where the name is a link; one that is written in place has
/// another time of change, which unlike the time of modification no program can set.
struct FileIdentity: Sendable, Equatable {
    private let device: UInt64
    private let inode: UInt64
    private let size: Int64
    private let changedSeconds: Int64
    private let changedNanoseconds: Int64

    /// Nil where there is no such file. Asks the file system: not on an event loop.
    init?(_ path: String) {
        var info = stat()
        guard stat(path, &info) == 0 else { return nil }
        device = UInt64(info.st_dev)
        inode = UInt64(info.st_ino)
        size = Int64(info.st_size)
        changedSeconds = Int64(info.st_ctim.tv_sec)
        changedNanoseconds = Int64(info.st_ctim.tv_nsec)
    }
}

/// When a file that others change is worth reading again.
typealias FileFollower = ContentFollower<FileIdentity>

/// When something that others change is worth reading again. Pure: it is told what was seen.
struct ContentFollower<Identity: Equatable & Sendable>: Sendable {
    /// The content that was last read, whether it could be used or not; nil for what was not there.
    private var read: Identity?
    private var last: Identity?

    /// - Parameter read: the content that is in use.
    init(read: Identity?) { (self.read, last) = (read, read) }

    /// Says once of each new content that it is to be read: at the second look that finds it, so that a file which is just being
    /// written is not read in halves.
    mutating func isDue(_ now: Identity?) -> Bool {
        defer { last = now }
        guard now != read, now == last else { return false }
        read = now
        return true
    }
}
