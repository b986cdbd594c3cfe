import CLauncher
import Glibc

/// The descriptors of a launch, the supervisor's ends and the sandbox's.
struct LaunchEnds {
    let channel, out, err: Int32
    let channelInside, outInside, errInside: Int32
    let nothing: Int32

    init() throws(LaunchError) {
        var ends = claunch_ends()
        let code = claunch_open(&ends)
        guard code == 0 else { throw LaunchError(.descriptors, errno: code) }
        (channel, out, err) = (ends.channel, ends.out, ends.err)
        (channelInside, outInside, errInside) = (ends.channel_inside, ends.out_inside, ends.err_inside)
        nothing = ends.nothing
    }

    func closeInside() { for descriptor in [channelInside, outInside, errInside, nothing] { close(descriptor) } }

    func closeAll() {
        closeInside()
        for descriptor in [channel, out, err] { close(descriptor) }
    }
}

/// A call of the C launcher, with its pointers held for as long as the call.
struct SpawnRequest {
    var path: String
    var arguments: [String]
    var descriptors: [Int32]
    /// Of v1 trees.
    var cgroups: [Int32] = []
    /// The v2 cgroup's directory and its `cgroup.procs`; nil for none.
    var birth: (directory: Int32, processes: Int32)?
    var limits: [claunch_rlimit] = []
    /// Nil keeps the server's own.
    var uid: UInt32?

    /// Blocks until the program runs, or until a step failed.
    func run() throws(LaunchError) -> claunch_result {
        var pointers = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var result = claunch_result()
        let program = strdup(path)
        defer { free(program) }
        descriptors.withUnsafeBufferPointer { descriptors in
            cgroups.withUnsafeBufferPointer { cgroups in
                limits.withUnsafeBufferPointer { limits in
                    pointers.withUnsafeMutableBufferPointer { arguments in
                        var request = claunch_request()
                        request.path = UnsafePointer(program)
                        request.arguments = UnsafePointer(arguments.baseAddress)
                        request.descriptors = descriptors.baseAddress
                        request.descriptor_count = descriptors.count
                        request.cgroups = cgroups.baseAddress
                        request.cgroup_count = cgroups.count
                        request.birth = birth?.directory ?? -1
                        request.birth_procs = birth?.processes ?? -1
                        request.limits = limits.baseAddress
                        request.limit_count = limits.count
                        request.drop = uid == nil ? 0 : 1
                        request.uid = uid ?? 0
                        _ = claunch_spawn(&request, &result)
                    }
                }
            }
        }
        guard result.step == 0 else {
            throw LaunchError(
                LaunchError.Step(launcher: result.step), errno: result.error, result.step == Int32(CLAUNCH_EXEC.rawValue) ? path : "")
        }
        return result
    }
}

extension LaunchError.Step {
    /// From a step of the C launcher.
    init(launcher step: Int32) {
        let steps: [LaunchError.Step] = [
            .clone, .signals, .session, .cgroup, .descriptors, .directory, .limits, .groups, .user, .capabilities, .privileges, .parent,
            .exec,
        ]
        self = step >= 1 && step <= steps.count ? steps[Int(step) - 1] : .clone
    }
}
