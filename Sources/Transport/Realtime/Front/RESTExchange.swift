internal import HTTPTypes
internal import NIOCore

/// One REST request of a connection: its task, its body on the way in, its response on the way out. Confined to the
/// connection's event loop; the outbox alone is shared with the task.
final class RESTExchange {
    let plan: RequestPlan
    let requestID: String
    /// The head, until the task has it.
    var request: HTTPRequest?
    let outbox: ResponseOutbox
    var bodySource: StreamedBody.Producer.Source?
    var task: Task<Void, Never>?
    /// "100 Continue" is owed when the handler reads the body.
    var owesContinue = false

    init(_ plan: RequestPlan, requestID: String, outbox: ResponseOutbox) {
        self.plan = plan
        self.requestID = requestID
        self.outbox = outbox
    }

    /// Ends the handler: its client is gone, or its request turned out to be bad.
    func cancel(_ error: RequestBodyError = .incomplete) {
        bodySource?.finish(error)
        bodySource = nil
        outbox.close()
        task?.cancel()
    }
}
