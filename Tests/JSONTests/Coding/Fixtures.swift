import Foundation
import JSON

/// What an application may send, with everything that the coders have a rule for but bytes, which text cannot hold.
struct Order: Codable, Equatable {
    enum State: String, Codable, CaseIterable { case open, paid, sent }

    /// A case with values, as the compiler writes it.
    enum Payment: Codable, Equatable {
        case cash
        case card(number: String, limit: UInt32?)
    }

    struct Line: Codable, Equatable {
        var name: String
        var count: UInt8
        var weight: Float
    }

    var id: UInt64
    var balance: Int64
    var price: Double
    var state: State
    var payment: Payment
    var note: String?
    var isGift: Bool
    var lines: [Line]
    var tags: [String: Int16]
    var byNumber: [Int: Bool]
    var maybe: [Int32?]
    var nested: [[String]]
}

/// A class with a superclass, which asks for `superDecoder`.
class Animal: Codable {
    var legs: Int

    init(legs: Int) { self.legs = legs }
}

final class Dog: Animal {
    var name: String

    init(name: String) {
        self.name = name
        super.init(legs: 4)
    }

    private enum Keys: String, CodingKey { case name }

    required init(from decoder: any Decoder) throws {
        name = try decoder.container(keyedBy: Keys.self).decode(String.self, forKey: .name)
        try super.init(from: try decoder.container(keyedBy: Keys.self).superDecoder())
    }

    override func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(name, forKey: .name)
        try super.encode(to: container.superEncoder())
    }
}

/// Nests in itself.
struct Tree: Codable, Equatable {
    var children: [Tree]

    static func chain(_ length: Int) -> Tree { (0..<length).reduce(Tree(children: [])) { tree, _ in Tree(children: [tree]) } }
}

/// A repeatable source of values (SplitMix64).
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func flip() -> Bool { next() & 1 == 0 }
    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    mutating func text() -> String {
        let letters: [Character] = ["a", "Z", "0", " ", "\"", "\\", "/", "~", "\n", "\u{1}", "é", "e\u{301}", "😀", "\u{2028}", "_"]
        return String((0..<number(0...6)).map { _ in letters.randomElement(using: &self) ?? "a" })
    }

    mutating func whole<Integer: FixedWidthInteger>(_: Integer.Type) -> Integer {
        switch number(0...4) {
        case 0: .min
        case 1: .max
        case 2: 0
        default: Integer.random(in: .min ... .max, using: &self)
        }
    }

    mutating func fraction() -> Double {
        switch number(0...5) {
        case 0: 0
        case 1: Double(number(-1000...1000))
        case 2: Double(number(-1000...1000)) / 100
        case 3: 9_007_199_254_740_994
        default: Double(sign: flip() ? .plus : .minus, exponent: number(-300...300), significand: Double.random(in: 1..<2, using: &self))
        }
    }

    mutating func order() -> Order {
        Order(
            id: whole(UInt64.self), balance: whole(Int64.self), price: fraction(),
            state: Order.State.allCases.randomElement(using: &self) ?? .open,
            payment: flip() ? .cash : .card(number: text(), limit: flip() ? nil : whole(UInt32.self)), note: flip() ? nil : text(),
            isGift: flip(),
            lines: (0..<number(0...3)).map { _ in
                Order.Line(name: text(), count: whole(UInt8.self), weight: Float(number(-100...100)) / 8)
            },
            tags: Dictionary((0..<number(0...20)).map { _ in (text(), whole(Int16.self)) }, uniquingKeysWith: { $1 }),
            byNumber: Dictionary((0..<number(0...3)).map { _ in (whole(Int.self), flip()) }, uniquingKeysWith: { $1 }),
            maybe: (0..<number(0...3)).map { _ in flip() ? nil : whole(Int32.self) },
            nested: (0..<number(0...2)).map { _ in (0..<number(0...2)).map { _ in text() } })
    }
}
