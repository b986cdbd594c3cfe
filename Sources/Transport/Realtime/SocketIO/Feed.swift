internal import NIOCore
internal import Synchronization

/// Where a feed takes its events from, for streams whose data is kept anyway: the reader decides when it is read.
public protocol FeedSource: AnyObject, Sendable {
    /// Called on the socket's event loop when the session has room. Must not block.
    func read(into writer: inout FeedWriter) -> FeedState
    /// Called once when the source will not be read any more and did not say so itself: the socket has left, or could take no
    /// more feeds. On the event loop.
    func closed()
}

extension FeedSource {
    /// Nothing.
    public func closed() {}
}

/// What a source says after a turn.
public enum FeedState: Sendable, Hashable {
    /// Nothing more now. The next turn follows the next ``Feed/signal()``.
    case idle
    /// There is more, but the writer is full.
    case more
    /// There will be no more: the feed is removed.
    case finished
}

/// One source's way into one socket. A slow reader costs bounded memory and loses nothing: while its session's queue is
/// above the high-water mark the source is not read, and it keeps the data.
public final class Feed: Sendable {
    let source: any FeedSource
    private let eventLoop: any EventLoop
    private let core: NIOLoopBound<SocketCore>
    private let isSignalled = Atomic<Bool>(false)

    init(_ source: any FeedSource, eventLoop: any EventLoop, core: NIOLoopBound<SocketCore>) {
        self.source = source
        self.eventLoop = eventLoop
        self.core = core
    }

    /// There is something to read. Any thread, as often as it likes: a burst of signals is one hop, and while the session has
    /// no room they are none.
    public func signal() {
        guard !isSignalled.exchange(true, ordering: .acquiringAndReleasing) else { return }
        wake()
    }

    /// Gives the turn that was asked for, or that the feed has waited for room with.
    func wake() {
        eventLoop.execute { self.core.value.turn(self) }
    }

    /// Before a read: what is signalled during it is read in another turn.
    func answer() { isSignalled.store(false, ordering: .sequentiallyConsistent) }

    /// The feed waits for room: until it is woken a signal says nothing new.
    func wait() { isSignalled.store(true, ordering: .sequentiallyConsistent) }

    /// Removes the feed; the source is not read any more once the loop has heard of it.
    public func cancel() {
        eventLoop.execute { self.core.value.close(self) }
    }
}
