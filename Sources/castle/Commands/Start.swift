// castle start: an empty cloud.

import ArgumentParser
import CastleServer
import Foundation

struct Start: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "An empty cloud: the AWS APIs and nothing else.",
    discussion: """
      Keys that nobody made are taken as the owner's, so test/test works, and a key of twelve digits names the account;
      --strict lets only known keys in.

      EXAMPLES
        castle start
        castle start -d --port 0 --state /tmp/cloud
        curl -X POST http://127.0.0.1:4566/_castle/reset
      """)
  @Option(help: "Where the cloud keeps its state.") var state: String?
  @Option(help: "The address to listen on.") var host = "127.0.0.1"
  @Option(help: "The port to listen on; 0 lets the system pick.") var port: UInt16 = 4566
  @Option(help: "The region of the default network.") var region = "us-east-1"
  @OptionGroup var gate: GateOptions
  @Flag(inversion: .prefixedNo, help: "Let only known keys in.") var strict = false
  @Flag(name: [.customShort("d"), .long], help: "Return when it runs, and leave it running.") var detach = false

  func run() async throws {
    let environment = ProcessInfo.processInfo.environment
    let directory =
      state.map { URL(fileURLWithPath: $0).path }
      ?? CastleConfiguration.defaultStateDirectory(name: CastleOptions.emptyCloud, environment: environment)
    let daemon = Daemon(stateDirectory: directory)
    if let client = try daemon.running() {
      print("the cloud runs already at \(client.endpoint)")
      return
    }
    let admission: CastleConfiguration.Admission = strict ? .strict : .permissive
    let gateArguments = try await gate.arguments()
    if detach {
      let client = try await daemon.start(
        host: host, port: port, ["--region", region, "--admission", admission.rawValue] + gateArguments)
      print(Self.banner(client.endpoint, client.dashboard, stop: "castle down --state \(directory)"))
      return
    }
    var configuration = CastleConfiguration(stateDirectory: directory)
    configuration.listener = .address(host: host, port: Int(port))
    configuration.region = region
    configuration.admission = admission
    configuration.filtersPackets = !gateArguments.isEmpty
    try await ServerRun.run(configuration, onSignal: .down) { endpoint in
      let token = (try? OwnerFile.read(stateDirectory: directory))?.token ?? ""
      print(Self.banner(endpoint, "\(endpoint)/_castle/?token=\(token)", stop: "Ctrl-C"))
      fflush(nil)
    }
  }

  static func banner(_ endpoint: String, _ dashboard: String, stop: String) -> String {
    "The AWS APIs are at \(Terminal.styled(endpoint, .cyan))\n"
      + Terminal.table([
        ["Use", "AWS_ENDPOINT_URL=\(endpoint) AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test aws s3 ls"],
        ["Dashboard", dashboard], ["Stop", stop],
      ])
  }
}

struct Reset: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Empty the cloud: everything in it is removed. For tests.")
  @OptionGroup var castle: CastleOptions
  func run() async throws {
    try await castle.client().call("POST", "/reset")
    print("the cloud is empty")
  }
}
