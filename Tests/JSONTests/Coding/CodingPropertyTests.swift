import Foundation
import JSON
import Testing

/// Our coders beside Foundation's: what one writes the other reads, and both refuse the same texts. Needs nothing.
@Suite("JSON: coding of types, beside Foundation's coders")
struct CodingPropertyTests {
    @Test("A value that either has written is read by both, for 1,000 random values", arguments: [20_261_128, 7, 99, 4_711] as [UInt64])
    func roundTrips(seed: UInt64) throws {
        var dice = Dice(seed)
        for _ in 0..<250 {
            let order = dice.order()
            let ours = try JSONValue(encoding: order)
            #expect(try ours.decoded(as: Order.self) == order, "seed \(seed)")
            #expect(try JSONDecoder().decode(Order.self, from: Data(ours.jsonBytes)) == order, "seed \(seed)")
            let theirs = try JSONValue(parsing: [UInt8](JSONEncoder().encode(order)))
            #expect(try theirs.decoded(as: Order.self) == order, "seed \(seed)")
            // By value: Foundation's order of keys is no order.
            #expect(ours.canonicalBytes == theirs.canonicalBytes, "seed \(seed)")
        }
    }

    @Test("A text with a random mistake is taken by both or by neither", arguments: [20_261_128, 7, 99, 4_711] as [UInt64])
    func mistakes(seed: UInt64) throws {
        var dice = Dice(seed)
        var refused = 0
        for _ in 0..<250 {
            let json = Self.spoiled(try JSONValue(encoding: dice.order()), &dice)
            let ours = try? json.decoded(as: Order.self)
            let theirs = try? JSONDecoder().decode(Order.self, from: Data(json.jsonBytes))
            #expect(ours == theirs, "seed \(seed): \(json.jsonText)")
            if ours == nil { refused += 1 }
        }
        #expect((25..<250).contains(refused), "the mistakes are no mistakes")
    }

    /// The value with one place of it replaced, removed or moved.
    private static func spoiled(_ json: JSONValue, _ dice: inout Dice) -> JSONValue {
        switch json {
        case .object(let object) where !object.isEmpty && dice.number(0...7) > 0:
            var object = object
            let member = object.members[dice.number(0...object.count - 1)]
            object[member.key] = dice.number(0...9) == 0 ? nil : spoiled(member.value, &dice)
            return .object(object)
        case .array(var elements) where !elements.isEmpty && dice.number(0...7) > 0:
            let index = dice.number(0...elements.count - 1)
            elements[index] = spoiled(elements[index], &dice)
            return .array(elements)
        default:
            let others: [JSONValue] = [
                .null, true, 0, 1, -1, 255, 256, 70_000, .number("1.0"), .number("1.5"), .number("2e2"), .number("-3.00e2"), "", "open",
                "1",
                [], ["cash": [:]], [:], .number("18446744073709551616"), .number("1e40"), .integer(.max), .integer(.min),
            ]
            return others[dice.number(0...others.count - 1)]
        }
    }
}
