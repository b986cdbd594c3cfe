internal import Engine
internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import NIOCore
internal import Synchronization
internal import TransportWire

/// The two-call SSE form of existing KDCube clients: `GET /sse/stream?stream_id=…` opens one long stream, and
/// `POST /sse/chat?stream_id=…` starts runs into it.
struct TwoCallRoutes: Sendable {
    let intake: RunIntake
    let streams = OpenStreams()

    func add(to group: RouterGroup<AppContext>) {
        group.get("stream", use: open)
        group.post("chat", use: chat)
    }

    @Sendable private func open(_ request: Request, context: AppContext) async throws -> Response {
        let principal = try context.principal
        let name = try Self.streamID(request)
        let feed = EventStreamFeed()
        let owner = StreamOwner(principal, name)
        // A client that lost its stream and opens it again may come before we know that the old one is gone.
        guard streams.open(feed, for: owner) else {
            throw HTTPFailure(
                .tooManyRequests, code: "rate_limit_exceeded", type: "rate_limit_error", message: "Too many event streams are open.",
                headers: [.retryAfter: "5"])
        }
        if let header = request.headers[.lastEventID], let run = header.split(separator: ":").first,
            let handle = try? await intake.handle(String(run), as: principal)
        {
            _ = feed.attach(handle, after: try ResumePosition(request, run: handle.identity.run).after)
        }
        let ready: JSONValue = [
            "stream_id": .string(name), "org": .string(principal.org.text), "project": .string(principal.project),
            "user": principal.user.map { .string($0) } ?? .null,
        ]
        let streams = streams
        return .eventStream { writer in
            defer { streams.close(feed, for: owner) }
            var opening = ByteBuffer()
            try ServerSentEvent(event: "ready", data: ByteBuffer(bytes: ready.jsonBytes)).encode(into: &opening)
            try await writer.write(opening)
            try await feed.write(to: &writer, untilIdle: false)
        }
    }

    @Sendable private func chat(_ request: Request, context: AppContext) async throws -> Response {
        let principal = try context.principal
        let name = try Self.streamID(request)
        guard let feed = streams.feed(for: StreamOwner(principal, name)) else {
            throw HTTPFailure(
                .conflict, code: "stream_not_open", message: "Open GET /sse/stream with this stream_id first.", param: "stream_id")
        }
        let message = try ChatMessage(await JSONBody.read(request))
        let handle = try await intake.start(message, as: principal)
        guard feed.attach(handle, after: 0) else {
            _ = intake.coordinator.cancel(handle.identity.run)
            throw HTTPFailure(.conflict, code: "stream_not_open", message: "The event stream has closed or is full.", param: "stream_id")
        }
        var reply = JSONObject([("status", "processing_started"), ("task_id", .string(handle.identity.run.text))])
        for member in handle.names.objectValue?.members ?? [] { reply[member.key] = member.value }
        return .json(.object(reply), status: .accepted)
    }

    private static func streamID(_ request: Request) throws(HTTPFailure) -> String {
        guard let name = request.uri.queryParameters["stream_id"].map(String.init), !name.isEmpty, name.utf8.count <= 128 else {
            throw .badRequest("stream_id is needed, 1 to 128 bytes.", param: "stream_id")
        }
        return name
    }
}

/// A stream belongs to the caller that opened it: another tenant's stream of the same name is another stream.
struct StreamOwner: Sendable, Hashable {
    private let tenant: [String?]
    private let name: String

    init(_ principal: Principal, _ name: String) {
        tenant = [principal.org.text, principal.project, principal.user, principal.user == nil ? principal.keyID : nil]
        self.name = name
    }
}

/// The open two-call streams. A short `Mutex` guards the table.
final class OpenStreams: Sendable {
    /// Each costs a connection, of which there are fewer than this.
    static let streamsMax = 20_000

    private let feeds = Mutex<[StreamOwner: EventStreamFeed]>([:])

    /// Opens a stream; an older one of the same name ends.
    func open(_ feed: EventStreamFeed, for owner: StreamOwner) -> Bool {
        let (isOpen, older) = feeds.withLock { feeds -> (Bool, EventStreamFeed?) in
            guard feeds.count < Self.streamsMax || feeds[owner] != nil else { return (false, nil) }
            return (true, feeds.updateValue(feed, forKey: owner))
        }
        older?.close()
        return isOpen
    }

    func feed(for owner: StreamOwner) -> EventStreamFeed? { feeds.withLock { $0[owner] } }

    func close(_ feed: EventStreamFeed, for owner: StreamOwner) {
        feeds.withLock { feeds in
            if feeds[owner] === feed { feeds[owner] = nil }
        }
    }
}
