public import JSON
internal import Synchronization

/// What an application remembers about a socket.
public enum SocketDataError: Error, Sendable, Hashable {
    /// It would be more than ``TransportLimits/socketDataBytesMax``; nothing was changed.
    case tooLarge
}

extension Socket {
    /// JSON that the application keeps with the socket and that `fetchSockets` shows to every server (S24). Values that
    /// are not JSON, and that nobody else needs, belong into ``context``.
    public var data: JSONObject { storedData.value }

    /// Sets one member of ``data``; nil removes it.
    public func setData(_ key: String, _ value: JSONValue?) throws(SocketDataError) {
        try updateData { $0[key] = value }
    }

    /// Changes ``data`` in one step. `change` runs under a lock: it must be short and not use the socket.
    public func updateData(_ change: (inout JSONObject) -> Void) throws(SocketDataError) {
        let isSmall = storedData.update { stored in
            var changed = stored
            change(&changed)
            guard changed.weight <= TransportLimits.socketDataBytesMax else { return false }
            stored = changed
            return true
        }
        guard isSmall else { throw .tooLarge }
    }
}
