internal import Foundation
internal import JSON
internal import Supervisor

/// A directory of policies: `.cedar` files and the `.test.yaml` files beside them, read as a whole. Reads files: not on an event loop.
///
/// While a set is being published its ``PolicyJournal`` stands for the directory: the set is the old one or the new one, never parts of both.
struct PolicyFolder: Sendable {
    /// What a set of policies has; more is a wrong directory.
    private static let entriesMax = 1_000
    private static let fileBytesMax = 1 << 20
    private static let testNodesMax = 100_000
    /// Readings of a directory that others change meanwhile, before it is said that it does.
    private static let readings = 5
    /// What may lie beside policies without being read.
    private static let others: Set<String> = ["md", "txt", "cedarschema"]

    let path: String
    let files: [PolicyFile]
    let tests: [PolicyTestFile]
    /// The tests as they were written.
    let testTexts: [PolicyFile]

    /// - Throws: ``PolicyLoadError`` with what cannot be read.
    init(_ path: String) throws(PolicyLoadError) {
        for _ in 0..<Self.readings {
            let before = Self.stamp(of: path)
            let texts = try Self.texts(in: path)
            // Names and texts are read one after another: only what was the same all the while was ever a set.
            if before == Self.stamp(of: path) {
                try self.init(path, texts: texts)
                return
            }
        }
        throw PolicyLoadError([Self.finding("", "the directory \(path) is being changed; try again")])
    }

    /// A set that is in no directory yet.
    ///
    /// - Parameter texts: policies and tests, by their names.
    init(_ path: String, texts: [PolicyFile]) throws(PolicyLoadError) {
        self.path = path
        files = texts.filter { !Self.isTest($0.name) }
        testTexts = texts.filter { Self.isTest($0.name) }
        var (tests, findings): ([PolicyTestFile], [PolicyFinding]) = ([], [])
        for file in testTexts {
            do {
                guard let value = try StrictYAML(bytesMax: Self.fileBytesMax, nodesMax: Self.testNodesMax).value(of: file.text) else {
                    findings.append(Self.finding(file.name, "is empty"))
                    continue
                }
                tests.append(PolicyTestFile(name: file.name, value: value))
            } catch {
                findings.append(PolicyFinding(.error, "file", file: file.name, line: error.line ?? 0, message: error.message))
            }
        }
        guard findings.isEmpty else { throw PolicyLoadError(findings) }
        self.tests = tests
    }

    /// The set that is in force when all of it can be: every mistake of it otherwise.
    func bundle(for catalog: ToolCatalog) throws(PolicyLoadError) -> PolicyBundle {
        try PolicyBundle(files: files, tests: tests, catalog: catalog)
    }

    static func isTest(_ name: String) -> Bool { name.hasSuffix(".test.yaml") || name.hasSuffix(".test.yml") }

    private static func texts(in path: String) throws(PolicyLoadError) -> [PolicyFile] {
        do { if let journal = try PolicyJournal.read(in: path) { return journal.files } } catch {
            throw PolicyLoadError([finding("", "the journal of a set that is being published cannot be read: \(error)")])
        }
        let names: [String]
        do { names = try Self.names(in: path) } catch {
            throw PolicyLoadError([finding("", "the directory \(path) cannot be read")])
        }
        guard names.count <= entriesMax else {
            throw PolicyLoadError([finding("", "the directory \(path) has more than \(entriesMax) entries")])
        }
        var (texts, findings): ([PolicyFile], [PolicyFinding]) = ([], [])
        for name in names {
            guard isTest(name) || name.hasSuffix(".cedar") else {
                if let finding = stranger(name) { findings.append(finding) }
                continue
            }
            guard let text = text(of: "\(path)/\(name)") else {
                findings.append(finding(name, "must be a file of UTF-8 text of at most 1 MiB"))
                continue
            }
            texts.append(PolicyFile(name: name, text: text))
        }
        guard findings.isEmpty else { throw PolicyLoadError(findings) }
        return texts
    }

    /// Files that are not hidden, by their paths below the directory.
    static func names(in path: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: path).filter { name in
            var isFolder = ObjCBool(false)
            let isHidden = name.split(separator: "/").contains { $0.hasPrefix(".") }
            return !isHidden && FileManager.default.fileExists(atPath: "\(path)/\(name)", isDirectory: &isFolder) && !isFolder.boolValue
        }.sorted()
    }

    /// A policy whose name is misspelt would be a policy that nobody misses.
    private static func stranger(_ name: String) -> PolicyFinding? {
        let ending = name.split(separator: ".").last.map(String.init) ?? ""
        guard name.contains("."), others.contains(ending) || name.hasSuffix("~") else {
            return finding(name, "is neither a policy (.cedar) nor a test (.test.yaml)")
        }
        return nil
    }

    private static func finding(_ file: String, _ message: String) -> PolicyFinding {
        PolicyFinding(.error, "file", file: file, message: message)
    }

    private static func text(of path: String) -> String? {
        guard let data = FileManager.default.contents(atPath: path), data.count <= fileBytesMax else { return nil }
        return String(data: data, encoding: .utf8)
    }

    /// What changes when a file of the directory does; nil where it cannot be read. Costs a `stat` for each entry.
    static func stamp(of path: String) -> [String: FileIdentity]? {
        guard let names = try? names(in: path), names.count <= entriesMax else { return nil }
        var stamp: [String: FileIdentity] = [:]
        for name in names + [PolicyJournal.name] { stamp[name] = FileIdentity("\(path)/\(name)") }
        return stamp
    }
}
