internal import AsyncHTTPClient
internal import JSON
internal import NIOCore
internal import NIOHTTP1
internal import Supervisor

/// Makes the calls of tools behind HTTP: the host list, addresses inside our networks, redirects, sizes and time are kept for each
/// request, and what the definition's headers say is never told.
///
/// Stateless but for the connections, which it shares with the other adapters.
struct HTTPToolAdapter: ToolAdapter {
    let outbound: Outbound

    func call(_ call: AdmittedCall) async throws(ToolFailure) -> JSONValue {
        guard case .http(let definition) = call.definition.adapter else {
            throw ToolFailure(code: "internal", message: "this tool is not behind HTTP", hadNoEffect: true)
        }
        return try await self.call(
            definition, arguments: call.arguments, idempotencyKey: call.idempotencyKey, outputBytes: call.definition.outputBytes,
            deadline: call.deadline)
    }

    func call(
        _ definition: HTTPDefinition, arguments: JSONObject, idempotencyKey: String?, outputBytes: Int, deadline: Duration
    ) async throws(ToolFailure) -> JSONValue {
        let first = try HTTPCall(definition, arguments: arguments, idempotencyKey: idempotencyKey)
        let rules = HostRules(allowed: definition.allowHosts, inside: definition.privateHosts)
        let secrets = Secrets(headers: definition.headers)
        let outbound = outbound
        let due = NIODeadline.now() + .nanoseconds(deadline.nanoseconds)
        do {
            let answer = try await withDeadline(deadline) {
                try await Self.exchange(first, outbound, rules, outputBytes: outputBytes, due: due)
            }
            return secrets.redacted(answer)
        } catch let failure as ToolFailure {
            throw ToolFailure(
                code: failure.code, message: secrets.redacted(failure.message), hadNoEffect: failure.hadNoEffect,
                isTimeout: failure.isTimeout, value: failure.value.map { secrets.redacted($0) })
        } catch {
            throw ToolFailure(Outbound.translated(error))
        }
    }

    /// One call and the redirects that it is led through.
    private static func exchange(
        _ first: HTTPCall, _ outbound: Outbound, _ rules: HostRules, outputBytes: Int, due: NIODeadline
    ) async throws -> JSONValue {
        var call = first
        while true {
            let sent = call
            let request = Outbound.Request(method: sent.method, url: sent.url, headers: sent.headers, body: sent.body)
            let answer: Result<JSONValue, Redirected>
            do {
                answer = try await outbound.send(request, under: rules, deadline: due) { response in
                    try await read(response, to: sent, under: rules, outputBytes: outputBytes)
                }
            } catch let error as OutboundError where sent.redirects > 0 && error.hadNoEffect {
                // What led here may have had its effect already.
                throw ToolFailure(error, hadNoEffect: false)
            }
            switch answer {
            case .success(let value): return value
            case .failure(let redirected): call = redirected.next
            }
        }
    }

    private struct Redirected: Error { let next: HTTPCall }

    private static func read(
        _ response: HTTPClientResponse, to call: HTTPCall, under rules: HostRules, outputBytes: Int
    ) async throws -> Result<JSONValue, Redirected> {
        let status = Int(response.status.code)
        let contentType = response.headers.first(name: "content-type")
        var next = call
        switch next.redirect(status: status, location: response.headers.first(name: "location"), under: rules) {
        case .follow: return .failure(Redirected(next: next))
        case .refused(let why):
            throw ToolFailure(code: "redirect_refused", message: "the tool's server answered with \(why)")
        case .none: break
        }
        guard (200..<300).contains(status) else {
            let (body, isCut) = try await beginning(of: response.body)
            throw HTTPAnswer.failure(status: status, contentType: contentType, body: body, isCut: isCut)
        }
        if let length = response.headers.first(name: "content-length"), let bytes = Int(length), bytes > outputBytes {
            throw OutboundError.tooLarge
        }
        let body = try await Outbound.collect(response.body, bytesMax: outputBytes)
        return .success(try HTTPAnswer.value(contentType: contentType, body: body))
    }

    /// The first bytes of an error's body, and whether there were more.
    private static func beginning(of body: HTTPClientResponse.Body) async throws -> ([UInt8], isCut: Bool) {
        var bytes: [UInt8] = []
        do {
            for try await buffer in body {
                bytes.append(contentsOf: buffer.readableBytesView.prefix(AdapterLimits.errorBodyBytesMax - bytes.count))
                if bytes.count >= AdapterLimits.errorBodyBytesMax { return (bytes, true) }
            }
        } catch {
            // The status says enough, unless the time is over.
            guard Outbound.translated(error) == .broken else { throw error }
        }
        return (bytes, false)
    }
}

extension ToolFailure {
    init(_ error: OutboundError, hadNoEffect: Bool? = nil) {
        let (code, message) =
            switch error {
            case .hostNotAllowed(let host): ("host_not_allowed", "\(shown(host)) is not in the tool's allow_hosts")
            case .addressNotAllowed(let host):
                ("address_not_allowed", "\(shown(host)) has an address in a private or reserved range and is not in private_hosts")
            case .unknownHost(let host): ("unknown_host", "\(shown(host)) has no address")
            case .tooManyLookups, .tooManyHosts: ("tool_unavailable", "too many calls to other hosts are under way")
            case .shutDown: ("tool_unavailable", "the server is stopping")
            case .unreached: ("upstream_unreachable", "the tool's server could not be reached")
            case .broken: ("upstream_broken", "the connection to the tool's server broke")
            case .timeout: ("timeout", "the tool did not answer in time")
            case .cancelled: ("cancelled", "the call was cancelled")
            case .tooLarge: ("output_too_large", "the tool's answer is larger than it may be")
            }
        self.init(code: code, message: message, hadNoEffect: hadNoEffect ?? error.hadNoEffect, isTimeout: error == .timeout)
    }
}
