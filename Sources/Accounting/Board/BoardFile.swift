internal import Glibc

/// Why the file of a board cannot be used.
public enum BoardFileError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The operation and what the system says.
    case failed(String, code: Int32)
    /// Another process has it.
    case inUse

    public var description: String {
        switch self {
        case .failed(let what, let code): "\(what): \(String(cString: strerror(code)))"
        case .inUse: "another process uses it"
        }
    }
}

/// An open file with a lock that ends with its process.
final class BoardFile: Sendable {
    let path: String
    private let descriptor: Int32

    /// Opens and locks the file; waits for nobody. A new one gets its name once it is locked: nobody can take it for left behind.
    init(path: String, create: Bool) throws(BoardFileError) {
        self.path = path
        let first = create ? path + ".new" : path
        descriptor = open(first, (create ? O_CREAT | O_EXCL : 0) | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .failed("\(path) cannot be opened", code: errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            throw code == EWOULDBLOCK ? .inUse : .failed("\(path) cannot be locked", code: code)
        }
        guard !create || rename(first, path) == 0 else { throw .failed("\(path) cannot be named", code: errno) }
    }

    deinit { close(descriptor) }

    /// Memory that is this part of the file. Its blocks are reserved first: a full disk is an error here, and not a signal at some later
    /// write.
    func map(from offset: Int, bytes: Int) throws(BoardFileError) -> Mapping {
        let code = posix_fallocate(descriptor, offset, bytes)
        guard code == 0 else { throw .failed("\(path) cannot grow", code: code) }
        guard let address = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, offset), address != MAP_FAILED else {
            throw .failed("\(path) cannot be mapped", code: errno)
        }
        return Mapping(address, bytes: bytes)
    }

    /// All of it, if it is no longer than a board can be.
    func contents() throws(BoardFileError) -> [UInt8] {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .failed("\(path) has no size", code: errno) }
        let size = min(Int(status.st_size), BoardLayout.fileBytesMax)
        var bytes = [UInt8](repeating: 0, count: size)
        var done = 0
        while done < size {
            let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress.map { $0 + done }, size - done, off_t(done)) }
            guard count >= 0 else { throw .failed("\(path) cannot be read", code: errno) }
            guard count > 0 else { break }
            done += count
        }
        return Array(bytes.prefix(done))
    }

    /// As the end of the process would.
    func unlock() { flock(descriptor, LOCK_UN) }

    func remove() { unlink(path) }
}

/// Memory that is a part of a file.
///
/// `@unchecked Sendable`: its users divide it among themselves; no two write the same bytes at one time.
final class Mapping: @unchecked Sendable {
    private let address: UnsafeMutableRawPointer
    private let bytes: Int

    fileprivate init(_ address: UnsafeMutableRawPointer, bytes: Int) {
        self.address = address
        self.bytes = bytes
    }

    deinit { munmap(address, bytes) }

    func write(_ word: UInt64, at offset: Int) { address.storeBytes(of: word.littleEndian, toByteOffset: offset, as: UInt64.self) }

    func write(_ record: [UInt8], at offset: Int) {
        precondition(offset + record.count <= bytes, "a record beyond its slot")
        record.withUnsafeBytes { if let base = $0.baseAddress { (address + offset).copyMemory(from: base, byteCount: $0.count) } }
    }
}
