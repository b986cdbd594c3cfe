internal import JSON

/// The state of a job's task.
struct JobCourse {
    private let session: JobSession
    private let clock = ContinuousClock()
    private let start = ContinuousClock.now
    private var machine: JobMachine
    private var channel: ChannelMachine
    /// Its deadline of half a frame; a look at every tick is exact enough. Replies that wait are the lane's to watch.
    private var watch = ChannelWatch()
    private var keepers: [OutputKeeper]
    private var repairers = [TextRepairer(), TextRepairer()]
    private var armed: Duration?
    private var due: [JobMachine.Action] = []
    private var remains: SandboxRemains?
    private var wall: Duration = .zero
    private(set) var isClosed = false

    init(_ session: JobSession) {
        self.session = session
        machine = JobMachine(session.limits)
        channel = session.sandbox.channel
        keepers = [OutputKeeper(kept: session.limits.outputKept), OutputKeeper(kept: session.limits.outputKept)]
    }

    var end: JobSession.End {
        let remains = remains ?? .unknown
        return JobSession.End(
            outcome: machine.outcome(of: remains), remains: remains, value: machine.value, stdout: keepers[0].kept,
            stderr: keepers[1].kept, wall: wall)
    }

    mutating func begin(_ job: SandboxJob, _ calls: inout TaskGroup<Void>) async {
        act(on: channel.run(code: job.code, inputs: job.inputs, tools: job.tools), &calls)
        await killIfDue(&calls)
        arm()
    }

    mutating func handle(_ event: SandboxInbox.Event, _ calls: inout TaskGroup<Void>) async {
        switch event {
        case .bytes(.channel, let bytes):
            act(on: channel.receive(bytes), &calls)
            watch.received(partialFrame: channel.partialFrame, at: clock.now - start)
        case .bytes(.stdout, let bytes): output(.stdout, bytes)
        case .bytes(.stderr, let bytes): output(.stderr, bytes)
        case .ended(.channel):
            channel.closed()
            watch.received(partialFrame: nil, at: clock.now - start)
            decide(.channelEnded)
        case .ended: break
        case .tick(let cpu):
            armed = nil
            decide(.tick(cpu: cpu))
            if let violation = watch.check(at: clock.now - start) { decide(.violated(violation)) }
        case .unread: decide(.violated(ChannelViolation(.unreadReplies, "replies are not read")))
        case .answered(let id, let reply):
            decide(.answered(id))
            if !machine.isOver { act(on: channel.answer(id, reply), &calls) }
        case .exited: decide(.exited)
        case .cancelled: decide(.cancelled)
        case .closed: close()
        }
        await killIfDue(&calls)
    }

    /// Asks the lane for the next tick.
    mutating func arm() {
        guard let wake = machine.wake, wake != armed else { return }
        armed = wake
        let (launcher, launched) = (session.launcher, session.sandbox.launched)
        session.lane.perform(
            .wake(session.sandbox.lane, at: start + wake, cpu: { launcher.cpuNanoseconds(launched) }))
    }

    private mutating func act(on actions: [ChannelAction], _ calls: inout TaskGroup<Void>) {
        for action in actions {
            switch action {
            case .call(let call): dispatch(call, &calls)
            case .refused(let call): session.handler.refused(call)
            case .emit(let stream, let data): session.handler.emitted(stream, data)
            case .result(let value): decide(.result(value))
            case .send(let bytes): session.lane.perform(.send(session.sandbox.lane, bytes))
            case .kill(let violation): decide(.violated(violation))
            case .ready, .log: break
            }
        }
    }

    /// A call that was on its way when the job ended is nobody's: its answer could not be read.
    private mutating func dispatch(_ call: SandboxCall, _ calls: inout TaskGroup<Void>) {
        guard !machine.isOver else { return }
        decide(.called(call.id))
        let (handler, inbox) = (session.handler, session.sandbox.inbox)
        calls.addTask {
            let reply = await handler.call(call)
            inbox.post(.answered(call.id, reply))
        }
    }

    private mutating func output(_ stream: SandboxStream, _ bytes: [UInt8]) {
        let index = stream == .stdout ? 0 : 1
        keepers[index].append(bytes)
        tell(stream, repairers[index].feed(bytes))
        decide(.output(bytes.count))
    }

    private func tell(_ stream: SandboxStream, _ text: String) {
        if !text.isEmpty { session.handler.output(stream, text) }
    }

    private mutating func close() {
        tell(.stdout, repairers[0].finish())
        tell(.stderr, repairers[1].finish())
        isClosed = true
    }

    private mutating func decide(_ event: JobMachine.Event) {
        due += machine.handle(event, at: clock.now - start)
    }

    /// Not a child task: a cancelled job's sandbox must be killed all the same.
    private mutating func killIfDue(_ calls: inout TaskGroup<Void>) async {
        let actions = due
        due = []
        for action in actions {
            switch action {
            case .cancelCalls:
                calls.cancelAll()
            case .kill:
                calls.cancelAll()
                wall = clock.now - start
                let (launcher, launched) = (session.launcher, session.sandbox.launched)
                remains = await Task { await launcher.kill(launched) }.value
                session.lane.perform(.finish(session.sandbox.lane))
            }
        }
    }
}
