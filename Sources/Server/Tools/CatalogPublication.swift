// The compiler finds `stat` in whichever of these it has read first.
internal import CDispatch
internal import Dispatch
internal import Glibc

/// One text on its way into the place of `tools.yaml`: prepared, then either committed or given up, by one process at a time.
///
/// All of it blocks: not for an event loop, nor for the cooperative pool.
struct CatalogPublication: Publication {
    private static let lock = ".kdcube-tools.lock"

    private let folder: String
    private let name: String
    private let draft: String
    private let descriptor: Int32

    /// Does everything that may fail: the file is ours alone and no link, and the text is on the disk under another name.
    ///
    /// - Parameter isUnseen: whether the file has content that must not be overwritten; asked when nobody else can publish.
    static func prepare(_ text: String, in path: String, unless isUnseen: () -> Bool = { false }) throws(PublicationFault) -> Self {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        let descriptor = open("\(folder)/\(lock)", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else { throw .unwritable(folder, errno) }
        do throws(PublicationFault) {
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                throw errno == EWOULDBLOCK ? .busy : .unwritable(lock, errno)
            }
            // A link belongs to whoever has made it, such as the volume of a cluster.
            guard FileStatus(path)?.isLink != true else { throw .link(name) }
            guard !isUnseen() else { throw .changed }
            let draft = try DurableFile.stage(Array(text.utf8), beside: name, in: folder)
            return CatalogPublication(folder: folder, name: name, draft: draft, descriptor: descriptor)
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// From here on the text is the file's.
    func commit() throws(PublicationFault) {
        defer { close(descriptor) }
        // Whoever could read the file before can read it still.
        var info = stat()
        if stat("\(folder)/\(name)", &info) == 0 { chmod(draft, info.st_mode & 0o777) }
        guard rename(draft, "\(folder)/\(name)") == 0 else {
            let code = errno
            unlink(draft)
            throw .unwritable(name, code)
        }
        DurableFile.sync(folderOf: "\(folder)/\(name)")
    }

    func abandon() {
        unlink(draft)
        close(descriptor)
    }
}
