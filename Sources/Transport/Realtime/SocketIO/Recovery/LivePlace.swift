internal import NIOCore

/// A socket's place while it is connected: the loop it lives on, and how it is reached there.
final class LivePlace: Sendable {
    let loop: Int
    let eventLoop: any EventLoop
    /// Nil until the socket has joined, and after its end.
    let core: NIOLoopBoundBox<SocketCore?>

    init(loop: Int, eventLoop: any EventLoop) {
        self.loop = loop
        self.eventLoop = eventLoop
        core = NIOLoopBoundBox.makeBoxSendingValue(nil, eventLoop: eventLoop)
    }
}
