internal import JSON

/// One job in one sandbox: does what ``JobMachine`` and ``ChannelMachine`` decide.
///
/// Both machines and the kept output belong to the one task that runs `perform`.
struct JobSession: Sendable {
    struct End: Sendable {
        let outcome: JobMachine.Outcome
        let remains: SandboxRemains
        let value: JSONValue?
        let stdout: KeptOutput
        let stderr: KeptOutput
        let wall: Duration
    }

    let sandbox: WarmSandbox
    let limits: SandboxLimits
    let launcher: Launcher
    let lane: DescriptorLane
    let handler: any SandboxJobHandler

    /// Returns when every process of the sandbox is dead, all it wrote is read, and no call is in flight.
    func perform(_ job: SandboxJob) async -> End {
        let inbox = sandbox.inbox
        // No child: the outermost process of an undead sandbox never ends, and the job must.
        let (launcher, launched) = (launcher, sandbox.launched)
        Task {
            _ = await launcher.exited(launched)
            inbox.post(.exited)
        }
        return await withTaskCancellationHandler {
            await withTaskGroup(of: Void.self) { calls in
                var course = JobCourse(self)
                await course.begin(job, &calls)
                while !course.isClosed {
                    let (events, wasFull) = await inbox.next()
                    for event in events { await course.handle(event, &calls) }
                    if wasFull { lane.perform(.resume(sandbox.lane)) }
                    course.arm()
                }
                return course.end
            }
        } onCancel: {
            inbox.post(.cancelled)
        }
    }
}
