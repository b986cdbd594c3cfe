internal import Synchronization

/// The events of one run: what a late, slow or reconnecting reader may ask for (design §6).
///
/// Numbers are contiguous from 1. The log is bounded in bytes; where the oldest were dropped a read answers a gap with
/// its range, never a hole in silence. State is in a `Mutex` held for one append or one read; callbacks run outside it.
public final class RunLog: Sendable {
    private struct Observer {
        let id: Int
        let onAdvance: @Sendable () -> Void
    }

    private struct State {
        var storage: RunLogStorage
        /// Those who read, and the mirror if there is one.
        var observers: [Observer] = []
        var isMirrored = false
        var nextObserver = 0
        var onReaders: (@Sendable (Int, Int) -> Void)?
        var readersVersion = 0
        var readers: Int { isMirrored ? observers.count - 1 : observers.count }

        /// The reader count has changed: whom to tell what.
        mutating func readersChanged() -> () -> Void {
            readersVersion += 1
            guard let onReaders else { return {} }
            let (count, version) = (readers, readersVersion)
            return { onReaders(count, version) }
        }
    }

    public let identity: RunIdentity
    private let state: Mutex<State>
    private let subscribersMax: Int

    /// - Parameter startedAt: milliseconds since 1970; events carry times from there on.
    public init(identity: RunIdentity, startedAt: Int64, limits: EngineLimits = EngineLimits()) {
        self.identity = identity
        subscribersMax = limits.subscribersMax
        state = Mutex(State(storage: RunLogStorage(bytesMax: limits.logBytesMax, startedAt: startedAt)))
    }

    /// The log of a run of which only its end is known: readers get a gap from where they were, and the end.
    ///
    /// - Parameter terminal: an event with an outcome; its number is above every one that a log can give.
    public init(identity: RunIdentity, endedAt: Int64, terminal: RunEventBody, limits: EngineLimits = EngineLimits()) {
        self.identity = identity
        subscribersMax = limits.subscribersMax
        var storage = RunLogStorage(bytesMax: limits.logBytesMax, startedAt: endedAt, firstSeq: RunLogStorage.endSeq)
        _ = storage.append(terminal, at: endedAt)
        state = Mutex(State(storage: storage))
    }

    /// The number of the newest event; 0 before the first.
    public var lastSeq: Int { state.withLock { $0.storage.lastSeq } }
    /// The number of the oldest event still held.
    public var firstSeq: Int { state.withLock { $0.storage.firstSeq } }
    /// The event that ended the run, once it has ended.
    public var terminal: RunEventBody? { state.withLock { $0.storage.terminal } }
    /// What the log holds, the terminal event not counted.
    public var byteCount: Int { state.withLock { $0.storage.byteCount } }

    /// Appends a text delta. Ignored after the terminal event, which the run machine never lets happen.
    func append(text: String, marker: DeltaMarker, index: Int, at milliseconds: Int64) {
        notify(
            state.withLock {
                guard $0.storage.append(text: text, marker: marker, index: index, at: milliseconds) != nil else {
                    return []
                }
                return $0.observers
            })
    }

    /// Appends any event. Ignored after the terminal event.
    func append(_ body: RunEventBody, at milliseconds: Int64) {
        notify(
            state.withLock {
                guard $0.storage.append(body, at: milliseconds) != nil else { return [] }
                return $0.observers
            })
    }

    private func notify(_ observers: [Observer]) {
        for observer in observers { observer.onAdvance() }
    }

    /// The events after `seq`, neighbouring deltas merged, with at most `maxBytes` of text and event bytes, but at least
    /// one event when there is one. Empty when nothing new is there.
    public func read(after seq: Int, maxBytes: Int) -> [LogEntry] {
        state.withLock { $0.storage.read(after: seq, maxBytes: maxBytes) }
    }

    /// Calls `onAdvance` after each append, from the appender's thread and outside the lock: set a flag, hop, return.
    /// What was appended before is not announced, so subscribe first and read then.
    ///
    /// - Returns: the subscription, which ends with `cancel()` or with its last reference; nil when the run has as many
    ///   subscribers as ``EngineLimits/subscribersMax``.
    public func subscribe(onAdvance: @escaping @Sendable () -> Void) -> Subscription? {
        let (id, tell): (Int?, () -> Void) = state.withLock {
            guard $0.readers < subscribersMax else { return (nil, {}) }
            $0.nextObserver += 1
            $0.observers.append(Observer(id: $0.nextObserver, onAdvance: onAdvance))
            return ($0.nextObserver, $0.readersChanged())
        }
        tell()
        guard let id else { return nil }
        return Subscription(log: self, id: id)
    }

    fileprivate func unsubscribe(_ id: Int) {
        let tell: () -> Void = state.withLock { state in
            let count = state.observers.count
            state.observers.removeAll { $0.id == id }
            return state.observers.count < count ? state.readersChanged() : {}
        }
        tell()
    }

    /// Whether anybody reads it.
    public var hasReaders: Bool { state.withLock { $0.readers > 0 } }

    // MARK: Other nodes

    /// Calls `onAppend` after each append, as ``subscribe(onAdvance:)`` does, for whoever carries the log to other nodes: that is no reader,
    /// and keeps no run alive. Called once, before the first event.
    public func mirror(onAppend: @escaping @Sendable () -> Void) {
        state.withLock {
            guard !$0.isMirrored else { return }
            $0.isMirrored = true
            $0.observers.append(Observer(id: 0, onAdvance: onAppend))
        }
    }

    /// What a log elsewhere lacks after `seq`, in batches as ``read(after:maxBytes:)`` gives them. Where the first number is not the next
    /// one, what lies between is no longer held.
    public func readShared(after seq: Int, maxBytes: Int) -> [SharedEvent] {
        state.withLock { $0.storage.readShared(after: seq, maxBytes: maxBytes) }
    }

    /// Appends what the run's own log has, at another node. May come twice and overlap; a gap stays a gap for readers.
    public func follow(_ event: SharedEvent) {
        notify(state.withLock { $0.storage.follow(event) ? $0.observers : [] })
    }

    /// Calls `changed` with the number of subscribers and a version at each change, outside the lock and perhaps out of order,
    /// and once at once.
    func watchReaders(_ changed: @escaping @Sendable (_ readers: Int, _ version: Int) -> Void) {
        let tell: () -> Void = state.withLock {
            $0.onReaders = changed
            return $0.readersChanged()
        }
        tell()
    }

    /// A place in the list of those who are told. Ends when it is released.
    public final class Subscription: Sendable {
        private let log: RunLog
        private let id: Int

        fileprivate init(log: RunLog, id: Int) {
            self.log = log
            self.id = id
        }

        /// No call of `onAdvance` begins after this returns, but one may still be running.
        public func cancel() { log.unsubscribe(id) }

        deinit { log.unsubscribe(id) }
    }
}
