internal import Foundation
internal import Glibc
internal import Supervisor

/// One set of policies on its way into the directory: prepared, then either committed or given up, by one process at a time.
///
/// All of it blocks: not for an event loop, nor for the cooperative pool.
struct PolicyPublication: Publication {
    private static let lock = ".publishing.lock"

    let directory: String
    let journal: PolicyJournal
    private let draft: String
    private let descriptor: Int32

    /// Does everything that may fail: the directory is ours alone, nothing in it is a link, and the whole set is on the disk under another
    /// name.
    ///
    /// - Parameter isUnseen: whether the directory has content that must not be overwritten; asked when nobody else can publish.
    static func prepare(
        _ files: [PolicyFile], in directory: String, unless isUnseen: () -> Bool = { false }
    ) throws(PublicationFault) -> PolicyPublication {
        let descriptor = try take(directory)
        do throws(PublicationFault) {
            guard !isUnseen() else { throw .changed }
            DurableFile.removeDrafts(in: directory)
            guard let names = try? PolicyFolder.names(in: directory) else { throw .unreadable(directory) }
            for name in names + files.map(\.name) { try PolicyFileName.refuseLinks(name, in: directory) }
            let journal = PolicyJournal(files: files)
            let draft = try DurableFile.stage(journal.bytes, beside: PolicyJournal.name, in: directory)
            return PolicyPublication(directory: directory, journal: journal, draft: draft, descriptor: descriptor)
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// From here on the set is the directory's.
    ///
    /// - Returns: why some file is still as it was, if one is; the journal stands for it until ``finish(_:)`` has done the rest.
    func commit() throws(PublicationFault) -> PublicationFault? {
        defer { close(descriptor) }
        guard rename(draft, "\(directory)/\(PolicyJournal.name)") == 0 else {
            let code = errno
            unlink(draft)
            throw .unwritable(PolicyJournal.name, code)
        }
        DurableFile.sync(folderOf: "\(directory)/\(PolicyJournal.name)")
        do throws(PublicationFault) { try Self.settle(journal, directory) } catch { return error }
        return nil
    }

    func abandon() {
        unlink(draft)
        close(descriptor)
    }

    /// Does the rest of what a process has left that was killed, or had no room. Nothing where nothing is left, or somebody is at it.
    static func finish(_ directory: String) throws(PublicationFault) {
        guard FileStatus("\(directory)/\(PolicyJournal.name)") != nil else { return }
        let descriptor: Int32
        do throws(PublicationFault) { descriptor = try take(directory) } catch {
            if case .busy = error { return }
            throw error
        }
        defer { close(descriptor) }
        guard let journal = try PolicyJournal.read(in: directory) else { return }
        try settle(journal, directory)
    }

    private static func settle(_ journal: PolicyJournal, _ directory: String) throws(PublicationFault) {
        try journal.apply(to: directory)
        // Last, when each file is on the disk.
        try DurableFile.remove(PolicyJournal.name, in: directory)
    }

    /// The lock goes with the process that holds it.
    private static func take(_ directory: String) throws(PublicationFault) -> Int32 {
        let descriptor = open("\(directory)/\(lock)", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else { throw .unwritable(directory, errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(descriptor)
            throw code == EWOULDBLOCK ? .busy : .unwritable(lock, code)
        }
        return descriptor
    }
}
