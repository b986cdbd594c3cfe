internal import Foundation
internal import JSON
internal import Supervisor

/// A directory of policies: `.cedar` files and the `.test.yaml` files beside them, read as a whole. Reads files: not on an event loop.
struct PolicyFolder: Sendable {
    /// What a set of policies has; more is a wrong directory.
    private static let entriesMax = 1_000
    private static let fileBytesMax = 1 << 20
    private static let testNodesMax = 100_000
    /// What may lie beside policies without being read.
    private static let others: Set<String> = ["md", "txt", "cedarschema"]

    let path: String
    let files: [PolicyFile]
    let tests: [PolicyTestFile]

    /// - Throws: ``PolicyLoadError`` with what cannot be read.
    init(_ path: String) throws(PolicyLoadError) {
        self.path = path
        let names: [String]
        do { names = try Self.names(in: path) } catch {
            throw PolicyLoadError([Self.finding("", "the directory \(path) cannot be read")])
        }
        guard names.count <= Self.entriesMax else {
            throw PolicyLoadError([Self.finding("", "the directory \(path) has more than \(Self.entriesMax) entries")])
        }
        var (files, tests, findings): ([PolicyFile], [PolicyTestFile], [PolicyFinding]) = ([], [], [])
        for name in names {
            let isTest = name.hasSuffix(".test.yaml") || name.hasSuffix(".test.yml")
            guard isTest || name.hasSuffix(".cedar") else {
                if let finding = Self.stranger(name) { findings.append(finding) }
                continue
            }
            guard let text = Self.text(of: "\(path)/\(name)") else {
                findings.append(Self.finding(name, "must be a file of UTF-8 text of at most 1 MiB"))
                continue
            }
            guard isTest else {
                files.append(PolicyFile(name: name, text: text))
                continue
            }
            do {
                guard let value = try StrictYAML(bytesMax: Self.fileBytesMax, nodesMax: Self.testNodesMax).value(of: text) else {
                    findings.append(Self.finding(name, "is empty"))
                    continue
                }
                tests.append(PolicyTestFile(name: name, value: value))
            } catch {
                findings.append(PolicyFinding(.error, "file", file: name, line: error.line ?? 0, message: error.message))
            }
        }
        guard findings.isEmpty else { throw PolicyLoadError(findings) }
        self.files = files
        self.tests = tests
    }

    /// The set that is in force when all of it can be: every mistake of it otherwise.
    func bundle(for catalog: ToolCatalog) throws(PolicyLoadError) -> PolicyBundle {
        try PolicyBundle(files: files, tests: tests, catalog: catalog)
    }

    private static func names(in path: String) throws -> [String] {
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
        for name in names { stamp[name] = FileIdentity("\(path)/\(name)") }
        return stamp
    }
}
