internal import Accounting
internal import Logging
internal import NIOPosix

/// Follows the price file: every server that has it takes its new content by itself, so that all of a fleet charge by one version.
///
/// One task owns it. A file that cannot be used changes nothing and is named in one error line for each time that it was changed.
struct PriceWatch: Sendable {
    /// How often the file is looked at. A new content is in force at the second look, so within two seconds in every server: shorter than
    /// it takes a person to ask whether it is. One `stat` a second costs nothing.
    static let interval = Duration.seconds(1)

    let book: PriceBook
    let logger: Logger
    /// The file as it was before it was read at the start.
    let read: FileIdentity?

    func run() async {
        guard !book.file.isEmpty else { return }
        var follower = FileFollower(read: read)
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.interval)
            // A file system that hangs must not hold up a thread that others need.
            let path = book.file
            let now: FileIdentity?
            do { now = try await NIOThreadPool.singleton.runIfActive { FileIdentity(path) } } catch { return }
            if follower.isDue(now) { await reload() }
        }
    }

    private func reload() async {
        let before = book.table.version
        do {
            guard try await book.reload() else { return }
            logger.notice("prices changed", metadata: ["version": "\(book.table.version)", "previous": "\(before)"])
        } catch {
            logger.error(
                "the price file cannot be used; prices are as before",
                metadata: ["version": "\(before)", "fault": "\(SettingsTree.oneLine("\(error)"))"])
        }
    }
}
