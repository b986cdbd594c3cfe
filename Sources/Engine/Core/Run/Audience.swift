/// Who listens to a run, and when it is time to give it up. Pure; ``Run`` guards it.
///
/// A reader that comes back within the grace keeps the run. Changes may be heard of out of order: each has a version, and
/// an older one than the last is ignored.
struct Audience: Sendable, Hashable {
    private let policy: RunRequest.ClientLossPolicy
    private var readers = 0
    private var version = -1
    /// Of the last grace that was begun; a reader's coming ends it.
    private var grace = 0

    init(_ policy: RunRequest.ClientLossPolicy) { self.policy = policy }

    /// A time that begins now and after which ``isOver(_:)`` is to be asked.
    struct Grace: Sendable, Hashable {
        let number: Int
        let length: Duration
    }

    /// The run begins. Its first reader may need a moment to come.
    mutating func begin() -> Grace? {
        guard case .stop(let length) = policy, readers == 0 else { return nil }
        return next(max(length, EngineLimits.firstReaderGrace))
    }

    /// There are so many readers now.
    mutating func changed(readers: Int, version: Int) -> Grace? {
        guard version > self.version else { return nil }
        self.version = version
        let hadReaders = self.readers > 0
        self.readers = readers
        grace += 1
        guard case .stop(let length) = policy, hadReaders, readers == 0 else { return nil }
        return next(length)
    }

    /// True when nobody has come in that grace, so that the run is to be ended.
    func isOver(_ number: Int) -> Bool { number == grace && readers == 0 }

    private mutating func next(_ length: Duration) -> Grace {
        grace += 1
        return Grace(number: grace, length: length)
    }
}
