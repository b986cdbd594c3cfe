import HTTPTypes
import JSON
import Testing

@testable import Engine
@testable import kdcube

@Suite("A run's log, read for one client of another dialect")
struct CompletionReaderTests {
    private func handle(_ limits: EngineLimits = EngineLimits()) -> RunHandle {
        let identity = RunIdentity(run: RunID(), conversation: ConversationID(), turn: TurnID())
        return RunHandle(
            identity: identity, tenant: Tenant(org: "acme", project: "web", user: nil, key: "k"), model: "m", startedAt: 0,
            log: RunLog(identity: identity, startedAt: 0, limits: limits))
    }

    private let seal = RunEventBody.step(
        RunStep(step: ThinkingSeal.step, status: .completed, title: "", data: JSONObject([("type", "redacted")])))

    @Test("what was sealed before the first token opens the answer with it, whenever the token comes", arguments: [false, true])
    func seals(waits: Bool) async throws {
        let handle = handle()
        let reader = CompletionReader(handle)
        handle.log.append(.start(model: "m", message: ""), at: 0)
        handle.log.append(seal, at: 0)
        let opening = Task { try await reader.opening() }
        // The reader has taken the seal by then, most probably; the answer is the same if it has not.
        if waits { for _ in 0..<1_000 { await Task.yield() } }
        handle.log.append(text: "Yes", marker: .answer, index: 0, at: 0)
        let entries = try await opening.value.entries
        #expect(entries.contains { $0.body == seal } && entries.last?.body.isAnswer == true)
        #expect(entries.map(\.seq) == entries.map(\.seq).sorted())
        handle.log.append(.complete(finalAnswer: "Yes", finishReason: "stop", .nothing), at: 0)
    }

    @Test("a part is not the whole: an answer whose beginning the log has lost is none")
    func gaps() async throws {
        var limits = EngineLimits()
        limits.logBytesMax = 2_000
        let handle = handle(limits)
        let reader = CompletionReader(handle)
        for index in 0..<100 { handle.log.append(text: String(repeating: "x", count: 100), marker: .answer, index: index % 2, at: 0) }
        handle.log.append(.complete(finalAnswer: "", finishReason: "stop", .nothing), at: 0)
        let failure = await #expect(throws: HTTPFailure.self) { _ = try await reader.whole(CompletionReader.Opening()) }
        #expect(failure?.code == "events_lost" && failure?.status == .gone)
    }
}
