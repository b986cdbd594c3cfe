import JSON
import Testing

@testable import Executor

@Suite("When a job ends, and what its end is called")
struct JobMachineTests {
    private var limits = SandboxLimits()

    init() {
        limits.wall = .seconds(10)
        limits.toolWaitMax = .seconds(60)
        limits.cpu = .seconds(5)
        limits.outputMax = 1_000
    }

    private func remains(
        _ status: SandboxRemains.Status?, oom: Bool = false, cpu: Duration? = nil
    ) -> SandboxRemains {
        SandboxRemains(
            status: status, wasOutOfMemory: oom, cpuNanoseconds: cpu?.nanoseconds, memoryPeak: nil, isUndead: false)
    }

    private func outcome(_ exit: SandboxExit, _ detail: String? = nil) -> JobMachine.Outcome {
        JobMachine.Outcome(exit: exit, detail: detail)
    }

    @Test("the wall clock ends a job at its limit and not before")
    func wall() {
        var machine = JobMachine(limits)
        #expect(machine.handle(.tick(cpu: nil), at: .seconds(9.999)) == [])
        #expect(machine.wake == .seconds(10))
        #expect(machine.handle(.tick(cpu: nil), at: .seconds(10)) == [.kill])
        #expect(machine.outcome(of: remains(.signalled(9))) == outcome(.timeout, "wall"))
        #expect(machine.wake == nil)
    }

    @Test("waits for tools are not the code's time, once however many calls are in flight")
    func waits() {
        var machine = JobMachine(limits)
        #expect(machine.handle(.called(1), at: .seconds(1)) == [])
        #expect(machine.handle(.called(2), at: .seconds(2)) == [])
        #expect(machine.handle(.answered(1), at: .seconds(20)) == [])
        #expect(machine.handle(.answered(2), at: .seconds(31)) == [])
        // One second before the calls, nine are left.
        #expect(machine.handle(.tick(cpu: nil), at: .seconds(39.9)) == [])
        #expect(machine.wake == .seconds(40))
        #expect(machine.handle(.tick(cpu: nil), at: .seconds(40)) == [.kill])
    }

    @Test("waits beyond their limit are the code's time")
    func waitsTooLong() {
        var machine = JobMachine(limits)
        #expect(machine.handle(.called(1), at: .zero) == [])
        #expect(machine.handle(.tick(cpu: nil), at: .seconds(69.9)) == [])
        #expect(machine.wake == .seconds(70))
        #expect(machine.handle(.tick(cpu: nil), at: .seconds(70)) == [.cancelCalls, .kill])
        #expect(machine.outcome(of: remains(.signalled(9))) == outcome(.timeout, "wall"))
    }

    @Test("many short waits together have the same limit")
    func waitsTogether() {
        var machine = JobMachine(limits)
        var now = Duration.zero
        for id in Int64(1)...8 {
            #expect(machine.handle(.called(id), at: now) == [])
            now += .seconds(8)
            #expect(machine.handle(.answered(id), at: now) == [])
        }
        // 64 seconds of waits, 60 of them free.
        #expect(machine.handle(.tick(cpu: nil), at: now + .seconds(5.9)) == [])
        #expect(machine.handle(.tick(cpu: nil), at: now + .seconds(6)) == [.kill])
    }

    @Test("a channel that the code closed ends its waits, not the job")
    func channelClosed() {
        var machine = JobMachine(limits)
        #expect(machine.handle(.called(1), at: .seconds(1)) == [])
        #expect(machine.handle(.channelEnded, at: .seconds(2)) == [.cancelCalls])
        #expect(machine.handle(.tick(cpu: nil), at: .seconds(10.9)) == [])
        #expect(machine.handle(.exited, at: .seconds(10.95)) == [.kill])
        #expect(machine.outcome(of: remains(.exited(0))) == outcome(.ok))
    }

    @Test("CPU time is looked at every quarter of a second, and ends a job at its limit")
    func cpu() {
        var machine = JobMachine(limits)
        #expect(machine.wake == .milliseconds(250))
        #expect(machine.handle(.tick(cpu: Duration.seconds(4.9).nanoseconds), at: .milliseconds(250)) == [])
        #expect(machine.wake == .milliseconds(500))
        #expect(machine.handle(.tick(cpu: Duration.seconds(5).nanoseconds), at: .milliseconds(500)) == [.kill])
        #expect(machine.outcome(of: remains(.signalled(9))) == outcome(.cpuLimit, "cpu"))
    }

    @Test("output at its limit is allowed, one byte more ends the job")
    func output() {
        var machine = JobMachine(limits)
        #expect(machine.handle(.output(600), at: .zero) == [])
        #expect(machine.handle(.output(400), at: .zero) == [])
        #expect(machine.handle(.output(1), at: .zero) == [.kill])
        #expect(machine.handle(.output(5_000), at: .zero) == [])
        #expect(machine.outcome(of: remains(.signalled(9))) == outcome(.outputLimit, "output"))
    }

