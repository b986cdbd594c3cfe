internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Synchronization

/// Judges nodes by their key. Any thread; the state is in a short `Mutex`.
final class PeerKeys: Sendable {
    private struct State {
        var known: KnownKeys
        /// The last look at the file, or the one that is going on.
        var look: (result: EventLoopFuture<Void>, at: NIODeadline)?
    }

    private let state: Mutex<State>
    private let renewed: (@Sendable () -> [UInt8]?)?

    init(own: [UInt8], renewed: (@Sendable () -> [UInt8]?)?) {
        state = Mutex(State(known: KnownKeys(own: own)))
        self.renewed = renewed
    }

    func replace(by key: [UInt8]) { state.withLock { $0.known.replace(by: key, at: .now()) } }

    /// TLS itself has the node prove that it holds the private key of the first certificate of `chain`.
    func judge(_ chain: [NIOSSLCertificate], _ verdict: EventLoopPromise<NIOSSLVerificationResult>) {
        guard let key = chain.first?.publicKeyBytes else { return verdict.succeed(.failed) }
        if knows(key) { return verdict.succeed(.certificateVerified) }
        guard let renewed else { return verdict.succeed(.failed) }
        lookAgain(renewed, on: verdict.futureResult.eventLoop).whenComplete { [self] _ in
            verdict.succeed(knows(key) ? .certificateVerified : .failed)
        }
    }

    private func knows(_ key: [UInt8]) -> Bool { state.withLock { $0.known.contains(key, at: .now()) } }

    /// One look for all who ask at about the same time: a node with a wrong key must not keep the disk busy.
    private func lookAgain(_ read: @escaping @Sendable () -> [UInt8]?, on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        state.withLock { state in
            let now = NIODeadline.now()
            if let look = state.look, now - look.at < RelayLimits.keyLookInterval { return look.result.hop(to: eventLoop) }
            let result = NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { [self] in
                guard let pem = read(), let key = try? NIOSSLCertificate.fromPEMBytes(pem).first?.publicKeyBytes else { return }
                self.state.withLock { $0.known.saw(key) }
            }
            state.look = (result, now)
            return result
        }
    }
}
