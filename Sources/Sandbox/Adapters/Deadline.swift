/// Runs `body` for at most `limit`; then cancels it, waits for its end, and throws ``OutboundError/timeout``.
///
/// - Throws: what `body` throws before that.
func withDeadline<Result: Sendable>(
    _ limit: Duration, _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let result = first else { throw OutboundError.timeout }
        return result
    }
}
