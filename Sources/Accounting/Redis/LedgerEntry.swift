internal import Accounting
internal import RedisClient

/// An entry of the outbox stream, as `Functions/leases.lua` adds it.
struct LedgerEntry {
    /// The stream's id, `<milliseconds>-<number>`.
    let id: String
    /// Nil when the fields are no ledger row: such an entry is kept in the stream and reported, never dropped.
    let row: LedgerRow?

    init?(_ value: RedisValue, org: CounterSlot) {
        guard let parts = value.elements, parts.count == 2, let id = parts[0].string else { return nil }
        self.id = id
        // An entry that was deleted while it was pending comes without fields.
        self.row = parts[1].elements.flatMap { Self.row($0, org: org) }
    }

    private static func row(_ list: [RedisValue], org: CounterSlot) -> LedgerRow? {
        var fields: [String: RedisValue] = [:]
        for index in stride(from: 0, to: list.count - 1, by: 2) {
            guard let name = list[index].string else { return nil }
            fields[name] = list[index + 1]
        }
        func text(_ name: String) -> String? { fields[name]?.string }
        func number(_ name: String) -> Int64? { fields[name]?.number }
        func optional(_ name: String) -> String? { text(name).flatMap { $0.isEmpty ? nil : $0 } }
        guard let id = text("id"), let kind = text("kind").flatMap(LedgerRow.Kind.init(rawValue:)), let lease = text("lease"),
            let project = text("project"), let run = text("run"), let model = text("model"), let price = text("price"),
            let path = try? TenancyPath(org: org.org, project: project, user: optional("user"), key: optional("key")),
            let nano = number("nano"), let fresh = number("in"), let read = number("cread"), let write = number("cwrite"),
            let visible = number("out"), let reasoning = number("think"), let requests = number("req"), let at = number("at"),
            let epoch = number("ep")
        else { return nil }
        return LedgerRow(
            chargeID: id, kind: kind, lease: lease,
            attribution: Attribution(path: path, run: run, model: model, priceVersion: price), nanoUSD: nano,
            usage: UsageClasses(
                inputFresh: fresh, inputCacheRead: read, inputCacheWrite: write, outputVisible: visible, outputReasoning: reasoning),
            requests: requests, calls: number("calls") ?? 0, estimated: text("est") == "1", at: Milliseconds(at), epoch: epoch,
            slot: org.index)
    }
}
