/// Runs programs for one request.
///
/// Confined to one call: it keeps its stack between programs to save the allocation, and is not copied for the same reason.
struct Evaluator: ~Copyable {
    let request: Request
    let entities: Entities
    private let context: Value
    private var stack: [Value] = []
    private var steps = 0
    /// Of the present program.
    private var allowance = EvaluationLimits.steps
    /// Of all programs that follow.
    private var left = EvaluationLimits.decisionSteps

    init(_ request: Request, _ entities: Entities) {
        self.request = request
        self.entities = entities
        context = .record(request.context)
    }

    /// The value of a program.
    mutating func run(_ program: Program) throws(EvaluationError) -> Value {
        stack.removeAll(keepingCapacity: true)
        steps = 0
        allowance = min(EvaluationLimits.steps, left)
        defer { left = max(0, left - steps) }
        var address = 0
        do {
            while address < program.instructions.count { try execute(program, &address) }
        } catch {
            throw EvaluationError(kind: error.kind, range: program.ranges[address])
        }
        return pop()
    }

    /// An error that does not know its place yet.
    struct Failure: Error {
        let kind: EvaluationError.Kind
        init(_ kind: EvaluationError.Kind) { self.kind = kind }
        static func type(_ expected: String, _ found: Value) -> Failure { Failure(.type(expected: expected, found: found.kindName)) }
    }

    /// Does the instruction at `address` and moves on; an error leaves it where it is.
    private mutating func execute(_ program: Program, _ address: inout Int) throws(Failure) {
        try charge(1)
        switch program.instructions[address] {
        case .push(let number): stack.append(program.constants[number])
        case .variable(let variable): push(variable)
        case .slot(let slot): throw Failure(.unlinkedSlot(slot))
        case .jumpIfFalse(let target):
            if try !bool(stack[stack.count - 1]) { return address = target }
            stack.removeLast()
        case .jumpIfTrue(let target):
            if try bool(stack[stack.count - 1]) { return address = target }
            stack.removeLast()
        case .requireBool: _ = try bool(stack[stack.count - 1])
        case .branchIfFalse(let target):
            if try !bool(pop()) { return address = target }
        case .jump(let target): return address = target
        case .unary(let operation): stack.append(try unary(operation, pop()))
        case .binary(let operation):
            let right = pop()
            let left = pop()
            stack.append(try binary(operation, left, right))
        case .isType(let number): stack.append(.bool(try entity(pop()).type == program.types[number]))
        case .isTypeOrJump(let number, let target):
            if try entity(stack[stack.count - 1]).type != program.types[number] {
                stack[stack.count - 1] = .bool(false)
                return address = target
            }
        case .has(let number): stack.append(.bool(try has(program.names[number], pop())))
        case .attribute(let number): stack.append(try attribute(program.names[number][0], pop()))
        case .like(let number): stack.append(.bool(try like(program.patterns[number], pop())))
        case .set(let count): try set(count)
        case .record(let number): try record(program.names[number])
        case .call(let function, let count): try call(function, count)
        }
        address += 1
    }

    @inline(__always)
    mutating func charge(_ cost: Int) throws(Failure) {
        steps += cost
        guard steps <= allowance else {
            throw Failure(
                allowance == EvaluationLimits.steps
                    ? .limit("the policy takes more than \(EvaluationLimits.steps) steps")
                    : .limit("the policies of this decision take more than \(EvaluationLimits.decisionSteps) steps"))
        }
    }

    private mutating func pop() -> Value { stack.removeLast() }

    private mutating func push(_ variable: Expr.Variable) {
        switch variable {
        case .principal: stack.append(.entity(request.principal))
        case .action: stack.append(.entity(request.action))
        case .resource: stack.append(.entity(request.resource))
        case .context: stack.append(context)
        }
    }

    // MARK: - Values of any number of operands

    private mutating func take(_ count: Int) -> [Value] {
        let operands = Array(stack.suffix(count))
        stack.removeLast(count)
        return operands
    }

    private mutating func set(_ count: Int) throws(Failure) {
        let operands = take(count)
        try charge(operands.reduce(0) { $0 + $1.weight })
        guard let elements = Value.Elements(operands) else { throw tooDeep }
        stack.append(.set(elements))
    }

    private mutating func record(_ keys: [ExactString]) throws(Failure) {
        guard let record = Value.Record(Dictionary(zip(keys, take(keys.count))) { _, last in last }) else { throw tooDeep }
        stack.append(.record(record))
    }

    private mutating func call(_ function: ExtensionFunction, _ count: Int) throws(Failure) {
        do {
            stack.append(try function.call(take(count)))
        } catch {
            throw Failure(.extensionValue(error))
        }
    }

    private var tooDeep: Failure {
        Failure(.limit("sets and records lie more than \(ValueLimits.depth) levels deep in each other"))
    }
}
