/// A regular expression whose matching time is linear in the text: states are followed together, and nothing is tried twice.
///
/// The subset: literals, `.`, classes `[a-z0-9_-]` and `[^…]`, `\d` `\w` `\s` (of ASCII), escaped punctuation, groups `( )`, `|`, and the
/// quantifiers `*` `+` `?` `{n}` `{n,}` `{n,m}`. An expression begins with `^` and ends with `$`: one that finds its match anywhere in a
/// text is nearly always a mistake where arguments are checked. Characters are Unicode scalars.
struct LinearPattern: Sendable {
    static let sourceBytesMax = 256
    /// States of one expression, which bounds the cost of each character.
    static let statesMax = 1_024
    static let depthMax = 16

    let source: String
    private let program: [PatternStep]

    /// - Throws: ``PatternError`` for what is outside the subset.
    init(_ source: String) throws(PatternError) {
        var parser = PatternParser(source)
        var compiler = PatternCompiler()
        let tree = try parser.parse()
        try compiler.emit(tree)
        program = compiler.program + [.match]
        self.source = source
    }

    /// Whether the whole text fits. O(characters × states).
    func matches(_ text: String) -> Bool {
        var current = Threads(count: program.count)
        var next = Threads(count: program.count)
        follow(0, into: &current)
        for scalar in text.unicodeScalars {
            for index in current.list {
                if case .scalar(let set) = program[index], set.contains(scalar) { follow(index + 1, into: &next) }
            }
            guard !next.list.isEmpty else { return false }
            swap(&current, &next)
            next.clear()
        }
        return current.list.contains(program.count - 1)
    }

    private struct Threads {
        var list: [Int] = []
        private var isThere: [Bool]

        init(count: Int) { isThere = [Bool](repeating: false, count: count) }

        mutating func insert(_ index: Int) -> Bool {
            guard !isThere[index] else { return false }
            isThere[index] = true
            list.append(index)
            return true
        }

        mutating func clear() {
            for index in list { isThere[index] = false }
            list.removeAll(keepingCapacity: true)
        }
    }

    /// Adds the step and all that is reached from it without a character. With a stack of its own: the recursion would be as deep as the
    /// expression has states.
    private func follow(_ start: Int, into threads: inout Threads) {
        var stack = [start]
        while let index = stack.popLast() {
            guard threads.insert(index) else { continue }
            switch program[index] {
            case .scalar, .match: break
            case .jump(let target): stack.append(target)
            case .split(let first, let second):
                stack.append(second)
                stack.append(first)
            }
        }
    }
}

/// Why a text is no pattern.
struct PatternError: Error {
    let message: String
}

enum PatternStep: Sendable {
    case scalar(ScalarSet)
    case jump(Int)
    case split(Int, Int)
    case match
}

struct ScalarSet: Sendable {
    var ranges: [ClosedRange<UInt32>]
    var isNegated = false

    func contains(_ scalar: Unicode.Scalar) -> Bool { ranges.contains { $0.contains(scalar.value) } != isNegated }

    static let any = ScalarSet(ranges: [], isNegated: true)
    static let digit = ScalarSet(ranges: [0x30...0x39])
    static let word = ScalarSet(ranges: [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    static let space = ScalarSet(ranges: [0x09...0x0D, 0x20...0x20])
}

indirect enum PatternTree {
    case scalar(ScalarSet)
    case sequence([PatternTree])
    case choice([PatternTree])
    /// A nil maximum is none.
    case repetition(PatternTree, minimum: Int, maximum: Int?)
}

/// Turns a tree into steps; a counted repetition is written out, which the bound on states keeps small.
struct PatternCompiler {
    private(set) var program: [PatternStep] = []
    /// Counts empty groups too, which make no steps.
    private var emitted = 0

    mutating func emit(_ tree: PatternTree) throws(PatternError) {
        emitted += 1
        guard emitted <= LinearPattern.statesMax, program.count < LinearPattern.statesMax else {
            throw PatternError(message: "the pattern is too large")
        }
        switch tree {
        case .scalar(let set): program.append(.scalar(set))
        case .sequence(let parts): for part in parts { try emit(part) }
        case .choice(let branches): try emitChoice(branches)
        case .repetition(let part, let minimum, let maximum):
            for _ in 0..<minimum { try emit(part) }
            guard let maximum else { return try emitLoop(part) }
            var splits: [Int] = []
            for _ in minimum..<maximum {
                splits.append(program.count)
                program.append(.split(program.count + 1, 0))
                try emit(part)
            }
            for split in splits { program[split] = .split(split + 1, program.count) }
        }
    }

    private mutating func emitLoop(_ part: PatternTree) throws(PatternError) {
        let start = program.count
        program.append(.split(start + 1, 0))
        try emit(part)
        program.append(.jump(start))
        program[start] = .split(start + 1, program.count)
    }

    private mutating func emitChoice(_ branches: [PatternTree]) throws(PatternError) {
        var jumps: [Int] = []
        for (index, branch) in branches.enumerated() {
            guard index < branches.count - 1 else {
                try emit(branch)
                break
            }
            let split = program.count
            program.append(.split(split + 1, 0))
            try emit(branch)
            jumps.append(program.count)
            program.append(.jump(0))
            program[split] = .split(split + 1, program.count)
        }
        for jump in jumps { program[jump] = .jump(program.count) }
    }
}
