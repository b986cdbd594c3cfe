public import JSON

/// How something is about to be sent to one socket (S20). An immutable value: each method gives another one.
public struct SocketOperator: Sendable {
    let socket: Socket
    private var flags = EmitFlags()
    private var timeout: Duration?

    init(_ socket: Socket) {
        self.socket = socket
    }

    private func changed(_ change: (inout SocketOperator) -> Void) -> SocketOperator {
        var copy = self
        change(&copy)
        return copy
    }

    /// See ``BroadcastOperator/volatile``.
    public var volatile: SocketOperator { changed { $0.flags.isVolatile = true } }
    /// See ``BroadcastOperator/compress(_:)``.
    public func compress(_ isOn: Bool) -> SocketOperator { changed { $0.flags.compresses = isOn } }
    /// How long an acknowledgement is waited for.
    public func timeout(_ timeout: Duration) -> SocketOperator { changed { $0.timeout = timeout } }

    /// Everybody but this socket.
    public var broadcast: BroadcastOperator {
        BroadcastOperator(socket.namespace, target: BroadcastTarget(except: [socket.id]), flags: flags)
    }
    /// The members of these rooms but this socket.
    public func to(_ rooms: [String]) -> BroadcastOperator { broadcast.to(rooms) }
    /// The members of these rooms but this socket.
    public func to(_ rooms: String...) -> BroadcastOperator { broadcast.to(rooms) }

    /// Sends an event to the socket. See ``Socket/emit(_:_:)-(String,_)``.
    public func emit(_ event: String, _ arguments: [JSONValue] = []) { socket.emit(event, arguments, flags) }

    /// See ``Socket/emitWithAck(_:_:timeout:)-(String,_,_)``. Never volatile.
    public func emitWithAck(_ event: String, _ arguments: [JSONValue] = []) async throws(AcknowledgementError) -> [JSONValue] {
        try await socket.emitWithAck(event, arguments, timeout: timeout)
    }
}

extension Socket {
    // MARK: Operators

    /// See ``BroadcastOperator/volatile``.
    public var volatile: SocketOperator { SocketOperator(self).volatile }
    /// See ``BroadcastOperator/compress(_:)``.
    public func compress(_ isOn: Bool) -> SocketOperator { SocketOperator(self).compress(isOn) }
    /// How long an acknowledgement is waited for.
    public func timeout(_ timeout: Duration) -> SocketOperator { SocketOperator(self).timeout(timeout) }

    /// Everybody in the namespace but this socket.
    public var broadcast: BroadcastOperator { SocketOperator(self).broadcast }
    /// The members of these rooms but this socket.
    public func to(_ rooms: [String]) -> BroadcastOperator { broadcast.to(rooms) }
    /// The members of these rooms but this socket.
    public func to(_ rooms: String...) -> BroadcastOperator { broadcast.to(rooms) }
    /// The members of these rooms but this socket.
    public func `in`(_ rooms: [String]) -> BroadcastOperator { broadcast.to(rooms) }
    /// The members of these rooms but this socket.
    public func `in`(_ rooms: String...) -> BroadcastOperator { broadcast.to(rooms) }
    /// Everybody but this socket and the members of these rooms.
    public func except(_ rooms: [String]) -> BroadcastOperator { broadcast.except(rooms) }
    /// Everybody but this socket and the members of these rooms.
    public func except(_ rooms: String...) -> BroadcastOperator { broadcast.except(rooms) }
    /// Everybody on this server but this socket.
    public var local: BroadcastOperator { broadcast.local }
}
