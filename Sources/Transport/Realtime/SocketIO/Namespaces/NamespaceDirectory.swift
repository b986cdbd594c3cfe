internal import JSON
internal import Synchronization
internal import Telemetry

/// The namespaces of a server, and how dynamic ones come and go (S17). A `Mutex` guards the table and is held for one
/// look-up; an actor makes the children, one after the other, so that the hooks have run before anybody joins.
final class NamespaceDirectory: Sendable {
    typealias Hook = @Sendable (Namespace) -> Void

    enum Finding {
        case fixed(Namespace)
        /// A child, or what may become one: ``NamespaceDirectory/enter(_:auth:)`` knows.
        case dynamic
        case none
    }

    private struct Entry {
        let namespace: Namespace
        let parent: DynamicNamespace?
        /// Sockets that have joined, and clients that middlewares are judging. Counted for children alone.
        var users = 0
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var parents: [DynamicNamespace] = []
        var hooks: [Hook] = []
    }

    private let services: SocketServices
    private let state = Mutex(State())
    private let nursery = Nursery()

    init(_ services: SocketServices) {
        self.services = services
    }

    func add(_ parent: DynamicNamespace) -> DynamicNamespace {
        state.withLock { $0.parents.append(parent) }
        return parent
    }

    func onNewNamespace(_ hook: @escaping Hook) { state.withLock { $0.hooks.append(hook) } }

    func existing(_ name: String) -> Namespace? { state.withLock { $0.entries[name]?.namespace } }

    /// The namespace that the application asks for.
    func namespace(_ name: String) -> Namespace {
        let (namespace, hooks) = state.withLock { state -> (Namespace, [Hook]) in
            if let found = state.entries[name] { return (found.namespace, []) }
            let parent = state.parents.first { $0.matchesPattern(name) }
            let made = make(name, of: parent)
            state.entries[name] = Entry(namespace: made, parent: parent)
            parent?.insert(made)
            services.cluster?.opened(namespace: name)
            return (made, state.hooks)
        }
        for hook in hooks { hook(namespace) }
        return namespace
    }

    private func make(_ name: String, of parent: DynamicNamespace?) -> Namespace {
        Namespace(name: name, isDynamic: parent != nil, table: parent?.table ?? SharedTable(), services: services)
    }

    // MARK: What clients ask for

    func find(_ name: String) -> Finding {
        let (entry, parents) = state.withLock { ($0.entries[name], $0.parents) }
        if let entry { return entry.parent == nil ? .fixed(entry.namespace) : .dynamic }
        return parents.contains { $0.mayAdmit(name) } ? .dynamic : .none
    }

    /// The child of that name, if its rule admits the client; made when it is not there. Give it back with
    /// ``release(_:)``.
    func enter(_ name: String, auth: JSONValue) async -> Namespace? {
        let (entry, parents) = state.withLock { ($0.entries[name], $0.parents) }
        if let entry, entry.parent == nil { return entry.namespace }
        for parent in entry?.parent.map({ [$0] }) ?? parents {
            if await parent.admits(name, auth) { return await nursery.child(name, of: parent, in: self) }
        }
        return nil
    }

    /// A client has gone, or was refused. The last one takes an empty child with it.
    func release(_ namespace: Namespace) {
        guard namespace.isDynamic else { return }
        state.withLock { state in
            guard var entry = state.entries[namespace.name], entry.namespace === namespace, let parent = entry.parent else { return }
            entry.users -= 1
            assert(entry.users >= 0, "a namespace was given back too often")
            if entry.users == 0, !parent.keepsEmpty {
                state.entries[namespace.name] = nil
                parent.remove(namespace)
                services.cluster?.closed(namespace: namespace.name)
            } else {
                state.entries[namespace.name] = entry
            }
        }
    }

    /// Counts one more user of the namespace, if it is there; else `made` takes its place, if there is one.
    private func enter(_ name: String, orInsert made: Namespace? = nil, of parent: DynamicNamespace) -> Namespace? {
        state.withLock { state in
            if var entry = state.entries[name] {
                entry.users += entry.parent == nil ? 0 : 1
                state.entries[name] = entry
                return entry.namespace
            }
            guard let made else { return nil }
            state.entries[name] = Entry(namespace: made, parent: parent, users: 1)
            parent.insert(made)
            services.cluster?.opened(namespace: name)
            return made
        }
    }

    /// Makes the children.
    private actor Nursery {
        func child(_ name: String, of parent: DynamicNamespace, in directory: NamespaceDirectory) -> Namespace? {
            if let found = directory.enter(name, of: parent) { return found }
            guard !parent.isFull else {
                directory.services.refusedNamespaces.add()
                return nil
            }
            let made = directory.make(name, of: parent)
            for hook in directory.state.withLock({ $0.hooks }) { hook(made) }
            // The application may have made it meanwhile, or a hook by asking for it: then that one counts.
            return directory.enter(name, orInsert: made, of: parent)
        }
    }
}
