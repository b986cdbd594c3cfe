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
        var table = PriceTable()
        if !path.isEmpty {
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
                table = try PriceTable(liteLLM: json, version: Digest.hex(Digest.sha256(data).prefix(8)))
            } catch {
                throw CommandFailure("prices.file \(path): \(error)")
            }
        }
        return withDemoPrice(table, models)
    }

    /// The scripted model has a price of its own, that of a small hosted model, so that budgets can be tried without a
    /// price file: 0.50 USD for a million tokens in, 2.00 USD for a million out.
    private static func withDemoPrice(_ table: PriceTable, _ models: [Configuration.Model]) -> PriceTable {
        var prices = Dictionary(uniqueKeysWithValues: table.modelNames.compactMap { name in table.pricing(for: name).map { (name, $0) } })
        let demo = ModelPricing(ModelPrice(inputFresh: PicoUSD(500_000), outputVisible: PicoUSD(2_000_000)))
        for model in models where model.provider == .scripted && prices[model.id] == nil { prices[model.id] = demo }
        return PriceTable(version: table.version.isEmpty ? "builtin" : table.version, models: prices)
    }
}
