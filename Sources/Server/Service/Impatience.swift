internal import Synchronization
internal import UnixSignals

/// Whoever asks a second time for the end of the server wants it now. Any thread.
final class Impatience: Sendable {
    private let isRoused = Atomic<Bool>(false)

    var isHurried: Bool { isRoused.load(ordering: .relaxed) }

    /// Counts the signals that end the server; returns when it is cancelled.
    ///
    /// - Parameter hurry: called at the second one.
    func watch(_ signals: [UnixSignal], hurry: @Sendable () -> Void) async {
        var count = 0
        for await _ in await UnixSignalsSequence(trapping: signals) {
            count += 1
            guard count == 2 else { continue }
            isRoused.store(true, ordering: .relaxed)
            hurry()
        }
    }

    /// Returns at the second signal, or when it is cancelled. It is for the time of a shutdown, so it may look every few milliseconds.
    func wait() async {
        while !isHurried, !Task.isCancelled { try? await Task.sleep(for: .milliseconds(20)) }
    }
}
