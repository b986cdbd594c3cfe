internal import CSandboxFiles
internal import Digest
internal import Glibc

/// Lists what a dead sandbox left in `/w`. Blocks: for a ``Lane``.
///
/// The files are an attacker's, so nothing is followed: each is opened beneath the directory without symbolic links, and only
/// a regular file with a single name is read. Everything is bounded, the walk too.
struct ArtefactCollector: Sendable {
    /// Directories within directories.
    static let deepest = 8
    /// Names that are looked at. `/w` holds ``SandboxLimits/workNames``, which an operator may raise.
    static let looks = 20_000
    /// Refusals that are listed, beyond what is accepted.
    static let refusals = 100

    private let root: Int32
    private let limits: SandboxLimits
    private var looked = 0

    /// What is in `work`, by name; empty when it cannot be opened.
    static func collect(_ work: String, _ limits: SandboxLimits) -> [SandboxArtefact] {
        let root = open(work, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard root >= 0 else { return [] }
        defer { close(root) }
        var collector = ArtefactCollector(root: root, limits: limits)
        let paths = collector.walk([], depth: 0).sorted { $0.lexicographicallyPrecedes($1) }
        return collector.list(paths)
    }

    private init(root: Int32, limits: SandboxLimits) {
        self.root = root
        self.limits = limits
    }

    /// Everything that is not a directory, and directories that are too deep to look into.
    private mutating func walk(_ directory: [UInt8], depth: Int) -> [[UInt8]] {
        var paths: [[UInt8]] = []
        for name in names(in: directory) {
            let path = directory.isEmpty ? name : directory + [UInt8(ascii: "/")] + name
            if depth < Self.deepest, isDirectory(path) { paths += walk(path, depth: depth + 1) } else { paths.append(path) }
        }
        return paths
    }

    private mutating func names(in directory: [UInt8]) -> [[UInt8]] {
        let descriptor = directory.isEmpty ? beneath([UInt8(ascii: ".")]) : beneath(directory)
        guard descriptor >= 0 else { return [] }
        guard let stream = fdopendir(descriptor) else {
            close(descriptor)
            return []
        }
        defer { closedir(stream) }
        var names: [[UInt8]] = []
        while looked < Self.looks, let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { [UInt8]($0.prefix { $0 != 0 }) }
            guard name != [0x2E], name != [0x2E, 0x2E] else { continue }
            looked += 1
            names.append(name)
        }
        return names
    }

    private func list(_ paths: [[UInt8]]) -> [SandboxArtefact] {
        var files = 0
        var refusals = 0
        var artefacts: [SandboxArtefact] = []
        for path in paths {
            let artefact = look(at: path, isFull: files >= limits.artefacts)
            if case .file = artefact { files += 1 } else { refusals += 1 }
            if case .refused = artefact, refusals > Self.refusals { continue }
            artefacts.append(artefact)
        }
        return artefacts
    }

    private func look(at path: [UInt8], isFull: Bool) -> SandboxArtefact {
        func refused(_ reason: SandboxArtefact.Refusal) -> SandboxArtefact {
            .refused(name: ArtefactName.shown(path), reason: reason)
        }
        guard let name = ArtefactName.checked(path) else { return refused(.unsafeName) }
        let descriptor = beneath(path)
        guard descriptor >= 0 else { return refused(descriptor == -ELOOP ? .symbolicLink : descriptor == -ENXIO ? .notAFile : .unreadable) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return refused(.unreadable) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: return refused(.tooDeep)
        default: return refused(.notAFile)
        }
        guard status.st_nlink == 1 else { return refused(.hardLink) }
        guard Int64(status.st_size) <= limits.artefactBytes else { return refused(.tooLarge) }
        guard !isFull else { return refused(.tooMany) }
        guard let (bytes, digest) = digest(of: descriptor) else { return refused(.unreadable) }
        return .file(name: name, bytes: bytes, sha256: Digest.hex(digest))
    }

    private func digest(of descriptor: Int32) -> (Int64, [UInt8])? {
        guard var stream = SHA256Stream() else { return nil }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { buffer.deallocate() }
        var total: Int64 = 0
        while true {
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            if count == 0 { return (total, stream.finish()) }
            total += Int64(count)
            // Nobody writes any more; if somebody does, the file is not what was looked at.
            guard count > 0, total <= limits.artefactBytes else { return nil }
            stream.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    private func isDirectory(_ path: [UInt8]) -> Bool {
        let descriptor = beneath(path)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var status = stat()
        return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// A descriptor, or a negative errno.
    private func beneath(_ path: [UInt8]) -> Int32 {
        (path.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { csandbox_open_beneath(root, $0.baseAddress) }
    }
}
