internal import Digest
internal import Glibc

/// The secret with which an installation signs checkpoints: `audit.key` of its data directory, readable by its owner alone.
///
/// All of it blocks: not for an event loop, nor for the cooperative pool.
enum InstallationKey {
    static func path(in directory: String) -> String { directory + "/audit.key" }

    /// The 32 bytes of the key; made when there is none yet. Processes that make it at once get the same one.
    static func seed(in directory: String) throws(CommandFailure) -> [UInt8] {
        let path = path(in: directory)
        if let seed = try read(path) { return seed }
        guard mkdir(directory, 0o700) == 0 || errno == EEXIST else { throw CommandFailure("\(directory) cannot be made") }
        try make(path)
        guard let seed = try read(path) else { throw CommandFailure("\(path) cannot be read") }
        return seed
    }

    /// Nil where there is no file.
    private static func read(_ path: String) throws(CommandFailure) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw CommandFailure("\(path) cannot be opened: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        guard FilePrivacy.isPrivate(descriptor) else {
            throw CommandFailure("\(path) may be read by others than its owner: chmod 600 it, or move it away for a new key")
        }
        // One more than there is in it.
        var bytes = [UInt8](repeating: 0, count: 2 * Ed25519PrivateKey.bytes + 2)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        guard text.last == "\n", let seed = Digest.bytes(hex: text.dropLast()), seed.count == Ed25519PrivateKey.bytes else {
            throw CommandFailure("\(path) is no key: 64 hexadecimal digits and a line feed; move it away for a new one")
        }
        return seed
    }

    /// The file gets its name when it is whole: nobody reads half a key, and the first one stays.
    private static func make(_ path: String) throws(CommandFailure) {
        guard let key = Ed25519PrivateKey.generate() else { throw CommandFailure("libcrypto makes no Ed25519 keys") }
        let draft = "\(path).\(getpid())"
        unlink(draft)
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw CommandFailure("\(draft) cannot be made: \(String(cString: strerror(errno)))") }
        defer { unlink(draft) }
        let text = Array((Digest.hex(key.seed) + "\n").utf8)
        let isWritten = write(descriptor, text, text.count) == text.count && fsync(descriptor) == 0
        guard close(descriptor) == 0, isWritten else { throw CommandFailure("\(draft) cannot be written") }
        guard link(draft, path) == 0 || errno == EEXIST else {
            throw CommandFailure("\(path) cannot be made: \(String(cString: strerror(errno)))")
        }
    }
}
