// castle-gate: the data plane as a process of its own. The first process is the master, which starts the worker.
import GateCore
import Glibc

let usage = """
  usage: castle-gate --socket PATH [--state FILE] [--workers N] [--drain SECONDS] [--nftables on|off]
    --socket   where the control plane connects (Unix socket, made with mode 0600)
    --state    where the last configuration is kept, so that a restarted Gate serves at once
    --workers  event loops (threads), default 2
    --drain    seconds for requests in flight after SIGTERM, default 10
    --nftables on keeps a table of our own in the kernel's packet filter (needs CAP_NET_ADMIN), default off

  """

func fail(_ message: String, status: Int32) -> Never {
  let bytes = Array(message.utf8)
  _ = write(2, bytes, bytes.count)
  exit(status)
}

var socketPath: String?
var stateFile: String?
var loops = 2
var drainTime = 10.0
var channel: Int32 = -1
var usesNetfilter = false
let arguments = Array(CommandLine.arguments.dropFirst())
var passedOn: [String] = []

var index = 0
while index < arguments.count {
  let name = arguments[index]
  if name == "--help" || name == "-h" { fail(usage, status: 0) }
  guard index + 1 < arguments.count else { fail(usage, status: 64) }
  let value = arguments[index + 1]
  switch name {
  case "--socket": socketPath = value
  case "--state": stateFile = value
  case "--workers":
    guard let number = Int(value), (1...64).contains(number) else { fail(usage, status: 64) }
    loops = number
  case "--drain":
    guard let number = Double(value), number >= 0, number < 86_400 else { fail(usage, status: 64) }
    drainTime = number
  case "--nftables":
    guard value == "on" || value == "off" else { fail(usage, status: 64) }
    usesNetfilter = value == "on"
  case "--worker":
    guard let number = Int32(value) else { fail(usage, status: 64) }
    channel = number
  default: fail(usage, status: 64)
  }
  if name != "--worker" { passedOn += [name, value] }
  index += 2
}
guard let socketPath else { fail(usage, status: 64) }

GateProcess.prepare()
do {
  if channel < 0 {
    try GateMaster(arguments: passedOn, socketPath: socketPath, drainTime: drainTime).run()
  } else {
    var configuration = GateWorkerConfiguration(
      socketPath: socketPath, stateFile: stateFile, loops: loops, drainTime: drainTime, masterChannel: channel,
      handlesSignals: true)
    configuration.usesNetfilter = usesNetfilter
    let worker = try GateWorker(configuration)
    worker.run()
  }
} catch {
  fail("castle-gate: \(error)\n", status: 1)
}
