import Foundation
import Testing

@testable import kdcube

@Suite("A file of tools while another is published")
struct CatalogPublicationTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "kdcube-\(UUID().uuidString)").path
    private var path: String { folder + "/tools.yaml" }

    private func place() throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try "old".write(toFile: path, atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
    }

    private var text: String? { FileManager.default.contents(atPath: path).flatMap { String(data: $0, encoding: .utf8) } }

    @Test("is the old one until it is the new one, for one hand at a time, and as readable as before")
    func isWhole() throws {
        try place()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let publication = try CatalogPublication.prepare("new", in: path)
        #expect(text == "old")
        #expect(throws: PublicationFault.self) { try CatalogPublication.prepare("other", in: path) }
        try publication.commit()
        #expect(text == "new")
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o640)
        try CatalogPublication.prepare("newer", in: path).abandon()
        #expect(text == "new")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == [".kdcube-tools.lock", "tools.yaml"])
    }

    @Test("is left alone when it has content that nobody has looked at, and when it is a link")
    func isKept() throws {
        try place()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(throws: PublicationFault.self) { try CatalogPublication.prepare("new", in: path) { true } }
        let link = folder + "/link.yaml"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
        #expect(throws: PublicationFault.self) { try CatalogPublication.prepare("new", in: link) }
        #expect(text == "old")
    }
}
