/// Makes a `Program` of an expression, with a stack of its own instead of recursion.
struct Compiler {
    private(set) var instructions: [Program.Instruction] = []
    private(set) var ranges: [SourceRange] = []
    private(set) var constants: [Value] = []
    private(set) var names: [[ExactString]] = []
    private(set) var types: [TypeName] = []
    private(set) var patterns: [Pattern] = []
    private var work: [Task] = []

    private enum Task {
        case expression(Expr)
        case emit(Program.Instruction, SourceRange)
        /// Notes the address of the next instruction.
        case mark(Marks)
        /// Lets the jumps at the marks go to here.
        case patch(Marks)
        /// Puts the instruction over finished operands, or its value if all of them are constants.
        case fold(Expr, Marks)
    }

    private final class Marks {
        var addresses: [Int] = []
    }

    /// Compiles an expression.
    mutating func compile(_ expression: Expr) {
        work = [.expression(expression)]
        while let task = work.popLast() {
            switch task {
            case .expression(let expression): take(apart: expression)
            case .emit(let instruction, let range): emit(instruction, range)
            case .mark(let marks): marks.addresses.append(instructions.count)
            case .patch(let marks): patch(marks)
            case .fold(let expression, let marks): fold(expression, marks)
            }
        }
    }

    mutating func emit(_ instruction: Program.Instruction, _ range: SourceRange) {
        instructions.append(instruction)
        ranges.append(range)
    }

    private mutating func push(_ tasks: [Task]) { work.append(contentsOf: tasks.reversed()) }

    private mutating func take(apart expression: Expr) {
        let range = expression.range
        let children = expression.children
        switch expression.kind {
        case .literal(let literal): emit(.push(constant(literal.value)), range)
        case .variable(let variable): emit(.variable(variable), range)
        case .slot(let slot): emit(.slot(slot), range)
        case .and: chain(children, .jumpIfFalse(to: 0), range)
        case .or: chain(children, .jumpIfTrue(to: 0), range)
        case .conditional:
            let (otherwise, end) = (Marks(), Marks())
            push([
                .expression(children[0]), .mark(otherwise), .emit(.branchIfFalse(to: 0), children[0].range), .expression(children[1]),
                .mark(end), .emit(.jump(to: 0), range), .patch(otherwise), .expression(children[2]), .patch(end),
            ])
        case .isTypeIn(let type):
            let end = Marks()
            push([
                .expression(children[0]), .mark(end), .emit(.isTypeOrJump(number(of: type), to: 0), range), .expression(children[1]),
                .emit(.binary(.in), range), .patch(end),
            ])
        case .set, .record, .call:
            let marks = Marks()
            push([.mark(marks)] + children.map { .expression($0) } + [.fold(expression, marks)])
        case .unary(let operation): push([.expression(children[0]), .emit(.unary(operation), range)])
        case .binary(let operation): push([.expression(children[0]), .expression(children[1]), .emit(.binary(operation), range)])
        case .isType(let type): push([.expression(children[0]), .emit(.isType(number(of: type)), range)])
        case .has(let path): push([.expression(children[0]), .emit(.has(number(of: path)), range)])
        case .attribute(let name): push([.expression(children[0]), .emit(.attribute(number(of: [name])), range)])
        case .like(let pattern):
            patterns.append(pattern)
            push([.expression(children[0]), .emit(.like(patterns.count - 1), range)])
        }
    }

    private mutating func chain(_ children: [Expr], _ jump: Program.Instruction, _ range: SourceRange) {
        let end = Marks()
        var tasks: [Task] = []
        for child in children.dropLast() { tasks += [.expression(child), .mark(end), .emit(jump, child.range)] }
        if let last = children.last { tasks += [.expression(last), .emit(.requireBool, last.range)] }
        push(tasks + [.patch(end)])
    }

    private mutating func patch(_ marks: Marks) {
        let here = instructions.count
        for address in marks.addresses {
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

    // MARK: - Tables

    private mutating func constant(_ value: Value) -> Int {
        constants.append(value)
        return constants.count - 1
    }

    private mutating func number(of type: TypeName) -> Int {
        types.append(type)
        return types.count - 1
    }

    private mutating func number(of path: [ExactString]) -> Int {
        names.append(path)
        return names.count - 1
    }

    // MARK: - Constants

    private mutating func fold(_ expression: Expr, _ marks: Marks) {
        let start = marks.addresses.last ?? instructions.count
        var operands: [Value] = []
        for instruction in instructions[start...] {
            guard case .push(let number) = instruction else { break }
            operands.append(constants[number])
        }
        if operands.count == instructions.count - start, let value = expression.kind.constant(over: operands) {
            instructions.removeLast(operands.count)
            ranges.removeLast(operands.count)
            // Constants are numbered in the order of their instructions, so those of the operands are the last.
            constants.removeLast(operands.count)
            return emit(.push(constant(value)), expression.range)
        }
        switch expression.kind {
        case .set(let count): emit(.set(count), expression.range)
        case .record(let keys): emit(.record(number(of: keys)), expression.range)
        case .call(let function, let count): emit(.call(function, count), expression.range)
        default: preconditionFailure("only these have any number of operands")
        }
    }
}

extension Expr.Kind {
    /// The value over constants; nil where there is none, so that the error comes when, and only if, it is evaluated.
    fileprivate func constant(over operands: [Value]) -> Value? {
        switch self {
        case .set(let count) where operands.count == count: Value.Elements(operands).map(Value.set)
        case .record(let keys) where operands.count == keys.count:
            Value.Record(Dictionary(zip(keys, operands)) { _, last in last }).map(Value.record)
        case .call(let function, let count) where operands.count == count: try? function.call(operands)
        default: nil
        }
    }
}
