internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore

/// Runs the responder for one REST request and writes what it answers. Everything a task of ours does, in one place.
struct RequestTask: Sendable {
    typealias Responder = @Sendable (Request, any Channel, Logger) async throws -> Response

    let respond: Responder
    let channel: any Channel
    let logger: Logger
    let plan: RequestPlan
    let requestID: String
    let outbox: ResponseOutbox

    func run(_ request: Request) async {
        var logger = logger
        logger[metadataKey: "hb.request.id"] = .string(requestID)
        let response: Response
        do {
            response = try await respond(request, channel, logger)
        } catch {
            guard !Task.isCancelled else { return outbox.abort(nil) }
            response = failure(error, logger)
        }
        await send(explained(response), logger)
    }

    /// A failure that no handler meant is told to the log by its type alone: its text may hold what the client sent.
    private func failure(_ error: any Error, _ logger: Logger) -> Response {
        logger.error("request failed", metadata: ["error.type": .string(String(reflecting: type(of: error)))])
        return ErrorBody.response(status: .internalServerError, message: "The server could not answer this request.")
    }

    /// Gives an error response without a body the document that the contract asks for.
    private func explained(_ response: Response) -> Response {
        guard response.status.code >= 400, response.body.contentLength == 0, !plan.isHead, response.headers[.contentType] == nil else {
            return response
        }
        return ErrorBody.response(status: response.status, headers: response.headers, message: response.status.reasonPhrase)
    }

    private func send(_ response: Response, _ logger: Logger) async {
        let framing = ResponseFraming(response, plan)
        guard framing.isWhole else { return await stream(response, framing, logger) }
        guard case .length(let length) = framing.body, length > 0 || response.body.contentLength != 0 else {
            return outbox.send(framing, [])
        }
        do {
            let collected = CollectingWriter.Collected()
            try await response.body.write(CollectingWriter(collected: collected, length: length))
            let content = collected.content
            guard content.bytes == length else { throw ResponseError.lengthMismatch }
            outbox.send(framing, content.buffers)
        } catch {
            guard !Task.isCancelled else { return outbox.abort(nil) }
            await send(failure(error, logger), logger)
        }
    }

    private func stream(_ response: Response, _ framing: ResponseFraming, _ logger: Logger) async {
        outbox.begin(framing)
        do {
            try await response.body.write(OutboxWriter(outbox: outbox))
            if !outbox.isFinished { try outbox.finish(nil) }
        } catch ResponseError.lengthMismatch {
            logger.error("response does not have its declared length")
            outbox.abort(.responseLength)
        } catch {
            outbox.abort(nil)
        }
    }
}
