internal import Accounting
internal import Digest
internal import Foundation
internal import JSON

/// Loads the price file. Its digest is the version that every charge carries.
enum Prices {
    /// A file with every model that is known anywhere has about 3 MB.
    static let fileBytesMax = 32 << 20

    /// - Throws: one line that names the file, or the model and field, at fault.
    static func load(_ path: String, models: [Configuration.Model]) throws -> PriceTable {
        withConfigured(path.isEmpty ? PriceTable() : try review(path).table, models)
    }

    /// Reads a file with everything there is to say about it.
    ///
    /// - Throws: as ``load(_:models:)``.
    static func review(_ path: String) throws -> PriceFileReview {
        guard let data = FileManager.default.contents(atPath: path), data.count <= fileBytesMax else {
            throw CommandFailure("prices.file \(path) cannot be read, or is larger than 32 MiB")
        }
        let json: JSONValue
        do {
            json = try data.withUnsafeBytes { try JSONValue(parsing: $0, limits: JSONLimits(members: 20_000)) }
        } catch {
            throw CommandFailure("prices.file \(path) is not JSON: \(error)")
        }
        do {
            return try PriceFileReview(liteLLM: json, version: Digest.hex(Digest.sha256(data).prefix(8)))
        } catch {
            throw CommandFailure("prices.file \(path): \(error)")
        }
    }

    /// A configured model that the file does not name has the price of its upstream's name, if the file has that. The
    /// scripted model has a price of its own, that of a small hosted model, so that budgets can be tried without a
    /// price file: 0.50 USD for a million tokens in, 2.00 USD for a million out.
    private static func withConfigured(_ table: PriceTable, _ models: [Configuration.Model]) -> PriceTable {
        let demo = ModelPricing(ModelPrice(inputFresh: PicoUSD(500_000), outputVisible: PicoUSD(2_000_000)))
        var more: [String: ModelPricing] = [:]
        for model in models {
            switch model.provider {
            case .scripted: more[model.id] = demo
            case .openai, .anthropic: more[model.id] = table.pricing(for: model.upstreamModel)
            }
        }
        return table.adding(more, version: table.version.isEmpty ? "builtin" : table.version)
    }
}
