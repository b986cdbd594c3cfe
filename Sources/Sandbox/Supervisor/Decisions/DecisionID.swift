/// Names of decisions: unguessable, so that nobody finds another's by counting.
enum DecisionID {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func make(using generator: inout some RandomNumberGenerator) -> String {
        let text = (0..<20).map { _ in alphabet[Int(generator.next() & 63 as UInt64)] }
        return "dec_" + String(decoding: text, as: UTF8.self)
    }

    static func make() -> String {
        var generator = SystemRandomNumberGenerator()
        return make(using: &generator)
    }
}
