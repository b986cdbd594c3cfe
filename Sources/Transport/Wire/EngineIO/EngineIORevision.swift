/// The revision of Engine.IO that a session speaks, as the query's `EIO` names it (E2, L1).
public enum EngineIORevision: UInt8, Sendable, Hashable, CaseIterable {
    /// Clients of Socket.IO 2: lengths before the packets of a polling body, a type byte before binary messages, and the
    /// heartbeat is the client's (L2–L4).
    case three = 3
    /// Clients of Socket.IO 3 and later.
    case four = 4
}
