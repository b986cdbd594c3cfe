public import JSON

/// An event that servers do not send each other, because its name has a meaning for them (S25).
public struct ReservedServerSideName: Error, Sendable, Hashable {
    /// The name.
    public let event: String
}

extension Namespace {
    private static func check(_ event: String) throws(ReservedServerSideName) {
        guard !["connect", "connection", "new_namespace"].contains(event) else { throw ReservedServerSideName(event: event) }
    }

    /// Sends an event to the other servers of the cluster, never to this one (S25). Alone, a server tells nobody. They hear
    /// it with ``HandlerScope/onServerSide(_:_:)`` in the namespace of this name.
    public func serverSideEmit(_ event: String, _ arguments: [JSONValue] = []) throws(ReservedServerSideName) {
        try Self.check(event)
        services.cluster?.send(.serverSideEmit(event, arguments), namespace: name)
    }

    /// Asks the other servers of the cluster (S25): one answer a server. Alone, a server has its answers, none, at once.
    ///
    /// - Throws: ``IncompleteAnswers`` with the answers that came when servers did not answer in time, and with the
    ///   reason `reservedName` for a name that servers do not send each other.
    public func serverSideEmitWithAck(
        _ event: String, _ arguments: [JSONValue] = [], timeout: Duration = .seconds(TransportLimits.clusterAnswerSeconds)
    ) async throws(IncompleteAnswers) -> [JSONValue] {
        do throws(ReservedServerSideName) { try Self.check(event) } catch { throw IncompleteAnswers(.reservedName) }
        guard let cluster = services.cluster else { return [] }
        let answers = await cluster.ask(.serverSideEmit(event, arguments), namespace: name, timeout: timeout)
        guard answers.missing == 0 else { throw IncompleteAnswers(.timedOut, answers: answers.values, missing: answers.missing) }
        return answers.values
    }
}
