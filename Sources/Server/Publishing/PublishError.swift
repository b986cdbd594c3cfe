internal import Foundation
internal import HTTPTypes
internal import JSON
internal import Supervisor

/// Why a document was not published; the version in force stays.
enum PublishError: Error, Sendable {
    /// Another version is in force than the one that was changed.
    case conflict(inForce: String)
    case refused([PolicyFinding])
    case disk(PublicationFault)
    /// The change cannot be written into the decision log, or the version cannot be kept.
    case notLogged
    case shuttingDown
}

/// Why what lies on the disk cannot be changed from here.
enum PublicationFault: Error, Sendable, CustomStringConvertible {
    /// What is a link belongs to whoever has made it, such as the volume of a cluster.
    case link(String)
    case unreadable(String)
    case unwritable(String, Int32)
    /// Another server, or another request, is changing it.
    case busy
    /// It has content that nobody has looked at yet.
    case changed

    var description: String {
        switch self {
        case .link(let name): "\(name) is a symbolic link"
        case .unreadable(let name): "\(name) cannot be read"
        case .unwritable(let name, let code): "\(name) cannot be written: \(String(cString: strerror(code)))"
        case .busy: "another set is being published"
        case .changed: "it has new content"
        }
    }
}

extension HTTPFailure {
    init(_ error: PublishError, of document: PublishedDocument) {
        let words = document.words
        switch error {
        case .conflict(let version):
            self.init(
                conflict: "Another version is in force than the one that was changed (\(version)): look at it, and publish again.")
        case .disk(.changed): self.init(conflict: words.changed)
        case .refused(let findings):
            self.init(
                .unprocessableContent, code: words.refused.code,
                message: "\(words.refused.message): \(findings.first.map { "\($0)" } ?? "")", param: words.refused.param,
                headers: [.shouldRetry: "false"])
            beside = JSONObject([("findings", .array(findings.map(\.json)))])
        case .disk(.busy):
            self.init(.conflict, code: "publishing_busy", message: words.busy, headers: [.retryAfter: "1"])
        case .disk(let fault):
            self.init(
                .conflict, code: words.notWritable.code, message: "\(words.notWritable.message): \(fault).",
                headers: [.shouldRetry: "false"])
        case .notLogged:
            self.init(
                .serviceUnavailable, code: "log_unavailable", type: "server_error",
                message: "The change cannot be written into the decision log, so it is not made. Try again.", headers: [.retryAfter: "1"])
        case .shuttingDown:
            self.init(.serviceUnavailable, code: "shutting_down", type: "server_error", message: "The server is shutting down.")
        }
    }

    private init(conflict message: String) {
        self.init(.conflict, code: "version_conflict", message: message, param: "base", headers: [.shouldRetry: "false"])
    }
}
