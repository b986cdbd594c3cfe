internal import Executor
internal import JSON
internal import Supervisor

/// `run_code`: Python in a sandbox of its own. What the code calls goes through the supervisor like any other call.
struct CodeTool: ToolAdapter {
    let room: CodeRoom
    /// The tools there are at this moment.
    let catalog: @Sendable () -> ToolCatalog

    func call(_ call: AdmittedCall) async throws(ToolFailure) -> JSONValue {
        guard let code = call.arguments["code"]?.stringValue else {
            throw ToolFailure(code: "bad_args", message: "The argument code is needed.", hadNoEffect: true)
        }
        let job = SandboxJob(code: code, inputs: call.arguments["inputs"]?.objectValue ?? JSONObject(), tools: tools(for: call))
        await room.pass()
        guard let host = room.host else { throw ToolFailure(.stopping) }
        let result: SandboxResult
        do {
            result = try await host.run(job, handler: JobHandler(call: call))
        } catch {
            throw ToolFailure(error)
        }
        let value = result.json
        switch result.exit {
        // An error of the code is a result: the model reads the traceback and writes it better.
        case .ok, .error: return value
        default:
            throw ToolFailure(
                code: result.exit.rawValue, message: result.exit.message(result.detail), value: value)
        }
    }

    /// What the code is told it may ask for; each call is decided about all the same.
    private func tools(for call: AdmittedCall) -> [String] {
        catalog().tools.filter { tool in
            tool.name != call.definition.name && tool.roles.map { !$0.isDisjoint(with: call.caller.roles) } ?? true
        }.map(\.name)
    }

    /// What the sandbox asks and says, on its way to the supervisor and to the run's readers.
    private struct JobHandler: SandboxJobHandler {
        let call: AdmittedCall

        func call(_ request: SandboxCall) async -> SandboxReply {
            let result = await call.nested(
                NestedCall(tool: request.tool, arguments: request.arguments, idempotencyKey: request.idempotencyKey))
            switch result.outcome {
            case .value(let value): return .value(value)
            case .denied(let refusal):
                return .error(
                    code: refusal.code, message: refusal.message, rule: refusal.rule, isDenied: true,
                    retryAfter: (refusal.details["retry_after"]?.integerValue).map(Int.init))
            case .failed(let code, let message, _):
                return .error(code: code, message: message, rule: nil, isDenied: false, retryAfter: nil)
            }
        }

        func refused(_ request: RefusedCall) {
            call.refused(RefusedAttempt(tool: request.tool, code: request.code, message: request.message))
        }

        func output(_ stream: SandboxStream, _ text: String) { call.told(.output(stream == .stdout ? .stdout : .stderr, text)) }

        func emitted(_ stream: String, _ data: JSONValue) {
            call.told(.progress(JSONObject([("emitted", ["stream": .string(stream), "data": data])])))
        }
    }
}

extension ToolFailure {
    /// Nothing was run: nothing is charged.
    fileprivate init(_ refusal: SandboxRefusal) {
        switch refusal {
        case .belowMinimum(let report, let minimum):
            self.init(
                code: "isolation_too_low",
                message: "This server does not run code: its isolation is \(report.level.rawValue), and \(minimum.rawValue) is required.",
                hadNoEffect: true)
        case .tooMany:
            self.init(code: "sandbox_busy", message: "All sandboxes are at work. Try again in a moment.", hadNoEffect: true)
        case .launch:
            self.init(code: "sandbox_unavailable", message: "A sandbox could not be started.", hadNoEffect: true)
        case .stopping:
            self.init(code: "server_shutdown", message: "The server is shutting down.", hadNoEffect: true)
        }
    }
}

extension SandboxExit {
    /// For the model: what happened, and what would have helped.
    fileprivate func message(_ detail: String?) -> String {
        let text =
            switch self {
            case .ok, .error: "The code ended."
            case .timeout: "The code took too long and was killed."
            case .cpuLimit: "The code used too much CPU time and was killed."
            case .outOfMemory: "The code used too much memory and was killed."
            case .outputLimit: "The code printed too much and was killed."
            case .protocolLimit: "The code broke the rules of the channel to its tools and was killed."
            case .forbiddenSyscall: "The code made a system call that is not allowed and was killed."
            case .killed: "The code was stopped."
            }
        return detail.map { "\(text) (\($0))" } ?? text
    }
}

extension SandboxResult {
    /// For the step and the model: contract, section 3.
    fileprivate var json: JSONValue {
        var object = JSONObject([
            ("exit", .string(exit.rawValue)), ("stdout", .string(stdout.text)), ("stderr", .string(stderr.text)),
            ("value", value ?? .null),
        ])
        if stdout.isTruncated || stderr.isTruncated { object["truncated"] = true }
        if let detail { object["detail"] = .string(detail) }
        if !artefacts.isEmpty { object["artefacts"] = .array(artefacts.map(\.json)) }
        var used = JSONObject([("wall_ms", .integer(wall.wholeMilliseconds))])
        if let cpu { used["cpu_ms"] = .integer(cpu.wholeMilliseconds) }
        if let memoryPeak { used["memory_bytes"] = .integer(memoryPeak) }
        object["resources"] = .object(used)
        // Only what is less than everything is worth a word: a reader must know on what footing this ran.
        if level < .full { object["isolation"] = .string(level.rawValue) }
        return .object(object)
    }
}

extension SandboxArtefact {
    fileprivate var json: JSONValue {
        switch self {
        case .file(let name, let bytes, let sha256):
            ["name": .string(name), "bytes": .integer(bytes), "sha256": .string(sha256)]
        case .refused(let name, let reason): ["name": .string(name), "refused": .string(reason.rawValue)]
        }
    }
}
