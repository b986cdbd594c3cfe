/// Which sockets of a namespace are meant (S20).
public struct BroadcastTarget: Sendable, Hashable {
    /// The members of these, each once; nil means all sockets, and an empty list nobody. A socket's id is a room.
    public var rooms: [String]?
    /// But none of the members of these.
    public var except: [String]

    /// All sockets, unless `rooms` names some, but for the members of `except`.
    public init(rooms: [String]? = nil, except: [String] = []) {
        self.rooms = rooms
        self.except = except
    }
}

/// How an event is sent (S20, S21).
public struct EmitFlags: Sendable, Hashable {
    /// Only the latest is kept for a socket whose transport cannot take it.
    public var isVolatile: Bool
    /// False marks data that compression would not make smaller, or must not touch.
    public var compresses: Bool

    /// An ordinary event, unless a flag says otherwise.
    public init(isVolatile: Bool = false, compresses: Bool = true) {
        self.isVolatile = isVolatile
        self.compresses = compresses
    }
}
