import Executor
import Glibc

// Launches one sandbox in a folder, says its name and uid, and holds it until it is killed: the test of a killed server.
let bootstrap = Array(
    """
    import os, sys
    if os.fork() == 0 and os.fork() == 0:
        os.setsid()
    print("up", flush=True)
    while True:
        os.read(3, 1) or __import__("time").sleep(1)
    """.utf8)

// Arguments: the folder; the level that is the least (full); "probe" to say what a probe finds and leave, or "bare" for a sandbox
// without namespaces; the folder of the cgroups.
var settings = SandboxSettings(directory: CommandLine.arguments[1])
settings.slots = CommandLine.arguments[1] + "-uids"
settings.uidCount = 16
settings.uidBase = 1_910_000_000 + UInt32(getpid()) % 1_000_000 * settings.uidCount
if CommandLine.arguments.count > 2, let level = IsolationLevel(rawValue: CommandLine.arguments[2]) { settings.minimum = level }
if CommandLine.arguments.last == "probe" {
    let report = await Prober(settings).probe()
    print(report.level.rawValue)
    print(report.complaint)
    exit(0)
}
let isBare = CommandLine.arguments.count > 3 && CommandLine.arguments[3] == "bare"
if CommandLine.arguments.count > 4 { settings.cgroups = CommandLine.arguments[4] }
let launcher = try Launcher(settings, bootstrap: bootstrap)
if isBare { launcher.use(.bare) }
let sandbox = try await launcher.launch()
print(sandbox.id, sandbox.uid)
fflush(nil)
while true { try await Task.sleep(for: .seconds(60)) }
