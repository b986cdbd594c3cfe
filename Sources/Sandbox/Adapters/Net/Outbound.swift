internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// Why a request was not made, or came to nothing.
enum OutboundError: Error, Sendable, Hashable {
    /// The host is not on the list.
    case hostNotAllowed(String)
    /// An address of the host is inside our networks, or nowhere.
    case addressNotAllowed(String)
    case unknownHost(String)
    case tooManyLookups
    case tooManyHosts
    case shutDown
    /// No connection: nothing was sent.
    case unreached
    /// Something may have been sent.
    case broken
    case timeout
    case cancelled
    /// The answer is larger than it may be.
    case tooLarge

    /// Certain that the other side saw nothing of the request.
    var hadNoEffect: Bool {
        switch self {
        case .broken, .timeout, .cancelled, .tooLarge: false
        default: true
        }
    }
}

/// Makes single HTTP requests under ``HostRules``: no redirects, no second look-up of the name, no environment's proxy.
struct Outbound: Sendable {
    private let resolver: any NameResolver
    private let clients: PinnedClients

    init(resolver: any NameResolver, clients: PinnedClients) {
        self.resolver = resolver
        self.clients = clients
    }

    struct Request: Sendable {
        let method: HTTPMethod
        let url: WebURL
        let headers: HTTPHeaders
        let body: [UInt8]?
    }

    /// Checks, connects, sends, and lends the answer to `body`; its connection goes back, or is closed, when `body` returns.
    ///
    /// Every address of the name has to be allowed: a name that has one outside and one inside is on its way from one to the other.
    ///
    /// - Throws: ``OutboundError``, and what `body` throws.
    func send<Result>(
        _ request: Request, under rules: HostRules, deadline: NIODeadline,
        _ body: (HTTPClientResponse) async throws -> Result
    ) async throws -> Result {
        var message = HTTPClientRequest(url: request.url.description)
        message.method = request.method
        message.headers = request.headers
        if let bytes = request.body { message.body = .bytes(ByteBuffer(bytes: bytes)) }
        for address in try await checkedAddresses(of: request.url, under: rules).prefix(AdapterLimits.addressesTried) {
            do {
                return try await clients.with(host: request.url.host, address: address) { client in
                    let response: HTTPClientResponse
                    do {
                        response = try await client.execute(message, deadline: deadline)
                    } catch {
                        throw Self.translated(error)
                    }
                    return try await body(response)
                }
            } catch OutboundError.unreached {
                // Nothing was sent: the next address may be one that answers.
                continue
            }
        }
        throw OutboundError.unreached
    }

    /// Collects a body of at most `bytesMax`; a longer one ends the connection.
    ///
    /// - Throws: ``OutboundError``.
    static func collect(_ body: HTTPClientResponse.Body, bytesMax: Int) async throws(OutboundError) -> [UInt8] {
        var bytes: [UInt8] = []
        do {
            for try await buffer in body {
                guard bytes.count + buffer.readableBytes <= bytesMax else { throw OutboundError.tooLarge }
                bytes.append(contentsOf: buffer.readableBytesView)
            }
        } catch {
            throw translated(error)
        }
        return bytes
    }

    private func checkedAddresses(of url: WebURL, under rules: HostRules) async throws -> [IPAddress] {
        guard rules.allow(url) else { throw OutboundError.hostNotAllowed(url.authority) }
        let addresses: [IPAddress]
        if let literal = IPAddress(url.host) {
            addresses = [literal]
        } else {
            do {
                addresses = try await resolver.addresses(of: url.host)
            } catch ResolutionError.unknownHost {
                throw OutboundError.unknownHost(url.host)
            } catch ResolutionError.tooMany {
                throw OutboundError.tooManyLookups
            } catch {
                // Nothing was sent, but neither will it be: the call is over.
                throw OutboundError.cancelled
            }
        }
        guard !addresses.isEmpty else { throw OutboundError.unknownHost(url.host) }
        guard addresses.allSatisfy({ rules.allow($0, for: url) }) else { throw OutboundError.addressNotAllowed(url.host) }
        return addresses
    }

    static func translated(_ error: any Error) -> OutboundError {
        switch error {
        case let error as OutboundError: return error
        case is CancellationError: return .cancelled
        case is NIOConnectionError: return .unreached
        case let error as IOError: return error.errnoCode == ECONNREFUSED ? .unreached : .broken
        case let error as HTTPClientError:
            if error == .cancelled { return .cancelled }
            if error == .deadlineExceeded || error == .readTimeout || error == .writeTimeout { return .timeout }
            let unreached: [HTTPClientError] = [.connectTimeout, .getConnectionFromPoolTimeout, .tlsHandshakeTimeout]
            return unreached.contains(error) ? .unreached : .broken
        default: return .broken
        }
    }
}
