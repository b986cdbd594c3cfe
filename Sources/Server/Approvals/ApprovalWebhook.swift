internal import Accounting
internal import AsyncHTTPClient
internal import Digest
internal import Foundation
internal import JSON
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import Telemetry

/// Tells an address of the operator's of each approval and its changes: a signed POST, tried three times.
///
/// Safe to use from any thread; what waits is in a bounded stream. Who misses one reads `GET /api/approvals`: nothing depends on it.
final class ApprovalWebhook: Sendable {
    /// Changes that wait to be sent: a minute of a receiver that answers slowly.
    static let waitingMax = 1_000
    private static let sendersMax = 4
    private static let pauses: [Duration] = [.seconds(1), .seconds(5)]
    private static let patience = TimeAmount.seconds(5)

    private let url: String
    private let secret: [UInt8]
    private let client: HTTPClient
    private let registry: MetricRegistry
    private let logger: Logger
    private let waiting: AsyncStream<[UInt8]>
    private let queue: AsyncStream<[UInt8]>.Continuation

    init(url: String, secret: String, client: HTTPClient, registry: MetricRegistry, logger: Logger) {
        self.url = url
        self.secret = Array(secret.utf8)
        self.client = client
        self.registry = registry
        self.logger = logger
        (waiting, queue) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.waitingMax))
    }

    /// - Parameter approval: as `GET /api/approvals` shows it.
    func tell(_ approval: JSONValue) {
        let event: JSONValue = ["type": "approval", "approval": approval]
        if case .dropped = queue.yield(event.jsonBytes) { count("dropped") }
    }

    /// Until the task is cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            for _ in 0..<Self.sendersMax {
                group.addTask { for await body in self.waiting { await self.deliver(body) } }
            }
        }
    }

    private func deliver(_ body: [UInt8]) async {
        let delivery = RandomText.urlSafe(bytes: 12)
        for pause in Self.pauses.map(Optional.init) + [nil] {
            if await isAccepted(body, delivery) { return count("delivered") }
            guard let pause else { break }
            try? await Task.sleep(for: pause)
            if Task.isCancelled { break }
        }
        count("failed")
        logger.warning("the webhook for approvals does not take a delivery", metadata: ["delivery": "\(delivery)"])
    }

    private func isAccepted(_ body: [UInt8], _ delivery: String) async -> Bool {
        let timestamp = String(WallClock.now().rawValue / 1_000)
        let signature = Digest.hex(Digest.hmacSHA256(Array("\(timestamp).".utf8) + body, key: secret))
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers = [
            "content-type": "application/json", "x-kdcube-delivery": delivery, "x-kdcube-timestamp": timestamp,
            "x-kdcube-signature": "sha256=\(signature)",
        ]
        request.body = .bytes(ByteBuffer(bytes: body))
        do {
            let response = try await client.execute(request, timeout: Self.patience)
            return (200..<300).contains(Int(response.status.code))
        } catch {
            return false
        }
    }

    private func count(_ outcome: String) {
        registry.counter("kdcube_webhooks_total", "Deliveries to the webhook for approvals, by what came of them", [("outcome", outcome)])
            .add()
    }
}
