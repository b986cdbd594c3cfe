import Foundation
import Testing

/// The documentation of the library beside code that compiles (`DocumentationCode.swift`). Needs nothing.
@Suite("Transport: documentation")
struct DocumentationTests {
    @Test("Every piece of Swift in the catalog is code that compiles, but for manifests of packages") func compiles() throws {
        let file = URL(filePath: #filePath)
        let folder = file.deletingLastPathComponent()
        let root = folder.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let catalog = root.appending(path: "Sources/Transport/Realtime/Transport.docc")
        let code = Self.words(try String(contentsOf: folder.appending(path: "DocumentationCode.swift"), encoding: .utf8))
        let articles = try FileManager.default.contentsOfDirectory(at: catalog, includingPropertiesForKeys: nil)
        #expect(articles.count >= 9)
        for article in articles where article.pathExtension == "md" {
            for piece in try String(contentsOf: article, encoding: .utf8).components(separatedBy: "```swift\n").dropFirst() {
                let shown = piece.components(separatedBy: "```")[0]
                if shown.hasPrefix("// swift-tools-version") { continue }
                #expect(code.contains(Self.words(shown)), "\(article.lastPathComponent):\n\(shown)")
            }
        }
    }

    private static func words(_ text: String) -> String {
        text.split { $0.isWhitespace }.filter { $0 != "static" }.joined(separator: " ")
    }
}
