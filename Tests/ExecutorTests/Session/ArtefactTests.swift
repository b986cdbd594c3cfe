import Digest
import Glibc
import Testing

@testable import Executor

@Suite("Artefacts")
final class ArtefactTests {
    private let directory: String

    init() throws {
        var template = Array("/tmp/kdcube-artefacts-XXXXXX".utf8CString)
        directory = String(cString: try #require(mkdtemp(&template)))
    }

    deinit { removeTree(directory) }

    private var limits: SandboxLimits {
        var limits = SandboxLimits()
        limits.artefacts = 3
        limits.artefactBytes = 1_000
        return limits
    }

    private func write(_ name: String, _ bytes: [UInt8] = Array("x".utf8)) throws {
        let file = open("\(directory)/\(name)", O_WRONLY | O_CREAT | O_EXCL, 0o600)
        try #require(file >= 0)
        defer { close(file) }
        try #require(Glibc.write(file, bytes, bytes.count) == bytes.count)
    }

    private func collect() -> [SandboxArtefact] { ArtefactCollector.collect(directory, limits) }

    @Test("files are listed by name with size and digest, those of directories too")
    func files() throws {
        mkdir("\(directory)/plots", 0o700)
        try write("table.csv", Array("a,b\n".utf8))
        try write("plots/one.png", Array("png".utf8))
        #expect(
            collect() == [
                .file(name: "plots/one.png", bytes: 3, sha256: Digest.hex(Digest.sha256("png".utf8))),
                .file(name: "table.csv", bytes: 4, sha256: Digest.hex(Digest.sha256("a,b\n".utf8))),
            ])
    }

    @Test("files that nobody may read by their mode are read")
    func modes() throws {
        try write("shut")
        chmod("\(directory)/shut", 0)
        #expect(collect() == [.file(name: "shut", bytes: 1, sha256: Digest.hex(Digest.sha256("x".utf8)))])
    }

    @Test("15: symbolic links are refused, to files, to directories, inside and outside")
    func links() throws {
        symlink("/etc/shadow", "\(directory)/a")
        symlink("/etc", "\(directory)/b")
        symlink(".", "\(directory)/c")
        symlink("a", "\(directory)/d")
        #expect(collect() == ["a", "b", "c", "d"].map { .refused(name: $0, reason: .symbolicLink) })
    }

    @Test("17: FIFOs, sockets and devices are refused without waiting for a writer", .timeLimit(.minutes(1)))
    func special() throws {
        mkfifo("\(directory)/fifo", 0o600)
        mknod("\(directory)/null", S_IFCHR | 0o600, 0x103)
        mknod("\(directory)/socket", S_IFSOCK | 0o600, 0)
        #expect(collect() == ["fifo", "null", "socket"].map { .refused(name: $0, reason: .notAFile) })
    }

    @Test("a file with two names is refused under both")
    func hardLinks() throws {
        try write("one")
        link("\(directory)/one", "\(directory)/two")
        #expect(collect() == ["one", "two"].map { .refused(name: $0, reason: .hardLink) })
    }

    @Test("a file at the limit is taken, one byte more is not, and holes count")
    func sizes() throws {
        try write("fits", [UInt8](repeating: 1, count: 1_000))
        try write("large", [UInt8](repeating: 1, count: 1_001))
        try write("sparse")
        truncate("\(directory)/sparse", 1 << 40)
        let list = collect()
        #expect(list.first == .file(name: "fits", bytes: 1_000, sha256: Digest.hex(Digest.sha256([UInt8](repeating: 1, count: 1_000)))))
        #expect(list.dropFirst() == [.refused(name: "large", reason: .tooLarge), .refused(name: "sparse", reason: .tooLarge)])
    }

    @Test("as many files as allowed are taken, the others are listed, and refusals are bounded")
    func tooMany() throws {
        for index in 100..<300 { try write("f\(index)") }
        let list = collect()
        #expect(list.count == 3 + ArtefactCollector.refusals)
        #expect(list.prefix(3).allSatisfy { if case .file = $0 { true } else { false } })
        #expect(list.dropFirst(3).allSatisfy { if case .refused(_, .tooMany) = $0 { true } else { false } })
    }

    @Test("directories beyond the depth are refused, and a deep tree ends")
    func deep() throws {
        var path = directory
        for _ in 0..<40 {
            path += "/d"
            mkdir(path, 0o700)
        }
        let list = collect()
        #expect(
            list == [.refused(name: Array(repeating: "d", count: ArtefactCollector.deepest + 1).joined(separator: "/"), reason: .tooDeep)])
    }

    @Test("what is not there has no artefacts")
    func missing() { #expect(ArtefactCollector.collect(directory + "/none", limits) == []) }

    @Test(
        "18: unsafe names are refused and shown safely",
        arguments: [
            "a\nb", "tab\t", "\u{1B}[2J", "del\u{7F}", "c1\u{85}", "rtl\u{202E}gpj.exe", "zero\u{200B}width", "line\u{2028}", "back\\slash",
        ])
    func names(name: String) throws {
        try write(name)
        guard case .refused(let shown, .unsafeName) = try #require(collect().first) else { throw Unexpected() }
        #expect(shown.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value < 0x7F })
        #expect(shown.contains("\\u{"))
    }

    @Test("18: `..`, NUL, long names and bytes that are not UTF-8 are no names")
    func rules() {
        for path in ["..", ".", "a/../b", "../a", "a/..", "/a", "a//b", "a/", "", "nul\0"] {
            #expect(ArtefactName.checked(Array(path.utf8)) == nil, "\(path)")
        }
        #expect(ArtefactName.checked([UInt8](repeating: 0x61, count: 300)) == nil)
        #expect(ArtefactName.checked([UInt8](repeating: 0x61, count: 255)) != nil)
        for bytes in [[0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xC0, 0xAE]] as [[UInt8]] {
            #expect(ArtefactName.checked(bytes) == nil)
        }
        for name in ["report.pdf", "Übersicht 2026.csv", "漢字/🦆.txt", "..hidden", "a..b", "-rf"] {
            #expect(ArtefactName.checked(Array(name.utf8)) == name)
        }
        #expect(ArtefactName.shown([UInt8](repeating: 0x61, count: 5_000)).count <= ArtefactName.shown)
    }

    @Test("18: a path of 300 bytes and a name that is not UTF-8 on disk are refused")
    func onDisk() throws {
        let long = String(repeating: "n", count: 200)
        mkdir("\(directory)/\(long)", 0o700)
        try write("\(long)/\(long)")
        let bytes: [CChar] = Array(directory.utf8CString.dropLast()) + [0x2F, CChar(bitPattern: 0xFF), 0x61, 0]
        let file = open(bytes, O_WRONLY | O_CREAT, 0o600)
        try #require(file >= 0)
        close(file)
        let list = collect()
        #expect(list.count == 2)
        #expect(list.allSatisfy { if case .refused(_, .unsafeName) = $0 { true } else { false } })
    }

    private struct Unexpected: Error {}
}

/// Removes what a test made: a command, because the tree may hold names that no string can.
private func removeTree(_ path: String) {
    var pid = pid_t()
    var arguments: [UnsafeMutablePointer<CChar>?] = (["rm", "-rf", path] as [String]).map { strdup($0) } + [nil]
    if posix_spawn(&pid, "/bin/rm", nil, nil, &arguments, nil) == 0 { waitpid(pid, nil, 0) }
    for argument in arguments { free(argument) }
}