    @Test("a broken rule of the channel, and replies that are not read, end the job as protocol_limit with the code")
    func violations() {
        var machine = JobMachine(limits)
        #expect(machine.handle(.violated(ChannelViolation(.frameLength, "")), at: .zero) == [.kill])
        #expect(machine.outcome(of: remains(.signalled(9))) == outcome(.protocolLimit, "frame_length"))
        machine = JobMachine(limits)
        #expect(machine.handle(.violated(ChannelViolation(.unreadReplies, "")), at: .zero) == [.kill])
        #expect(machine.outcome(of: remains(.signalled(9))) == outcome(.protocolLimit, "unread_replies"))
        machine = JobMachine(limits)
        #expect(machine.handle(.violated(ChannelViolation(.timeout, "")), at: .zero) == [.kill])
        #expect(machine.outcome(of: remains(.signalled(9))) == outcome(.timeout, "timeout"))
    }

    @Test("after its result a job has a moment to leave, then it is ended and still ok")
    func result() {
        var machine = JobMachine(limits)
        #expect(machine.handle(.called(1), at: .zero) == [])
        #expect(machine.handle(.result("done"), at: .seconds(1)) == [.cancelCalls])
        #expect(machine.wake == .milliseconds(250))
        #expect(machine.handle(.tick(cpu: nil), at: .seconds(1.4)) == [])
        #expect(machine.wake == .seconds(1.5))
        #expect(machine.handle(.tick(cpu: nil), at: .seconds(1.5)) == [.kill])
        #expect(machine.outcome(of: remains(.signalled(9))) == outcome(.ok))
        #expect(machine.value == "done")
    }

    @Test("a result that is read after the process is gone counts; a second one does not")
    func lateResult() {
        var machine = JobMachine(limits)
        #expect(machine.handle(.exited, at: .seconds(1)) == [.kill])
        #expect(machine.handle(.result(1), at: .seconds(1)) == [])
        #expect(machine.handle(.result(2), at: .seconds(1)) == [])
        #expect(machine.value == 1)
        #expect(machine.outcome(of: remains(.exited(0))) == outcome(.ok))
    }

    @Test("only the first end counts, and kill is said once")
    func firstEnd() {
        var machine = JobMachine(limits)
        #expect(machine.handle(.cancelled, at: .seconds(1)) == [.kill])
        #expect(machine.handle(.exited, at: .seconds(1)) == [])
        #expect(machine.handle(.output(9_999), at: .seconds(1)) == [])
        #expect(machine.handle(.tick(cpu: nil), at: .seconds(99)) == [])
        #expect(machine.handle(.called(7), at: .seconds(99)) == [])
        #expect(machine.outcome(of: remains(.exited(0))) == outcome(.killed, "cancelled"))
    }

    @Test(
        "the kernel's account names the end of a job that nobody else ended",
        arguments: [
            (SandboxRemains.Status.exited(0), false, Duration.zero, SandboxExit.ok, String?.none),
            (.exited(1), false, .zero, .error, "status 1"),
            (.exited(137), true, .zero, .outOfMemory, "memory"),
            // 137 alone is no proof of it.
            (.exited(137), false, .zero, .error, "signal 9"),
            (.exited(137), false, .seconds(5), .cpuLimit, "cpu"),
            (.exited(152), false, .zero, .cpuLimit, "cpu"),
            (.exited(159), false, .zero, .forbiddenSyscall, "SIGSYS"),
            (.signalled(31), false, .zero, .forbiddenSyscall, "SIGSYS"),
            (.exited(139), false, .zero, .error, "signal 11"),
            // A child of the code was killed for memory, the code went on.
            (.exited(0), true, .zero, .ok, nil),
            (.exited(1), true, .zero, .error, "status 1"),
        ])
    func kernel(status: SandboxRemains.Status, oom: Bool, cpu: Duration, exit: SandboxExit, detail: String?) {
        var machine = JobMachine(limits)
        #expect(machine.handle(.exited, at: .seconds(1)) == [.kill])
        #expect(machine.outcome(of: remains(status, oom: oom, cpu: cpu)) == outcome(exit, detail))
    }

    @Test("a clock that stands still or steps back moves nothing")
    func stillClock() {
        var machine = JobMachine(limits)
        #expect(machine.handle(.tick(cpu: nil), at: .seconds(5)) == [])
        #expect(machine.handle(.tick(cpu: nil), at: .seconds(4)) == [])
        #expect(machine.handle(.tick(cpu: nil), at: .seconds(9.9)) == [])
        #expect(machine.handle(.tick(cpu: nil), at: .seconds(10)) == [.kill])
    }

    @Test("the next tick is never later than the end, whatever happens in between")
    func wakeIsSound() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            var machine = JobMachine(limits)
            var now = Duration.zero
            var id: Int64 = 0
            while let wake = machine.wake {
                #expect(wake > now || machine.isOver)
                let step = Duration.milliseconds(Int.random(in: 0...400, using: &random))
                if now + step >= wake || Bool.random(using: &random) {
                    now = max(wake, now)
                    _ = machine.handle(.tick(cpu: nil), at: now)
                } else {
                    now += step
                    id += 1
                    _ = machine.handle(Bool.random(using: &random) ? .called(id) : .answered(id - 1), at: now)
                }
                #expect(now <= limits.wall + limits.toolWaitMax)
            }
            #expect(machine.outcome(of: remains(.signalled(9))) == outcome(.timeout, "wall"))
        }
    }
}
