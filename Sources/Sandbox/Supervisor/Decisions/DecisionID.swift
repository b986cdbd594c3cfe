/// Names of decisions, and of what belongs to them: unguessable, so that nobody finds another's by counting.
enum DecisionID {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func make(_ prefix: String = "dec_", using generator: inout some RandomNumberGenerator) -> String {
        let text = (0..<20).map { _ in alphabet[Int(generator.next() & 63 as UInt64)] }
        return prefix + String(decoding: text, as: UTF8.self)
    }

    static func make(_ prefix: String = "dec_") -> String {
        var generator = SystemRandomNumberGenerator()
        return make(prefix, using: &generator)
    }
}
