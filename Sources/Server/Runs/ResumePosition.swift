internal import Engine
internal import Hummingbird

/// Where a reader wants to go on: `Last-Event-ID: <run_id>:<seq>`, or `?after=SEQ`; from the start without either.
struct ResumePosition: Sendable, Hashable {
    let after: Int

    /// - Throws: 400 when it is no number, or another run's.
    init(_ request: Request, run: RunID) throws(HTTPFailure) {
        if let header = request.headers[.lastEventID], !header.isEmpty {
            let parts = header.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0] == run.text, let seq = Self.number(parts[1]) else {
                throw .badRequest("Last-Event-ID must be <run_id>:<seq> of this run.", param: "last-event-id")
            }
            after = seq
        } else if let text = request.uri.queryParameters["after"] {
            guard let seq = Self.number(text) else {
                throw .badRequest("after must be a sequence number.", param: "after")
            }
            after = seq
        } else {
            after = 0
        }
    }

    private static func number(_ text: Substring) -> Int? {
        guard let number = Int(text), number >= 0, number <= 1 << 40 else { return nil }
        return number
    }
}
