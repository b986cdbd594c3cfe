internal import Foundation
internal import Glibc
internal import JSON
internal import Supervisor

/// A whole set of policies in one file beside the set's own: it is there from the moment in which a set is published until each file of the
/// directory is as the set has it.
///
/// Whoever reads the directory takes the journal instead of the files, so that a set changes in one `rename`, and a server that is killed
/// in the middle leaves the new set and not parts of two. All of it blocks: not for an event loop, nor for the cooperative pool.
struct PolicyJournal: Sendable, Equatable {
    /// Hidden, as everything of ours is in a directory that belongs to somebody else.
    static let name = ".publishing"
    /// The largest set with as many bytes of tests, written as JSON.
    private static let bytesMax = 32 << 20

    /// Policies and tests; what is not among them does not belong to the set.
    let files: [PolicyFile]

    /// - Returns: nil where nothing is being published.
    static func read(in directory: String) throws(PublicationFault) -> PolicyJournal? {
        let path = "\(directory)/\(name)"
        guard let size = FileStatus(path)?.size else { return nil }
        guard size <= bytesMax, let data = FileManager.default.contents(atPath: path) else {
            // It may have gone meanwhile.
            if FileStatus(path) == nil { return nil }
            throw .unreadable(name)
        }
        guard let files = (try? JSONValue(parsing: Array(data)))?["files"]?.objectValue else { throw .unreadable(name) }
        var read: [PolicyFile] = []
        for (name, text) in files.members.map({ ($0.key, $0.value) }) {
            guard PolicyFileName.isFine(name), let text = text.stringValue else { throw .unreadable(Self.name) }
            read.append(PolicyFile(name: name, text: text))
        }
        return PolicyJournal(files: read)
    }

    var bytes: [UInt8] {
        JSONValue.object(JSONObject([("files", .object(JSONObject(files.map { ($0.name, .string($0.text)) })))])).jsonBytes
    }

    /// Makes each file of the directory what the journal says, and removes the policies that it does not have. What is as it should be is
    /// not touched; doing it twice, or in two servers, is doing it once.
    func apply(to directory: String) throws(PublicationFault) {
        let wanted = Set(files.map(\.name))
        for file in files where DurableFile.contents("\(directory)/\(file.name)") != Array(file.text.utf8) {
            try PolicyFileName.refuseLinks(file.name, in: directory)
            try DurableFile.makeFolders(of: file.name, in: directory)
            try DurableFile.write(Array(file.text.utf8), to: file.name, in: directory)
        }
        guard let names = try? PolicyFolder.names(in: directory) else { throw .unreadable(directory) }
        for name in names where name.hasSuffix(".cedar") || PolicyFolder.isTest(name) {
            if !wanted.contains(name) { try DurableFile.remove(name, in: directory) }
        }
    }
}

/// Names that a file of a published set may have.
enum PolicyFileName {
    private static let bytesMax = 255
    private static let foldersMax = 4

    /// Letters, digits, `.`, `_` and `-`, in at most four folders; nothing that is hidden, and nothing that leads out of the directory.
    static func isFine(_ name: String) -> Bool {
        let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard name.utf8.count <= bytesMax, parts.count <= foldersMax + 1, name.hasSuffix(".cedar") || PolicyFolder.isTest(name) else {
            return false
        }
        return parts.allSatisfy { part in
            guard let first = part.first, first != UInt8(ascii: ".") else { return false }
            return part.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
        }
    }

    /// Neither the file nor a folder on the way to it may be a link: it would be written somewhere else.
    static func refuseLinks(_ name: String, in directory: String) throws(PublicationFault) {
        var path = directory
        for part in name.split(separator: "/") {
            path += "/\(part)"
            if FileStatus(path)?.isLink == true { throw .link(name) }
        }
    }
}
