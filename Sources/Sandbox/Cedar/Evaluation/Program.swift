/// An expression made ready to be evaluated: instructions for a machine with a stack.
///
/// It has no recursion and no loop, so an evaluation takes at most as many instructions as the expression has nodes, and no more
/// stack for a deep one.
struct Program: Sendable {
    enum Instruction: Sendable {
        case push(Value)
        case variable(Expr.Variable)
        /// A left operand of `&&`: false stays as the result and the rest is left out; true makes room for the next.
        case jumpIfFalse(to: Int)
        /// The same for `||`.
        case jumpIfTrue(to: Int)
        /// The last operand of a chain.
        case requireBool
        case branchIfFalse(to: Int)
        case jump(to: Int)
        case unary(Expr.UnaryOperator)
        case binary(Expr.BinaryOperator)
        case isType(TypeName)
        /// The left side of `is … in`: it stays for the `in` if it has the type, or becomes the result.
        case isTypeOrJump(TypeName, to: Int)
        case has([ExactString])
        case attribute(ExactString)
        case like(Pattern)
        case set(Int)
        case record([ExactString])
        case call(ExtensionFunction, Int)
    }

    private(set) var instructions: [Instruction] = []
    /// The place of each instruction in the text of the policy.
    private(set) var ranges: [SourceRange] = []

    /// Compiles an expression without slots, whose value must be a bool. Linear in its size.
    init(condition expression: Expr) {
        self.init(expression)
        emit(.requireBool, expression.range)
    }

    /// Compiles an expression without slots. Linear in its size.
    init(_ expression: Expr) {
        var work: [Task] = [.expression(expression)]
        while let task = work.popLast() {
            switch task {
            case .expression(let expression): compile(expression, &work)
            case .emit(let instruction, let range): emit(instruction, range)
            case .mark(let marks): marks.starts.append(instructions.count)
            case .patch(let marks): patch(marks)
            case .fold(let expression, let marks): fold(expression, marks)
            }
        }
    }

    private enum Task {
        case expression(Expr)
        case emit(Instruction, SourceRange)
        /// Notes the address of the next instruction.
        case mark(Marks)
        /// Lets the jumps that end at the first address of the marks go to here.
        case patch(Marks)
        /// Puts the instruction over finished operands, or its value if all of them are constants.
        case fold(Expr, Marks)
    }

    private final class Marks {
        var starts: [Int] = []
    }

    private mutating func emit(_ instruction: Instruction, _ range: SourceRange) {
        instructions.append(instruction)
        ranges.append(range)
    }

    private mutating func compile(_ expression: Expr, _ work: inout [Task]) {
        let range = expression.range
        let children = expression.children
        switch expression.kind {
        case .literal(let literal): emit(.push(literal.value), range)
        case .variable(let variable): emit(.variable(variable), range)
        case .slot: preconditionFailure("a template is not evaluated")
        case .and: chain(children, .jumpIfFalse(to: 0), range, &work)
        case .or: chain(children, .jumpIfTrue(to: 0), range, &work)
        case .conditional:
            let (otherwise, end) = (Marks(), Marks())
            push(
                [
                    .expression(children[0]), .mark(otherwise), .emit(.branchIfFalse(to: 0), children[0].range), .expression(children[1]),
                    .mark(end), .emit(.jump(to: 0), range), .patch(otherwise), .expression(children[2]), .patch(end),
                ], &work)
        case .isTypeIn(let type):
            let end = Marks()
            push(
                [
                    .expression(children[0]), .mark(end), .emit(.isTypeOrJump(type, to: 0), range), .expression(children[1]),
                    .emit(.binary(.in), range), .patch(end),
                ], &work)
        case .set, .record, .call:
            let marks = Marks()
            push([.mark(marks)] + children.map { .expression($0) } + [.fold(expression, marks)], &work)
        case .unary(let operation): push([.expression(children[0]), .emit(.unary(operation), range)], &work)
        case .binary(let operation):
            push([.expression(children[0]), .expression(children[1]), .emit(.binary(operation), range)], &work)
        case .isType(let type): push([.expression(children[0]), .emit(.isType(type), range)], &work)
        case .has(let path): push([.expression(children[0]), .emit(.has(path), range)], &work)
        case .attribute(let name): push([.expression(children[0]), .emit(.attribute(name), range)], &work)
        case .like(let pattern): push([.expression(children[0]), .emit(.like(pattern), range)], &work)
        }
    }

    private func push(_ tasks: [Task], _ work: inout [Task]) { work.append(contentsOf: tasks.reversed()) }

    private func chain(_ children: [Expr], _ jump: Instruction, _ range: SourceRange, _ work: inout [Task]) {
        let end = Marks()
        var tasks: [Task] = []
        for child in children.dropLast() { tasks += [.expression(child), .mark(end), .emit(jump, child.range)] }
        if let last = children.last { tasks += [.expression(last), .emit(.requireBool, last.range)] }
        push(tasks + [.patch(end)], &work)
    }

    private mutating func patch(_ marks: Marks) {
        let here = instructions.count
        for address in marks.starts {
            switch instructions[address] {
            case .jumpIfFalse: instructions[address] = .jumpIfFalse(to: here)
            case .jumpIfTrue: instructions[address] = .jumpIfTrue(to: here)
            case .branchIfFalse: instructions[address] = .branchIfFalse(to: here)
            case .jump: instructions[address] = .jump(to: here)
            case .isTypeOrJump(let type, _): instructions[address] = .isTypeOrJump(type, to: here)
            default: break
            }
        }
    }

    // MARK: - Constants

    private mutating func fold(_ expression: Expr, _ marks: Marks) {
        let start = marks.starts.last ?? instructions.count
        var operands: [Value] = []
        for instruction in instructions[start...] {
            guard case .push(let value) = instruction else { break }
            operands.append(value)
        }
        let instruction = Instruction(composite: expression.kind)
        guard operands.count == instructions.count - start, let value = instruction.constant(operands) else {
            return emit(instruction, expression.range)
        }
        instructions.removeLast(operands.count)
        ranges.removeLast(operands.count)
        emit(.push(value), expression.range)
    }
}

extension Program.Instruction {
    fileprivate init(composite kind: Expr.Kind) {
        switch kind {
        case .set(let count): self = .set(count)
        case .record(let keys): self = .record(keys)
        case .call(let function, let count): self = .call(function, count)
        default: preconditionFailure("only these have any number of operands")
        }
    }

    /// The value over constants; nil where there is none, so that the error comes when, and only if, it is evaluated.
    fileprivate func constant(_ operands: [Value]) -> Value? {
        switch self {
        case .set(let count) where operands.count == count: Value.Elements(operands).map(Value.set)
        case .record(let keys) where operands.count == keys.count:
            Value.Record(Dictionary(zip(keys, operands)) { _, last in last }).map(Value.record)
        case .call(let function, let count) where operands.count == count: try? function.call(operands)
        default: nil
        }
    }
}

extension Expr.Literal {
    /// The value that is written.
    var value: Value {
        switch self {
        case .bool(let value): .bool(value)
        case .long(let value): .long(value)
        case .string(let value): .string(value)
        case .entity(let uid): .entity(uid)
        }
    }
}
