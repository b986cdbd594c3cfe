public import JSON
internal import Synchronization

/// Namespaces that clients make by joining them (S17). What is registered here is inherited by every child that is made
/// later. Any thread; a `Mutex` each guards the handlers and the children.
public final class DynamicNamespace: HandlerScope {
    /// Says whether a client with this auth may have the namespace of this name.
    public typealias Predicate = @Sendable (String, JSONValue) async -> Bool

    enum Rule: Sendable {
        case pattern(NamespacePattern)
        case predicate(Predicate)
    }

    let keepsEmpty: Bool
    private let rule: Rule
    private let childrenMax: Int
    private let registered = Mutex(SharedTable())
    private let members = Mutex<[String: Namespace]>([:])

    init(_ rule: Rule, keepsEmpty: Bool, childrenMax: Int) {
        self.rule = rule
        self.keepsEmpty = keepsEmpty
        self.childrenMax = childrenMax
    }

    /// Changes what children that are made later inherit, atomically.
    public func register(_ change: (inout HandlerTable) -> Void) {
        registered.withLock { table in
            var handlers = table.handlers
            change(&handlers)
            table = SharedTable(handlers)
        }
    }

    var table: SharedTable { registered.withLock { $0 } }

    /// The children that there are now.
    public var children: [Namespace] { members.withLock { Array($0.values) } }

    /// Sends an event to all sockets of all children.
    public func emit(_ event: String, _ arguments: [JSONValue] = []) {
        for child in children { child.emit(event, arguments) }
    }

    // MARK: For the directory

    var isFull: Bool { members.withLock { $0.count >= childrenMax } }

    func insert(_ child: Namespace) { members.withLock { $0[child.name] = child } }

    func remove(_ child: Namespace) { members.withLock { $0[child.name] = nil } }

    /// Whether the rule could admit the name; without asking anybody.
    func mayAdmit(_ name: String) -> Bool {
        switch rule {
        case .pattern(let pattern): pattern.matches(name)
        case .predicate: true
        }
    }

    func matchesPattern(_ name: String) -> Bool {
        guard case .pattern(let pattern) = rule else { return false }
        return pattern.matches(name)
    }

    func admits(_ name: String, _ auth: JSONValue) async -> Bool {
        switch rule {
        case .pattern(let pattern): pattern.matches(name)
        case .predicate(let predicate): await predicate(name, auth)
        }
    }
}
