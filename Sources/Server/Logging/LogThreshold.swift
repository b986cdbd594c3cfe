internal import Logging
internal import Synchronization

/// The least level of the lines that a process logs; all its loggers read it, so that it can be another one from one line to the next.
///
/// Safe to use from any thread: one atomic word.
final class LogThreshold: Sendable {
    /// Of this process, as the logging system is.
    static let shared = LogThreshold()

    private let index: Atomic<Int>

    init(_ level: Logger.Level = .info) { index = Atomic(Self.index(of: level)) }

    var level: Logger.Level {
        get { Logger.Level.allCases[index.load(ordering: .relaxed)] }
        set { index.store(Self.index(of: newValue), ordering: .relaxed) }
    }

    static var names: [String] { Logger.Level.allCases.map(\.rawValue) }

    private static func index(of level: Logger.Level) -> Int { Logger.Level.allCases.firstIndex(of: level) ?? 0 }
}
