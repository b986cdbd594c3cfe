internal import JSON
internal import Logging
internal import NIOCore
internal import RedisClient
internal import Synchronization
internal import Telemetry
internal import Transport

/// What the others say, on the event loop of the listening connection.
extension RedisCluster {
    func heard(_ event: RedisSubscriberEvent) {
        switch event {
        case .message(let message):
            metrics.received.add()
            do throws(ClusterRefusal) { try receive(message) } catch { metrics.refuse(error) }
        case .refused(.tooLong): metrics.refuse(.tooLong)
        case .refused(.channelIsNoText): metrics.refuse(.malformed)
        case .ready(let isGap):
            metrics.connected.set(1)
            if isGap {
                metrics.gaps.add()
                configuration.logger.warning("cluster heard again; what other servers sent meanwhile is lost")
            }
        case .lost: metrics.connected.set(0)
        }
    }

    private func receive(_ message: RedisMessage) throws(ClusterRefusal) {
        guard let server else { return }
        if case .pattern = message.topic { return try receiveBroadcast(message, server) }
        switch place(message.channel) {
        case .request(let namespace): try act(on: ClusterDecoder.request(message.payload), namespace, server)
        case .response: answered(try ClusterDecoder.response(message.payload), bytes: message.payload.readableBytes)
        case .python:
            if let (command, namespace) = try PythonMessage.read(message.payload) { server.performAtOnce(command, namespace: namespace) }
        case nil: break
        }
    }

    private func receiveBroadcast(_ message: RedisMessage, _ server: SocketIOServer) throws(ClusterRefusal) {
        guard !isOwn(message.payload), let broadcast = try ClusterDecoder.broadcast(message.payload) else { return }
        // The packet says which namespace; the channel must be one of that namespace.
        guard message.channel.hasPrefix(channels.broadcast(broadcast.namespace)) else { throw .shape }
        guard broadcast.uid != uid else { return }
        server.performAtOnce(
            .emit(broadcast.event, broadcast.arguments, broadcast.target, broadcast.flags), namespace: broadcast.namespace)
    }

    /// Own broadcasts come back: told by their first bytes, the array of three and the id, before anything else is read.
    private func isOwn(_ payload: ByteBuffer) -> Bool {
        let bytes = payload.readableBytesView
        return bytes.count > uid.utf8.count + 2 && bytes.first == 0x93 && bytes.dropFirst().first == 0xA0 | UInt8(uid.utf8.count)
            && bytes.dropFirst(2).starts(with: uid.utf8)
    }

    private func act(on request: ClusterRequest, _ namespace: String, _ server: SocketIOServer) throws(ClusterRefusal) {
        guard request.uid != uid else { return }
        switch request.body {
        case .command(let command, nil): server.performAtOnce(command, namespace: namespace)
        case .command(let command, let socket?): try start { await self.perform(command, of: socket, request, namespace, server) }
        case .serverSideEmit(let event, let arguments) where request.id == nil:
            let result = events.yield { await server.perform(.serverSideEmit(event, arguments), namespace: namespace) }
            if case .dropped = result { throw .overloaded }
        default:
            guard request.id != nil else { throw .shape }
            try start { await self.answer(request, namespace, server) }
        }
    }

    /// Answers beside what comes next.
    private func start(_ job: @escaping Job) throws(ClusterRefusal) {
        guard answering.wrappingAdd(1, ordering: .relaxed).newValue <= ClusterLimits.answeringMax else {
            answering.wrappingSubtract(1, ordering: .relaxed)
            throw .overloaded
        }
        let result = jobs.yield {
            await job()
            self.answering.wrappingSubtract(1, ordering: .relaxed)
        }
        guard case .enqueued = result else {
            answering.wrappingSubtract(1, ordering: .relaxed)
            throw .overloaded
        }
    }

    /// The old form: the server that has the socket does it and says so.
    private func perform(
        _ command: ClusterCommand, of socket: String, _ request: ClusterRequest, _ namespace: String, _ server: SocketIOServer
    ) async {
        let found = await server.answer(.fetchSockets(BroadcastTarget(rooms: [socket])), namespace: namespace, timeout: .zero)
        guard !found.sockets.isEmpty else { return }
        server.performAtOnce(command, namespace: namespace)
        respond(.done, to: request, namespace)
    }

    private func answer(_ request: ClusterRequest, _ namespace: String, _ server: SocketIOServer) async {
        switch request.body {
        case .sockets(let target):
            let found = await server.answer(.fetchSockets(target), namespace: namespace, timeout: .zero)
            respond(.sockets(found.sockets.map { .string($0.id) }), to: request, namespace)
        case .fetch(let target):
            let found = await server.answer(.fetchSockets(target), namespace: namespace, timeout: .zero)
            respond(.sockets(found.sockets.map(SnapshotJSON.value)), to: request, namespace)
        case .allRooms: respond(.rooms(await server.roomNames(namespace: namespace)), to: request, namespace)
        case .serverSideEmit(let event, let arguments):
            let answers = await server.answer(.serverSideEmit(event, arguments), namespace: namespace, timeout: .zero)
            // Without a handler there is no answer, and the asker sees one missing.
            if let value = answers.values.first { respond(.serverSideEmit(value), to: request, namespace) }
        case .broadcast(let event, let arguments, let target, _, let milliseconds):
            let longest = ClusterLimits.ackSeconds * 1_000
            let timeout = Duration.milliseconds(min(max(milliseconds ?? longest, 1), longest))
            await server.ask(event, arguments, target, namespace: namespace, timeout: timeout) {
                self.respond(.clientCount($0), to: request, namespace)
            } onAnswer: {
                self.respond(.ack($0), to: request, namespace)
            }
        case .command: break
        }
    }

    private func respond(_ body: ClusterResponse.Body, to request: ClusterRequest, _ namespace: String) {
        guard let id = request.id else { return }
        let channel: String
        if let uid = request.uid, uid.hasPrefix(Self.uidPrefix) {
            channel = channels.response(namespace, to: uid)
        } else {
            channel = channels.response(namespace)
        }
        publish(ClusterEncoder.response(ClusterResponse(id: id, body: body)), to: channel)
    }
}
