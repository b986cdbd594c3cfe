internal import Logging

/// A document of the server that operators publish, by its names and words: the policies, or the catalog of tools.
struct PublishedDocument: Sendable {
    /// What happens to a version; the decision log calls it `policies.publish`.
    enum Act: String, Sendable {
        case start, load, publish, rollback
    }

    /// In addresses, in acts of the decision log, and in what commands print.
    let name: String
    /// Tells its versions from those of other documents in their common store.
    let versionPrefix: String
    /// Counts what came of readings.
    let loads: (metric: String, help: String)
    /// In the server's log.
    let versionNotKept: Logger.Message
    let words: Words

    /// What is said to whoever publishes; the codes are the contract's.
    struct Words: Sendable {
        /// What a server without it has not got: in a sentence of the server's, and of a command.
        let absent: (here: String, there: String)
        /// What a rollback looks for.
        let version: String
        let operatorsOnly: String
        let isOff: String
        /// Somebody has written on the disk what is not in force yet.
        let changed: String
        let refused: (code: String, message: String, param: String?)
        let busy: String
        let notWritable: (code: String, message: String)
    }

    var address: String { "/api/admin/\(name)" }

    func name(of act: Act) -> String { "\(name).\(act.rawValue)" }
}
