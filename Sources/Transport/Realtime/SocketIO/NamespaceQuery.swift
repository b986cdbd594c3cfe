internal import JSON
internal import TransportWire

/// What a client of Socket.IO 2 has behind a namespace, `40/chat?token=abc`: its auth (L5).
enum NamespaceQuery {
    /// Takes the query off the namespace of a packet; a CONNECT has it as its data instead of what it brought.
    ///
    /// - Parameter namespaceBytes: bounds the namespace without the query.
    static func take(from packet: inout SocketIOPacket?, namespaceBytes: Int) throws(WireError) {
        guard var changed = packet else { return }
        let name = changed.namespace.utf8
        let mark = name.firstIndex(of: UInt8(ascii: "?")) ?? name.endIndex
        guard name.distance(from: name.startIndex, to: mark) <= namespaceBytes else { throw .namespaceTooLong }
        if changed.kind == .connect {
            var auth = JSONObject()
            if mark < name.endIndex {
                let isWhole = EngineQuery.forEach(in: name[name.index(after: mark)...]) { auth[$0] = .string($1) }
                guard isWhole else { throw .invalidPayload }
            }
            changed.data = .object(auth)
        }
        changed.namespace = String(changed.namespace[..<mark])
        packet = changed
    }

    /// The query of the request that opened the session, which is the auth of the main namespace: its clients have no
    /// other place for it.
    static func object(_ query: [(name: String, value: String)]) -> JSONObject {
        var object = JSONObject()
        for (name, value) in query { object[name] = .string(value) }
        return object
    }
}
