import Glibc
import Testing

@testable import Executor

@Suite("The thread of the sandboxes' descriptors")
struct DescriptorLaneTests {
    @Test("bytes come in order, ends are told, and nothing is left open")
    func reading() async throws {
        let ends = try Ends()
        let lane = try DescriptorLane()
        let inbox = SandboxInbox()
        let id = lane.add(ends.sandbox, inbox)
        ends.write("hello ", to: ends.out)
        ends.write("world", to: ends.out)
        close(ends.out)
        var (text, isEnded) = ("", false)
        while !isEnded {
            for event in await inbox.next().events {
                switch event {
                case .bytes(.stdout, let bytes): text += String(decoding: bytes, as: UTF8.self)
                case .ended(.stdout): isEnded = true
                default: Issue.record("\(event)")
                }
            }
        }
        #expect(text == "hello world")
        ends.write("last", to: ends.err)
        lane.perform(.finish(id))
        #expect(await rest(of: inbox) == "last")
        close(ends.err)
        close(ends.peer)
        lane.perform(.stop)
    }

    @Test("39: descriptors that are passed over the channel are dropped, whatever the filter allows")
    func passedDescriptors() async throws {
        let ends = try Ends()
        let lane = try DescriptorLane()
        let inbox = SandboxInbox()
        let id = lane.add(ends.sandbox, inbox)
        for _ in 0..<50 { try ends.pass(descriptor: ends.out) }
        var count = 0
        while count < 50 {
            for case .bytes(.channel, let bytes) in await inbox.next().events { count += bytes.count }
        }
        #expect(links(to: ends.out) == 1)
        lane.perform(.finish(id))
        _ = await rest(of: inbox)
        for descriptor in [ends.out, ends.err, ends.peer] { close(descriptor) }
        lane.perform(.stop)
    }

    @Test("a reader that does not take its bytes holds a bounded number of them, and gets the others later")
    func backPressure() async throws {
        let ends = try Ends()
        let lane = try DescriptorLane()
        let inbox = SandboxInbox()
        let id = lane.add(ends.sandbox, inbox)
        let total = 8 << 20
        let out = ends.out
        let writer = Task.detached {
            let chunk = [UInt8](repeating: 7, count: 64 << 10)
            for _ in 0..<total / chunk.count {
                var done = 0
                while done < chunk.count {
                    let count = chunk[done...].withUnsafeBytes { write(out, $0.baseAddress, $0.count) }
                    if count > 0 { done += count } else { await Task.yield() }
                }
            }
            close(out)
        }
        var (count, largest, isEnded) = (0, 0, false)
        while !isEnded {
            let (events, wasFull) = await inbox.next()
            var batch = 0
            for event in events {
                if case .bytes(_, let bytes) = event { batch += bytes.count }
                if case .ended = event { isEnded = true }
            }
            count += batch
            largest = max(largest, batch)
            if wasFull { lane.perform(.resume(id)) }
        }
        await writer.value
        #expect(count == total)
        #expect(largest <= SessionLimits.inbox + SessionLimits.chunk)
        lane.perform(.finish(id))
        close(ends.err)
        close(ends.peer)
        lane.perform(.stop)
    }

    @Test("frames that nobody reads are held up to their limit, then told once")
    func unread() async throws {
        let ends = try Ends()
        let lane = try DescriptorLane()
        let inbox = SandboxInbox()
        let id = lane.add(ends.sandbox, inbox)
        // One frame alone always fits, however long; the socket takes some of it.
        lane.perform(.send(id, [UInt8](repeating: 1, count: 5 << 20)))
        lane.perform(.send(id, [1]))
        lane.perform(.send(id, [1]))
        let events = await inbox.next().events
        #expect(events.count == 1)
        guard case .unread = events.first else { throw Failure() }
        lane.perform(.finish(id))
        for descriptor in [ends.out, ends.err, ends.peer] { close(descriptor) }
        lane.perform(.stop)
    }

    private func rest(of inbox: SandboxInbox) async -> String {
        var text = ""
        while true {
            for event in await inbox.next().events {
                if case .bytes(_, let bytes) = event { text += String(decoding: bytes, as: UTF8.self) }
                if case .closed = event { return text }
            }
        }
    }

    /// How many descriptors of this process are the same socket.
    private func links(to descriptor: Int32) -> Int {
        var own = stat()
        fstat(descriptor, &own)
        return (0..<1_024).count { other in
            var facts = stat()
            return fstat(Int32(other), &facts) == 0 && facts.st_ino == own.st_ino && facts.st_dev == own.st_dev
        }
    }
}

private struct Failure: Error {}

/// The descriptors of a sandbox, and the sandbox's ends of them.
private struct Ends {
    let sandbox: LaunchedSandbox
    let peer: Int32
    let out: Int32
    let err: Int32

    init() throws {
        var pair: [Int32] = [0, 0]
        var out: [Int32] = [0, 0]
        var err: [Int32] = [0, 0]
        let flags = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        // Sockets instead of pipes: Glibc's module has no pipe2, and other tests of this process start programs.
        guard socketpair(AF_UNIX, flags, 0, &pair) == 0, socketpair(AF_UNIX, flags, 0, &out) == 0, socketpair(AF_UNIX, flags, 0, &err) == 0
        else { throw Failure() }
        (peer, self.out, self.err) = (pair[1], out[1], err[1])
        sandbox = LaunchedSandbox(id: "test", pid: -1, uid: 0, work: "", channel: pair[0], stdout: out[0], stderr: err[0])
    }

    func write(_ text: String, to descriptor: Int32) { _ = Glibc.write(descriptor, text, text.utf8.count) }

    /// One byte with a descriptor in its control data (SCM_RIGHTS).
    func pass(descriptor: Int32) throws {
        var byte: UInt8 = 1
        // struct cmsghdr of 64-bit Linux: length, level, type, then the descriptor, padded to eight bytes.
        var control: [UInt64] = [20, UInt64(SOL_SOCKET) | 1 << 32, UInt64(UInt32(bitPattern: descriptor))]
        let sent = withUnsafeMutableBytes(of: &byte) { byte in
            control.withUnsafeMutableBytes { control in
                var vector = iovec(iov_base: byte.baseAddress, iov_len: 1)
                return withUnsafeMutablePointer(to: &vector) { vector in
                    var message = msghdr()
                    message.msg_iov = vector
                    message.msg_iovlen = 1
                    message.msg_control = control.baseAddress
                    message.msg_controllen = 24
                    return sendmsg(peer, &message, 0)
                }
            }
        }
        guard sent == 1 else { throw Failure() }
    }
}
