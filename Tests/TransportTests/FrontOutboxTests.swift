import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import Testing

@testable import Transport

@Suite("Front: outbox") struct FrontOutboxTests {
    private func framing(length: Int?) throws -> ResponseFraming {
        let plan = try FrontStateMachineTests.plan()
        return ResponseFraming(Response(status: .ok, body: .init(contentLength: length) { _ in }), plan)
    }

    private static func isNil<Value>(_ value: Value?) -> Bool { value == nil }
    private func bytes(_ count: Int) -> ByteBuffer { ByteBuffer(repeating: 0, count: count) }

    @Test("many writes ask for one turn of the loop") func oneTurn() throws {
        var outbox = OutboxState()
        let head = try framing(length: nil)
        let asks = outbox.begin(head)
        #expect(asks)
        #expect(try outbox.append(bytes(10)) == (false, false))
        #expect(try outbox.append(bytes(10)) == (false, false))
        let taken = outbox.take(isWritable: true)
        let batch = try #require(taken)
        #expect(batch.head != nil && batch.buffers.count == 2 && !batch.isLast)
        #expect(try outbox.append(bytes(1)) == (true, false))
        #expect(try outbox.finish(nil) == false)
        #expect(outbox.take(isWritable: true)?.isLast == true)
        #expect(outbox.take(isWritable: true)?.isLast == true, "the end stays the end until the exchange is closed")
    }

    @Test("above 64 KiB the writer is told to wait") func full() throws {
        var outbox = OutboxState()
        #expect(try outbox.append(bytes(FrontLimits.outboxBytesMax)).isFull == false)
        #expect(try outbox.append(bytes(1)).isFull == true)
        _ = outbox.take(isWritable: true)
        #expect(try outbox.append(bytes(1)).isFull == false)
    }

    @Test("a socket that takes nothing leaves everything but the head in the outbox") func unwritable() throws {
        var outbox = OutboxState()
        _ = outbox.begin(try framing(length: nil))
        let first = outbox.take(isWritable: false)
        #expect(first?.head != nil)
        #expect(try outbox.append(bytes(1)).isFull == true)
        #expect(Self.isNil(outbox.take(isWritable: false)))
        #expect(outbox.take(isWritable: true)?.buffers.count == 1)
    }

    @Test("a declared length is kept: too much fails at the write, too little at the end") func length() throws {
        var long = OutboxState()
        _ = long.begin(try framing(length: 100_000))
        _ = try long.append(bytes(99_999))
        #expect(throws: ResponseError.lengthMismatch) { try long.append(bytes(2)) }
        #expect(throws: ResponseError.lengthMismatch) { try long.finish(nil) }
        _ = try long.append(bytes(1))
        _ = try long.finish(nil)
        #expect(throws: ResponseError.afterEnd) { try long.append(bytes(1)) }
    }

    @Test("a closed outbox refuses writes and gives nothing") func closed() throws {
        var outbox = OutboxState()
        _ = try outbox.append(bytes(5))
        #expect(Self.isNil(outbox.close()))
        #expect(outbox.bytes == 0 && Self.isNil(outbox.take(isWritable: true)))
        #expect(throws: ResponseError.connectionClosed) { try outbox.append(bytes(1)) }
    }

    @Test("a writer that waits is resumed once: by room, by closing, or by cancellation", arguments: ["room", "close", "cancel"])
    func waiter(_ how: String) async throws {
        let outcome = await withCheckedContinuation { (done: CheckedContinuation<String, Never>) in
            Task {
                do {
                    var outbox = OutboxState()
                    _ = try outbox.append(bytes(100_000))
                    try await withCheckedThrowingContinuation { waiter in
                        guard case .park = outbox.wait(waiter) else { return waiter.resume(throwing: CancellationError()) }
                        #expect(Self.isNil(outbox.settle(isWritable: true)), "still full")
                        switch how {
                        case "room":
                            _ = outbox.take(isWritable: true)
                            #expect(Self.isNil(outbox.settle(isWritable: false)), "nothing is taken")
                            outbox.settle(isWritable: true)?.resume()
                        case "close": outbox.close()?.resume(throwing: ResponseError.connectionClosed)
                        default: outbox.cancel()?.resume(throwing: CancellationError())
                        }
                        #expect(Self.isNil(outbox.close()))
                    }
                    done.resume(returning: "room")
                } catch {
                    done.resume(returning: error is CancellationError ? "cancel" : "close")
                }
            }
        }
        #expect(outcome == how)
    }
}
