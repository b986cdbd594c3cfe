internal import Accounting
internal import JSON
internal import Synchronization
internal import Telemetry

/// The prices of a running server, and how they change: a file that is read again when it was changed (``PriceWatch``) and on request.
///
/// A run keeps the table that it was admitted with; the next run gets the new one. A file that cannot be read or is no
/// price file changes nothing. The table is in a `Mutex` held for a copy; reloads are one after another by the file's lock.
final class PriceBook: Sendable {
    let file: String
    private let models: [Configuration.Model]
    private let accountant: Accountant
    private let metrics: ServerMetrics
    private let current: Mutex<(table: PriceTable, loadedAt: Milliseconds)>

    init(_ table: PriceTable, file: String, models: [Configuration.Model], accountant: Accountant, metrics: ServerMetrics) {
        self.file = file
        self.models = models
        self.accountant = accountant
        self.metrics = metrics
        current = Mutex((table, WallClock.now()))
    }

    var table: PriceTable { current.withLock { $0.table } }
    var loadedAt: Milliseconds { current.withLock { $0.loadedAt } }

    /// Reads the file again. Reads a file of some megabytes: not on an event loop.
    ///
    /// - Returns: whether the version is another one than before.
    /// - Throws: one line that names the file, or the model and field, at fault.
    @concurrent
    func reload() async throws -> Bool {
        do {
            let isNew = try current.withLock { current in
                let table = try Prices.load(file, models: models)
                let isNew = table.version != current.table.version
                // Under the lock, so that of two reloads the accountant keeps the one that is kept here.
                accountant.update(prices: table)
                current = (table, WallClock.now())
                return isNew
            }
            metrics.priceReloads(outcome: isNew ? "changed" : "unchanged").add()
            return isNew
        } catch {
            metrics.priceReloads(outcome: "refused").add()
            throw error
        }
    }
}

extension ModelPricing {
    /// Prices for a million tokens as decimal strings, exact; `tiers` by the length of the prompt above which they hold.
    var json: JSONValue {
        var object = base.json
        object["tiers"] = .array(
            tiers.map { tier in
                var member = JSONObject([("prompt_tokens_above", .integer(tier.promptAbove))])
                for price in tier.price.json.members { member[price.key] = price.value }
                return .object(member)
            })
        return .object(object)
    }
}

extension ModelPrice {
    var json: JSONObject {
        JSONObject([
            ("input_per_million", .string(inputFresh.perMillion)), ("cache_read_per_million", .string(inputCacheRead.perMillion)),
            ("cache_write_per_million", .string(inputCacheWrite.perMillion)), ("output_per_million", .string(outputVisible.perMillion)),
            ("reasoning_per_million", .string(outputReasoning.perMillion)),
        ])
    }
}

extension PicoUSD {
    /// Pico-USD for a token is micro-USD for a million; nine decimals hold it exactly as nano-USD.
    var perMillion: String { NanoUSD(rawValue * 1_000).decimalText }
}
