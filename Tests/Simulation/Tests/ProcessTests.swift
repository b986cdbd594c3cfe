import Foundation
import Simulation
import Testing

@Suite("Simulation across processes")
struct ProcessTests {
    /// Another process has other addresses and other seeds of hashing.
    @Test("another process gives the same traces", arguments: 1...2)
    func otherProcess(_ time: Int) throws {
        let program = try #require(Self.program, "the command simulate is not built")
        let process = Process()
        let output = Pipe()
        process.executableURL = program
        process.arguments = ["--seeds", "33", "--digests"]
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let ours = (UInt64(0)..<33).map { Simulation.play(seed: $0).text }
        #expect(text.split(separator: "\n").map(String.init).prefix { $0.hasPrefix("seed") } == ours[...])
    }

    /// Stands beside the test bundle.
    private static var program: URL? {
        var folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        while folder.path.count > 1 {
            let program = folder.appendingPathComponent("simulate")
            if FileManager.default.isExecutableFile(atPath: program.path) { return program }
            folder = folder.deletingLastPathComponent()
        }
        return nil
    }
}
