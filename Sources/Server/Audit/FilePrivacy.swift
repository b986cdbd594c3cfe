// The compiler finds `stat` in whichever of the two it has read first.
internal import CDispatch
internal import Dispatch
internal import Glibc

/// Whether nobody but its owner may read an open file.
enum FilePrivacy {
    static func isPrivate(_ descriptor: Int32) -> Bool {
        var status = stat()
        return fstat(descriptor, &status) == 0 && status.st_mode & 0o077 == 0
    }
}
